"""Input that means harm, or is only odd, by the finding or case that it stands for."""

from __future__ import annotations

import json
import traceback
from decimal import Decimal
from functools import reduce
from operator import and_

import numpy as np
import pandas as pd
import pytest

import ketafind as kf
from ketafind.cli import main

DIRECTORY = kf.load_directory()
ORIGIN = kf.Coordinates(lat=44.23, lon=-76.48)
HUGE = 10**400
INNER: list[object] = []
INNER.append(INNER)


def one_clinic(**fields):
    place = kf.Location(lat=43.7, lon=-79.4)
    return kf.Clinic(**{"clinic_id": "a", "name": "A", "location": place, **fields})


def test_refused_coordinates_can_be_shown_in_a_traceback():
    with pytest.raises(kf.KetafindError) as caught:
        kf.Coordinates(lat="44.231777", lon=-76)
    told = traceback.TracebackException(
        type(caught.value), caught.value, caught.value.__traceback__, capture_locals=True
    )
    assert "Coordinates that were refused" in "".join(told.format())


@pytest.mark.parametrize("field", ["clinic_id", "name", "notes", "phone", "city"])
@pytest.mark.parametrize("text", ["A\0B", "A\ud800B"])
def test_a_clinic_holds_no_text_that_no_file_can_hold(field, text):
    with pytest.raises(kf.KetafindError, match=f"{field} holds"):
        one_clinic(**{field: text})


@pytest.mark.parametrize(
    "website",
    ["javascript:alert(1)", "https://user:secret@a.ca", "a.ca", "https://", "https://a b.ca",
     "https://a.ca/\n", "file:///etc/passwd", "https:///a", "https://a.ca\\@b.ca"],
)  # fmt: skip
def test_a_website_is_a_web_address_without_a_password(website, tmp_path):
    with pytest.raises(kf.KetafindError, match="web address"):
        one_clinic(website=website)
    file = tmp_path / "clinics.csv"
    frame = pd.DataFrame({"clinic_id": ["a"], "name": ["A"], "website": [website]})
    frame.to_csv(file, index=False)
    if "\n" not in website:  # a cell's outer space is no part of it
        with pytest.raises(kf.KetafindError, match="web address"):
            kf.Directory.from_csv(file)


@pytest.mark.parametrize(
    "website", ["https://a.ca", "http://a.ca:8080/x?y=1#z", "HTTPS://A.CA", "https://[::1]/", "https://é.ca/@x"]
)  # fmt: skip
def test_other_web_addresses_are_taken(website):
    assert one_clinic(website=website).website == website


def test_numbers_too_large_for_a_float_are_refused_or_no_limit():
    for make in (
        lambda: kf.Coordinates(lat=HUGE, lon=0),
        lambda: kf.Location(lat=0, lon=0, radius_km=HUGE),
        lambda: kf.Quantity(HUGE, HUGE, "CAD"),
        lambda: kf.at_most("price_cad", HUGE),
        lambda: ORIGIN.coarsen(HUGE),
        lambda: DIRECTORY.nearest_arrays([44.0], [-76.0], k=2**70),
    ):
        with pytest.raises(kf.KetafindError):
            make()
    assert len(DIRECTORY.nearest(ORIGIN, 100, max_distance_km=HUGE)) == len(
        DIRECTORY.nearest(ORIGIN, 100)
    )
    assert len(DIRECTORY.within(ORIGIN, HUGE)) == len(DIRECTORY.nearest(ORIGIN, 100))


@pytest.mark.parametrize(
    "cell",
    [Decimal("sNaN"), INNER, [[1]], 10**5000, object(), b"\xff", {}],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize("column", ["clinic_id", "lat"])
def test_a_cell_that_is_no_value_is_a_fault_of_its_row(cell, column):
    frame = pd.DataFrame(
        {"clinic_id": ["a"], "name": ["A"], "lat": [43.7], "lon": [-79.4]}, dtype=object
    )
    frame.at[0, column] = cell
    with pytest.raises(kf.KetafindError, match="row 0"):
        kf.Directory.from_frame(frame)


def test_criteria_nested_too_deeply_are_refused_where_they_are_made():
    def nested(levels):
        made = kf.route("iv")
        for _ in range(levels):
            made = (made & kf.route("im")) | kf.treats("ptsd")
        return made

    deepest = nested(50)
    assert kf.Criteria.from_json(deepest.to_json()) == deepest
    assert len(DIRECTORY.search(where=deepest)) > 0
    with pytest.raises(kf.KetafindError, match="deeper than 100"):
        nested(51)
    with pytest.raises(kf.KetafindError, match="deeper than 100"):
        reduce(lambda made, _: ~kf.no_service(made), range(60), kf.route("iv"))


def test_a_chain_of_one_operator_may_be_as_long_as_it_likes():
    long = reduce(and_, [kf.route("iv")] * 3_000)
    assert len(DIRECTORY.search(where=long)) == len(DIRECTORY.search(routes="iv"))
    assert kf.Criteria.from_json(long.to_json()) == long


@pytest.mark.parametrize(
    "arguments",
    [{"k": 44.231777}, {"k": "K7L 3N6"}, {"max_distance_km": "K7L 3N6"}, {"offset": 44.231777},
     {"k": np.float64(44.231777)}],
)  # fmt: skip
def test_a_place_in_the_wrong_argument_is_not_repeated(arguments):
    with pytest.raises(kf.KetafindError) as caught:
        DIRECTORY.nearest(ORIGIN, **arguments)
    assert "44.2" not in str(caught.value)
    assert "K7L" not in str(caught.value)


def test_a_link_to_no_file_is_a_missing_file(tmp_path):
    (tmp_path / "clinics.csv").symlink_to("nowhere.csv")
    with pytest.raises(kf.errors.MissingFileError):
        kf.Directory.from_csv(tmp_path / "clinics.csv")


HIDDEN = "\x1b]0;x\x07 \u202e \x9b31m \x7f"


@pytest.mark.parametrize("form", ["table", "json", "geojson", "csv"])
def test_no_format_sends_a_terminal_what_it_would_obey(form, tmp_path, capsys, monkeypatch):
    file = tmp_path / "clinics.csv"
    frame = pd.DataFrame(
        {"clinic_id": ["a"], "name": [f"A{HIDDEN}"], "lat": [44.2], "lon": [-76.5]}
    )
    frame.to_csv(file, index=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["nearest", "Kingston", "--data", str(file), "--format", form]) == 0
    shown = capsys.readouterr().out
    assert not {letter for letter in shown if letter in HIDDEN and not letter.isprintable()}
    if form == "json":
        assert json.loads(shown)["matches"][0]["name"] == f"A{HIDDEN}"


@pytest.mark.parametrize("argument", ["router", "max_time_min"])
def test_a_query_by_distance_says_which_one_is_by_time(argument):
    with pytest.raises(kf.KetafindError, match="nearest"):
        DIRECTORY.within(ORIGIN, 30, **{argument: 5})
