"""How far a position may be off: 90 % radii by how it came about."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["code_radius_km", "covering", "sphere_km"]

RURAL = 16
EARTH_KM = 6371.0088


def code_radius_km(quality: int) -> float:
    """State the 90 % radius of a postal code's position.

    Parameters
    ----------
    quality : int
        The code's class in the gazetteer.

    Returns
    -------
    float
        Kilometres.
    """
    method, rest = divmod(quality, 32)
    if rest & RURAL:
        return 4.0 if method == 2 else 15.0
    return (0.5, 1.6, 4.0, 5.0)[max(rest >> 2 & 3, 2 if method else 0)]


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
