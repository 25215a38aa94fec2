"""Pandas, polars and pyarrow frames behind one small face: read a column, add columns."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ketafind.analysis.arrow_frame import ArrowFrame
from ketafind.analysis.columns import Column, Rows
from ketafind.analysis.crew import ALONE, Crew
from ketafind.analysis.pandas_frame import PandasFrame
from ketafind.analysis.polars_frame import PolarsFrame
from ketafind.errors import InvalidInputError

__all__ = ["Frame", "check_column", "names_taken", "numbers_of", "open_frame"]

Numbers = npt.NDArray[np.float64]


class Frame(Protocol):
    """What an analysis needs of a frame."""

    native: Any

    @property
    def names(self) -> list[Any]:
        """The names of its columns."""
        ...

    def __len__(self) -> int: ...

    def numbers(self, name: str) -> Numbers | None:
        """Read a column of numbers, or None if its type is not numeric."""
        ...

    def values(self, name: str) -> list[Any]:
        """Read a column as Python values."""
        ...

    def stored(self) -> dict[Any, npt.NDArray[Any]]:
        """Find the columns that are plain numbers in memory, by keys of its own."""
        ...

    def extended(
        self,
        columns: Mapping[str, Column],
        rows: Rows | None,
        crew: Crew = ALONE,
        copied: Mapping[Any, npt.NDArray[Any]] | None = None,
    ) -> Any:
        """Make a frame of some rows (None: all) with columns added, of the same type.

        `copied` holds those rows of what is `stored`, if they are copied already.
        """
        ...


def open_frame(frame: Any) -> Frame:
    """Find the face for a frame.

    Parameters
    ----------
    frame : pandas, polars or pyarrow frame
        A GeoDataFrame is a pandas frame.

    Returns
    -------
    Frame
        Its face; nothing is copied.

    Raises
    ------
    InvalidInputError
        If it is no such frame, or if two columns share a name.
    """
    face = next((face for module, kinds, face in _FACES if _is_one(frame, module, kinds)), None)
    if face is None:
        package = type(frame).__module__.partition(".")[0].replace("builtins", "")
        kind = f"{package} {type(frame).__name__}".strip()
        # Spark's collect() gives rows, Dask's and polars' own calls give a frame.
        calls = (call for call in ("toArrow", "compute", "collect") if hasattr(frame, call))
        lazy = "".join(f"; call {call}() on it first" for call in [*calls][:1])
        raise InvalidInputError(
            f"a {kind} is not a frame that can be joined; give a pandas, geopandas or polars "
            f"DataFrame, or a pyarrow Table{lazy}"
        )
    opened: Frame = face(frame)
    names = opened.names
    doubled = [name for at, name in enumerate(names) if name in names[:at]]
    if doubled:
        raise InvalidInputError(f"two columns are called {doubled[0]!r}; rename or drop one")
    return opened


def _is_one(frame: Any, module: str, kinds: tuple[str, ...]) -> bool:
    # A frame can only be of a library that is imported already.
    library = sys.modules.get(module)
    return library is not None and isinstance(
        frame, tuple(getattr(library, kind) for kind in kinds)
    )


def numbers_of(frame: Frame, name: str) -> Numbers:
    """Read a column of numbers strictly.

    Parameters
    ----------
    frame : Frame
        The frame.
    name : str
        A column's name.

    Returns
    -------
    ndarray of float64
        NaN where missing; a view of the column where it already is that.

    Raises
    ------
    InvalidInputError
        If there is no such column, or it holds anything but numbers; the text names the first
        row at fault, counted from 0, and not what it holds.
    """
    check_column(frame, name)
    numbers = frame.numbers(name)
    if numbers is not None:
        return numbers
    values = frame.values(name)
    for row, value in enumerate(values):
        missing = value is None or type(value).__name__ in ("NAType", "NaTType")
        if not missing and (isinstance(value, bool) or not isinstance(value, Real)):
            raise InvalidInputError(
                f'row {row}, column "{name}": a number is needed, not {type(value).__name__}; '
                f"convert the column first (rows are counted from 0)"
            )
    plain = [_float(value) if isinstance(value, Real) else math.nan for value in values]
    return np.array(plain, dtype=np.float64)


def _float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that no float holds is too large in any case
        return math.inf


def check_column(frame: Frame, name: Any, advice: str = "") -> None:
    """Refuse the name of a column that is not there.

    Parameters
    ----------
    frame : Frame
        The frame.
    name : str
        A column's name.
    advice : str
        What to do, for the end of the message.

    Raises
    ------
    InvalidInputError
        If it is not there; lists those that are.
    """
    if name not in frame.names:
        found = ", ".join(repr(one) for one in frame.names[:12]) or "none"
        raise InvalidInputError(f"the frame has no column {name!r}; its columns: {found}{advice}")


def names_taken(frame: Frame, names: Sequence[str]) -> None:
    """Refuse to add columns that are there already.

    Parameters
    ----------
    frame : Frame
        The frame.
    names : sequence of str
        The columns to add.

    Raises
    ------
    InvalidInputError
        If one is there; says how to rename them all.
    """
    there = [name for name in names if name in frame.names]
    if there:
        raise InvalidInputError(
            f"the frame already has a column {there[0]!r}; pass prefix=, such as "
            f'prefix="near_", which is put before the name of every column that is added'
        )


_FACES: tuple[tuple[str, tuple[str, ...], Callable[[Any], Frame]], ...] = (
    ("pandas", ("DataFrame",), PandasFrame),
    ("polars", ("DataFrame",), PolarsFrame),
    ("pyarrow", ("Table", "RecordBatch"), ArrowFrame),
)
"""A GeoDataFrame is a pandas DataFrame."""
