"""What an answer says of itself: why, why not, what would help, whom to ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ketafind.index.checks import check_count
from ketafind.matches.frozen import Frozen
from ketafind.matches.match import Match

if TYPE_CHECKING:
    from ketafind.explanation import AnswerExplanation, MissExplanation, Questions, Relaxations
    from ketafind.matches.ranking import Ranking
    from ketafind.records import Clinic
    from ketafind.vocabulary import Vocabulary

__all__ = ["Explained"]

NEARER_SHOWN = 3


class Explained(Frozen, Sequence[Match]):
    """Explanations of an answer; none of them shows where the search started."""

    _ranking: Ranking
    _start: int
    _stop: int | None

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that the question was read with."""
        return self._ranking.filter.catalogue.vocabulary

    def to_dict(self) -> dict[str, Any]:
        """Return the answer with its question and its data, so that it can be repeated.

        Returns
        -------
        dict
            ``query`` (criteria, unknown policy, how many, how far), ``snapshot``, the counts and
            ``matches``, ready for JSON. Where the search started stays out: it is the searcher's
            own.
        """
        from ketafind.matches.columns import columns_of

        ranking = self._ranking
        snapshot = ranking.filter.catalogue.snapshot
        columns = columns_of(self)
        return {
            "query": {
                "where": ranking.filter.criteria.to_dict(),
                "unknown": ranking.filter.unknown,
                "first": self._start + 1,
                "k": None if self._stop is None else self._stop - self._start,
                "max_distance_km": None if math.isinf(ranking.limit_km) else ranking.limit_km,
            },
            "snapshot": {
                "id": snapshot.id,
                "date": None if snapshot.date is None else snapshot.date.isoformat(),
            },
            "n_eligible": ranking.n_eligible,
            "n_possible": ranking.n_possible,
            "n_unlocated": ranking.filter.n_unlocated,
            "order_certain": ranking.order_certain(self._start, self._stop),
            "nearer_possible": [match.clinic.clinic_id for match in self.nearer_possible],
            "matches": [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ],
        }

    def explain(self, lang: str = "en") -> AnswerExplanation:
        """Tell why each match is here, clause by clause, and what the answer leaves open.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        AnswerExplanation
            Text, plain data and HTML. Where nothing matches, it says what would.
        """
        from ketafind.explanation import AnswerExplanation
        from ketafind.matches.telling import answer_facts

        certain = self._ranking.order_certain(self._start, self._stop)
        return AnswerExplanation(answer_facts(self, self._ranking, order_certain=certain), lang)

    def why_not(self, clinic_id: str, lang: str = "en") -> MissExplanation:
        """Tell why a clinic is not among the matches.

        Parameters
        ----------
        clinic_id : str
            Any clinic of the directory.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        MissExplanation
            Its clauses, and the rank it has or would have if it passed. A clinic that is among
            the matches says so.

        Raises
        ------
        UnknownClinicError
            If no clinic has this id.
        """
        from ketafind.explanation import MissExplanation
        from ketafind.matches.telling import miss_facts

        position = self._ranking.filter.catalogue.position(clinic_id)
        ids = [match.clinic.clinic_id for match in self]
        listed = ids.index(clinic_id) if clinic_id in ids else None
        return MissExplanation(miss_facts(self, self._ranking, position, listed), lang)

    def relax(self, limit: int = 3, lang: str = "en") -> Relaxations:
        """Find the smallest changes to the question that bring more clinics.

        Parameters
        ----------
        limit : int
            How many at the most.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Relaxations
            Cheapest first: letting clinics pass of which it is not known (1), a wider radius (2),
            a wider area (3), leaving a clause out (4 each); then by distance. No change in a set
            can be left out. Each says how many clinics the changed question gives, and which new
            one is the nearest.

        Raises
        ------
        InvalidInputError
            If limit is not a whole number of 1 or more.

        Notes
        -----
        Minimal correction sets, read off the bitmaps: see `ketafind.explanation.minimal_sets`.
        """
        from ketafind.matches.telling import found_relaxations

        return found_relaxations(self._ranking, check_count(limit, "limit"), lang)

    def questions(self, lang: str = "en", limit: int = 5) -> Questions:
        """Say what to ask which clinic, to settle what keeps it out or makes it uncertain.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.
        limit : int
            How many clinics at the most.

        Returns
        -------
        Questions
            Most valuable first: the clinics that fewest answers would confirm, then the nearest.

        Raises
        ------
        InvalidInputError
            If limit is not a whole number of 1 or more.
        """
        from ketafind.matches.asking import questions

        return questions(self._ranking, check_count(limit, "limit"), lang)

    @cached_property
    def nearer_possible(self) -> tuple[Match, ...]:
        """UNKNOWN clinics that are nearer than the last one listed, nearest first; at most 3.

        Empty unless unknowns are left out and there is an origin. Where nothing is listed, the
        nearest UNKNOWN clinics inside the limit.
        """
        from ketafind.matches.ranking import Ranking

        ranking = self._ranking
        if ranking.origin is None or ranking.filter.unknown != "exclude":
            return ()
        last = self[-1] if len(self) else None
        far = None if last is None else last.distance_km
        limit_km = ranking.limit_km if far is None else min(far, ranking.limit_km)
        possible = Ranking(ranking.filter.under("only"), ranking.origin, limit_km)
        distances, positions = possible.page(0, NEARER_SHOWN)
        if distances is None:
            return ()
        pairs = list(zip(positions, distances, strict=True))
        if last is not None and far is not None:
            # As far, but later by its id, is not nearer.
            end = round(far * 1e9), last._position
            pairs = [(p, km) for p, km in pairs if (round(km * 1e9), p) < end]
        return tuple(Match(possible, rank, *pair) for rank, pair in enumerate(pairs, 1))

    def swaps_of(self, match: Match) -> tuple[Clinic, ...]:
        """Find the neighbours that a match could change places with.

        Parameters
        ----------
        match : Match
            One of these.

        Returns
        -------
        tuple of Clinic
            In the order of the answer.
        """
        if match.distance_low_km is None or match.distance_high_km is None:
            return ()
        low, high = match.distance_low_km, match.distance_high_km
        return tuple(
            clinic
            for clinic, (other_low, other_high) in self._spans
            if clinic.clinic_id != match.clinic.clinic_id
            and other_low <= high
            and low <= other_high
        )

    @cached_property
    def _spans(self) -> list[tuple[Clinic, tuple[float, float]]]:
        """The intervals of the page, and of the first clinic after it that may be nearer."""
        distances, positions = self._ranking.page(self._start, self._stop)
        if distances is None:
            return []
        spans = [
            self._ranking.interval_km(*pair) for pair in zip(distances, positions, strict=True)
        ]
        if self._stop is not None and len(spans) == self._stop - self._start:
            reach_km = max(high for _, high in spans)
            more_km, more = self._ranking.rival(reach_km, self._stop)
            positions = positions + more
            spans += [
                self._ranking.interval_km(*pair) for pair in zip(more_km or (), more, strict=True)
            ]
        clinics = self._ranking.filter.catalogue.clinics
        return [(clinics[position], span) for position, span in zip(positions, spans, strict=True)]
