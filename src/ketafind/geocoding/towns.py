"""Town names with typing errors, found by their likeness to the names that are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ketafind.geo import sphere_km
from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.geocoding.reading import LONGEST_TOWN, PART_KM, Town, last_part, town_at_end
from ketafind.geocoding.words import (
    DIRECTIONS,
    SHORT_FORMS,
    STREET_TYPES,
    UNIT_WORDS,
    name_key,
    words_of,
)

__all__ = ["LIKE", "Part", "likeness", "near_names", "town_despite_slips"]


SHORTEST = 5
DOMINANT_SPELLING = 2
NEVER_MISSPELT = frozenset(
    [
        "part",
        "partie",
        "parts",
        "unorganized",
        "unorganised",
        "stables",
        "farm",
        "farms",
        "site",
        "reserve",
        "indian",
        "clinic",
        "school",
        "college",
        "hospital",
        "church",
        "street",
        "road",
        "avenue",
        "north",
        "south",
        "east",
        "west",
    ]
)
"""Words that are what they are, and no town's name with slips."""

SHORT_FORM_HEADS = frozenset(
    ["north", "south", "east", "west", "upper", "lower", "fort", "port", "mount", "lake", "new"]
)
"""Words that tell towns apart: Fort Hope is not Port Hope."""


def _allowed(size: int, *, alone: bool) -> int:
    """How many slips a name of this length may hold; fewer if nothing shows that it is a town."""
    if alone:
        return 1 if size < 10 else 2
    return 1 if size < 6 else 2 if size < 10 else 3


@lru_cache(maxsize=4)
def _choices(gazetteer: Gazetteer) -> tuple[list[str], Any, Any]:
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    solid, places = gazetteer.is_solid, gazetteer.places
    keys = [
        key
        for key, numbers in gazetteer.aliases.items()
        if len(key) >= SHORTEST and any(solid(places[number]) for number in numbers)
    ]
    return keys, process, OSA


def likeness(one: str, two: str) -> float:
    """Compare two keys."""
    from rapidfuzz.distance import OSA

    return float(OSA.normalized_similarity(one, two))


def near_names(
    words: list[str], gazetteer: Gazetteer, *, alone: bool = False
) -> tuple[int, tuple[Place, ...]]:
    """Find the places whose name is a few slips away from some words."""
    key = name_key(words)
    if len(words) > 1 and words[-1] in STREET_TYPES:
        return _like_a_street(key, gazetteer)
    if len(key) < SHORTEST or words[-1] in STREET_TYPES or words[-1] in UNIT_WORDS:
        return 0, ()
    if words[-1].isdigit() or not NEVER_MISSPELT.isdisjoint(words):
        return 0, ()
    if words[-1] in DIRECTIONS and len(words) > 2:
        return 0, ()
    keys, process, osa = _choices(gazetteer)
    found = process.extract(
        key, keys, scorer=osa.distance, score_cutoff=_allowed(len(key), alone=alone), limit=24
    )
    heads = SHORT_FORM_HEADS.intersection(SHORT_FORMS.get(word, word) for word in words)
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
        words = words_of(place.name.partition(" (")[0])[0]
        known = place.kind != "landmark" and len(words) > 1 and gazetteer.is_solid(place)
        for word in set(words) if known else ():
            found.setdefault(word, []).append(place.number)
    return found


@lru_cache(maxsize=4)
def _towns_like_streets(gazetteer: Gazetteer) -> dict[str, tuple[str, Place]]:
    """Post towns whose name ends in a street's type, by their keys: Thunder Bay."""
    towns = {}
    for place in gazetteer.places:
        words = words_of(place.name.partition(" (")[0])[0]
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
    if len(ranked) > 1 and counts[ranked[0]] >= DOMINANT_SPELLING * max(1, counts[ranked[1]]):
        return ranked[:1]
    return numbers


def _same_heads(heads: frozenset[str], key: str, gazetteer: Gazetteer) -> bool:
    if not heads:
        return True
    names = (gazetteer.places[number].name for number in gazetteer.aliases[key])
    return any(heads <= {SHORT_FORMS.get(w, w) for w in words_of(name)[0]} for name in names)


LIKE = 0.7
"""So like the name of its postal code's place must a misspelt town be."""

TITLES = frozenset(
    [
        "city",
        "town",
        "village",
        "township",
        "municipality",
        "county",
        "district",
        "of",
        "the",
        "ville",
        "canton",
        "municipalite",
        "comte",
        "de",
        "du",
        "des",
        "d",
        "la",
        "le",
        "les",
        "near",
        "downtown",
        "centre",
        "greater",
        "central",
        "old",
    ]
)
"""Words before a town's name that are no part of another name."""

