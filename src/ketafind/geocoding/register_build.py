"""Build a street register from Statistics Canada's National Address Register or OpenAddresses."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ketafind.errors import DataError, Fault, InvalidInputError, KetafindError, MissingFileError
from ketafind.files import naming, path_text, refuse_existing, write_arrays
from ketafind.geo import EAST, NORTH, SOUTH, WEST
from ketafind.geocoding.gazetteer import default_gazetteer
from ketafind.geocoding.lexicon import name_key, street_key, words_of
from ketafind.geocoding.protocol import shown
from ketafind.geocoding.register import KIND, VERSION

CHUNK = 200_000
BAR = ("reading", f" x {CHUNK:,} rows")
ONTARIO = "35"
ROOFTOP, BLOCK_FACE = 0, 1
NAR_LICENCE = (
    "Adapted from Statistics Canada, National Address Register; Statistics Canada Open Licence"
)
STREET = ("OFFICIAL_STREET_NAME", "OFFICIAL_STREET_TYPE", "OFFICIAL_STREET_DIR")
OFFICIAL = ("LOC_GUID", "CIVIC_NO", *STREET, "CSD_ENG_NAME", "MAIL_MUN_NAME")
OPTIONAL = ("CSD_FRE_NAME", "BG_X")
NAMES = {"CSD_ENG_NAME": "municipality", "MAIL_MUN_NAME": "town", "CSD_FRE_NAME": "french"}
# Columns of a position, the best first, and what they are the position of.
POSITIONS = {
    ("BG_LATITUDE", "BG_LONGITUDE"): ROOFTOP,
    ("REPPOINT_LATITUDE", "REPPOINT_LONGITUDE"): ROOFTOP,
    ("BF_REPPOINT_LATITUDE", "BF_REPPOINT_LONGITUDE"): BLOCK_FACE,
}

OPEN_LICENCE = "as stated by the source of this OpenAddresses file"
OPEN = ("lon", "lat", "number", "street", "city", "region")


# What both sources are brought to, and French names of municipalities where there are some.
COLUMNS = ("municipality", "town", "street", "civic", "lat", "lon", "kind")


class _Points:
    """Address points as columns, gathered chunk by chunk; a street as written is numbered."""

    def __init__(self) -> None:
        self.rows = 0
        self.streets: defaultdict[tuple[str, ...], int] = defaultdict(count().__next__)
        self.french: dict[str, str] = {}
        self._chunks: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Add those of a chunk's rows that can be used."""
        self.rows += len(rows)
        if "french" in rows.columns:
            pairs = rows[["french", "municipality"]].drop_duplicates()
            self.french |= dict(pairs.itertuples(index=False, name=None))
        rows = rows[
            rows["civic"].between(0, 1e7, inclusive="neither")
            & rows["lat"].notna()
            & (rows["street"].str.strip() != "")
        ]
        keys = list(COLUMNS[:3])
        codes = rows.groupby(keys, sort=False).ngroup()
        written = rows[keys].drop_duplicates().itertuples(index=False, name=None)
        numbers = np.array([self.streets[street] for street in written], dtype=np.uint32)
        columns = {
            "street": numbers[codes],
            "civic": rows["civic"].astype(np.uint32),
            "lat": (rows["lat"] * 1e6).round().astype(np.int32),
            "lon": (rows["lon"] * 1e6).round().astype(np.int32),
            "kind": rows["kind"].astype(np.uint8),
        }
        self._chunks.append(pd.DataFrame(columns))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Sort everything: streets by community and name, points by street and number."""
        keys = [_key(*written) for written in self.streets]
        streets = sorted(set(keys))
        rank = {key: number for number, key in enumerate(streets)}
        points = pd.concat(self._chunks, ignore_index=True)
        points["street"] = np.array([rank[key] for key in keys], np.uint32)[points["street"]]
        # The building's point goes before the block face's; equal addresses are one point.
        order = np.lexsort([points[name] for name in ("kind", "civic", "street")])
        points = points.iloc[order].drop_duplicates(["street", "civic"])
        communities, types, ways = (sorted({key[i] for key in streets}) for i in (0, 2, 3))
        french = [[_name_key(f), _name_key(e)] for f, e in self.french.items()]
        number = {community: i for i, community in enumerate(communities)}
        starts = np.searchsorted(points["street"], range(len(streets) + 1))
        return {
            **{name: points[name].to_numpy() for name in ("civic", "lat", "lon", "kind")},
            "street_start": starts.astype(np.uint32),
            "street_community": np.array([number[key[0]] for key in streets], dtype=np.uint32),
            "street_type": np.array([types.index(key[2]) for key in streets], dtype=np.uint8),
            "street_way": np.array([ways.index(key[3]) for key in streets], dtype=np.uint8),
            "names": _text("\n".join(key[1] for key in streets)),
            "words": _text(json.dumps([types, ways, communities, french])),
        }


def _key(municipality: str, town: str, street: str) -> tuple[tuple[str, str], str, str, str]:
    """The community, and the street's name, type and direction."""
    return (_name_key(municipality), _name_key(town)), *street_key(words_of(street)[0])


