"""An index that may change while it is asked: libspatialindex in three dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import geodesic_km
from ketafind.index.checks import (
    check_bits,
    check_count,
    check_limit,
    check_origin,
    check_points,
    table_for,
)
from ketafind.index.protocol import Answer, Floats, Listed, Positions, Table, UnderFilter
from ketafind.index.scan import as_table, end_to_end, rank

__all__ = ["RTreeIndex"]

EQUATOR_KM = 6378.137
POLE_KM = EQUATOR_KM * (1 - 1 / 298.257223563)
# Two micrometres, for the rounding of distances and of chords.
SLACK_KM = 2e-9
# Fewer candidates than this are measured without a look at the tree.
FEW = 500


@dataclass(frozen=True, slots=True, eq=False)
class _Passing:
    owner: RTreeIndex
    mask: npt.NDArray[np.bool_]
    count: int


class RTreeIndex:
    """Nearest neighbours by an R-tree over earth-centred points, with `insert` and `delete`.

    See `ketafind.index.protocol.SpatialIndex` for the other methods. libspatialindex is not safe
    for threads, so one question or change at a time holds a lock; each sees all of a change or
    nothing. A filter that was prepared before a point was inserted does not let it pass.

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
        from rtree.index import Index, Property

        # libspatialindex may crash on NaN: nothing unchecked reaches it.
        lat, lon = check_points(lat, lon)
        self._lat, self._lon = lat.copy(), lon.copy()
        self._is_there = np.ones(len(lat), dtype=bool)
        self._lock = Lock()
        points = _earth_centred(lat, lon)
        content = (np.arange(len(lat)), points, points)
        self._tree = Index(*([content] if len(lat) else []), properties=Property(dimension=3))

    def __len__(self) -> int:
        return len(self._lat)

    def __reduce__(self) -> tuple[Any, ...]:
        with self._lock:
            return _rebuilt, (self._lat, self._lon, np.flatnonzero(~self._is_there))

    @property
    def order(self) -> Positions:
        """Position of each row: here they are the same, deleted ones included."""
        order = np.arange(len(self), dtype=np.intp)
        order.flags.writeable = False
        return order

    def insert(self, lat: float, lon: float) -> int:
        """Add a point.

        Parameters
        ----------
        lat, lon : float
            Degrees.

        Returns
        -------
        int
            Its position: one more than the highest before.

        Raises
        ------
        CoordinatesError
            If it is no position on earth; nothing was added.
        """
        lat, lon = check_origin(lat, lon)
        with self._lock:
            position = len(self._lat)
            self._tree.insert(position, _box(lat, lon, 0.0))
            # New arrays: answers under way keep the old ones.
            self._lat = np.append(self._lat, lat)
            self._lon = np.append(self._lon, lon)
            self._is_there = np.append(self._is_there, True)
        return position

    def delete(self, position: int) -> None:
        """Take a point away; positions of the others stay.

        Parameters
        ----------
        position : int
            Of a point that is there.

        Raises
        ------
        InvalidInputError
            If there is no such point.
        """
        with self._lock:
            if not 0 <= position < len(self) or not self._is_there[position]:
                raise InvalidInputError(f"there is no point at position {position!r} to delete")
            box = _box(float(self._lat[position]), float(self._lon[position]), 0.0)
            self._tree.delete(int(position), box)
            self._is_there[position] = False

    def prepare(self, bits: Any) -> _Passing | None:
        """Make a filter ready for use; see the protocol."""
        if bits is None:
            return None
        mask = np.unpackbits(check_bits(bits, len(self)), count=len(self), bitorder="little")
        return _Passing(self, mask.astype(bool), int(mask.sum()))

    def bound(self, prepared: _Passing | None) -> UnderFilter:
        """Bind a filter to this index; see the protocol."""
        return UnderFilter(self, prepared)

    def nearest(
        self,
        lat: float,
        lon: float,
        k: int,
        prepared: _Passing | None = None,
        max_distance_km: float = np.inf,
    ) -> Listed:
        """Find the k nearest points that pass; see the protocol."""
        k = check_count(k, "k")
        limit = check_limit(max_distance_km, "max_distance_km")
        distance_km, position = self._nearest(
            *check_origin(lat, lon), k=k, prepared=prepared, limit_km=limit
        )
        return distance_km.tolist(), position.tolist()

    def nearest_many(
        self,
        lat: npt.ArrayLike,
        lon: npt.ArrayLike,
        k: int,
        prepared: _Passing | None = None,
        max_distance_km: float = np.inf,
        *,
        threads: int | None = None,
        out: Table | None = None,
    ) -> Answer:
        """Find the k nearest points that pass for each origin, on one thread; see the protocol."""
        k = check_count(k, "k")
        limit = check_limit(max_distance_km, "max_distance_km")
        if threads is not None:
            check_count(threads, "threads")
        lat, lon = check_points(lat, lon, "origin")
        ask = partial(self._nearest, k=k, prepared=prepared, limit_km=limit)
        return as_table(ask, lat, lon, *table_for(len(lat), k, len(self), out))

    def within(
        self, lat: float, lon: float, radius_km: float, prepared: _Passing | None = None
    ) -> Answer:
        """Find all points that pass within a radius; see the protocol."""
        radius_km = check_limit(radius_km, "radius_km")
        return self._within(*check_origin(lat, lon), radius_km=radius_km, prepared=prepared)

    def within_many(
        self,
        lat: npt.ArrayLike,
        lon: npt.ArrayLike,
        radius_km: float,
        prepared: _Passing | None = None,
        *,
        threads: int | None = None,
    ) -> tuple[Positions, Floats, Positions]:
        """Find all points that pass within a radius of each origin; see the protocol."""
        if threads is not None:
            check_count(threads, "threads")
        radius_km = check_limit(radius_km, "radius_km")
        lat, lon = check_points(lat, lon, "origin")
        return end_to_end(partial(self._within, radius_km=radius_km, prepared=prepared), lat, lon)

    def _within(
        self, lat: float, lon: float, radius_km: float, prepared: _Passing | None
    ) -> Answer:
        with self._lock:
            passing = self._passing(prepared)
            around = self._around(lat, lon, radius_km, passing)
            return self._ranked(lat, lon, around, max(len(around), 1), radius_km)

    def _nearest(
        self, lat: float, lon: float, k: int, prepared: _Passing | None, limit_km: float
    ) -> Answer:
        with self._lock:
            passing = self._passing(prepared)
            count = int(passing.sum())
            if count <= max(FEW, k):
                return self._ranked(lat, lon, np.flatnonzero(passing), k, limit_km)
            some = self._some_near(lat, lon, k, passing)
            # The k-th nearest is no farther than the farthest of any k that pass.
            far = geodesic_km(lat, lon, self._lat[some], self._lon[some]).max()
            around = self._around(lat, lon, min(float(far), limit_km), passing)
            return self._ranked(lat, lon, around, k, limit_km)

    def _some_near(
        self, lat: float, lon: float, k: int, passing: npt.NDArray[np.bool_]
    ) -> Positions:
        """At least k that pass, near by chord."""
        wanted = 2 * k
        while True:
            found = np.fromiter(self._tree.nearest(_box(lat, lon, 0.0), wanted), np.intp)
            found = found[passing[found]]
            if len(found) >= k:
                return found[:k]
            wanted *= 4

    def _around(
        self, lat: float, lon: float, km: float, passing: npt.NDArray[np.bool_]
    ) -> Positions:
        """Those that pass and may be as near as that, rising."""
        chord = _chord_within(km)
        if chord >= 2.0 * EQUATOR_KM:
            return np.flatnonzero(passing)
        found = np.fromiter(self._tree.intersection(_box(lat, lon, chord)), np.intp)
        found.sort()
        return found[passing[found]]

    def _ranked(
        self, lat: float, lon: float, positions: Positions, k: int, limit_km: float
    ) -> Answer:
        return rank(lat, lon, positions, self._lat[positions], self._lon[positions], k, limit_km)

    def _passing(self, prepared: _Passing | None) -> npt.NDArray[np.bool_]:
        if prepared is None:
            return self._is_there
        if not isinstance(prepared, _Passing) or prepared.owner is not self:
            raise InvalidInputError("prepared must come from prepare() of the same index")
        passing = np.zeros(len(self), dtype=bool)
        passing[: len(prepared.mask)] = prepared.mask
        return passing & self._is_there


