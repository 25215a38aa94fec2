"""Latitude and longitude cells become a location, strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ketafind.coordinates import degrees
from ketafind.errors import CoordinatesError, DataError, Fault
from ketafind.records import Clinic, Location
from ketafind.tables.cells import CellError, text
from ketafind.tables.provinces import province_contradiction
from ketafind.vocabulary.words import shown, strange_characters

__all__ = ["degrees_cell", "latitude", "location", "longitude", "refuse_implausible"]

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
    """Read one coordinate from text or a number.

    Parameters
    ----------
    cell : object
        Decimal degrees with a point, in plain ASCII digits; or blank.
    name : str
        ``"lat"`` or ``"lon"``.
    limit : float
        The largest magnitude allowed, in degrees.

    Returns
    -------
    float or None
        None if blank.

    Raises
    ------
    CellError
        If it is anything else; the text names the likely cause.
    """
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
    """Read a latitude, as `degrees_cell` does.

    Parameters
    ----------
    cell : object
        Decimal degrees, -90 to 90, or blank.

    Returns
    -------
    float or None
        None if blank.
    """
    return degrees_cell(cell, "lat", 90.0)


def longitude(cell: Any) -> float | None:
    """Read a longitude, as `degrees_cell` does.

    Parameters
    ----------
    cell : object
        Decimal degrees, -180 to 180, or blank.

    Returns
    -------
    float or None
        None if blank.
    """
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
    """Join the parsed cells of a row into its location.

    Parameters
    ----------
    values : mapping
        Parsed cells by column: ``lat``, ``lon``, ``precision``, ``radius_km``, ``province``,
        ``postal_code``. A column that is not there counts as blank.
    check : bool
        Refuse (0, 0), and a position that contradicts the province.

    Returns
    -------
    Location or None
        None for an unlocated row, and where there are faults.
    list of (str or None, str)
        Column and message of each fault.

    Notes
    -----
    Whole degrees without precision or radius get a radius that covers half a degree each way; a
    precision without a radius gets a wide one. The location's corrections say so.
    """
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
    """Refuse clinics at (0, 0), and those whose position contradicts their own province.

    Parameters
    ----------
    clinics : iterable of Clinic
        Whose locations were given; one without a location passes.

    Raises
    ------
    DataError
        Naming each clinic, what is wrong and the likely cause.
    """
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
