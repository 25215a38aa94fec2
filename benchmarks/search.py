"""The search core against other libraries: single questions, batches, builds and files.

Every table is measured in one run with its peers taking turns, so that what else the machine does
meets all of them; figures are ratios to ketafind in the same turn, the median with the least and
the most. Peers get a tree for each filter, built beforehand. Only "scipy + pyproj" also answers by
geodesic; the others rank on a sphere or in degrees, whose wrong answers are counted beside them.

    python benchmarks/search.py [--quick] [--only single,unseen,batch,build,threads,files]
        [--rounds 5] [--origins 1000000] [--plot docs/search_speed.svg]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _search import (
    FACETS,
    SHARES,
    BallTree,
    Ketafind,
    PyKDTree,
    PyNanoflann,
    RTree,
    ScipyPyproj,
    ScipySphere,
    SjoinNearest,
    STRTree,
    directory,
    each_ns,
    mask,
    ontario,
    spread,
    timed,
    unit,
    world,
)

import ketafind as kf
from ketafind.files import open_arrays, write_arrays
from ketafind.index import KernelIndex

Peers = dict[str, Any]
Ratios = dict[str, dict[str, float]]
"""For each peer and each share of points that pass, its time over ketafind's."""


def available(makers: Peers) -> Peers:
    """Those whose package is installed."""
    there = {}
    for name, maker in makers.items():
        try:
            maker(np.array([43.0, 44.0] * 20), np.array([-79.0, -80.0] * 20))
        except ImportError as error:
            print(f"   ({name} left out: {error})")
        else:
            there[name] = maker
    return there


def single(n: int, rounds: int, questions: int) -> Ratios:
    """One origin at a time, from Python: `Filter.nearest` of a directory."""
    makers = available(
        {
            "pynanoflann": PyNanoflann, "pykdtree": PyKDTree, "scipy + pyproj": ScipyPyproj,
            "scipy sphere": ScipySphere, "BallTree": BallTree, "STRtree k=1": STRTree,
            "rtree degrees": RTree,
        }
    )  # fmt: skip
    lat, lon = ontario(n, 1)
    origins = list(zip(*(axis.tolist() for axis in ontario(questions, 2, 0.2)), strict=True))
    clinics = directory(lat, lon)
    print(f"\nsingle question, N = {n:,}, k = 5, Ontario: p50 in microseconds to kilometres and "
          f"positions, ratio to ketafind; and the ratio of the peer's tree alone")  # fmt: skip
    medians: Ratios = {name: {} for name in makers}
    for share, part in SHARES.items():
        where = [kf.offers(*asked) for asked in FACETS[share].items()]
        passing = clinics.filter(*where)
        peers = {name: maker(lat, lon, mask(n, part)) for name, maker in makers.items()}
        for origin in origins[:400] * 5:  # until a tree of its own has paid
            passing.nearest(*origin)
        mine: list[float] = []
        p99: list[float] = []
        theirs: dict[str, list[list[float]]] = {name: [] for name in peers}
        for turn in range(rounds):
            some = origins[turn::rounds]
            taken = each_ns(passing.nearest, some)
            mine.append(float(np.median(taken)))
            p99.append(float(np.percentile(taken, 99)))
            for name, peer in peers.items():
                theirs[name].append(
                    [float(np.median(each_ns(ask, some[:200]))) for ask in (peer.one, peer.bare)]
                )
        print(
            f" {share:>5}  ketafind p50 {np.median(mine) / 1e3:.2f} us "
            f"(least {min(mine) / 1e3:.2f}), p99 {np.median(p99) / 1e3:.1f}"
        )
        for name, times in theirs.items():
            whole, bare = np.transpose(times)
            medians[name][share] = float(np.median(whole / mine))
            print(f"        {name:16} {np.median(whole) / 1e3:9.1f} us  x {spread(whole / mine)}"
                  f"   alone x {np.median(bare / mine):.2f}")  # fmt: skip
    return medians


