"""What a query returns: matches in order, with what is known and what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Never, NotRequired, cast, overload

from ketafind.errors import InvalidInputError, TypedDict, check_language, refuse_unnamed
from ketafind.explain.sentences import Wording, plain, precision_of
from ketafind.index.protocol import check_count
from ketafind.query.filter import Frozen
from ketafind.query.ranking import Page
from ketafind.shapes import label_of
from ketafind.show.text import credited, distance_text, remark, time_text

if TYPE_CHECKING:
    from os import PathLike

    import geopandas as gpd
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.explain.answers import AnswerExplanation, MatchExplanation, MissExplanation
    from ketafind.explain.findings import Qualification
    from ketafind.explain.questions import Questions
    from ketafind.explain.relax import Relaxations
    from ketafind.query.ranking import Trip
    from ketafind.records import Clinic, Evidence, Location, Service, Truth
    from ketafind.show.html import MapPage
    from ketafind.snapshot import Snapshot
    from ketafind.travel.router import Certificate
    from ketafind.vocabulary import Vocabulary


class MatchRecord(TypedDict):
    """One match as plain data: a row of `Matches.to_dict`.

    ``distance_km`` is exact and in a straight line, ``distance_text`` is for people; ``labels``
    names the words of the keys that it has, in the language asked for. Distances and radii are in
    kilometres, positions in degrees of WGS 84. An answer by travel time has the keys
    ``travel_time_min`` (free-flow minutes), its interval and its text, and ``travel_distance_km``
    where the router says how long the way is. Each facet of the vocabulary is a key by its plural,
    and each column of the clinic that ketafind does not know is a key by its name.
    """

    rank: int
    clinic_id: str
    name: str
    service_id: str
    distance_km: float | None
    distance_low_km: float | None
    distance_high_km: float | None
    distance_text: str
    truth: str
    combined: bool
    street_address: str
    city: str
    province: str
    postal_code: str
    phone: str
    website: str
    lat: float | None
    lon: float | None
    precision: str | None
    radius_km: float | None
    status: str
    travel_time_min: NotRequired[float | None]
    travel_time_low_min: NotRequired[float | None]
    travel_time_high_min: NotRequired[float | None]
    travel_time_text: NotRequired[str]
    travel_distance_km: NotRequired[float | None]
    routes: NotRequired[list[str]]
    staff: NotRequired[list[str]]
    conditions: NotRequired[list[str]]
    products: NotRequired[list[str]]
    labels: NotRequired[dict[str, str | list[str]]]


# What pydantic would drop: keys by the facets of other vocabularies and by unknown columns.
MatchRecord.__pydantic_config__ = {"extra": "allow"}  # type: ignore[attr-defined]


class QueryRecord(TypedDict):
    """A question as plain data; where the search started is left out.

    ``travel`` is how one travels, where the order is by time.
    """

    where: dict[str, Any]
    unknown: str
    first: int
    k: int | None
    max_distance_km: float | None
    travel: NotRequired[str]
    max_time_min: NotRequired[float | None]


class SnapshotRecord(TypedDict):
    """The name of a directory's data; the date in ISO form."""

    id: str
    date: str | None


class CertificateRecord(TypedDict):
    """A `ketafind.travel.Certificate` as plain data: how an order by time is proved."""

    proved: bool
    method: str
    bound_min: float | None
    n_examined: int
    n_requests: int
    max_speed_kmh: float | None
    origin_snap_km: float | None
    clinic_snap_km: dict[str, float]
    unreachable: dict[str, int]


class AnswerRecord(TypedDict):
    """An answer as plain data, with its question and the name of its data."""

    query: QueryRecord
    snapshot: SnapshotRecord
    n_eligible: int
    n_possible: int
    n_unlocated: int
    n_certainly_inside: int | None
    n_possibly_inside: int | None
    order_certain: bool
    nearer_possible: list[str]
    certificate: NotRequired[CertificateRecord]
    matches: list[MatchRecord]


