"""The one distance of ketafind: the geodesic on the WGS 84 ellipsoid."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MICROMETRES_PER_KM", "geodesic_km", "micrometres"]

MICROMETRES_PER_KM = 1e9


def geodesic_km(
    lat1: npt.ArrayLike, lon1: npt.ArrayLike, lat2: npt.ArrayLike, lon2: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Measure the shortest path on the WGS 84 ellipsoid between pairs of points.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like of float
        Decimal degrees, finite and in range (unchecked here); any shapes that broadcast.

    Returns
    -------
    ndarray of float64
        Kilometres, in the broadcast shape; 0.0 between equal points.

    Notes
    -----
    Every distance that an index returns comes from this function, so that all of them agree on
    order and ties. Method: C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013).
    """
    lat1, lon1, lat2, lon2 = np.broadcast_arrays(
        *(np.asarray(value, dtype=np.float64) for value in (lat1, lon1, lat2, lon2))
    )
    metres = _geod().inv(lon1.ravel(), lat1.ravel(), lon2.ravel(), lat2.ravel())[2]
    return np.asarray(metres, dtype=np.float64).reshape(lat1.shape) / 1000.0


def micrometres(distance_km: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Round distances to whole micrometres: the unit in which two distances are equal.

    Parameters
    ----------
    distance_km : array_like of float
        Kilometres; infinity stays.

    Returns
    -------
    ndarray of float64
        Whole micrometres.
    """
    return np.rint(np.asarray(distance_km, dtype=np.float64) * MICROMETRES_PER_KM)


@cache
def _geod() -> Any:
    from pyproj import Geod

    return Geod(ellps="WGS84")
