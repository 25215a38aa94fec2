"""A static map of clinics: points, doubt and a scale, on land and water, without network."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.files import require
from ketafind.geo import Coordinates
from ketafind.show.basemap import Floats, Ground, around, crowd
from ketafind.show.projection import NOTHING, MapPoint, places

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
    empty: str = NOTHING,
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
        Write the names where all have room, else numbers and a key; ``"numbers"`` for these in
        any case, False for neither.
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
        If there is no ``lat`` or ``lon``.
    """
    points = places(columns)
    require("matplotlib.pyplot", "maps")
    from ketafind.show.sheet import Sheet, footer_of

    sheet = Sheet(ax, figsize, title, footer_of(data) if credit else None)
    if not points:
        sheet.ax.set(xticks=[], yticks=[])
        sheet.ax.set_axis_off()
        lines = "\n".join(
            sheet.wrapped(line, sheet.size, sheet.right - sheet.left) for line in empty.split("\n")
        )
        middle = (sheet.left + sheet.right) / 2, (sheet.bottom + sheet.top) / 2
        sheet.write(*middle, lines, sheet.size, ha="center", va="center")
        return sheet.ax
    start = None if origin is None else Coordinates(lat=origin.lat, lon=origin.lon)
    n_unlocated = len(next(iter(columns.values()))) - len(points)
    _Clinics(sheet, points, start, basemap, n_unlocated).draw(labels=labels)
    return sheet.ax


