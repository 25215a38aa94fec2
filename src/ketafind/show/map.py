"""A map to pan and zoom, in one page that asks nobody for anything: Leaflet, and data beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from string import Template
from typing import TYPE_CHECKING, Any

from ketafind.errors import InvalidInputError, check_language
from ketafind.files import write_whole
from ketafind.geo import Coordinates
from ketafind.show import basemap as home
from ketafind.show.html import asset, html_text, web_address
from ketafind.show.text import distance_text, escaped, number, remark, time_text
from ketafind.truth import Truth

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from ketafind.vocabulary import Vocabulary

JSON = dict[str, Any]
# A link may open a tab; nothing in the frame may reach the notebook around it.
_SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
_N_CLASSES = 5
_MOST_NAMES = 7
MOST_MARKS = 5_000
"""Points of a frame beyond which hexagons are drawn."""
_FINEST_CELLS = 40_000


@dataclass(frozen=True, slots=True)
class MapPage:
    """A page that holds a whole map; it shows itself in a notebook.

    The page may load nothing and runs two scripts, Leaflet and ours, known by their hashes; in a
    notebook it sits in a frame of its own that cannot reach the rest of the notebook.

    Parameters
    ----------
    page : str
        The HTML.
    height : int
        Of the frame in a notebook, in pixels.
    title : str
        What the frame is called.
    """

    page: str = field(repr=False)
    height: int = 480
    title: str = field(default="Map", repr=False)

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
            f'<iframe sandbox="{_SANDBOX}" referrerpolicy="no-referrer" title="{self.title}" '
            f'style="width:100%;height:{self.height}px;border:1px solid #8888" '
            f'srcdoc="{quoted}"></iframe>'
        )


def explore_clinics(
    columns: Mapping[str, Sequence[Any]],
    vocabulary: Vocabulary,
    *,
    evidence: Sequence[Sequence[tuple[str, str]]] = (),
    column: str | None = None,
    origin: Any = None,
    basemap: Any = "ontario",
    title: str | None = None,
    lang: str = "en",
    height: int = 480,
    notes: Sequence[str] = (),
    empty: str = "",
) -> MapPage:
    """Show clinics on a map to pan and zoom, beside a list of what is known of each.

    It needs no extra package and makes no request. Marks that crowd are one until one zooms in; a
    clinic that may match, or may have closed, is a ring, and dashed circles hold a position with
    90 % certainty. List and map answer each other to mouse and keyboard.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns, as `Matches.columns` and `Directory.to_frame` have them: ``lat``,
        ``lon`` and what else there is.
    vocabulary : Vocabulary
        What facets, flags and quantities are called.
    evidence : sequence of sequences of (text, web address)
        For each row what its facts rest on; none for nobody.
    column : str, optional
        The column that gives the marks their colours: numbers by fifths, texts by value.
    origin : Coordinates or Location, optional
        The place that was searched from. It is drawn only when it is given here: it may be where
        somebody lives.
    basemap : GeoDataFrame or str or None
        Areas and lines to lie beneath; ``"ontario"`` for the land, lakes, borders and towns that
        ship, where a mark stands on them; None for a grid of degrees.
    title : str, optional
        The heading; "Clinics" if None.
    lang : str
        ``"en"`` or ``"fr"``.
    height : int
        Pixels in a notebook, 120 to 4000.
    notes : sequence of str
        Lines below the heading.
    empty : str
        What to say instead of a map where no clinic has a position.

    Returns
    -------
    MapPage
        Shows itself in a notebook; ``save(path)`` writes the page.

    Raises
    ------
    InvalidInputError
        If there is no ``lat``, ``lon`` or such a column, or the height is no such number.
    CoordinatesError
        If a position is none.
    """
    said = _words(lang)
    _check(columns, ("lat", "lon", *([column] if column else [])))
    colour, classes = _coloured(columns[column] if column else (), column or "", said, lang)
    rows = []
    for at in range(len(columns["lat"])):
        record = {name: cells[at] for name, cells in columns.items()}
        row = _clinic(record, at, vocabulary, said, lang)
        row["evidence"] = [list(map(_shown, line)) for line in evidence[at]] if evidence else []
        rows.append(row | {"c": classes[at] if classes else None})
    kinds = {row["kind"] for row in rows}
    by_status = "truth" not in columns
    names = ("active", "uncertain", "closed") if by_status else ("yes", "unknown", "no")
    facets = []
    for facet in vocabulary.facets:
        held = {term for row in rows for term in row["has"].get(facet.id, ())}
        terms = [[term.id, _shown(term.label(lang))] for term in facet if term.id in held]
        if terms and len(rows) > 1:
            facets.append({"id": facet.id, "label": _shown(facet.label(lang)), "terms": terms})
    data = {
        "rows": rows,
        "facets": facets,
        "kind": "status" if by_status else "match",
        "kinds": {k: said[n] for k, n in zip(_KINDS, names, strict=True) if k in kinds},
        "colour": colour,
        "origin": None if origin is None else [origin.lat, origin.lon],
    }
    return _page(data, said, lang, title or said["title"], basemap, height, notes, empty)


_KINDS = ("yes", "unknown", "no")
_NOT_TOLD = frozenset(
    [
        "rank",
        "name",
        "lat",
        "lon",
        "radius_km",
        "precision",
        "truth",
        "status",
        "distance_km",
        "distance_low_km",
        "distance_high_km",
        "travel_time_min",
        "travel_time_low_min",
        "travel_time_high_min",
        "street_address",
        "city",
        "province",
        "postal_code",
        "not_offered",
        "complete",
        "combined",
        "clinic_id",
        "service_id",
        "n_services",
        "oldest_evidence",
        "newest_evidence",
        "checked_on",
    ]
)
_OF_STATUS = {"active": "yes", "uncertain": "unknown", "closed": "no"}


def _clinic(
    record: JSON, at: int, vocabulary: Vocabulary, said: Mapping[str, str], lang: str
) -> JSON:
    """Write a clinic as its entry of the list and its mark."""
    truth, status = record.get("truth"), str(record.get("status") or "active")
    kind = str(truth) if truth is not None else _OF_STATUS.get(status, "unknown")
    far = _distance(record, lang)
    usual, low, high = (record.get(f"travel_time_{end}min") for end in ("", "low_", "high_"))
    time = None if usual is None else time_text(usual, low, high, lang)
    tags = [said["unknown"]] if truth == Truth.UNKNOWN else []
    tags += [said[status]] if status in ("uncertain", "closed") and truth != Truth.UNKNOWN else []
    parts = [record.get("city"), time, far, *tags]
    full = [facet for facet in record.get("complete") or () if facet]
    refused = [str(pair).split(":", 1) for pair in record.get("not_offered") or ()]
    return {
        "n": _shown(record.get("rank") or at + 1),
        "name": _shown(record.get("name") or record.get("clinic_id") or ""),
        "sub": " · ".join(_shown(part) for part in parts if part),
        "at": _spot(record["lat"], record["lon"]),
        "r": float(record.get("radius_km") or 0.0),
        "kind": kind,
        "facts": list(_facts(record, vocabulary, said, lang)),
        "has": {f.id: list(record.get(f.plural) or ()) for f in vocabulary.facets},
        "not": {f.id: [t for name, t in refused if name == f.id] for f in vocabulary.facets},
        "complete": full,
    }


def _distance(record: JSON, lang: str) -> str:
    if record.get("lat") is None or record.get("distance_km") is None:
        return remark(record.get("precision"), lang)
    far, low, high = (record.get(f"distance_{end}km") for end in ("", "low_", "high_"))
    return distance_text(far, low, high, record.get("precision"), lang)


def _facts(
    record: JSON, vocabulary: Vocabulary, said: Mapping[str, str], lang: str
) -> Iterable[list[str]]:
    """Name what is known of a clinic, as people do; a web address stands third."""
    parts = ("street_address", "city", "province", "postal_code")
    facets = {facet.plural: facet for facet in vocabulary.facets}
    told: JSON = {"address": ", ".join(record[part] for part in parts if record.get(part))}
    told |= {name: value for name, value in record.items() if name not in _NOT_TOLD}
    if record.get("radius_km"):
        told["position"] = said["near"].format(km=number(record["radius_km"], lang, 1))
    for name, value in told.items():
        if value is None or value in ("", [], ()):
            continue
        label, text = said.get(name, name.replace("_", " ")), _text(value, lang)
        if name in facets:
            label = facets[name].label(lang)
            text = "; ".join(facets[name][term].label(lang) for term in value)
        elif name in vocabulary.flags:
            label, text = vocabulary.flags[name].label(lang), said.get(f"is_{value}", text)
        yield [_shown(label), _shown(text), web_address(text) if name == "website" else ""]
    refused = [
        vocabulary.facet(facet)[term].label(lang)
        for facet, term in (pair.split(":", 1) for pair in record.get("not_offered") or ())
    ]
    if refused:
        yield [said["not_offered"], _shown("; ".join(refused)), ""]


def explore(
    frame: Any,
    *,
    column: str | None = None,
    name: str | None = None,
    lat: str = "lat",
    lon: str = "lon",
    hexagon_km: float | None = None,
    basemap: Any = "ontario",
    title: str | None = None,
    lang: str = "en",
    height: int = 480,
) -> MapPage:
    """Show the rows of a frame on a map to pan and zoom: areas, points, or hexagons of many.

    For what `catchments`, `gaps`, `access_score`, `best_sites`, `nearest_join` and their like
    return. Like `Matches.explore`, the page needs no network; it holds every row that it shows,
    hexagons only how many there are and the median of `column`.

    Parameters
    ----------
    frame : data frame or GeoDataFrame
        Areas or points as its geometry, or two columns of degrees.
    column : str, optional
        What gives the colours: numbers by fifths, texts by value.
    name : str, optional
        The column that names a row in the list; ``name`` or ``clinic_id`` where there is one, else
        the index.
    lat, lon : str
        The columns of degrees of a frame without geometry.
    hexagon_km : float, optional
        Draw points as hexagons of this width; where there are over 5,000 they are hexagons anyway,
        of three widths, the finer the nearer one looks.
    basemap : GeoDataFrame or str or None
        As in `Matches.explore`.
    title : str, optional
        The heading; "Places" if None.
    lang : str
        ``"en"`` or ``"fr"``.
    height : int
        Pixels in a notebook, 120 to 4000.

    Returns
    -------
    MapPage
        Shows itself in a notebook; ``save(path)`` writes the page.

    Raises
    ------
    InvalidInputError
        If there is neither geometry nor such columns, or hexagons are asked of texts.
    """
    import narwhals as nw
    import pandas as pd

    said = _words(lang)
    table = nw.from_native(frame, eager_only=True).to_pandas()
    shapes: Sequence[Any] = ()
    geometry = getattr(table, "geometry", None) if hasattr(table, "crs") else None
    if geometry is not None:
        shapes = (geometry if table.crs is None else geometry.to_crs(4326)).to_numpy()
        points = [None if s is None or s.is_empty else s.representative_point() for s in shapes]
        table = pd.DataFrame(table.drop(columns=geometry.name)).assign(
            **{lat: [p and p.y for p in points], lon: [p and p.x for p in points]}  # type: ignore[arg-type]
        )
        shapes = shapes if any(s is not None and "Polygon" in s.geom_type for s in shapes) else ()
    _check(table, (lat, lon, *([column] if column else []), *([name] if name else [])))
    cells = table[column].astype(object).where(table[column].notna(), None) if column else ()
    data: JSON = {"rows": [], "facets": [], "kind": "match", "kinds": {"yes": ""}, "origin": None}
    if not len(shapes) and (hexagon_km is not None or len(table) > MOST_MARKS):
        data["colour"], data["hexagons"] = _hexagons(
            table, column, (lat, lon), hexagon_km, said, lang
        )
    else:
        data["colour"], classes = _coloured(list(cells), column or "", said, lang)
        named = [one for one in (name, "name", "clinic_id") if one in table]
        names = table[named[0]] if named else table.index
        plain = table.drop(columns=[lat, lon]).astype(object)
        plain = plain.where(plain.notna(), None)
        step = 1e-4 if len(shapes) < 500 else 1e-3
        spots = zip(table[lat], table[lon], strict=True)
        for at, (spot, label) in enumerate(zip(spots, names, strict=True)):
            record = dict(zip(plain, plain.iloc[at], strict=True))
            row = _plain_row(record, at, label, spot, lang)
            row["sub"] = "" if column is None else _shown(_text(record[column], lang))
            row["c"] = classes[at] if classes else None
            if len(shapes) and row["at"]:
                row["shape"] = packed(shapes[at], step)
                data["step"] = step
            data["rows"].append(row)
    return _page(data, said, lang, title or said["places"], basemap, height)


def _plain_row(record: JSON, at: int, label: Any, spot: tuple[Any, Any], lang: str) -> JSON:
    """Write a row of a frame as its entry of the list and its mark."""
    return {
        "n": str(at + 1),
        "name": _shown(label),
        "at": _spot(*spot),
        "r": 0.0,
        "kind": "yes",
        "facts": [[_shown(name), _shown(_text(cell, lang)), ""] for name, cell in record.items()],
        "evidence": [],
        "has": {},
        "not": {},
        "complete": [],
    }


def _coloured(
    cells: Sequence[Any], name: str, said: Mapping[str, str], lang: str
) -> tuple[JSON | None, list[int | None]]:
    """Part a column into classes of colours: numbers into fifths, others by value."""
    import numpy as np

    known = [cell for cell in cells if not _is_missing(cell)]
    if not known:
        return None, []
    colour: JSON = {"label": _shown(said.get(name, name.replace("_", " ")))}
    if all(isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in known):
        inner = np.arange(1, _N_CLASSES) / _N_CLASSES
        stops = sorted({float(f"{stop:.3g}") for stop in np.quantile(known, inner)})
        ends = [min(known), *stops, max(known)]
        texts = [f"{_text(a, lang)} – {_text(b, lang)}" for a, b in pairwise(ends)]
        classes = [
            None if _is_missing(cell) else int(np.searchsorted(stops, cell, "right"))
            for cell in cells
        ]
    else:
        words = [_text(cell, lang) for cell in cells]
        counted = {word: words.count(word) for word in dict.fromkeys(map(str, words)) if word}
        ranked = sorted(counted, key=lambda word: (-counted[word], word))
        texts = [*map(_shown, ranked[:_MOST_NAMES]), *[said["other"]][: len(ranked) - _MOST_NAMES]]
        place = {word: min(at, _MOST_NAMES) for at, word in enumerate(ranked)}
        classes = [place.get(word) for word in words]
        colour["ordered"] = False
    missing = len(known) < len(cells)
    return {"ordered": True, **colour, "classes": texts, "missing": missing}, classes


def _hexagons(
    table: pd.DataFrame,
    column: str | None,
    degrees: tuple[str, str],
    width_km: float | None,
    said: Mapping[str, str],
    lang: str,
) -> tuple[JSON | None, list[JSON]]:
    """Count points by hexagons of the map's own projection, at up to three widths."""
    import numpy as np

    placed = table.dropna(subset=list(degrees))
    lat, lon = (placed[name].to_numpy(float) for name in degrees)
    if not len(placed) or not (np.abs(lat) <= 85).all() or not (np.abs(lon) <= 180).all():
        raise InvalidInputError("hexagons need positions, in degrees, below 85 degrees north")
    earth = 6378137.0
    xy = np.column_stack([np.radians(lon), np.arctanh(np.sin(np.radians(lat)))]) * earth
    if width_km is None:
        widest = float(np.ptp(xy, axis=0).max()) / 80 + 1.0
        sizes = [widest, widest / 4, widest / 16]
    else:
        sizes = [width_km * 1000 / math.sqrt(3) / math.cos(math.radians(float(lat.mean())))]
    if column is not None and placed[column].dtype.kind not in "biuf":
        raise InvalidInputError(f"hexagons show numbers, and {column!r} holds none")
    levels: list[JSON] = []
    for size in sizes:
        cell = placed.assign(**dict(zip(("_q", "_r"), _cells(xy / size), strict=True)))
        grouped = cell.groupby(["_q", "_r"])
        counts = grouped.size()
        if levels and len(counts) > _FINEST_CELLS:
            break
        values = counts.astype(float) if column is None else grouped[column].median()
        levels.append(
            {
                "size": size,
                "q": counts.index.get_level_values(0).tolist(),
                "r": counts.index.get_level_values(1).tolist(),
                "n": counts.tolist(),
                "value": values.tolist(),
            }
        )
    label = said["count"] if column is None else said["median"].format(name=column)
    every = [value for level in levels for value in level["value"]]
    colour, classes = _coloured(every, label, said, lang)
    for level in levels:
        values, level["c"] = level["value"], [classes.pop(0) for _ in level["value"]]
        level["value"] = ["" if column is None else _text(value, lang) for value in values]
    return colour, levels


