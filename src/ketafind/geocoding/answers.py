"""Make the answers of the gazetteer: a code's, a place's, an area's."""

from __future__ import annotations

from bisect import bisect_left
from statistics import median

from ketafind.geocoding.gazetteer import Gazetteer, Place
from ketafind.geocoding.postal import AREA_TEXTS, UNIT_TEXTS, code_text
from ketafind.geocoding.radius import (
    CODE_RADII,
    TOGETHER_FACTOR,
    covering,
    place_radius_km,
    sphere_km,
)
from ketafind.records import Location

__all__ = [
    "at_area",
    "at_code",
    "at_place",
    "at_places",
    "at_row",
    "between",
    "elsewhere_in_canada",
]

WIDE_KM = 10.0
"""A name whose addresses reach farther than this is a municipality, else a place."""

BESIDE = 4
"""So many codes on each side place one that is not listed."""

# Location's slots, filled without its checks: a code's answer is made in a microsecond, and every
# value of the gazetteer was checked when it was built (a test compares the two ways).
_new = object.__new__
_SET = {name: getattr(Location, name).__set__ for name in Location.__slots__}
_set_lat, _set_lon, _set_precision = _SET["lat"], _SET["lon"], _SET["precision"]
_set_radius, _set_match, _set_corrections = _SET["radius_km"], _SET["match"], _SET["corrections"]
_set_source, _set_label, _set_candidates = _SET["source"], _SET["label"], _SET["candidates"]


def at_row(gazetteer: Gazetteer, row: int, corrections: tuple[str, ...] = ()) -> Location:
    """Answer with a postal code of Ontario.

    Parameters
    ----------
    gazetteer : Gazetteer
        The codes.
    row : int
        The code's row.
    corrections : tuple of str
        What was read otherwise than written.

    Returns
    -------
    Location
        The code's position and 90 % radius.
    """
    table = gazetteer.ontario
    area, unit = divmod(table.numbers[row], 2000)
    location = _new(Location)
    _set_lat(location, table.lats[row] / 1e4)
    _set_lon(location, table.lons[row] / 1e4)
    _set_precision(location, "postal_code")
    _set_radius(location, CODE_RADII[table.qualities[row]])
    _set_match(location, "corrected" if corrections else "exact")
    _set_corrections(location, corrections)
    _set_source(location, "GeoNames")
    name = gazetteer.labels[table.names[row]]
    _set_label(location, f"{AREA_TEXTS[area]} {UNIT_TEXTS[unit]}, {name}")
    _set_candidates(location, ())
    return location


def at_code(gazetteer: Gazetteer, number: int) -> Location | None:
    """Answer with a postal code, if it is one of Ontario's.

    Parameters
    ----------
    gazetteer : Gazetteer
        The codes.
    number : int
        The code's number.

    Returns
    -------
    Location or None
        Its position; None if it is not among Ontario's.
    """
    row = gazetteer.ontario.find(number)
    return at_row(gazetteer, row) if row >= 0 else None


def at_place(place: Place, corrections: tuple[str, ...] = (), match: str = "fuzzy") -> Location:
    """Answer with a place.

    Parameters
    ----------
    place : Place
        The place.
    corrections : tuple of str
        What was read otherwise than written.
    match : str
        How it was found if something was corrected.

    Returns
    -------
    Location
        The place's position and 90 % radius.
    """
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


def at_places(places: tuple[Place, ...], corrections: tuple[str, ...] = ()) -> Location:
    """Answer with several places near each other: one circle that covers them.

    Parameters
    ----------
    places : tuple of Place
        Two or more.
    corrections : tuple of str
        What was read otherwise than written.

    Returns
    -------
    Location
        With ``match="ambiguous"`` and each place among its candidates.
    """
    candidates = tuple(at_place(place, corrections) for place in places)
    lat, lon, radius = covering((c.lat, c.lon, c.radius_km) for c in candidates)
    return Location(
        lat=lat,
        lon=lon,
        precision="place",
        radius_km=radius,
        match="ambiguous",
        corrections=corrections,
        source=candidates[0].source,
        label=" or ".join(sorted({c.label for c in candidates})),
        candidates=candidates,
    )


def between(code: Location, town: Location) -> Location:
    """Answer for a code and a town that contradict each other a little.

    Parameters
    ----------
    code, town : Location
        The two answers.

    Returns
    -------
    Location
        With ``match="conflict"``, a radius that covers both, and both as candidates.
    """
    lat, lon, radius = covering((c.lat, c.lon, c.radius_km) for c in (code, town))
    return Location(
        lat=lat,
        lon=lon,
        precision="place",
        radius_km=radius,
        match="conflict",
        corrections=code.corrections,
        source=code.source,
        label=f"{code.label} or {town.label}",
        candidates=(code, town),
    )


def at_area(gazetteer: Gazetteer, area: int, corrections: tuple[str, ...] = ()) -> Location:
    """Answer with the middle of a forward sortation area.

    Parameters
    ----------
    gazetteer : Gazetteer
        The codes.
    area : int
        The area's number; it has codes.
    corrections : tuple of str
        What was read otherwise than written.

    Returns
    -------
    Location
        The median of its codes, and how far nine of ten of them lie.
    """
    low, high = gazetteer.ontario.areas[area]
    return _around(gazetteer, range(low, high), f"{AREA_TEXTS[area]}, ON", "fsa", corrections)


def beside(gazetteer: Gazetteer, number: int) -> Location:
    """Place an urban code that is not listed among those next to it in order.

    Parameters
    ----------
    gazetteer : Gazetteer
        The codes.
    number : int
        The code's number; its area has codes.

    Returns
    -------
    Location
        The median of the eight codes around it.
    """
    table, label = gazetteer.ontario, code_text(number)
    low, high = table.areas[number // 2000]
    at = bisect_left(table.numbers, number, low, high)
    rows = range(max(low, at - BESIDE), min(high, at + BESIDE))
    note = (f"{label} is not listed; placed among the codes next to it",)
    return _around(gazetteer, rows, f"{label}, ON", "postal_code", note)


def _around(
    gazetteer: Gazetteer, rows: range, label: str, precision: str, corrections: tuple[str, ...]
) -> Location:
    table = gazetteer.ontario
    lat = median(table.lats[rows.start : rows.stop]) / 1e4
    lon = median(table.lons[rows.start : rows.stop]) / 1e4
    far = sorted(sphere_km(lat, lon, table.lats[r] / 1e4, table.lons[r] / 1e4) for r in rows)
    return Location(
        lat=lat,
        lon=lon,
        precision=precision,
        radius_km=max(1.0, TOGETHER_FACTOR * far[int(0.9 * (len(far) - 1))]),
        match="corrected" if corrections else "exact",
        corrections=corrections,
        source="GeoNames",
        label=label,
    )


def elsewhere_in_canada(gazetteer: Gazetteer, number: int, province: str) -> tuple[Location, ...]:
    """Say where a code of another province is, for the error that refuses it.

    Parameters
    ----------
    gazetteer : Gazetteer
        The codes.
    number : int
        The code's number.
    province : str
        The province's name.

    Returns
    -------
    tuple of Location
        One location, or none if the code is not listed.
    """
    table = gazetteer.rest
    row = table.find(number)
    if row < 0:
        return ()
    name = gazetteer.rest_names[table.names[row]]
    return (
        Location(
            lat=table.lats[row] / 1e4,
            lon=table.lons[row] / 1e4,
            precision="postal_code",
            radius_km=CODE_RADII[table.qualities[row]],
            match="exact",
            source="GeoNames",
            label=f"{code_text(number)}, {name}, {province}",
        ),
    )
