"""Read what an address says of where it is: postal code, town, province."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ketafind.geo import apart_km
from ketafind.geocoding.gazetteer import HEADS as HEADS_APART
from ketafind.geocoding.gazetteer import LIKE, PARTS, POST_TOWN, Gazetteer, Place
from ketafind.geocoding.lexicon import (
    AREAS,
    AUSTRALIAN_STATES,
    CANADA,
    COUNTRY_CODES,
    DIRECTIONS,
    ELSEWHERE,
    ONTARIO,
    ONTARIO_LETTERS,
    PLAIN_STATES,
    SHORT_FORMS,
    STATE_CODES,
    STREET_TYPES,
    UNIT_WORDS,
    code_text,
    find_codes,
    name_key,
    names_a_street,
    whole_code,
    words_for,
    words_of,
)
from ketafind.vocabulary.terms import edits

# So many words a name has; so many one that holds commas.
LONGEST_TOWN, LONGEST_LIST = 7, 14

LONGEST_PROVINCE = 4
COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west", "o": "west"}
# Of two names a town with so many times the other's postal codes is the likelier.
DOMINANT = 4

# A part of a town lies this near to it.
PART_KM = 25.0

# Words after a town that only say: somewhere there.
ABOUT = words_for("about")

# Words before a town's name that are no part of another name.
TITLES = words_for("titles")

# Words that after a town name a building there, of which no position is known.
INSTITUTIONS = words_for("institutions") | words_for("buildings") | DIRECTIONS.keys()

# What stands at a town, and is not a street that crosses another.
BUILDINGS = words_for("buildings")

# Words before a town that point to it, and so make no other name of it.
POINTERS = words_for("pointers")

# What stands between two streets that cross.
CROSSED = frozenset({"and", "at"})

# Words that with the next make a name: Port Elsewhere is not Elsewhere.
HEADS = words_for("heads")

# Dysart et al is a name.
AND = re.compile(r"&|(?<=\s)et(?=\s(?!al\b))", re.I)
ELISION = re.compile(r"(?<=\b[dl])['’](?!ontario)(?=[^\W_])", re.I)
AFTER_WORDS = words_for("words_after_the_town")

# What has a number behind it, and a town behind that: 12 King St 5 Thunder Bay, Box 12 Thunder Bay.
STREETS_OR_BOXES = STREET_TYPES.keys() | UNIT_WORDS | AFTER_WORDS

# A town that needs no folding.
PLAIN_NAME = re.compile(r"[A-Za-z .-]+")

NOT_PLAIN = frozenset(";:|>'`\"")
HALF_A_CODE = re.compile(r"[a-z][0-9][a-z]")
OTHER_HALF = re.compile(r"[0-9][a-z][0-9]")
# What may part several sites, hold a second code or be no address at all.
HYPHENS_APART = re.compile(r"[-\s]-|-\s")

# Types of streets that begin no town's name.
STREETS_ONLY = STREET_TYPES.keys() - words_for("streets_or_towns")

# Last words of a name that are read with what stands around them.
NEVER_PLAIN = ONTARIO | CANADA | UNIT_WORDS | AFTER_WORDS

BRITISH_OUTWARD = re.compile(r"[a-z]{1,2}[0-9][a-z0-9]?")
BRITISH_INWARD = re.compile(r"[0-9][abd-hjlnp-uw-z]{2}")


class Town(NamedTuple):
    """A town found in the words."""

    start: int  # -1 for several towns, neither of which holds the other
    stop: int
    places: tuple[Place, ...]
    written: str = ""  # how, if that is not its name


class Tail(NamedTuple):
    """What stands after the town."""

    stop: int
    ontario: bool
    elsewhere: str
    before: int  # the end of what stands before the name of a province or country elsewhere


Named = tuple[int, tuple[int, ...]]
"""Where a name begins, and the numbers of the places that bear it."""


class Phrase:
    """Words, the parts between commas that they stand in, and the names that they are read by."""

    def __init__(self, words: list[str], parts: list[int], gazetteer: Gazetteer) -> None:
        self.words = words
        self.parts = parts
        self.gazetteer = gazetteer

    def last_part(self, stop: int) -> int:
        """Find where the part begins that ends before a word."""
        start = stop
        while start and self.parts[start - 1] == self.parts[stop - 1]:
            start -= 1
        return start

    def first_part(self, start: int) -> list[str]:
        """The words from one on that stand in its part."""
        numbered = zip(self.words[start:], self.parts[start:], strict=True)
        return [word for word, part in numbered if part == self.parts[start]]

    def key(self, start: int, stop: int) -> str:
        """The key that a place of these words is found by."""
        return name_key(self.words[start:stop])

    def tail(self, stop: int) -> Tail:
        """Take province and country off the end of an address, however often they stand there."""
        ontario = False
        while stop and (self.words[stop - 1] in CANADA or self.words[stop - 1] in ONTARIO):
            # "Ontario, CA" with a US zip is California; so is it after the name of a place there.
            ontario = ontario or self.words[stop - 1] in ONTARIO
            stop -= 1
        elsewhere, before = ("", stop) if ontario else self._elsewhere(stop)
        return Tail(stop, ontario, elsewhere, before)

    def _elsewhere(self, stop: int) -> tuple[str, int]:
        """Name the province, state or country that the words end in, and where it begins."""
        words = self.words
        if stop > 2 and [*map(len, words[stop - 2 : stop])] == [5, 4]:
            # 02142-1234
            stop -= all(map(str.isdigit, words[stop - 2 : stop]))
        last = words[stop - 1] if stop > 1 else ""
        australian = len(last) == 4 and words[stop - 2] in AUSTRALIAN_STATES
        zip_code = last.isdigit() and (len(last) == 5 or australian)
        end = stop - 1 if zip_code else stop
        if zip_code and australian:
            return "Australia", end - 1
        for size in range(min(LONGEST_PROVINCE, end - 1 + zip_code), 0, -1):
            name = ELSEWHERE.get("".join(words[end - size : end]))
            if name is not None:
                return name, end - size
        if not end or (end == 1 and not zip_code):
            return "", stop
        if (pair := "".join(words[end - 2 : end])) in PLAIN_STATES:
            return STATE_CODES[pair], end - 2  # N.Y.
        last = words[end - 1]
        if end > 1 and BRITISH_INWARD.fullmatch(last) and BRITISH_OUTWARD.fullmatch(words[end - 2]):
            return "the United Kingdom", end - 2
        state = STATE_CODES.get(last, "California" if last == "ca" else "")
        apart = end > 1 and self.parts[end - 1] > self.parts[end - 2]
        if state and (zip_code or apart or last in PLAIN_STATES):
            return state, end - 1
        country = COUNTRY_CODES.get(last, "") if apart else ""
        return country, end - 1 if country else stop

    def town_at_end(self, stop: int, own: int = -1) -> Town | None:
        """Find the longest known name that ends at a word; a comma within it must be its own."""
        if not stop:
            return None
        words, parts, aliases = self.words, self.parts, self.gazetteer.aliases
        key, start, part = "", stop, parts[stop - 1]
        found: list[Named] = []
        while start and parts[start - 1] == part and stop - start < LONGEST_TOWN:
            start -= 1
            word = words[start]
            key = SHORT_FORMS.get(word, word) + key
            numbers = aliases.get(key)
            # King St W, Alton: the W belongs to the street, and makes no Walton.
            if numbers is not None and not (word in COMPASS and start + 1 < stop):
                found.append((start, numbers))
        if whole := self._list_at_end(start, stop):
            return whole
        if found and found[-1][0] == start and (start == 0 or parts[start - 1] != part):
            # The whole part is a name: no street stands beside it.
            return self._town(start, stop, found[-1][1])
        found = [one for one in found if not self._is_street_name(one, stop, own)]
        if found:
            at, numbers = found[-1]
            named = self._with_compass(at, stop)
            if named is not None:
                return self._town(at - 1, stop, named)
            if len(found) > 1 and at and parts[at - 1] == part:
                if words[at] in DIRECTIONS and words[at - 1] in STREET_TYPES:
                    found = self._without_direction(found)
                at, numbers = next((one for one in found if own in one[1]), found[-1])
            return self._town(at, stop, numbers)
        # Curve Lake First Nation 35 is a reserve.
        if (
            stop > 1
            and parts[stop - 2] == part
            and (
                words[stop - 1] in ABOUT
                or (words[stop - 2] == "nation" and words[stop - 1][0].isdigit())
                or OTHER_HALF.fullmatch(words[stop - 1])
            )
        ):
            return self.town_at_end(stop - 1, own)
        if stop > 1 and words[stop - 2] in COMPASS:
            spelt = [*words[: stop - 2], COMPASS[words[stop - 2]], words[stop - 1]]
            return Phrase(spelt, parts, self.gazetteer).town_at_end(stop, own)
        return None

    def _list_at_end(self, last: int, stop: int) -> Town | None:
        """Find a name with commas, such as Brudenell, Lyndoch and Raglan, that begins before a part."""
        if self.words[stop - 1] in self.gazetteer.comma_endings:
            for first in range(max(0, stop - LONGEST_LIST), last):
                places = self.gazetteer.named(self.key(first, stop))
                if places:
                    return Town(first, stop, places)
        return None

    def _with_compass(self, at: int, stop: int) -> tuple[int, ...] | None:
        """Find a name with its short first word: W Lorne; not behind a street's type: King St W."""
        words, parts = self.words, self.parts
        if not at or words[at - 1] not in COMPASS or parts[at - 1] != parts[at]:
            return None
        if at > 1 and words[at - 2] in STREET_TYPES and parts[at - 2] == parts[at]:
            return None
        return self.gazetteer.aliases.get(name_key([COMPASS[words[at - 1]], *words[at:stop]]))

    def _town(self, start: int, stop: int, numbers: Sequence[int]) -> Town:
        return Town(start, stop, tuple([self.gazetteer.places[number] for number in numbers]))

    def _is_street_name(self, one: Named, stop: int, own: int) -> bool:
        """Whether a name stands where a street's does: 45 Cedar Grove, 12 Alma."""
        (at, numbers), words, parts = one, self.words, self.parts
        if not at or parts[at - 1] != parts[at] or own in numbers or not words[at - 1][0].isdigit():
            return False
        if self.is_zip(at - 1):
            return True
        if at > 1 and not STREETS_OR_BOXES.isdisjoint(words[at - 2 : at - 1]):
            return False
        solid = any(self.gazetteer.is_solid(self.gazetteer.places[number]) for number in numbers)
        return not solid or words[stop - 1] in STREET_TYPES

    def is_zip(self, at: int) -> bool:
        """Whether a word is a postal code of another country: 12 Rue de Rivoli, 75001 Paris."""
        begins = at == 0 or self.parts[at - 1] != self.parts[at]
        return begins and len(self.words[at]) == 5 and self.words[at].isdigit()

    def _without_direction(self, found: list[Named]) -> list[Named]:
        """Leave out West Perth after King Street: King Street West in Perth is far likelier."""
        counts = self.gazetteer.codes_of_place
        codes = [max(counts[number] for number in numbers) for _, numbers in found]
        likelier = codes[-2] >= POST_TOWN and codes[-2] >= DOMINANT * codes[-1]
        return found[:-1] if likelier else found

    def finer_town(self, town: Town) -> Town | None:
        """Find the part of a town that is named before it, as in "Scarborough, Toronto"."""
        if not town.start or town.written:
            return None
        stop = town.start
        before = self.town_at_end(stop)
        if before is None or before.start > self.last_part(stop):
            return None
        for wholes, named in ((town, before), (before, town)):
            smaller = tuple(
                part
                for part in named.places
                if any(whole.holds(part) and part != whole for whole in wholes.places)
            )
            if smaller:
                return named._replace(start=before.start, places=smaller)
        if len(town.places) > 1:
            return None
        whole = town.places[0]
        # What belongs to a part of a city, or seems a quarter of another, is nearer.
        near = tuple(
            part
            for part in before.places
            if apart_km(part, whole)
            <= (PART_KM / 2 if whole.owner >= 0 or part.kind == "neighbourhood" else PART_KM)
            and part.population < whole.population
            and part.kind != "municipality"
        )
        if near:
            return before._replace(places=near)
        quarter = all(part.kind == "neighbourhood" for part in before.places)
        if quarter or self.parts[stop - 1] == self.parts[stop]:
            # Many cities have a quarter, or a street, of the name.
            return None
        # Two towns, neither in the other: "Kingston, Toronto".
        return Town(-1, town.stop, (*before.places, whole))

    def town_in_a_part(self, stop: int) -> Town | None:
        """Find the last earlier part that is a known name, and at most words such as downtown."""
        while stop:
            start = self.last_part(stop)
            part = Phrase(self.words[start:stop], self.parts[start:stop], self.gazetteer)
            end = start + part.tail(stop - start).stop
            town = self.town_at_end(end) if end > start else None
            if town is not None and TITLES.issuperset(self.words[start : town.start]):
                return town
            stop = start
        return None