def _cells(xy: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Find the hexagon of size 1, standing on a corner, that each point lies in."""
    import numpy as np

    x, y = xy.T
    axes = np.stack([x * math.sqrt(3) / 3 - y / 3, 2 * y / 3])
    axes = np.stack([*axes, -axes.sum(axis=0)])
    rounded = np.rint(axes)
    worst = np.abs(rounded - axes).argmax(axis=0)
    # The axis that was rounded most follows from the other two.
    fixed = np.where(np.arange(3)[:, None] == worst, rounded - rounded.sum(axis=0), rounded)
    return fixed[0].astype(int), fixed[1].astype(int)


def packed(shape: Any, step: float) -> list[list[int]]:
    """Write the rings or lines of a shape as whole steps, each less the one before."""
    import numpy as np
    import shapely

    rings = []
    for part in shapely.get_parts(shapely.simplify(shape, step)):
        is_area = part.geom_type == "Polygon"
        for ring in [part.exterior, *part.interiors] if is_area else [part]:
            grid = np.rint(shapely.get_coordinates(ring) / step).astype(int)
            rings.append(np.diff(grid, axis=0, prepend=np.zeros((1, 2), int)).ravel().tolist())
    return rings


def _check(columns: Any, needed: Iterable[str]) -> None:
    for name in needed:
        if name not in columns:
            raise InvalidInputError(
                f"a map needs a column {name!r}; there are {', '.join(map(str, columns))}"
            )
    if len({len(columns[name]) for name in columns}) > 1:
        raise InvalidInputError("the columns are of different lengths")


def _spot(lat: Any, lon: Any) -> list[float] | None:
    if _is_missing(lat) or _is_missing(lon):
        return None
    spot = Coordinates(lat=lat, lon=lon)
    return [spot.lat, spot.lon]


def _words(lang: str) -> dict[str, str]:
    lang = check_language(lang)
    return {name: both[lang] for name, both in json.loads(asset("explore.json")).items()}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: Any, lang: str) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, (list, tuple, set, frozenset)):
        return "; ".join(map(str, value))
    if isinstance(value, float):
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        return number(round(value, digits), lang, digits) if abs(value) >= 0.01 else f"{value:.3g}"
    return str(value)


def _shown(value: Any) -> str:
    return escaped(str(value))


def _page(
    data: JSON,
    said: Mapping[str, str],
    lang: str,
    title: str,
    basemap: Any,
    height: int,
    notes: Sequence[str] = (),
    empty: str = "",
) -> MapPage:
    if isinstance(height, bool) or not isinstance(height, int) or not 120 <= height <= 4000:
        raise InvalidInputError(f"height must be 120 to 4000 pixels, not {height!r}")
    heading = html_text(title)
    located = _unrolled(data)
    if not located and not data.get("hexagons"):
        lines = "".join(f"<p>{html_text(line)}</p>" for line in empty.splitlines())
        body = f'<main class="plain"><h1>{heading}</h1>{lines}</main>'
        return MapPage(filled("explore", lang, heading, body, ()), height, heading)
    n = len(data["rows"]) - len(located)
    notes = [*notes, *([said["unlocated"].format(n=n)] if n else [])]
    note = "".join(f'<p class="soft">{html_text(line)}</p>' for line in notes)
    credit = f'<p class="soft">{html_text(home.CREDIT)}</p>'
    data |= {"words": said, **_beneath(basemap, located, data)}
    body = (
        f'<a class="skip" href="#list">{said["skip"]}</a><main>'
        f'<section id="map" aria-label="{said["map"]}"></section>'
        f'<section id="side" aria-label="{said["list"]}" tabindex="0"><h1>{heading}</h1>'
        f'<p id="count" role="status"></p>{note}<ul id="legend"></ul><div id="filters"></div>'
        f'<ol id="list" tabindex="-1"></ol>{credit if data["base"] else ""}</section></main>'
        f'<script type="application/json" id="data">{script_json(data)}</script>'
    )
    scripts = (asset("leaflet.min.js"), asset("explore.js"))
    return MapPage(filled("explore", lang, heading, body, scripts), height, heading)


def _unrolled(data: JSON) -> list[list[float]]:
    """Turn longitudes so that neighbours across the antimeridian stay neighbours."""
    spots = [row["at"] for row in data["rows"] if row["at"]]
    turning = [*spots, *([data["origin"]] if data["origin"] else [])]
    east, north = (
        sum(turn(math.radians(lon)) for _, lon in turning) for turn in (math.sin, math.cos)
    )
    middle = math.degrees(math.atan2(east, north))
    for spot in turning:
        spot[1] = middle + math.remainder(spot[1] - middle, 360.0)
    return spots


def _beneath(basemap: Any, spots: list[list[float]], data: JSON) -> JSON:
    """Choose what lies beneath: what ships, what is given, or nothing."""
    west, south, east, north = home.AROUND
    if isinstance(basemap, str):
        is_home = any(west < lon < east and south < lat < north for lat, lon in spots)
        if not is_home and not data.get("hexagons"):
            return {"base": None}
        around = [[south, west], [south, east], [north, east], [north, west]]
        return {"base": base64.b64encode(home.packed()).decode(), "around": around}
    if basemap is None:
        return {"base": None}
    step = 1e-3
    shapes = basemap.to_crs(4326).geometry
    drawn: dict[str, list[list[int]]] = {"land": [], "borders": []}
    for shape in shapes:
        drawn["land" if "Polygon" in shape.geom_type else "borders"] += packed(shape, step)
    return {"base": {"far": {"step": step, **drawn}}}


def script_json(data: Any) -> str:
    """Write plain data for a <script>, which no text in it can end."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def filled(name: str, lang: str, title: str, body: str, scripts: Sequence[str]) -> str:
    """Fill a page in; its policy lets it run these scripts and load nothing."""
    style = asset("leaflet.css") + asset(f"{name}.css") if scripts else asset(f"{name}.css")
    return Template(asset(f"{name}.html")).substitute(
        lang=lang,
        title=title,
        style=style,
        style_source=source_hash(style),
        sources=" ".join(map(source_hash, scripts)) or "'none'",
        body=body,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def source_hash(text: str) -> str:
    """Name a script or style in a content policy."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
