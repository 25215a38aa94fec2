"""An index that is changed without being built anew: libspatialindex in three dimensions."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Iterable
from threading import Lock

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import EQUATOR_KM, POLE_KM, earth_centred, geodesic_km
from ketafind.index.protocol import Eligible, Floats, Positions, ScanIndex

# Two micrometres, for the rounding of distances and of chords.
SLACK_KM = 2e-9
# Of a node. With libspatialindex's own hundred a deletion takes ten times as long.
CHILDREN = 10
# Up to this many candidates are measured without a look at the tree, and more where few of the
# points that it would name are eligible: to measure one costs a twentieth of what naming it does.
MEASURED_AT_ONCE, CHEAPER = 500, 20
# Where more differ than this many and one in so many, a tree of its own is sooner built.
MOST_CHANGED, ONE_IN = 16, 20


class _SharedTree:
    """Points in numbered slots, each kept while an index has it and then used for another."""

    # libspatialindex is not safe for threads: one lock guards everything.

    def __init__(self, points: Floats) -> None:
        from rtree.index import Index, Property

        # It may crash on NaN, too: points come from degrees that were checked.
        content = [(np.arange(len(points)), points, points)] if len(points) else []
        properties = Property(dimension=3, near_minimum_overlap_factor=CHILDREN // 2)
        properties.leaf_capacity = properties.index_capacity = CHILDREN
        self._tree = Index(*content, properties=properties)
        self._points = points
        self._owners = np.zeros(len(points), np.int32)
        self._free: list[int] = []
        self._released: deque[Positions] = deque()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._points)

    def give(self, owner: object, slots: Positions, is_new: npt.NDArray[np.bool_],
             points: Floats) -> None:  # fmt: skip
        """Let an index have slots as long as it lives, new ones among them for new points."""
        with self._lock:
            self._sweep()
            slots[is_new] = new = self._reserved(points)
            self._owners[slots] += 1
            # Called in any thread, perhaps one that holds the lock: it only takes a note. What
            # fails from here on is swept up with the owner.
            weakref.finalize(owner, self._released.append, slots).atexit = False
            for slot, point in zip(new.tolist(), points.tolist(), strict=True):
                self._tree.insert(slot, point + point)

    def near(self, point: list[float], wanted: int) -> Positions:
        """The slots nearest to a point, by chord; those of all indexes count."""
        with self._lock:
            return _numbers(self._tree.nearest(point + point, wanted))

    def around(self, point: list[float], half_km: float) -> Positions:
        """The slots in a box around a point."""
        box = [x - half_km for x in point] + [x + half_km for x in point]
        with self._lock:
            return _numbers(self._tree.intersection(box))

    def _reserved(self, points: Floats) -> Positions:
        n, more = len(self._points), len(points) - len(self._free)
        if more > 0:
            more += 64 + n // 8
            self._points = np.concatenate([self._points, np.zeros((more, 3))])
            self._owners = np.concatenate([self._owners, np.zeros(more, np.int32)])
            self._free.extend(range(n + more - 1, n - 1, -1))
        slots = np.array([self._free.pop() for _ in range(len(points))], np.intp)
        self._points[slots] = points
        return slots

    def _sweep(self) -> None:
        """Delete the points of indexes that are gone, if no other index has them."""
        while self._released:
            slots = self._released.popleft()
            self._owners[slots] -= 1
            for slot in slots[self._owners[slots] == 0].tolist():
                point = self._points[slot].tolist()
                self._tree.delete(slot, point + point)
                self._free.append(slot)


class RTreeIndex(ScanIndex):
    """Nearest neighbours by an R-tree, for points that change while they are searched.

    `SpatialIndex.changed` inserts and deletes what differs, in a tree that the old index and the
    new one share: a change of a few points among 100,000 takes milliseconds. Each index is
    immutable, and its answers are those of its own points. Safe to share between threads, which
    take turns at the tree. `SpatialIndex` describes the methods that all indexes have.

    Parameters
    ----------
    lat, lon : array_like of float, shape (n,)
        Degrees, finite and in range; copied.

    Raises
    ------
    CoordinatesError
        If a point is no position on earth; names its place in the arrays.
    """

    def __init__(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> None:
        super().__init__(lat, lon)
        tree = _SharedTree(earth_centred(self._lat, self._lon).T.copy())
        self._share(tree, np.arange(len(self)), np.zeros(len(self), bool))

    def changed(
        self, gone: npt.ArrayLike, before: npt.ArrayLike, lat: npt.ArrayLike, lon: npt.ArrayLike
    ) -> RTreeIndex:
        gone, before = np.asarray(gone, np.intp), np.asarray(before, np.intp)
        if len(gone) + len(before) > MOST_CHANGED + len(self) // ONE_IN:
            return RTreeIndex(lat, lon)
        index = RTreeIndex.__new__(RTreeIndex)
        ScanIndex.__init__(index, lat, lon)
        try:
            kept = np.delete(np.arange(len(self)), gone)
            is_new = np.insert(np.zeros(len(kept), bool), before, True)
            same = index._lat[~is_new] == self._lat[kept]
            same &= index._lon[~is_new] == self._lon[kept]
        except (IndexError, ValueError) as error:
            raise InvalidInputError(f"these are not the positions of a change: {error}") from None
        if not same.all():
            raise InvalidInputError("the points that stay are not where they are in this index")
        slots = np.empty(len(index), np.intp)
        slots[~is_new] = self._slots[kept]
        index._share(self._tree, slots, is_new)
        return index

    def _share(self, tree: _SharedTree, slots: Positions, is_new: npt.NDArray[np.bool_]) -> None:
        self._tree, self._slots = tree, slots
        tree.give(self, slots, is_new, earth_centred(self._lat[is_new], self._lon[is_new]).T)
        self._position_of = np.full(len(tree), -1, np.intp)
        self._position_of[slots] = np.arange(len(self))

    def _candidates(
        self, eligible: Eligible, lat: float, lon: float, k: int, limit_km: float
    ) -> Positions:
        positions, reach_km = eligible.positions, limit_km
        n = len(positions)
        if n <= MEASURED_AT_ONCE or (k < n and n * n <= CHEAPER * k * len(self)):
            return positions
        point = earth_centred(np.array([lat]), np.array([lon]))[:, 0].tolist()
        if k < n:
            some = self._some_near(eligible, point, k)
            # The k-th nearest is no farther than the farthest of any k.
            far = geodesic_km(lat, lon, self._lat[some], self._lon[some]).max()
            reach_km = min(limit_km, float(far))
        chord_km = _chord_within(reach_km)
        if chord_km >= 2.0 * EQUATOR_KM:
            return positions
        found = self._eligible(self._tree.around(point, chord_km), eligible)
        found.sort()
        return found

    def _some_near(self, eligible: Eligible, point: list[float], k: int) -> Positions:
        """Some k eligible points that are near by chord; there are more than k."""
        wanted = 2 * k * len(self._tree) // len(eligible.positions)
        while len(found := self._eligible(self._tree.near(point, wanted), eligible)) < k:
            wanted *= 4
        return found[:k]

    def _eligible(self, slots: Positions, eligible: Eligible) -> Positions:
        """Of slots those whose points this index has and a filter lets pass."""
        # Slots from beyond were made after this index.
        positions = self._position_of[slots[slots < len(self._position_of)]]
        positions = positions[positions >= 0]
        return positions[eligible.mask[positions]]


def _numbers(found: Iterable[int]) -> Positions:
    return np.fromiter(found, np.intp)


def _chord_within(km: float) -> float:
    """Points within km of geodesic lie within this chord."""
    # A chord is never longer than its geodesic; and far away a geodesic is at least b times the
    # arc on the auxiliary sphere, whose chord is at most 2 a sin(arc / 2).
    half = km / (2.0 * POLE_KM)
    wide = 2.0 * EQUATOR_KM * math.sin(half) if half < math.pi / 2 else 2.0 * EQUATOR_KM
    return min(km, wide * (1.0 + 1e-12)) + SLACK_KM
