"""A searcher's place and condition reach no socket, log, repr, export or error text."""

from __future__ import annotations

import gc
import io
import json
import logging
import subprocess
import sys

import pytest
import shapely

import canary_doors as doors
import ketafind as kf
from canary import (
    CONDITION,
    CONTROL,
    LAT,
    LON,
    Interrupted,
    Seen,
    look_at_error,
    places_in,
    searched,
)
from test_travel_engines import machine

SLOW_DOORS = {"plot", "best sites", "export excel", "export geopackage"}
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


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Whoever collects garbage here, after each call, need not look at what others loaded."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return tmp_path_factory.mktemp("canary")


def leaks(make, box, *, thorough, broken_off=True, sampled=4):
    """What shows of a place, a key or a condition at each door, also if something breaks in it."""
    found, skipped = {}, set() if thorough else SLOW_DOORS
    asked_of, controls = make(CONDITION), make(CONTROL)
    for name in asked_of.keys() - skipped:
        asked = asked_of[name]
        seen = searched(asked.call, box)
        hits = seen.traces(asked)
        if asked is not controls[name]:
            control = searched(controls[name].call, box)
            sought, unsought = (one.conditions(CONDITION, asked) for one in (seen, control))
            hits += [
                f"{where}: {CONDITION}" for where, n in sought.items() if n > unsought.get(where, 0)
            ]
        if thorough:
            for error in (KeyboardInterrupt, MemoryError, OSError):
                hits += broken(asked, box, error, sampled)
        elif broken_off:
            hits += broken(asked, box, KeyboardInterrupt, 1)
        if hits:
            found[name] = hits
    return found


def broken(asked, box, error, sampled):
    """What shows where an error arises in some of the functions that a call goes through."""
    counter = Interrupted()
    searched(lambda: counter.run(asked.call), box)
    hits = []
    for at in (
        {1 + counter.n * part // (sampled + 1) for part in range(1, sampled + 1)}
        if counter.n
        else ()
    ):
        seen = searched(lambda at=at: Interrupted(at, error("canary")).run(asked.call), box)
        hits += [f"{error.__name__} at {at}: {hit}" for hit in seen.traces(asked)]
    return hits


@pytest.fixture(scope="module")
def thorough(pytestconfig):
    return pytestconfig.getoption("--canary")


def test_no_query_leaves_a_place_or_a_condition_behind(box, thorough):
    assert leaks(doors.queries, box, thorough=thorough) == {}


def test_no_answer_tells_where_it_was_asked_from(box, thorough):
    assert leaks(lambda condition: doors.answers(box, condition), box, thorough=thorough) == {}


def test_no_study_leaves_its_rows_anywhere_but_in_its_answer(box, thorough):
    assert leaks(doors.studies, box, thorough=thorough) == {}


def test_no_geocoder_tells_a_key_or_a_searcher_s_place(box, thorough):
    found, servers = doors.geocoders(box)
    try:
        assert leaks(lambda _: found, box, thorough=thorough, broken_off=False) == {}
    finally:
        for server in servers:
            server.socket.close()


def test_no_router_tells_where_a_way_begins(box, thorough):
    routingpy = pytest.importorskip("routingpy")
    with machine("ORS") as (service, _):
        made = doors.routers(box, service, routingpy)
        assert leaks(lambda _: made, box, thorough=thorough, broken_off=False) == {}


def test_no_app_tells_more_than_it_was_asked(box, thorough):
    assert leaks(lambda one: doors.apps(box, one), box, thorough=thorough, broken_off=False) == {}


@pytest.mark.parametrize("value", doors.WRONG, ids=lambda value: type(value).__name__)
def test_a_place_given_where_none_belongs_is_not_repeated(value):
    directory, here = kf.load_directory(), kf.Coordinates(lat=LAT, lon=LON)
    near = directory.nearest(here, 2)
    frame = doors.origins()
    calls = [
        *(lambda name=name: directory.nearest(here, **{name: value}) for name in
          ("k", "unknown", "max_distance_km", "routes", "conditions", "where", "offset", "virtual", "geocoder", "router")),
        *(lambda name=name: kf.nearest_join(frame, directory, **{name: value}) for name in
          ("lat", "k", "how", "shape", "columns", "where", "radius", "max_distance_km")),
        lambda: directory.within(here, value), lambda: directory.inside(value), lambda: directory.as_of(value),
        lambda: directory[value], lambda: near.why_not(value), lambda: near.more(value), lambda: near.translated(value),
        lambda: near.to_frame(value), lambda: near.export("x.csv", value), lambda: kf.route(value, all_of=value),
        lambda: directory.search(where=kf.treats(value)), lambda: directory.search(where=kf.offers(value, "iv")),
        lambda: kf.at_most("price_cad", value), lambda: kf.qualified(level=value), lambda: near.relax(value),
        lambda: kf.OfflineGeocoder(region=value), lambda: directory.search(where=kf.flag(value)),
    ]  # fmt: skip
    told = {}
    for at, call in enumerate(calls):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever is raised is read
            look_at_error(seen := Seen(), error)
            french = error.text("fr") if isinstance(error, kf.KetafindError) else ""
            told[at] = [
                f"{french} {seen.texts['error']}",
                *places_in("".join(seen.texts["traceback"])),
            ]
    assert len(told) > 20
    assert {at: said for at, said in told.items() if places_in("".join(said))} == {}
