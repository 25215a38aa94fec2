"""The cache of answers: nothing lost, nothing asked twice, and answers go on whatever its file does."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind import errors
from ketafind.geocoding import GeocodeCache
from ketafind.geocoding.batch import outcomes
from ketafind.geocoding.cache import DAY_S
from ketafind.records import Location
from servers import Clock
from strategies import examples

# Of processes that may not write, such as what coverage.py has to say.
UNMEASURED = {name: os.environ[name] for name in os.environ if not name.startswith("COVERAGE_")}
HERE = Location(lat=44.2, lon=-76.5, source="fake", corrections=("x",))


def ask_never() -> Location:
    raise AssertionError("it is known already")


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["get", "put", "none"])), max_size=12
    )
)
@examples(0.2)
def test_the_cache_behaves_like_a_dict(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    known: dict[str, object] = {}
    with GeocodeCache(tmp_path_factory.mktemp("cache") / "c.sqlite") as cache:
        for text, step in steps:
            if step == "put":
                known[text] = Location(lat=1.5, lon=2.5, source=text, corrections=("x",))
                cache.put("p", "1", text, known[text])
            elif step == "none":
                known[text] = text
                cache.put_not_found("p", "1", text, text)
            found = cache.get("p", "1", text)
            expected = known.get(text)
            if expected is None:
                assert found is None
            elif isinstance(expected, Location):
                assert found is not None
                assert found.location == expected
            else:
                assert found is not None
                assert found.reason == expected


def test_one_address_in_other_spelling_is_one_key_and_another_street_is_not(tmp_path: Path) -> None:
    with GeocodeCache(tmp_path / "c.sqlite") as cache:
        cache.put("p", "1", "12 Main St, Orléans", Location(lat=1.0, lon=2.0))
        assert cache.get("p", "1", "12  MAIN st,  ORLE\u0301ANS") is not None
        assert cache.get("p", "1", "12 Main St E, Orléans") is None
        assert cache.get("p", "2", "12 Main St, Orléans") is None
        assert cache.get("q", "1", "12 Main St, Orléans") is None


def test_answers_age_and_a_clock_set_back_keeps_none_alive(tmp_path: Path) -> None:
    now = [1_000 * DAY_S]
    with GeocodeCache(tmp_path / "c.sqlite", clock=lambda: now[0]) as cache:
        cache.put("p", "1", "a", Location(lat=1.0, lon=2.0))
        cache.put_not_found("p", "1", "b", "none")
        now[0] += 15 * DAY_S
        assert cache.get("p", "1", "a") is not None
        assert cache.get("p", "1", "b") is None
        now[0] += 170 * DAY_S
        assert cache.get("p", "1", "a") is None
        now[0] -= 900 * DAY_S
        assert cache.get("p", "1", "a") is None


@pytest.mark.parametrize(("status", "days"), [("ok", 180), ("not_found", 14)])
def test_an_answer_is_good_to_the_end_of_its_last_day(
    tmp_path: Path, status: str, days: int
) -> None:
    now = [1_000.0 * DAY_S]
    with GeocodeCache(tmp_path / "c.sqlite", clock=lambda: now[0]) as cache:
        if status == "ok":
            cache.put("p", "1", "a", HERE)
        else:
            cache.put_not_found("p", "1", "a", "none")
        for later, known in ((-2.0, False), (-1.0, True), (days, True), (days + 1e-6, False)):
            now[0] = 1_000.0 * DAY_S + later * 86_400.0
            found = cache.get("p", "1", "a")
            assert (found is not None) == known
            assert found is None or (found.status, found.reason == "none") == (status, days == 14)


def test_a_cache_is_shown_by_its_name_and_opened_again_where_it_is_used_after_closing(
    tmp_path: Path,
) -> None:
    with GeocodeCache(tmp_path / "c.sqlite") as cache:
        cache.put("p", "1", "a", HERE)
    assert repr(cache) == "<GeocodeCache c.sqlite>"
    with pytest.raises(TypeError, match="not pickled; open its path in each process"):
        pickle.dumps(cache)
    assert cache.remember("p", "1", "a", ask_never, 10.0) == HERE
    cache.put_not_found("p", "1", "b", "no such street")
    with pytest.raises(errors.PlaceNotFoundError, match="no such street"):
        cache.remember("p", "1", "b", ask_never, 10.0)
    cache.close()


def test_the_files_hold_no_text_of_an_address_and_are_their_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "12 Secret Crescent", Location(lat=1.0, lon=2.0))
        files = [(file, file.stat().st_mode & 0o077) for file in tmp_path.iterdir()]
        assert len(files) > 1
        assert not any(others_may for _, others_may in files)
    for file in tmp_path.iterdir():
        assert b"ecret" not in file.read_bytes()


def test_a_new_file_is_private_before_anything_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, modes, connect = tmp_path / "c.sqlite", list[int](), sqlite3.connect

    def connected(*given: Any, **named: Any) -> sqlite3.Connection:
        modes.append(path.stat().st_mode & 0o777)
        return connect(*given, **named)

    monkeypatch.setattr("ketafind.geocoding.cache.sqlite3.connect", connected)
    before = os.umask(0)
    try:
        GeocodeCache(path).close()
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_cache_whose_making_broke_off_holds_nothing_and_is_made_when_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.sqlite"

    def stop(_: int) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ketafind.geocoding.cache.secrets.token_bytes", stop)
        with pytest.raises(KeyboardInterrupt):
            GeocodeCache(path)
    link = sqlite3.connect(path)
    assert link.execute("SELECT * FROM sqlite_master").fetchall() == []
    link.close()
    with GeocodeCache(path) as cache:
        assert cache.remember("p", "1", "a", lambda: HERE, 1.0) == HERE
        assert cache.remember("p", "1", "a", ask_never, 1.0) == HERE


def _set(path: Path, sql: str, values: tuple[Any, ...] = ()) -> None:
    link = sqlite3.connect(path)
    link.execute(sql, values)
    link.commit()
    link.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE answers SET payload = replace(payload, '44', '45')",
        "UPDATE answers SET stored_at = stored_at + 1",
        "UPDATE answers SET status = 'not_found'",
        "UPDATE answers SET checksum = x'00'",
        "UPDATE answers SET payload = x'8004'",
    ],
)
def test_an_edited_answer_is_noticed_and_not_used(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "a", Location(lat=44.0, lon=2.0))
    _set(path, sql)
    with GeocodeCache(path) as cache, pytest.warns(UserWarning, match="damaged"):
        assert cache.get("p", "1", "a") is None


FOREIGN = {
    "text": b"My notes of Tuesday, a line or two, of some value to me",
    "a long text": b"not a database, but long enough to be one" * 50,
    "a short text": b"no",
    "half a header": b"SQLite format 3\0",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_cache_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "notes"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(errors.DirectoryFileError, match="give another path") as refused:
        GeocodeCache(path)
    assert path.read_bytes() == FOREIGN[name]
    if (opened := Path("/proc/self/fd")).exists():  # nor is it kept open while the error is
        assert str(path) not in [os.path.realpath(one) for one in opened.iterdir()]
    del refused


def test_another_s_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    _set(path, "CREATE TABLE answers (mine TEXT)")
    _set(path, "CREATE TABLE others (mine TEXT)")
    before = path.read_bytes()
    with pytest.raises(errors.DirectoryFileError, match="something else"):
        GeocodeCache(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.sqlite"]


def test_a_newer_cache_a_folder_and_a_path_in_no_folder_are_refused_by_name(
    tmp_path: Path,
) -> None:
    newer = tmp_path / "newer.sqlite"
    with GeocodeCache(newer) as cache:
        cache.put("p", "1", "a", HERE)
    _set(newer, "CREATE TABLE later (a)")
    _set(newer, "PRAGMA user_version = 4")
    with pytest.raises(errors.DirectoryFileError, match="newer ketafind"):
        GeocodeCache(newer)
    with pytest.raises(errors.DirectoryFileError, match="is not a file"):
        GeocodeCache(tmp_path)
    with pytest.raises(errors.MissingFileError, match="no folder"):
        GeocodeCache(tmp_path / "none" / "c.sqlite")


def test_the_word_for_no_file_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.DirectoryFileError, match="word for no file"):
        GeocodeCache(":memory:")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_what_others_may_do_with_a_cache_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "a", HERE)
    path.chmod(0o677)
    with GeocodeCache(path) as cache:
        assert cache.remember("p", "1", "a", ask_never, 1.0) == HERE
        assert path.stat().st_mode & 0o777 == 0o600
        cache.put("p", "1", "b", HERE)
        assert not any(file.stat().st_mode & 0o077 for file in tmp_path.iterdir())
    foreign = tmp_path / "notes"
    foreign.write_text("notes of mine, which are no cache, and which all may read")
    foreign.chmod(0o644)
    with pytest.raises(errors.DirectoryFileError):
        GeocodeCache(foreign)
    assert foreign.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[..., sqlite3.Connection]]:
    """Lock a database as another process does that has begun to write, or has it for itself."""
    links: list[sqlite3.Connection] = []

    def lock(path: Path, how: str = "BEGIN IMMEDIATE") -> sqlite3.Connection:
        link = sqlite3.connect(path, isolation_level=None)
        links.append(link)
        if how == "exclusive":
            link.execute("PRAGMA locking_mode = EXCLUSIVE")
            link.execute("BEGIN EXCLUSIVE")
        else:
            link.execute(how)
        return link

    yield lock
    for link in links:
        link.close()


def test_a_locked_cache_costs_one_wait_and_its_answers_are_written_later(
    tmp_path: Path, locked: Callable[..., sqlite3.Connection]
) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()
    asked: list[str] = []

    def ask(text: str) -> Location:
        asked.append(text)
        return HERE

    with GeocodeCache(path, clock=clock, sleep=clock.sleep) as cache:
        other = locked(path)
        with pytest.warns(UserWarning, match=r"cannot be used \(database is locked\).*not kept"):
            assert cache.remember("p", "1", "a", lambda: ask("a"), 10.0) == HERE
        assert sum(clock.sleeps) == pytest.approx(1.0, abs=0.02)
        for text in "bcabc":
            clock.now += 5.0
            assert cache.remember("p", "1", text, lambda text=text: ask(text), 10.0) == HERE
        assert sum(clock.sleeps) == pytest.approx(1.0, abs=0.02)
        assert asked == ["a", "b", "c"]
        other.execute("ROLLBACK")
        clock.now += 5.0
        cache.put("p", "1", "d", HERE)
        other.close()
    with GeocodeCache(path, clock=clock) as cache:
        for text in "abcd":
            assert cache.remember("p", "1", text, ask_never, 10.0) == HERE


def test_closing_writes_what_could_not_be_written_before(
    tmp_path: Path, locked: Callable[..., sqlite3.Connection]
) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()
    with GeocodeCache(path, clock=clock, sleep=clock.sleep) as cache:
        other = locked(path)
        with pytest.warns(UserWarning, match="locked"):
            cache.put("p", "1", "a", HERE)
        other.close()
    with GeocodeCache(path, clock=clock) as cache:
        assert cache.remember("p", "1", "a", ask_never, 10.0) == HERE


def test_a_cache_that_is_locked_while_it_is_opened_does_not_stop_a_batch(
    tmp_path: Path, locked: Callable[..., sqlite3.Connection]
) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()
    with GeocodeCache(path, clock=clock) as cache:
        cache.put("p", "1", "known", HERE)
    other = locked(path, "exclusive")
    with pytest.warns(UserWarning, match="locked"):
        cache = GeocodeCache(path, clock=clock, sleep=clock.sleep)
    assert cache.get("p", "1", "known") is None
    assert cache.remember("p", "1", "new", lambda: HERE, 10.0) == HERE
    other.close()
    clock.now += 5.0
    assert cache.remember("p", "1", "known", ask_never, 10.0) == HERE
    cache.put_not_found("p", "1", "newer", "none")
    cache.close()
    with GeocodeCache(path, clock=clock) as cache:
        assert cache.remember("p", "1", "new", ask_never, 10.0) == HERE


def _read_only(path: Path) -> None:
    """Mark a database as one that this version of SQLite may read and not write."""
    content = bytearray(path.read_bytes())
    content[18] = 3
    path.write_bytes(content)


def test_a_read_only_cache_is_read_and_the_batch_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("fake", "1", "known", HERE)
    _read_only(path)
    fake = Fake()
    with pytest.warns(UserWarning, match="readonly") as noticed:
        found = outcomes(["new", "known", "newer", "new"], fake, resume=path)
    assert len(noticed) == 1
    assert [one.status for one in found] == ["ok"] * 4
    assert found[1].location == HERE
    assert fake.asked == ["new", "newer"]


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_cache_beside_which_no_journal_can_be_made_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "known", HERE)
    path.with_name(path.name + ending).mkdir()
    with GeocodeCache(path) as cache:
        assert cache.remember("p", "1", "known", ask_never, 10.0) == HERE
        with pytest.warns(UserWarning, match="cannot be used"):
            assert cache.remember("p", "1", "new", lambda: HERE, 10.0) == HERE
        assert cache.remember("p", "1", "new", ask_never, 10.0) == HERE


class Fake:
    name, version = "fake", "1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def geocode(self, text: str) -> Location:
        self.asked.append(text)
        return Location(lat=45.0, lon=-76.0, source="fake", label=text)


READ_ONLY = """
import urllib.parse  # pathlib reads it later, when this user may not
import os, sys, warnings
from pathlib import Path
from ketafind.geocoding import GeocodeCache
from ketafind.records import Location

