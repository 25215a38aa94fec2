"""A searcher's place and condition reach no socket, log, repr, export or error text."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest
import shapely

import ketafind as kf

LAT, LON = 43.713579, -79.246813
CANARIES = ("43.7135", "79.2468", "713579", "246813")
COLD_START = """
import socket, sys

def refuse(event, args):
    if event.startswith("socket."):
        raise RuntimeError(event)

sys.addaudithook(refuse)
import ketafind
directory = ketafind.load_directory()
print(len(directory.nearest("K7L 3N6", k=3, routes="iv")))
"""


def assert_hidden(text: str) -> None:
    found = [canary for canary in CANARIES if canary in text]
    assert not found


@pytest.fixture
def log():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.usefixtures("no_sockets")
def test_no_query_opens_a_socket():
    directory = kf.load_directory()
    near = directory.nearest("Ottawa", k=3, routes="iv", conditions="ptsd", unknown="include")
    near.to_frame()
    near.to_geojson()
    directory.within(kf.Coordinates(lat=LAT, lon=LON), 50)
    directory.search(staff="psychiatrist")
    assert len(near) == 3
    assert len(directory.inside(shapely.box(-80, 43, -79, 44)))


def test_loading_and_asking_from_a_cold_start_open_no_socket():
    done = subprocess.run([sys.executable, "-c", COLD_START], capture_output=True, text=True)
    assert done.stdout.strip() == "3", done.stderr


def test_answers_show_no_origin(log):
    origin = kf.Coordinates(lat=LAT, lon=LON)
    near = kf.load_directory().nearest(origin, 3, conditions="ptsd", unknown="include")
    shown = [
        repr(origin),
        str(origin),
        repr(near),
        str(near),
        near._repr_html_(),
        repr(near[0]),
        repr(near._page),
        repr(near._page.ranking),
        repr(near._page.ranking.filter),
        repr(near.more(2)),
        json.dumps(near.to_geojson()),
        near.to_frame().to_csv(),
        log.getvalue(),
    ]
    assert_hidden("\n".join(shown))


def test_a_filter_does_not_show_the_condition_that_is_sought():
    passing = kf.load_directory().filter(conditions="ptsd")
    assert "ptsd" not in repr(passing)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (LON, LAT),
        (LAT, -LON),
        (LAT * 1e6, LON * 1e6),
        (LAT, LON - 360),
        (float("nan"), LON),
        (str(LAT), str(LON)),
        (LAT, 246813.79),
    ],
)
def test_errors_about_an_origin_show_no_digit_of_it(lat, lon, log):
    with pytest.raises(kf.errors.CoordinatesError) as caught:
        kf.load_directory().nearest(kf.Coordinates(lat=lat, lon=lon))
    error = caught.value
    assert_hidden(f"{error} {error!r} {error.__context__!r} {log.getvalue()}")


@pytest.mark.parametrize("ask", ["nearest", "within"])
def test_a_latitude_and_a_longitude_given_as_two_numbers_are_refused_without_a_digit(ask):
    with pytest.raises(
        kf.errors.InvalidInputError, match=r"not float; write ketafind\.Coord"
    ) as caught:
        getattr(kf.load_directory(), ask)(LAT, LON)
    assert_hidden(f"{caught.value} {caught.value.__context__!r}")


def test_an_error_in_a_batch_names_the_row_and_not_the_place():
    lat, lon = [LAT, LAT * 10], [LON, LON]
    with pytest.raises(kf.errors.CoordinatesError, match="origin 1") as caught:
        kf.load_directory().nearest_arrays(lat, lon)
    assert_hidden(str(caught.value))


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        (f"{LON}, {LAT}", "swapped"),
        (f"{LAT}, {-LON}", "minus sign"),
        ("43.7, -79.2", "cut short"),
    ],
)
def test_typed_coordinates_are_refused_with_the_likely_cause_and_without_a_digit(origin, reason):
    with pytest.raises(kf.KetafindError, match=reason) as caught:
        kf.load_directory().nearest(origin)
    text = str(caught.value)
    assert not any(character.isdigit() for character in text)
    assert caught.value.__cause__ is caught.value.__context__ is None
