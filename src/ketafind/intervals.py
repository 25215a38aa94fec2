"""How far a distance may be off when origin and clinic are known only within a radius."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distance_interval_km", "distance_intervals_km", "distance_lows_km"]

# A position known within r at 90 % scatters by 0.466 r a side if it is normal, by 0.5 r if it is
# uniform in the disc of r, by 0.527 r if uniform in the disc of which r holds 90 %. This serves
# all three: benchmarks/intervals.py shows the coverage and the widths.
SIGMA_PER_RADIUS = 0.505
SIGMAS_BELOW = 1.645
# The square of the radius that holds 90 % of a normal scatter in two dimensions, in sigmas.
DISC_90 = 4.605


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
    ``high`` is a closed form that keeps between the two, at every ratio of distance to scatter,
    0.91 to 0.95 of the distribution if both scatter normally; with positions uniform in a disc,
    0.88 to 0.93 beyond half the joint radius, and more within it.
    """
    square = origin_radius_km * origin_radius_km + clinic_radius_km * clinic_radius_km
    sigma = SIGMA_PER_RADIUS * math.sqrt(square)
    if sigma == 0.0:
        return distance_km, distance_km
    low = max(0.0, distance_km - SIGMAS_BELOW * sigma)
    spread = 2 * SIGMAS_BELOW * sigma * distance_km * distance_km / (distance_km + sigma)
    high = math.sqrt(distance_km * distance_km + spread + DISC_90 * sigma * sigma)
    # A root may round below what was squared.
    return low, max(distance_km, high)


def distance_intervals_km(
    distances_km: NDArray[np.float64],
    origin_radius_km: float | NDArray[np.float64],
    radii_km: float | NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound many true distances, to the last bit as `distance_interval_km` does.

    Parameters
    ----------
    distances_km : ndarray of float64
        The geodesic distances between the stated positions; NaN stays.
    origin_radius_km, radii_km : float or ndarray of float64
        The 90 % radii of both ends; shapes that broadcast.

    Returns
    -------
    low, high : ndarray of float64
        In kilometres.
    """
    sigma = _sigmas_km(origin_radius_km, radii_km)
    with np.errstate(invalid="ignore"):
        spread = 2 * SIGMAS_BELOW * sigma * distances_km * distances_km / (distances_km + sigma)
    high = np.sqrt(distances_km * distances_km + spread + DISC_90 * sigma * sigma)
    high = np.where(sigma == 0.0, distances_km, np.maximum(distances_km, high))
    return distance_lows_km(distances_km, origin_radius_km, radii_km), high


def distance_lows_km(
    distances_km: NDArray[np.float64],
    origin_radius_km: float | NDArray[np.float64],
    radii_km: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bound many true distances from below, as `distance_interval_km` does.

    Parameters
    ----------
    distances_km : ndarray of float64
        The geodesic distances between the stated positions; NaN stays.
    origin_radius_km, radii_km : float or ndarray of float64
        The 90 % radii of both ends; shapes that broadcast.

    Returns
    -------
    ndarray of float64
        The lower ends, in kilometres.
    """
    sigma = _sigmas_km(origin_radius_km, radii_km)
    lows_km: NDArray[np.float64] = np.maximum(0.0, distances_km - SIGMAS_BELOW * sigma)
    return lows_km


def _sigmas_km(one_km: Any, other_km: Any) -> Any:
    # As for one distance: hypot() rounds differently from library to library.
    return SIGMA_PER_RADIUS * np.sqrt(np.square(one_km) + np.square(other_km))