path = Path(sys.argv[1])
if os.getuid() == 0:  # whom no permission stops
    os.setuid(65534)
with warnings.catch_warnings(record=True) as noticed:
    warnings.simplefilter("always")
    with GeocodeCache(path) as cache:
        known = cache.get("p", "1", "known")
        new = cache.remember("p", "1", "new", lambda: Location(lat=1.0, lon=2.0), 10.0)
        again = cache.get("p", "1", "new")
print(known.location.lat, new.lat, again.location.lat, len(noticed), *sorted(os.listdir(path.parent)))
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs the permissions of POSIX")
@pytest.mark.parametrize("mode", [(0o444, 0o755), (0o444, 0o555), (0o444, 0o777)])
def test_a_cache_without_permission_to_write_is_read(mode: tuple[int, int]) -> None:
    # Not in tmp_path: another user may not enter its parents.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "c.sqlite"
        with GeocodeCache(path) as cache:
            cache.put("p", "1", "known", HERE)
        path.chmod(mode[0])
        Path(folder).chmod(mode[1])
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(path)],
            capture_output=True,
            text=True,
            env=UNMEASURED,
            check=False,
        )
        Path(folder).chmod(0o755)
        assert done.stderr == ""
        assert done.stdout.startswith("44.2 1.0 1.0 1 c.sqlite")


