"""Positions that leave the process are blurred to a cell or an area, and nothing finer is left."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ketafind as kf
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import geodesic_km
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
