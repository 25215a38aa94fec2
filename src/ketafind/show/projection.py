"""Positions to draw, taken out of columns, and how degrees and scales are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.geo import Coordinates
from ketafind.truth import Truth

NOTHING = "No clinic with a position."
"""What a map says that has nothing to show, unless told something better."""


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
    def spot(self) -> tuple[float, float]:
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


def compass(degrees: float, sides: str) -> str:
    """Write a latitude or longitude with its side of the earth, to a micro-degree."""
    angle = round(math.remainder(degrees, 360.0), 6)
    return f"{abs(angle):g}°{sides[0] if angle >= 0 else sides[1]}"


def scale_km(width_km: float) -> float:
    """Choose a round length for a scale bar."""
    target = max(width_km, 1e-3) / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * 1.0000001)
