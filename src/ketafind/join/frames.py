"""Frames of any kind, in and out."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from numbers import Real
from threading import Lock
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import compiled_core
from ketafind.index.checks import check_count
from ketafind.index.kernel import threads_for

__all__ = [
    "ALONE",
    "BLOCK",
    "ArrowFrame",
    "Codes",
    "Column",
    "Copies",
    "Crew",
    "Flags",
    "Floats",
    "Frame",
    "PandasFrame",
    "PolarsFrame",
    "Rows",
    "Texts",
    "Whole",
    "blocks",
    "check_column",
    "code_type",
    "names_taken",
    "numbers_of",
    "open_frame",
    "pick",
    "pick_all",
]


Work = Callable[[slice], object]

BLOCK = 2**17
"""So many numbers are written in one go: they stay in the cache."""


def blocks(n: int, most: int) -> list[slice]:
    """Cut a range into blocks of about one size."""
    count = -(-n // most)
    size = -(-n // count) if count else 1
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


class Crew:
    """Threads for work on blocks of rows that leaves Python alone: searching, copying."""

    def __init__(self, n: int, threads: int | None = None) -> None:
        if threads is None:
            threads = threads_for(n)
        self.threads = check_count(threads, "threads")
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, work: Work, parts: Sequence[slice], done: Work | None = None) -> None:
        """Do work on each part."""
        shift = _Shift(work, parts, done)
        hands = 0 if self._pool is None else min(self.threads, len(parts)) - 1
        helpers = [self._pool.submit(shift.labour) for _ in range(hands) if self._pool]
        try:
            shift.labour()
        finally:
            # An interrupt ends the others, too.
            shift.over = True
            for helper in helpers:
                helper.result()
        if shift.faults:
            raise shift.faults[min(shift.faults)]

    def fill(self, work: Work, n: int, width: int = 1) -> None:
        """Let work write all rows of an array, block by block."""
        self.run(work, blocks(n, max(1, BLOCK // max(1, width))))


class _Shift:
    """One piece of work, and how far it is."""

    def __init__(self, work: Work, parts: Sequence[slice], done: Work | None) -> None:
        self.over = False
        self.faults: dict[int, Exception] = {}
        self._work = work
        self._parts = parts
        self._done = done
        self._next = iter(range(len(parts)))
        self._lock = Lock()

    def labour(self) -> None:
        """Take part after part until none is left."""
        for at in self._numbers():
            try:
                self._work(self._parts[at])
            except Exception as error:  # noqa: BLE001 - raised when all threads have stopped
                self.faults[at] = error
                self.over = True
            if self._done is not None:
                with self._lock:
                    self._done(self._parts[at])

    def _numbers(self) -> Iterator[int]:
        while not self.over:
            with self._lock:
                at = next(self._next, None)
            if at is None:
                return
            yield at


ALONE = Crew(0, 1)
"""The caller's own thread."""


Key = TypeVar("Key", bound=Hashable)
Rows = npt.NDArray[np.intp] | int
"""Which rows, in this order; or every row so many times."""


def pick(array: npt.NDArray[Any], rows: Rows, crew: Crew = ALONE) -> npt.NDArray[Any]:
    """Choose rows of an array; see `pick_all`."""
    return pick_all({0: array}, rows, crew)[0]


def pick_all(
    arrays: Mapping[Key, npt.NDArray[Any]], rows: Rows, crew: Crew = ALONE
) -> dict[Key, npt.NDArray[Any]]:
    """Choose the same rows of several arrays."""
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
    """Arrays in which each value is repeated; filled part by part, on any thread."""

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
    """Different texts, and what a frame's library has made of them: made once, used often."""

    __slots__ = ("_made", "values")

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)
        self._made: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Texts, (self.values,)

    def made(self, library: str, make: Callable[[tuple[str, ...]], Any]) -> Any:
        """Take what was made for a library, or make it."""
        if library not in self._made:
            self._made[library] = make(self.values)
        return self._made[library]


@dataclass(frozen=True, slots=True)
class Codes:
    """Texts, each stored once."""

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
    """Numbers."""

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
    """Whole numbers."""

    values: npt.NDArray[np.int32]
    missing: npt.NDArray[np.bool_] | None

    def take(self, rows: Rows) -> Whole:
        """Choose rows."""
        missing = None if self.missing is None else pick(self.missing, rows)
        return Whole(pick(self.values, rows), missing)


@dataclass(frozen=True, slots=True)
class Flags:
    """Yes or no, always known."""

    values: npt.NDArray[np.bool_]

    def take(self, rows: Rows) -> Flags:
        """Choose rows."""
        return Flags(pick(self.values, rows))


Column = Codes | Floats | Whole | Flags


