"""Directories and answers as files: GeoJSON, tables, data packages and schema.org."""

from __future__ import annotations

import io
import json
import os
import re
import sqlite3
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from ketafind.errors import DataError, Fault, InvalidInputError, packaged, shown
from ketafind.files import keys_once, naming, path_text, read_text, require, write_whole
from ketafind.geo import real
from ketafind.records import Clinic
from ketafind.show.fhir import FORMS, find, put_all, stated
from ketafind.show.hsds import service_list
from ketafind.tables.frames import PER, Found, csv_rows, laid_out, terms_of

if TYPE_CHECKING:
    from ketafind.records import Service
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary


def geojson(columns: Mapping[str, Sequence[Any]], **members: str) -> dict[str, Any]:
    """Make a feature collection of points of plain columns, one feature a row, in the same order."""
    features = []
    for row in zip(*columns.values(), strict=True):
        record = dict(zip(columns, row, strict=True))
        point = _point(record.pop("lat"), record.pop("lon"))
        feature = {"type": "Feature", "geometry": point, "properties": record}
        features.append(feature | {"id": record["clinic_id"]})
    return {"type": "FeatureCollection", "features": features, **members}


def geojson_text(collection: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Write a feature collection as text.

    Parameters
    ----------
    collection : mapping
        GeoJSON, as `Matches.to_geojson` gives it.
    indent : int or None
        Spaces a level; None for one line.

    Returns
    -------
    str
        JSON in Unicode.

    Raises
    ------
    InvalidInputError
        If a number in it is NaN or infinite.
    """
    try:
        return json.dumps(collection, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise InvalidInputError(
            f"this is no JSON: {error}; NaN and infinity have no form"
        ) from None


def _point(lat: float | None, lon: float | None) -> dict[str, Any] | None:
    return None if lat is None else {"type": "Point", "coordinates": [lon, lat]}


def csv_text(columns: Mapping[str, Sequence[Any]], *, spreadsheet: bool = False) -> str:
    """Write columns as CSV with a header.

    Parameters
    ----------
    columns : mapping of str to sequence
        Equally long columns. None and NaN are blank, lists are joined by ``;``.
    spreadsheet : bool
        Put an apostrophe before text that a spreadsheet would take for a formula.

    Returns
    -------
    str
        The file's text.
    """
    rows = zip(*columns.values(), strict=True)
    return csv_rows(tuple(columns), rows, spreadsheet=spreadsheet)


# -- Whole files ----------------------------------------------------------------------------------

JSON = dict[str, Any]
_MAX_MB = 500
_FIRST_DAY = date(1980, 1, 1)  # of a zip archive
_CORE = "docProps/core.xml"
_NOT_IN_CELLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


class Export(NamedTuple):
    """A `Directory` or `Matches`, with its clinics, its form as CSV and the language of labels."""

    what: Any
    clinics: Sequence[Clinic]
    csv: str
    lang: str

    def write(self, path: str | os.PathLike[str], form: str | None, *, overwrite: bool) -> None:
        """Write a file in one of `FORMATS`, whole or not at all."""
        ending = os.path.splitext(path_text(path))[1].lower()
        named = ENDINGS.get(ending) if form is None else form
        if named not in FORMATS:
            what = (
                f"the ending {ending!r} names no format: pass format="
                if form is None
                else f"format={shown(form)} is not known"
            )
            known = tuple(FORMATS)
            raise InvalidInputError(f"{what}; formats: {', '.join(known)}").of(
                form or ending, known
            )
        made = FORMATS[named](self)
        write_whole(path, made if isinstance(made, str) else [made], overwrite=overwrite)


def _pretty(made: JSON) -> str:
    return geojson_text(made, indent=2) + "\n"


def _points(export: Export, per: str) -> Any:
    geopandas = require("geopandas", "exports")
    frame = export.what.to_frame(per)
    points = geopandas.GeoSeries.from_xy(frame.lon, frame.lat, crs="EPSG:4326")
    return geopandas.GeoDataFrame(frame, geometry=points.where(frame.lat.notna(), None))


def _geoparquet(export: Export) -> bytes:
    require("pyarrow", "exports")
    file = io.BytesIO()
    _points(export, "clinic").to_parquet(file, index=False)
    return file.getvalue()


def _geopackage(export: Export) -> bytes:
    """Make a database of two layers, and a table of facts, which have no place."""
    pyogrio = require("pyogrio", "exports")
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "ketafind.gpkg")
        for per in PER:
            layer = export.what.to_frame(per) if per == "fact" else _points(export, per)
            pyogrio.write_dataframe(
                layer, path, layer=f"{per}s", append=per != PER[0], driver="GPKG"
            )
        with closing(sqlite3.connect(path)) as database, database:
            said = f"{_day(export)}T00:00:00.000Z"
            database.execute("UPDATE gpkg_contents SET last_change = ?", (said,))
        return Path(path).read_bytes()


def _excel(export: Export) -> bytes:
    require("openpyxl", "exports")
    import pandas as pd

    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="openpyxl") as book:
        for per in PER:
            frame = export.what.to_frame(per).replace(_NOT_IN_CELLS, " ", regex=True)
            frame.to_excel(book, sheet_name=f"{per}s", index=False, freeze_panes=(1, 0))
            for row in book.sheets[f"{per}s"].iter_rows():
                for cell in row:
                    if cell.data_type == "f":  # a text that begins with = is no formula
                        cell.data_type = "s"
    with zipfile.ZipFile(file) as archive:
        made = {name: archive.read(name) for name in archive.namelist()}
    said = f">{_day(export)}T00:00:00Z<".encode()
    made[_CORE] = re.sub(rb">[0-9-]{10}T[0-9:]{8}Z<", said, made[_CORE])
    return _zipped(export, made)


def _data_package(export: Export) -> bytes:
    """Pack everything as plain data, and the facts as a table, with their description."""
    records: list[JSON] = [dict(clinic.to_dict()) for clinic in export.clinics]
    rows = [_KEPT, *([record[name] for name in _KEPT] for record in records)]
    facts = laid_out(export.clinics, export.what.vocabulary, "fact")[1]
    described: JSON = packaged("show/datapackage.json") | {"version": export.what.snapshot.id}
    described["resources"] = [
        {**resource, "schema": {"fields": list(map(_typed, names)), **resource["schema"]}}
        for resource, names in zip(described["resources"], (_KEPT, facts), strict=True)
    ]
    made: dict[str, str | bytes] = {
        DESCRIPTION: _pretty(described),
        CLINICS: json.dumps(rows, ensure_ascii=False, indent=1),
        "facts.csv": csv_text(facts),
    }
    return _zipped(export, made)


def _typed(name: str) -> JSON:
    return {"name": name, "type": FORMS["types"].get(name, "string")}


def _day(export: Export) -> date:
    """Choose a day for what bears one: that of the data, so that equal data are equal files."""
    return max(export.what.snapshot.date or _FIRST_DAY, _FIRST_DAY)


def _zipped(export: Export, made: Mapping[str, str | bytes]) -> bytes:
    file, day = io.BytesIO(), _day(export)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in made.items():
            entry = zipfile.ZipInfo(name, (day.year, day.month, day.day, 0, 0, 0))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


CLINICS, DESCRIPTION = "clinics.json", "datapackage.json"
_KEPT = [part.name for part in fields(Clinic)]


def _json_ld(export: Export) -> str:
    graph = [_medical_clinic(one, export.what.vocabulary, export.lang) for one in export.clinics]
    return _pretty({"@context": "https://schema.org", "@graph": graph})


def _medical_clinic(clinic: Clinic, vocabulary: Vocabulary, lang: str) -> JSON:
    """Describe a clinic in the words of schema.org; what is not stated is left out."""

    def labels(facet: str, services: Iterable[Service]) -> list[str]:
        return [vocabulary.facet(facet)[term].label(lang) for term in terms_of(services, facet)]

    plain: JSON = dict(clinic.to_dict())
    made = put_all({}, plain | (plain["location"] or {}), FORMS["jsonld"])
    for name, kind in _PARTS.items():
        if name in made:
            made[name] = {"@type": kind, **made[name]}
    therapies = [
        stated(
            **{"@type": "MedicalTherapy"},
            name=", ".join(labels("product", [one])) or clinic.name,
            howPerformed=", ".join(labels("route", [one])),
        )
        for one in clinic.services
    ]
    about = labels("condition", clinic.services)
    made |= stated(availableService=therapies, knowsAbout=about, knowsLanguage=clinic.languages)
    return {"@type": "MedicalClinic", **made}


_PARTS = {
    "address": "PostalAddress", "geo": "GeoCoordinates", "parentOrganization": "Organization"
}  # fmt: skip


def clinic_features(clinics: Iterable[Clinic], snapshot: Snapshot) -> JSON:
    """Make a feature of everything that a clinic holds, which `features_found` reads back."""
    features = []
    for clinic in clinics:
        plain: JSON = dict(clinic.to_dict())
        place = dict(plain["location"] or {}) or None
        if place is not None:
            plain["location"] = place
        point = None if place is None else _point(place.pop("lat"), place.pop("lon"))
        one = {"type": "Feature", "id": clinic.clinic_id, "geometry": point, "properties": plain}
        features.append(one)
    return {"type": "FeatureCollection", "snapshot": str(snapshot), "features": features}


FORMATS: dict[str, Callable[[Export], str | bytes]] = {
    "csv": lambda export: export.csv,
    "geojson": lambda export: _pretty(export.what.to_geojson()),
    "geoparquet": _geoparquet,
    "geopackage": _geopackage,
    "excel": _excel,
    "fhir": lambda export: _pretty(export.what.to_fhir(lang=export.lang)),
    "hsds": lambda export: _pretty(
        service_list(export.clinics, export.what.vocabulary, export.lang)
    ),
    "jsonld": _json_ld,
    "datapackage": _data_package,
}
ENDINGS: dict[str, str] = FORMS["endings"]


# -- Read -----------------------------------------------------------------------------------------


def read_json(source: Any, what: str) -> tuple[Any, str]:
    """Read a JSON file, or take what was read already; with its name."""
    if isinstance(source, str | os.PathLike):
        name = os.path.basename(os.fspath(source))
        text = read_text(source, what, max_mb=_MAX_MB)
        try:
            return json.loads(text, object_pairs_hook=keys_once), name
        except (ValueError, RecursionError) as error:
            raise DataError(name, [Fault(f"not JSON: {error}")]) from None
    return source, what


_IN_DEGREES = ("CRS84", "CRS84h", "4326", "4269", "4617")
"""How the name of a reference system ends whose degrees are those of WGS 84, to a metre or two."""
_NEAR = 1e-4
"""So many degrees are ten metres: what was rounded is no other place."""


def features_found(content: Any) -> list[Found]:
    """Find the clinics of a feature collection: a record each, or a row."""
    found = []
    features = content.get("features") if isinstance(content, Mapping) else None
    if not isinstance(features, list):
        raise DataError("GeoJSON", [Fault("there is no list of features in it")])
    system = str(find(content, "crs/properties/name") or "CRS84")
    if not system.endswith(_IN_DEGREES):
        fault = f"its positions are in {system[:80]!r}; convert them to WGS 84 (EPSG:4326)"
        raise DataError("GeoJSON", [Fault(fault)])
    for at, feature in enumerate(features):
        where = f"features[{at}]"
        known = find(feature, "properties")
        plain = {"clinic_id": find(feature, "id"), **(known if isinstance(known, dict) else {})}
        point = find(feature, "geometry")
        if point and find(point, "type") != "Point":
            raise DataError("GeoJSON", [Fault("the geometry is no point", path=where)])
        position = {"lat": find(point, "coordinates/1"), "lon": find(point, "coordinates/0")}
        if point and any(abs(real(plain.get(n)) - real(at)) > _NEAR for n, at in position.items()):
            fault = "the geometry is elsewhere than lat and lon of the properties; keep one"
            raise DataError("GeoJSON", [Fault(fault, path=where)])
        if "services" in plain:
            details = plain["location"] if isinstance(plain.get("location"), dict) else {}
            position = {"location": details | position if point else None}
        found.append((where, plain | position))
    return found


@contextmanager
def tables_of_package(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path | None] | None]:
    """Find the CSV tables of clinics and of evidence of a package, unpacked while they are read."""
    path = Path(path_text(path))
    with naming(path):
        folder: Any = path if path.is_dir() else path.parent
    with TemporaryDirectory() as unpacked:
        try:
            folder = zipfile.Path(path) if path.suffix.lower() == ".zip" else folder
            described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            clinics, evidence = (
                _table_file(folder, described["resources"], columns, Path(unpacked, kind))
                for kind, columns in _TABLES.items()
            )
        except (OSError, ValueError, TypeError, LookupError, zipfile.BadZipFile):
            clinics = evidence = None
        yield None if clinics is None else (clinics, evidence)


_TABLES = {"clinics": {"clinic_id", "name"}, "evidence": {"clinic_id", "facet", "truth"}}
"""The columns by which tables are known."""


def _table_file(folder: Any, resources: Any, columns: set[str], beside: Path) -> Path | None:
    """Find the CSV table that has these columns and lies in the folder; of an archive, a copy."""
    for resource in resources:
        names = {find(one, "name") for one in find(resource, "schema/fields") or ()}
        inside = Path(str(find(resource, "path")))
        if inside.suffix == ".csv" and columns <= names and ".." not in inside.parts:
            found = folder.joinpath(*inside.relative_to(inside.anchor).parts)
            if isinstance(found, Path):
                return found
            beside.mkdir()
            with found.open("rb") as packed, open(beside / inside.name, "wb") as file:
                file.write(packed.read(_MAX_MB * 10**6))
            return beside / inside.name
    return None


def read_data_package(path: str | os.PathLike[str]) -> tuple[list[Found], str]:
    """Find the clinics of a data package: a zip file, a folder, or its datapackage.json."""
    path = Path(path)
    folder: Any = path if path.is_dir() else path.parent
    try:
        folder = zipfile.Path(path) if path.suffix.lower() == ".zip" else folder
        head, *rows = json.loads((folder / CLINICS).read_text(encoding="utf-8"))
        records = [keys_once(list(zip(head, row, strict=True))) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        is_missing = isinstance(error, FileNotFoundError | KeyError)
        why = "is not there" if is_missing else f"cannot be read: {error}"
        raise DataError(path.name, [Fault(f"{CLINICS} {why}")]) from None
    return [(f"{CLINICS}[{at}]", record) for at, record in enumerate(records)], path.name


def reader_of(path: str | os.PathLike[str]) -> str:
    """Tell by its ending, and of JSON by what it holds, which method of `Directory` reads a file."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if os.path.isdir(path):
        return "from_datapackage"
    if ending == ".json":
        content, name = read_json(path, "a directory in JSON")
        for reader, signs in FORMS["signs"].items():
            if isinstance(content, dict) and not content.keys().isdisjoint(signs):
                return str(reader)
        kinds = "a FHIR Bundle, GeoJSON, an HSDS list of services or a data package"
        raise DataError(name, [Fault(f"this is JSON, but not {kinds}")])
    readers: dict[str, str] = FORMS["readers"]
    if ending in readers:
        return readers[ending]
    if ending in ENDINGS:
        readable = ", ".join([".ketafind", ".json", *readers])
        raise InvalidInputError(f"{ending} is not read back; files that are: {readable}")
    return "from_csv"
