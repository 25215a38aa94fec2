"""Fit the correction that turns a circular arc into a geodesic, and write src/kernel/series.h.

The length of a geodesic is the arc over its chord c of a circle whose curvature is the mean of the
normal curvatures at both ends, plus

    (c / 1000 km)^5 * P(x, t, w)    with x = (c / 1000 km)^2, t = (dz / c)^2, w = ((z1 + z2) / 2b)^2

where z is the height above the equator's plane: by symmetry nothing else matters. There is one P
for chords up to 1,000 km and a longer one up to 4,000 km. Both are fitted here by least squares,
weighted so that the error counts in metres, to geodesics whose ends and length follow from
Legendre's auxiliary sphere by quadrature in extended precision (no inverse problem is solved). Run it with a numpy whose longdouble has 64 bits of mantissa (x86-64 Linux or macOS):

    python tools/fit_geodesic_series.py            # fit, measure on other pairs, write
    python tools/fit_geodesic_series.py --check    # measure only, fail beyond 4 nm
"""

from __future__ import annotations

import argparse
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
LONG = np.longdouble
A = LONG(6378.137)
F = 1 / LONG("298.257223563")
B = A * (1 - F)
EP2 = F * (2 - F) / (1 - F) ** 2
HEADER = Path(__file__).parents[1] / "src" / "kernel" / "series.h"

Term = tuple[int, int, int]


@dataclass(frozen=True)
class Series:
    """One correction: its name in C, the longest chord, the highest powers, what may be left out.

    Terms start as all powers of x up to `x`, and of t and w together up to `sides`; the one that
    matters least is dropped again and again while the root mean square error stays in `rms_nm`.
    """

    name: str
    shortest_km: float
    longest_km: float
    x: int
    sides: int
    rms_nm: float


SERIES = (
    Series("near", 0.0, 1000.0, 2, 4, 0.15),
    Series("middle", 950.0, 4000.0, 6, 6, 0.2),
)


def main() -> None:
    """Fit or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if np.finfo(LONG).nmant < 63:
        raise SystemExit("numpy's longdouble is too short on this machine")
    check_only = parser.parse_args().check
    texts = [HEAD]
    for series in SERIES:
        if check_only:
            terms, coefficients = read_header(series)
        else:
            terms, coefficients = fit(series, geodesics(series, 40_000, seed=1))
            texts.append(source_of(series, terms, coefficients))
        worst = worst_error(terms, coefficients, geodesics(series, 200_000, seed=2))
        print(
            f"{series.name}, up to {series.longest_km:.0f} km: {len(terms)} terms, largest error on "
            f"200,000 other pairs {worst * 1e12:.2f} nm"
        )
        if worst > 4e-12:
            raise SystemExit("more than 4 nm")
    if not check_only:
        HEADER.write_text("\n".join([*texts, TAIL]), encoding="utf-8")


def geodesics(series: Series, n: int, seed: int) -> dict[str, Array]:
    """Make n geodesics in all directions and latitudes: length, chord and heights in km."""
    rng = np.random.default_rng(seed)
    # The azimuth at the equator crossing, with runs along meridians and the equator.
    azimuth = rng.random(n) * np.pi / 2
    azimuth[: n // 20] = 0.0
    azimuth[n // 20 : n // 10] = np.pi / 2 - 1e-3 * rng.random(n // 10 - n // 20)
    cos0, sin0 = np.cos(azimuth.astype(LONG)), np.sin(azimuth.astype(LONG))
    middle = 2 * LONG(np.pi) * rng.random(n).astype(LONG)
    # Somewhat longer than the chord may be.
    longest = 1.02 * 2 * B * np.arcsin(LONG(series.longest_km) / (2 * B))
    share = rng.random(n).astype(LONG) ** LONG(0.35)
    half = (series.shortest_km + (longest - series.shortest_km) * share) / (2 * B)

    nodes, weights = gauss_legendre(32)
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


def columns(terms: list[Term], pairs: dict[str, Array]) -> Array:
    """One column a term: what its coefficient is multiplied by, in km."""
    x = (pairs["chord"] / 1000) ** 2
    t = (pairs["dz"] / pairs["chord"]) ** 2
    w = ((pairs["z1"] + pairs["z2"]) / (2 * B)) ** 2
    scale = (pairs["chord"] / 1000) ** 5
    return np.stack([scale * x**i * t**j * w**k for i, j, k in terms], axis=1)


def fit(series: Series, pairs: dict[str, Array]) -> tuple[list[Term], Array]:
    """Least squares; the term that matters least is dropped as long as the error allows."""
    sides = range(series.sides + 1)
    # Along the equator the arc is the geodesic: no term is free of both t and w.
    powers = [(j, k) for j in sides for k in sides if 0 < j + k <= series.sides]
    terms = [(i, j, k) for i in range(series.x + 1) for j, k in powers]
    missing = (pairs["length"] - arc(pairs)).astype(float)
    design = columns(terms, pairs).astype(float)
    norms = np.linalg.norm(design, axis=0)
    # The small triangle has the same solutions and the same errors, but for a constant.
    basis, triangle = np.linalg.qr(design / norms)
    target = basis.T @ missing
    constant = ((missing - basis @ target) ** 2).sum()
    kept = list(range(len(terms)))
    allowed = len(missing) * (series.rms_nm * 1e-12) ** 2
    while True:
        q, r = np.linalg.qr(triangle[:, kept])
        solution = np.linalg.solve(r, q.T @ target)
        spread = (np.linalg.inv(r) ** 2).sum(axis=1)
        cost = solution**2 / spread  # by how much the sum of squares grows without each
        least = int(np.argmin(cost))
        rest = ((target - triangle[:, kept] @ solution) ** 2).sum() + constant
        if rest + cost[least] > allowed:
            return [terms[place] for place in kept], solution / norms[kept]
        del kept[least]


def worst_error(terms: list[Term], coefficients: Array, pairs: dict[str, Array]) -> float:
    """Largest difference from the true length in km, apart from rounding in doubles."""
    error = arc(pairs) + columns(terms, pairs) @ coefficients.astype(LONG) - pairs["length"]
    return float(np.abs(error).max())


HEAD = """\
/* Written by tools/fit_geodesic_series.py, which says what it is: the corrections, in km, that are
   multiplied by (chord / 1000 km)^5. */