def _name_key(name: str) -> str:
    return name_key(words_of(name)[0])


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def build_register(
    out: str | Path,
    *,
    nar: str | Path | None = None,
    openaddresses: str | Path | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Build a street register for `RegisterGeocoder`.

    Parameters
    ----------
    out : path-like
        The file to write, whole or not at all.
    nar : path-like, optional
        The zip of the National Address Register, in either of its layouts.
    openaddresses : path-like, optional
        A file of OpenAddresses: CSV, or GeoJSON with one feature a line (also .gz).
    progress : bool
        Whether to show a bar on a terminal.
    overwrite : bool
        Whether to replace a file that is there.

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
    ExistingFileError
        If the file to write is there already; nothing is read then.
    """
    if (nar is None) == (openaddresses is None):
        raise InvalidInputError("give one source: nar= or openaddresses=")
    refuse_existing(out, overwrite=overwrite)
    source = Path(path_text(openaddresses if nar is None else nar))
    read, licence = (_read_open, OPEN_LICENCE) if nar is None else (_read_nar, NAR_LICENCE)
    points = _Points()
    with _readable(source):
        for rows in read(source, progress=progress):
            points.add(rows)
        arrays = points.arrays()
    if not len(arrays["civic"]):
        raise _fault(source, "no address point of Ontario was found")
    meta = {
        "source": source.name,
        "licence": licence,
        "rows": points.rows,
        "points": len(arrays["civic"]),
        "streets": len(arrays["street_type"]),
        "communities": int(arrays["street_community"].max()) + 1,
    }
    write_arrays(out, {"kind": KIND, "version": VERSION, **meta}, arrays, overwrite=overwrite)
    return meta


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say in ketafind's own words that a source cannot be read."""
    try:
        with naming(path):
            if not path.is_file():
                raise MissingFileError(f"{path}: there is no such file")
            yield
    except KetafindError:
        raise
    except zipfile.BadZipFile:
        raise _fault(path, "this is no zip archive; give it as it was downloaded") from None
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _fault(path, f"it cannot be read: {error}") from None


def _fault(source: object, message: str) -> DataError:
    return DataError(str(source), [Fault(message)])


def _frames(file: Any, wanted: Iterable[str], optional: Iterable[str], source: str) -> Any:
    """Read a CSV in chunks of text, by the names in its header."""
    names = {name.lower(): name for name in (*wanted, *optional)}
    reader = pd.read_csv(
        file,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        chunksize=CHUNK,
        usecols=lambda name: name.lower() in names,
    )
    for raw in reader:
        chunk = raw.rename(columns=lambda name: names[name.lower()])
        missing = [name for name in wanted if name not in chunk.columns]
        if missing:
            faults = [Fault(f"the column {name} is missing", column=name) for name in missing]
            raise DataError(source, faults)
        yield chunk


def _numbers(column: Any) -> Any:
    return pd.to_numeric(column, errors="coerce").astype(float)


def _read_nar(path: Path, *, progress: bool) -> Iterator[pd.DataFrame]:
    with zipfile.ZipFile(path) as archive:
        places = [name for pair in POSITIONS for name in pair]
        locations = _members(archive, "Location", ["LOC_GUID"], places)
        known = _positions(shown(locations, *BAR, progress=progress))
        addresses = _members(archive, "Address", OFFICIAL, OPTIONAL)
        for chunk in shown(addresses, *BAR, progress=progress):
            yield _official(chunk, known)


def _members(
    archive: zipfile.ZipFile, kind: str, wanted: Iterable[str], optional: Iterable[str]
) -> Iterator[Any]:
    """Read Ontario's members of a kind, whatever stands before them in the archive."""
    start = f"{kind}_{ONTARIO}".lower()
    names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    names = sorted(n for n in names if n.rpartition("/")[2].lower().startswith(start))
    if not names:
        members = "it has no members Address_35... and Location_35... (Ontario)"
        raise _fault(archive.filename, members)
    for name in names:
        with archive.open(name) as file:
            yield from _frames(file, wanted, optional, f"{Path(str(archive.filename)).name}/{name}")


def _positions(chunks: Iterable[Any]) -> pd.DataFrame:
    """Latitude, longitude and kind of the best position of each location, by its id's hash."""
    parts = []
    for chunk in chunks:
        for (north, east), kind in POSITIONS.items():
            if north in chunk.columns and east in chunk.columns:
                columns = {"lat": _numbers(chunk[north]), "lon": _numbers(chunk[east])}
                part = pd.DataFrame(columns).assign(kind=np.uint8(kind)).set_index(_hashes(chunk))
                parts.append(part[part["lat"].between(-90, 90) & part["lon"].between(-180, 180)])
    if not parts:
        raise ValueError("no column of latitudes is known")
    known = pd.concat(parts)
    return known[~known.index.duplicated()]


def _hashes(chunk: Any) -> pd.Index:
    return pd.Index(pd.util.hash_array(chunk["LOC_GUID"].to_numpy(dtype=object)))


def _official(chunk: Any, known: pd.DataFrame) -> pd.DataFrame:
    rows: pd.DataFrame = known.reindex(_hashes(chunk)).set_index(chunk.index)
    rows["civic"] = _numbers(chunk["CIVIC_NO"])
    rows["street"] = chunk[STREET[0]].str.cat(chunk[list(STREET[1:])], sep=" ")
    for name in chunk.columns.intersection(list(NAMES)):
        rows[NAMES[name]] = chunk[name]
    if "BG_X" in chunk.columns:
        # The older layout has one point a location: the building's if the address has one.
        rows.loc[chunk["BG_X"] == "", "kind"] = BLOCK_FACE
    # Without a name there is no street, whatever its type.
    rows["street"] = rows["street"].where(chunk[STREET[0]] != "", "")
    return rows


def _read_open(path: Path, *, progress: bool) -> Iterator[pd.DataFrame]:
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8-sig") as file:
        is_json = file.read(1) == "{"
        file.seek(0)
        chunks = _features(file) if is_json else _frames(file, OPEN, (), path.name)
        yield from map(_open, shown(chunks, *BAR, progress=progress))


def _features(file: IO[str]) -> Iterator[pd.DataFrame]:
    """Read GeoJSON with one feature a line, in chunks."""
    lines = (line for line in file if line.strip())
    while batch := list(islice(lines, CHUNK)):
        try:
            rows = [_feature(json.loads(line)) for line in batch]
        except (AttributeError, TypeError):
            raise ValueError("a line is no GeoJSON feature of a point") from None
        yield pd.DataFrame(rows, columns=list(OPEN))


def _feature(feature: dict[str, Any]) -> tuple[Any, ...]:
    place = (feature.get("geometry") or {}).get("coordinates") or (None, None)
    lon, lat, *_ = (None if value is None else float(value) for value in place)
    properties = {name.lower(): value for name, value in (feature.get("properties") or {}).items()}
    return lon, lat, *(str(properties.get(name) or "") for name in OPEN[2:])


def _open(chunk: Any) -> pd.DataFrame:
    lat, lon = _numbers(chunk["lat"]), _numbers(chunk["lon"])
    inside = lat.between(SOUTH, NORTH) & lon.between(WEST, EAST)
    inside &= chunk["region"].str.strip().str.upper().isin(["", "ON", "ONTARIO"])
    digits = chunk["number"].str.extract(r"^\s*([0-9]{1,7})", expand=False)
    rows: pd.DataFrame = chunk[["street"]].assign(
        town=chunk["city"], civic=_numbers(digits), lat=lat.where(inside), lon=lon, kind=ROOFTOP
    )
    blank = inside & (rows["town"].str.strip() == "")
    rows.loc[blank, "town"] = _nearest_towns(rows.loc[blank, ["lat", "lon"]])
    return rows.assign(municipality=rows["town"])


def _nearest_towns(positions: pd.DataFrame) -> list[str]:
    """Name the nearest place of the gazetteer, by cells of 0.01 degree."""
    gazetteer = default_gazetteer()
    # What an address is named after: a place with postal codes, or its municipality.
    counts = gazetteer.codes_of_place
    places = [p for p in gazetteer.places if counts[p.number] or p.kind == "municipality"]
    lat, lon = np.array([(place.lat, place.lon) for place in places]).T
    names: dict[tuple[float, float], str] = {}
    cells = list(positions.round(2).itertuples(index=False, name=None))
    for y, x in dict.fromkeys(cells):
        far = (lat - y) ** 2 + ((lon - x) * np.cos(np.radians(y))) ** 2
        names[y, x] = places[int(np.argmin(far))].name.partition(" (")[0]
    return [names[cell] for cell in cells]
