"""What every spatial index answers and refuses, and the scan that is plainly right."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError, InvalidInputError, shown
from ketafind.geo import degrees, geodesic_km, micrometres, real

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Answer = tuple[Floats, Positions]
Listed = tuple[list[float], list[int]]
Table = tuple[Floats, npt.NDArray[np.signedinteger[Any]]]


class Batch(NamedTuple):
    """Many questions, checked, and the table for their answers."""

    lat: Floats
    lon: Floats
    k: int
    limit_km: float
    threads: int | None
    table: Table


# Up to this length numpy's calls cost more than to look at each value.
SHORT_COLUMN = 16


class PreparedFilter(Protocol):
    """A filter made ready by `SpatialIndex.prepare`, for that index alone."""

    @property
    def made_for(self) -> object:
        """What identifies the index."""
        ...

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = np.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        ...


class SpatialIndex(ABC):
    """Exact geodesic nearest neighbours among points, under a filter.

    An index is built from latitudes and longitudes in degrees; a point's *position* is its place
    in those arrays. It never changes and many threads may share it. Answers are ordered by
    distance rounded to one micrometre, then by position. `KernelIndex`, `RTreeIndex` and
    `ScanIndex` give the same answers.

    Parameters
    ----------
    lat, lon : array_like of float, shape (n,)
        Degrees, finite and in range.

    Raises
    ------
    CoordinatesError
        If a point is no position on earth; names its place in the arrays.
    """

    @abstractmethod
    def __init__(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> None: ...

    @abstractmethod
    def __len__(self) -> int: ...

    _order: Positions

    @property
    def order(self) -> Positions:
        """Position of each tree row, read-only: the order in which a filter's bits are laid out."""
        return self._order.view()  # which cannot be made writeable

    @property
    def _identity(self) -> object:
        """What the filters that this index prepares are made for."""
        return self

    @abstractmethod
    def _fill(self, eligible: Any, batch: Batch) -> None:
        """Fill a table with the k nearest of each origin."""

    @abstractmethod
    def _within(self, eligible: Any, lat: float, lon: float, radius_km: float) -> Answer:
        """Find all points within a radius; all is checked."""

    @abstractmethod
    def prepare(self, bits: Any) -> PreparedFilter:
        """Make a filter ready for use.

        Parameters
        ----------
        bits : ndarray of uint8 or None
            One bit a point in tree-row order, packed with the lowest bit first, ``ceil(n / 8)``
            bytes; bits past the last point are ignored. None lets every point pass.

        Returns
        -------
        PreparedFilter
            Immutable, for this index only; many threads may share it. Its ``nearest`` is that of
            the index under the filter.

        Raises
        ------
        InvalidInputError
            If the bits are of another type or length.
        """

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
        prepared : PreparedFilter, optional
            What `prepare` returned; None lets every point pass.
        max_distance_km : float
            Farther points are left out; a point exactly there stays.

        Returns
        -------
        distance_km : list of float
            At most k, nearest first.
        position : list of int
            The points.

        Raises
        ------
        CoordinatesError
            If the origin is no position on earth; the text shows no digit of it.
        InvalidInputError
            If another argument is out of its range, or the filter is of another index.
        """
        return self._own(prepared).nearest(lat, lon, k, max_distance_km)

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
        k : int
            How many for each at the most, 1 or more.
        prepared : PreparedFilter, optional
            What `prepare` returned; None lets every point pass.
        max_distance_km : float
            Farther points are left out; a point exactly there stays.
        threads : int, optional
            How many threads to use; None for what suits the machine. `ScanIndex` and `RTreeIndex`
            use one. Answers do not depend on it.
        out : tuple of ndarray, optional
            Where to write the answers: C-contiguous, of shape (n, k), distances as float64 and
            positions as signed integers of a type that can hold them.

        Returns
        -------
        distance_km : ndarray of float64, shape (n, k)
            Nearest first; NaN where an origin has fewer than k.
        position : ndarray of intp, shape (n, k)
            The points; -1 where an origin has fewer than k.

        Raises
        ------
        CoordinatesError
            If an origin is no position on earth; names its place in the arrays, not its digits.
        InvalidInputError
            If another argument is out of its range, or the filter is of another index.
        """
        k = check_count(k, "k")
        limit_km = check_limit(max_distance_km, "max_distance_km")
        if threads is not None:
            threads = check_count(threads, "threads")
        lat, lon = check_points(lat, lon, "origin")
        eligible = self._own(prepared)
        table = _table(out, len(lat), k, len(self))
        self._fill(eligible, Batch(lat, lon, k, limit_km, threads, table))
        return table

    def within(self, lat: float, lon: float, radius_km: float, prepared: Any = None) -> Answer:
        """Find all points that pass within a radius, its boundary included.

        Parameters
        ----------
        lat, lon : float
            The origin, in degrees.
        radius_km : float
            Kilometres, 0 or more; infinity takes all.
        prepared : PreparedFilter, optional
            What `prepare` returned; None lets every point pass.

        Returns
        -------
        distance_km : ndarray of float64, shape (m,)
            To each of them, nearest first.
        position : ndarray of intp, shape (m,)
            The points.

        Raises
        ------
        CoordinatesError
            If the origin is no position on earth; the text shows no digit of it.
        InvalidInputError
            If another argument is out of its range, or the filter is of another index.
        """
        radius_km = check_limit(radius_km, "radius_km")
        return self._within(self._own(prepared), *check_origin(lat, lon), radius_km)

    def changed(
        self, gone: npt.ArrayLike, before: npt.ArrayLike, lat: npt.ArrayLike, lon: npt.ArrayLike
    ) -> SpatialIndex:
        """Index points after some were taken away and others put between those that stay.

        This index answers as before. `RTreeIndex` inserts and deletes what differs, the others
        build anew.

        Parameters
        ----------
        gone : array_like of int, shape (g,)
            Positions that are taken away.
        before : array_like of int, shape (a,)
            Where points are put in among those that stay, as `numpy.insert` counts.
        lat, lon : array_like of float, shape (m,)
            All points of the new index in degrees, in the order of their positions there.

        Returns
        -------
        SpatialIndex
            Of the same kind.

        Raises
        ------
        CoordinatesError
            If a point is no position on earth; names its place in the arrays.
        """
        del gone, before
        return type(self)(lat, lon)

    def _own(self, prepared: Any) -> PreparedFilter:
        if prepared is None:
            return self.prepare(None)
        if getattr(prepared, "made_for", None) is not self._identity:
            raise InvalidInputError("prepared must come from prepare() of the same index")
        own: PreparedFilter = prepared
        return own


