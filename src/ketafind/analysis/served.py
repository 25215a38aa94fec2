"""Which clinic serves whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.analysis.cells import cells
from ketafind.analysis.demand import LEVELS, Demand, both_filters, nearest_km, read_demand
from ketafind.analysis.origins import Source
from ketafind.directory.regions import check_polygon
from ketafind.errors import InvalidInputError
from ketafind.optional import require

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.matches import Filter

__all__ = ["catchments"]

MARGIN_DEGREES = 0.5
"""What the box around clinics and origins is widened by."""


def catchments(
    directory: Directory,
    *,
    region: Any = None,
    origins: Any = None,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    check: bool = True,
    **facets: Any,
) -> GeoDataFrame:
    """Draw the land that each clinic is nearest to, and count who lives on it.

    Parameters
    ----------
    directory : Directory
        The clinics.
    region : shapely Polygon or MultiPolygon, optional
        What to cut up, in (lon, lat) degrees; None for the box around clinics and origins,
        widened by half a degree. Neither around a pole nor across the antimeridian.
    origins : frame, optional
        As in `coverage`; who is counted, each at the nearest clinic by geodesic distance, inside
        the region or not. None for the bundled postal codes of Ontario, which do not widen the
        box, if a clinic stands in Ontario or near it; else nobody is counted.
    weight : str, optional
        A column that says how much a row counts; None for one each.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, check
        As in `nearest_join`, of the origins.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row for each place and end of the interval: ``supply`` (``confirmed``, or
        ``possible`` for a map of all that may satisfy the criteria), ``clinic_id``, ``clinic_ids``
        (all that stand at this place, joined by ``;``), ``weight`` (who is nearest; 0 for nobody),
        ``area_km2`` on the ellipsoid and ``geometry``. Ordered by supply, then id. No row where
        no clinic passes.

    Raises
    ------
    InvalidInputError
        If the region is no valid polygon in degrees, or too wide.
    MissingExtraError
        If GeoPandas or SciPy is not installed (extra ``geo``).

    Notes
    -----
    Borders are those of a spherical Voronoi diagram on conformal latitudes: across Ontario the
    two distances that meet at one differ by at most 0.1 km, far less than the doubt of most
    addresses. The count does not use them.
    """
    geopandas = require("geopandas", "geo")
    passing = both_filters(directory, where, facets)
    demand = None
    if origins is not None or _in_ontario(directory):
        demand = read_demand(origins, Source(lat, lon, geometry, address), weight)
    if region is None:
        region = _box(passing["possible"], None if origins is None else demand)
    else:
        check_polygon(region)
        west, _, east, _ = region.bounds
        if east - west >= 180.0:
            raise InvalidInputError(
                "no catchments are drawn in a region= of 180 degrees of longitude or more; give one "
                "that holds no pole and does not cross the antimeridian"
            )
    rows: list[dict[str, Any]] = []
    for level in LEVELS:
        counted = np.zeros(len(directory))
        if demand is not None:
            _, position = nearest_km(directory, passing[level], demand, check=check)
            served = position >= 0
            counted += np.bincount(position[served], demand.weight[served], len(directory))
        rows += _rows(directory, passing[level], level, region, counted)
    names = ["supply", "clinic_id", "clinic_ids", "weight", "area_km2", "geometry"]
    return geopandas.GeoDataFrame(rows, columns=names, geometry="geometry", crs="EPSG:4326")


def _in_ontario(directory: Directory) -> bool:
    places = (clinic.location for clinic in directory.clinics)
    return any(p is not None and 41 < p.lat < 57 and -96 < p.lon < -74 for p in places)


def _rows(
    directory: Directory, passing: Filter, level: str, region: Any, counted: Any
) -> list[dict[str, Any]]:
    import shapely
    from pyproj import Geod

    standing: dict[tuple[float, float], list[int]] = {}
    for position in passing.positions().tolist():
        place = directory.clinics[position].location
        if place is not None:
            standing.setdefault((place.lat, place.lon), []).append(position)
    if not standing:
        return []
    lat, lon = np.array(list(standing)).T
    geod = Geod(ellps="WGS84")
    rows = []
    for shape, positions in zip(cells(lat, lon, region), standing.values(), strict=True):
        ids = [directory.clinics[position].clinic_id for position in positions]
        rows.append(
            {
                "supply": level,
                "clinic_id": ids[0],
                "clinic_ids": ";".join(ids),
                "weight": float(counted[positions].sum()),
                # A hole counts against its shell only if it runs the other way round.
                "area_km2": abs(geod.geometry_area_perimeter(shapely.normalize(shape))[0]) / 1e6,
                "geometry": shape,
            }
        )
    return rows


def _box(passing: Filter, demand: Demand | None) -> Any:
    import shapely

    places = passing.catalogue.places
    passes = np.isin(places.located, passing.positions())
    lat, lon = places.lat[passes], places.lon[passes]
    if demand is not None:
        lat = np.append(lat, demand.origins.lat[demand.located])
        lon = np.append(lon, demand.origins.lon[demand.located])
    if not len(lat):
        return shapely.Polygon()
    return shapely.box(
        max(-180.0, lon.min() - MARGIN_DEGREES),
        max(-90.0, lat.min() - MARGIN_DEGREES),
        min(180.0, lon.max() + MARGIN_DEGREES),
        min(90.0, lat.max() + MARGIN_DEGREES),
    )
