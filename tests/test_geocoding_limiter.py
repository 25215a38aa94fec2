"""The pace: kept by all threads and processes, within the deadline, whatever its file does."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from geopy.location import Location as GeopyLocation
from hypothesis import given
from hypothesis import strategies as st

from ketafind import errors
from ketafind.geocoding import GeocodeCache, GeopyGeocoder, RateLimit, geocode_frame
from servers import Clock


class Standing(Clock):
    """A clock that stands still while somebody sleeps: each sleep is then a turn of its own."""

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        time.sleep(min(seconds, 0.01))  # lets another thread go on that has the file


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "pace.sqlite" if request.param == "file" else None


def limit_of(path: Path | None, clock: Clock, delay_s: float = 1.0) -> RateLimit:
    return RateLimit(delay_s, path, clock=clock, sleep=clock.sleep)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.0, 3.0)), max_size=20))
def test_turns_of_one_service_are_never_closer_than_the_delay(
    steps: list[tuple[str, float]],
) -> None:
    clock = Clock()
    limit = limit_of(None, clock)
    last: dict[str, float] = {}
    for name, later_s in steps:
        clock.now += later_s
        begun = clock.now
        limit.wait(name, clock.now + 100.0)
        first = last.get(name, -10.0) + 1.0
        assert clock.now == pytest.approx(max(begun, first))
        last[name] = clock.now


def test_each_service_has_its_own_turns(path: Path | None) -> None:
    clock = Clock()
    limit = limit_of(path, clock)
    for name in "abab":
        limit.wait(name, clock.now + 10.0)
    assert clock.sleeps == [pytest.approx(1.0)]


def test_threads_share_the_turns(path: Path | None) -> None:
    clock = Standing()
    limit = limit_of(path, clock)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: limit.wait("a", clock.now + 100.0), range(6)))
    # A lock that another thread held for a moment costs hundredths.
    assert sorted(s for s in clock.sleeps if s > 0.5) == [1.0, 2.0, 3.0, 4.0, 5.0]


TURNS = """
import sys, time
from ketafind.geocoding import RateLimit

def sleep(seconds):
    if seconds > 0.5:
        print(seconds)
    else:
        time.sleep(seconds)

limit = RateLimit(1.0, sys.argv[1], clock=lambda: 1_000_000.0, sleep=sleep)
for _ in range(4):
    limit.wait("service", 1_000_100.0)
