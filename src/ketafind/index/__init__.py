"""Spatial indexes: three implementations of one protocol, with identical answers."""

from __future__ import annotations

import numpy.typing as npt

from ketafind.geo import compiled_core
from ketafind.index.kernel import KernelIndex
from ketafind.index.protocol import Floats, SpatialIndex
from ketafind.index.rtree import RTreeIndex
from ketafind.index.scan import ScanIndex

__all__ = ["Floats", "KernelIndex", "RTreeIndex", "ScanIndex", "SpatialIndex", "default_index"]


def default_index(lat: npt.ArrayLike, lon: npt.ArrayLike) -> SpatialIndex:
    """Build the fastest index that this installation has.

    Parameters
    ----------
    lat, lon : array_like of float, shape (n,)
        Degrees, finite and in range.

    Returns
    -------
    SpatialIndex
        A `KernelIndex`; a `ScanIndex` where ketafind was installed without a compiler.

    Raises
    ------
    CoordinatesError
        If a point is no position on earth; names its place in the arrays.
    """
    return ScanIndex(lat, lon) if compiled_core() is None else KernelIndex(lat, lon)
