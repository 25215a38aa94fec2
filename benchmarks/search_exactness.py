"""Count wrong answers over a million questions, seeded and adversarial, with and without a filter.

The truth comes from other code: scipy's tree over earth-centred coordinates gives candidates by
chord, pyproj (Karney) measures them, and a question is settled when the farthest candidate's chord
is longer than the k-th distance, since no geodesic is shorter than its chord; otherwise more
candidates are taken, in the end all. The truth itself is checked against brute force on 1,000
questions a set (20 with --quick). Ids count as equal in either order where Karney's distances
differ by less than 1.03 micrometres: that is where the rounding of two libraries may differ.
Of each set 300 origins (20 with --quick) are also asked for all within a radius: half of the radii
are exactly the distance of a point.

    python benchmarks/search_exactness.py [--quick] [--only "Ontario;poles"] [--geodtest FILE]
        [--seed 0] [--state FILE]

Other seeds ask other questions. What FILE says is done is not done again, so that a run can be
broken off.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _search import mask, ontario, world
from pyproj import Geod
from scipy.spatial import cKDTree

from ketafind.geo import geodesic_km
from ketafind.index import KernelIndex

Array = Any
GEOD = Geod(ellps="WGS84")
K = 5
EQUAL_M = 1.03e-6


def earth_centred(lat: Array, lon: Array) -> Array:
    """Metres, by the textbook formula."""
    a, f = 6378137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    phi, lam = np.radians(lat), np.radians(lon)
    across = a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
    return np.column_stack(
        [
            across * np.cos(phi) * np.cos(lam),
            across * np.cos(phi) * np.sin(lam),
            across * (1 - e2) * np.sin(phi),
        ]
    )


class Truth:
    """The right answer among points that pass."""

    def __init__(self, lat: Array, lon: Array, passes: Array) -> None:
        self.positions = np.flatnonzero(passes)
        self.lat, self.lon = lat[self.positions], lon[self.positions]
        self.tree = cKDTree(earth_centred(self.lat, self.lon))

    def metres(self, lat: Array, lon: Array, found: Array) -> Array:
        """Karney's distance from each origin to its candidates."""
        width = found.shape[1]
        return GEOD.inv(
            np.repeat(lon, width), np.repeat(lat, width),
            self.lon[found].ravel(), self.lat[found].ravel(),
        )[2].reshape(found.shape)  # fmt: skip

    def nearest(self, lat: Array, lon: Array, wanted: int = K + 4) -> tuple[Array, Array]:
        """Metres and positions, shape (n, k)."""
        wanted = min(wanted, len(self.lat))
        chord, found = self.tree.query(earth_centred(lat, lon), k=wanted)
        chord, found = chord.reshape(len(lat), -1), found.reshape(len(lat), -1)
        metres = self.metres(lat, lon, found)
        order = np.lexsort((found, np.rint(metres * 1e6)), axis=1)[:, :K]
        metres, best = np.take_along_axis(metres, order, 1), np.take_along_axis(found, order, 1)
        best = self.positions[best]
        open_ = (chord[:, -1] <= metres[:, -1] + 3e-6) & (wanted < len(self.lat))
        if open_.any():
            metres[open_], best[open_] = self.nearest(lat[open_], lon[open_], wanted * 8)
        return metres, best

    def within(self, lat: float, lon: float, km: float) -> tuple[Array, Array]:
        """Metres to all within a radius and a micrometre more, and their positions."""
        near = self.tree.query_ball_point(earth_centred(lat, lon), km * 1e3 + 1e-5)[0]
        found = np.sort(np.array(near, np.intp))[None, :]
        metres = self.metres(np.array([lat]), np.array([lon]), found)[0]
        inside = metres <= km * 1e3 + EQUAL_M
        return metres[inside], self.positions[found[0][inside]]

    def brute(self, lat: float, lon: float) -> Array:
        """The answer to one question from every distance."""
        everyone = np.arange(len(self.lat))[None, :]
        metres = self.metres(np.array([lat]), np.array([lon]), everyone)[0]
        return self.positions[np.lexsort((everyone[0], np.rint(metres * 1e6)))[:K]]