def unseen(n: int, rounds: int) -> None:
    """A filter nobody asked before, to its first answer: from its bits, and from criteria."""
    from ketafind.query.filter import Filter

    lat, lon = ontario(n, 1)
    index, clinics = KernelIndex(lat, lon), directory(lat, lon)
    catalogue = clinics._catalogue
    rng = np.random.default_rng(3)
    print(f"\na filter never seen before, N = {n:,}: to the first answer, us")
    name, maker = next(iter(available({"pynanoflann": PyNanoflann, "pykdtree": PyKDTree,
                                       "scipy sphere": ScipySphere}).items()))  # fmt: skip
    for share, part in list(SHARES.items())[1:]:
        peer = maker(lat, lon, mask(n, part))
        ((facet, term),) = FACETS[share].items()

        def from_criteria(lat: float, lon: float, asked: Any = (facet, term)) -> Any:
            where = kf.offers(*asked) | kf.route("sublingual")  # which none offers
            return Filter(catalogue, where.resolve(clinics.vocabulary), "exclude").nearest(lat, lon)

        def from_bits(lat: float, lon: float, bits: Any) -> Any:
            return index.nearest(lat, lon, 5, index.prepare(bits))

        origins = list(zip(rng.uniform(43, 46, rounds * 40).tolist(),
                           rng.uniform(-80, -76, rounds * 40).tolist(), strict=True))  # fmt: skip
        bits = [np.packbits(rng.random(n) < part, bitorder="little") for _ in origins]
        times: dict[str, list[float]] = {"bits": [], "criteria": [], "peer": []}
        for at, one in zip(origins, bits, strict=True):
            times["bits"].append(timed(partial(from_bits, *at, one)))
            times["criteria"].append(timed(partial(from_criteria, *at)))
            times["peer"].append(timed(partial(peer.one, *at)))
        ours = {how: float(np.median(taken)) * 1e6 for how, taken in times.items()}
        for how in ("bits", "criteria"):
            print(f" {share:>5}  from {how:8}  ketafind {ours[how]:6.1f}   {name}, tree built: "
                  f"{ours['peer']:6.1f}   x {ours['peer'] / ours[how]:.2f}")  # fmt: skip


def batch(n: int, m: int, rounds: int, *, quick: bool) -> dict[str, Ratios]:
    """Many origins at once, two threads each."""
    makers: Peers = {"pykdtree": PyKDTree, "scipy + pyproj": ScipyPyproj}
    if not quick:
        makers |= {"pynanoflann": PyNanoflann, "scipy sphere": ScipySphere}
    makers = available(makers)
    medians: dict[str, Ratios] = {}
    for place, points in (("Ontario", ontario), ("world", world)):
        medians[place] = {name: {} for name in makers}
        lat, lon = points(n, 1)
        origins = points(m, 2, 0.2)
        print(f"\nbatch, {place}, N = {n:,}, {m:,} origins, k = 5: us an origin to kilometres and "
              f"positions, ratio to ketafind; and the ratio of the peer's tree alone")  # fmt: skip
        for share, part in SHARES.items():
            passes = mask(n, part)
            ours = Ketafind(lat, lon, passes)
            peers = {name: maker(lat, lon, passes) for name, maker in makers.items()}
            truth = ours.many(*origins)
            mine = []
            theirs: dict[str, list[list[float]]] = {name: [] for name in peers}
            for _ in range(rounds):
                mine.append(timed(partial(ours.many, *origins)))
                for name, peer in peers.items():
                    theirs[name].append(
                        [timed(partial(ask, *origins)) for ask in (peer.many, peer.bare_many)]
                    )
            print(f" {share:>5}  ketafind {np.median(mine) / m * 1e6:.3f} us")
            for name, times in theirs.items():
                whole, bare = np.transpose(times)
                medians[place][name][share] = float(np.median(whole / mine))
                wrong = wrong_share(peers[name], origins, truth)
                print(f"        {name:16} {np.median(whole) / m * 1e6:8.3f} us  "
                      f"x {spread(whole / mine)}   alone x {np.median(bare / mine):.2f}"
                      f"   wrong sets {wrong:.2%}")  # fmt: skip
    if not quick:
        slow_batch(rounds)
    return medians


def wrong_share(peer: Any, origins: Any, truth: Any) -> float:
    """How often the five it names are not the nearest, on some of the origins."""
    some = slice(0, 20_000)
    _, found = peer.many(origins[0][some], origins[1][some])[:2]
    return float((np.sort(found, axis=1) != np.sort(truth[1][some], axis=1)).any(axis=1).mean())


def slow_batch(rounds: int) -> None:
    """Peers that would take minutes on more: N = 1e5, 2e4 origins."""
    makers = available(
        {"BallTree": BallTree, "STRtree k=1": STRTree, "sjoin_nearest": SjoinNearest}
    )
    lat, lon = ontario(100_000, 1)
    origins = ontario(20_000, 2, 0.2)
    ours = Ketafind(lat, lon)
    print("\nbatch, Ontario, N = 100,000, 20,000 origins: ratio to ketafind (k = 5)")
    for name, maker in makers.items():
        peer = maker(lat, lon)
        ratios = [
            timed(lambda peer=peer: peer.many(*origins)) / timed(lambda: ours.many(*origins))
            for _ in range(rounds)
        ]
        print(f"        {name:16} x {spread(ratios)}")


