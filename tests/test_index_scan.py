"""The scan answers as a sort over all distances would, and refuses what is no question."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import geodesic_km
from ketafind.index.protocol import ScanIndex


@st.composite
def worlds(draw):
    """Points with many duplicates, an origin often on one of them, and a filter."""
    grid = st.tuples(st.integers(-18, 18), st.integers(-18, 18)).map(
        lambda cell: (cell[0] * 5.0, cell[1] * 10.0)
    )
    free = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
    points = draw(st.lists(st.one_of(grid, free), max_size=40))
    origin = draw(st.one_of(grid, free, st.sampled_from(points) if points else grid))
    passes = draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points)))
    return points, origin, passes


def plainly(points, origin, passes, k, limit_km=math.inf):
    """Sort the whole list in plain Python."""
    found = []
    for position, (lat, lon) in enumerate(points):
        distance = float(geodesic_km(*origin, lat, lon))
        if passes[position] and round(distance * 1e9) <= (
            limit_km if math.isinf(limit_km) else round(limit_km * 1e9)
        ):
            found.append((round(distance * 1e9), position, distance))
    found.sort()
    return [(distance, position) for _, position, distance in found[:k]]


def pack(passes):
    return np.packbits(np.array(passes, dtype=bool), bitorder="little")


def pairs(answer):
    return list(zip(*(np.asarray(part).tolist() for part in answer), strict=True))


def built(points):
    return ScanIndex([lat for lat, _ in points], [lon for _, lon in points])


@given(worlds(), st.integers(1, 50), st.sampled_from([math.inf, 0.0, 500.0, 9000.0]))
def test_nearest_is_the_head_of_the_sorted_list(world, k, limit):
    """Ids, order and ties."""
    points, origin, passes = world
    index = built(points)
    prepared = index.prepare(pack(passes))
    assert pairs(index.nearest(*origin, k, prepared, limit)) == plainly(*world, k, limit)
    assert pairs(index.nearest(*origin, k)) == plainly(points, origin, [True] * len(points), k)


@given(worlds(), st.integers(0, 60))
def test_within_includes_its_boundary(world, rank):
    """The radius is often exactly the distance of a point."""
    points, origin, passes = world
    index = built(points)
    everything = plainly(*world, 1000)
    radius = everything[rank % len(everything)][0] if everything else 1.0
    answer = index.within(*origin, radius, index.prepare(pack(passes)))
    assert pairs(answer) == plainly(*world, 1000, radius)


@given(worlds(), st.integers(1, 5))
def test_many_origins_equal_one_at_a_time(world, k):
    """NaN and -1 where there are fewer."""
    points, origin, passes = world
    index = built(points)
    prepared = index.prepare(pack(passes))
    origins = [origin, *points][:5]
    distance, position = index.nearest_many(*zip(*origins, strict=True), k, prepared)
    assert distance.shape == position.shape == (len(origins), k)
    for row, one in enumerate(origins):
        expected = plainly(points, one, passes, k)
        there = position[row] >= 0
        assert pairs((distance[row][there], position[row][there])) == expected
        assert there.tolist() == [True] * len(expected) + [False] * (k - len(expected))
        assert np.isnan(distance[row][~there]).all()


INDEX = ScanIndex([43.0, 44.0, 45.0], [-79.0, -79.0, -79.0])


@pytest.mark.parametrize("k", [0, -1, 1.5, math.nan, True, None, "5", np.True_])
def test_a_count_that_is_none_is_refused(k):
    """With the value in the message."""
    with pytest.raises(InvalidInputError, match="k must be a whole number"):
        INDEX.nearest(43.0, -79.0, k)
    with pytest.raises(InvalidInputError, match="k must be a whole number"):
        INDEX.nearest_many([43.0], [-79.0], k)


@pytest.mark.parametrize("radius", [-1.0, math.nan, True, None, "5", 1j])
def test_a_radius_that_is_none_is_refused(radius):
    """NaN is no limit at all in some libraries; here it is an error."""
    with pytest.raises(InvalidInputError, match="radius_km must be"):
        INDEX.within(43.0, -79.0, radius)
    with pytest.raises(InvalidInputError, match="max_distance_km must be"):
        INDEX.nearest(43.0, -79.0, 1, None, radius)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(math.nan, 0), (0, math.inf), (90.01, 0), (0, 180.01), (None, 0), (True, 0), ("43", 0)],
)
def test_an_origin_off_the_earth_is_refused_without_its_digits(lat, lon):
    """A searcher's place is private."""
    for ask in (lambda: INDEX.nearest(lat, lon, 1), lambda: INDEX.within(lat, lon, 1.0)):
        with pytest.raises(CoordinatesError) as refusal:
            ask()
        assert "43" not in str(refusal.value)
        assert "90.01" not in str(refusal.value)