def ring(n: int, metres: float, seed: int) -> tuple[Array, Array]:
    """Points whose distances from (44, -79) differ by centimetres."""
    rng = np.random.default_rng([6, seed] if seed else 6)
    away = metres + rng.uniform(-0.01, 0.01, n)
    lon, lat, _ = GEOD.fwd(np.full(n, -79.0), np.full(n, 44.0), rng.uniform(0, 360, n), away)
    return lat, lon


def sets(scale: float, seed: int) -> list[tuple[str, Any, Any]]:
    """Name, points, origins."""
    rng = np.random.default_rng([8, seed] if seed else 8)
    points, origins = 1 + 10 * seed, 2 + 10 * seed

    def several(n: float) -> int:
        return max(20, int(n * scale))

    def anywhere(n: int) -> tuple[Array, Array]:
        return np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)

    def pole(n: int) -> tuple[Array, Array]:
        lat = np.where(rng.random(n) < 0.5, 1, -1) * (90 - np.abs(rng.normal(0, 0.5, n)))
        return lat, rng.uniform(-180, 180, n)

    def seam(n: int) -> tuple[Array, Array]:
        return rng.normal(0, 20, n).clip(-90, 90), (rng.normal(180, 3, n) + 180) % 360 - 180

    def equator(n: int) -> tuple[Array, Array]:
        return rng.normal(0, 1e-7, n) * (rng.random(n) < 0.5), rng.uniform(-180, 180, n)

    def centre(n: int) -> tuple[Array, Array]:
        return 44.0 + rng.normal(0, 1e-9, n), -79.0 + rng.normal(0, 1e-9, n)

    def near_city(n: int) -> tuple[Array, Array]:
        return rng.normal(43.7, 0.1, n), rng.normal(-79.4, 0.1, n)

    def opposite(n: int) -> tuple[Array, Array]:
        return rng.normal(-43.7, 0.3, n), rng.normal(100.6, 0.3, n)

    one = np.full(20_000, 43.7), np.full(20_000, -79.4)
    doubled = tuple(np.repeat(axis, 4) for axis in near_city(5000))
    return [
        ("Ontario", ontario(100_000, points), ontario(several(250_000), origins, 0.2)),
        ("world", world(100_000, points), world(several(200_000), origins, 0.2)),
        ("sparse world", anywhere(300), anywhere(several(30_000))),
        ("poles", pole(50_000), pole(several(12_000))),
        ("antimeridian", seam(50_000), seam(several(12_000))),
        ("equator", equator(50_000), equator(several(6_000))),
        ("shared coordinates", doubled, near_city(several(6_000))),
        ("one point, 20,000 times", one, near_city(several(1_000))),
        ("city from its antipode", near_city(20_000), opposite(several(1_000))),
        ("ring at 5 km", ring(20_000, 5e3, seed), centre(several(1_000))),
        ("ring at 900 km", ring(20_000, 9e5, seed), centre(several(1_000))),
        ("ring at 4,000 km", ring(20_000, 4e6, seed), centre(several(1_000))),
    ]


