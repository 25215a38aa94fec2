"""Answers as plain text: tables that fit a width, distances as people read them."""

from __future__ import annotations

import math
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ketafind.errors import InvalidInputError, packaged
from ketafind.geo import real
from ketafind.records import CITY_LEVEL

WORDS = packaged("show/text.json")
# Of finer positions nothing is said: the doubt may be the origin's.
_REMARKS = {"unknown": "unknown", **dict.fromkeys(CITY_LEVEL, "city")}


def number(value: float, lang: str, places: int | None = 0) -> str:
    """Write a number as the language does; None for as many decimals as it has."""
    text = f"{value:,}".removesuffix(".0") if places is None else f"{value:,.{places}f}"
    return text if lang == "en" else text.translate({ord(","): "\u00a0", ord("."): ","})


def remark(precision: str | None, lang: str = "en") -> str:
    """Say that a position is known badly; empty for one that is known to the street or better."""
    said = _REMARKS.get(precision or "")
    return _say(said, lang) if said else ""


def _say(key: str, lang: str, **values: object) -> str:
    return str(WORDS[key][lang]).format(**values)


def distance_text(
    distance_km: float | None,
    low_km: float | None = None,
    high_km: float | None = None,
    precision: str | None = None,
    lang: str = "en",
) -> str:
    """Write a distance as a person reads it: ``"2.3 km"``, or ``"0 to 9 km, city only"``.

    The interval is written instead of the distance where it matters: where the clinic is known to
    its city only, or where the interval is wider than 1 km and than a fifth of the distance. The
    lower bound is rounded down and the upper one up, so that what is printed holds what is meant.

    Parameters
    ----------
    distance_km : float or None
        Straight-line kilometres; None or NaN where there is no position.
    low_km, high_km : float or None
        The 90 % interval; None for none.
    precision : str or None
        How precisely the clinic is known, one of ``ketafind.records.PRECISIONS``; says why.
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    str
        Below 10 km to the tenth, else whole kilometres; ``"no position"`` where there is none.
    """
    if distance_km is None or math.isnan(distance_km):
        return _say("none", lang)
    if (
        low_km is None
        or high_km is None
        or not interval_matters(distance_km, low_km, high_km, precision)
    ):
        # 9.96 is 10, not 10.0.
        return f"{number(distance_km, lang, 1 if distance_km < 9.95 else 0)} km"
    low, high, places = outwards(low_km, high_km)
    ends = {"low": number(low, lang, places), "high": number(high, lang, places)}
    return ", ".join(filter(None, (_say("span", lang, **ends), remark(precision, lang))))


def time_text(
    minutes: float | None, low_min: float | None = None, high_min: float | None = None,
    lang: str = "en",
) -> str:  # fmt: skip
    """Write minutes as a person reads them: ``"25 min"``, or ``"20 to 35 min"`` where it matters."""
    if minutes is None or math.isnan(minutes):
        return _say("no_way", lang)
    if low_min is None:
        return _hours(round(minutes))
    if high_min is None:
        return _say("least", lang, low=_hours(math.floor(low_min + 1e-6)))
    if high_min - low_min <= max(2.0, 0.2 * minutes):
        return _hours(round(minutes))
    low, high = math.floor(low_min + 1e-6), math.ceil(high_min - 1e-6)
    first = str(low) if high < 60 else _hours(low)
    return _say("times", lang, low=first, high=_hours(high))


def _hours(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def records_of(columns: Mapping[str, Sequence[Any]], *needed: str | None) -> list[dict[str, Any]]:
    """Turn equally long columns into rows; some of them must be there."""
    for name in filter(None, needed):
        if name not in columns:
            raise InvalidInputError(
                f"a map needs a column {name!r}; there are {', '.join(map(str, columns))}"
            )
    if len({len(column) for column in columns.values()}) > 1:
        raise InvalidInputError("the columns are of different lengths")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def check_options(unknown: Iterable[str], known: str) -> None:
    """Refuse options that no picture has."""
    for name in unknown:
        raise InvalidInputError(f"{name}= is no option of a picture; options: {known}")


def check_origin(origin: Any) -> None:
    """Refuse what is no place to mark."""
    if origin is not None and not hasattr(origin, "lat"):
        raise InvalidInputError("origin is Coordinates or a Location, such as matches.origin")


def check_width(width_km: float | None, name: str) -> None:
    """Refuse what is no width of a hexagon."""
    if width_km is not None and not 0.0 < real(width_km) < math.inf:
        raise InvalidInputError(f"{name} must be a number of kilometres above 0")


def credited(data: str, licence: str) -> str:
    """Name data and their licence, as a footer does."""
    return ", ".join(filter(None, (data.rstrip("."), licence)))


def interval_matters(
    distance_km: float, low_km: float, high_km: float, precision: str | None = None
) -> bool:
    """Tell whether an interval says what the distance alone would hide."""
    width = high_km - low_km
    if precision in CITY_LEVEL:
        return width > 0.0
    return width > max(1.0, 0.2 * distance_km)


def outwards(low_km: float, high_km: float) -> tuple[float, float, int]:
    """Round an interval so that what is printed holds what is meant."""
    # A hair's breadth of float error must not turn 9 into 10.
    if high_km < 2.0:
        return math.floor(low_km * 10 + 1e-6) / 10, math.ceil(high_km * 10 - 1e-6) / 10, 1
    return math.floor(low_km + 1e-6), math.ceil(high_km - 1e-6), 0


_GAP = "  "
_NARROWEST = 6
# Controls, format characters (bidi overrides, zero-width), halves of surrogate pairs, private use,
# and the separators that break a line.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def text_table(
    rows: Iterable[Sequence[Any]], headers: Sequence[str], width: int | None = None
) -> str:
    """Lay rows out in aligned columns."""
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
    return "" if cell is None else escaped(str(cell))


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
        for at, line in enumerate(wrapped(cell, columns) if cell else ()):
            label = "" if at else header
            lines.append(_padded(label, beside, right=False) + _GAP + line if header else line)
    return "\n".join(lines)


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    cells = [list(wrapped(cell, columns)) for cell, columns in zip(row, widths, strict=True)]
    height = max((len(lines) for lines in cells), default=1)
    out = []
    for at in range(height):
        parts = [
            _padded(lines[at] if at < len(lines) else "", columns, right=to_right)
            for lines, columns, to_right in zip(cells, widths, right, strict=True)
        ]
        out.append(_GAP.join(parts).rstrip())
    return out


def _padded(text: str, columns: int, *, right: bool) -> str:
    space = " " * (columns - display_width(text))
    return space + text if right else text + space


def wrapped(text: str, columns: int) -> Iterator[str]:
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


def escaped(text: str) -> str:
    """Spell out every character that has no picture, such as ``\x1b`` and ``\u202e``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _HIDDEN
        else letter
        for letter in text
    )


def display_width(text: str) -> int:
    """Count the columns that text takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def terminal_width() -> int:
    """Columns of the terminal; 120 where the output is no terminal."""
    return shutil.get_terminal_size((120, 24)).columns
