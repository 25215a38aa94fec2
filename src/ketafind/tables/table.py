"""A table of text before it means anything: checked for shape alone."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ketafind.errors import DataError, Fault
from ketafind.tables.files import file_name, read_text
from ketafind.tables.limits import MAX_CELL_CHARACTERS, MAX_COLUMNS
from ketafind.tables.report import Report
from ketafind.tables.scan import Row, scan
from ketafind.vocabulary.words import shown

__all__ = ["Table", "header_names", "read_table"]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns.

    Parameters
    ----------
    header : Row
        Where the names stand.
    columns : tuple of str
        The names, as `header_names` gives them.
    rows : tuple of Row
        Those that have a cell for every column.
    n_rows : int
        How many rows there were, refused ones included.
    report : Report
        The faults so far.
    """

    header: Row
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    n_rows: int
    report: Report


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file with a header into a table.

    Parameters
    ----------
    path : str or path-like
        A regular file in UTF-8.

    Returns
    -------
    Table
        Its rows; what is wrong with single rows is in the report.

    Raises
    ------
    DataError
        If the file or its header cannot be used at all.
    """
    source = file_name(path)
    lines = scan(read_text(path))
    report = Report(source)
    header = next(lines, None)
    if header is None:
        raise DataError(source, [Fault("the file is empty; it needs a header row")])
    if header.fault:
        report.add(header.fault, header)
        report.refuse()
    _check_separator(header, report)
    columns = header_names(header.cells, report, header)
    rows = list(lines)
    report.refuse(len(rows))
    good = tuple(_whole_rows(rows, columns, report))
    return Table(header, columns, good, len(rows), report)


def _check_separator(header: Row, report: Report) -> None:
    if len(header.cells) > 1:
        return
    for separator, name in _SEPARATORS.items():
        if separator in header.cells[0]:
            report.add(f"the columns are separated by {name}; save the file with commas", header)
            report.refuse()


def header_names(
    cells: Iterable[object], report: Report, header: Row | None = None
) -> tuple[str, ...]:
    """Read the names of the columns.

    Parameters
    ----------
    cells : iterable of object
        The names as they stand; the spaces around them do not count.
    report : Report
        Where a blank, doubled or strange name is noted.
    header : Row or None
        Where the header is.

    Returns
    -------
    tuple of str
        The names; empty if there are too many.
    """
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    if len(names) > MAX_COLUMNS:
        report.add(f"has {len(names):,} columns; at most {MAX_COLUMNS:,} are read", header)
        return ()
    seen: dict[str, int] = {}
    for at, name in enumerate(names, 1):
        if not name:
            report.add(f"column {at} of {len(names)} has no name; name it or remove it", header)
        elif fault := _strange(name):
            report.add(f"the column name {shown(name)} {fault}", header)
        elif name in seen:
            message = f"columns {seen[name]} and {at} are both called {shown(name)}; rename one"
            report.add(message, header)
        seen.setdefault(name, at)
    return tuple(names)


def _strange(name: str) -> str | None:
    for letter in name:
        if letter == "\ufeff":
            return "holds a byte order mark (U+FEFF): the file was encoded twice; remove it"
        if unicodedata.category(letter) in {"Cc", "Cf", "Cs"}:
            return f"holds the invisible character U+{ord(letter):04X}; remove it"
    return None


def _whole_rows(rows: Sequence[Row], columns: Sequence[str], report: Report) -> Iterator[Row]:
    for row in rows:
        if row.fault:
            report.add(row.fault, row)
        elif len(row.cells) != len(columns):
            report.add(_count_fault(row.cells, len(columns)), row)
        elif not any(len(cell) > MAX_CELL_CHARACTERS for cell in row.cells):
            yield row
        else:
            _note_long_cells(row, columns, report)


def _count_fault(cells: Sequence[str], expected: int) -> str:
    n = len(cells)
    fault = f"has {n} cell{'s' if n != 1 else ''} where the header has {expected}; "
    if n < expected:
        return fault + "add the missing commas, or close a quote"
    if not any(cell.strip() for cell in cells[expected:]):
        return fault + "remove the commas at the end"
    return fault + "a text that holds a comma needs quotes around it"


def _note_long_cells(row: Row, columns: Sequence[str], report: Report) -> None:
    for column, cell in zip(columns, row.cells, strict=True):
        if len(cell) > MAX_CELL_CHARACTERS:
            message = f"holds {len(cell):,} characters; at most {MAX_CELL_CHARACTERS:,} are read"
            report.add(message, row, column, cell)