class Reading(Phrase):
    """An address, read by the names that a gazetteer knows."""

    def __init__(self, text: str, gazetteer: Gazetteer, *, thorough: bool = False) -> None:
        super().__init__(*words_of(_as_words(text)), gazetteer)
        words, parts, ontario = self.words, self.parts, gazetteer.ontario
        found = find_codes(words)
        listed = [(one, row) for one in found if (row := ontario.find(one.number)) >= 0]
        # A repaired word must be a code that exists; one written as a code is one.
        written = next((one for one in found if not one.written), None)
        self.code, self.code_row = listed[0] if listed else (written, -1)
        others = {one.number for one in found if not one.written}
        others -= {self.code.number if self.code else -1}
        rivals = (n for n in others if ontario.find(n) >= 0 or gazetteer.rest.find(n) >= 0)
        self.rival: int = next(rivals, -1)  # the number of a second code
        self.area, self.area_at = "", (0, 0)
        if self.code is not None:
            del words[self.code.start : self.code.stop], parts[self.code.start : self.code.stop]
        else:
            self.area_at = self._area_at()
            self.area = "".join(words[slice(*self.area_at)])
            del words[slice(*self.area_at)], parts[slice(*self.area_at)]
        self.stop, self.ontario, self.elsewhere, self.before = self._tail_past_units()
        if self.elsewhere and self._is_ours():
            self.stop, self.elsewhere = len(words), ""
        in_full = self.stop < len(words) and len(words[-1]) > len("ont")
        if self.code_row < 0 and in_full and name_key(words) in gazetteer.aliases:
            # Royal Military College of Canada; but Bright ON is no Brighton.
            self.stop, self.ontario, self.elsewhere = len(words), False, ""
        self.own: int = ontario.names[self.code_row] if self.code_row >= 0 else -1
        self.town = self.town_at_end(self.stop, self.own)
        if self.town is not None and self._is_glued(text, self.town):
            self.town = None
        if self.code_row < 0:
            self._look_elsewhere()
        elif thorough:
            self.town = self._town_despite_slips(self.town)

    def _look_elsewhere(self) -> None:
        """Weigh a town elsewhere against one here, where no code settles it."""
        stop, town = self.stop, self.town
        if (town is None or town.start) and not self.ontario and not self.elsewhere:
            self.elsewhere = ELSEWHERE.get("".join(self.words[:stop]), "")
        # A large town elsewhere that the last part is, and nothing else.
        start = self.last_part(stop)
        if start < stop - 1 and self.words[start].isdigit():
            start += 1  # 101 Berlin
        last = "" if self.elsewhere or not stop else self.key(start, stop)
        far = self.gazetteer.abroad.get(last, "")
        if far and (
            town is None
            or town.start > start
            or not (self.ontario or any(map(self.gazetteer.is_solid, town.places)))
        ):
            # A town elsewhere is no misspelt one here: Boston is not Bolton.
            self.elsewhere, self.town = ("" if self.ontario else far), None
        elif not self.elsewhere:
            self.town = self._town_despite_slips(self._with_head(town))

    def is_zip(self, at: int) -> bool:
        """Whether a word is another country's postal code, in a text that does not say Ontario."""
        return not self.ontario and super().is_zip(at)

    @staticmethod
    def row_of_plain(text: str, gazetteer: Gazetteer) -> int:
        """Find the code of a text in the commonest form, "Kingston, ON K7L 3N6"; -1 for every other."""
        # What `read` would say of such a text is known without reading the rest.
        number = whole_code(text[-7:]) if text[-4:-3] == " " and text[-8:-7] in (" ", ",") else -1
        row = gazetteer.ontario.find(number) if number >= 0 and text.isascii() else -1
        if row < 0:
            return -1
        before = text[:-8].rstrip(" ,")
        head, _, last = before.rpartition(",")
        if last.strip().lower() in ONTARIO:
            ontario, name = last, head.rpartition(",")[2]
        else:
            name, _, ontario = last.rpartition(" ")
        if ontario.strip().lower() not in ONTARIO or PLAIN_NAME.fullmatch(name) is None:
            return -1
        words = name.lower().replace(".", " ").replace("-", " ").split()
        numbers = gazetteer.aliases.get(name_key(words), ())
        own = gazetteer.ontario.names[row]
        if (
            (own not in numbers and numbers != (gazetteer.places[own].owner,))
            or len(words) > LONGEST_TOWN
            or "et" in words
            or words[-1] in NEVER_PLAIN
            or words[-1] in gazetteer.comma_endings
            or not text.isprintable()
            or not NOT_PLAIN.isdisjoint(before)
        ):
            return -1
        lowered = f" {before.lower()}"
        if " to " in lowered or " vers " in lowered or HALF_A_CODE.search(lowered) is not None:
            return -1
        return -1 if "-" in lowered and HYPHENS_APART.search(lowered) is not None else row

    @property
    def corrections(self) -> tuple[str, ...]:
        """What was read otherwise than written in the postal code."""
        code = self.code
        if code is None or not code.written:
            return ()
        return (f"{code.written} was read as {code_text(code.number)}",)

    def _is_glued(self, text: str, town: Town) -> bool:
        """Whether a hyphen or a slash binds the town's name to a word before: Papineau-Cameron."""
        if (
            not town.start
            or self.parts[town.start - 1] != self.parts[town.start]
            or not ("-" in text or "/" in text or "–" in text)
        ):
            return False
        before, first = self.words[town.start - 1], self.words[town.start]
        if not before.isalpha() or len(before) < 3 or before in TITLES:
            return False
        return re.search(rf"{before[-2:]}[-–/]{re.escape(first[:2])}", text, re.I) is not None

    def _tail_past_units(self) -> Tail:
        """Read the tail; "Toronto ON, Unit 3" has its unit after it."""
        tail = self.tail(len(self.words))
        british = tail.elsewhere == "the United Kingdom"
        if not tail.stop or british or not _is_unit_word(self.words[tail.stop - 1]):
            return tail
        start = self.last_part(tail.stop)
        last = self.words[start : tail.stop]
        # FL alone is no floor.
        is_state = len(last) == 1 and last[0] in STATE_CODES
        if start > 0 and not is_state and all(map(_is_unit_word, last)):
            return self.tail(start)
        return tail

    def _area_at(self) -> tuple[int, int]:
        """Find a forward sortation area at the start or the end, with what follows of its code."""
        words = self.words
        last = self.tail(len(words)).stop - 1
        for at in (last, last - 1, 0):
            if not 0 <= at < len(words) or not self._is_area(words[at][:3]):
                continue
            if words[at][3:] and not (at == last and _begins_unit(words[at][3:])):
                continue
            if at and words[at - 1] in UNIT_WORDS:
                continue
            rest = words[at + 1 : last + 1] if at == last - 1 else []
            if rest and not _begins_unit(rest[0]):
                if at:
                    continue
                rest = []
            return at, at + 1 + len(rest)
        return 0, 0

    def _is_area(self, word: str) -> bool:
        return word[:1] in ONTARIO_LETTERS and AREAS.get(word) in self.gazetteer.ontario.areas

    def _is_ours(self) -> bool:
        """Whether what seems a place elsewhere is a name in Ontario: 12 King St, Wyoming."""
        n = len(self.words)
        named = self.town_at_end(n) if self.stop == n else None
        if named is not None and named.start < self.before < n:
            # Little Portugal is a name of more words than Portugal.
            return True
        start = self.last_part(n)
        key = self.key(start, n)
        if key not in self.gazetteer.aliases or key in COUNTRY_CODES or key in STATE_CODES:
            return False
        street = self.words[self.last_part(start) : start] if start else []
        return any(word[0].isdigit() for word in street)

    def _town_despite_slips(self, exact: Town | None) -> Town | None:
        """Find a misspelt town at the end, or a known one in an earlier part."""
        words, stop = self.words, self.stop
        if not stop:
            return None
        start = self.last_part(stop)
        alone = start == 0 and _is_name(words[:stop])
        if exact is not None and (
            exact.start in {start, *self._names_in(start)}
            or TITLES.issuperset(words[start : exact.start])
            or (start == 0 and not _is_name(words[: exact.start]))
        ):
            return exact
        known = self._town_before(start) if exact is None else None
        if known is not None:
            # 12 King St, Kingston (location): no location is a misspelt town.
            return known
        best: tuple[float, Town] | None = None
        for first in self._names_in(start) if alone or start else self._windows():
            if words[stop - 1] in STREET_TYPES and not _follows_street(words[start:first]):
                continue
            if first and self.is_zip(first - 1):
                continue
            found = self._like(first, alone=alone)
            if found is not None and (best is None or found[0] > best[0]):
                best = (found[0], Town(first, stop, found[1], " ".join(words[first:stop])))
        if alone:
            landmark = self.gazetteer.spelling.landmark(words[:stop])
            if landmark is not None:
                return Town(0, stop, (landmark,), " ".join(words[:stop]))
        if best is not None:
            return best[1]
        if alone:
            if exact is None or self._is_another_name(exact):
                return self._town_of_institution()
            return self._larger_before(exact) or exact
        return exact or self.town_in_a_part(start)

    def _with_head(self, town: Town | None) -> Town | None:
        """Take the name that a misspelt word before makes with a town's, if one does: Prt Colborne."""
        if town is None or town.start == self.last_part(town.stop):
            return town
        before, heads = self.words[town.start - 1], HEADS_APART
        if len(before) < 3 or before in heads | DIRECTIONS.keys() | STREET_TYPES.keys():
            return town
        if town.start > 1 and self.words[town.start - 2] in STREET_TYPES:
            heads = heads - DIRECTIONS.keys()  # King St Nroth, Perth
        slips = edits()[0].distance
        for head in heads:
            places = self.gazetteer.named(head + self.key(town.start, town.stop))
            if places and slips(before, head, score_cutoff=1) == 1:
                written = " ".join(self.words[town.start - 1 : town.stop])
                return Town(town.start - 1, town.stop, places, written)
        return town

    def _names_in(self, start: int) -> list[int]:
        """Where a misspelt town may begin in a part of its own, which words may point to it."""
        after = [i + 1 for i in range(start, self.stop - 1) if self.words[i] in POINTERS]
        return after if self.words[start] in POINTERS else [start, *after]

    def _town_before(self, stop: int) -> Town | None:
        """Find the town, and no quarter of one, that the part before is."""
        town = self.town_in_a_part(stop)
        if town is None or town.start < self.last_part(stop):
            return None
        return None if PARTS.issuperset(place.kind for place in town.places) else town

    def _windows(self) -> Iterator[int]:
        """Where a misspelt town may begin behind a street: "St Code" of 12 Main St Code is none."""
        words, last = self.words, self.stop - 1
        for first in range(last, max(last - 3, -1), -1):
            if first < last and words[first] in COMPASS and words[first - 1] in STREET_TYPES:
                return  # King St W Mlton
            if first < last and words[first] in STREETS_ONLY and not _is_saint(words, first):
                return
            yield first

    def _is_another_name(self, town: Town) -> bool:
        """Whether what stands before makes another name of a village's: Silver Mountain, Port Alma."""
        before = self.words[: town.start]
        return before[-1] in HEADS or (
            not any(map(self.gazetteer.spelling.is_well_known, town.places))
            and CROSSED.isdisjoint(before)
            and BUILDINGS.isdisjoint(before)
            and INSTITUTIONS.isdisjoint(before)
            and self.town_at_end(town.start) is None
        )

    def _like(self, first: int, *, alone: bool) -> tuple[float, tuple[Place, ...]] | None:
        """Find the places whose name the words from one on are like, and how like."""
        words, gazetteer = self.words[first : self.stop], self.gazetteer
        key = name_key(words)
        if self.own >= 0:
            like = gazetteer.places[self.own].likeness(key)
            if like >= LIKE:
                return like, (gazetteer.places[self.own],)
        after_street = first > 0 and self.words[0][0].isdigit()
        slips, places = gazetteer.spelling.near(words, alone=alone, after_street=after_street)
        return (1 - slips / len(key), places) if places else None

    def _larger_before(self, town: Town) -> Town | None:
        """Find the city that stands before a far village's name: Hamilton Mountain is in Hamilton."""
        counts = self.gazetteer.codes_of_place
        cities = self.gazetteer.named(self.key(0, town.start))
        if len(cities) != 1 or counts[cities[0].number] < POST_TOWN:
            return None
        if any(
            apart_km(cities[0], p) <= PART_KM or counts[p.number] >= POST_TOWN for p in town.places
        ):
            return None
        return Town(0, town.stop, cities, " ".join(self.words[: town.stop]))

    def _town_of_institution(self) -> Town | None:
        """Find the town that a building is named after, as in "Kingston General Hospital"."""
        words, stop = self.words, self.stop
        first = 1 if words[0] == "the" else 0
        for at in range(min(stop - 1, first + LONGEST_TOWN), first, -1):
            places = self.gazetteer.named(self.key(first, at))
            if places and INSTITUTIONS.issuperset(words[at:stop]):
                counts = self.gazetteer.codes_of_place
                large = max(counts[place.number] for place in places) >= POST_TOWN
                if not large and (stop - at > 1 or words[at] not in DIRECTIONS):
                    return None
                return Town(0, stop, places, " ".join(words[:stop]))
        return None


