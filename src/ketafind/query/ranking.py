"""A question and its whole order of answers, of which a page is taken at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind import geo
from ketafind.query.filter import Filter, UnknownPolicy
from ketafind.query.origin import counted_inside

if TYPE_CHECKING:
    from shapely import MultiPolygon, Polygon

    from ketafind.query.catalogue import Catalogue
    from ketafind.query.origin import Start
    from ketafind.travel.router import Certificate

FARTHEST_KM = 20_038.0
"""No two places on earth are farther apart."""

Span = tuple[float, float]
Rivals = Iterator[tuple[int, Span]]
"""Numbers of clinics, and their intervals."""


Found = tuple[NDArray[np.float64], NDArray[np.intp]]
"""Distances in km, and the points at them."""


class Trip(NamedTuple):
    """How long it takes to a clinic: free-flow minutes, with their 90 % interval."""

    minutes: float | None
    low_min: float | None
    high_min: float | None
    """None where most places around the origin or the clinic have no time."""
    road_km: float | None
    """How long the way is, where the router says."""
    reason: str
    """Why there is no time, one of ``REASONS`` or ``not_asked``; empty where there is one."""
    profile: str


class Ranking:
    """The clinics that a filter lets pass, nearest first, or by id where there is no origin."""

    certificate: Certificate | None = None
    """How it is proved that no other clinic is nearer, where that takes a proof."""
    travel: str | None = None
    """How one travels, where the order is by time."""
    credit = ""
    """Whose roads were travelled."""
    limit_min: float = math.inf

    def __init__(
        self,
        eligible: Filter,
        origin: Start | None = None,
        limit_km: float = math.inf,
        area: Polygon | MultiPolygon | None = None,
    ) -> None:
        self.filter = eligible
        self.area = area
        self.catalogue: Catalogue = eligible._catalogue
        self.origin = origin
        self.limit_km = limit_km

    def part(self, start: int, stop: int | None) -> tuple[list[float] | None, list[int]]:
        """Find a part of the order: distances in km (None without an origin), and clinics."""
        if self.origin is None:
            return None, self._by_id[start:stop].tolist()
        if stop is None:
            distances, points = (one.tolist() for one in self._within(self.filter._prepared))
            return distances[start:], self.catalogue.clinic_of_point[points[start:]].tolist()
        lat, lon = self.origin[:2]
        distances, clinic_nos = self.filter.nearest(lat, lon, stop, self.limit_km)
        return distances[start:], clinic_nos[start:]

    @cached_property
    def n_eligible(self) -> int:
        """How many clinics the whole order holds."""
        if self.origin is None:
            return len(self._by_id)
        if math.isinf(self.limit_km):
            return self.filter.n_eligible
        return len(self._within(self.filter._prepared)[1])

    @cached_property
    def n_possible(self) -> int:
        """How many located clinics inside the limits may satisfy the criteria or not."""
        if self.origin is None or math.isinf(self.limit_km):
            return self.filter.n_possible
        return len(self._within(self.filter._possible)[1])

    @cached_property
    def n_inside(self) -> tuple[int, int] | None:
        """How many are inside the area or limit certainly, and possibly, at the 90 % level."""
        if self.area is not None:
            anywhere = Filter(self.catalogue, self.filter.criteria, self.filter.unknown)
            return counted_inside(self.area, self.catalogue.points, anywhere._clinic_nos())
        if self.origin is None or math.isinf(self.limit_km):
            return None
        whole = Ranking(self.filter, self.origin)
        far, points = whole.contenders(self.limit_km, self.filter._prepared, 0)
        radius_km = self.catalogue.points.radius_km[points]
        _, high = geo.distance_intervals_km(far, self.origin.radius_km, radius_km)
        return int((high <= self.limit_km).sum()), len(points)

    def interval_km(self, distance_km: float, clinic_no: int) -> tuple[float, float]:
        """Bound the true distance to a clinic; see `distance_interval_km`."""
        radius_km = float(self.catalogue.radius_km[clinic_no])
        return geo.distance_interval_km(distance_km, self._start.radius_km, radius_km)

    def trip(self, clinic_no: int) -> Trip | None:  # noqa: ARG002
        """How long it takes to a clinic; None where the order is by straight line."""
        return None

    def under(self, unknown: UnknownPolicy, reach: float | None = None) -> Ranking:
        """The same question under another unknown policy, no farther than this in the order."""
        limit_km = self.limit_km if reach is None else min(reach, self.limit_km)
        return Ranking(self.filter._under(unknown), self.origin, limit_km)

    def values(self, page: Page) -> Sequence[float | None]:
        """By what the entries of a page are ordered: how far they are."""
        return page.distances_km

    def spans(self, page: Page) -> list[Span | None]:
        """The 90 % intervals of these."""
        return list(map(page.span_km, range(len(page))))

    def rivals(self, reach: float, skip: int, *, possible: bool = False) -> Rivals:
        """The clinics, but for the nearest few, that may be nearer than this, and their intervals."""
        prepared = self.filter._possible if possible else self.filter._prepared
        far, points = self.contenders(reach, prepared, skip)
        for distance_km, point in zip(far, points, strict=True):
            clinic_no = int(self.catalogue.clinic_of_point[point])
            yield clinic_no, self.interval_km(float(distance_km), clinic_no)

    @staticmethod
    def rounded(distance_km: float) -> int:
        """A distance in the unit in which two are equal."""
        return round(distance_km * 1e9)

    def settles(self, reach: float) -> bool:  # noqa: ARG002
        """Learn who may be nearer than this, and say whether enough is known of it."""
        return True

    def distance_km(self, clinic_no: int) -> float | None:
        """Measure how far a clinic is; None without an origin or a position of the clinic."""
        place = self.catalogue.clinics[clinic_no].location
        if self.origin is None or place is None:
            return None
        return float(geo.geodesic_km(self.origin.lat, self.origin.lon, place.lat, place.lon))

    def rank_of(self, distance_km: float, clinic_no: int) -> int | None:
        """Count the rank that a clinic has, or would have if eligible; whatever the limit."""
        lat, lon = self._start[:2]
        far, points = self.catalogue.index.within(
            lat, lon, min(distance_km, FARTHEST_KM), self.filter._prepared
        )
        # The order: by distance rounded to one micrometre, then by id.
        own, theirs = geo.micrometres(distance_km), geo.micrometres(far)
        numbers = self.catalogue.points.clinic_no[points]
        before = (theirs < own) | ((theirs == own) & (numbers < clinic_no))
        return int(before.sum()) + 1

    def contenders(self, reach_km: float, prepared: object, skip: int) -> Found:
        """The points, but for the nearest few, that may be nearer than this."""
        radius_km, own_km = self.catalogue.points.radius_km, self._start.radius_km
        # No interval begins farther below its distance than both radii together.
        slack_km = math.hypot(own_km, float(radius_km.max(initial=0.0)))
        distances, points = self._within(prepared, reach_km + slack_km)
        distances, points = distances[skip:], points[skip:]
        near = geo.distance_lows_km(distances, own_km, radius_km[points]) <= reach_km
        return distances[near], points[near]

    def _within(self, prepared: object, reach_km: float = math.inf) -> Found:
        lat, lon = self._start[:2]
        limit_km = min(self.limit_km, FARTHEST_KM, reach_km)
        return self.catalogue.index.within(lat, lon, limit_km, prepared)

    @property
    def _start(self) -> Start:
        if self.origin is None:
            raise ValueError("distances need an origin")
        return self.origin

    @cached_property
    def _by_id(self) -> NDArray[np.intp]:
        return self.filter._clinic_nos()


MAX_NEARER = 3


class Page:
    """A part of the order, found: which clinics, how far, and what may change places."""

    __slots__ = ("__dict__", "clinic_nos", "distances_km", "ranking", "start", "stop")

    def __init__(
        self,
        ranking: Ranking,
        start: int,
        stop: int | None,
        found: tuple[Sequence[float | None] | None, list[int]] | None = None,
    ) -> None:
        self.ranking: Ranking = ranking
        self.start: int = start
        self.stop: int | None = stop
        distances, numbers = ranking.part(start, stop) if found is None else found
        self.clinic_nos: list[int] = numbers
        self.distances_km: Sequence[float | None] = (
            [None] * len(numbers) if distances is None else distances
        )
        self.certificate: Certificate | None = ranking.certificate

    def __len__(self) -> int:
        return len(self.clinic_nos)

    def part(self, start: int, stop: int) -> Page:
        """Take a part of the page; one that reaches its end ends where the page does."""
        end = self.stop if stop == len(self) else self.start + stop
        found = self.distances_km[start:stop], self.clinic_nos[start:stop]
        part = Page(self.ranking, self.start + start, end, found)
        part.certificate = self.certificate
        return part

    def span_km(self, at: int) -> Span | None:
        """The 90 % interval of the distance of an entry; None where there is no distance."""
        far = self.distances_km[at]
        return None if far is None else self.ranking.interval_km(far, self.clinic_nos[at])

    @cached_property
    def _order_spans(self) -> list[Span | None]:
        return self.ranking.spans(self)

    @property
    def _spans(self) -> list[Span]:
        return [span for span in self._order_spans if span is not None]

    @cached_property
    def order_certain(self) -> bool:
        """Whether the order is certain at the 90 % level; False where there is no origin."""
        ranking = self.ranking
        if ranking.origin is None or ranking.filter.n_unlocated:
            return False
        spans = sorted(self._spans)
        # Where they touch, the distances may be equal.
        if any(low <= high for (_, high), (low, _) in pairwise(spans)):
            return False
        if self.start and spans:
            before = Page(ranking, 0, self.start)._spans
            if max(high for _, high in before) >= spans[0][0]:
                return False
        reach = math.inf
        if self._is_full and spans:
            reach = max(high for _, high in spans)
            # Not the next alone: one farther off may be known less well.
            end = self.start + len(self)
            if not ranking.settles(reach) or any(True for _ in ranking.rivals(reach, end)):
                return False
        if ranking.filter.unknown != "exclude" or not ranking.n_possible:
            return True
        return not any(True for _ in ranking.rivals(reach, 0, possible=True))

    @property
    def _is_full(self) -> bool:
        """Whether clinics may come after it."""
        return self.stop is not None and len(self) >= self.stop - self.start

    def may_swap_with(self, at: int) -> list[int]:
        """Find the neighbours whose intervals overlap that of an entry."""
        own = self._order_spans[at]
        if own is None:
            return []
        low, high = own
        return [
            clinic_no
            for clinic_no, span in self._neighbours
            if clinic_no != self.clinic_nos[at] and span[0] <= high and low <= span[1]
        ]

    @cached_property
    def _neighbours(self) -> list[tuple[int, Span]]:
        """The page, and the first clinic after it that may be nearer than one of it."""
        found = list(zip(self.clinic_nos, self._spans, strict=True))
        if self._is_full and found:
            reach = max(high for _, high in self._spans)
            self.ranking.settles(reach)  # or who was not looked at would be no rival
            found += islice(self.ranking.rivals(reach, self.start + len(self)), 1)
        return found

    @cached_property
    def nearer_possible(self) -> Page:
        """UNKNOWN clinics nearer than the last entry, or inside the limit where there is none."""
        ranking = self.ranking
        if ranking.origin is None or ranking.filter.unknown != "exclude":
            return Page(ranking, 0, 0, ([], []))
        end = self.ranking.values(self)[-1] if len(self) else None
        found = Page(ranking.under("only", end), 0, MAX_NEARER)
        if end is None:
            return found
        # As far, but later by its id, is not nearer.
        last = ranking.rounded(end), self.clinic_nos[-1]
        keys = zip(found.ranking.values(found), found.clinic_nos, strict=True)
        nearer = [(ranking.rounded(value or 0.0), no) for value, no in keys]
        return found.part(0, sum(key < last for key in nearer))
