"""Frames of pandas, GeoPandas, polars and pyarrow: what is read from them and what is added."""

from __future__ import annotations

import copy
import sys
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError, shown
from ketafind.files import in_memory, is_missing, require
from ketafind.geo import real
from ketafind.index.protocol import Floats

Part = TypeVar("Part")
Result = TypeVar("Result")


def on_threads(
    work: Callable[[Part], Result], parts: Sequence[Part], threads: int
) -> Iterator[Result]:
    """Do work on each part; results come in the order of the parts, and so does the first error."""
    if min(threads, len(parts)) < 2:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, parts)


def slices(n: int, most: int) -> list[slice]:
    """Cut a range into parts of about one size."""
    count = -(-n // most)
    size = -(-n // count) if count else 1
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


BLOCK = 2**17
"""Rows that are worked on in one go: they stay in the cache."""

Times = int | npt.NDArray[np.intp]
"""How often each row comes: one number for all, or one for each."""


class Texts:
    """Different texts; what a library makes of them is made once and used often."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values: tuple[str, ...] = tuple(values)

    @cached_property
    def of_pandas(self) -> Any:
        import pandas as pd

        # As pandas itself would store texts: that depends on its version and options.
        kind = pd.Series(["text"]).dtype
        return pd.CategoricalDtype(pd.Index(self.values, dtype=kind))

    @cached_property
    def of_arrow(self) -> Any:
        import pyarrow as pa

        return pa.array(self.values, pa.string())

    @cached_property
    def of_views(self) -> tuple[npt.NDArray[np.complex128], list[Any]]:
        """Arrow's views and the texts they are of; the last view, of "", is what -1 finds."""
        import pyarrow as pa

        _, views, *data = pa.array([*self.values, ""], pa.string_view()).buffers()
        # A view has sixteen bytes, which numpy copies fastest as complex numbers.
        return np.frombuffer(views, np.complex128, len(self.values) + 1), data


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of texts by their numbers; -1 is missing."""

    numbers: npt.NDArray[np.signedinteger[Any]]
    texts: Texts

    @classmethod
    def same(cls, number: int, n: int, texts: Texts) -> Codes:
        """Make n rows of one text."""
        return cls(np.broadcast_to(np.int8(number), n), texts)

    def repeat(self, times: Times) -> Codes:
        """Give each row that often."""
        if isinstance(times, int) and self.same_text:
            return Codes(np.broadcast_to(self.numbers[:1], len(self.numbers) * times), self.texts)
        return Codes(self.numbers.repeat(times), self.texts)

    @property
    def same_text(self) -> bool:
        """Whether it was made by `same`."""
        return bool(len(self.numbers)) and not any(self.numbers.strides)

    @property
    def missing(self) -> npt.NDArray[np.bool_] | None:
        """Which rows have no text, if any."""
        gone = len(self.numbers) > 0 and self.numbers.min() < 0
        return self.numbers < 0 if gone else None


Column = npt.NDArray[Any] | Codes
"""Numbers (NaN is missing), flags or whole numbers (masked arrays), or texts."""


def repeated(column: Any, times: Times) -> Any:
    """Repeat the rows of a column or of a part of a frame."""
    return column if isinstance(times, int) and times == 1 else column.repeat(times)


def code_type(n_texts: int) -> type[np.signedinteger[Any]]:
    """Choose the integer type for codes; the one that pandas would choose."""
    for kind in (np.int8, np.int16):
        if n_texts < np.iinfo(kind).max:
            return kind
    return np.int32


class Frame:
    """A frame in memory, as narwhals reads it."""

    def __init__(self, native: Any, table: Any) -> None:
        self.native = native
        self._table = table

    @property
    def names(self) -> list[Any]:
        """The names of its columns."""
        return list(self._table.columns)

    def __len__(self) -> int:
        return len(self._table)

    def values(self, name: Any) -> list[Any]:
        """Read a column as Python values."""
        return list(self._table.get_column(name).to_list())

    def numbers(self, name: Any) -> Floats:
        """Read a column of numbers strictly."""
        self.check_column(name)
        column = self._table.get_column(name)
        if column.dtype.is_numeric():
            if self._table.implementation.is_polars():
                import narwhals.stable.v2 as nw

                column = column.cast(nw.Float64)  # numpy has no type for some of its integers
            return np.asarray(column.to_numpy(), dtype=np.float64)
        values = column.to_list()
        for row, value in enumerate(values):
            if not is_missing(value) and (isinstance(value, bool) or not isinstance(value, Real)):
                raise InvalidInputError(
                    f'row {row}, column "{name}": a number is needed, not {type(value).__name__}; '
                    f"convert the column first (rows are counted from 0)"
                )
        return np.array([real(value) for value in values], dtype=np.float64)

    def check_column(self, name: Any, advice: str = "") -> None:
        """Refuse the name of a column that is not there."""
        if not isinstance(name, Hashable) or name not in self.names:
            found = ", ".join(repr(one) for one in self.names[:12]) or "none"
            raise InvalidInputError(
                f"the frame has no column {shown(name)}; its columns: {found}{advice}"
            )

    def _check_new(self, names: Iterable[str]) -> None:
        """Refuse to add columns that are there already."""
        there = [name for name in names if name in self.names]
        if there:
            raise InvalidInputError(
                f"the frame already has a column {there[0]!r}; pass prefix=, such as "
                f'prefix="near_", which is put before the name of every column that is added'
            )

    def extended(self, columns: Mapping[str, Column], times: Times = 1, threads: int = 1) -> Any:
        """Make a frame of the same type, with rows repeated and columns added."""
        self._check_new(columns)
        kind, once = self._table.implementation, isinstance(times, int) and times == 1
        if kind.is_pandas():
            base = self.native if once else _repeat_pandas(self.native, times, threads)
            return _extend_pandas(self.native, base, columns)
        # Polars numbers its rows so, and need not look for negative ones.
        number = np.uint32 if kind.is_polars() and len(self) < 2**32 else np.int64
        base = self if once else self.chosen(np.arange(len(self), dtype=number).repeat(times))
        if kind.is_polars():
            added = (_polars_column(name, columns[name], threads) for name in columns)
            return base.native.with_columns(*added)
        table = _as_table(base.native)
        for name, column in columns.items():
            table = table.append_column(name, _arrow_column(column))
        if isinstance(self.native, type(table)):
            return table
        parts = [column.combine_chunks() for column in table.columns]
        return type(self.native).from_arrays(parts, schema=table.schema)

    def chosen(self, rows: npt.NDArray[Any]) -> Frame:
        """Make a frame of these rows, in this order."""
        kind = self._table.implementation
        if kind.is_pandas():
            return open_frame(self.native.take(rows))
        if kind.is_polars():
            return open_frame(self.native[rows])
        return open_frame(_arrow_rows(_as_table(self.native), rows))


def column_names(frame: Any) -> list[Any]:
    """The names of the columns of any frame."""
    named = hasattr(frame, "column_names")
    return list(frame.column_names if named else getattr(frame, "columns", ()))


def open_frame(frame: Any) -> Frame:
    """Read a frame, or refuse what is not one."""
    import narwhals.stable.v2 as nw
    from narwhals.exceptions import DuplicateError

    frame = in_memory(frame)
    try:
        table = nw.from_native(_as_table(frame), eager_only=True)
    except DuplicateError:
        names = list(getattr(frame, "column_names", frame.columns))
        name = next(name for at, name in enumerate(names) if name in names[:at])
        raise InvalidInputError(f"two columns are called {name!r}; rename or drop one") from None
    except TypeError:
        package = type(frame).__module__.partition(".")[0].replace("builtins", "")
        kind = f"{package} {type(frame).__name__}".strip()
        # Spark's collect() gives rows, Dask's and polars' own calls give a frame.
        calls = (call for call in ("toArrow", "compute", "collect") if hasattr(frame, call))
        lazy = "".join(f"; call {call}() on it first" for call in [*calls][:1])
        raise InvalidInputError(
            f"{kind} is not a frame that can be joined; give a pandas, geopandas or polars "
            f"DataFrame, or a pyarrow Table{lazy}"
        ) from None
    return Frame(frame, table)


def _extend_pandas(frame: Any, base: Any, columns: Mapping[str, Column]) -> Any:
    import pandas as pd

    added = {name: _pandas_column(column) for name, column in columns.items()}
    # Side by side without a copy: the index is one and the same object.
    joined = pd.concat([base, pd.DataFrame(added, index=base.index, copy=False)], axis=1)
    joined.columns.name = frame.columns.name
    joined.attrs = copy.deepcopy(frame.attrs)
    return joined


def _repeat_pandas(frame: Any, times: Times, threads: int) -> Any:
    """Repeat rows column by column, much faster than `take`, which goes block by block."""
    import pandas as pd

    if type(frame) is not pd.DataFrame:
        return frame.take(np.arange(len(frame)).repeat(times))
    series = (frame.iloc[:, at] for at in range(frame.shape[1]))
    parts = [s.to_numpy() if isinstance(s.dtype, np.dtype) else s.array for s in series]
    index, *columns = on_threads(lambda part: part.repeat(times), [frame.index, *parts], threads)
    made = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
    made.columns = frame.columns
    return made


def _pandas_column(column: Column) -> Any:
    import pandas as pd

    if isinstance(column, Codes):
        numbers = column.numbers
        if column.same_text:
            # New zeros are not written to before they are used.
            numbers = np.zeros(len(numbers), np.int8)
            if column.numbers[0]:
                numbers[:] = column.numbers[0]
        return pd.Categorical.from_codes(numbers, dtype=column.texts.of_pandas, validate=False)
    if isinstance(column, np.ma.MaskedArray):
        kinds = pd.arrays.BooleanArray, pd.arrays.IntegerArray
        return kinds[column.dtype != np.bool_](column.data, np.ma.getmaskarray(column))
    return column


def _polars_column(name: str, column: Column, threads: int) -> Any:
    import polars as pl

    require("pyarrow", "polars")
    if not isinstance(column, Codes):
        return pl.Series(name, _arrow_column(column))
    if column.same_text:
        # Polars itself stores a value that all rows share once.
        return pl.lit([*column.texts.values, None][column.numbers[0]], pl.String).alias(name)
    return pl.Series(name, _text_views(column, threads))


def _arrow_column(column: Column) -> Any:
    import pyarrow as pa

    if isinstance(column, Codes):
        return _arrow_codes(column)
    if isinstance(column, np.ma.MaskedArray):
        return pa.array(column.data, mask=column.mask if np.any(column.mask) else None)
    # To look for a gap first is much faster than to let Arrow look.
    return pa.array(column, from_pandas=bool(len(column)) and bool(np.isnan(column.min())))


def _arrow_codes(column: Codes) -> Any:
    import pyarrow as pa

    numbers, texts = column.numbers, column.texts.of_arrow
    if column.same_text:
        kind = pa.dictionary(pa.int8(), pa.string())
        if numbers[0] < 0:
            return pa.nulls(len(numbers), kind)
        numbers = np.full(len(numbers), numbers[0])
    # What was made from the texts needs no check.
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=column.missing), texts, safe=False)


def _text_views(column: Codes, threads: int) -> Any:
    """Texts as polars itself stores them: made much faster than its `gather` makes them."""
    import pyarrow as pa

    views, data = column.texts.of_views
    made, missing = np.empty(len(column.numbers), views.dtype), column.missing

    def fill(part: slice) -> None:
        np.take(views, column.numbers[part], out=made[part], mode="wrap")

    # What takes longest is that the new memory is touched.
    deque(on_threads(fill, slices(len(made), BLOCK), threads), maxlen=0)
    known = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    buffers = [known, pa.py_buffer(made), *data]
    return pa.Array.from_buffers(pa.string_view(), len(made), buffers)


def _as_table(frame: Any) -> Any:
    """A record batch as a table, which narwhals knows."""
    pa = sys.modules.get("pyarrow")
    batch = pa is not None and isinstance(frame, pa.RecordBatch)
    return pa.Table.from_batches([frame]) if pa is not None and batch else frame


def _arrow_rows(table: Any, rows: npt.NDArray[np.intp]) -> Any:
    import pyarrow as pa

    # Rows of views cannot be chosen yet; casting to what they view costs little.
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    chosen, taken = pa.array(rows), []
    for column in table.columns:
        viewed = plain.get(column.type)
        part = (column.cast(viewed) if viewed else column).take(chosen)
        taken.append(part.cast(column.type) if viewed else part)
    return pa.table(taken, schema=table.schema)
