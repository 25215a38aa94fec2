"""What one cell of a table may hold, and how it is read."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ketafind.errors import CoordinatesError, DataError, Fault, UnknownTermError
from ketafind.geo import KM_PER_DEGREE, degrees
from ketafind.records import Clinic, Field
from ketafind.vocabulary import Vocabulary
from ketafind.vocabulary.terms import fold, quoted, strange_characters

Reader = Callable[[Any], Any]


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x20\x7f]")


class CellError(ValueError):
    """What is wrong with a cell; the reader adds the row and the column."""


def read_cells(read: Reader, cells: Sequence[Any]) -> list[Any]:
    """Read a column, each different text once; a cell that is wrong gives its `CellError`."""

    def value(cell: Any) -> Any:
        try:
            return read(cell if type(cell) is str else plain(cell))
        except (CellError, UnknownTermError) as error:
            return CellError(str(error))

    if set(map(type, cells)) == {str}:
        whole = _WHOLE_COLUMNS.get(read)
        if whole and (values := whole(cells)) is not None:
            return values
        known = {text: value(text) for text in set(cells)}
        return list(map(known.__getitem__, cells))
    known = {text: value(text) for text in {cell for cell in cells if type(cell) is str}}
    return [known[cell] if type(cell) is str else value(cell) for cell in cells]


def plain(cell: Any) -> Any:
    """Turn what a frame may hold into text, a number, a bool, a date or a tuple."""
    if isinstance(cell, str):
        return str(cell)
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(cell, (list, tuple, set, frozenset)):
        items = sorted(cell, key=str) if isinstance(cell, (set, frozenset)) else cell
        return tuple(plain(item) for item in items)
    if hasattr(cell, "tolist"):
        return plain(cell.tolist())  # numpy's scalars and arrays, as Python's own
    return _plain_number_or_date(cell)


def _plain_number_or_date(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Integral):
        return int(cell)
    if isinstance(cell, (Real, Decimal)):
        number = float(cell)
        return "" if math.isnan(number) else number
    if isinstance(cell, datetime):
        if cell.time() != time():
            raise CellError("holds a time of day; give the date alone")
        return cell.date()
    if isinstance(cell, date):
        return cell
    raise CellError(f"a cell of type {type(cell).__name__} cannot be read; give text")


def text(cell: Any) -> str:
    """Read plain text; the spaces around it do not count."""
    return identifier(cell).strip()


def identifier(cell: Any) -> str:
    """Read an id: every character is kept, ``007`` stays ``007``."""
    if isinstance(cell, (bool, float, tuple)):
        kind = "list" if isinstance(cell, tuple) else type(cell).__name__
        raise CellError(f"is a {kind}, not text; read the column as text (dtype=str)")
    value = cell.isoformat() if isinstance(cell, date) else str(cell)
    _check_characters(value)
    return value


def extra(cell: Any) -> str:
    """Read a cell of a column that ketafind does not know, as text."""
    value = ";".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
    _check_characters(value)
    return value


def _check_characters(value: str) -> None:
    if "\0" in value:
        raise CellError("holds a NUL character (U+0000); remove it")
    if not value.isascii() and _SURROGATE.search(value):
        raise CellError("holds half of a surrogate pair, which is no character; remove it")


def match_key(value: str) -> str:
    """Reduce an id to what must be unique: composed, without invisible or outer characters."""
    if value.isascii() and value.isprintable():
        return value.strip()
    seen = (letter for letter in value if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFC", "".join(seen)).strip()


def choice(known: tuple[str, ...], what: str, blank: str = "") -> Callable[[Any], str]:
    """Make a reader for a cell that holds one of a few words, in any case."""

    def read(cell: Any) -> str:
        if isinstance(cell, bool) and {"yes", "no"} <= set(known):
            return "yes" if cell else "no"
        value = text(cell)
        word = value.lower()
        if not word:
            return blank
        if word not in known:
            raise CellError(
                f"{quoted(value)} is not {what}; write {', '.join(known[:-1])} or {known[-1]}"
                + ("" if blank else ", or leave it blank where it is not known")
            )
        return word

    return read


def iso_date(cell: Any) -> date | None:
    """Read a date in the ISO form."""
    if isinstance(cell, date):
        return cell
    value = text(cell)
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError as error:
        raise CellError(f"{quoted(value)} is not a day of the calendar: {error}") from None
    raise CellError(f"{quoted(value)} is not a date; write it as 2026-11-23 (year-month-day)")


def radius(cell: Any) -> float | None:
    """Read a radius in kilometres."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value, number = str(cell), float(cell)
    else:
        value = text(cell)
        if not value:
            return None
        number = float(value) if _NUMBER.fullmatch(value) and len(value) <= 40 else -1.0
    # Half the equator: no doubt on earth is wider.
    if not 0.0 <= number <= 20_038.0:
        raise CellError(
            f"{quoted(value)} is not a radius; write kilometres from 0 to 20038, such as 2.5"
        )
    return number


