"""Fit the correction that turns a circular arc into a geodesic, and write src/kernel/series.h.

The length of a geodesic up to 1,000 km is the arc over its chord c of a circle whose curvature is
the mean of the normal curvatures at both ends, plus

    (c / 1000 km)^5 * P(x, t, w)    with x = (c / 1000 km)^2, t = (dz / c)^2, w = ((z1 + z2) / 2b)^2

where z is the height above the equator's plane: by symmetry nothing else matters. P is fitted here
by least squares, weighted so that the error counts in metres, to geodesics whose ends and length
follow from Legendre's auxiliary sphere by quadrature in extended precision (no inverse problem is
solved). Run it with a numpy whose longdouble has 64 bits of mantissa (x86-64 Linux or macOS):

    python tools/fit_geodesic_series.py            # fit, measure on other pairs, write
    python tools/fit_geodesic_series.py --check    # measure only, fail beyond 2 nm
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
LONG = np.longdouble
A = LONG(6378.137)
F = 1 / LONG("298.257223563")
B = A * (1 - F)
EP2 = F * (2 - F) / (1 - F) ** 2
LONGEST_KM = LONG(1010)
HEADER = Path(__file__).parents[1] / "src" / "kernel" / "series.h"

# Powers (of x, t, w) that were left when, of all up to (2, 4, 4), the one that mattered least was
# dropped again and again while the largest error stayed near 1 nm.
TERMS = [
    *[(0, 0, power) for power in (1, 2, 3)],
    *[(0, 1, power) for power in (0, 1, 2, 3)],
    *[(0, 2, power) for power in (0, 1, 2)],
    (0, 3, 0),
    *[(1, 0, power) for power in (1, 2, 3)],
    *[(1, 1, power) for power in (0, 1, 2)],
    (1, 2, 0),
    (2, 0, 1),
    (2, 1, 0),
]


def main() -> None:
    """Fit or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if np.finfo(LONG).nmant < 63:
        raise SystemExit("numpy's longdouble is too short on this machine")
    if not parser.parse_args().check:
        coefficients = fit(geodesics(60_000, seed=1))
        HEADER.write_text(source_of(coefficients), encoding="utf-8")
    worst = worst_error(read_header(), geodesics(300_000, seed=2))
    print(f"largest error of the series on 300,000 other pairs: {worst * 1e12:.2f} nm")
    if worst > 2e-12:
        raise SystemExit("more than 2 nm")


def geodesics(n: int, seed: int) -> dict[str, Array]:
    """Make n geodesics in all directions and latitudes: length, chord and heights in km."""
    rng = np.random.default_rng(seed)
    # The azimuth at the equator crossing, with runs along meridians and the equator.
    azimuth = rng.random(n) * np.pi / 2
    azimuth[: n // 20] = 0.0
    azimuth[n // 20 : n // 10] = np.pi / 2 - 1e-3 * rng.random(n // 10 - n // 20)
    cos0, sin0 = np.cos(azimuth.astype(LONG)), np.sin(azimuth.astype(LONG))
    middle = 2 * LONG(np.pi) * rng.random(n).astype(LONG)
    half = LONGEST_KM / (2 * B) * rng.random(n).astype(LONG) ** LONG(0.35)

    nodes, weights = gauss_legendre(24)
    sine = np.sin(middle[:, None] + half[:, None] * nodes)
    stretch = np.sqrt(1 + (EP2 * cos0**2)[:, None] * sine**2)
    length = B * half * (stretch @ weights)
    turn = half * (((2 - F) / (1 + (1 - F) * stretch)) @ weights)

    (s1, c1), (s2, c2) = ((np.sin(at), np.cos(at)) for at in (middle - half, middle + half))
    omega = np.arctan2(sin0 * np.sin(2 * half), c1 * c2 + sin0**2 * s1 * s2)
    longitude = omega - F * sin0 * turn
    p1, p2 = (A * np.sqrt(c * c + (sin0 * s) ** 2) for s, c in ((s1, c1), (s2, c2)))
    # Differences as products, so that short chords keep their digits.
    dz = 2 * B * cos0 * np.cos(middle) * np.sin(half)
    dp = (A * cos0) ** 2 * np.sin(2 * middle) * np.sin(2 * half) / (p1 + p2)
    chord = np.sqrt(dp**2 + 4 * p1 * p2 * np.sin(longitude / 2) ** 2 + dz**2)
    return {"length": length, "chord": chord, "dz": dz, "z1": B * cos0 * s1, "z2": B * cos0 * s2}


def gauss_legendre(n: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1], polished by Newton's method to extended precision."""
    nodes = np.polynomial.legendre.leggauss(n)[0].astype(LONG)
    for _ in range(3):
        value, slope = legendre(n, nodes)
        nodes = nodes - value / slope
    return nodes, 2 / ((1 - nodes**2) * legendre(n, nodes)[1] ** 2)


def legendre(n: int, x: Array) -> tuple[Array, Array]:
    """Legendre's polynomial and its derivative, by the three-term recurrence."""
    before, value = np.ones_like(x), x
    for k in range(2, n + 1):
        before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
    return value, n * (x * value - before) / (x * x - 1)


def arc(pairs: dict[str, Array]) -> Array:
    """Length of the circular arc: what geodesic.h computes before it adds the correction."""
    inverse = []
    for z in (pairs["z1"], pairs["z2"]):
        v = EP2 * (z / B) ** 2
        inverse.append(1 - v * (0.5 - v * (0.375 - v * (0.3125 - v * LONG(0.2734375)))))
    t = (pairs["dz"] / pairs["chord"]) ** 2
    curvature = (1 + EP2 * t) * (inverse[0] + inverse[1]) / (2 * A)
    return 2 / curvature * np.arcsin(curvature * pairs["chord"] / 2)


def columns(pairs: dict[str, Array]) -> Array:
    """One column a term: what its coefficient is multiplied by, in km."""
    x = (pairs["chord"] / 1000) ** 2
    t = (pairs["dz"] / pairs["chord"]) ** 2
    w = ((pairs["z1"] + pairs["z2"]) / (2 * B)) ** 2
    scale = (pairs["chord"] / 1000) ** 5
    return np.stack([scale * x**i * t**j * w**k for i, j, k in TERMS], axis=1)


def fit(pairs: dict[str, Array]) -> Array:
    """Least squares on columns of equal length."""
    design = columns(pairs).astype(float)
    norms = np.linalg.norm(design, axis=0)
    missing = (pairs["length"] - arc(pairs)).astype(float)
    return np.linalg.lstsq(design / norms, missing, rcond=None)[0] / norms


def worst_error(coefficients: Array, pairs: dict[str, Array]) -> float:
    """Largest difference from the true length in km, apart from rounding in doubles."""
    error = arc(pairs) + columns(pairs) @ coefficients.astype(LONG) - pairs["length"]
    return float(np.abs(error).max())


def source_of(coefficients: Array) -> str:
    """Write the C header."""
    lines = [
        "/* Written by tools/fit_geodesic_series.py; km for a chord of 1,000 km.",
        "   P_ijk multiplies x^i t^j w^k: see there. */",
        *(
            f"#define P_{i}{j}{k} ({value:.17e})"
            for (i, j, k), value in zip(TERMS, coefficients, strict=True)
        ),
    ]
    return "\n".join(lines) + "\n"


def read_header() -> Array:
    """Read back what the kernel is compiled with."""
    found = re.findall(r"#define P_\d{3} \((\S+)\)", HEADER.read_text(encoding="utf-8"))
    return np.array(found, dtype=float)


if __name__ == "__main__":
    main()
