"""Positions that leave the process are blurred to a cell or an area, and nothing finer is left."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import (
    EAST,
    NORTH,
    SOUTH,
    WEST,
    earth_centred,
    fault_of_pair,
    geodesic_km,
    in_ontario,
    look_swapped,
    real,
    sphere_km,
)
from ketafind.geocoding import coarsen_to_fsa
from strategies import origins

KINGSTON = kf.Coordinates(lat=44.2312, lon=-76.4860)


@given(origins, st.floats(0.01, 1000.0))
def test_a_cell_has_one_centre_that_is_its_own_and_lies_near(place, km):
    centre = place.coarsen(km)
    assert centre.coarsen(km) == centre
    far = geodesic_km(place.lat, place.lon, centre.lat, centre.lon)
    # Half a diagonal; near a pole the cells are a little wider.
    assert far <= 0.75 * km * (1.0 if abs(place.lat) < 80 else 3.0) + 0.02


@given(st.floats(42.0, 56.0), st.floats(-95.0, -74.5), st.floats(1.0, 50.0))
def test_two_positions_of_one_cell_cannot_be_told_apart(lat, lon, km):
    centre = kf.Coordinates(lat=lat, lon=lon).coarsen(km)
    step = km / 111.32 / 4.0
    assume(abs(centre.lat) + step < 90.0)
    near = kf.Coordinates(lat=centre.lat + step, lon=centre.lon - step)
    assert near.coarsen(km) == centre


@given(st.floats(-89.0, 89.0), st.floats(-175.0, 175.0), st.floats(1.0, 100.0))
def test_a_cell_is_at_least_as_wide_as_it_is_high(lat, lon, km):
    centre = kf.Coordinates(lat=lat, lon=lon).coarsen(km)
    half = 0.4999 * km / 111.32 / math.cos(math.radians(centre.lat))
    assume(abs(centre.lon) + half < 180.0)
    for beside in (centre.lon - half, centre.lon + half):
        assert kf.Coordinates(lat=centre.lat, lon=beside).coarsen(km) == centre


def test_cells_reach_the_poles_and_meet_at_the_antimeridian():
    for lat, km in ((90.0, 1000.0), (-90.0, 1000.0), (90.0, 1.0)):
        centre = kf.Coordinates(lat=lat, lon=0.0).coarsen(km)
        assert 0.0 < abs(lat - centre.lat) <= km / 111.32 / 2
    east, west = (kf.Coordinates(lat=45.0, lon=lon).coarsen(50.0) for lon in (180.0, -180.0))
    assert east == west


def test_an_area_is_that_of_the_nearest_postal_codes():
    centre = coarsen_to_fsa(KINGSTON)
    wanted = kf.geocode("K7L")
    assert (centre.lat, centre.lon) == (wanted.lat, wanted.lon)
    neighbour = kf.Coordinates(lat=KINGSTON.lat + 0.0005, lon=KINGSTON.lon)
    assert coarsen_to_fsa(neighbour) == centre


def test_far_from_ontario_there_is_no_area_and_no_digit_is_shown():
    with pytest.raises(CoordinatesError) as caught:
        coarsen_to_fsa(kf.Coordinates(lat=53.5461, lon=-113.4938))
    assert "53" not in str(caught.value)
    assert "113" not in str(caught.value)


@pytest.mark.parametrize("km", [0, -1, 1001, float("nan"), "5", True])
def test_a_cell_has_a_size_in_kilometres(km):
    with pytest.raises(InvalidInputError, match="above 0 and at most"):
        KINGSTON.coarsen(km)


LAT, LON = (
    "lat must lie between -90 and 90 degrees; ",
    "lon must lie between -180 and 180 degrees; ",
)
SWAPPED = "are lat and lon swapped?"
TURNED = "is it a longitude counted from 0 to 360? Subtract 360"
SMALL = "is it in microdegrees? Divide by 1,000,000"
METRES = "is it in metres of a map projection (UTM, Web Mercator)? Convert it to WGS 84 degrees"


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        (44.23, -76.49, None),
        (90, -180, None),
        (-90, 180, None),
        (np.float32(44.5), np.int64(-76), None),
        (90.01, 0.0, LAT + SWAPPED),
        (-180.0, 0.0, LAT + SWAPPED),
        (0.0, 180.5, LON + TURNED),
        (0.0, 360.0, LON + TURNED),
        (0.0, 361.0, LON + METRES),
        (0.0, -20_037_508.0, LON + METRES),
        (25_000_000, 0.0, LAT + METRES),
        (44_231_200, 0.0, LAT + SMALL),
        (0.0, -180_000_000, LON + SMALL),
        (0.0, 180_000_001, LON + METRES),
        (math.nan, 0.0, "lat must be a finite number in decimal degrees"),
        (0.0, math.inf, "lon must be a finite number in decimal degrees"),
        (0.0, 10**400, "lon must be a finite number in decimal degrees"),
        ("44.2", 0.0, "lat must be a number in decimal degrees, not str"),
        (0.0, True, "lon must be a number in decimal degrees, not bool"),
        (None, 0.0, "lat must be a number in decimal degrees, not NoneType"),
    ],
)
def test_what_is_wrong_with_a_pair_is_said_with_its_likely_cause(lat, lon, said):
    assert fault_of_pair(lat, lon) == said
    if said:
        with pytest.raises(CoordinatesError) as caught:
            kf.Coordinates(lat=lat, lon=lon)
        assert str(caught.value) == said


def test_degrees_are_plain_floats_and_minus_zero_is_zero():
    place = kf.Coordinates(lat=np.float32(44.5), lon=-76)
    assert (type(place.lat), type(place.lon)) == (float, float)
    assert math.copysign(1.0, kf.Coordinates(lat=-0.0, lon=0).lat) == 1.0
    assert math.isnan(real("7"))
    assert math.isnan(real(np.True_))
    assert real(10**400) == math.inf


@pytest.mark.parametrize(
    ("lat", "lon", "shown"),
    [(0, 0, "0°N 0°E"), (-0.4, 0.4, "0°S 0°E"), (0.4, -0.4, "0°N 0°W"), (-33.9, 151.2, "34°S 151°E")],
)  # fmt: skip
def test_a_position_is_shown_by_whole_degrees_and_its_hemispheres(lat, lon, shown):
    assert repr(kf.Coordinates(lat=lat, lon=lon)) == f"<Coordinates near {shown}>"


def test_help_shows_the_names_that_go():
    assert list(inspect.signature(kf.Coordinates).parameters) == ["lat", "lon"]


def test_what_was_refused_is_not_shown_in_a_traceback():
    refused = object.__new__(kf.Coordinates)
    object.__setattr__(refused, "lat", "44.2312")
    object.__setattr__(refused, "lon", -76.486)
    assert repr(refused) == "<Coordinates that were refused>"


@pytest.mark.parametrize(
    ("lat", "lon", "swapped"),
    [
        (-79.38, 43.65, True),  # Toronto
        (-58.4, 51.5, True),  # a little west of the Azores
        (-89.3, 48.4, True),  # Thunder Bay
        (-75.0, 24.0, True),
        (-75.0, 84.0, True),
        (-75.0, 23.9, False),  # on the Tropic of Cancer and south of it
        (-75.0, 84.1, False),  # north of where anybody lives
        (-56.0, 43.0, False),  # an island's latitude
        (-54.8, -68.3, False),  # Ushuaia
        (-77.8, 166.7, False),  # McMurdo
        (43.65, -79.38, False),
        (-33.9, 25.6, False),  # Gqeberha
        (56.1, 43.0, False),
    ],
)
def test_a_place_on_antarctica_that_is_inhabited_the_other_way_round_looks_swapped(
    lat, lon, swapped
):
    assert look_swapped(lat, lon) == swapped
    assert look_swapped(np.array([lat, 0.0]), np.array([lon, 0.0])).tolist() == [swapped, False]


@given(origins, origins)
def test_the_distance_on_a_sphere_is_within_a_hundredth_of_the_geodesic(one, other):
    sphere = sphere_km(one.lat, one.lon, other.lat, other.lon)
    true = float(geodesic_km(one.lat, one.lon, other.lat, other.lon))
    assert sphere == pytest.approx(true, rel=0.01, abs=1e-6)


@pytest.mark.parametrize(
    ("lat", "lon"), [(41.68, -82.68), (56.85, -88.9), (49.4, -95.15), (45.57, -74.33)]
)
def test_the_ends_of_ontario_lie_in_its_box(lat, lon):
    assert in_ontario(lat, lon)


@pytest.mark.parametrize(
    ("lat", "lon"), [(41.5, -81.69), (57.5, -88.0), (49.9, -95.8), (45.5, -73.57)]
)
def test_cleveland_hudson_bay_manitoba_and_montreal_do_not(lat, lon):
    assert not in_ontario(lat, lon)


def test_the_edges_of_the_box_belong_to_it():
    assert in_ontario(SOUTH, WEST)
    assert in_ontario(NORTH, EAST)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_earth_centred_positions_agree_with_proj(lat, lon):
    from pyproj import Transformer

    place = Transformer.from_crs(4979, 4978).transform(lat, lon, 0.0)
    ours = earth_centred(np.array([lat]), np.array([lon]))
    assert ours.shape == (3, 1)
    assert ours[:, 0] * 1000.0 == pytest.approx(place, rel=0, abs=1e-6)


@pytest.mark.parametrize("pair", [(44.23,), (44.23, -76.48), ("K7L 3N6",)])
def test_bare_numbers_are_refused_by_saying_how_to_name_them(pair):
    with pytest.raises(CoordinatesError, match=r"Coordinates\(lat=\.\.\., lon=\.\.\.\)") as caught:
        kf.Coordinates(*pair)
    assert "44" not in str(caught.value)
