"""The distance agrees with Karney's and with geometry, and is the same both ways."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from ketafind.geo import PAIRS, circles, compiled_core, geodesic_km, micrometres

LAT = st.floats(-90, 90)
LON = st.floats(-180, 180)
# Some hairs, some metres and some kilometres, and nothing.
SHIFT = st.one_of(
    st.just(0.0), st.floats(-15, 0.5).flatmap(lambda tens: st.sampled_from([10**tens, -(10**tens)]))
)
CORNERS = list(
    product(
        (-90.0, -45.0, -1e-300, -0.0, 0.0, 1e-300, 1e-9, 30.0, 45.0, 90.0),
        (-180.0, -179.5, -90.0, -1e-300, -0.0, 0.0, 0.5, 90.0, 180.0),
    )
)


def check(lat1, lon1, lat2, lon2):
    """GeographicLib's Python port, an independent method, agrees; so does the way back."""
    theirs = Geodesic.WGS84.Inverse(lat1, lon1, lat2, lon2, Geodesic.DISTANCE)["s12"]
    ours = geodesic_km(lat1, lon1, lat2, lon2)
    assert ours * 1000.0 == pytest.approx(theirs, rel=0, abs=1.5e-8)
    assert geodesic_km(lat2, lon2, lat1, lon1) == ours


def opposite(lat, lon, north, east):
    """The antipode, shifted."""
    turned = lon - 180.0 if lon > 0.0 else lon + 180.0
    return max(-90.0, min(90.0, north - lat)), max(-180.0, min(180.0, turned + east))


@given(LAT, LON, LAT, LON)
def test_distance_equals_an_independent_implementation(lat1, lon1, lat2, lon2):
    """Anywhere, within the 15 nm of either's method."""
    check(lat1, lon1, lat2, lon2)


@given(st.one_of(LAT, SHIFT, SHIFT.map(lambda shift: 90.0 - abs(shift))), LON, SHIFT, SHIFT)
def test_nearly_opposite_points_are_measured_as_well(lat, lon, north, east):
    """Where two ways are as short, at the equator and the poles too."""
    check(lat, lon, *opposite(lat, lon, north, east))


