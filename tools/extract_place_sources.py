"""Make the tables of ``tools/sources`` that are parts of larger public ones.

- ``ontario_names.csv`` from the Canadian Geographical Names Data Base of Natural Resources Canada
  (``cgn_on_csv_eng.csv``, edition of 5 August 2026, Open Government Licence - Canada): inhabited
  places, municipalities, reserves, First Nations and large parks.
- ``municipalities.csv`` from the table ``towny`` of the PyPI package great-tables 1.1.0 (MIT
  licence; of the census and of Ontario's list of municipalities): ``great_tables/data/07-towny.csv``.

    python tools/extract_place_sources.py cgn_on_csv_eng.csv 07-towny.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

SOURCES = Path(__file__).with_name("sources")
KEPT = frozenset({"UNP", "TOWN", "CITY", "VILG", "MUN2", "IR"})
PARKS = frozenset({"Provincial Park", "National Park"})
NAMES = {
    "Geographical Name": "name",
    "Generic Term": "term",
    "Latitude": "lat",
    "Longitude": "lon",
    "Location": "county",
    "Concise Code": "code",
}
TOWNY = ("name", "csd_type", "census_div", "latitude", "longitude", "land_area_km2")


def read(path: str) -> list[dict[str, str]]:
    """Rows of a table."""
    with open(path, encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def write(name: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Write a table in the order of its rows' values."""
    with (SOURCES / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(sorted(set(rows)))


def main(names: str, towny: str) -> None:
    """Write both tables."""
    places = [{short: row[long] for long, short in NAMES.items()} for row in read(names)]
    kept = [p for p in places if p["code"] in KEPT or p["term"] in PARKS]
    rows = [
        (
            p["name"],
            p["term"],
            f"{float(p['lat']):.4f}",
            f"{float(p['lon']):.4f}",
            p["county"].partition(";")[0].strip(" *"),
        )
        for p in kept
    ]
    write("ontario_names.csv", ("name", "term", "lat", "lon", "county"), rows)
    columns = ("name", "type", "division", "lat", "lon", "area_km2", "population")
    write(
        "municipalities.csv",
        columns,
        [tuple(row[c] for c in (*TOWNY, "population_2021")) for row in read(towny)],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