FULL = """
import resource, signal, sys, warnings
from ketafind.geocoding import GeocodeCache
from ketafind.geocoding.batch import outcomes
from ketafind.records import Location

class Fake:
    name, version = "fake", "1"
    asked = 0
    def geocode(self, text):
        Fake.asked += 1
        return Location(lat=44.0, lon=-76.0, label=text * 20)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as noticed:
    warnings.simplefilter("always")
    found = outcomes([f"address {i}" for i in range(300)], Fake(), resume=sys.argv[1])
print(sum(one.status == "ok" for one in found), Fake.asked, len(noticed))
"""


def test_a_file_that_takes_long_to_fail_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, tries = Clock(), []

    def fail(_: Path) -> None:
        tries.append(clock.now)
        clock.now += 10.0
        raise sqlite3.OperationalError("disk I/O error")

    module = "ketafind.geocoding.cache"
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.open_private", fail)
        patch.setattr(f"{module}.time", SimpleNamespace(monotonic=clock))
        with pytest.warns(UserWarning, match="disk I/O error"):
            cache = GeocodeCache(tmp_path / "c.sqlite", clock=clock, sleep=clock.sleep)
        for number in range(50):
            assert cache.remember("p", "1", f"text {number}", lambda: HERE, 10.0) == HERE
        assert len(tries) == 1
        clock.now += 200.0  # 20 times as long as it took
        cache.put("p", "1", "later", HERE)
        assert len(tries) == 2
    cache.close()  # which tries again in any case
    with GeocodeCache(tmp_path / "c.sqlite", clock=clock) as cache:
        for text in ("text 0", "text 49", "later"):
            assert cache.remember("p", "1", text, ask_never, 10.0) == HERE


