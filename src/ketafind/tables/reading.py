"""CSV files become clinics and evidence."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ketafind.records import Clinic, Evidence
from ketafind.tables.evidence import attach_evidence, evidence_from_table
from ketafind.tables.report import Report
from ketafind.tables.rows import clinics_from_table
from ketafind.tables.scan import Row
from ketafind.tables.table import read_table
from ketafind.vocabulary import Vocabulary, default_vocabulary

__all__ = ["read_clinics", "read_evidence"]

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
    Limits are in `ketafind.tables.limits`. The time is linear in the size of the file.
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
