"""Misspelt names: which of the known ones are a few slips away."""

from __future__ import annotations

from functools import lru_cache

from ketafind.geocoding.gazetteer import POST_TOWN, Gazetteer, Place
from ketafind.geocoding.words import (
    DIRECTIONS,
    NICKNAMES,
    SHORT_FORMS,
    STREET_TYPES,
    UNIT_WORDS,
    name_key,
    words_for,
)
from ketafind.vocabulary.terms import edits

# So like the name of its postal code's place must a misspelt town be.
LIKE = 0.7

# So like a name must be what is suggested for it.
NEAR = 0.75

SHORTEST = 5
# A name that stands alone is a misspelt town's only if so many people live there: nothing else
# shows that it is not the right name of a place that the gazetteer lacks.
WELL_KNOWN = 2_000

# One slip in a name of so many letters is a slip, and no other name.
LONG = 12

# Of towns equally like, one with so many times the others' postal codes is meant.
DOMINANT = 2

# Words that are what they are, and no town's name with slips.
NEVER_MISSPELT = words_for("never_misspelt")

NEVER_LAST = STREET_TYPES.keys() | UNIT_WORDS | DIRECTIONS.keys()

# Words that tell towns apart: Fort Hope is not Port Hope.
HEADS = words_for("heads_that_tell_apart")


def _allowed(size: int, *, alone: bool) -> int:
    """How many slips a name of this length may hold; fewer if nothing shows that it is a town."""
    if alone:
        return 1 if size < 10 else 2
    return 1 if size < 7 else 2 if size < 10 else 3


@lru_cache(maxsize=4)
def _choices(gazetteer: Gazetteer) -> list[str]:
    solid, places = gazetteer.is_solid, gazetteer.places
    return [
        key
        for key, numbers in gazetteer.aliases.items()
        if len(key) >= SHORTEST and any(solid(places[number]) for number in numbers)
    ]


def likeness(written: str, place: Place) -> float:
    """Compare a key with a place's own."""
    return float(edits()[0].normalized_similarity(written, name_key(place.words)))


