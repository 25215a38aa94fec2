"""The stated intervals hold the true distances about nine times of ten, and are not wider than that."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.geo import distance_interval_km, distance_intervals_km, distance_lows_km

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks/intervals.py"))
km = st.floats(0.0, 20_000.0, allow_nan=False)


@pytest.mark.parametrize("way", BENCHMARK["WAYS"])
def test_simulated_distances_lie_inside_and_the_width_is_near_the_least(way):
    coverage, width = BENCHMARK["simulate"](way, 2_000)
    assert 0.88 <= np.mean(coverage) <= 0.95
    assert min(coverage) > 0.84
    assert np.median(width) <= 1.1


@given(km, km, km)
def test_the_interval_holds_the_stated_distance_and_is_that_of_many(far, origin, clinic):
    low, high = distance_interval_km(far, origin, clinic)
    assert 0.0 <= low <= far <= high
    lows, highs = distance_intervals_km(np.array([far]), origin, np.array([clinic]))
    assert (lows[0], highs[0]) == (low, high)
    assert distance_lows_km(np.array([far]), np.array([origin]), clinic)[0] == low


@given(km, km, km)
def test_a_wider_radius_never_narrows_the_interval(far, one, other):
    small, large = sorted([one, other])
    inner, outer = distance_interval_km(far, small, 1.0), distance_interval_km(far, large, 1.0)
    assert outer[0] <= inner[0] + 1e-9
    assert inner[1] <= outer[1] + 1e-9
