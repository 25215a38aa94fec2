"""Tables as HTML for a notebook: every text escaped, no script, no outside request."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ketafind.show.text import escaped
from ketafind.tables.clinics import website
from ketafind.tables.csv import CellError

if TYPE_CHECKING:
    from ketafind.records import Clinic

# What a template literal or a math typesetter would look for in the source.
_ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "`${}\\"}
# Notebook typesetters leave alone what bears their class.
_NO_MATH = "tex2jax_ignore mathjax_ignore"
_TABLE = "border-collapse:collapse;font-size:90%"
_CELL = "text-align:{};padding:2px 8px;vertical-align:top;border-bottom:1px solid #8884"


class Link(str):
    """A cell that leads to the web page it names; nothing is asked before the reader clicks."""

    __slots__ = ()


def html_text(value: object) -> str:
    """Write any value as text of an HTML page, inside or outside of an attribute."""
    return "" if value is None else html.escape(escaped(str(value))).translate(_ENTITIES)


def no_math(markup: str) -> str:
    """Wrap HTML so that a notebook does not typeset dollar signs in it as mathematics."""
    return f'<div class="{_NO_MATH}">{markup}</div>'


def html_table(
    rows: Iterable[Sequence[Any]],
    headers: Sequence[str],
    *,
    caption: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Write a table for a notebook."""
    head = "".join(_cell("th", "left", html_text(name)) for name in headers)
    body = "".join(f"<tr>{''.join(map(_data_cell, row))}</tr>" for row in rows)
    above = f'<caption style="text-align:left">{html_text(caption)}</caption>' if caption else ""
    below = "".join(f"<p>{html_text(note)}</p>" for note in notes)
    inner = f"{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return no_math(f'<table style="{_TABLE}">{inner}</table>{below}')


def _data_cell(value: Any) -> str:
    if isinstance(value, Link):
        return _cell("td", "left", html_link(value))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return _cell("td", "right" if is_number else "left", html_text(value))


def _cell(tag: str, side: str, content: str) -> str:
    return f'<{tag} style="{_CELL.format(side)}">{content}</{tag}>'


def html_link(address: str) -> str:
    """Write a link to a web page; what is no web address stays text."""
    text = html_text(address)
    try:
        url = website(address)
    except CellError:
        return text
    if not url:
        return text
    # The page that is linked to learns nothing of the page it was linked from.
    return f'<a href="{html_text(url)}" target="_blank" rel="noopener noreferrer">{text}</a>'


MOST = 20
HEADERS = ("id", "clinic", "city", "position", "status", "website")


def clinics_html(clinics: Sequence[Clinic], caption: str) -> str:
    """Write the first clinics as a table for a notebook."""
    rows = [
        (
            clinic.clinic_id,
            clinic.name,
            clinic.city,
            "none" if clinic.location is None else clinic.location.precision,
            clinic.status,
            Link(clinic.website),
        )
        for clinic in clinics[:MOST]
    ]
    more = len(clinics) - len(rows)
    notes = [f"... and {more} more"] if more else []
    return html_table(rows, HEADERS, caption=caption, notes=notes)
