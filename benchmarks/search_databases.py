"""The search core against databases: DuckDB, and SedonaDB, PostGIS and Redis where they are there.

SedonaDB joins tables, so that it is held against `nearest_join`. Servers are started on loopback in a temporary folder and stopped at the end. Each answers the five
nearest of those that pass one of the filters, the database's index built beforehand; DuckDB scans.
PostGIS orders by a sphere and Redis by a geohash: their answers are not always right.

    python benchmarks/search_databases.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _search import SHARES, K, Ketafind, directory, each_ns, mask, ontario

Ask = Callable[[float, float, str], Any]
LEVELS = {share: level for level, share in enumerate(reversed(SHARES))}


def levels(n: int) -> Any:
    """For each row the most selective filter that it passes, as a number."""
    level = np.zeros(n, dtype=np.int64)
    for share, part in SHARES.items():
        passes = mask(n, part)
        level[passes] = np.maximum(level[passes], len(SHARES) - 1 - LEVELS[share])
    return level


@contextmanager
def duckdb_ask(lat: Any, lon: Any, level: Any) -> Iterator[Ask]:
    """Haversine over a column scan."""
    import duckdb

    connection = duckdb.connect()
    rows = {"lat": lat, "lon": lon, "level": level, "id": np.arange(len(lat))}
    connection.register("arrived", rows)
    connection.execute("create table points as select * from arrived")
    query = """
        select id, 12742 * asin(sqrt(pow(sin(radians(lat - $lat) / 2), 2)
               + cos(radians($lat)) * cos(radians(lat)) * pow(sin(radians(lon - $lon) / 2), 2))) d
        from points where level >= $level order by d limit 5"""

    def ask(at: float, on: float, share: str) -> Any:
        wanted = len(SHARES) - 1 - LEVELS[share]
        return connection.execute(query, {"lat": at, "lon": on, "level": wanted}).fetchall()

    yield ask
    connection.close()


@contextmanager
def redis_ask(lat: Any, lon: Any, level: Any, folder: Path) -> Iterator[Ask]:
    """GEOSEARCH in a key for each filter, the radius doubled until five are found."""
    server = shutil.which("redis-server")
    if server is None:
        raise FileNotFoundError("redis-server")
    path = folder / "redis.sock"
    command = [server, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            time.sleep(0.05)
        with socket.socket(socket.AF_UNIX) as link, link.makefile("rwb") as stream:
            link.connect(str(path))
            load(stream, lat, lon, level)

            def ask(at: float, on: float, share: str) -> Any:
                radius, found = 5.0, []
                while len(found) < 5 and radius < 20_000:
                    send(stream, "GEOSEARCH", share, "FROMLONLAT", on, at, "BYRADIUS", radius,
                         "km", "ASC", "COUNT", 5)  # fmt: skip
                    stream.flush()
                    found, radius = receive(stream), radius * 4
                return found

            yield ask
    finally:
        process.terminate()
        process.wait()


def send(stream: Any, *words: Any) -> None:
    """One command in Redis's protocol."""
    texts = [str(word).encode() for word in words]
    parts = b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in texts)
    stream.write(b"*%d\r\n%s" % (len(texts), parts))


def receive(stream: Any) -> Any:
    """One reply."""
    line = stream.readline()
    kind, value = line[:1], int(line[1:])
    if kind == b"*":
        return [receive(stream) for _ in range(value)]
    return stream.read(value + 2)[:-2] if kind == b"$" else value


def load(stream: Any, lat: Any, lon: Any, level: Any) -> None:
    """Fill a key for each filter."""
    for share, place in LEVELS.items():
        rows = np.flatnonzero(level >= len(SHARES) - 1 - place)
        for start in range(0, len(rows), 500):
            some = rows[start : start + 500]
            words = [word for row in some for word in (lon[row], lat[row], row)]
            send(stream, "GEOADD", share, *words)
            stream.flush()
            receive(stream)


def quietly(*command: Any) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def postgis_ask(lat: Any, lon: Any, level: Any, folder: Path) -> Iterator[Ask]:
    """KNN by the index of a geography column, the filter beside it."""
    import psycopg

    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not homes:
        raise FileNotFoundError("PostgreSQL")
    data, user = folder / "data", ([] if os.getuid() else ["runuser", "-u", "postgres", "--"])
    if user:
        shutil.chown(folder, "postgres")
        folder.chmod(0o755)
    quietly(*user, homes[-1] / "initdb", "-D", data, "-U", "bench", "-A", "trust")
    options = f"-c listen_addresses='' -k {folder}"
    server = [*user, homes[-1] / "pg_ctl", "-D", data, "-w"]
    quietly(*server, "-o", options, "-l", folder / "log", "start")
    try:
        with psycopg.connect(f"host={folder} user=bench dbname=postgres", autocommit=True) as link:
            link.execute("create extension postgis")
            link.execute("create table points (id int, level int, place geography(point))")
            with link.cursor().copy("copy points from stdin") as rows:
                for row in range(len(lat)):
                    place = f"SRID=4326;POINT({lon[row]} {lat[row]})"
                    rows.write_row((row, int(level[row]), place))
            link.execute("create index on points using gist (place)")
            link.execute("create index on points (level)")
            link.execute("vacuum analyze points")
            query = """select id, place <-> %s::geography as d from points where level >= %s
                       order by d limit 5"""

            def ask(at: float, on: float, share: str) -> Any:
                wanted = len(SHARES) - 1 - LEVELS[share]
                origin = f"SRID=4326;POINT({on} {at})"
                return link.execute(query, (origin, wanted), prepare=True).fetchall()

            yield ask
    finally:
        quietly(*server, "-m", "fast", "stop")


