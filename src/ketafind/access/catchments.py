"""Voronoi cells on the ellipsoid: the land that is nearer to one place than to any other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind import geo
from ketafind.access.demand import LEVELS, MEAN_KM, Study, WithinDistance, ontario_postal_codes
from ketafind.errors import InvalidInputError
from ketafind.files import require
from ketafind.index.protocol import Floats
from ketafind.join.origins import Source, check_directory
from ketafind.join.search import nearest_end_km
from ketafind.query.origin import check_polygon
from ketafind.show.basemap import layers

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

    from ketafind.criteria import Criteria, Terms
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter
    from ketafind.travel import Router


WIDEST_KM = 5000.0
"""Places and region must lie within this distance of their middle."""

STEP_DEGREES = 0.1
"""Borders are cut into pieces of this length: 11 km, which stray from the arc by 3 metres."""

WEIGHTS = ("weight_low", "weight", "weight_high")

Vectors = npt.NDArray[np.float64]


def cells(lat: Floats, lon: Floats, region: Any) -> list[Any]:
    """Cut a region into the cells of places."""
    spatial = require("scipy.spatial", "geo")
    import shapely

    fine = shapely.segmentize(region, STEP_DEGREES)
    corners = shapely.get_coordinates(fine)
    plane = _Plane(np.append(lat, corners[:, 1]), np.append(lon, corners[:, 0]))
    sites = _lift(plane.flat(np.column_stack([lon, lat])))
    every = np.vstack([sites, _lift(plane.flat(corners))])
    widest_km = MEAN_KM * math.acos(float(np.clip(every[:, 2].min(), -1.0, 1.0)))
    if widest_km > WIDEST_KM:
        raise InvalidInputError(
            f"places and region lie up to {widest_km:,.0f} km from their middle; catchments "
            f"are drawn up to {WIDEST_KM:,.0f} km: give a smaller region= or fewer clinics"
        )
    # Places a centimetre apart are two; what the default takes for one lies 6 metres apart.
    diagram = spatial.SphericalVoronoi(np.vstack([sites, GUARDS]), threshold=1e-9)
    diagram.sort_vertices_of_regions()
    whole, bounds = shapely.transform(fine, plane.flat), diagram.regions[: len(sites)]
    flat = (_cell(diagram.vertices[bound], whole) for bound in bounds)
    return [shapely.transform(cell, plane.degrees) for cell in flat]


class _Plane:
    """The stereographic plane about the middle of places: conformal, as its sphere is."""

    def __init__(self, lat: Floats, lon: Floats) -> None:
        from pyproj import Proj

        east, across, up = geo.earth_centred(lat, lon).mean(axis=1)
        lat_0, lon_0 = math.atan2(up, math.hypot(east, across)), math.atan2(across, east)
        middle = f"+lat_0={math.degrees(lat_0)} +lon_0={math.degrees(lon_0)}"
        self._proj: Any = Proj(f"+proj=stere +ellps=WGS84 {middle}")
        # The radius of the sphere of conformal latitudes that is as large there as the ellipsoid.
        sine, e = math.sin(lat_0), math.sqrt(geo.ECCENTRICITY_2)
        conformal = math.tanh(math.atanh(sine) - e * math.atanh(e * sine))
        wide = math.cos(lat_0) / math.sqrt(1.0 - (e * sine) ** 2) / math.sqrt(1.0 - conformal**2)
        self._diameter = 2000.0 * geo.EQUATOR_KM * wide

    def flat(self, degrees: Vectors) -> Vectors:
        """Project (lon, lat), in diameters of the sphere."""
        return np.stack(self._proj(*degrees.T), axis=-1) / self._diameter

    def degrees(self, flat: Vectors) -> Vectors:
        """(lon, lat) of what was projected."""
        return np.stack(self._proj(*(flat * self._diameter).T, inverse=True), axis=-1)


def _lift(flat: Vectors) -> Vectors:
    """Unit vectors of places in the plane; its middle is up."""
    square = (flat * flat).sum(axis=1, keepdims=True)
    return np.asarray(np.hstack([2.0 * flat, 1.0 - square]) / (1.0 + square))


GUARDS = _lift(
    math.tan(math.radians(75.0))
    * np.array([[1.0, 0.0], [-0.5, math.sqrt(0.75)], [-0.5, -math.sqrt(0.75)]])
)
"""Three places 150 degrees away: with them the diagram exists for one place, too."""


def _cell(corners: Vectors, whole: Any) -> Any:
    import shapely

    ring = np.vstack([_arc(a, b) for a, b in pairwise([*corners, corners[0]])])
    outline = shapely.make_valid(shapely.Polygon(ring[:, :2] / (1.0 + ring[:, 2:])))
    cell = shapely.intersection(outline, whole)
    areas = [part for part in shapely.get_parts(cell) if part.area > 0.0]
    return areas[0] if len(areas) == 1 else shapely.MultiPolygon(areas)


def _arc(start: Vectors, stop: Vectors) -> Vectors:
    """Points along the great circle, without the last."""
    angle = math.atan2(float(np.linalg.norm(np.cross(start, stop))), float(start @ stop))
    n = max(1, math.ceil(math.degrees(angle) / STEP_DEGREES))
    if n == 1:
        return start[None, :]
    part = np.arange(n)[:, None] / n
    ends = np.sin((1.0 - part) * angle) * start + np.sin(part * angle) * stop
    return np.asarray(ends / math.sin(angle))


USUAL = {"thresholds_min": (15.0, 30.0, 60.0)}
"""What is usual where no threshold is given."""

MARGIN_DEGREES = 0.5
"""What the box around clinics and origins is widened by."""


def catchments(
    origins: Any,
    directory: Directory,
    *,
    region: Any = None,
    router: Router | None = None,
    thresholds_min: float | Sequence[float] | None = None,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    radius: Any = None,
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> GeoDataFrame:
    """Draw the land that each clinic is nearest to, or that it is reached from, and who lives there.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        One row a person, place or area: who is counted, each at the nearest clinic by geodesic
        distance, inside the region or not. None for the bundled postal codes of Ontario, if a
        clinic stands in Ontario or near it; else nobody is counted.
    directory : Directory
        The clinics.
    region : shapely Polygon or MultiPolygon, optional
        What to cut up, in (lon, lat) degrees; None for Ontario where all who are counted are in it
        (a simple outline, lakes inside it included: some who live on a shore are outside), else
        for the box around clinics and origins, widened by half a degree: the areas are then those
        of that box. Neither around a pole nor across the antimeridian.
    router : GraphRouter or another with ``isochrone``, optional
        Draw instead from where each clinic is reached within given times.
    thresholds_min : float or sequence of float, optional
        With `router`: minutes; None for 15, 30 and 60.
    weight : str, optional
        A column that says how much a row counts; None for one each.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, radius, check, provenance
        As in `nearest_join`, of the origins.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    geopandas.GeoDataFrame
        EPSG:4326, one row for each place and end of the interval: ``supply`` (``confirmed``, or
        ``possible`` for a map of all that may satisfy the criteria), ``clinic_id``, ``clinic_ids``
        (all that stand at this place, joined by ``;``), ``weight_low`` (who is surely nearest, by
        the 90 % intervals), ``weight`` (who is nearest, positions taken as they are; 0 for nobody),
        ``weight_high`` (who may be nearest: counted at every place that may be),
        ``area_km2`` on the ellipsoid and ``geometry``. Ordered by supply, then id. No row where
        no clinic is eligible. With a router one row for each ``threshold_min`` as well, and the
        weights are of those who reach the place in time: surely, by times as they are, and
        perhaps. These areas overlap, and reach 200 m to each side of the roads.

    Raises
    ------
    InvalidInputError
        If the region is not a valid polygon in degrees, or too wide, or an argument cannot be used.
    MissingExtraError
        If GeoPandas or SciPy is not installed (extra ``geo``).

    Notes
    -----
    Borders are those of a spherical Voronoi diagram on conformal latitudes: across Ontario the
    two distances that meet at one differ by at most 0.1 km, far less than the doubt of most
    addresses. The count does not use them.
    """
    geopandas = require("geopandas", "geo")
    check_directory(directory)
    counted, points = origins, directory._catalogue.points
    if origins is None and not any(map(geo.in_ontario, points.lat, points.lon)):
        counted = ontario_postal_codes().head(0)
    source = Source(lat, lon, geometry, address, radius)
    study = Study(
        counted, directory, source, weight, where, facets, check=check, provenance=provenance,
        router=router,
    )  # fmt: skip
    names = ["supply", "clinic_id", "clinic_ids", *WEIGHTS, "area_km2", "geometry"]
    if router is not None or thresholds_min is not None:
        limits = study.read_limits(None, thresholds_min, USUAL)
        if region is not None or not hasattr(router, "isochrone"):
            raise InvalidInputError("router= draws by isochrone(), and goes without region=")
        names = ["threshold_min", *names]
        rows = [row for level in LEVELS for row in _isochrones(study, level, router, limits)]
    else:
        if region is not None:
            _check_region(region)
        elif counted is None or _in_home(study):
            region = layers("near")["ontario"]
        else:
            region = _box(study, widen=origins is not None)
        rows = [row for level in LEVELS for row in _cells(study, level, region)]
    areas = geopandas.GeoDataFrame(rows, columns=names, geometry="geometry", crs="EPSG:4326")
    return study.stamped(areas, "catchments")


def _check_region(region: Any) -> None:
    check_polygon(region)
    west, _, east, _ = region.bounds
    if east - west >= 180.0:
        raise InvalidInputError(
            "no catchments are drawn in a region= of 180 degrees of longitude or more; give one "
            "that holds no pole and does not cross the antimeridian"
        )


def _standing(study: Study, level: str) -> dict[tuple[float, float], list[int]]:
    """The places of eligible clinics, and which clinics stand there."""
    standing: dict[tuple[float, float], list[int]] = {}
    for clinic_no in study.eligible[level]._clinic_nos().tolist():
        place = study.directory.clinics[clinic_no].location
        if place is not None:
            standing.setdefault((place.lat, place.lon), []).append(clinic_no)
    return standing


def _cells(study: Study, level: str, region: Any) -> Iterator[dict[str, Any]]:
    """What is nearest to each place, and who."""
    if standing := _standing(study, level):
        lat, lon = np.array(list(standing)).T
        people = zip(*_people(study, level, standing).values(), strict=True)
        shapes = zip(standing.values(), people, cells(lat, lon, region), strict=True)
        yield from (_row(study, level, *one) for one in shapes)


def _row(
    study: Study, level: str, clinic_nos: list[int], counts: Iterable[float], shape: Any
) -> dict[str, Any]:
    import shapely

    ids = [study.directory.clinics[clinic_no].clinic_id for clinic_no in clinic_nos]
    # A hole counts against its shell only if it runs the other way round.
    square_m = geo.wgs84().geometry_area_perimeter(shapely.normalize(shape))[0]
    named = {"supply": level, "clinic_id": ids[0], "clinic_ids": ";".join(ids)}
    people = {name: float(n) for name, n in zip(WEIGHTS, counts, strict=True)}
    return {**named, **people, "area_km2": abs(square_m) / 1e6, "geometry": shape}


def _isochrones(study: Study, level: str, router: Any, limits: Floats) -> Iterator[dict[str, Any]]:
    """From where each place is reached in time, and by whom."""
    standing = list(_standing(study, level).values())
    values = study.journeys.over(one[0] for one in standing) if study.journeys else ()
    for clinic_nos, (clinic_no, value) in zip(standing, values, strict=True):
        place = study.directory.clinics[clinic_no].location
        ends = [study.journeys.ends(value, no) for no in clinic_nos] if study.journeys else []
        low, high = np.min([e[0] for e in ends], axis=0), np.min([e[1] for e in ends], axis=0)
        for limit in limits.tolist():
            counts = [study.weight[study.within(one, limit)].sum() for one in (high, value, low)]
            shape = router.isochrone(place, limit, reverse=True)
            yield {"threshold_min": limit, **_row(study, level, clinic_nos, counts, shape)}


def _people(
    study: Study, level: str, standing: Mapping[tuple[float, float], list[int]]
) -> dict[str, Floats]:
    """Who is surely nearest to each place, who is, and who may be, by 90 % intervals."""
    eligible = study.eligible[level]
    n, clinic_no = len(standing), study.nearest(level)[1]
    place_of = np.empty(len(study.directory), np.intp)
    for at, clinic_nos in enumerate(standing.values()):
        place_of[clinic_nos] = at
    served = clinic_no >= 0
    counts: dict[str, Floats] = {name: np.zeros(n) for name in WEIGHTS}
    counts["weight"] += np.bincount(place_of[clinic_no[served]], study.weight[served], n)
    # Whoever may be nearer than the nearest surely is may be the nearest.
    surely_km = nearest_end_km(eligible, study.origins, "high")
    radius_km = study.origins.radius_km
    here_km = np.zeros(len(study.origins)) if radius_km is None else radius_km
    # Those who look as far are taken together: a few remote ones do not make all look far.
    magnitude = np.floor(np.log2(1.0 + surely_km + here_km))
    for alike in np.unique(magnitude[study.located]):
        rows = np.flatnonzero(magnitude == alike)
        origins = WithinDistance(study.origins.lat[rows], study.origins.lon[rows])
        rows = rows[origins.order]
        far_km, off_km = surely_km[rows], here_km[rows]
        rivals, only = np.zeros(len(rows), np.intp), np.zeros(len(rows), np.intp)
        for at, ((lat, lon), clinic_nos) in enumerate(standing.items()):
            there_km = float(eligible._catalogue.radius_km[clinic_nos].max())
            doubt_km = geo.SIGMAS_BELOW * geo.SIGMA_PER_RADIUS * math.hypot(off_km.max(), there_km)
            near, distance_km = origins.distances(lat, lon, far_km.max() + doubt_km)
            low_km = geo.distance_lows_km(distance_km, off_km[near], there_km)
            mine = near[geo.micrometres(low_km) <= geo.micrometres(far_km[near])]
            rivals[mine] += 1
            only[mine] = at
            counts["weight_high"][at] += study.weight[rows[mine]].sum()
        sure = rivals == 1
        counts["weight_low"] += np.bincount(only[sure], study.weight[rows[sure]], n)
    return counts


def _in_home(study: Study) -> bool:
    """Whether there are origins, all of them in Ontario or so near that it is a matter of scale."""
    import shapely

    lat, lon = (getattr(study.origins, name)[study.located] for name in ("lat", "lon"))
    outline = layers("near")["ontario"].buffer(0.1)
    return bool(len(lat)) and bool(shapely.contains_xy(outline, lon, lat).all())


def _box(study: Study, *, widen: bool) -> Any:
    import shapely

    eligible = study.eligible["possible"]
    places = eligible._catalogue.points
    passes = np.isin(places.clinic_no, eligible._clinic_nos())
    lat, lon = places.lat[passes], places.lon[passes]
    if widen:
        lat = np.append(lat, study.origins.lat[study.located])
        lon = np.append(lon, study.origins.lon[study.located])
    if not len(lat):
        return shapely.Polygon()
    return shapely.box(
        max(-180.0, lon.min() - MARGIN_DEGREES),
        max(-90.0, lat.min() - MARGIN_DEGREES),
        min(180.0, lon.max() + MARGIN_DEGREES),
        min(90.0, lat.max() + MARGIN_DEGREES),
    )