def compare(
    name: str, points: Any, origins: Any, share: float, checks: int
) -> tuple[int, int, int, int]:
    """Ask and count: questions, wrong ids, wrong order, and wrong answers about a radius; so many
    truths are checked by force."""
    lat, lon = (np.ascontiguousarray(axis) for axis in points)
    passes = mask(len(lat), share)
    index = KernelIndex(lat, lon)
    bits = np.packbits(passes[index.order], bitorder="little")
    km, position = index.nearest_many(*origins, K, index.prepare(bits))
    truth = Truth(lat, lon, passes)
    metres, right = truth.nearest(*origins)
    for row in range(0, len(right), max(1, len(right) // checks)):
        brute = truth.brute(origins[0][row], origins[1][row])
        if not np.array_equal(brute, right[row]):
            raise SystemExit(f"{name}: the truth is not that of brute force in question {row}")
    # An id may stand elsewhere among those as far to the micrometre, inside the five or beyond.
    own = np.array(
        GEOD.inv(
            np.repeat(origins[1], K), np.repeat(origins[0], K),
            lon[position].ravel(), lat[position].ravel(),
        )[2]
    ).reshape(position.shape)  # fmt: skip
    off = np.abs(own - metres) >= EQUAL_M
    differ = (position != right) & off
    wrong_ids = int((off & ~(position[:, :, None] == right[:, None, :]).any(axis=2)).any(1).sum())
    wrong_order = int(differ.any(axis=1).sum())
    swapped = int(((position != right) & ~off).any(axis=1).sum())
    error = float(np.abs(km * 1000 - own).max() * 1e9)
    print(
        f"  {name:24} {share:4.0%}  {len(right):8,} questions  wrong ids {wrong_ids}  wrong order "
        f"{wrong_order}  (ties to the micrometre {swapped})  distance within {error:.1f} nm"
    )
    wrong_within = around(index, index.prepare(bits), truth, origins, metres[:, -1] / 1e3, checks)
    return len(right), wrong_ids, wrong_order, wrong_within


def around(
    index: KernelIndex, passing: Any, truth: Truth, origins: Any, to_fifth_km: Array, checks: int
) -> int:
    """Count wrong answers about all within a radius: exactly as far as a point, and any radius."""
    rng = np.random.default_rng(len(to_fifth_km))
    wrong = 0
    for turn, row in enumerate(rng.integers(0, len(to_fifth_km), min(checks, 300)).tolist()):
        at = float(origins[0][row]), float(origins[1][row])
        fifth = index.nearest(*at, K, passing)[0][-1]
        radius_km = fifth if turn % 2 else float(10 ** rng.uniform(-1.5, 1.5))
        km, position = index.within(*at, radius_km, passing)
        metres, right = truth.within(*at, radius_km)
        sure = right[metres < radius_km * 1e3 - EQUAL_M]
        own = dict(zip(right.tolist(), metres.tolist(), strict=True))
        order = np.array([own.get(one, np.nan) for one in position.tolist()])
        good = len(set(position.tolist())) == len(position) and set(sure) <= set(position.tolist())
        good = good and bool((np.abs(order - km * 1e3) < EQUAL_M).all())
        good = good and bool((np.diff(np.rint(km * 1e9)) >= 0).all())
        wrong += not good
    return wrong


def distances(n: int, path: str | None) -> None:
    """The distance against Karney's: random pairs, and his own test set."""
    rng = np.random.default_rng(9)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon = rng.uniform(-180, 180, n)
    for low, high in ((0, 50), (50, 1000), (1000, 4000), (4000, 20004)):
        away = rng.uniform(low, high, n) * 1000
        lon2, lat2, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360, n), away)
        error = geodesic_km(lat, lon, lat2, lon2) * 1e12 - GEOD.inv(lon, lat, lon2, lat2)[2] * 1e9
        print(f"  {low} to {high} km: {n:,} pairs within {np.abs(error).max():.1f} nm of Karney")
    if path:
        import pandas as pd

        test = pd.read_csv(path, comment="#")
        error = geodesic_km(test.lat1, test.lon1, test.lat2, test.lon2) * 1e12 - test.s12 * 1e9
        print(f"  GeodTest, {len(test):,} rows: within {np.abs(error).max():.1f} nm")


def main() -> None:
    """All sets, twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="names of sets, separated by semicolons")
    parser.add_argument("--geodtest", help="Karney's test set as CSV, with a header")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, help="a line a set that is done, as JSON")
    options = parser.parse_args()
    begun = time.perf_counter()
    state = options.state
    lines = state.read_text().splitlines() if state and state.exists() else []
    done = {tuple(key): counts for key, counts in map(json.loads, lines)}
    checks = 20 if options.quick else 1000
    for name, points, origins in sets(0.01 if options.quick else 1.0, options.seed):
        if options.only and name not in options.only.split(";"):
            continue
        for share in (1.0, 0.1):
            key = options.seed, name, share
            if key not in done:
                done[key] = compare(name, points, origins, share, checks)
                if state:
                    with state.open("a") as file:
                        print(json.dumps([key, done[key]]), file=file)
    total = np.sum([[0] * 4, *done.values()], axis=0)
    print(f"{total[0]:,} questions: {total[1]} wrong ids, {total[2]} wrong order; "
          f"{total[3]} wrong answers about a radius")  # fmt: skip
    distances(20_000 if options.quick else 300_000, options.geodtest)
    print(f"{time.perf_counter() - begun:.0f} s")
    if total[1:].any():
        sys.exit(1)


if __name__ == "__main__":
    main()
