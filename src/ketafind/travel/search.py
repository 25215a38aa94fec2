"""The nearest places by time, with the reason why no other can be nearer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import InvalidInputError
from ketafind.travel.graph import GraphRouter
from ketafind.travel.router import REASONS, Floats, Router

BATCH = 50
"""So many targets a request: what public services allow in a matrix."""
TIE_MIN = 1 / 60_000
"""Times are equal that are so to the millisecond: the least number comes first."""
FIRST_MIN, PACE_MIN, USUAL_KMH = 1.0, 3.0, 110.0
"""How far a bounded search looks at first: at the least, and for what a straight line would take
at the fastest speed, or the usual one. Roads wind, and most are slower."""
NEITHER, LISTED, POSSIBLE = 0, 1, 2
"""What a place is to the question: of no interest, one to list, or one that may be."""
MAX_POSSIBLE = 3
Numbers = NDArray[np.intp]


class Places(NamedTuple):
    """Places that may be asked about, and what each is to the question."""

    number: Numbers
    lat: Floats
    lon: Floats
    role: NDArray[np.int8]
    distance_km: Floats
    """From the origin in a straight line."""


@dataclass(frozen=True)
class Certificate:
    """How it was proved that no other clinic is nearer by time.

    Parameters
    ----------
    proved : bool
        False where nobody vouches for the fastest speed, so that a clinic that was not asked
        about might be nearer.
    method : str
        ``"search"``: one search of the network, bounded by the answer's own times. ``"bound"``:
        no journey is faster than ``max_speed_kmh`` over the straight line. ``"all"``: every
        eligible clinic was asked about. ``"nearest by line"``: only those were that are nearest in
        a straight line.
    bound_min : float or None
        No clinic whose time was not worked out takes less, in minutes; None where there is no such
        clinic.
    n_examined, n_requests : int
        Clinics whose time was worked out, and searches or requests made.
    max_speed_kmh : float or None
        What the router vouches for; None where there is no such speed.
    origin_snap_km : float or None
        How far the origin lies from the road that stands for it; None where it is not known.
    clinic_snap_km : dict of str to float
        The same of the clinics listed, by id, where it is known.
    unreachable : dict of str to int
        Clinics without a time among those examined, by reason: ``unreachable``, ``off_network``
        or ``beyond_limit``.
    """

    proved: bool
    method: str
    bound_min: float | None
    n_examined: int
    n_requests: int
    max_speed_kmh: float | None
    origin_snap_km: float | None
    clinic_snap_km: dict[str, float]
    unreachable: dict[str, int]


class TimeSearch(ABC):
    """The times from one origin as far as they are known, and how to learn more."""

    number: Numbers
    role: NDArray[np.int8]
    minutes: Floats
    """NaN where it is not known, or where there is none."""
    reason: NDArray[np.int8]
    snap_km: Floats
    road_km: Floats | None = None
    """By road, where the router says."""

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
        self.number: Numbers = places.number
        self.role: NDArray[np.int8] = places.role
        self._goal = router.targets(places.lat, places.lon)
        self._start = router.ends_of(router.snap(np.array([origin])))
        self.snap_km: Floats = self._goal.snap.distance_km
        self.origin_snap_km: float = float(self._start.snap.distance_km[0])
        self.minutes: Floats = np.full(len(self.number), np.nan)
        self._reach_min = -math.inf
        self._off = self._goal.snap.road < 0
        if self._start.snap.road[0] < 0:
            self._off = np.ones(len(self.number), bool)
        self.reason: NDArray[np.int8] = np.where(self._off, REASONS.index("off_network"), 0).astype(
            np.int8
        )

    @property
    def horizon_min(self) -> float:
        return self._reach_min

    def first(self, k: int) -> None:
        with self._lock:
            listed, tries = self.role == LISTED, 0
            speed_kmh = min(max(self.router.max_speed_kmh, 1.0), USUAL_KMH)
            step = max(FIRST_MIN, PACE_MIN * self._near_km(k) / speed_kmh * 60.0)
            if listed.sum() < k:
                step = math.inf
            while self._reach_min < self.limit_min:
                # One a hair farther off than the reach could tie with one a hair nearer.
                if (self.minutes[listed] <= self._reach_min - TIE_MIN).sum() >= k:
                    return
                if step > self._reach_min:
                    self._look(min(self.limit_min, step))
                # Most networks are crossed in a few doublings; what is left is not connected.
                tries += 1
                step = 2.0 * step if tries < 4 else math.inf

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
        if speed is not None and not 0 < speed < math.inf:
            raise InvalidInputError("a router's max_speed_kmh is a speed in km/h, or None")
        self._size = getattr(router, "batch", BATCH)
        self._snap_km = getattr(router, "max_snap_km", 0.0)
        self._page, self._n_listed = page, n_listed
        self._next = page(0, self._size)
        self.number, self.role = np.empty(0, np.intp), np.empty(0, np.int8)
        self.minutes, self.snap_km = np.empty(0), np.empty(0)
        self.reason = np.empty(0, np.int8)

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
        answer = self.router.times(np.array([self.origin]), np.column_stack([part.lat, part.lon]))
        self.n_requests += 1
        self.origin_snap_km = float(answer.origin_snap_km[0])
        if answer.km is not None:
            before = np.empty(0) if self.road_km is None else self.road_km
            self.road_km = np.concatenate([before, answer.km[0]])
        self.minutes = np.concatenate([self.minutes, answer.minutes[0]])
        self.number = np.concatenate([self.number, part.number])
        self.role = np.concatenate([self.role, part.role])
        self.reason = np.concatenate([self.reason, answer.reason[0]])
        self.snap_km = np.concatenate([self.snap_km, answer.target_snap_km])
