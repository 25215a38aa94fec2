"""The order of a question by travel time: searched no farther than it takes, in spite of doubt."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import InvalidInputError
from ketafind.geo import circles, geodesic_km, real
from ketafind.index.protocol import check_limit
from ketafind.query.filter import Filter, UnknownPolicy
from ketafind.query.origin import Start
from ketafind.query.ranking import Page, Ranking, Rivals, Span, Trip
from ketafind.travel import GraphRouter, Router
from ketafind.travel.router import (
    BATCH,
    LEAST_PACE,
    REASONS,
    Certificate,
    Floats,
    answered,
    check_router,
    error_of,
    pace,
)

TIE_MIN = 1 / 60_000
"""Times are equal that are so to the millisecond: the least number comes first."""
FIRST_MIN, PACE_MIN, USUAL_KMH = 1.0, 3.0, 110.0
"""How far a bounded search looks at first: at the least, and for what a straight line would take
at the fastest speed, or the usual one. Roads wind, and most are slower."""
NEITHER, LISTED, POSSIBLE = 0, 1, 2
"""What a place is to the question: of no interest, one to list, or one that may be."""
MAX_POSSIBLE = 3
RING = 8
"""So many places on the circle that holds a position nine times in ten stand for its doubt."""
SHARE = 0.9
"""Of what the circle makes, so much holds the true time nine times in ten (benchmarks/roads.py)."""
Numbers = NDArray[np.intp]


class Places(NamedTuple):
    """Places that may be asked about, and what each is to the question."""

    number: Numbers
    lat: Floats
    lon: Floats
    role: NDArray[np.int8]
    distance_km: Floats
    """From the origin in a straight line."""


class TimeSearch(ABC):
    """The times from one origin as far as they are known, and how to learn more."""

    number: Numbers
    role: NDArray[np.int8]
    minutes: Floats
    """NaN where it is not known, or where there is none."""
    reason: NDArray[np.int8]
    snap_km: Floats
    road_km: Floats
    """By road; NaN where the router does not say."""

    def __init__(
        self, router: Router, origin: tuple[float, float], limit_min: float = math.inf
    ) -> None:
        self.router: Router = router
        self.origin: tuple[float, float] = origin
        self.limit_min: float = limit_min
        self.n_requests = 0
        self.origin_snap_km: float = math.nan
        self._lock = RLock()

    @abstractmethod
    def first(self, k: int) -> None:
        """Learn enough to name the k nearest to be listed, and the possible ones among them."""

    @abstractmethod
    def everything(self) -> None:
        """Learn all that takes no request."""

    @property
    @abstractmethod
    def horizon_min(self) -> float:
        """No place without a known time takes less."""

    @property
    @abstractmethod
    def method(self) -> str:
        """How it is proved: see `Certificate`."""

    def order(self, stop: int | None, chosen: NDArray[np.bool_] | None = None) -> Numbers:
        """Where the nearest stand of those known: to be listed, or chosen; ties come by number."""
        chosen = self.role == LISTED if chosen is None else chosen
        at = np.flatnonzero(chosen & (self.minutes <= self.limit_min))
        keys = np.rint(self.minutes[at] / TIE_MIN)
        kept: Numbers = at[np.lexsort((self.number[at], keys))[:stop]]
        return kept

    def place(self, number: int) -> int | None:
        """Where a place stands; None if nothing was learnt of it."""
        found = np.flatnonzero(self.number == number)
        return int(found[0]) if len(found) else None

    def certificate(self, stop: int | None, name: Callable[[int], str]) -> Certificate:
        """State how the order is proved up to a rank."""
        listed = self.order(stop)
        snaps = zip(self.number[listed].tolist(), self.snap_km[listed].tolist(), strict=True)
        asked = self.role != NEITHER
        counts = np.bincount(self.reason[asked], minlength=len(REASONS))
        speed = self.router.max_speed_kmh
        return Certificate(
            proved=self.method != "nearest by line",
            method=self.method,
            bound_min=None if math.isinf(self.horizon_min) else self.horizon_min,
            n_examined=int(asked.sum()),
            n_requests=self.n_requests,
            max_speed_kmh=None if speed is None or math.isinf(speed) else speed,
            origin_snap_km=None if math.isnan(self.origin_snap_km) else self.origin_snap_km,
            clinic_snap_km={name(number): km for number, km in snaps if not math.isnan(km)},
            unreachable={
                word: int(n) for word, n in zip(REASONS[1:], counts[1:], strict=True) if n
            },
        )


class GraphSearch(TimeSearch):
    """One's own graph is searched from the origin, no farther than it takes."""

    # ``near_km(k)`` is how far the k-th nearest place to be listed is in a straight line.

    router: GraphRouter
    method = "search"

    def __init__(
        self, router: GraphRouter, origin: tuple[float, float], places: Places,
        near_km: Callable[[int], float], limit_min: float = math.inf,
    ) -> None:  # fmt: skip
        super().__init__(router, origin, limit_min)
        self._near_km = near_km
        self.number, self.role = places.number, places.role
        self._goal = router.targets(places.lat, places.lon)
        self._start = router.ends_of(router.snap(np.array([origin])))
        self.snap_km = self._goal.snap.distance_km
        self.origin_snap_km = float(self._start.snap.distance_km[0])
        self.minutes = self.road_km = np.full(len(self.number), np.nan)
        self._reach_min = -math.inf
        self._off = (self._goal.snap.road < 0) | (self._start.snap.road[0] < 0)
        self.reason = self._off * np.int8(REASONS.index("off_network"))

    @property
    def horizon_min(self) -> float:
        return self._reach_min

    def first(self, k: int) -> None:
        with self._lock:
            listed = self.role == LISTED
            speed_kmh = min(max(self.router.max_speed_kmh, 1.0), USUAL_KMH)
            step = max(FIRST_MIN, PACE_MIN * self._near_km(k) / speed_kmh * 60.0)
            if listed.sum() < k:
                step = math.inf
            # Most networks are crossed in a few doublings; what is left is not connected.
            for reach in (step, 2.0 * step, 4.0 * step, 8.0 * step, math.inf):
                # One a hair farther off than the reach could tie with one a hair nearer.
                if (self.minutes[listed] <= self._reach_min - TIE_MIN).sum() >= k:
                    return
                if self._reach_min < min(self.limit_min, reach):
                    self._look(min(self.limit_min, reach))

    def everything(self) -> None:
        with self._lock:
            if not math.isinf(self._reach_min):
                self._look(math.inf)

    def _look(self, reach_min: float) -> None:
        if self._off.all():
            self._reach_min = math.inf
            return
        found = self.router.reach(self._start, 0, reach_min).to(self._goal)
        # Beyond the reach a time may be that of a detour: nodes farther off were not looked at.
        self.minutes = np.where(
            (found <= reach_min) & ~self._off & np.isfinite(found), found, np.nan
        )
        self.n_requests += 1
        self._reach_min = reach_min
        if math.isinf(reach_min):  # only then is it known that no way leads there
            self.reason[np.isnan(self.minutes) & ~self._off] = REASONS.index("unreachable")