class _Clinics:
    """Clinics laid out on a sheet."""

    def __init__(
        self,
        sheet: Sheet,
        points: tuple[MapPoint, ...],
        origin: Coordinates | None,
        basemap: Any,
        n_unlocated: int,
    ) -> None:
        from ketafind.show.sheet import handles_of_maps

        self.sheet, self.points = sheet, points
        spots = [*points, *([] if origin is None else [origin])]
        lon, lat = (np.array([getattr(one, name) for one in spots]) for name in ("lon", "lat"))
        self.ground = Ground(lon, lat, basemap)
        self.all_xy = self.ground.flat(lon, lat)
        self.xy = self.all_xy[: len(points)]
        metres = np.array([[getattr(one, "radius_km", 0.0)] for one in spots]) * 1000
        self.reach = np.vstack([self.all_xy - metres, self.all_xy + metres])
        self.has_origin = origin is not None
        self.kinds = [_kind(point) for point in points]
        self.crowd = crowd(self.xy)
        self.entries = self._entries(n_unlocated) | handles_of_maps(sheet.look)
        self.used: set[str] = set()

    def _entries(self, n_unlocated: int) -> dict[str, Any]:
        from matplotlib.lines import Line2D

        look = self.sheet.look
        entries: dict[str, Any] = {
            _MEANINGS[kind]: Line2D([], [], ls="none", **self._mark(kind))
            for kind in _MEANINGS
            if kind in self.kinds
        }
        entries[_CIRCLE] = Line2D([], [], ls=(0, (4, 2)), lw=0.9, color=look.known)
        if self.has_origin:
            entries[_ORIGIN] = Line2D([], [], ls="none", **self._mark("origin"))
        if n_unlocated:
            entries[f"{n_unlocated} without a position, not drawn"] = Line2D([], [], ls="none")
        return entries

    def _mark(self, kind: str) -> dict[str, Any]:
        look, ms = self.sheet.look, 0.62 * self.sheet.size
        ring = {"marker": "o", "ms": 1.25 * ms, "mfc": "none", "mec": look.unknown, "mew": 1.6}
        return {
            "origin": {"marker": "*", "ms": 1.9 * ms, "mfc": look.ink, "mec": look.ontario},
            "unknown": ring,
            "uncertain": ring,
            "closed": {"marker": "x", "ms": ms, "mec": look.muted, "mew": 1.4},
        }.get(kind, {"marker": "o", "ms": ms, "mfc": look.known, "mec": look.ontario, "mew": 0.5})

    def draw(self, *, labels: bool | str) -> None:
        """Draw names where all have room, else numbers and a key."""
        from ketafind.show.sheet import ENLARGED, TOWN, enlarge

        names = [textwrap.fill(point.name, 24) for point in self.points]
        panes = self._panes(())
        size, placed = self.sheet.size, []
        if labels is True and 0 < len(names) <= _MOST_NAMES and all(names):
            placed = [self._fit(pane, names) for pane in panes]
        if labels and (not placed or any(one is None for _, _, found in placed for one in found)):
            panes = self._panes([_key(point) for point in self.points])
            numbers = [point.label for point in self.points]
            placed = [self._fit(pane, numbers, together=True) for pane in panes]
        for at, pane in enumerate(panes):
            pane.lay()
            self._paint(pane)
            if placed:
                xy, texts, found = placed[at]
                pane.label(xy, texts, found, size)
            if pane.draw_towns():
                self.used.add(TOWN)
        if len(panes) == 2:
            enlarge(panes[0], panes[1].seen)
            self.used.add(ENLARGED)
        optional = {TOWN, ENLARGED, _CIRCLE} - self.used
        self.sheet.finish({k: v for k, v in self.reserved.items() if k not in optional})

    def _panes(self, key: Sequence[str]) -> list[Pane]:
        from ketafind.show.sheet import ENLARGED, TOWN, Pane

        boxes: list[Any] = [around(self.reach), self.crowd]
        self.reserved = self.entries
        for _ in range(2):  # the second time without what the first showed to be in no map
            axes = self.sheet.divide(self.reserved, key, inset=self.crowd is not None)
            panes = [
                Pane(self.sheet, one, self.ground, box, self.all_xy)
                for one, box in zip(axes, boxes, strict=False)
            ]
            seen = {
                _CIRCLE: any(map(self._circles, panes)),
                TOWN: any(not town.is_marked for pane in panes for town in pane.towns),
                ENLARGED: len(panes) == 2,
            }
            self.reserved = {
                name: one for name, one in self.reserved.items() if seen.get(name, True)
            }
        self.main, self.enlarged = panes[0], panes[1] if len(panes) == 2 else None
        if self.enlarged is not None:
            # Labels of what is enlarged stand there alone.
            left, bottom, right, top = self.enlarged.seen
            corners = panes[0].axes.transData.transform([(left, bottom), (right, top)])
            panes[0].take(corners.reshape(-1))
            panes[0].towns = [town for town in panes[0].towns if not self.is_enlarged(town.spot[0])]
        return panes

    def _fit(
        self, pane: Pane, texts: Sequence[str], *, together: bool = False
    ) -> tuple[Floats, list[str], list[Floats | None]]:
        """Find places for the labels of the clinics that are told apart in this map."""
        mine = [
            at
            for at, spot in enumerate(self.xy)
            if pane.shows(spot) and (pane is not self.main or not self.is_enlarged(spot))
        ]
        groups: list[list[int]] = []
        near = 0.8 * self.sheet.em
        pixels = pane.axes.transData.transform(self.xy)
        for at in mine:
            for group in groups if together else ():
                if np.hypot(*(pixels[group[0]] - pixels[at])) < near:
                    group.append(at)
                    break
            else:
                groups.append([at])
        said = [_listed([texts[at] for at in group]) for group in groups]
        xy = self.xy[[group[0] for group in groups]]
        return xy, said, pane.fit(xy, said, self.sheet.size)

    def is_enlarged(self, spot: Floats) -> bool:
        """Whether the inset shows a point of the plane."""
        return self.enlarged is not None and self.enlarged.shows(spot)

    def _circles(self, pane: Pane) -> list[tuple[float, float, float]]:
        """Where 90 % circles are drawn, and their radii: those larger than a mark, one a place."""
        least = 0.6 * self.sheet.em * (pane.seen[2] - pane.seen[0])
        least /= pane.frame[2] - pane.frame[0]
        if _CIRCLE not in self.reserved:
            return []
        known = {
            (point.lon, point.lat, point.radius_km)
            for point, spot in zip(self.points, self.xy, strict=True)
            if point.radius_km * 1000 > least and pane.shows(spot)
        }
        return sorted(known)

    def _paint(self, pane: Pane) -> None:
        from matplotlib.patches import Polygon

        look = self.sheet.look
        drawn: dict[str, Any] = {
            "edgecolor": look.known,
            "facecolor": "none",
            "ls": (0, (4, 2)),
            "lw": 0.7,
        }
        for circle in self._circles(pane):
            pane.axes.add_patch(Polygon(self.ground.circle(*circle), zorder=2, **drawn))
            self.used.add(_CIRCLE)
        for kind in ("closed", "active", "yes", "unknown", "uncertain"):
            spots = self.xy[[one == kind for one in self.kinds]]
            if len(spots):
                pane.axes.plot(*spots.T, ls="none", zorder=3, **self._mark(kind))
        if self.has_origin:
            pane.axes.plot(*self.all_xy[-1], ls="none", zorder=4, **self._mark("origin"))


def _kind(point: MapPoint) -> str:
    said = dict(point.details)
    kind = said.get("truth") or said.get("status") or "active"
    return kind if kind in _MEANINGS else "active"


def _key(point: MapPoint) -> str:
    """Write a line of the key: the number, the name and the city."""
    city = dict(point.details).get("city", "")
    named = point.name if city in point.name else f"{point.name}, {city}"
    return f"{point.label}  {named}"


def _listed(labels: Sequence[str]) -> str:
    """Write several numbers in short: 3–5, 8."""
    if len(labels) < 2 or not all(label.isdecimal() for label in labels):
        return textwrap.fill(", ".join(labels), 16) if len(labels) > 1 else "".join(labels)
    runs: list[list[int]] = []
    for number in sorted(map(int, labels)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return textwrap.fill(", ".join(said), 16)
