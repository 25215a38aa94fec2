"""How often the stated distance intervals hold the true distance, and how wide they are.

Both true positions are drawn around the stated ones in three ways: normally, so that 90 % lie
within the stated radius; evenly in the disc of that radius; and evenly in the larger disc of which
the stated radius holds 90 %. Coverage must be 88 to 95 %, the median width at most 1.1 times the
central 90 % of the simulated distances.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from ketafind.geo import distance_interval_km

RADII_KM = (0.0, 0.5, 1.0, 5.0, 8.0, 20.0)
RATIOS = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 50.0)
WAYS = ("normal", "disc", "wider disc")


def drawn(way: str, radius_km: float, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Offsets of the true position, in kilometres east and north."""
    if way == "normal":
        return rng.normal(0.0, radius_km / math.sqrt(2.0 * math.log(10.0)), (n, 2))
    reach = radius_km if way == "disc" else radius_km / math.sqrt(0.9)
    turn = rng.uniform(0.0, 2.0 * math.pi, n)
    far = reach * np.sqrt(rng.uniform(0.0, 1.0, n))
    return np.column_stack([far * np.cos(turn), far * np.sin(turn)])


def simulate(way: str, n: int, seed: int = 1) -> tuple[list[float], list[float]]:
    """Coverage and relative width for each pair of radii and ratio of distance to radius."""
    rng = np.random.default_rng(seed)
    coverage, width = [], []
    pairs = [(a, b) for a in RADII_KM for b in RADII_KM if a or b]
    for origin_km, clinic_km in pairs:
        for ratio in RATIOS:
            stated = ratio * math.hypot(origin_km, clinic_km)
            apart = drawn(way, clinic_km, n, rng) - drawn(way, origin_km, n, rng)
            true = np.hypot(stated + apart[:, 0], apart[:, 1])
            low, high = distance_interval_km(stated, origin_km, clinic_km)
            coverage.append(float(((low <= true) & (true <= high)).mean()))
            first, last = np.quantile(true, [0.05, 0.95])
            width.append((high - low) / float(last - first))
    return coverage, width


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    n = 2_000 if parser.parse_args().quick else 100_000
    print(f"{n} draws for each of {len(RATIOS) * (len(RADII_KM) ** 2 - 1)} settings a way\n")
    print("way         coverage: mean   lowest  highest   width over central 90 %: median  highest")
    for way in WAYS:
        coverage, width = simulate(way, n)
        print(
            f"{way:12}{np.mean(coverage):14.3f}{min(coverage):9.3f}{max(coverage):9.3f}"
            f"{np.median(width):34.3f}{max(width):9.3f}"
        )


if __name__ == "__main__":
    main()
