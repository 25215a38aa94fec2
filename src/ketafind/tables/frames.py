"""Data frames become clinics, and columns become data frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from ketafind.errors import DataError, Fault
from ketafind.files import require
from ketafind.records import Clinic, Evidence, FrozenMapping
from ketafind.tables.clinics import Path, clinics_from_table
from ketafind.tables.csv import Report, Table, header_names
from ketafind.vocabulary import Vocabulary

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd


_SOURCE = "frame (rows counted from 0, as iloc does)"


def clinics_from_frame(
    frame: Any,
    *,
    vocabulary: Vocabulary | None = None,
    evidence: Path | Iterable[Evidence] | None = None,
    check: bool = True,
) -> tuple[Clinic, ...]:
    """Make clinics of a data frame, one row a service, with the checks of `read_clinics`.

    Numbers are accepted for ``lat``, ``lon`` and ``radius_km``, dates for ``checked_on``, bools
    for the yes-no columns, and lists of terms for facets. None, NaN, NA and NaT are blank. An id or
    a text that has become a float is refused: ``007`` may already be 7.0.

    Parameters
    ----------
    frame : pandas, geopandas, polars or pyarrow frame
        Any eager frame that narwhals knows. Its index is not read; the points of a GeoDataFrame
        are ``lat`` and ``lon``, unless it has these columns.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.
    evidence : str or path-like or iterable of Evidence, optional
        A CSV file of evidence, or what `read_evidence` gave, to attach to the clinics.
    check : bool
        Refuse a position of (0, 0), and one that contradicts the row's own province.

    Returns
    -------
    tuple of Clinic
        In the order of their first rows; services in the order of the rows.

    Raises
    ------
    DataError
        With every fault of the frame; rows are counted by position from 0, as ``iloc`` does.
    """
    import narwhals.stable.v2 as nw

    frame = _without_geometry(frame)
    _check(frame)
    try:
        eager = nw.from_native(frame, eager_only=True)
    except TypeError:
        kind = type(frame).__name__
        message = f"{kind} is not a data frame; give a pandas, polars or pyarrow frame"
        raise DataError("frame", [Fault(message)]) from None
    report = Report(_SOURCE)
    names = header_names(eager.columns, report)
    report.refuse()
    columns = [eager[name].to_list() for name in eager.columns]
    table = Table(names, columns, range(len(eager)), range(len(eager)), report, len(eager))
    return clinics_from_table(table, vocabulary, evidence, check=check)


def _without_geometry(frame: Any) -> Any:
    """A frame of GeoPandas as a plain one: its points are lat and lon, unless it has these."""
    if not hasattr(frame, "geom_type") or not hasattr(frame, "to_crs"):
        return frame
    if frame.ndim == 1:
        frame = frame.to_frame("geometry")
    points, plain = frame.geometry, frame.drop(columns=frame.geometry.name)
    if {"lat", "lon"}.issubset(frame.columns):
        return plain
    kinds = set(points.geom_type.dropna()) - {"Point"}
    if points.crs is None or kinds:
        fault = "has no CRS; call set_crs() first" if points.crs is None else "holds no points only"
        raise DataError(_SOURCE, [Fault(f"the geometry {frame.geometry.name!r} {fault}")])
    degrees = points.to_crs("EPSG:4326")
    known = ~(degrees.isna() | degrees.is_empty)
    # The axes of a geometry are always (lon, lat).
    return plain.assign(lat=degrees[known].y, lon=degrees[known].x)


def _check(frame: Any) -> None:
    """Refuse what narwhals would trip over."""
    if hasattr(frame, "collect"):
        raise DataError("frame", [Fault("the frame is lazy; call collect() on it first")])
    # pyarrow's .columns are the data.
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    listed = [] if names is None else list(names)
    odd = [name for name in listed if not isinstance(name, str)]
    if odd:
        message = f"the column name {odd[0]!r} is not text; name the columns in text"
        raise DataError(_SOURCE, [Fault(message)])
    repeated = sorted({name for name in listed if listed.count(name) > 1})
    faults = [
        Fault(f"{listed.count(n)} columns are called {n!r}; rename or drop") for n in repeated
    ]
    if faults:
        raise DataError(_SOURCE, faults)


def frame_from_columns(
    columns: Mapping[str, Any], types: Mapping[str, str] = FrozenMapping()
) -> pd.DataFrame:
    """Make a pandas frame whose column types follow from what the columns hold."""
    import pandas as pd

    made = {name: _series(values, types.get(name, "string")) for name, values in columns.items()}
    return pd.DataFrame(made, columns=list(columns))


def geodataframe_from_columns(
    columns: Mapping[str, Any], types: Mapping[str, str] = FrozenMapping()
) -> gpd.GeoDataFrame:
    """Make a GeoPandas frame of points (extra ``geo``)."""
    geopandas = require("geopandas", "geo")
    import shapely

    points = [
        None if lat is None or lon is None else shapely.Point(lon, lat)
        for lat, lon in zip(columns["lat"], columns["lon"], strict=True)
    ]
    frame = frame_from_columns(columns, types)
    made: gpd.GeoDataFrame = geopandas.GeoDataFrame(frame, geometry=points, crs="EPSG:4326")
    return made


def _series(values: Any, empty: str) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(values, np.ndarray) and values.dtype != object:
        return pd.Series(values)
    # A blank text or list states nothing: it is missing, as None is.
    known: Any = [None if _is_blank(value) else value for value in values]
    kind: Any = _kind(known) if any(value is not None for value in known) else empty
    if kind == "list":
        known = [None if value is None else ";".join(map(str, value)) for value in known]
    if kind == "datetime64[s]":
        return pd.Series(pd.to_datetime(known)).astype(kind)
    if kind in ("list", "string"):
        texts = [None if value is None else str(value) for value in known]
        return pd.Series(texts, dtype="string")
    if all(value is None for value in known):
        return pd.Series(known, dtype=object).astype(pd.api.types.pandas_dtype(kind))
    return pd.Series(known, dtype=kind)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, (str, tuple, list, frozenset)) and not value)


_KINDS: tuple[tuple[type | tuple[type, ...], str, str], ...] = (
    # What the values are -> the type without and with missing ones; bool is an Integral too.
    (bool, "bool", "boolean"),
    (Integral, "int64", "Int64"),
    (Real, "float64", "float64"),
    (date, "datetime64[s]", "datetime64[s]"),
    ((tuple, list, frozenset), "list", "list"),
)


def _kind(values: Sequence[Any]) -> Any:
    present = [value for value in values if value is not None]
    missing = len(present) < len(values)
    for types, whole, with_missing in _KINDS:
        if present and all(isinstance(value, types) for value in present):
            return with_missing if missing else whole
    return "string"
