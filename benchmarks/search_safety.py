"""Memory that stays flat, files that are damaged, threads that agree, and forks beside them.

python benchmarks/search_safety.py [--quick] [--only agree,forks,damaged,flat]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _search import K, mask, ontario

from ketafind.errors import DirectoryFileError
from ketafind.files import open_arrays, write_arrays
from ketafind.index import KernelIndex

Array = Any


def resident_mib() -> float:
    """Memory in use, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def n_descriptors() -> int:
    """Open files, on Linux."""
    return len(os.listdir("/proc/self/fd"))


def flat(questions: int, openings: int, folder: Path) -> bool:
    """Memory and descriptors before and after."""
    index = KernelIndex(*ontario(100_000, 1))
    prepared = index.prepare(np.packbits(mask(100_000, 0.1)[index.order], bitorder="little"))
    block = questions // 20
    lat, lon = ontario(block, 2, 0.2)
    singles = list(zip(lat[:20_000].tolist(), lon[:20_000].tolist(), strict=True))
    readings = []
    for turn in range(20):
        index.nearest_many(lat, lon, K, prepared)
        for origin in singles:
            index.nearest(*origin, K, prepared)
        index.within(lat[0], lon[0], 10.0, prepared)
        index.nearest(43.0, -79.0, K, index.prepare(np.full(12_500, turn, np.uint8)))
        readings.append(resident_mib())
    growth = readings[-1] - readings[4]
    print(
        f"{questions + 400_000:,} questions: memory grew by {growth:.2f} MiB after the first fifth"
    )
    path = folder / "index"
    write_arrays(path, {}, index.arrays)
    for turn in range(openings + 100):
        if turn == 100:
            before, files = resident_mib(), n_descriptors()
        copy = KernelIndex.from_arrays(open_arrays(path, verify=False)[1], verify=False)
        copy.nearest(43.0, -79.0, K)
    del copy
    grown, more = resident_mib() - before, n_descriptors() - files
    print(f"{openings:,} openings: memory grew by {grown:.2f} MiB, open files by {more}")
    return growth < 1.0 and grown < 1.0 and more <= 0


def refused_or_same(path: Path, *, verify: bool) -> bool:
    """Open and ask; True if it was refused."""
    try:
        index = KernelIndex.from_arrays(open_arrays(path, verify=verify)[1], verify=verify)
    except DirectoryFileError:
        return True
    bits = np.full((len(index) + 7) // 8, 0x55, np.uint8)
    index.nearest(44.0, -79.0, K)
    index.nearest(-44.0, 101.0, K, index.prepare(bits))
    index.within(44.0, -79.0, 50.0)
    return False


def damaged(flips: int, folder: Path) -> bool:
    """Every truncation of a small file, and sampled bit flips of a larger one."""
    path = folder / "small"
    write_arrays(path, {"made": "by a benchmark"}, KernelIndex(*ontario(40, 1)).arrays)
    whole = path.read_bytes()
    let_through = 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        let_through += not refused_or_same(path, verify=True)
        let_through += not refused_or_same(path, verify=False)
    print(f"{len(whole):,} truncations: {let_through} opened")
    path = folder / "larger"
    write_arrays(path, {"made": "by a benchmark"}, KernelIndex(*ontario(2000, 1)).arrays)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(12)
    verified = unverified = 0
    for place in rng.integers(0, len(content) * 8, flips).tolist():
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        verified += not refused_or_same(path, verify=True)
        unverified += not refused_or_same(path, verify=False)
        content[place // 8] ^= 1 << place % 8
    print(
        f"{flips:,} bit flips in {len(content):,} bytes: {verified} opened verified; "
        f"{unverified} opened unverified, asked without crash or hang"
    )
    return let_through == verified == 0


def agree(rounds: int) -> bool:
    """Sixty-four threads against one: in a batch, and each asking on its own."""
    index = KernelIndex(*ontario(100_000, 1))
    prepared = index.prepare(np.packbits(mask(100_000, 0.1)[index.order], bitorder="little"))
    same = True
    for turn in range(rounds):
        lat, lon = ontario(64_000, 2 + turn, 0.2)
        one = index.nearest_many(lat, lon, K, prepared, threads=1)
        many = index.nearest_many(lat, lon, K, prepared, threads=64)
        same &= all(a.tobytes() == b.tobytes() for a, b in zip(one, many, strict=True))
        asked = list(zip(lat.tolist(), lon.tolist(), strict=True))
        alone: list[Any] = [None] * 64

        def ask(number: int, asked: Any = asked, alone: Any = alone) -> None:
            alone[number] = [index.nearest(*at, K, prepared) for at in asked[number::64]]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(64):
            same &= (
                np.array([km for km, _ in alone[number]]).tobytes() == one[0][number::64].tobytes()
            )
            same &= [found for _, found in alone[number]] == one[1][number::64].tolist()
    print(f"64 threads, {rounds} times 64,000 origins, in a batch and one by one: "
          f"{'the same bytes' if same else 'DIFFERENT'}")  # fmt: skip
    return bool(same)


def forks(times: int) -> bool:
    """Forks while threads are busy: each child asks, on threads of its own, and is right."""
    index = KernelIndex(*ontario(100_000, 1))
    lat, lon = ontario(10_000, 2, 0.2)
    right = index.nearest_many(lat, lon, K)[1].tobytes()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            index.nearest_many(lat, lon, K, threads=2)
            index.nearest(44.0, -79.0, K, index.prepare(np.full(12_500, 0x55, np.uint8)))

    threads = [threading.Thread(target=busy) for _ in range(4)]
    for thread in threads:
        thread.start()
    good = 0
    for _ in range(times):
        child = os.fork()
        if child == 0:
            signal.alarm(120)  # what hangs is killed, and counted
            answer = index.nearest_many(lat, lon, K, threads=2)[1].tobytes()
            os._exit(0 if answer == right else 1)
        good += os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{times:,} forks beside 4 busy threads: {good:,} children answered right")
    return good == times


def main() -> None:
    """All of it, or parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="agree,forks,damaged,flat")
    options = parser.parse_args()
    quick = options.quick
    with tempfile.TemporaryDirectory() as folder:
        parts: dict[str, Callable[[], bool]] = {
            "agree": lambda: agree(1 if quick else 100),
            "forks": lambda: forks(20 if quick else 1000),
            "damaged": lambda: damaged(500 if quick else 20_000, Path(folder)),
            "flat": lambda: flat(10**6 if quick else 10**7, 500 if quick else 10_000, Path(folder)),
        }
        passed = [parts[name]() for name in options.only.split(",")]
    if not all(passed):
        sys.exit(1)


if __name__ == "__main__":
    main()
