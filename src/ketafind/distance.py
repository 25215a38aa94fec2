"""The one distance of ketafind: the geodesic on the WGS 84 ellipsoid."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MICROMETRES_PER_KM", "compiled_core", "geodesic_km", "micrometres"]

MICROMETRES_PER_KM = 1e9


@cache
def compiled_core() -> ModuleType | None:
    """Find the compiled search core.

    Returns
    -------
    module or None
        ``ketafind._kernel``; None where ketafind was installed without a compiler.
    """
    try:
        from ketafind import _kernel
    except ImportError:
        return None
    return _kernel


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
    order and ties. With the compiled core it is a series in the chord up to 1,000 km and the
    inverse geodesic problem beyond (``src/kernel/geodesic.h``), else pyproj; each is within 15 nm
    of the truth. Reference: C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013).
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (lat1, lon1, lat2, lon2)]
    shape = np.broadcast_shapes(*(side.shape for side in sides))
    # One value may stand for many without being copied.
    whole = [side if side.size == 1 else np.broadcast_to(side, shape) for side in sides]
    flat = [np.ascontiguousarray(side).reshape(-1) for side in whole]
    core = compiled_core()
    if core is None:
        return _by_pyproj(flat, shape)
    distance_km = np.empty(shape)
    core.distance(*flat, distance_km.reshape(-1))
    return distance_km


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


def _by_pyproj(
    flat: list[npt.NDArray[np.float64]], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    lat1, lon1, lat2, lon2 = np.broadcast_arrays(*flat)
    metres = _geod().inv(lon1, lat1, lon2, lat2)[2]
    return np.asarray(metres, dtype=np.float64).reshape(shape) / 1000.0


@cache
def _geod() -> Any:
    from pyproj import Geod

    return Geod(ellps="WGS84")
