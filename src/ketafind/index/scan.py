"""Every distance, every time: the index that is plainly right, and the others' oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.geo import geodesic_km, micrometres
from ketafind.index.protocol import (
    Answer,
    Batch,
    Listed,
    Positions,
    SpatialIndex,
    check_bits,
    check_count,
    check_limit,
    check_origin,
    check_points,
)


@dataclass(frozen=True, slots=True, eq=False)
class Eligible:
    """The points of an index that pass a filter."""

    made_for: ScanIndex
    mask: npt.NDArray[np.bool_]
    positions: Positions

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = np.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        k = check_count(k, "k")
        limit_km = check_limit(max_distance_km, "max_distance_km")
        distance_km, position = self.made_for._ranked(self, *check_origin(lat, lon), k, limit_km)
        return distance_km.tolist(), position.tolist()


class ScanIndex(SpatialIndex):
    """Nearest neighbours by measuring the geodesic to every point that passes.

    Needs no compiled code; immutable, safe to share between threads. `SpatialIndex` describes the
    methods that all indexes have.

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
        lat, lon = check_points(lat, lon)
        self._lat, self._lon = lat.copy(), lon.copy()
        self._everything = np.ones(len(lat), dtype=bool)
        self._order = np.arange(len(lat), dtype=np.intp)
        self._order.flags.writeable = False

    def __len__(self) -> int:
        return len(self._lat)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._lat, self._lon)

    @property
    def order(self) -> Positions:
        """Position of each row, read-only: here they are the same."""
        return self._order.view()  # which cannot be made writeable

    @property
    def _identity(self) -> object:
        return self

    def _prepare(self, bits: Any) -> Eligible:
        if bits is None:
            return Eligible(self, self._everything, self._order)
        bits = np.unpackbits(check_bits(bits, len(self)), count=len(self), bitorder="little")
        return Eligible(self, bits.view(bool), np.flatnonzero(bits))

    def _ranked(
        self, eligible: Eligible, lat: float, lon: float, k: int, limit_km: float
    ) -> Answer:
        """Measure the distance to each candidate and take the nearest, ties by position."""
        positions = self._candidates(eligible, lat, lon, k, limit_km)
        distance_km = geodesic_km(lat, lon, self._lat[positions], self._lon[positions])
        key = micrometres(distance_km)
        near = key <= micrometres(limit_km)
        if k < len(key):
            near &= key <= np.partition(key, k - 1)[k - 1]
        rows = np.flatnonzero(near)
        # Positions rise along the rows, so a stable sort leaves ties in their order.
        rows = rows[np.argsort(key[rows], kind="stable")][:k]
        return distance_km[rows], positions[rows]

    def _candidates(
        self, eligible: Eligible, lat: float, lon: float, k: int, limit_km: float
    ) -> Positions:
        """Points, rising, among which are the k nearest within the limit."""
        del lat, lon, k, limit_km
        return eligible.positions

    def _fill(self, eligible: Eligible, batch: Batch) -> None:
        lat, lon, k, limit_km, _, (distance_km, position) = batch
        distance_km[:], position[:] = np.nan, -1
        for row, origin in enumerate(zip(lat.tolist(), lon.tolist(), strict=True)):
            distances, found = self._ranked(eligible, *origin, k, limit_km)
            distance_km[row, : len(found)], position[row, : len(found)] = distances, found

    def _within(self, eligible: Eligible, lat: float, lon: float, radius_km: float) -> Answer:
        return self._ranked(eligible, lat, lon, max(len(self), 1), radius_km)
