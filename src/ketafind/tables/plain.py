"""Plain data, as ``to_dict`` writes them, become clinics again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

_WRONG_FORM = (ValueError, TypeError, LookupError, AttributeError)
_NUMBERS = ("latitude", "longitude", "radius")
_OF_CLINIC = [part for part in CLINIC_FIELDS if part.level == "clinic"]
_OF_LOCATION = [part for part in CLINIC_FIELDS if part.level == "location"]


def clinics_from_plain(found: Iterable[Found], source: str, what: str) -> tuple[Clinic, ...]:
    """Make clinics, or refuse the file with every fault; `what` is looked for in it."""
    made: dict[str, Clinic] = {}
    faults: list[Fault] = []
    try:
        rows = list(found)
    except _WRONG_FORM as error:
        fault = Fault(f"is not of the form that it should have ({type(error).__name__}: {error})")
        raise DataError(source, [fault]) from None
    for where, record in rows:
        try:
            clinic = _clinic(record)
        except (InvalidInputError, *_WRONG_FORM) as error:
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


def add_fact(facts: Record, facet: str, term: str, truth: str) -> None:
    """State a fact in the plain form of a service's facts."""
    facts.setdefault(facet, {"terms": []})["terms"].append({"id": term, "truth": truth})
