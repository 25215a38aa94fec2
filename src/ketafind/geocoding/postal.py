"""Canadian postal codes: how they are written, numbered and repaired."""

from __future__ import annotations

from typing import NamedTuple

FIRST = "abceghjklmnprstvxy"
LETTERS = "abceghjklmnprstvwxyz"
DIGITS = "0123456789"
ONTARIO_LETTERS = frozenset("klmnp")
PROVINCE_OF_LETTER = {
    "a": "Newfoundland and Labrador",
    "b": "Nova Scotia",
    "c": "Prince Edward Island",
    "e": "New Brunswick",
    "g": "Quebec",
    "h": "Quebec",
    "j": "Quebec",
    "r": "Manitoba",
    "s": "Saskatchewan",
    "t": "Alberta",
    "v": "British Columbia",
    "x": "the Northwest Territories or Nunavut",
    "y": "Yukon",
}
TO_DIGIT = {"o": "0", "i": "1", "l": "1", "s": "5", "z": "2", "b": "8"}
TO_LETTER = {"5": "s", "2": "z", "8": "b"}

# A code's number is 2,000 times its area's number plus its local unit's: both are found whole.
AREAS = {
    a + d + b: (i * 10 + j) * 20 + k
    for i, a in enumerate(FIRST)
    for j, d in enumerate(DIGITS)
    for k, b in enumerate(LETTERS)
}
UNITS = {
    d + a + e: (i * 20 + j) * 10 + k
    for i, d in enumerate(DIGITS)
    for j, a in enumerate(LETTERS)
    for k, e in enumerate(DIGITS)
}
AREA_TEXTS = tuple(area.upper() for area in AREAS)
UNIT_TEXTS = tuple(unit.upper() for unit in UNITS)


class PostalMatch(NamedTuple):
    """A postal code found in a text."""

    number: int
    start: int
    stop: int
    written: str


def code_number(code: str) -> int:
    """Number a code of six folded characters."""
    area = AREAS.get(code[:3])
    unit = UNITS.get(code[3:])
    return -1 if area is None or unit is None else area * 2000 + unit


def code_text(number: int) -> str:
    """Write a code as people do."""
    area, unit = divmod(number, 2000)
    return f"{AREA_TEXTS[area]} {UNIT_TEXTS[unit]}"


def read_code(code: str) -> tuple[int, bool]:
    """Number a code in which at most one character may be mistaken for its look-alike."""
    number = code_number(code)
    if number >= 0 or len(code) != 6 or not code.isascii():
        return number, False
    wrong = [i for i, c in enumerate(code) if c.isdigit() != (i % 2 == 1)]
    # More than one swap also reads words ("plains" as P1A 1N5).
    if len(wrong) != 1:
        return -1, False
    at = wrong[0]
    other = (TO_DIGIT if at % 2 else TO_LETTER).get(code[at])
    if other is None:
        return -1, False
    return code_number(code[:at] + other + code[at + 1 :]), True


def whole_code(text: str) -> int:
    """Number a text that is a postal code and nothing else."""
    if len(text) == 7 and text[3] in " -":
        area, unit = text[:3], text[4:]
    elif len(text) == 6:
        area, unit = text[:3], text[3:]
    else:
        return -1
    first, second = AREAS.get(area.lower()), UNITS.get(unit.lower())
    return -1 if first is None or second is None else first * 2000 + second


def find_codes(words: list[str]) -> list[PostalMatch]:
    """Find what reads as a postal code in the words of an address."""
    exact: list[PostalMatch] = []
    repaired: list[PostalMatch] = []
    for i in range(len(words) - 1, -1, -1):
        word = words[i]
        size = len(word)
        if size == 6:
            start, code = i, word
        elif size == 3 and i and len(words[i - 1]) == 3:
            start, code = i - 1, words[i - 1] + word
        else:
            continue
        if code.isalpha():
            continue
        number, changed = read_code(code)
        if number >= 0:
            found = PostalMatch(number, start, i + 1, code.upper() if changed else "")
            (repaired if changed else exact).append(found)
    return exact + repaired
