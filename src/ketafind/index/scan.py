"""Every distance, every time: the index that is plainly right, and the others' oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import geodesic_km, micrometres
from ketafind.index.checks import (
    check_bits,
    check_count,
    check_limit,
    check_origin,
    check_points,
    table_for,
)
from ketafind.index.protocol import Answer, Floats, Listed, Positions, Table, UnderFilter

__all__ = ["ScanIndex", "as_table", "end_to_end", "rank"]

Ask = Callable[[float, float], Answer]


@dataclass(frozen=True, slots=True, eq=False)
class _Passing:
    owner: ScanIndex
    positions: Positions


class ScanIndex:
    """Nearest neighbours by measuring the geodesic to every point that passes.

    Needs no compiled code. See `ketafind.index.protocol.SpatialIndex` for the methods.

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
        self._order = np.arange(len(lat), dtype=np.intp)
        self._order.flags.writeable = False

    def __len__(self) -> int:
        return len(self._order)

    @property
    def order(self) -> Positions:
        """Position of each row: here they are the same."""
        return self._order

    def prepare(self, bits: Any) -> _Passing | None:
        """Make a filter ready for use; see the protocol."""
        if bits is None:
            return None
        passes = np.unpackbits(check_bits(bits, len(self)), count=len(self), bitorder="little")
        return _Passing(self, np.flatnonzero(passes))

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
        distance_km, position = self._ranked(*check_origin(lat, lon), k, prepared, limit)
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
        ask = partial(self._ranked, k=k, prepared=prepared, limit_km=limit)
        return as_table(ask, lat, lon, *table_for(len(lat), k, len(self), out))

    def within(
        self, lat: float, lon: float, radius_km: float, prepared: _Passing | None = None
    ) -> Answer:
        """Find all points that pass within a radius; see the protocol."""
        radius_km = check_limit(radius_km, "radius_km")
        return self._ranked(*check_origin(lat, lon), max(len(self), 1), prepared, radius_km)

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
        most = max(len(self), 1)
        ask = partial(self._ranked, k=most, prepared=prepared, limit_km=radius_km)
        return end_to_end(ask, lat, lon)

    def _ranked(
        self, lat: float, lon: float, k: int, prepared: _Passing | None, limit_km: float
    ) -> Answer:
        positions = self._positions(prepared)
        return rank(lat, lon, positions, self._lat[positions], self._lon[positions], k, limit_km)

    def _positions(self, prepared: _Passing | None) -> Positions:
        if prepared is None:
            return self._order
        if not isinstance(prepared, _Passing) or prepared.owner is not self:
            raise InvalidInputError("prepared must come from prepare() of the same index")
        return prepared.positions


def as_table(
    ask: Ask, lat: Floats, lon: Floats, distance_km: Floats, position: npt.NDArray[Any]
) -> Answer:
    """Ask for one origin after the other, and fill tables of k columns."""
    distance_km[:], position[:] = np.nan, -1
    for row, origin in enumerate(zip(lat.tolist(), lon.tolist(), strict=True)):
        distances, found = ask(*origin)
        distance_km[row, : len(found)], position[row, : len(found)] = distances, found
    return distance_km, position


def end_to_end(ask: Ask, lat: Floats, lon: Floats) -> tuple[Positions, Floats, Positions]:
    """Ask for one origin after the other, and join the answers."""
    found = [ask(*origin) for origin in zip(lat.tolist(), lon.tolist(), strict=True)]
    starts = np.cumsum([0, *(len(positions) for _, positions in found)], dtype=np.intp)
    nothing = (np.empty(0), np.empty(0, dtype=np.intp))
    distances, positions = zip(nothing, *found, strict=True)
    return starts, np.concatenate(distances), np.concatenate(positions)


def rank(
    lat: float,
    lon: float,
    positions: Positions,
    lats: Floats,
    lons: Floats,
    k: int,
    limit_km: float,
) -> Answer:
    """Measure the distance to each candidate and take the nearest."""
    distance_km = geodesic_km(lat, lon, lats, lons)
    key = micrometres(distance_km)
    near = key <= micrometres(limit_km)
    if k < len(key):
        near &= key <= np.partition(key, k - 1)[k - 1]
    rows = np.flatnonzero(near)
    # Positions rise along the rows, so a stable sort leaves ties in their order.
    rows = rows[np.argsort(key[rows], kind="stable")][:k]
    return distance_km[rows], positions[rows]
