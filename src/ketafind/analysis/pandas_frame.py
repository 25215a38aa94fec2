"""The face of pandas and GeoPandas frames; see `ketafind.analysis.frames.Frame`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Codes, Column, Flags, Floats, Rows, pick, pick_all
from ketafind.analysis.crew import ALONE, Crew

__all__ = ["PandasFrame"]

INDEX = "index"
"""The index among columns that are known by their places."""


class PandasFrame:
    """Also GeoPandas; the index is kept, whatever it holds.

    Parameters
    ----------
    native : pandas.DataFrame
        The frame.
    """

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
        made = {name: _column(column) for name, column in columns.items()}
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


def _column(column: Column) -> Any:
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
