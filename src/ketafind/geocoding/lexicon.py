"""Texts as people type them: words, postal codes, and what streets, provinces and countries are called."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote

from ketafind.errors import PlaceNotFoundError, packaged

# The longest text read as an address, in characters.
LONGEST = 1_000

# Two classes without a common character: no backtracking, whatever the input.
WORD = re.compile(r"[^\W_]+(?:['’ʼ`][^\W_]+)*")
# Every ASCII mark becomes a blank, and those between parts a comma.
TO_BLANKS = {c: " " for c in range(128) if not chr(c).isalnum()} | dict.fromkeys(b",;:\n\r()|", ",")
OTHER_MARKS = re.compile(r"[^\w,]|ʼ")
APOSTROPHE = re.compile(r"(?<=[^\W_])['’ʼ`](?=[^\W_])")
FRACTIONS = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4"})
LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d", "ł": "l"})
# What a program made of a text: entities, escapes and tags of the web, UTF-8 read as Windows-1252.
ENTITY = re.compile(r"&#?\w{2,8};")
ESCAPE = re.compile(r"%[0-9A-F]{2}", re.I)
TAG = re.compile(r"</?[a-z][^<>]{0,100}>", re.I)
MISREAD = re.compile(r"[ÂÃâ].", re.S)
# A postal code that is glued to the word before it, or has its spaces in other places.
GLUED = re.compile(r"(?<=[A-Za-z])(?=[KLMNP][0-9][A-Z][ -]?[0-9][A-Z][0-9](?![A-Z0-9]))", re.I)
SHIFTED = re.compile(
    r"(?<![A-Z0-9])([KLMNP]) ?([0-9]) ?([A-Z])[ -]?([0-9]) ?([A-Z]) ?([0-9])(?![A-Z0-9])", re.I
)
# It begins with a digit or a sign, not with blanks: no run of them is read again and again.
PHONE = re.compile(
    r"(?<![\w+])(?:\+1[ .-]?|1[.-])?\(?[0-9]{3}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}"
    r"(?:,? ?(?:ext|poste|x)[.:]? ?[0-9]{1,5})?$",
    re.I,
)
PHONE_WORD = re.compile(r"(?<!\w)(?:tel|tél|telephone|téléphone|phone|ph)$", re.I)
BEFORE_PHONE = " \t\r\n,;:.(|/-–—"
# Canada / Ontario / Oshawa: from the whole to the part.
WHOLES = re.compile(r"\s*+(?:(?:canada|ontario)\s*+[/>|:\\]+\s*+){1,2}", re.I)
# Forms of the census: "Nipissing, Unorganized, North Part", "Six Nations (Part) 40".
UNORGANIZED = re.compile(r",? \(?(?:un|non )organi[sz]e[da]\)?(?:, [^,]{1,20} part(?:ie)?)?", re.I)
PARTS_OF_RESERVES = re.compile(r"\(part(?:ie)?\)", re.I)
# A text that ends in a code as codes are written needs no mending.
WELL_ENDED = re.compile(r"[ ,][KLMNP][0-9][A-Z] [0-9][A-Z][0-9]\Z")

_TABLE = packaged("geocoding/words.json")


def words_for(what: str) -> frozenset[str]:
    """The words of one list of ``words.json``."""
    return frozenset(_TABLE[what].split())


def _meanings(what: str) -> dict[str, str]:
    """What each word of a table of ``words.json`` means."""
    return {word: meant for meant, words in _TABLE[what].items() for word in words.split()}


SHORT_FORMS = _meanings("short_forms")
NICKNAMES = _meanings("nicknames")
# A street type's folded spellings, and the code that Statistics Canada's register uses.
STREET_TYPES = _meanings("street_types")

FRENCH_FIRST = words_for("street_types_first_in_french")
DIRECTIONS = _meanings("directions")
UNIT_WORDS = words_for("unit_words")
ORDINALS = ("st", "nd", "rd", "th", "er", "re", "e", "eme", "ieme")
NUMBERED = re.compile(r"\d+(?:st|nd|rd|th)")
NUMBERED_ROADS = words_for("numbered_roads")

STATE_CODES = _meanings("states")
# Codes of states that at the end of an address are no word, street or direction.
PLAIN_STATES = words_for("plain_states")

AUSTRALIAN_STATES = words_for("australian_states")
PROVINCE_CODES: dict[str, str] = _TABLE["province_codes"]
# Codes of countries, read as such only as a part of their own: "Paris, FR".
COUNTRY_CODES = _meanings("countries_by_code")

# Provinces, countries and states by their names and longer forms, without spaces.
ELSEWHERE = _meanings("elsewhere") | {
    name.lower().replace(" ", ""): name for name in STATE_CODES.values()
}


def _one_slip(word: str) -> frozenset[str]:
    """List the words that one typing error makes of a word."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    dropped = {one + two[1:] for one, two in halves if two}
    swapped = {one + two[1] + two[0] + two[2:] for one, two in halves if len(two) > 1}
    changed = {one + c + two[1:] for one, two in halves if two for c in letters}
    added = {one + c + two for one, two in halves for c in letters}
    return frozenset(dropped | swapped | changed | added)


