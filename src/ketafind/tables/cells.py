"""What one cell of a table may hold, and how it is read."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ketafind.errors import CoordinatesError, DataError, Fault
from ketafind.geo import degrees
from ketafind.records import PRECISIONS, STATUSES, Clinic, Location
from ketafind.vocabulary.terms import fold, shown, strange_characters

__all__ = [
    "CellError",
    "choice",
    "degrees_cell",
    "extra",
    "identifier",
    "iso_date",
    "latitude",
    "location",
    "longitude",
    "match_key",
    "plain",
    "precision",
    "province_contradiction",
    "radius",
    "refuse_implausible",
    "status",
    "text",
    "website",
    "yes_no",
]


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x20\x7f]")


class CellError(ValueError):
    """What is wrong with a cell; the reader adds the row and the column."""


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
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise CellError("holds half of a surrogate pair, which is no character; remove it")


def match_key(value: str) -> str:
    """Reduce an id to what must be unique: composed, without invisible or outer characters."""
    if value.isascii() and value.isprintable():
        return value.strip()
    seen = (letter for letter in value if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFC", "".join(seen)).strip()


def choice(words: Iterable[str], what: str, blank: str = "") -> Callable[[Any], str]:
    """Make a reader for a cell that holds one of a few words, in any case."""
    known = tuple(words)

    def read(cell: Any) -> str:
        if isinstance(cell, bool) and {"yes", "no"} <= set(known):
            return "yes" if cell else "no"
        value = text(cell)
        word = value.lower()
        if not word:
            return blank
        if word not in known:
            raise CellError(
                f"{shown(value)} is not {what}; write {', '.join(known[:-1])} or {known[-1]}"
                + ("" if blank else ", or leave it blank where it is not known")
            )
        return word

    return read


status = choice(STATUSES, "a status", blank="active")
precision = choice(PRECISIONS, "a precision")
yes_no = choice(("yes", "no"), "an answer")


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
        raise CellError(f"{shown(value)} is not a day of the calendar: {error}") from None
    raise CellError(f"{shown(value)} is not a date; write it as 2026-11-23 (year-month-day)")


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
            f"{shown(value)} is not a radius; write kilometres from 0 to 20038, such as 2.5"
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
        raise CellError(f"{shown(value)} is not a web address: {error}") from None
    if parts.scheme in {"http", "https"} and host and not _SPACE_OR_CONTROL.search(value):
        return value
    remedy = "" if ":" in value.split("/")[0] else f", such as {shown('https://' + value)}"
    raise CellError(
        f"{shown(value)} is not a web address; it must begin with https:// or http://{remedy}"
    )


_POSTAL_CODE = re.compile(r"[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    lat: tuple[float, float]
    lon: tuple[float, float]

    def holds(self, lat: float, lon: float) -> bool:
        return self.lat[0] <= lat <= self.lat[1] and self.lon[0] <= lon <= self.lon[1]


@cache
def _boxes() -> dict[str, _Box]:
    text = Path(__file__).with_name("provinces.json").read_text(encoding="utf-8")
    boxes: dict[str, _Box] = {}
    for code, entry in json.loads(text)["provinces"].items():
        box = _Box(entry["name"], tuple(entry["lat"]), tuple(entry["lon"]))
        words = [fold(word) for word in (code, *entry["names"])]
        boxes |= dict.fromkeys((*words, *entry["postal"]), box)
    return boxes


@lru_cache(maxsize=1024)
def _box(province: str, letter: str) -> _Box | None:
    return _boxes().get(fold(province.replace(".", "")) or letter)


def province_contradiction(
    province: str, lat: float, lon: float, postal_code: str = ""
) -> str | None:
    """Say how a position contradicts a province, or None where it does not."""
    letter = postal_code[:1].upper() if _POSTAL_CODE.fullmatch(postal_code) else ""
    box = _box(province, letter)
    if box is None or box.holds(lat, lon):
        return None
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
        f"{lat:g}, {lon:g} is not in {box.name} (lat {box.lat[0]:g} to {box.lat[1]:g}, lon "
        f"{box.lon[0]:g} to {box.lon[1]:g}); correct the position or the province, or pass "
        "check=False"
    )


_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_COMMA = re.compile(r"([+-]?[0-9]{1,3}),([0-9]{1,20})")
_SEXAGESIMAL = re.compile(
    r"([+-]?)([0-9]{1,3})[°d:\s]\s*([0-9]{1,2}(?:\.[0-9]{1,10})?)['′’m:\s]?\s*"
    r"(?:([0-9]{1,2}(?:\.[0-9]{1,10})?)\s*(?:\"|″|”|''|s)?)?\s*([NSEWO]?)",
    re.IGNORECASE,
)
_KM_PER_DEGREE = 111.32
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


def degrees_cell(cell: Any, name: str, limit: float) -> float | None:
    """Read one coordinate from text or a number."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value, number = repr(cell), cell
    else:
        value = text(cell)
        if not value:
            return None
        if not _DECIMAL.fullmatch(value):
            raise CellError(f"{shown(value)} is not a number of decimal degrees{_cause(value)}")
        number = float(value)
    try:
        return degrees(number, name, limit)
    except CoordinatesError as error:
        raise CellError(f"{shown(value)}: {error}") from None


