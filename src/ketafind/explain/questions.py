"""What to ask which clinic, since it is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Criteria, Offers
from ketafind.explain.answers import clinic_facts, vocabularies_of
from ketafind.explain.findings import unsettled
from ketafind.explain.relax import clauses_of
from ketafind.explain.sentences import Line, Told, Wording, counted, distance_phrase, say, texts
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.query.filter import Filter
    from ketafind.query.ranking import Ranking
    from ketafind.records import Clinic
    from ketafind.vocabulary import Vocabulary

__all__ = ["Asking", "Questions", "questions"]


FLAGS = ("referral_required", "ohip_covered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What to ask one clinic.

    Parameters
    ----------
    clinic : Clinic
        Whom to ask.
    distance_km : float or None
        How far it is.
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


class Questions(Told, Sequence[Asking]):
    """What to ask which clinic, most valuable first.

    Parameters
    ----------
    asked : iterable of Asking
        The clinics.
    n_possible : int
        How many clinics may match in all.
    vocabularies : tuple of Vocabulary
        Where labels are looked up.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("_asked", "_vocabularies", "n_possible")

    def __init__(
        self,
        asked: Iterable[Asking],
        n_possible: int,
        vocabularies: tuple[Vocabulary, ...],
        lang: str = "en",
    ) -> None:
        super().__init__(lang)
        self._asked = tuple(asked)
        self.n_possible = n_possible
        self._vocabularies = vocabularies

    def __len__(self) -> int:
        return len(self._asked)

    @overload
    def __getitem__(self, item: int) -> Asking: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Asking]: ...
    def __getitem__(self, item: int | slice) -> Asking | Sequence[Asking]:
        return self._asked[item]

    def __iter__(self) -> Iterator[Asking]:
        return iter(self._asked)

    def translated(self, lang: str) -> Questions:
        return Questions(self._asked, self.n_possible, self._vocabularies, lang)

    def texts(self, asking: Asking) -> tuple[list[str], list[str]]:
        """Word the questions for one clinic.

        Parameters
        ----------
        asking : Asking
            The clinic and what is open.

        Returns
        -------
        tuple of list of str
            The questions that decide, and others worth asking.
        """
        lang, wording = self.lang, Wording(self.lang, self._vocabularies)
        deciding = [] if asking.is_open else [say("ask.status", lang)]
        deciding += [
            _question(leaf, wording) for clause in asking.open_clauses for leaf in _leaves(clause)
        ]
        return list(dict.fromkeys(deciding)), [say(f"ask.{f}", lang) for f in asking.open_flags]

    def lines(self) -> list[Line]:
        lang = self.lang
        if not self._asked:
            return [Line(0, say("ask.nobody", lang))]
        lines = [Line(0, counted("ask.head", self.n_possible, lang))]
        for asking in self._asked:
            lines.append(Line(1, self._who(asking), asking.clinic.website))
            deciding, more = self.texts(asking)
            lines += [Line(2, text) for text in deciding]
            lines += [Line(2, say("ask.also", lang, text=text)) for text in more]
        return lines

    def _who(self, asking: Asking) -> str:
        clinic, lang = asking.clinic, self.lang
        parts = [clinic.name if clinic.city in clinic.name else f"{clinic.name}, {clinic.city}"]
        if asking.distance_km is not None:
            precision = None if clinic.location is None else clinic.location.precision
            far = distance_phrase(asking.distance_km, asking.interval_km, precision, lang)
            parts.append(far)
        parts.append(clinic.phone or say("ask.no_phone", lang))
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        return {
            "n_possible": self.n_possible,
            "clinics": [self._dict(asking) for asking in self._asked],
            "text": str(self),
        }

    def _dict(self, asking: Asking) -> dict[str, Any]:
        deciding, more = self.texts(asking)
        return {
            "clinic_id": asking.clinic.clinic_id,
            "name": asking.clinic.name,
            "phone": asking.clinic.phone,
            "website": asking.clinic.website,
            "distance_km": asking.distance_km,
            "distance_low_km": None if asking.interval_km is None else asking.interval_km[0],
            "distance_high_km": None if asking.interval_km is None else asking.interval_km[1],
            "questions": deciding,
            "also": more,
            "criteria": [clause.to_dict() for clause in asking.open_clauses],
        }


def _leaves(criteria: Criteria) -> Iterator[Offers]:
    """Every clause inside, those that the directory has no words for too."""
    if isinstance(criteria, Offers):
        yield criteria
    for part in criteria.parts:
        yield from _leaves(part)


def _question(leaf: Offers, wording: Wording) -> str:
    needed = len(leaf.terms) if leaf.at_least is None else leaf.at_least
    word = "and" if needed == len(leaf.terms) else "or"
    what = wording.terms(leaf.facet, leaf.terms, word)
    if f"ask.{leaf.facet}" in texts():
        return say(f"ask.{leaf.facet}", wording.lang, what=what)
    return say("ask.facet", wording.lang, facet=wording.facet(leaf.facet), what=what)


def questions(ranking: Ranking, limit: int, lang: str) -> Questions:
    """Find what to ask which clinic."""
    possible = ranking.filter.under("only")
    far, positions = type(ranking)(possible, ranking.origin, ranking.limit_km).page(0, None)
    distances = far or [math.nan] * len(positions)
    n_open = _open_clauses(possible)[possible.catalogue.row_of[positions]]
    # They come nearest first, or by id: a stable sort keeps that within a count.
    best = np.argsort(n_open, kind="stable")[:limit]
    asked = [
        _asking(ranking, int(positions[at]), None if math.isnan(distances[at]) else distances[at])
        for at in best
    ]
    return Questions(asked, len(positions), vocabularies_of(ranking), lang)


def _open_clauses(possible: Filter) -> NDArray[np.uint8]:
    """For each row the fewest clauses that are open in one of its services, status included."""
    slices = possible.catalogue.slices
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


def _asking(ranking: Ranking, position: int, distance_km: float | None) -> Asking:
    facts = clinic_facts(ranking, position, None, distance_km)
    open_clauses = tuple(finding.criteria for finding in unsettled(facts.finding))
    return Asking(
        clinic=facts.clinic,
        distance_km=None if distance_km is None else float(distance_km),
        interval_km=facts.interval_km,
        open_clauses=open_clauses,
        is_open=facts.clinic.status == "active",
        open_flags=tuple(flag for flag in FLAGS if flag not in facts.service.flags),
    )