class BatchSearch(TimeSearch):
    """Others are asked in batches, nearest by line first, until no place left can be nearer."""

    # ``page(start, stop)`` gives places in the order of their straight distance, fewer at the end;
    # ``n_listed`` says how many of all are to be listed.

    def __init__(
        self, router: Router, origin: tuple[float, float], page: Callable[[int, int], Places],
        n_listed: int, limit_min: float = math.inf,
    ) -> None:  # fmt: skip
        super().__init__(router, origin, limit_min)
        speed = router.max_speed_kmh
        if speed is not None and not 0.0 < real(speed) < math.inf:
            raise InvalidInputError("a router's max_speed_kmh is a speed in km/h, or None")
        self._size = getattr(router, "batch", BATCH)
        self._snap_km = getattr(router, "max_snap_km", 0.0)
        self._page, self._n_listed = page, n_listed
        self._next = page(0, self._size)
        self.number = np.empty(0, np.intp)
        self.role = self.reason = np.empty(0, np.int8)
        self.minutes = self.snap_km = self.road_km = np.empty(0)

    @property
    def method(self) -> str:
        if not len(self._next.number):
            return "all"
        return "nearest by line" if self.router.max_speed_kmh is None else "bound"

    @property
    def horizon_min(self) -> float:
        if not len(self._next.number):
            return math.inf
        if self.router.max_speed_kmh is None:
            return 0.0
        # The ways to the roads that stand for the places are not in the time.
        left_km = self._next.distance_km[0] - np.nan_to_num(self.origin_snap_km) - self._snap_km
        return max(0.0, float(left_km / self.router.max_speed_kmh * 60.0))

    def everything(self) -> None:
        pass

    def first(self, k: int) -> None:
        with self._lock:
            while len(self._next.number) and not self._is_enough(k):
                self._ask(self._next)
                start = len(self.number)
                self._next = self._page(start, start + self._size)

    def _is_enough(self, k: int) -> bool:
        if not len(self.number):
            return False
        if self.router.max_speed_kmh is None:
            # Nobody vouches for a bound: as many again as were asked for is an honest try.
            return len(self.order(k)) >= k
        # A tie may be won by a place farther off.
        return self.horizon_min > min(self._worst(k), self.limit_min) + TIE_MIN

    def _worst(self, k: int) -> float:
        """The time that a place must beat to change what is listed, or said to be possible."""
        listed = self.order(k)
        if len(listed) == k or (len(listed) and (self.role == LISTED).sum() == self._n_listed):
            return float(self.minutes[listed[-1]])
        if (self.role == LISTED).sum() < self._n_listed:
            return math.inf
        possible = self.order(MAX_POSSIBLE, self.role == POSSIBLE)
        return float(self.minutes[possible[-1]]) if len(possible) == MAX_POSSIBLE else math.inf

    def _ask(self, part: Places) -> None:
        there = np.column_stack([part.lat, part.lon])
        answer = answered(self.router, np.array([self.origin]), there)
        self.n_requests += 1
        self.origin_snap_km = float(answer.origin_snap_km[0])
        road_km = np.full(len(there), np.nan) if answer.km is None else answer.km[0]
        self.number = np.append(self.number, part.number)
        self.role = np.append(self.role, part.role)
        self.minutes = np.append(self.minutes, answer.minutes[0])
        self.reason = np.append(self.reason, answer.reason[0])
        self.snap_km = np.append(self.snap_km, answer.target_snap_km)
        self.road_km = np.append(self.road_km, road_km)


