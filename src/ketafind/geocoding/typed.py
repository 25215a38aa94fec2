"""Coordinates that were typed as text: read exactly, or refused with the likely cause."""

from __future__ import annotations

import re

from ketafind.errors import PlaceNotFoundError
from ketafind.records import Location

__all__ = ["typed_coordinates", "why_not_coordinates"]

NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
ONLY = frozenset("0123456789+-.,; \t°′″'\"NSEWnsewoO")
SIGNS = frozenset("°′″'\"")
LEAST_DECIMALS = 2
HALF_A_DEGREE_KM = 79.0
SOUTH, NORTH, WEST, EAST = 41.6, 56.9, -95.3, -74.2
HOW = "; pass Coordinates(lat=..., lon=...), or write decimal degrees such as '44.2312, -76.4860'"


def typed_coordinates(text: str) -> Location | None:
    """Read a pair of decimal degrees, latitude first.

    Parameters
    ----------
    text : str
        Such as ``"44.2312, -76.4860"``.

    Returns
    -------
    Location or None
        The position as given; None if the text is no pair of numbers.

    Raises
    ------
    PlaceNotFoundError
        If it is a pair that is swapped, lacks a sign or decimals, lies outside Ontario, or is
        written in degrees and minutes or with decimal commas. The text holds none of its digits.
    """
    if text[0] not in "0123456789+-NSEWnsew" or not ONLY.issuperset(text):
        return None
    numbers = NUMBER.findall(text)
    sixfold = len(numbers) in {4, 6} and any(letter.isalpha() for letter in text)
    if sixfold or (not SIGNS.isdisjoint(text) and len(numbers) > 1):
        raise PlaceNotFoundError("degrees, minutes and seconds are not read" + HOW)
    if len(numbers) == 4 and text.count(",") > 1:
        raise PlaceNotFoundError("numbers with decimal commas are not read" + HOW)
    if len(numbers) != 2 or not any("." in number for number in numbers):
        return None
    if any(letter.isalpha() for letter in text):
        raise PlaceNotFoundError("coordinates with compass letters are not read" + HOW)
    return _checked(numbers)


def why_not_coordinates(text: str) -> str:
    """Say why a text that looks like coordinates is refused, without a digit of it.

    Parameters
    ----------
    text : str
        What was typed.

    Returns
    -------
    str
        Such as ``"latitude and longitude seem swapped"``; empty if it does not look like any.
    """
    try:
        typed_coordinates(text or " ")
    except PlaceNotFoundError as error:
        return str(error).removesuffix(HOW)
    return ""


def _checked(numbers: list[str]) -> Location:
    lat, lon = float(numbers[0]), float(numbers[1])
    decimals = min(len(number.partition(".")[2]) for number in numbers)
    if decimals < LEAST_DECIMALS:
        raise PlaceNotFoundError("these coordinates seem cut short: too few decimals" + HOW)
    if _in_ontario(lat, lon):
        # What rounding to so many decimals may hide.
        radius = HALF_A_DEGREE_KM * 10.0**-decimals
        name = "typed coordinates"
        return Location(lat=lat, lon=lon, radius_km=radius, source=name, label=name)
    if _in_ontario(lon, lat):
        raise PlaceNotFoundError("latitude and longitude seem swapped" + HOW)
    if _in_ontario(lat, -lon):
        raise PlaceNotFoundError("the longitude seems to lack its minus sign" + HOW)
    if _in_ontario(-lon, lat) or _in_ontario(lon, -lat):
        raise PlaceNotFoundError(
            "latitude and longitude seem swapped, and the longitude lacks its minus sign" + HOW
        )
    raise PlaceNotFoundError("these coordinates are not in Ontario" + HOW)


def _in_ontario(lat: float, lon: float) -> bool:
    return SOUTH <= lat <= NORTH and WEST <= lon <= EAST
