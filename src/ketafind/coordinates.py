"""A position on the WGS 84 ellipsoid, checked at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from numbers import Real
from typing import Any

from ketafind.errors import CoordinatesError, InvalidInputError

__all__ = ["Coordinates", "degrees", "fault_of_pair"]

KM_PER_DEGREE = 111.32
"""Of latitude, and of longitude at the equator; rounded up."""


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
    return number + 0.0  # minus zero is the same place as zero


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

    def coarsen(self, km: float | None = None, *, to: str | None = None) -> Coordinates:
        """Blur a position before it leaves the process.

        Parameters
        ----------
        km : float, optional
            The side of the cells of a grid, in kilometres, above 0 and at most 1,000: every
            position in a cell gives the cell's centre.
        to : str, optional
            ``"fsa"`` for the centre of the forward sortation area (the first half of the postal
            code) that most of the nearest postal codes are of; in Ontario.

        Returns
        -------
        Coordinates
            The same for all positions of a cell or area, so that nothing finer can be told from
            one answer or from many.

        Raises
        ------
        InvalidInputError
            If not exactly one of both is given, or it is another.
        CoordinatesError
            If no postal code of Ontario is within 50 km; the text shows no position.

        Examples
        --------
        >>> import ketafind
        >>> ketafind.Coordinates(lat=44.2312, lon=-76.4860).coarsen(20.0)
        <Coordinates near 44°N 76°W>
        """
        if (km is None) == (to is None):
            raise InvalidInputError('coarsen by km, as in coarsen(5.0), or coarsen(to="fsa")')
        if to is not None:
            if to != "fsa":
                raise InvalidInputError(f'to={to!r} is not known; known: "fsa"')
            # Loaded by name: positions know no gazetteer until one is asked for.
            return Coordinates(**import_module("ketafind.geocoding.coarse").area_centre(self))
        size: Any = km
        if isinstance(size, bool) or not isinstance(size, Real) or not 0.0 < float(size) <= 1000.0:
            raise InvalidInputError("km must be a number of kilometres above 0 and at most 1,000")
        return _cell_centre(self.lat, self.lon, float(size) / KM_PER_DEGREE)

    def __repr__(self) -> str:
        north = "N" if self.lat >= 0 else "S"
        east = "E" if self.lon >= 0 else "W"
        return f"<Coordinates near {abs(self.lat):.0f}°{north} {abs(self.lon):.0f}°{east}>"


def _cell_centre(lat: float, lon: float, size: float) -> Coordinates:
    """The centre of a grid cell that is as wide as it is high, in degrees of latitude."""
    rows = max(1, math.ceil(180.0 / size))
    row = min(rows - 1, math.floor((lat + 90.0) / 180.0 * rows))
    centre = (row + 0.5) / rows * 180.0 - 90.0
    columns = max(1, math.floor(360.0 * math.cos(math.radians(centre)) / size))
    column = math.floor((lon + 180.0) / 360.0 * columns) % columns
    return Coordinates(lat=centre, lon=(column + 0.5) / columns * 360.0 - 180.0)
