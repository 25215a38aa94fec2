"""Take an address apart, guided by the names of towns and streets' types."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ketafind.geocoding import lexicon
from ketafind.geocoding.gazetteer import Gazetteer, default_gazetteer
from ketafind.geocoding.reading import ELISION, Reading

FLOORS = frozenset({"floor", "fl", "flr", "etage", "level"})
ROAD_OWNERS = frozenset(["county", "cty", "cnty", "country", "regional", "reg"])
LONGEST_UNIT = 6
WORD_OR_AND = re.compile(lexicon.WORD.pattern + "|&")
# Types of streets that end the names of villages too.
TOWN_ENDINGS = lexicon.words_for("streets_or_towns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The parts of an address; each empty where the text does not hold it.

    Parameters
    ----------
    number : str
        The civic number, with its letter if it has one.
    unit : str
        Suite, apartment, floor or room, without the word.
    street : str
        The street with its type and direction, as written.
    city : str
        The town as written, or its right name if it was misspelt.
    province : str
        ``"ON"`` if the text or its postal code says so; another province's code if the text does.
    postal_code : str
        As ``"K7L 3N6"``; one confusable character is repaired.
    box : str
        Number of a post office box.
    route : str
        Number of a rural route.
    name : str
        What stands before the number, such as the name of a building.
    corrections : tuple of str
        What was read otherwise than written.
    """

    number: str = ""
    unit: str = ""
    street: str = ""
    city: str = ""
    province: str = ""
    postal_code: str = ""
    box: str = ""
    route: str = ""
    name: str = ""
    corrections: tuple[str, ...] = ()


class _Words:
    """The words of an address that belong to no field yet."""

    def __init__(self, text: str, reading: Reading) -> None:
        self.reading = reading
        self.words, self.parts = reading.words, reading.parts
        self.text = text
        self.spans = _spans(text, reading)
        if len(self.spans) != len(self.words):
            # Folding split a character in two: go by the folded text.
            self.text = lexicon.fold(text)
            self.spans = _spans(self.text, reading)
        self.free = [True] * len(self.words)

    def take(self, start: int, stop: int) -> str:
        """Mark words as used and return them as written."""
        self.free[start:stop] = [False] * (stop - start)
        return self.text[self.spans[start][0] : self.spans[stop - 1][1]]

    def between(self, i: int) -> str:
        """What stands between a word and the next."""
        return self.text[self.spans[i][1] : self.spans[i + 1][0]].strip()

    def hashed(self, i: int) -> bool:
        """Whether a number sign stands before a word."""
        before = self.text[: self.spans[i][0]].rstrip()
        return before.endswith(("#", "№"))

    def is_fraction(self, i: int) -> bool:
        """Whether a fraction such as 1/2 stands at a word."""
        pair = self.words[i : i + 2]
        return (
            len(pair) == 2
            and all(w in {"1", "2", "3", "4"} for w in pair)
            and self.between(i) == "/"
        )

    def starts_part(self, i: int) -> bool:
        """Whether no free word stands before a word in its part."""
        return not any(self.free[self.reading.last_part(i + 1) : i])


def _spans(text: str, reading: Reading) -> list[tuple[int, int]]:
    spans = [found.span() for found in WORD_OR_AND.finditer(ELISION.sub(" ", text))]
    if reading.code is not None:
        del spans[reading.code.start : reading.code.stop]
    del spans[slice(*reading.area_at)]
    return spans


