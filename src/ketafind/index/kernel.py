"""The index of the compiled core: a tree of boxes under a bitmap."""

from __future__ import annotations

import math
import os
import time  # in a browser it lacks thread_time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from itertools import combinations_with_replacement
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import DirectoryFileError, InvalidInputError
from ketafind.geo import compiled_core
from ketafind.index.protocol import (
    Answer,
    Batch,
    Listed,
    Positions,
    SpatialIndex,
    check_bits,
    check_count,
    check_limit,
    check_origin,
    check_points,
)

# Name and type of each array that an index is stored in.
ARRAYS = {"points": np.float64, "ids": np.int32, "boxes": np.float32, "frame": np.float64}

# Work is cut into slices of about so many seconds of a processor, between which an interrupt is
# heard: the first has FIRST origins, and none more than BLOCK, so that memory stays flat.
SLICE_S, FIRST, BLOCK = 0.1, 512, 1 << 19
# Fewer rows than this are not worth a thread of their own.
LEAST_BLOCK = 4096
# Building splits in two, and again: more threads than this gain little.
MOST_BUILDERS = 8
# A tree of its own costs about as much for this many rows as a question gains by it; where more
# than half of the points pass, nothing is gained.
ROWS_A_QUESTION = 2
# A question on its own gains as much as so many in a batch.
ALONE = 4


class _KernelFilter:
    """A bitmap over an index's tree, and once that pays, a tree of the eligible points alone."""

    __slots__ = ("_eligible", "_left", "_tree", "made_for")

    def __init__(self, base: Any, tree: Any) -> None:
        self.made_for = base
        self._tree = tree
        # Counting eligible points takes longer than a question: not before it may pay.
        self._eligible: int | None = None
        self._left = math.inf if tree is base else base.rows / (64 * ROWS_A_QUESTION)

    def nearest(self, lat: float, lon: float, k: int, max_distance_km: float = math.inf) -> Listed:
        """Find the k nearest points that pass; see `SpatialIndex.nearest`."""
        answer: Listed | None = self.tree_for(ALONE).nearest(lat, lon, k, max_distance_km)
        return self._read(lat, lon, k, max_distance_km) if answer is None else answer

    def tree_for(self, questions: int) -> Any:
        """Choose the tree to ask, for a number of questions to come."""
        # Threads may count past each other: a question more or less does not matter.
        self._left -= questions
        if self._left <= 0:
            self._consider()
        return self._tree

    def _read(self, lat: Any, lon: Any, k: Any, max_distance_km: Any) -> Listed:
        """Ask with numbers of other types, or refuse what is no question."""
        k = check_count(k, "k")
        limit = check_limit(max_distance_km, "max_distance_km")
        answer: Listed = self._tree.nearest(*check_origin(lat, lon), k, limit)
        return answer

    def _consider(self) -> None:
        if self._eligible is None:
            self._eligible = self._tree.count
            pays = 2 * self._eligible <= self.made_for.rows
            self._left += self._eligible / ROWS_A_QUESTION if pays else math.inf
        if self._left <= 0:
            self._left = math.inf
            arrays = _empty_arrays(self._eligible)
            self._tree.compact(*arrays.values())
            self._tree = require_core().Tree(*arrays.values(), self.made_for.rows)


