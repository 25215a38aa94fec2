"""A static map of clinics on a sheet: title, map, inset, legend, key and footer, all measured."""

# ruff: noqa: E402 - the first import says which extra is missing

from __future__ import annotations

from ketafind.files import require

require("matplotlib.pyplot", "maps")

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Polygon, Rectangle

from ketafind import __version__
from ketafind.errors import InvalidInputError, check_language, packaged
from ketafind.geo import Coordinates, geodesic_km, real
from ketafind.show.basemap import Box, Floats, Ground, around, crowd, towns
from ketafind.show.text import check_options, check_origin, escaped, records_of

BASEMAP = "base map Natural Earth, towns GeoNames CC BY 4.0"

WIDE = 1.25
"""Where there is more width than so many heights, an inset stands beside the map."""
_ENLARGED = "the part that is enlarged"
# Where a label may stand about its mark: near first, then farther out, with a line that leads there.
_WAYS = np.array([(1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1)], float)
_REACHES = (0.2, 1.0, 2.0, 3.5, 5.5, 8.0, 11.0, 15.0)
_GRID_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 90.0)


LOOKS: dict[str, Any] = packaged("show/looks.json")
"""The colours of pictures on light and dark: told apart in grey and without colour vision, too."""
MARKS: dict[str, Any] = LOOKS["marks"]
_UNSURE = {MARKS["town"]["text"], MARKS["circle"]["text"], _ENLARGED}
"""What a legend explains only where it was drawn."""
BLANK = Line2D([], [], ls="none")
"""What a line of a legend shows that explains no mark."""


LONGEST_TITLE = 500

_MOST_NAMES = 12
"""Where there are more clinics, they are numbered."""


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
    check_origin(origin)
    rows = _located(columns)
    spots = [*rows, *([] if origin is None else [{"lat": origin.lat, "lon": origin.lon}])]
    lat, lon = (np.array([spot[name] for spot in spots], float) for name in ("lat", "lon"))
    ground = Ground(lon, lat, basemap) if rows else None
    sheet = Sheet(sources, ground, **options)
    if ground is None:
        sheet.ax.set(xticks=[], yticks=[])
        sheet.ax.set_axis_off()
        said = sheet.say(empty).split("\n")
        lines = "\n".join(sheet.wrapped(line, sheet.size) for line in said)
        middle = (sheet.left + sheet.right) / 2, (sheet.bottom + sheet.top) / 2
        sheet.write(*middle, lines, sheet.size, ha="center", va="center")
        return sheet.ax
    n_unlocated = len(columns["lat"]) - len(rows)
    drawn = ClinicsMap(sheet, rows, ground, ground.flat(lon, lat), n_unlocated)
    return drawn.draw(labels=labels)


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


class SheetFigure(Figure):
    """A figure that writes its text as text into PDF and SVG."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure as matplotlib does."""
        plain: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "ketafind"}
        with rc_context(plain):
            super().savefig(fname, **options)


_FINE = FigureCanvasAgg(Figure(figsize=(1, 1), dpi=720)).figure  # measures with one renderer


@lru_cache(4096)
def _measured(text: str, size: float, weight: str) -> tuple[float, float]:
    """Return the width and height of a text in inches, at any resolution it is saved with."""
    written = _FINE.text(0, 0, text, size=size, weight=weight, parse_math=False)
    extent = written.get_window_extent()
    written.remove()
    # Letters are fitted to the pixels: some resolutions make them up to 6 % wider.
    return 1.07 * extent.width / _FINE.dpi, 1.07 * extent.height / _FINE.dpi