# No place of Ontario, nor a large town or country elsewhere, is one of these.
ONTARIO = frozenset({"on", "ont"}) | _one_slip("ontario")
CANADA = frozenset({"can", "ca"}) | (_one_slip("canada") - _one_slip("kanata"))


def check_text(text: object) -> str:
    """Return a text that can be an address, or refuse it."""
    if not isinstance(text, str):
        raise PlaceNotFoundError(f"an address must be text, not {type(text).__name__}")
    if len(text) > LONGEST:
        raise PlaceNotFoundError(
            f"an address of {len(text):,} characters is too long: the limit is {LONGEST:,}"
        )
    if not text or text.isspace():
        raise PlaceNotFoundError(
            "the address is empty; give a postal code (K7L 3N6), a town or a full address"
        )
    text = _decoded(text)
    if not text.isprintable():
        _refuse_odd_characters(text)
    return text


def _decoded(text: str) -> str:
    """Take back what a program made of a text: Orl&eacute;ans, OrlÃ©ans, Owen%20Sound<br>."""
    for _ in range(2):  # a second program may have done it again
        if "&" in text and ENTITY.search(text) is not None:
            from html import unescape  # its table of entities is large

            text = unescape(text)
        if not text.isascii() and MISREAD.search(text) is not None:
            text = _well_read(text)
    if "%" in text and ESCAPE.search(text) is not None:
        text = unquote(text)
    return TAG.sub("\n", text).strip("\n") if "<" in text else text


def _well_read(text: str) -> str:
    for read_as in ("cp1252", "latin-1"):
        try:
            return text.encode(read_as).decode()
        except UnicodeError:
            continue
    return text


def _refuse_odd_characters(text: str) -> None:
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and character not in "\t\n\r"):
            raise PlaceNotFoundError(
                f"the address holds the character U+{ord(character):04X}, which no address has"
            )


def fold(text: str) -> str:
    """Lower the case and take off accents, so that equal names are equal texts."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    lowered = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return lowered.translate(LIGATURES)


def mended(text: str) -> str:
    """Set apart a glued postal code, close one that is split elsewhere, cut off a phone number."""
    if not text.isascii():
        text = text.translate(FRACTIONS)
    if (wholes := WHOLES.match(text)) is not None:
        text = f"{text[wholes.end() :]}, Ontario"
    if "T.O." in text:
        text = text.replace("T.O.", "Toronto")
    if "norgani" in text or "(Part" in text:
        text = PARTS_OF_RESERVES.sub("", UNORGANIZED.sub(" Unorganized", text))
    if WELL_ENDED.search(text, len(text) - 8 if len(text) > 8 else 0) is not None:
        return text
    # A postal code's last letter tells most texts from a phone number at once.
    if not text[-2:-1].isalpha():
        text = _without_phone(text)
    return SHIFTED.sub(lambda found: "".join(filter(None, found.groups())), GLUED.sub(" ", text))


def _without_phone(text: str) -> str:
    found = PHONE.search(text.rstrip())
    if found is None:
        return text
    before = text[: found.start()].rstrip(BEFORE_PHONE)
    # A number with nothing before it is left, to be refused as it stands.
    return PHONE_WORD.sub("", before).rstrip(BEFORE_PHONE) or text


def words_of(text: str) -> tuple[list[str], list[int]]:
    """Split an address into folded words and note where its parts end."""
    folded = fold(text)
    if "'" in folded or "`" in folded or not folded.isascii():
        folded = APOSTROPHE.sub("", folded)
    plain = folded.translate(TO_BLANKS)
    if not plain.isascii():
        plain = OTHER_MARKS.sub(" ", plain)
    words: list[str] = []
    parts: list[int] = []
    for number, part in enumerate(plain.split(",")):
        found = part.split()
        words += found
        parts += [number] * len(found)
    return words, parts


def name_key(words: list[str]) -> str:
    """Join words to the key that a place is found by."""
    return "".join([SHORT_FORMS.get(word, word) for word in words])


def names_a_street(words: list[str]) -> bool:
    """Whether a street's type is among some words; "St" at their beginning is a saint."""
    return any(word in STREET_TYPES for word in words[words[:1] == ["st"] :])


