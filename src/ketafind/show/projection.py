"""Positions laid out on a flat projection of kilometres, to be looked at and never measured on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ketafind.errors import InvalidInputError
from ketafind.geo import Coordinates
from ketafind.truth import Truth

NOTHING = "No clinic with a position."
"""What a map says that has nothing to show, unless told something better."""
MARKS = {"dot": "dot", "ring": "ring", "both": "dot in a ring"}
"""The marks by their names in words."""
_KM_PER_DEGREE = 111.195
# Nearer to a pole the east-west scale would run away.
_LEAST_COSINE = 0.02


Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MapPoint:
    """One position to draw."""

    lat: float
    lon: float
    label: str
    name: str
    radius_km: float
    details: tuple[tuple[str, str], ...] = ()
    is_unknown: bool = False

    @property
    def spot(self) -> Spot:
        """Latitude and longitude."""
        return self.lat, self.lon


def places(columns: Mapping[str, Sequence[Any]]) -> tuple[MapPoint, ...]:
    """Take the positions out of columns; rows without one are left out."""
    if not {"lat", "lon"} <= set(columns):
        raise InvalidInputError("a map needs the columns lat and lon")
    if len({len(column) for column in columns.values()}) > 1:
        raise InvalidInputError("the columns are of different lengths")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return tuple(
        _place(row, at)
        for at, row in enumerate(rows, 1)
        if row["lat"] is not None and row["lon"] is not None
    )


def _place(row: dict[str, Any], at: int) -> MapPoint:
    spot = Coordinates(lat=row.pop("lat"), lon=row.pop("lon"))
    return MapPoint(
        lat=spot.lat,
        lon=spot.lon,
        label=_text(row.pop("rank", None)) or str(at),
        name=_text(row.pop("name", None)) or _text(row.get("clinic_id")),
        radius_km=float(row.pop("radius_km", None) or 0.0),
        details=tuple((name, _text(value)) for name, value in row.items() if _text(value)),
        is_unknown=_text(row.get("truth")) == Truth.UNKNOWN,
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(map(str, value))
    return str(value)


class LocalProjection(NamedTuple):
    """A flat projection about a centre, east and north in kilometres."""

    lat: float
    lon: float

    @classmethod
    def about(cls, positions: Sequence[Spot]) -> LocalProjection:
        """Put the centre in the middle of positions, also across the antimeridian."""
        if not positions:
            return cls(0.0, 0.0)
        lats = [lat for lat, _ in positions]
        angles = [math.radians(lon) for _, lon in positions]
        east, north = sum(map(math.sin, angles)), sum(map(math.cos, angles))
        mean = math.degrees(math.atan2(east, north))
        offsets = [math.remainder(lon - mean, 360.0) for _, lon in positions]
        middle = mean + (min(offsets) + max(offsets)) / 2
        return cls((min(lats) + max(lats)) / 2, math.remainder(middle, 360.0))

    @property
    def cosine(self) -> float:
        """How much shorter a degree of longitude is than one of latitude."""
        return max(math.cos(math.radians(self.lat)), _LEAST_COSINE)

    def east_north_km(self, lat: float, lon: float) -> tuple[float, float]:
        """Lay one position on the projection."""
        east = math.remainder(lon - self.lon, 360.0) * _KM_PER_DEGREE * self.cosine
        return east, (lat - self.lat) * _KM_PER_DEGREE

    def lon_lat(self, lat: float, lon: float) -> tuple[float, float]:
        """Unroll one position, so that neighbours across the antimeridian stay neighbours."""
        return self.lon + math.remainder(lon - self.lon, 360.0), lat

    def degrees_east(self, km: float) -> float:
        """Turn kilometres along the centre's parallel into degrees."""
        return km / (_KM_PER_DEGREE * self.cosine)

    def degrees_north(self, km: float) -> float:
        """Turn kilometres along a meridian into degrees."""
        return km / _KM_PER_DEGREE


class Layout(NamedTuple):
    """What a map shows, and the projection that it is laid out on."""

    points: tuple[MapPoint, ...]
    origin: Coordinates | None
    n_unlocated: int
    spots: list[Spot]
    projection: LocalProjection

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], origin: Any) -> Layout:
        """Lay out the positions of columns, and an origin where one is given."""
        points = places(columns)
        start = None if origin is None else Coordinates(lat=origin.lat, lon=origin.lon)
        spots = [point.spot for point in points]
        if start is not None:
            spots.append((start.lat, start.lon))
        n_unlocated = len(next(iter(columns.values()))) - len(points)
        return cls(points, start, n_unlocated, spots, LocalProjection.about(spots))

    def mark_meanings(self) -> dict[str, str]:
        """Say what the marks mean; nothing where every clinic matches."""
        dots = {point.spot for point in self.points if not point.is_unknown}
        rings = {point.spot for point in self.points if point.is_unknown}
        meanings = {
            "dot": ("matches", dots),
            "ring": ("may match, not known", rings),
            "both": ("both at one position", dots & rings),
        }
        return {mark: said for mark, (said, marked) in meanings.items() if rings and marked}


def compass(degrees: float, sides: str) -> str:
    """Write a latitude or longitude with its side of the earth, to a micro-degree."""
    angle = round(math.remainder(degrees, 360.0), 6)
    return f"{abs(angle):g}°{sides[0] if angle >= 0 else sides[1]}"


def scale_km(width_km: float) -> float:
    """Choose a round length for a scale bar."""
    target = max(width_km, 1e-3) / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * 1.0000001)
