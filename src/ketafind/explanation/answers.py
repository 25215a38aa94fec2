"""Why a clinic is in an answer, why another is not, and what the answer as a whole leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Criteria
from ketafind.criteria.expression import And
from ketafind.explanation.findings import Finding, finding_dict, finding_lines
from ketafind.explanation.language import counted, listed, say
from ketafind.explanation.outline import Line, Told
from ketafind.explanation.wording import Wording, distance_phrase, distance_words, kilometres
from ketafind.records import CITY_LEVEL
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.explanation.relaxing import Relaxations
    from ketafind.records import Clinic, Service
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

__all__ = ["AnswerExplanation", "AnswerFacts", "ClinicFacts", "MatchExplanation", "MissExplanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicFacts:
    """What is known of one clinic with regard to a question.

    Parameters
    ----------
    clinic : Clinic
        The clinic.
    service : Service
        The service that answers, or that comes nearest to it.
    truth : Truth
        The clinic's truth, its status included.
    finding : Finding
        The criteria, looked up for the service.
    rank : int or None
        Its place in the order, or the place it would have; None without a position or an order.
    distance_km : float or None
        Kilometres from the origin.
    interval_km : tuple of float or None
        The 90 % interval.
    outcome : str
        ``listed``, ``beyond`` (passes, but others are nearer), ``fails``, ``unknown`` (may pass, but
        unknowns are left out), ``known`` (passes, but only unknowns were asked for), ``too_far`` or
        ``outside``.
    combined : bool
        Whether the facts needed are not tied to one service by any source.
    swaps : tuple of str
        Names of the neighbours it could swap places with.
    vocabularies : tuple of Vocabulary
        Where labels are looked up.
    """

    clinic: Clinic
    service: Service
    truth: Truth
    finding: Finding
    rank: int | None
    distance_km: float | None
    interval_km: tuple[float, float] | None
    outcome: str
    combined: bool
    swaps: tuple[str, ...]
    vocabularies: tuple[Vocabulary, ...]


class MatchExplanation(Told):
    """Why a clinic is in an answer.

    Parameters
    ----------
    facts : ClinicFacts
        What is known of it.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("facts",)

    def __init__(self, facts: ClinicFacts, lang: str = "en") -> None:
        super().__init__(lang)
        self.facts = facts

    def translated(self, lang: str) -> MatchExplanation:
        return type(self)(self.facts, lang)

    def lines(self) -> list[Line]:
        return [Line(0, self._head()), *self._details()]

    def _head(self) -> str:
        facts, lang = self.facts, self.lang
        name = _named(facts.clinic)
        head = name if facts.rank is None else f"{facts.rank}. {name}"
        key = "match.confirmed" if facts.truth == Truth.YES else "match.possible"
        return say("headed", lang, head=head, text=say(key, lang))

    def _details(self) -> list[Line]:
        facts, lang = self.facts, self.lang
        lines = []
        if facts.rank is not None:
            precision = _precision(facts.clinic)
            far = distance_words(facts.distance_km, facts.interval_km, precision, lang)
            lines.append(Line(1, far))
        if facts.swaps:
            lines.append(Line(1, say("swaps", lang, names=listed(facts.swaps, lang))))
        if facts.clinic.status != "active":
            lines.append(Line(1, say(f"status.{facts.clinic.status}", lang)))
        if facts.combined:
            lines.append(Line(1, say("combined", lang)))
        if len(facts.clinic.services) > 1:
            key = "service.fails" if facts.truth == Truth.NO else "service.answers"
            n = len(facts.clinic.services)
            lines.append(Line(1, say(key, lang, n=n, offered=self._offered())))
        return lines + finding_lines(facts.finding, self._wording(), 1)

    def _offered(self) -> str:
        """Tell the service from its siblings by what it states."""
        service, wording = self.facts.service, self._wording()
        shown = [
            wording.term(facet, term)
            for facet in ("product", "route", "setting")
            for term in service.terms(facet)
        ]
        return listed(shown, self.lang, "and") if shown else say("service.nothing", self.lang)

    def _wording(self) -> Wording:
        return Wording(self.lang, self.facts.vocabularies)

    def to_dict(self) -> dict[str, Any]:
        facts = self.facts
        low, high = facts.interval_km or (None, None)
        return {
            "clinic_id": facts.clinic.clinic_id,
            "service_id": facts.service.service_id,
            "outcome": facts.outcome,
            "rank": facts.rank,
            "truth": str(facts.truth),
            "status": facts.clinic.status,
            "distance_km": facts.distance_km,
            "distance_low_km": low,
            "distance_high_km": high,
            "combined": facts.combined,
            "swaps": list(facts.swaps),
            "clauses": finding_dict(facts.finding, self._wording()),
            "text": str(self),
        }


