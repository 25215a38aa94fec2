"""Why clinics are in an answer, and why one is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import And, Criteria
from ketafind.explain.findings import Finding, find, finding_dict, finding_lines
from ketafind.explain.relax import Relaxations, relaxations
from ketafind.explain.sentences import (
    Line,
    Told,
    Wording,
    counted,
    distance_phrase,
    distance_words,
    kilometres,
    listed,
    say,
)
from ketafind.qualification import bundled_words
from ketafind.records import CITY_LEVEL
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.matches import Matches
    from ketafind.query.ranking import Ranking
    from ketafind.records import Clinic, Service
    from ketafind.snapshot import Snapshot
    from ketafind.vocabulary import Vocabulary

__all__ = [
    "AnswerExplanation",
    "AnswerFacts",
    "ClinicFacts",
    "MatchExplanation",
    "MissExplanation",
    "answer_facts",
    "clinic_facts",
    "found_relaxations",
    "miss_facts",
    "vocabularies_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicFacts:
    """What is known of one clinic with regard to a question."""

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
    """What an answer holds and leaves open."""

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


MAX_NEARER = 3


def vocabularies_of(ranking: Ranking) -> tuple[Vocabulary, ...]:
    """List where labels are looked up: the directory's words, then those of the rules."""
    return ranking.filter.catalogue.vocabulary, bundled_words()


def clinic_facts(
    ranking: Ranking,
    position: int,
    rank: int | None,
    distance_km: float | None,
    outcome: str = "listed",
    swaps: tuple[str, ...] = (),
) -> ClinicFacts:
    """Gather what is known of a clinic with regard to a question."""
    passing = ranking.filter
    clinic = passing.catalogue.clinics[position]
    truth = passing.truth(position)
    service, finding = _closest(ranking, position) if truth == Truth.NO else (None, None)
    if service is None or finding is None:
        service = passing.service(position)
        finding = _finding(ranking, position, service)
    interval = None if distance_km is None else ranking.interval_km(distance_km, position)
    facets = {leaf.facet for leaf in passing.criteria.leaves()}
    return ClinicFacts(
        clinic=clinic,
        service=service,
        truth=truth,
        finding=finding,
        rank=rank,
        distance_km=distance_km,
        interval_km=interval,
        outcome=outcome,
        combined=truth != Truth.NO and service.combined and len(facets) > 1,
        swaps=swaps,
        vocabularies=vocabularies_of(ranking),
    )


def _finding(ranking: Ranking, position: int, service: Service) -> Finding:
    catalogue = ranking.filter.catalogue
    clinic = catalogue.clinics[position]
    slots = catalogue.slices.slots_of(int(catalogue.row_of[position]))
    slot = slots[[one.service_id for one in clinic.services].index(service.service_id)]

    def truth_of(criteria: Criteria) -> Truth:
        return catalogue.slices.truth(criteria, slot)

    return find(ranking.filter.criteria, clinic, service, catalogue.vocabulary, truth_of)


def _closest(ranking: Ranking, position: int) -> tuple[Service, Finding]:
    """The service of a clinic that fails the fewest clauses."""
    services = ranking.filter.catalogue.clinics[position].services
    found = [(service, _finding(ranking, position, service)) for service in services]

    def failing(one: tuple[Service, Finding]) -> tuple[int, int]:
        truths = [part.truth for part in one[1].parts or (one[1],)]
        return truths.count(Truth.NO), truths.count(Truth.UNKNOWN)

    return min(found, key=failing)


def miss_facts(
    matches: Matches, ranking: Ranking, position: int, listed: int | None
) -> ClinicFacts:
    """Find out why a clinic is not in an answer, or that it is."""
    if listed is not None:
        match = matches[listed]
        return clinic_facts(ranking, position, match.rank, match.distance_km)
    passing = ranking.filter
    distance_km = ranking.distance_km(position)
    truth = passing.truth(position)
    fits = {"exclude": {Truth.YES}, "include": {Truth.YES, Truth.UNKNOWN}, "only": {Truth.UNKNOWN}}
    if truth not in fits[passing.unknown]:
        outcome = {Truth.NO: "fails", Truth.UNKNOWN: "unknown", Truth.YES: "known"}[truth]
    elif not passing.in_region(position):
        outcome = "outside"
    elif distance_km is None and ranking.origin is not None:
        outcome = "unlocated"
    elif distance_km is not None and distance_km > ranking.limit_km:
        outcome = "too_far"
    else:
        outcome = "beyond"
    rank = None if distance_km is None else ranking.rank_of(distance_km, position)
    return clinic_facts(ranking, position, rank, distance_km, outcome)


def found_relaxations(ranking: Ranking, limit: int, lang: str) -> Relaxations:
    """Find the smallest changes that bring more clinics."""
    return Relaxations(relaxations(ranking, limit), vocabularies_of(ranking), lang)


def answer_facts(matches: Matches, ranking: Ranking, *, order_certain: bool) -> AnswerFacts:
    """Gather what an answer holds and leaves open."""
    limit_km = ranking.limit_km
    nearer = matches.nearer_possible[:MAX_NEARER]
    return AnswerFacts(
        criteria=ranking.filter.criteria,
        unknown=ranking.filter.unknown,
        limit_km=None if math.isinf(limit_km) else limit_km,
        n_eligible=ranking.n_eligible,
        n_possible=ranking.n_possible,
        n_unlocated=ranking.filter.n_unlocated,
        ordered=ranking.origin is not None,
        order_certain=order_certain,
        origin_radius_km=0.0 if ranking.origin is None else ranking.origin.radius_km,
        matches=tuple(match.facts() for match in matches),
        nearer=tuple(match.facts() for match in nearer),
        relaxations=None if len(matches) else found_relaxations(ranking, 3, "en"),
        snapshot=ranking.filter.catalogue.snapshot,
        vocabularies=vocabularies_of(ranking),
    )
