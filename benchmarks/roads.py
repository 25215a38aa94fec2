"""Travel times: against an engine's on real roads, against scipy's bare search, and files.

``--eval`` is a folder with ``peterborough.osm.pbf`` (public roads of Peterborough, Ontario) and
``peterborough_valhalla.csv`` (pairs of places with the seconds that Valhalla 3.9.1, costing
``auto``, takes on tiles of the same file). Errors are over pairs that take more than a minute.
The rest runs on a network made here: a jittered grid of which three in ten streets are missing
and one in eight is one-way. Every ratio is of medians of turns taken one after the other.

With ``--nodes`` of a million and ``--extract`` the rest of the figures: an extract of so many raw
nodes is written by osmium and built. pandana (AGPL, no part of this project) is raced where it is
installed.

    python benchmarks/roads.py [--eval FOLDER] [--nodes 100000] [--rounds 9] [--quick]
        [--extract 1000000]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components, dijkstra

import ketafind as kf
from ketafind.geo import geodesic_km
from ketafind.travel import PROFILES, GraphRouter, TravelTimes, ValhallaRouter, build_roads
from ketafind.travel.graph import network
from ketafind.travel.router import Floats


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


def against_valhalla(folder: Path) -> None:
    """Print what makes our times differ from those of Valhalla in this process, on one extract."""
    extract = folder / "peterborough.osm.pbf"
    ours = build_roads(extract)
    pairs = pd.read_csv(folder / "peterborough_valhalla.csv")
    starts, goals = (pairs[[f"lat{i}", f"lon{i}"]].to_numpy() for i in (0, 1))
    found = ours.times(starts, goals)
    with tempfile.TemporaryDirectory() as tiles:
        build_tiles(extract, Path(tiles))
        theirs = ValhallaRouter(tiles).times(starts, goals)
    minutes, other = found.minutes.diagonal(), theirs.minutes.diagonal()
    long = np.isfinite(minutes) & (other > 1)
    ratio = minutes[long] / other[long]
    apart = np.nanmax(np.abs(found.target_snap_km - theirs.target_snap_km)) * 1e5
    table = np.abs(pairs.time_s[long] / 60 / other[long] - 1)
    print(
        f"  ours over Valhalla's in this process: {np.quantile(ratio, [0.05, 0.5, 0.95]).round(3)}"
    )
    print(
        f"  at the posted speed: median {np.median(ratio) * PROFILES['car'].factor:.3f}; snapped at "
        f"most {apart:.0f} cm apart; its tables are its routes to 2 % for {(table < 0.02).mean():.1%}"
    )


def build_tiles(extract: Path, folder: Path) -> None:
    """Build Valhalla's tiles of an extract."""
    import valhalla

    config = folder / "config.json"
    config.write_text(json.dumps(valhalla.get_config(tile_extract="", tile_dir=str(folder))))
    build = Path(valhalla.__file__).parent / "bin" / "valhalla_build_tiles"
    subprocess.run([build, "-c", config, extract], check=True, capture_output=True)


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
    every_node(router, min(rounds, 3))
    for n_clinics in (500, 10_000):
        nearest(router, n_clinics, 5 * rounds)
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


