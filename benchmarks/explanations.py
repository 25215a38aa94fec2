"""How long explanations take, in processor time: on the bundled data and on many clinics.

    python benchmarks/explanations.py [--quick]

Limits: 5 ms each on the bundled data, 50 ms each on 100,000 clinics (of random facts, a tenth with
two services). The query itself is part of each figure, and so is writing the text. Exits 1 when a
limit is passed on 100,000 clinics or on the bundled data.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

import ketafind as kf

ORIGIN = kf.Coordinates(lat=44.23, lon=-76.48)
WANTED = {"routes": "iv", "staff": "psychiatrist", "conditions": "ptsd"}
RARE = {"routes": "sc", "products": "esketamine", "staff": "psychiatrist", "conditions": "ptsd"}


def clinics(n: int, seed: int = 1) -> list[kf.Clinic]:
    """Clinics with random facts around Ontario."""
    rng = np.random.default_rng(seed)
    words = kf.load_directory().vocabulary
    terms = {
        f: [t.id for t in words.facet(f).terms] for f in ("route", "staff", "condition", "product")
    }

    def service(name: str) -> kf.Service:
        drawn = {f: rng.choice(ids, rng.integers(0, 3), replace=False) for f, ids in terms.items()}
        facts = {f: dict.fromkeys(map(str, some), kf.Truth.YES) for f, some in drawn.items()}
        return kf.Service(service_id=name, facts=facts)

    return [
        kf.Clinic(
            clinic_id=f"c{at:06}",
            name=f"Clinic {at}",
            status="active" if rng.random() < 0.8 else "uncertain",
            services=tuple(service(str(s)) for s in range(2 if rng.random() < 0.1 else 1)),
            location=kf.Location(
                lat=float(rng.uniform(42, 50)), lon=float(rng.uniform(-90, -75)),
                radius_km=float(rng.choice([0.5, 5.0, 8.0])),
            ),
        )
        for at in range(n)
    ]  # fmt: skip


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Median processor time, after one round to warm up."""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return 1000.0 * median(taken)


def measure(directory: kf.Directory, rounds: int) -> dict[str, float]:
    """Milliseconds for each kind of explanation."""
    some = directory.clinics[len(directory) // 2].clinic_id
    near = lambda **more: directory.nearest(ORIGIN, 5, **{**WANTED, **more})  # noqa: E731
    rare = lambda: directory.nearest(ORIGIN, 5, max_distance_km=30, **RARE)  # noqa: E731
    tasks: dict[str, Callable[[], object]] = {
        "the query alone": near,
        "explain": lambda: str(near().explain()),
        "why_not": lambda: str(near().why_not(some)),
        "relax": lambda: str(near().relax()),
        "relax, nothing near": lambda: str(rare().relax()),
        "questions": lambda: str(near().questions()),
        "qualification": lambda: str(directory.qualification(some)),
    }
    return {name: milliseconds(work, rounds) for name, work in tasks.items()}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 clinics and fewer rounds")
    quick = parser.parse_args().quick
    n, rounds = (10_000, 5) if quick else (100_000, 15)
    many = kf.Directory.from_clinics(clinics(n), check=False)
    few = measure(kf.load_directory(), rounds)
    lots = measure(many, rounds)
    print(f"{'milliseconds':22}{'26 clinics':>12}{n:>11,} clinics")
    for name, taken in few.items():
        print(f"{name:22}{taken:12.2f}{lots[name]:19.2f}")
    return int(max(few.values()) > 5.0 or max(lots.values()) > 50.0)


if __name__ == "__main__":
    sys.exit(main())
