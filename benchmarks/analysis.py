# ruff: noqa: B023, PLW0108 - what a race is given is called before the loop goes on
"""Time joins and access against the array API, GeoPandas, Dask, Spark and the machine's memory.

Every ratio is of the best wall times of interleaved rounds in one process, so that what else the
machine does meets both sides. Exits 1 when a limit is passed; with --quick sizes are small and
limits on time are printed only, those on memory hold.

    python benchmarks/analysis.py [--quick] [--only join,peers,memory,dask,spark,access,large]
                                  [--rows 100000000]
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ketafind as kf

MIB = 2**20
MANY = 100_000
late: list[str] = []


def judge(what: str, value: float, limit: float, *, least: bool = False, unit: str = "") -> None:
    """Print a figure and its limit, and remember those that pass it."""
    good = value >= limit if least else value <= limit
    sign = ">=" if least else "<="
    print(
        f"  {what:58} {value:9.3g}{unit} ({sign} {limit:g}){'' if good else '  MISSED'}", flush=True
    )
    if not good:
        late.append(what)


def race(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The best wall time of each call, in interleaved rounds after one to warm up."""
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(rounds + 1):
        for name, call in calls.items():
            begun = time.perf_counter()
            result = call()
            spent = time.perf_counter() - begun
            del result
            if turn:
                best[name] = min(best[name], spent)
    return best


def origins(n: int) -> pd.DataFrame:
    """Rows all over Ontario's box, as far apart as can be."""
    generator = np.random.default_rng(6)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "lat": generator.uniform(42.0, 50.0, n),
            "lon": generator.uniform(-92.0, -75.0, n),
        }
    )


@cache
def clinics(n: int, *, like_people: bool = False) -> kf.Directory:
    """The bundled directory, or one of n clinics."""
    if n == 26:
        return kf.load_directory()
    generator = np.random.default_rng(7)
    if like_people:
        codes = kf.ontario_postal_codes().sample(n, random_state=7)
        lat, lon = codes["lat"].tolist(), codes["lon"].tolist()
    else:
        lat = generator.uniform(42.0, 50.0, n).tolist()
        lon = generator.uniform(-92.0, -75.0, n).tolist()
    return kf.Directory.from_clinics(
        kf.Clinic(
            clinic_id=f"clinic-{at:06}", name="A", location=kf.Location(lat=lat[at], lon=lon[at])
        )
        for at in range(n)
    )


def join(n: int, rounds: int) -> None:
    """Frames against arrays, and frames against each other."""
    import polars as pl
    import pyarrow as pa

    frame = origins(n)
    lat, lon = frame["lat"].to_numpy(), frame["lon"].to_numpy()
    others = {"polars": pl.from_pandas(frame), "pyarrow": pa.Table.from_pandas(frame)}
    for size in (26, MANY):
        for k in (1, 5):
            directory = clinics(size)
            best = race(
                {
                    "arrays": lambda: directory.nearest_arrays(lat, lon, k=k),
                    "pandas": lambda: kf.nearest_join(frame, directory, k=k),
                    **{
                        name: (lambda other=other: kf.nearest_join(other, directory, k=k))
                        for name, other in others.items()
                    },
                },
                rounds,
            )
            case = f"{n:,} rows, {size:,} clinics, k={k}"
            print(f"{case}: arrays {best['arrays']:.3f} s")
            judge(f"{case}: pandas / arrays", best["pandas"] / best["arrays"], 1.4)
            for name in others:
                judge(f"{case}: {name} / pandas", best[name] / best["pandas"], 1.35)


