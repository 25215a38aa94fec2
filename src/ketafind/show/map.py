"""A map to pan and zoom that asks nobody for anything: one page, SVG and a script of our own."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.files import require, write_whole
from ketafind.show.html import html_link, html_text
from ketafind.show.projection import MARKS, NOTHING, Layout, MapPoint, Spot, compass

_GRID_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A link may open a tab; nothing in the frame may reach the notebook around it.
_SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
# What a screen is taken to be wide until the script has measured it.
_PIXELS = 800


@dataclass(frozen=True, slots=True)
class MapPage:
    """A page that holds a whole map; it shows itself in a notebook.

    The page may load nothing and runs one script, ours, known by its hash; in a notebook it sits
    in a frame of its own that cannot reach the rest of the notebook.

    Parameters
    ----------
    page : str
        The HTML.
    height : int
        Of the frame in a notebook, in pixels.
    """

    page: str = field(repr=False)
    height: int = 480

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            Where to.
        overwrite : bool
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If the file is there and `overwrite` is False.
        OSError
            If it cannot be written.
        """
        write_whole(path, self.page, overwrite=overwrite)

    def _repr_html_(self) -> str:
        # The page is markup already: only what would end the attribute is changed.
        quoted = self.page.replace("&", "&amp;").replace('"', "&quot;")
        return (
            f'<iframe sandbox="{_SANDBOX}" referrerpolicy="no-referrer" width="100%" '
            f'height="{self.height}" style="border:1px solid #8888" srcdoc="{quoted}"></iframe>'
        )


def explore_clinics(
    columns: Mapping[str, Sequence[Any]],
    *,
    origin: Any = None,
    height: int = 480,
    tiles: str | None = None,
    attribution: str | None = None,
    empty: str = NOTHING,
) -> Any:
    """Show clinics on a map to pan and zoom.

    By default the map needs no extra package and makes no request: points, their 90 % circles,
    degrees and a scale, beside a list of what is known of each clinic.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns: ``lat``, ``lon``, and where there are such ``rank``, ``name`` and
        ``radius_km``; the others are listed. Where ``truth`` is ``unknown``, the mark is a ring.
        Rows without a position are counted.
    origin : Coordinates or Location, optional
        The place that was searched from. It is drawn only when it is given here: it may be where
        somebody lives.
    height : int
        Pixels in a notebook, 120 to 4000.
    tiles : str, optional
        A street map behind the points, by a name or URL that folium knows (extra ``maps``). Then
        whoever opens the map asks outside hosts for scripts and tiles, and these hosts learn what
        region is looked at.
    attribution : str, optional
        What the maker of the tiles asks to be shown, for a URL.
    empty : str
        What to say instead of a map where no clinic has a position.

    Returns
    -------
    MapPage or folium.Map
        A MapPage unless `tiles` is given and a clinic has a position.

    Raises
    ------
    InvalidInputError
        If there is no ``lat`` or ``lon``, or the height is no such number.
    MissingExtraError
        If tiles are asked for and folium is not installed.
    """
    if isinstance(height, bool) or not isinstance(height, int) or not 120 <= height <= 4000:
        raise InvalidInputError(f"height must be 120 to 4000 pixels, not {height!r}")
    layout = Layout.of(columns, origin)
    if not layout.points:
        lines = "".join(f"<p>{html_text(line)}</p>" for line in empty.splitlines())
        return MapPage(_page(f'<div id="list">{lines}</div>'), height)
    if tiles is not None:
        return _street_map(layout, height, tiles, attribution)
    body = f'<div id="map">{_svg(layout)}{_TOOLS}</div>{_list(layout)}'
    return MapPage(_page(body, _asset("explore.js")), height)


def _page(body: str, script: str = "") -> str:
    style = _asset("explore.css")
    # The page's policy: also a text that slipped past the escaping could load and run nothing.
    return Template(_asset("explore.html")).substitute(
        script_source=_hash(script) if script else "'none'",
        style_source=_hash(style),
        style=style,
        body=body,
        script=f"<script>{script}</script>" if script else "",
    )


_TOOLS = (
    '<div id="tools"><button id="in" aria-label="Zoom in">+</button>'
    '<button id="out" aria-label="Zoom out">&#8722;</button><button id="all">all</button></div>'
    '<div id="scale"><div id="bar"></div><span id="bar-text"></span></div>'
)


def _list(layout: Layout) -> str:
    keys = "".join(
        f'<span><svg class="key" viewBox="-10 -10 20 20">{_SHAPES[mark]}</svg> {said}</span> '
        for mark, said in layout.mark_meanings().items()
    )
    legend = f'<p id="legend">{keys}</p>' if keys else ""
    n = layout.n_unlocated
    note = f"<p>{n} without a position, not on the map.</p>" if n else ""
    return f'<div id="list">{legend}{note}{"".join(map(_entry, layout.points))}</div>'


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _svg(layout: Layout) -> str:
    flat = [layout.projection.east_north_km(*spot) for spot in layout.spots]
    margin = max([1.0, *(point.radius_km for point in layout.points)])
    wide = 2.3 * max(max(abs(east), abs(north)) for east, north in flat) + 2.0 * margin
    scale = wide / _PIXELS
    content = [*_grid(layout, wide, scale), *_doubts(layout), *_points(layout, scale)]
    if layout.origin is not None:
        content.append(_mark(flat[-1], scale, _STAR, "origin"))
    half = wide / 2
    return (
        f'<svg viewBox="{-half:.4f} {-half:.4f} {wide:.4f} {wide:.4f}" tabindex="0" role="img" '
        f'aria-label="Map of {len(layout.points)} clinics">{"".join(content)}</svg>'
    )


