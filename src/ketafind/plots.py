"""Plots of what an analysis returns, for papers and slides (extra ``maps``); and a map to explore.

Solid is what is confirmed, hatched what is not known. Every function but `explore` takes ``ax`` (the
part of a figure to draw in, legend and all), ``figsize`` in inches, ``title``, ``lang`` (``"en"`` or
``"fr"``) and ``credit`` (the footer that names the data, and whose roads and base map are drawn);
those that draw maps take ``basemap``, too, all as in `ketafind.show.plots.plot_clinics`. They return
the axes; those of a map are in metres of its projection.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ketafind.errors import InvalidInputError, check_language, shown
from ketafind.explain.sentences import Wording
from ketafind.join.columns import provenance
from ketafind.join.frames import Frame, open_frame
from ketafind.show.basemap import Floats, Ground, around, crowd, half_steps
from ketafind.show.basemap import hexagons as binned
from ketafind.show.map import explore
from ketafind.show.text import check_width, credited, number

__all__ = [
    "bars",
    "catchments",
    "choropleth",
    "coverage",
    "explore",
    "gaps",
    "hexagons",
    "scores",
]

_ENDS = ("low", "confirmed", "possible", "high")
_UNITS = {"km": "kilometres", "min": "minutes", "cost": "cost"}
_HATCH = "/////"
_BAND = "90 % band, for the doubt of positions"
_POSSIBLE = "up to all that may match: not known"
_OTHER = "another class, if all that may match did"
_MOST_GROUPS = 6
_INSIDE = (-0.4, 0.0, 1.0, 2.0, 4.0)  # where the number of an area may stand about its middle

# Metres across a map, at the least: of one place, too, something is seen around it.
_LEAST_MAP = 10_000.0


def coverage(frame: Any, *, by: str | None = None, **options: Any) -> Any:
    """Draw the share that is within reach at each distance.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `ketafind.coverage` returned.
    by : str, optional
        The column of its groups, six at the most: a line each.
    **options
        ``ax``, ``figsize``, ``title``, ``lang``, ``credit``.

    Returns
    -------
    matplotlib.axes.Axes
        A line for what is confirmed, hatched up to all that may match, and shaded the band in
        which both lie at the 90 % level.

    Raises
    ------
    InvalidInputError
        If a column is missing, or there are groups that `by` does not name, or too many.
    MissingExtraError
        If matplotlib is not installed.
    """
    groups, unit, limits, shares = _shares(frame, by)
    names = list(dict.fromkeys(groups))
    if len(names) > _MOST_GROUPS or len({*zip(groups, limits, strict=True)}) < len(limits):
        raise InvalidInputError(
            f"a curve is drawn for each of {_MOST_GROUPS} groups at the most: name their column in "
            f"by=, or choose rows; plots.bars draws more"
        )
    sheet = _sheet(frame, **options)
    entries: dict[str, Any] = {}
    for name, color, marker in zip(names, sheet.look["series"], "osD^vP", strict=False):
        rows = [int(row) for row in np.argsort(limits) if groups[row] == name]
        low, confirmed, possible, high = shares[:, rows]
        line = sheet.ax.plot(
            limits[rows], confirmed, color=color, marker=marker, ms=0.5 * sheet.size
        )
        band = sheet.ax.fill_between(limits[rows], low, high, color=color, alpha=0.18, lw=0)
        hatched = {"facecolor": "none", "edgecolor": color, "lw": 0.6, "hatch": _HATCH}
        unknown = sheet.ax.fill_between(limits[rows], confirmed, possible, **hatched)
        entries[name or "confirmed"] = line[0]
    sheet.ax.set(xlim=(0, None), ylim=(0, 1.02))
    sheet.ax.set(xlabel=sheet.say(_UNITS[unit]), ylabel=sheet.say("share within reach"))
    sheet.ax.yaxis.set_major_formatter("{x:.0%}")
    return sheet.chart(entries | {_POSSIBLE: unknown, _BAND: band})


def bars(frame: Any, by: str, *, threshold: float | None = None, **options: Any) -> Any:
    """Draw the share that is within reach in each group, the largest first.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `ketafind.coverage` returned.
    by : str
        The column of its groups.
    threshold : float, optional
        Which distance or time; the first if None.
    **options
        ``ax``, ``figsize``, ``title``, ``lang``, ``credit``.

    Returns
    -------
    matplotlib.axes.Axes
        A solid bar for what is confirmed, hatched up to all that may match, and a whisker over the
        90 % band. Where there is no room for all groups, the last are counted in the legend.

    Raises
    ------
    InvalidInputError
        If a column is missing, or no row has this threshold.
    MissingExtraError
        If matplotlib is not installed.
    """
    groups, unit, limits, shares = _shares(frame, by)
    rows = _rows_of(limits, threshold)
    rows = rows[np.lexsort((-shares[2, rows], -shares[1, rows]))]
    options.setdefault("figsize", (7.2, min(2.4 + 0.26 * len(rows), 12.0)))
    sheet = _sheet(frame, **options)
    n = max(int((sheet.top - sheet.bottom) / (1.5 * sheet.em)) - 7, 1)
    low, confirmed, possible, high = shares[:, rows[:n]]
    at, ax, known = np.arange(len(low)), sheet.ax, sheet.look["known"]
    hatched = {"facecolor": "none", "edgecolor": known, "lw": 0.8, "hatch": _HATCH}
    ends = {"xerr": [confirmed - low, high - confirmed], "ecolor": sheet.look["ink"], "fmt": "none"}
    entries: dict[str, Any] = {
        "confirmed": ax.barh(at, confirmed, 0.7, color=known),
        _POSSIBLE: ax.barh(at, possible - confirmed, 0.7, confirmed, **hatched),
        _BAND: ax.errorbar(confirmed, at, capsize=2, lw=1, **ends),
    }
    if len(rows) > n:
        more = sheet.say("and {n} more, not shown", n=len(rows) - n)
        entries[more] = ax.plot([], [], ls="none")[0]
    width = 0.4 * (sheet.right - sheet.left)
    said = [sheet.cut(groups[row], 0.9 * sheet.size, width) for row in rows[:n]]
    ax.set_yticks(at, said, parse_math=False)
    reach = f"{limits[rows[0]]:g} {unit}"
    xlabel = sheet.say("share within {reach}", reach=reach)
    ax.set(xlim=(0, 1), ylim=(len(at) - 0.4, -0.6), xlabel=xlabel)
    ax.xaxis.set_major_formatter("{x:.0%}")
    return sheet.chart(entries)


def choropleth(
    frame: Any, column: str, *, regions: Any = None, by: str | None = None, **options: Any
) -> Any:
    """Colour areas by a column.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame or pandas.DataFrame
        The areas and their values, or the values alone.
    column : str
        What to colour by; an area without a value is hatched grey: not known.
    regions : geopandas.GeoDataFrame, optional
        The areas, where `frame` has none, such as what `ketafind.coverage` returned.
    by : str, optional
        The column that both have in common.
    **options
        ``names`` (a column to number the areas by, with a key), ``possible`` (a column with the
        same measure if all that may match did: where it falls into another class, the area is
        hatched), ``classes`` (their borders, else five of them are chosen), ``label`` (what the
        legend calls the column), ``ax``, ``figsize``, ``title``, ``lang``, ``basemap``, ``credit``.

    Returns
    -------
    matplotlib.axes.Axes
        The map.

    Raises
    ------
    InvalidInputError
        If a column is missing, there are no areas, they have no CRS, or no row is of any region.
    MissingExtraError
        If matplotlib is not installed.

    Warns
    -----
    UserWarning
        If some rows are of no region.
    """
    if regions is not None:
        frame = _joined(frame, regions, by)
    if hasattr(frame, "geometry"):
        frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    if not hasattr(frame, "geometry") or not len(frame):
        raise InvalidInputError("these rows have no areas: give them in regions=, and by=")
    if frame.crs is None:
        raise InvalidInputError(
            'the areas have no CRS; if they are in degrees, call set_crs("EPSG:4326") on them first'
        )
    if frame.geom_type.str.endswith("Point").any():
        raise InvalidInputError("these rows are points, not areas; plots.hexagons colours points")
    shapes = frame.geometry.to_crs(4326)
    middles = shapes.representative_point()
    ground = Ground(middles.x.to_numpy(), middles.y.to_numpy(), options.get("basemap", "ontario"))
    marks = ground.flat(middles.x, middles.y)
    paths = [ground.path(shape) for shape in shapes]
    return _coloured(frame, column, ground, paths, marks, **options)


def hexagons(
    frame: Any,
    column: str | None = None,
    *,
    lat: str = "lat",
    lon: str = "lon",
    width_km: float | None = None,
    how: str = "mean",
    **options: Any,
) -> Any:
    """Colour hexagons by the rows that stand in them.

    Parameters
    ----------
    frame : frame
        Rows with positions, of any type that `ketafind.nearest_join` takes.
    column : str, optional
        What to colour by; None for how many rows. Where no row has a value, the hexagon is hatched
        grey: not known.
    lat, lon : str
        The columns of the positions; those of a GeoDataFrame are its geometry.
    width_km : float, optional
        How wide a hexagon is; a fortieth of the map if None.
    how : str
        ``"mean"`` or ``"sum"`` of the column.
    **options
        As in `choropleth`.

    Returns
    -------
    matplotlib.axes.Axes
        The map.

    Raises
    ------
    InvalidInputError
        If a column is missing, or no row has a position.
    MissingExtraError
        If matplotlib is not installed.
    """
    if how not in {"mean", "sum"}:
        raise InvalidInputError(f'how must be "mean" or "sum", not {shown(how)}')
    check_width(width_km, "width_km")
    import pandas as pd
    from matplotlib.path import Path

    x, y = _positions(frame, lat, lon)
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(rows):
        raise InvalidInputError("no row has a position")
    ground = Ground(x[rows], y[rows], options.get("basemap", "ontario"))
    xy = ground.flat(x[rows], y[rows])
    across = max(float(np.ptp(xy, axis=0).max()), _LEAST_MAP)
    width = across / 40 if width_km is None else max(width_km * 1000, 1.0)
    at, cell = binned(xy, width)
    middles, turns = at * half_steps(width), np.radians(np.arange(30, 391, 60))
    corners = np.column_stack([np.cos(turns), np.sin(turns)]) * width / 3**0.5
    paths = [Path(middle + corners, closed=True) for middle in middles]

    def together(values: Floats) -> Floats:
        grouped = pd.Series(values[rows]).groupby(cell)
        is_mean = how == "mean" and column is not None
        return np.asarray(grouped.mean() if is_mean else grouped.sum(min_count=1), float)

    return _coloured(frame, column, ground, paths, middles, together, **options)


def gaps(frame: Any, *, threshold: float | None = None, **options: Any) -> Any:
    """Draw where people are beyond a distance or time from every confirmed clinic, and how far.

    Parameters
    ----------
    frame : frame
        What `ketafind.gaps` returned.
    threshold : float, optional
        Which distance or time; the first if None.
    **options
        As in `hexagons`.

    Returns
    -------
    matplotlib.axes.Axes
        Hexagons by the mean of what is beyond; hatched where a clinic that may match would change
        the class.

    Raises
    ------
    InvalidInputError
        If a column is missing, or no row has this threshold.
    MissingExtraError
        If matplotlib is not installed.
    """
    opened = open_frame(frame)
    unit, limits = _limits(opened)
    rows = _rows_of(limits, threshold)
    said = "{unit} beyond {limit}", {"unit": unit, "limit": f"{limits[rows[0]]:g} {unit}"}
    options = {"label": said, "possible": f"gap_possible_{unit}", **options}
    chosen = opened.chosen(rows).native
    return hexagons(chosen, f"gap_confirmed_{unit}", source=frame, **options)


def catchments(
    frame: Any, *, supply: str = "confirmed", threshold: float | None = None, **options: Any
) -> Any:
    """Draw the land that each clinic is nearest to, by who lives on it.

    Parameters
    ----------
    frame : geopandas.GeoDataFrame
        What `ketafind.catchments` returned.
    supply : str
        ``"confirmed"`` or ``"possible"``.
    threshold : float, optional
        Which time, where the land was found with a router; the first if None.
    **options
        As in `choropleth`.

    Returns
    -------
    matplotlib.axes.Axes
        The cells, numbered, with a key of the clinics' ids.

    Raises
    ------
    InvalidInputError
        If a column is missing, or no row has this supply.
    MissingExtraError
        If matplotlib is not installed.
    """
    chosen = frame[frame["supply"] == supply]
    if not len(chosen):
        known = ", ".join(map(repr, dict.fromkeys(frame["supply"]))) or "none"
        raise InvalidInputError(f"no row has supply={shown(supply)}; there are: {known}")
    label: Any = "weight of the origins nearest to the clinic"
    if "threshold_min" in chosen:
        limits = chosen["threshold_min"].to_numpy(float)
        chosen = chosen.iloc[rows := _rows_of(limits, threshold)]
        label = "weight of the origins within {reach}", {"reach": f"{limits[rows[0]]:g} min"}
    return choropleth(chosen, "weight", **{"label": label, "names": "clinic_ids", **options})


def scores(frame: Any, column: str = "access_confirmed", **options: Any) -> Any:
    """Draw scores of access as hexagons.

    Parameters
    ----------
    frame : frame
        What `ketafind.access_score` returned.
    column : str
        A column that ends in ``_confirmed``, such as ``ratio_confirmed``.
    **options
        As in `hexagons`.

    Returns
    -------
    matplotlib.axes.Axes
        Hexagons by the mean score; hatched where all that may match would change the class.

    Raises
    ------
    InvalidInputError
        If a column is missing.
    MissingExtraError
        If matplotlib is not installed.
    """
    possible = column.replace("_confirmed", "_possible")
    label = {"access_confirmed": "access", "ratio_confirmed": "access over its mean"}.get(column)
    return hexagons(frame, column, **{"possible": possible, "label": label, **options})


def _sheet(frame: Any, ground: Ground | None = None, *, lang: str = "en", **options: Any) -> Any:
    """A sheet whose footer names what the frame was made of."""
    lang = check_language(lang)
    try:
        record = provenance(frame)
    except InvalidInputError:
        sources = []
    else:
        named, _, day = record["snapshot"].partition(" of ")
        words = Wording(lang)
        snapshot = words.say("snapshot", id=named, day=day) if day else named
        data = words.say("table.data", snapshot=snapshot)
        sources = [credited(data, record.get("licence", "")), record.get("credit", "")]
    from ketafind.show.plots import Sheet

    return Sheet(sources, ground, lang=lang, **options)


def _shares(frame: Any, by: str | None) -> tuple[list[str], str, Floats, Floats]:
    """The group of each row, the unit and the threshold, and the four ends of its share."""
    opened = open_frame(frame)
    unit, limits = _limits(opened)
    if by is not None:
        opened.check_column(by)
    groups = [""] * len(opened) if by is None else [str(name) for name in opened.values(by)]
    shares = np.array([opened.numbers(f"share_{end}") for end in _ENDS])
    if len(limits) and np.isnan(shares).all():
        raise InvalidInputError("every share is missing: nobody was counted")
    return groups, unit, limits, shares


def _limits(opened: Frame) -> tuple[str, Floats]:
    """The unit of the thresholds, and the threshold of each row."""
    unit = next((unit for unit in _UNITS if f"threshold_{unit}" in opened.names), "km")
    return unit, opened.numbers(f"threshold_{unit}")


def _rows_of(limits: Floats, threshold: float | None) -> Any:
    if not len(limits):
        raise InvalidInputError("the table has no rows: there is nothing to draw")
    wanted = limits[0] if threshold is None else threshold
    rows = np.flatnonzero(limits == wanted)
    if not len(rows):
        known = ", ".join(f"{one:g}" for one in np.unique(limits))
        raise InvalidInputError(f"no row has threshold={wanted}; there are: {known}")
    return rows


def _positions(frame: Any, lat: str, lon: str) -> tuple[Floats, Floats]:
    if hasattr(frame, "geometry"):
        points = frame.geometry.to_crs(4326).representative_point()
        return points.x.to_numpy(), points.y.to_numpy()
    opened = open_frame(frame)
    return opened.numbers(lon), opened.numbers(lat)


def _joined(frame: Any, regions: Any, by: str | None) -> Any:
    if by is None or by not in regions or by not in frame:
        raise InvalidInputError(f"frame and regions must both have the column of by={by!r}")
    if frame[by].duplicated().any():
        raise InvalidInputError(f"several rows are of one {by}: choose a threshold first")
    given, known = frame[by].dropna(), regions[by].dropna()
    lost = given[~given.isin(known)]
    if len(lost) == len(given):
        first, other = (shown(next(iter(one), None)) for one in (given, known))
        raise InvalidInputError(
            f"no {by} of the rows is one of the regions, as {first} and {other}; write both alike"
        )
    if len(lost):
        warnings.warn(
            f"{len(lost)} of {len(given)} rows are of no region and are not drawn, such as {by} "
            f"{shown(lost.iloc[0])}",
            UserWarning,
            stacklevel=3,
        )
    joined = regions[[by, regions.geometry.name]].merge(frame, on=by, how="left")
    joined.attrs = dict(frame.attrs)
    return joined


def _breaks(values: Floats, classes: Sequence[float] | None) -> Floats:
    """The borders of classes: with about as many values in each, or else equally wide."""
    from matplotlib.ticker import MaxNLocator

    if classes is not None:
        return np.asarray(classes, float)
    finite = values[np.isfinite(values)]
    if len(one := np.unique(finite)) < 2:  # a class of one value, of infinity, or none
        return np.repeat(one if len(one) else values[np.isinf(values)][:1], 2)
    # Where one value, such as 0, fills several classes, each different value counts once.
    for counted in (finite, np.unique(finite)):
        edges = [float(f"{edge:.2g}") for edge in np.quantile(counted, np.linspace(0, 1, 6))]
        if len({*edges}) == 6 and finite.max() > 1.0:
            return np.array(edges)
    return np.asarray(MaxNLocator(5).tick_values(finite.min(), finite.max()), float)


def _coloured(
    frame: Any,
    column: str | None,
    ground: Ground,
    paths: Sequence[Any],
    marks: Floats,
    values_of: Callable[[Floats], Floats] = np.asarray,
    *,
    possible: str | None = None,
    classes: Sequence[float] | None = None,
    label: Any = None,
    names: str | None = None,
    source: Any = None,
    basemap: Any = None,  # noqa: ARG001 - of the ground
    **options: Any,
) -> Any:
    """Draw areas of the plane by the classes of their values."""
    from matplotlib.collections import PathCollection
    from matplotlib.patches import Patch

    from ketafind.show.plots import BLANK

    opened = open_frame(frame)
    sheet = _sheet(frame if source is None else source, ground, **options)
    values, others = (
        values_of(np.ones(len(opened)) if name is None else opened.numbers(name))
        for name in (column, possible or column)
    )
    layers = _layers(sheet, values, others, classes)
    named = label or column or "rows in a hexagon"
    entries: dict[str, Any] = {
        named if isinstance(named, str) else sheet.say(named[0], **named[1]): BLANK
    }
    entries |= {
        said: Patch(**style) for said, drawn, style in layers if drawn.any() or "hatch" not in style
    }
    said = [] if names is None else opened.values(names)
    key = [f"{at}  {name}" for at, name in enumerate(said, 1)]
    corners = np.vstack([path.get_extents().get_points() for path in paths])
    sheet.cover = 0.85
    boxes = [around(corners, 0.03, _LEAST_MAP), crowd(marks) if key else None]
    panes = sheet.maps(ground, boxes, np.empty((0, 2)), entries, key)
    for pane in panes:
        for _, drawn, style in layers:
            shapes = [path for path, is_drawn in zip(paths, drawn, strict=True) if is_drawn]
            pane.axes.add_collection(PathCollection(shapes, zorder=0.125, **style), autolim=False)
        shown = [at for at in range(len(key)) if pane.shows(marks[at])]
        pane.label(marks[shown], [str(at + 1) for at in shown], sheet.size, _INSIDE)
    return sheet.finish(panes)


def _layers(
    sheet: Any, values: Floats, others: Floats, classes: Sequence[float] | None
) -> list[tuple[str, Any, dict[str, Any]]]:
    """What the legend says of each class, which areas are of it, and how they look."""
    from matplotlib import colormaps

    breaks, look = _breaks(values, classes), sheet.look
    colors = colormaps[look["ramp"]](np.linspace(0.08, 0.95, max(len(breaks) - 1, 0)))
    kind, other = (np.searchsorted(breaks[1:-1], one, side="right") for one in (values, others))
    is_known = ~np.isnan(values)
    edge = {"edgecolor": look["muted"], "lw": 0.3}
    hatched = edge | {"hatch": _HATCH}
    ends = [number(float(f"{edge:.6g}"), sheet.lang, None).replace("inf", "∞") for edge in breaks]
    said = [sheet.say("{low} to {high}", low=low, high=high) for low, high in pairwise(ends)]
    if len({*ends}) == 1 and classes is None:
        said = [
            ends[0] if not (values > breaks[0]).any() else sheet.say("{low} or more", low=ends[0])
        ]
    if len(said) > 1:  # also of what lies beyond the ends, as do infinite gaps
        said[0] = sheet.say("up to {high}", high=ends[1])
        said[-1] = sheet.say("{low} or more", low=ends[-2])
    layers = [
        (text, is_known & (kind == at), {"facecolor": color, **edge})
        for at, (text, color) in enumerate(zip(said, colors, strict=True))
    ]
    layers.append(("not known", ~is_known, {"facecolor": look["land"], **hatched}))
    layers.append((_OTHER, is_known & (kind != other), {"facecolor": "none", **hatched}))
    return layers