"""


def test_processes_share_the_turns_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "limit.sqlite"
    command = [sys.executable, "-c", TURNS, str(path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    slept = [float(s) for process in running for s in process.communicate()[0].split()]
    assert sorted(slept) == [float(i) for i in range(1, 8)]
    assert path.stat().st_mode & 0o077 == 0


def test_a_turn_after_the_deadline_is_refused_and_not_taken(path: Path | None) -> None:
    clock = Standing()
    limit = limit_of(path, clock)
    limit.wait("a", clock.now)
    for _ in range(3):
        with pytest.raises(errors.GeocoderBusyError, match="in 1 s, after the deadline") as caught:
            limit.wait("a", clock.now + 0.5)
        assert caught.value.retry_after_s == pytest.approx(1.0)
    limit.wait("a", clock.now + 1.0)
    assert clock.sleeps == [1.0]


def test_a_service_that_asks_to_wait_is_left_alone_at_most_an_hour(path: Path | None) -> None:
    clock = Clock()
    limit = limit_of(path, clock)
    limit.postpone("a", 7.0)
    limit.postpone("a", 3.0)
    limit_of(path, clock).wait("b", clock.now)
    other = limit if path is None else limit_of(path, clock)
    other.wait("a", clock.now + 10.0)
    limit.postpone("a", 1e9)
    other.wait("a", clock.now + 1e6)
    assert clock.sleeps == [pytest.approx(7.0), pytest.approx(3_600.0)]


def test_a_turn_far_in_the_future_is_the_mark_of_a_clock_set_back(path: Path | None) -> None:
    clock = Standing()
    limit = limit_of(path, clock)
    limit.wait("a", clock.now + 10)
    clock.now -= 500_000
    for _ in range(3):
        limit.wait("a", clock.now + 10)
    assert clock.sleeps == [1.0, 2.0]


def test_a_service_that_asks_to_wait_is_heard_also_after_the_clock_was_set_back() -> None:
    clock = Clock()
    limit = limit_of(None, clock)
    limit.postpone("a", 100.0)
    clock.now -= 500_000
    limit.postpone("a", 7.0)
    limit.wait("a", clock.now + 10)
    assert clock.sleeps == [pytest.approx(7.0)]


def locked(path: Path) -> sqlite3.Connection:
    link = sqlite3.connect(path, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    return link


def test_a_locked_file_is_waited_for_until_the_deadline_and_no_longer(tmp_path: Path) -> None:
    path, clock = tmp_path / "pace.sqlite", Clock()
    limit = limit_of(path, clock)
    limit.wait("a", clock.now)
    other = locked(path)
    clock.now += 5.0
    with pytest.raises(errors.GeocoderBusyError, match=r"pace\.sqlite.*locked by another process"):
        limit.wait("a", clock.now + 1.5)
    assert sum(clock.sleeps) == pytest.approx(1.5, abs=0.02)
    other.execute("ROLLBACK")
    limit.wait("a", clock.now)
    other.close()


def test_a_file_that_is_locked_for_a_moment_costs_a_moment(tmp_path: Path) -> None:
    path, clock = tmp_path / "pace.sqlite", Clock()
    other: list[sqlite3.Connection] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.sleeps) == 5:
            other.pop().close()

    limit = RateLimit(1.0, path, clock=clock, sleep=sleep)
    limit.wait("a", clock.now)
    other.append(locked(path))
    clock.now += 5.0
    limit.wait("a", clock.now + 10.0)
    assert len(clock.sleeps) == 5


def test_a_service_that_asks_to_wait_is_left_alone_also_while_the_file_is_locked(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "pace.sqlite", Clock()
    limit = limit_of(path, clock)
    limit.wait("a", clock.now)
    other = locked(path)
    begun = clock.now
    with pytest.warns(UserWarning, match="locked"):
        limit.postpone("a", 60.0)
    assert clock.now - begun < 0.3
    other.close()
    limit.wait("a", clock.now + 100.0)
    assert clock.now == pytest.approx(begun + 60.0)


class Answering:
    def geocode(self, text: str, **_: object) -> GeopyLocation:
        return GeopyLocation(text, (44.224, -76.493), {})


UNUSABLE = {
    "a folder": lambda path: path.mkdir(),
    "a text": lambda path: path.write_text("My notes of Tuesday, a line or two of some value"),
    "a long text": lambda path: path.write_text("My notes " * 1_000),
    "another's database": lambda path: _foreign(path),
}


def _foreign(path: Path) -> None:
    link = sqlite3.connect(path)
    link.execute("CREATE TABLE mine (a)")
    link.close()


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_is_none_costs_one_warning_and_is_left_as_it_is(
    tmp_path: Path, name: str
) -> None:
    path, clock = tmp_path / "pace", Standing()
    UNUSABLE[name](path)
    before = path.read_bytes() if path.is_file() else b""
    limit = limit_of(path, clock)
    geocoder = GeopyGeocoder(Answering(), limit=limit)
    frame = pd.DataFrame({"a": ["76 Stuart St, Kingston", "K7L 3N6", "Kingston"]})
    with pytest.warns(UserWarning, match="this process keeps it alone") as noticed:
        answers = geocode_frame(frame, "a", geocoder=geocoder, progress=False)
    assert len(noticed) == 1
    assert list(answers["status"]) == ["ok"] * 3
    assert clock.sleeps == [1.0, 2.0]
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert [file.name for file in tmp_path.iterdir()] == ["pace"]


def test_a_file_that_damage_befalls_costs_one_warning_and_the_pace_goes_on(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "pace.sqlite", Standing()
    limit = limit_of(path, clock)
    limit.wait("a", clock.now)
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is not shared") as noticed:
        limit.wait("a", clock.now + 10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limit.wait("a", clock.now + 10.0)
    assert len(noticed) == 1
    assert clock.sleeps == [1.0, 2.0]


@pytest.mark.parametrize("value", ["'soon'", "x'ff'", "1e300", "-1.0"])
def test_a_turn_that_is_none_does_not_count(tmp_path: Path, value: str) -> None:
    path, clock = tmp_path / "pace.sqlite", Standing()
    limit_of(path, clock).wait("a", clock.now)
    link = sqlite3.connect(path)
    link.execute(f"UPDATE turns SET next = {value}")
    link.commit()
    link.close()
    limit_of(path, clock).wait("a", clock.now)
    assert clock.sleeps == []


def test_a_locked_file_ends_no_batch(tmp_path: Path) -> None:
    path, clock = tmp_path / "pace.sqlite", Clock()
    limit = limit_of(path, clock)
    limit.wait("Answering", clock.now)
    other = locked(path)
    geocoder = GeopyGeocoder(Answering(), limit=limit, deadline_s=0.5)
    frame = pd.DataFrame({"a": ["K7L 3N6", "Kingston"]})
    answers = geocode_frame(frame, "a", geocoder=geocoder, progress=False)
    other.close()
    assert list(answers["status"]) == ["error"] * 2
    assert answers["detail"].str.contains("locked by another process").all()
    assert sum(clock.sleeps) == pytest.approx(1.0, abs=0.1)


def test_a_cache_and_a_pace_may_share_a_file(tmp_path: Path) -> None:
    path, clock = tmp_path / "both.sqlite", Standing()
    for _ in range(2):
        limit_of(path, clock).wait("a", clock.now + 10.0)
        with GeocodeCache(path) as cache:
            cache.put_not_found("p", "1", "a", "none")
    assert clock.sleeps == [1.0]
