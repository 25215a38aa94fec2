"""Text for people: safe to print, and tables aligned for a terminal."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.tables.distances import distance_text

__all__ = ["display_width", "distance_text", "printable", "terminal_width", "text_table"]

_GAP = "  "
_NARROWEST = 6
# Controls, format characters (bidi overrides, zero-width), halves of surrogate pairs, private use,
# and the separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text_table(
    rows: Iterable[Sequence[Any]], headers: Sequence[str], width: int | None = None
) -> str:
    """Lay rows out in aligned columns.

    Columns of numbers stand to the right. Where the table is wider than `width`, the widest
    columns are narrowed first and their cells run over several lines, broken between words.
    Where words would have to be broken, each row is a block instead, one cell a line beside its
    header; blank cells are left out, and a word longer than the line runs on, so that an address
    of a page can be copied. Control characters and bidi overrides are shown escaped.

    Parameters
    ----------
    rows : iterable of sequences
        A cell for each header; None is blank.
    headers : sequence of str
        The names of the columns; no line is drawn under them where all are blank.
    width : int or None
        The columns of the terminal; None for no limit.

    Returns
    -------
    str
        The lines, without spaces at their ends or a last line break.

    Raises
    ------
    InvalidInputError
        If a row has another number of cells than there are headers.
    """
    listed = [tuple(row) for row in rows]
    for at, row in enumerate(listed):
        if len(row) != len(headers):
            raise InvalidInputError(
                f"row {at} has {len(row)} cells where there are {len(headers)} headers"
            )
    table = [[_text(cell) for cell in row] for row in (headers, *listed)]
    right = [_is_numeric([row[at] for row in listed]) for at in range(len(headers))]
    columns = list(zip(*table, strict=True))
    widths = _fitted(
        [max(map(display_width, column)) for column in columns],
        [max(map(_longest_word, column)) for column in columns],
        width,
    )
    if widths is None:
        return "\n\n".join(_block(table[0], row, width) for row in table[1:])
    head, *body = (_lines(row, widths, right) for row in table)
    rule = _GAP.join("-" * columns for columns in widths)
    top = [*head, rule] if any(headers) else []
    return "\n".join([*top, *(line for lines in body for line in lines)])


def _text(cell: Any) -> str:
    return "" if cell is None else printable(str(cell))


def _is_numeric(cells: Sequence[Any]) -> bool:
    present = [cell for cell in cells if cell is not None]
    return bool(present) and all(
        isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in present
    )


def _longest_word(text: str) -> int:
    return max(map(display_width, text.split(" ")))


def _fitted(widths: list[int], words: list[int], limit: int | None) -> list[int] | None:
    """Narrow columns until the table fits; None where words would have to be broken."""
    if limit is None:
        return widths
    spare = limit - len(_GAP) * (len(widths) - 1)
    fitted = [min(wide, max(word, _NARROWEST)) for wide, word in zip(widths, words, strict=True)]
    spare -= sum(fitted)
    if spare < 0:
        return None
    # What is left goes to the narrowest of those that want more.
    while spare > 0 and fitted != widths:
        wanting = [at for at, wide in enumerate(widths) if fitted[at] < wide]
        fitted[min(wanting, key=fitted.__getitem__)] += 1
        spare -= 1
    return fitted


def _block(headers: Sequence[str], row: Sequence[str], width: int | None) -> str:
    beside = max(map(display_width, headers))
    columns = (width or 0) - beside - len(_GAP)
    lines = []
    for header, cell in zip(headers, row, strict=True):
        for at, line in enumerate(_wrapped(cell, columns) if cell else ()):
            label = "" if at else header
            lines.append(_padded(label, beside, right=False) + _GAP + line if header else line)
    return "\n".join(lines)


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    wrapped = [list(_wrapped(cell, columns)) for cell, columns in zip(row, widths, strict=True)]
    height = max((len(lines) for lines in wrapped), default=1)
    out = []
    for at in range(height):
        parts = [
            _padded(lines[at] if at < len(lines) else "", columns, right=to_right)
            for lines, columns, to_right in zip(wrapped, widths, right, strict=True)
        ]
        out.append(_GAP.join(parts).rstrip())
    return out


def _padded(text: str, columns: int, *, right: bool) -> str:
    space = " " * (columns - display_width(text))
    return space + text if right else text + space


def _wrapped(text: str, columns: int) -> Iterator[str]:
    """Break text between words into lines of at most so many columns; a longer word runs on."""
    line = ""
    for at, word in enumerate(text.split(" ")):
        joined = f"{line} {word}" if at else word
        if at and display_width(joined) > columns:
            if line:  # else a space stands before the first word
                yield line
            joined = word
        line = joined
    yield line


def printable(text: str) -> str:
    """Spell out every character that has no picture, such as ``\\x1b`` and ``\\u202e``.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The same text if all of it can be seen.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def _shown(letter: str) -> str:
    if unicodedata.category(letter) not in _HIDDEN:
        return letter
    code = ord(letter)
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def display_width(text: str) -> int:
    """Count the columns that text takes in a terminal.

    Parameters
    ----------
    text : str
        Text that `printable` has seen.

    Returns
    -------
    int
        Two for each wide character, none for a combining mark, else one.
    """
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def terminal_width() -> int:
    """Columns of the terminal; 120 where the output is no terminal.

    Returns
    -------
    int
        For `text_table`.
    """
    return shutil.get_terminal_size((120, 24)).columns
