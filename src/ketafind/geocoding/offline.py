"""Geocode without a network, from the gazetteer that ships."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from math import cos, radians
from typing import TYPE_CHECKING

import numpy as np

from ketafind import errors
from ketafind.errors import GeocodingError, InvalidInputError, shown
from ketafind.geo import KM_PER_DEGREE, Coordinates, apart_km, sphere_km
from ketafind.geocoding import lexicon, locations
from ketafind.geocoding.gazetteer import LIKE, POST_TOWN, Gazetteer, Place, default_gazetteer
from ketafind.geocoding.protocol import SearchPlace, check_geocoder, checked_location, privately
from ketafind.geocoding.reading import ABOUT, BUILDINGS, LONGEST_TOWN, TITLES, Phrase, Reading, Town
from ketafind.records import Location

if TYPE_CHECKING:
    from ketafind.geocoding.protocol import Geocoder

# Alternatives nearer to each other than this are answered with a radius that covers them.
TOGETHER_KM = 25.0

# What stands between the names of several towns.
OR = re.compile(r"/|&|\b(?:or|and|ou|et)\b", re.I)

# What stands between several sites, or between the lines or numbers of one.
SEVERAL = re.compile(r"[;|\n\r]|\s(?:[-–—]+|[-=]>|→)\s|\s(?:to|vers|à)\s|\s/\s(?=[0-9])", re.I)

# What may part a site from what else is said of it.
ASIDES = re.compile(r"[;|\n\r()]|\s[-–—]+\s")

JOINTS = frozenset({"and", "or", "et", "ou", "also", "plus", "aussi"})
"""What stands between the addresses of two sites."""

BETWEEN_SITES = frozenset({"-", "–", "—", "--", "->", "=>", "→", "to", "vers", "à"})
MARKS = re.compile(r"[;|\n\r]")
JOURNEY = re.compile(r"\s(?:to|vers|à)\s", re.I)
LEADING = re.compile(r"^\s*(?:from|between|de|entre)\s", re.I)
DISTANCE = re.compile(
    r"\b[0-9][0-9.,]{0,20}[\s-]*+(?:km|kms|kilomet\w+|mi|miles?|mins?|minutes?|hrs?|hours?|heures?|h(?=\s(?:from|to|de|d)\b))"
    r"\b.*\b(?:from|of|to|de|d|outside|away)\b",
    re.I,
)
CROSSING = re.compile(r"\s(?:and|at|et|&|/|@)\s|\b(?:corner|intersection)\b", re.I)

# Of two places of one name, one of so many times the people is meant.
MUCH_LARGER = 8

# What a name does not mean where a town bears it, too.
LEAST_KINDS = frozenset({"neighbourhood", "landmark", "reserve"})

VILLAGES = frozenset({"community", "neighbourhood", "reserve"})

# Codes of Ottawa that federal offices in Quebec use, too.
FEDERAL = "K1A "

# Farther from every known place than this is not in Ontario.
FARTHEST_KM = 50.0

# A code this near to the town, or to another code of the town, does not contradict it.
CONSISTENT_KM = 12.0


class OfflineGeocoder:
    """Geocodes Canadian postal codes and Ontario addresses from a file, without a network.

    Parameters
    ----------
    gazetteer : Gazetteer, optional
        The codes and places to use; the bundled ones by default.
    region : str
        ``"ON"``, or ``"CA"`` to answer the postal codes and larger places of every province too;
        what is elsewhere is refused by name.

    Raises
    ------
    InvalidInputError
        If the region is another.
    """

    name = "offline"
    works_offline = True

    def __init__(self, gazetteer: Gazetteer | None = None, *, region: str = "ON") -> None:
        if region not in {"ON", "CA"}:
            raise InvalidInputError(f"region is 'ON' or 'CA', not {shown(region)}")
        self.gazetteer: Gazetteer = default_gazetteer() if gazetteer is None else gazetteer
        self.region = region

    @property
    def version(self) -> str:
        """The edition of the gazetteer and the region: answers of one version never change."""
        return self.gazetteer.edition + ("" if self.region == "ON" else f" {self.region}")

    def geocode(self, text: str | SearchPlace) -> Location:
        """Find where an address, a postal code or a place is.

        Parameters
        ----------
        text : str or SearchPlace
            Such as ``"30 Duncan St Suite 400, Toronto ON M5V 2C3"``, ``"K7L 3N6"`` or
            ``"Kingston"``. Ontario is taken for granted.

        Returns
        -------
        Location
            With its precision and 90 % radius.

        Raises
        ------
        PlaceNotFoundError
            If nothing in the text is known.
        AmbiguousPlaceError
            If several places more than 25 km apart bear the name.
        ConflictingPlaceError
            If town and postal code are more than 25 km apart, or an Ontario code stands beside
            another province or country.
        OutsideCoverageError
            If the text names another province or country.

        Notes
        -----
        A rural code stands at its town. One character of a code may be mistaken for its
        look-alike; that, and every other reading that is not literal, is in ``corrections``.
        """
        if isinstance(text, str):
            number = lexicon.whole_code(text)
            row = self.gazetteer.ontario.find(number) if number >= 0 else -1
            if row < 0:
                row = Reading.row_of_plain(text, self.gazetteer)
            if row >= 0:
                return locations.at_row(self.gazetteer, row)
        if isinstance(text, SearchPlace):
            return privately(self.geocode, text)
        return self._read(lexicon.check_text(text))

    def reverse(self, place: Coordinates | Location) -> Location:
        """Name the place and the postal area nearest to a position.

        Parameters
        ----------
        place : Coordinates or Location
            The position.

        Returns
        -------
        Location
            Where the nearest known place stands, labelled as in ``"Kingston, ON K7L"``, without
            the area where no postal code is near; ``corrections`` says how far off it is.

        Raises
        ------
        InvalidInputError
            If it is no position.
        OutsideCoverageError
            If no known place of Ontario is within 50 km.
        """
        if not isinstance(place, Coordinates | Location):
            raise InvalidInputError(
                f"a position is Coordinates or a Location, not {type(place).__name__}; write "
                "ketafind.Coordinates(lat=..., lon=...)"
            )
        kinds = VILLAGES | {"municipality"}
        known = (p for p in self.gazetteer.places if p.kind in kinds and self.gazetteer.is_solid(p))
        near = min(known, key=lambda p: apart_km(place, p))
        far = apart_km(place, near)
        area = locations.nearest_area(self.gazetteer, place)
        if area is None and far > FARTHEST_KM:
            raise errors.OutsideCoverageError(
                f"no known place of Ontario is within {FARTHEST_KM:.0f} km of this position"
            )
        found = locations.at_place(near, (f"{far:.1f} km from the position given",), "corrected")
        label = found.label if area is None else f"{found.label} {lexicon.AREA_TEXTS[area]}"
        return replace(found, label=label)

    def _read(self, text: str) -> Location:
        typed = locations.typed_coordinates(text, self.region)
        if typed is not None:
            return typed
        if not BETWEEN_SITES.isdisjoint(text.lower().split()) or MARKS.search(text) is not None:
            self._refuse_several(text)
        reading = Reading(lexicon.mended(text), self.gazetteer)
        if reading.code is not None and reading.rival >= 0:
            rivals = (reading.code.number, reading.rival)
            raise errors.AmbiguousPlaceError(
                f"{text!r} holds several postal codes; geocode one at a time",
                candidates=tuple(place for number in rivals for place in self._at_code(number)),
            )
        if self.region == "CA" and reading.code_row < 0:
            located = self._in_canada(reading)
            if located is not None:
                return located
        if reading.elsewhere and reading.code_row < 0:
            raise self._elsewhere(text, reading)
        if reading.code_row >= 0:
            return self._at_row(text, reading)
        return self._without_code(text, reading)

    def _outside(
        self, what: str, where: str, candidates: tuple[Location, ...] = (), hint: str = ""
    ) -> GeocodingError:
        if self.region == "ON" and not hint and where.rpartition(", ")[2] in lexicon.PROVINCE_CODES:
            hint = '; ketafind.OfflineGeocoder(region="CA") reads all of Canada'
        message = (
            f"{what} is in {where}; addresses in {locations.COVERED[self.region][0]} only{hint}"
        )
        return errors.OutsideCoverageError(message, candidates)

    def _elsewhere(self, text: str, reading: Reading) -> GeocodingError:
        """Refuse a place elsewhere, and name those here that bear its name."""
        if self.region == "CA" and reading.elsewhere.rpartition(", ")[2] in lexicon.PROVINCE_CODES:
            return errors.PlaceNotFoundError(
                f"{text!r} is in {reading.elsewhere}, where postal codes and larger places are "
                "known; give the code"
            )
        last = reading.words[reading.last_part(reading.stop) : reading.stop]
        far = self.gazetteer.abroad.get(lexicon.name_key(last)) == reading.elsewhere
        named = self.gazetteer.named(lexicon.name_key(last)) if far else ()
        ours = tuple(locations.at_place(p) for p in sorted(named, key=lambda p: -p.population))
        hint = "; add 'ON' for {}"
        if far and not ours and len(last) == 1:
            # Kent alone may be meant for Chatham-Kent.
            longer = self.gazetteer.spelling.bearers.get(last[0], ())
            ours = tuple(locations.at_place(p) for p in longer if p.kind == "municipality")
            hint = "; for {} write it whole"
        hint = hint.format(" or ".join([one.label for one in ours][:3])) if ours else ""
        return self._outside(repr(text), reading.elsewhere, ours, hint)

    def _without_code(self, text: str, reading: Reading) -> Location:
        """Answer for a text that holds no listed code."""
        if DISTANCE.search(text) is not None:
            raise errors.PlaceNotFoundError(
                f"{text!r} is a distance from a place, and not a place; give the place alone"
            )
        if reading.code is not None:
            return self._at_unlisted_code(text, reading, reading.code.number)
        # A first word that looks like an area counts beside a town only.
        if reading.area and (reading.town or reading.area_at[0] or not reading.stop):
            return self._at_area(text, reading)
        if reading.town is None or (reading.town.start and not reading.town.written):
            several = self._alternatives(text, reading)
            if several is not None:
                return self._at_town(text, several)
        if reading.town is not None:
            return self._at_named(text, reading, reading.town)
        sites = [p for p in ASIDES.split(text) if p != text and self._site(p, whole=False)]
        if len(sites) == 1:
            # 12 King St, Barrie - by appointment.
            return self._read(sites[0].strip())
        raise self._not_found(text, reading)

    def _at_named(self, text: str, reading: Reading, town: Town) -> Location:
        """Answer for a town without a code, and say what else of the text was not used."""
        before = reading.words[: town.start]
        beside = before[reading.last_part(town.stop) :]
        first = re.escape(reading.words[town.start])
        crossed = beside and re.search(rf"(?:\b(?:and|et|at)|[&/@])\s+{first}\b", text, re.I)
        if crossed and BUILDINGS.isdisjoint(beside):
            # Yonge & Finch: the other street of a crossing is no village.
            raise errors.AmbiguousPlaceError(
                f"{text!r} names streets that cross, but no town; add the town or the postal code"
            )
        located = self._at_finest(text, reading, town)
        if located.precision == "place" and lexicon.on_numbered_road(before):
            located = replace(located, radius_km=locations.OUT_OF_TOWN * located.radius_km)
        if all(p.kind == "neighbourhood" for p in town.places) and TITLES.issuperset(beside):
            self._refuse_everywhere(text, reading.words[town.start : town.stop], located)
            if not any(map(self.gazetteer.is_solid, town.places)):
                taken = f"{located.label} was taken; add the town if another's part is meant"
                located = _noted(located, (taken,))
        self._refuse_second(text, reading, town, located)
        after = reading.words[town.stop : reading.stop] if town.start >= 0 else []
        beyond = reading.first_part(town.stop)
        where = _names_elsewhere("".join(beyond)) if after and not reading.ontario else ""
        if where:
            # Windsor, CT, 12 Main St
            raise self._outside(repr(text), where)
        at_door = not lexicon.UNIT_WORDS.isdisjoint(after) or lexicon.names_a_street(after)
        if at_door or ABOUT.issuperset(after):
            after = []
        if after:
            located = _noted(located, (f"{' '.join(after)} was not used: the town alone was",))
        name = reading.key(max(town.start, 0), town.stop)
        far = "" if reading.ontario else self.gazetteer.abroad.get(name, "")
        if far:
            located = _noted(located, (f"{located.label} was taken, not {far}",))
        numbered = any(word[0].isdigit() for word in before)
        head = re.split(rf"\b{first}\b", text, maxsplit=1, flags=re.I)[0]
        if before and not crossed and not numbered and CROSSING.search(head):
            located = _noted(located, (f"{' '.join(before)} was not used: the town alone was",))
        elif self._is_stray(unread := self._unread(beside), town, located):
            located = _noted(located, (f"{' '.join(unread)} was not used: the town alone was",))
        if beside and beside[-1] in lexicon.DIRECTIONS and len(beside[-1]) > 1:
            # King Street West Perth.
            longer = self.gazetteer.named(reading.key(town.start - 1, town.stop))
            others = tuple(f"{p.name} was not taken" for p in longer if p not in town.places)
            located = _noted(located, others)
        return located

    def _unread(self, beside: list[str]) -> list[str]:
        """What stands between a street, its direction and units, and the town."""
        types = [i for i, word in enumerate(beside) if word in lexicon.STREET_TYPES]
        if not types or self.gazetteer.named(lexicon.name_key(beside)):
            return [] if any(word[0].isdigit() for word in beside) else beside
        taken = lexicon.DIRECTIONS.keys() | lexicon.UNIT_WORDS
        return [w for w in beside[types[-1] + 1 :] if w not in taken and not w[0].isdigit()]

    def _refuse_everywhere(self, text: str, name: list[str], located: Location) -> None:
        """Refuse the name of a part that every town has, such as East End, without the town."""
        if (lexicon.DIRECTIONS.keys() | TITLES | {"end", "side"}).issuperset(name):
            raise errors.AmbiguousPlaceError(
                f"{text!r} names a part that many towns have; add the town or the postal code",
                candidates=(located,),
            )

    def _is_stray(self, beside: list[str], town: Town, located: Location) -> bool:
        """Whether words before a town say where in it, or which other: Blue Forest, north of Barrie."""
        if TITLES.issuperset(beside):
            return False
        wholes = self.gazetteer.named(lexicon.name_key(beside))
        label = located.label
        meant = [p for p in town.places if locations.at_place(p).label == label]
        return bool(meant) and not any(
            place.kind == "landmark" or any(whole.holds(place) for whole in wholes)
            for place in meant
        )

    def _refuse_second(self, text: str, reading: Reading, town: Town, located: Location) -> None:
        """Refuse a text in which another part begins with, or is, another town."""
        words, parts = reading.words, reading.parts
        others: list[Place] = []
        counts = self.gazetteer.codes_of_place
        beside = self.gazetteer.named(reading.key(reading.last_part(town.stop), town.start))
        # Toronto Ottawa; but Wellington Ottawa is a street there.
        others += (place for place in beside if counts[place.number] >= POST_TOWN)
        numbers = [at for at in range(max(town.start, 0)) if words[at][0].isdigit()]
        for at in numbers[1:]:
            # 1 Main St Hamilton / 2 King St Guelph.
            end = at
            while words[end - 1] in JOINTS:
                end -= 1
            earlier = reading.town_at_end(reading.tail(end).stop)
            if earlier is not None and earlier.start > numbers[0] + 1 and at + 1 < town.start:
                others += earlier.places
        first = reading.last_part(town.stop) if town.start > 0 else 0
        if 0 < first <= town.start and not any(word[0].isdigit() for word in words[: town.start]):
            # London, serving Sarnia.
            earlier = reading.town_in_a_part(first)
            others += earlier.places if earlier is not None else ()
        starts = [at for at in range(town.stop, reading.stop) if parts[at] != parts[at - 1]]
        for at in starts if town.start >= 0 else ():
            if lexicon.begins_as_street(reading.first_part(at)):
                continue  # Kingston, King St W
            # Barrie (Orillia on Fridays).
            for stop in range(at + 1, min(reading.stop, at + LONGEST_TOWN) + 1):
                others += self.gazetteer.named(reading.key(at, stop))
        towns = (other for other in others if other.kind != "neighbourhood")
        solid = [*filter(self.gazetteer.is_solid, towns)]
        if solid and all(
            apart_km(a, b) > TOGETHER_KM and not a.overlaps(b)
            for a, b in product(others, town.places)
        ):
            raise errors.AmbiguousPlaceError(
                f"{text!r} names several sites; geocode one at a time",
                candidates=(located, locations.at_place(solid[0])),
            )

    def _at_code(self, number: int) -> tuple[Location, ...]:
        """Where a code of any province is; empty if it is not listed."""
        row = self.gazetteer.ontario.find(number)
        if row >= 0:
            return (locations.at_row(self.gazetteer, row),)
        province = lexicon.PROVINCE_OF_LETTER.get(lexicon.code_text(number)[0].lower(), "")
        return locations.elsewhere_in_canada(self.gazetteer, number, province)

    def _in_canada(self, reading: Reading) -> Location | None:
        """Answer with a code or a larger place of another province, if the text names one."""
        if reading.code is not None:
            return next(iter(self._at_code(reading.code.number)), None)
        province = reading.elsewhere.rpartition(", ")[2]
        ours = reading.ontario or (reading.town and not reading.town.written and not province)
        if ours or (province and province not in lexicon.PROVINCE_CODES):
            return None
        known = province if province in lexicon.PROVINCE_OF_LETTER.values() else ""
        ends = [reading.before]
        last = reading.words[reading.before - 1] if reading.before > 1 else ""
        if lexicon.ELSEWHERE.get(last) == province:
            # Montreal, Quebec, QC; but also the city of Quebec.
            ends.insert(0, reading.before - 1)
        for stop in filter(None, ends):
            start = reading.last_part(stop)
            for at in range(start, stop if province else start + 1):
                key = "".join(reading.words[at:stop])
                located = locations.town_in_canada(self.gazetteer, key, known)
                if located is not None:
                    return located
        return None

    def _refuse_several(self, text: str) -> None:
        """Refuse a text of which two pieces name a place or code, and neither contains the other."""
        words = lexicon.words_of(text)[0]
        whole = Phrase(words, [0] * len(words), self.gazetteer)
        if whole.key(0, whole.tail(len(words)).stop) in self.gazetteer.aliases:
            return
        pieces = SEVERAL.split(text)
        journey = JOURNEY.search(text) is not None
        sites = [s for piece in pieces if (s := self._site(piece, whole=journey)) is not None]
        for (others, other_rows), (places, rows) in combinations(sites, 2):
            one_site = any(a.overlaps(b) for a, b in product(places, others)) or any(
                self._reaches(place, row)
                for place, row in [*product(others, rows), *product(places, other_rows)]
            )
            if not one_site:
                found = tuple(locations.at_place(group[0]) for group in (others, places))
                raise errors.AmbiguousPlaceError(
                    f"{text!r} names several sites; geocode one at a time", candidates=found
                )

    def _site(self, piece: str, *, whole: bool) -> tuple[tuple[Place, ...], tuple[int, ...]] | None:
        """Read a piece as a place or a listed code; a hamlet counts as the `whole` of a piece only."""
        table, places = self.gazetteer.ontario, self.gazetteer.places
        phrase = Phrase(*lexicon.words_of(LEADING.sub("", lexicon.mended(piece))), self.gazetteer)
        codes = lexicon.find_codes(phrase.words)
        rows = [row for code in codes if (row := table.find(code.number)) >= 0]
        if rows:
            # A code alone is of the site whose town stands in another piece.
            alone = not phrase.tail(codes[0].start).stop
            return None if alone else (tuple(places[table.names[r]] for r in rows), tuple(rows))
        stop = phrase.tail(len(phrase.words)).stop
        town = phrase.town_at_end(stop)
        if town is None or town.start > phrase.last_part(stop):
            return None
        certain = whole and town.start == 0
        known = tuple(p for p in town.places if certain or self.gazetteer.is_solid(p))
        return (known, ()) if known else None

    def _at_area(self, text: str, reading: Reading) -> Location:
        """Answer for the first half of a postal code, and the town beside it if there is one."""
        area, cut = lexicon.AREAS[reading.area[:3]], len(reading.area) > 3
        notes = ("a postal code that is cut short was read as its first half",) if cut else ()
        located = locations.at_area(self.gazetteer, area, notes)
        if reading.town is None:
            return located
        return self._with_town(text, reading.town, area, located, notes)

    def _with_town(
        self, text: str, town: Town, area: int, located: Location, notes: tuple[str, ...]
    ) -> Location:
        """Weigh what an area's codes say against a town: the finer of the two if they agree."""
        low, high = self.gazetteer.ontario.areas[area]
        names = set(self.gazetteer.ontario.name[low:high].tolist())
        own = names | {self.gazetteer.places[n].owner for n in names}
        near = min(
            town.places,
            key=lambda p: (p.number not in own, apart_km(located, p)),
        )
        other = locations.at_place(near)
        apart = apart_km(located, near)
        if near.number in own or apart <= max(CONSISTENT_KM, located.radius_km + other.radius_km):
            if located.radius_km <= other.radius_km:
                return located
            return _noted(other, notes)
        return _reconciled(text, located, other, near=apart <= TOGETHER_KM)

    def _at_finest(self, text: str, reading: Reading, town: Town) -> Location:
        finer = reading.finer_town(town)
        if finer is None and len(town.places) > 1 and not town.written:
            places = town.places
            if town.start and any(place.kind != "county" for place in places):
                # A street is in a town, not in a county of its name.
                places = tuple(place for place in places if place.kind != "county")
            meant = town._replace(places=self._meant(places))
            return self._at_town(text, reading.finer_town(meant) or meant, places)
        return self._at_town(text, finer or town)

    def _meant(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """Leave, of places of one name, those that a person may mean who says no more."""
        codes = self.gazetteer.codes_of_place
        # A municipality's office may stand outside it, and be another place of its name.
        wholes = {(p.plain_name, p.county): p for p in places if p.kind == "municipality"}
        places = tuple(p for p in places if wholes.get((p.plain_name, p.county), p) is p)
        ranked = sorted(places, key=lambda p: -p.population)
        solid = filter(self.gazetteer.is_solid, places)
        towns = [p for p in solid if p.kind in {"municipality", "community"} or codes[p.number]]
        if towns:
            large = any(p.kind == "municipality" or codes[p.number] >= POST_TOWN for p in towns)
            less = LEAST_KINDS | {"county"} if large else LEAST_KINDS
            ranked.sort(key=lambda p: p.kind == "county")
            ranked = [p for p in ranked if p.kind not in less] or ranked
        return tuple(p for p in ranked if p.population * MUCH_LARGER > ranked[0].population)

    def _alternatives(self, text: str, reading: Reading) -> Town | None:
        """Read "Toronto/Ottawa" or "Ajax or Pickering": nothing but the names of towns."""
        words = reading.words[: reading.stop]
        before, _, last = text.rpartition(",")
        listed = [*before.split(","), *OR.split(last)] if before and OR.search(last) else None
        keys = [lexicon.name_key(lexicon.words_of(part)[0]) for part in listed or OR.split(text)]
        keys[-1] = keys[-1].removesuffix(lexicon.name_key(reading.words[reading.stop :]))
        known = [self.gazetteer.named(key) for key in keys]
        if len(keys) < 2 or not all(known) or any(word[0].isdigit() for word in words):
            return None
        places = tuple(dict.fromkeys(place for named in known for place in self._meant(named)))
        return Town(-1, reading.stop, places)

    def _at_row(self, text: str, reading: Reading) -> Location:
        row, town = reading.code_row, reading.town
        located = locations.at_row(self.gazetteer, row, reading.corrections)
        if reading.elsewhere and not located.label.startswith(FEDERAL):
            raise errors.ConflictingPlaceError(
                f"{text!r}: {located.label} is not in {reading.elsewhere}; correct one of them",
                candidates=(located,),
            )
        own = self.gazetteer.ontario.names[row]
        if town is None or own in [place.number for place in town.places]:
            return located
        near = min(town.places, key=lambda p: apart_km(located, p))
        return self._reconcile(text, reading, located, near)

    def _reconcile(self, text: str, reading: Reading, located: Location, town: Place) -> Location:
        """Weigh a code against a town that is not the one it is named after."""
        row = reading.code_row
        rural = bool(self.gazetteer.ontario.qualities[row] & locations.RURAL)
        if self._reaches(town, row):
            # A rural code stands for a wide area: a town in it says more, a municipality less.
            finer = (
                rural
                and town.kind in VILLAGES
                and locations.place_radius_km(town) < located.radius_km
            )
            if finer:
                return locations.at_place(town, located.corrections, "corrected")
            return _noted(located, self._outside_part(town, row, located))
        if self._is_slip(reading, row):
            return located
        apart = apart_km(located, town)
        other = locations.at_place(town)
        wide = town.reach_km if rural else 0.0
        close = apart <= TOGETHER_KM + wide or (rural and self._shares_area(row, town))
        return _reconciled(text, located, other, near=close)

    def _reaches(self, town: Place, row: int) -> bool:
        """Whether a code may be in a town: named after its parts, in its area or near its codes."""
        table = self.gazetteer.ontario
        own = self.gazetteer.places[table.names[row]]
        whole = self.gazetteer.places[own.owner].name if own.owner == town.owner >= 0 else ""
        if town.overlaps(own) or whole == f"Greater {town.plain_name}":
            return True
        lat, lon = table.lats[row] / 1e4, table.lons[row] / 1e4
        apart = sphere_km(lat, lon, town.lat, town.lon)
        # A code's point is the middle of a rural route; a municipality's area is no circle.
        spare = 1.5 if own.owner < 0 or table.qualities[row] & locations.RURAL else 1.0
        if apart <= max(CONSISTENT_KM, town.radius_km, spare * town.reach_km):
            return True
        rows = self.gazetteer.rows_of_place(town.number)
        if not len(rows):
            return False
        north = (table.lat[rows] / 1e4 - lat) * KM_PER_DEGREE
        east = (table.lon[rows] / 1e4 - lon) * KM_PER_DEGREE * cos(radians(lat))
        return float(np.hypot(north, east).min()) <= CONSISTENT_KM

    def _outside_part(self, town: Place, row: int, located: Location) -> tuple[str, ...]:
        """Say that a code lies outside the town that is named, or the part of a city."""
        own = self.gazetteer.places[self.gazetteer.ontario.names[row]]
        apart = apart_km(located, town)
        # An area is no circle.
        reach = max(locations.place_radius_km(town), 1.5 * town.reach_km) + located.radius_km
        same = town.overlaps(own) or own.owner == town.owner >= 0
        if (same and own.number != town.owner) or apart <= reach or self._shares_area(row, town):
            return ()
        return (f"{located.label} is {apart:.0f} km from {town.name}: the code was taken",)

    def _shares_area(self, row: int, town: Place) -> bool:
        """Whether a town has codes in a rural code's area, which spans many towns."""
        table = self.gazetteer.ontario
        low, high = table.areas[table.numbers[row] // 2000]
        return bool((table.name[low:high] == town.number).any())

    def _is_slip(self, reading: Reading, row: int) -> bool:
        """Whether the town is the code's own, misspelt: Mout Forest is not Forest."""
        own = self.gazetteer.places[self.gazetteer.ontario.names[row]]
        written = reading.key(reading.last_part(reading.stop), reading.stop)
        return own.likeness(written) >= LIKE

    def _at_unlisted_code(self, text: str, reading: Reading, number: int) -> Location:
        """Answer for a code that is not Ontario's, or not known."""
        label = lexicon.code_text(number)
        province = lexicon.PROVINCE_OF_LETTER.get(label[0].lower())
        area = number // 2000
        # X0X 0X0 stands for no code at all.
        empty = province and reading.ontario and area not in self.gazetteer.rest.areas
        if province is not None and not empty:
            there = locations.elsewhere_in_canada(self.gazetteer, number, province)
            raise self._outside(f"the postal code {label}", province, there)
        if area not in self.gazetteer.ontario.areas:
            if reading.town is not None:
                note = f"{label} is not a known postal code, and was not used"
                return _noted(self._at_finest(text, reading, reading.town), (note,))
            raise errors.PlaceNotFoundError(
                f"{label} is not a known postal code; check it in {text!r}"
            )
        note = f"{label} is not listed; read as {label[:3]}"
        rural = area // 20 % 10 == 0
        located = locations.at_area(self.gazetteer, area, (note,))
        if reading.town is not None:
            found = self._with_town(text, reading.town, area, located, (note,))
            if found.match == "conflict" or rural:
                return found
        return located if rural else locations.beside(self.gazetteer, number)

    def _at_town(self, text: str, town: Town, named: tuple[Place, ...] = ()) -> Location:
        places, own_name = town.places, not town.written and town.start >= 0
        if own_name or len({place.plain_name for place in places}) == 1:
            places = self._meant(places)
        names = " or ".join(sorted({place.name for place in places}))
        notes = (f"{town.written} was read as {names}",) if town.written else ()
        *before, last = town.written.split(" ")
        keys = {lexicon.name_key(place.words) for place in places}
        if last in lexicon.STATE_CODES and lexicon.name_key(before) in keys:
            # The only slip is a state after the name: Springfield IL is no Springfield of ours.
            raise self._outside(repr(text), lexicon.STATE_CODES[last])
        if len(places) == 1:
            return _noted(
                locations.at_place(places[0], notes), _namesake(places[0], named or town.places)
            )
        apart = max(apart_km(a, b) for a in places for b in places)
        if apart <= TOGETHER_KM:
            return locations.at_places(places, notes)
        raise errors.AmbiguousPlaceError(
            f"{text!r} may be {len(places)} places up to {apart:.0f} km apart ({names}); "
            "add the postal code",
            candidates=tuple(locations.at_place(place, notes) for place in places),
        )

    def _not_found(self, text: str, reading: Reading) -> GeocodingError:
        """Say why nothing was found, and what may be meant."""
        gazetteer = self.gazetteer
        if reading.ontario and not reading.stop:
            return errors.AmbiguousPlaceError(
                f"{text!r} names a whole province; add a town or postal code"
            )
        if len(reading.words) == 1 and reading.words[0] in lexicon.AREAS:
            province = lexicon.PROVINCE_OF_LETTER.get(reading.words[0][0])
            if province is not None:
                return self._outside(repr(text), province)
        *name, last = reading.words or [""]
        known = lexicon.name_key(name) in gazetteer.abroad
        if known or reading.town_at_end(len(name)) is not None:
            australian = "Australia" if last in lexicon.AUSTRALIAN_STATES else None
            where = lexicon.STATE_CODES.get(last) or lexicon.COUNTRY_CODES.get(last) or australian
            if where is not None:
                return self._outside(repr(text), where)
        if reading.stop > 1 and lexicon.names_a_street(reading.words[: reading.stop]):
            return errors.AmbiguousPlaceError(
                f"{text!r} names a street but no town: there may be one in Toronto, Ottawa, Hamilton "
                "and many other towns; add the town or the postal code"
            )
        part = reading.words[reading.last_part(reading.stop) : reading.stop]
        likely = [locations.at_place(place) for place in gazetteer.spelling.suggested(part)]
        hint = f"did you mean {' or '.join(one.label for one in likely)}?" if likely else ""
        return errors.PlaceNotFoundError(
            f"no postal code or {'Ontario' if self.region == 'ON' else 'Canadian'} place was "
            f"recognised in {text!r}; " + (hint or "add one, as in 'Kingston' or 'K7L 3N6'"),
            likely,
        )


def _names_elsewhere(word: str) -> str:
    """Name the province, state or country whose name or code a part is."""
    known = lexicon.ELSEWHERE, lexicon.STATE_CODES, lexicon.COUNTRY_CODES
    return next((names[word] for names in known if word in names), "")


def _namesake(place: Place, named: tuple[Place, ...]) -> tuple[str, ...]:
    """Say that a smaller place of the name, or a county that it is not in, is far away."""
    far = [other for other in named if apart_km(place, other) > TOGETHER_KM]
    others = [
        other.name
        for other in far
        if other.kind == "county" and other.county != place.county
        if other.population > place.population
    ]
    smaller = [
        f"in {other.county}"
        for other in far
        if other.kind not in {"neighbourhood", "landmark", "county"}
    ]
    others += [f"the smaller one {', '.join(smaller)}"] if smaller else []
    taken = f"{place.plain_name} in {place.county} was taken"
    return (f"{taken}, not {' or '.join(others)}",) if others else ()


def _reconciled(text: str, code: Location, town: Location, *, near: bool) -> Location:
    """Answer with a circle around a code and a town, or refuse them as a contradiction."""
    if near:
        return locations.between(code, town)
    apart = apart_km(code, town)
    name = town.label.removesuffix(", ON")
    raise errors.ConflictingPlaceError(
        f"{text!r}: {code.label} is {apart:.0f} km from {name}; correct one of them",
        candidates=(code, town),
    )


def _noted(located: Location, notes: tuple[str, ...]) -> Location:
    """Add to an answer what else was read otherwise than written."""
    if not notes:
        return located
    match = "corrected" if located.match == "exact" else located.match
    return replace(located, match=match, corrections=(*located.corrections, *notes))


@cache
def _bundled() -> OfflineGeocoder:
    return OfflineGeocoder()


def geocode(text: str) -> Location:
    """Find where an address, a postal code or a place in Ontario is, without a network.

    Parameters
    ----------
    text : str
        Such as ``"30 Duncan St Suite 400, Toronto ON M5V 2C3"``, ``"K7L 3N6"`` or ``"Kingston"``.

    Returns
    -------
    Location
        With its precision and 90 % radius.

    Raises
    ------
    GeocodingError
        As `OfflineGeocoder.geocode` does.
    """
    return _bundled().geocode(text)


def geocode_many(
    texts: Iterable[str], geocoder: Geocoder | None = None
) -> list[Location | GeocodingError]:
    """Geocode addresses one after the other; a failure does not stop the rest.

    Parameters
    ----------
    texts : iterable of str
        Addresses.
    geocoder : Geocoder, optional
        The bundled offline one by default: no network is used unless one is given that does.

    Returns
    -------
    list of Location or GeocodingError
        For each text its location or, not raised, the error that says why there is none.

    Raises
    ------
    InvalidInputError
        If it is one text, whose letters are no addresses, or no list, or the geocoder is none.
    """
    check_geocoder(geocoder)
    one = isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns")
    if one or not isinstance(texts, Iterable) or not getattr(texts, "ndim", 1):
        raise InvalidInputError(
            "geocode_many takes a list of addresses; geocode() takes one text, and "
            "geocode_frame() a frame"
        )
    geocoder = geocoder or _bundled()
    answers: list[Location | GeocodingError] = []
    for text in texts:
        try:
            answers.append(checked_location(geocoder.geocode(text), geocoder))
        except GeocodingError as error:
            answers.append(error)
    return answers
