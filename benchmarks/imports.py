"""Time what a user waits for first: the import, and the first answer of a new process.

Each round starts every program once, so that what else the machine does meets all of them; the
medians are compared within one run. Exits 1 when a limit is passed.

    python benchmarks/imports.py [--quick]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

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


def seconds(program: str) -> float:
    """Run a program in a new interpreter; give its wall time from start to exit."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def medians(rounds: int) -> dict[str, float]:
    """The median wall time of each program, in interleaved rounds after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(rounds + 1):
        for name, program in PROGRAMS.items():
            spent = seconds(program)
            if turn:
                times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


def main() -> int:
    """Print the medians and the two figures that have a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 30")
    median = medians(5 if parser.parse_args().quick else 30)
    for name, spent in median.items():
        print(f"{name:14} {spent * 1e3:8.1f} ms")
    ratio = (median["ketafind"] - median["nothing"]) / (median["numpy"] - median["nothing"])
    print(f"import ketafind / import numpy: {ratio:.2f} (limit {IMPORT_LIMIT})")
    base = subprocess.run(
        [sys.executable, "-c", ANSWER], check=True, capture_output=True, text=True
    ).stdout.strip()
    wait = median["first answer"] - median["pandas" if base == "pandas" else "nothing"]
    print(f"first answer beyond the interpreter and {base}: {wait:.3f} s (limit {ANSWER_LIMIT_S})")
    return int(ratio > IMPORT_LIMIT or wait > ANSWER_LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
