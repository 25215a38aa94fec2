"""Directories and answers as files: GeoJSON, tables, data packages and schema.org."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from numbers import Integral, Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ketafind.errors import DataError, Fault, InvalidInputError
from ketafind.files import parse_json, read_text, require, write_whole
from ketafind.geo import Coordinates
from ketafind.records import Clinic
from ketafind.show.hsds import service_list
from ketafind.tables.frames import PER, frame_from_columns, geodataframe_from_columns, types_of
from ketafind.tables.plain import (
    CHOICES,
    TABLES,
    Found,
    Record,
    flat_tables,
    read_rows,
    records_from_tables,
    write_cell,
)
from ketafind.tables.writing import csv_rows

if TYPE_CHECKING:
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary


def geojson(
    columns: Mapping[str, Sequence[Any]],
    *,
    lat: str = "lat",
    lon: str = "lon",
    key: str | None = "clinic_id",
    **members: str,
) -> dict[str, Any]:
    """Make a feature collection of points, one feature a row, in the same order."""
    features = []
    for at, row in enumerate(zip(*columns.values(), strict=True)):
        record = dict(zip(columns, row, strict=True))
        point = _point(record.pop(lat, None), record.pop(lon, None))
        properties = {name: _plain(cell, f"row {at}, {name!r}") for name, cell in record.items()}
        feature = {"type": "Feature", "geometry": point, "properties": properties}
        if key is not None and properties.get(key) is not None:
            feature["id"] = properties[key]
        features.append(feature)
    return {"type": "FeatureCollection", "features": features, **members}


def geojson_text(collection: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Write a feature collection as text.

    Parameters
    ----------
    collection : mapping
        As `geojson` gives it.
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


def _point(lat: Any, lon: Any) -> dict[str, Any] | None:
    if lat is None and lon is None:
        return None
    place = Coordinates(lat=lat, lon=lon)
    return {"type": "Point", "coordinates": [place.lon, place.lat]}


def _plain(value: Any, where: str) -> Any:
    """Turn a value into what JSON has."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        if not math.isfinite(number):
            raise InvalidInputError(f"{where}: {number} has no form in GeoJSON; give None")
        return number
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _plain(item, where) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        ordered = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [_plain(item, where) for item in ordered]
    if hasattr(value, "item"):  # numpy's bool and the like
        return _plain(value.item(), where)
    raise InvalidInputError(f"{where}: a {type(value).__name__} has no form in GeoJSON")


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
    rows = ([_csv_cell(cell) for cell in row] for row in zip(*columns.values(), strict=True))
    return csv_rows(tuple(columns), rows, spreadsheet=spreadsheet)


def _csv_cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (list, tuple, set, frozenset)):
        texts = list(map(_csv_cell, cell))
        return ";".join(sorted(texts) if isinstance(cell, (set, frozenset)) else texts)
    if isinstance(cell, Real) and not isinstance(cell, (bool, Integral)):
        number = float(cell)
        return "" if math.isnan(number) else repr(number)
    return str(cell)


# -- Whole files ----------------------------------------------------------------------------------

POINTS: dict[str, Any] = {"driver": "GPKG", "promote_to_multi": False}
JSON = dict[str, Any]
Columns = Mapping[str, Sequence[Any]]
_MAX_MB = 500
_NOT_IN_CELLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"


@dataclass(frozen=True, slots=True)
class Content:
    """What is exported: a directory, or an answer."""

    clinics: Sequence[Clinic]
    columns: Callable[[str], Columns]
    """A row a clinic, service or fact, as `Directory.to_frame` has them."""
    as_csv: Callable[[bool], str]
    to_geojson: Callable[[], JSON]
    to_fhir: Callable[[], JSON]
    vocabulary: Vocabulary
    snapshot: Snapshot
    lang: str = "en"


