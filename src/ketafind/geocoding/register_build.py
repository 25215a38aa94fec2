"""Build a street register from Statistics Canada's National Address Register or OpenAddresses."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DataError, Fault, InvalidInputError, KetafindError, MissingFileError
from ketafind.files import write_arrays
from ketafind.geocoding.register import KIND, VERSION
from ketafind.geocoding.words import name_key, street_key, words_of

CHUNK = 200_000
ONTARIO = "35"
ROOFTOP, BLOCK_FACE = 0, 1
NAR_LICENCE = (
    "Adapted from Statistics Canada, National Address Register; Statistics Canada Open Licence"
)
STREET = ("OFFICIAL_STREET_NAME", "OFFICIAL_STREET_TYPE", "OFFICIAL_STREET_DIR")
OFFICIAL = ("LOC_GUID", "CIVIC_NO", *STREET, "CSD_ENG_NAME", "MAIL_MUN_NAME")
OPTIONAL = ("CSD_FRE_NAME", "BG_X")
POSITIONS = (
    ("BG_LATITUDE", "BG_LONGITUDE"),
    ("REPPOINT_LATITUDE", "REPPOINT_LONGITUDE"),
    ("BF_REPPOINT_LATITUDE", "BF_REPPOINT_LONGITUDE"),
)
OPEN = ("lon", "lat", "number", "street", "city", "region")


class _Names:
    """Numbers texts in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, name: Any) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


class _Points:
    """Address points as columns, gathered chunk by chunk; texts are numbered at once."""

    def __init__(self) -> None:
        self.communities, self.streets = _Names(), _Names()
        self.french: dict[str, str] = {}
        self.chunks: list[dict[str, NDArray[Any]]] = []
        self._cache: dict[tuple[str, ...], int] = {}

    def street(self, words: tuple[str, ...]) -> int:
        """Number a street: municipality, post town, name, type and direction as written."""
        known = self._cache.get(words)
        if known is None:
            municipality, town, *street = words
            community = self.communities.number(
                (name_key(words_of(municipality)[0]), name_key(words_of(town)[0]))
            )
            key = street_key(words_of(" ".join(street))[0])
            known = self._cache[words] = self.streets.number((community, *key))
        return known

    def add(self, keys: Any, **columns: NDArray[Any]) -> None:
        """Add a chunk; `keys` is a frame whose columns make up the street."""
        codes = keys.groupby(list(keys.columns), sort=False, dropna=False).ngroup().to_numpy()
        first = np.unique(codes, return_index=True)[1]
        rows = keys.iloc[first].itertuples(index=False, name=None)
        numbers = np.array([self.street(tuple(row)) for row in rows], dtype=np.uint32)
        self.chunks.append({"street": numbers[codes], **columns})

    def column(self, name: str) -> NDArray[Any]:
        """One column of all chunks."""
        parts = [chunk[name] for chunk in self.chunks]
        return np.concatenate(parts) if parts else np.array([], dtype=np.uint32)