def website(cell: Any) -> str:
    """Read a web address."""
    value = text(cell)
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError as error:
        raise CellError(f"{quoted(value)} is not a web address: {error}") from None
    if parts.scheme in {"http", "https"} and host and not _SPACE_OR_CONTROL.search(value):
        return value
    remedy = "" if ":" in value.split("/")[0] else f", such as {quoted('https://' + value)}"
    raise CellError(
        f"{quoted(value)} is not a web address; it must begin with https:// or http://{remedy}"
    )


def _items(cell: Any) -> tuple[str, ...]:
    """Split a cell at its semicolons; a tuple is taken as it is."""
    if isinstance(cell, tuple):
        items = [text(item) for item in cell]
    else:
        value = text(cell)
        if not value:
            return ()
        if "," in value:
            raise CellError(
                f'{quoted(value)} holds a comma; separate the terms by semicolons, as in "iv;im"'
            )
        items = [item.strip() for item in value.split(";")]
    if not all(items):
        raise CellError("an item of the list is empty; remove the extra semicolon")
    return tuple(items)


def terms_readers(vocabulary: Vocabulary) -> dict[str, Reader]:
    """Make readers for lists: a facet's terms, ``not_offered`` and ``complete``."""

    def stated_no(item: str) -> tuple[str, str]:
        name, colon, term = item.partition(":")
        if not colon:
            raise CellError(f'{quoted(item)} names no facet; write "facet:term", as in "route:im"')
        facet = vocabulary.facet(name.strip())
        return facet.id, facet.resolve(term.strip())

    def of_each(read: Callable[[str], Any]) -> Reader:
        return lambda cell: tuple(dict.fromkeys(map(read, _items(cell))))

    return {
        **{facet.id: of_each(facet.resolve) for facet in vocabulary.facets},
        "not_offered": of_each(stated_no),
        "complete": of_each(lambda item: vocabulary.facet(item).id),
    }