def code_type(n_texts: int) -> type[np.signedinteger[Any]]:
    """Choose the integer type for codes; the one that pandas would choose."""
    for kind in (np.int8, np.int16):
        if n_texts < np.iinfo(kind).max:
            return kind
    return np.int32


INDEX = "index"
"""The index among columns that are known by their places."""


class PandasFrame:
    """Also GeoPandas; the index is kept, whatever it holds."""

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        """The names of its columns."""
        return list(self.native.columns)

    def __len__(self) -> int:
        return len(self.native)

    def numbers(self, name: str) -> npt.NDArray[np.float64] | None:
        """Read a column of numbers, or None if its type is not numeric."""
        series = self.native[name]
        kind = getattr(series.dtype, "kind", "O")
        if kind not in "iuf":
            return None
        if isinstance(series.dtype, np.dtype):
            return np.asarray(series.to_numpy(), dtype=np.float64)
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))

    def values(self, name: str) -> list[Any]:
        """Read a column as Python values."""
        return list(self.native[name].tolist())

    def stored(self) -> dict[Any, npt.NDArray[Any]]:
        """The columns that are plain numbers in memory, and the index if it is such."""
        import pandas as pd

        if type(self.native) is not pd.DataFrame:
            return {}
        columns = {at: self.native.iloc[:, at] for at in range(self.native.shape[1])}
        parts: dict[Any, Any] = {**columns, INDEX: self.native.index}
        return {at: part.to_numpy() for at, part in parts.items() if _is_plain(part)}

    def extended(
        self,
        columns: Mapping[str, Column],
        rows: Rows | None,
        crew: Crew = ALONE,
        copied: Mapping[Any, npt.NDArray[Any]] | None = None,
    ) -> Any:
        """Make a frame of some rows (None: all) with columns added."""
        import pandas as pd

        base = self.native if rows is None else self._taken(rows, crew, copied)
        made = {name: _pandas_column(column) for name, column in columns.items()}
        # Side by side without a copy: the index is one and the same object.
        new = pd.DataFrame(made, index=base.index, copy=False)
        joined = pd.concat([base, new], axis=1)
        joined.columns.name = self.native.columns.name
        joined.attrs = copy.deepcopy(self.native.attrs)
        return joined

    def _taken(self, rows: Rows, crew: Crew, copied: Mapping[Any, npt.NDArray[Any]] | None) -> Any:
        import pandas as pd

        frame = self.native
        if type(frame) is not pd.DataFrame:
            places = np.arange(len(frame), dtype=np.intp)
            return frame.take(pick(places, rows, crew) if isinstance(rows, int) else rows)
        # Column by column is twice as fast as block by block.
        picked = pick_all(self.stored(), rows, crew) if copied is None else copied
        columns = {
            at: picked[at] if at in picked else _picked(frame.iloc[:, at].array, rows)
            for at in range(frame.shape[1])
        }
        if INDEX in picked:
            index = pd.Index(picked[INDEX], name=frame.index.name, copy=False)
        else:
            index = _picked(frame.index, rows)
        taken = pd.DataFrame(columns, index=index, copy=False)
        taken.columns = frame.columns
        return taken


def _is_plain(part: Any) -> bool:
    import pandas as pd

    plain = type(part) in (pd.Series, pd.Index, pd.RangeIndex) and isinstance(part.dtype, np.dtype)
    return plain and not part.dtype.hasobject


def _picked(values: Any, rows: Rows) -> Any:
    return values.repeat(rows) if isinstance(rows, int) else values.take(rows)


def _pandas_column(column: Column) -> Any:
    import pandas as pd

    if isinstance(column, Codes):
        kind = column.texts.made("pandas", _category)
        codes = column.codes
        if column.only is not None:
            # Unlike full(), zeros() takes new memory that is not written to before it is used.
            codes = np.zeros(len(codes), codes.dtype)
            if column.only != 0:
                codes.fill(column.only)
        return pd.Categorical.from_codes(codes, dtype=kind, validate=False)
    if isinstance(column, Floats | Flags):
        return column.values
    none = column.missing
    return pd.arrays.IntegerArray(
        column.values, np.zeros(len(column.values), np.bool_) if none is None else none
    )


def _category(texts: tuple[str, ...]) -> Any:
    import pandas as pd

    # As pandas itself would store texts: that depends on its version and options.
    kind = pd.Series(["text"]).dtype
    return pd.CategoricalDtype(pd.Index(texts, dtype=kind))


VIEW = np.dtype("V16")
"""How Arrow and polars store a text in a column: its length, and the text or where it lies."""


