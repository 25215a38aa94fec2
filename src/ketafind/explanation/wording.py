"""Criteria, places and distances in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ketafind.criteria import Criteria
from ketafind.criteria.expression import (
    And,
    Everything,
    Named,
    NoService,
    Not,
    Offers,
    Or,
)
from ketafind.errors import UnknownTermError
from ketafind.explanation.language import listed, number, say
from ketafind.records import CITY_LEVEL
from ketafind.tables.distances import interval_matters, outwards

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

__all__ = ["Wording", "distance_phrase", "distance_words", "kilometres"]


class Wording:
    """Names facets, terms and whole criteria in one language.

    Parameters
    ----------
    lang : str
        ``"en"`` or ``"fr"``.
    vocabularies : sequence of Vocabulary
        Where labels are looked up, one after the other.
    """

    __slots__ = ("lang", "vocabularies")

    def __init__(self, lang: str, vocabularies: Sequence[Vocabulary]) -> None:
        self.lang = lang
        self.vocabularies = tuple(vocabularies)

    def facet(self, facet: str) -> str:
        """Name a facet, or a yes-no fact."""
        for words in self.vocabularies:
            try:
                return words.facet(facet).label(self.lang)
            except UnknownTermError:
                continue
        return facet

    def term(self, facet: str, term: str) -> str:
        """Name a term."""
        for words in self.vocabularies:
            try:
                return words.facet(facet)[term].label(self.lang)
            except UnknownTermError:
                continue
        return term

    def terms(self, facet: str, terms: Sequence[str], word: str = "or") -> str:
        """Name several terms."""
        return listed([self.term(facet, term) for term in terms], self.lang, word)

    def criteria(self, criteria: Criteria) -> str:
        """Put criteria into words.

        Parameters
        ----------
        criteria : Criteria
            In canonical form.

        Returns
        -------
        str
            One phrase.
        """
        lang = self.lang
        match criteria:
            case Offers():
                return self._offers(criteria)
            case And() | Or():
                joint = f" {say('and' if isinstance(criteria, And) else 'or', lang)} "
                return joint.join(self._bracketed(part) for part in criteria.parts)
            case Not():
                return say("clause.not", lang, what=self._bracketed(criteria.part))
            case NoService():
                return say("clause.no_service", lang, what=self._bracketed(criteria.part))
            case Named():
                return self._named(criteria)
            case Everything():
                return say("clause.everything", lang)
        return " ".join(self.criteria(part) for part in criteria.parts)

    def _offers(self, clause: Offers) -> str:
        needed = len(clause.terms) if clause.at_least is None else clause.at_least
        everything = needed == len(clause.terms) > 1
        named = self.terms(clause.facet, clause.terms, "and" if everything else "or")
        if 1 < needed < len(clause.terms):
            named = say("clause.at_least", self.lang, n=needed, what=named)
        return say("headed", self.lang, head=self.facet(clause.facet), text=named)

    def _bracketed(self, part: Criteria) -> str:
        return f"({self.criteria(part)})" if isinstance(part, And | Or) else self.criteria(part)

    def _named(self, criteria: Named) -> str:
        kind, _, rest = criteria.name.partition(": ")
        level, _, rules = rest.partition(", ")
        if kind == "qualified" and level in ("team", "full") and rules:
            how = say(f"level.{level}", self.lang)
            return say("clause.qualified", self.lang, how=how, rules=rules)
        return criteria.name


def kilometres(distance_km: float, lang: str) -> str:
    """Write a distance as a person reads it.

    Parameters
    ----------
    distance_km : float
        Kilometres.
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    str
        To the tenth below 10 km, else in whole kilometres.
    """
    return f"{number(distance_km, lang, 1 if distance_km < 9.95 else 0)}\u00a0km"


def distance_words(
    distance_km: float | None,
    interval_km: tuple[float, float] | None,
    precision: str | None,
    lang: str,
) -> str:
    """Write how far a clinic is, and why that is not certain.

    Parameters
    ----------
    distance_km : float or None
        Kilometres; None where there is no position or no origin.
    interval_km : tuple of float or None
        The 90 % interval.
    precision : str or None
        How precisely the clinic is known.
    lang : str
        ``"en"`` or ``"fr"``.

    Returns
    -------
    str
        A phrase.
    """
    if distance_km is None or interval_km is None:
        return say("distance.none", lang)
    low, high = interval_km
    why = say("distance.city_only", lang) if precision in CITY_LEVEL else ""
    if interval_matters(distance_km, low, high, precision):
        return say("distance.straight_span", lang, far=_span(interval_km, lang)) + why
    far = say("distance.straight", lang, far=kilometres(distance_km, lang))
    if high - low < 0.1:
        return far
    span = say("distance.between", lang, low=kilometres(low, lang), high=kilometres(high, lang))
    return f"{far} ({span}{why})"


def distance_phrase(
    distance_km: float,
    interval_km: tuple[float, float] | None,
    precision: str | None,
    lang: str,
    *,
    at: bool = False,
) -> str:
    """Write how far a clinic is, in a few words: the interval where it matters.

    Parameters
    ----------
    distance_km : float
        Kilometres.
    interval_km : tuple of float or None
        The 90 % interval.
    precision : str or None
        How precisely the clinic is known.
    lang : str
        ``"en"`` or ``"fr"``.
    at : bool
        True for ``"at 1.7 km"`` rather than ``"1.7 km"``.

    Returns
    -------
    str
        A phrase, such as ``"0 to 14 km (city only)"``.
    """
    if interval_km is None or not interval_matters(distance_km, *interval_km, precision):
        far = kilometres(distance_km, lang)
        return say("distance.at", lang, far=far) if at else far
    key = "distance.span_city" if precision in CITY_LEVEL else "distance.span"
    far = _span(interval_km, lang, key)
    return say("distance.at_span", lang, far=far) if at else far


def _span(interval_km: tuple[float, float], lang: str, key: str = "distance.span") -> str:
    low, high, places = outwards(*interval_km)
    text = say(key, lang, low=number(low, lang, places), high=number(high, lang, places))
    return text.replace(" km", "\u00a0km")
