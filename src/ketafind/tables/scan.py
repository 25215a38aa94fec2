"""CSV text becomes rows of cells: strict, linear, and every row accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Row", "scan"]

# Possessive quantifiers never step back: the time stays linear on any text.
_RECORD = re.compile(r'(?:[^"\r\n]++|"[^"]*+")*+')
_CELL = re.compile(r'(?:"([^"]*+(?:""[^"]*+)*+)"|([^",]*+))(,|\Z)')
_STRAY = 'a stray quote in cell {}: put the whole cell in quotes and double the quote ("")'
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table and where it stands.

    Parameters
    ----------
    number : int
        As a spreadsheet counts it, the header being row 1; in a frame, the position from 0.
    line : int
        The line of the file that the row begins on; equal to ``number`` in a frame.
    cells : sequence
        The cells.
    fault : str or None
        Why the row could not be cut into cells; then ``cells`` is empty.
    """

    number: int
    line: int
    cells: Sequence[Any]
    fault: str | None = None


def scan(text: str) -> Iterator[Row]:
    """Cut CSV text into rows by RFC 4180; lines may end in CRLF, LF or CR, mixed.

    A blank line is no row, but counts in the numbers as it does in a spreadsheet. A row with a
    stray or an unclosed quote is taken to end with its line, so that the rows below are still
    read.

    Parameters
    ----------
    text : str
        The whole file.

    Yields
    ------
    Row
        In order, the header first.
    """
    position, line, number = 0, 1, 0
    while position < len(text):
        number += 1
        end, cells, fault = _record(text, position)
        if fault:
            yield Row(number, line, (), fault)
        elif len(cells) > 1 or cells[0].strip():
            yield Row(number, line, cells)
        if '"' in (record := text[position:end]):
            line += len(_LINE_END.findall(record))
        line += 1
        separator = _LINE_END.match(text, end)
        position = separator.end() if separator else len(text)


def _record(text: str, start: int) -> tuple[int, Sequence[str], str | None]:
    match = _RECORD.match(text, start)
    end = match.end() if match else start
    record = text[start:end]
    if end < len(text) and text[end] == '"':
        return _line_end(text, start), (), _open_quote(record)
    if '"' not in record:
        return end, record.split(","), None
    cells, fault = _quoted_cells(record)
    return (_line_end(text, start) if fault else end), cells, fault


def _open_quote(before: str) -> str:
    """Say what is wrong with the quote after this text, which no other quote follows."""
    cells, fault = _quoted_cells(before)
    if fault:
        return fault
    if before and not before.endswith(","):
        return _STRAY.format(len(cells))
    return (
        f"the quote that opens cell {len(cells) if before else 1} is never closed: close it, "
        'or double it ("") if it is text'
    )


def _line_end(text: str, start: int) -> int:
    match = _LINE_END.search(text, start)
    return match.start() if match else len(text)


def _quoted_cells(record: str) -> tuple[Sequence[str], str | None]:
    cells: list[str] = []
    position = 0
    while match := _CELL.match(record, position):
        quoted, plain, separator = match.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if not separator:
            return cells, None
    return (), _STRAY.format(len(cells) + 1)