def peers(n: int, rounds: int) -> None:
    """GeoPandas' nearest join on projected points, which answers another, planar question.

    Who has degrees must project them first; who has them in a plain frame must make points first.
    Each step is shown, as are both of our own ways in: a plain frame and a GeoDataFrame.
    """
    import geopandas as gpd

    frame = origins(n)
    plane = "EPSG:3347"

    def points(of: pd.DataFrame) -> gpd.GeoDataFrame:
        there = gpd.points_from_xy(of["lon"], of["lat"])
        return gpd.GeoDataFrame(of, geometry=there, crs="EPSG:4326")

    on_earth = points(frame)
    projected = on_earth.to_crs(plane)
    for size in (26, MANY):
        directory = clinics(size)
        where = [clinic.location for clinic in directory.clinics if clinic.location]
        right = points(pd.DataFrame([(w.lat, w.lon) for w in where], columns=["lat", "lon"]))
        right = right[["geometry"]].to_crs(plane)
        best = race(
            {
                "make points": lambda: points(frame),
                "to_crs": lambda: on_earth.to_crs(plane),
                "sjoin_nearest": lambda: projected.sjoin_nearest(right, distance_col="metres"),
                "plain frame": lambda: kf.nearest_join(frame, directory, k=1),
                "GeoDataFrame": lambda: kf.nearest_join(on_earth, directory, k=1),
                "projected GeoDataFrame": lambda: kf.nearest_join(projected, directory, k=1),
            },
            rounds,
        )
        case = f"{n:,} rows, {size:,} clinics, k=1"
        print(f"{case}: " + ", ".join(f"{name} {spent:.3f} s" for name, spent in best.items()))
        alone = best["sjoin_nearest"]
        whole = alone + best["to_crs"]
        for what, theirs, ours, limit in (
            ("sjoin_nearest alone / plain frame", alone, "plain frame", 12),
            ("from degrees / plain frame", whole + best["make points"], "plain frame", 12),
            ("from points in degrees / GeoDataFrame", whole, "GeoDataFrame", 0),
            ("projected / projected GeoDataFrame", alone, "projected GeoDataFrame", 0),
        ):
            judge(f"{case}: {what}", theirs / best[ours], limit, least=True)


def peak_over(call: Callable[[], Any]) -> tuple[float, Any]:
    """How many MiB the process grew at the most, and what the call returned."""
    status = Path("/proc/self/status")

    def read(field: str) -> float:
        line = next(one for one in status.read_text().splitlines() if one.startswith(field))
        return float(line.split()[1]) / 1024

    gc.collect()
    # What was freed before must not be there to be used again.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = read("VmRSS")
    result = call()
    return read("VmHWM") - before, result


def memory(n: int) -> None:
    """What a join needs beyond its input and its output."""
    if not Path("/proc/self/clear_refs").exists():
        print("memory is measured on Linux only")
        return
    for k, placed in ((1, True), (5, True), (1, False), (5, False)):
        frame = origins(n)
        if not placed:
            frame.loc[::100, "lat"] = np.nan
        directory = clinics(26)
        kf.nearest_join(frame.iloc[:1000], directory, k=k)
        grown, joined = peak_over(lambda: kf.nearest_join(frame, directory, k=k))
        # For k = 1 these are views of the input.
        shared = frame.columns if k == 1 else []
        # Views of the input are no part of what the output takes.
        size = joined.drop(columns=list(shared)).memory_usage(deep=True).sum() / MIB
        rows = f"{n:,} rows, {'all placed' if placed else 'some not'}"
        judge(f"{rows}, k={k}: peak beyond input and output", grown - size, 64.0, unit=" MiB")


def dask(n: int, rounds: int) -> None:
    """Dask's threads against one call."""
    import dask.dataframe as dd

    frame = origins(n)
    parts = dd.from_pandas(frame, npartitions=10)
    directory = clinics(MANY)
    best = race(
        {
            "direct": lambda: kf.nearest_join(frame, directory, k=1)["distance_km"].sum(),
            "dask": lambda: (
                kf.nearest_join(parts, directory, k=1)["distance_km"]
                .sum()
                .compute(scheduler="threads", num_workers=os.cpu_count())
            ),
        },
        rounds,
    )
    case = f"{n:,} rows, {MANY:,} clinics, k=1"
    print(f"{case}: direct {best['direct']:.2f} s, Dask {best['dask']:.2f} s")
    judge(f"{case}: Dask / direct", best["dask"] / best["direct"], 1.35)


class Same:
    """The job that does nothing, to subtract."""

    def __call__(self, batches: Any) -> Any:
        """Hand every batch on."""
        return batches


