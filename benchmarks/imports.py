"""Time what a user waits for first: the import, and the first answer of a new process.

Each round starts every program once, so that what else the machine does meets all of them. The
limits are for processor time, which other work does not stretch; on a machine that does nothing
else it is the wall time. Exits 1 when a limit is passed.

    python benchmarks/imports.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from statistics import median

IMPORT_LIMIT = 1.2  # times `import numpy`
ANSWER_LIMIT_S = 0.5  # beyond the interpreter's own start, and pandas if it is imported

ANSWER = """
import sys
import ketafind
matches = ketafind.load_directory().nearest(
    "Kingston, ON", k=5, routes="iv", conditions="depression"
)
assert len(matches) > 0
print("pandas" if "pandas" in sys.modules else "nothing")
"""
PROGRAMS = {
    "nothing": "pass",
    "numpy": "import numpy",
    "pandas": "import pandas",
    "ketafind": "import ketafind",
    "first answer": ANSWER,
}


def spent(program: str) -> tuple[float, float]:
    """Run a program in a new interpreter; give the wall and processor seconds it took."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begun, os.times()
    processor = after.children_user + after.children_system
    return wall, processor - before.children_user - before.children_system


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """The median wall and processor seconds of each program, after one round to warm up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            taken = spent(program)
            times[name] += [taken] if turn else []
    return {
        name: (median(wall for wall, _ in taken), median(cpu for _, cpu in taken))
        for name, taken in times.items()
    }


def main() -> int:
    """Print the medians and the two figures that have a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="7 rounds instead of 30")
    times = measure(7 if parser.parse_args().quick else 30)
    print(f"{'seconds':14} {'wall':>8} {'processor':>10}")
    for name, (wall, processor) in times.items():
        print(f"{name:14} {wall:8.3f} {processor:10.3f}")
    cpu = {name: processor for name, (_, processor) in times.items()}
    ratio = (cpu["ketafind"] - cpu["nothing"]) / (cpu["numpy"] - cpu["nothing"])
    print(f"import ketafind / import numpy: {ratio:.2f} (limit {IMPORT_LIMIT})")
    base = subprocess.run(
        [sys.executable, "-c", ANSWER], check=True, capture_output=True, text=True
    ).stdout.strip()
    wait = cpu["first answer"] - cpu[base]
    print(f"first answer beyond the interpreter and {base}: {wait:.3f} s (limit {ANSWER_LIMIT_S})")
    return int(ratio > IMPORT_LIMIT or wait > ANSWER_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