def placed(router: GraphRouter, n: int) -> kf.Directory:
    """Put clinics where people live: half about a few towns, half anywhere."""
    rng = np.random.default_rng(2)
    lat, lon = router.node_positions
    known = np.flatnonzero(np.isfinite(lat))
    at = rng.choice(known, n)
    town = rng.choice(known, 12)[rng.integers(0, 12, n // 2)]
    lats, lons = lat[at].copy(), lon[at].copy()
    lats[: n // 2] = lat[town] + rng.normal(0, 0.03, n // 2)
    lons[: n // 2] = lon[town] + rng.normal(0, 0.04, n // 2)
    return kf.Directory.from_clinics(
        kf.Clinic(
            clinic_id=f"c{number:05}",
            name="A clinic",
            location=kf.Location(
                lat=float(np.clip(lats[number], np.nanmin(lat), np.nanmax(lat))),
                lon=float(np.clip(lons[number], np.nanmin(lon), np.nanmax(lon))),
            ),
        )
        for number in range(n)
    )


def origins(router: GraphRouter, n: int) -> list[kf.Coordinates]:
    """Places beside roads of which one may go anywhere."""
    rng = np.random.default_rng(3)
    lat, lon = router.node_positions
    ways = router._forwards.copy()
    ways.data = np.isfinite(ways.data).astype(float)
    ways.eliminate_zeros()
    _, piece = connected_components(ways, connection="strong")
    at = rng.choice(np.flatnonzero(piece[: len(lat)] == np.bincount(piece).argmax()), n)
    return [kf.Coordinates(lat=float(lat[i]) + 2e-4, lon=float(lon[i])) for i in at]


def nearest(router: GraphRouter, n_clinics: int, rounds: int) -> None:
    """Print what a bounded nearest of a directory takes, from Python."""
    directory = placed(router, n_clinics)
    first, *rest = origins(router, rounds + 1)
    once = seconds(lambda: directory.nearest(first, 5, router=router))
    turns = sorted(seconds(lambda o=o: directory.nearest(o, 5, router=router)) for o in rest)
    last = turns[int(0.9 * len(turns))]
    print(
        f"  nearest 5 of {n_clinics:,} clinics {median(turns) * 1e3:.2f} ms (3), p90 "
        f"{last * 1e3:.2f} ms; the first, that snaps the clinics, {once:.2f} s"
    )


class Counting:
    """A service that answers by our own network, and counts what it is asked."""

    profile, batch = "car", 50

    def __init__(self, graph: GraphRouter) -> None:
        self.graph, self.max_speed_kmh = graph, graph.max_speed_kmh

    def times(self, origins: object, targets: object, *, limit_min: float = np.inf) -> TravelTimes:
        return self.graph.times(origins, targets, limit_min=limit_min)


def services(n: int, rounds: int) -> None:
    """Print how often a service is asked for the nearest 5 of 10,000 clinics, 50 a request."""
    router = made(n)
    directory, service = placed(router, 10_000), Counting(router)
    asked, examined, detours = [], [], []
    for origin in origins(router, rounds):
        near = directory.nearest(origin, 5, router=service)
        truth = directory.nearest(origin, 5, router=router)
        same = [one.clinic.clinic_id for one in near] == [one.clinic.clinic_id for one in truth]
        if not same or not near.certificate.proved:
            raise SystemExit("the service's answer is not that of the whole network")
        asked.append(near.certificate.n_requests)
        examined.append(near.certificate.n_examined)
        detours += [one.travel_time_min / one.distance_km for one in near if one.distance_km > 0.1]
    print(
        f"services: {np.median(asked):.0f} requests at the median (1), "
        f"{np.quantile(asked, 0.9):.0f} at p90 (2), {max(asked)} at most, over {rounds} origins; "
        f"a kilometre in a straight line takes {np.median(detours):.2f} min, at the least "
        f"{60 / router.max_speed_kmh:.2f}"
    )


def doubt(n: int, rounds: int) -> None:
    """Print how often a true time lies in the interval that doubt of positions makes."""
    router = made(n)
    directory, rng = placed(router, 60), np.random.default_rng(5)
    inside = {"normal": [], "even": []}
    widths, unknown = [], 0
    for origin in origins(router, rounds):
        radius_km = float(rng.choice([0.5, 1.0, 3.0]))
        start = kf.Location(lat=origin.lat, lon=origin.lon, radius_km=radius_km)
        near = directory.nearest(start, 8, router=router)
        if not near or near[-1].travel_time_high_min is None:
            unknown += 1
            continue
        match = near[-1]
        low, high = match.travel_time_low_min, match.travel_time_high_min
        widths.append((high - low) / match.travel_time_min)
        normal = rng.normal(0, radius_km / 2.146, (20, 2))
        turn = rng.uniform(0, 2 * np.pi, 20)
        far = radius_km / np.sqrt(0.9) * np.sqrt(rng.uniform(0, 1, 20))
        even = np.column_stack([far * np.cos(turn), far * np.sin(turn)])
        for name, km in (("normal", normal), ("even", even)):
            east = 111.32 * np.cos(np.radians(origin.lat))
            places = np.column_stack([origin.lat + km[:, 0] / 111.2, origin.lon + km[:, 1] / east])
            minutes = router.times(places, match.clinic.location).minutes[:, 0]
            minutes = minutes[np.isfinite(minutes)]
            inside[name] += ((low <= minutes) & (minutes <= high)).tolist()
    shares = ", ".join(f"{name} {np.mean(found):.1%}" for name, found in inside.items())
    print(
        f"doubt: true times inside the 90 % interval: {shares}; width "
        f"{np.median(widths):.0%} of the time; {unknown} of {rounds} without an upper end"
    )


def every_node(router: GraphRouter, rounds: int) -> None:
    """Print what the five nearest of fifty clinics take for every node."""
    lat, lon = router.node_positions
    known = ~np.isnan(lat)
    chosen = np.random.default_rng(2).choice(np.flatnonzero(known), 50, replace=False)
    places = [kf.Location(lat=float(lat[at]), lon=float(lon[at])) for at in chosen]
    directory = kf.Directory.from_clinics(
        kf.Clinic(clinic_id=f"{at:02}", name="C", location=place) for at, place in enumerate(places)
    )
    frame = pd.DataFrame({"lat": lat[known], "lon": lon[known]})

    def ours() -> Any:
        return kf.nearest_join(frame, directory, k=5, router=router, check=False)

    race = peer(router, lat, lon, chosen, 1.01 * ours()["travel_time_min"].max())
    turns = [(seconds(ours), seconds(race) if race else np.nan) for _ in range(rounds)]
    mine, theirs = (median(turn) for turn in zip(*turns, strict=True))
    print(f"  5 nearest of 50 clinics for every node {mine:.2f} s, pandana {theirs:.2f} s")


def peer(
    router: GraphRouter, lat: Floats, lon: Floats, chosen: Any, most: float
) -> Callable[[], object] | None:
    """The same by pandana, where it is installed."""
    try:
        from pandana import Network
    except ImportError:
        return None
    # On the graph that is searched: the arcs of its rows, those that are closed left out.
    starts, ends, weights = (router._arrays[name] for name in ("starts", "ends", "seconds.car"))
    tail = np.repeat(np.arange(router.n_nodes + 1), np.diff(starts))
    real = np.isfinite(weights) & (tail < router.n_nodes)
    x, y = pd.Series(np.nan_to_num(lon)), pd.Series(np.nan_to_num(lat))
    edges = pd.DataFrame({"minutes": weights[real] / 60})
    arcs = pd.Series(tail[real]), pd.Series(ends[real])
    net = Network(x, y, *arcs, edges, twoway=False)
    net.set_pois("clinic", most, 5, x[chosen], y[chosen])
    return lambda: net.nearest_pois(most, "clinic", num_pois=5)


def build(raw: int, folder: Path) -> None:
    """Print what it takes to build a network of an extract of so many raw nodes."""
    import osmium

    path, side = folder / "made.osm.pbf", 10
    columns = int((raw / 2) ** 0.5 / side) * side
    rng = np.random.default_rng(0)
    with osmium.SimpleWriter(str(path)) as writer:
        node = osmium.osm.mutable.Node
        for at in range(columns * columns * 2):  # every other one is a building's, not a road's
            row, column = divmod(at // 2, columns)
            lat, lon = 43 + row * 0.0005, -79 + column * 0.0007
            writer.add_node(node(id=at + 1, location=(lon + at % 2 * 0.0002, lat)))
        number, kinds = 1, ("residential", "residential", "tertiary", "secondary")
        for row in range(columns):
            for column in range(0, columns - 1, side):
                line = range(column, min(column + side, columns - 1) + 1)
                tags = {"highway": str(rng.choice(kinds)), "name": f"Street {row}"}
                for flip in (False, True):
                    places = [(c * columns + row if flip else row * columns + c) for c in line]
                    if row % 5 == 0:
                        nodes = [2 * place + 1 for place in places]
                        writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags=tags))
                        number += 1
    code = (
        "import sys; from ketafind.travel import build_roads;"
        "router = build_roads(sys.argv[1]); router.save(sys.argv[2]); print(router, *(line.split()[1]"
        " for line in open('/proc/self/status') if line.startswith('VmHWM')), 'kB')"
    )
    command = [sys.executable, "-c", code, str(path), str(folder / "made.roads")]
    start = time.perf_counter()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    took = time.perf_counter() - start
    print(
        f"built of {2 * columns**2:,} raw nodes, {number - 1:,} ways in {took:.1f} s (60): {said}"
    )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--eval", type=Path)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="small and few, to see that it runs")
    parser.add_argument("--extract", type=int, default=0, help="raw nodes of an extract to build")
    options = parser.parse_args()
    nodes, rounds = (10_000, 3) if options.quick else (options.nodes, options.rounds)
    if options.eval:
        against_engine(options.eval)
        if find_spec("valhalla"):
            against_valhalla(options.eval)
    speed(nodes, rounds)
    services(nodes, 10 if options.quick else 200)
    doubt(nodes, 10 if options.quick else 200)
    if options.extract:
        with tempfile.TemporaryDirectory() as folder:
            build(options.extract, Path(folder))


if __name__ == "__main__":
    main()