class TravelRanking(Ranking):
    """The clinics that a filter lets pass, nearest by time first."""

    origin: Start

    def __init__(
        self, eligible: Filter, origin: Start, router: Router, *, limit_km: float = math.inf,
        limit_min: float = math.inf, search: TimeSearch | None = None,
    ) -> None:  # fmt: skip
        super().__init__(eligible, origin, limit_km)
        self.router: Router = router
        self.limit_min: float = limit_min
        self.travel: str | None = router.profile
        self._error = error_of(router)
        self.credit: str = getattr(router, "credit", "")
        self._asks = search is None
        self._members = eligible._passing(eligible.unknown)
        self._search = self._new_search() if search is None else search
        self._stop: int | None = 0
        self._known_spans: dict[int, Span] = {}

    def _new_search(self) -> TimeSearch:
        place, points = (self.origin.lat, self.origin.lon), self.catalogue.points
        listed = self._members
        maybe = np.zeros_like(listed)
        if self.filter.unknown == "exclude" and self.filter.n_possible:
            maybe = self.filter._passing("only")
        role = LISTED * listed.astype(np.int8) + POSSIBLE * maybe.astype(np.int8)
        if isinstance(self.router, GraphRouter):
            roles, far = role[points.clinic_no], np.zeros(len(points.lat))
            if not math.isinf(self.limit_km):
                far = geodesic_km(*place, points.lat, points.lon)
                roles[far > self.limit_km] = NEITHER
            everywhere = Places(points.clinic_no, points.lat, points.lon, roles, far)

            def near_km(k: int) -> float:
                found, _ = self.filter.nearest(*place, k, self.limit_km)
                return found[-1] if found else 0.0

            return GraphSearch(self.router, place, everywhere, near_km, self.limit_min)
        asked = self.filter._under("include") if maybe.any() else self.filter

        def page(start: int, stop: int) -> Places:
            km, numbers = (
                np.array(one[start:]) for one in asked.nearest(*place, stop, self.limit_km)
            )
            numbers = numbers.astype(np.intp)
            at = np.searchsorted(points.clinic_no, numbers)
            return Places(numbers, points.lat[at], points.lon[at], role[numbers], km)

        return BatchSearch(self.router, place, page, super().n_eligible, self.limit_min)

    @property
    def certificate(self) -> Certificate:  # type: ignore[override]
        clinics = self.catalogue.clinics
        return self._search.certificate(self._stop, lambda number: clinics[number].clinic_id)

    def part(self, start: int, stop: int | None) -> tuple[list[float] | None, list[int]]:
        if self._asks and stop is not None:
            self._search.first(stop)
        elif stop is None:
            self._search.everything()
        self._stop, search = stop, self._search
        at = search.order(stop, self._chosen & (search.minutes <= self.limit_min))[start:]
        clinic_nos = search.number[at].tolist()
        return [km for no in clinic_nos if (km := self.distance_km(no)) is not None], clinic_nos

    @property
    def _chosen(self) -> NDArray[np.bool_]:
        """Which of the places that are known may be listed."""
        search = self._search
        chosen: NDArray[np.bool_] = self._members[search.number] & (search.role != NEITHER)
        return chosen

    def under(self, unknown: UnknownPolicy, reach: float | None = None) -> Ranking:
        return TravelRanking(
            self.filter._under(unknown), self.origin, self.router, limit_km=self.limit_km,
            limit_min=self.limit_min if reach is None else min(reach + TIE_MIN, self.limit_min),
            search=self._search,
        )  # fmt: skip

    @staticmethod
    def rounded(distance_km: float) -> int:
        return round(distance_km / TIE_MIN)

    def values(self, page: Page) -> Sequence[float | None]:
        return [
            None if (at := self._search.place(no)) is None else self._minutes(at)
            for no in page.clinic_nos
        ]

    def spans(self, page: Page) -> list[Span | None]:
        at = [self._search.place(no) for no in page.clinic_nos]
        return list(self._spans_of(np.array([one for one in at if one is not None], np.intp)))

    def _minutes(self, at: int) -> float | None:
        minutes = float(self._search.minutes[at])
        return None if math.isnan(minutes) else minutes

    def trip(self, clinic_no: int) -> Trip:
        search, profile = self._search, self.router.profile
        at = search.place(clinic_no)
        if at is not None and self._minutes(at) is None and not search.reason[at]:
            search.everything()
        minutes = None if at is None else self._minutes(at)
        if at is None or minutes is None:
            reason = "" if at is None else REASONS[search.reason[at]]
            return Trip(None, None, None, None, reason or "not_asked", profile)
        ((low, high),) = self._spans_of(np.array([at]))
        km = float(search.road_km[at])
        return Trip(
            minutes, low, None if math.isinf(high) else high,
            None if math.isnan(km) else km, "", profile,
        )  # fmt: skip

    def rank_of(self, distance_km: float, clinic_no: int) -> int | None:  # noqa: ARG002
        minutes, search = self.trip(clinic_no).minutes, self._search
        if minutes is None or minutes > search.horizon_min:
            return None
        keys = np.rint(search.minutes / TIE_MIN)
        own = np.rint(minutes / TIE_MIN)
        before = (keys < own) | ((keys == own) & (search.number < clinic_no))
        return int((before & self._chosen).sum()) + 1

    # ---- doubt ----

    @property
    def _is_doubtful(self) -> bool:
        return bool(self.origin.radius_km or self.catalogue.points.radius_km.any())

    def settles(self, reach: float) -> bool:
        search, low = self._search, self._error[0]
        if isinstance(search, GraphSearch):
            if self._is_doubtful or search.horizon_min * low <= reach:
                search.everything()
            return True
        widest_km = float(self.catalogue.points.radius_km.max(initial=0.0))
        doubt_min = SHARE * math.hypot(self.origin.radius_km, widest_km) * LEAST_PACE
        return (search.horizon_min - doubt_min) * low > reach

    def rivals(self, reach: float, skip: int, *, possible: bool = False) -> Rivals:
        search = self._search
        at = search.order(None, search.role == (POSSIBLE if possible else LISTED))[skip:]
        at = at[self._lowest(at) <= reach]
        for number, span in zip(search.number[at].tolist(), self._spans_of(at), strict=True):
            if span[0] <= reach:
                yield number, span

    def _lowest(self, at: Numbers) -> Floats:
        """What no interval goes below, found without a search."""
        search, speed = self._search, self.router.max_speed_kmh
        if not self._is_doubtful:
            return search.minutes[at] * self._error[0]
        if speed is None or not isinstance(search, GraphSearch):
            return np.zeros(len(at))
        lat, lon, radius_km = self._positions(at)
        # A place on a circle may be snapped to another road than its centre, not farther off.
        slack_km = 2 * (self.origin.radius_km + radius_km) + search.snap_km[at]
        far_km = geodesic_km(self.origin.lat, self.origin.lon, lat, lon)
        return (far_km - slack_km - search.origin_snap_km) / speed * 60.0 * self._error[0]

    def _positions(self, at: Numbers) -> tuple[Floats, Floats, Floats]:
        points = self.catalogue.points
        row = np.searchsorted(points.clinic_no, self._search.number[at])
        return points.lat[row], points.lon[row], points.radius_km[row]

    def _spans_of(self, at: Numbers) -> Iterator[Span]:
        """The 90 % intervals of times; infinite at the end where some place has no time."""
        known = self._known_spans
        if new := [one for one in at.tolist() if one not in known]:
            minutes = self._search.minutes[new]
            below, above = self._deviations(np.array(new), minutes)
            lows = np.maximum(0.0, minutes - below) * self._error[0]
            highs = (minutes + above) * self._error[1]
            spans = zip(lows.tolist(), highs.tolist(), strict=True)
            known.update(zip(new, spans, strict=True))
        return map(known.__getitem__, at.tolist())

    def _deviations(self, at: Numbers, minutes: Floats) -> tuple[Floats, Floats]:
        """How much less and more time it may take, since positions are not exact."""
        lat, lon, radius_km = self._positions(at)
        own_km = self.origin.radius_km
        if not own_km and not radius_km.any():
            return np.zeros(len(at)), np.zeros(len(at))
        here = np.array([[self.origin.lat, self.origin.lon]])
        if getattr(self.router, "works_offline", False) is not True:
            # A service is told no more places: a kilometre of doubt counts as one of the trip.
            far_km = geodesic_km(self.origin.lat, self.origin.lon, lat, lon)
            doubt = SHARE * np.hypot(own_km, radius_km) * pace(minutes, far_km)
            return doubt, doubt
        # What takes far longer than the trip itself counts as out of reach.
        limit_min = 2.0 * float(minutes.max()) + 60.0
        below, above = np.zeros((2, len(at))), np.zeros((2, len(at)))
        if own_km:
            ring = _ring(here[:, 0], here[:, 1], np.array([own_km]))
            there = np.column_stack([lat, lon])
            table = answered(self.router, ring, there, limit_min=limit_min).minutes.T
            below[0], above[0] = _spread(table, minutes)
        unsure = radius_km > 0
        if unsure.any():
            ring = _ring(lat[unsure], lon[unsure], radius_km[unsure])
            table = answered(self.router, here, ring, limit_min=limit_min).minutes.reshape(-1, RING)
            below[1, unsure], above[1, unsure] = _spread(table, minutes[unsure])
        return SHARE * np.hypot(*below), SHARE * np.hypot(*above)


