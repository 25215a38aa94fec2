"""Does a position contradict the province it is said to be in? A gross check, by boxes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from ketafind.vocabulary.words import fold

__all__ = ["province_contradiction"]

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
    """Say how a position contradicts a province, or None where it does not.

    Parameters
    ----------
    province : str
        A Canadian province or territory by code or name, in any case, with or without accents;
        any other text is never contradicted.
    lat, lon : float
        Decimal degrees, WGS 84.
    postal_code : str
        A Canadian postal code, which tells the province where `province` is blank.

    Returns
    -------
    str or None
        What is wrong and the likely cause: a swapped pair, or a sign that was lost.

    Notes
    -----
    The boxes are up to half a degree wider than the provinces.
    """
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