_STAR = '<path class="origin" d="M0-10 3-3 10-3 4 2 6 9 0 5-6 9-4 2-10-3-3-3z"/>'
_SHAPES = {
    "dot": '<circle class="point" r="6"/>',
    "ring": '<circle class="ring" r="6"/>',
    "both": '<circle class="ring" r="8"/><circle class="point" r="5"/>',
}


def _mark(flat: Spot, scale: float, shape: str, title: str, label: str = "", more: str = "") -> str:
    """Write what keeps its size on the screen at any zoom; `shape` and `more` are markup."""
    east, north = flat
    text = f'<text x="11" y="4">{html_text(label)}</text>' if label else ""
    return (
        f'<g class="mark" data-x="{east:.4f}" data-y="{-north:.4f}"{more} '
        f'transform="translate({east:.4f} {-north:.4f}) scale({scale:.6g})">'
        f"<title>{html_text(title)}</title>{shape}{text}</g>"
    )


def _points(layout: Layout, scale: float) -> Iterator[str]:
    """Write one mark for each position; clinics at the same one share it."""
    shared: dict[Spot, list[int]] = {}
    for at, point in enumerate(layout.points):
        shared.setdefault(point.spot, []).append(at)
    for spot, entries in shared.items():
        points = [layout.points[at] for at in entries]
        title = "; ".join(f"{point.label} {_named(point)}" for point in points)
        label = ", ".join(point.label for point in points)
        more = f' data-entries="{" ".join(map(str, entries))}"'
        kinds = {point.is_unknown for point in points}
        shape = _SHAPES["both" if len(kinds) > 1 else "ring" if True in kinds else "dot"]
        flat = layout.projection.east_north_km(*spot)
        yield _mark(flat, scale, shape, title, label, more)


def _doubts(layout: Layout) -> Iterator[str]:
    for point in layout.points:
        if point.radius_km > 0.0:
            east, north = layout.projection.east_north_km(*point.spot)
            size = f'cx="{east:.4f}" cy="{-north:.4f}" r="{point.radius_km:.4f}"'
            yield f'<circle class="doubt" {size}/>'


def _grid(layout: Layout, wide: float, scale: float) -> Iterator[str]:
    """Draw parallels and meridians well beyond the first view, about six across it."""
    projection, far = layout.projection, 2 * wide
    for is_parallel in (True, False):
        per_km = projection.degrees_north(1.0) if is_parallel else projection.degrees_east(1.0)
        middle = projection.lat if is_parallel else projection.lon
        step = next((s for s in _GRID_STEPS if s >= wide * per_km / 6), _GRID_STEPS[-1])
        first = round(middle / step)
        for at in range(first - 12, first + 13):
            degrees = at * step
            if is_parallel and abs(degrees) > 90.0:
                continue
            offset = (degrees - middle) / per_km
            name = compass(degrees, "NS" if is_parallel else "EW")
            if is_parallel:
                path, spot = f"M{-far:.4f} {-offset:.4f}H{far:.4f}", (-wide / 2, offset)
            else:
                path, spot = f"M{offset:.4f} {-far:.4f}V{far:.4f}", (offset, wide / 2)
            text = f'<text class="degrees" x="4" y="14">{html_text(name)}</text>'
            yield f'<path class="grid" d="{path}"/>{_mark(spot, scale, text, name)}'


def _entry(point: MapPoint) -> str:
    facts = "".join(
        f"<dt>{html_text(name.replace('_', ' '))}</dt>"
        f"<dd>{html_link(text) if name == 'website' else html_text(text)}</dd>"
        for name, text in point.details
    )
    name = _named(point)
    heading = f"{point.label}. {name}" if name else point.label
    return f"<details><summary>{html_text(heading)}</summary><dl>{facts}</dl></details>"


def _named(point: MapPoint) -> str:
    return f"{point.name} (may match)".strip() if point.is_unknown else point.name


def _street_map(layout: Layout, height: int, tiles: str, attribution: str | None) -> Any:
    folium = require("folium", "maps")
    made = folium.Map(
        location=layout.projection[:2],
        tiles=tiles,
        attr=attribution,
        height=height,
        zoom_start=6,
    )
    # Unrolled: across the antimeridian, neighbours stay neighbours.
    unrolled = [layout.projection.lon_lat(*spot)[::-1] for spot in layout.spots]
    for point, spot in zip(layout.points, unrolled, strict=False):
        # folium writes texts into template literals: `html_text` leaves no backtick, dollar sign,
        # brace or backslash that could end or enter one.
        popup = folium.Popup(_entry(point).replace("<details>", "<details open>"), max_width=320)
        look = {"radius": 9 if point.is_unknown else 6, "fill": not point.is_unknown}
        tip = html_text(_named(point))
        folium.CircleMarker(spot, tooltip=tip, popup=popup, fill_opacity=1.0, **look).add_to(made)
        if point.radius_km > 0.0:
            folium.Circle(spot, radius=point.radius_km * 1000, weight=1, fill=True).add_to(made)
    if layout.origin is not None:
        folium.CircleMarker(unrolled[-1], radius=8, color="#b45f06", tooltip="origin").add_to(made)
    if len(unrolled) > 1:
        lats, lons = zip(*unrolled, strict=True)
        made.fit_bounds([(min(lats), min(lons)), (max(lats), max(lons))])
    if meanings := layout.mark_meanings():
        said = "; ".join(f"{MARKS[mark]}: {meaning}" for mark, meaning in meanings.items())
        made.get_root().html.add_child(folium.Element(f"<p>{said}</p>"))
    return made
