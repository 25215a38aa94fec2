"""A position on the WGS 84 ellipsoid, checked at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ketafind.errors import CoordinatesError

__all__ = ["Coordinates", "degrees", "fault_of_pair"]


def degrees(value: Any, name: str, limit: float) -> float:
    """Read one coordinate as a float, or refuse it without showing it.

    Parameters
    ----------
    value : real number
        Decimal degrees; not a bool, text, NaN or infinity.
    name : str
        The name to print, ``"lat"`` or ``"lon"``.
    limit : float
        The largest magnitude allowed, in degrees.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    CoordinatesError
        If it is anything else; the text holds no digit of it.
    """
    # numpy's bool is no Real; Python's is. A plain float is spared the slow look at the class.
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise CoordinatesError(
            f"{name} must be a number in decimal degrees, not {type(value).__name__}"
        )
    number = float(value)
    if not math.isfinite(number):
        raise CoordinatesError(f"{name} must be a finite number in decimal degrees")
    if abs(number) > limit:
        raise CoordinatesError(
            f"{name} must lie between -{limit:g} and {limit:g} degrees{_cause(number)}"
        )
    return number


def _cause(number: float) -> str:
    size = abs(number)
    if size <= 180.0:
        return "; are lat and lon swapped?"
    if size <= 360.0:
        return "; is it a longitude counted from 0 to 360? Subtract 360"
    if 180.0e6 >= size > 25.0e6:
        return "; is it in microdegrees? Divide by 1,000,000"
    return "; is it in metres of a map projection (UTM, Web Mercator)? Convert it to WGS 84 degrees"


def fault_of_pair(lat: Any, lon: Any) -> str | None:
    """Say what is wrong with a pair, without its digits, or None if nothing is.

    Parameters
    ----------
    lat, lon : object
        The pair as it was given.

    Returns
    -------
    str or None
        The fault.
    """
    try:
        Coordinates(lat=lat, lon=lon)
    except CoordinatesError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Coordinates:
    """A position in decimal degrees on WGS 84.

    The repr is rounded to whole degrees: a searcher's place is health information.

    Parameters
    ----------
    lat : float
        Latitude, -90 to 90, north positive.
    lon : float
        Longitude, -180 to 180, east positive.

    Raises
    ------
    CoordinatesError
        If either is not a finite number in its range.
    """

    lat: float
    lon: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "lat", degrees(self.lat, "lat", 90.0))
        object.__setattr__(self, "lon", degrees(self.lon, "lon", 180.0))

    def __repr__(self) -> str:
        north = "N" if self.lat >= 0 else "S"
        east = "E" if self.lon >= 0 else "W"
        return f"<Coordinates near {abs(self.lat):.0f}°{north} {abs(self.lon):.0f}°{east}>"
