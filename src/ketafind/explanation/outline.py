"""Lines at several depths, as text and as HTML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

from ketafind.explanation.language import check_language
from ketafind.tables.text import printable

__all__ = ["Line", "Told", "as_html", "as_text"]


class Line(NamedTuple):
    """One line of an outline.

    Parameters
    ----------
    depth : int
        0 for a heading.
    text : str
        Plain text.
    url : str
        A page that it leads to; empty for none.
    """

    depth: int
    text: str
    url: str = ""


def as_text(lines: Iterable[Line]) -> str:
    """Write an outline as indented text; control characters are spelled out.

    Parameters
    ----------
    lines : iterable of Line
        From the top.

    Returns
    -------
    str
        One line each, pages in brackets.
    """
    return "\n".join(
        "  " * line.depth + printable(line.text + (f" <{line.url}>" if line.url else ""))
        for line in lines
    )


def as_html(lines: Sequence[Line]) -> str:
    """Write an outline as nested lists; every text is escaped.

    Parameters
    ----------
    lines : sequence of Line
        From the top.

    Returns
    -------
    str
        HTML without scripts or requests.
    """
    from ketafind.tables.html import Link, escape, html_link, no_math

    parts: list[str] = []
    depth = 0
    for line in lines:
        # A deeper list stands inside the item above it.
        if line.depth > depth:
            parts.append("<ul>" * (line.depth - depth))
        else:
            parts.append(_END if depth else "")
            parts.append(f"</ul>{_END}" * (depth - line.depth) if line.depth else "")
            parts.append(f"</ul>{_END}" * (depth - 1) + "</ul>" if depth and not line.depth else "")
        more = f" {html_link(Link(line.url, line.url))}" if line.url else ""
        text = f"{escape(line.text)}{more}"
        parts.append(f"<li>{text}" if line.depth else f"<p>{text}</p>")
        depth = line.depth
    parts.append(f"{_END}</ul>" * depth)
    return no_math("".join(parts))


_END = "</li>"


class Told(ABC):
    """Something that tells itself: as text, plain data and HTML, in English and French.

    Parameters
    ----------
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("_lang",)

    def __init__(self, lang: str = "en") -> None:
        self._lang = check_language(lang)

    @property
    def lang(self) -> str:
        """The language it is told in."""
        return self._lang

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the text as an outline.

        Returns
        -------
        list of Line
            From the top.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data, ready for JSON.

        Returns
        -------
        dict
            Keys and codes are the same in every language; texts are in `lang`.
        """

    @abstractmethod
    def translated(self, lang: str) -> Self:
        """Tell the same in another language.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Told
            Another object with the same content.
        """

    def __str__(self) -> str:
        return as_text(self.lines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self.lines())
