"""The k places that are nearest by time, with the reason why no other can be nearer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import InvalidInputError
from ketafind.travel.graph import GraphRouter
from ketafind.travel.router import REASONS, Floats, Router

BATCH = 50
"""So many targets a request: what public services allow in a matrix."""
MILLISECONDS_PER_MINUTE = 60_000.0
FIRST_MIN = 10.0
"""How far a bounded search looks at first."""


class Candidates(NamedTuple):
    """Places in the order of their straight distance."""

    distance_km: Floats
    """From the origin, ascending; or a lower bound of it."""
    number: NDArray[np.intp]
    lat: Floats
    lon: Floats


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
        eligible clinic was asked about.
    n_examined, n_requests : int
        Clinics whose time was worked out, and searches or requests made.
    max_speed_kmh : float or None
        What the router vouches for.
    origin_snap_km : float or None
        How far the origin lies from the road that stands for it.
    unreachable : dict of str to int
        Clinics without a time among those examined, by reason.
    """

    proved: bool
    method: str
    n_examined: int
    n_requests: int
    max_speed_kmh: float | None
    origin_snap_km: float | None
    unreachable: dict[str, int]


class Nearest(NamedTuple):
    """The nearest by time: minutes ascending, the clinics' numbers, the proof."""

    minutes: Floats
    number: NDArray[np.intp]
    certificate: Certificate


def nearest_by_time(
    router: Router, origin: tuple[float, float],
    page: Callable[[int, int], Candidates], n: int, k: int, limit_min: float = math.inf,
) -> Nearest:  # fmt: skip
    """Find the k nearest of n candidates; equal to the millisecond they come by number."""
    # One's own graph is searched once; a service is asked in batches, nearest by line first,
    # until no candidate left can be nearer than the k-th.
    if isinstance(router, GraphRouter):
        return _searched(router, origin, page(0, n), k, limit_min)
    return _expanded(router, origin, page, n, k, limit_min)


def _searched(
    router: GraphRouter, origin: tuple[float, float], all_of: Candidates, k: int, limit_min: float
) -> Nearest:
    start = router.ends_of(router.snap(np.array([origin])))
    goal = router.targets(all_of.lat, all_of.lon)
    reasons = np.where(goal.snap.road < 0, REASONS.index("off_network"), 0)
    minutes, reach, n_requests = np.full(len(reasons), np.inf), min(FIRST_MIN, limit_min), 0
    snap_km = float(start.snap.distance_km[0])
    if math.isnan(snap_km):
        reasons[:] = REASONS.index("off_network")
    while (reasons == 0).any():
        minutes = np.where(reasons == 0, router.reach(start, 0, reach).to(goal), np.inf)
        n_requests += 1
        if (minutes <= reach).sum() >= k or reach >= limit_min:
            break
        # Most networks are crossed in a few doublings; what is left is not connected.
        reach = min(limit_min, 4.0 * reach if n_requests < 5 else math.inf)
    if math.isinf(reach):  # only then is it known that no way leads there
        reasons[(reasons == 0) & np.isinf(minutes)] = REASONS.index("unreachable")
    order = _order(minutes, all_of.number, k, limit_min)
    return Nearest(
        minutes[order],
        all_of.number[order],
        Certificate(
            True, "search", len(minutes), n_requests, router.max_speed_kmh,
            None if math.isnan(snap_km) else snap_km, _counted(reasons),
        ),
    )  # fmt: skip


def _expanded(
    router: Router, origin: tuple[float, float], page: Callable[[int, int], Candidates], n: int,
    k: int, limit_min: float,
) -> Nearest:  # fmt: skip
    speed = router.max_speed_kmh
    if speed is not None and not 0 < speed < math.inf:
        raise InvalidInputError("a router's max_speed_kmh is a speed in km/h, or None")
    minutes, number = np.empty(0), np.empty(0, np.intp)
    reasons: list[NDArray[np.int8]] = []
    snap_km, done, n_requests, beaten = math.nan, 0, 0, False
    while done < n and not beaten:
        part = page(done, min(done + BATCH, n))
        answer = router.times(np.array([origin]), np.column_stack([part.lat, part.lon]))
        minutes = np.concatenate([minutes, answer.minutes[0]])
        number = np.concatenate([number, part.number])
        reasons.append(answer.reason[0])
        snap_km, done, n_requests = (
            float(answer.origin_snap_km[0]),
            done + len(part.lat),
            n_requests + 1,
        )
        if done < n and speed is not None:
            least = page(done, done + 1).distance_km[0] / speed * 60.0
            worst = np.sort(np.nan_to_num(minutes, nan=np.inf))[min(k, len(minutes)) - 1]
            # Times equal to the millisecond are a tie, which a place farther off may win.
            beaten = least > 1 / MILLISECONDS_PER_MINUTE + min(
                worst if len(minutes) >= k else math.inf, limit_min
            )
        elif speed is None:
            # Nobody vouches for a bound: as many again as were asked for is an honest try.
            beaten = np.isfinite(minutes).sum() >= k
    order = _order(np.nan_to_num(minutes, nan=np.inf), number, k, limit_min)
    method = "all" if done >= n else "bound" if speed is not None else "nearest by line"
    return Nearest(
        minutes[order],
        number[order],
        Certificate(
            done >= n or speed is not None, method, done, n_requests, speed,
            None if math.isnan(snap_km) else snap_km,
            _counted(np.concatenate(reasons) if reasons else np.empty(0, np.int8)),
        ),
    )  # fmt: skip


def _order(minutes: Floats, number: NDArray[np.intp], k: int, limit_min: float) -> NDArray[np.intp]:
    """The k least, equal to the millisecond in the order of their numbers."""
    with np.errstate(invalid="ignore"):
        order = np.lexsort((number, np.rint(minutes * MILLISECONDS_PER_MINUTE)))[:k]
    kept: NDArray[np.intp] = order[np.isfinite(minutes[order]) & (minutes[order] <= limit_min)]
    return kept


def _counted(reasons: NDArray[np.integer]) -> dict[str, int]:
    counts = np.bincount(reasons, minlength=len(REASONS))
    return {name: int(count) for name, count in zip(REASONS[1:], counts[1:], strict=True) if count}
