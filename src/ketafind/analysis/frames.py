"""Pandas, polars and pyarrow frames behind one small face: read a column, add columns."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Codes, Column, Flags, Floats, Rows
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

    def extended(self, columns: Mapping[str, Column], rows: Rows | None) -> Any:
        """Make a frame of some rows (None: all) with columns added, of the same type."""
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
        kind = f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"
        lazy = "; call collect() on it first" if hasattr(frame, "collect") else ""
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
    plain = [float(value) if isinstance(value, Real) else math.nan for value in values]
    return np.array(plain, dtype=np.float64)


def check_column(frame: Frame, name: Any) -> None:
    """Refuse the name of a column that is not there.

    Parameters
    ----------
    frame : Frame
        The frame.
    name : str
        A column's name.

    Raises
    ------
    InvalidInputError
        If it is not there; lists those that are.
    """
    if name not in frame.names:
        found = ", ".join(repr(one) for one in frame.names[:12]) or "none"
        raise InvalidInputError(f"the frame has no column {name!r}; its columns: {found}")


class _Pandas:
    """Also GeoPandas; the index is kept, whatever it holds."""

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        return list(self.native.columns)

    def __len__(self) -> int:
        return len(self.native)

    def numbers(self, name: str) -> Numbers | None:
        series = self.native[name]
        kind = getattr(series.dtype, "kind", "O")
        if kind not in "iuf":
            return None
        if isinstance(series.dtype, np.dtype):
            return np.asarray(series.to_numpy(), dtype=np.float64)
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))

    def values(self, name: str) -> list[Any]:
        return list(self.native[name].tolist())

    def extended(self, columns: Mapping[str, Column], rows: Rows | None) -> Any:
        import pandas as pd

        base = self.native if rows is None else _pandas_rows(self.native, rows)
        made = {name: _pandas_column(column) for name, column in columns.items()}
        # Side by side without a copy: the index is one and the same object.
        new = pd.DataFrame(made, index=base.index, copy=False)
        joined = pd.concat([base, new], axis=1)
        joined.attrs = dict(self.native.attrs)
        return joined


def _places(rows: Rows, n: int) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(n, dtype=np.intp), rows) if isinstance(rows, int) else rows


def _picked(values: Any, rows: Rows) -> Any:
    """The same for arrays, pandas' own arrays and indexes."""
    return values.repeat(rows) if isinstance(rows, int) else values.take(rows)


def _pandas_rows(frame: Any, rows: Rows) -> Any:
    import pandas as pd

    if type(frame) is not pd.DataFrame:
        return frame.take(_places(rows, len(frame)))
    # Column by column is twice as fast as block by block.
    columns = {}
    for at in range(frame.shape[1]):
        column = frame.iloc[:, at]
        plain = isinstance(column.dtype, np.dtype)
        columns[at] = _picked(column.to_numpy() if plain else column.array, rows)
    taken = pd.DataFrame(columns, index=_picked(frame.index, rows), copy=False)
    taken.columns = frame.columns
    return taken


def _pandas_column(column: Column) -> Any:
    import pandas as pd

    if isinstance(column, Codes):
        kind = column.texts.made("pandas", _category)
        return pd.Categorical.from_codes(column.codes, dtype=kind, validate=False)
    if isinstance(column, Floats | Flags):
        return column.values
    return pd.arrays.IntegerArray(column.values, column.missing)


def _category(texts: tuple[str, ...]) -> Any:
    import pandas as pd

    # As pandas itself would store texts: that depends on its version and options.
    kind = pd.Series(["text"]).dtype
    return pd.CategoricalDtype(pd.Index(texts, dtype=kind))


class _Polars:
    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        return list(self.native.columns)

    def __len__(self) -> int:
        return int(self.native.height)

    def numbers(self, name: str) -> Numbers | None:
        import polars as pl

        series = self.native[name]
        if not series.dtype.is_numeric():
            return None
        return np.asarray(series.cast(pl.Float64).to_numpy())

    def values(self, name: str) -> list[Any]:
        return list(self.native[name].to_list())

    def extended(self, columns: Mapping[str, Column], rows: Rows | None) -> Any:
        import polars as pl

        base = self.native if rows is None else self.native[_places(rows, len(self))]
        made = [_polars_column(name, column) for name, column in columns.items()]
        return base.hstack(made) if made else base.select(pl.all())


def _polars_column(name: str, column: Column) -> Any:
    import polars as pl

    if isinstance(column, Codes):
        first = int(column.codes[0]) if len(column.codes) else -1
        if (column.codes == first).all():
            text = None if first < 0 else column.texts.values[first]
            return pl.repeat(text, len(column.codes), dtype=pl.String, eager=True).alias(name)
        # One null after the texts is what -1 finds.
        texts = column.texts.made("polars", lambda t: pl.Series([*t, None], dtype=pl.String))
        places = np.where(column.codes < 0, len(column.texts), column.codes)
        return texts.gather(pl.Series(places.astype(np.uint32))).alias(name)
    if isinstance(column, Floats):
        return pl.Series(name, column.values, nan_to_null=bool(np.isnan(column.values).any()))
    if isinstance(column, Flags):
        return pl.Series(name, column.values)
    series = pl.Series(name, column.values)
    return _with_nulls(series, column.missing) if column.missing.any() else series


def _with_nulls(series: Any, missing: npt.NDArray[np.bool_]) -> Any:
    import polars as pl

    none = pl.Series([None], dtype=series.dtype)
    return series.zip_with(pl.Series(~missing), none).alias(series.name)


class _Arrow:
    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        return list(self.native.schema.names)

    def __len__(self) -> int:
        return int(self.native.num_rows)

    def numbers(self, name: str) -> Numbers | None:
        import pyarrow as pa

        column = self.native.column(name)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_decimal(kind)):
            return None
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if kind != pa.float64():
            column = column.cast(pa.float64(), safe=False)
        return np.asarray(column.to_numpy(zero_copy_only=False))

    def values(self, name: str) -> list[Any]:
        return list(self.native.column(name).to_pylist())

    def extended(self, columns: Mapping[str, Column], rows: Rows | None) -> Any:
        import pyarrow as pa

        base = self.native if rows is None else self.native.take(pa.array(_places(rows, len(self))))
        made = {name: _arrow_column(column) for name, column in columns.items()}
        arrays = [*base.columns, *made.values()]
        fields = [*base.schema, *(pa.field(name, array.type) for name, array in made.items())]
        schema = pa.schema(fields, metadata=base.schema.metadata)
        return type(base).from_arrays(arrays, schema=schema)


def _is_decimal(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind))


def _arrow_column(column: Column) -> Any:
    import pyarrow as pa

    if isinstance(column, Codes):
        texts = column.texts.made("pyarrow", lambda t: pa.array(t, pa.string()))
        missing = column.codes < 0
        codes = pa.array(column.codes, mask=missing if missing.any() else None)
        return pa.DictionaryArray.from_arrays(codes, texts)
    if isinstance(column, Floats):
        return pa.array(column.values, from_pandas=bool(np.isnan(column.values).any()))
    if isinstance(column, Flags):
        return pa.array(column.values)
    return pa.array(column.values, mask=column.missing if column.missing.any() else None)


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
    ("pandas", ("DataFrame",), _Pandas),
    ("polars", ("DataFrame",), _Polars),
    ("pyarrow", ("Table", "RecordBatch"), _Arrow),
)
"""A GeoDataFrame is a pandas DataFrame."""
