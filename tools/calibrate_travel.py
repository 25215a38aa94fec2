"""Measure how far the times of built networks are from an engine's, for ``Profile.error``.

The folder holds ``NAME.osm.pbf`` and, for each profile, pairs of places (columns lat0, lon0, lat1,
lon1, time_s) with the seconds that an engine takes on the same roads: ``NAME_ENGINE.csv`` for the
car, ``NAME_ENGINE_foot.csv`` and ``NAME_ENGINE_bicycle.csv``. Pairs within a minute are left out.
The factors are the 4 % and 96 % quantiles of the engine's time over ours, a little wider than the
middle nine in ten, since few pairs tell of the ends, and 1 lies between them; how many times fall
between factors that were learnt on one half of the pairs is counted on the other half, in turn.
The table that ships was fitted on the public roads of Peterborough, Ontario, by Valhalla 3.9.1.

    python tools/calibrate_travel.py FOLDER
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from ketafind.travel import PROFILES, build_roads

SPAN = (0.04, 0.96)
SHORTEST_S = 60.0
ROUNDS = 200


def ratios(extract: Path, pairs: Path, profile: str) -> np.ndarray:
    """The engine's time over ours, for each pair that has both."""
    with open(pairs, encoding="utf-8") as file:
        rows = [[float(row[name]) for name in COLUMNS] for row in csv.DictReader(file)]
    table = np.array(rows)
    table = table[table[:, 4] > SHORTEST_S]
    router = build_roads(extract, profiles=(profile,))
    starts, goals = (router.ends_of(router.snap(table[:, at : at + 2])) for at in (0, 2))
    ours = np.array([router.reach(starts, at).to(goals)[at] for at in range(len(table))]) * 60
    return np.asarray(table[:, 4] / ours)[np.isfinite(ours)]


COLUMNS = ("lat0", "lon0", "lat1", "lon1", "time_s")


def factors(ratio: np.ndarray) -> tuple[float, float]:
    """What the engine's times lie between, as factors of ours."""
    low, high = np.quantile(ratio, SPAN)
    return min(1.0, float(low)), max(1.0, float(high))


def held_out(ratio: np.ndarray, rng: np.random.Generator) -> float:
    """How many of one half lie between what the other half gives."""
    shuffled = rng.permutation(ratio)
    half = len(shuffled) // 2
    low, high = factors(shuffled[:half])
    return float(((low <= shuffled[half:]) & (shuffled[half:] <= high)).mean())


def main() -> int:
    """Print what each profile's error is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for extract in sorted(folder.glob("*.osm.pbf")):
        for pairs in sorted(folder.glob(f"{extract.name.partition('.')[0]}_*.csv")):
            last = pairs.stem.rpartition("_")[2]
            profile = last if last in PROFILES else "car"
            ratio = ratios(extract, pairs, profile)
            rng = np.random.default_rng(0)
            shares = [held_out(ratio, rng) for _ in range(ROUNDS)]
            low, high = factors(ratio)
            error = np.abs(1 / ratio - 1)
            print(
                f"{pairs.name}: {profile}, {len(ratio)} pairs, error {np.median(error):.1%} at the "
                f"median and {np.quantile(error, 0.9):.1%} at p90; error=({low:.2f}, {high:.2f}); "
                f"on the other half {np.mean(shares):.1%} (of halves "
                f"{np.quantile(shares, 0.05):.0%} to {np.quantile(shares, 0.95):.0%})"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
