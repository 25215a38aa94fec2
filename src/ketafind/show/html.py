"""Tables as HTML for a notebook: every text escaped, no script, no outside request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.show.text import printable
from ketafind.tables.cells import CellError, website

if TYPE_CHECKING:
    from ketafind.records import Clinic


_ENTITIES = {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("'"): "&#39;",
    ord("`"): "&#96;",
    # Nothing left that a template literal or a math typesetter would look for in the source.
    ord("$"): "&#36;",
    ord("{"): "&#123;",
    ord("}"): "&#125;",
    ord("\\"): "&#92;",
}
# Notebook typesetters leave alone what bears their class.
_NO_MATH = "tex2jax_ignore mathjax_ignore"
_TABLE = "border-collapse:collapse;font-size:90%"
_CELL = "text-align:{};padding:2px 8px;vertical-align:top;border-bottom:1px solid #8884"


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads to a web page; nothing is asked of it before the reader clicks."""

    text: str
    url: str


def escape(value: object) -> str:
    """Write any value as text of an HTML page, inside or outside of an attribute."""
    return "" if value is None else printable(str(value)).translate(_ENTITIES)


def no_math(html: str) -> str:
    """Wrap HTML so that a notebook does not typeset dollar signs in it as mathematics."""
    return f'<div class="{_NO_MATH}">{html}</div>'


def html_table(
    rows: Iterable[Sequence[Any]],
    headers: Sequence[str],
    *,
    caption: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Write a table for a notebook."""
    head = "".join(_cell("th", "left", escape(name)) for name in headers)
    body = "".join(f"<tr>{''.join(map(_data_cell, row))}</tr>" for row in rows)
    above = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    inner = f"{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    table = f'<table style="{_TABLE}">{inner}</table>'
    return no_math(table + below)


def _data_cell(value: Any) -> str:
    if isinstance(value, Link):
        return _cell("td", "left", html_link(value))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return _cell("td", "right" if is_number else "left", escape(value))


def _cell(tag: str, side: str, content: str) -> str:
    return f'<{tag} style="{_CELL.format(side)}">{content}</{tag}>'


def html_link(link: Link) -> str:
    """Write a link to a web page."""
    try:
        url = website(link.url)
    except CellError:
        url = ""
    text = escape(link.text)
    if not url:
        return text
    # The page that is linked to learns nothing of the page it was linked from.
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{text}</a>'


MOST = 20
HEADERS = ("id", "clinic", "city", "position", "status", "website")


def clinics_html(clinics: Sequence[Clinic], caption: str) -> str:
    """Write the first clinics as a table for a notebook."""
    rows = [_row(clinic) for clinic in clinics[:MOST]]
    more = len(clinics) - len(rows)
    return html_table(
        rows, HEADERS, caption=caption, notes=[f"... and {more} more"] if more else []
    )


def _row(clinic: Clinic) -> tuple[str | Link, ...]:
    return (
        clinic.clinic_id,
        clinic.name,
        clinic.city,
        "none" if clinic.location is None else clinic.location.precision,
        clinic.status,
        Link(clinic.website, clinic.website) if clinic.website else "",
    )
