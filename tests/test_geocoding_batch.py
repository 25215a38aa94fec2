"""Frames of addresses and the cache behind them: nothing lost, nothing asked twice."""

from __future__ import annotations

import copy
import pickle
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ketafind as kf
from ketafind import errors
from ketafind.geocoding import ChainGeocoder, GeopyGeocoder, OfflineGeocoder, geocode, geocode_frame
from ketafind.geocoding.batch import COLUMNS, outcomes
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


def test_a_frame_keeps_rows_index_and_kind_and_gains_the_columns_of_answers() -> None:
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
        pd.notna(reason) != (status == "ok")
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


def test_a_lazy_frame_and_a_relation_are_read_as_in_a_join() -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.from_arrow(pa.table({"address": TEXTS}))
    wanted = geocode_frame(pa.table({"address": TEXTS}), "address")
    assert geocode_frame(relation, "address").equals(wanted)
    lazy = geocode_frame(pl.LazyFrame({"address": TEXTS}), "address")
    assert lazy["lat"].to_list() == wanted["lat"].to_pylist()


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


@pytest.mark.parametrize(
    "blank", [pd.NA, pd.NaT, np.nan, None, "", " ", Decimal("NaN"), np.datetime64("NaT")]
)
def test_what_is_missing_costs_no_batch_in_any_frame(blank: object) -> None:
    fake = Fake()
    frame = pd.DataFrame({"a": pd.Series(["x", blank, "y", blank], dtype=object)})
    out = geocode_frame(frame, "a", geocoder=fake, progress=False)
    assert list(out["status"]) == ["ok", "missing", "ok", "missing"]
    out = geocode_frame(frame.convert_dtypes(), "a", geocoder=fake, progress=False)
    assert list(out["status"])[::2] == ["ok", "ok"]
    assert fake.asked == ["x", "y", "x", "y"]


@pytest.mark.parametrize(
    "value", [7, b"x", [1], {"x"}, np.array([1, 2]), Decimal("sNaN"), True, object()]
)
def test_what_is_no_text_costs_no_batch(value: object) -> None:
    fake = Fake()
    found = outcomes(["x", value, "y"], fake)
    assert [one.status for one in found] == ["ok", "not_found", "ok"]
    assert type(value).__name__ in found[1].reason


def test_a_column_may_be_labelled_by_a_number() -> None:
    frame = pd.DataFrame({0: ["x", None], "n": [1, 2]})
    out = geocode_frame(frame, 0, geocoder=Fake(), progress=False)  # type: ignore[arg-type]
    assert list(out["status"]) == ["ok", "missing"]


def test_two_columns_of_one_name_are_refused_before_anything_is_asked() -> None:
    fake = Fake()
    column = pa.array(["x"])
    for frame in (
        pd.DataFrame([["x", 1, 2]], columns=["a", "b", "b"]),
        pa.Table.from_arrays([column, column, column], names=["a", "b", "b"]),
    ):
        with pytest.raises(errors.InvalidInputError, match="two columns"):
            geocode_frame(frame, "a", geocoder=fake, progress=False)
    assert fake.asked == []


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


@pytest.mark.parametrize("frame", [None, [1], "address", {"address": ["Kingston"]}])
def test_what_is_no_frame_is_refused_by_name(frame):
    with pytest.raises(errors.InvalidInputError, match="is not a data frame"):
        geocode_frame(frame, "address")


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


def test_parts_in_several_columns_are_one_address_and_the_new_columns_bear_a_prefix() -> None:
    frame = pd.DataFrame(
        {"street": ["12 King St", None], "city": ["Kingston", "Guelph"], "code": ["K7L 3N6", None]}
    )
    out = geocode_frame(frame, ["street", "city", "code"], prefix="home_", progress=False)
    assert out["home_label"].tolist() == ["K7L 3N6, Kingston, ON", "Guelph, ON"]
    assert list(out.columns[3:]) == [f"home_{name}" for name in COLUMNS]


def test_equal_causes_have_equal_reasons_and_the_whole_message_is_apart() -> None:
    frame = pd.DataFrame({"a": ["Sydenham", "Stoney Point", "Petrborough", "K7L 3N6"]})
    out = geocode_frame(frame, "a", progress=False)
    assert out["reason"].tolist()[:2] == ["several places"] * 2
    assert "Stoney Point" in out["detail"][1]
    assert out["reason"].isna().tolist()[2:] == [True, True]
    assert out["corrections"][2] == "petrborough was read as Peterborough"
    assert pd.isna(out["corrections"][3])


def test_a_geocoder_is_pickled_and_copied_by_reference_to_its_file() -> None:
    geocoder = OfflineGeocoder()
    for one in (pickle.loads(pickle.dumps(geocoder)), copy.deepcopy(geocoder)):
        assert one.gazetteer is geocoder.gazetteer
