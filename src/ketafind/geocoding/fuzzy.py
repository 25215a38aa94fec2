"""Town names with typing errors, found by their likeness to the names that are known."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ketafind.geocoding.gazetteer import Gazetteer, Place
from ketafind.geocoding.streets import DIRECTIONS, STREET_TYPES, UNIT_WORDS
from ketafind.geocoding.text import name_key, words_of

__all__ = ["likeness", "near_names"]

SHORTEST = 4
DOMINANT = 2
POINTS = frozenset({"north", "south", "east", "west", "upper", "lower"})


def _allowed(size: int) -> int:
    """How many slips a name of this length may hold."""
    return 1 if size < 6 else 2 if size < 10 else 3


@lru_cache(maxsize=4)
def _choices(gazetteer: Gazetteer) -> tuple[list[str], Any, Any]:
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    keys = [key for key in gazetteer.aliases if len(key) >= SHORTEST]
    return keys, process, OSA


def likeness(one: str, two: str) -> float:
    """Compare two keys.

    Parameters
    ----------
    one, two : str
        Keys of names.

    Returns
    -------
    float
        1 if equal, 0 if nothing is alike; a swap of neighbours counts as one slip.
    """
    from rapidfuzz.distance import OSA

    return float(OSA.normalized_similarity(one, two))


def near_names(words: list[str], gazetteer: Gazetteer) -> tuple[int, tuple[Place, ...]]:
    """Find the places whose name is a few slips away from some words.

    Parameters
    ----------
    words : list of str
        Folded words.
    gazetteer : Gazetteer
        The names.

    Returns
    -------
    slips : int
        How many characters differ.
    places : tuple of Place
        All places at that distance; empty if none is near enough. A name with another compass
        point is never near: North Glengarry is not South Glengarry.
    """
    key = name_key(words)
    if len(key) < SHORTEST or words[-1] in STREET_TYPES or words[-1] in UNIT_WORDS:
        return 0, ()
    if words[-1].isdigit() or (words[-1] in DIRECTIONS and len(words) > 2):
        return 0, ()
    keys, process, osa = _choices(gazetteer)
    found = process.extract(
        key, keys, scorer=osa.distance, score_cutoff=_allowed(len(key)), limit=8
    )
    points = POINTS.intersection(words)
    right = [(slips, name) for name, slips, _ in found if _same_points(points, name, gazetteer)]
    if not right:
        return 0, ()
    least = min(slips for slips, _ in right)
    names = [name for slips, name in right if slips == least]
    # Typing errors rarely hit the first letter.
    names = [name for name in names if name[0] == key[0]] or names
    numbers = sorted({number for name in names for number in gazetteer.aliases[name]})
    return int(least), tuple(gazetteer.places[number] for number in _likeliest(numbers, gazetteer))


def _likeliest(numbers: list[int], gazetteer: Gazetteer) -> list[int]:
    """Of towns equally like, the one with twice the postal codes of the others, if there is."""
    counts = gazetteer.codes_of_place
    ranked = sorted(numbers, key=lambda number: -counts[number])
    if len(ranked) > 1 and counts[ranked[0]] >= DOMINANT * max(1, counts[ranked[1]]):
        return ranked[:1]
    return numbers


def _same_points(points: frozenset[str], key: str, gazetteer: Gazetteer) -> bool:
    if not points:
        return True
    names = (gazetteer.places[number].name for number in gazetteer.aliases[key])
    return any(points <= set(words_of(name)[0]) for name in names)
