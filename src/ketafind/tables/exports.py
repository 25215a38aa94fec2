"""Columns become CSV text or GeoJSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from numbers import Integral, Real
from typing import Any

from ketafind.coordinates import Coordinates
from ketafind.errors import InvalidInputError
from ketafind.tables.writing import csv_rows

__all__ = ["csv_text", "geojson", "geojson_text"]


def geojson(
    columns: Mapping[str, Sequence[Any]],
    *,
    lat: str = "lat",
    lon: str = "lon",
    key: str | None = "clinic_id",
    **members: str,
) -> dict[str, Any]:
    """Make a feature collection of points, one feature a row, in the same order.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns; all but the position become properties.
    lat, lon : str
        The columns of the position, in decimal degrees; both None in a row that has none.
    key : str or None
        The column of the feature's id, where there is one; it stays among the properties.
    **members : str
        What else to say of the collection, such as ``snapshot="..."``.

    Returns
    -------
    dict
        Plain data: positions as longitude, latitude; null geometry where there is no position.

    Raises
    ------
    InvalidInputError
        If a number is NaN or infinite, or a value has no form in JSON.
    CoordinatesError
        If a position is none.

    Notes
    -----
    H. Butler et al., RFC 7946, The GeoJSON Format (2016).
    """
    features = []
    for at, row in enumerate(zip(*columns.values(), strict=True)):
        record = dict(zip(columns, row, strict=True))
        point = _point(record.pop(lat, None), record.pop(lon, None))
        properties = {name: _plain(cell, f"row {at}, {name!r}") for name, cell in record.items()}
        feature = {"type": "Feature", "geometry": point, "properties": properties}
        if key is not None and properties.get(key) is not None:
            feature["id"] = properties[key]
        features.append(feature)
    return {"type": "FeatureCollection", "features": features, **members}


def geojson_text(collection: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Write a feature collection as text.

    Parameters
    ----------
    collection : mapping
        As `geojson` gives it.
    indent : int or None
        Spaces a level; None for one line.

    Returns
    -------
    str
        JSON in Unicode.

    Raises
    ------
    InvalidInputError
        If a number in it is NaN or infinite.
    """
    try:
        return json.dumps(collection, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise InvalidInputError(
            f"this is no JSON: {error}; NaN and infinity have no form"
        ) from None


def _point(lat: Any, lon: Any) -> dict[str, Any] | None:
    if lat is None and lon is None:
        return None
    place = Coordinates(lat=lat, lon=lon)
    return {"type": "Point", "coordinates": [place.lon, place.lat]}


def _plain(value: Any, where: str) -> Any:
    """Turn a value into what JSON has."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            raise InvalidInputError(f"{where}: {number} has no form in GeoJSON; give None")
        return number
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item, where) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, where) for item in value]
    if isinstance(value, (set, frozenset)):
        return [_plain(item, where) for item in sorted(value)]
    if hasattr(value, "item"):  # numpy's bool and the like
        return _plain(value.item(), where)
    raise InvalidInputError(f"{where}: a {type(value).__name__} has no form in GeoJSON")


def csv_text(columns: Mapping[str, Sequence[Any]], *, spreadsheet: bool = False) -> str:
    """Write columns as CSV with a header.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns. None and NaN are blank, lists are joined by ``;``.
    spreadsheet : bool
        Put an apostrophe before text that a spreadsheet would take for a formula.

    Returns
    -------
    str
        The file's text.
    """
    rows = ([_csv_cell(cell) for cell in row] for row in zip(*columns.values(), strict=True))
    return csv_rows(tuple(columns), rows, spreadsheet=spreadsheet)


def _csv_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (list, tuple)):
        return ";".join(map(_csv_cell, cell))
    if isinstance(cell, (set, frozenset)):
        return ";".join(sorted(map(_csv_cell, cell)))
    if isinstance(cell, Real) and not isinstance(cell, (bool, Integral)):
        number = float(cell)
        return "" if math.isnan(number) else repr(number)
    return str(cell)
