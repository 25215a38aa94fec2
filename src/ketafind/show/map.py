"""Pages that ask nobody: a map to pan and zoom, and the finder, in which anybody searches a directory."""

from __future__ import annotations

import base64
import json
import math
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ketafind.errors import AmbiguousPlaceError, GeocodingError, InvalidInputError, check_language
from ketafind.geo import EAST, NORTH, SOUTH, WEST, Coordinates, in_ontario
from ketafind.geocoding import OfflineGeocoder, lexicon, locations, reading
from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.qualification import bundled_words, qualified
from ketafind.records import CITY_LEVEL
from ketafind.shapes import translated
from ketafind.show import basemap as home
from ketafind.show.html import MapPage, asset, filled, html_text, spelled_out
from ketafind.show.text import WORDS, check_options, check_origin, check_width, records_of

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.bits import StatedFacts
    from ketafind.records import Clinic, Location
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

JSON = dict[str, Any]
MOST_MARKS = 5_000
"""Points of a frame beyond which hexagons are drawn."""
_FINEST_CELLS = 40_000
_OF_STATUS = {"active": "yes", "uncertain": "unknown", "closed": "no"}
# Exact distances are among them: from several, a reader could tell where somebody lives.
_UNTOLD = frozenset({
    "rank", "name", "lat", "lon", "radius_km", "precision", "truth", "status",
    "distance_km", "distance_low_km", "distance_high_km", "combined",
    "travel_time_min", "travel_time_low_min", "travel_time_high_min",
    "clinic_id", "service_id", "n_services", "oldest_evidence", "newest_evidence", "checked_on",
})  # fmt: skip


