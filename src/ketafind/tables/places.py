"""Positions in tables: how a cell gives one, and whether it can be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

from ketafind.errors import CoordinatesError, DataError, Fault, packaged
from ketafind.geo import KM_PER_DEGREE, degrees, look_swapped
from ketafind.records import ASSUMED_RADIUS_KM, Clinic
from ketafind.tables.csv import WORDS, CellError, says_nothing, text
from ketafind.vocabulary.terms import fold, quoted, strange_characters

_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
)
_DECIMALS = re.compile(rf"(?:(?:{_DECIMAL.pattern})?\n)*+")
_COMMA = re.compile(r"([+-]?[0-9]{1,3}),([0-9]{1,20})")
_BOTH = re.compile(r"[(\[]?[+-]?[0-9]{1,3}\.[0-9]+[\s,;]+[+-]?[0-9]{1,3}\.[0-9]+[)\]]?")
_SEXAGESIMAL = re.compile(
    r"([+-]?)([0-9]{1,3})[°d:\s]\s*([0-5]?[0-9](?:\.[0-9]{1,10})?)(?:['′’m:\s]\s*"
    r"(?:([0-5]?[0-9](?:\.[0-9]{1,10})?)\s*(?:\"|″|”|''|s)?)?)?\s*([NSEWO]?)",
    re.IGNORECASE,
)


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


latitude = partial(_coordinate, name="lat", limit=90.0)
longitude = partial(_coordinate, name="lon", limit=180.0)


def coordinates(cells: Sequence[str], limit: float) -> list[float | None] | None:
    """Read a column of plain decimal degrees at once; None unless all are, or are blank."""
    lines = "\n".join((*cells, ""))
    if not _DECIMALS.fullmatch(lines) or lines.count("\n") != len(cells):
        return None
    values = [float(cell) + 0.0 if cell else None for cell in cells]  # no minus zero
    return values if all(v is None or -limit <= v <= limit for v in values) else None


def _cause(value: str) -> str:
    if comma := _COMMA.fullmatch(value):
        return f"; it has a decimal comma: write {comma[1]}.{comma[2]}"
    if "\u2212" in value or "\u2013" in value:
        return "; write the minus sign as a plain hyphen (-)"
    if len(value) <= 40 and (parts := _SEXAGESIMAL.fullmatch(value)):
        return f"; it is in degrees, minutes and seconds: write {_decimal(parts)}"
    if any(mark in value for mark in "°'\"′″") or re.search(
        r"[0-9]\s*[NSEWO]\Z|\A[NSEWO]\s*[0-9]", value, re.IGNORECASE
    ):
        return "; write decimal degrees with a sign, such as -79.38 for 79.38 W"
    if says_nothing(value):
        return "; leave it blank where it is not known"
    if len(value) <= 80 and _BOTH.fullmatch(value):
        return "; it holds two numbers: give lat and lon a column each"
    strange = strange_characters(value)
    odd = f" (it holds {', '.join(strange[:3])})" if strange else ""
    return f"; write plain digits with a point, such as 43.65{odd}"


def _decimal(parts: re.Match[str]) -> str:
    sign, whole, minutes, seconds, side = parts.groups()
    size = int(whole) + float(minutes) / 60 + float(seconds or 0) / 3600
    negative = sign == "-" or side.upper() in {"S", "W", "O"}
    return f"{-size if negative else size:.6f}"


_POSTAL_CODE = re.compile(r"[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]", re.ASCII | re.IGNORECASE)


class _Box(NamedTuple):
    """The degrees between which a province lies."""

    name: str
    postal: str
    south: float
    north: float
    west: float
    east: float

    def holds(self, lat: float, lon: float) -> bool:
        """Tell whether a position is inside."""
        return self.south <= lat <= self.north and self.west <= lon <= self.east


@cache
def _boxes() -> dict[str, _Box]:
    boxes: dict[str, _Box] = {}
    for code, entry in packaged(WORDS)["provinces"].items():
        box = _Box(entry["name"], entry["postal"], *entry["lat"], *entry["lon"])
        # A name is folded to small letters: none is the first letter of a postal code.
        boxes |= dict.fromkeys((*map(fold, (code, *entry["names"])), *entry["postal"]), box)
    return boxes


@lru_cache(maxsize=4096)
def _box(province: str, postal_code: str) -> _Box | None:
    letter = postal_code[:1].upper() if _POSTAL_CODE.fullmatch(postal_code) else ""
    return _boxes().get(fold(province.replace(".", "")) or letter)


def postal_letters(province: str) -> str:
    """The first letters of a province's postal codes; empty for what is no province of Canada."""
    box = _box(province, "")
    return box.postal if box else ""


def implausible(rows: Iterable[tuple[float, float, str, str]]) -> dict[int, str]:
    """Say which positions are at (0, 0), off Antarctica or not in the province beside them."""
    wrong = {}
    for at, (lat, lon, province, postal_code) in enumerate(rows):
        box = _box(province, postal_code)
        if lat == lon == 0.0 or look_swapped(lat, lon) or (box and not box.holds(lat, lon)):
            wrong[at] = _contradiction(box, lat, lon)
    return wrong


def _contradiction(box: _Box | None, lat: float, lon: float) -> str:
    if lat == lon == 0.0:
        return "(0, 0) is in the Atlantic, often a blank that became zero; leave both blank"
    if box is None:
        return (
            f"{lat:g}, {lon:g} is in or off Antarctica; lat and lon look swapped: did you mean "
            f"lat {lon!r}, lon {lat!r}? Pass check=False if it is meant"
        )
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


def radius_and_remark(
    lat: float, lon: float, stated: str, radius_km: float | None
) -> tuple[float, tuple[str, ...]]:
    """Take the radius of a position as stated, or as wide as what is stated allows."""
    if radius_km is not None:
        return radius_km, ()
    if stated in ASSUMED_RADIUS_KM:
        assumed = ASSUMED_RADIUS_KM[stated]
        return assumed, (f"radius_km not stated: taken as {assumed:g} km for {stated}",)
    if not stated and lat == int(lat) and lon == int(lon):
        half_km = 0.5 * KM_PER_DEGREE
        corner_km = math.hypot(half_km, half_km * math.cos(math.radians(lat)))
        return round(corner_km, 1), ("whole degrees: known to half a degree only",)
    return 0.0, ()


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
    located = [clinic for clinic in clinics if clinic.location is not None]
    of_each = attrgetter("location.lat", "location.lon", "province", "postal_code")
    faults = []
    for at, what in implausible(map(of_each, located)).items():
        clinic_id = located[at].clinic_id
        faults.append(Fault(f"clinic {quoted(clinic_id)}: {what}", None, "lat, lon", clinic_id))
    if faults:
        raise DataError("clinics", faults)
