"""The land, lakes, borders and towns around Ontario that lie beneath a map."""

from __future__ import annotations

import json
import math
import zlib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import circles

if TYPE_CHECKING:
    from pyproj import CRS, Transformer
    from shapely.geometry.base import BaseGeometry

Floats = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""
Scale = Literal["far", "near"]
"""``near`` keeps within 0.005 degrees and has the smaller lakes and islands, ``far`` 0.02."""
AROUND = (-98.0, 40.0, -71.0, 58.5)
"""West, south, east and north of what is drawn; nothing is known beyond."""
CREDIT = "Made with Natural Earth; towns GeoNames (CC BY 4.0)"
_FILE = Path(__file__).with_name("basemap.bin")
_NEAR_KM = 500.0


def packed() -> bytes:
    """Return the file as it ships, for a page to unpack: deflated JSON, see tools/build_basemap.py."""
    return _FILE.read_bytes()


@cache
def _content() -> dict[str, Any]:
    return dict(json.loads(zlib.decompress(packed())))


def towns() -> list[tuple[str, float, float, int]]:
    """Return the towns, the largest first: name, longitude, latitude, population."""
    return list(map(tuple, _content()["towns"]))


@cache
def layers(scale: Scale = "far") -> dict[str, BaseGeometry]:
    """Return ``land``, ``lakes`` and ``ontario`` as areas and ``borders`` as lines, in degrees."""
    import shapely

    content = _content()[scale]
    return {
        name: (shapely.build_area if name != "borders" else shapely.line_merge)(
            shapely.MultiLineString(
                [np.reshape(line, (-1, 2)).cumsum(axis=0) * content["step"] for line in lines]
            )
        )
        for name, lines in content.items()
        if name != "step"
    }


def shapes_of(basemap: Any) -> Any:
    """Take the shapes, in degrees, of a frame that is drawn beneath."""
    if not hasattr(basemap, "to_crs"):
        kind = type(basemap).__name__
        raise InvalidInputError(f"basemap is a frame of GeoPandas or None, not a {kind}")
    return basemap.to_crs(4326).geometry


class Ground:
    """A flat projection of what is to be drawn, and what lies beneath its marks."""

    # Around Ontario Lambert's conformal projection of Statistics Canada, elsewhere an equal-area
    # one about the middle. A name instead of areas is that of the base map that ships.
    def __init__(self, lon: Floats, lat: Floats, basemap: Any) -> None:
        from pyproj import CRS

        west, south, east, north = AROUND
        at_home = bool(np.all((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)))
        self.given = None
        self.has_map = at_home and isinstance(basemap, str)
        if basemap is not None and not isinstance(basemap, str):
            self.given = shapes_of(basemap)
        if at_home:
            self.crs: CRS = CRS.from_epsg(3347)
            return
        middle = math.degrees(np.angle(np.exp(1j * np.radians(lon)).mean()))
        across = np.mod(lon - middle + 180.0, 360.0) - 180.0
        about = f"+lon_0={middle + (across.min() + across.max()) / 2:.6f}"
        up = f"+lat_0={(lat.min() + lat.max()) / 2:.6f}"
        self.crs = CRS.from_proj4(f"+proj=laea {up} {about} +datum=WGS84")

    @cached_property
    def _lay(self) -> Transformer:
        from pyproj import Transformer

        return Transformer.from_crs(4326, self.crs, always_xy=True)

    def flat(self, lon: Any, lat: Any) -> Floats:
        """Lay positions on the plane, in metres."""
        return np.column_stack(self._lay.transform(np.asarray(lon), np.asarray(lat)))

    def round(self, xy: Any) -> Floats:
        """Give longitude and latitude of points of the plane."""
        x, y = np.reshape(xy, (-1, 2)).T
        return np.column_stack(self._lay.transform(x, y, direction="INVERSE"))

    def circle(self, lon: float, lat: float, radius_km: float) -> Floats:
        """Lay the circle about a position on the plane."""
        north, east = circles(np.array([lat]), np.array([lon]), np.array([radius_km]), 72)
        return self.flat(east[0], north[0])

    def path(self, shape: BaseGeometry) -> Any:
        """Lay an area or lines on the plane, long sides bent as they must be."""
        import shapely
        from matplotlib.path import Path as Outline

        # Holes run the other way round: a fill leaves them out.
        fine = shapely.segmentize(shapely.normalize(shape), 0.5)
        flat = shapely.transform(fine, lambda xy: self.flat(*xy.T))
        parts = shapely.get_parts(flat)
        is_line = shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING
        rings = [*parts[is_line], *shapely.get_rings(parts[~is_line])]
        outlines = [Outline(ring.coords, closed=ring.is_ring) for ring in rings if len(ring.coords)]
        return Outline.make_compound_path(*outlines)

    def beneath(self, view: Box) -> dict[str, BaseGeometry]:
        """Return what is drawn in a view, the lowest first."""
        import shapely

        if self.given is not None:
            return {"land": shapely.union_all(self.given.to_numpy())}
        if not self.has_map:
            return {}
        width = view[2] - view[0]
        rim = shapely.segmentize(shapely.box(*view).exterior, width / 8)
        degrees = self.round(shapely.get_coordinates(rim))
        seen = (*(degrees.min(axis=0) - 0.3).tolist(), *(degrees.max(axis=0) + 0.3).tolist())
        shapes = layers("near" if width < _NEAR_KM * 1000 else "far")
        wanted = {"water": shapely.box(*AROUND), **shapes}
        order = ("water", "land", "ontario", "lakes", "borders")
        return {name: shapely.clip_by_rect(wanted[name], *seen) for name in order}


def hexagons(xy: Floats, width: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """Find the hexagons, on a corner, that hold points: in half steps of a grid, and each point's."""
    half = half_steps(width)
    even, odd = 2 * np.round(xy / half / 2), 2 * np.floor(xy / half / 2) + 1
    is_even = np.hypot(*(xy - even * half).T) <= np.hypot(*(xy - odd * half).T)
    at = np.where(is_even[:, None], even, odd).astype(np.int64)
    found, cell = np.unique(at, axis=0, return_inverse=True)
    return found, cell.ravel()


def half_steps(width: float) -> Floats:
    """Half of what lies between the middles of hexagons of a width, sideways and upwards."""
    return np.array([width, width * 3**0.5]) / 2


def around(xy: Floats, margin: float = 0.1, least: float = 30_000.0) -> Box:
    """Put a box about points of the plane, with room at its sides."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = np.maximum((high - low) * (0.5 + margin), least / 2)
    left, bottom = (low + high) / 2 - half
    right, top = (low + high) / 2 + half
    return float(left), float(bottom), float(right), float(top)


def crowd(xy: Floats) -> Box | None:
    """Find where most marks stand too near each other to be told apart in a map of all."""
    places = np.unique(np.round(xy, -2), axis=0)
    span = float(np.ptp(places, axis=0).max())
    # Of many, one middle is tried for each part of the map.
    part = 0.02 * span if len(places) > 1000 else 100.0
    middles = np.unique(np.round(places / part), axis=0) * part
    crowds = (np.hypot(*(places - middle).T) < 0.07 * span for middle in middles)
    near = max(crowds, key=np.count_nonzero)
    if near.sum() < 4:
        return None
    return around(places[near], 0.15, 0.02 * span)
