"""Find the town among the words of an address, also misspelt or beside other names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.geocoding.radius import sphere_km
from ketafind.geocoding.streets import DIRECTIONS, STREET_TYPES
from ketafind.geocoding.text import SHORT_FORMS, name_key, words_of

__all__ = ["LIKE", "Part", "Town", "finer_town", "last_part", "town_at_end", "town_despite_slips"]

LONGEST_TOWN = 6
LIKE = 0.7
"""So like the name of its postal code's place must a misspelt town be."""

COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west", "o": "west"}
KINDS = frozenset({"township", "twp", "municipality"})
ABOUT = frozenset(
    {"area", "region", "downtown", "centre", "vicinity", "nation", "first", "reserve"}
)
"""Words after a town that only say: somewhere there."""

TITLES = frozenset(
    [
        *("city", "town", "village", "township", "municipality", "county", "district", "of", "the"),
        *("ville", "canton", "municipalite", "comte", "de", "du", "des", "d", "la", "le", "les"),
        *("near", "downtown", "centre", "greater", "central", "old"),
    ]
)
"""Words before a town's name that are no part of another name."""

INSTITUTIONS = frozenset(
    [
        *("hospital", "hopital", "general", "regional", "district", "memorial", "civic", "health"),
        *("sciences", "centre", "western", "eastern", "university", "international", "airport"),
    ]
)
"""Words that after a town name a building there, of which no position is known."""

HEADS = frozenset({"port", "fort", "mount", "lake", "new", "saint", "point", "cape"})
"""Words that with the next make a name: Port Elsewhere is not Elsewhere."""

DOMINANT = 4
"""Of two names a town with so many times the other's postal codes is the likelier."""

PART_KM = 25.0
"""A part of a town lies this near to it."""


class Town(NamedTuple):
    """A town found in the words.

    Parameters
    ----------
    start, stop : int
        The words it takes up.
    places : tuple of Place
        The places of that name.
    written : str
        As it stood, if it was read otherwise; else empty.
    """

    start: int
    stop: int
    places: tuple[Place, ...]
    written: str = ""


def last_part(parts: list[int], stop: int) -> int:
    """Find where the part begins that ends before a word.

    Parameters
    ----------
    parts : list of int
        The part that each word is in.
    stop : int
        One past the part's last word.

    Returns
    -------
    int
        The part's first word.
    """
    start = stop
    while start and parts[start - 1] == parts[stop - 1]:
        start -= 1
    return start


def town_at_end(
    words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer, own: int = -1
) -> Town | None:
    """Find the longest known name that ends at a word and does not reach across a comma.

    The postal code's own place goes before a longer name that is not the whole part: with a code
    of York, "King Street East York" is in York.
    """
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
    if found:
        at, numbers = found[-1]
        if len(found) > 1 and at and parts[at - 1] == part:
            if words[at] in DIRECTIONS and words[at - 1] in STREET_TYPES:
                found = _without_direction(found, gazetteer)
            at, numbers = next((one for one in found if own in one[1]), found[-1])
        return Town(at, stop, tuple([gazetteer.places[number] for number in numbers]))
    if stop > 1 and words[stop - 1] in KINDS | ABOUT and parts[stop - 2] == part:
        return town_at_end(words, parts, stop - 1, gazetteer, own)
    if stop > 1 and words[stop - 2] in COMPASS:
        spelt = [*words[: stop - 2], COMPASS[words[stop - 2]], words[stop - 1]]
        return town_at_end(spelt, parts, stop, gazetteer, own)
    return None


def _without_direction(
    found: list[tuple[int, tuple[int, ...]]], gazetteer: Gazetteer
) -> list[tuple[int, tuple[int, ...]]]:
    """Leave out West Perth after King Street: King Street West in Perth is far likelier."""
    codes = [max(gazetteer.codes_of_place[number] for number in one[1]) for one in found]
    likelier = codes[-2] >= POST_TOWN and codes[-2] >= DOMINANT * codes[-1]
    return found[:-1] if likelier else found


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
    from ketafind.geocoding.fuzzy import likeness, near_names

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


def finer_town(words: list[str], parts: list[int], town: Town, gazetteer: Gazetteer) -> Town | None:
    """Find the part of a town that is named before it, as in "Scarborough, Toronto".

    Parameters
    ----------
    words, parts : list
        The words, and the part that each one is in.
    town : Town
        The town.
    gazetteer : Gazetteer
        The names.

    Returns
    -------
    Town or None
        A smaller place within 25 km that is the whole part before the town's; None if there is
        none.
    """
    if not town.start or len(town.places) > 1 or town.written:
        return None
    whole, stop = town.places[0], last_part(parts, town.stop)
    before = town_at_end(words, parts, stop, gazetteer)
    if stop < town.start or before is None or before.start > last_part(parts, stop):
        return None
    near = tuple(
        place
        for place in before.places
        if sphere_km(place.lat, place.lon, whole.lat, whole.lon) <= PART_KM
        and _size(place, gazetteer) < _size(whole, gazetteer)
    )
    return before._replace(places=near) if near else None


def _size(place: Place, gazetteer: Gazetteer) -> tuple[float, float]:
    """Order places by their postal codes; one without any is a municipality, by its reach."""
    count = gazetteer.codes_of_place[place.number]
    return (float(count), 0.0) if count else (float("inf"), place.radius_km)
