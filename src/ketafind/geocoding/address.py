"""Take an address apart, guided by the names of towns and streets' types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_lowercase

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
    return _Parser(lexicon.mended(lexicon.check_text(text)), known).address()


BOXES = {"box", "pobox", "cp", "casepostale", "bag"}
ROUTES = {"rr", "ruralroute", "routerurale"}


class _Parser(Reading):
    """An address of which one word after the other is given to a field."""

    def __init__(self, text: str, gazetteer: Gazetteer) -> None:
        super().__init__(text, gazetteer, thorough=True)
        self.text, self.spans = text, self._spans(text)
        if len(self.spans) != len(self.words):
            # Folding split a character in two: go by the folded text.
            self.text = lexicon.fold(text)
            self.spans = self._spans(self.text)
        self.free = [True] * len(self.words)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        spans = [found.span() for found in WORD_OR_AND.finditer(ELISION.sub(" ", text))]
        if self.code is not None:
            del spans[self.code.start : self.code.stop]
        del spans[slice(*self.area_at)]
        return spans

    def address(self) -> Address:
        """Give each word to its field."""
        corrections = list(self.corrections)
        city = self._city(corrections)
        self._drop_tail()
        box, route = self._delivery()
        unit, number_at = self._unit()
        number, street, name = self._street(number_at)
        if not city:
            street, city = _town_after_street(street)
        return Address(
            number=number,
            unit=unit,
            street=street,
            city=city,
            province=self._province(),
            postal_code="" if self.code is None else lexicon.code_text(self.code.number),
            box=box,
            route=route,
            name=name,
            corrections=tuple(corrections),
        )

    def take(self, start: int, stop: int) -> str:
        """Mark words as used and return them as written."""
        self.free[start:stop] = [False] * (stop - start)
        return self.text[self.spans[start][0] : self.spans[stop - 1][1]]

    def _between(self, i: int) -> str:
        """What stands between a word and the next."""
        return self.text[self.spans[i][1] : self.spans[i + 1][0]].strip()

    def _is_fraction(self, i: int) -> bool:
        """Whether a fraction such as 1/2 stands at a word."""
        pair = self.words[i : i + 2]
        return len(pair) == 2 and {"1", "2", "3", "4"}.issuperset(pair) and self._between(i) == "/"

    def _starts_part(self, i: int) -> bool:
        """Whether no free word stands before a word in its part."""
        return not any(self.free[self.last_part(i + 1) : i])

    def _province(self) -> str:
        letter = lexicon.code_text(self.code.number)[0].lower() if self.code is not None else ""
        if self.ontario or letter in lexicon.ONTARIO_LETTERS:
            return "ON"
        where = lexicon.PROVINCE_OF_LETTER.get(letter) or self.elsewhere.rpartition(", ")[2]
        return lexicon.PROVINCE_CODES.get(where, "")

    def _city(self, corrections: list[str]) -> str:
        town = self.town
        if town is not None:
            written = self.take(town.start, town.stop)
            if not town.written or len({place.name for place in town.places}) > 1:
                return written
            name = town.places[0].plain_name
            corrections.append(f"{written} was read as {name}")
            return name
        start, stop = self.last_part(self.before), self.before
        last = self.words[start:stop]
        alone = 0 < stop < self.stop and not lexicon.names_a_street(last)
        if (start or alone) and not any(c.isdigit() for word in last for c in word):
            return self.take(start, stop)
        return ""

    def _drop_tail(self) -> None:
        """Take province and country away; a unit may still stand among them."""
        self.free[self.before : self.stop] = [False] * (self.stop - self.before)
        for i in range(self.stop, len(self.words)):
            if self.words[i] in lexicon.ONTARIO or self.words[i] in lexicon.CANADA:
                self.free[i] = False

    def _delivery(self) -> tuple[str, str]:
        """Take post office boxes and rural routes: PO Box 55, CP 12, RR 2, R.R. #3."""
        found = {"box": "", "route": ""}
        for i in range(1, len(self.words)):
            for size in (3, 2, 1) if self.words[i].isdigit() else ():
                before = "".join(self.words[max(0, i - size) : i])
                field = "box" if before in BOXES else "route" if before in ROUTES else ""
                if size <= i and field and all(self.free[i - size : i]):
                    self.take(i - size, i)
                    found[field] = self.take(i, i + 1)
                    break
        return found["box"], found["route"]

    def _unit(self) -> tuple[str, int]:
        """Take the unit, and say where the number stands if that is known by the way."""
        unit, number_at = "", -1
        for i in range(len(self.words) - 1):
            joined = self._between(i) in {"-", "–", "—"} and self._starts_part(i)
            short = _is_value(self.words[i]) or len(self.words[i]) == 1
            joined = joined and not self._is_fraction(i + 1)
            if self.free[i] and joined and short and _is_number(self.words[i + 1]):
                unit, number_at = self.take(i, i + 1), i + 1
                break
        keyed = self._keyed_unit()
        return unit or keyed, number_at

    def _keyed_unit(self) -> str:
        unit, words, free = "", self.words, self.free
        for i, word in enumerate(words):
            if not free[i]:
                continue
            if word in FLOORS and i and free[i - 1] and _is_ordinal(words[i - 1]):
                unit = unit or self.take(i - 1, i)
                self.take(i, i + 1)
            elif word in lexicon.UNIT_WORDS and i + 1 < len(words) and free[i + 1]:
                value = words[i + 1]
                letter = len(value) == 1 and word not in FLOORS and word != "ste"
                if _is_value(value) or letter:
                    unit = unit or self.take(i + 1, i + 2)
                    self.take(i, i + 2)
            elif _is_value(word) and self._is_numbered(i):
                unit = unit or self.take(i, i + 1)
                free[i] = False
        return unit

    def _is_numbered(self, i: int) -> bool:
        """Whether a number sign stands before a word, and belongs to no road: County Rd #10."""
        if not self.text[: self.spans[i][0]].rstrip().endswith(("#", "№")):
            return False
        before = "" if self._starts_part(i) else self.words[i - 1]
        if before in {"road", "rd"}:
            return i < 2 or self.words[i - 2] not in ROAD_OWNERS
        return before not in lexicon.NUMBERED_ROADS

    def _street(self, number_at: int) -> tuple[str, str, str]:
        words, parts = self.words, self.parts
        if number_at < 0:
            number_at = self._number_at()
        free = [i for i, is_free in enumerate(self.free) if is_free]
        if number_at < 0:
            first = next((i for i in free if words[i] in lexicon.STREET_TYPES), None)
            part = [i for i in free if first is not None and parts[i] == parts[first]]
            street = self.take(part[0], part[-1] + 1) if part else ""
            return "", street, self._name(len(words))
        number = self.take(number_at, number_at + (3 if self._is_fraction(number_at + 1) else 1))
        run: list[int] = []
        for i in (i for i in free if self.free[i] and i > number_at):
            if run and (i != run[-1] + 1 or parts[i] != parts[run[-1]]):
                break
            if not run and parts[i] > parts[number_at] + 1:
                break
            run.append(i)
        street = self.take(run[0], run[-1] + 1) if run else ""
        return number, street, self._name(number_at)

    def _number_at(self) -> int:
        numbers = [i for i, word in enumerate(self.words) if self.free[i] and _is_number(word)]
        return next(iter([*filter(self._starts_part, numbers), *numbers]), -1)

    def _name(self, before: int) -> str:
        free = [i for i in range(before) if self.free[i]]
        return self.take(free[0], free[-1] + 1) if free else ""


def _is_value(word: str) -> bool:
    return len(word) <= LONGEST_UNIT and any(c.isdigit() for c in word)


def _is_number(word: str) -> bool:
    """Whether a word is a civic number: digits, perhaps a letter; not 2nd or 15th."""
    digits = word.rstrip(ascii_lowercase)
    tail = word[len(digits) :]
    return digits.isdigit() and len(digits) < 7 and (len(tail) < 2 or tail not in lexicon.ORDINALS)


def _is_ordinal(word: str) -> bool:
    digits = word.rstrip(ascii_lowercase)
    return digits.isdigit() and word[len(digits) :] in ("", *lexicon.ORDINALS)


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
