"""Words that come near: for error texts and search boxes, never for matching."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ketafind.vocabulary.words import fold

if TYPE_CHECKING:
    from ketafind.vocabulary.terms import Term

__all__ = ["nearest_terms"]

_CUTOFF = 70.0
# In shorter words one edit turns a real word into another, and parts mean nothing.
_SHORTEST = 4
_LONGEST = 100


def nearest_terms(text: str, terms: Iterable[Term], limit: int) -> tuple[Term, ...]:
    """Order terms by how near their names come to a text.

    Parameters
    ----------
    text : str
        Any text; what is beyond 100 letters is not looked at.
    terms : iterable of Term
        The terms to choose from.
    limit : int
        At most so many.

    Returns
    -------
    tuple of Term
        Nearest first, ties in the order given; empty if none is near.

    Notes
    -----
    A name or near-synonym that is equal scores 100, one that holds the text or is held in it
    80 to 90 by the part it covers, others by their normalised insertion-deletion similarity.
    """
    key = fold(text)[:_LONGEST]
    scored = [(_score(key, term), term) for term in terms] if key else []
    near = [(score, term) for score, term in scored if score >= _CUTOFF]
    near.sort(key=lambda pair: -pair[0])
    return tuple(term for _, term in near[: max(limit, 0)])


def _score(key: str, term: Term) -> float:
    return max(_likeness(key, fold(word)) for word in (*term.words, *term.near))


def _likeness(key: str, word: str) -> float:
    from rapidfuzz import fuzz

    if key == word:
        return 100.0
    if min(len(key), len(word)) < _SHORTEST:
        return 0.0
    shorter, longer = sorted((key, word), key=len)
    part = 80.0 + 10.0 * len(shorter) / len(longer) if shorter in longer else 0.0
    return max(part, float(fuzz.ratio(key, word)))
