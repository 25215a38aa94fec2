"""Where a search starts, and which clinics lie inside a polygon."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import CoordinatesError, GeocodingError, InvalidInputError, packaged
from ketafind.geo import Coordinates, Floats, circles, degrees, in_ontario
from ketafind.records import Location

if TYPE_CHECKING:
    import geopandas as gpd
    from shapely import MultiPolygon, Point, Polygon

    from ketafind.geocoding import Geocoder
    from ketafind.query.catalogue import Catalogue, Points


Origin: TypeAlias = Union[str, Coordinates, Location, "Point"]
"""Where a search starts: text (geocoded offline), Coordinates, a Location or a shapely Point."""


Region: TypeAlias = Union["Polygon", "MultiPolygon", "gpd.GeoSeries", "gpd.GeoDataFrame"]
"""Shapes in (lon, lat) degrees, alone or in a GeoPandas frame."""


class Start(NamedTuple):
    """Where a search starts: degrees, the radius at the 90 % level, and how a text was read."""

    lat: float
    lon: float
    radius_km: float = 0.0
    read: Location | None = None

    def __repr__(self) -> str:
        return "<Start of a search>"  # whoever prints the variables of a frame sees no place

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
WOULD_FIT = (
    f"lies over 2,000 km from every clinic; {{}} it would lie within 500 km of one. {CORRECT}"
)


def read_origin(origin: Coordinates | Location | Point) -> Start:
    """Read where a search starts."""
    if isinstance(origin, Coordinates):
        return Start(origin.lat, origin.lon)
    if isinstance(origin, Location):
        return Start(origin.lat, origin.lon, origin.radius_km, origin)
    # The column of a frame has a column of kinds.
    if str(getattr(origin, "geom_type", None)) == "Point":
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

    return OfflineGeocoder(region="CA" if outside_ontario(catalogue) else "ON")


def outside_ontario(catalogue: Catalogue) -> bool:
    """Whether there are clinics with a position, and none of them is in Ontario."""
    points = catalogue.points
    return len(points.lat) > 0 and not any(map(in_ontario, points.lat, points.lon))


def geocoded(text: str, geocoder: Geocoder) -> Location:
    """Find where a text is that somebody searches from; no error shows it."""
    from ketafind.geocoding.locations import why_not_coordinates
    from ketafind.geocoding.protocol import checked_location, searched

    try:
        return checked_location(searched(geocoder, text), geocoder)
    except GeocodingError as error:
        kind: type[GeocodingError] = type(error)
        candidates, wait = error.candidates, error.retry_after_s
    typed = why_not_coordinates(text)
    if typed:
        raise kind(f"the origin could not be placed: {typed}; give Coordinates(lat=..., lon=...)")
    # Raised outside the handler, so that no chained error carries the text.
    hiding: dict[str, str] = packaged("query/origin.json")
    known = (code for base in kind.__mro__ if (code := getattr(base, "code", "")) in hiding)
    code = next(known, "")
    reason = hiding.get(code, "it is not an address that can be read")
    # Of these the reason speaks of Canada, which a geocoder of one's own need not know.
    own = not type(geocoder).__module__.startswith("ketafind.")
    if own and code in ("place_not_found", "place_outside"):
        reason = "the geocoder that was asked does not know it; give Coordinates"
    elif code == "place_outside" and getattr(geocoder, "region", "") == "CA":
        reason = reason.partition(", or ")[0]  # which it reads already
    hidden = kind(f"the origin could not be placed: {reason}")
    hidden.candidates, hidden.retry_after_s = candidates, wait
    raise hidden


def check_plausible(origin: Start, catalogue: Catalogue, what: str = "the origin") -> None:
    """Refuse a place whose swapped or sign-corrected pair fits far better."""
    # A row of zeros is most often a blank; who gives (0, 0) as the origin means it.
    if not len(catalogue.points.lat) or origin.lat == origin.lon == 0.0:
        return
    if _great_circle_km(origin, catalogue) >= 0.99 * FAR_KM:
        fault = implausible(catalogue, np.array([origin.lat]), np.array([origin.lon]))
        if fault is not None:
            raise CoordinatesError(f"{what} {fault[1]}")


def implausible(catalogue: Catalogue, lat: Floats, lon: Floats) -> tuple[int, str] | None:
    """The first row that is far from every clinic and near one if corrected, and the advice."""
    if not len(catalogue.points.lat):
        return None

    def some_within(lat: Floats, lon: Floats, limit_km: float) -> NDArray[np.bool_]:
        near = catalogue.index.nearest_many(lat, lon, 1, max_distance_km=limit_km)[1]
        return np.asarray(near[:, 0] >= 0)

    rows = np.flatnonzero(~some_within(lat, lon, FAR_KM))
    faults = [(int(row), BOTH_ZERO) for row in rows[(lat[rows] == 0.0) & (lon[rows] == 0.0)][:1]]
    for how, change in CHANGES.items():
        new_lat, new_lon = change(lat[rows], lon[rows])
        possible = np.flatnonzero(np.abs(new_lat) <= 90.0)
        near = some_within(new_lat[possible], new_lon[possible], NEAR_KM)
        faults += [(int(row), WOULD_FIT.format(how)) for row in rows[possible[near]][:1]]
    return min(faults, key=itemgetter(0), default=None)


def _great_circle_km(origin: Start, catalogue: Catalogue) -> float:
    """Haversine to one clinic, within 0.6 % of the geodesic: enough to skip the index."""
    lat, lon = math.radians(origin.lat), math.radians(origin.lon)
    one_lat, one_lon = catalogue.anchor
    half = math.sin((lat - one_lat) / 2) ** 2
    half += math.cos(lat) * math.cos(one_lat) * math.sin((lon - one_lon) / 2) ** 2
    return 2 * 6371.0 * math.asin(min(1.0, math.sqrt(half)))


def read_region(region: Any) -> Polygon | MultiPolygon:
    """Read a polygon in degrees, or join those of a GeoSeries or GeoDataFrame."""
    import shapely

    whole = region
    if hasattr(region, "union_all"):
        shapes = region.geometry if region.crs is None else region.geometry.to_crs(4326)
        known = shapes.dropna()
        for shape in known:
            check_polygon(shape)
        whole = shapely.union_all(known)
    check_polygon(whole)
    return cast("Polygon | MultiPolygon", whole)


def clinics_inside(
    polygon: Polygon | MultiPolygon, catalogue: Catalogue, *, check: bool
) -> NDArray[np.bool_]:
    """Mark the clinics inside a polygon or on its boundary."""
    import shapely

    shapely.prepare(polygon)
    flags = np.zeros(len(catalogue.clinics), bool)
    # shapely takes x = lon, y = lat.
    points = catalogue.points
    flags[points.clinic_no] = shapely.intersects_xy(polygon, points.lon, points.lat)
    if check and not flags.any():
        # One of its points is enough: it holds no clinic, and is seldom 2,000 km wide.
        point = polygon.representative_point()
        check_plausible(Start(point.y, point.x), catalogue, "the polygon")
    return flags


SIDES = 64


def counted_inside(
    polygon: Polygon | MultiPolygon, places: Points, clinic_nos: NDArray[np.intp]
) -> tuple[int, int]:
    """Count the clinics of which the whole 90 % circle is inside, and those of which any part is."""
    import shapely

    at = np.isin(places.clinic_no, clinic_nos)
    lat, lon, radius_km = places.lat[at], places.lon[at], places.radius_km[at]
    inside = shapely.intersects_xy(polygon, lon, lat)
    # Boxes about the circles: only where one meets the boundary the circle itself is looked at.
    high = np.degrees(radius_km / 6335.0)
    wide = np.minimum(180.0, high / np.cos(np.radians(np.minimum(89.9, np.abs(lat) + high))))
    boxes = shapely.box(lon - wide, lat - high, lon + wide, lat + high)
    boundary = polygon.boundary
    shapely.prepare(boundary)
    near = (radius_km > 0.0) & shapely.intersects(boundary, boxes)
    north, east = circles(lat[near], lon[near], radius_km[near], SIDES)
    # Unbroken where a circle passes the antimeridian.
    middle = lon[near, None]
    east = middle + (east - middle + 180.0) % 360.0 - 180.0
    about = shapely.polygons(np.stack([east, north], axis=-1))
    certain, possible = inside.copy(), inside.copy()
    certain[near] = shapely.covers(polygon, about)
    possible[near] = shapely.intersects(polygon, about)
    return int(certain.sum()), int(possible.sum())


def check_polygon(polygon: Any) -> None:
    """Refuse what is not a region in degrees."""
    import shapely
    from shapely.validation import explain_validity

    if not isinstance(polygon, shapely.Polygon | shapely.MultiPolygon):
        raise InvalidInputError(
            f"a region is a shapely Polygon or MultiPolygon in lon, lat degrees, not "
            f"{type(polygon).__name__}; shapely.geometry.shape reads GeoJSON, and a GeoSeries or "
            f"GeoDataFrame of such shapes is taken as it is"
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
