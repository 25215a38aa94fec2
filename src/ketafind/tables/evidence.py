"""Evidence rows, and attaching them to the clinics they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ketafind.errors import UnknownTermError
from ketafind.records import CLINIC_FACTS, FLAGS, SOURCE_CLASSES, Clinic, Evidence
from ketafind.tables import cells
from ketafind.tables.cells import CellError
from ketafind.tables.columns import Column, match_columns
from ketafind.tables.csv import Report, Row
from ketafind.truth import Truth
from ketafind.vocabulary import Vocabulary
from ketafind.vocabulary.terms import shown

__all__ = [
    "EVIDENCE_COLUMNS",
    "attach_evidence",
    "evidence_from_table",
]


EVIDENCE_COLUMNS: dict[str, Any] = {
    "clinic_id": cells.identifier,
    "service_id": cells.identifier,
    "facet": cells.text,
    "term": cells.text,
    "truth": cells.yes_no,
    "source_url": cells.website,
    "source_class": cells.choice(SOURCE_CLASSES, "a class of source", blank="other"),
    "checked_on": cells.iso_date,
    "page_date": cells.iso_date,
    "method": cells.text,
    "scope": cells.choice(("site", "operator"), "a scope", blank="site"),
    "hint": cells.text,
}
_NEEDED = ("clinic_id", "facet", "truth", "source_url")


def evidence_from_table(
    rows: Iterable[Row],
    names: Sequence[str],
    report: Report,
    n_rows: int,
    *,
    vocabulary: Vocabulary,
    header: Row | None = None,
) -> tuple[tuple[Evidence, ...], tuple[Row, ...]]:
    """Make evidence of the rows of a table whose shape is known to be right."""
    readers = {name: (name, read, "") for name, read in EVIDENCE_COLUMNS.items()}
    n_before = len(report.faults)
    columns = match_columns(names, readers, report, header)
    _check_columns(columns, report, header)
    if len(report.faults) > n_before:
        report.refuse(n_rows)
    found, places = [], []
    for row in rows:
        evidence = _evidence(row, columns, vocabulary, report)
        if evidence is not None:
            found.append(evidence)
            places.append(row)
    report.refuse(n_rows)
    return tuple(found), tuple(places)


def _check_columns(columns: Sequence[Column], report: Report, header: Row | None) -> None:
    present = {column.name for column in columns}
    for needed in _NEEDED:
        if needed not in present:
            report.add(f'there is no column "{needed}"', header)
    for column in columns:
        if not column.known:
            known = ", ".join(EVIDENCE_COLUMNS)
            message = f"the column {shown(column.given)} is not known in evidence; known: {known}"
            report.add(message, header)


def _evidence(
    row: Row, columns: Sequence[Column], vocabulary: Vocabulary, report: Report
) -> Evidence | None:
    values: dict[str, Any] = {}
    n_before = len(report.faults)
    for column in columns:
        cell = row.cells[column.position]
        try:
            values[column.name] = column.read(cell)
        except CellError as error:
            report.add(str(error), row, column.given, cell)
    for name in _NEEDED:
        if name in values and not values[name].strip():
            report.add("is blank; every row needs one", row, name)
    if len(report.faults) > n_before:
        return None
    try:
        facet, term = _fact(values["facet"], values.get("term", ""), values["truth"], vocabulary)
    except CellError as error:
        report.add(str(error), row, "facet", values["facet"])
        return None
    except UnknownTermError as error:
        report.add(str(error), row, "term", values.get("term", ""))
        return None
    service_id = values.pop("service_id", "") or None
    values |= {"facet": facet, "term": term, "truth": Truth(values["truth"])}
    return Evidence(**values, service_id=service_id)


def _fact(name: str, term: str, truth: str, vocabulary: Vocabulary) -> tuple[str, str]:
    if name in FLAGS:
        if term not in ({"", "partial"} if name == "ohip_covered" else {""}):
            raise CellError(f"{shown(name)} is a yes-no fact; leave the term blank")
        return name, term
    if name in CLINIC_FACTS:
        if not term or truth != "yes":
            raise CellError(f"{shown(name)} is a field; give its value as the term, and truth yes")
        return name, cells.status(term) if name == "status" else term
    try:
        facet = vocabulary.facet(name)
    except UnknownTermError as error:
        known = ", ".join((*FLAGS, *CLINIC_FACTS))
        raise CellError(f"{error}; or a yes-no fact or field: {known}") from None
    return facet.id, facet.resolve(term)


def attach_evidence(
    clinics: Iterable[Clinic],
    evidence: Iterable[Evidence],
    *,
    report: Report | None = None,
    rows: Sequence[Row] | None = None,
) -> tuple[Clinic, ...]:
    """Give each clinic the evidence that speaks of it."""
    clinics, evidence = tuple(clinics), tuple(evidence)
    if not evidence:
        return clinics
    report = Report("evidence") if report is None else report
    services = {c.clinic_id: {s.service_id for s in c.services} for c in clinics}
    attached: dict[str, list[Evidence]] = {}
    for at, piece in enumerate(evidence):
        row = Row(at, at, ()) if rows is None else rows[at]
        if piece.clinic_id not in services:
            message = f"{shown(piece.clinic_id)} is no clinic of this data"
            report.add(message, row, "clinic_id", piece.clinic_id)
        elif piece.service_id is not None and piece.service_id not in services[piece.clinic_id]:
            known = ", ".join(shown(name) for name in sorted(services[piece.clinic_id])[:10])
            message = f"{shown(piece.service_id)} is no service of this clinic; known: {known}"
            report.add(message, row, "service_id", piece.service_id)
        attached.setdefault(piece.clinic_id, []).append(piece)
    report.refuse(len(evidence))
    return tuple(
        replace(clinic, evidence=clinic.evidence + tuple(attached[clinic.clinic_id]))
        if clinic.clinic_id in attached
        else clinic
        for clinic in clinics
    )
