"""What to ask which clinic, since it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Bound, Criteria, Offers
from ketafind.explain.answers import MatchExplanation, explain_clinic
from ketafind.explain.findings import unsettled, vocabularies_of
from ketafind.explain.relax import clauses_of
from ketafind.explain.sentences import (
    ExplanationList,
    Line,
    Wording,
    counted,
    distance_phrase,
    ends,
    picked,
    precision_of,
    say,
    texts,
)
from ketafind.query.ranking import Page, Ranking
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.query.filter import Filter
    from ketafind.records import Clinic

ASKED_FLAGS = ("referral_required", "ohip_covered")
"""The yes-no facts that a person asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicQuestions:
    """What to ask one clinic.

    Parameters
    ----------
    clinic : Clinic
        Whom to ask.
    distance_km : float or None
        How far it is; None without an origin.
    interval_km : tuple of float or None
        The 90 % interval of that distance.
    open_clauses : tuple of Criteria
        The clauses that are not settled.
    is_open : bool
        Whether it is certain that the clinic is open.
    open_flags : tuple of str
        Yes-no facts that a person asks for and no source states.
    """

    clinic: Clinic
    distance_km: float | None
    open_clauses: tuple[Criteria, ...]
    is_open: bool
    open_flags: tuple[str, ...]
    interval_km: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Questions(ExplanationList[ClinicQuestions]):
    """What to ask which clinic, most valuable first.

    Parameters
    ----------
    found : tuple of ClinicQuestions
        The clinics.
    n_possible : int
        How many clinics may match in all.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    n_possible: int

    def texts(self, one: ClinicQuestions) -> tuple[list[str], list[str]]:
        """Word the questions for one clinic.

        Parameters
        ----------
        one : ClinicQuestions
            The clinic and what is open.

        Returns
        -------
        tuple of list of str
            The questions that decide, and others worth asking.
        """
        lang = self.lang
        deciding = [] if one.is_open else [say("ask.status", lang)]
        deciding += [
            _question(leaf, self._wording)
            for clause in one.open_clauses
            for leaf in _leaves(clause)
        ]
        return list(dict.fromkeys(deciding)), [say(f"ask.{flag}", lang) for flag in one.open_flags]

    def lines(self) -> list[Line]:
        lang = self.lang
        if not self.found:
            return [Line(0, say("ask.nobody", lang))]
        lines = [Line(0, counted("ask.head", self.n_possible, lang))]
        for one in self.found:
            lines.append(Line(1, self._whom(one), one.clinic.website))
            deciding, more = self.texts(one)
            lines += [Line(2, text) for text in deciding]
            lines += [Line(2, say("ask.also", lang, text=text)) for text in more]
        return lines

    def _whom(self, one: ClinicQuestions) -> str:
        clinic, lang = one.clinic, self.lang
        parts = [clinic.name if clinic.city in clinic.name else f"{clinic.name}, {clinic.city}"]
        if one.distance_km is not None:
            far = one.distance_km, one.interval_km, precision_of(clinic)
            parts.append(distance_phrase(*far, lang))
        return ", ".join([*parts, clinic.phone or say("ask.no_phone", lang)])

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_possible": self.n_possible,
            "clinics": [self._dict(one) for one in self.found],
            "text": str(self),
        }

    def _dict(self, one: ClinicQuestions) -> dict[str, Any]:
        deciding, more = self.texts(one)
        return {
            **picked(one.clinic, "clinic_id", "name", "phone", "website"),
            **picked(one, "distance_km"),
            **ends(one.interval_km),
            "questions": deciding,
            "also": more,
            "criteria": [clause.to_dict() for clause in one.open_clauses],
        }


def _leaves(criteria: Criteria) -> Iterator[Offers | Bound]:
    """Every clause inside, those that the directory has no words for too."""
    if isinstance(criteria, Offers | Bound):
        yield criteria
    for part in criteria.parts:
        yield from _leaves(part)


def _question(leaf: Offers | Bound, wording: Wording) -> str:
    if isinstance(leaf, Bound):
        what = wording.bound(leaf)
        return say("ask.facet", wording.lang, facet=wording.label(leaf.quantity), what=what)
    needed = len(leaf.terms) if leaf.at_least is None else leaf.at_least
    word = "and" if needed == len(leaf.terms) else "or"
    what = wording.terms(leaf.facet, leaf.terms, word)
    if f"ask.{leaf.facet}" in texts():
        return say(f"ask.{leaf.facet}", wording.lang, what=what)
    return say("ask.facet", wording.lang, facet=wording.label(leaf.facet), what=what)


def questions(ranking: Ranking, limit: int, lang: str) -> Questions:
    """Find what to ask which clinic."""
    possible = ranking.filter._under("only")
    page = Page(Ranking(possible, ranking.origin, ranking.limit_km), 0, None)
    n_open = _open_clauses(possible)[possible._catalogue.row_of_clinic[page.clinic_nos]]
    # They come nearest first, or by id: a stable sort keeps that within a count.
    best = np.argsort(n_open, kind="stable")[:limit].tolist()
    found = (
        explain_clinic(MatchExplanation, ranking, page.clinic_nos[at], page.distances_km[at], None)
        for at in best
    )
    return Questions(
        found=tuple(map(_clinic_questions, found)),
        n_possible=len(page),
        vocabularies=vocabularies_of(ranking),
        lang=lang,
    )


def _clinic_questions(one: MatchExplanation) -> ClinicQuestions:
    return ClinicQuestions(
        clinic=one.clinic,
        distance_km=one.distance_km,
        interval_km=one.interval_km,
        open_clauses=tuple(finding.criteria for finding in unsettled(one.finding)),
        is_open=one.clinic.status == "active",
        open_flags=tuple(
            flag
            for flag in ASKED_FLAGS
            if not any(stated.startswith(flag) for stated in one.service.flags)
        ),
    )


def _open_clauses(possible: Filter) -> NDArray[np.uint8]:
    """For each row the fewest clauses that are open in one of its services, status included."""
    slices = possible._catalogue.slices
    slots = 8 * len(slices.evaluate(possible.criteria, Truth.YES))
    n_open = np.zeros(slots, np.uint8)
    fails = np.zeros(slots, bool)
    for clause in clauses_of(possible.criteria):
        yes, no = (slices.evaluate(clause, side) for side in (Truth.YES, Truth.NO))
        n_open += np.unpackbits(~(yes | no), bitorder="little")
        fails |= np.unpackbits(no, bitorder="little").astype(bool)
    n_open[fails] = 255
    rows = n_open[: slices.n_rows].copy()
    start = 8 * slices.width
    np.minimum.at(rows, slices.owner, n_open[start : start + len(slices.owner)])
    active = np.unpackbits(slices.active, bitorder="little", count=slices.n_rows)
    return np.where(rows < 255, rows + (active == 0), rows)