INSTITUTIONS = frozenset(
    [
        "hospital",
        "hopital",
        "general",
        "regional",
        "district",
        "memorial",
        "civic",
        "health",
        "sciences",
        "centre",
        "western",
        "eastern",
        "university",
        "international",
        "airport",
    ]
)
"""Words that after a town name a building there, of which no position is known."""

HEADS = frozenset(["port", "fort", "mount", "lake", "new", "saint", "point", "cape"])
"""Words that with the next make a name: Port Elsewhere is not Elsewhere."""


class Part(NamedTuple):
    """Words up to the end of the town; `own` is the place of the postal code, or -1."""

    words: list[str]
    parts: list[int]
    stop: int
    own: int


def town_despite_slips(at: Part, gazetteer: Gazetteer, exact: Town | None) -> Town | None:
    """Find a misspelt town at the end, or a known one in an earlier part."""
    words, parts, stop, _ = at
    if not stop:
        return None
    start = last_part(parts, stop)
    if exact is not None and (
        exact.start == start
        or TITLES.issuperset(words[start : exact.start])
        or (start == 0 and not _is_name(words[: exact.start]))
    ):
        return exact
    alone = start == 0 and _is_name(words[:stop])
    if alone:
        windows: Sequence[int] = [0]
    else:
        windows = [start] if start else range(stop - 1, max(stop - 3, 0) - 1, -1)
    best: tuple[float, Town] | None = None
    for first in windows:
        if words[stop - 1] in STREET_TYPES and not _follows_street(words[start:first]):
            continue
        found = _like(words[first:stop], gazetteer, at.own, alone=alone)
        if found is not None and (best is None or found[0] > best[0]):
            best = (found[0], Town(first, stop, found[1], " ".join(words[first:stop])))
    if best is not None:
        return best[1]
    if alone and (exact is None or words[exact.start - 1] in HEADS):
        return _town_of_institution(words, stop, gazetteer)
    if alone and exact is not None:
        return _larger_before(words, exact, gazetteer) or exact
    return exact or _town_in_a_part(words, parts, start, gazetteer)


def _follows_street(before: list[str]) -> bool:
    """Whether what ends in a street's type may be a town: not the street of "12 Nort Bay"."""
    at = range(1, len(before))
    return not before or any(
        before[i] in STREET_TYPES and not before[i - 1][0].isdigit() for i in at
    )


def _is_name(words: list[str]) -> bool:
    """Whether words may all belong to the name of a town: no number, no street's type."""
    return not any(word in STREET_TYPES or word[0].isdigit() for word in words)


def _like(
    words: list[str], gazetteer: Gazetteer, own: int, *, alone: bool
) -> tuple[float, tuple[Place, ...]] | None:

    key = name_key(words)
    if own >= 0:
        place = gazetteer.places[own]
        like = likeness(key, name_key(words_of(place.name)[0]))
        if like >= LIKE:
            return like, (place,)
    slips, places = near_names(words, gazetteer, alone=alone)
    return (1 - slips / len(key), places) if places else None


def _town_in_a_part(
    words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer
) -> Town | None:
    """Find the last earlier part that is a known name and nothing else."""
    while stop:
        start = last_part(parts, stop)
        town = town_at_end(words, parts, stop, gazetteer)
        if town is not None and town.start == start:
            return town
        stop = start
    return None


def _larger_before(words: list[str], town: Town, gazetteer: Gazetteer) -> Town | None:
    """Find the city that stands before a far village's name: Hamilton Mountain is in Hamilton."""
    counts = gazetteer.codes_of_place
    numbers = gazetteer.aliases.get(name_key(words[: town.start]), ())
    if len(numbers) != 1 or counts[numbers[0]] < POST_TOWN:
        return None
    city = gazetteer.places[numbers[0]]
    for place in town.places:
        near = sphere_km(city.lat, city.lon, place.lat, place.lon) <= PART_KM
        if near or counts[place.number] >= POST_TOWN:
            return None
    return Town(0, town.stop, (city,), " ".join(words[: town.stop]))


def _town_of_institution(words: list[str], stop: int, gazetteer: Gazetteer) -> Town | None:
    """Find the town that a building is named after, as in "Kingston General Hospital"."""
    for at in range(min(stop - 1, LONGEST_TOWN), 0, -1):
        numbers = gazetteer.aliases.get(name_key(words[:at]), ())
        if numbers and all(w in INSTITUTIONS or w in DIRECTIONS for w in words[at:stop]):
            if max(gazetteer.codes_of_place[number] for number in numbers) < POST_TOWN:
                return None
            places = tuple(gazetteer.places[number] for number in numbers)
            return Town(0, stop, places, " ".join(words[:stop]))
    return None
