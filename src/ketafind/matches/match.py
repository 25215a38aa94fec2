"""One clinic of an answer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ketafind.matches.frozen import Frozen

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.explanation import ClinicFacts, MatchExplanation, Qualification
    from ketafind.matches.explained import Explained
    from ketafind.matches.ranking import Ranking
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.truth import Truth

__all__ = ["Match"]


class Match(Frozen):
    """One clinic of an answer.

    Parameters
    ----------
    ranking : Ranking
        The question.
    rank : int
        Its place in the whole order, from 1.
    position : int
        The clinic's place in the directory.
    distance_km : float or None
        Geodesic distance on WGS 84; None where the question had no origin or the clinic no
        position.
    page : Matches or None
        The answer that it stands in.
    """

    rank: int
    """Its place in the whole order, from 1."""
    distance_km: float | None
    """Geodesic distance on WGS 84, in kilometres; None without an origin or a position."""
    _ranking: Ranking
    _position: int
    _page: Explained | None

    def __init__(
        self,
        ranking: Ranking,
        rank: int,
        position: int,
        distance_km: float | None,
        page: Explained | None = None,
    ) -> None:
        fields = self.__dict__
        fields["rank"] = rank
        fields["distance_km"] = distance_km
        fields["_ranking"] = ranking
        fields["_position"] = position
        fields["_page"] = page

    @property
    def clinic(self) -> Clinic:
        """The clinic."""
        return self._ranking.filter.catalogue.clinics[self._position]

    @cached_property
    def service(self) -> Service:
        """The service that answers: the first of those with the highest truth."""
        return self._ranking.filter.service(self._position)

    @cached_property
    def truth(self) -> Truth:
        """YES, or UNKNOWN where a fact or the clinic's status is not known."""
        return self._ranking.filter.truth(self._position)

    @property
    def distance_low_km(self) -> float | None:
        """Lower end of the 90 % interval of the true distance, in kilometres."""
        return None if self._interval is None else self._interval[0]

    @property
    def distance_high_km(self) -> float | None:
        """Upper end of the 90 % interval of the true distance, in kilometres."""
        return None if self._interval is None else self._interval[1]

    @property
    def combined(self) -> bool:
        """Whether the match needs several facets that no source ties to one service."""
        facets = {leaf.facet for leaf in self._ranking.filter.criteria.leaves()}
        return self.service.combined and len(facets) > 1

    @cached_property
    def qualification(self) -> Qualification:
        """What the rule set says of the service that answers; no endorsement.

        By the rule set and level that the criteria ask for; else by ``on-2026.1``, level team.
        """
        from ketafind.matches.qualify import qualification, rules_of

        rules, level = rules_of(self._ranking.filter.criteria)
        catalogue = self._ranking.filter.catalogue
        return qualification(catalogue, self._position, self.service, rules, level)

    def evidence(self) -> tuple[Evidence, ...]:
        """Why the clinic's facts are believed.

        Returns
        -------
        tuple of Evidence
            What concerns this service or the clinic as a whole.
        """
        return tuple(
            fact
            for fact in self.clinic.evidence
            if fact.service_id in (None, self.service.service_id)
        )

    @cached_property
    def swaps(self) -> tuple[Clinic, ...]:
        """Neighbours that this match could change places with, at the 90 % level.

        Of the same page and the first clinic after it that may be nearer than one of them: those
        whose distance intervals overlap.
        """
        return () if self._page is None else self._page.swaps_of(self)

    def explain(self, lang: str = "en") -> MatchExplanation:
        """Tell why this clinic is in the answer, clause by clause, with the evidence.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        MatchExplanation
            Text, plain data and HTML.
        """
        from ketafind.explanation import MatchExplanation

        return MatchExplanation(self.facts(), lang)

    def facts(self) -> ClinicFacts:
        """Return what its explanation is made of.

        Returns
        -------
        ClinicFacts
            The clauses, looked up.
        """
        from ketafind.matches.telling import clinic_facts

        swaps = tuple(clinic.name for clinic in self.swaps)
        return clinic_facts(self._ranking, self._position, self.rank, self.distance_km, swaps=swaps)

    @property
    def unsettled(self) -> tuple[Criteria, ...]:
        """The clauses that are not settled, for a match that is UNKNOWN; empty for YES.

        Empty, too, where all that is not certain is whether the clinic is open.
        """
        from ketafind.explanation.findings import unsettled

        return tuple(finding.criteria for finding in unsettled(self.facts().finding))

    def __repr__(self) -> str:
        far = "" if self.distance_km is None else f", {self.distance_km:.1f} km"
        return f"<Match {self.rank}: {self.clinic.clinic_id}{far}, {self.truth}>"

    def _repr_html_(self) -> str:
        return self.explain()._repr_html_()

    @cached_property
    def _interval(self) -> tuple[float, float] | None:
        if self.distance_km is None:
            return None
        return self._ranking.interval_km(self.distance_km, self._position)
