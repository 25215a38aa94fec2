"""How far a distance may be off when origin and clinic are known only within a radius."""

from __future__ import annotations

import math

__all__ = ["distance_interval_km"]

# A position known within r at 90 % scatters by r / 2.146 a side if it is normal, by r / 2 if it is
# uniform in the disc: 0.48 serves both.
SIGMA_PER_RADIUS = 0.48


def distance_interval_km(
    distance_km: float, origin_radius_km: float, clinic_radius_km: float
) -> tuple[float, float]:
    """Bound the true distance at the 90 % level.

    Parameters
    ----------
    distance_km : float
        The geodesic distance between the two stated positions.
    origin_radius_km, clinic_radius_km : float
        Their 90 % radii; 0 for a position taken as exact.

    Returns
    -------
    tuple of float
        ``(low, high)`` in kilometres, ``low <= distance_km <= high``; equal where both radii
        are 0.

    Notes
    -----
    With both positions scattered in two dimensions about the stated ones the true distance
    follows a Rice distribution (S. O. Rice, 1945). ``low`` is its normal 5 % point, cut at 0;
    ``high`` is a closed form that leaves 0.894 to 0.920 of the distribution between the two at
    every ratio of distance to scatter.
    """
    sigma = SIGMA_PER_RADIUS * math.hypot(origin_radius_km, clinic_radius_km)
    if sigma == 0.0:
        return distance_km, distance_km
    low = max(0.0, distance_km - 1.645 * sigma)
    spread = 3.29 * sigma * distance_km * distance_km / (distance_km + sigma)
    return low, math.sqrt(distance_km * distance_km + spread + 4.605 * sigma * sigma)
