"""Geocode without a network, from the gazetteer that ships."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from math import cos, radians

import numpy as np

from ketafind.errors import (
    AmbiguousPlaceError,
    ConflictingPlaceError,
    GeocodingError,
    InvalidInputError,
    OutsideCoverageError,
    PlaceNotFoundError,
)
from ketafind.geocoding.address import Reading, read
from ketafind.geocoding.gazetteer import Gazetteer, Place, default_gazetteer
from ketafind.geocoding.locations import (
    KM_PER_DEGREE,
    RURAL,
    at_area,
    at_code,
    at_place,
    at_places,
    at_row,
    beside,
    between,
    elsewhere_in_canada,
    place_radius_km,
    sphere_km,
    typed_coordinates,
)
from ketafind.geocoding.postal import AREAS, PROVINCE_OF_LETTER, code_text, whole_code
from ketafind.geocoding.protocol import SearchPlace, privately
from ketafind.geocoding.regions import STATE_CODES
from ketafind.geocoding.towns import LIKE, Town, finer_town, last_part
from ketafind.geocoding.words import check_text, looks_like_street, mended, name_key, words_of
from ketafind.records import Location

__all__ = ["OfflineGeocoder", "geocode", "geocode_many"]

TOGETHER_KM = 25.0
"""Alternatives nearer to each other than this are answered with a radius that covers them."""

OR = re.compile(r"/|&|\b(?:or|and|ou|et)\b", re.I)
"""What stands between the names of several towns."""

FEDERAL = "K1A "
"""Codes of Ottawa that federal offices in Quebec use, too."""

CONSISTENT_KM = 12.0
"""A code this near to the town, or to another code of the town, does not contradict it."""


class OfflineGeocoder:
    """Geocodes Canadian postal codes and Ontario addresses from a file, without a network.

    Parameters
    ----------
    gazetteer : Gazetteer, optional
        The codes and places to use; the bundled ones by default.
    """

    name = "offline"

    def __init__(self, gazetteer: Gazetteer | None = None) -> None:
        self.gazetteer = gazetteer if gazetteer is not None else default_gazetteer()

    @property
    def version(self) -> str:
        """The edition of the gazetteer: answers of one edition never change."""
        return self.gazetteer.edition

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
            number = whole_code(text)
            located = at_code(self.gazetteer, number) if number >= 0 else None
            if located is not None:
                return located
        if isinstance(text, SearchPlace):
            return privately(self.geocode, text)
        return self._read(check_text(text))

    def _read(self, text: str) -> Location:
        typed = typed_coordinates(text)
        if typed is not None:
            return typed
        reading = read(mended(text), self.gazetteer)
        if reading.elsewhere and reading.code_row < 0:
            raise OutsideCoverageError(
                f"{text!r} is in {reading.elsewhere}; addresses in Ontario only"
            )
        if reading.code_row >= 0:
            return self._at_row(text, reading)
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
            return self._at_finest(text, reading, reading.town)
        raise _not_found(text, reading, self.gazetteer)

    def _at_area(self, text: str, reading: Reading) -> Location:
        """Answer for the first half of a postal code, and the town beside it if there is one."""
        area, cut = AREAS[reading.area[:3]], len(reading.area) > 3
        notes = ("a postal code that is cut short was read as its first half",) if cut else ()
        located = at_area(self.gazetteer, area, notes)
        if reading.town is None:
            return located
        town = self._at_finest(text, reading, reading.town)
        apart = sphere_km(located.lat, located.lon, town.lat, town.lon)
        if any(self._has_codes(area, place) for place in reading.town.places) or (
            apart <= max(CONSISTENT_KM, located.radius_km + town.radius_km)
        ):
            if located.radius_km <= town.radius_km:
                return located
            return _noted(town, notes)
        if apart <= TOGETHER_KM:
            return between(located, town)
        raise ConflictingPlaceError(
            f"{text!r}: {located.label} is {apart:.0f} km from {town.label}; correct one of them",
            candidates=(located, town),
        )

    def _at_finest(self, text: str, reading: Reading, town: Town) -> Location:
        finer = finer_town(reading.words, reading.parts, town, self.gazetteer)
        return self._at_town(text, finer or town)

    def _alternatives(self, text: str, reading: Reading) -> Town | None:
        """Read "Toronto/Ottawa" or "Ajax or Pickering": nothing but the names of towns."""
        words = reading.words[: reading.stop]
        keys = [name_key(words_of(part)[0]) for part in OR.split(text)]
        keys[-1] = keys[-1].removesuffix(name_key(reading.words[reading.stop :]))
        known = [self.gazetteer.named(key) for key in keys]
        if len(keys) < 2 or not all(known) or any(word[0].isdigit() for word in words):
            return None
        places = tuple(dict.fromkeys(place for named in known for place in named))
        return Town(0, reading.stop, places)

    def _at_row(self, text: str, reading: Reading) -> Location:
        row, town = reading.code_row, reading.town
        located = at_row(self.gazetteer, row, _corrections(reading))
        if reading.elsewhere and not located.label.startswith(FEDERAL):
            raise ConflictingPlaceError(
                f"{text!r}: {located.label} is not in {reading.elsewhere}; correct one of them",
                candidates=(located,),
            )
        own = self.gazetteer.ontario.names[row]
        if town is None or any(place.number == own for place in town.places):
            return located
        near = min(town.places, key=lambda p: sphere_km(located.lat, located.lon, p.lat, p.lon))
        return self._reconcile(text, reading, located, near)

    def _reconcile(self, text: str, reading: Reading, located: Location, town: Place) -> Location:
        """Weigh a code against a town that is not the one it is named after."""
        row = reading.code_row
        apart = sphere_km(located.lat, located.lon, town.lat, town.lon)
        rural = bool(self.gazetteer.ontario.qualities[row] & RURAL)
        # A municipality that gives no code its name reaches an unknown way.
        alone = not len(self.gazetteer.rows_of_place(town.number))
        if apart <= max(CONSISTENT_KM, (2 if alone else 1) * town.radius_km):
            # A rural code stands for a wide area: a town in it says more, a municipality less.
            finer = rural and place_radius_km(town) < located.radius_km
            return at_place(town, located.corrections, "corrected") if finer else located
        if self._nearest_code_km(located, town) <= CONSISTENT_KM or self._is_slip(reading, row):
            return located
        other = at_place(town)
        if apart <= TOGETHER_KM or (rural and self._same_area(row, town)):
            return between(located, other)
        raise ConflictingPlaceError(
            f"{text!r}: {located.label} is {apart:.0f} km from {town.name}; correct one of them",
            candidates=(located, other),
        )

    def _nearest_code_km(self, located: Location, town: Place) -> float:
        table, rows = self.gazetteer.ontario, self.gazetteer.rows_of_place(town.number)
        if not len(rows):
            return float("inf")
        north = (table.lat[rows] / 1e4 - located.lat) * KM_PER_DEGREE
        east = (table.lon[rows] / 1e4 - located.lon) * KM_PER_DEGREE
        return float(np.sqrt(north**2 + (east * cos(radians(located.lat))) ** 2).min())

    def _same_area(self, row: int, town: Place) -> bool:
        """Whether a town has codes in a rural code's area, which spans many towns."""
        return self._has_codes(self.gazetteer.ontario.numbers[row] // 2000, town)

    def _has_codes(self, area: int, town: Place) -> bool:
        table = self.gazetteer.ontario
        low, high = table.areas[area]
        return bool((table.name[low:high] == town.number).any())

    def _is_slip(self, reading: Reading, row: int) -> bool:
        """Whether the town is the code's own, misspelt: Mout Forest is not Forest."""
        from ketafind.geocoding.towns import likeness

        start = last_part(reading.parts, reading.stop)
        own = self.gazetteer.places[self.gazetteer.ontario.names[row]].name
        written = name_key(reading.words[start : reading.stop])
        return likeness(written, name_key(words_of(own)[0])) >= LIKE

    def _at_unlisted_code(self, text: str, reading: Reading, number: int) -> Location:
        """Answer for a code that is not Ontario's, or not known."""
        label = code_text(number)
        province = PROVINCE_OF_LETTER.get(label[0].lower())
        if province is not None:
            raise OutsideCoverageError(
                f"the postal code {label} is in {province}; addresses in Ontario only",
                candidates=elsewhere_in_canada(self.gazetteer, number, province),
            )
        area = number // 2000
        known = area in self.gazetteer.ontario.areas
        rural = area // 20 % 10 == 0
        if known and not rural:
            return beside(self.gazetteer, number)
        if reading.town is not None:
            return self._at_town(text, reading.town)
        if known:
            note = f"{label} is not listed; read as {label[:3]}"
            return at_area(self.gazetteer, area, (note,))
        raise PlaceNotFoundError(f"{label} is not a known postal code; check it in {text!r}")

    def _at_town(self, text: str, town: Town) -> Location:
        places = town.places
        names = " or ".join(sorted({place.name for place in places}))
        notes = (f"{town.written} was read as {names}",) if town.written else ()
        *before, last = town.written.split(" ")
        if last in STATE_CODES and name_key(before) in {
            name_key(words_of(place.name)[0]) for place in places
        }:
            # The only slip is a state after the name: Springfield IL is no Springfield of ours.
            raise OutsideCoverageError(
                f"{text!r} is in {STATE_CODES[last]}; addresses in Ontario only"
            )
        if len(places) == 1:
            return at_place(places[0], notes)
        apart = max(sphere_km(a.lat, a.lon, b.lat, b.lon) for a in places for b in places)
        if apart <= TOGETHER_KM:
            return at_places(places, notes)
        raise AmbiguousPlaceError(
            f"{text!r} may be {len(places)} places up to {apart:.0f} km apart ({names}); "
            "add the postal code",
            candidates=tuple(at_place(place, notes) for place in places),
        )


def _corrections(reading: Reading) -> tuple[str, ...]:
    code = reading.code
    if code is None or not code.written:
        return ()
    return (f"{code.written} was read as {code_text(code.number)}",)


def _noted(located: Location, notes: tuple[str, ...]) -> Location:
    """Add to an answer what else was read otherwise than written."""
    if not notes:
        return located
    match = "corrected" if located.match == "exact" else located.match
    return replace(located, match=match, corrections=(*located.corrections, *notes))


def _not_found(text: str, reading: Reading, gazetteer: Gazetteer) -> GeocodingError:
    if reading.ontario and not reading.stop:
        return AmbiguousPlaceError(f"{text!r} names a whole province; add a town or postal code")
    if len(reading.words) == 1 and reading.words[0] in AREAS:
        province = PROVINCE_OF_LETTER.get(reading.words[0][0])
        if province is not None:
            return OutsideCoverageError(f"{text!r} is in {province}; addresses in Ontario only")
    if reading.words[-1:] and name_key(reading.words[:-1]) in gazetteer.abroad:
        state = STATE_CODES.get(reading.words[-1])
        if state is not None:
            return OutsideCoverageError(f"{text!r} is in {state}; addresses in Ontario only")
    if looks_like_street(reading.words[: reading.stop]):
        return AmbiguousPlaceError(
            f"{text!r} names a street but no town: there may be one in Toronto, Ottawa, Hamilton "
            "and many other towns; add the town or the postal code"
        )
    return PlaceNotFoundError(
        f"no postal code or Ontario place was recognised in {text!r}; add one, as in "
        "'Kingston' or 'K7L 3N6'"
    )


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
    return OfflineGeocoder().geocode(text)


def geocode_many(texts: Iterable[str]) -> list[Location | GeocodingError]:
    """Geocode addresses one after the other; a failure does not stop the rest.

    Parameters
    ----------
    texts : iterable of str
        Addresses.

    Returns
    -------
    list of Location or GeocodingError
        For each text its location or, not raised, the error that says why there is none.

    Raises
    ------
    InvalidInputError
        If it is one text, whose letters are no addresses, or no list.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InvalidInputError("geocode_many takes a list of addresses; geocode() takes one text")
    geocoder = OfflineGeocoder()
    answers: list[Location | GeocodingError] = []
    for text in texts:
        try:
            answers.append(geocoder.geocode(text))
        except GeocodingError as error:
            answers.append(error)
    return answers
