"""Why clinics are in an answer, and why one is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ketafind.criteria import And, Criteria
from ketafind.explain.findings import ServiceFacts, finding_dict, finding_lines, vocabularies_of
from ketafind.explain.relax import Relaxations, smallest_changes
from ketafind.explain.sentences import Explanation, Line, Wording, ends, picked, precision_of
from ketafind.records import CITY_LEVEL, Clinic, Service, Truth
from ketafind.show.text import time_text

if TYPE_CHECKING:
    from ketafind.explain.findings import Finding
    from ketafind.query.ranking import Page, Ranking, Trip
    from ketafind.snapshot import Snapshot
    from ketafind.travel.router import Certificate


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MatchExplanation(Explanation):
    """Why a clinic is in an answer.

    Parameters
    ----------
    clinic : Clinic
        The clinic.
    service : Service
        The service that answers; of a clinic that does not match, the one nearest to it.
    truth : Truth
        What is known of the clinic.
    finding : Finding
        The criteria and every clause inside, looked up.
    rank : int or None
        Its place in the order, from 1; None where there is none.
    distance_km : float or None
        How far it is; None without an origin or a position.
    interval_km : tuple of float or None
        The 90 % interval of that distance.
    outcome : str
        ``listed`` for a match; else why it is not listed: ``fails``, ``unknown``, ``known``,
        ``outside``, ``unlocated``, ``too_far`` or ``beyond``; by travel time ``too_long``,
        ``no_way`` or ``later``.
    combined : bool
        Whether it needs several facets that no source ties to one service.
    swaps : tuple of str
        The clinics that it could change places with.
    trip : Trip or None
        How long it takes; None where the order is by straight line.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    clinic: Clinic
    service: Service
    truth: Truth
    finding: Finding
    rank: int | None
    distance_km: float | None
    interval_km: tuple[float, float] | None
    outcome: str = "listed"
    combined: bool = False
    swaps: tuple[str, ...] = ()
    trip: Trip | None = None

    def lines(self) -> list[Line]:
        words = self._words
        name = words.clinic(self.clinic)
        head = name if self.rank is None else f"{self.rank}. {name}"
        text = words.say("match.confirmed" if self.truth == Truth.YES else "match.possible")
        return [Line(0, words.headed(head, text)), *self._details()]

    def _details(self) -> list[Line]:
        words, n_services = self._words, len(self.clinic.services)
        texts = [] if self.trip is None else [words.trip(self.trip)]
        texts.append(words.place(self.clinic, self.distance_km, self.interval_km))
        if self.swaps:
            texts.append(words.say("swaps", names=words.listed(self.swaps)))
        if self.clinic.status != "active":
            texts.append(words.say(f"status.{self.clinic.status}"))
        if self.combined:
            texts.append(words.say("combined"))
        if n_services > 1:
            key = "service.fails" if self.truth == Truth.NO else "service.answers"
            texts.append(words.say(key, n=n_services, offered=self._offered()))
        return [Line(1, text) for text in texts] + finding_lines(self.finding, words, 1)

    def _offered(self) -> str:
        """What the service states that tells it from the clinic's others."""
        words = self._words
        shown = [
            words.label(facet, term)
            for facet in ("product", "route", "setting")
            for term in self.service.terms(facet)
        ]
        return words.listed(shown, "and") if shown else words.say("service.nothing")

    def to_dict(self) -> dict[str, Any]:
        return {
            **picked(self.clinic, "clinic_id", "status"),
            **picked(self.service, "service_id"),
            **picked(self, "outcome", "rank", "truth", "combined", "swaps", "distance_km"),
            **ends(self.interval_km),
            **self._times(),
            "clauses": finding_dict(self.finding, self._words),
            "text": str(self),
        }

    def _times(self) -> dict[str, Any]:
        trip = self.trip
        if trip is None:
            return {}
        return {
            "travel_time_min": trip.minutes,
            "travel_time_low_min": trip.low_min,
            "travel_time_high_min": trip.high_min,
            "travel_distance_km": trip.road_km,
            "no_time": trip.reason or None,
        }