class Sheet:
    """A figure of its own, or the part of one that axes take up, divided by what its texts measure."""

    def __init__(
        self,
        sources: Iterable[str],
        ground: Ground | None = None,
        *,
        ax: Any = None,
        figsize: tuple[float, float] | None = None,
        title: str | None = None,
        lang: str = "en",
        credit: bool = True,
        **unknown: object,
    ) -> None:
        check_options(unknown, "ax, figsize, title, lang, credit, and those in the function's help")
        self.lang = check_language(lang)
        size = (7.2, 4.8) if figsize is None else tuple(np.ravel(figsize))
        if len(size) != 2 or not all(1.0 <= real(side) <= 100.0 for side in size):
            raise InvalidInputError("width and height must be 1 to 100 inches")
        if ax is None:
            figure = plt.figure(FigureClass=SheetFigure, figsize=size)
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        is_axes: bool = isinstance(ax, Axes)
        if not is_axes:
            raise InvalidInputError(f"ax is Axes of matplotlib's, not a {type(ax).__name__}")
        self.ax, self.figure = ax, ax.get_figure(root=True)
        self.figure.draw_without_rendering()  # a layout decides where the axes are
        light = np.dot(to_rgb(self.figure.get_facecolor()), (0.3, 0.6, 0.1))
        self.look = LOOKS["dark" if light < 0.5 else "light"]
        box = ax.get_window_extent()
        self.pixels = np.array(self.figure.bbox.size)
        self.size = min(max(5.0 + 0.6 * box.width / self.figure.dpi, 6.5), 12.0)
        self.em = self.size * self.figure.dpi / 72
        self.left, self.right = box.x0 + 0.5 * self.em, box.x1 - 0.5 * self.em
        self.bottom, self.top = box.y0 + 0.4 * self.em, box.y1 - 0.5 * self.em
        self.made: list[Any] = []
        self.seen: set[str] = set()
        self.cover = 0.6  # of what a label stands on
        if title is not None and (not isinstance(title, str) or len(title) > LONGEST_TITLE):
            raise InvalidInputError(f"a title is text of {LONGEST_TITLE} characters at most")
        self.top -= self._line(title or "", 1.2 * self.size, self.top, va="top", weight="bold")
        beneath = BASEMAP if ground is not None and ground.has_map else ""
        footer = [f"ketafind {__version__}", *sources, beneath] if credit else []
        named, muted = " · ".join(map(self.say, filter(None, footer))), self.look["muted"]
        self.bottom += self._line(named, 0.75 * self.size, self.bottom, va="bottom", color=muted)

    def say(self, text: str, **values: Any) -> str:
        """Say what a picture says of itself in its language."""
        found = LOOKS["french"].get(text, text) if self.lang == "fr" else text
        return str(found).format(**values) if values else str(found)

    def _line(self, text: str, size: float, y: float, weight: str = "normal", **look: Any) -> float:
        """Write a text across the sheet; how high it is, with the room beside it."""
        lines = self.wrapped(text, size, weight=weight)
        self.write(self.left, y, lines, size, weight=weight, **look)
        return float(self.measure(lines, size, weight)[1]) + 0.5 * self.em if text else 0.0

    def mark(self, kind: str) -> dict[str, Any]:
        """Say how a kind of mark looks, to matplotlib's `plot` or a `Line2D`."""
        style = {"ls": "none", **MARKS[kind]}
        del style["text"]
        style |= {key: self.look[one] for key, one in style.items() if str(one) in self.look}
        return style | ({"ms": style["ms"] * self.size} if "ms" in style else {})

    def write(self, x: float, y: float, text: str, size: float, **look: Any) -> Any:
        """Write a text at a place in pixels; a dollar sign is a dollar sign."""
        look = {"color": self.look["ink"], "parse_math": False, "size": size, **look}
        return self.figure.text(*((x, y) / self.pixels), _shown(text), **look)

    def measure(self, text: str, size: float, weight: str = "normal") -> Floats:
        """Return the width and height of a text in pixels."""
        return np.asarray(_measured(_shown(text), size, weight)) * float(self.figure.dpi)

    def wrapped(
        self, text: str, size: float, width: float | None = None, weight: str = "normal"
    ) -> str:
        """Break a text into lines no wider than so many pixels, else than the sheet."""
        most, letters = width or self.right - self.left, max(len(text), 1)
        lines = text
        while letters > 4 and (wide := self.measure(lines, size, weight)[0]) > most:
            letters = min(letters - 1, int(letters * most / wide) + 1)
            lines = textwrap.fill(text, letters)
        return lines

    def cut(self, text: str, size: float, width: float) -> str:
        """Shorten a text to so many pixels, in its middle: ends tell names apart."""
        short, kept = text, len(text)
        while kept > 1 and (wide := self.measure(short, size)[0]) > width:
            kept = min(kept - 1, int(kept * width / wide))
            tail = kept * 2 // 5
            short = f"{text[: kept - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"
        return short

    def place(self, axes: Any, box: Box) -> None:
        """Put axes into a box of pixels."""
        low, high = np.reshape(box, (2, 2)) / self.pixels
        axes.set_position((*low, *(high - low)))

    def legend(self, entries: Mapping[str, Any]) -> float:
        """Say what the marks mean, at the foot; how high it is, in pixels."""
        left, low, right = self.foot
        size, room = 0.9 * self.size, right - left - 3 * self.em
        labels = [self.wrapped(self.say(text), size, room) for text in entries]
        look = {"fontsize": size, "labelcolor": self.look["ink"], **LOOKS["legend"]}
        look |= {"bbox_to_anchor": (left, low) / self.pixels}
        for columns in range(min(4, len(labels)), 0, -1):
            made = self.figure.legend([*entries.values()], labels, ncols=columns, **look)
            if columns == 1 or 1.06 * made.get_window_extent().width <= right - left:
                break
            made.remove()
        self.made.insert(0, made)
        return float(made.get_window_extent().height)

    @property
    def key_form(self) -> tuple[int, int]:
        """How many columns a key has, and how many lines at the most."""
        room = np.array([self.right - self.left, 0.4 * (self.top - self.bottom)])
        columns, lines = (room / self.em / (16, 1.04)).astype(int)
        return max(int(columns), 1), max(int(lines), 1)

    def _key(self, key: Sequence[str]) -> float:
        """Write numbered names at the foot, in columns; how high they are."""
        size, line, (n, most) = 0.8 * self.size, 1.04 * self.em, self.key_form
        width, rows, shown = (self.right - self.left) / n, min(-(-len(key) // n), most), list(key)
        if len(key) > n * rows:
            more = len(key) - n * rows + 1
            shown[n * rows - 1 :] = [self.say("and {n} more", n=more)]
        for at, text in enumerate(shown):
            x, y = self.left + at // rows * width, self.bottom + (rows - at % rows) * line
            self.made.append(
                self.write(x, y, self.cut(text, size, width - self.em), size, va="top")
            )
        return float(rows * line)

    def divide(
        self, entries: Mapping[str, Any], key: Sequence[str] = (), *, inset: bool = False
    ) -> list[Any]:
        """Give key, legend and inset their room, and the map the rest; the axes of both."""
        gap = 0.6 * self.em
        low = self.bottom + (self._key(key) + gap if key else 0.0)
        width, height = self.right - self.left, self.top - low
        is_beside = inset and width > WIDE * height
        left = self.right - 0.4 * width if is_beside else self.left
        self.foot = (left, low, self.right)
        y = low + self.legend(entries) + gap
        high = (1.0 if is_beside else 0.42) * (self.top - y)
        panes = [self.ax]
        if inset and high > 7 * self.em:
            panes.append(self.figure.add_axes((0, 0, 1, 1)))
            self.made.append(panes[1])
            self.place(panes[1], (left, y, self.right, y + high))
            y += high + gap
        around = (low, left - gap) if is_beside else (y, self.right)
        self.place(self.ax, (self.left, around[0], around[1], self.top))
        return panes

    def maps(
        self,
        ground: Ground,
        boxes: Sequence[Box | None],
        marks: Floats,
        entries: Mapping[str, Any],
        key: Sequence[str] = (),
    ) -> list[Pane]:
        """Make room for a map and its inset; the legend has room for all that it may say."""
        while self.made:  # when there was no room for names, numbers are tried
            self.made.pop().remove()
        frame = Patch(fill=False, edgecolor=self.look["ink"], lw=0.9)
        town = Line2D([], [], **self.mark("town"))
        self.entries = {**entries, MARKS["town"]["text"]: town, _ENLARGED: frame}
        self.seen.clear()
        axes = self.divide(self.entries, key, inset=len(boxes) > 1 and boxes[-1] is not None)
        there = zip(axes, filter(None, boxes), strict=False)
        panes = [Pane(self, one, ground, box, marks) for one, box in there]
        if len(panes) == 2:
            panes[0].enlarge(panes[1].view)
        return panes

    def finish(self, panes: Sequence[Pane]) -> Any:
        """Draw what lies beneath, the towns that have room, and a legend of what is seen; the axes."""
        for pane in panes:
            pane.lay()
            pane.draw_towns()
        self.made.pop(0).remove()
        self.legend({k: v for k, v in self.entries.items() if k in self.seen or k not in _UNSURE})
        return self.ax

    def chart(self, entries: Mapping[str, Any]) -> Any:
        """Give axes that are no map their room, with their ticks and labels inside."""
        self.divide(entries)
        ax, look = self.ax, {"size": 0.9 * self.size, "color": self.look["ink"]}
        ax.tick_params(labelsize=0.9 * self.size, colors=self.look["ink"])
        ax.spines[["top", "right"]].set_visible(False)
        ax.xaxis.label.set(**look)
        ax.yaxis.label.set(**look)
        room = np.array(ax.get_window_extent().extents)
        for _ in range(2):  # other ticks may need other room
            over = ax.get_tightbbox().extents - np.array(ax.get_window_extent().extents)
            self.place(ax, tuple(room - over + np.array([1, 1, -1, -1]) * 0.4 * self.em))
        return ax


class Pane:
    """One map of a sheet: its marks, and labels that cover neither marks nor each other."""

    def __init__(self, sheet: Sheet, axes: Any, ground: Ground, box: Box, marks: Floats) -> None:
        self.sheet, self.axes, self.ground = sheet, axes, ground
        self.frame = np.array(axes.get_window_extent().extents)
        self.view = self._view(box)
        self.hidden: Box | None = None
        self.spots = axes.transData.transform(np.reshape(marks, (-1, 2)))
        half = 0.45 * sheet.em
        self.taken = np.hstack([self.spots - half, self.spots + half])
        self.towns = [
            (name, spot, self.hits(self.pixels(spot), 2).any())
            for name, lon, lat, _ in (towns() if ground.has_map else ())
            if self.shows(spot := ground.flat([lon], [lat])[0])
        ]
        self._draw_bar()

    def _view(self, box: Box) -> Box:
        """Widen a box of the plane to the form of the axes, and show it."""
        form = (self.frame[2] - self.frame[0]) / (self.frame[3] - self.frame[1])
        left, bottom, right, top = box
        half_x = max(right - left, (top - bottom) * form) / 2
        half_y, x, y = half_x / form, (left + right) / 2, (bottom + top) / 2
        seen = (x - half_x, y - half_y, x + half_x, y + half_y)
        self.axes.set(xlim=seen[::2], ylim=seen[1::2], xticks=[], yticks=[])
        self.axes.set_aspect("equal", adjustable="datalim")
        for spine in self.axes.spines.values():
            spine.set(edgecolor=self.sheet.look["border"], linewidth=0.6)
        return seen

    def pixels(self, spot: Any) -> Floats:
        """Return where a point of the plane is drawn."""
        return np.asarray(self.axes.transData.transform(spot))

    def shows(self, spot: Floats) -> bool:
        """Whether a point of the plane is in view, and not what an inset shows better."""
        seen, hidden = (_holds(box, spot) for box in (self.view, self.hidden))
        return seen and not hidden

    def enlarge(self, box: Box) -> None:
        """Mark what an inset shows: its marks have their labels there alone."""
        low, high = np.reshape(box, (2, 2))
        edge = Rectangle(tuple(low), *(high - low), fill=False, ec=self.sheet.look["ink"], lw=0.9)
        self.sheet.made.append(self.axes.add_patch(edge))
        low, high = self.pixels([low, high])
        self.take((low + high) / 2, (high - low) / 2)
        self.hidden = box
        self.sheet.seen.add(_ENLARGED)
        self.towns = [town for town in self.towns if self.shows(town[1])]

    def take(self, middle: Floats, half: Any) -> None:
        """Keep labels away from a box of pixels."""
        self.taken = np.vstack([self.taken, np.concatenate([middle - half, middle + half])])

    def hits(self, middle: Floats, half: Any) -> Any:
        """Tell which boxes of pixels another one covers."""
        low, high = self.taken[:, :2], self.taken[:, 2:]
        return (low < middle + half).all(axis=1) & (high > middle - half).all(axis=1)

    def is_free(self, middle: Floats, half: Floats) -> bool:
        """Whether a box of pixels lies in the frame and covers nothing."""
        room = np.minimum(middle - half - self.frame[:2], self.frame[2:] - middle - half)
        return bool(room.min() > 2 and not self.hits(middle, half).any())

    def label(
        self,
        xy: Iterable[Floats],
        texts: Iterable[str],
        size: float,
        reaches: Sequence[float] = _REACHES,
        *,
        strict: bool = False,
        **look: Any,
    ) -> list[bool]:
        """Write each label where there is room, if strict only away from others; whether there was."""
        em, found = self.sheet.em, []
        steps = [(way, reach) for reach in reaches for way in _WAYS]
        for spot, text in zip(xy, texts, strict=True):
            half, at = self.sheet.measure(text, size) / 2 + 1, self.pixels(spot)
            offsets = (
                way * (half + (0.45 + reach) * em / np.hypot(*way) ** 0.5) for way, reach in steps
            )
            free = [one for one in offsets if self.is_free(at + one, half)]
            clear = [
                one
                for one in free
                if not self._misleads(at, at + one, half, 1.2 if strict else 0.5)
            ]
            best = next(iter(clear or ([] if strict else free)), None)
            found.append(best is not None)
            if best is not None:
                self.take(at + best, half)
                self._write(spot, text, best, half, size=size, **look)
        return found

    def _misleads(self, at: Floats, middle: Floats, half: Floats, room: float) -> bool:
        """Whether a label is nearer to the mark of another, or its line leaves one too little room."""
        sides = np.maximum(np.abs([at, *self.spots] - middle) - half, 0)
        gaps = np.hypot(*sides.T)
        em, line, ways = self.sheet.em, middle - at, self.spots - at
        along = np.clip(ways @ line / (line @ line), 0, 1)
        is_passed = np.hypot(*(ways - along[:, None] * line).T) < room * em
        is_nearer = gaps[1:] < min(gaps[0], 1.5 * em)
        return bool((is_nearer | is_passed)[np.hypot(*ways.T) > 0.8 * em].any())

    def _write(self, spot: Floats, text: str, offset: Floats, half: Floats, **look: Any) -> None:
        sheet = self.sheet
        is_far = (np.abs(offset) - half > 0.9 * sheet.em).any()
        line = {"arrowstyle": "-", "lw": 0.5, "color": sheet.look["muted"], "shrinkB": 2}
        written = self.axes.annotate(
            _shown(text),
            spot,
            xytext=offset * 72 / sheet.figure.dpi,
            textcoords="offset points",
            arrowprops=line if is_far else None,
            bbox={"facecolor": sheet.look["ontario"], "alpha": sheet.cover, "lw": 0, "pad": 0.2},
            parse_math=False,
            **{"ha": "center", "va": "center", "zorder": 6, "color": sheet.look["ink"], **look},
        )
        sheet.made.append(written)

    def lay(self) -> None:
        """Draw what lies beneath, or degrees where nothing is known of it."""
        look, beneath = self.sheet.look, self.ground.beneath(self.view)
        faces = {**look, "lakes": look["water"], "borders": "none"}
        self.axes.set_facecolor(look["water"] if self.ground.given is not None else look["land"])
        for at, (name, shape) in enumerate(beneath.items()):
            edge = look["border"] if name in {"lakes", "borders"} or len(beneath) == 1 else "none"
            if not shape.is_empty:
                style = {"facecolor": faces[name], "edgecolor": edge, "lw": 0.35}
                path = self.ground.path(shape)
                self.axes.add_artist(PathPatch(path, zorder=0.1 + at / 100, **style))
        if not beneath:
            self._draw_degrees()

    def _draw_degrees(self) -> None:
        """Draw lines of longitude and latitude, each with its degrees where it enters."""
        low, high = np.reshape(self.view, (2, 2))
        x, y = np.meshgrid(*np.linspace(low, high, 60).T)
        degrees = self.ground.round(np.stack([x, y], axis=-1)).T.reshape(2, 60, 60)
        middle = degrees[0, 30, 30]
        degrees[0] = middle + np.mod(degrees[0] - middle + 180, 360) - 180
        step = max(np.ptp(degrees, axis=(1, 2)).max() / 8, 0.01)
        step = next(one for one in _GRID_STEPS if one >= step)
        small, look = 0.75 * self.sheet.size, self.sheet.look
        for values, sides in zip(degrees, ("EW", "NS"), strict=True):
            levels = np.arange(np.ceil(values.min() / step), values.max() / step) * step
            thin: Any = {"colors": look["border"], "linewidths": 0.4, "linestyles": "solid"}
            drawn = self.axes.contour(x, y, values, levels, zorder=0.5, **thin)
            for value, lines in zip(drawn.levels, drawn.allsegs, strict=True):
                side = round((value + 180) % 360 - 180, 6)
                text = f"{abs(side):g}°{sides[0] if side >= 0 else sides[1]}"
                spots = [line[len(line) // 30] for line in lines[:1]]
                self.label(spots, [text] * len(spots), small, (0.0, 0.5), color=look["muted"])

    def _draw_bar(self) -> None:
        """Draw a round length, true in the middle of the map, in a corner without marks."""
        low, high = np.reshape(self.view, (2, 2))
        y = (low[1] + high[1]) / 2
        (lon1, lat1), (lon2, lat2) = self.ground.round([(low[0], y), (high[0], y)])
        true_km = float(geodesic_km(lat1, lon1, lat2, lon2))
        power = 10.0 ** np.floor(np.log10(true_km / 4))
        length_km = max(n * power for n in (1, 2, 5) if n * power <= true_km / 4 * 1.0000001)
        text, size = f"{length_km:g} km", 0.8 * self.sheet.size
        bar = length_km / true_km * (self.frame[2] - self.frame[0])
        words = self.sheet.measure(text, size)
        half = np.array([max(bar, words[0]) + 6, words[1] + 10]) / 2
        near, far = self.frame[:2] + half + 5, self.frame[2:] - half - 5
        corners = [near, np.array([far[0], near[1]]), np.array([near[0], far[1]]), far]
        middle = next((one for one in corners if self.is_free(one, half)), near)
        self.take(middle, half)
        ends = middle + np.array([(-bar / 2, 3 - half[1]), (bar / 2, 3 - half[1])])
        line = self.axes.transData.inverted().transform(ends)
        look = {"color": self.sheet.look["ink"], "lw": 1.5, "solid_capstyle": "butt", "zorder": 5}
        self.sheet.made += self.axes.plot(*line.T, **look)
        up = np.array([0.0, words[1] / 2 + 4])
        self._write(line.mean(axis=0), text, up, words / 2, size=size)

    def draw_towns(self) -> None:
        """Draw the towns that have room, the largest first."""
        look, size, half = self.sheet.look, 0.8 * self.sheet.size, 0.25 * self.sheet.em
        # A clinic of the town stands for it; under a label there is no room.
        towns = [
            one for one in self.towns if one[2] or not self.hits(self.pixels(one[1]), half).any()
        ]
        for _, spot, _ in towns:
            self.take(self.pixels(spot), half)
        muted = {"color": look["muted"], "style": "italic"}
        for name, spot, is_marked in towns:
            has_room = self.label([spot], [name], size, (0.0, 0.3), **muted) == [True]
            if has_room and not is_marked:
                self.axes.plot(*spot, **self.sheet.mark("town"))
                self.sheet.seen.add(MARKS["town"]["text"])


class ClinicsMap:
    """Clinics laid out on a sheet."""

    def __init__(
        self,
        sheet: Sheet,
        rows: Sequence[dict[str, Any]],
        ground: Ground,
        marks: Floats,
        n_unlocated: int,
    ) -> None:
        self.sheet, self.rows, self.ground, self.marks = sheet, rows, ground, marks
        self.xy = marks[: len(rows)]  # the origin is the last mark, if it is drawn
        kinds = [str(row.get("truth") or row.get("status")) for row in rows]
        kinds += ["origin"] * (len(marks) - len(rows))
        self.kinds = [kind if kind in MARKS else "active" for kind in kinds]
        metres = 1000 * np.array([[row.get("radius_km") or 0.0] for row in rows], float)
        reach = np.vstack([self.marks, self.xy - metres, self.xy + metres])
        self.boxes = [around(reach), crowd(self.xy)]
        self.entries: dict[str, Any] = {
            mark["text"]: Line2D([], [], **sheet.mark(kind))
            for kind, mark in MARKS.items()
            if kind in {*self.kinds, "circle"}
        }
        if n_unlocated:
            self.entries[sheet.say("{n} without a position, not drawn", n=n_unlocated)] = BLANK

    def draw(self, *, labels: bool | str) -> Any:
        """Draw names where all have room, else numbers and a key."""
        names = [textwrap.fill(row["name"], 24) for row in self.rows]
        numbers = [str(row["label"]) for row in self.rows]
        key = [f"{row['label']}  {row['named']}" for row in self.rows]
        columns, lines = self.sheet.key_form
        too_many = labels is True and len(key) > 2 * columns * lines
        tries = [(numbers, key, True)] if labels and not too_many else [([], [], True)]
        if labels is True and len(names) <= _MOST_NAMES and all(names):
            tries.insert(0, (names, [], False))
        for texts, beneath, together in tries:
            panes = self.sheet.maps(self.ground, self.boxes, self.marks, self.entries, beneath)
            fits = [self._label(pane, texts, together=together) for pane in panes]
            if all(fits):
                break
        for pane in panes:
            self._paint(pane)
        return self.sheet.finish(panes)

    def _label(self, pane: Pane, texts: Sequence[str], *, together: bool) -> bool:
        """Label the clinics of this map, those at one place together; whether all have room."""
        groups: dict[Any, list[int]] = {}
        cells = np.round(pane.pixels(self.xy) / (0.8 * self.sheet.em)).tolist()
        for at in filter(lambda at: pane.shows(self.xy[at]), range(len(texts))):
            groups.setdefault(tuple(cells[at]) if together else at, []).append(at)
        said = [", ".join(texts[at] for at in group) for group in groups.values()]
        if together:
            said = [textwrap.fill(one, 16) for one in said]
        # Names stand near their marks; where not all can, numbers do.
        reaches = _REACHES if together else _REACHES[:4]
        spots = [self.xy[at] for at, *_ in groups.values()]
        return all(pane.label(spots, said, self.sheet.size, reaches, strict=not together))

    def _paint(self, pane: Pane) -> None:
        circles = {(row["lon"], row["lat"], row.get("radius_km") or 0.0) for row in self.rows}
        metres = np.ptp(pane.axes.get_xlim()) / np.ptp(pane.frame[::2])  # a pixel
        least_km = 0.6 * self.sheet.em * metres / 1000
        # Circles larger than a mark, one a place.
        for lon, lat, km in sorted(one for one in circles if one[2] > least_km):
            edge = self.ground.circle(lon, lat, km)
            pane.axes.add_artist(Polygon(edge, fill=False, zorder=2, **self.sheet.mark("circle")))
            self.sheet.seen.add(MARKS["circle"]["text"])
        for kind in MARKS:
            spots = self.marks[[one == kind for one in self.kinds]]
            if len(spots):
                pane.axes.plot(*spots.T, **self.sheet.mark(kind))


def _holds(box: Box | None, spot: Floats) -> bool:
    return box is not None and bool((spot >= box[:2]).all() and (spot <= box[2:]).all())


def _shown(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))
