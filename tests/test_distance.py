"""The distance agrees with Karney's and with geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.geo import geodesic_km, micrometres

LAT = st.floats(-90, 90)
LON = st.floats(-180, 180)


@given(LAT, LON, LAT, LON)
def test_distance_equals_an_independent_implementation(lat1, lon1, lat2, lon2):
    """GeographicLib's Python port and ours differ by less than the 15 nm of either's method."""
    from geographiclib.geodesic import Geodesic

    theirs = Geodesic.WGS84.Inverse(lat1, lon1, lat2, lon2, Geodesic.DISTANCE)["s12"]
    assert geodesic_km(lat1, lon1, lat2, lon2) * 1000.0 == pytest.approx(theirs, rel=0, abs=3e-8)


@given(LAT, LON)
def test_a_point_is_at_no_distance_from_itself(lat, lon):
    """Exactly zero, not nearly."""
    assert geodesic_km(lat, lon, lat, lon) == 0.0


def test_known_lengths():
    """A quarter meridian, half of one, and the equator's degree."""
    assert geodesic_km(0, 0, 90, 0) == pytest.approx(10001.965729313, abs=1e-8)
    assert geodesic_km(-90, 17, 90, -120) == pytest.approx(2 * 10001.965729313, abs=1e-8)
    assert geodesic_km(0, 0, 0, 1) == pytest.approx(6378.137 * np.pi / 180, abs=1e-9)


def test_shapes_broadcast():
    """One origin against many points, and a table of both."""
    lat = np.array([43.0, 44.0, 45.0])
    assert geodesic_km(43.0, -79.0, lat, -79.0).shape == (3,)
    assert geodesic_km(lat[:, None], -79.0, lat[None, :], -79.0).shape == (3, 3)
    assert geodesic_km(43.0, -79.0, 44.0, -79.0).shape == ()
    assert geodesic_km([], [], 44.0, -79.0).shape == (0,)


def test_micrometres_round_to_even_and_keep_infinity():
    """The unit of ties."""
    assert micrometres([0.0, 1.4e-9, 1.6e-9, np.inf]).tolist() == [0.0, 1.0, 2.0, np.inf]