#ifndef KETAFIND_SERIES_H
#define KETAFIND_SERIES_H
"""
TAIL = "#endif\n"


def source_of(series: Series, terms: list[Term], coefficients: Array) -> str:
    """Write the coefficients and a C function: Horner's rule in x over sums of t and w."""
    names = {term: f"{series.name.upper()}_{''.join(map(str, term))}" for term in terms}
    lines = [
        f"#define {names[term]} ({value:.17e})"
        for term, value in zip(terms, coefficients, strict=True)
    ]
    lines += [
        "",
        f"static ALWAYS_INLINE double {series.name}_correction(double x, double t, double w)",
        "{",
    ]
    powers = sorted({i for i, _, _ in terms})
    for i in powers:
        sums = {
            j: horner({k: names[a, b, k] for a, b, k in terms if (a, b) == (i, j)}, "w")
            for j in sorted({b for a, b, _ in terms if a == i})
        }
        lines += textwrap.wrap(
            f"const double x{i} = {horner(sums, 't')};",
            98,
            initial_indent="    ",
            subsequent_indent="        ",
        )
    lines.append(f"    return {horner({i: f'x{i}' for i in powers}, 'x')};")
    return "\n".join([*lines, "}\n"])


def horner(parts: dict[int, str], name: str) -> str:
    """A polynomial in one variable; the parts by power."""
    text = ""
    for power in range(max(parts), -1, -1):
        inner = f"{name} * ({text})" if text else ""
        text = " + ".join(part for part in (parts.get(power, ""), inner) if part)
    return text


def read_header(series: Series) -> tuple[list[Term], Array]:
    """Read back what the kernel is compiled with."""
    pattern = rf"#define {series.name.upper()}_(\d)(\d)(\d) \((\S+)\)"
    found = re.findall(pattern, HEADER.read_text(encoding="utf-8"))
    terms = [(int(i), int(j), int(k)) for i, j, k, _ in found]
    return terms, np.array([value for *_, value in found], dtype=float)


if __name__ == "__main__":
    main()