_POSTAL_CODE = re.compile(r"[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """The degrees between which a province lies."""

    name: str
    south: float
    north: float
    west: float
    east: float

    def holds(self, lat: Any, lon: Any) -> Any:
        """Tell which positions are inside; numbers or arrays."""
        return (self.south <= lat) & (lat <= self.north) & (self.west <= lon) & (lon <= self.east)


@cache
def _boxes() -> dict[str, _Box]:
    text = Path(__file__).with_name("provinces.json").read_text(encoding="utf-8")
    boxes: dict[str, _Box] = {}
    for code, entry in json.loads(text)["provinces"].items():
        box = _Box(entry["name"], *entry["lat"], *entry["lon"])
        words = [fold(word) for word in (code, *entry["names"])]
        boxes |= dict.fromkeys((*words, *entry["postal"]), box)
    return boxes


@lru_cache(maxsize=4096)
def _box(province: str, postal_code: str) -> _Box | None:
    letter = postal_code[:1].upper() if _POSTAL_CODE.fullmatch(postal_code) else ""
    return _boxes().get(fold(province.replace(".", "")) or letter)


def implausible(
    lats: Iterable[float],
    lons: Iterable[float],
    provinces: Iterable[str],
    postal_codes: Iterable[str],
) -> dict[int, str]:
    """Say which positions are at (0, 0) or contradict the province beside them, and how."""
    lat, lon = np.fromiter(lats, np.float64), np.fromiter(lons, np.float64)
    boxes = list(map(_box, provinces, postal_codes))
    numbers = {box: number for number, box in enumerate(dict.fromkeys(boxes))}
    box_of = np.fromiter(map(numbers.__getitem__, boxes), np.intp, len(boxes))
    wrong = (lat == 0.0) & (lon == 0.0)
    for box, number in numbers.items():
        if box is not None:
            wrong |= (box_of == number) & ~box.holds(lat, lon)
    return {
        at: _contradiction(boxes[at], lat[at].item(), lon[at].item())
        for at in np.flatnonzero(wrong).tolist()
    }


def _contradiction(box: _Box | None, lat: float, lon: float) -> str:
    if box is None or lat == lon == 0.0:
        return "(0, 0) is in the Atlantic, often a blank that became zero; leave both blank"
    repairs = {
        "lat and lon look swapped": (lon, lat),
        "the minus sign of lon is missing": (lat, -lon),
        "the sign of lat is wrong": (-lat, lon),
        "lat and lon look swapped, and the minus sign of lon is missing": (lon, -lat),
    }
    for cause, (new_lat, new_lon) in repairs.items():
        if box.holds(new_lat, new_lon):
            return (
                f"{lat:g}, {lon:g} is not in {box.name}; {cause}: did you mean "
                f"lat {new_lat!r}, lon {new_lon!r}?"
            )
    return (
        f"{lat:g}, {lon:g} is not in {box.name} (lat {box.south:g} to {box.north:g}, lon "
        f"{box.west:g} to {box.east:g}); correct the position or the province, or pass "
        "check=False"
    )


_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_DECIMALS = re.compile(rf"(?:(?:{_DECIMAL.pattern})?\n)*+")
_COMMA = re.compile(r"([+-]?[0-9]{1,3}),([0-9]{1,20})")
_SEXAGESIMAL = re.compile(
    r"([+-]?)([0-9]{1,3})[°d:\s]\s*([0-9]{1,2}(?:\.[0-9]{1,10})?)['′’m:\s]?\s*"
    r"(?:([0-9]{1,2}(?:\.[0-9]{1,10})?)\s*(?:\"|″|”|''|s)?)?\s*([NSEWO]?)",
    re.IGNORECASE,
)
# For a precision without a radius: wide, and said aloud in the location's corrections.
_ASSUMED_RADIUS_KM = {
    "rooftop": 0.05,
    "block_face": 0.2,
    "interpolated": 0.5,
    "street": 2.0,
    "postal_code": 2.0,
    "place": 10.0,
    "fsa": 15.0,
    "municipality": 20.0,
}


def _coordinate(cell: Any, name: str, limit: float) -> float | None:
    """Read one coordinate from text or a number."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value, number = repr(cell), cell
    else:
        value = text(cell)
        if not value:
            return None
        if not _DECIMAL.fullmatch(value):
            raise CellError(f"{quoted(value)} is not a number of decimal degrees{_cause(value)}")
        number = float(value)
    try:
        return degrees(number, name, limit)
    except CoordinatesError as error:
        raise CellError(f"{quoted(value)}: {error}") from None


def latitude(cell: Any) -> float | None:
    """Read a latitude."""
    return _coordinate(cell, "lat", 90.0)


def longitude(cell: Any) -> float | None:
    """Read a longitude."""
    return _coordinate(cell, "lon", 180.0)


def _coordinates(cells: Sequence[str], limit: float) -> list[float | None] | None:
    """Read a column of plain decimal degrees at once; None unless all are, or are blank."""
    lines = "\n".join((*cells, ""))
    if not _DECIMALS.fullmatch(lines) or lines.count("\n") != len(cells):
        return None
    values = [float(cell) + 0.0 if cell else None for cell in cells]  # no minus zero
    return values if all(v is None or -limit <= v <= limit for v in values) else None


def _sound(cells: Sequence[str]) -> bool:
    joined = "".join(cells)
    return "\0" not in joined and (joined.isascii() or not _SURROGATE.search(joined))


_WHOLE_COLUMNS: dict[Reader, Callable[[Sequence[str]], list[Any] | None]] = {
    identifier: lambda cells: list(cells) if _sound(cells) else None,
    text: lambda cells: list(map(str.strip, cells)) if _sound(cells) else None,
    latitude: lambda cells: _coordinates(cells, 90.0),
    longitude: lambda cells: _coordinates(cells, 180.0),
}
"""Readers of texts that can be checked together; None where one by one must find the faults."""


READERS: dict[str, Reader] = {
    "identifier": identifier,
    "text": text,
    "website": website,
    "latitude": latitude,
    "longitude": longitude,
    "radius": radius,
    "date": iso_date,
    "yes_no": choice(("yes", "no"), "an answer"),
}


def reader_of(field: Field) -> Reader:
    """Make a reader for the cells of a field."""
    if field.kind != "choice":
        return READERS[field.kind]
    what = "an answer" if "yes" in field.choices else f"a {field.name.replace('_', ' ')}"
    # Of a location it counts whether anything is stated.
    blank = "" if field.level == "location" or field.default is MISSING else field.default
    return choice(field.choices, what, blank)


def _cause(value: str) -> str:
    if comma := _COMMA.fullmatch(value):
        return f"; it has a decimal comma: write {comma[1]}.{comma[2]}"
    if "\u2212" in value or "\u2013" in value:
        return "; write the minus sign as a plain hyphen (-)"
    if len(value) <= 40 and (parts := _SEXAGESIMAL.fullmatch(value)):
        return f"; it is in degrees, minutes and seconds: write {_decimal(parts)}"
    if any(mark in value for mark in "°'\"′″") or re.search(
        r"[0-9]\s*[NSEWO]\Z", value, re.IGNORECASE
    ):
        return "; write decimal degrees with a sign, such as -79.38 for 79.38 W"
    strange = strange_characters(value)
    odd = f" (it holds {', '.join(strange[:3])})" if strange else ""
    return f"; write plain digits with a point, such as 43.65{odd}"


def _decimal(parts: re.Match[str]) -> str:
    sign, whole, minutes, seconds, side = parts.groups()
    size = int(whole) + float(minutes) / 60 + float(seconds or 0) / 3600
    negative = sign == "-" or side.upper() in {"S", "W", "O"}
    return f"{-size if negative else size:.6f}"


def location_faults(
    lat: float | None, lon: float | None, precision: str, radius_km: float | None
) -> list[tuple[str, str]]:
    """Say what is wrong where lat, lon or both are blank: column and message."""
    if lat is not None or lon is not None:
        here, missing = ("lon", "lat") if lat is None else ("lat", "lon")
        return [(missing, f"is blank though {here} is given; give both, or leave both blank")]
    idle = {"precision": precision, "radius_km": radius_km}
    return [
        (name, "is given without lat and lon; leave it blank")
        for name, value in idle.items()
        if value not in {None, ""}
    ]


def refuse_implausible(clinics: Iterable[Clinic]) -> None:
    """Refuse clinics at (0, 0), and those whose position contradicts their own province."""
    located = [(clinic, place) for clinic in clinics if (place := clinic.location) is not None]
    wrong = implausible(
        (place.lat for _, place in located),
        (place.lon for _, place in located),
        (clinic.province for clinic, _ in located),
        (clinic.postal_code for clinic, _ in located),
    )
    faults = []
    for at, what in wrong.items():
        clinic_id = located[at][0].clinic_id
        faults.append(Fault(f"clinic {quoted(clinic_id)}: {what}", None, "lat, lon", clinic_id))
    if faults:
        raise DataError("clinics", faults)


def radius_and_remark(
    lat: float, lon: float, stated: str, radius_km: float | None
) -> tuple[float, tuple[str, ...]]:
    """Take the radius of a position as stated, or as wide as what is stated allows."""
    if radius_km is not None:
        return radius_km, ()
    if stated in _ASSUMED_RADIUS_KM:
        assumed = _ASSUMED_RADIUS_KM[stated]
        return assumed, (f"radius_km not stated: taken as {assumed:g} km for {stated}",)
    if not stated and lat == int(lat) and lon == int(lon):
        return _half_degree_km(lat), ("whole degrees: known to half a degree only",)
    return 0.0, ()


def _half_degree_km(lat: float) -> float:
    half = 0.5 * KM_PER_DEGREE
    return round(math.hypot(half, half * math.cos(math.radians(lat))), 1)
