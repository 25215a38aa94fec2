"""What is known of single clinics with regard to a question: the facts that explanations tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ketafind.criteria import Criteria
from ketafind.explanation.answers import AnswerFacts, ClinicFacts
from ketafind.explanation.findings import Finding, find
from ketafind.explanation.relaxing import Relaxations
from ketafind.matches.relaxing import relaxations
from ketafind.qualification import bundled_words
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.matches.explained import Explained
    from ketafind.matches.ranking import Ranking
    from ketafind.records import Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["answer_facts", "clinic_facts", "found_relaxations", "miss_facts", "vocabularies_of"]

MAX_NEARER = 3


def vocabularies_of(ranking: Ranking) -> tuple[Vocabulary, ...]:
    """List where labels are looked up: the directory's words, then those of the rules.

    Parameters
    ----------
    ranking : Ranking
        A question.

    Returns
    -------
    tuple of Vocabulary
        In this order.
    """
    return ranking.filter.catalogue.vocabulary, bundled_words()


def clinic_facts(
    ranking: Ranking,
    position: int,
    rank: int | None,
    distance_km: float | None,
    outcome: str = "listed",
    swaps: tuple[str, ...] = (),
) -> ClinicFacts:
    """Gather what is known of a clinic with regard to a question.

    Parameters
    ----------
    ranking : Ranking
        The question.
    position : int
        The clinic's position.
    rank : int or None
        Its place in the order.
    distance_km : float or None
        From the origin.
    outcome : str
        As in `ClinicFacts`.
    swaps : tuple of str
        Neighbours it could swap places with.

    Returns
    -------
    ClinicFacts
        What explanations are made of.
    """
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
    matches: Explained, ranking: Ranking, position: int, listed: int | None
) -> ClinicFacts:
    """Find out why a clinic is not in an answer, or that it is.

    Parameters
    ----------
    matches : Explained
        The answer.
    ranking : Ranking
        Its question.
    position : int
        The clinic's position.
    listed : int or None
        Its place among the matches, from 0.

    Returns
    -------
    ClinicFacts
        With the rank it has, or would have if it passed.
    """
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
    """Find the smallest changes that bring more clinics.

    Parameters
    ----------
    ranking : Ranking
        The question.
    limit : int
        How many at the most.
    lang : str
        The language to tell them in.

    Returns
    -------
    Relaxations
        Cheapest first.
    """
    return Relaxations(relaxations(ranking, limit), vocabularies_of(ranking), lang)


def answer_facts(matches: Explained, ranking: Ranking, *, order_certain: bool) -> AnswerFacts:
    """Gather what an answer holds and leaves open.

    Parameters
    ----------
    matches : Explained
        The answer.
    ranking : Ranking
        Its question.
    order_certain : bool
        As in `Matches`.

    Returns
    -------
    AnswerFacts
        What its explanation is made of.
    """
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