def parse_address(text: str, gazetteer: Gazetteer | None = None) -> Address:
    """Take an address apart, guided by the names of towns and streets' types.

    Parameters
    ----------
    text : str
        One line, in English or French, such as ``"200-30, rue Duncan O, Toronto ON M5V2C3"``.
    gazetteer : Gazetteer, optional
        The names of towns; the bundled ones by default.

    Returns
    -------
    Address
        Its parts. Nothing is looked up but the town and the postal code.

    Raises
    ------
    PlaceNotFoundError
        If the text is no text, blank or too long.

    Examples
    --------
    >>> address = parse_address("Suite 400, 30 Duncan St, Toronto ON M5V 2C3")
    >>> address.unit, address.number, address.street, address.city
    ('400', '30', 'Duncan St', 'Toronto')
    """
    known = gazetteer if gazetteer is not None else default_gazetteer()
    text = lexicon.mended(lexicon.check_text(text))
    reading = Reading(text, known, thorough=True)
    words = _Words(text, reading)
    code, corrections = reading.code, list(reading.corrections)
    city = _city(words, reading, corrections)
    _drop_tail(words, reading)
    box, route = _delivery(words)
    unit, number_at = _unit(words)
    number, street, name = _street(words, number_at)
    if not city:
        street, city = _town_after_street(street)
    return Address(
        number=number,
        unit=unit,
        street=street,
        city=city,
        province=_province(reading),
        postal_code="" if code is None else lexicon.code_text(code.number),
        box=box,
        route=route,
        name=name,
        corrections=tuple(corrections),
    )


def _province(reading: Reading) -> str:
    letter = lexicon.code_text(reading.code.number)[0].lower() if reading.code is not None else ""
    if reading.ontario or letter in lexicon.ONTARIO_LETTERS:
        return "ON"
    where = lexicon.PROVINCE_OF_LETTER.get(letter) or reading.elsewhere.rpartition(", ")[2]
    return lexicon.PROVINCE_CODES.get(where, "")


def _city(words: _Words, reading: Reading, corrections: list[str]) -> str:
    town = reading.town
    if town is not None:
        written = words.take(town.start, town.stop)
        if not town.written or len({place.name for place in town.places}) > 1:
            return written
        name = town.places[0].plain_name
        corrections.append(f"{written} was read as {name}")
        return name
    stop = reading.before
    start = reading.last_part(stop)
    last = reading.words[start:stop]
    alone = 0 < stop < reading.stop and not lexicon.names_a_street(last)
    if (start or alone) and not any(c.isdigit() for word in last for c in word):
        return words.take(start, stop)
    return ""


def _drop_tail(words: _Words, reading: Reading) -> None:
    """Take province and country away; a unit may still stand among them."""
    words.free[reading.before : reading.stop] = [False] * (reading.stop - reading.before)
    for i in range(reading.stop, len(words.words)):
        word = words.words[i]
        if word in lexicon.ONTARIO or word in lexicon.CANADA:
            words.free[i] = False


BOXES = {"box", "pobox", "cp", "casepostale", "bag"}
ROUTES = {"rr", "ruralroute", "routerurale"}


def _delivery(words: _Words) -> tuple[str, str]:
    """Take post office boxes and rural routes: PO Box 55, CP 12, RR 2, R.R. #3."""
    found = {"box": "", "route": ""}
    for i in range(1, len(words.words)):
        if not words.words[i].isdigit():
            continue
        for size in (3, 2, 1):
            before = "".join(words.words[max(0, i - size) : i])
            field = "box" if before in BOXES else "route" if before in ROUTES else ""
            if size <= i and field and all(words.free[i - size : i]):
                words.take(i - size, i)
                found[field] = words.take(i, i + 1)
                break
    return found["box"], found["route"]


def _is_value(word: str) -> bool:
    return len(word) <= LONGEST_UNIT and any(c.isdigit() for c in word)


def _is_number(word: str) -> bool:
    """Whether a word is a civic number: digits, perhaps a letter; not 2nd or 15th."""
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    tail = word[len(digits) :]
    return digits.isdigit() and len(digits) < 7 and (len(tail) < 2 or tail not in lexicon.ORDINALS)