class MissExplanation(MatchExplanation):
    """Why a clinic is not in an answer, and where it would stand.

    Parameters
    ----------
    facts : ClinicFacts
        What is known of it.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ()

    def lines(self) -> list[Line]:
        facts, lang = self.facts, self.lang
        reason = say(f"outcome.{facts.outcome}", lang)
        head = Line(0, say("headed", lang, head=_named(facts.clinic), text=reason))
        if facts.distance_km is None:
            where = [Line(1, say("distance.none", lang))] if facts.clinic.location is None else []
            return [head, *where, *self._details()]
        key = "rank.is" if facts.outcome in ("listed", "beyond") else "rank.would"
        rank = [] if facts.rank is None else [Line(1, say(key, lang, rank=facts.rank))]
        return [head, *rank, *self._details()]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFacts:
    """What an answer holds and leaves open.

    Parameters
    ----------
    criteria : Criteria
        What was asked for.
    unknown : str
        The unknown policy.
    limit_km : float or None
        The radius; None for none.
    n_eligible, n_possible, n_unlocated : int
        As in `Matches`.
    ordered : bool
        Whether there was an origin.
    order_certain : bool
        As in `Matches`.
    origin_radius_km : float
        90 % radius of the origin.
    matches : tuple of ClinicFacts
        The clinics listed.
    nearer : tuple of ClinicFacts
        UNKNOWN clinics nearer than the last one listed.
    relaxations : Relaxations or None
        What would give results, where there are none.
    snapshot : Snapshot
        The data.
    vocabularies : tuple of Vocabulary
        Where labels are looked up.
    """

    criteria: Criteria
    unknown: str
    limit_km: float | None
    n_eligible: int
    n_possible: int
    n_unlocated: int
    ordered: bool
    order_certain: bool
    origin_radius_km: float
    matches: tuple[ClinicFacts, ...]
    nearer: tuple[ClinicFacts, ...]
    relaxations: Relaxations | None
    snapshot: Snapshot
    vocabularies: tuple[Vocabulary, ...]


class AnswerExplanation(Told):
    """An answer, explained: each match clause by clause, and what is left open.

    Parameters
    ----------
    facts : AnswerFacts
        What it holds.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("facts",)

    def __init__(self, facts: AnswerFacts, lang: str = "en") -> None:
        super().__init__(lang)
        self.facts = facts

    def translated(self, lang: str) -> AnswerExplanation:
        return AnswerExplanation(self.facts, lang)

    def lines(self) -> list[Line]:
        facts, lang = self.facts, self.lang
        lines = [Line(0, self._asked()), Line(0, self._counts())]
        lines += [Line(0, text) for text in self._doubts()]
        for match in facts.matches:
            lines += MatchExplanation(match, lang).lines()
        if facts.relaxations is not None:
            lines += facts.relaxations.translated(lang).lines()
        return [*lines, Line(0, say("data", lang, snapshot=_snapshot(facts.snapshot, lang)))]

    def _asked(self) -> str:
        facts, lang = self.facts, self.lang
        wording = Wording(lang, facts.vocabularies)
        whole = facts.criteria
        parts = whole.parts if isinstance(whole, And) else (whole,)
        text = "; ".join(wording.criteria(part) for part in parts)
        if facts.limit_km is not None:
            text += say("asked.within", lang, far=kilometres(facts.limit_km, lang))
        return say("asked", lang, what=text) + say(f"asked.{facts.unknown}", lang)

    def _counts(self) -> str:
        facts, lang = self.facts, self.lang
        parts = [counted(f"eligible.{facts.unknown}", facts.n_eligible, lang)]
        if facts.n_possible and facts.unknown == "exclude":
            parts.append(counted("possible", facts.n_possible, lang))
        if facts.n_unlocated:
            parts.append(counted("unlocated", facts.n_unlocated, lang))
        return " ".join(parts)

    def _doubts(self) -> list[str]:
        facts, lang = self.facts, self.lang
        found = []
        if facts.nearer:
            names = [
                say("nearer.named", lang, name=_named(one.clinic), far=_far(one, lang))
                for one in facts.nearer
            ]
            key = "nearer" if facts.matches else "nearest"
            found.append(counted(key, len(names), lang, names=listed(names, lang, "and")))
        if facts.ordered and facts.matches:
            vague = [
                one
                for one in facts.matches
                if one.clinic.location is not None and one.clinic.location.precision in CITY_LEVEL
            ]
            if facts.order_certain:
                found.append(say("order.certain", lang))
            else:
                found.append(say("order.uncertain", lang))
                if vague:
                    found.append(counted("order.city_only", len(vague), lang))
                if facts.origin_radius_km >= 1.0:
                    far = kilometres(facts.origin_radius_km, lang)
                    found.append(say("order.origin", lang, far=far))
        return found

    def to_dict(self) -> dict[str, Any]:
        facts, lang = self.facts, self.lang
        return {
            "criteria": facts.criteria.to_dict(),
            "text": str(self),
            "unknown": facts.unknown,
            "limit_km": facts.limit_km,
            "n_eligible": facts.n_eligible,
            "n_possible": facts.n_possible,
            "n_unlocated": facts.n_unlocated,
            "order_certain": facts.order_certain,
            "snapshot": {"id": facts.snapshot.id, "date": _iso(facts.snapshot)},
            "matches": [MatchExplanation(one, lang).to_dict() for one in facts.matches],
            "nearer_possible": [one.clinic.clinic_id for one in facts.nearer],
            "relaxations": None
            if facts.relaxations is None
            else facts.relaxations.translated(lang).to_dict(),
        }


def _named(clinic: Clinic) -> str:
    # Most names hold their city already.
    return clinic.name if clinic.city in clinic.name else f"{clinic.name} ({clinic.city})"


def _far(facts: ClinicFacts, lang: str) -> str:
    far, span = facts.distance_km or 0.0, facts.interval_km
    return distance_phrase(far, span, _precision(facts.clinic), lang, at=True)


def _precision(clinic: Clinic) -> str | None:
    return None if clinic.location is None else clinic.location.precision


def _iso(snapshot: Snapshot) -> str | None:
    return None if snapshot.date is None else snapshot.date.isoformat()


def _snapshot(snapshot: Snapshot, lang: str) -> str:
    day = _iso(snapshot)
    return snapshot.id if day is None else say("snapshot", lang, id=snapshot.id, day=day)
