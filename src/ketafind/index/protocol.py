"""What every spatial index answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "Answer",
    "Bound",
    "Floats",
    "Listed",
    "Positions",
    "SpatialIndex",
    "Table",
    "UnderFilter",
]

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Answer = tuple[Floats, Positions]
Listed = tuple[list[float], list[int]]
Table = tuple[Floats, npt.NDArray[np.signedinteger[Any]]]


class Bound(Protocol):
    """An index under a filter, made by `SpatialIndex.bound`."""

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = np.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        ...


class SpatialIndex(Protocol):
    """Exact geodesic nearest neighbours among points, under a filter.

    An index is built from latitudes and longitudes in degrees; a point's *position* is its place
    in those arrays. It never changes and many threads may share it. Answers are ordered by
    distance rounded to one micrometre, then by position.
    """

    @property
    def order(self) -> Positions:
        """Position of each tree row: the order in which a filter's bits are laid out."""
        ...

    def __len__(self) -> int: ...

    def prepare(self, bits: Any) -> Any:
        """Make a filter ready for use.

        Parameters
        ----------
        bits : ndarray of uint8 or None
            One bit a point in tree-row order, packed with the lowest bit first, ``ceil(n / 8)``
            bytes; bits past the last point are ignored. None lets every point pass.

        Returns
        -------
        object
            Opaque, immutable, for this index only; many threads may share it.
        """
        ...

    def bound(self, prepared: Any) -> Bound:
        """Bind a filter to this index, for one question after the other.

        Parameters
        ----------
        prepared : object or None
            What `prepare` returned; None lets every point pass.

        Returns
        -------
        Bound
            Whose ``nearest`` is that of the index under the filter.
        """
        ...

    def nearest(
        self,
        lat: float,
        lon: float,
        k: int,
        prepared: Any = None,
        max_distance_km: float = np.inf,
    ) -> Listed:
        """Find the k nearest points that pass.

        Parameters
        ----------
        lat, lon : float
            The origin, in degrees.
        k : int
            How many at the most, 1 or more.
        prepared : object or None
            What `prepare` returned; None lets every point pass.
        max_distance_km : float
            Farther points are left out; a point exactly there stays.

        Returns
        -------
        distance_km : list of float
            At most k.
        position : list of int
            The points.
        """
        ...

    def nearest_many(
        self,
        lat: npt.ArrayLike,
        lon: npt.ArrayLike,
        k: int,
        prepared: Any = None,
        max_distance_km: float = np.inf,
        *,
        threads: int | None = None,
        out: Table | None = None,
    ) -> Answer:
        """Find the k nearest points that pass, for each of many origins.

        Parameters
        ----------
        lat, lon : array_like of float, shape (n,)
            The origins, in degrees.
        k, prepared, max_distance_km
            As for `nearest`.
        threads : int or None
            How many threads to use; None for what suits the machine. Answers do not depend on it.
        out : tuple of ndarray, optional
            Where to write the answers: C-contiguous, of shape (n, k), distances as float64 and
            positions as signed integers of a type that can hold them.

        Returns
        -------
        distance_km : ndarray of float64, shape (n, k)
            NaN where an origin has fewer than k.
        position : ndarray of intp, shape (n, k)
            -1 where an origin has fewer than k.
        """
        ...

    def within(self, lat: float, lon: float, radius_km: float, prepared: Any = None) -> Answer:
        """Find all points that pass within a radius, its boundary included.

        Parameters
        ----------
        lat, lon : float
            The origin, in degrees.
        radius_km : float
            Kilometres, 0 or more; infinity takes all.
        prepared : object or None
            As for `nearest`.

        Returns
        -------
        distance_km : ndarray of float64, shape (m,)
            To each of them, nearest first.
        position : ndarray of intp, shape (m,)
            The points.
        """
        ...

    def within_many(
        self,
        lat: npt.ArrayLike,
        lon: npt.ArrayLike,
        radius_km: float,
        prepared: Any = None,
        *,
        threads: int | None = None,
    ) -> tuple[Positions, Floats, Positions]:
        """Find all points that pass within a radius, for each of many origins.

        Parameters
        ----------
        lat, lon : array_like of float, shape (n,)
            The origins, in degrees.
        radius_km, prepared, threads
            As for `within` and `nearest_many`.

        Returns
        -------
        starts : ndarray of intp, shape (n + 1,)
            Origin i has the entries ``starts[i]`` to ``starts[i + 1]`` of the other two.
        distance_km : ndarray of float64, shape (m,)
            For each origin nearest first.
        position : ndarray of intp, shape (m,)
            The points.
        """
        ...


@dataclass(frozen=True, slots=True)
class UnderFilter:
    """An index that binds no filter of its own, with one."""

    index: SpatialIndex
    prepared: Any

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = np.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        return self.index.nearest(lat, lon, k, self.prepared, max_distance_km)
