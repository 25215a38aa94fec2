"""Read what an address says of where it is: postal code, town, province."""

from __future__ import annotations

import re
from typing import NamedTuple

from ketafind.geocoding.gazetteer import Gazetteer
from ketafind.geocoding.postal import AREAS, ONTARIO_LETTERS, PostalMatch, find_codes
from ketafind.geocoding.regions import (
    CANADA,
    COUNTRY_CODES,
    ELSEWHERE,
    ONTARIO,
    PLAIN_STATES,
    STATE_CODES,
)
from ketafind.geocoding.towns import Part, Town, last_part, town_at_end, town_despite_slips
from ketafind.geocoding.words import (
    BOX_WORDS,
    UNIT_WORDS,
    name_key,
    words_of,
)

AFTER_WORDS = BOX_WORDS | {"po", "p", "o", "r", "c"}
LONGEST_NAME = 4


BRITISH_OUTWARD = re.compile(r"[a-z]{1,2}[0-9][a-z0-9]?")
BRITISH_INWARD = re.compile(r"[0-9][a-z]{2}")


class Reading(NamedTuple):
    """An address, read."""

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
    rival_row: int = -1


class Tail(NamedTuple):
    """What stands after the town."""

    stop: int
    ontario: bool
    elsewhere: str


def read(text: str, gazetteer: Gazetteer, *, thorough: bool = False) -> Reading:
    """Read an address by the names that the gazetteer knows."""
    words, parts = words_of(text)
    found = find_codes(words)
    code, row = _best_code(found, gazetteer)
    rival = _rival_code(found, code, gazetteer) if len(found) > 1 and row >= 0 else -1
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
    if town is not None and _is_glued(text, words, parts, town):
        town = None
    if row >= 0 and not thorough:
        return Reading(
            words, parts, code, row, area, area_at, stop, ontario, elsewhere, town, rival
        )
    if (town is None or town.start) and not ontario and not elsewhere and row < 0:
        elsewhere = ELSEWHERE.get("".join(words[:stop]), "")
    far = _far_name(words, parts, stop, gazetteer) if row < 0 and not elsewhere else ""
    if far and (
        town is None
        or town.start > last_part(parts, stop)
        or not (ontario or any(gazetteer.is_solid(place) for place in town.places))
    ):
        # A town elsewhere is no misspelt one here: Boston is not Bolton.
        elsewhere, town = ("" if ontario else far), None
    elif (row < 0 and not elsewhere) or (row >= 0 and thorough):
        town = town_despite_slips(Part(words, parts, stop, own), gazetteer, town)
    return Reading(words, parts, code, row, area, area_at, stop, ontario, elsewhere, town, rival)


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


def _rival_code(found: list[PostalMatch], code: PostalMatch | None, gazetteer: Gazetteer) -> int:
    """Find another listed code that the text holds as it stands."""
    for match in found:
        if code is not None and not match.written and match.number != code.number:
            row = gazetteer.ontario.find(match.number)
            if row >= 0:
                return row
    return -1


def _is_glued(text: str, words: list[str], parts: list[int], town: Town) -> bool:
    """Whether a hyphen or a slash binds the town's name to a word before: Papineau-Cameron."""
    if (
        not town.start
        or parts[town.start - 1] != parts[town.start]
        or not ("-" in text or "/" in text or "–" in text)
    ):
        return False
    before, first = words[town.start - 1], words[town.start]
    if not before.isalpha() or len(before) < 3:
        return False
    return re.search(rf"{before[-2:]}[-–/]{re.escape(first[:2])}", text, re.I) is not None


def _far_name(words: list[str], parts: list[int], stop: int, gazetteer: Gazetteer) -> str:
    """Name the large town elsewhere that the last part is, if it is one and nothing else."""
    if not stop:
        return ""
    return gazetteer.abroad.get(name_key(words[last_part(parts, stop) : stop]), "")


def read_tail(words: list[str], parts: list[int]) -> Tail:
    """Take province and country off the end of an address, however often they stand there."""
    stop, ontario = len(words), False
    while stop and (words[stop - 1] in CANADA or words[stop - 1] in ONTARIO):
        # "Ontario, CA" with a US zip is California; so is it after the name of a place there.
        ontario = ontario or words[stop - 1] in ONTARIO
        stop -= 1
    if ontario:
        return Tail(stop, ontario=True, elsewhere="")
    return Tail(stop, ontario=False, elsewhere=_elsewhere(words, parts, stop))


def _elsewhere(words: list[str], parts: list[int], stop: int) -> str:
    zip_code = stop > 1 and len(words[stop - 1]) == 5 and words[stop - 1].isdigit()
    end = stop - 1 if zip_code else stop
    for size in range(min(LONGEST_NAME, end - 1 + zip_code), 0, -1):
        name = ELSEWHERE.get("".join(words[end - size : end]))
        if name is not None:
            return name
    if not end or (end == 1 and not zip_code):
        return ""
    last = words[end - 1]
    if end > 1 and BRITISH_INWARD.fullmatch(last) and BRITISH_OUTWARD.fullmatch(words[end - 2]):
        return "the United Kingdom"
    state = STATE_CODES.get(last, "California" if last == "ca" else "")
    apart = end > 1 and parts[end - 1] > parts[end - 2]
    if state and (zip_code or apart or last in PLAIN_STATES):
        return state
    return COUNTRY_CODES.get(last, "") if apart else ""


def _tail_past_units(words: list[str], parts: list[int]) -> Tail:
    """Read the tail; "Toronto ON, Unit 3" has its unit after it."""
    tail = read_tail(words, parts)
    if not tail.stop or not _is_unit_word(words[tail.stop - 1]):
        return tail
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
    key = name_key(words[start:])
    known = key in gazetteer.aliases and key not in COUNTRY_CODES and key not in STATE_CODES
    return known and any(word[0].isdigit() for word in before)
