"""Spatial indexes: three implementations of one protocol, with identical answers."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Literal

import numpy.typing as npt

from ketafind.errors import InvalidInputError, shown
from ketafind.files import require
from ketafind.geo import compiled_core
from ketafind.index.kernel import KernelIndex, require_core
from ketafind.index.protocol import Floats, PreparedFilter, ScanIndex, SpatialIndex
from ketafind.index.rtree import RTreeIndex

__all__ = [
    "Floats",
    "IndexName",
    "KernelIndex",
    "PreparedFilter",
    "RTreeIndex",
    "ScanIndex",
    "SpatialIndex",
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
        A `KernelIndex`; a `ScanIndex`, with a warning, where ketafind was installed without a
        compiler.

    Raises
    ------
    CoordinatesError
        If a point is no position on earth; names its place in the arrays.
    """
    if compiled_core() is not None:
        return KernelIndex(lat, lon)
    if sys.platform != "emscripten":  # no compiler helps there
        warnings.warn(
            "ketafind was installed without its compiled core: ScanIndex gives the same answers, "
            "more slowly; install it again with a C compiler at hand",
            RuntimeWarning,
            stacklevel=2,
        )
    return ScanIndex(lat, lon)


def make_index(name: IndexName | None = None) -> MakeIndex:
    """Choose an index by its name, from latitudes and longitudes to what answers.

    Parameters
    ----------
    name : {"kernel", "rtree", "scan"}, optional
        None for `default_index`.

    Returns
    -------
    callable
        `KernelIndex`, `RTreeIndex`, `ScanIndex` or `default_index`.

    Raises
    ------
    InvalidInputError
        If there is no such index, or if it is ``"kernel"`` and ketafind was installed without its
        compiled core.
    MissingExtraError
        If it is ``"rtree"`` and that package is not installed, as in a browser.
    """
    known: dict[str | None, MakeIndex] = {
        None: default_index,
        "kernel": KernelIndex,
        "rtree": RTreeIndex,
        "scan": ScanIndex,
    }
    if not isinstance(name, str | None) or name not in known:
        names = ", ".join(f'"{one}"' for one in known if one)
        raise InvalidInputError(f"index={shown(name)} is not known; known: {names}")
    if name == "kernel":
        require_core()
    if name == "rtree":
        require("rtree.index")
    return known[name]
