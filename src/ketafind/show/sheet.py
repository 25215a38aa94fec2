"""The sheet that a picture is drawn on: title, map, inset, legend, key and footer, all measured."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Rectangle
from pyproj import Geod

from ketafind.show.basemap import Box, Floats, Ground, towns
from ketafind.show.projection import compass, scale_km
from ketafind.show.text import escaped

GEOD = Geod(ellps="WGS84")
WIDE = 1.25
"""A sheet wider than so many of its heights has its legend beside the map, else beneath."""
TOWN, ENLARGED = "town", "the part that is enlarged"
# Where a label may stand about its mark: near first, then farther out, with a line that leads there.
_WAYS = np.array([(1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1)], float)
_REACHES = (0.2, 1.0, 2.0, 3.5, 5.5, 8.0, 11.0, 15.0)
_LED = 0.9  # reach, in letters
_GRID_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Look(NamedTuple):
    """The colours of a picture: told apart in grey and without colour vision, too."""

    ink: str
    muted: str
    land: str
    ontario: str
    water: str
    border: str
    known: str
    unknown: str
    ramp: str
    missing: str


LIGHT = Look(
    *("#1a1a1a", "#555b61", "#ebe8e2", "#faf8f3", "#cfe1ee", "#8d8d8d"),
    *("#0b5394", "#b33c00", "cividis_r", "#dddddd"),
)
DARK = Look(
    *("#f2f2f2", "#b4bac0", "#26292d", "#363b41", "#0f1a24", "#868d94"),
    *("#6cb8f0", "#ffb454", "cividis", "#44484c"),
)


class SheetFigure(Figure):
    """A figure that writes its text as text into PDF and SVG."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save the figure as matplotlib does."""
        with rc_context({"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "ketafind"}):
            super().savefig(fname, **options)


_FINE = Figure(figsize=(1, 1), dpi=720)
FigureCanvasAgg(_FINE)  # measures with one renderer


@lru_cache(4096)
def _measured(text: str, size: float) -> tuple[float, float]:
    """Return the width and height of a text in inches."""
    written = _FINE.text(0, 0, text, size=size, parse_math=False)
    extent = written.get_window_extent()
    written.remove()
    # Letters are fitted to the pixels: some resolutions make them up to 6 % wider.
    return 1.07 * extent.width / _FINE.dpi, 1.07 * extent.height / _FINE.dpi


class Sheet:
    """A figure of its own, or the part of one that axes take up, divided by what its texts measure."""

    def __init__(
        self, ax: Any, figsize: tuple[float, float] | None, title: str | None, footer: str | None
    ) -> None:
        if ax is None:
            from matplotlib import pyplot as plt

            figure = plt.figure(FigureClass=SheetFigure, figsize=figsize or (7.2, 4.8))
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.ax, self.figure = ax, ax.get_figure(root=True)
        self.figure.draw_without_rendering()  # a layout decides where the axes are
        paper = to_rgb(self.figure.get_facecolor())
        self.look = DARK if np.dot(paper, (0.3, 0.6, 0.1)) < 0.5 else LIGHT
        box = ax.get_window_extent()
        self.size = min(max(5.0 + 0.6 * box.width / self.figure.dpi, 6.5), 12.0)
        self.em = self.size * self.figure.dpi / 72
        self.left, self.right = box.x0 + 0.5 * self.em, box.x1 - 0.5 * self.em
        self.bottom, self.top = box.y0 + 0.4 * self.em, box.y1 - 0.5 * self.em
        self._made: list[Any] = []
        if title:
            large = 1.2 * self.size
            above = self._lines(title, large, va="top", y=self.top, weight="bold")
            self.top = above.get_window_extent().y0 - 0.5 * self.em
        if footer:
            small = 0.75 * self.size
            under = self._lines(footer, small, va="bottom", y=self.bottom, color=self.look.muted)
            self.bottom = under.get_window_extent().y1 + 0.5 * self.em

    def write(self, x: float, y: float, text: str, size: float, **look: Any) -> Any:
        """Write a text at a place in pixels; a dollar sign is a dollar sign."""
        look = {"color": self.look.ink, "parse_math": False, "size": size, **look}
        lines = "\n".join(map(escaped, text.split("\n")))
        return self.figure.text(
            x / self.figure.bbox.width, y / self.figure.bbox.height, lines, **look
        )

    def measure(self, text: str, size: float) -> tuple[float, float]:
        """Return the width and height of a text in pixels, at any resolution it is saved with."""
        width, height = _measured(text, size)
        return width * self.figure.dpi, height * self.figure.dpi

    def wrapped(self, text: str, size: float, width: float) -> str:
        """Break a text into lines no wider than so many pixels."""
        letters = max(len(text), 1)
        while letters > 4:
            lines = "\n".join(textwrap.wrap(text, letters))
            if (wide := self.measure(lines, size)[0]) <= width:
                return lines
            letters = min(letters - 1, int(letters * width / wide) + 1)
        return text

    def cut(self, text: str, size: float, width: float) -> str:
        """Shorten a text to so many pixels, in its middle: ends tell names apart."""
        short, kept = text, len(text)
        while kept > 1 and (wide := self.measure(short, size)[0]) > width:
            kept = min(kept - 1, int(kept * width / wide))
            tail = kept * 2 // 5
            short = f"{text[: kept - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"
        return short

    def _lines(self, text: str, size: float, *, y: float, **look: Any) -> Any:
        lines = self.wrapped(text, size, self.right - self.left)
        return self.write(self.left, y, lines, size, **look)

    def place(self, axes: Any, box: Box) -> None:
        """Put axes into a box of pixels."""
        left, bottom, right, top = box
        wide, high = self.figure.bbox.width, self.figure.bbox.height
        axes.set_position(
            (left / wide, bottom / high, (right - left) / wide, (top - bottom) / high)
        )

    def legend(self, entries: Mapping[str, Any], box: Box) -> float:
        """Say what the marks mean, at the foot of a box; how high it is, in pixels."""
        left, bottom, right, _ = box
        labels = [
            self.wrapped(text, 0.9 * self.size, right - left - 3 * self.em) for text in entries
        ]
        anchor = (left / self.figure.bbox.width, bottom / self.figure.bbox.height)
        for columns in (4, 3, 2, 1):
            made = self.figure.legend(
                handles=[*entries.values()],
                labels=labels,
                loc="lower left",
                bbox_to_anchor=anchor,
                ncols=min(columns, len(labels)),
                fontsize=0.9 * self.size,
                labelcolor=self.look.ink,
                frameon=False,
                borderpad=0.0,
                borderaxespad=0.0,
                handlelength=1.6,
                labelspacing=0.35,
                columnspacing=1.2,
                handletextpad=0.5,
            )
            extent = made.get_window_extent()
            if 1.06 * extent.width <= right - left or columns == 1:
                self._legend = made
                self._made.append(made)
                return float(extent.height)
            made.remove()
        raise AssertionError("unreachable")

    def _key(self, key: Sequence[str]) -> float:
        """Write numbered names at the foot, in columns; how high they are."""
        width, most = self.right - self.left, 0.4 * (self.top - self.bottom)
        size = 0.8 * self.size
        n = max(int(width / (20 * size * self.figure.dpi / 72)), 1)
        line = 1.3 * size * self.figure.dpi / 72
        rows = min(-(-len(key) // n), max(int(most / line), 1))
        shown = list(key)
        if len(key) > n * rows:
            shown[n * rows - 1 :] = [f"and {len(key) - n * rows + 1} more"]
        for at, text in enumerate(shown):
            x, y = self.left + at // rows * width / n, self.bottom + (rows - at % rows) * line
            short = self.cut(text, size, width / n - self.em)
            self._made.append(self.write(x, y, short, size, va="top"))
        return float(rows * line)

    def divide(
        self, entries: Mapping[str, Any], key: Sequence[str] = (), *, inset: bool = False
    ) -> list[Any]:
        """Give key, legend and inset their room, and the map the rest; the axes of both."""
        for made in self._made:
            made.remove()
        self._made, gap = [], 0.6 * self.em
        low = self.bottom + (self._key(key) + gap if key else 0.0)
        width, height = self.right - self.left, self.top - low
        is_beside = inset and width > WIDE * height
        left = self.right - 0.4 * width if is_beside else self.left
        self.foot: Box = (left, low, self.right, self.top)
        y = low + self.legend(entries, self.foot) + gap
        high = (1.0 if is_beside else 0.42) * (self.top - y)
        panes = [self.ax]
        if inset and high > 7 * self.em:
            panes.append(self.figure.add_axes((0, 0, 1, 1)))
            self._made.append(panes[1])
            self.place(panes[1], (left, y, self.right, y + high))
            y += high + gap
        if is_beside:
            self.place(self.ax, (self.left, low, left - gap, self.top))
        else:
            self.place(self.ax, (self.left, y, self.right, self.top))
        return panes

    def finish(self, entries: Mapping[str, Any]) -> None:
        """Write the legend again, of the marks that were drawn."""
        self._legend.remove()
        self._made.remove(self._legend)
        self.legend(entries, self.foot)

    def view(self, axes: Any, box: Box) -> Box:
        """Widen a box of the plane to the form of its axes, and show it."""
        extent = axes.get_window_extent()
        left, bottom, right, top = box
        across = max(right - left, (top - bottom) * extent.width / extent.height)
        up = max(top - bottom, (right - left) * extent.height / extent.width)
        x, y = (left + right) / 2, (bottom + top) / 2
        seen = (x - across / 2, y - up / 2, x + across / 2, y + up / 2)
        axes.set(xlim=seen[::2], ylim=seen[1::2], xticks=[], yticks=[], xlabel="", ylabel="")
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_axis_on()
        for spine in axes.spines.values():
            spine.set(edgecolor=self.look.border, linewidth=0.6)
        return seen


class SeenTown(NamedTuple):
    """A town in view, and whether a mark stands on it."""

    name: str
    spot: Floats
    is_marked: bool


class Pane:
    """One map of a sheet: its marks, and labels that cover neither marks nor each other."""

    def __init__(self, sheet: Sheet, axes: Any, ground: Ground, box: Box, marks: Floats) -> None:
        self.sheet, self.axes, self.ground = sheet, axes, ground
        self.seen = sheet.view(axes, box)
        frame = axes.get_window_extent()
        self.frame = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
        self.taken = np.empty((0, 4))
        at = axes.transData.transform(marks) if len(marks) else np.empty((0, 2))
        half = 0.45 * sheet.em
        self.take(np.hstack([at - half, at + half]))
        self.towns = self._towns()
        self.bar = self._bar()

    def shows(self, spot: Floats) -> bool:
        """Whether a point of the plane is in view."""
        left, bottom, right, top = self.seen
        return bool(left <= spot[0] <= right and bottom <= spot[1] <= top)

    def take(self, boxes: Any) -> None:
        """Keep labels away from boxes of pixels."""
        self.taken = np.vstack([self.taken, np.reshape(boxes, (-1, 4))])

    def _hits(self, box: Floats) -> Any:
        low, high = self.taken[:, :2], self.taken[:, 2:]
        return (low < box[2:]).all(axis=1) & (high > box[:2]).all(axis=1)

    def is_free(self, box: Floats) -> bool:
        """Whether a box lies in the frame and covers nothing."""
        inside = (box[:2] >= self.frame[:2] + 2).all() and (box[2:] <= self.frame[2:] - 2).all()
        return bool(inside and not self._hits(box).any())

    def fit(
        self, xy: Floats, texts: Sequence[str], size: float, reaches: Iterable[float] = _REACHES
    ) -> list[Floats | None]:
        """Find a free place for each label, in pixels from its mark; None where there is none."""
        found: list[Floats | None] = []
        steps = [(way, reach) for reach in reaches for way in _WAYS]
        for (x, y), text in zip(self.axes.transData.transform(xy), texts, strict=True):
            half = np.array(self.sheet.measure(text, size)) / 2 + 1
            for way, reach in steps:
                offset = way * (half + (0.45 + reach) * self.sheet.em * np.hypot(*way) ** -0.5)
                box = np.array([x, y, x, y]) + np.concatenate([offset - half, offset + half])
                if self.is_free(box):
                    self.take(box)
                    found.append(offset)
                    break
            else:
                found.append(None)
        return found

    def label(
        self, xy: Floats, texts: Sequence[str], places: Iterable[Any], size: float, **look: Any
    ) -> None:
        """Write labels at the places found for them, with a line to each that stands far off."""
        pixel = 72 / self.sheet.figure.dpi
        behind = {"facecolor": self.sheet.look.ontario, "alpha": 0.6, "lw": 0, "pad": 0.2}
        for spot, text, place in zip(xy, texts, places, strict=True):
            if place is None:
                continue
            half = np.array(self.sheet.measure(text, size)) / 2
            is_far = (np.abs(place) - half > (0.45 + _LED) * self.sheet.em).any()
            leader = {"arrowstyle": "-", "lw": 0.5, "color": self.sheet.look.muted, "shrinkB": 2}
            self.axes.annotate(
                escaped(text) if "\n" not in text else "\n".join(map(escaped, text.split("\n"))),
                spot,
                xytext=place * pixel,
                textcoords="offset points",
                arrowprops=leader | {"shrinkA": 0} if is_far else None,
                bbox=behind,
                ha="center",
                va="center",
                size=size,
                parse_math=False,
                **{"color": self.sheet.look.ink, "zorder": 6, **look},
            )

    def lay(self) -> None:
        """Draw what lies beneath, or degrees where nothing is known of it."""
        look = self.sheet.look
        faces = {"water": look.water, "land": look.land, "ontario": look.ontario}
        faces |= {"lakes": look.water, "borders": "none"}
        beneath = self.ground.beneath(self.seen)
        self.axes.set_facecolor(look.water if self.ground.given is not None else look.land)
        for at, (name, shape) in enumerate(beneath.items()):
            edge = look.border if name in {"lakes", "borders"} or len(beneath) == 1 else "none"
            if not shape.is_empty:
                style = {"facecolor": faces[name], "edgecolor": edge, "lw": 0.35}
                patch = PathPatch(self.ground.path(shape), zorder=0.1 + at / 100, **style)
                self.axes.add_artist(patch)
        if not beneath:
            self._graticule()
        self._draw_bar()

    def _graticule(self) -> None:
        left, bottom, right, top = self.seen
        across, up = np.linspace((left, bottom), (right, top), 9).T
        degrees = self.ground.round(np.stack(np.meshgrid(across, up), axis=-1))
        middle = self.ground.round([(left + right) / 2, (bottom + top) / 2])[0]
        degrees[:, 0] = middle[0] + np.mod(degrees[:, 0] - middle[0] + 180, 360) - 180
        low, high = degrees.min(axis=0), degrees.max(axis=0)
        step = next((s for s in _GRID_STEPS if (high - low).max() / s < 8), 30.0)
        fine = np.linspace(0, 1, 60)[:, None]
        for axis, sides in ((0, "EW"), (1, "NS")):
            for value in np.arange(np.ceil(low[axis] / step), high[axis] / step + 1e-9) * step:
                ends = np.array([low, high])
                ends[:, axis] = value
                line = self.ground.flat(*(ends[0] + fine * (ends[1] - ends[0])).T)
                self.axes.plot(*line.T, lw=0.4, color=self.sheet.look.border, zorder=0.5)
                seen = (line > (left, bottom)).all(axis=1) & (line < (right, top)).all(axis=1)
                if seen.any():
                    spot = line[seen][:1]
                    text, size = [compass(float(value), sides)], 0.75 * self.sheet.size
                    place = self.fit(spot, text, size, (0.0, 0.5))
                    self.label(spot, text, place, size, color=self.sheet.look.muted)

    def _bar(self) -> tuple[str, Floats]:
        """Choose a round length, true in the middle of the map, and a corner without marks."""
        left, bottom, right, top = self.seen
        ends = self.ground.round([(left, (bottom + top) / 2), (right, (bottom + top) / 2)])
        true_km = GEOD.inv(*ends[0], *ends[1])[2] / 1000
        length_km = scale_km(true_km)
        text = f"{length_km:g} km"
        bar = length_km / true_km * (self.frame[2] - self.frame[0])
        wide, high = self.sheet.measure(text, 0.8 * self.sheet.size)
        size = np.array([max(bar, wide) + 6, high + 9])
        corners = [self.frame[:2] + 5, self.frame[[2, 1]] + (-5 - size[0], 5)]
        corners += [self.frame[[0, 3]] + (5, -5 - size[1]), self.frame[2:] - 5 - size]
        boxes = [np.concatenate([corner, corner + size]) for corner in corners]
        box = next(filter(self.is_free, boxes), boxes[0])
        self.take(box)
        middle, y = (box[0] + box[2]) / 2, box[1] + 3
        return text, np.array([(middle - bar / 2, y), (middle + bar / 2, y)])

    def _draw_bar(self) -> None:
        text, ends = self.bar
        line = self.axes.transData.inverted().transform(ends)
        look = {"color": self.sheet.look.ink, "lw": 1.5, "solid_capstyle": "butt", "zorder": 5}
        self.axes.plot(*line.T, **look)
        size = 0.8 * self.sheet.size
        up = np.array([0.0, self.sheet.measure(text, size)[1] / 2 + 4])
        self.label(line.mean(axis=0)[None, :], [text], [up], size)

    def draw_towns(self) -> bool:
        """Draw the towns that have room, the largest first; whether there is one."""
        sheet, size, half = self.sheet, 0.8 * self.sheet.size, 0.25 * self.sheet.em
        pixels = [self.axes.transData.transform(town.spot)[0] for town in self.towns]
        boxes = [np.concatenate([pixel - half, pixel + half]) for pixel in pixels]
        hits = [int(self._hits(box).sum()) for box in boxes]
        self.take(boxes)
        is_drawn = False
        for town, hit in zip(self.towns, hits, strict=True):
            # A clinic of the town stands for it; under a label there is no room.
            if hit and not town.is_marked:
                continue
            (place,) = self.fit(town.spot, [town.name], size, (0.0, 0.3))
            if place is not None:
                look = {"color": sheet.look.muted, "style": "italic"}
                self.label(town.spot, [town.name], [place], size, **look)
                if not town.is_marked:
                    self.axes.plot(*town.spot[0], zorder=2, **town_mark(sheet.look))
                    is_drawn = True
        return is_drawn

    def _towns(self) -> list[SeenTown]:
        if not self.ground.has_map:
            return []
        found = []
        for town in towns():
            spot = self.ground.flat([town.lon], [town.lat])
            pixel = self.axes.transData.transform(spot)[0]
            if self.shows(spot[0]):
                marked = bool(self._hits(np.concatenate([pixel - 2, pixel + 2])).any())
                found.append(SeenTown(town.name, spot, marked))
        return found


def town_mark(look: Look) -> dict[str, Any]:
    """Return the mark of a town."""
    return {"marker": "s", "ms": 2.6, "mec": look.muted, "mfc": look.muted, "ls": "none"}


def enlarge(pane: Pane, box: Box) -> None:
    """Mark what an inset shows."""
    left, bottom, right, top = box
    edge: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": pane.sheet.look.ink,
        "lw": 0.9,
        "zorder": 4,
    }
    pane.axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, **edge))


def handles_of_maps(look: Look) -> dict[str, Any]:
    """Return the legend's entries that any map may need."""
    return {
        TOWN: Line2D([], [], **town_mark(look)),
        ENLARGED: Patch(facecolor="none", edgecolor=look.ink, lw=0.9),
    }


def footer_of(data: str) -> str:
    """Name the program, the data and their licence."""
    from ketafind import __version__

    named = filter(None, (f"ketafind {__version__}", data.rstrip("."), "bundled data CC BY 4.0"))
    return " · ".join((*named, "base map Natural Earth"))
