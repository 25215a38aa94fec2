"""Read what an address says of where it is: postal code, town and province."""

from __future__ import annotations

from typing import NamedTuple

from ketafind.geocoding.gazetteer import Gazetteer
from ketafind.geocoding.postal import AREAS, ONTARIO_LETTERS, PostalMatch, find_codes
from ketafind.geocoding.regions import ELSEWHERE, STATE_CODES, Tail, read_tail
from ketafind.geocoding.streets import BOX_WORDS, UNIT_WORDS
from ketafind.geocoding.text import name_key, words_of
from ketafind.geocoding.towns import Part, Town, last_part, town_at_end, town_despite_slips

__all__ = ["Reading", "read"]

AFTER_WORDS = BOX_WORDS | {"po", "p", "o", "r", "c"}


class Reading(NamedTuple):
    """An address, read.

    Parameters
    ----------
    words, parts : list
        Its folded words without the postal code or its area, and the part each one is in.
    code : PostalMatch or None
        Its postal code.
    code_row : int
        The code's row among Ontario's; -1 if it is not there.
    area : str
        A forward sortation area (``"k7l"``) at the start or the end, with what there is of the
        rest of its code (``"k7l3"``); else empty.
    area_at : tuple of int
        The words that the area took up, from and to.
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
    area_at: tuple[int, int]
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
    area, area_at = "", (0, 0)
    if code is None:
        area_at = _area_at(words, parts, gazetteer)
        area = "".join(words[area_at[0] : area_at[1]])
        del words[slice(*area_at)], parts[slice(*area_at)]
    stop, ontario, elsewhere = _tail_past_units(words, parts)
    if elsewhere and _is_street_and_town(words, parts, gazetteer):
        # 12 King St, Wyoming: Ontario has a town of that name.
        stop, elsewhere = len(words), ""
    own = gazetteer.ontario.names[row] if row >= 0 else -1
    town = town_at_end(words, parts, stop, gazetteer, own)
    if (town is None or town.start) and not ontario and not elsewhere and row < 0:
        elsewhere = ELSEWHERE.get("".join(words[:stop]), "")
    far = _far_name(words, parts, stop, gazetteer) if row < 0 and not elsewhere else ""
    if far and (town is None or town.start > last_part(parts, stop)):
        # A town elsewhere is no misspelt one here: Boston is not Bolton.
        elsewhere, town = ("" if ontario else far), None
    elif (row < 0 and not elsewhere) or (row >= 0 and thorough):
        town = town_despite_slips(Part(words, parts, stop, own), gazetteer, town)
    return Reading(words, parts, code, row, area, area_at, stop, ontario, elsewhere, town)


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
    last = words[start : tail.stop]
    # FL alone is no floor.
    is_state = len(last) == 1 and last[0] in STATE_CODES
    if start > 0 and not is_state and all(_is_unit_word(word) for word in last):
        return read_tail(words[:start], parts[:start])
    return tail


def _is_unit_word(word: str) -> bool:
    return (
        word in UNIT_WORDS
        or word in AFTER_WORDS
        or (len(word) < 5 and any(c.isdigit() for c in word))
    )


def _area_at(words: list[str], parts: list[int], gazetteer: Gazetteer) -> tuple[int, int]:
    """Find a forward sortation area at the start or the end, with what follows of its code."""
    last = read_tail(words, parts).stop - 1
    for at in (last, last - 1, 0):
        if not 0 <= at < len(words) or not _is_area(words[at][:3], gazetteer):
            continue
        if words[at][3:] and not (at == last and _begins_unit(words[at][3:])):
            continue
        if at and words[at - 1] in UNIT_WORDS:
            continue
        rest = words[at + 1 : last + 1] if at == last - 1 and at else []
        if rest and not _begins_unit(rest[0]):
            continue
        return at, at + 1 + len(rest)
    return 0, 0


def _begins_unit(word: str) -> bool:
    """Whether a word is the start of a code's second half: M5V 2C."""
    return word[0].isdigit() and (len(word) == 1 or (len(word) == 2 and word[1].isalpha()))


def _is_area(word: str, gazetteer: Gazetteer) -> bool:
    return (
        len(word) == 3 and word[0] in ONTARIO_LETTERS and AREAS.get(word) in gazetteer.ontario.areas
    )


def _is_street_and_town(words: list[str], parts: list[int], gazetteer: Gazetteer) -> bool:
    """Whether the last part is a town's name, and the part before it a street with a number."""
    start = last_part(parts, len(words))
    before = words[last_part(parts, start) : start] if start else []
    return name_key(words[start:]) in gazetteer.aliases and any(
        word[0].isdigit() for word in before
    )