def _as_words(text: str) -> str:
    """Write "&" and "et" as "and", and d'Ottawa as two words."""
    if "&" in text or " et " in text.lower():
        text = AND.sub(" and ", text)
    return ELISION.sub(" ", text) if "'" in text or "’" in text else text


def _is_saint(words: list[str], at: int) -> bool:
    """Whether "St" is no street's type: not behind a street's name, as in 12 Main St."""
    before = words[at - 1] if at else ""
    return words[at] == "st" and (
        before in STREET_TYPES
        or before in DIRECTIONS
        or not any(w[0].isdigit() for w in words[:at])
    )


def _is_unit_word(word: str) -> bool:
    short = len(word) < 5 and any(c.isdigit() for c in word)
    return short or word in UNIT_WORDS or word in AFTER_WORDS


def _begins_unit(word: str) -> bool:
    """Whether a word is the start of a code's second half: M5V 2C."""
    return word[0].isdigit() and (len(word) == 1 or (len(word) == 2 and word[1].isalpha()))


def _follows_street(before: list[str]) -> bool:
    """Whether what ends in a street's type may be a town: not the street of "12 Nort Bay"."""
    at = range(1, len(before))
    return not before or any(
        before[i] in STREET_TYPES and not before[i - 1][0].isdigit() for i in at
    )


def _is_name(words: list[str]) -> bool:
    """Whether words may all belong to the name of a town: no number, no street's type."""
    return not names_a_street(words) and not any(word[0].isdigit() for word in words)
