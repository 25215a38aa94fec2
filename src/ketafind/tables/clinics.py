"""Clinics from a table, one row a service."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ketafind.records import FLAGS, Clinic, Evidence, Location, Service
from ketafind.tables.cells import CellError, location, match_key, plain
from ketafind.tables.columns import CLINIC_COLUMNS, Column, clinic_columns, contradictions
from ketafind.tables.csv import Report, Row, header_names, read_table
from ketafind.tables.evidence import attach_evidence, evidence_from_table
from ketafind.truth import Truth
from ketafind.vocabulary import Vocabulary, default_vocabulary
from ketafind.vocabulary.terms import shown

__all__ = ["clinics_from_rows", "clinics_from_table", "read_clinics", "read_evidence"]


_PLACE = ("lat", "lon", "precision", "radius_km")
_CLINIC_FIELDS = tuple(name for name in CLINIC_COLUMNS if name not in _PLACE)
_LANGUAGE = "language"


@dataclass(slots=True)
class _Draft:
    """One row, read: what its cells say, whether or not it has faults."""

    row: Row
    values: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Truth]] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    location: Location | None = None


def clinics_from_rows(
    rows: Iterable[Sequence[Any]],
    columns: Iterable[str],
    source: str,
    *,
    vocabulary: Vocabulary | None = None,
    evidence: Iterable[Evidence] | None = None,
    check: bool = True,
    first_row: int = 2,
) -> tuple[Clinic, ...]:
    """Make clinics of rows of cells."""
    report = Report(source)
    names = header_names(columns, report)
    report.refuse()
    numbered = []
    n_rows = 0
    for number, cells in enumerate(rows, first_row):
        n_rows += 1
        row = Row(number, number, cells)
        if len(cells) == len(names):
            numbered.append(row)
        else:
            report.add(f"has {len(cells)} cells where there are {len(names)} columns", row)
    clinics = clinics_from_table(
        numbered, names, report, n_rows, vocabulary=vocabulary, check=check
    )
    return attach_evidence(clinics, evidence or ())


def clinics_from_table(
    rows: Iterable[Row],
    names: Sequence[str],
    report: Report,
    n_rows: int,
    *,
    vocabulary: Vocabulary | None = None,
    check: bool = True,
    header: Row | None = None,
) -> tuple[Clinic, ...]:
    """Make clinics of the rows of a table whose shape is known to be right."""
    known = default_vocabulary() if vocabulary is None else vocabulary
    n_before = len(report.faults)
    columns = clinic_columns(names, known, report, header)
    if len(report.faults) > n_before:
        report.refuse(n_rows)  # without its columns no row can be read
    drafts = [_read_row(row, columns, known, report, check=check) for row in rows]
    groups = _grouped(drafts, report)
    given = {column.name: column.given for column in columns}
    for group in groups.values():
        _compare_rows(group, given, report)
    report.refuse(n_rows)
    return tuple(_clinic(group) for group in groups.values())


def _read_row(
    row: Row, columns: Sequence[Column], vocabulary: Vocabulary, report: Report, *, check: bool
) -> _Draft:
    draft = _Draft(row)
    n_before = len(report.faults)
    for column in columns:
        cell = row.cells[column.position]
        try:
            value = column.read(cell if type(cell) is str else plain(cell))
        except CellError as error:
            report.add(str(error), row, column.given, cell)
            continue
        if not column.known:
            draft.extra[column.name] = value
        elif column.facet:
            draft.facts[column.facet] = dict.fromkeys(value, Truth.YES)
        else:
            draft.values[column.name] = value
    for name in ("clinic_id", "name"):
        if name in draft.values and not draft.values[name].strip():
            report.add("is blank; every row needs one", row, name, draft.values[name])
    _add_stated_no(draft, vocabulary, report)
    if len(report.faults) == n_before or not _place_is_faulty(report.faults[n_before:]):
        draft.location, faults = location(draft.values, check=check)
        for place, message in faults:
            report.add(message, row, place, _place_text(draft, place))
    return draft


def _place_is_faulty(faults: Iterable[Any]) -> bool:
    return any(
        fault.column is not None and fault.column.strip().lower() in _PLACE for fault in faults
    )


def _place_text(draft: _Draft, place: str | None) -> Any:
    return draft.values.get(place) if place else None


def _add_stated_no(draft: _Draft, vocabulary: Vocabulary, report: Report) -> None:
    for facet, term in draft.values.pop("not_offered", ()):
        stated = draft.facts.setdefault(facet, {})
        if stated.setdefault(term, Truth.NO) == Truth.YES:
            plural = vocabulary.facet(facet).plural
            message = f'{shown(term)} is listed in "{plural}" too; remove it from one'
            report.add(message, draft.row, "not_offered", f"{facet}:{term}")
    for facet, term, ancestor in contradictions(draft.facts, vocabulary):
        report.add(
            f'"{facet}:{ancestor}" contradicts {shown(term)}, which is below it; correct one',
            draft.row,
            "not_offered",
            f"{facet}:{ancestor}",
        )


def _grouped(drafts: Iterable[_Draft], report: Report) -> dict[str, list[_Draft]]:
    groups: dict[str, list[_Draft]] = {}
    alike: dict[str, str] = {}
    for draft in drafts:
        clinic_id = draft.values.get("clinic_id", "")
        if not clinic_id.strip():
            continue
        if clinic_id not in groups:
            twin = alike.setdefault(match_key(clinic_id), clinic_id)
            if twin != clinic_id:
                report.add(
                    f"{clinic_id!a} looks the same as {twin!a} in row "
                    f"{groups[twin][0].row.number}; make them equal, or clearly different",
                    draft.row,
                    "clinic_id",
                    clinic_id,
                )
        groups.setdefault(clinic_id, []).append(draft)
    return groups


def _compare_rows(group: Sequence[_Draft], given: dict[str, str], report: Report) -> None:
    first = group[0]
    services: dict[str, Row] = {}
    n_blank = sum(not draft.values.get("service_id", "").strip() for draft in group)
    for draft in group if len(group) > 1 else ():
        service_id = draft.values.get("service_id", "")
        other = services.setdefault(match_key(service_id), draft.row)
        if other is not draft.row:
            report.add(_same_service(draft, service_id, other), draft.row, "service_id", service_id)
        elif not service_id.strip() and n_blank == 1:
            report.add(
                f"is blank, though {len(group)} rows share the clinic_id "
                f"{shown(draft.values['clinic_id'])}; give each its own",
                draft.row,
                "service_id",
            )
        for name in _differing(first, draft):
            report.add(
                f"{_cell_text(draft, name)} differs from {_cell_text(first, name)} in row "
                f"{first.row.number}, though both are clinic {shown(draft.values['clinic_id'])}; "
                "make them equal, or give one another clinic_id",
                draft.row,
                given.get(name, name),
            )


def _same_service(draft: _Draft, service_id: str, other: Row) -> str:
    what = f"service_id {shown(service_id)}" if service_id.strip() else "no service_id"
    return (
        f"the clinic_id {shown(draft.values['clinic_id'])} with {what} is in row {other.number} "
        "too; remove one row, or give each its own service_id"
    )


def _differing(first: _Draft, draft: _Draft) -> Iterator[str]:
    for name in CLINIC_COLUMNS:
        if (
            name in first.values
            and name in draft.values
            and first.values[name] != draft.values[name]
        ):
            yield name
    if _languages(first) != _languages(draft):
        yield "languages"


def _cell_text(draft: _Draft, name: str) -> str:
    if name == "languages":
        return shown(";".join(_languages(draft)))
    value = draft.values[name]
    return "blank" if value is None or value == "" else shown(str(value))


def _languages(draft: _Draft) -> tuple[str, ...]:
    stated = draft.facts.get(_LANGUAGE, {})
    return tuple(term for term, truth in stated.items() if truth == Truth.YES)


def _clinic(group: Sequence[_Draft]) -> Clinic:
    first = group[0]
    fields = {name: first.values[name] for name in _CLINIC_FIELDS if name in first.values}
    return Clinic(
        **fields,
        services=tuple(_service(draft) for draft in group),
        location=first.location,
        languages=_languages(first),
        extra=_extra(group),
    )


def _service(draft: _Draft) -> Service:
    values = draft.values
    return Service(
        service_id=values.get("service_id") or "1",
        facts={facet: stated for facet, stated in draft.facts.items() if stated},
        complete=values.get("complete", frozenset()),
        combined=values.get("combined") == "yes",
        flags={name: values[name] for name in FLAGS if values.get(name)},
    )


def _extra(group: Sequence[_Draft]) -> dict[str, str]:
    """Keep unknown columns; one that differs between services is kept as ``column [service]``."""
    kept: dict[str, str] = {}
    for name, value in group[0].extra.items():
        if all(draft.extra[name] == value for draft in group):
            kept[name] = value
        else:
            kept |= {f"{name} [{d.values.get('service_id')}]": d.extra[name] for d in group}
    return kept


Path = str | os.PathLike[str]


def read_clinics(
    path: Path,
    *,
    vocabulary: Vocabulary | None = None,
    evidence: Path | Iterable[Evidence] | None = None,
    check: bool = True,
) -> tuple[Clinic, ...]:
    """Read clinics from a CSV file, one row a service, or refuse the file with every fault.

    Cells are read as text: ``007``, ``NA`` and ``None`` stay what they are. Ids are kept to the
    character; in other texts the spaces around them do not count. A column that is not known is
    kept in ``Clinic.extra``; where it differs between the services of a clinic, as
    ``"column [service_id]"``.

    Parameters
    ----------
    path : str or path-like
        A regular file in UTF-8, comma-separated, with a header.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.
    evidence : str or path-like or iterable of Evidence, optional
        A CSV file of evidence, or what `read_evidence` gave, to attach to the clinics.
    check : bool
        Refuse a position of (0, 0), and one that contradicts the row's own province.

    Returns
    -------
    tuple of Clinic
        In the order of their first rows; services in the order of the rows. A row without
        coordinates gives a clinic without a location.

    Raises
    ------
    DataError
        With every fault of the file, each with row (the header is row 1), column, value and
        remedy. Faults of the evidence come once the clinics have none.
    OSError
        If there is no such file, or it may not be read.

    Warns
    -----
    UserWarning
        If text looks as if it was once read in the wrong encoding, or an unknown column has
        nearly the name of a known one.

    Notes
    -----
    Limits are in `ketafind.tables.csv`. The time is linear in the size of the file.
    """
    vocabulary = default_vocabulary() if vocabulary is None else vocabulary
    table = read_table(path)
    clinics = clinics_from_table(
        table.rows,
        table.columns,
        table.report,
        table.n_rows,
        vocabulary=vocabulary,
        check=check,
        header=table.header,
    )
    if evidence is None:
        return clinics
    if isinstance(evidence, (str, os.PathLike)):
        pieces, rows, report = _read_evidence(evidence, vocabulary)
        return attach_evidence(clinics, pieces, report=report, rows=rows)
    return attach_evidence(clinics, evidence)


def read_evidence(path: Path, *, vocabulary: Vocabulary | None = None) -> tuple[Evidence, ...]:
    """Read evidence from a CSV file, one row a fact, or refuse the file with every fault.

    Parameters
    ----------
    path : str or path-like
        A regular file in UTF-8, comma-separated, with a header.
    vocabulary : Vocabulary, optional
        What facets and terms there are; the bundled one if None.

    Returns
    -------
    tuple of Evidence
        In the order of the rows; facets and terms by their ids.

    Raises
    ------
    DataError
        With every fault of the file.
    OSError
        If there is no such file, or it may not be read.
    """
    vocabulary = default_vocabulary() if vocabulary is None else vocabulary
    return _read_evidence(path, vocabulary)[0]


def _read_evidence(
    path: Path, vocabulary: Vocabulary
) -> tuple[tuple[Evidence, ...], tuple[Row, ...], Report]:
    table = read_table(path)
    pieces, rows = evidence_from_table(
        table.rows,
        table.columns,
        table.report,
        table.n_rows,
        vocabulary=vocabulary,
        header=table.header,
    )
    return pieces, rows, table.report
