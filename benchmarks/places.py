"""Measure how places are read by name: official names, codes with their towns, texts of elsewhere.

    python benchmarks/places.py --eval FOLDER [--all] [--wrong 10]

FOLDER holds ``places_dev.csv`` and ``geocode_dev.csv``; without it those parts are left out. The
table of municipalities is that in ``tools/sources``. ``--all`` reads every postal code of Ontario
with its own place's name, not one in twenty. Exits 1 where a limit is passed.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ketafind.errors import GeocodingError, KetafindError
from ketafind.geo import sphere_km
from ketafind.geocoding import default_gazetteer, geocode, geocode_many
from ketafind.geocoding.lexicon import code_text, fold
from ketafind.records import Location

ROOT = Path(__file__).resolve().parents[1]
CITIES = ("Toronto", "Ottawa", "Hamilton", "Mississauga", "London")
ELSEWHERE = Path(__file__).with_name("texts_of_elsewhere.txt")
failed: list[str] = []


def report(name: str, value: float, limit: float, unit: str = "", *, most: bool = True) -> None:
    """Print a figure beside its limit, and note it if it is passed."""
    good = value <= limit if most else value >= limit
    sign = "<=" if most else ">="
    print(f"  {name:<52} {value:>10,.3f} {unit:<6} {sign} {limit:g}  {'' if good else 'MISSED'}")
    if not good:
        failed.append(name)


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a file."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def right(row: dict[str, str]) -> tuple[bool, str]:
    """Whether a case is answered as it should be, and how it is."""
    try:
        found = geocode(row["text"])
    except KetafindError as error:
        return "refuse" in row["expect"], f"{type(error).__name__}: {error}"
    said = f"{found.label} ({found.match}, {found.radius_km:.1f} km) {'; '.join(found.corrections)}"
    if row["expect"] == "refuse":
        return False, said
    far = sphere_km(found.lat, found.lon, float(row["lat"]), float(row["lon"]))
    strict = "match exact" not in row["why"] or (found.match == "exact" and found.radius_km < 2)
    return far <= float(row["within_km"]) and strict, f"{far:.1f} km off: {said}"


def kinds(folder: Path, *, every: bool) -> None:
    """The cases of places_dev.csv by kind."""
    total, good = Counter[str](), Counter[str]()
    for row in table(folder / "places_dev.csv"):
        fine, said = right(row)
        total[row["kind"]] += 1
        good[row["kind"]] += fine
        if every or not fine:
            print(f"    {'ok ' if fine else 'BAD'} {row['text']} -> {said}")
    for kind, count in total.items():
        print(f"  {kind:<52} {good[kind]:>3} of {count}")
    share = 100 * sum(good.values()) / sum(total.values())
    report("cases answered or refused as they should be", share, 97, "%", most=False)


def municipalities() -> None:
    """The official names, each with ", ON"."""
    rows = table(ROOT / "tools" / "sources" / "municipalities.csv")
    far = lost = 0
    for row in rows:
        if row["name"] == "Hamilton" and row["type"] == "township":
            row["name"] = "Hamilton Township"
        lat, lon = float(row["lat"]), float(row["lon"])
        reach = max(20.0, 1.5 * math.sqrt(float(row["area_km2"]) / math.pi))
        try:
            found = geocode(f"{row['name']}, ON")
            wrong = sphere_km(found.lat, found.lon, lat, lon) > reach
            near: Iterable[Location] = found.candidates if found.match == "ambiguous" else ()
        except GeocodingError as error:
            wrong, near = True, getattr(error, "candidates", ())
            lost += not near
        if wrong and not any(sphere_km(c.lat, c.lon, lat, lon) <= reach for c in near):
            far += 1
            print(f"    BAD {row['name']}")
    print(f"official names of municipalities ({len(rows)})")
    report("answered far from their own area, or not at all", far, 0)
    report("not found", lost, 0)


def codes(*, every: bool) -> None:
    """Codes with the name of their city, or of their own place."""
    gazetteer = default_gazetteer()
    ontario = gazetteer.ontario
    numbers = ontario.number.tolist()
    toronto = [n for n in numbers if code_text(n)[0] == "M"]
    texts = [f"Toronto, ON {code_text(n)}" for n in toronto[:: 1 if every else 20]]
    clash = [a for a in geocode_many(texts) if not isinstance(a, Location) or a.match != "exact"]
    print(f"codes of M with Toronto ({len(texts)})")
    report("in conflict", len(clash), 0)
    step = 1 if every else 20
    named = zip(numbers[::step], ontario.name.tolist()[::step], strict=True)
    texts = [
        f"{gazetteer.places[name].name.partition(' (')[0]}, ON {code_text(n)}" for n, name in named
    ]
    answers = geocode_many(texts)
    refused = [a for a in answers if not isinstance(a, Location)]
    exact = sum(isinstance(a, Location) and a.match == "exact" for a in answers)
    print(f"codes with their own place's name ({len(texts)})")
    report("exact", 100 * exact / len(texts), 99.8, "%", most=False)
    report("refused", len(refused), 0)
    for error in refused[:5]:
        print(f"    {error}")


def towns(folder: Path) -> None:
    """A town alone, on facilities in it: whether the stated radius holds."""
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in table(folder / "geocode_dev.csv"):
        try:
            found = geocode(f"{row['city']}, ON")
        except GeocodingError:
            continue
        far = sphere_km(found.lat, found.lon, float(row["lat"]), float(row["lon"]))
        errors[row["city"]].append((far, found.radius_km))
    every = [pair for pairs in errors.values() for pair in pairs]
    holds = 100 * float(np.mean([far <= radius for far, radius in every]))
    print(f"towns alone ({len(every)} facilities)")
    report("radius holds, at least", holds, 88, "%", most=False)
    report("radius holds, at most", holds, 92, "%")
    for city in CITIES:
        share = 100 * float(np.mean([far <= radius for far, radius in errors[city]]))
        report(f"in {city} ({len(errors[city])}), at least", share, 84, "%", most=False)
        report(f"in {city}, at most", share, 97, "%")
    large = [pairs for pairs in errors.values() if len(pairs) >= 20]
    own = [float(np.percentile([p[0] for p in pairs], 90)) for pairs in large for _ in pairs]
    stated = [radius for pairs in large for _, radius in pairs]
    ratio = float(np.median(stated) / np.median(own))
    report("median radius, of the towns' own 90 % error", ratio, 1.15)


def texts_of_elsewhere() -> Iterator[str]:
    """Addresses and towns of other countries and provinces."""
    for line in ELSEWHERE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


def elsewhere() -> None:
    """Texts of other countries are placed in Ontario only by a name that Ontario has."""
    texts = list(texts_of_elsewhere())
    placed = [
        (text, answer)
        for text, answer in zip(texts, geocode_many(texts), strict=True)
        if isinstance(answer, Location)
    ]
    wrong = [
        (text, a)
        for text, a in placed
        if "was read as" in str(a.corrections)
        or fold(a.label.partition(" (")[0].partition(",")[0]) not in fold(text)
    ]
    print(f"texts of elsewhere ({len(texts)}): {len(placed)} placed in Ontario")
    for text, answer in wrong:
        print(f"    BAD {text} -> {answer.label} {answer.corrections}")
    report("placed by a name that is not theirs", len(wrong), 0)


def main() -> int:
    """Measure everything that can be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", default=os.environ.get("KETAFIND_EVAL"))
    parser.add_argument("--all", action="store_true", help="read every postal code")
    parser.add_argument("--show", action="store_true", help="print right cases, too")
    arguments = parser.parse_args()
    if arguments.eval:
        kinds(Path(arguments.eval), every=arguments.show)
        towns(Path(arguments.eval))
    else:
        print("no cases to measure with: give --eval FOLDER; left out")
    municipalities()
    codes(every=arguments.all)
    elsewhere()
    print(f"missed: {', '.join(failed)}" if failed else "every limit is kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
