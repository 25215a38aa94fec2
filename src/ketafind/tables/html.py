"""Tables as HTML for a notebook: every text escaped, no script, no outside request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ketafind.tables.cells import CellError, website
from ketafind.tables.text import printable

__all__ = ["Link", "escape", "html_link", "html_table", "no_math"]

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
    """A cell that leads to a web page; nothing is asked of it before the reader clicks.

    Parameters
    ----------
    text : str
        What to show.
    url : str
        An ``http`` or ``https`` address; anything else is not linked.
    """

    text: str
    url: str


def escape(value: object) -> str:
    """Write any value as text of an HTML page, inside or outside of an attribute.

    This is the only way from data to HTML in ketafind.

    Parameters
    ----------
    value : object
        Its ``str`` is shown, None as nothing; control characters and bidi overrides spelled out.

    Returns
    -------
    str
        No quote, bracket, brace, backtick, backslash, dollar sign or bare ampersand is in it.
    """
    return "" if value is None else printable(str(value)).translate(_ENTITIES)


def no_math(html: str) -> str:
    """Wrap HTML so that a notebook does not typeset dollar signs in it as mathematics.

    Parameters
    ----------
    html : str
        Safe HTML.

    Returns
    -------
    str
        The same in a ``div``.
    """
    return f'<div class="{_NO_MATH}">{html}</div>'


def html_table(
    rows: Iterable[Sequence[Any]],
    headers: Sequence[str],
    *,
    caption: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Write a table for a notebook.

    Parameters
    ----------
    rows : iterable of sequences
        A cell for each header: anything, or a `Link`; None is blank. Numbers stand to the right.
    headers : sequence of str
        The names of the columns.
    caption : str
        A line above.
    notes : sequence of str
        Lines below.

    Returns
    -------
    str
        HTML without scripts, styles that reach out, or requests.
    """
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
    """Write a link to a web page.

    Parameters
    ----------
    link : Link
        The text and the address.

    Returns
    -------
    str
        The text alone where the address is not ``http`` or ``https``.
    """
    try:
        url = website(link.url)
    except CellError:
        url = ""
    text = escape(link.text)
    if not url:
        return text
    # The page that is linked to learns nothing of the page it was linked from.
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{text}</a>'
