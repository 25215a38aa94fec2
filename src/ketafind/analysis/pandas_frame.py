"""The face of pandas and GeoPandas frames; see `ketafind.analysis.frames.Frame`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import Codes, Column, Flags, Floats, Rows, pick, pick_all
from ketafind.analysis.crew import ALONE, Crew

__all__ = ["PandasFrame"]


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

    def extended(self, columns: Mapping[str, Column], rows: Rows | None, crew: Crew = ALONE) -> Any:
        """Make a frame of some rows (None: all) with columns added."""
        import pandas as pd

        base = self.native if rows is None else _rows(self.native, rows, crew)
        made = {name: _column(column) for name, column in columns.items()}
        # Side by side without a copy: the index is one and the same object.
        new = pd.DataFrame(made, index=base.index, copy=False)
        joined = pd.concat([base, new], axis=1)
        joined.attrs = dict(self.native.attrs)
        return joined


def _rows(frame: Any, rows: Rows, crew: Crew) -> Any:
    import pandas as pd

    if type(frame) is not pd.DataFrame:
        places = np.arange(len(frame), dtype=np.intp)
        return frame.take(pick(places, rows, crew) if isinstance(rows, int) else rows)
    # Column by column is twice as fast as block by block.
    columns = [frame.iloc[:, at] for at in range(frame.shape[1])]
    *values, index = _picked([*columns, frame.index], rows, crew)
    taken = pd.DataFrame(dict(enumerate(values)), index=index, copy=False)
    taken.columns = frame.columns
    return taken


def _picked(columns: list[Any], rows: Rows, crew: Crew) -> list[Any]:
    """Choose rows of columns and indexes: of plain numbers together, of others by their own."""
    import pandas as pd

    plain = {
        at: column.to_numpy()
        for at, column in enumerate(columns)
        if type(column) in (pd.Series, pd.Index, pd.RangeIndex)
        and isinstance(column.dtype, np.dtype)
        and not column.dtype.hasobject
    }
    picked: dict[int, Any] = dict(
        zip(plain, pick_all(list(plain.values()), rows, crew), strict=True)
    )
    for at, column in enumerate(columns):
        if at not in picked:
            values = column.array if isinstance(column, pd.Series) else column
            picked[at] = values.repeat(rows) if isinstance(rows, int) else values.take(rows)
        elif isinstance(column, pd.Index):
            picked[at] = pd.Index(picked[at], name=column.name, copy=False)
    return [picked[at] for at in range(len(columns))]


def _column(column: Column) -> Any:
    import pandas as pd

    if isinstance(column, Codes):
        kind = column.texts.made("pandas", _category)
        codes = np.array(column.codes) if column.only is not None else column.codes
        return pd.Categorical.from_codes(codes, dtype=kind, validate=False)
    if isinstance(column, Floats | Flags):
        return column.values
    return pd.arrays.IntegerArray(column.values, column.missing)


def _category(texts: tuple[str, ...]) -> Any:
    import pandas as pd

    # As pandas itself would store texts: that depends on its version and options.
    kind = pd.Series(["text"]).dtype
    return pd.CategoricalDtype(pd.Index(texts, dtype=kind))
