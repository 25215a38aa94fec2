"""Answers as CSV, GeoJSON and FHIR."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import Enum
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from ketafind.errors import InvalidInputError
from ketafind.geo import Coordinates
from ketafind.shapes import label_of
from ketafind.tables.writing import csv_rows

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Facet, Vocabulary


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


_BETWEEN_PHONES = re.compile(r"\s*(?:[;/|,]|\bor\b|\bou\b)\s*")
_SHORTEST_PHONE = 7
SYSTEM = "urn:ketafind"
DISTANCE = "http://hl7.org/fhir/StructureDefinition/location-distance"
STATUS = {"active": "active", "uncertain": "suspended", "closed": "inactive"}
JSON = dict[str, Any]


DOUBT = {
    "en": "Position known to within {radius:g} km at 90 % ({precision}).",
    "fr": "Position connue à {radius:g} km près, à 90 % ({precision}).",
}


def bundle(
    found: Iterable[tuple[Clinic, Service, float | None]],
    vocabulary: Vocabulary,
    snapshot: str,
    *,
    total: int,
    lang: str = "en",
) -> JSON:
    """Write clinics as a searchset Bundle of HL7 FHIR R4, a page of so many in all."""
    entries: dict[str, JSON] = {}
    for clinic, service, distance_km in found:
        place = _entry("Location", clinic.clinic_id, _location(clinic, lang), "include")
        links = {"location": [{"reference": place["fullUrl"]}]}
        related = [place]
        if clinic.operator:
            organization = {"name": clinic.operator}
            related.append(_entry("Organization", clinic.operator, organization, "include"))
            links["providedBy"] = {"reference": related[-1]["fullUrl"]}  # type: ignore[assignment]
        offered = _service(clinic, service, vocabulary, lang) | links
        key = f"{clinic.clinic_id}\n{service.service_id}"
        match = _entry("HealthcareService", key, offered, "match")
        if distance_km is not None:
            unit = {"unit": "km", "code": "km", "system": "http://unitsofmeasure.org"}
            far = {"url": DISTANCE, "valueDistance": {"value": distance_km, **unit}}
            match["search"]["extension"] = [far]
        entries |= {entry["fullUrl"]: entry for entry in (match, *related)}
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "language": lang,
        "identifier": {"system": f"{SYSTEM}:snapshot", "value": snapshot},
        "total": total,
        **_stated(entry=list(entries.values())),
    }


def _stated(**members: Any) -> JSON:
    # FHIR has no empty texts and lists: what is not stated is left out.
    return {name: value for name, value in members.items() if value}


def _entry(kind: str, key: str, resource: JSON, mode: str) -> JSON:
    name = uuid5(NAMESPACE_URL, f"{SYSTEM}:{kind}:{key}".encode("utf-8", "replace").decode())
    return {
        "fullUrl": f"urn:uuid:{name}",
        "resource": {"resourceType": kind, "id": str(name), **resource},
        "search": {"mode": mode},
    }


def _identifier(kind: str, value: str) -> list[JSON]:
    return [{"system": f"{SYSTEM}:{kind}", "value": value}]


def _location(clinic: Clinic, lang: str) -> JSON:
    place = clinic.location
    doubt = None
    if place is not None and not math.isclose(place.radius_km, 0.0):
        doubt = DOUBT[lang].format(radius=place.radius_km, precision=place.precision)
    return _stated(
        identifier=_identifier("clinic", clinic.clinic_id),
        status=STATUS[clinic.status],
        name=clinic.name,
        address=_stated(
            line=[clinic.street_address] if clinic.street_address else [],
            city=clinic.city,
            state=clinic.province,
            postalCode=clinic.postal_code,
        ),
        position=None if place is None else {"longitude": place.lon, "latitude": place.lat},
        description=doubt,
    )


def _service(clinic: Clinic, service: Service, vocabulary: Vocabulary, lang: str) -> JSON:
    coded = {
        facet.id: [_concept(facet, term, vocabulary, lang) for term in service.terms(facet.id)]
        for facet in vocabulary.facets
    }
    staff, languages = coded.pop("staff", []), coded.pop("language", [])
    contacts = [("phone", number) for number in _numbers(clinic.phone)]
    contacts += [("url", clinic.website)] if clinic.website else []
    numbers = [
        f"{vocabulary.quantities[name].label(lang)}: {quantity.span} "
        f"{label_of('unit', quantity.unit, lang)}"
        for name, quantity in service.quantities.items()
    ]
    resource = _stated(
        identifier=_identifier("service", f"{clinic.clinic_id}/{service.service_id}"),
        name=clinic.name,
        specialty=staff,
        communication=languages,
        characteristic=[concept for concepts in coded.values() for concept in concepts],
        comment="; ".join(numbers),
        telecom=[{"system": system, "value": value} for system, value in contacts],
    )
    if clinic.status != "uncertain":
        resource["active"] = clinic.status == "active"
    return resource


def _numbers(phone: str) -> list[str]:
    """Cut a cell that holds several phone numbers; an extension is no number of its own."""
    pieces = [piece.strip() for piece in _BETWEEN_PHONES.split(phone)]
    several = all(sum(letter.isdigit() for letter in piece) >= _SHORTEST_PHONE for piece in pieces)
    return list(filter(None, pieces if several else [phone]))


def _concept(facet: Facet, term_id: str, vocabulary: Vocabulary, lang: str) -> JSON:
    term = facet[term_id]
    uris = {system.id: system.uri for system in vocabulary.systems}
    own = {"system": f"{SYSTEM}:{facet.id}", "code": term.id, "display": term.label(lang)}
    # A code that is broader than its term would say less than is meant.
    known = [
        {"system": uris[code.system], "code": code.code} for code in term.codes if not code.broader
    ]
    return {"coding": [own, *known], "text": term.label(lang)}
