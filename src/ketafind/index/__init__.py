"""Spatial indexes: three implementations of one protocol, with identical answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import compiled_core
from ketafind.index.kernel import KernelIndex
from ketafind.index.protocol import Floats, Positions, SpatialIndex
from ketafind.index.rtree import RTreeIndex
from ketafind.index.scan import ScanIndex

__all__ = [
    "Floats",
    "IndexName",
    "KernelIndex",
    "RTreeIndex",
    "ScanIndex",
    "SpatialIndex",
    "changed_index",
    "default_index",
    "make_index",
]

IndexName = Literal["kernel", "rtree", "scan"]
MakeIndex = Callable[[npt.ArrayLike, npt.ArrayLike], SpatialIndex]


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


def make_index(name: IndexName | None = None) -> MakeIndex:
    """Choose an index by its name; None is the fastest that this installation has."""
    if name is None:
        return default_index
    known: dict[str, MakeIndex] = {"kernel": KernelIndex, "rtree": RTreeIndex, "scan": ScanIndex}
    if not isinstance(name, str) or name not in known:
        raise InvalidInputError(f"index={name!r}: choose {', '.join(map(repr, known))} or None")
    return known[name]


def changed_index(
    index: SpatialIndex, gone: Positions, before: Positions, lat: Floats, lon: Floats
) -> SpatialIndex:
    """Index points after some are gone and others were inserted before these that stay."""
    del gone, before
    make: MakeIndex = type(index)
    return make(lat, lon)