class Match(Frozen):
    """One clinic of an answer.

    Parameters
    ----------
    page : Page
        The part of the order that it stands in.
    at : int
        Its place on the page, from 0.
    """

    rank: int
    """Its place in the whole order, from 1."""
    distance_km: float | None
    """Geodesic distance on WGS 84, in kilometres; None without an origin or a position."""
    _page: Page
    _at: int
    _clinic_no: int

    def __init__(self, page: Page, at: int) -> None:
        fields = self.__dict__
        fields["rank"] = page.start + at + 1
        fields["distance_km"] = page.distances_km[at]
        fields["_page"] = page
        fields["_at"] = at
        fields["_clinic_no"] = page.clinic_nos[at]

    @property
    def clinic(self) -> Clinic:
        """The clinic."""
        return self._page.ranking.catalogue.clinics[self._clinic_no]

    @cached_property
    def service(self) -> Service:
        """The service that answers: the first of those with the highest truth."""
        return self._page.ranking.filter._service(self._clinic_no)

    @cached_property
    def truth(self) -> Truth:
        """YES, or UNKNOWN where a fact or the clinic's status is not known."""
        return self._page.ranking.filter._truth(self._clinic_no)

    @property
    def distance_low_km(self) -> float | None:
        """Lower end of the 90 % interval of the true distance, in kilometres."""
        return None if self._span is None else self._span[0]

    @property
    def distance_high_km(self) -> float | None:
        """Upper end of the 90 % interval of the true distance, in kilometres."""
        return None if self._span is None else self._span[1]

    @property
    def travel_time_min(self) -> float | None:
        """Free-flow travel time from the origin, in minutes; None without a router."""
        return None if self._trip is None else self._trip.minutes

    @property
    def travel_time_low_min(self) -> float | None:
        """Lower end of the 90 % interval of the travel time, in minutes."""
        return None if self._trip is None else self._trip.low_min

    @property
    def travel_time_high_min(self) -> float | None:
        """Upper end of that interval; None, too, where most places around have no time."""
        return None if self._trip is None else self._trip.high_min

    @property
    def travel_distance_km(self) -> float | None:
        """How long the way is, in kilometres; None where the router does not say."""
        return None if self._trip is None else self._trip.road_km

    @property
    def combined(self) -> bool:
        """Whether the match needs several facets that no source ties to one service."""
        facets = {leaf.facet for leaf in self._page.ranking.filter.criteria.leaves()}
        return self.service.combined and len(facets) > 1

    @cached_property
    def qualification(self) -> Qualification:
        """What the rule set says of the service that answers; no endorsement.

        By the rule set and level that the criteria ask for; else by ``on-2026.1``, level team.
        """
        from ketafind.explain.findings import qualification, rules_of

        rules, level = rules_of(self._page.ranking.filter.criteria)
        catalogue = self._page.ranking.catalogue
        return qualification(catalogue, self._clinic_no, self.service, rules, level)

    def evidence(self) -> tuple[Evidence, ...]:
        """Return why the clinic's facts are believed.

        Returns
        -------
        tuple of Evidence
            What concerns this service or the clinic as a whole.
        """
        own = (None, self.service.service_id)
        return tuple(fact for fact in self.clinic.evidence if fact.service_id in own)

    @cached_property
    def swaps(self) -> tuple[Clinic, ...]:
        """Neighbours that this match could change places with, at the 90 % level.

        Of the same page and the first clinic after it that may be nearer than one of them: those
        whose distance intervals overlap.
        """
        clinics = self._page.ranking.catalogue.clinics
        return tuple(clinics[clinic_no] for clinic_no in self._page.may_swap_with(self._at))

    def explain(self, *, lang: str = "en") -> MatchExplanation:
        """Say why this clinic is in the answer, clause by clause, with the evidence.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        MatchExplanation
            Text, plain data and HTML.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        from ketafind.explain.answers import explain_match

        return explain_match(self._page, self._at, lang)

    def to_dict(self, lang: str | None = None) -> MatchRecord:
        """Write the match as plain data, ready for JSON; `clinic` has more to write.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.

        Returns
        -------
        MatchRecord
            A row of `Matches.to_dict`.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        return Matches(self._page.part(self._at, self._at + 1))._rows(lang)[0]

    @property
    def unsettled(self) -> tuple[Criteria, ...]:
        """The clauses that are not settled, for a match that is UNKNOWN; empty for YES.

        Empty, too, where all that is not certain is whether the clinic is open.
        """
        from ketafind.explain.findings import unsettled

        return tuple(finding.criteria for finding in unsettled(self.explain().finding))

    @cached_property
    def _span(self) -> tuple[float, float] | None:
        return self._page.span_km(self._at)

    @cached_property
    def _trip(self) -> Trip | None:
        return self._page.ranking.trip(self._clinic_no)

    def __repr__(self) -> str:
        far = "" if self.distance_km is None else f", {self.distance_km:.1f} km"
        if self._trip is not None:
            far = f", {self._trip.minutes:.1f} min"
        return f"<Match {self.rank}: {self.clinic.clinic_id}{far}, {self.truth}>"

    def _repr_html_(self) -> str:
        return self.explain()._repr_html_()