def travel_ranking(
    eligible: Filter, origin: Start, router: Router | None, limit_km: float,
    max_time_min: float | None,
) -> TravelRanking:  # fmt: skip
    """Order by time, once the router and the limit are read."""
    if router is None:
        raise InvalidInputError("max_time_min needs router=, who knows how long a way takes")
    check_router(router)
    limit_min = math.inf if max_time_min is None else check_limit(max_time_min, "max_time_min")
    return TravelRanking(eligible, origin, router, limit_km=limit_km, limit_min=limit_min)


def _ring(lat: Floats, lon: Floats, radius_km: Floats) -> Floats:
    """Places on circles, of shape (n * RING, 2): lat and lon."""
    return np.stack(circles(lat, lon, radius_km, RING), axis=-1).reshape(-1, 2)


def _spread(table: Floats, minutes: Floats) -> tuple[Floats, Floats]:
    """How far the times around places, a row each, lie below and above theirs."""
    # Where most have none, it is not known how long it may take; a few may lie on islands of roads.
    has = np.isfinite(table)
    least = np.where(has, table, np.inf).min(axis=1)
    most = np.where(has, table, -np.inf).max(axis=1)
    most[has.sum(axis=1) <= RING // 2] = np.inf
    return np.maximum(0.0, minutes - least), np.maximum(0.0, most - minutes)
