"""Plain data, as ``to_dict`` writes them, become clinics again; and four flat tables, both ways."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING
from datetime import date
from typing import Any

from ketafind.errors import DataError, Fault, InvalidInputError
from ketafind.records import (
    CLINIC_FIELDS,
    EVIDENCE_FIELDS,
    SERVICE_FIELDS,
    Clinic,
    Evidence,
    Field,
    Location,
    Quantity,
    Service,
)
from ketafind.truth import Truth

Record = dict[str, Any]
Found = tuple[str, Record]
"""Where in a file a clinic was found, and what it states, in the form of `Clinic.to_dict`."""

_NUMBERS = ("latitude", "longitude", "radius")
_OF_CLINIC = [part for part in CLINIC_FIELDS if part.level == "clinic"]
_OF_LOCATION = [part for part in CLINIC_FIELDS if part.level == "location"]


def clinics_from_plain(found: Iterable[Found], source: str, what: str) -> tuple[Clinic, ...]:
    """Make clinics, or refuse the file with every fault; `what` is looked for in it."""
    made: dict[str, Clinic] = {}
    faults: list[Fault] = []
    rows = list(found)
    for where, record in rows:
        try:
            clinic = _clinic(record)
        except (InvalidInputError, ValueError, TypeError, LookupError, AttributeError) as error:
            ours = isinstance(error, InvalidInputError)
            said = str(error) if ours else f"cannot be read ({type(error).__name__}: {error})"
            faults.append(Fault(said, path=where))
            continue
        if made.setdefault(clinic.clinic_id, clinic) is not clinic:
            faults.append(Fault(f"the id {clinic.clinic_id!r} is there already", path=where))
    if not rows:
        faults.append(Fault(f"there is no {what} in it"))
    if faults:
        raise DataError(source, faults, len(rows))
    return tuple(made.values())


def _clinic(plain: Record) -> Clinic:
    place = plain.get("location")
    spoken = plain.get("languages") or ()
    given = plain.get("extra") or {}
    if not all(isinstance(text, str) for text in (*spoken, *given, *given.values())):
        raise InvalidInputError("languages and extra columns must be texts")
    clinic = _read(plain, _OF_CLINIC)
    evidence = (
        _evidence({"clinic_id": clinic["clinic_id"], **one}) for one in plain.get("evidence") or ()
    )
    services = tuple(map(_service, plain.get("services") or ())) or (Service(),)
    return Clinic(
        **clinic,
        location=None if place is None else _location(place),
        services=services,
        languages=tuple(spoken),
        evidence=tuple(evidence),
        extra=given,
    )


def _read(plain: Record, known: Sequence[Field]) -> Record:
    """Read the fields of a record; what is None takes its default."""
    made = {
        part.name: _value(part, plain[part.name])
        for part in known
        if plain.get(part.name) is not None
    }
    missing = [one.name for one in known if one.default is MISSING and one.name not in made]
    if missing:
        raise InvalidInputError(f"{' and '.join(missing)} missing; it needs one")
    return made


def _value(part: Field, value: Any) -> Any:
    right: type | tuple[type, ...] = str
    if part.kind in _NUMBERS:
        right = (int, float)
    elif part.kind == "yes_no":
        right = bool
    if not isinstance(value, right) or (right is not bool and isinstance(value, bool)):
        raise InvalidInputError(f"{part.name} cannot be {value!r}")
    if part.choices and value not in part.choices:
        known = ", ".join(part.choices)
        raise InvalidInputError(f"{part.name}: {value!r} is not one of {known}").of(value, known)
    return date.fromisoformat(str(value)) if part.kind == "date" else value


def _location(plain: Record) -> Location:
    more = {name: plain[name] for name in ("match", "source", "label") if plain.get(name)}
    return Location(
        **_read(plain, _OF_LOCATION),
        **more,
        corrections=tuple(plain.get("corrections") or ()),
        candidates=tuple(map(_location, plain.get("candidates") or ())),
    )


def _service(plain: Record) -> Service:
    facts, numbers = plain.get("facts") or {}, plain.get("quantities") or {}
    return Service(
        **_read(plain, SERVICE_FIELDS),
        facts={
            name: {term["id"]: Truth(term["truth"]) for term in facet["terms"]}
            for name, facet in facts.items()
            if facet["terms"]
        },
        complete=frozenset(name for name, facet in facts.items() if facet.get("complete")),
        quantities={
            name: Quantity(one["low"], one["high"], one["unit"]) for name, one in numbers.items()
        },
    )


def _evidence(plain: Record) -> Evidence:
    made = _read({"term": "", "source_url": "", **plain, "truth": plain["truth"]}, EVIDENCE_FIELDS)
    return Evidence(**made | {"truth": Truth(made["truth"])})


_DETAILS = ("match", "corrections", "source", "label", "candidates")
_KEYS = {"clinic_id": "string", "service_id": "string"}
_TYPES = dict.fromkeys(_NUMBERS, "number") | {"date": "date", "yes_no": "boolean"}


def _columns(known: Iterable[Field]) -> dict[str, str]:
    return {part.name: _TYPES.get(part.kind, "string") for part in known}


TABLES = {
    "clinics": _columns(CLINIC_FIELDS)
    | {"location_details": "object", "languages": "array", "extra": "object"},
    "services": {"clinic_id": "string", **_columns(SERVICE_FIELDS), "complete": "array"},
    "facts": _KEYS | {"facet": "string", "term": "string", "truth": "string"},
    "quantities": _KEYS
    | {"quantity": "string", "low": "number", "high": "number", "unit": "string"},
    "evidence": _columns(EVIDENCE_FIELDS),
}
"""The flat tables: the columns of each, with their types by the words of Table Schema."""
CHOICES = {part.name: part.choices for part in (*CLINIC_FIELDS, *EVIDENCE_FIELDS) if part.choices}


def flat_tables(clinics: Iterable[Clinic]) -> dict[str, list[Record]]:
    """Lay out everything that clinics hold in flat tables of plain data."""
    made: dict[str, list[Record]] = {name: [] for name in TABLES}
    for clinic in clinics:
        plain: Record = dict(clinic.to_dict())
        key, place = {"clinic_id": clinic.clinic_id}, plain["location"] or {}
        details = {name: place[name] for name in _DETAILS if place.get(name)}
        made["clinics"].append({**plain, **place, "location_details": details})
        made["evidence"] += plain["evidence"]
        for service in plain["services"]:
            own = key | {"service_id": service["service_id"]}
            complete = [name for name, facet in service["facts"].items() if facet["complete"]]
            made["services"].append({**own, "combined": service["combined"], "complete": complete})
            made["facts"] += [
                {**own, "facet": name, "term": term["id"], "truth": term["truth"]}
                for name, facet in service["facts"].items()
                for term in facet["terms"]
            ]
            made["quantities"] += [
                {**own, "quantity": name, **number}
                for name, number in service["quantities"].items()
            ]
    return made


def records_from_tables(tables: Mapping[str, Sequence[Record]], source: str) -> list[Found]:
    """Put the rows of flat tables together, clinic by clinic."""
    clinics: list[Found] = []
    services: dict[tuple[Any, ...], Record] = {}
    by_id: dict[tuple[Any, ...], Record] = {}
    faults: list[Fault] = []

    def owner(known: Mapping[tuple[Any, ...], Record], row: Record, at: int, name: str) -> Record:
        keys = tuple(row[key] for key in list(_KEYS)[: 1 if known is by_id else 2])
        if keys not in known:
            shown = "/".join(map(str, keys))
            faults.append(Fault(f"there is no {shown!r}", at + 2, ", ".join(_KEYS), path=name))
        return known.get(keys, {"services": [], "evidence": [], "facts": {}, "quantities": {}})

    for at, row in enumerate(tables["clinics"]):
        is_placed = row["lat"] is not None or row["lon"] is not None
        place = {part.name: row[part.name] for part in _OF_LOCATION}
        place |= row["location_details"] or {}
        record = row | {"location": place if is_placed else None, "services": [], "evidence": []}
        clinics.append((f"clinics, row {at + 2}", record))
        by_id[(row["clinic_id"],)] = record
    for at, row in enumerate(tables["services"]):
        facts = {name: {"complete": True, "terms": []} for name in row["complete"] or ()}
        service = row | {"facts": facts, "quantities": {}}
        owner(by_id, row, at, "services")["services"].append(service)
        services[row["clinic_id"], row["service_id"]] = service
    for at, row in enumerate(tables["facts"]):
        stated = owner(services, row, at, "facts")["facts"]
        facet = stated.setdefault(row["facet"], {"complete": False, "terms": []})
        facet["terms"].append({"id": row["term"], "truth": row["truth"]})
    for at, row in enumerate(tables["quantities"]):
        owner(services, row, at, "quantities")["quantities"][row["quantity"]] = row
    for at, row in enumerate(tables["evidence"]):
        owner(by_id, row, at, "evidence")["evidence"].append(row)
    if faults:
        raise DataError(source, faults)
    return clinics


def write_cell(value: Any) -> str:
    """Write a value of a flat table as a cell."""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False) if value not in ([], {}) else ""
    return "" if value is None else str(value)


def read_rows(text: str, types: Mapping[str, str], source: str) -> list[Record]:
    """Read a flat table of CSV; every column must be there."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    absent = [name for name in types if name not in (reader.fieldnames or ())]
    if absent:
        raise DataError(source, [Fault(f"there is no column {name!r}") for name in absent])
    rows, faults = [], []
    for at, row in enumerate(reader):
        made: Record = {}
        for name, kind in types.items():
            try:
                made[name] = _READERS.get(kind, str)(row[name]) if row[name] else None
            except ValueError:
                faults.append(Fault(f"is not of the type {kind}", at + 2, name, row[name]))
        rows.append(made)
    if faults:
        raise DataError(source, faults)
    return rows


_READERS: dict[str, Any] = dict.fromkeys(("boolean", "array", "object"), json.loads)
_READERS["number"] = float
