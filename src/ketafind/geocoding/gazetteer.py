"""The postal codes and places that ship: loaded once, never changed, found by misspelt names too."""

from __future__ import annotations

import zipfile
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from importlib import resources
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DirectoryFileError
from ketafind.geo import apart_km
from ketafind.geocoding import lexicon
from ketafind.vocabulary.terms import edits

# Where a place's position is from, by its source number.
SOURCES = (
    "GeoNames",
    "GeoNames postal codes",
    "DB-IP",
    "Census of Population",
    "airportsdata",
)

# A place of so many postal codes is a post town: the likelier of those that share a name.
POST_TOWN = 50

# So many codes share a first letter.
LETTER = 400_000

# A place of another province is known by its name from so many codes on.
LARGER = 20

# A place of so many people is one whose name people may misspell.
KNOWN = 500

# What a name stands for, by its kind's number.
KINDS = ("municipality", "community", "neighbourhood", "reserve", "landmark", "county")


def _widen(planes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    wide = np.zeros((planes.shape[1], 4), dtype=np.uint8)
    wide[:, : planes.shape[0]] = planes.T
    return wide.view("<u4").ravel()


def _from_deltas(planes: NDArray[np.uint8]) -> NDArray[np.int32]:
    zigzag = _widen(planes)
    deltas = (zigzag >> 1).view(np.int32) ^ -(zigzag & 1).view(np.int32)
    return np.cumsum(deltas, dtype=np.int32)


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


class CodeTable:
    """Postal codes in order of their numbers."""

    def __init__(self, arrays: Any, prefix: str) -> None:
        number = np.cumsum(_widen(arrays[prefix + "code"]), dtype=np.uint32)
        self.number: NDArray[np.uint32] = _sealed(number)
        self.lat: NDArray[np.int32] = _sealed(_from_deltas(arrays[prefix + "lat"]))
        self.lon: NDArray[np.int32] = _sealed(_from_deltas(arrays[prefix + "lon"]))
        self.name: NDArray[np.int32] = _sealed(_from_deltas(arrays[prefix + "name"]))
        self.quality: NDArray[np.uint8] = _sealed(arrays[prefix + "quality"])
        # Scalars come out of a memoryview ten times as fast as out of an array.
        self.numbers: memoryview = number.data
        self.lats: memoryview = self.lat.data
        self.lons: memoryview = self.lon.data
        self.names: memoryview = self.name.data
        self.qualities: memoryview = self.quality.data
        areas = number // 2000
        starts = np.flatnonzero(np.diff(areas, prepend=np.uint32(0xFFFFFFFF)))
        stops = [*starts[1:].tolist(), len(areas)]
        self.areas: dict[int, tuple[int, int]] = dict(
            zip(areas[starts].tolist(), zip(starts.tolist(), stops, strict=True), strict=True)
        )

    def find(self, number: int) -> int:
        """Find a code."""
        bounds = self.areas.get(number // 2000)
        if bounds is None:
            return -1
        low, high = bounds
        row = bisect_left(self.numbers, number, low, high)
        return row if row < high and self.numbers[row] == number else -1


# What is farther from the middle of an area of several counties is in it by its county alone.
WIDEST_KM = 75.0


class Place(NamedTuple):
    """A named area of Ontario."""

    number: int
    name: str
    lat: float
    lon: float
    population: int  # an estimate where no census counts it
    radius_km: float  # nine of ten of its addresses are within it
    source: str
    kind: str
    reach_km: float  # the radius of a circle of its land area; 0 if not known
    county: str
    owner: int  # the municipality that it lies in; -1 if none

    @property
    def plain_name(self) -> str:
        """The name without the county that tells it from namesakes."""
        return self.name.partition(" (")[0]

    @property
    def words(self) -> list[str]:
        """The words of its plain name, folded."""
        return lexicon.words_of(self.plain_name)[0]

    def holds(self, part: Place) -> bool:
        """Whether it is, or holds, another."""
        if self.kind == "county":
            near = apart_km(self, part) <= min(self.radius_km, WIDEST_KM)
            return part.county == self.county or near
        return self.number in {part.number, part.owner}

    def overlaps(self, other: Place) -> bool:
        """Whether it is, holds or lies in another."""
        return self.holds(other) or other.holds(self)

    def likeness(self, key: str) -> float:
        """Compare a written key with the place's own."""
        return float(edits()[0].normalized_similarity(key, lexicon.name_key(self.words)))


class Gazetteer:
    """Every array of one gazetteer file.

    Parameters
    ----------
    path : path-like
        The file; the bundled one comes from `default_gazetteer`.

    Raises
    ------
    DirectoryFileError
        If the file is no gazetteer, or damaged.

    Notes
    -----
    Nothing in it changes after it is built, so threads may share it.
    """

    def __init__(self, path: Any) -> None:
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as arrays:
                self.ontario: CodeTable = CodeTable(arrays, "on_")
                self.places: tuple[Place, ...] = tuple(_places(arrays))
                self.places = tuple(map(self._in_its_city, self.places))
                self.labels: tuple[str, ...] = tuple([f"{place.name}, ON" for place in self.places])
                self.aliases: dict[str, tuple[int, ...]] = dict(_aliases(arrays))
                self._rows: dict[int, NDArray[np.intp]] = {}
                self.edition: str = bytes(arrays["edition"]).decode()
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DirectoryFileError(
                f"the gazetteer {path} cannot be read ({error}); install ketafind again"
            ) from error

    def _in_its_city(self, place: Place) -> Place:
        """Name a part of a city with the city: there are many of the name, and one is known."""
        counts, city = self.codes_of_place, self.places[place.owner]
        apart = place.kind not in PARTS or place.owner < 0 or counts[place.number]
        if apart or counts[city.number] < POST_TOWN or city.plain_name in place.name:
            return place
        return place._replace(name=f"{place.plain_name} ({city.plain_name})")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by reference: another process reads the file itself."""
        if _loaded and _loaded[0] is self:
            return default_gazetteer, ()
        return Gazetteer, (self.path,)

    @cached_property
    def rest(self) -> CodeTable:
        """The codes of the other provinces, read when first needed."""
        with np.load(self.path, allow_pickle=False) as arrays:
            return CodeTable(arrays, "ca_")

    def _lines(self, name: str) -> list[str]:
        with np.load(self.path, allow_pickle=False) as arrays:
            return bytes(arrays[name]).decode().split("\n")

    @cached_property
    def rest_names(self) -> tuple[str, ...]:
        """The places' names that the other provinces' codes refer to."""
        return tuple(self._lines("ca_names"))

    @cached_property
    def rest_places(self) -> dict[tuple[str, int], tuple[int, NDArray[np.intp]]]:
        """Larger places of the other provinces: by key and first letter, their codes' rows."""
        letters = self.rest.number // LETTER
        order = np.lexsort((letters, self.rest.name))
        pairs = np.column_stack([self.rest.name[order], letters[order]])
        starts = np.flatnonzero(np.any(np.diff(pairs, axis=0, prepend=-1), axis=1))
        found = {}
        for rows in np.split(order, starts[1:]):
            if len(rows) >= LARGER:
                name = int(self.rest.name[rows[0]])
                key = "".join(lexicon.words_of(self.rest_names[name])[0])
                found[key, int(letters[rows[0]])] = (name, rows)
        return found

    @cached_property
    def abroad(self) -> dict[str, str]:
        """Large towns elsewhere by their keys: what is no misspelt town of Ontario."""
        return dict(line.split("\t", 1) for line in self._lines("abroad"))

    @cached_property
    def spelling(self) -> Spelling:
        """What misspelt names are compared with."""
        return Spelling(self)

    @cached_property
    def codes_of_place(self) -> tuple[int, ...]:
        """How many postal codes are named after each place."""
        return tuple(np.bincount(self.ontario.name, minlength=len(self.places)).tolist())

    @cached_property
    def comma_endings(self) -> frozenset[str]:
        """The last words of names that hold commas: Stormont, Dundas and Glengarry County."""
        lists = (place.words for place in self.places if "," in place.name)
        return frozenset(word for words in lists for word in words[-2:])

    def is_solid(self, place: Place) -> bool:
        """Whether a name is one that people know: no crossroads, railway point or cottages.

        Parameters
        ----------
        place : Place
            One of `places`.

        Returns
        -------
        bool
            True for a municipality, and for what has people enough or a postal code of its own.
        """
        return (
            place.population >= KNOWN
            or place.kind == "municipality"
            or self.codes_of_place[place.number] > 0
        )

    def rows_of_place(self, number: int) -> NDArray[np.intp]:
        """Find the codes that are named after a place, or after one that lies in it.

        Parameters
        ----------
        number : int
            The place's number.

        Returns
        -------
        numpy.ndarray
            Rows of `ontario`.
        """
        rows = self._rows.get(number)
        if rows is None:
            own = [p.number for p in self.places if number in {p.number, p.owner}]
            rows = self._rows[number] = np.flatnonzero(np.isin(self.ontario.name, own))
        return rows

    def named(self, key: str) -> tuple[Place, ...]:
        """Find places by the key of a name.

        Parameters
        ----------
        key : str
            A key of ``ketafind.geocoding.lexicon.name_key``.

        Returns
        -------
        tuple of Place
            In the order of their numbers; empty if nothing is so named.
        """
        return tuple(self.places[number] for number in self.aliases.get(key, ()))


def _places(arrays: Any) -> Iterator[Place]:
    columns = {name: arrays[f"place_{name}"].tolist() for name in COLUMNS}
    names = bytes(arrays["place_name"]).decode().split("\n")
    counties = bytes(arrays["place_counties"]).decode().split("\n")
    return map(
        Place._make,
        zip(
            range(len(names)),
            names,
            [lat / 1e4 for lat in columns["lat"]],
            [lon / 1e4 for lon in columns["lon"]],
            columns["population"],
            [radius / 10 for radius in columns["radius"]],
            [SOURCES[i] for i in columns["source"]],
            [KINDS[i] for i in columns["kind"]],
            [reach / 10 for reach in columns["reach"]],
            [counties[i] for i in columns["county"]],
            columns["owner"],
            strict=True,
        ),
    )


def _aliases(arrays: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for line in bytes(arrays["place_alias"]).decode().split("\n"):
        key, _, numbers = line.partition("\t")
        yield key, tuple([int(number) for number in numbers.split(",")])


PARTS = frozenset({"neighbourhood", "landmark"})
COLUMNS = ("lat", "lon", "population", "radius", "source", "kind", "reach", "county", "owner")

_lock = Lock()
_loaded: list[Gazetteer] = []


def default_gazetteer() -> Gazetteer:
    """Load the bundled gazetteer, once in a process.

    Returns
    -------
    Gazetteer
        The same object each time, in every thread.
    """
    if not _loaded:
        with _lock:
            if not _loaded:
                bundled = resources.files("ketafind.geocoding").joinpath("gazetteer.npz")
                with resources.as_file(bundled) as path:
                    _loaded.append(Gazetteer(path))
    return _loaded[0]


# ---- misspelt names: which of the known ones are a few slips away ----

# So like the name of its postal code's place must a misspelt town be.
LIKE = 0.7

# So like a name must be what is suggested for it.
NEAR = 0.75

SHORTEST = 5
# A name that stands alone is a misspelt town's only if so many people live there: nothing else
# shows that it is not the right name of a place that the gazetteer lacks.
WELL_KNOWN = 2_000

# One slip in a name of so many letters is a slip, and no other name.
LONG = 12

# Of towns equally like, one with so many times the others' postal codes is meant.
DOMINANT = 2

# A slip in another letter than the first is so many times likelier than in that.
RARE = 50

# Words that are what they are, and no town's name with slips.
NEVER_MISSPELT = lexicon.words_for("never_misspelt")

NEVER_LAST = lexicon.STREET_TYPES.keys() | lexicon.UNIT_WORDS | lexicon.DIRECTIONS.keys()

# Words that tell towns apart: Fort Hope is not Port Hope.
HEADS = lexicon.words_for("heads_that_tell_apart")


def _allowed(size: int, *, alone: bool) -> int:
    """How many slips a name of this length may hold; fewer if nothing shows that it is a town."""
    return 1 if size < (10 if alone else 8) else 2


class Spelling:
    """The names of a gazetteer that misspelt ones are compared with."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._gazetteer = gazetteer
        self._solid = tuple(filter(gazetteer.is_solid, gazetteer.places))

    @cached_property
    def _choices(self) -> list[str]:
        solid = {place.number for place in self._solid}
        return [
            key
            for key, numbers in self._gazetteer.aliases.items()
            if len(key) >= SHORTEST and not solid.isdisjoint(numbers)
        ]

    @cached_property
    def bearers(self) -> dict[str, list[Place]]:
        """The places that bear a word beside others in their name, by the word."""
        found: dict[str, list[Place]] = {}
        for place in self._solid:
            if place.kind != "landmark" and len(place.words) > 1:
                for word in set(place.words):
                    found.setdefault(word, []).append(place)
        return found

    @cached_property
    def _towns_like_streets(self) -> list[tuple[str, str, Place]]:
        """Places whose name ends in a street's type, with their keys and those types: Thunder Bay."""
        return [
            (lexicon.name_key(words), words[-1], place)
            for place in self._gazetteer.places
            if place.kind != "landmark" and len(words := place.words) > 1
            if words[-1] in lexicon.STREET_TYPES
        ]

    @cached_property
    def _landmarks(self) -> dict[str, list[Place]]:
        """Landmarks by the first word of their names."""
        found: dict[str, list[Place]] = {}
        for place in self._gazetteer.places:
            if place.kind == "landmark":
                found.setdefault(place.words[0], []).append(place)
        return found

    def near(
        self, words: list[str], *, alone: bool, after_street: bool
    ) -> tuple[int, tuple[Place, ...]]:
        """Find the places whose name is a few slips away from some words."""
        key = lexicon.name_key(words)
        if len(words) > 1 and words[-1] in lexicon.STREET_TYPES:
            return self._like_a_street(key, after_street=after_street)
        if len(key) < SHORTEST or words[-1] in NEVER_LAST:
            return 0, ()
        if words[-1].isdigit() or not NEVER_MISSPELT.isdisjoint(words):
            return 0, ()
        osa, extract = edits()
        most = _allowed(len(key.removeprefix("the")), alone=alone)
        found = extract(key, self._choices, scorer=osa.distance, score_cutoff=most, limit=24)
        heads = HEADS.intersection(lexicon.SHORT_FORMS.get(word, word) for word in words)
        named = self._gazetteer.named
        right = [
            (slips, name)
            for name, slips, _ in found
            if (name[0] == key[0] or (slips == 1 and (not alone or self._is_large(name))))
            and (not heads or any(_bears(place, heads) for place in named(name)))
        ]
        least = min((slips for slips, _ in right), default=0)
        # A village that is nearer in slips than a town is no less likely.
        sure = not alone or (least == 1 and len(key) >= LONG)
        names = [name for slips, name in right if slips == least and (sure or self._is_known(name))]
        if not least or not names:
            # A name without a slip was read before, and is not what was meant.
            return 0, ()
        places = self._likeliest(
            {place: name[0] == key[0] for name in names for place in named(name)}
        )
        if len(words) == 1:
            # Tecumseth is one slip from Tecumseh, and none from a word of New Tecumseth.
            places = list(dict.fromkeys([*places, *self.bearers.get(words[0], ())]))
        return int(least), tuple(places)

    def _like_a_street(self, key: str, *, after_street: bool) -> tuple[int, tuple[Place, ...]]:
        """Find what is one slip away: post towns only, unless a street stands before the name."""
        osa = edits()[0]
        found = [
            place
            for name, ending, place in self._towns_like_streets
            if name[0] == key[0]
            and key.endswith(ending)
            and (after_street or self._codes(place) >= POST_TOWN)
            and osa.distance(key, name, score_cutoff=1) == 1
        ]
        known = [place for place in found if self._gazetteer.is_solid(place)]
        return (1, tuple(known or found)) if found else (0, ())

    def landmark(self, words: list[str]) -> Place | None:
        """Find the one landmark whose name begins so, perhaps with its town after it."""
        places = self._gazetteer.places
        spelt = [lexicon.NICKNAMES.get(word, word) for word in words]
        found = []
        for place in self._landmarks.get(spelt[0], ()):
            own, town = spelt, places[place.owner].words if place.owner >= 0 else []
            name = place.words
            if town and spelt[-len(town) :] == town and name[: len(spelt)] != spelt:
                own = spelt[: -len(town)]
            known = len(own) < 2 or lexicon.name_key(own) in self._gazetteer.aliases
            if name[: len(own)] == own and not known:
                found.append(place)
        return found[0] if len(found) == 1 else None

    def suggested(self, words: list[str], most: int = 3) -> tuple[Place, ...]:
        """Find places that words that name none may mean: what one of them names, then the like."""
        osa, extract = edits()
        alike, key = osa.normalized_similarity, lexicon.name_key(words)
        near = extract(key, self._choices, scorer=alike, score_cutoff=NEAR, limit=most)
        named = [word for word in words if len(word) >= SHORTEST] + [key for key, *_ in near]
        places = (place for key in named for place in self._gazetteer.named(key))
        return tuple(dict.fromkeys(filter(self._gazetteer.is_solid, places)))[:most]

    def is_well_known(self, place: Place) -> bool:
        """Whether so many people live there that its name is no chance likeness."""
        return place.population >= WELL_KNOWN or self._codes(place) >= POST_TOWN

    def _codes(self, place: Place) -> int:
        return self._gazetteer.codes_of_place[place.number]

    def _is_known(self, key: str) -> bool:
        return any(map(self.is_well_known, self._gazetteer.named(key)))

    def _is_large(self, key: str) -> bool:
        return max(map(self._codes, self._gazetteer.named(key))) >= POST_TOWN

    def _likeliest(self, begins: dict[Place, bool]) -> list[Place]:
        """Of names equally like, the one with twice the postal codes of the others, if there is."""
        # Typing errors rarely hit the first letter.
        weights = {p: (RARE if same else 1) * max(1, self._codes(p)) for p, same in begins.items()}
        name = max(weights, key=weights.__getitem__).plain_name
        alike = {p: weights.pop(p) for p in begins if p.plain_name == name}
        dominant = max(alike.values()) >= DOMINANT * max(weights.values(), default=0)
        return sorted(alike if dominant else begins)


def _bears(place: Place, heads: frozenset[str]) -> bool:
    """Whether a place bears all the words that tell towns apart."""
    return heads <= {lexicon.SHORT_FORMS.get(word, word) for word in place.words}
