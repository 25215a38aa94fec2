"""Towns in the words of an address: by their name, or by likeness to the names that are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ketafind.geo import sphere_km
from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.geocoding.words import (
    DIRECTIONS,
    SHORT_FORMS,
    STREET_TYPES,
    UNIT_WORDS,
    name_key,
    words_of,
)

LONGEST_TOWN = 7
COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west", "o": "west"}
KINDS_AFTER = frozenset({"township", "twp", "municipality"})
ABOUT = frozenset(
    [
        "area",
        "region",
        "downtown",
        "centre",
        "vicinity",
        "nation",
        "first",
        "reserve",
        "proper",
        "core",
        "city",
    ]
)
"""Words after a town that only say: somewhere there."""
DOMINANT = 4
"""Of two names a town with so many times the other's postal codes is the likelier."""
PART_KM = 25.0
"""A part of a town lies this near to it."""

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


class Town(NamedTuple):
    """A town found in the words."""

    start: int  # -1 for several towns, neither of which holds the other
    stop: int
    places: tuple[Place, ...]
    written: str = ""  # how, if that is not its name


def last_part(parts: list[int], stop: int) -> int:
    """Find where the part begins that ends before a word."""
    start = stop
    while start and parts[start - 1] == parts[stop - 1]:
        start -= 1
    return start


def town_at_end(
    words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer, own: int = -1
) -> Town | None:
    """Find the longest known name that ends at a word; a comma within it must be its own."""
    if not stop:
        return None
    aliases, part = gazetteer.aliases, parts[stop - 1]
    key, start = "", stop
    found: list[tuple[int, tuple[int, ...]]] = []
    while start and parts[start - 1] == part and stop - start < LONGEST_TOWN:
        start -= 1
        word = words[start]
        key = SHORT_FORMS.get(word, word) + key
        numbers = aliases.get(key)
        # King St W, Alton: the W belongs to the street, and makes no Walton.
        if numbers is not None and not (word in COMPASS and start + 1 < stop):
            found.append((start, numbers))
    if words[stop - 1] in gazetteer.comma_endings:
        for first in range(max(0, stop - 14), start):
            numbers = aliases.get(name_key(words[first:stop]))
            if numbers is not None:
                return _town(first, stop, numbers, gazetteer)
    found = [one for one in found if not _is_street_name(words, parts, one, stop, own, gazetteer)]
    if found:
        at, numbers = found[-1]
        whole = _with_compass(words, parts, at, stop, aliases)
        if whole is not None:
            return _town(at - 1, stop, whole, gazetteer)
        if len(found) > 1 and at and parts[at - 1] == part:
            if words[at] in DIRECTIONS and words[at - 1] in STREET_TYPES:
                found = _without_direction(found, gazetteer)
            at, numbers = next((one for one in found if own in one[1]), found[-1])
        return _town(at, stop, numbers, gazetteer)
    if stop > 1 and words[stop - 1] in KINDS_AFTER | ABOUT and parts[stop - 2] == part:
        return town_at_end(words, parts, stop - 1, gazetteer, own)
    if stop > 1 and words[stop - 2] in COMPASS:
        spelt = [*words[: stop - 2], COMPASS[words[stop - 2]], words[stop - 1]]
        return town_at_end(spelt, parts, stop, gazetteer, own)
    return None


def _with_compass(
    words: list[str], parts: list[int], at: int, stop: int, aliases: dict[str, tuple[int, ...]]
) -> tuple[int, ...] | None:
    """Find a name with its short first word: W Lorne; not behind a street's type: King St W."""
    if not at or words[at - 1] not in COMPASS or parts[at - 1] != parts[at]:
        return None
    if at > 1 and words[at - 2] in STREET_TYPES and parts[at - 2] == parts[at]:
        return None
    return aliases.get(name_key([COMPASS[words[at - 1]], *words[at:stop]]))


def _town(start: int, stop: int, numbers: tuple[int, ...], gazetteer: Gazetteer) -> Town:
    return Town(start, stop, tuple([gazetteer.places[number] for number in numbers]))


def _is_street_name(
    words: list[str],
    parts: list[int],
    one: tuple[int, tuple[int, ...]],
    stop: int,
    own: int,
    gazetteer: Gazetteer,
) -> bool:
    """Whether a name stands where a street's does: 45 Cedar Grove, 12 Alma."""
    at, numbers = one
    if not at or parts[at - 1] != parts[at] or own in numbers:
        return False
    if not words[at - 1][0].isdigit():
        return False
    if (
        len(words[at - 1]) == 5
        and words[at - 1].isdigit()
        and not (at > 1 and parts[at - 2] == parts[at])
    ):
        # A postal code of another country: 12 Rue de Rivoli, 75001 Paris.
        return at > 1
    if at > 1 and (words[at - 2] in STREET_TYPES or words[at - 2] in UNIT_WORDS):
        return False
    solid = any(gazetteer.is_solid(gazetteer.places[number]) for number in numbers)
    return not solid or words[stop - 1] in STREET_TYPES


def _without_direction(
    found: list[tuple[int, tuple[int, ...]]], gazetteer: Gazetteer
) -> list[tuple[int, tuple[int, ...]]]:
    """Leave out West Perth after King Street: King Street West in Perth is far likelier."""
    codes = [max(gazetteer.codes_of_place[number] for number in one[1]) for one in found]
    likelier = codes[-2] >= POST_TOWN and codes[-2] >= DOMINANT * codes[-1]
    return found[:-1] if likelier else found


def contains(whole: Place, part: Place) -> bool:
    """Whether an area is, or holds, another."""
    if whole.kind == "county":
        near = sphere_km(whole.lat, whole.lon, part.lat, part.lon) <= whole.radius_km
        return part.county == whole.county or near
    return whole.number in {part.number, part.owner}


def finer_town(words: list[str], parts: list[int], town: Town, gazetteer: Gazetteer) -> Town | None:
    """Find the part of a town that is named before it, as in "Scarborough, Toronto"."""
    if not town.start or town.written:
        return None
    stop = max(town.start, last_part(parts, town.stop))
    before = town_at_end(words, parts, stop, gazetteer)
    if before is None or before.start > last_part(parts, stop):
        return None
    for wholes, named in ((town, before), (before, town)):
        smaller = tuple(
            part
            for part in named.places
            if any(contains(whole, part) and part != whole for whole in wholes.places)
        )
        if smaller:
            return named._replace(start=before.start, places=smaller)
    if len(town.places) > 1:
        return None
    whole = town.places[0]
    near = tuple(
        part
        for part in before.places
        if sphere_km(part.lat, part.lon, whole.lat, whole.lon) <= PART_KM
        and part.population < whole.population
        and part.kind != "municipality"
    )
    if near:
        return before._replace(places=near)
    if parts[stop - 1] == parts[stop]:
        return None
    # Two towns, neither in the other: "Kingston, Toronto".
    return Town(-1, town.stop, (*before.places, whole))


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
