"""JSON whose objects know the line they begin on."""

from __future__ import annotations

import json
import re
from bisect import bisect
from pathlib import Path
from typing import Any

from ketafind.errors import DataError, Fault

__all__ = ["Placed", "read_placed", "read_text"]

_LARGEST = 4 * 2**20
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\n]')


class Placed(dict[str, Any]):
    """A JSON object and the line of its opening brace, counted from 1."""

    line = 1


def read_text(path: str | Path) -> str:
    """Read a file of rules as text.

    Parameters
    ----------
    path : str or Path
        UTF-8, at most 4 MB.

    Returns
    -------
    str
        Its content.

    Raises
    ------
    DataError
        If there is no such file, or it is too large or not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(str(path), [Fault("no such file; give the path of a rule set in JSON")])
    if path.stat().st_size > _LARGEST:
        raise DataError(path.name, [Fault("the file is over 4 MB: this is no rule set")])
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path.name, [Fault(f"the file is not UTF-8: {error.reason}")]) from None


def read_placed(text: str, source: str) -> Placed:
    """Read a JSON object; every object inside is `Placed`.

    Parameters
    ----------
    text : str
        JSON.
    source : str
        What to call it in an error text.

    Returns
    -------
    Placed
        The outermost object.

    Raises
    ------
    DataError
        If it is not one JSON object, or a key is doubled; names the line.
    """
    # The hook sees the objects in the order in which their braces close.
    lines = iter(_lines_of_objects(text))
    doubled: list[Fault] = []

    def place(pairs: list[tuple[str, Any]]) -> Placed:
        value = Placed(pairs)
        value.line = next(lines, 1)
        if len(value) < len(pairs):
            doubled.append(Fault(f"line {value.line}: a key stands twice in one object"))
        return value

    try:
        data = json.loads(text, object_pairs_hook=place)
    except json.JSONDecodeError as error:
        fault = Fault(f"line {error.lineno}: not JSON: {error.msg}")
        raise DataError(source, [fault]) from None
    except RecursionError:
        raise DataError(source, [Fault("the JSON is nested too deeply")]) from None
    if doubled:
        raise DataError(source, doubled)
    if not isinstance(data, Placed):
        raise DataError(source, [Fault("line 1: a rule set is one JSON object")])
    return data


def _lines_of_objects(text: str) -> list[int]:
    ends = [match.start() for match in re.finditer("\n", text)]
    lines, opened = [], []
    for token in _TOKEN.finditer(text):
        if token.group() == "{":
            opened.append(token.start())
        elif token.group() == "}" and opened:
            lines.append(bisect(ends, opened.pop()) + 1)
    return lines