def build_register(
    out: str | Path,
    *,
    nar: str | Path | None = None,
    openaddresses: str | Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Build a street register for `RegisterGeocoder`.

    Parameters
    ----------
    out : path-like
        The file to write; replaced if there, whole or not at all.
    nar : path-like, optional
        The zip of the National Address Register, in either of its layouts.
    openaddresses : path-like, optional
        A file of OpenAddresses: CSV, or GeoJSON with one feature a line (also .gz).
    progress : bool
        Whether to show a bar on a terminal.

    Returns
    -------
    dict
        What was read: source, licence, rows, points, streets, communities.

    Raises
    ------
    InvalidInputError
        If not exactly one source is given.
    DataError
        If the source cannot be read, lacks a column, or holds no point of Ontario.
    MissingFileError
        If there is no such file.
    """
    if (nar is None) == (openaddresses is None):
        raise InvalidInputError("give one source: nar= or openaddresses=")
    points = _Points()
    bar = _bar(progress=progress)
    source = Path(nar if nar is not None else str(openaddresses))
    with _readable(source):
        meta = (_read_open if nar is None else _read_nar)(source, points, bar)
    arrays = _arrays(points)
    if not len(arrays["civic"]):
        raise DataError(str(source), [Fault("no address point of Ontario was found")])
    meta |= {"points": len(arrays["civic"]), "streets": len(arrays["street_type"])}
    meta |= {"communities": len(points.communities.numbers)}
    write_arrays(out, {"kind": KIND, "version": VERSION, **meta}, arrays)
    return meta


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in ketafind's own words that a source cannot be read."""
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file")
    try:
        yield
    except KetafindError:
        raise
    except zipfile.BadZipFile:
        fault = "this is no zip archive; give it as it was downloaded"
        raise DataError(str(path), [Fault(fault)]) from None
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(str(path), [Fault(f"it cannot be read: {error}")]) from None


def _bar(*, progress: bool) -> Callable[[int], object]:
    if not progress:
        return int
    from tqdm import tqdm

    bar = tqdm(desc="reading", unit=" rows", unit_scale=True, disable=None, delay=1.0)
    return bar.update


def _frames(file: Any, wanted: tuple[str, ...], source: str, bar: Callable[[int], object]) -> Any:
    """Read a CSV in chunks of text, by the names in its header."""
    import pandas as pd

    reader = pd.read_csv(
        file,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        chunksize=CHUNK,
        usecols=lambda name: name in wanted or name in OPTIONAL or name.lower() in wanted,
    )
    for chunk in reader:
        missing = [n for n in wanted if n not in chunk.columns and n.upper() not in chunk.columns]
        if missing:
            raise DataError(
                source, [Fault(f"the column {n} is missing", column=n) for n in missing]
            )
        bar(len(chunk))
        yield chunk


def _members(archive: zipfile.ZipFile, folder: str) -> list[str]:
    """Ontario's members of a folder, whatever stands before it in the archive."""
    start = f"{folder}_{ONTARIO}".lower()
    names = [n for n in archive.namelist() if n.rpartition("/")[2].lower().startswith(start)]
    return sorted(n for n in names if n.lower().endswith(".csv"))


def _read_nar(path: Path, points: _Points, bar: Callable[[int], object]) -> dict[str, Any]:
    import pandas as pd

    with zipfile.ZipFile(path) as archive:
        addresses, locations = _members(archive, "Address"), _members(archive, "Location")
        if not addresses or not locations:
            fault = "it has no members Address_35... and Location_35... (Ontario)"
            raise DataError(str(path), [Fault(fault)])
        guid, lat, lon, kind = _locations(archive, locations, bar)
        rows = 0
        for member in addresses:
            with archive.open(member) as file:
                for chunk in _frames(file, OFFICIAL, f"{path.name}/{member}", bar):
                    rows += len(chunk)
                    _add_addresses(points, chunk, pd, (guid, lat, lon, kind))
    return {"source": path.name, "licence": NAR_LICENCE, "rows": rows}


def _locations(
    archive: zipfile.ZipFile, members: list[str], bar: Callable[[int], object]
) -> tuple[NDArray[Any], ...]:
    """Positions by the hash of their id, sorted."""
    import pandas as pd

    wanted = {name for pair in POSITIONS for name in pair} | {"LOC_GUID"}
    parts = []
    for member in members:
        with archive.open(member) as file:
            reader = pd.read_csv(
                file,
                dtype={"LOC_GUID": str},
                encoding="utf-8-sig",
                chunksize=CHUNK,
                usecols=lambda name: name in wanted,
            )
            for chunk in reader:
                bar(len(chunk))
                parts.append(_positions(chunk, pd, member))
    guid, lat, lon, kind = (np.concatenate([part[i] for part in parts]) for i in range(4))
    order = np.argsort(guid, kind="stable")
    return guid[order], lat[order], lon[order], kind[order]


def _positions(chunk: Any, pd: Any, member: str) -> tuple[NDArray[Any], ...]:
    lat, lon = np.full(len(chunk), np.nan), np.full(len(chunk), np.nan)
    kind = np.full(len(chunk), ROOFTOP, dtype=np.uint8)
    if not any(pair[0] in chunk.columns for pair in POSITIONS):
        raise DataError(member, [Fault("no column of latitudes is known")])
    for number, (north, east) in enumerate(POSITIONS):
        if north in chunk.columns and east in chunk.columns:
            open_ = np.isnan(lat)
            lat = np.where(open_, pd.to_numeric(chunk[north], errors="coerce"), lat)
            lon = np.where(open_, pd.to_numeric(chunk[east], errors="coerce"), lon)
            kind[open_ & (number == 2)] = BLOCK_FACE
    good = np.isfinite(lat) & np.isfinite(lon) & (abs(lat) <= 90) & (abs(lon) <= 180)
    guid = pd.util.hash_array(chunk["LOC_GUID"].to_numpy(dtype=object))
    return guid[good], lat[good], lon[good], kind[good]


def _add_addresses(points: _Points, chunk: Any, pd: Any, known: tuple[NDArray[Any], ...]) -> None:
    guid, lat, lon, kind = known
    civic = pd.to_numeric(chunk["CIVIC_NO"], errors="coerce").to_numpy(dtype=float)
    wanted = pd.util.hash_array(chunk["LOC_GUID"].to_numpy(dtype=object))
    at = np.minimum(np.searchsorted(guid, wanted), max(0, len(guid) - 1))
    found = (guid[at] == wanted) if len(guid) else np.zeros(len(chunk), dtype=bool)
    use = found & (civic > 0) & (civic < 1e7) & (chunk["OFFICIAL_STREET_NAME"] != "").to_numpy()
    chunk, at = chunk[use], at[use]
    sort = kind[at].copy()
    if "BG_X" in chunk.columns:
        # The older layout has one point a location: the building's if the address has one.
        sort[(chunk["BG_X"] == "").to_numpy()] = BLOCK_FACE
    if "CSD_FRE_NAME" in chunk.columns:
        pairs = chunk[["CSD_FRE_NAME", "CSD_ENG_NAME"]].drop_duplicates()
        points.french |= dict(pairs.itertuples(index=False, name=None))
    keys = chunk[["CSD_ENG_NAME", "MAIL_MUN_NAME", *STREET]]
    points.add(
        keys,
        civic=civic[use].astype(np.uint32),
        lat=np.rint(lat[at] * 1e6).astype(np.int32),
        lon=np.rint(lon[at] * 1e6).astype(np.int32),
        kind=sort,
    )


def _read_open(path: Path, points: _Points, bar: Callable[[int], object]) -> dict[str, Any]:
    import pandas as pd

    open_text = gzip.open if path.suffix == ".gz" else open
    rows = 0
    with open_text(path, "rt", encoding="utf-8-sig") as file:
        is_json = file.read(1) == "{"
        file.seek(0)
        chunks = _features(file, bar) if is_json else _frames(file, OPEN, path.name, bar)
        for raw in chunks:
            chunk = raw.rename(columns=str.lower)
            rows += len(chunk)
            _add_open(points, chunk, pd)
    licence = "as stated by the source of this OpenAddresses file"
    return {"source": path.name, "licence": licence, "rows": rows}


def _features(file: IO[str], bar: Callable[[int], object]) -> Iterator[Any]:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for line in file:
        if not line.strip():
            continue
        feature = json.loads(line)
        properties = {str(k).lower(): v for k, v in (feature.get("properties") or {}).items()}
        place = (feature.get("geometry") or {}).get("coordinates") or [None, None]
        row = {name: str(properties.get(name) or "") for name in OPEN}
        rows.append({**row, "lon": place[0], "lat": place[1]})
        if len(rows) == CHUNK:
            bar(len(rows))
            yield pd.DataFrame(rows)
            rows = []
    bar(len(rows))
    if rows:
        yield pd.DataFrame(rows)


def _add_open(points: _Points, chunk: Any, pd: Any) -> None:
    lat = pd.to_numeric(chunk["lat"], errors="coerce").to_numpy(dtype=float)
    lon = pd.to_numeric(chunk["lon"], errors="coerce").to_numpy(dtype=float)
    digits = chunk["number"].str.extract(r"^\s*([0-9]{1,7})", expand=False)
    civic = pd.to_numeric(digits, errors="coerce").to_numpy(dtype=float)
    region = chunk["region"].str.strip().str.upper().isin(["", "ON", "ONTARIO"]).to_numpy()
    inside = (lat > 41.6) & (lat < 56.9) & (lon > -95.3) & (lon < -74.2)
    use = inside & region & (civic > 0) & (chunk["street"].str.strip() != "").to_numpy()
    chunk, lat, lon = chunk[use].copy(), lat[use], lon[use]
    blank = (chunk["city"].str.strip() == "").to_numpy()
    if blank.any():
        chunk.loc[blank, "city"] = _nearest_towns(lat[blank], lon[blank])
    keys = chunk[["city", "street"]]
    keys.insert(0, "municipality", chunk["city"])
    points.add(
        keys,
        civic=civic[use].astype(np.uint32),
        lat=np.rint(lat * 1e6).astype(np.int32),
        lon=np.rint(lon * 1e6).astype(np.int32),
        kind=np.zeros(len(chunk), dtype=np.uint8),
    )


def _nearest_towns(lat: NDArray[Any], lon: NDArray[Any]) -> list[str]:
    """Name the nearest place of the gazetteer, by cells of 0.01 degree."""
    from ketafind.geocoding.gazetteer import default_gazetteer

    gazetteer = default_gazetteer()
    # What an address is named after: a place with postal codes, or its municipality.
    counts = gazetteer.codes_of_place
    places = [p for p in gazetteer.places if counts[p.number] or p.kind == "municipality"]
    at_lat = np.array([place.lat for place in places])
    at_lon = np.array([place.lon for place in places])
    cells, inverse = np.unique(
        np.round(np.column_stack([lat, lon]), 2), axis=0, return_inverse=True
    )
    names = []
    for y, x in cells.tolist():
        far = (at_lat - y) ** 2 + ((at_lon - x) * np.cos(np.radians(y))) ** 2
        names.append(places[int(np.argmin(far))].name.partition(" (")[0])
    return [names[i] for i in inverse.ravel().tolist()]


def _arrays(points: _Points) -> dict[str, NDArray[Any]]:
    """Sort everything: streets by community and name, points by street and number."""
    streets = sorted(points.streets.numbers)
    rank = np.empty(len(streets), dtype=np.uint32)
    for new, key in enumerate(streets):
        rank[points.streets.numbers[key]] = new
    street = rank[points.column("street")] if streets else points.column("street")
    civic, kind = points.column("civic"), points.column("kind")
    # The building's point goes before the block face's; equal addresses are one point.
    order = np.lexsort((kind, civic, street))
    street, civic = street[order], civic[order]
    first = np.ones(len(street), dtype=bool)
    first[1:] = (street[1:] != street[:-1]) | (civic[1:] != civic[:-1])
    order, street = order[first], street[first]
    types = sorted({key[2] for key in streets})
    ways = sorted({key[3] for key in streets})
    communities = sorted(points.communities.numbers.items(), key=lambda item: item[1])
    french = [
        [name_key(words_of(f)[0]), name_key(words_of(e)[0])] for f, e in points.french.items()
    ]
    return {
        "civic": civic[first].astype(np.uint32),
        "lat": points.column("lat")[order].astype(np.int32),
        "lon": points.column("lon")[order].astype(np.int32),
        "kind": kind[order].astype(np.uint8),
        "street_start": np.searchsorted(street, np.arange(len(streets) + 1)).astype(np.uint32),
        "street_community": np.array([key[0] for key in streets], dtype=np.uint32),
        "street_type": np.array([types.index(key[2]) for key in streets], dtype=np.uint8),
        "street_way": np.array([ways.index(key[3]) for key in streets], dtype=np.uint8),
        "names": _text([key[1] for key in streets]),
        "words": _text([json.dumps([types, ways, [key for key, _ in communities], french])]),
    }


def _text(lines: list[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)
