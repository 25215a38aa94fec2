"""Clinics and evidence become CSV files, whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.files import write_whole
from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS, Clinic, Evidence, Service
from ketafind.truth import Truth
from ketafind.vocabulary import Vocabulary, checked_vocabulary
from ketafind.vocabulary.terms import FLAG, Term

Path = str | os.PathLike[str]

_QUOTED = re.compile(r'[",\r\n]|\A\s|\s\Z')
# What a spreadsheet takes for a formula, at the start of a cell or after what may split one.
_FORMULA = re.compile(r"(\A|[;\t\r\n])(\s*)(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20\u2212])")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_LAST = ("notes", "checked_on")
_HEAD = ["clinic_id", "service_id"]
_HEAD += [part.name for part in CLINIC_FIELDS if part.name not in (*_LAST, "clinic_id")]
_FACETS = ("route", "product", "staff", "condition", "setting", "language")


def write_clinics(
    clinics: Iterable[Clinic],
    path: Path,
    *,
    vocabulary: Vocabulary | None = None,
    overwrite: bool = False,
    spreadsheet: bool = False,
) -> None:
    """Write clinics to a CSV file that `read_clinics` reads back, one row a service.

    The file appears whole or not at all: it is written beside, synced and renamed. Evidence is
    written by `write_evidence`. Of a location, the match, corrections, source and label have no
    column; languages are written for the clinic as a whole.

    Parameters
    ----------
    clinics : iterable of Clinic
        In the order to write.
    path : str or path-like
        Where to.
    vocabulary : Vocabulary, optional
        Where the names of the columns of facets come from; the bundled one if None.
    overwrite : bool
        Replace a file that is there.
    spreadsheet : bool
        Put an apostrophe before text that a spreadsheet would take for a formula. Plain numbers
        stay. Such a file is for looking at, not for reading back.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    OSError
        If it cannot be written; what was there before is unchanged.
    InvalidInputError
        If two clinics share an id.
    """
    vocabulary = checked_vocabulary(vocabulary)
    text = clinics_text(tuple(clinics), vocabulary, spreadsheet=spreadsheet)
    write_whole(path, text, overwrite=overwrite)


def clinics_text(
    clinics: Sequence[Clinic], vocabulary: Vocabulary, *, spreadsheet: bool = False
) -> str:
    """Write clinics as the text of a CSV file."""
    _check_ids(clinics)
    columns, rows = _clinic_rows(clinics, vocabulary)
    return csv_rows(columns, rows, spreadsheet=spreadsheet)


def write_evidence(
    evidence: Iterable[Evidence],
    path: Path,
    *,
    overwrite: bool = False,
    spreadsheet: bool = False,
) -> None:
    """Write evidence to a CSV file that `read_evidence` reads back, one row a fact.

    Parameters
    ----------
    evidence : iterable of Evidence
        In the order to write.
    path : str or path-like
        Where to.
    overwrite : bool
        Replace a file that is there.
    spreadsheet : bool
        As in `write_clinics`.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    OSError
        If it cannot be written; what was there before is unchanged.
    """
    columns = [part.name for part in EVIDENCE_FIELDS]
    rows = ([_text(getattr(piece, name)) for name in columns] for piece in evidence)
    write_whole(path, csv_rows(columns, rows, spreadsheet=spreadsheet), overwrite=overwrite)


def csv_rows(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, spreadsheet: bool = False
) -> str:
    """Write rows of texts as CSV, by RFC 4180 but with LF line ends."""
    lines = [columns, *rows]
    if spreadsheet:
        lines = [[_neutral(cell) for cell in line] for line in lines]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _neutral(text: str) -> str:
    return text if _PLAIN_NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'\2", text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _check_ids(clinics: Sequence[Clinic]) -> None:
    seen: set[str] = set()
    for clinic in clinics:
        if clinic.clinic_id in seen:
            raise InvalidInputError(f"two clinics have the id {clinic.clinic_id!r}")
        seen.add(clinic.clinic_id)


def _clinic_rows(
    clinics: Sequence[Clinic], vocabulary: Vocabulary
) -> tuple[list[str], Iterator[list[str]]]:
    stated = {facet for c in clinics for s in c.services for facet in s.facts}
    known = {facet.id for facet in vocabulary.facets}
    facets = [facet for facet in _FACETS if facet in stated | known]
    facets += sorted(stated.difference(facets, {FLAG}))
    flags = [flag.id for flag in vocabulary.flags if _has_column(flag, clinics)]
    numbers = [each.id for each in vocabulary.quantities]
    plurals = {vocabulary.facet(facet).plural: facet for facet in facets}
    extras = list(dict.fromkeys(name for c in clinics for name in _extra_names(c)))
    middle = ("not_offered", "complete", "combined", *flags, *numbers, *_LAST)
    columns = [*_HEAD, *plurals, *middle, *extras]

    def rows() -> Iterator[list[str]]:
        for clinic in clinics:
            for service in clinic.services:
                cells = {part.name: _text(part.of(clinic)) for part in CLINIC_FIELDS}
                cells |= _service_cells(service, vocabulary)
                cells |= {plural: ";".join(service.terms(f)) for plural, f in plurals.items()}
                if "language" in facets:
                    cells[vocabulary.facet("language").plural] = ";".join(clinic.languages)
                cells |= {name: _extra_cell(clinic, service, name) for name in extras}
                yield [cells.get(name, "") for name in columns]

    return columns, rows()


def _service_cells(service: Service, vocabulary: Vocabulary) -> dict[str, str]:
    stated_no = [
        f"{facet}:{term}"
        for facet in service.facts
        if facet != FLAG
        for term in service.terms(facet, Truth.NO)
    ]
    complete = sorted(vocabulary.facet(facet).plural for facet in service.complete)
    return {
        "service_id": service.service_id,
        "not_offered": ";".join(stated_no),
        "complete": ";".join(complete),
        "combined": "yes" if service.combined else "",
        **dict(_answer(vocabulary.flags[flag], service) for flag in service.flags),
        **{name: number.span for name, number in service.quantities.items()},
    }


def _answer(flag: Term, service: Service) -> tuple[str, str]:
    """Write a flag, or the answer ``partial`` for ``ohip_covered_partial``, in its column."""
    if _is_part(flag, service):
        return str(flag.parent), flag.id.removeprefix(f"{flag.parent}_")
    return flag.id, str(service.flags[flag.id])


def _is_part(flag: Term, service: Service) -> bool:
    return (
        flag.id.startswith(f"{flag.parent}_")
        and flag.parent not in service.flags
        and service.flags.get(flag.id) == Truth.YES
    )


def _has_column(flag: Term, clinics: Sequence[Clinic]) -> bool:
    return flag.parent is None or any(
        flag.id in service.flags and not _is_part(flag, service)
        for clinic in clinics
        for service in clinic.services
    )


def _extra_names(clinic: Clinic) -> Iterator[str]:
    """Give the columns of what is kept; ``column [service]`` came from one column."""
    for name in clinic.extra:
        base = name.removesuffix("]").rpartition(" [")[0]
        yield base if base and _is_split(clinic, base) else name


def _is_split(clinic: Clinic, base: str) -> bool:
    return base not in clinic.extra and all(
        f"{base} [{service.service_id}]" in clinic.extra for service in clinic.services
    )


def _extra_cell(clinic: Clinic, service: Service, name: str) -> str:
    own = f"{name} [{service.service_id}]"
    if own in clinic.extra and _is_split(clinic, name):
        return clinic.extra[own]
    return clinic.extra.get(name, "")