def spark(n: int, rounds: int) -> None:
    """Spark's mapInArrow with the join, over mapInArrow that hands the rows on."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        print("pyspark or Java is not installed: Spark is left out")
        return
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as f

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(f"local[{os.cpu_count()}]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    with tempfile.TemporaryDirectory() as folder:
        origins(n).to_parquet(f"{folder}/people.parquet", row_group_size=n // 8)
        clinics(MANY).save(f"{folder}/clinics.ketafind")
        directory = kf.Directory.open(f"{folder}/clinics.ketafind")
        people = session.read.parquet(f"{folder}/people.parquet")
        best = race(
            {
                "identity": lambda: (
                    people.mapInArrow(Same(), people.schema).agg(f.sum("lat")).collect()
                ),
                "join": lambda: (
                    kf.nearest_join(people, directory, k=1).agg(f.sum("distance_km")).collect()
                ),
            },
            rounds,
        )
    session.stop()
    over = (best["join"] - best["identity"]) / n * 1e6
    print(f"{n:,} rows: identity {best['identity']:.2f} s, join {best['join']:.2f} s")
    judge(f"{n:,} rows, {MANY:,} clinics: Spark over identity", over, 0.5, unit=" us a row")


def access(rounds: int) -> None:
    """Coverage and E2SFCA for every postal code."""
    codes = kf.ontario_postal_codes()
    for size, limit in ((26, 1.0), (2000, 10.0)):
        directory = clinics(size, like_people=size > 26)
        best = race(
            {
                "coverage": lambda: kf.coverage(codes, directory),
                "E2SFCA": lambda: kf.access_score(codes, directory, method="e2sfca"),
            },
            rounds,
        )
        case = f"{len(codes):,} codes, {size:,} clinics"
        print(f"{case}: coverage {best['coverage']:.2f} s, E2SFCA {best['E2SFCA']:.2f} s")
        judge(f"{case}: coverage and E2SFCA", sum(best.values()), limit, unit=" s")


def large(rows: int) -> None:
    """Parquet larger than the memory allowed, joined batch by batch and written again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory = kf.load_directory()
    piece = 2_000_000
    with tempfile.TemporaryDirectory() as folder:
        people = pa.Table.from_pandas(origins(piece), preserve_index=False)
        with pq.ParquetWriter(f"{folder}/people.parquet", people.schema) as writer:
            for _ in range(max(1, rows // piece)):
                writer.write_table(people, row_group_size=500_000)
        del people
        # Read ahead, it would keep all that was read until the last batch.
        source = pq.ParquetFile(f"{folder}/people.parquet", pre_buffer=False)
        begun, done, target = time.perf_counter(), 0, None
        for batch in source.iter_batches(500_000):
            near = kf.nearest_join(pa.Table.from_batches([batch]), directory, progress=False)
            target = target or pq.ParquetWriter(f"{folder}/near.parquet", near.schema)
            target.write_table(near)
            done += len(near)
        if target is not None:
            target.close()
        spent = time.perf_counter() - begun
        on_disk = sum(file.stat().st_size for file in Path(folder).iterdir()) / MIB
    print(f"{done:,} rows of Parquet in {spent:.0f} s ({spent / done * 1e6:.2f} us a row), ")
    print(f"  {on_disk:,.0f} MiB on disk")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    judge(f"{done:,} rows through Arrow batches: peak resident", peak, 2048.0, unit=" MiB")


PARTS = ("large", "join", "peers", "memory", "dask", "spark", "access")


def main() -> int:
    """Run the parts that are asked for; 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, limits on memory only")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, joined by commas")
    parser.add_argument("--rows", type=int, help="rows of the part that is larger than memory")
    given = parser.parse_args()
    n, rounds = (100_000, 1) if given.quick else (1_000_000, 5)
    if given.quick:
        global MANY  # noqa: PLW0603 - a script's own setting
        MANY = 2_000
    runs: dict[str, Callable[[], None]] = {
        # First: the peak is that of the whole process.
        "large": lambda: large(given.rows or (4_000_000 if given.quick else 100_000_000)),
        "join": lambda: join(n, 2 * rounds),
        "peers": lambda: peers(n, min(rounds, 3)),
        "memory": lambda: memory(n),
        "dask": lambda: dask(5 * n, min(rounds, 3)),
        "spark": lambda: spark(5 * n, min(rounds, 3)),
        "access": lambda: access(rounds),
    }
    for part in PARTS:
        if part in given.only.split(","):
            print(f"-- {part}")
            runs[part]()
    missed = [what for what in late if not given.quick or "peak" in what]
    print(f"{len(missed)} limits missed" + "".join(f"\n  {what}" for what in missed))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