def export(
    content: Content,
    path: str | os.PathLike[str],
    form: str | None,
    *,
    overwrite: bool,
    spreadsheet: bool,
) -> None:
    """Write a file in one of `FORMATS`, whole or not at all."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    form = ENDINGS.get(ending) if form is None else form
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        said = f"the ending {ending!r} names no format" if form is None else f"{form!r} is unknown"
        raise InvalidInputError(f"{said}; formats: {known}").of(form or ending, tuple(FORMATS))
    if form == "csv":
        made: str | bytes = content.as_csv(spreadsheet)
    else:
        made = FORMATS[form](content)
    write_whole(path, made if isinstance(made, str) else [made], overwrite=overwrite)


def _pretty(made: JSON) -> str:
    return geojson_text(made, indent=2) + "\n"


def _frame(content: Content, per: str) -> Any:
    return frame_from_columns(content.columns(per), types_of(content.vocabulary))


def _points(content: Content, per: str) -> Any:
    return geodataframe_from_columns(content.columns(per), types_of(content.vocabulary))


def _geoparquet(content: Content) -> bytes:
    require("pyarrow", "exports")
    file = io.BytesIO()
    _points(content, "clinic").to_parquet(file, index=False)
    return file.getvalue()


def _geopackage(content: Content) -> bytes:
    """Make a database of three layers; one without places is a table of attributes."""
    pyogrio = require("pyogrio", "exports")
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "ketafind.gpkg")
        for per in PER:
            layer = _frame(content, per) if per == "fact" else _points(content, per)
            # What a column holds only blanks of is text.
            pyogrio.write_dataframe(layer, path, layer=f"{per}s", append=per != PER[0], **POINTS)
        return Path(path).read_bytes()


def _excel(content: Content) -> bytes:
    require("openpyxl", "exports")
    import pandas as pd

    file = io.BytesIO()
    with pd.ExcelWriter(file, engine="openpyxl") as book:
        for per in PER:
            frame = _frame(content, per).replace(_NOT_IN_CELLS, " ", regex=True)
            frame.to_excel(book, sheet_name=f"{per}s", index=False, freeze_panes=(1, 0))
            for row in book.sheets[f"{per}s"].iter_rows():
                for cell in row:
                    if cell.data_type == "f":  # a text that begins with = is no formula
                        cell.data_type = "s"
    return file.getvalue()


def _data_package(content: Content) -> bytes:
    """Pack the flat tables of everything, with their description, into a zip file."""
    tables = flat_tables(content.clinics)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("datapackage.json", _pretty(_description(content)))
        for name, types in TABLES.items():
            rows = ([write_cell(row.get(column)) for column in types] for row in tables[name])
            archive.writestr(f"{name}.csv", csv_rows(tuple(types), rows))
    return file.getvalue()


_PRIMARY = {"clinics": ["clinic_id"], "services": ["clinic_id", "service_id"]}
_FOREIGN = {
    "services": "clinics",
    "evidence": "clinics",
    "facts": "services",
    "quantities": "services",
}


def _description(content: Content) -> JSON:
    resources = []
    for name, types in TABLES.items():
        fields = [
            {"name": column, "type": kind}
            | ({"constraints": {"enum": list(CHOICES[column])}} if column in CHOICES else {})
            for column, kind in types.items()
        ]
        schema: JSON = {"fields": fields, "missingValues": [""]}
        if name in _PRIMARY:
            schema["primaryKey"] = _PRIMARY[name]
        if name in _FOREIGN:
            keys = _PRIMARY[_FOREIGN[name]]
            reference = {"resource": _FOREIGN[name], "fields": keys}
            schema["foreignKeys"] = [{"fields": keys, "reference": reference}]
        file = {"path": f"{name}.csv", "format": "csv", "mediatype": "text/csv"}
        resources.append(
            {"name": name, "type": "table", **file, "encoding": "utf-8", "schema": schema}
        )
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "ketafind-clinics",
        "version": content.snapshot.id,
        "resources": resources,
    }


def _json_ld(content: Content) -> str:
    lang, words = content.lang, content.vocabulary
    graph = [_medical_clinic(clinic, words, lang) for clinic in content.clinics]
    return _pretty({"@context": "https://schema.org", "@graph": graph})


def _medical_clinic(clinic: Clinic, vocabulary: Vocabulary, lang: str) -> JSON:
    """Describe a clinic in the words of schema.org; what is not stated is left out."""

    def labels(facet: str, services: Iterable[Any] = clinic.services) -> list[str]:
        known = {each.id: each for each in vocabulary.facets}
        terms = dict.fromkeys(term for one in services for term in one.terms(facet))
        return [known[facet][term].label(lang) for term in terms]

    def typed(kind: str, **members: Any) -> JSON:
        stated = {name: value for name, value in members.items() if value not in (None, "", [])}
        return {"@type": kind, **stated} if stated else {}

    place = clinic.location
    flags = {
        flag: truth == "yes" for service in clinic.services for flag, truth in service.flags.items()
    }
    address = {
        "streetAddress": clinic.street_address,
        "addressLocality": clinic.city,
        "addressRegion": clinic.province,
        "postalCode": clinic.postal_code,
    }
    therapies = [
        typed("MedicalTherapy", name=", ".join(labels("product", [one])) or clinic.name)
        | typed("MedicalTherapy", howPerformed=", ".join(labels("route", [one])))
        for one in clinic.services
    ]
    made = {
        "name": clinic.name,
        "url": clinic.website,
        "telephone": clinic.phone,
        "address": typed("PostalAddress", **address),
        "geo": place and typed("GeoCoordinates", latitude=place.lat, longitude=place.lon),
        "parentOrganization": typed("Organization", name=clinic.operator),
        "availableService": therapies,
        "knowsAbout": labels("condition"),
        "knowsLanguage": list(clinic.languages),
        "isAcceptingNewPatients": flags.get("accepting_patients"),
    }
    stated = {name: value for name, value in made.items() if value not in (None, "", [], {})}
    named = {"@type": "MedicalClinic", "identifier": clinic.clinic_id}
    return named | stated


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


FORMATS: dict[str, Callable[[Content], str | bytes]] = {
    "csv": lambda content: content.as_csv(False),
    "geojson": lambda content: _pretty(content.to_geojson()),
    "geoparquet": _geoparquet,
    "geopackage": _geopackage,
    "excel": _excel,
    "fhir": lambda content: _pretty(content.to_fhir()),
    "hsds": lambda content: _pretty(
        service_list(content.clinics, content.vocabulary, content.lang)
    ),
    "jsonld": _json_ld,
    "datapackage": _data_package,
}
ENDINGS = {
    ".csv": "csv",
    ".geojson": "geojson",
    ".parquet": "geoparquet",
    ".gpkg": "geopackage",
    ".xlsx": "excel",
    ".jsonld": "jsonld",
    ".zip": "datapackage",
}


# -- Read -----------------------------------------------------------------------------------------


def read_json(source: Any, what: str) -> tuple[Any, str]:
    """Read a JSON file, or take what was read already; with its name."""
    if isinstance(source, str | os.PathLike):
        name = os.path.basename(os.fspath(source))
        return parse_json(read_text(source, what, max_mb=_MAX_MB), name, what), name
    return source, what


def features_found(content: Any) -> Iterator[Found]:
    """Find the clinics of a feature collection that `clinic_features` made."""
    for at, feature in enumerate(_features(content)):
        plain = dict(feature.get("properties") or {})
        plain.setdefault("clinic_id", feature.get("id"))
        place = _place(feature, at)
        plain["location"] = (plain.get("location") or {}) | place if place else None
        yield f"features[{at}]", plain


def flat_features(content: Any) -> list[JSON] | None:
    """Lay out features as rows, unless they hold services of their own."""
    features = _features(content)
    if not features or any("services" in (one.get("properties") or {}) for one in features):
        return None
    return [
        {"clinic_id": feature.get("id")}
        | {"lat": None, "lon": None}
        | (feature.get("properties") or {})
        | _place(feature, at)
        for at, feature in enumerate(features)
    ]


def _features(content: Any) -> list[Any]:
    found = content.get("features") if isinstance(content, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise DataError("GeoJSON", [Fault("there is no list of features in it")])
    return found


def _place(feature: Any, at: int) -> JSON:
    point = feature.get("geometry")
    if not point:
        return {}
    if point.get("type") != "Point":
        raise DataError("GeoJSON", [Fault("the geometry is no point", path=f"features[{at}]")])
    lon, lat, *_ = point["coordinates"]
    return {"lat": lat, "lon": lon}


def read_data_package(path: str | os.PathLike[str]) -> tuple[list[Found], str]:
    """Find the clinics of a data package: a zip file, a folder, or its datapackage.json."""
    path = Path(path)
    name = path.name
    folder: Any = path if path.is_dir() else path.parent
    if path.suffix.lower() == ".zip":
        try:
            folder = zipfile.Path(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(name, [Fault(f"cannot be opened: {error}")]) from None
    texts = {table: folder / f"{table}.csv" for table in TABLES}
    absent = [table for table, file in texts.items() if not file.is_file()]
    if absent:
        raise DataError(name, [Fault(f"there is no {table}.csv in it") for table in absent])
    tables: dict[str, list[Record]] = {
        table: read_rows(file.read_text(encoding="utf-8"), TABLES[table], f"{table}.csv")
        for table, file in texts.items()
    }
    return records_from_tables(tables, name), name
