"""The face of polars frames; see `ketafind.analysis.frames.Frame`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Codes, Column, Flags, Floats, Rows, pick, pick_all
from ketafind.analysis.crew import ALONE, Crew

__all__ = ["PolarsFrame"]

VIEW = np.dtype("V16")
"""How Arrow and polars store a text in a column: its length, and the text or where it lies."""


class PolarsFrame:
    """A frame that is in memory.

    Parameters
    ----------
    native : polars.DataFrame
        The frame.
    """

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
        found = {name: _stored(self.native[name]) for name in self.native.columns}
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
        return base.with_columns(*(_column(name, one, crew) for name, one in columns.items()))

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


def _stored(series: Any) -> npt.NDArray[Any] | None:
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


def _column(name: str, column: Column, crew: Crew) -> Any:
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
