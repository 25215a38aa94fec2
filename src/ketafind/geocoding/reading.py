"""Read what an address says of where it is: postal code, town and province."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ketafind.geocoding.gazetteer import Gazetteer, Place
from ketafind.geocoding.postal import AREAS, ONTARIO_LETTERS, PostalMatch, find_codes
from ketafind.geocoding.regions import ELSEWHERE, Tail, read_tail
from ketafind.geocoding.streets import BOX_WORDS, STREET_TYPES, UNIT_WORDS
from ketafind.geocoding.text import SHORT_FORMS, name_key, words_of

__all__ = ["Reading", "Town", "last_part", "read"]

LONGEST_TOWN = 6
LIKE = 0.7
"""So like the name of its postal code's place must a misspelt town be."""

COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west", "o": "west"}
AFTER_WORDS = BOX_WORDS | {"po", "p", "o", "r", "c"}
KINDS = frozenset({"township", "twp", "municipality"})


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


class Reading(NamedTuple):
    """An address, read.

    Parameters
    ----------
    words, parts : list
        Its folded words without the postal code, and the part each one is in.
    code : PostalMatch or None
        Its postal code.
    code_row : int
        The code's row among Ontario's; -1 if it is not there.
    area : str
        A forward sortation area that stands alone (``"k7l"``); else empty.
    stop : int
        How many words are left before province and country.
    ontario : bool
        True if it names Ontario.
    elsewhere : str
        The other province, state or country that it names; else empty.
    town : Town or None
        The town at its end.
    """

    words: list[str]
    parts: list[int]
    code: PostalMatch | None
    code_row: int
    area: str
    stop: int
    ontario: bool
    elsewhere: str
    town: Town | None


def read(text: str, gazetteer: Gazetteer, *, thorough: bool = False) -> Reading:
    """Read an address by the names that the gazetteer knows.

    Parameters
    ----------
    text : str
        The address on one line.
    gazetteer : Gazetteer
        The names.
    thorough : bool
        Look for a misspelt town also where a known postal code already says where it is.

    Returns
    -------
    Reading
        Postal code first, then province and country, then the longest town before them.
    """
    words, parts = words_of(text)
    code, row = _best_code(find_codes(words), gazetteer)
    if code is not None:
        del words[code.start : code.stop], parts[code.start : code.stop]
    stop, ontario, elsewhere = _tail_past_units(words, parts)
    area = ""
    if code is None and stop and _is_area(words[stop - 1], gazetteer):
        area = words[stop - 1]
        stop, ontario, elsewhere = read_tail(words[: stop - 1], parts[: stop - 1])
    own = gazetteer.ontario.names[row] if row >= 0 else -1
    town = _town_at_end(words, parts, stop, gazetteer, own)
    if (town is None or town.start) and not ontario and not elsewhere and row < 0:
        elsewhere = ELSEWHERE.get("".join(words[:stop]), "")
    far = _far_name(words, parts, stop, gazetteer) if row < 0 and not elsewhere else ""
    if far and (town is None or town.start > last_part(parts, stop)):
        # A town elsewhere is no misspelt one here: Boston is not Bolton.
        elsewhere, town = ("" if ontario else far), None
    elif (row < 0 and not elsewhere) or (row >= 0 and thorough):
        town = _town_despite_slips(_Part(words, parts, stop, own), gazetteer, town)
    return Reading(words, parts, code, row, area, stop, ontario, elsewhere, town)


def _far_name(words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer) -> str:
    """Name the large town elsewhere that the last part is, if it is one and nothing else."""
    if not stop:
        return ""
    return gazetteer.abroad.get(name_key(words[last_part(parts, stop) : stop]), "")


def _best_code(found: list[PostalMatch], gazetteer: Gazetteer) -> tuple[PostalMatch | None, int]:
    unknown = None
    for match in found:
        row = gazetteer.ontario.find(match.number)
        if row >= 0:
            return match, row
        # A repaired word must be a code that exists; one written as a code is one.
        if unknown is None and not match.written:
            unknown = match
    return unknown, -1


def _tail_past_units(words: list[str], parts: list[int]) -> Tail:
    """Read the tail; "Toronto ON, Unit 3" has its unit after it."""
    tail = read_tail(words, parts)
    start = last_part(parts, tail.stop)
    if start > 0 and all(_is_unit_word(word) for word in words[start : tail.stop]):
        return read_tail(words[:start], parts[:start])
    return tail


def _is_unit_word(word: str) -> bool:
    return (
        word in UNIT_WORDS
        or word in AFTER_WORDS
        or (len(word) < 5 and any(c.isdigit() for c in word))
    )


def _is_area(word: str, gazetteer: Gazetteer) -> bool:
    return (
        len(word) == 3 and word[0] in ONTARIO_LETTERS and AREAS.get(word) in gazetteer.ontario.areas
    )


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


def _town_at_end(
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
        if numbers is not None:
            found.append((start, numbers))
    if found:
        at, numbers = found[-1]
        if len(found) > 1 and at and parts[at - 1] == part:
            at, numbers = next((one for one in found if own in one[1]), found[-1])
        return Town(at, stop, tuple([gazetteer.places[number] for number in numbers]))
    if stop > 1 and words[stop - 1] in KINDS:
        return _town_at_end(words, parts, stop - 1, gazetteer, own)
    if stop > 1 and words[stop - 2] in COMPASS:
        spelt = [*words[: stop - 2], COMPASS[words[stop - 2]], words[stop - 1]]
        return _town_at_end(spelt, parts, stop, gazetteer, own)
    return None


class _Part(NamedTuple):
    """Words up to the end of the town; `own` is the place of the postal code, or -1."""

    words: list[str]
    parts: list[int]
    stop: int
    own: int


def _town_despite_slips(at: _Part, gazetteer: Gazetteer, exact: Town | None) -> Town | None:
    """Find a misspelt town at the end, or a known one in an earlier part."""
    words, parts, stop, _ = at
    if not stop:
        return None
    start = last_part(parts, stop)
    if exact is not None and (
        exact.start == start or (start == 0 and not _is_name(words[: exact.start]))
    ):
        return exact
    if start == 0 and _is_name(words[:stop]):
        windows: Sequence[int] = [0]
    else:
        windows = [start] if start else range(stop - 1, max(stop - 3, 0) - 1, -1)
    best: tuple[float, Town] | None = None
    for first in windows:
        found = _like(words[first:stop], gazetteer, at.own)
        if found is not None and (best is None or found[0] > best[0]):
            best = (found[0], Town(first, stop, found[1], " ".join(words[first:stop])))
    if best is not None:
        return best[1]
    return exact or _town_in_a_part(words, parts, start, gazetteer)


def _is_name(words: list[str]) -> bool:
    """Whether words may all belong to the name of a town: no number, no street's type."""
    return not any(word in STREET_TYPES or word[0].isdigit() for word in words)


def _like(
    words: list[str], gazetteer: Gazetteer, own: int
) -> tuple[float, tuple[Place, ...]] | None:
    from ketafind.geocoding.fuzzy import likeness, near_names

    key = name_key(words)
    if own >= 0:
        place = gazetteer.places[own]
        like = likeness(key, name_key(words_of(place.name)[0]))
        if like >= LIKE:
            return like, (place,)
    slips, places = near_names(words, gazetteer)
    return (1 - slips / len(key), places) if places else None


def _town_in_a_part(
    words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer
) -> Town | None:
    """Find the last earlier part that is a known name and nothing else."""
    while stop:
        start = last_part(parts, stop)
        town = _town_at_end(words, parts, stop, gazetteer)
        if town is not None and town.start == start:
            return town
        stop = start
    return None
