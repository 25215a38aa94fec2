"""The words ketafind knows: routes, staff, conditions and the rest, in English and French.

Nothing is guessed: a word is an id, a label or a synonym of one term, or it is refused with a
suggestion. The bundled vocabulary is data; read another with `Vocabulary.read`, or add to it with
``default_vocabulary().extended(...)``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ketafind.errors import InvalidInputError
from ketafind.vocabulary.terms import Code, CodeSystem, Facet, Term
from ketafind.vocabulary.vocabulary import Vocabulary

__all__ = [
    "Code",
    "CodeSystem",
    "Facet",
    "Term",
    "Vocabulary",
    "conditions",
    "default_vocabulary",
    "languages",
    "products",
    "routes",
    "settings",
    "staff",
    "suggest",
]

conditions: Facet
languages: Facet
products: Facet
routes: Facet
settings: Facet
staff: Facet


@cache
def default_vocabulary() -> Vocabulary:
    """Give the bundled vocabulary.

    Returns
    -------
    Vocabulary
        Always the same object.
    """
    return Vocabulary.read(Path(__file__).with_name("vocabulary.json"))


def checked_vocabulary(vocabulary: Vocabulary | None) -> Vocabulary:
    """Take the bundled vocabulary for None, and refuse what is not a vocabulary."""
    if vocabulary is None:
        return default_vocabulary()
    if not isinstance(vocabulary, Vocabulary):
        raise InvalidInputError(
            f"vocabulary must be a Vocabulary, not {type(vocabulary).__name__}; "
            f"read a file with ketafind.Vocabulary.read(path)"
        )
    return vocabulary


def suggest(text: str, limit: int = 5) -> tuple[str, ...]:
    """List the bundled terms whose names come near a text.

    Parameters
    ----------
    text : str
        Any text.
    limit : int
        The most to give.

    Returns
    -------
    tuple of str
        Term ids, nearest first; empty if nothing is near.
    """
    return default_vocabulary().suggest(text, limit)


def __getattr__(name: str) -> Facet:
    # The facets are read when first asked for, so that importing stays cheap.
    if name in {"conditions", "languages", "products", "routes", "settings", "staff"}:
        return default_vocabulary().facet(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
