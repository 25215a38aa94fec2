"""Frames of addresses and the cache behind them: nothing lost, nothing asked twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ketafind as kf
from ketafind import errors
from ketafind.geocoding import ChainGeocoder, GeocodeCache, GeopyGeocoder, geocode, geocode_frame
from ketafind.geocoding.batch import COLUMNS, outcomes
from ketafind.geocoding.cache import DAY_S
from ketafind.geocoding.claims import claimed
from ketafind.records import Location

TEXTS = ["K7L 3N6", "xyzzy", None, "K7L 3N6", "London, UK", "  "]


class Fake:
    """A geocoder that counts, answers from a rule and can be told to fail."""

    name = "fake"
    version = "1"

    def __init__(self, **failures: Exception) -> None:
        self.asked: list[str] = []
        self.failures = failures

    def geocode(self, text: str) -> Location:
        self.asked.append(text)
        if text in self.failures:
            raise self.failures[text]
        return Location(lat=44.0 + len(text) / 100, lon=-76.0, source="fake", label=text)


def test_a_frame_keeps_rows_index_and_kind_and_gains_eight_columns() -> None:
    frame = pd.DataFrame({"address": TEXTS, "n": range(6)}, index=[5, 5, "a", None, 2.5, 0])
    before = frame.copy()
    out = geocode_frame(frame, "address", progress=False)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(out[["address", "n"]], before)
    assert list(out.columns) == ["address", "n", *COLUMNS]
    assert list(out["status"]) == ["ok", "not_found", "missing", "ok", "outside", "missing"]
    located = geocode("K7L 3N6")
    assert out["lat"].iloc[0] == out["lat"].iloc[3] == located.lat
    assert out["precision"].iloc[0] == "postal_code"
    assert all(
        bool(reason) != (status == "ok")
        for reason, status in zip(out["reason"], out["status"], strict=True)
    )


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_other_frames_come_back_as_they_went_in(make: type) -> None:
    frame = make({"address": TEXTS})
    out = geocode_frame(frame, "address")
    assert type(out) is type(frame)
    values = out["lat"].to_list() if isinstance(out, pl.DataFrame) else out["lat"].to_pylist()
    assert values[0] == geocode("K7L 3N6").lat
    assert values[1] is None


def test_an_absent_or_a_taken_column_is_refused() -> None:
    with pytest.raises(errors.InvalidInputError, match="no column 'adress'; it has: address"):
        geocode_frame(pd.DataFrame({"address": []}), "adress")
    with pytest.raises(errors.InvalidInputError, match="already has 'lat'"):
        geocode_frame(pd.DataFrame({"address": ["x"], "lat": [1.0]}), "address")


def test_an_empty_frame_gains_empty_columns() -> None:
    out = geocode_frame(pd.DataFrame({"address": pd.Series([], dtype=str)}), "address")
    assert list(out.columns) == ["address", *COLUMNS]


def test_each_text_is_asked_once_and_no_failure_stops_the_batch() -> None:
    fake = Fake(b=errors.GeocoderFailedError("down"), c=errors.PlaceNotFoundError("none"))
    found = outcomes(["a", "b", "a", "c", "d"], fake)
    assert fake.asked == ["a", "b", "c", "d"]
    assert [one.status for one in found] == ["ok", "error", "ok", "not_found", "ok"]


def test_what_is_no_text_is_told_apart_from_what_is_missing() -> None:
    found = outcomes([12, float("nan"), None, "", "K7L 3N6"])
    assert [one.status for one in found] == ["not_found", "missing", "missing", "missing", "ok"]


def test_after_a_refusal_the_rest_is_listed_as_untried() -> None:
    fake = Fake(b=errors.GeocoderRefusedError("the quota is spent"))
    found = outcomes(["a", "b", "c", "d"], fake)
    assert fake.asked == ["a", "b"]
    assert [one.status for one in found] == ["ok", "refused", "untried", "untried"]
    assert "quota" in found[3].reason


def test_a_second_run_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "batch.sqlite"
    first = Fake(b=errors.GeocoderFailedError("down"), c=errors.PlaceNotFoundError("none"))
    outcomes(["a", "b", "c"], first, resume=path)
    second = Fake()
    found = outcomes(["c", "b", "a"], second, resume=path)
    assert second.asked == ["b"]
    assert [one.status for one in found] == ["not_found", "ok", "ok"]
    assert path.stat().st_mode & 0o077 == 0


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    class Interrupted(Fake):
        def geocode(self, text: str) -> Location:
            if text == "c":
                raise KeyboardInterrupt
            return super().geocode(text)

    path = tmp_path / "batch.sqlite"
    with pytest.raises(KeyboardInterrupt):
        outcomes(["a", "b", "c", "d"], Interrupted(), resume=path)
    fake = Fake()
    outcomes(["a", "b", "c", "d"], fake, resume=path)
    assert fake.asked == ["c", "d"]


KILLED = """
import sys, time
from ketafind.geocoding.batch import outcomes
from ketafind.records import Location

