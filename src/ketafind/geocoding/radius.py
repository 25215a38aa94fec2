"""How far a position may be off: 90 % radii by how it came about."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from importlib import resources

from ketafind.geocoding.gazetteer import Place

__all__ = [
    "CODE_RADII",
    "KM_PER_DEGREE",
    "RURAL",
    "TOGETHER_FACTOR",
    "covering",
    "place_radius_km",
    "sphere_km",
]

RURAL = 16
"""The bit of a code's class that marks a rural code."""

EARTH_KM = 6371.0088
KM_PER_DEGREE = 111.2

# Fitted by tools/calibrate_radii.py; kilometres.
_TABLE = json.loads(
    resources.files("ketafind.geocoding").joinpath("radii.json").read_text(encoding="utf-8")
)
CODE_RADII: tuple[float, ...] = tuple(_TABLE["codes"])
"""The 90 % radius of a postal code, by its class in the gazetteer."""

TOGETHER_FACTOR: float = _TABLE["around_factor"]
_PLACES: dict[str, list[float]] = _TABLE["places"]


def place_radius_km(place: Place) -> float:
    """State the 90 % radius of an address of which only the place is known.

    Parameters
    ----------
    place : Place
        The place.

    Returns
    -------
    float
        Kilometres.
    """
    least, factor = _PLACES[place.source]
    return max(least, factor * place.radius_km)


def sphere_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Distance on a sphere, to judge doubt by; directories rank by geodesics.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : float
        Decimal degrees.

    Returns
    -------
    float
        Kilometres, at most 0.6 % off.
    """
    north, east = math.radians(lat2 - lat1) / 2, math.radians(lon2 - lon1) / 2
    chord = math.sin(north) ** 2
    chord += math.cos(math.radians(lat1)) * math.cos(math.radians(lat2)) * math.sin(east) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, chord)))


def covering(
    circles: Iterable[tuple[float, float, float]],
) -> tuple[float, float, float]:
    """Find one circle around several.

    Parameters
    ----------
    circles : iterable of (lat, lon, radius_km)
        At least one.

    Returns
    -------
    tuple of (lat, lon, radius_km)
        Centred between the two positions farthest apart; it covers every circle.
    """
    given = list(circles)
    pairs = [(sphere_km(*a[:2], *b[:2]), a, b) for a in given for b in given]
    _, a, b = max(pairs, key=lambda pair: pair[0])
    lat, lon = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    return lat, lon, max(sphere_km(lat, lon, *c[:2]) + c[2] for c in given)
