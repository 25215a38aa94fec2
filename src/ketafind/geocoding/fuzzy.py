"""Town names with typing errors, found by their likeness to the names that are known."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.geocoding.streets import DIRECTIONS, STREET_TYPES, UNIT_WORDS
from ketafind.geocoding.text import SHORT_FORMS, name_key, words_of

__all__ = ["likeness", "near_names"]

SHORTEST = 4
DOMINANT = 2
HEADS = frozenset(
    ["north", "south", "east", "west", "upper", "lower", "fort", "port", "mount", "lake", "new"]
)
"""Words that tell towns apart: Fort Hope is not Port Hope."""


def _allowed(size: int, *, alone: bool) -> int:
    """How many slips a name of this length may hold; fewer if nothing shows that it is a town."""
    if alone:
        return 1 if size < 9 else 2
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


def near_names(
    words: list[str], gazetteer: Gazetteer, *, alone: bool = False
) -> tuple[int, tuple[Place, ...]]:
    """Find the places whose name is a few slips away from some words.

    Parameters
    ----------
    words : list of str
        Folded words.
    gazetteer : Gazetteer
        The names.
    alone : bool
        True if there is nothing but these words: they may be any name, of a town or not.

    Returns
    -------
    slips : int
        How many characters differ.
    places : tuple of Place
        All places at that distance, then all others that bear the one word in their name; empty
        if none is near enough. A name with another compass
        point or the like is never near (North Glengarry is not South Glengarry), nor is one that
        begins otherwise, unless that is the only slip (Yorkville is not Oakville) and, of a name
        alone, the town has many postal codes. Words that end like a street are near to a town of
        many postal codes that ends so too, if they are one slip away.
    """
    key = name_key(words)
    if len(words) > 1 and words[-1] in STREET_TYPES:
        return _like_a_street(key, gazetteer)
    if len(key) < SHORTEST or words[-1] in STREET_TYPES or words[-1] in UNIT_WORDS:
        return 0, ()
    if words[-1].isdigit() or (words[-1] in DIRECTIONS and len(words) > 2):
        return 0, ()
    keys, process, osa = _choices(gazetteer)
    found = process.extract(
        key, keys, scorer=osa.distance, score_cutoff=_allowed(len(key), alone=alone), limit=24
    )
    heads = HEADS.intersection(SHORT_FORMS.get(word, word) for word in words)
    right = [
        (slips, name)
        for name, slips, _ in found
        if (name[0] == key[0] or (slips == 1 and (not alone or _is_large(name, gazetteer))))
        and _same_heads(heads, name, gazetteer)
    ]
    if not right:
        return 0, ()
    least = min(slips for slips, _ in right)
    names = [name for slips, name in right if slips == least]
    # Typing errors rarely hit the first letter.
    names = [name for name in names if name[0] == key[0]] or names
    numbers = sorted({number for name in names for number in gazetteer.aliases[name]})
    numbers = _likeliest(numbers, gazetteer)
    if len(words) == 1:
        # Tecumseth is one slip from Tecumseh, and none from a word of New Tecumseth.
        numbers = list(dict.fromkeys([*numbers, *_bearers(gazetteer).get(words[0], ())]))
    return int(least), tuple(gazetteer.places[number] for number in numbers)


@lru_cache(maxsize=4)
def _bearers(gazetteer: Gazetteer) -> dict[str, list[int]]:
    """Numbers of the places that bear a word beside others in their name, by the word."""
    found: dict[str, list[int]] = {}
    for place in gazetteer.places:
        words = words_of(place.name)[0]
        for word in set(words) if len(words) > 1 else ():
            found.setdefault(word, []).append(place.number)
    return found


@lru_cache(maxsize=4)
def _towns_like_streets(gazetteer: Gazetteer) -> dict[str, tuple[str, Place]]:
    """Post towns whose name ends in a street's type, by their keys: Thunder Bay."""
    towns = {}
    for place in gazetteer.places:
        words = words_of(place.name)[0]
        large = gazetteer.codes_of_place[place.number] >= POST_TOWN
        if large and len(words) > 1 and words[-1] in STREET_TYPES:
            towns[name_key(words)] = (words[-1], place)
    return towns


def _like_a_street(key: str, gazetteer: Gazetteer) -> tuple[int, tuple[Place, ...]]:
    """Find the post town that is one slip away: any more, and it may well be a street."""
    from rapidfuzz.distance import OSA

    for name, (ending, place) in _towns_like_streets(gazetteer).items():
        alike = name[0] == key[0] and key.endswith(ending)
        if alike and OSA.distance(key, name, score_cutoff=1) == 1:
            return 1, (place,)
    return 0, ()


def _is_large(key: str, gazetteer: Gazetteer) -> bool:
    counts = gazetteer.codes_of_place
    return any(counts[number] >= POST_TOWN for number in gazetteer.aliases[key])


def _likeliest(numbers: list[int], gazetteer: Gazetteer) -> list[int]:
    """Of towns equally like, the one with twice the postal codes of the others, if there is."""
    counts = gazetteer.codes_of_place
    ranked = sorted(numbers, key=lambda number: -counts[number])
    if len(ranked) > 1 and counts[ranked[0]] >= DOMINANT * max(1, counts[ranked[1]]):
        return ranked[:1]
    return numbers


def _same_heads(heads: frozenset[str], key: str, gazetteer: Gazetteer) -> bool:
    if not heads:
        return True
    names = (gazetteer.places[number].name for number in gazetteer.aliases[key])
    return any(heads <= {SHORT_FORMS.get(w, w) for w in words_of(name)[0]} for name in names)
