"""One cell becomes one value, or a reason why not."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from urllib.parse import urlsplit

from ketafind.records import PRECISIONS, STATUSES
from ketafind.vocabulary.words import shown

__all__ = [
    "CellError",
    "choice",
    "extra",
    "identifier",
    "iso_date",
    "match_key",
    "plain",
    "precision",
    "radius",
    "status",
    "text",
    "website",
    "yes_no",
]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x20\x7f]")


class CellError(ValueError):
    """What is wrong with a cell; the reader adds the row and the column."""


def plain(cell: Any) -> Any:
    """Turn what a frame may hold into text, a number, a bool, a date or a tuple.

    Parameters
    ----------
    cell : object
        Any cell; None, NaN, NA and NaT are missing.

    Returns
    -------
    object
        Empty text where it is missing.

    Raises
    ------
    CellError
        If it is anything else, such as bytes or a geometry.
    """
    if isinstance(cell, str):
        return str(cell)
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"}:
        return ""
    if isinstance(cell, (list, tuple, set, frozenset)):
        items = sorted(cell, key=str) if isinstance(cell, (set, frozenset)) else cell
        return tuple(plain(item) for item in items)
    if hasattr(cell, "tolist"):
        return plain(cell.tolist())  # numpy's scalars and arrays, as Python's own
    return _plain_number_or_date(cell)


def _plain_number_or_date(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Integral):
        return int(cell)
    if isinstance(cell, (Real, Decimal)):
        number = float(cell)
        return "" if math.isnan(number) else number
    if isinstance(cell, datetime):
        if cell.time() != time():
            raise CellError("holds a time of day; give the date alone")
        return cell.date()
    if isinstance(cell, date):
        return cell
    raise CellError(f"a cell of type {type(cell).__name__} cannot be read; give text")


def text(cell: Any) -> str:
    """Read plain text; the spaces around it do not count.

    Parameters
    ----------
    cell : object
        Text, a whole number or a date.

    Returns
    -------
    str
        The text, otherwise as it stands: ``"NA"`` and ``"None"`` are texts.

    Raises
    ------
    CellError
        If it is a float (which may have lost digits), a bool or a list, or holds a NUL.
    """
    return identifier(cell).strip()


def identifier(cell: Any) -> str:
    """Read an id: every character is kept, ``007`` stays ``007``.

    Parameters
    ----------
    cell : object
        Text, a whole number or a date.

    Returns
    -------
    str
        The id, not trimmed.

    Raises
    ------
    CellError
        As `text` does.
    """
    if isinstance(cell, (bool, float, tuple)):
        kind = "list" if isinstance(cell, tuple) else type(cell).__name__
        raise CellError(f"is a {kind}, not text; read the column as text (dtype=str)")
    value = cell.isoformat() if isinstance(cell, date) else str(cell)
    _check_characters(value)
    return value


def extra(cell: Any) -> str:
    """Read a cell of a column that ketafind does not know, as text.

    Parameters
    ----------
    cell : object
        Anything that `plain` gives.

    Returns
    -------
    str
        Its text, every character kept; a list is joined by ``;``.

    Raises
    ------
    CellError
        If it holds a NUL or half of a surrogate pair.
    """
    value = ";".join(map(str, cell)) if isinstance(cell, tuple) else str(cell)
    _check_characters(value)
    return value


def _check_characters(value: str) -> None:
    if "\0" in value:
        raise CellError("holds a NUL character (U+0000); remove it")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise CellError("holds half of a surrogate pair, which is no character; remove it")


def match_key(value: str) -> str:
    """Reduce an id to what must be unique: composed, without invisible or outer characters.

    Parameters
    ----------
    value : str
        An id.

    Returns
    -------
    str
        Equal for ids that look the same.
    """
    if value.isascii() and value.isprintable():
        return value.strip()
    seen = (letter for letter in value if unicodedata.category(letter) not in {"Cf", "Cc"})
    return unicodedata.normalize("NFC", "".join(seen)).strip()


def choice(words: Iterable[str], what: str, blank: str = "") -> Callable[[Any], str]:
    """Make a reader for a cell that holds one of a few words, in any case.

    Parameters
    ----------
    words : iterable of str
        The words.
    what : str
        What each of them is, such as ``"a status"``.
    blank : str
        What a blank cell means.

    Returns
    -------
    callable
        From a cell to one of the words.
    """
    known = tuple(words)

    def read(cell: Any) -> str:
        if isinstance(cell, bool) and {"yes", "no"} <= set(known):
            return "yes" if cell else "no"
        value = text(cell)
        word = value.lower()
        if not word:
            return blank
        if word not in known:
            raise CellError(
                f"{shown(value)} is not {what}; write {', '.join(known[:-1])} or {known[-1]}"
                + ("" if blank else ", or leave it blank where it is not known")
            )
        return word

    return read


status = choice(STATUSES, "a status", blank="active")
precision = choice(PRECISIONS, "a precision")
yes_no = choice(("yes", "no"), "an answer")


def iso_date(cell: Any) -> date | None:
    """Read a date in the ISO form.

    Parameters
    ----------
    cell : object
        ``YYYY-MM-DD``, a date, or blank.

    Returns
    -------
    date or None
        None if blank.

    Raises
    ------
    CellError
        If it is another form, or no day of the calendar.
    """
    if isinstance(cell, date):
        return cell
    value = text(cell)
    if not value:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError as error:
        raise CellError(f"{shown(value)} is not a day of the calendar: {error}") from None
    raise CellError(f"{shown(value)} is not a date; write it as 2026-11-23 (year-month-day)")


def radius(cell: Any) -> float | None:
    """Read a radius in kilometres.

    Parameters
    ----------
    cell : object
        Digits with a point, a number, or blank.

    Returns
    -------
    float or None
        None if blank.

    Raises
    ------
    CellError
        If it is negative, not finite or no number.
    """
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value, number = str(cell), float(cell)
    else:
        value = text(cell)
        if not value:
            return None
        number = float(value) if _NUMBER.fullmatch(value) and len(value) <= 40 else -1.0
    # Half the equator: no doubt on earth is wider.
    if not 0.0 <= number <= 20_038.0:
        raise CellError(
            f"{shown(value)} is not a radius; write kilometres from 0 to 20038, such as 2.5"
        )
    return number


def website(cell: Any) -> str:
    """Read a web address.

    Parameters
    ----------
    cell : object
        An ``http`` or ``https`` address, or blank.

    Returns
    -------
    str
        As it stands.

    Raises
    ------
    CellError
        If it is another scheme, such as ``javascript:``, or has no host.
    """
    value = text(cell)
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError as error:
        raise CellError(f"{shown(value)} is not a web address: {error}") from None
    if parts.scheme in {"http", "https"} and host and not _SPACE_OR_CONTROL.search(value):
        return value
    remedy = "" if ":" in value.split("/")[0] else f", such as {shown('https://' + value)}"
    raise CellError(
        f"{shown(value)} is not a web address; it must begin with https:// or http://{remedy}"
    )
