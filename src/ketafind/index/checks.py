"""What every spatial index refuses at its door."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.geo import degrees
from ketafind.index.protocol import Floats, Table

__all__ = [
    "check_bits",
    "check_count",
    "check_limit",
    "check_origin",
    "check_points",
    "table_for",
]

FEW = 16


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
    """Read an origin, or refuse it without showing it."""
    return degrees(lat, "lat", 90.0), degrees(lon, "lon", 180.0)


def check_count(value: Any, name: str) -> int:
    """Read a whole number of 1 or more."""
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
    """Read a distance of 0 or more kilometres."""
    if type(value) is float and value >= 0.0:
        return value
    if isinstance(value, bool) or not isinstance(value, Real) or not float(value) >= 0.0:
        raise InvalidInputError(f"{name} must be a number of kilometres, 0 or more, not {value!r}")
    return float(value)


def check_bits(bits: Any, n: int) -> npt.NDArray[np.uint8]:
    """Read a filter's bits."""
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


def table_for(
    n: int, k: int, points: int, out: Table | None = None
) -> tuple[Floats, npt.NDArray[Any]]:
    """Make arrays for the answers of many origins, or check those that are given."""
    if out is None:
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
    return distance_km, position
