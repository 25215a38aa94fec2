"""Columns that an analysis adds to a frame, in no frame's own terms."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ketafind.analysis.crew import ALONE, BLOCK, Crew
from ketafind.distance import compiled_core

__all__ = [
    "Codes",
    "Column",
    "Copies",
    "Flags",
    "Floats",
    "Rows",
    "Texts",
    "Whole",
    "code_type",
    "pick",
    "pick_all",
]


Key = TypeVar("Key", bound=Hashable)
Rows = npt.NDArray[np.intp] | int
"""Which rows, in this order; or every row so many times."""


def pick(array: npt.NDArray[Any], rows: Rows, crew: Crew = ALONE) -> npt.NDArray[Any]:
    """Choose rows of an array; see `pick_all`."""
    return pick_all({0: array}, rows, crew)[0]


def pick_all(
    arrays: Mapping[Key, npt.NDArray[Any]], rows: Rows, crew: Crew = ALONE
) -> dict[Key, npt.NDArray[Any]]:
    """Choose the same rows of several arrays.

    Parameters
    ----------
    arrays : mapping to ndarray, shape (n,)
        One value a row; of any types but objects.
    rows : Rows
        Which; -1 is the last.
    crew : Crew
        Who copies.

    Returns
    -------
    dict to ndarray
        Copies, by the same keys.
    """
    if isinstance(rows, int):
        copies = Copies(arrays, rows)
        crew.fill(copies.fill, max(map(len, arrays.values()), default=0), rows)
        return copies.made
    picked = {key: np.empty(len(rows), array.dtype) for key, array in arrays.items()}

    def fill(part: slice) -> None:
        # To wrap round needs no copy of what is written to, as a check before would.
        for key, array in arrays.items():
            np.take(array, rows[part], out=picked[key][part], mode="wrap")

    crew.fill(fill, len(rows))
    return picked


class Copies(Generic[Key]):
    """Arrays in which each value is repeated; filled part by part, on any thread.

    Parameters
    ----------
    arrays : mapping to ndarray, shape (n,)
        One value a row; of any types but objects.
    times : int
        How often each is repeated.
    n : int
        How many rows to number.

    Attributes
    ----------
    made : dict to ndarray, shape (n * times,)
        By the same keys.
    number : ndarray of int32, shape (n * times,)
        Which copy each is, from 1; empty unless `n` is given.
    """

    def __init__(self, arrays: Mapping[Key, npt.NDArray[Any]], times: int, n: int = 0) -> None:
        tables = [np.empty((len(array), times), array.dtype) for array in arrays.values()]
        self._pairs = list(zip(tables, arrays.values(), strict=True))
        self._numbers = np.empty((n, times), np.int32)
        # Copied from memory that is near: much faster than one row at a time.
        ranks = np.arange(1, times + 1, dtype=np.int32)
        self._ranks = np.tile(ranks, (max(1, min(n, BLOCK // times)), 1))
        self.made = {key: table.reshape(-1) for key, table in zip(arrays, tables, strict=True)}
        self.number = self._numbers.reshape(-1)

    def fill(self, part: slice) -> None:
        """Write some rows."""
        for table, array in self._pairs:
            _repeat(array[part], table[part])
        numbers = self._numbers[part]
        for start in range(0, len(numbers), len(self._ranks)):
            some = numbers[start : start + len(self._ranks)]
            some[:] = self._ranks[: len(some)]


def _repeat(array: npt.NDArray[Any], table: npt.NDArray[Any]) -> None:
    """Write each value of an array into a row of a table."""
    core = compiled_core()
    plain = array.itemsize == 8 and array.flags.c_contiguous and array.flags.aligned
    if core is not None and plain:
        core.repeat(array.view(np.uint64), table.reshape(-1).view(np.uint64))
    else:
        table[:] = array[:, None]


class Texts:
    """Different texts, and what a frame's library has made of them: made once, used often.

    Parameters
    ----------
    values : iterable of str
        The texts, all different.
    """

    __slots__ = ("_made", "values")

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)
        self._made: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Texts, (self.values,)

    def made(self, library: str, make: Callable[[tuple[str, ...]], Any]) -> Any:
        """Take what was made for a library, or make it.

        Parameters
        ----------
        library : str
            A name.
        make : callable
            From the texts to something that never changes.

        Returns
        -------
        object
            The same each time; two threads may make it twice.
        """
        if library not in self._made:
            self._made[library] = make(self.values)
        return self._made[library]


@dataclass(frozen=True, slots=True)
class Codes:
    """Texts, each stored once.

    Parameters
    ----------
    codes : ndarray of int
        Which text each row has; -1 is missing.
    texts : Texts
        The texts.
    """

    codes: npt.NDArray[Any]
    texts: Texts

    @classmethod
    def same(cls, code: int, n: int, texts: Texts) -> Codes:
        """Make n rows of one text, or of none if the code is -1."""
        return cls(np.broadcast_to(np.int8(code), n), texts)

    @property
    def only(self) -> int | None:
        """The one code of all rows, if they were made to be the same."""
        return int(self.codes[0]) if len(self.codes) and self.codes.strides == (0,) else None

    def take(self, rows: Rows) -> Codes:
        """Choose rows."""
        return Codes(pick(self.codes, rows), self.texts)


@dataclass(frozen=True, slots=True)
class Floats:
    """Numbers.

    Parameters
    ----------
    values : ndarray of float64
        NaN is missing.
    complete : bool
        True if it is known that none is missing.
    """

    values: npt.NDArray[np.float64]
    complete: bool = False

    @property
    def some_missing(self) -> bool:
        """Whether there is a NaN."""
        return not self.complete and bool(np.isnan(self.values).any())

    def take(self, rows: Rows) -> Floats:
        """Choose rows."""
        return Floats(pick(self.values, rows))


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers.

    Parameters
    ----------
    values : ndarray of int32
        The numbers.
    missing : ndarray of bool or None
        Where there is none; None if all are there.
    """

    values: npt.NDArray[np.int32]
    missing: npt.NDArray[np.bool_] | None

    def take(self, rows: Rows) -> Whole:
        """Choose rows."""
        missing = None if self.missing is None else pick(self.missing, rows)
        return Whole(pick(self.values, rows), missing)


@dataclass(frozen=True, slots=True)
class Flags:
    """Yes or no, always known.

    Parameters
    ----------
    values : ndarray of bool
        True for yes.
    """

    values: npt.NDArray[np.bool_]

    def take(self, rows: Rows) -> Flags:
        """Choose rows."""
        return Flags(pick(self.values, rows))


Column = Codes | Floats | Whole | Flags


def code_type(n_texts: int) -> type[np.signedinteger[Any]]:
    """Choose the integer type for codes; the one that pandas would choose.

    Parameters
    ----------
    n_texts : int
        How many texts there are.

    Returns
    -------
    type
        The smallest signed integer type that holds -1 to ``n_texts - 1``.
    """
    for kind in (np.int8, np.int16):
        if n_texts < np.iinfo(kind).max:
            return kind
    return np.int32
