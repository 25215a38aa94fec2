"""HTML that asks nobody for anything: tables for a notebook, whole pages, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ketafind.files import write_whole
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
# A link may open a tab; nothing in the frame may reach the notebook around it.
_SANDBOX = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
# HTML has <style> in the head only, where no output of a notebook can write; SVG has it anywhere.
_STYLE = '<svg style="display:none"><style>{}</style></svg>'


class Link(str):
    """A cell that leads to the web page it names; nothing is asked before the reader clicks."""

    __slots__ = ()


def html_text(value: object) -> str:
    """Write any value as text of an HTML page, inside or outside of an attribute."""
    return "" if value is None else html.escape(escaped(str(value))).translate(_ENTITIES)


def spelled_out(value: Any) -> Any:
    """Make plain data of any, and spell out, in every text, characters that have no picture."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, (list, tuple)):
        return [spelled_out(one) for one in value]
    if isinstance(value, dict):
        return {spelled_out(name): spelled_out(one) for name, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, (int, float)) else escaped(str(value))


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


# -- Whole pages -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MapPage:
    """A page that holds a whole map; it shows itself in a notebook.

    The page may load nothing and runs two scripts, Leaflet and ours, known by their hashes; in a
    notebook it sits in a frame of its own that cannot reach the rest of the notebook.

    Parameters
    ----------
    page : str
        The HTML.
    height : int
        Of the frame in a notebook, in pixels.
    title : str
        What the frame is called.
    """

    page: str = field(repr=False)
    height: int = 480
    title: str = field(default="Map", repr=False)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            Where to.
        overwrite : bool
            Replace a file that is there.

        Raises
        ------
        FileExistsError
            If the file is there and `overwrite` is False.
        FileFailedError
            If it cannot be written.
        """
        write_whole(path, self.page, overwrite=overwrite)

    def _repr_html_(self) -> str:
        # The page is markup already: only what would end the attribute is changed.
        quoted = self.page.replace("&", "&amp;").replace('"', "&quot;")
        return (
            f'<iframe sandbox="{_SANDBOX}" referrerpolicy="no-referrer" title="{self.title}" '
            f'style="width:100%;height:{self.height}px;border:1px solid #8888;box-sizing:border-box" '
            f'srcdoc="{quoted}"></iframe>'
        )


def filled(
    name: str,
    lang: str,
    texts: Mapping[str, str],
    markup: Mapping[str, str],
    styles: Sequence[str],
    scripts: Sequence[str],
) -> str:
    """Fill a page in; its policy lets it use these styles and scripts and load nothing."""
    style, codes = "".join(map(asset, styles)), list(map(asset, scripts))
    parts = {**{key: html_text(text) for key, text in texts.items()}, **markup}
    return Template(asset("page.html")).substitute(
        lang=lang,
        title=parts["title"],
        style=style,
        style_source=source_hash(style),
        script_sources=" ".join(map(source_hash, codes)) or "'none'",
        body=Template(asset(f"{name}.html")).substitute(parts),
        scripts="\n".join(f"<script>{code}</script>" for code in codes),
    )


def source_hash(text: str) -> str:
    """Name a script or style in a content policy."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
