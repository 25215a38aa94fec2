"""Evidence rows, and attaching them to the clinics they speak of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ketafind.errors import UnknownTermError
from ketafind.records import CLINIC_FACTS, EVIDENCE_FIELDS, FLAGS, STATUSES, Clinic, Evidence
from ketafind.tables import cells
from ketafind.tables.cells import CellError
from ketafind.tables.csv import Report, Row, Table
from ketafind.truth import Truth
from ketafind.vocabulary import Vocabulary
from ketafind.vocabulary.terms import quoted

_NEEDED = ("clinic_id", "facet", "truth", "source_url")


def evidence_from_table(table: Table, vocabulary: Vocabulary) -> tuple[Evidence, ...]:
    """Make evidence of the rows of a table, in their order, or refuse it with every fault."""
    report = table.report
    names = {part.name: part.name for part in EVIDENCE_FIELDS}
    n_before = len(report.faults)
    at = table.find_columns(names)
    for needed in _NEEDED:
        if needed not in at:
            report.add(f'there is no column "{needed}"', table.header)
    for column, given in enumerate(table.names):
        if column not in at.values():
            message = (
                f"the column {quoted(given)} is not known in evidence; known: {', '.join(names)}"
            )
            report.add(message, table.header)
    if len(report.faults) > n_before:
        report.refuse(table.n_rows)
    columns = [table.read(at[f.name], cells.reader_of(f)) for f in EVIDENCE_FIELDS if f.name in at]
    present = [name for name in names if name in at]
    made: list[Evidence] = []
    for row, values in enumerate(zip(*columns, strict=True)):
        if CellError not in map(type, values):
            fields = dict(zip(present, values, strict=True))
            made += _evidence(fields, table, row, vocabulary)
    report.refuse(table.n_rows)
    return tuple(made)


def _evidence(
    values: dict[str, Any], table: Table, row: int, vocabulary: Vocabulary
) -> Iterator[Evidence]:
    """Make one piece of evidence, or report what is wrong."""
    blank = [name for name in _NEEDED if not values[name].strip()]
    for name in blank:
        table.report.add("is blank; every row needs one", table.row(row), name)
    if blank:
        return
    term = values.get("term", "")
    try:
        facet, term = _fact(values["facet"], term, values["truth"], vocabulary)
    except CellError as error:
        table.report.add(str(error), table.row(row), "facet", values["facet"])
    except UnknownTermError as error:
        table.report.add(str(error), table.row(row), "term", term)
    else:
        service_id = values.get("service_id") or None
        fact = {"facet": facet, "term": term, "truth": Truth(values["truth"])}
        yield Evidence(**{**values, **fact, "service_id": service_id})


_STATUS = cells.choice(STATUSES, "a status")


def _fact(name: str, term: str, truth: str, vocabulary: Vocabulary) -> tuple[str, str]:
    if name in FLAGS:
        if term not in ({"", "partial"} if name == "ohip_covered" else {""}):
            raise CellError(f"{quoted(name)} is a yes-no fact; leave the term blank")
        return name, term
    if name in CLINIC_FACTS:
        if not term or truth != "yes":
            raise CellError(f"{quoted(name)} is a field; give its value as the term, and truth yes")
        return name, _STATUS(term) if name == "status" else term
    try:
        facet = vocabulary.facet(name)
    except UnknownTermError as error:
        known = ", ".join((*FLAGS, *CLINIC_FACTS))
        raise CellError(f"{error}; or a yes-no fact or field: {known}") from None
    return facet.id, facet.resolve(term)


def attach_evidence(
    clinics: Iterable[Clinic],
    evidence: Iterable[Evidence],
    table: Table | None = None,
) -> tuple[Clinic, ...]:
    """Give each clinic the evidence that speaks of it."""
    clinics, evidence = tuple(clinics), tuple(evidence)
    if not evidence:
        return clinics
    report = Report("evidence") if table is None else table.report
    services = {c.clinic_id: {s.service_id for s in c.services} for c in clinics}
    attached: dict[str, list[Evidence]] = {}
    for at, piece in enumerate(evidence):
        row = Row(at, at) if table is None else table.row(at)
        if piece.clinic_id not in services:
            message = f"{quoted(piece.clinic_id)} is no clinic of this data"
            report.add(message, row, "clinic_id", piece.clinic_id)
        elif piece.service_id is not None and piece.service_id not in services[piece.clinic_id]:
            known = ", ".join(quoted(name) for name in sorted(services[piece.clinic_id])[:10])
            message = f"{quoted(piece.service_id)} is no service of this clinic; known: {known}"
            report.add(message, row, "service_id", piece.service_id)
        attached.setdefault(piece.clinic_id, []).append(piece)
    report.refuse(len(evidence))
    return tuple(
        replace(clinic, evidence=clinic.evidence + tuple(attached[clinic.clinic_id]))
        if clinic.clinic_id in attached
        else clinic
        for clinic in clinics
    )