class MissExplanation(MatchExplanation):
    """Why a clinic is not in an answer, and where it would stand.

    It has the fields of `MatchExplanation`; a clinic that is in the answer says so.
    """

    def lines(self) -> list[Line]:
        words = self._words
        reason = words.say(f"outcome.{self.outcome}")
        lines = [Line(0, words.headed(words.clinic(self.clinic), reason))]
        if self.rank is not None:
            key = "rank.is" if self.outcome in ("listed", "beyond", "later") else "rank.would"
            lines.append(Line(1, words.say(key, rank=self.rank)))
        return lines + self._details()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AnswerExplanation(Explanation):
    """An answer, explained: each match clause by clause, and what is left open.

    Parameters
    ----------
    criteria : Criteria
        What was asked for, in canonical form.
    unknown : str
        The unknown policy.
    limit_km : float or None
        How far was searched; None for no limit.
    limit_min : float or None
        How long a way was searched for; None for no limit.
    travel : str or None
        How one travels, where the order is by time.
    certificate : Certificate or None
        How that order is proved.
    n_eligible, n_possible, n_unlocated : int
        How many clinics the whole order holds, are UNKNOWN, have no position.
    n_inside : tuple of int or None
        How many are certainly, and possibly, inside the distance or area at the 90 % level; None
        without one.
    origin_radius_km : float or None
        How well the origin is known: its 90 % radius; None without an origin.
    order_certain : bool
        Whether the order is certain at the 90 % level.
    matches : tuple of MatchExplanation
        The clinics of the answer, in order.
    nearer : tuple of MatchExplanation
        UNKNOWN clinics that are nearer than the last of them.
    relaxations : Relaxations or None
        Where nothing matches, what would.
    snapshot : Snapshot
        The name of the data.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    criteria: Criteria
    unknown: str
    limit_km: float | None
    limit_min: float | None
    travel: str | None
    certificate: Certificate | None
    n_eligible: int
    n_possible: int
    n_unlocated: int
    n_inside: tuple[int, int] | None
    origin_radius_km: float | None
    order_certain: bool
    matches: tuple[MatchExplanation, ...]
    nearer: tuple[MatchExplanation, ...]
    relaxations: Relaxations | None
    snapshot: Snapshot

    def lines(self) -> list[Line]:
        texts = [self._question(), self._counts(), *self._doubts()]
        lines = [Line(0, text) for text in texts]
        for one in (*self.matches, self.relaxations):
            lines += [] if one is None else one.translated(self.lang).lines()
        words = self._words
        return [*lines, Line(0, words.say("data", snapshot=words.snapshot(self.snapshot)))]

    def _question(self) -> str:
        words, whole = self._words, self.criteria
        parts = whole.parts if isinstance(whole, And) else (whole,)
        text = "; ".join(words.criteria(part) for part in parts)
        if self.limit_km is not None:
            text += words.say("asked.within", far=words.kilometres(self.limit_km))
        if self.limit_min is not None:
            far = time_text(self.limit_min, lang=self.lang)
            text += words.say("asked.time", far=far, how=words.by_means(self.travel))
        return words.say("asked", what=text) + words.say(f"asked.{self.unknown}")

    def _counts(self) -> str:
        words = self._words
        parts = [words.counted(f"eligible.{self.unknown}", self.n_eligible)]
        if self.n_possible and self.unknown == "exclude":
            parts.append(words.counted("possible", self.n_possible))
        if self.n_unlocated:
            parts.append(words.counted("unlocated", self.n_unlocated))
        if self.n_inside not in (None, (self.n_eligible, self.n_eligible)):
            low, high = self.n_inside
            parts.append(words.say("inside", low=low, high=high))
        return " ".join(parts)

    def _doubts(self) -> list[str]:
        words, texts = self._words, []
        if self.nearer:
            found = [(words.clinic(one.clinic), _at(one, words)) for one in self.nearer]
            names = [words.say("nearer.named", name=name, far=far) for name, far in found]
            key = "nearer" if self.matches else "nearest"
            texts.append(words.counted(key, len(names), names=words.listed(names, "and")))
        if self.certificate is not None:
            texts.append(words.travel_notes(self.certificate, self.travel))
        if self.origin_radius_km is None or not self.matches:
            return texts
        if self.order_certain:
            return [*texts, words.say("order.certain")]
        texts.append(words.say("order.uncertain"))
        n_vague = sum(precision_of(one.clinic) in CITY_LEVEL for one in self.matches)
        if n_vague:
            texts.append(words.counted("order.city_only", n_vague))
        if self.origin_radius_km >= 1.0:
            texts.append(words.say("order.origin", far=words.kilometres(self.origin_radius_km)))
        return texts

    def to_dict(self) -> dict[str, Any]:
        lang, relaxations = self.lang, self.relaxations
        return {
            **picked(self, "criteria", "unknown", "limit_km", "order_certain", "snapshot"),
            **({} if self.travel is None else picked(self, "travel", "limit_min", "certificate")),
            **picked(self, "n_eligible", "n_possible", "n_unlocated"),
            "n_certainly_inside": None if self.n_inside is None else self.n_inside[0],
            "n_possibly_inside": None if self.n_inside is None else self.n_inside[1],
            "text": str(self),
            "matches": [one.translated(lang).to_dict() for one in self.matches],
            "nearer_possible": [one.clinic.clinic_id for one in self.nearer],
            "relaxations": relaxations and relaxations.translated(lang).to_dict(),
        }


def _at(one: MatchExplanation, words: Wording) -> str:
    if one.trip is not None:
        minutes, low, high = one.trip[:3]
        key = "trip.at_bound" if high is None and low is not None else "trip.at"
        return words.say(key, far=time_text(minutes, low, high, words.lang))
    far = one.distance_km or 0.0
    return words.distance(far, one.interval_km, precision_of(one.clinic), "at")


E = TypeVar("E", bound=MatchExplanation)


def explain_match(page: Page, at: int, lang: str = "en") -> MatchExplanation:
    """Explain why an entry of a page is there."""
    ranking, clinics = page.ranking, page.ranking.catalogue.clinics
    swaps = tuple(clinics[clinic_no].name for clinic_no in page.may_swap_with(at))
    found = page.clinic_nos[at], page.distances_km[at], page.start + at + 1
    return explain_clinic(MatchExplanation, ranking, *found, swaps=swaps, lang=lang)


def explain_miss(page: Page, clinic_id: str, lang: str) -> MissExplanation:
    """Explain why a clinic is not on a page, or that it is."""
    ranking = page.ranking
    clinic_no = ranking.catalogue.clinic_no(clinic_id)
    if clinic_no in page.clinic_nos:
        at = page.clinic_nos.index(clinic_no)
        found = clinic_no, page.distances_km[at], page.start + at + 1
        return explain_clinic(MissExplanation, ranking, *found, lang=lang)
    far = ranking.distance_km(clinic_no)
    rank = None if far is None else ranking.rank_of(far, clinic_no)
    more = {"outcome": _outcome(ranking, clinic_no, far), "lang": lang}
    return explain_clinic(MissExplanation, ranking, clinic_no, far, rank, **more)


def explain_answer(page: Page, lang: str) -> AnswerExplanation:
    """Explain every entry of a page, and what it leaves open."""
    ranking, nearer = page.ranking, page.nearer_possible
    return AnswerExplanation(
        criteria=ranking.filter.criteria,
        unknown=ranking.filter.unknown,
        limit_km=None if math.isinf(ranking.limit_km) else ranking.limit_km,
        limit_min=None if math.isinf(ranking.limit_min) else ranking.limit_min,
        travel=ranking.travel,
        certificate=page.certificate,
        n_eligible=ranking.n_eligible,
        n_possible=ranking.n_possible,
        n_unlocated=ranking.filter.n_unlocated,
        n_inside=ranking.n_inside,
        origin_radius_km=None if ranking.origin is None else ranking.origin.radius_km,
        order_certain=page.order_certain,
        matches=tuple(explain_match(page, at) for at in range(len(page))),
        nearer=tuple(explain_match(nearer, at) for at in range(len(nearer))),
        relaxations=None if len(page) or ranking.travel else smallest_changes(ranking, 3, lang),
        snapshot=ranking.catalogue.snapshot,
        vocabularies=vocabularies_of(ranking),
        lang=lang,
    )


_LISTED = {
    "exclude": (Truth.YES,),
    "include": (Truth.YES, Truth.UNKNOWN),
    "only": (Truth.UNKNOWN,),
}
_NOT_LISTED = {Truth.NO: "fails", Truth.UNKNOWN: "unknown", Truth.YES: "known"}


def _outcome(ranking: Ranking, clinic_no: int, distance_km: float | None) -> str:
    """Why a clinic is not listed."""
    truth = ranking.filter._truth(clinic_no)
    if truth not in _LISTED[ranking.filter.unknown]:
        return _NOT_LISTED[truth]
    if not ranking.filter._in_region(clinic_no):
        return "outside"
    if ranking.origin is not None and distance_km is None:
        return "unlocated"
    if distance_km is not None and distance_km > ranking.limit_km:
        return "too_far"
    trip = ranking.trip(clinic_no)
    if trip is None:
        return "beyond"
    if trip.minutes is None:
        return "later" if trip.reason == "not_asked" else "no_way"
    return "too_long" if trip.minutes > ranking.limit_min else "later"


def explain_clinic(
    kind: type[E],
    ranking: Ranking,
    clinic_no: int,
    distance_km: float | None,
    rank: int | None,
    **more: Any,
) -> E:
    """Gather what is known of a clinic with regard to a question."""
    catalogue, criteria = ranking.catalogue, ranking.filter.criteria
    clinic = catalogue.clinics[clinic_no]
    truth = ranking.filter._truth(clinic_no)
    # Of a clinic that does not match, the service that fails the fewest clauses.
    services = clinic.services if truth == Truth.NO else (ranking.filter._service(clinic_no),)
    looked_up = [(one, ServiceFacts(catalogue, clinic_no, one).find(criteria)) for one in services]
    service, finding = min(looked_up, key=lambda one: _n_failing(one[1]))
    facets = {leaf.facet for leaf in criteria.leaves()}
    return kind(
        clinic=clinic,
        service=service,
        truth=truth,
        finding=finding,
        rank=rank,
        distance_km=distance_km,
        interval_km=None if distance_km is None else ranking.interval_km(distance_km, clinic_no),
        combined=truth != Truth.NO and service.combined and len(facets) > 1,
        trip=None if distance_km is None else ranking.trip(clinic_no),
        vocabularies=vocabularies_of(ranking),
        **more,
    )


def _n_failing(finding: Finding) -> tuple[int, int]:
    truths = [part.truth for part in finding.parts or (finding,)]
    return truths.count(Truth.NO), truths.count(Truth.UNKNOWN)
