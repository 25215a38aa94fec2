"""What every spatial index answers, and what it refuses at its door."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ketafind.coordinates import degrees
from ketafind.errors import CoordinatesError, InvalidInputError

__all__ = [
    "Answer",
    "Bound",
    "Floats",
    "Listed",
    "Positions",
    "SpatialIndex",
    "UnderFilter",
    "check_bits",
    "check_count",
    "check_limit",
    "check_origin",
    "check_points",
]

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Answer = tuple[Floats, Positions]
Listed = tuple[list[float], list[int]]


FEW = 16


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
    """An index that binds no filter of its own, with one.

    Parameters
    ----------
    index : SpatialIndex
        What answers.
    prepared : object or None
        Its filter.
    """

    index: SpatialIndex
    prepared: Any

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = np.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        return self.index.nearest(lat, lon, k, self.prepared, max_distance_km)


def check_points(lat: Any, lon: Any, what: str = "row") -> tuple[Floats, Floats]:
    """Read two arrays of degrees, or refuse them by the place of the first fault.

    Parameters
    ----------
    lat, lon : array_like of real numbers, shape (n,)
        Latitudes and longitudes.
    what : str
        What one of them is called in a message, such as ``"origin"``.

    Returns
    -------
    lat, lon : ndarray of float64, shape (n,)
        C-contiguous, native byte order; a view of the input where it already is that.

    Raises
    ------
    CoordinatesError
        If a value is no finite number in its range; the text holds no digit of it.
    """
    lat, lon = _column(lat, "lat", what, 90.0), _column(lon, "lon", what, 180.0)
    if lat.shape != lon.shape:
        raise CoordinatesError(
            f"lat and lon must have one length, not {lat.shape[0]} and {lon.shape[0]}"
        )
    return lat, lon


def _column(values: Any, name: str, what: str, limit: float) -> Floats:
    array = np.asanyarray(values)
    if type(array) is not np.ndarray and np.ma.is_masked(array):
        raise CoordinatesError(
            f"{name} of {what} {int(np.argmax(np.ma.getmaskarray(array)))} is masked"
        )
    if array.ndim != 1:
        raise CoordinatesError(f"{name} must have one dimension, not {array.ndim}")
    if array.dtype.kind not in "iuf" and array.size:
        # Finds what is wrong in a list such as [43.7, None]; one of plain numbers passes.
        for place, value in enumerate(array.tolist()):
            _check_one(value, name, what, place, limit)
    column = np.ascontiguousarray(np.asarray(array), dtype=np.float64)
    if len(column) <= FEW:  # where numpy's calls cost more than the values
        inside = all(-limit <= value <= limit for value in column.tolist())
    else:
        inside = bool(column.min() >= -limit and column.max() <= limit)
    if not inside:
        place = int(np.argmin(np.abs(column) <= limit))
        _check_one(float(column[place]), name, what, place, limit)
    return column


def _check_one(value: Any, name: str, what: str, place: int, limit: float) -> None:
    try:
        degrees(value, name, limit)
    except CoordinatesError as error:
        raise CoordinatesError(f"{what} {place}: {error}") from None


def check_origin(lat: Any, lon: Any) -> tuple[float, float]:
    """Read an origin, or refuse it without showing it.

    Parameters
    ----------
    lat, lon : real number
        Degrees.

    Returns
    -------
    lat, lon : float
        The same numbers.

    Raises
    ------
    CoordinatesError
        If either is no finite number in its range.
    """
    return degrees(lat, "lat", 90.0), degrees(lon, "lon", 180.0)


def check_count(value: Any, name: str) -> int:
    """Read a whole number of 1 or more.

    Parameters
    ----------
    value : int
        Any integer type but bool.
    name : str
        The argument's name.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if type(value) is int and value >= 1:
        return value
    try:
        count = operator.index(value)
    except TypeError:
        count = 0
    if isinstance(value, bool | np.bool_) or count < 1:
        raise InvalidInputError(f"{name} must be a whole number, 1 or more, not {value!r}")
    return count


def check_limit(value: Any, name: str) -> float:
    """Read a distance of 0 or more kilometres.

    Parameters
    ----------
    value : real number
        Infinity is allowed, NaN is not.
    name : str
        The argument's name.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if type(value) is float and value >= 0.0:
        return value
    if isinstance(value, bool) or not isinstance(value, Real) or not float(value) >= 0.0:
        raise InvalidInputError(f"{name} must be a number of kilometres, 0 or more, not {value!r}")
    return float(value)


def check_bits(bits: Any, n: int) -> npt.NDArray[np.uint8]:
    """Read a filter's bits.

    Parameters
    ----------
    bits : ndarray of uint8
        Packed, lowest bit first.
    n : int
        How many points there are.

    Returns
    -------
    ndarray of uint8
        Contiguous, a copy, bits past the last point cleared.

    Raises
    ------
    InvalidInputError
        If dtype or length is another.
    """
    array = np.asarray(bits)
    if array.dtype != np.uint8 or array.shape != ((n + 7) // 8,):
        raise InvalidInputError(
            f"bits must be {(n + 7) // 8} bytes of uint8 for {n} points, "
            f"not shape {array.shape} of {array.dtype}"
        )
    copy = array.copy()
    if n % 8:
        copy[-1] &= (1 << n % 8) - 1
    return copy