@pytest.mark.parametrize("size", [0, 10_000, 100_000, 300_000])
def test_a_full_disk_costs_one_warning_and_no_answer(tmp_path: Path, size: int) -> None:
    path = tmp_path / "c.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(size)],
        capture_output=True,
        text=True,
        env=UNMEASURED,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["300", "300", "1"]
    # With room again, what was written before is there.
    fake = Fake()
    outcomes([f"address {i}" for i in range(300)], fake, resume=path)
    assert (len(fake.asked) == 300) == (size < 100_000)


def test_no_damage_of_a_file_lets_a_foreign_error_or_a_wrong_answer_out(tmp_path: Path) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()
    places = {f"text {i}": Location(lat=44.0 + i / 10, lon=-76.0) for i in range(5)}
    with GeocodeCache(path, clock=clock) as cache:
        for text, place in places.items():
            cache.put("p", "1", text, place)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 1, 3, 50])):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        for file in tmp_path.iterdir():
            file.unlink()
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with (
                contextlib.suppress(errors.DirectoryFileError),
                GeocodeCache(path, clock=clock, sleep=clock.sleep) as cache,
            ):
                for text, place in places.items():
                    known = cache.get("p", "1", text)
                    assert known is None or known.location == place
                    assert cache.remember("p", "1", text, lambda place=place: place, 1.0) == place


