"""The guide's topics, read from its data file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from ketafind.errors import InvalidInputError, UnknownTermError, check_language, packaged, shown
from ketafind.explain.sentences import Explanation, Line, picked

__all__ = ["Item", "Topic", "notice", "topic", "topics"]


@dataclass(frozen=True, slots=True)
class Item:
    """One point of a topic.

    Parameters
    ----------
    text : str
        The point.
    term : str
        The vocabulary's term that it is about; empty for none.
    """

    text: str
    term: str = ""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Topic(Explanation):
    """One topic of the guide, with the notice that it is not medical advice.

    Parameters
    ----------
    id : str
        One of `topics`.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names; no text here needs one.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    id: str

    @property
    def title(self) -> str:
        """The heading."""
        return str(_topics()[self.id]["title"][self.lang])

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """The running text; may be empty."""
        return tuple(one[self.lang] for one in _topics()[self.id].get("paragraphs", ()))

    @property
    def items(self) -> tuple[Item, ...]:
        """The points; may be empty."""
        listed = _topics()[self.id].get("items", ())
        return tuple(Item(one[self.lang], one.get("term", "")) for one in listed)

    def lines(self) -> list[Line]:
        return [
            Line(0, self.title),
            *(Line(0, text) for text in self.paragraphs),
            *(Line(1, item.text) for item in self.items),
            Line(0, notice(self.lang)),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            **picked(self, "id", "title", "paragraphs", "items"),
            "notice": notice(self.lang),
        }


def topics() -> tuple[str, ...]:
    """List the topics.

    Returns
    -------
    tuple of str
        Their ids, in reading order.
    """
    return tuple(_topics())


def topic(name: str, lang: str = "en") -> Topic:
    """Return one topic.

    Parameters
    ----------
    name : str
        One of `topics`.
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    Topic
        Text, plain data and HTML.

    Raises
    ------
    UnknownTermError
        If there is no such topic.
    InvalidInputError
        If the guide does not exist in this language, or the name is not a text.
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"a topic is named by text, not by {type(name).__name__}")
    if name not in _topics():
        known = ", ".join(_topics())
        message = f"{shown(name)} is not a topic of the guide. Known: {known}"
        raise UnknownTermError(message).of(name, _topics())
    return Topic(id=name, lang=lang)


def notice(lang: str = "en") -> str:
    """Return the notice that stands with every topic.

    Parameters
    ----------
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    str
        That this is not medical advice.

    Raises
    ------
    InvalidInputError
        If the guide does not exist in this language.
    """
    return str(packaged("guide.json")["notice"][check_language(lang)])


def questions_for_page() -> list[dict[str, str]]:
    """Give a page the questions to ask any provider, in both languages."""
    items: list[dict[str, str]] = _topics()["questions"]["items"]
    return items


@cache
def _topics() -> dict[str, Any]:
    return {one["id"]: one for one in packaged("guide.json")["topics"]}