def begins_as_street(words: list[str]) -> bool:
    """Whether words begin with a street's name and type, and no number stands between: King St W."""
    types = [at for at, word in enumerate(words) if word in STREET_TYPES and at]
    return bool(types) and all(map(str.isalpha, words[: types[0]]))


def on_numbered_road(words: list[str]) -> bool:
    """Whether a numbered road is among some words: Highway 71, RR 2, 4th Line, not 14 Line St."""
    return any(
        (before in NUMBERED_ROADS and word.isdigit())
        or (word in NUMBERED_ROADS and NUMBERED.fullmatch(before) is not None)
        for before, word in pairwise(words)
    )


def street_key(words: list[str]) -> tuple[str, str, str]:
    """Reduce a street's words to its name, type and direction."""
    rest, kind, direction = list(words), "", ""
    if len(rest) > 1 and rest[-1] in DIRECTIONS:
        direction = DIRECTIONS[rest.pop()]
    if len(rest) > 1 and rest[0] in FRENCH_FIRST:
        kind = STREET_TYPES.get(rest.pop(0), "")
        rest = rest[1:] if len(rest) > 1 and rest[0] in {"de", "du", "des", "la"} else rest
    elif len(rest) > 1 and rest[-1] in STREET_TYPES:
        kind = STREET_TYPES[rest.pop()]
    if len(rest) > 1 and not direction and rest[-1] in DIRECTIONS:
        direction = DIRECTIONS[rest.pop()]
    name = "".join(["st" if word in {"saint", "sainte", "ste"} else word for word in rest])
    return name, kind, direction


# Postal codes: how they are written, numbered and repaired.
FIRST = "abceghjklmnprstvxy"
LETTERS = "abceghjklmnprstvwxyz"
DIGITS = "0123456789"
ONTARIO_LETTERS = frozenset("klmnp")
PROVINCE_OF_LETTER = _meanings("provinces_by_letter")
TO_DIGIT = {"o": "0", "i": "1", "l": "1", "s": "5", "z": "2", "b": "8"}
TO_LETTER = {"5": "s", "2": "z", "8": "b"}

# A code's number is 2,000 times its area's number plus its local unit's: both are found whole.
AREAS = {
    area: i for i, area in enumerate(a + d + b for a in FIRST for d in DIGITS for b in LETTERS)
}
UNITS = {
    unit: i for i, unit in enumerate(d + a + e for d in DIGITS for a in LETTERS for e in DIGITS)
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


def repaired_code(code: str) -> int:
    """Number six characters of which one is the look-alike of what a code has there; else -1."""
    wrong = {c for i, c in enumerate(code) if c.isdigit() != (i % 2 == 1)}
    # Two characters would also read words ("plains" as P1A 1N5); N0G 2J0 is often typed NOG 2JO.
    if len(wrong) != 1:
        return -1
    tables = TO_LETTER, TO_DIGIT
    return code_number("".join(tables[i % 2].get(c, c) for i, c in enumerate(code)))


def whole_code(text: str) -> int:
    """Number a text that is a postal code and nothing else."""
    if len(text) == 7 and text[3] in " -":
        return code_number((text[:3] + text[4:]).lower())
    return code_number(text.lower()) if len(text) == 6 else -1


def find_codes(words: list[str]) -> list[PostalMatch]:
    """Find what reads as a postal code in the words of an address."""
    exact: list[PostalMatch] = []
    repaired: list[PostalMatch] = []
    sizes = [*map(len, words)]
    for i in range(len(sizes) - 1, -1, -1):
        size = sizes[i]
        if size == 3 and i and sizes[i - 1] == 3:
            start, code = i - 1, words[i - 1] + words[i]
        elif size == 6:
            start, code = i, words[i]
        else:
            continue
        if (number := code_number(code)) >= 0:
            exact.append(PostalMatch(number, start, i + 1, ""))
        elif not code.isalpha() and (number := repaired_code(code)) >= 0:
            repaired.append(PostalMatch(number, start, i + 1, code.upper()))
    return exact + repaired
