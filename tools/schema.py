"""Write the JSON Schema of records and answers: `python tools/schema.py`; `--check` compares.

What a record looks like is in its TypedDict; what its columns may hold is in the one list of
fields, in `ketafind.records`: a field that is added there is in the schema too.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NotRequired

import typing_extensions

from ketafind import errors, matches, shapes
from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS, SERVICE_FIELDS, Field

PATH = Path(__file__).resolve().parents[1] / "src/ketafind/schema.json"
ADDRESS = "https://raw.githubusercontent.com/ketafind/ketafind/main/src/ketafind/schema.json"
RECORDS = (
    *(shapes.ClinicRecord, shapes.LocationRecord, shapes.ServiceRecord, shapes.FactsRecord),
    *(shapes.TermRecord, shapes.QuantityRecord, shapes.EvidenceRecord),
    *(matches.AnswerRecord, matches.MatchRecord, matches.QueryRecord, matches.SnapshotRecord),
    matches.CertificateRecord,
    *(errors.ErrorRecord, errors.FaultRecord),
)
OPEN = ("MatchRecord",)
"""Facets are keys of it by their plurals, and columns of other people's tables by their names."""
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "identifier": {"type": "string"},
    "website": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "yes_no": {"type": "boolean"},
    "latitude": {"type": "number", "minimum": -90, "maximum": 90},
    "longitude": {"type": "number", "minimum": -180, "maximum": 180},
    "radius": {"type": "number", "minimum": 0, "maximum": 20_038},
}


def form(kind: Any) -> dict[str, Any]:
    """The schema of a type."""
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if typing_extensions.is_typeddict(kind):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    inside = typing.get_args(kind)
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return {"anyOf": [form(part) for part in inside]}
    if typing.get_origin(kind) is list:
        return {"type": "array", "items": form(inside[0])}
    if typing.get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": form(inside[1])}
    if kind is Any:
        return {}
    raise TypeError(f"no schema for {kind}")


def shape(record: Any) -> dict[str, Any]:
    """The schema of a TypedDict."""
    hints = typing.get_type_hints(record, include_extras=True)
    optional = {name for name, hint in hints.items() if typing.get_origin(hint) is NotRequired}
    plain = typing.get_type_hints(record)
    return {
        "description": record.__doc__.splitlines()[0],
        "type": "object",
        "properties": {name: form(kind) for name, kind in plain.items()},
        "required": [name for name in plain if name not in optional],
        "additionalProperties": record.__name__ in OPEN,
    }


def refine(found: dict[str, Any], columns: Iterable[Field]) -> None:
    """Say of each field what it may hold."""
    for part in columns:
        own = {"enum": list(part.choices)} if part.choices else dict(KINDS[part.kind])
        none, typed = {"type": "null"}, found["properties"].get(part.name, {})
        if part.default in ("", None) or none in typed.get("anyOf", ()):
            own = {"anyOf": [own, none]}
        found["properties"][part.name] = own
        if part.name not in found["required"]:
            found["required"].append(part.name)


def schema() -> dict[str, Any]:
    """The whole schema."""
    shapes_of = {record.__name__: shape(record) for record in RECORDS}
    of_clinic = [part for part in CLINIC_FIELDS if part.level == "clinic"]
    refine(shapes_of["ClinicRecord"], of_clinic)
    refine(shapes_of["LocationRecord"], [p for p in CLINIC_FIELDS if p.level == "location"])
    refine(shapes_of["ServiceRecord"], SERVICE_FIELDS)
    refine(shapes_of["EvidenceRecord"], EVIDENCE_FIELDS)
    shapes_of["ErrorRecord"]["properties"]["code"] = {"enum": list(errors.packaged("errors.json"))}
    shapes_of["TermRecord"]["properties"]["truth"] = {"enum": ["yes", "no"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ADDRESS,
        "title": "Records, answers and errors of ketafind",
        "anyOf": [form(kind) for kind in (RECORDS[0], matches.AnswerRecord, errors.ErrorRecord)],
        "$defs": shapes_of,
    }


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if the file is out of date")
    if parser.parse_args().check:
        return int(PATH.read_text("utf-8") != text())
    PATH.write_text(text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
