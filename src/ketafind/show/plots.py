"""A static map of clinics: points, doubt and a scale, on land and water, without network."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ketafind.errors import InvalidInputError, check_language
from ketafind.files import require
from ketafind.geo import Coordinates
from ketafind.show.basemap import Ground, around, crowd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ketafind.show.sheet import Pane, Sheet

_MEANINGS = {
    "yes": "matches",
    "active": "clinic",
    "unknown": "may match, not known",
    "uncertain": "clinic that may have closed, not known",
    "closed": "closed clinic",
}
_CIRCLE = "90 % circle: the clinic is somewhere in it"
_ORIGIN = "searched from here"
_MOST_NAMES = 12
_DASHES = (0, (4, 2))


def plot_clinics(
    columns: Mapping[str, Sequence[Any]],
    *,
    origin: Any = None,
    labels: bool | str = True,
    ax: Axes | None = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
    basemap: Any = "ontario",
    credit: bool = True,
    data: str = "",
    empty: str = "No clinic with a position.",
    lang: str = "en",
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
    ax : matplotlib axes, optional
        The part of a figure to draw in, legend and all; a new figure if None.
    figsize : tuple of float, optional
        Width and height of the new figure in inches; 7.2 by 4.8 if None.
    title : str, optional
        What stands above the map.
    basemap : GeoDataFrame or None
        Areas or lines to lie beneath instead of Ontario and its lakes; None for nothing.
    credit : bool
        Write beneath the map which program and data it was made with, and their licence.
    data : str
        What the data are called there.
    empty : str
        What to say, without a map, where no clinic has a position.
    lang : str
        The language of legend and footer, ``"en"`` or ``"fr"``.

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
    points = _points(columns)
    sheet = new_sheet(data, credit=credit, ax=ax, figsize=figsize, title=title, lang=lang)
    if not points:
        sheet.ax.set(xticks=[], yticks=[])
        sheet.ax.set_axis_off()
        from ketafind.show.sheet import said

        text = said(empty, sheet.lang)
        lines = "\n".join(sheet.wrapped(line, sheet.size) for line in text.split("\n"))
        middle = (sheet.left + sheet.right) / 2, (sheet.bottom + sheet.top) / 2
        sheet.write(*middle, lines, sheet.size, ha="center", va="center")
        return sheet.ax
    start = None if origin is None else Coordinates(lat=origin.lat, lon=origin.lon)
    n_unlocated = len(next(iter(columns.values()))) - len(points)
    clinics = _Clinics(sheet, points, start, basemap)
    return clinics.draw(clinics.entries(n_unlocated), labels=labels)


def new_sheet(data: str, *, credit: bool = True, lang: str = "en", **options: Any) -> Sheet:
    """Divide up axes or a new figure; its footer names the program, the data and their licence."""
    require("matplotlib.pyplot", "maps")
    from ketafind import __version__
    from ketafind.show.sheet import Sheet, said

    lang = check_language(lang)
    named = (f"ketafind {__version__}", data.rstrip("."), said("bundled data CC BY 4.0", lang))
    footer = " · ".join([*filter(None, named), said("base map Natural Earth", lang)])
    return Sheet(footer if credit else None, lang=lang, **options)


class _Clinics:
    """Clinics laid out on a sheet."""

    def __init__(
        self, sheet: Sheet, points: Sequence[_Point], origin: Coordinates | None, basemap: Any
    ) -> None:
        self.sheet, self.points, self.has_origin = sheet, points, origin is not None
        spots = [*points, *([] if origin is None else [origin])]
        lon, lat = (np.array([getattr(one, name) for one in spots]) for name in ("lon", "lat"))
        self.ground = Ground(lon, lat, basemap)
        self.marks = self.ground.flat(lon, lat)
        self.xy = self.marks[: len(points)]
        metres = np.array([[point.radius_km * 1000] for point in points])
        reach = np.vstack([self.marks, self.xy - metres, self.xy + metres])
        self.boxes = [around(reach), crowd(self.xy)]

    def entries(self, n_unlocated: int) -> dict[str, Any]:
        """Say what the marks mean."""
        from matplotlib.lines import Line2D

        from ketafind.show.sheet import BLANK, said

        kinds = [kind for kind in _MEANINGS if kind in {point.kind for point in self.points}]
        kinds += ["origin"] if self.has_origin else []
        entries: dict[str, Any] = {
            _MEANINGS.get(kind, _ORIGIN): Line2D([], [], ls="none", **self._mark(kind))
            for kind in kinds
        }
        entries[_CIRCLE] = Line2D([], [], ls=_DASHES, lw=0.9, color=self.sheet.look["known"])
        if n_unlocated:
            text = said("{n} without a position, not drawn", self.sheet.lang)
            entries[text.format(n=n_unlocated)] = BLANK
        return entries

    def _mark(self, kind: str) -> dict[str, Any]:
        look, ms = self.sheet.look, 0.62 * self.sheet.size
        ring = {"marker": "o", "ms": 1.25 * ms, "mfc": "none", "mec": look["unknown"], "mew": 1.6}
        return {
            "origin": {"marker": "*", "ms": 1.9 * ms, "mfc": look["ink"], "mec": look["ontario"]},
            "unknown": ring,
            "uncertain": ring,
            "closed": {"marker": "x", "ms": ms, "mec": look["muted"], "mew": 1.4},
        }.get(
            kind,
            {"marker": "o", "ms": ms, "mfc": look["known"], "mec": look["ontario"], "mew": 0.5},
        )

    def draw(self, entries: Mapping[str, Any], *, labels: bool | str) -> Any:
        """Draw names where all have room, else numbers and a key."""
        names = [textwrap.fill(point.name, 24) for point in self.points]
        numbers = [point.label for point in self.points]
        key = [f"{point.label}  {point.named}" for point in self.points]
        columns, lines = self.sheet.key_form
        too_many = labels is True and len(key) > 2 * columns * lines
        tries = [(numbers, key, True)] if labels and not too_many else [([], [], True)]
        if labels is True and len(names) <= _MOST_NAMES and all(names):
            tries.insert(0, (names, [], False))
        for texts, beneath, together in tries:
            panes = self.sheet.maps(
                self.ground, self.boxes, self.marks, entries, beneath, self._seen
            )
            fits = [self._label(pane, texts, together=together) for pane in panes]
            if all(fits):
                break
        for pane in panes:
            self._paint(pane)
        return self.sheet.finish(panes)

    def _seen(self, panes: list[Pane]) -> dict[str, bool]:
        return {_CIRCLE: any(map(self._circles, panes))}

    def _label(self, pane: Pane, texts: Sequence[str], *, together: bool) -> bool:
        """Label the clinics of this map, those at one place together; whether all have room."""
        groups: list[list[int]] = []
        pixels = pane.pixels(self.xy)
        for at in filter(lambda at: pane.shows(self.xy[at]), range(len(texts))):
            apart = (np.hypot(*(pixels[group[0]] - pixels[at])) for group in groups)
            near = [far < 0.8 * self.sheet.em for far in apart]
            if together and any(near):
                groups[near.index(True)].append(at)
            else:
                groups.append([at])
        said = [_listed([texts[at] for at in group]) for group in groups]
        return all(pane.label([self.xy[at] for at, *_ in groups], said, self.sheet.size))

    def _circles(self, pane: Pane) -> list[tuple[float, float, float]]:
        """Where 90 % circles are drawn, and their radii: those larger than a mark, one a place."""
        if _CIRCLE not in self.sheet.entries:
            return []
        (left, right), width = pane.axes.get_xlim(), pane.frame[2] - pane.frame[0]
        least = 0.6 * self.sheet.em * (right - left) / width
        known = {(one.lon, one.lat, one.radius_km) for one in self.points}
        return sorted(one for one in known if one[2] * 1000 > least)

    def _paint(self, pane: Pane) -> None:
        from matplotlib.patches import Polygon

        dashed: dict[str, Any] = {"facecolor": "none", "ls": _DASHES, "lw": 0.7, "zorder": 2}
        for circle in self._circles(pane):
            ring = Polygon(
                self.ground.circle(*circle), edgecolor=self.sheet.look["known"], **dashed
            )
            pane.axes.add_artist(ring)
        for kind in ("closed", "active", "yes", "unknown", "uncertain"):
            spots = self.xy[[point.kind == kind for point in self.points]]
            if len(spots):
                pane.axes.plot(*spots.T, ls="none", zorder=3, **self._mark(kind))
        if self.has_origin:
            pane.axes.plot(*self.marks[-1], ls="none", zorder=4, **self._mark("origin"))


class _Point(NamedTuple):
    """A clinic to draw."""

    lat: float
    lon: float
    label: str
    name: str
    city: str
    kind: str
    radius_km: float

    @property
    def named(self) -> str:
        """The name and the city, once."""
        return self.name if self.city in self.name else f"{self.name}, {self.city}"


def _points(columns: Mapping[str, Sequence[Any]]) -> list[_Point]:
    """Take the positions out of columns; rows without one are left out."""
    if not {"lat", "lon"} <= set(columns):
        raise InvalidInputError("a map needs the columns lat and lon")
    if len({len(column) for column in columns.values()}) > 1:
        raise InvalidInputError("the columns are of different lengths")
    points = []
    for at, cells in enumerate(zip(*columns.values(), strict=True), 1):
        row = dict(zip(columns, cells, strict=True))
        if row["lat"] is not None and row["lon"] is not None:
            spot = Coordinates(lat=row["lat"], lon=row["lon"])
            kind = str(row.get("truth") or row.get("status") or "active")
            said = (row.get("rank") or at, row.get("name") or row.get("clinic_id"), row.get("city"))
            label, name, city = ("" if text is None else str(text) for text in said)
            known = kind if kind in _MEANINGS else "active"
            radius_km = float(row.get("radius_km") or 0.0)
            points.append(_Point(spot.lat, spot.lon, label, name, city, known, radius_km))
    return points


def _listed(labels: Sequence[str]) -> str:
    """Write several numbers in short: 3–5, 8."""
    if len(labels) == 1:
        return labels[0]
    runs: list[list[int]] = []
    for number in sorted(int(label) for label in labels if label.isdecimal()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    said += [label for label in labels if not label.isdecimal()]
    return textwrap.fill(", ".join(said), 16)
