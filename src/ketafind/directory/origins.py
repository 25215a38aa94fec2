"""Where a search starts: read, checked, and kept out of every message."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

from ketafind.coordinates import Coordinates
from ketafind.errors import (
    AmbiguousPlaceError,
    ConflictingPlaceError,
    CoordinatesError,
    GeocodingError,
    InvalidInputError,
    OutsideCoverageError,
    PlaceNotFoundError,
)
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.matches.catalogue import Catalogue

__all__ = [
    "BOTH_ZERO",
    "CHANGES",
    "FAR_KM",
    "NEAR_KM",
    "Origin",
    "check_plausible",
    "read_origin",
    "refuse_number",
    "would_fit",
]

Origin = Any
"""Text (geocoded offline), Coordinates, Location or a shapely Point."""

FAR_KM, NEAR_KM = 2000.0, 500.0
CHANGES: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "with lat and lon swapped": lambda lat, lon: (lon, lat),
    "with the sign of lon changed": lambda lat, lon: (lat, -lon),
    "with the sign of lat changed": lambda lat, lon: (-lat, lon),
    "with both signs changed": lambda lat, lon: (-lat, -lon),
    "with lat and lon swapped and the sign of lon changed": lambda lat, lon: (lon, -lat),
    "with lat and lon swapped and the sign of lat changed": lambda lat, lon: (-lon, lat),
}
"""What is looked at for a position over `FAR_KM` from every clinic: is it within `NEAR_KM` then?"""

CORRECT = "Correct it, or pass check=False if it is meant"
BOTH_ZERO = (
    "lies over 2,000 km from every clinic: lat and lon are both zero, often a blank that was read "
    f"as a number. {CORRECT}"
)

HIDDEN = {
    AmbiguousPlaceError: "it names several places far apart; add a province or a postal code, "
    "or take one of the error's candidates",
    ConflictingPlaceError: "its parts name places far apart; leave one out, or take one of the "
    "error's candidates",
    OutsideCoverageError: "it names a place that the gazetteer does not cover; give Coordinates",
    PlaceNotFoundError: "no postal code, place or address was recognised in it; give a postal "
    'code, a town such as "Kingston, ON", or Coordinates',
}
"""A searcher's place is health information: these say what is wrong without showing it."""


def read_origin(origin: Origin) -> Location:
    """Read where a search starts.

    Parameters
    ----------
    origin : str, Coordinates, Location or shapely Point
        Text is geocoded offline; a point is (lon, lat).

    Returns
    -------
    Location
        With its 90 % radius; coordinates are taken as exact.

    Raises
    ------
    GeocodingError
        If a text is no single place; the message does not show it.
    InvalidInputError
        If the origin is anything else.
    """
    if isinstance(origin, Coordinates):
        return Location(lat=origin.lat, lon=origin.lon)
    if isinstance(origin, Location):
        return origin
    if isinstance(origin, str):
        return _geocoded(origin)
    if getattr(origin, "geom_type", None) == "Point":
        if origin.is_empty:
            raise CoordinatesError("the origin is an empty point")
        # shapely points are (lon, lat).
        return Location(lat=origin.y, lon=origin.x)
    raise _no_origin(origin)


def refuse_number(origin: Origin) -> None:
    """Refuse a latitude given alone, before the longitude after it is read as a count and shown.

    Parameters
    ----------
    origin : object
        Where the search starts.

    Raises
    ------
    InvalidInputError
        If it is a number.
    """
    if isinstance(origin, Real):
        raise _no_origin(origin)


def _no_origin(origin: object) -> InvalidInputError:
    return InvalidInputError(
        f"an origin is a text, Coordinates, a Location or a shapely Point, not "
        f"{type(origin).__name__}; write ketafind.Coordinates(lat=..., lon=...)"
    )


def _geocoded(text: str) -> Location:
    from ketafind.geocoding import geocode
    from ketafind.geocoding.typed import why_not_coordinates

    try:
        return geocode(text)
    except GeocodingError as error:
        kind: type[GeocodingError] = type(error)
        candidates = error.candidates
    typed = why_not_coordinates(text)
    if typed:
        raise kind(f"the origin could not be placed: {typed}; give Coordinates(lat=..., lon=...)")
    # Raised outside the handler, so that no chained error carries the text.
    known = next((base for base in kind.__mro__ if base in HIDDEN), None)
    reason = "it is not an address that can be read" if known is None else HIDDEN[known]
    raise kind(f"the origin could not be placed: {reason}", candidates)


def check_plausible(origin: Location, catalogue: Catalogue) -> None:
    """Refuse an origin whose swapped or sign-corrected pair fits far better, and (0, 0).

    Parameters
    ----------
    origin : Location
        Where the search starts.
    catalogue : Catalogue
        The clinics.

    Raises
    ------
    CoordinatesError
        If it lies over 2,000 km from every clinic and such a pair within 500 km of one, or is
        (0, 0).
    """
    if catalogue.n_located == 0 or _great_circle_km(origin, catalogue) < 0.99 * FAR_KM:
        return
    if _nearest_km(origin.lat, origin.lon, catalogue) <= FAR_KM:
        return
    if origin.lat == 0.0 == origin.lon:
        raise CoordinatesError(f"the origin {BOTH_ZERO}")
    for how, change in CHANGES.items():
        lat, lon = change(origin.lat, origin.lon)
        if abs(lat) <= 90 and _nearest_km(lat, lon, catalogue) <= NEAR_KM:
            raise CoordinatesError(f"the origin {would_fit(how)}")


def would_fit(how: str) -> str:
    """Say that a position is far from every clinic and near one if corrected.

    Parameters
    ----------
    how : str
        A key of `CHANGES`.

    Returns
    -------
    str
        What follows the position's name in a message.
    """
    return (
        f"lies over 2,000 km from every clinic; {how} it would lie within 500 km of one. {CORRECT}"
    )


def _nearest_km(lat: float, lon: float, catalogue: Catalogue) -> float:
    return catalogue.index.nearest(lat, lon, 1)[0][0]


def _great_circle_km(origin: Location, catalogue: Catalogue) -> float:
    """Haversine to one clinic, within 0.6 % of the geodesic: enough to skip the index."""
    lat, lon = math.radians(origin.lat), math.radians(origin.lon)
    one_lat, one_lon = catalogue.anchor
    half = math.sin((lat - one_lat) / 2) ** 2
    half += math.cos(lat) * math.cos(one_lat) * math.sin((lon - one_lon) / 2) ** 2
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(half)))