def around_opposite_poles(n=100_000):
    """Colatitudes up to 1e-4 degrees, most of them of metres or less; any longitudes."""
    rng = np.random.default_rng(7)
    small = 10 ** rng.uniform(-14, -4, (2, n))
    small[:, : n // 3] = rng.uniform(0, 1e-4, (2, n // 3))
    lon = rng.uniform(-180, 180, (2, n))
    lon[1, ::5] = lon[0, ::5]
    lon[1, 1::5] = np.where(lon[0, 1::5] > 0, lon[0, 1::5] - 180, lon[0, 1::5] + 180)
    return 90 - small[0], lon[0], small[1] - 90, lon[1]


def test_points_around_opposite_poles_are_measured_as_well():
    """Their sines of latitude round to 1; what tells them apart are the cosines."""
    lat1, lon1, lat2, lon2 = around_opposite_poles()
    metres = Geod(ellps="WGS84").inv(lon1, lat1, lon2, lat2)[2]
    ours = geodesic_km(lat1, lon1, lat2, lon2)
    assert np.abs(ours * 1000.0 - metres).max() < 1.5e-8
    assert np.array_equal(geodesic_km(lat2, lon2, lat1, lon1), ours)
    # From an arbitrary-precision solution.
    known = geodesic_km(89.99999999822502, -18.887161191923894, -89.999999407952, 86.75656744979415)
    assert known == pytest.approx(20003.931392550433, rel=0, abs=1.5e-11)


def test_without_the_core_such_points_are_measured_as_well(monkeypatch):
    """By pyproj, either way round."""
    monkeypatch.setattr("ketafind.geo.compiled_core", lambda: None)
    rng = np.random.default_rng(8)
    pairs = np.array(around_opposite_poles(900)).T.tolist()
    for lat, lon in zip(rng.uniform(-90, 90, 300), rng.uniform(-180, 180, 300), strict=True):
        pairs.append([lat, lon, *opposite(lat, lon, *(10 ** rng.uniform(-14, 0, 2)))])
    for pair in pairs:
        check(*pair)


def test_corners_are_measured_the_same_both_ways():
    """Poles, the equator and a hair from it, minus zero, meridians opposite each other."""
    pairs = np.array([(*one, *other) for one in CORNERS for other in CORNERS]).T
    ours = geodesic_km(*pairs)
    assert np.array_equal(geodesic_km(*pairs[[2, 3, 0, 1]]), ours)
    theirs = Geod(ellps="WGS84").inv(pairs[1], pairs[0], pairs[3], pairs[2])[2]
    assert np.abs(ours * 1000.0 - theirs).max() < 1.5e-8


def test_long_rows_are_measured_slice_by_slice():
    """From one place to many, and from many to one: the same as a pair alone."""
    n = PAIRS + 3
    lat, lon = np.linspace(-80, 80, n), np.linspace(-170, 170, n)
    for far in (geodesic_km(43.0, -79.0, lat, lon), geodesic_km(lat, lon, [43.0], [[-79.0]])[0]):
        for at in (0, PAIRS - 1, PAIRS, n - 1):
            assert far[at] == geodesic_km(43.0, -79.0, lat[at], lon[at])


@given(LAT, LON)
def test_a_point_is_at_no_distance_from_itself(lat, lon):
    """Exactly zero, not nearly."""
    assert geodesic_km(lat, lon, lat, lon) == 0.0


def test_known_lengths():
    """A quarter meridian, half of one, and the equator's degree."""
    assert geodesic_km(0, 0, 90, 0) == pytest.approx(10001.965729313, abs=1e-8)
    assert geodesic_km(-90, 17, 90, -120) == pytest.approx(2 * 10001.965729313, abs=1e-8)
    assert geodesic_km(0, 0, 0, 1) == pytest.approx(6378.137 * np.pi / 180, abs=1e-9)


def test_the_compiled_core_measures_where_there_is_one(monkeypatch):
    """And pyproj is not asked."""
    core = pytest.importorskip("ketafind._kernel")
    compiled_core.cache_clear()
    assert compiled_core() is core
    monkeypatch.setattr("ketafind.geo._by_pyproj", lambda *_: pytest.fail("asked"))
    assert geodesic_km(0, 0, 90, 0) == pytest.approx(10001.965729313, abs=1e-8)


def test_shapes_broadcast():
    """One origin against many points, and a table of both."""
    rows, columns = np.array([[43.0], [44.5]]), np.array([[-79.0, -81.0]])
    table = geodesic_km(rows, -79.0, 45.0, columns)
    single = [
        [float(geodesic_km(lat, -79.0, 45.0, lon)) for lon in columns[0]] for lat in rows[:, 0]
    ]
    assert table.tolist() == single
    lat = np.array([43.0, 44.0, 45.0])
    assert geodesic_km(43.0, -79.0, lat, -79.0).shape == (3,)
    assert geodesic_km(lat[:, None], -79.0, lat[None, :], -79.0).shape == (3, 3)
    assert geodesic_km(43.0, -79.0, 44.0, -79.0).shape == ()
    assert geodesic_km([], [], 44.0, -79.0).shape == (0,)


def test_micrometres_round_to_even_and_keep_infinity():
    """The unit of ties."""
    assert micrometres([0.0, 1.4e-9, 1.6e-9, np.inf]).tolist() == [0.0, 1.0, 2.0, np.inf]


def test_a_circle_is_that_many_places_at_its_radius_each_in_another_direction():
    """From north by east; one row a position."""
    lat, lon = np.array([0.0, 44.0]), np.array([0.0, -76.0])
    north, east = circles(lat, lon, np.array([10.0, 250.0]), 4)
    far = geodesic_km(lat[:, None], lon[:, None], north, east)
    assert far == pytest.approx(np.array([[10.0] * 4, [250.0] * 4]), abs=1e-6)
    assert np.sign(np.round(north[0], 9)).tolist() == [1, 0, -1, 0]
    assert np.sign(np.round(east[0], 9)).tolist() == [0, 1, 0, -1]
