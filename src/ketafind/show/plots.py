"""A static map of clinics: points, doubt and a scale, on land and water, without network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.errors import check_language
from ketafind.files import require
from ketafind.geo import Coordinates
from ketafind.show.basemap import Ground
from ketafind.show.text import records_of

if TYPE_CHECKING:
    from ketafind.show.sheet import Sheet

BASEMAP = "base map Natural Earth, towns GeoNames CC BY 4.0"


def plot_clinics(
    columns: Mapping[str, Sequence[Any]],
    *,
    origin: Any = None,
    labels: bool | str = True,
    basemap: Any = "ontario",
    sources: Sequence[str] = (),
    empty: str = "No clinic with a position.",
    **options: Any,
) -> Any:
    """Draw clinics on a static map with matplotlib (extra ``maps``).

    Ontario lies on land and water, in Lambert's conformal projection (EPSG:3347); any other place
    among degrees, in a projection of its own. Where many clinics stand near each other, that part
    is drawn again, enlarged. No label covers another; names that have no room become numbers with
    a key. A legend says what each mark means.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns: ``lat``, ``lon``, and where there are such ``rank``, ``name``,
        ``city`` and ``radius_km``. Where ``truth`` is ``unknown``, or else ``status``
        ``uncertain``, the mark is a ring. Rows without a position are counted.
    origin : Coordinates or Location, optional
        The place that was searched from. It is drawn only when it is given here: it may be where
        somebody lives.
    labels : bool or str
        Write the names where all have room, else numbers and a key, and neither where a key has
        room for less than half; ``"numbers"`` for these in any case, False for neither.
    basemap : GeoDataFrame or None
        Areas or lines to lie beneath instead of Ontario and its lakes; None for nothing.
    sources : sequence of str
        What the data are called there, and whose roads were travelled.
    empty : str
        What to say, without a map, where no clinic has a position.
    **options
        ``ax`` (the part of a figure to draw in, legend and all; a new figure if None), ``figsize``
        (of the new figure, in inches; 7.2 by 4.8 if None), ``title`` (what stands above the map),
        ``lang`` (of legend and footer, ``"en"`` or ``"fr"``) and ``credit`` (False for no footer:
        it names the program and whose the data, roads and base map are that are drawn).

    Returns
    -------
    matplotlib.axes.Axes
        The map, in metres of its projection. Colours follow the style in use, dark ones too. The
        new figure writes text as text into PDF and SVG.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    InvalidInputError
        If there is no ``lat`` or ``lon``, or lang is another language.
    """
    rows = _located(columns)
    spots = [*rows, *([] if origin is None else [{"lat": origin.lat, "lon": origin.lon}])]
    lat, lon = (np.array([spot[name] for spot in spots], float) for name in ("lat", "lon"))
    ground = Ground(lon, lat, basemap) if rows else None
    sheet = new_sheet(sources, ground, **options)
    if ground is None:
        sheet.ax.set(xticks=[], yticks=[])
        sheet.ax.set_axis_off()
        said = sheet.say(empty).split("\n")
        lines = "\n".join(sheet.wrapped(line, sheet.size) for line in said)
        middle = (sheet.left + sheet.right) / 2, (sheet.bottom + sheet.top) / 2
        sheet.write(*middle, lines, sheet.size, ha="center", va="center")
        return sheet.ax
    n_unlocated = len(columns["lat"]) - len(rows)
    from ketafind.show.sheet import ClinicsMap

    return ClinicsMap(sheet, rows, ground, ground.flat(lon, lat)).draw(n_unlocated, labels=labels)


def new_sheet(
    sources: Iterable[str], ground: Ground | None = None, *, credit: bool = True, **options: Any
) -> Sheet:
    """Divide up axes or a new figure; its footer names the program and what the picture shows."""
    require("matplotlib.pyplot", "maps")
    from ketafind import __version__
    from ketafind.show.sheet import Sheet

    beneath = BASEMAP if ground is not None and ground.has_map else ""
    footer = [f"ketafind {__version__}", *sources, beneath]
    options["lang"] = check_language(options.get("lang", "en"))
    return Sheet(footer if credit else (), **options)


def _located(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Take the rows that have a position out of columns, each with what it is called."""
    rows = []
    for at, row in enumerate(records_of(columns, "lat", "lon"), 1):
        if row["lat"] is not None and row["lon"] is not None:
            Coordinates(lat=row["lat"], lon=row["lon"])  # refuses what is none
            name, city = str(row.get("name") or row.get("clinic_id") or ""), row.get("city") or ""
            named = name if city in name else f"{name}, {city}"
            rows.append({**row, "name": name, "named": named, "label": row.get("rank") or at})
    return rows
