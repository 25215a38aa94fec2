"""Where a search starts, and which clinics lie inside a polygon."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import (
    AmbiguousPlaceError,
    ConflictingPlaceError,
    CoordinatesError,
    GeocoderFailedError,
    GeocodingError,
    InvalidInputError,
    OutsideCoverageError,
    PlaceNotFoundError,
    RejectedAnswerError,
)
from ketafind.geo import Coordinates, degrees, in_ontario
from ketafind.records import Location

if TYPE_CHECKING:
    from shapely import Point

    from ketafind.geocoding import Geocoder
    from ketafind.query.catalogue import Catalogue


Origin: TypeAlias = Union[str, Coordinates, Location, "Point"]
"""Where a search starts: text (geocoded offline), Coordinates, a Location or a shapely Point."""


class Start(NamedTuple):
    """Where a search starts: degrees, the radius at the 90 % level, and how a text was read."""

    lat: float
    lon: float
    radius_km: float = 0.0
    read: Location | None = None

    @property
    def location(self) -> Location:
        """How it was read; a bare position was given as it is."""
        return self.read if self.read is not None else Location(lat=self.lat, lon=self.lon)


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
    OutsideCoverageError: "it names a place that the geocoder does not cover; give Coordinates, or "
    'geocoder=ketafind.OfflineGeocoder(region="CA") for all of Canada',
    GeocoderFailedError: "the geocoder that was asked could not answer",
    RejectedAnswerError: "the answer of the geocoder that was asked cannot be right",
    PlaceNotFoundError: "no postal code, place or address was recognised in it; give a postal "
    'code, a town such as "Kingston, ON", or Coordinates',
}
"""A searcher's place is health information: these say what is wrong without showing it."""


def read_origin(origin: Coordinates | Location | Point) -> Start:
    """Read where a search starts."""
    if isinstance(origin, Coordinates):
        return Start(origin.lat, origin.lon)
    if isinstance(origin, Location):
        return Start(origin.lat, origin.lon, origin.radius_km, origin)
    if getattr(origin, "geom_type", None) == "Point":
        if origin.is_empty:
            raise CoordinatesError("the origin is an empty point")
        # shapely points are (lon, lat).
        return Start(degrees(origin.y, "lat", 90.0), degrees(origin.x, "lon", 180.0))
    raise _no_origin(origin)


def refuse_number(origin: object) -> None:
    """Refuse a latitude given alone, before the longitude after it is read as a count and shown."""
    if isinstance(origin, Real):
        raise _no_origin(origin)


def _no_origin(origin: object) -> InvalidInputError:
    return InvalidInputError(
        f"an origin is a text, Coordinates, a Location or a shapely Point, not "
        f"{type(origin).__name__}; write ketafind.Coordinates(lat=..., lon=...)"
    )


def bundled_geocoder(catalogue: Catalogue) -> Geocoder:
    """Choose the region in which the bundled geocoder reads origins: by where the clinics are."""
    from ketafind.geocoding import OfflineGeocoder

    points = catalogue.points
    elsewhere = len(points.lat) and not any(map(in_ontario, points.lat, points.lon))
    return OfflineGeocoder(region="CA" if elsewhere else "ON")


def geocoded(text: str, geocoder: Geocoder) -> Location:
    """Find where a text is that somebody searches from; no error shows it."""
    from ketafind.geocoding.locations import why_not_coordinates
    from ketafind.geocoding.protocol import checked_location, searched

    try:
        return checked_location(searched(geocoder, text), geocoder)
    except GeocodingError as error:
        kind: type[GeocodingError] = type(error)
        candidates = error.candidates
    typed = why_not_coordinates(text)
    if typed:
        raise kind(f"the origin could not be placed: {typed}; give Coordinates(lat=..., lon=...)")
    # Raised outside the handler, so that no chained error carries the text.
    known = next((base for base in kind.__mro__ if base in HIDDEN), None)
    reason = "it is not an address that can be read" if known is None else HIDDEN[known]
    hidden = kind(f"the origin could not be placed: {reason}")
    hidden.candidates = candidates
    raise hidden


def check_plausible(origin: Start, catalogue: Catalogue) -> None:
    """Refuse an origin whose swapped or sign-corrected pair fits far better, and (0, 0)."""
    if not len(catalogue.points.lat) or _great_circle_km(origin, catalogue) < 0.99 * FAR_KM:
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
    """Say that a position is far from every clinic and near one if corrected."""
    return (
        f"lies over 2,000 km from every clinic; {how} it would lie within 500 km of one. {CORRECT}"
    )


def _nearest_km(lat: float, lon: float, catalogue: Catalogue) -> float:
    return catalogue.index.nearest(lat, lon, 1)[0][0]


def _great_circle_km(origin: Start, catalogue: Catalogue) -> float:
    """Haversine to one clinic, within 0.6 % of the geodesic: enough to skip the index."""
    lat, lon = math.radians(origin.lat), math.radians(origin.lon)
    one_lat, one_lon = catalogue.anchor
    half = math.sin((lat - one_lat) / 2) ** 2
    half += math.cos(lat) * math.cos(one_lat) * math.sin((lon - one_lon) / 2) ** 2
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(half)))


def clinics_inside(polygon: Any, catalogue: Catalogue) -> NDArray[np.bool_]:
    """Mark the clinics inside a polygon or on its boundary."""
    import shapely

    check_polygon(polygon)
    shapely.prepare(polygon)
    flags = np.zeros(len(catalogue.clinics), bool)
    # shapely takes x = lon, y = lat.
    points = catalogue.points
    flags[points.clinic_no] = shapely.intersects_xy(polygon, points.lon, points.lat)
    if len(points.clinic_no) and not flags.any():
        _warn_of_swap(polygon, catalogue)
    return flags


def _warn_of_swap(polygon: Any, catalogue: Catalogue) -> None:
    import shapely

    points = catalogue.points
    swapped = int(shapely.intersects_xy(polygon, points.lat, points.lon).sum())
    if not swapped:
        return
    # One of its points is enough: it holds no clinic, and is seldom 2,000 km wide.
    point = polygon.representative_point()
    distance_km, _ = catalogue.index.nearest(point.y, point.x, 1)
    if float(distance_km[0]) > FAR_KM:
        warnings.warn(
            f"the polygon lies over 2,000 km from every clinic; with lon and lat swapped it would "
            f"hold {swapped}. Polygons are in (lon, lat) order",
            UserWarning,
            stacklevel=4,
        )


def check_polygon(polygon: Any) -> None:
    """Refuse what is not a region in degrees."""
    import shapely
    from shapely.validation import explain_validity

    if not isinstance(polygon, shapely.Polygon | shapely.MultiPolygon):
        raise InvalidInputError(
            f"a region is a shapely Polygon or MultiPolygon in lon, lat degrees, not "
            f"{type(polygon).__name__}; shapely.geometry.shape reads GeoJSON, union_all() joins "
            f"the shapes of a GeoSeries"
        )
    if polygon.is_empty:
        raise InvalidInputError("the polygon is empty")
    if not polygon.is_valid:
        kind = explain_validity(polygon).partition("[")[0]
        raise InvalidInputError(f"the polygon is not valid: {kind}; shapely.make_valid may mend it")
    west, south, east, north = polygon.bounds
    if not (west >= -180.0 and east <= 180.0 and south >= -90.0 and north <= 90.0):
        raise CoordinatesError(
            "the polygon does not lie in lon -180 to 180 and lat -90 to 90 degrees; "
            "is it in (lat, lon) order or in a projection? Reproject it to EPSG:4326"
        )