def _unit(words: _Words) -> tuple[str, int]:
    """Take the unit, and say where the number stands if that is known by the way."""
    number_at = -1
    unit = ""
    for i in range(len(words.words) - 1):
        joined = words.between(i) in {"-", "–", "—"} and words.starts_part(i)
        short = _is_value(words.words[i]) or len(words.words[i]) == 1
        joined = joined and not words.is_fraction(i + 1)
        if words.free[i] and joined and short and _is_number(words.words[i + 1]):
            unit, number_at = words.take(i, i + 1), i + 1
            break
    keyed = _keyed_unit(words)
    return unit or keyed, number_at


def _keyed_unit(words: _Words) -> str:
    unit = ""
    size = len(words.words)
    for i, word in enumerate(words.words):
        if not words.free[i]:
            continue
        if word in FLOORS and i and words.free[i - 1] and _is_ordinal(words.words[i - 1]):
            unit = unit or words.take(i - 1, i)
            words.take(i, i + 1)
        elif word in lexicon.UNIT_WORDS and i + 1 < size and words.free[i + 1]:
            value = words.words[i + 1]
            letter = len(value) == 1 and word not in FLOORS and word != "ste"
            if _is_value(value) or letter:
                unit = unit or words.take(i + 1, i + 2)
                words.take(i, i + 2)
        elif _is_value(word) and words.hashed(i) and not _numbers_a_road(words, i):
            unit = unit or words.take(i, i + 1)
            words.free[i] = False
    return unit


def _is_ordinal(word: str) -> bool:
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    return word.isdigit() or (digits.isdigit() and word[len(digits) :] in lexicon.ORDINALS)


def _numbers_a_road(words: _Words, i: int) -> bool:
    """Whether a number sign belongs to a road: Highway #27, County Rd #10."""
    if words.starts_part(i) or words.words[i - 1] not in lexicon.NUMBERED_ROADS:
        return False
    if words.words[i - 1] in {"road", "rd"}:
        return i > 1 and words.words[i - 2] in ROAD_OWNERS
    return True


def _street(words: _Words, number_at: int) -> tuple[str, str, str]:
    if number_at < 0:
        number_at = _number_at(words)
    free = [i for i, is_free in enumerate(words.free) if is_free]
    if number_at < 0:
        first = next((i for i in free if words.words[i] in lexicon.STREET_TYPES), None)
        part = [i for i in free if first is not None and words.parts[i] == words.parts[first]]
        street = words.take(part[0], part[-1] + 1) if part else ""
        return "", street, _name(words, len(words.words))
    number = words.take(number_at, number_at + (3 if words.is_fraction(number_at + 1) else 1))
    free = [i for i in free if words.free[i]]
    after = [i for i in free if i > number_at]
    run: list[int] = []
    for i in after:
        if run and (i != run[-1] + 1 or words.parts[i] != words.parts[run[-1]]):
            break
        if not run and words.parts[i] > words.parts[number_at] + 1:
            break
        run.append(i)
    street = words.take(run[0], run[-1] + 1) if run else ""
    return number, street, _name(words, number_at)


def _number_at(words: _Words) -> int:
    numbers = [i for i, w in enumerate(words.words) if words.free[i] and _is_number(w)]
    starts = [i for i in numbers if words.starts_part(i)]
    return next(iter(starts), next(iter(numbers), -1))


def _name(words: _Words, before: int) -> str:
    free = [i for i in range(before) if words.free[i]]
    return words.take(free[0], free[-1] + 1) if free else ""


def _town_after_street(street: str) -> tuple[str, str]:
    """Split "Main Street Shanty Bay" behind its street's type: the rest is an unknown town."""
    spans = [*lexicon.WORD.finditer(street)]
    words = [lexicon.fold(m.group()) for m in spans]
    types = [i for i, word in enumerate(words) if word in lexicon.STREET_TYPES and i]
    types = [i for i in types if words[i] not in TOWN_ENDINGS] or types
    if not types:
        return street, ""
    stop = types[-1] + 1
    while stop < len(words) and (words[stop] in lexicon.DIRECTIONS or words[stop][0].isdigit()):
        stop += 1
    if stop >= len(words):
        return street, ""
    return street[: spans[stop - 1].end()], street[spans[stop].start() :]