@pytest.mark.parametrize(
    "payload",
    [
        "[]",
        "7",
        "{}",
        '{"reason": 1}',
        '{"lat": 1e400}',
        "[" * 100_000,
        '{"lat": ' + "9" * 400 + "}",
    ],
)
def test_an_answer_that_was_forged_with_the_file_s_own_key_is_not_used(
    tmp_path: Path, payload: str
) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "a", HERE)
        key = cache._key('["p", "1", ["a"], [0]]')
        for status in ("ok", "odd"):
            now = time.time()
            values = (status, payload, now, cache._checksum(key, status, payload, now))
            _set(path, "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (key, *values))
            cache._warned = False
            with pytest.warns(UserWarning, match="damaged"):
                assert cache.get("p", "1", "a") is None


@pytest.mark.parametrize("salt", [7, "text", b"short", None])
def test_a_key_that_is_damaged_leaves_the_file_alone(tmp_path: Path, salt: object) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "a", HERE)
    if salt is None:
        _set(path, "DELETE FROM meta")
    else:
        _set(path, "UPDATE meta SET value = ?", (salt,))
    with pytest.warns(UserWarning, match="key is damaged") as noticed:
        cache = GeocodeCache(path)
    assert noticed[0].filename == __file__
    assert cache.get("p", "1", "a") is None
    assert cache.remember("p", "1", "b", lambda: HERE, 10.0) == HERE
    assert cache.remember("p", "1", "b", ask_never, 10.0) == HERE
    cache.close()


CLOSE = """
import sys, threading
from ketafind.geocoding import GeocodeCache
from ketafind.records import Location

cache = GeocodeCache(sys.argv[1])
place = Location(lat=44.2, lon=-76.5)
over = threading.Event()

def work(n):
    while not over.is_set():
        cache.get("p", "1", "K7L 3N6")
        cache.put("p", "1", f"text {n}", place)
        cache.remember("p", "1", "K7L 3N7", lambda: place, 1.0)

threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for _ in range(300):
    cache.close()
over.set()
for thread in threads:
    thread.join()
cache.close()
print(cache.get("p", "1", "text 7").location.lat)
cache.close()
"""