class Matches(Frozen, Sequence[Match]):
    """The clinics that answer a question, in order; immutable.

    Ordered by distance rounded to one micrometre, then by clinic id; by travel time rounded to the
    millisecond where the question has a router; by id alone where it has no origin. A slice such as ``matches[:2]`` is a `Matches` of the same question.
    Printing, exporting and plotting never show the origin.

    Parameters
    ----------
    page : Page
        A part of the order.
    lang : str
        The language it is printed in, ``"en"`` or ``"fr"``; see `translated`.
    """

    _page: Page
    _lang: str

    def __init__(self, page: Page, lang: str = "en") -> None:
        self.__dict__["_page"] = page
        self.__dict__["_lang"] = lang

    def __len__(self) -> int:
        return len(self._page)

    @overload
    def __getitem__(self, item: int) -> Match: ...
    @overload
    def __getitem__(self, item: slice) -> Matches: ...
    def __getitem__(self, item: int | slice) -> Match | Matches:
        if not isinstance(item, slice):
            return self._matches[item]
        start, stop, step = item.indices(len(self))
        if step != 1:
            raise InvalidInputError(
                f"a slice with step {step} leaves gaps in the order: write list(matches)[...]"
            )
        return Matches(self._page.part(start, max(start, stop)), self._lang)

    def __iter__(self) -> Iterator[Match]:
        return iter(self._matches)

    @cached_property
    def _matches(self) -> tuple[Match, ...]:
        return tuple(Match(self._page, at) for at in range(len(self)))

    @property
    def criteria(self) -> Criteria:
        """What was asked for, in canonical form."""
        return self._page.ranking.filter.criteria

    @property
    def unknown(self) -> str:
        """The unknown policy: ``exclude``, ``include`` or ``only``."""
        return self._page.ranking.filter.unknown

    @property
    def n_eligible(self) -> int:
        """How many clinics the whole order holds, on this page or not.

        With a router all that are eligible and located, however long it takes to them: not all of
        them are asked about.
        """
        return self._page.ranking.n_eligible

    @property
    def n_possible(self) -> int:
        """How many located clinics inside the limits are UNKNOWN: they may satisfy the criteria."""
        return self._page.ranking.n_possible

    @property
    def n_unlocated(self) -> int:
        """How many clinics that satisfy the criteria, or may, have no position."""
        return self._page.ranking.filter.n_unlocated

    @property
    def origin(self) -> Location | None:
        """How the origin was read: label, match, corrections, radius; None where there is none.

        Nothing else of an answer shows it, and no export holds it: it is the searcher's own. What
        was given as coordinates has the match ``given``.
        """
        start = self._page.ranking.origin
        return None if start is None else start.location

    @property
    def n_certainly_inside(self) -> int | None:
        """How many that satisfy the criteria are inside at the 90 % level; None without a limit.

        Inside is within ``max_distance_km`` or the radius of `Directory.within`, or in the shape of
        `Directory.inside`: the far end of the distance's interval, or the whole 90 % circle about
        the clinic.
        """
        inside = self._page.ranking.n_inside
        return None if inside is None else inside[0]

    @property
    def n_possibly_inside(self) -> int | None:
        """How many that satisfy the criteria may be inside at the 90 % level, listed or not.

        The near end of the distance's interval, or any part of the 90 % circle about the clinic, is
        inside; those that are certainly inside among them. None without a limit.
        """
        inside = self._page.ranking.n_inside
        return None if inside is None else inside[1]

    @property
    def snapshot(self) -> Snapshot:
        """The name of the data that was asked."""
        return self._page.ranking.catalogue.snapshot

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that the question was read with."""
        return self._page.ranking.catalogue.vocabulary

    @property
    def order_certain(self) -> bool:
        """Whether the order is certain at the 90 % level; False where there is no origin.

        True only when no two intervals, of distance or with a router of time, overlap among these
        matches and every other eligible clinic, and no UNKNOWN or unlocated clinic could enter.
        """
        return self._page.order_certain

    @property
    def certificate(self) -> Certificate | None:
        """How it was proved that no other clinic is nearer by time; None without a router.

        In a straight line there is nothing to prove: every distance is known.
        """
        return self._page.certificate

    @cached_property
    def nearer_possible(self) -> tuple[Match, ...]:
        """UNKNOWN clinics that are nearer than the last one listed, nearest first; at most 3.

        Empty unless unknowns are left out and there is an origin. Where nothing is listed, the
        nearest UNKNOWN clinics inside the limit.
        """
        nearer = self._page.nearer_possible
        return tuple(Match(nearer, at) for at in range(len(nearer)))

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
        start = self._page.start + len(self)
        stop = start + check_count(k, "k")
        return Matches(Page(self._page.ranking, start, stop), self._lang)

    def translated(self, lang: str) -> Matches:
        """Print the same answer in another language.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Matches
            The same matches; its text and its table in a notebook are in `lang`.

        Raises
        ------
        InvalidInputError
            If lang is another language.

        Examples
        --------
        >>> import ketafind
        >>> near = ketafind.load_directory().nearest("K7L 3N6", k=1, conditions="depression")
        >>> print(near.translated("fr"))  # doctest: +ELLIPSIS
           clinique ...
        """
        return Matches(self._page, check_language(lang))

    def columns(
        self, per: Literal["clinic", "service", "fact"] = "clinic", *, lang: str | None = None
    ) -> dict[str, list[Any]]:
        """Return the matches as plain columns.

        Parameters
        ----------
        per : str
            ``"clinic"`` for a row a match, ``"service"`` for a row a service of each, ``"fact"``
            for a row a fact of each.
        lang : str, optional
            ``"en"`` or ``"fr"`` to name truths and terms for people; None for their ids.

        Returns
        -------
        dict of str to list
            A list for each column, in order: rank, ids, distances in km, truth, then the columns of
            `Directory.to_frame`. A text that is not known is empty, anything else None.

        Raises
        ------
        InvalidInputError
            If `per` is none of these.
        """
        from ketafind.tables.frames import laid_out

        lang = None if lang is None else check_language(lang)
        clinics = [match.clinic for match in self]
        at, held = laid_out(clinics, self.vocabulary, per, taken=_OWN)
        rows = [self[one] for one in at]
        own: dict[str, list[Any]] = {
            "rank": [match.rank for match in rows],
            "clinic_id": held["clinic_id"],
        }
        if per != "fact":
            own["name"] = held["name"]
            own["service_id"] = held.get("service_id", [match.service.service_id for match in rows])
        names = (*_DISTANCES, *_TIMES) if self._travels else _DISTANCES
        if self._travels and any(match.travel_distance_km is not None for match in self):
            names += ("travel_distance_km",)
        own |= {name: [getattr(match, name) for match in rows] for name in names}
        if per != "fact":
            own["truth"] = [str(match.truth) for match in rows]
        if per == "service":
            named = zip(rows, own["service_id"], strict=True)
            own["is_match"] = [match.service.service_id == service for match, service in named]
        if per == "clinic":
            own["combined"] = [match.combined for match in rows]
        columns = {**own, **{name: cells for name, cells in held.items() if name not in own}}
        return columns if lang is None else self._in_words(columns, lang)

    @property
    def _words(self) -> Wording:
        return Wording(self._lang)

    @property
    def _travels(self) -> bool:
        return self.certificate is not None

    def _in_words(self, columns: dict[str, list[Any]], lang: str) -> dict[str, list[Any]]:
        """Name truths and terms as people do."""
        words, named = Wording(lang), dict(columns)
        truths = ("truth", *(flag.id for flag in self.vocabulary.flags))
        for name in filter(named.__contains__, truths):
            named[name] = [cell and words.say(f"truth.{cell}") for cell in named[name]]
        for facet in self.vocabulary.facets:
            if facet.plural in named:
                cells = named[facet.plural]
                named[facet.plural] = [[facet[t].label(lang) for t in terms] for terms in cells]
        return named

    def to_dict(self, lang: str | None = None) -> AnswerRecord:
        """Return the answer with its question and its data, so that it can be repeated.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.

        Returns
        -------
        AnswerRecord
            ``query`` (criteria, unknown policy, how many, how far), ``snapshot``, the counts and
            ``matches``, a record each with the names of the columns of `to_frame`, a text of the
            distance and, with a language, ``labels``; ready for JSON. Where the search started is
            left out: it is the searcher's own.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        page, ranking = self._page, self._page.ranking
        query: QueryRecord = {
            "where": self.criteria.to_dict(),
            "unknown": self.unknown,
            "first": page.start + 1,
            "k": None if page.stop is None else page.stop - page.start,
            "max_distance_km": None if math.isinf(ranking.limit_km) else ranking.limit_km,
        }
        record: AnswerRecord = {
            "query": query,
            "snapshot": plain(self.snapshot),
            "n_eligible": self.n_eligible,
            "n_possible": self.n_possible,
            "n_unlocated": self.n_unlocated,
            "n_certainly_inside": self.n_certainly_inside,
            "n_possibly_inside": self.n_possibly_inside,
            "order_certain": self.order_certain,
            "nearer_possible": [match.clinic.clinic_id for match in self.nearer_possible],
            "matches": self._rows(lang),
        }
        if self.certificate is not None and ranking.travel is not None:
            limit_min = ranking.limit_min
            query["travel"] = ranking.travel
            query["max_time_min"] = None if math.isinf(limit_min) else limit_min
            record["certificate"] = cast("CertificateRecord", asdict(self.certificate))
        return record

    def _rows(self, lang: str | None) -> list[MatchRecord]:
        lang = None if lang is None else check_language(lang)
        columns = self.columns()
        columns["distance_text"] = [_distance(match, lang or "en") for match in self]
        if self._travels:
            columns["travel_time_text"] = [_time(match, lang or "en") for match in self]
        if lang is not None:
            columns["labels"] = [_labels(match, lang) for match in self]
        rows = zip(*plain(columns).values(), strict=True)
        return [cast("MatchRecord", dict(zip(columns, row, strict=True))) for row in rows]

    def to_frame(
        self, per: Literal["clinic", "service", "fact"] = "clinic", *, lang: str | None = None
    ) -> pd.DataFrame:
        """Return the matches as a pandas frame, in order.

        Parameters
        ----------
        per : str
            ``"clinic"`` for a row a match, with what all services of the clinic state together;
            ``"service"`` for a row a service, ``is_match`` telling the one that matched;
            ``"fact"`` for a row a fact, with the source that decides it.
        lang : str, optional
            ``"en"`` or ``"fr"`` to name truths and terms for people; None for their ids.

        Returns
        -------
        pandas.DataFrame
            Rank, ids, distances in km, truth, then the columns of `Directory.to_frame`. What is not
            known is missing (``NA``), never "".

        Raises
        ------
        InvalidInputError
            If `per` is none of these, or lang another language.
        """
        from ketafind.tables.frames import frame_from_columns, types_of

        columns, types = self.columns(per, lang=lang), types_of(self.vocabulary)
        return frame_from_columns(columns, types, snapshot=self.snapshot)

    def to_geodataframe(self) -> gpd.GeoDataFrame:
        """Return the matches as points in a GeoPandas frame (extra ``geo``), in order.

        Returns
        -------
        geopandas.GeoDataFrame
            The columns of `to_frame` and ``geometry``, in EPSG:4326; None for an unlocated clinic.

        Raises
        ------
        MissingExtraError
            If GeoPandas is not installed.
        """
        from ketafind.tables.frames import geodataframe_from_columns, types_of

        types = types_of(self.vocabulary)
        return geodataframe_from_columns(self.columns(), types, snapshot=self.snapshot)

    def to_geojson(self) -> dict[str, Any]:
        """Return the matches as GeoJSON (RFC 7946).

        Returns
        -------
        dict
            A FeatureCollection; the geometry of an unlocated clinic is null.
        """
        from ketafind.show.exports import geojson

        return geojson(plain(self.columns()), snapshot=str(self.snapshot))

    def to_fhir(self, *, lang: str = "en") -> dict[str, Any]:
        """Return the matches as an HL7 FHIR R4 Bundle of what is stated of them.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``: the language of what is there for people to read.

        Returns
        -------
        dict
            A searchset: HealthcareService, Location and Organization resources, with distances.
            ``total`` counts the whole order, as FHIR asks, on this page or not.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        from ketafind.show.fhir import bundle

        found = ((match.clinic, (match.service,), match.distance_km) for match in self)
        named = check_language(lang)
        return bundle(found, self.vocabulary, str(self.snapshot), total=self.n_eligible, lang=named)

    def export(
        self,
        path: str | PathLike[str],
        format: str | None = None,  # noqa: A002
        *,
        overwrite: bool = False,
        spreadsheet: bool = False,
        lang: str | None = None,
    ) -> None:
        """Write the matches to a file for other programs; where was searched from is not in it.

        Parameters
        ----------
        path : path
            Where to.
        format : str or None
            As for `Directory.export`. ``"hsds"``, ``"datapackage"`` and ``"jsonld"`` hold the whole
            clinics, without distances.
        overwrite : bool
            Replace a file that is there.
        spreadsheet : bool
            In CSV, put an apostrophe before text that a spreadsheet would take for a formula.
        lang : str or None
            ``"en"`` or ``"fr"`` for what is there for people to read; None for the language of the
            matches.

        Raises
        ------
        InvalidInputError
            If there is no such format, or lang is another language.
        MissingExtraError
            If the format needs what is not installed (extra ``exports``).
        ExistingFileError
            If the file is there and `overwrite` is False.
        MissingFileError
            If there is no folder to write it in.
        """
        from ketafind.show.exports import Export, csv_text

        named, clinics = check_language(lang or self._lang), [match.clinic for match in self]
        text = csv_text(self.columns(), spreadsheet=spreadsheet)
        Export(self, clinics, text, named).write(path, format, overwrite=overwrite)

    def plot(self, *unnamed: Never, **options: Any) -> Any:
        """Draw the matches on a static map of land and water, without network (extra ``maps``).

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        draw, it says how many match instead, without a distance. The origin is drawn only where
        it is given as ``origin=matches.origin``.

        Parameters
        ----------
        *unnamed
            Refused: options go by name, and a file is written from what this returns.
        **options
            As in `ketafind.show.plots.plot_clinics`: ``ax``, ``figsize``, ``title``, ``labels``,
            ``basemap``, ``credit``, ``lang`` and more.

        Returns
        -------
        matplotlib.axes.Axes
            The map, in metres of its projection; ``matches.plot().figure`` to save.
        """
        refuse_unnamed(unnamed, ".plot().figure.savefig(path)")
        from ketafind.show.plots import plot_clinics

        said = self.translated(options.pop("lang", self._lang))
        asked = {"sources": said._credits(), **said._empty(), **options}
        return plot_clinics(self.columns(), lang=said._lang, **asked)

    def explore(self, *unnamed: Never, **options: Any) -> MapPage:
        """Show the matches on a map to pan and zoom, beside a list; asks no other host.

        A clinic of which it is not known whether it matches is a ring; where there is no clinic to
        show, it says how many match instead, without a distance. The origin is marked only where
        it is given as ``origin=matches.origin``.

        Parameters
        ----------
        *unnamed
            Refused: options go by name, and a file is written from what this returns.
        **options
            As in `ketafind.show.map.explore_clinics`: ``column``, ``origin``, ``basemap``,
            ``title``, ``lang``, ``height``.

        Returns
        -------
        MapPage
            Shows itself in a notebook; ``save(path)`` writes a page.
        """
        from ketafind.explain.findings import sources

        refuse_unnamed(unnamed, ".explore().save(path)")
        from ketafind.show.map import explore_clinics

        said = self.translated(options.pop("lang", self._lang))
        evidence = [sources(one.evidence(), self.vocabulary, said._lang) for one in self]
        far = [list(said._far(match)) for match in said]
        notes = [said._counts(), *said._proof(), *said._credits()]
        asked = {"evidence": evidence, "far": far, "notes": notes, **said._empty(), **options}
        return explore_clinics(self.columns(), self.vocabulary, lang=said._lang, **asked)

    def _far(self, match: Match) -> Iterator[str]:
        if self._travels:
            yield _time(match, self._lang)
        known = remark(precision_of(match.clinic), self._lang)
        yield known if match.distance_km is None else _distance(match, self._lang)

    def _credits(self) -> list[str]:
        """Whose data and roads a picture shows."""
        data = credited(self._data(), self._page.ranking.catalogue.licence)
        return [data, *filter(None, [self._page.ranking.credit])]

    def _empty(self) -> dict[str, Any]:
        """What a map says that has nothing to show; a picture holds no distances."""
        has_place = any(match.clinic.location is not None for match in self)
        return {} if has_place else {"empty": f"{self._counts()}\n{self._data()}"}

    def __repr__(self) -> str:
        from ketafind.show.text import terminal_width, text_table, wrapped

        width = terminal_width()
        notes = "\n".join(line for note in self._notes() for line in wrapped(note, width))
        if not self:
            return notes
        columns = self._table()
        table = text_table([*zip(*columns.values(), strict=True)], [*columns], width)
        # Where there is no room for columns, each match is a block of lines.
        gap = "\n\n" if "\n\n" in table else "\n"
        return f"{table}{gap}{notes}"

    def _repr_html_(self) -> str:
        from ketafind.show.html import html_table

        table = self._table()
        # What an answer is about stands first, where a narrow screen shows it.
        words = self._words
        first = ["", *(words.say(f"table.{name}") for name in ("time", "distance", "match"))]
        columns = {name: table[name] for name in [*first, *table] if name in table}
        rows, headers = zip(*columns.values(), strict=True), ["#", *[*columns][1:]]
        return html_table(rows, headers, notes=self._notes(), lang=self._lang)

    def _table(self) -> dict[str, list[str]]:
        """Columns of texts for people, by their headers."""
        lang, words = self._lang, self._words
        columns = {
            "": [str(match.rank) for match in self],
            words.say("table.clinic"): [match.clinic.name for match in self],
            words.say("table.city"): [match.clinic.city for match in self],
        }
        if self._travels:
            columns[words.say("table.time")] = [_time(match, lang) for match in self]
        remarks = [remark(precision_of(match.clinic), lang) for match in self]
        if any(match.distance_km is not None for match in self):
            columns[words.say("table.distance")] = [_distance(match, lang) for match in self]
        elif any(remarks):
            columns[words.say("table.position")] = remarks
        columns[words.say("table.match")] = [words.say(f"truth.{match.truth}") for match in self]
        facets = {facet.plural: facet for facet in self.vocabulary.facets}
        for name in list(facets)[:2]:
            facet = facets[name]
            offered = [match.service.terms(facet.id) for match in self]
            if lang == "en":
                columns[name] = [", ".join(terms) for terms in offered]
            else:
                labels = ("; ".join(facet[term].label(lang) for term in terms) for terms in offered)
                columns[facet.label(lang)] = list(labels)
        contacts = [match.clinic.phone or _host(match.clinic.website) for match in self]
        columns[words.say("table.contact")] = contacts
        return columns

    def _notes(self) -> list[str]:
        """What the answer leaves open."""
        words, how_far = self._words, _time if self._travels else _distance
        names = [f"{one.clinic.name}, {how_far(one, self._lang)}" for one in self.nearer_possible]
        key = "nearer" if self else "nearest"
        nearer = [words.counted(key, len(names), names="; ".join(names))] if names else []
        return [self._counts(), *nearer, *self._proof(), self._data()]

    def _proof(self) -> list[str]:
        """How an answer by time is ordered, and of how many clinics no time is given."""
        if self.certificate is None:
            return []
        return [self._words.travel_notes(self.certificate, self._page.ranking.travel)]

    def _data(self) -> str:
        return self._words.data(self.snapshot)

    def _counts(self) -> str:
        """How many clinics were found, without a distance."""
        words = self._words
        placed = words.say("table.placed") if self.n_unlocated else ""
        counts = {"n": len(self), "of": self.n_eligible, "placed": placed}
        some = "one" if len(self) == self.n_eligible == 1 else "some"
        key = f"table.{self.unknown}.{some if self.n_eligible else 'none'}"
        said = [words.say(key, **counts)]
        if self.n_possible and self.unknown == "exclude":
            said.append(words.counted("possible", self.n_possible))
        if self.n_unlocated:
            said.append(words.counted("table.unlocated", self.n_unlocated))
        inside = self._page.ranking.n_inside
        if inside is not None and inside != (self.n_eligible, self.n_eligible):
            said.append(words.say("inside", low=inside[0], high=inside[1]))
        if self and self[0].distance_km is not None and not self.order_certain:
            said.append(words.say("order.uncertain"))
        return " ".join(said)

    def explain(self, *, lang: str = "en") -> AnswerExplanation:
        """Say why each match is here, clause by clause, and what the answer leaves open.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        AnswerExplanation
            Text, plain data and HTML. Where nothing matches, it says what would.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        from ketafind.explain.answers import explain_answer

        return explain_answer(self._page, lang)

    def why_not(self, clinic_id: str, *, lang: str = "en") -> MissExplanation:
        """Say why a clinic is not among the matches.

        Parameters
        ----------
        clinic_id : str
            Any clinic of the directory.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        MissExplanation
            Its clauses, and the rank it has or would have if it were eligible. A clinic that is
            among the matches says so.

        Raises
        ------
        UnknownClinicError
            If no clinic has this id.
        InvalidInputError
            If lang is another language.
        """
        from ketafind.explain.answers import explain_miss

        return explain_miss(self._page, clinic_id, lang)

    def relax(self, limit: int = 3, *, lang: str = "en") -> Relaxations:
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
            Cheapest first: accepting clinics of which it is not known whether they match (1), a
            wider radius (2), a wider area or a broader term (3), leaving a clause out (4 each);
            then by distance. No change in a set can be left out. Each says how many clinics the
            changed question gives, and which new one is the nearest.

        Raises
        ------
        InvalidInputError
            If limit is not a whole number of 1 or more, or lang is another language.

        Notes
        -----
        Minimal correction sets, read off the bitmaps: see `ketafind.explain.relax.minimal_sets`.
        """
        from ketafind.explain.relax import smallest_changes

        return smallest_changes(self._page.ranking, check_count(limit, "limit"), lang)

    def questions(self, limit: int = 5, *, lang: str = "en") -> Questions:
        """List what to ask which clinic, to settle what keeps it out or makes it uncertain.

        Parameters
        ----------
        limit : int
            How many clinics at the most.
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Questions
            Most valuable first: the clinics that fewest answers would confirm, then the nearest.

        Raises
        ------
        InvalidInputError
            If limit is not a whole number of 1 or more, or lang is another language.
        """
        from ketafind.explain.questions import questions

        return questions(self._page.ranking, check_count(limit, "limit"), lang)


def _labels(match: Match, lang: str) -> dict[str, str | list[str]]:
    """What the words of a match are called."""
    from ketafind.tables.frames import terms_of

    catalogue = match._page.ranking.catalogue
    fixed = {"truth": str(match.truth), "status": match.clinic.status}
    if match.clinic.location is not None:
        fixed["precision"] = match.clinic.location.precision
    return {name: label_of(name, word, lang) for name, word in fixed.items()} | {
        facet.plural: [
            facet[term].label(lang) for term in terms_of(match.clinic.services, facet.id)
        ]
        for facet in catalogue.vocabulary.facets
    }


def _host(website: str) -> str:
    return website.partition("://")[2].removeprefix("www.").rstrip("/")


def _distance(match: Match, lang: str) -> str:
    interval = match.distance_low_km, match.distance_high_km
    return distance_text(match.distance_km, *interval, precision_of(match.clinic), lang)


def _time(match: Match, lang: str) -> str:
    ends = match.travel_time_low_min, match.travel_time_high_min
    return time_text(match.travel_time_min, *ends, lang)


_DISTANCES: tuple[str, ...] = ("distance_km", "distance_low_km", "distance_high_km")
_TIMES: tuple[str, ...] = ("travel_time_min", "travel_time_low_min", "travel_time_high_min")
_OWN = ("rank", "service_id", *_DISTANCES, *_TIMES, "travel_distance_km", "truth", "is_match")
"""The columns of a match besides those of its clinic."""
