"""Read what an address says of where it is: postal code, town and province."""

from __future__ import annotations

from typing import NamedTuple

from ketafind.geocoding.gazetteer import Gazetteer, Place
from ketafind.geocoding.postal import AREAS, ONTARIO_LETTERS, PostalMatch, find_codes
from ketafind.geocoding.regions import read_tail
from ketafind.geocoding.text import SHORT_FORMS, words_of

__all__ = ["Reading", "Town", "read", "town_at_end"]

LONGEST_TOWN = 6
KINDS = frozenset({"township", "twp", "county", "region", "district", "area", "municipality"})


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


def read(text: str, gazetteer: Gazetteer) -> Reading:
    """Read an address by the names that the gazetteer knows.

    Parameters
    ----------
    text : str
        The address on one line.
    gazetteer : Gazetteer
        The names.

    Returns
    -------
    Reading
        Postal code first, then province and country, then the longest town before them.
    """
    words, parts = words_of(text)
    code, row = _best_code(find_codes(words), gazetteer)
    if code is not None:
        del words[code.start : code.stop], parts[code.start : code.stop]
    stop, ontario, elsewhere = read_tail(words, parts)
    area = ""
    if code is None and stop and _is_area(words[stop - 1], gazetteer):
        area = words[stop - 1]
        stop, ontario, elsewhere = read_tail(words[: stop - 1], parts[: stop - 1])
    town = town_at_end(words, parts, stop, gazetteer)
    return Reading(words, parts, code, row, area, stop, ontario, elsewhere, town)


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


def _is_area(word: str, gazetteer: Gazetteer) -> bool:
    return (
        len(word) == 3 and word[0] in ONTARIO_LETTERS and AREAS.get(word) in gazetteer.ontario.areas
    )


def town_at_end(words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer) -> Town | None:
    """Find the longest name of a place that ends at a word.

    Parameters
    ----------
    words, parts : list
        Folded words and the part each is in.
    stop : int
        The word after the last one that may belong to the name.
    gazetteer : Gazetteer
        The names.

    Returns
    -------
    Town or None
        The town; None if no name ends there.
    """
    if not stop:
        return None
    aliases = gazetteer.aliases
    part = parts[stop - 1]
    key, best, best_start = "", None, stop
    for start in range(stop - 1, max(stop - LONGEST_TOWN, 0) - 1, -1):
        if parts[start] != part:
            break
        word = words[start]
        key = SHORT_FORMS.get(word, word) + key
        numbers = aliases.get(key)
        if numbers is not None:
            best, best_start = numbers, start
    if best is None:
        if stop > 1 and words[stop - 1] in KINDS:
            return town_at_end(words, parts, stop - 1, gazetteer)
        return None
    return Town(best_start, stop, tuple([gazetteer.places[number] for number in best]))
