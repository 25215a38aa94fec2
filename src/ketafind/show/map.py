"""A map to pan and zoom that asks nobody for anything: one page, SVG and a script of our own."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.files import require, write_whole
from ketafind.geo import Coordinates
from ketafind.show.html import Link, escape, html_link
from ketafind.show.projection import (
    MARKS,
    NOTHING,
    LocalProjection,
    MapPoint,
    compass,
    mark_meanings,
    places,
)

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
    found = places(columns)
    start = None if origin is None else Coordinates(lat=origin.lat, lon=origin.lon)
    if not found:
        lines = "".join(f"<p>{escape(line)}</p>" for line in empty.splitlines())
        return MapPage(_page(f'<div id="list">{lines}</div>'), height)
    if tiles is not None:
        return _street_map(found, start, height, tiles, attribution)
    n_rows = len(next(iter(columns.values())))
    body = _map(found, start) + _list(found, n_rows - len(found))
    return MapPage(_page(body, _asset("explore.js")), height)


def _page(body: str, script: str = "") -> str:
    style = _asset("explore.css")
    allowed = _hash(script) if script else "'none'"
    # Also a text that slipped past the escaping could load nothing and run nothing.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    run = f"<script>{script}</script>" if script else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta http-equiv="x-dns-prefetch-control" content="off">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><title>Clinics</title>'
        f"<style>{style}</style></head><body><main>{body}</main>{run}</body></html>"
    )


def _map(found: Sequence[MapPoint], origin: Coordinates | None) -> str:
    return (
        f'<div id="map">{_svg(found, origin)}'
        '<div id="tools"><button id="in" aria-label="Zoom in">+</button>'
        '<button id="out" aria-label="Zoom out">&#8722;</button>'
        '<button id="all" >all</button></div>'
        '<div id="scale"><div id="bar"></div><span id="bar-text"></span></div></div>'
    )


def _list(found: Sequence[MapPoint], n_unlocated: int) -> str:
    note = f"<p>{n_unlocated} without a position, not on the map.</p>" if n_unlocated else ""
    return f'<div id="list">{_legend(found)}{note}{"".join(map(_entry, found))}</div>'


def _legend(found: Sequence[MapPoint]) -> str:
    keys = "".join(
        f'<span><svg class="key" viewBox="-10 -10 20 20">{_SHAPES[mark]}</svg> {told}</span> '
        for mark, told in mark_meanings(found).items()
    )
    return f'<p id="legend">{keys}</p>' if keys else ""


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _svg(found: Sequence[MapPoint], origin: Coordinates | None) -> str:
    spots = [(place.lat, place.lon) for place in found]
    if origin is not None:
        spots.append((origin.lat, origin.lon))
    projection = LocalProjection.about(spots)
    flat = [projection.east_north_km(lat, lon) for lat, lon in spots] or [(0.0, 0.0)]
    margin = max([1.0, *(place.radius_km for place in found)])
    wide = 2.3 * max(max(abs(east), abs(north)) for east, north in flat) + 2.0 * margin
    scale = wide / _PIXELS
    content = [
        *_grid(projection, wide, scale),
        *_doubts(found, projection),
        *_points(found, projection, scale),
    ]
    if origin is not None:
        content.append(
            _mark(projection.east_north_km(origin.lat, origin.lon), scale, _STAR, "origin")
        )
    half = wide / 2
    return (
        f'<svg viewBox="{-half:.4f} {-half:.4f} {wide:.4f} {wide:.4f}" tabindex="0" role="img" '
        f'aria-label="Map of {len(found)} clinics">{"".join(content)}</svg>'
    )


_STAR = '<path class="origin" d="M0-10 3-3 10-3 4 2 6 9 0 5-6 9-4 2-10-3-3-3z"/>'
_SHAPES = {
    "dot": '<circle class="point" r="6"/>',
    "ring": '<circle class="ring" r="6"/>',
    "both": '<circle class="ring" r="8"/><circle class="point" r="5"/>',
}


def _mark(
    spot: tuple[float, float], scale: float, shape: str, title: str, label: str = "", more: str = ""
) -> str:
    """Write what keeps its size on the screen at any zoom; `shape` and `more` are markup."""
    east, north = spot
    text = f'<text x="11" y="4">{escape(label)}</text>' if label else ""
    return (
        f'<g class="mark" data-x="{east:.4f}" data-y="{-north:.4f}"{more} '
        f'transform="translate({east:.4f} {-north:.4f}) scale({scale:.6g})">'
        f"<title>{escape(title)}</title>{shape}{text}</g>"
    )


def _points(found: Sequence[MapPoint], projection: LocalProjection, scale: float) -> Iterator[str]:
    """Write one mark for each position; clinics at the same one share it."""
    shared: dict[tuple[float, float], list[int]] = {}
    for at, place in enumerate(found):
        shared.setdefault((place.lat, place.lon), []).append(at)
    for (lat, lon), entries in shared.items():
        title = "; ".join(f"{found[at].label} {_named(found[at])}" for at in entries)
        label = ", ".join(found[at].label for at in entries)
        more = f' data-entries="{" ".join(map(str, entries))}"'
        kinds = {found[at].is_unknown for at in entries}
        shape = _SHAPES["both" if len(kinds) > 1 else "ring" if True in kinds else "dot"]
        yield _mark(projection.east_north_km(lat, lon), scale, shape, title, label, more)


def _doubts(found: Sequence[MapPoint], projection: LocalProjection) -> Iterator[str]:
    for place in found:
        if place.radius_km > 0.0:
            east, north = projection.east_north_km(place.lat, place.lon)
            yield (
                f'<circle class="doubt" cx="{east:.4f}" cy="{-north:.4f}" '
                f'r="{place.radius_km:.4f}"/>'
            )


def _grid(projection: LocalProjection, wide: float, scale: float) -> Iterator[str]:
    """Draw parallels and meridians well beyond the first view, about six across it."""
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
            yield _line(offset, wide, scale, is_parallel=is_parallel, name=name)


def _line(offset: float, wide: float, scale: float, *, is_parallel: bool, name: str) -> str:
    far = 2 * wide
    if is_parallel:
        path, spot = f"M{-far:.4f} {-offset:.4f}H{far:.4f}", (-wide / 2, offset)
    else:
        path, spot = f"M{offset:.4f} {-far:.4f}V{far:.4f}", (offset, wide / 2)
    text = f'<text class="degrees" x="4" y="14">{escape(name)}</text>'
    return f'<path class="grid" d="{path}"/>{_mark(spot, scale, text, name)}'


def _entry(place: MapPoint) -> str:
    facts = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{_fact(name, text)}</dd>"
        for name, text in place.details
    )
    name = _named(place)
    heading = f"{place.label}. {name}" if name else place.label
    return f"<details><summary>{escape(heading)}</summary><dl>{facts}</dl></details>"


def _named(place: MapPoint) -> str:
    return f"{place.name} (may match)".strip() if place.is_unknown else place.name


def _fact(name: str, text: str) -> str:
    return html_link(Link(text, text)) if name == "website" else escape(text)


def _street_map(
    found: Sequence[MapPoint],
    origin: Coordinates | None,
    height: int,
    tiles: str,
    attribution: str | None,
) -> Any:
    folium = require("folium", "maps")
    spots = [(place.lat, place.lon) for place in found]
    if origin is not None:
        spots.append((origin.lat, origin.lon))
    projection = LocalProjection.about(spots)
    made = folium.Map(
        location=(projection.lat, projection.lon),
        tiles=tiles,
        attr=attribution,
        height=height,
        zoom_start=6,
    )
    for place in found:
        spot = (place.lat, projection.lon_lat(place.lat, place.lon)[0])
        # folium writes texts into template literals: `escape` leaves no backtick, dollar sign,
        # brace or backslash that could end or enter one.
        popup = folium.Popup(_entry(place).replace("<details>", "<details open>"), max_width=320)
        look = {"radius": 9 if place.is_unknown else 6, "fill": not place.is_unknown}
        tip = escape(_named(place))
        folium.CircleMarker(spot, tooltip=tip, popup=popup, fill_opacity=1.0, **look).add_to(made)
        if place.radius_km > 0.0:
            folium.Circle(spot, radius=place.radius_km * 1000, weight=1, fill=True).add_to(made)
    if origin is not None:
        spot = (origin.lat, projection.lon_lat(origin.lat, origin.lon)[0])
        folium.CircleMarker(spot, radius=8, color="#b45f06", tooltip="origin").add_to(made)
    if len(spots) > 1:
        lons = [projection.lon_lat(lat, lon)[0] for lat, lon in spots]
        lats = [lat for lat, _ in spots]
        made.fit_bounds([(min(lats), min(lons)), (max(lats), max(lons))])
    if told := mark_meanings(found):
        said = "; ".join(f"{MARKS[mark]}: {meaning}" for mark, meaning in told.items())
        made.get_root().html.add_child(folium.Element(f"<p>{said}</p>"))
    return made