def _rebuilt(lat: Floats, lon: Floats, deleted: Positions) -> RTreeIndex:
    index = RTreeIndex(lat, lon)
    for position in deleted:
        index.delete(position)
    return index


def _earth_centred(lat: Floats, lon: Floats) -> Floats:
    """Positions on the ellipsoid in km, shape (n, 3)."""
    flattening = 1 - POLE_KM / EQUATOR_KM
    eccentricity2 = flattening * (2 - flattening)
    sine, cosine = np.sin(np.radians(lat)), np.cos(np.radians(lat))
    across = EQUATOR_KM / np.sqrt(1 - eccentricity2 * sine**2)
    turn = np.radians(lon)
    return np.column_stack(
        [
            across * cosine * np.cos(turn),
            across * cosine * np.sin(turn),
            across * (1 - eccentricity2) * sine,
        ]
    )


def _box(lat: float, lon: float, half_km: float) -> list[float]:
    centre = _earth_centred(np.array([lat]), np.array([lon]))[0]
    return [*(centre - half_km).tolist(), *(centre + half_km).tolist()]


def _chord_within(km: float) -> float:
    """Points within km of geodesic lie within this chord."""
    half = km / (2.0 * POLE_KM)
    wide = 2.0 * EQUATOR_KM * math.sin(half) if half < math.pi / 2 else 2.0 * EQUATOR_KM
    return min(km, wide * (1.0 + 1e-12)) + SLACK_KM
