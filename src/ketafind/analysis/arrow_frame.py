"""The face of pyarrow tables and batches; see `ketafind.analysis.frames.Frame`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Codes, Column, Flags, Floats, Rows, pick, pick_all
from ketafind.analysis.crew import ALONE, Crew

__all__ = ["ArrowFrame"]


class ArrowFrame:
    """A table or a record batch.

    Parameters
    ----------
    native : pyarrow.Table or pyarrow.RecordBatch
        The frame.
    """

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
        found = {at: _stored(column) for at, column in enumerate(self.native.columns)}
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
        made = {name: _column(column) for name, column in columns.items()}
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


def _stored(column: Any) -> npt.NDArray[Any] | None:
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


def _column(column: Column) -> Any:
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