class Logged:
    name, version = "logged", "1"
    def geocode(self, text):
        with open(sys.argv[2], "a") as log:
            log.write(text + "\\n")
        time.sleep(0.002)
        return Location(lat=44.0, lon=-76.0, source="logged", label=text)

outcomes([f"address {i}" for i in range(60)], Logged(), resume=sys.argv[1])
"""


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.07])
def test_a_killed_batch_repeats_at_most_the_request_in_flight(
    tmp_path: Path, after_s: float
) -> None:
    path, log = str(tmp_path / "batch.sqlite"), tmp_path / "log"
    for _ in range(3):
        worker = subprocess.Popen([sys.executable, "-c", KILLED, path, str(log)])
        deadline = time.monotonic() + 20
        asked_before = len(log.read_text().splitlines()) if log.exists() else 0
        while time.monotonic() < deadline and worker.poll() is None:
            if log.exists() and len(log.read_text().splitlines()) > asked_before:
                break
            time.sleep(0.005)
        time.sleep(after_s)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    kills = 3
    subprocess.run([sys.executable, "-c", KILLED, path, str(log)], check=True)
    asked = log.read_text().splitlines()
    assert set(asked) == {f"address {i}" for i in range(60)}
    assert len(asked) - len(set(asked)) <= kills


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["get", "put", "none"])), max_size=12
    )
)
@settings(max_examples=40, deadline=None)
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


def test_the_file_holds_no_text_of_an_address(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache.put("p", "1", "12 Secret Crescent", Location(lat=1.0, lon=2.0))
    for file in tmp_path.iterdir():
        assert b"ecret" not in file.read_bytes()


def _set(path: Path, sql: str) -> None:
    link = sqlite3.connect(path)
    link.execute(sql)
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


def test_foreign_damaged_and_newer_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"not a database, but long enough to be one" * 50)
    with pytest.raises(errors.DirectoryFileError, match="move it away"):
        GeocodeCache(path)
    other = tmp_path / "other.sqlite"
    _set(other, "CREATE TABLE t (a)")
    with pytest.raises(errors.DirectoryFileError):
        GeocodeCache(other)
    newer = tmp_path / "newer.sqlite"
    _set(newer, "PRAGMA user_version = 9")
    with pytest.raises(errors.DirectoryFileError, match="newer"):
        GeocodeCache(newer)


def test_a_cache_that_cannot_be_written_still_lets_answers_through(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with GeocodeCache(path) as cache:
        cache._link().execute("PRAGMA query_only = ON")
        with pytest.warns(UserWarning, match="not kept"):
            cache.put("p", "1", "a", Location(lat=1.0, lon=2.0))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cache.put("p", "1", "b", Location(lat=1.0, lon=2.0))


def test_threads_and_forks_share_a_cache(tmp_path: Path) -> None:
    with GeocodeCache(tmp_path / "c.sqlite") as cache:

        def work(i: int) -> bool:
            cache.put("p", "1", f"text {i}", Location(lat=1.0, lon=2.0))
            return cache.get("p", "1", f"text {i}") is not None

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(40)))
        if threading.active_count() == 1:
            child = os.fork()
            if child == 0:
                os._exit(0 if work(99) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert cache.get("p", "1", "text 99") is not None


@pytest.mark.parametrize("frame", [None, [1], "address", {"address": ["Kingston"]}])
def test_what_is_no_frame_is_refused_by_name(frame):
    with pytest.raises(errors.InvalidInputError, match="is no data frame"):
        geocode_frame(frame, "address")


def test_threads_that_want_one_address_ask_for_it_once(tmp_path):
    asked = []

    def ask() -> Location:
        asked.append(1)
        time.sleep(0.05)
        return Location(lat=44.2, lon=-76.5)

    with GeocodeCache(tmp_path / "cache") as cache, ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: cache.remember("p", "1", "Kingston", ask, 10.0), range(16))
        )
    assert len(asked) == 1
    assert len(set(answers)) == 1


TWO_PROCESSES = """
import sys, time
from ketafind.geocoding import GeocodeCache
from ketafind.records import Location