class KernelIndex(SpatialIndex):
    """Nearest neighbours by the compiled core: the default index.

    Immutable, safe to share between threads; batches let go of the GIL and use several threads.
    `SpatialIndex` describes the methods that all indexes have.

    Parameters
    ----------
    lat, lon : array_like of float, shape (n,)
        Degrees, finite and in range; not kept.

    Raises
    ------
    CoordinatesError
        If a point is no position on earth; names its place in the arrays.
    InvalidInputError
        If ketafind was installed without its compiled core.
    """

    def __init__(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> None:
        core = require_core()
        lat, lon = check_points(lat, lon)
        arrays = _empty_arrays(len(lat))
        core.build(lat, lon, *arrays.values(), min(_usable_processors(), MOST_BUILDERS))
        self._bind(arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], *, verify: bool = True) -> KernelIndex:
        """Take up an index that was stored as arrays.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            What `arrays` returned; memory-mapped ones are used where they lie.
        verify : bool
            True to check that they are an index and that its boxes are those of its points;
            False to check only what keeps reading them safe.

        Returns
        -------
        KernelIndex
            With the same answers.

        Raises
        ------
        DirectoryFileError
            If they are no index.
        """
        index = cls.__new__(cls)
        try:
            index._bind({name: arrays[name] for name in ARRAYS})
        except (KeyError, TypeError, ValueError) as error:
            raise DirectoryFileError(f"this is no stored index: {error}; build it again") from error
        fault = index._tree.fault() if verify else _frame_fault(index._arrays["frame"])
        if fault is not None:
            raise DirectoryFileError(f"the stored index is damaged: {fault}; build it again")
        return index

    def _bind(self, arrays: dict[str, Any]) -> None:
        self._arrays = {name: _read_only(array) for name, array in arrays.items()}
        self._tree = require_core().Tree(*self._arrays.values(), len(arrays["ids"]))
        self._everything = _KernelFilter(self._tree, self._tree)

    def __len__(self) -> int:
        return len(self._arrays["ids"])

    def __reduce__(self) -> tuple[Any, ...]:
        return KernelIndex.from_arrays, (self.arrays,)

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that hold the index, read-only: ``points``, ``ids``, ``boxes``, ``frame``."""
        return dict(self._arrays)

    @cached_property
    def _order(self) -> Positions:  # type: ignore[override]
        order: Positions = self._arrays["ids"].astype(np.intp)
        order.flags.writeable = False  # of the array itself: what is a view could be written again
        return order

    @property
    def _identity(self) -> object:
        return self._tree

    def prepare(self, bits: Any) -> _KernelFilter:
        if bits is None:
            return self._everything
        try:
            return _KernelFilter(self._tree, self._tree.filtered(bits))
        except (TypeError, ValueError, BufferError):
            return _KernelFilter(self._tree, self._tree.filtered(check_bits(bits, len(self))))

    def _fill(self, eligible: _KernelFilter, batch: Batch) -> None:
        lat, lon, k, limit_km, threads, (distance_km, position) = batch
        tree = eligible.tree_for(len(lat))

        def fill(part: slice) -> None:
            tree.nearest_many(lat[part], lon[part], distance_km[part], position[part], k, limit_km)

        if len(lat) <= FIRST:  # no slices: a third less time
            tree.nearest_many(lat, lon, distance_km, position, k, limit_km)
        else:
            _share_out(fill, len(lat), threads_for(len(lat)) if threads is None else threads)

    def _within(self, eligible: _KernelFilter, lat: float, lon: float, radius_km: float) -> Answer:
        distance_km, position = eligible.tree_for(ALONE).within(lat, lon, radius_km)
        return np.frombuffer(distance_km), np.frombuffer(position, np.intp)


def _frame_fault(frame: npt.NDArray[np.float64]) -> str | None:
    """Look at the one part that every answer hangs on and that is quickly checked."""
    # In plain Python: on twelve numbers that is three times as fast, and overflows in silence.
    numbers: list[float] = frame.reshape(-1).tolist()
    axes = numbers[:3], numbers[3:6], numbers[6:9]
    is_turn = all(abs(x) < 1e4 for x in numbers[9:]) and all(
        abs(one[0] * other[0] + one[1] * other[1] + one[2] * other[2] - (one is other)) < 1e-9
        for one, other in combinations_with_replacement(axes, 2)
    )
    return None if is_turn else "its frame is no rotation"


def threads_for(n: int) -> int:
    """Choose how many threads suit the machine and n rows of work."""
    shares = n // LEAST_BLOCK
    return 1 if shares < 2 else min(_usable_processors(), shares)


def _usable_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share_out(work: Callable[[slice], None], n: int, threads: int) -> None:
    """Do work on slices of n origins, on threads of its own, until an exception."""
    most = min(BLOCK, -(-n // threads))
    begun, lock = 0, Lock()

    def take(size: int) -> slice:
        nonlocal begun
        with lock:
            start, begun = begun, min(n, begun + size)
            return slice(start, begun)

    def go_on() -> None:
        size = min(FIRST, most)
        while (part := take(size)).start < n:
            since = time.thread_time()
            work(part)
            more = SLICE_S / max(time.thread_time() - since, 1e-9)
            size = max(1, min(most, int(size * min(16.0, more))))

    if threads == 1:
        go_on()
        return
    with ThreadPoolExecutor(max_workers=threads) as pool:
        helpers: list[Future[None]] = []
        try:
            with suppress(RuntimeError):  # no thread can be begun: at a limit, or at the exit
                while len(helpers) < threads:
                    helpers.append(pool.submit(go_on))
            if len(helpers) < threads:
                go_on()
            for each in helpers:
                each.result()
        finally:
            take(n)  # what is left, after an exception


def _empty_arrays(n: int) -> dict[str, Any]:
    lengths = require_core().sizes(n)
    return {
        name: np.empty(length, dtype)
        for (name, dtype), length in zip(ARRAYS.items(), lengths, strict=True)
    }


def _read_only(array: Any) -> npt.NDArray[Any]:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"an array is a {type(array).__name__}")
    view = array.view()
    view.flags.writeable = False
    return view


def require_core() -> Any:
    """Find the compiled core, or say that this installation has none."""
    core = compiled_core()
    if core is None:
        raise InvalidInputError(
            "ketafind was installed without its compiled core: use ScanIndex, or install again "
            "with a C compiler at hand"
        )
    return core