class PolarsFrame:
    """A frame that is in memory."""

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        """The names of its columns."""
        return list(self.native.columns)

    def __len__(self) -> int:
        return int(self.native.height)

    def numbers(self, name: str) -> npt.NDArray[np.float64] | None:
        """Read a column of numbers, or None if its type is not numeric."""
        import polars as pl

        series = self.native[name]
        if not series.dtype.is_numeric():
            return None
        return np.asarray(series.cast(pl.Float64).to_numpy())

    def values(self, name: str) -> list[Any]:
        """Read a column as Python values."""
        return list(self.native[name].to_list())

    def stored(self) -> dict[str, npt.NDArray[Any]]:
        """The columns that are plain numbers in memory."""
        found = {name: _polars_stored(self.native[name]) for name in self.native.columns}
        return {name: numbers for name, numbers in found.items() if numbers is not None}

    def extended(
        self,
        columns: Mapping[str, Column],
        rows: Rows | None,
        crew: Crew = ALONE,
        copied: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Any:
        """Make a frame of some rows (None: all) with columns added."""
        base = self.native if rows is None else self._taken(rows, crew, copied)
        return base.with_columns(
            *(_polars_column(name, one, crew) for name, one in columns.items())
        )

    def _taken(self, rows: Rows, crew: Crew, copied: Mapping[str, npt.NDArray[Any]] | None) -> Any:
        import polars as pl

        frame = self.native
        picked = pick_all(self.stored(), rows, crew) if copied is None else copied
        others = [name for name in frame.columns if name not in picked]
        if others:
            taken = frame.select(others)[_places(rows, len(frame), crew)]
        chosen = [
            pl.Series(name, picked[name]).cast(kind) if name in picked else taken[name]
            for name, kind in frame.schema.items()
        ]
        return pl.DataFrame(chosen)


def _polars_stored(series: Any) -> npt.NDArray[Any] | None:
    """The numbers that a column is stored as, if they and its type are all of it."""
    import polars as pl

    signed = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
    unsigned = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
    times = (pl.Date, pl.Time, pl.Datetime, pl.Duration)
    kinds: tuple[Any, ...] = (*signed, *unsigned, *times, pl.Float32, pl.Float64)
    if series.dtype.base_type() not in kinds or series.null_count():
        return None
    return np.asarray(series.to_physical().to_numpy())


def _places(rows: Rows, n: int, crew: Crew) -> npt.NDArray[np.intp]:
    return pick(np.arange(n, dtype=np.intp), rows, crew) if isinstance(rows, int) else rows


def _polars_column(name: str, column: Column, crew: Crew) -> Any:
    import polars as pl

    if isinstance(column, Codes):
        return _texts(name, column, crew)
    if isinstance(column, Floats):
        return pl.Series(name, column.values, nan_to_null=column.some_missing)
    if isinstance(column, Flags):
        return pl.Series(name, column.values)
    series = pl.Series(name, column.values)
    return series if column.missing is None else _with_nulls(series, column.missing)


def _texts(name: str, column: Codes, crew: Crew) -> Any:
    import polars as pl

    only = column.only
    if only is not None:
        text = None if only < 0 else column.texts.values[only]
        # Polars itself stores a value that all rows share once.
        return pl.lit(text, dtype=pl.String).alias(name)
    if find_spec("pyarrow") is not None:
        return pl.Series(name, _arrow_texts(column, crew))
    # One null after the texts is what -1 finds.
    texts = column.texts.made("polars", lambda t: pl.Series([*t, None], dtype=pl.String))
    places = np.where(column.codes < 0, len(column.texts), column.codes)
    return texts.gather(pl.Series(places.astype(np.uint32))).alias(name)


def _arrow_texts(column: Codes, crew: Crew) -> Any:
    """Texts as Arrow's views, on several threads; polars takes them as they are."""
    import pyarrow as pa

    views, data = column.texts.made("views", _views)
    codes = column.codes
    laid = pick(views, codes, crew)
    known = _bits(codes >= 0) if len(codes) and int(codes.min()) < 0 else None
    buffers = [known, pa.py_buffer(laid), *data]
    return pa.Array.from_buffers(pa.string_view(), len(codes), buffers)


def _views(texts: tuple[str, ...]) -> tuple[npt.NDArray[np.void], list[Any]]:
    import pyarrow as pa

    # An empty text at the end is what -1 finds.
    _, views, *data = pa.array([*texts, ""], pa.string_view()).buffers()
    return np.frombuffer(views, VIEW, len(texts) + 1), data


def _bits(flags: npt.NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _with_nulls(series: Any, missing: npt.NDArray[np.bool_]) -> Any:
    import polars as pl

    none = pl.Series([None], dtype=series.dtype)
    return series.zip_with(pl.Series(~missing), none).alias(series.name)


class ArrowFrame:
    """A table or a record batch."""

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def names(self) -> list[Any]:
        """The names of its columns."""
        return list(self.native.schema.names)

    def __len__(self) -> int:
        return int(self.native.num_rows)

    def numbers(self, name: str) -> npt.NDArray[np.float64] | None:
        """Read a column of numbers, or None if its type is not numeric."""
        import pyarrow as pa

        column = self.native.column(name)
        kind = column.type
        decimal = pa.types.is_decimal(kind)
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or decimal):
            return None
        column = _whole(column)
        if kind != pa.float64():
            column = column.cast(pa.float64(), safe=False)
        return np.asarray(column.to_numpy(zero_copy_only=False))

    def values(self, name: str) -> list[Any]:
        """Read a column as Python values."""
        return list(self.native.column(name).to_pylist())

    def stored(self) -> dict[int, npt.NDArray[Any]]:
        """The columns that are plain numbers in memory, by their places."""
        found = {at: _arrow_stored(column) for at, column in enumerate(self.native.columns)}
        return {at: numbers for at, numbers in found.items() if numbers is not None}

    def extended(
        self,
        columns: Mapping[str, Column],
        rows: Rows | None,
        crew: Crew = ALONE,
        copied: Mapping[int, npt.NDArray[Any]] | None = None,
    ) -> Any:
        """Make a frame of some rows (None: all) with columns added."""
        import pyarrow as pa

        base = self.native
        kept = base.columns if rows is None else self._taken(rows, crew, copied)
        made = {name: _arrow_column(column) for name, column in columns.items()}
        fields = [*base.schema, *(pa.field(name, array.type) for name, array in made.items())]
        schema = pa.schema(fields, metadata=base.schema.metadata)
        return type(base).from_arrays([*kept, *made.values()], schema=schema)

    def _taken(
        self, rows: Rows, crew: Crew, copied: Mapping[int, npt.NDArray[Any]] | None
    ) -> list[Any]:
        import pyarrow as pa

        columns = self.native.columns
        picked = pick_all(self.stored(), rows, crew) if copied is None else copied
        if len(picked) < len(columns):
            places = np.arange(len(self), dtype=np.intp)
            which = pa.array(pick(places, rows, crew) if isinstance(rows, int) else rows)
        return [
            _array(picked[at], column.type) if at in picked else _chosen(column, which)
            for at, column in enumerate(columns)
        ]


def _chosen(column: Any, which: Any) -> Any:
    import pyarrow as pa

    # Rows of views cannot be chosen yet; casting to what they view costs little.
    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    if column.type not in plain:
        return column.take(which)
    return column.cast(plain[column.type]).take(which).cast(column.type)


def _whole(column: Any) -> Any:
    """A column as one array."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _arrow_stored(column: Any) -> npt.NDArray[Any] | None:
    """The numbers that a column is stored as, if they and its type are all of it."""
    import pyarrow as pa

    kind = column.type
    known = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind)
    if not known or kind.bit_width > 64 or column.null_count or not len(column):
        return None
    array = _whole(column)
    numbers = np.dtype(f"u{kind.bit_width // 8}")
    return np.frombuffer(array.buffers()[1], numbers, len(array), array.offset * numbers.itemsize)


def _array(numbers: npt.NDArray[Any], kind: Any) -> Any:
    import pyarrow as pa

    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(numbers)])


def _arrow_column(column: Column) -> Any:
    import pyarrow as pa

    if isinstance(column, Codes):
        texts = column.texts.made("pyarrow", lambda t: pa.array(t, pa.string()))
        # What was made from the texts needs no check.
        return pa.DictionaryArray.from_arrays(_codes(column), texts, safe=False)
    if isinstance(column, Floats):
        return pa.array(column.values, from_pandas=column.some_missing)
    if isinstance(column, Flags):
        return pa.array(column.values)
    return pa.array(column.values, mask=column.missing)


def _codes(column: Codes) -> Any:
    import pyarrow as pa

    codes, only = column.codes, column.only
    if only is not None and only < 0:
        return pa.nulls(len(codes), pa.from_numpy_dtype(codes.dtype))
    if only is not None:
        return pa.array(np.array(codes))
    missing = codes < 0
    return pa.array(codes, mask=missing if missing.any() else None)


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
        """Make a frame of some rows (None: all) with columns added, of the same type."""
        ...


def open_frame(frame: Any) -> Frame:
    """Find the face for a frame."""
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
    """Read a column of numbers strictly."""
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
    """Refuse the name of a column that is not there."""
    if name not in frame.names:
        found = ", ".join(repr(one) for one in frame.names[:12]) or "none"
        raise InvalidInputError(f"the frame has no column {name!r}; its columns: {found}{advice}")


def names_taken(frame: Frame, names: Sequence[str]) -> None:
    """Refuse to add columns that are there already."""
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
