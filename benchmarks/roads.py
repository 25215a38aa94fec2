"""Travel times: against an engine's on real roads, against scipy's bare search, and files.

``--eval`` is a folder with ``peterborough.osm.pbf`` (public roads of Peterborough, Ontario) and
``peterborough_valhalla.csv`` (pairs of places with the seconds that Valhalla 3.9.1, costing
``auto``, takes on tiles of the same file). Errors are over pairs that take more than a minute.
The rest runs on a network made here: a jittered grid of which three in ten streets are missing
and one in eight is one-way. Every ratio is of medians of turns taken one after the other.

    python benchmarks/roads.py [--eval FOLDER] [--nodes 100000] [--rounds 9]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import dijkstra

from ketafind.geo import geodesic_km
from ketafind.travel import GraphRouter, build_roads
from ketafind.travel.graph import network


def made(n: int) -> GraphRouter:
    """Lay out a jittered grid of about n crossings."""
    rng = np.random.default_rng(0)
    side = int(n**0.5)
    node = np.arange(side * side)
    lat = 43 + node // side * 0.002 + rng.uniform(-0.0005, 0.0005, len(node))
    lon = -79 + node % side * 0.003 + rng.uniform(-0.0005, 0.0005, len(node))
    east, south = node[node % side < side - 1], node[node < len(node) - side]
    tail, head = np.concatenate([east, south]), np.concatenate([east + 1, south + side])
    kept = rng.random(len(tail)) < 0.7
    tail, head = tail[kept].astype(np.int32), head[kept].astype(np.int32)
    seconds = geodesic_km(lat[tail], lon[tail], lat[head], lon[head])
    seconds *= 3600 / rng.choice([30, 50, 80], len(tail))
    back = np.where(rng.random(len(tail)) < 0.125, np.inf, seconds)
    flat = np.column_stack([tail, head]).reshape(-1)
    shapes = (np.arange(len(tail) + 1) * 2, lat[flat], lon[flat])
    return GraphRouter(network(tail, head, shapes, {"car": (seconds, back)}))


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def against_engine(folder: Path) -> None:
    """Print the errors of times on real roads."""
    router = build_roads(folder / "peterborough.osm.pbf")
    pairs = pd.read_csv(folder / "peterborough_valhalla.csv")
    starts, goals = (
        router.ends_of(router.snap(pairs[[f"lat{i}", f"lon{i}"]].to_numpy())) for i in (0, 1)
    )
    ours = [router.reach(starts, at).to(goals)[at] * 60 for at in range(len(pairs))]
    theirs = pairs.time_s.to_numpy()
    long = theirs > 60
    ratio = np.array(ours)[long] / theirs[long]
    error = np.abs(ratio - 1)
    print(f"{router}: {long.sum()} pairs, {np.isinf(ratio).sum()} without a way")
    print(
        f"  error: median {np.median(error):.1%} (5.5 %), p90 {np.quantile(error, 0.9):.1%} (10.5 %)"
    )
    low, high = router.error
    inside = (low <= 1 / ratio) & (1 / ratio <= high)
    print(f"  in the interval {router.error}: {inside.mean():.1%} (85 to 95 %)")
    print(f"  ours over the engine's: {np.quantile(ratio, [0.05, 0.5, 0.95]).round(3).tolist()}")


def speed(n: int, rounds: int) -> None:
    """Print what searches and files take."""
    router = made(n)
    lat, lon = router.node_positions
    rng = np.random.default_rng(1)
    places = np.column_stack(
        [rng.uniform(lat.min(), lat.max(), 50), rng.uniform(lon.min(), lon.max(), 50)]
    )
    ends = router.ends_of(router.snap(places))
    router.reach(ends, 0)
    graph, source = router._forwards, int(ends.tail[0])
    turns = [
        (
            seconds(lambda: router.reach(ends, 0)),
            seconds(lambda: dijkstra(graph, indices=source)),
            seconds(lambda: router.reach(ends, 0, 10.0)),
            seconds(lambda: router.snap(places)) / len(places),
        )
        for _ in range(rounds)
    ]
    whole, bare, near, snap = (median(turn) for turn in zip(*turns, strict=True))
    print(f"{router}, {2 * router.n_roads:,} arcs")
    print(f"  one to all {whole * 1e3:.1f} ms, {whole / bare:.2f} of scipy's bare search (1.3)")
    print(f"  within 10 minutes {near * 1e3:.2f} ms; to snap a place {snap * 1e6:.0f} us")
    every = seconds(lambda: [router.reach(ends, at, back=True) for at in range(len(places))])
    print(f"  from every node to 50 clinics {every:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.roads"
        router.save(path)
        arcs = 2 * router.n_roads
        shape = sum(a.nbytes for name, a in router._arrays.items() if name.startswith("shape"))
        held = sum(a.nbytes for a in router._arrays.values()) - shape
        opened = [
            median(seconds(lambda v=v: GraphRouter.open(path, verify=v)) for _ in range(rounds))
            for v in (False, True)
        ]
        print(
            f"  file: {held / arcs:.1f} bytes an arc without shapes (24), {path.stat().st_size / 1e6:.0f} MB"
        )
        print(
            f"  opened in {opened[0] * 1e3:.1f} ms (20), verified in {opened[1] * 1e3:.0f} ms (200)"
        )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eval", type=Path)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if options.eval:
        against_engine(options.eval)
    speed(options.nodes, options.rounds)


if __name__ == "__main__":
    main()