def test_closing_beside_busy_threads_does_no_harm(tmp_path: Path) -> None:
    for i in range(3):
        done = subprocess.run(
            [sys.executable, "-c", CLOSE, str(tmp_path / f"cache {i}")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "44.2\n")


FORK = """
import os, sys
from ketafind.geocoding import GeocodeCache
from ketafind.records import Location

place = Location(lat=1.0, lon=2.0)
with GeocodeCache(sys.argv[1]) as cache:
    cache.put("p", "1", "before", place)
    child = os.fork()
    if child == 0:
        cache.put("p", "1", "of the child", place)
        os._exit(0 if cache.get("p", "1", "before").location == place else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, cache.get("p", "1", "of the child").location == place)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forks_share_a_cache(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "c.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0 True\n", "")


def test_threads_share_a_cache(tmp_path: Path) -> None:
    with GeocodeCache(tmp_path / "c.sqlite") as cache:

        def work(i: int) -> bool:
            cache.put("p", "1", f"text {i}", HERE)
            return cache.get("p", "1", f"text {i}") is not None

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(40)))


def test_threads_that_want_one_address_ask_for_it_once(tmp_path: Path) -> None:
    waiting = threading.Event()
    asked: list[int] = []

    def sleep(seconds: float) -> None:
        waiting.set()
        time.sleep(seconds)

    def ask() -> Location:
        asked.append(1)
        assert waiting.wait(60), "nobody waits for the answer"
        return HERE

    with GeocodeCache(tmp_path / "c", sleep=sleep) as cache, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cache.remember("p", "1", "K", ask, 60.0), range(16)))
    assert len(asked) == 1
    assert answers == [HERE] * 16


TWO_PROCESSES = """
import sys, time
from pathlib import Path
from ketafind.geocoding import GeocodeCache, cache as of_one
from ketafind.records import Location

of_one.PATIENCE_S = 60.0  # a busy disk is waited for
folder = Path(sys.argv[1])

def sleep(seconds):
    (folder / "waiting").touch()
    time.sleep(seconds)

def ask():
    with open(folder / "asked", "a") as log:
        log.write("asked\\n")
    while not (folder / "waiting").exists():
        time.sleep(0.005)
    return Location(lat=44.2, lon=-76.5)

with GeocodeCache(folder / "cache", sleep=sleep) as cache:
    print(cache.remember("p", "1", "Kingston", ask, 60.0).lat)
"""


def test_processes_that_want_one_address_ask_for_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_PROCESSES, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0] for process in running] == [b"44.2\n"] * 2
    assert (tmp_path / "asked").read_text() == "asked\n"


def _claim(cache: GeocodeCache, path: Path, owner: str) -> None:
    key = cache._key('["p", "1", ["k"], [0]]')
    _set(path, "INSERT INTO asking VALUES (?, ?)", (key, owner))


@pytest.mark.parametrize("owner", ["{}.1", "nobody", "-7", "9" * 30, ""])
def test_an_address_held_by_a_process_that_died_is_asked_for_at_once(
    tmp_path: Path, owner: str
) -> None:
    path = tmp_path / "c.sqlite"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    def sleep(seconds: float) -> None:
        raise AssertionError("nobody will answer")

    with GeocodeCache(path, sleep=sleep) as cache:
        _claim(cache, path, owner.format(gone.pid))
        assert cache.remember("p", "1", "k", lambda: HERE, 30.0) == HERE


def test_nobody_else_takes_an_address_while_it_is_taken_from_a_process_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tried = tmp_path / "c.sqlite", list[str]()

    def is_running(_: str) -> bool:
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        tried.append("locked")
        return False

    monkeypatch.setattr("ketafind.geocoding.cache._is_running", is_running)
    with GeocodeCache(path) as cache:
        _claim(cache, path, "7.1")
        assert cache.remember("p", "1", "k", lambda: HERE, 30.0) == HERE
    assert tried == ["locked"]


def test_who_waits_too_long_for_another_s_answer_asks_as_well(tmp_path: Path) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()
    with GeocodeCache(path, clock=clock, sleep=clock.sleep) as cache:
        _claim(cache, path, f"{os.getpid()}.1")
        assert cache.remember("p", "1", "k", lambda: HERE, 2.0) == HERE
        assert sum(clock.sleeps) == pytest.approx(2.0, abs=0.011)


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_another_user_s_process_is_waited_for_and_without_signals_every_process_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    path, clock = tmp_path / "c.sqlite", Clock()

    def kill(pid: int, signal: int) -> None:
        assert system == "posix", "on Windows this ends the process"
        raise PermissionError

    with GeocodeCache(path, clock=clock, sleep=clock.sleep) as cache:
        _claim(cache, path, f"{os.getpid()}.1")
        odd = SimpleNamespace(**{**vars(os), "name": system, "kill": kill})
        monkeypatch.setattr("ketafind.geocoding.cache.os", odd)
        assert cache.remember("p", "1", "k", lambda: HERE, 0.0) == HERE
    assert clock.sleeps == [0.01]


def test_that_a_service_knows_no_address_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    def unknown() -> Location:
        raise errors.PlaceNotFoundError("no such street")

    with GeocodeCache(tmp_path / "c.sqlite") as cache:
        for ask in (unknown, ask_never):
            with pytest.raises(errors.PlaceNotFoundError, match="no such street"):
                cache.remember("p", "1", "k", ask, 10.0)


def test_an_address_is_released_also_when_asking_fails(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"

    def fail() -> Location:
        raise errors.GeocoderFailedError("down")

    with GeocodeCache(path) as cache:
        for ask in (lambda: HERE, fail):
            with contextlib.suppress(errors.GeocoderFailedError):
                cache.remember("p", "1", "k", ask, 30.0)
    link = sqlite3.connect(path)
    assert link.execute("SELECT count(*) FROM asking").fetchone() == (0,)
    link.close()


def test_who_holds_an_address_may_ask_for_it_within(tmp_path: Path) -> None:
    clock = Clock()
    with GeocodeCache(tmp_path / "cache", clock=clock, sleep=clock.sleep) as cache:
        inner = cache.remember(
            "p", "1", "K", lambda: cache.remember("p", "1", "K", lambda: HERE, 10.0), 10.0
        )
    assert inner == HERE
    assert clock.sleeps == []