def build(n: int, rounds: int) -> None:
    """From coordinates to a tree."""
    makers = available({"cKDTree": ScipySphere, "pykdtree": PyKDTree})
    for place, points in (("Ontario", ontario), ("world", world)):
        lat, lon = points(n, 1)
        vectors = unit(lat, lon)
        mine: list[float] = []
        ratios: dict[str, list[float]] = {}
        for _ in range(rounds):
            mine.append(timed(partial(KernelIndex, lat, lon)))
            for name, maker in makers.items():
                for given, grow in (
                    ("degrees too", partial(maker, lat, lon)),
                    ("vectors", partial(maker.grow, vectors)),
                ):
                    ratios.setdefault(f"{name} from {given}", []).append(timed(grow) / mine[-1])
        index = KernelIndex(lat, lon)
        stored = sum(array.nbytes for array in index.arrays.values())
        print(f"\nbuild, {place}, N = {n:,}: ketafind {np.median(mine):.3f} s, "
              f"{stored / n:.1f} bytes a row")  # fmt: skip
        for name, found in ratios.items():
            print(f"        {name:24} x {spread(found)}")


def threads(n: int, m: int, rounds: int) -> None:
    """Two threads over one."""
    lat, lon = ontario(n, 1)
    origins = ontario(m, 2, 0.2)
    ours = Ketafind(lat, lon)
    gains = []
    for _ in range(rounds):
        one = timed(lambda: ours.many(*origins, threads=1))
        gains.append(one / timed(lambda: ours.many(*origins, threads=2)))
    print(f"\ntwo threads over one, N = {n:,}, {m:,} origins: x {spread(gains)}")


def files(n: int, rounds: int) -> None:
    """An index on disk."""
    lat, lon = ontario(n, 1)
    index = KernelIndex(lat, lon)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        write = timed(lambda: write_arrays(path, {}, index.arrays))

        def opened(*, verify: bool) -> KernelIndex:
            return KernelIndex.from_arrays(open_arrays(path, verify=verify)[1], verify=verify)

        fast = [timed(lambda: opened(verify=False)) for _ in range(rounds * 4)]
        full = [timed(lambda: opened(verify=True)) for _ in range(rounds)]
        read = [timed(path.read_bytes) for _ in range(rounds)]
        size = os.path.getsize(path)
        print(f"\nfile of {n:,} rows, {size / n:.1f} bytes a row: written in {write:.3f} s; opened "
              f"unverified in {np.median(fast) * 1e3:.2f} ms, verified in "
              f"{np.median(full) * 1e3:.1f} ms ({size / np.median(full) / 1e6:.0f} MB/s; a plain "
              f"read of the cached file {size / np.median(read) / 1e6:.0f} MB/s)")  # fmt: skip


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and short")
    parser.add_argument("--only", default="single,unseen,batch,build,threads,files")
    parser.add_argument("--rounds", type=int, help="how often everything takes its turn")
    parser.add_argument("--origins", type=int, help="how many origins a batch has")
    parser.add_argument("--plot", type=Path, help="draw the ratios of single and batch there")
    options = parser.parse_args()
    quick = options.quick
    n, rounds = (100_000, 3) if quick else (1_000_000, 5)
    rounds, m = options.rounds or rounds, options.origins or n
    chosen = options.only.split(",")
    print(f"Python {sys.version.split()[0]}, numpy {np.__version__}, {os.cpu_count()} processors")
    drawn: dict[str, Ratios] = {}
    if "single" in chosen:
        drawn["one question, 100,000 points"] = single(100_000, rounds, 1500 if quick else 6000)
    if "unseen" in chosen:
        unseen(100_000, rounds)
    if "batch" in chosen:
        for place, ratios in batch(n, m, rounds, quick=quick).items():
            drawn[f"{m:,} questions at once, {n:,} points, {place}"] = ratios
    if "build" in chosen:
        build(n, rounds)
    if "threads" in chosen:
        threads(n, m, rounds)
    if "files" in chosen:
        files(n, rounds)
    if options.plot:
        plot(drawn, options.plot)


def plot(drawn: dict[str, Ratios], path: Path) -> None:
    """Draw how many times as long each peer takes, a dot for each share of points that pass."""
    import matplotlib.pyplot as plt

    heights = [len(ratios) for ratios in drawn.values()]
    figure, axes = plt.subplots(
        len(drawn), figsize=(8, 0.9 * len(drawn) + 0.33 * sum(heights)), sharex=True,
        squeeze=False, height_ratios=heights, layout="constrained",
    )  # fmt: skip
    for (title, ratios), axis in zip(drawn.items(), axes[:, 0], strict=True):
        for place, share in enumerate(SHARES):
            found = [(peer[share], name) for name, peer in ratios.items()]
            axis.plot(*zip(*found, strict=True), "o", color=plt.cm.viridis(place / 3.5),
                      label=f"{share} pass")  # fmt: skip
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xscale("log")
        axis.axvline(1, color="black", linewidth=1)
        axis.grid(axis="x", alpha=0.3)
        axis.invert_yaxis()
        axis.margins(y=0.5 / len(ratios))
    ticks = [1, 2, 5, 10, 20, 50, 100]
    axes[-1, 0].set_xticks(ticks, labels=map(str, ticks))
    axes[-1, 0].set_xlabel("times as long as ketafind, k = 5, to kilometres and positions")
    axes[0, 0].legend(fontsize=8, loc="lower right")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
