"""Spatial indexes: three implementations of one protocol, with identical answers."""

from __future__ import annotations

from ketafind.index.protocol import Floats, SpatialIndex
from ketafind.index.scan import ScanIndex

__all__ = ["ScanIndex", "SpatialIndex", "default_index"]


def default_index(lat: Floats, lon: Floats) -> SpatialIndex:
    """Build the fastest index that this installation has.

    Parameters
    ----------
    lat, lon : ndarray of float64, shape (n,)
        Degrees.

    Returns
    -------
    SpatialIndex
        Over these points.
    """
    return ScanIndex(lat, lon)