def ask():
    with open(sys.argv[2], "a") as log:
        log.write("asked\\n")
    time.sleep(0.3)
    return Location(lat=44.2, lon=-76.5)

with GeocodeCache(sys.argv[1]) as cache:
    for place in ("Kingston", "Ottawa"):
        cache.remember("p", "1", place, ask, 10.0)
"""


def test_processes_that_want_one_address_ask_for_it_once(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", TWO_PROCESSES, str(tmp_path / "cache"), str(log)]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert log.read_text().count("asked") == 2


def test_a_claim_of_a_process_that_died_runs_out(tmp_path):
    located = Location(lat=44.2, lon=-76.5)
    with GeocodeCache(tmp_path / "cache") as cache:
        for until in (time.time() + 0.05, time.time() + 86_400.0):
            cache._execute("INSERT OR REPLACE INTO claims VALUES (?, '1.1', ?)", (b"key", until))
            with claimed(cache._execute, b"key", 10.0):
                held = cache._execute("SELECT owner FROM claims", ()).fetchall()
            assert held != [("1.1",)]
        assert cache.remember("p", "1", "Kingston", lambda: located, 10.0) == located


def test_who_claims_an_address_may_ask_for_it_within(tmp_path):
    located = Location(lat=44.2, lon=-76.5)
    with GeocodeCache(tmp_path / "cache") as cache:
        inner = cache.remember(
            "p",
            "1",
            "Kingston",
            lambda: cache.remember("p", "1", "Kingston", lambda: located, 10.0),
            10.0,
        )
    assert inner == located


def test_a_geocoder_of_geopy_is_asked_for_in_its_wrapper():
    from geopy.geocoders import Nominatim

    frame = pd.DataFrame({"address": ["Kingston"]})
    bare = Nominatim(user_agent="tests")
    for ask in (
        lambda: geocode_frame(frame, "address", geocoder=bare),
        lambda: kf.Directory.from_clinics([], geocoder=bare),
        lambda: ChainGeocoder([bare]),
    ):
        with pytest.raises(errors.InvalidInputError, match=r"GeopyGeocoder\(Nominatim\("):
            ask()
    with pytest.raises(errors.InvalidInputError, match="a geocoder of geopy is needed"):
        GeopyGeocoder("nominatim")
    with pytest.raises(errors.InvalidInputError, match="needs one geocoder"):
        ChainGeocoder([])


def test_an_answer_that_is_no_location_is_never_ok(tmp_path):
    class Pairs:
        def geocode(self, text):
            return 44.23, -76.48

    frame = pd.DataFrame({"address": ["Kingston"]})
    for resume in (None, tmp_path / "answers.sqlite"):
        with pytest.raises(errors.InvalidInputError, match=r"Pairs returned tuple, not a ketafind"):
            geocode_frame(frame, "address", geocoder=Pairs(), resume=resume)
