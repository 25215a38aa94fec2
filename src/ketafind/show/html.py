"""Tables as HTML for a notebook: every text escaped, no script, no outside request."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ketafind.show.text import escaped
from ketafind.tables.clinics import website
from ketafind.tables.csv import CellError

if TYPE_CHECKING:
    from ketafind.records import Clinic

# What a template literal or a math typesetter would look for in the source.
_ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "`${}\\"}
# Notebook typesetters leave alone what bears their class.
_NO_MATH = "tex2jax_ignore mathjax_ignore"
_IN_ADDRESSES = "!#$%&'()*+,/:;=?@~"
# HTML has <style> in the head only, where no output of a notebook can write; SVG has it anywhere.
_STYLE = '<svg style="display:none"><style>{}</style></svg>'


class Link(str):
    """A cell that leads to the web page it names; nothing is asked before the reader clicks."""

    __slots__ = ()


def html_text(value: object) -> str:
    """Write any value as text of an HTML page, inside or outside of an attribute."""
    return "" if value is None else html.escape(escaped(str(value))).translate(_ENTITIES)


@cache
def asset(name: str) -> str:
    """Read a style, a script or a page that lies beside this file."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def notebook_html(markup: str, lang: str) -> str:
    """Wrap HTML for a notebook, which is to take no dollar sign in it for mathematics."""
    style = _STYLE.format(asset("notebook.css"))
    return f'<div class="ketafind {_NO_MATH}" lang="{lang}">{style}{markup}</div>'


def html_table(
    rows: Iterable[Sequence[Any]],
    headers: Sequence[str],
    *,
    caption: str = "",
    notes: Sequence[str] = (),
    lang: str = "en",
) -> str:
    """Write a table for a notebook; where it is narrow, each row is a block of lines."""
    names = [html_text(name) for name in headers]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row, names))}</tr>" for row in rows)
    above = f"<caption>{html_text(caption)}</caption>" if caption else ""
    below = "".join(f"<p>{html_text(note)}</p>" for note in notes)
    table = f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return notebook_html(f"{table}{below}", lang)


def _cell(value: Any, name: str) -> str:
    text = html_link(value) if isinstance(value, Link) else html_text(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    more = ' class="number"' if is_number else ""
    return f'<td data-name="{name}"{more}>{text}</td>'


def web_address(text: str) -> str:
    """Return a web address in the letters that one is written in; empty for anything else."""
    try:
        return quote(website(text), safe=_IN_ADDRESSES)
    except CellError:
        return ""


def html_link(address: str) -> str:
    """Write a link to a web page; what is no web address stays text."""
    text, url = html_text(address), html_text(web_address(address))
    if not url:
        return text
    # The page that is linked to learns nothing of the page it was linked from.
    return f'<a href="{url}" target="_blank" rel="noopener noreferrer">{text}</a>'


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
