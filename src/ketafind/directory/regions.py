"""Polygons as filters."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.directory.origins import FAR_KM
from ketafind.errors import CoordinatesError, InvalidInputError

if TYPE_CHECKING:
    from ketafind.matches.catalogue import Catalogue

__all__ = ["check_polygon", "positions_inside"]


def positions_inside(polygon: Any, catalogue: Catalogue) -> NDArray[np.bool_]:
    """Mark the clinics inside a polygon or on its boundary.

    Parameters
    ----------
    polygon : shapely Polygon or MultiPolygon
        In (lon, lat) degrees on WGS 84; edges are straight in these degrees.
    catalogue : Catalogue
        The clinics.

    Returns
    -------
    ndarray of bool
        One flag a position; False for the unlocated.

    Raises
    ------
    InvalidInputError
        If it is no polygon, empty or invalid.
    CoordinatesError
        If its coordinates are not degrees.

    Warns
    -----
    UserWarning
        If it lies over 2,000 km from every clinic, and holds some with lon and lat swapped.
    """
    import shapely

    check_polygon(polygon)
    shapely.prepare(polygon)
    flags = np.zeros(len(catalogue.clinics), bool)
    # shapely takes x = lon, y = lat.
    places = catalogue.places
    flags[places.located] = shapely.intersects_xy(polygon, places.lon, places.lat)
    if len(places.located) and not flags.any():
        _warn_of_swap(polygon, catalogue)
    return flags


def _warn_of_swap(polygon: Any, catalogue: Catalogue) -> None:
    import shapely

    places = catalogue.places
    swapped = int(shapely.intersects_xy(polygon, places.lat, places.lon).sum())
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
    """Refuse what is no region in degrees.

    Parameters
    ----------
    polygon : shapely Polygon or MultiPolygon
        In (lon, lat) degrees on WGS 84.

    Raises
    ------
    InvalidInputError
        If it is no polygon, empty or invalid.
    CoordinatesError
        If its coordinates are not degrees.
    """
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