def test_a_batch_names_the_place_of_its_first_fault():
    """And not the value."""
    lat = np.full(600, 43.123456)
    lat[517] = np.nan
    with pytest.raises(CoordinatesError, match="origin 517: lat must be a finite number"):
        INDEX.nearest_many(lat, lat, 1)
    with pytest.raises(CoordinatesError, match="origin 1: lon must be a number"):
        INDEX.nearest_many([43.0, 44.0], [-79.0, None], 1)
    with pytest.raises(CoordinatesError, match="one length, not 2 and 1"):
        INDEX.nearest_many([43.0, 44.0], [-79.0], 1)
    with pytest.raises(CoordinatesError, match="one dimension, not 2"):
        INDEX.nearest_many([[43.0]], [[-79.0]], 1)
    with pytest.raises(CoordinatesError, match="row 1: lat must lie between -90 and 90"):
        ScanIndex([43.0, 91.0], [0.0, 0.0])


@pytest.mark.parametrize("values", [["43.0"], [b"43"], [True], [1j], [None], ["2020-01-01"]])
def test_columns_of_other_things_are_refused(values):
    """Text is never read as a number."""
    with pytest.raises(CoordinatesError):
        ScanIndex(values, [0.0])
    with pytest.raises(CoordinatesError):
        INDEX.nearest_many([0.0], values, 1)


def test_unusual_arrays_are_read_right():
    """Big-endian, strided, integer and unmasked masked arrays; a mask is refused."""
    plain = INDEX.nearest_many([43.0, 44.0], [-79.0, -78.0], 2)
    for lat in (
        np.array([43.0, 44.0], dtype=">f8"),
        np.array([43.0, 0.0, 44.0])[::2],
        np.array([43, 44], dtype=np.int16),
        np.ma.array([43.0, 44.0]),
        np.array([43.0, 44], dtype=object),
    ):
        answer = INDEX.nearest_many(lat, [-79.0, -78.0], 2)
        assert np.array_equal(answer[0], plain[0])
        assert np.array_equal(answer[1], plain[1])
    with pytest.raises(CoordinatesError, match="origin 1 is masked"):
        INDEX.nearest_many(np.ma.array([43.0, 44.0], mask=[0, 1]), [0.0, 0.0], 1)


def test_filters_are_checked():
    """Right bytes, right index."""
    for bits in (np.zeros(2, np.uint8), np.zeros(1, bool), np.zeros((1, 1), np.uint8), [1.0]):
        with pytest.raises(InvalidInputError, match="bits must be 1 bytes of uint8"):
            INDEX.prepare(bits)
    other = ScanIndex([43.0, 44.0, 45.0], [-79.0, -79.0, -79.0])
    with pytest.raises(InvalidInputError, match="same index"):
        INDEX.nearest(43.0, -79.0, 1, other.prepare(np.array([7], np.uint8)))
    with pytest.raises(InvalidInputError, match="same index"):
        INDEX.nearest(43.0, -79.0, 1, "all")
    assert INDEX.prepare(None).nearest(43.0, -79.0, 5) == INDEX.nearest(43.0, -79.0, 5)


def test_later_changes_to_what_was_given_do_not_matter():
    """Points and bits are copied; the order is read-only."""
    lat, lon, bits = np.array([43.0, 44.0]), np.array([0.0, 0.0]), np.array([255], np.uint8)
    index = ScanIndex(lat, lon)
    prepared = index.prepare(bits)
    lat[0], bits[0] = 80.0, 0
    assert index.nearest(43.0, 0.0, 5, prepared)[1] == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        index.order[0] = 1


def test_an_empty_index_answers_with_nothing():
    """No point, no error."""
    index = ScanIndex([], [])
    assert len(index) == 0
    assert index.nearest(0.0, 0.0, 3)[1] == []
    assert index.within(0.0, 0.0, 100.0)[1].tolist() == []
    assert index.nearest_many([0.0], [0.0], 2)[1].tolist() == [[-1, -1]]
