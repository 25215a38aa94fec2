"""The R-tree index changes while it is asked, and each answer is of one state."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.index.rtree import FEW, RTreeIndex
from ketafind.index.scan import ScanIndex

LAT, LON = st.floats(-90, 90), st.floats(-180, 180)


class Changing(RuleBasedStateMachine):
    """Insert and delete at will; the scan over what is there has the same answers."""

    @initialize(n=st.sampled_from([0, 1, 60, FEW + 100]))
    def build(self, n):
        """Begin with some points."""
        rng = np.random.default_rng(n)
        self.points = dict(
            enumerate(zip(rng.uniform(-90, 90, n), rng.uniform(-180, 180, n), strict=True))
        )
        columns = np.array(list(self.points.values())).reshape(-1, 2)
        self.index = RTreeIndex(columns[:, 0], columns[:, 1])

    @rule(lat=LAT, lon=LON)
    def insert(self, lat, lon):
        """Positions go on."""
        position = self.index.insert(lat, lon)
        assert position == len(self.index) - 1
        self.points[position] = (lat, lon)

    @rule(data=st.data())
    def delete(self, data):
        """One that is there."""
        if self.points:
            position = data.draw(st.sampled_from(sorted(self.points)))
            self.index.delete(position)
            del self.points[position]

    @invariant()
    def answers_are_those_of_a_scan(self):
        """With and without a filter."""
        there = np.array(sorted(self.points), dtype=np.intp)
        columns = np.array([self.points[position] for position in there]).reshape(-1, 2)
        scan = ScanIndex(columns[:, 0], columns[:, 1])
        expected = scan.nearest(44.0, -79.0, 7)
        distance, position = self.index.nearest(44.0, -79.0, 7)
        np.testing.assert_array_equal(distance, expected[0])
        np.testing.assert_array_equal(position, there[expected[1]])
        even = np.packbits(np.arange(len(self.index)) % 2 == 0, bitorder="little")
        passing = set(self.index.within(44.0, -79.0, 9000.0, self.index.prepare(even))[1])
        near = there[scan.within(44.0, -79.0, 9000.0)[1]]
        assert passing == set(near[near % 2 == 0])


Changing.TestCase.settings = settings(deadline=None, max_examples=25, stateful_step_count=15)
TestChanging = Changing.TestCase


def test_what_cannot_be_inserted_or_deleted_is_refused():
    """And leaves the index as it was."""
    index = RTreeIndex([43.0], [-79.0])
    for lat in (float("nan"), float("inf"), 91.0, None, True):
        with pytest.raises(CoordinatesError):
            index.insert(lat, 0.0)
    index.delete(0)
    for position in (0, 1, -1):
        with pytest.raises(InvalidInputError, match="no point at position"):
            index.delete(position)
    assert len(index.nearest(43.0, -79.0, 1)[0]) == 0
    assert len(pickle.loads(pickle.dumps(index)).nearest(43.0, -79.0, 1)[0]) == 0


def test_a_filter_from_before_does_not_let_new_points_pass():
    """It knew nothing of them."""
    index = RTreeIndex([43.0], [-79.0])
    everything = index.prepare(np.array([255], np.uint8))
    index.insert(43.0, -79.0)
    assert index.nearest(43.0, -79.0, 5, everything)[1] == [0]
    assert index.nearest(43.0, -79.0, 5)[1] == [0, 1]


def test_threads_may_ask_while_others_change_it():
    """libspatialindex crashes without the lock; each answer holds what was there throughout."""
    rng = np.random.default_rng(2)
    index = RTreeIndex(rng.uniform(42, 46, 2000), rng.uniform(-82, -75, 2000))
    truth = index.nearest(44.0, -79.0, 5)

    def change(_):
        for _ in range(100):
            index.delete(index.insert(-44.0, 101.0))

    def ask(_):
        return [index.nearest(44.0, -79.0, 5)[1] for _ in range(100)]

    with ThreadPoolExecutor(8) as pool:
        changes = [pool.submit(change, None) for _ in range(4)]
        answers = list(pool.map(ask, range(4)))
        for change_made in changes:
            change_made.result()
    assert all(answer == truth[1] for many in answers for answer in many)
