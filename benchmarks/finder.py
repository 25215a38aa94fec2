"""The finder page against the package: 1,000 random questions, and how long the page takes.

    python benchmarks/finder.py [--quick]

Half are put to the bundled clinics, half to 2,000 random ones. Every answer of the page, by its own
script in node, must be the package's; how texts were read is counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

import ketafind as kf

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from finder_queries import compared, random_directory


def main(n: int) -> None:
    """Compare, and print how the texts were read."""
    with tempfile.TemporaryDirectory() as folder:
        for seed, directory in enumerate((kf.load_directory(), random_directory(2000))):
            page = Path(folder, f"{seed}.html")
            directory.to_html(page)
            how, times = compared(directory, page, n // 2, seed)
            print(f"{directory!r}, page of {page.stat().st_size:,} bytes")
            for said, count in sorted(how.items()):
                print(f"  {count:5} {said}")
            ms = times["answers_ms"]
            print(
                f"  unpacked in {times['opened_ms']:.0f} ms; read and answered in "
                f"{median(ms):.1f} ms at the median, {quantiles(ms, n=20)[-1]:.1f} ms at p95"
            )


if __name__ == "__main__":
    main(100 if "--quick" in sys.argv else 1000)