def explore_clinics(
    columns: Mapping[str, Sequence[Any]],
    vocabulary: Vocabulary,
    *,
    evidence: Sequence[Sequence[tuple[str, str]]] = (),
    far: Sequence[Sequence[str]] = (),
    column: str | None = None,
    origin: Any = None,
    lang: str = "en",
    **options: Any,
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
    far : sequence of sequences of str
        For each row how far it is, and how well that is known; none for nowhere.
    column : str, optional
        The column that gives the marks their colours: numbers by fifths, texts by value.
    origin : Coordinates or Location, optional
        The place that was searched from. It is drawn only when it is given here: it may be where
        somebody lives.
    lang : str
        ``"en"`` or ``"fr"``.
    **options
        ``basemap`` (a GeoDataFrame of areas and lines to lie beneath; ``"ontario"``, the usual, for
        the land, lakes, borders and towns that ship, where a mark stands on them; None for a grid
        of degrees), ``title`` (the heading), ``height`` (pixels in a notebook, 120 to 4000; usually
        480), ``notes`` (lines below the heading) and ``empty`` (what to say there instead where no
        clinic has a position).

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
    lang = check_language(lang)
    check_origin(origin)
    records = records_of(columns, "lat", "lon", column)
    told = zip(records, far or [()] * len(records), strict=True)
    rows = [
        _row(record, record.get("rank") or at, record.get("name") or record.get("clinic_id") or "")
        | {
            "kind": str(
                record.get("truth") or _OF_STATUS.get(record.get("status") or "active", "unknown")
            ),
            "radius_km": float(record.get("radius_km") or 0.0),
            "status": record.get("status"),
            "sub": [text for text in (record.get("city"), *far_of) if text],
            "colour": record.get(column) if column else None,
            "cells": {key: value for key, value in record.items() if key not in _UNTOLD},
        }
        for at, (record, far_of) in enumerate(told, 1)
    ]
    for row, lines in zip(rows, evidence, strict=False):
        row["evidence"] = lines
    facets = [
        {"id": one.id, "plural": one.plural, "label": one.label(lang), "terms": _labels(one, lang)}
        for one in vocabulary.facets
    ]
    data = {
        "rows": rows,
        "facets": facets,
        "labels": _labels(vocabulary.flags, lang),
        "kind": "match" if "truth" in columns else "status",
        "column": column,
        "origin": None if origin is None else [origin.lat, origin.lon],
    }
    return _page(data, lang, "clinics", **options)


def _labels(terms: Iterable[Any], lang: str) -> dict[str, str]:
    return {term.id: term.label(lang) for term in terms}


def _row(record: JSON, number: Any, name: Any, lat: str = "lat", lon: str = "lon") -> JSON:
    is_nowhere = any(one is None or math.isnan(one) for one in (record[lat], record[lon]))
    spot = None if is_nowhere else Coordinates(lat=record[lat], lon=record[lon])
    return {"n": number, "name": str(name), "at": spot and [spot.lat, spot.lon], "kind": "yes"}


def explore(
    frame: Any,
    *,
    column: str | None = None,
    name: str | None = None,
    lat: str = "lat",
    lon: str = "lon",
    hexagon_km: float | None = None,
    lang: str = "en",
    **options: Any,
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
    lang : str
        ``"en"`` or ``"fr"``.
    **options
        ``basemap``, ``title``, ``height`` and ``notes``, as in `Matches.explore`.

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

    lang = check_language(lang)
    table = nw.from_native(frame, eager_only=True).to_pandas()
    shapes: Any = None
    if hasattr(table, "to_crs"):
        shapes = table.geometry if table.crs is None else table.geometry.to_crs(4326)
        points = shapes.representative_point()
        table = pd.DataFrame(table.drop(columns=table.geometry.name))
        table = table.assign(**{lat: points.y, lon: points.x})
    records = records_of(
        table.astype(object).where(table.notna(), None).to_dict("list"), lat, lon, column, name
    )
    data: JSON = {"rows": [], "kind": "match", "column": column}
    has_areas = shapes is not None and shapes.geom_type.str.contains("Polygon").any()
    if not has_areas and (hexagon_km is not None or len(table) > MOST_MARKS):
        data["hexagons"] = _hexagons(table, column, (lat, lon), hexagon_km)
        return _page(data, lang, "places", **options)
    named = [one for one in (name, "name", "clinic_id") if one in table]
    names = table[named[0]] if named else table.index
    for at, (record, label) in enumerate(zip(records, names, strict=True)):
        row = _row(record, at + 1, label, lat, lon)
        row["cells"] = {key: cell for key, cell in record.items() if key not in (lat, lon)}
        row["colour"] = record[column] if column else None
        if has_areas and row["at"]:
            row["shape"] = _geojson(shapes.iloc[at], 1e-4 if len(table) < 500 else 1e-3)
        data["rows"].append(row)
    return _page(data, lang, "places", **options)


def _hexagons(
    table: pd.DataFrame, column: str | None, degrees: tuple[str, str], width_km: float | None
) -> list[JSON]:
    """Count points by hexagons of the map's own projection, at up to three widths."""
    check_width(width_km, "hexagon_km")
    placed = table.dropna(subset=list(degrees))
    lat, lon = (placed[name].to_numpy(float) for name in degrees)
    if not len(placed) or not (np.abs(lat) <= 85).all() or not (np.abs(lon) <= 180).all():
        raise InvalidInputError("hexagons need positions, in degrees, below 85 degrees north")
    if column is not None and placed[column].dtype.kind not in "biuf":
        raise InvalidInputError(f"hexagons show numbers, and {column!r} holds none")
    earth = 6378137.0
    xy = np.column_stack([np.radians(lon), np.arctanh(np.sin(np.radians(lat)))]) * earth
    if width_km is None:
        widest = float(np.ptp(xy, axis=0).max()) / 46 + 1.0
        widths = [widest, widest / 4, widest / 16]
    else:
        widths = [width_km * 1000 / math.cos(math.radians(float(lat.mean())))]
    levels: list[JSON] = []
    for width in widths:
        at, cell = home.hexagons(xy, width)
        if levels and len(at) > _FINEST_CELLS:
            break
        counts = np.bincount(cell)
        values = counts if column is None else placed.groupby(cell)[column].median()
        x, y = at.T.tolist()
        level = {"width": width, "x": x, "y": y, "n": counts.tolist(), "value": values.tolist()}
        levels.append(level)
    return levels


def _geojson(shape: Any, step: float) -> Any:
    """Write an area or line, simplified, on a grid of degrees."""
    import shapely

    return json.loads(shapely.to_geojson(shapely.set_precision(shape.simplify(step), step)))


def _page(
    data: JSON,
    lang: str,
    kind: str,
    *,
    basemap: Any = "ontario",
    title: str | None = None,
    height: int = 480,
    notes: Sequence[str] = (),
    empty: str = "",
    **unknown: object,
) -> MapPage:
    check_options(unknown, "basemap, title, height, notes, empty, and those in the function's help")
    if isinstance(height, bool) or not isinstance(height, int) or not 120 <= height <= 4000:
        raise InvalidInputError(f"height must be 120 to 4000 pixels, not {height!r}")
    said = {name: both[lang] for name, both in json.loads(asset("explore.json")).items()}
    spots = [row["at"] for row in data["rows"] if row["at"]]
    nothing = empty.splitlines() or [said["nothing"], *notes]
    lines = notes if spots or "hexagons" in data else nothing
    if spots and (n := len(data["rows"]) - len(spots)):
        lines = [*lines, said["unlocated"].format(n=n)]
    data |= {"words": said, "lang": lang, **_beneath(basemap, spots, data)}
    credit = home.CREDIT if "around" in data else ""
    texts = {**said, "title": title or said[kind], "credit": credit}
    markup = {
        "notes": "".join(f'<p class="soft">{html_text(line)}</p>' for line in lines),
        "data": script_json(spelled_out(data)),
    }
    styles, scripts = ("leaflet.css", "explore.css"), ("leaflet.min.js", "explore.js")
    page = filled("explore", lang, texts, markup, styles, scripts)
    return MapPage(page, height, html_text(texts["title"]))


def _beneath(basemap: Any, spots: list[list[float]], data: JSON) -> JSON:
    """Choose what lies beneath: what ships, what is given, or nothing."""
    west, south, east, north = home.AROUND
    if basemap is not None and not isinstance(basemap, str):
        return {"base": [_geojson(shape, 1e-3) for shape in home.shapes_of(basemap)]}
    is_home = any(west < lon < east and south < lat < north for lat, lon in spots)
    if basemap is None or not (is_home or "hexagons" in data):
        return {"base": None}
    packed = base64.b64encode(home.packed()).decode()
    return {"base": packed, "around": [[south, west], [north, east]]}


def script_json(data: Any) -> str:
    """Write plain data for a <script>, which no text in it can end."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# -- The finder ----------------------------------------------------------------------------------

Counties = Mapping[tuple[float, float], str]
PLANES = ("on_code", "on_lat", "on_lon", "on_name", "on_quality")
"""The postal codes as they lie in the gazetteer's file: the page unpacks them."""
COLUMNS = ("name", "lat", "lon", "radius_km", "reach_km", "kind", "owner", "county")
"""What the page has of each place as it is."""
FORMS = ("{}", "{}, ON", "1 Main St, {}", "1 Main St, {}, ON")
"""The forms in which the page reads a place's name."""
BOXES = {"ON": (SOUTH, NORTH, WEST, EAST), "CA": (41.6, 83.2, -141.1, -52.5)}
SCRIPTS = ("geographiclib-geodesic.min.js", "finder.js", "finder_page.js")


def finder_page(
    clinics: Sequence[Clinic],
    vocabulary: Vocabulary,
    facts: StatedFacts,
    geocoder: object,
    snapshot: Snapshot,
    said: JSON,
    lang: str,
) -> MapPage:
    """Write the page; `said` is what others say in it: questions, the guide, how texts are put."""
    lang = check_language(lang)
    if type(geocoder) is not OfflineGeocoder:
        raise InvalidInputError(
            f"the page reads places as the offline geocoder does, and not as a "
            f"{type(geocoder).__name__}; make the directory with an OfflineGeocoder"
        )
    places = [one.location for one in clinics if one.location is not None]
    if places and not any(in_ontario(place.lat, place.lon) for place in places):
        warnings.warn(
            "the page reads postal codes and places of Ontario only, where none of these clinics "
            "is; elsewhere it takes coordinates",
            UserWarning,
            stacklevel=3,
        )
    texts = json.loads(asset("finder.json"))
    directory = {
        "clinics": [clinic.to_dict() for clinic in clinics],
        "vocabulary": vocabulary.to_dict(),
        "rules": bundled_words().to_dict(),
        "yes": _listed_bits(facts.yes),
        "no": _listed_bits(facts.no),
        "first_groups": facts.group.tolist(),
        "more_groups": facts.more_group.tolist(),
        "city_level": sorted(CITY_LEVEL),
        "remarks": WORDS,
    }
    content = {
        "directory": spelled_out(directory) | said,
        "gazetteer": _gazetteer(geocoder.gazetteer, geocoder.region),
        "texts": texts,
        "snapshot": {"id": snapshot.id, "date": snapshot.date and snapshot.date.isoformat()},
        "qualified": qualified("team").resolve(vocabulary).to_dict(),
    }
    packed = {
        "content": _packed(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()),
        "codes": _packed_codes(geocoder.gazetteer),
        "basemap": base64.b64encode(home.packed()).decode(),
    }
    shown = {name: both[lang] for name, both in texts.items()}
    return MapPage(filled("finder", lang, shown, packed, ("finder.css",), SCRIPTS), height=720)


def _listed_bits(rows: Any) -> list[list[int]]:
    return [np.flatnonzero(np.unpackbits(row, bitorder="little")).tolist() for row in rows]


def _packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


@cache
def _packed_codes(gazetteer: Gazetteer) -> str:
    with np.load(gazetteer.path) as arrays:
        return _packed(b"".join(arrays[name].tobytes() for name in PLANES))


@cache
def _gazetteer(gazetteer: Gazetteer, region: str) -> JSON:
    places = gazetteer.places
    lines = (f"{key}\t{','.join(map(str, ns))}" for key, ns in gazetteer.aliases.items())
    lists = {
        "directions": lexicon.DIRECTIONS,
        "streets": lexicon.STREET_TYPES,
        "numbered_roads": lexicon.NUMBERED_ROADS,
        "units": lexicon.UNIT_WORDS | reading.AFTER_WORDS,
        "about": reading.ABOUT,
        "elsewhere": lexicon.ELSEWHERE.keys() | lexicon.PLAIN_STATES,
        "states": lexicon.STATE_CODES.keys() | lexicon.COUNTRY_CODES.keys(),
        "commas": gazetteer.comma_endings,
    }
    return {
        **{name: [getattr(place, name) for place in places] for name in COLUMNS},
        "radius": [locations.place_radius_km(place) for place in places],
        "aliases": "\n".join(lines),
        "special": dict(_special(OfflineGeocoder(gazetteer, region=region))),
        "radii": locations.CODE_RADII,
        "around_factor": locations.TOGETHER_FACTOR,
        "out_of_town": locations.OUT_OF_TOWN,
        "beside": locations.BESIDE,
        "wide": locations.WIDE_KM,
        "box": BOXES[region],
        "short": lexicon.SHORT_FORMS,
        "compass": reading.COMPASS,
        "whole": [" ".join(place.words) for place in places if _ends_elsewhere(place)],
        "post_town": POST_TOWN,
        **{name: sorted(some) for name, some in lists.items()},
    }


def _ends_elsewhere(place: Place) -> bool:
    """Whether a name ends as that of another place does: Little Portugal."""
    elsewhere = lexicon.ELSEWHERE.keys() | lexicon.CANADA | lexicon.ONTARIO
    return any("".join(place.words[at:]) in elsewhere for at in range(1, len(place.words)))


def _special(geocoder: OfflineGeocoder) -> Iterator[tuple[str, list[JSON]]]:
    """Answer for each name that stands for more than the one place it is listed for."""
    gazetteer = geocoder.gazetteer
    counties = {(place.lat, place.lon): place.county for place in gazetteer.places}
    # What these mean depends on the words around them.
    doubtful = {*gazetteer.abroad, *lexicon.ELSEWHERE, *lexicon.STATE_CODES, *lexicon.COUNTRY_CODES}
    doubtful.update(
        lexicon.CANADA, lexicon.ONTARIO, lexicon.AREAS, lexicon.UNIT_WORDS, reading.AFTER_WORDS
    )
    named = {
        lexicon.name_key(p.words): p.plain_name for p in gazetteer.places if _ends_elsewhere(p)
    }
    for key, numbers in gazetteer.aliases.items():
        if len(numbers) > 1 or key in doubtful or key in named:
            name = named.get(key, key)
            yield key, [_answer(geocoder, form.format(name), counties) for form in FORMS]


def _answer(geocoder: OfflineGeocoder, text: str, counties: Counties) -> JSON:
    try:
        return _place(geocoder.geocode(text), counties)
    except GeocodingError as error:
        reason = "ambiguous" if isinstance(error, AmbiguousPlaceError) else "elsewhere"
        candidates = [_place(one, counties) for one in error.candidates]
        return {"refused": reason, "candidates": candidates}


def _place(found: Location, counties: Counties) -> JSON:
    return {
        "lat": found.lat,
        "lon": found.lon,
        "radius": found.radius_km,
        "label": found.label,
        "precision": found.precision,
        "county": counties.get((found.lat, found.lon), ""),
        "notes": list(zip(found.corrections, translated(found.corrections, "fr"), strict=True)),
    }
