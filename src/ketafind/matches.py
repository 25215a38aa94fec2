"""What a query returns: matches in order, with what is known and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from ketafind.index.checks import check_count
from ketafind.query.filter import Frozen
from ketafind.show.text import distance_text

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.explain.answers import (
        AnswerExplanation,
        ClinicFacts,
        MatchExplanation,
        MissExplanation,
    )
    from ketafind.explain.qualification import Qualification
    from ketafind.explain.questions import Questions
    from ketafind.explain.relax import Relaxations
    from ketafind.query.ranking import Ranking
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.snapshot import Snapshot
    from ketafind.truth import Truth
    from ketafind.vocabulary import Vocabulary

__all__ = ["TYPES", "Match", "Matches", "columns_of", "footer", "outcome", "shown"]


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
    _page: Matches | None

    def __init__(
        self,
        ranking: Ranking,
        rank: int,
        position: int,
        distance_km: float | None,
        page: Matches | None = None,
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
        from ketafind.explain.qualification import qualification, rules_of

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
        from ketafind.explain.answers import MatchExplanation

        return MatchExplanation(self.facts(), lang)

    def facts(self) -> ClinicFacts:
        """Return what its explanation is made of.

        Returns
        -------
        ClinicFacts
            The clauses, looked up.
        """
        from ketafind.explain.answers import clinic_facts

        swaps = tuple(clinic.name for clinic in self.swaps)
        return clinic_facts(self._ranking, self._position, self.rank, self.distance_km, swaps=swaps)

    @property
    def unsettled(self) -> tuple[Criteria, ...]:
        """The clauses that are not settled, for a match that is UNKNOWN; empty for YES.

        Empty, too, where all that is not certain is whether the clinic is open.
        """
        from ketafind.explain.findings import unsettled

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


NEARER_SHOWN = 3


class Matches(Frozen, Sequence[Match]):
    """The clinics that answer a question, in order; immutable.

    Ordered by distance rounded to one micrometre, then by clinic id; by id alone where the
    question has no origin. Printing, exporting and plotting never show the origin.

    Parameters
    ----------
    ranking : Ranking
        The question.
    start, stop : int or None
        Which part of the whole order.
    """

    _ranking: Ranking
    _start: int
    _stop: int | None
    _positions: list[int]
    _distances: list[float | None]

    def __init__(self, ranking: Ranking, start: int, stop: int | None) -> None:
        distances, positions = ranking.page(start, stop)
        fields = self.__dict__
        fields["_ranking"] = ranking
        fields["_start"], fields["_stop"] = start, stop
        fields["_positions"] = positions
        fields["_distances"] = [None] * len(positions) if distances is None else distances

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, item: int) -> Match: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Match]: ...
    def __getitem__(self, item: int | slice) -> Match | Sequence[Match]:
        return self._matches[item]

    def __iter__(self) -> Iterator[Match]:
        return iter(self._matches)

    @cached_property
    def _matches(self) -> tuple[Match, ...]:
        pairs = zip(self._positions, self._distances, strict=True)
        ranked = enumerate(pairs, self._start + 1)
        return tuple(Match(self._ranking, rank, *pair, page=self) for rank, pair in ranked)

    @property
    def criteria(self) -> Criteria:
        """What was asked for, in canonical form."""
        return self._ranking.filter.criteria

    @property
    def unknown(self) -> str:
        """The unknown policy: ``exclude``, ``include`` or ``only``."""
        return self._ranking.filter.unknown

    @property
    def n_eligible(self) -> int:
        """How many clinics the whole order holds, on this page or not."""
        return self._ranking.n_eligible

    @property
    def n_possible(self) -> int:
        """How many located clinics inside the limits are UNKNOWN: they may satisfy the criteria."""
        return self._ranking.n_possible

    @property
    def n_unlocated(self) -> int:
        """How many clinics that satisfy the criteria, or may, have no position."""
        return self._ranking.filter.n_unlocated

    @property
    def snapshot(self) -> Snapshot:
        """The name of the data that was asked."""
        return self._ranking.filter.catalogue.snapshot

    @cached_property
    def order_certain(self) -> bool:
        """Whether the order is certain at the 90 % level; False where there is no origin.

        True only when no two distance intervals overlap among these matches and every other
        eligible clinic, and no UNKNOWN or unlocated clinic could enter.
        """
        return self._ranking.order_certain(self._start, self._stop)

    def more(self, k: int) -> Matches:
        """Take the next matches in the same order.

        Parameters
        ----------
        k : int
            How many at the most.

        Returns
        -------
        Matches
            Ranks go on from the last of these; empty at the end.

        Raises
        ------
        InvalidInputError
            If k is not a whole number of 1 or more.
        """
        start = self._start + len(self)
        return Matches(self._ranking, start, start + check_count(k, "k"))

    def columns(self) -> dict[str, list[Any]]:
        """Return the matches as plain columns.

        Returns
        -------
        dict of str to list
            What the frames, the GeoJSON and the maps are made of.
        """
        return columns_of(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the matches as plain records, ready for JSON.

        Returns
        -------
        list of dict
            The same names as the columns of `to_frame`.
        """
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_frame(self) -> pd.DataFrame:
        """Return the matches as a pandas frame, one row each.

        Returns
        -------
        pandas.DataFrame
            Rank, ids, distances in km, truth, position, address and stated facts.
        """
        from ketafind.tables.frames import frame_from_columns

        return frame_from_columns(self.columns(), TYPES)

    def to_geodataframe(self) -> gpd.GeoDataFrame:
        """Return the matches as points in a GeoPandas frame (extra ``geo``).

        Returns
        -------
        geopandas.GeoDataFrame
            EPSG:4326; no geometry for an unlocated clinic.
        """
        from ketafind.tables.frames import geodataframe_from_columns

        return geodataframe_from_columns(self.columns(), TYPES)

    def to_geojson(self) -> dict[str, Any]:
        """Return the matches as GeoJSON (RFC 7946).

        Returns
        -------
        dict
            A FeatureCollection; the geometry of an unlocated clinic is null.
        """
        from ketafind.show.exports import geojson

        return geojson(self.columns(), snapshot=str(self.snapshot))

    def to_fhir(self) -> dict[str, Any]:
        """Return the matches as an HL7 FHIR R4 Bundle of what is stated of them.

        Returns
        -------
        dict
            A searchset: HealthcareService, Location and Organization resources, with distances.
        """
        from ketafind.show.exports import bundle

        catalogue = self._ranking.filter.catalogue
        found = ((match.clinic, match.service, match.distance_km) for match in self)
        return bundle(found, catalogue.vocabulary, str(self.snapshot))

    def plot(self, **options: Any) -> Any:
        """Draw the matches on a static map, without tiles and without network (extra ``maps``).

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        draw, it says how many match instead, without a distance.

        Parameters
        ----------
        **options
            Passed to `ketafind.show.plots.plot_clinics`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        from ketafind.show.plots import plot_clinics

        return plot_clinics(self.columns(), **{**self._empty(), **options})

    def explore(self, **options: Any) -> Any:
        """Show the matches on a map to pan and zoom; asks no other host unless told to.

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        show, it says how many match instead, without a distance.

        Parameters
        ----------
        **options
            Passed to `ketafind.show.map.explore_clinics`.

        Returns
        -------
        object
            Shows itself in a notebook; ``save(path)`` writes a page.
        """
        from ketafind.show.map import explore_clinics

        return explore_clinics(self.columns(), **{**self._empty(), **options})

    def _empty(self) -> dict[str, Any]:
        """What a map says that has nothing to show; a picture holds no distances."""
        has_place = any(match.clinic.location is not None for match in self)
        return {} if has_place else {"empty": f"{outcome(self)}\nData {self.snapshot}."}

    def __repr__(self) -> str:
        from ketafind.show.text import terminal_width, text_table

        table = f"{text_table(*shown(self), terminal_width())}\n" if self else ""
        return f"{table}{footer(self)}"

    def _repr_html_(self) -> str:
        from ketafind.show.html import html_table

        return html_table(*shown(self), notes=footer(self).splitlines())

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
        from ketafind.explain.answers import AnswerExplanation, answer_facts

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
        from ketafind.explain.answers import MissExplanation, miss_facts

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
        from ketafind.explain.answers import found_relaxations

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
        from ketafind.explain.questions import questions

        return questions(self._ranking, check_count(limit, "limit"), lang)

    @cached_property
    def nearer_possible(self) -> tuple[Match, ...]:
        """UNKNOWN clinics that are nearer than the last one listed, nearest first; at most 3.

        Empty unless unknowns are left out and there is an origin. Where nothing is listed, the
        nearest UNKNOWN clinics inside the limit.
        """
        from ketafind.query.ranking import Ranking

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


def columns_of(matches: Matches) -> dict[str, list[Any]]:
    """Write an answer as plain columns."""
    facets = _facets(matches)
    values = {**BEFORE, **facets, **AFTER}
    columns = {name: [value(match) for match in matches] for name, value in values.items()}
    # Columns that ketafind does not know are kept and shown.
    names = dict.fromkeys(name for match in matches for name in match.clinic.extra)
    for name in names:
        shown = f"{name} (given)" if name in columns else name
        columns[shown] = [match.clinic.extra.get(name, "") for match in matches]
    return columns


def shown(matches: Matches) -> tuple[list[list[str]], list[str]]:
    """Write each match as a row of texts for people."""
    has_distance = any(match.distance_km is not None for match in matches)
    facets = list(_facets(matches))
    # Routes and staff, or the first facets of another vocabulary.
    known = [name for name in ("routes", "staff") if name in facets] or facets[:2]
    told = {name: _joined(matches, name) for name in known}
    every = {**FIRST, **told, "contact": _contact}
    cells = {name: cell for name, cell in every.items() if has_distance or name != "distance"}
    return [[cell(match) for cell in cells.values()] for match in matches], list(cells)


def footer(matches: Matches) -> str:
    """Say what an answer leaves open."""
    nearer = "; ".join(f"{one.clinic.name}, {_distance(one)}" for one in matches.nearer_possible)
    which_ones = "Nearer than the last of these" if matches else "Nearest"
    nearer = f"\n{which_ones}, but not confirmed: {nearer}." if nearer else ""
    return f"{outcome(matches)}{nearer}\nData {matches.snapshot}."


def outcome(matches: Matches) -> str:
    """Say how many clinics were found, without a distance."""
    which = {"exclude": "match", "include": "match or may match", "only": "may match"}
    said = [f"{len(matches)} of {matches.n_eligible} clinics that {which[matches.unknown]}."]
    if not matches.n_eligible:
        placed = " with a position" if matches.n_unlocated else ""
        said = [f"No clinics{placed} {which[matches.unknown]}."]
    if matches.n_possible and matches.unknown == "exclude":
        them = "it" if matches.n_possible == 1 else "them"
        said.append(f"{matches.n_possible} more may match: not enough is known of {them}.")
    if matches.n_unlocated:
        said.append(f"{matches.n_unlocated} that match, or may, have no position.")
    if matches and matches[0].distance_km is not None and not matches.order_certain:
        said.append("The order is not certain.")
    return " ".join(said)


def _contact(match: Match) -> str:
    return match.clinic.phone or _host(match.clinic.website)


def _host(website: str) -> str:
    return website.partition("://")[2].removeprefix("www.").rstrip("/")


def _distance(match: Match) -> str:
    place = match.clinic.location
    precision = None if place is None else place.precision
    return distance_text(
        match.distance_km, match.distance_low_km, match.distance_high_km, precision
    )


def _place(name: str) -> Any:
    return lambda match: getattr(match.clinic.location, name, None)


def _clinic(name: str) -> Any:
    return lambda match: getattr(match.clinic, name)


def _facets(matches: Matches) -> dict[str, Any]:
    """A column for each facet of the vocabulary, by its plural."""
    return {facet.plural: _terms(facet.id) for facet in matches.vocabulary.facets}


def _terms(facet: str) -> Any:
    return lambda match: list(match.service.terms(facet))


def _joined(matches: Matches, plural: str) -> Any:
    facet = matches.vocabulary.facet(plural).id
    return lambda match: ", ".join(match.service.terms(facet))


FIRST = {
    "": lambda match: str(match.rank),
    "clinic": _clinic("name"),
    "city": _clinic("city"),
    "distance": _distance,
    "match": lambda match: str(match.truth),
}
NUMBERS = dict.fromkeys(
    ("distance_km", "distance_low_km", "distance_high_km", "lat", "lon", "radius_km"), "float64"
)
TYPES = {**NUMBERS, "rank": "int64", "combined": "bool"}
"""The pandas type of what is not text, where there is nothing to tell it by."""
BEFORE = {
    "rank": lambda match: match.rank,
    "clinic_id": _clinic("clinic_id"),
    "name": _clinic("name"),
    "service_id": lambda match: match.service.service_id,
    "distance_km": lambda match: match.distance_km,
    "distance_low_km": lambda match: match.distance_low_km,
    "distance_high_km": lambda match: match.distance_high_km,
    "truth": lambda match: str(match.truth),
    "combined": lambda match: match.combined,
    "lat": _place("lat"),
    "lon": _place("lon"),
    "precision": _place("precision"),
    "radius_km": _place("radius_km"),
    "status": _clinic("status"),
}
AFTER = {
    "street_address": _clinic("street_address"),
    "city": _clinic("city"),
    "province": _clinic("province"),
    "postal_code": _clinic("postal_code"),
    "phone": _clinic("phone"),
    "website": _clinic("website"),
}