def check_points(lat: Any, lon: Any, what: str = "row") -> tuple[Floats, Floats]:
    """Read two arrays of degrees, or refuse them by the place of the first fault."""
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
    if len(column) <= SHORT_COLUMN:
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
    """Read an origin, or refuse it without showing it."""
    return degrees(lat, "lat", 90.0), degrees(lon, "lon", 180.0)


def check_count(value: Any, name: str, least: int = 1) -> int:
    """Read a whole number that is not too small."""
    if type(value) is int and value >= least:
        return value
    try:
        count = operator.index(value)
    except TypeError:
        count = least - 1
    if isinstance(value, bool | np.bool_) or count < least:
        raise InvalidInputError(
            f"{name} must be a whole number, {least} or more, not {shown(value)}"
        )
    return count


def check_limit(value: Any, name: str) -> float:
    """Read a number of 0 or more: of kilometres or of minutes, as its name ends."""
    if type(value) is float and value >= 0.0:
        return value
    limit = real(value)
    if not limit >= 0.0:
        unit = {"km": " of kilometres", "min": " of minutes"}.get(name.rpartition("_")[2], "")
        raise InvalidInputError(f"{name} must be a number{unit}, 0 or more, not {shown(value)}")
    return limit


def check_bits(bits: Any, n: int) -> npt.NDArray[np.uint8]:
    """Check and copy a filter's bits over n points."""
    array = np.asarray(bits)
    if array.dtype != np.uint8 or array.shape != ((n + 7) // 8,):
        raise InvalidInputError(
            f"bits must be {(n + 7) // 8} bytes of uint8 for {n} points, "
            f"not shape {array.shape} of {array.dtype}"
        )
    return array.copy()


def _table(out: Table | None, n: int, k: int, points: int) -> Table:
    if out is None:
        if n * k > np.iinfo(np.intp).max // 8:
            raise InvalidInputError(f"k={k} for {n} origins is more than an array can hold")
        return np.empty((n, k)), np.empty((n, k), dtype=np.intp)
    distance_km, position = out
    fit = all(array.shape == (n, k) and array.flags.carray for array in out)
    fit = fit and all(array.dtype.isnative for array in out)
    whole = position.dtype.kind == "i" and points <= np.iinfo(position.dtype).max + 1
    apart = not np.may_share_memory(distance_km, position)
    if not (fit and whole and apart and distance_km.dtype == np.float64):
        raise InvalidInputError(
            f"out= takes float64 and signed integers that can hold {points - 1}, writeable, in "
            f"native byte order, C-contiguous and of shape ({n}, {k})"
        )
    return out


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

    def prepare(self, bits: Any) -> Eligible:
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