def near_names(
    words: list[str], gazetteer: Gazetteer, *, alone: bool = False, after_street: bool = False
) -> tuple[int, tuple[Place, ...]]:
    """Find the places whose name is a few slips away from some words."""
    key = name_key(words)
    if len(words) > 1 and words[-1] in STREET_TYPES:
        return _like_a_street(key, gazetteer, after_street=after_street)
    if len(key) < SHORTEST or words[-1] in NEVER_LAST:
        return 0, ()
    if words[-1].isdigit() or not NEVER_MISSPELT.isdisjoint(words):
        return 0, ()
    osa, extract = edits()
    most = _allowed(len(key), alone=alone)
    found = extract(key, _choices(gazetteer), scorer=osa.distance, score_cutoff=most, limit=24)
    heads = HEADS.intersection(SHORT_FORMS.get(word, word) for word in words)
    right = [
        (slips, name)
        for name, slips, _ in found
        if (not alone or (slips == 1 and len(key) >= LONG) or _is_known(name, gazetteer))
        and (name[0] == key[0] or (slips == 1 and (not alone or _is_large(name, gazetteer))))
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
        numbers = list(dict.fromkeys([*numbers, *bearers(gazetteer).get(words[0], ())]))
    return int(least), tuple(gazetteer.places[number] for number in numbers)


@lru_cache(maxsize=4)
def bearers(gazetteer: Gazetteer) -> dict[str, list[int]]:
    """Numbers of the places that bear a word beside others in their name, by the word."""
    found: dict[str, list[int]] = {}
    for place in gazetteer.places:
        if place.kind != "landmark" and gazetteer.is_solid(place) and len(place.words) > 1:
            for word in set(place.words):
                found.setdefault(word, []).append(place.number)
    return found


@lru_cache(maxsize=4)
def _towns_like_streets(gazetteer: Gazetteer) -> list[tuple[str, str, Place]]:
    """Places whose name ends in a street's type, with their keys and those types: Thunder Bay."""
    return [
        (name_key(place.words), place.words[-1], place)
        for place in gazetteer.places
        if len(place.words) > 1 and place.words[-1] in STREET_TYPES and place.kind != "landmark"
    ]


def _like_a_street(
    key: str, gazetteer: Gazetteer, *, after_street: bool
) -> tuple[int, tuple[Place, ...]]:
    """Find what is one slip away: post towns only, unless a street stands before the name."""
    osa = edits()[0]
    found = [
        place
        for name, ending, place in _towns_like_streets(gazetteer)
        if name[0] == key[0]
        and key.endswith(ending)
        and (after_street or gazetteer.codes_of_place[place.number] >= POST_TOWN)
        and osa.distance(key, name, score_cutoff=1) == 1
    ]
    known = [place for place in found if gazetteer.is_solid(place)]
    return (1, tuple(known or found)) if found else (0, ())


@lru_cache(maxsize=4)
def _landmarks(gazetteer: Gazetteer) -> dict[str, list[tuple[list[str], Place]]]:
    """Landmarks and the words of their names, by the first."""
    found: dict[str, list[tuple[list[str], Place]]] = {}
    for place in gazetteer.places:
        if place.kind == "landmark":
            found.setdefault(place.words[0], []).append((place.words, place))
    return found


def landmark_like(words: list[str], gazetteer: Gazetteer) -> Place | None:
    """Find the one landmark whose name begins so, perhaps with its town after it."""
    spelt = [NICKNAMES.get(word, word) for word in words]
    found = []
    for name, place in _landmarks(gazetteer).get(spelt[0], ()):
        own, town = spelt, gazetteer.places[place.owner].words if place.owner >= 0 else []
        if town and spelt[-len(town) :] == town and name[: len(spelt)] != spelt:
            own = spelt[: -len(town)]
        known = len(own) < 2 or name_key(own) in gazetteer.aliases
        if name[: len(own)] == own and not known:
            found.append(place)
    return found[0] if len(found) == 1 else None


def suggested(words: list[str], gazetteer: Gazetteer, most: int = 3) -> tuple[Place, ...]:
    """Find places that words that name none may mean: what one of them names, then the like."""
    osa, extract = edits()
    keys, alike = _choices(gazetteer), osa.normalized_similarity
    near = extract(name_key(words), keys, scorer=alike, score_cutoff=NEAR, limit=most)
    named = [word for word in words if len(word) >= SHORTEST] + [key for key, *_ in near]
    places = (place for key in named for place in gazetteer.named(key))
    return tuple(dict.fromkeys(place for place in places if gazetteer.is_solid(place)))[:most]


def is_well_known(place: Place, gazetteer: Gazetteer) -> bool:
    """Whether so many people live there that its name is no chance likeness."""
    codes = gazetteer.codes_of_place[place.number]
    return place.population >= WELL_KNOWN or codes >= POST_TOWN


def _is_known(key: str, gazetteer: Gazetteer) -> bool:
    return any(is_well_known(place, gazetteer) for place in gazetteer.named(key))


def _is_large(key: str, gazetteer: Gazetteer) -> bool:
    return max(gazetteer.codes_of_place[number] for number in gazetteer.aliases[key]) >= POST_TOWN


def _likeliest(numbers: list[int], gazetteer: Gazetteer) -> list[int]:
    """Of towns equally like, the one with twice the postal codes of the others, if there is."""
    counts = gazetteer.codes_of_place
    ranked = sorted(numbers, key=lambda number: -counts[number])
    if len(ranked) > 1 and counts[ranked[0]] >= DOMINANT * max(1, counts[ranked[1]]):
        return ranked[:1]
    return numbers


def _same_heads(heads: frozenset[str], key: str, gazetteer: Gazetteer) -> bool:
    """Whether a place of the key bears all the words that tell towns apart."""
    return not heads or any(
        heads <= {SHORT_FORMS.get(word, word) for word in place.words}
        for place in gazetteer.named(key)
    )
