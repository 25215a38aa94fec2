"""Columns that an analysis adds to a frame, in no frame's own terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Codes", "Column", "Flags", "Floats", "Rows", "Texts", "Whole", "code_type", "pick"]


Rows = npt.NDArray[np.intp] | int
"""Which rows, in this order; or every row so many times."""


def pick(array: npt.NDArray[Any], rows: Rows) -> npt.NDArray[Any]:
    """Choose rows of an array.

    Parameters
    ----------
    array : ndarray
        One value a row.
    rows : Rows
        Which.

    Returns
    -------
    ndarray
        A copy.
    """
    return np.repeat(array, rows) if isinstance(rows, int) else array[rows]


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
    """

    values: npt.NDArray[np.float64]

    def take(self, rows: Rows) -> Floats:
        """Choose rows."""
        return Floats(pick(self.values, rows))


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers.

    Parameters
    ----------
    values : ndarray of int64
        The numbers.
    missing : ndarray of bool
        Where there is none.
    """

    values: npt.NDArray[np.int64]
    missing: npt.NDArray[np.bool_]

    def take(self, rows: Rows) -> Whole:
        """Choose rows."""
        return Whole(pick(self.values, rows), pick(self.missing, rows))


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
