"""Fit ``src/ketafind/geocoding/radii.json``: 90 % radii for codes and places.

Two kinds of evidence, none of which is the data that accuracy is measured with:

- ``--addresses FILE``: addresses with known positions (columns address_text, lat, lon), for the
  classes of urban codes that are good to a few hundred metres, and for places without a code. The
  table that ships was fitted on the register of retirement homes of Ontario's regulator.
- ``--blocks FILE``: positions of census blocks in which a code has addresses (columns
  postal_code, lat, lon, weight), for the classes that are off by kilometres: a block is too large
  to judge the others by. Fitted on the National Address Register, June 2026.

Radii of rural codes come from how far the gazetteer's own sources of a village lie from each
other, and are fitted by every call, with or without the files:

- a code with nothing but its own older point: how far the older points of the villages lie that
  are settled by better sources; a place of which only the surroundings are known: the same;
- a settled village: how far its newer codes lie from DB-IP's record of it, disagreements included;
- a place whose sources disagree: twice the first, so that it covers both.

A place's radius is made with the gazetteer, from where the codes named after it stand.

    python tools/calibrate_radii.py
    python tools/calibrate_radii.py --addresses homes.csv --blocks blocks.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

from gazetteer_codes import clean, distance_km, read_codes
from gazetteer_places import NEWER, key_of, names_at_points
from gazetteer_places import table as rows_of

from ketafind.geo import sphere_km
from ketafind.geocoding.gazetteer import default_gazetteer
from ketafind.geocoding.lexicon import code_number
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.geocoding.reading import Reading

TARGET = ROOT / "src" / "ketafind" / "geocoding" / "radii.json"
COARSE_KM = 2.0
FEW = 20
OWN, REPAIRED, TOWN, DOUBTFUL = range(4)


def ninetieth(distances: Iterable[float], weights: Iterable[float] | None = None) -> float:
    """The 90th percentile, weighted."""
    d = np.asarray(list(distances))
    w = np.ones(len(d)) if weights is None else np.asarray(list(weights))
    order = np.argsort(d)
    reached = np.cumsum(w[order]) / w.sum()
    return float(d[order][min(len(d) - 1, int(np.searchsorted(reached, 0.9)))])


def group(quality: int) -> tuple[int, ...]:
    """The classes that share a radius: codes with their own point by their neighbours' spread."""
    method, shared, spread = quality // 32, quality >> 2 & 3, quality & 3
    if method == REPAIRED:
        return (REPAIRED,)
    return (OWN, shared, spread)


def by_addresses(path: str) -> Iterator[tuple[int, float]]:
    """Class and error of each urban address whose code is known."""
    geocoder = OfflineGeocoder()
    for text, lat, lon in addresses(path):
        row = Reading(text, geocoder.gazetteer).code_row
        quality = geocoder.gazetteer.ontario.qualities[row] if row >= 0 else 16
        if not quality & 16:
            located = geocoder.gazetteer.ontario
            yield quality, sphere_km(located.lats[row] / 1e4, located.lons[row] / 1e4, lat, lon)


def by_blocks(path: str) -> Iterator[tuple[int, float, float]]:
    """Class, error and weight of each urban code and block."""
    table = default_gazetteer().ontario
    with open(path, encoding="utf-8") as file:
        for line in csv.DictReader(file):
            row = table.find(code_number(line["postal_code"].lower().replace(" ", "")))
            if row >= 0 and not table.qualities[row] & 16:
                lat, lon = table.lats[row] / 1e4, table.lons[row] / 1e4
                error = sphere_km(lat, lon, float(line["lat"]), float(line["lon"]))
                yield table.qualities[row], error, float(line["weight"])


def addresses(path: str) -> Iterator[tuple[str, float, float]]:
    """Text, latitude and longitude of each address."""
    with open(path, encoding="utf-8") as file:
        for line in csv.DictReader(file):
            yield line["address_text"], float(line["lat"]), float(line["lon"])


def urban(address_file: str, block_file: str) -> dict[tuple[int, ...], float]:
    """Radii of the groups of urban classes."""
    fine, coarse = defaultdict(list), defaultdict(list)
    for quality, error in by_addresses(address_file):
        fine[group(quality)].append(error)
    for quality, error, weight in by_blocks(block_file):
        coarse[group(quality)].append((error, weight))
    radii = {}
    for key, pairs in coarse.items():
        radius = ninetieth((p[0] for p in pairs), (p[1] for p in pairs))
        if radius < COARSE_KM and len(fine[key]) >= FEW:
            radius = ninetieth(fine[key])
        radii[key] = radius
        print(f"urban {key}: {radius:.2f} km ({len(fine[key])} addresses, {len(pairs)} blocks)")
    return radii


def rural() -> tuple[float, float, float, float]:
    """Radii of rural codes by how their positions came about."""
    codes, final = clean(read_codes()[0]), default_gazetteer().ontario
    own = codes.rural & (names_at_points(codes) == 1)
    newer = codes.number % 2000 < NEWER
    settled = final.quality // 32 == TOWN
    moved = distance_km(codes.lat, codes.lon, final.lat / 1e4, final.lon / 1e4)
    alone = ninetieth(moved[own & ~newer & settled])
    records = defaultdict(list)
    for line in rows_of(ROOT / "tools" / "sources" / "settlements.csv"):
        records[key_of(line["name"])].append((float(line["lat"]), float(line["lon"])))
    apart = [
        min(float(distance_km(codes.lat[i], codes.lon[i], *at)) for at in records[key])
        for i in np.flatnonzero(own & newer)
        if (key := key_of(codes.name[i])) in records
    ]
    village = ninetieth(apart)
    print(f"rural: alone {alone:.2f} km, settled {village:.2f} km ({len(apart)} pairs)")
    return alone, alone, village, 2 * alone


def main() -> None:
    """Fit and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addresses", help="with --blocks: fit the urban classes, too")
    parser.add_argument("--blocks")
    arguments = parser.parse_args()
    table = json.loads(TARGET.read_text(encoding="utf-8"))
    by_method = rural()
    files = arguments.addresses and arguments.blocks
    town = urban(arguments.addresses, arguments.blocks) if files else None
    for quality in range(128):
        method = quality // 32
        if quality & 16:
            table["codes"][quality] = round(by_method[method], 2)
        elif town is not None:
            key = group(quality) if method < TOWN else (OWN, 0, 3)
            table["codes"][quality] = round(town.get(key, table["codes"][quality | 16]), 2)
    TARGET.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
