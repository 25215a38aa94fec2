"""What to ask which clinic, since it is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Bound, Criteria, Offers
from ketafind.explain.answers import MatchExplanation, explain_clinic
from ketafind.explain.findings import rules_of, unsettled, vocabularies_of
from ketafind.explain.relax import clauses_of
from ketafind.explain.sentences import ExplanationList, Line, ends, picked, precision_of, texts
from ketafind.qualification import bundled_rules, bundled_words
from ketafind.query.ranking import Page, Ranking
from ketafind.records import Clinic, Truth
from ketafind.vocabulary.terms import FLAG

SAID_IN_PAGE = frozenset({
    "and", "or", "headed", "ask.status", "ask.facet", "ask.flag", "clause.at_least",
    "clause.no_more", "clause.no_less",
})  # fmt: skip

if TYPE_CHECKING:
    from ketafind.qualification import RuleSet
    from ketafind.query.filter import Filter
    from ketafind.vocabulary import Facet, Vocabulary


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
    wordings : mapping of str to mapping
        How a facet or yes-no fact is asked for, by language; others are named by their label.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    n_possible: int
    wordings: Mapping[str, Mapping[str, str]]

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
        deciding = [] if one.is_open else [self._words.say("ask.status")]
        deciding += [
            self._question(leaf) for clause in one.open_clauses for leaf in _leaves(clause)
        ]
        more = [self._question(Offers(FLAG, (flag,))) for flag in one.open_flags]
        return list(dict.fromkeys(deciding)), more

    def _question(self, leaf: Offers | Bound) -> str:
        words = self._words
        if isinstance(leaf, Bound):
            name = words.label(leaf.quantity)
            return words.say("ask.facet", facet=name, what=words.bound(leaf))
        is_flag = leaf.facet == FLAG
        what = words.offered(leaf)
        # One yes-no fact has a question of its own, several have not.
        name = leaf.facet if not is_flag else leaf.terms[0] if len(leaf.terms) == 1 else ""
        asked = self.wordings.get(name, {})
        if self.lang in asked:
            return asked[self.lang].format(what=what)
        key = "ask.flag" if is_flag else "ask.facet"
        return words.say(key, facet=words.label(leaf.facet), what=what)

    def lines(self) -> list[Line]:
        words = self._words
        if not self.found:
            return [Line(0, words.say("ask.nobody"))]
        lines = [Line(0, words.counted("ask.head", self.n_possible))]
        for one in self.found:
            lines.append(Line(1, self._whom(one), one.clinic.website))
            deciding, more = self.texts(one)
            lines += [Line(2, text) for text in deciding]
            lines += [Line(2, words.say("ask.also", text=text)) for text in more]
        return lines

    def _whom(self, one: ClinicQuestions) -> str:
        clinic, words = one.clinic, self._words
        parts = [clinic.name if clinic.city in clinic.name else f"{clinic.name}, {clinic.city}"]
        if one.distance_km is not None:
            parts.append(words.distance(one.distance_km, one.interval_km, precision_of(clinic)))
        return ", ".join([*parts, clinic.phone or words.say("ask.no_phone")])

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
    return (one for one in criteria._walk() if isinstance(one, Offers | Bound))


def _wordings(rules: RuleSet, vocabulary: Vocabulary) -> dict[str, Mapping[str, str]]:
    """How the rule set asks for facets and yes-no facts by which the directory means the same."""
    meant = _labels(bundled_words() if rules is bundled_rules() else rules.vocabulary())
    own = _labels(vocabulary)
    return {
        name: asked
        for name, asked in rules.questions.items()
        if own.get(name, meant[name]) == meant[name]
    }


def _labels(vocabulary: Vocabulary) -> dict[str, Mapping[str, str]]:
    return {one.id: dict(one.labels) for one in (*vocabulary.facets, *vocabulary.flags)}


def questions(ranking: Ranking, limit: int, lang: str) -> Questions:
    """Find what to ask which clinic."""
    possible = ranking.filter._under("only")
    page = Page(ranking.under("only"), 0, None)
    n_open = _open_clauses(possible)[possible._catalogue.row_of_clinic[page.clinic_nos]]
    # They come nearest first, or by id: a stable sort keeps that within a count.
    best = np.argsort(n_open, kind="stable")[:limit].tolist()
    found = (
        explain_clinic(MatchExplanation, ranking, page.clinic_nos[at], page.distances_km[at], None)
        for at in best
    )
    vocabulary = ranking.catalogue.vocabulary
    wordings = _wordings(rules_of(ranking.filter.criteria)[0], vocabulary)
    return Questions(
        found=tuple(_clinic_questions(one, wordings, vocabulary.flags) for one in found),
        n_possible=len(page),
        wordings=wordings,
        vocabularies=vocabularies_of(ranking),
        lang=lang,
    )


def _clinic_questions(
    one: MatchExplanation, wordings: Mapping[str, Mapping[str, str]], flags: Facet
) -> ClinicQuestions:
    open_clauses = tuple(finding.criteria for finding in unsettled(one.finding))
    leaves = [leaf for clause in open_clauses for leaf in _leaves(clause)]
    asked = {term for leaf in leaves if isinstance(leaf, Offers) for term in leaf.terms}
    stated = {up for flag in one.service.flags for up in (flag, *flags.ancestors(flag))}
    return ClinicQuestions(
        clinic=one.clinic,
        distance_km=one.distance_km,
        interval_km=one.interval_km,
        open_clauses=open_clauses,
        is_open=one.clinic.status == "active",
        open_flags=tuple(
            flag
            for flag, province in _asked_flags(wordings, flags)
            if province in (None, one.clinic.province) and flag not in asked | stated
        ),
    )


def _asked_flags(
    wordings: Mapping[str, Mapping[str, str]], flags: Facet
) -> Iterator[tuple[str, str | None]]:
    """The yes-no facts that are asked for, and where: those with a question, and a user's own."""
    bundled = _labels(bundled_words())
    for flag in flags:
        wording = wordings.get(flag.id)
        if wording is not None:
            yield flag.id, wording.get("province")
        elif flag.parent is None and bundled.get(flag.id) != dict(flag.labels):
            yield flag.id, None


def words_for_page(vocabulary: Vocabulary) -> dict[str, Any]:
    """Give a page that is to ask the same what it asks with."""
    wordings = _wordings(bundled_rules(), vocabulary)
    asked = _asked_flags(wordings, vocabulary.flags)
    keys = [key for key in texts() if key in SAID_IN_PAGE or key.startswith("precision.")]
    return {
        "wordings": {name: dict(texts) for name, texts in wordings.items()},
        "asked_flags": [{"flag": flag, "province": province} for flag, province in asked],
        "says": {key: texts()[key] for key in keys},
    }


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