def latitude(cell: Any) -> float | None:
    """Read a latitude, as `degrees_cell` does."""
    return degrees_cell(cell, "lat", 90.0)


def longitude(cell: Any) -> float | None:
    """Read a longitude, as `degrees_cell` does."""
    return degrees_cell(cell, "lon", 180.0)


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


def location(
    values: Mapping[str, Any], *, check: bool
) -> tuple[Location | None, list[tuple[str | None, str]]]:
    """Join the parsed cells of a row into its location."""
    lat, lon = values.get("lat"), values.get("lon")
    stated, radius_km = values.get("precision") or "", values.get("radius_km")
    if lat is None and lon is None:
        idle = [name for name in ("precision", "radius_km") if values.get(name) not in {None, ""}]
        return None, [(name, "is given without lat and lon; leave it blank") for name in idle]
    if lat is None or lon is None:
        here, missing = ("lon", "lat") if lat is None else ("lat", "lon")
        return None, [(missing, f"is blank though {here} is given; give both, or leave both blank")]
    words = (values.get("province") or "", values.get("postal_code") or "")
    if check and (wrong := _implausible(lat, lon, *words)):
        return None, [("lat", wrong)]
    radius_km, remark = _doubt(lat, lon, stated, radius_km)
    found = Location(
        lat=lat,
        lon=lon,
        precision=stated or "unknown",
        radius_km=radius_km,
        match="given",
        corrections=remark,
    )
    return found, []


def _implausible(lat: float, lon: float, province: str, postal_code: str) -> str | None:
    if lat == 0.0 and lon == 0.0:
        return "(0, 0) is in the Atlantic, often a blank that became zero; leave both blank"
    return province_contradiction(province, lat, lon, postal_code)


def refuse_implausible(clinics: Iterable[Clinic]) -> None:
    """Refuse clinics at (0, 0), and those whose position contradicts their own province."""
    faults = []
    for clinic in clinics:
        place = clinic.location
        wrong = place and _implausible(place.lat, place.lon, clinic.province, clinic.postal_code)
        if wrong:
            message = f"clinic {shown(clinic.clinic_id)}: {wrong}"
            faults.append(Fault(message, None, "lat, lon", clinic.clinic_id))
    if faults:
        raise DataError("clinics", faults)


def _doubt(
    lat: float, lon: float, stated: str, radius_km: float | None
) -> tuple[float, tuple[str, ...]]:
    if radius_km is not None:
        return radius_km, ()
    if stated in _ASSUMED_RADIUS_KM:
        assumed = _ASSUMED_RADIUS_KM[stated]
        return assumed, (f"radius_km not stated: taken as {assumed:g} km for {stated}",)
    if not stated and lat == int(lat) and lon == int(lon):
        return _half_degree_km(lat), ("whole degrees: known to half a degree only",)
    return 0.0, ()


def _half_degree_km(lat: float) -> float:
    half = 0.5 * _KM_PER_DEGREE
    return round(math.hypot(half, half * math.cos(math.radians(lat))), 1)
