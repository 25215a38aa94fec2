"""An R-tree index is changed by inserting and deleting, and every index answers as before."""

from __future__ import annotations

import gc
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import ketafind as kf
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.index import KernelIndex, RTreeIndex, ScanIndex
from ketafind.index.rtree import MEASURED_AT_ONCE
from test_index_parity import exact, needs_kernel

HERE = kf.Coordinates(lat=44.23, lon=-76.48)
# Many on one place, so that ties and equal boxes are common.
PLACE = st.one_of(
    st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    st.sampled_from([(44.0, -79.0), (44.0, -79.001), (90.0, 0.0), (-44.0, 101.0)]),
)


def some_points(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(42, 50, n), rng.uniform(-90, -75, n)


def changed(index, points, gone, before, new):
    """Change an index, and the plain arrays that say what it should hold."""
    lat, lon = (
        np.insert(np.delete(axis, gone), before, more)
        for axis, more in zip(points, np.reshape(new, (-1, 2)).T, strict=True)
    )
    return index.changed(gone, before, lat, lon), (lat, lon)


def answers(index):
    """Its size and its answers to some questions, with a filter and without."""
    third = np.packbits(np.arange(len(index)) % 3 == 0, bitorder="little")
    found = [len(index)]
    for prepared in (index.prepare(None), index.prepare(third)):
        for lat, lon in ((44.0, -79.0), (90.0, 0.0)):
            found.append(exact(index.nearest(lat, lon, 7, prepared)))
            found.append(exact(index.nearest(lat, lon, 1, prepared, 100.0)))
            found.append(exact(index.within(lat, lon, 300.0, prepared)))
    return found


class Changing(RuleBasedStateMachine):
    """Change any index made so far, in any way; forget some."""

    @initialize(n=st.sampled_from([0, 1, 60, 3 * MEASURED_AT_ONCE + 200]))
    def build(self, n):
        """Begin with some points."""
        points = some_points(n)
        self.versions = [(RTreeIndex(*points), points)]

    @rule(data=st.data(), new=st.lists(PLACE, max_size=5), drop=st.integers(0, 5))
    def change(self, data, new, drop):
        """Also one from which others were made: two children of one parent."""
        index, points = data.draw(st.sampled_from(self.versions))
        anywhere = st.integers(0, max(len(index) - 1, 0))
        gone = sorted(data.draw(st.sets(anywhere, max_size=min(drop, len(index)))))
        there = st.integers(0, len(index) - len(gone))
        before = sorted(data.draw(st.lists(there, min_size=len(new), max_size=len(new))))
        self.versions.append(changed(index, points, gone, before, new))

    @rule(data=st.data())
    def forget(self, data):
        """Points that no index has any more are deleted."""
        if len(self.versions) > 1:
            self.versions.pop(data.draw(st.integers(0, len(self.versions) - 1)))

    @invariant()
    def every_version_answers_as_a_scan_over_its_points(self):
        """Old and new."""
        for index, points in {
            id(one): one for one in (self.versions[0], self.versions[-1])
        }.values():
            assert answers(index) == answers(ScanIndex(*points))


Changing.TestCase.settings = settings(stateful_step_count=10)
TestChanging = Changing.TestCase


@pytest.mark.parametrize(
    "index_type", [RTreeIndex, ScanIndex, pytest.param(KernelIndex, marks=needs_kernel)]
)
def test_every_index_is_changed_in_the_same_way(index_type):
    """By a few points, by most of them, and by none."""
    points = some_points(2000)
    index = index_type(*points)
    for gone, before, new in (
        ([3], [0], [(44.0, -79.0)]),
        ([], [1000, 1000, 2000], [(44.0, -79.0), (44.1, -79.0), (44.2, -79.0)]),
        (np.arange(0, 2000, 2), [0, 1000], [(44.0, -79.0), (44.1, -79.0)]),
        (np.arange(2000), [0], [(44.0, -79.0)]),
        ([], [], []),
    ):
        other, others = changed(index, points, gone, before, new)
        assert type(other) is index_type
        scan = ScanIndex(*others)
        assert exact(other.nearest(44.0, -79.0, 9)) == exact(scan.nearest(44.0, -79.0, 9))
    assert answers(RTreeIndex(*points)) == answers(ScanIndex(*points))


def test_a_few_points_change_in_the_tree_that_is_there():
    """Many changed points get a tree of their own."""
    points = some_points(2000)
    index = RTreeIndex(*points)
    near, _ = changed(index, points, [5], [0], [(44.0, -79.0)])
    far, _ = changed(index, points, np.arange(1000), [], [])
    assert near._tree is index._tree
    assert far._tree is not index._tree


def test_every_point_that_stays_is_found_where_it_was_after_others_are_added():
    points = some_points(2000)
    index, points = changed(RTreeIndex(*points), points, [], [0], [(44.0, -79.0)])
    for at in (0, 1, 1000, 1999, 2000):
        assert index.nearest(points[0][at], points[1][at], 1) == ([0.0], [at])


def test_what_no_index_has_any_more_is_deleted_and_its_room_used_again():
    """A thousand changes in a row leave neither points nor room behind."""
    points = some_points(1000)
    index = RTreeIndex(*points)
    tree = index._tree
    for turn in range(1000):
        index, points = changed(index, points, [turn % 990], [7], [(44.0, -79.0 + turn * 1e-4)])
    gc.collect()
    index, points = changed(index, points, [], [], [])
    held = tree._tree.count([-1e4] * 3 + [1e4] * 3)
    assert held <= len(index) + 2
    assert len(tree) < 1200
    assert answers(index) == answers(ScanIndex(*points))


def test_a_parent_and_its_children_keep_their_points_whoever_goes_first():
    """Slots are shared, and freed when the last of them is gone."""
    points = some_points(1000)
    for order in ("abc", "acb", "bac", "bca", "cab", "cba"):
        parent = RTreeIndex(*points)
        family = {
            "a": (parent, points),
            "b": changed(parent, points, [0, 1], [5], [(44.0, -79.0)]),
            "c": changed(parent, points, [1, 2], [0], [(44.0, -79.0)]),
        }
        del parent
        for name in order:
            del family[name]
            gc.collect()
            for member, (index, theirs) in list(family.items()):
                new, its_points = changed(index, theirs, [], [3], [(44.0, -79.0)])
                assert answers(new) == answers(ScanIndex(*its_points))
                family[member] = new, its_points
            index = new = None  # nothing else holds them


def test_what_is_no_change_is_refused():
    """And leaves the index as it was."""
    points = some_points(700)
    index = RTreeIndex(*points)
    lat, lon = np.delete(points[0], 3), np.delete(points[1], 3)
    for gone, before, wrong in (
        ([4], [], (lat, lon)),
        ([3], [], points),
        ([700], [], points),
        ([], [701], (np.append(points[0], 44.0), np.append(points[1], -79.0))),
    ):
        with pytest.raises(InvalidInputError):
            index.changed(gone, before, *wrong)
    for value in (np.nan, np.inf, 91.0):
        with pytest.raises(CoordinatesError, match="row 0"):
            index.changed([], [0], np.insert(points[0], 0, value), np.insert(points[1], 0, 0.0))
    assert answers(index) == answers(ScanIndex(*points))
    index, points = changed(index, points, [3], [0], [(44.0, -79.0)])
    assert answers(index) == answers(ScanIndex(*points))


def test_a_copy_has_a_tree_of_its_own():
    """Pickled without it, and built anew."""
    points = some_points(700)
    index, points = changed(RTreeIndex(*points), points, [3], [0], [(44.0, -79.0)])
    copy = pickle.loads(pickle.dumps(index))
    assert copy._tree is not index._tree
    assert answers(copy) == answers(ScanIndex(*points))


def test_old_versions_answer_in_other_threads_while_new_ones_are_made():
    """libspatialindex crashes without the lock; an answer is that of its index, to the bit."""
    points = some_points(3000)
    index = RTreeIndex(*points)
    even = np.packbits(np.arange(3000) % 2 == 0, bitorder="little")
    prepared = index.prepare(even)
    truth = index.nearest(44.0, -79.0, 5), index.nearest(44.0, -79.0, 5, prepared)
    wrong, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            found = index.nearest(44.0, -79.0, 5), index.nearest(44.0, -79.0, 5, prepared)
            if found != truth:
                wrong.append(found)

    def change(seed):
        rng = np.random.default_rng(seed)
        newest, theirs = index, points
        for _ in range(60):
            gone = [int(rng.integers(len(newest)))]
            newest, theirs = changed(newest, theirs, gone, [int(rng.integers(2000))],
                                     [(44.0, -79.0 + rng.normal(0, 0.01))])  # fmt: skip
            if newest.nearest(44.0, -79.0, 5) != ScanIndex(*theirs).nearest(44.0, -79.0, 5):
                wrong.append(newest)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    changers = [threading.Thread(target=change, args=(seed,)) for seed in range(3)]
    for thread in (*askers, *changers):
        thread.start()
    for thread in changers:
        thread.join()
    stop.set()
    for thread in askers:
        thread.join()
    assert not wrong


def test_a_directory_with_this_index_changes_while_the_old_one_answers_as_before(monkeypatch):
    """In other threads too, and as one that was built anew with another index."""
    monkeypatch.setattr("ketafind.index.rtree.MEASURED_AT_ONCE", 0)
    monkeypatch.setattr("ketafind.index.rtree.CHEAPER", 0)
    clinics = kf.load_directory().clinics
    first = kf.Directory.from_clinics(clinics, index="rtree")

    def answers(directory):
        found = directory.nearest(HERE, 9, routes="iv", unknown="include")
        near = directory.within(HERE, 500.0)
        return [[(one.clinic.clinic_id, one.distance_km) for one in part] for part in (found, near)]

    truth, wrong, stop = answers(first), [], threading.Event()

    def ask():
        while not stop.is_set():
            if answers(first) != truth:
                wrong.append("the first directory answers otherwise")

    asker = threading.Thread(target=ask)
    asker.start()
    directory = first
    try:
        for turn, gone in enumerate(truth[1][:6]):
            new = replace(clinics[turn], clinic_id=f"a-{turn}", name=f"Clinic {turn}", evidence=())
            directory = directory.with_clinics([new], [gone[0]])
            plain = kf.Directory.from_clinics(directory.clinics, index="scan")
            assert answers(directory) == answers(plain)
    finally:
        stop.set()
        asker.join()
    assert not wrong
    assert answers(first) == truth
    assert directory._catalogue.index._tree is first._catalogue.index._tree
