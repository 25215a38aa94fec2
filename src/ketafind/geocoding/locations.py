"""Where codes, towns and typed coordinates are, and how sure that is."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ketafind.errors import CoordinatesError, PlaceNotFoundError, packaged
from ketafind.geo import in_ontario, sphere_km
from ketafind.geocoding.gazetteer import CodeTable, Gazetteer, Place, default_gazetteer
from ketafind.geocoding.lexicon import AREA_TEXTS, FIRST, PROVINCE_OF_LETTER, UNIT_TEXTS, code_text
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.geo import Coordinates

# What is kept of a location.
FIELDS = ("lat", "lon", "label", "precision", "radius_km", "match", "corrections", "source")

# The bit of a code's class that marks a rural code.
RURAL = 16

# Fitted by tools/calibrate_radii.py; kilometres.
_TABLE = packaged("geocoding/radii.json")
# The 90 % radius of a postal code, by its class in the gazetteer.
CODE_RADII: tuple[float, ...] = tuple(_TABLE["codes"])

TOGETHER_FACTOR: float = _TABLE["around_factor"]

# So many times farther from its village stands what is on a highway, a line or a rural route.
OUT_OF_TOWN = 2.25
_PLACES: dict[str, list[float]] = _TABLE["places"]


def place_radius_km(place: Place) -> float:
    """State the 90 % radius of an address of which only the place is known."""
    least, factor = _PLACES[place.kind]
    return max(least, factor * place.radius_km)


def covering(
    circles: Iterable[tuple[float, float, float]],
) -> tuple[float, float, float]:
    """Find one circle around several."""
    given = list(circles)
    pairs = [(sphere_km(*a[:2], *b[:2]), a, b) for a in given for b in given]
    _, a, b = max(pairs, key=lambda pair: pair[0])
    lat, lon = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
    return lat, lon, max(sphere_km(lat, lon, *c[:2]) + c[2] for c in given)


# A name whose addresses reach farther than this is a municipality, else a place.
WIDE_KM = 10.0

# So many codes on each side place one that is not listed.
BESIDE = 4

# Location's slots, filled without its checks: a code's answer is made in a microsecond, and every
# value of the gazetteer was checked when it was built (a test compares the two ways).
_new = object.__new__
_set_lat, _set_lon, _set_precision, _set_radius, _set_match, _set_corrections, *_set_rest = (
    getattr(Location, part.name).__set__ for part in fields(Location)
)
_set_source, _set_label, _set_candidates = _set_rest


def at_row(gazetteer: Gazetteer, row: int, corrections: tuple[str, ...] = ()) -> Location:
    """Answer with a postal code of Ontario."""
    table = gazetteer.ontario
    return _at_code(table, row, gazetteer.labels[table.names[row]], corrections)


def _at_code(table: CodeTable, row: int, name: str, corrections: tuple[str, ...]) -> Location:
    area, unit = divmod(table.numbers[row], 2000)
    location = _new(Location)
    _set_lat(location, table.lats[row] / 1e4)
    _set_lon(location, table.lons[row] / 1e4)
    _set_precision(location, "postal_code")
    _set_radius(location, CODE_RADII[table.qualities[row]])
    _set_match(location, "corrected" if corrections else "exact")
    _set_corrections(location, corrections)
    _set_source(location, "GeoNames")
    _set_label(location, f"{AREA_TEXTS[area]} {UNIT_TEXTS[unit]}, {name}")
    _set_candidates(location, ())
    return location


def at_place(place: Place, corrections: tuple[str, ...] = (), match: str = "fuzzy") -> Location:
    """Answer with a place."""
    return Location(
        lat=place.lat,
        lon=place.lon,
        precision="municipality" if place.radius_km > WIDE_KM else "place",
        radius_km=place_radius_km(place),
        match=match if corrections else "exact",
        corrections=corrections,
        source=place.source,
        label=f"{place.name}, ON",
    )


def together(found: tuple[Location, ...], match: str, names: Iterable[str]) -> Location:
    """Answer with one circle that covers several answers."""
    lat, lon, radius = covering((one.lat, one.lon, one.radius_km) for one in found)
    return Location(
        lat=lat,
        lon=lon,
        precision="place",
        radius_km=radius,
        match=match,
        corrections=found[0].corrections,
        source=found[0].source,
        label=" or ".join(names),
        candidates=found,
    )


def at_places(places: tuple[Place, ...], corrections: tuple[str, ...] = ()) -> Location:
    """Answer with several places near each other."""
    found = tuple(at_place(place, corrections) for place in places)
    return together(found, "ambiguous", sorted({one.label for one in found}))


def between(code: Location, town: Location) -> Location:
    """Answer for a code and a town that contradict each other a little."""
    return together((code, town), "conflict", (code.label, town.label))


@lru_cache(maxsize=1024)
def at_area(gazetteer: Gazetteer, area: int, corrections: tuple[str, ...] = ()) -> Location:
    """Answer with the middle of a forward sortation area."""
    rows = range(*gazetteer.ontario.areas[area])
    return _around(gazetteer.ontario, rows, f"{AREA_TEXTS[area]}, ON", "fsa", corrections)


def beside(gazetteer: Gazetteer, number: int) -> Location:
    """Place an urban code that is not listed among those next to it: it may be all over its area."""
    table, label = gazetteer.ontario, code_text(number)
    low, high = table.areas[number // 2000]
    at = bisect_left(table.numbers, number, low, high)
    rows = range(max(low, at - BESIDE), min(high, at + BESIDE))
    note = (f"{label} is not listed; placed among the codes next to it",)
    return _around(table, rows, f"{label}, ON", "postal_code", note, within=range(low, high))


def _around(
    table: CodeTable,
    rows: Sequence[int],
    label: str,
    precision: str,
    corrections: tuple[str, ...] = (),
    factor: float = TOGETHER_FACTOR,
    within: Sequence[int] = (),
) -> Location:
    """Answer with the middle of some codes, and a radius from how far they, or others, lie from it."""
    lat, lon = (float(np.median(degrees[rows])) / 1e4 for degrees in (table.lat, table.lon))
    reached = within or rows
    far = sorted(sphere_km(lat, lon, table.lats[r] / 1e4, table.lons[r] / 1e4) for r in reached)
    return Location(
        lat=lat,
        lon=lon,
        precision=precision,
        radius_km=max(1.0, factor * far[int(0.9 * (len(far) - 1))]),
        match="corrected" if corrections else "exact",
        corrections=corrections,
        source="GeoNames",
        label=label,
    )


def elsewhere_in_canada(gazetteer: Gazetteer, number: int, province: str) -> tuple[Location, ...]:
    """Say where a code of another province is, for the error that refuses it."""
    table = gazetteer.rest
    row = table.find(number)
    if row < 0:
        return ()
    name = f"{gazetteer.rest_names[table.names[row]]}, {province}"
    return (_at_code(table, row, name, ()),)


def town_in_canada(gazetteer: Gazetteer, key: str, province: str) -> Location | None:
    """Answer with a larger place of another province; of several the one of most codes."""
    table = gazetteer.rest
    found = [
        (len(rows), PROVINCE_OF_LETTER[FIRST[letter]], name, rows)
        for (known, letter), (name, rows) in gazetteer.rest_places.items()
        if known == key and province in {"", PROVINCE_OF_LETTER[FIRST[letter]]}
    ]
    if not found:
        return None
    _, where, name, rows = max(found, key=lambda one: one[:3])
    label = f"{gazetteer.rest_names[name]}, {where}"
    return _around(table, rows.tolist(), label, "municipality", factor=1.0)


NUMBER = r"[+-]?[0-9]{1,3}(?:\.[0-9]+)?"
EXACT = r"[+-]?[0-9]{1,3}\.[0-9]+"
SIXTIETHS = r"[0-5]?[0-9](?:\.[0-9]+)?"
# 44.2312, 44° 13.87' or 44 13 52: decimals, or minutes and perhaps seconds.
ANGLE = (
    rf"[+-]?[0-9]{{1,3}}(?:\.[0-9]+°?|(?:\s*+[°d:]\s*+|\s++){SIXTIETHS}"
    rf"(?:['m]|(?:\s*+['m:]\s*+|\s++){SIXTIETHS}[\"s]?)?|°?)"
)
MARKS = r"(?:[^\w+-]{1,5})"
BETWEEN = r"(?:\s*+[,;/|]\s*+|(?=\s*?[ \t])\s++|(?=[+-]))"
LAT, LON = rf"(?P<lat>{NUMBER})", rf"(?P<lon>{NUMBER})"
NORTH, EAST = rf"(?P<lat>{ANGLE})", rf"(?P<lon>{ANGLE})"
LATITUDE, LONGITUDE = "lat(?:itude)?", "(?:lon|lng|long|longitude)"
LINK = r"(?:https?://|www\.|maps\.)\S"
# How people and programs write a pair: with commas, in brackets, as geo: or WKT, as JSON, in links.
FORMS = tuple(
    re.compile(form, re.I)
    for form in (
        rf"[(\[{{]?\s*{NORTH}{BETWEEN}{EAST}\s*[)\]}}/]?",
        rf"geo:(?:0,0\?q=)?{LAT},{LON}(?:[;,?(].*)?",
        rf"(?:SRID=4326;\s*)?POINT\s*+[ZM]{{0,2}}\s*+\(\s*{LON}\s+{LAT}(?:\s+{NUMBER}){{0,2}}\s*\)",
        rf"\{{.{{0,80}}?\"coordinates\"\s*:\s*\[\s*{LON}\s*,\s*{LAT}\b.*",
        rf"{NORTH}\s*+(?P<ns>[NSEWO])\s*+[,;/]?\s*+{EAST}\s*+(?P<ew>[NSEWO])",
        rf"(?P<ns>[NSEWO])\s*+{NORTH}\s*+[,;/]?\s*+(?P<ew>[NSEWO])\s*+{EAST}",
        (
            rf"{MARKS}?{LATITUDE}{MARKS}{NORTH}\s*(?P<ns>[NS])?{MARKS}"
            rf"{LONGITUDE}{MARKS}{EAST}\s*(?P<ew>[EWO])?\W*"
        ),
        rf"{MARKS}?{LONGITUDE}{MARKS}{EAST}{MARKS}{LATITUDE}{MARKS}{NORTH}\W*",
        rf"{LINK}{{1,900}}?!3d(?P<lat>{EXACT})!4d(?P<lon>{EXACT})(?:[!?&]\S*)?",
        (
            rf"{LINK}{{1,200}}?(?:[@=/:]|%3A)(?P<lat>{EXACT})(?:,|/|~|%2C|&m?lon=)"
            rf"(?P<lon>{EXACT})(?:[,&?#z/]\S*)?"
        ),
    )
)
DECIMAL = re.compile(r"[0-9]\.[0-9]")
ONLY = re.compile(r"[0-9+\-.,:; \t°º′″’”−–'\"NSEWOdm]+", re.I)
# What may stand before a pair and says no more than that it is one.
LABEL = re.compile(
    r"(?:(?:gps|coord\w*|position|location|wgs[ -]?84|epsg:4326|lat\w*[ /,&]*(?:lon|lng)\w*)\b[^\w+-]*+){1,2}",
    re.I,
)
COMPASS_WORD = re.compile(r"\b([NSEWO])(?:orth|outh|ast|est|ord|ud|uest)\b", re.I)
DECIMAL_COMMA = re.compile(r"(?<![0-9.])([0-9]{1,3}),([0-9]+)(?![0-9])")
AS_ASCII = str.maketrans(
    {**dict.fromkeys("−–", "-"), "º": "°", **dict.fromkeys("′’", "'"), **dict.fromkeys("″”", '"')}
)
# Whole minutes, or two decimals, are the least that is read.
COARSEST = 1 / 60
HALF_A_DEGREE_KM = 79.0
HOW = "; pass Coordinates(lat=..., lon=...), or write decimal degrees such as '44.2312, -76.4860'"


def _in_canada(lat: float, lon: float) -> bool:
    """Whether a position lies in the box around Canada."""
    return 41.6 <= lat <= 83.2 and -141.1 <= lon <= -52.5


COVERED = {"ON": ("Ontario", in_ontario), "CA": ("Canada", _in_canada)}


def typed_coordinates(text: str, region: str = "ON") -> Location | None:
    """Read a pair of degrees, latitude first unless its form says otherwise."""
    text = text.strip()
    decimal = "." in text and DECIMAL.search(text) is not None
    if not decimal and ONLY.fullmatch(text) is None:
        return None
    text = COMPASS_WORD.sub(r"\1", text.translate(AS_ASCII).replace("''", '"'))
    if (label := LABEL.match(text)) is not None:
        text = text[label.end() :]
    if "." not in text:
        text = DECIMAL_COMMA.sub(r"\1.\2", text)
    for form in FORMS:
        found = form.fullmatch(text)
        if found is None:
            continue
        signs = {name: (sign or "").lower() for name, sign in found.groupdict().items()}
        lat, lon = _degrees(signs["lat"]), _degrees(signs["lon"])
        ns, ew = signs.get("ns", ""), signs.get("ew", "")
        if ns in {"e", "w", "o"}:
            (lat, ns), (lon, ew) = (lon, ew), (lat, ns)
        if lat.step < 1 and lon.step < 1:
            # A program cuts zeros off, a person digits.
            finest = min if text.lower().startswith(("http", "www.", "maps.")) else max
            north = -abs(lat.value) if ns == "s" else lat.value
            east = -abs(lon.value) if ew in {"w", "o"} else lon.value
            return _checked(north, east, region, finest(lat.step, lon.step))
    if "°" in text and ONLY.fullmatch(text) is not None:
        raise PlaceNotFoundError("these degrees are no pair of latitude and longitude" + HOW)
    return None


class Degrees(NamedTuple):
    """An angle, and what its last digit counts."""

    value: float
    step: float


def _degrees(text: str) -> Degrees:
    """Sum degrees, minutes and seconds."""
    parts = re.findall(r"[0-9]+(?:\.[0-9]+)?", text)
    value = sum(float(part) / 60**i for i, part in enumerate(parts))
    decimals = len(parts[-1].partition(".")[2])
    return Degrees(-value if "-" in text else value, 10.0**-decimals / 60 ** (len(parts) - 1))


def why_not_coordinates(text: str) -> str:
    """Say why a text that looks like coordinates is refused, without a digit of it."""
    try:
        typed_coordinates(text.strip() or " ")
    except PlaceNotFoundError as error:
        return str(error).removesuffix(HOW)
    return ""


def _checked(lat: float, lon: float, region: str, step: float) -> Location:
    name, covers = COVERED[region]
    if step > COARSEST:
        raise PlaceNotFoundError("these coordinates seem cut short: too few decimals" + HOW)
    if covers(lat, lon):
        # What rounding may hide.
        radius = HALF_A_DEGREE_KM * step
        how = "typed coordinates"
        return Location(lat=lat, lon=lon, radius_km=radius, source=how, label=how)
    swapped = "latitude and longitude seem swapped"
    both = f"{swapped}, and the longitude lacks its minus sign"
    for cause, pair in (
        (swapped, (lon, lat)),
        ("the longitude seems to lack its minus sign", (lat, -lon)),
        (both, (-lon, lat)),
        (both, (lon, -lat)),
    ):
        if covers(*pair):
            raise PlaceNotFoundError(cause + HOW)
    raise PlaceNotFoundError(f"these coordinates are not in {name}" + HOW)


TOWN_ONLY = 64
NEIGHBOURS = 15
# About 50 km of latitude.
FARTHEST_DEGREES = 0.45


def coarsen_to_fsa(place: Coordinates) -> Coordinates:
    """Blur a position of Ontario to its forward sortation area before it leaves the process.

    Parameters
    ----------
    place : Coordinates
        Where the searcher is.

    Returns
    -------
    Coordinates
        The centre of the area (the first half of a postal code) that most of the nearest postal
        codes are of: the same for all its positions, so that nothing finer can be told from one
        answer or from many.

    Raises
    ------
    CoordinatesError
        If no postal code of Ontario is within 50 km; the text shows no position.
    """
    gazetteer = default_gazetteer()
    area = nearest_area(gazetteer, place)
    if area is None:
        raise CoordinatesError(
            "no postal code of Ontario is within 50 km of this position; coarsen it by km instead"
        )
    return at_area(gazetteer, area).coordinates


def nearest_area(gazetteer: Gazetteer, place: Coordinates | Location) -> int | None:
    """Find the area that most of the nearest codes are of; None if all are far."""
    codes = gazetteer.ontario
    # Flat degrees, longitude shrunk: near enough to name the area of the nearest code.
    north = codes.lat / 1e4 - place.lat
    east = (codes.lon / 1e4 - place.lon) * math.cos(math.radians(place.lat))
    square = north * north + east * east
    # A code that only its town places stands where it is not.
    square[codes.quality >= TOWN_ONLY] = np.inf
    near = np.argpartition(square, NEIGHBOURS)[:NEIGHBOURS]
    near = near[np.argsort(square[near], kind="stable")]
    if square[near[0]] > FARTHEST_DEGREES**2:
        return None
    # Single codes are misplaced at times: most of the nearest decide, the nearest where tied.
    areas = Counter((codes.number[near] // 2000).tolist())
    return int(areas.most_common(1)[0][0])