def sedona_join(n_origins: int, n_clinics: int) -> None:
    """SedonaDB's ST_KNN against `nearest_join`: time an origin, wrong sets, and a filter in WHERE."""
    try:
        import sedonadb
    except ImportError as error:
        print(f"   (SedonaDB left out: {error})")
        return
    import pandas as pd
    import pyarrow as pa

    import ketafind

    lat, lon = ontario(n_clinics, 1)
    asked = pd.DataFrame(dict(zip(("lat", "lon"), ontario(n_origins, 2, 0.2), strict=True)))
    clinics = directory(lat, lon)
    ketafind.nearest_join(asked[:1000], clinics, k=K)
    begun = time.perf_counter()
    joined = ketafind.nearest_join(asked, clinics, k=K)
    own_s = time.perf_counter() - begun
    row_of = pd.Series(range(n_clinics), [f"clinic-{row:07}" for row in range(n_clinics)])
    right = np.sort(joined.clinic_id.map(row_of).to_numpy().reshape(-1, K))

    engine = sedonadb.connect()
    passes = mask(n_clinics, SHARES["10%"])
    tables = {"clinics": pd.DataFrame({"lat": lat, "lon": lon, "passes": passes}), "origins": asked}
    for name, frame in tables.items():
        engine.create_data_frame(frame.assign(id=np.arange(len(frame)))).to_view(f"{name}_in")
        query = f"select *, ST_Point(lon, lat) as place from {name}_in"
        engine.sql(query).to_memtable().to_view(name)

    def knn(spheroid: str, n: int, where: str = "") -> tuple[float, Any]:
        begun = time.perf_counter()
        rows = pa.table(
            engine.sql(f"""
            select o.id as o, c.id as c from (select * from origins where id < {n}) o
            join clinics c on ST_KNN(o.place, c.place, {K}, {spheroid}) {where}""")
        )
        return time.perf_counter() - begun, rows

    few = n_origins // 50  # on a spheroid it would take hours for all
    print(
        f"join of {n_origins:,} origins to {n_clinics:,} clinics, k = {K}: ketafind {own_s:.2f} s"
    )
    for spheroid, n in (("false", n_origins), ("true", few)):
        took_s, rows = knn(spheroid, n)
        pairs = np.column_stack([rows["o"].to_numpy(), rows["c"].to_numpy()])
        pairs = pairs[np.lexsort(pairs.T[::-1])]
        wrong = (pairs[:, 1].reshape(-1, K) != right[:n]).any(axis=1).mean()
        _, filtered = knn(spheroid, few, "where c.passes")
        print(f"   SedonaDB {sedonadb.__version__}, use_spheroid {spheroid}: "
              f"x {took_s / n / (own_s / n_origins):,.0f} an origin, wrong sets {wrong:.2%}, "
              f"rows with 1 clinic in 10 passing {filtered.num_rows:,} of {few * K:,}")  # fmt: skip


def main() -> None:
    """Each database that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n = 10_000 if quick else 100_000
    lat, lon = ontario(n, 1)
    level = levels(n)
    origins = list(zip(*(axis.tolist() for axis in ontario(200, 2, 0.2)), strict=True))
    ours = {share: Ketafind(lat, lon, level >= len(SHARES) - 1 - LEVELS[share]) for share in SHARES}
    makers = {
        "DuckDB": lambda _: duckdb_ask(lat, lon, level),
        "Redis": lambda folder: redis_ask(lat, lon, level, folder),
        "PostGIS": lambda folder: postgis_ask(lat, lon, level, folder),
    }
    print(f"single question, N = {n:,}, k = 5, Ontario: p50 in microseconds, ratio to ketafind")
    for name, maker in makers.items():
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            try:
                ask = stack.enter_context(maker(folder))
            except (ImportError, FileNotFoundError) as error:
                print(f"   ({name} left out: {error})")
                continue
            for share in SHARES:
                mine, theirs = [], []
                for turn in range(4):
                    some = origins[turn * 50 : turn * 50 + 50]
                    each_ns(ours[share].one, some)
                    mine += each_ns(ours[share].one, some)
                    few = some[:10]
                    theirs += each_ns(lambda at, on, s=share, a=ask: a(at, on, s), few)
                own, other = np.median(mine) / 1e3, np.median(theirs) / 1e3
                print(f"   {name:8} {share:>5}  {other:10.0f} us   ketafind {own:5.2f} us   "
                      f"x {other / own:.0f}")  # fmt: skip
    sedona_join(*((5_000, 2_000) if quick else (100_000, 20_000)))


if __name__ == "__main__":
    main()
