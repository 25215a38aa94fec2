"""How much care is in reach of each origin, where it counts less with distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ketafind import geo
from ketafind.access.demand import ENDS, LEVELS, Near, Study, WithinDistance, read_capacity
from ketafind.errors import InvalidInputError, shown
from ketafind.geo import real
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.frames import Column
from ketafind.join.origins import Source, check_prefix
from ketafind.join.search import Rows, ticks

if TYPE_CHECKING:
    from ketafind.criteria import Criteria, Terms
    from ketafind.directory import Directory
    from ketafind.join.journeys import Journeys
    from ketafind.query.filter import Filter
    from ketafind.travel import Router

RINGS = (1.0, 0.68, 0.22)
"""Weights of three equal rings; W. Luo and Y. Qi, Health & Place 15 (2009) 1100."""

METHODS = ("2sfca", "e2sfca", "3sfca", "gravity", "raam")

RAAM_CYCLES = 150

MOST_PAIRS = 2**26
"""Pairs of an origin and a clinic that the rational agents may choose among."""


@dataclass(frozen=True, slots=True)
class Decay:
    """How weight falls with distance: in rings, whose edges are exact, or with every metre."""

    unit: str
    limit: float
    weigh: Callable[[Floats], Floats]
    edges: Floats | None = None
    weights: Floats | None = None

    def at(self, distance: Floats) -> Floats:
        """Weigh distances, times or costs; nothing beyond the limit counts."""
        if self.edges is not None:
            return self.weigh(distance)
        weights: Floats = np.zeros(len(distance))
        inside = ticks(self.unit, distance) <= ticks(self.unit, self.limit)
        weights[inside] = self.weigh(distance[inside])
        return weights

    def around(self, origins: WithinDistance, lat: float, lon: float) -> Near:
        """Weigh the origins around a place, exactly."""
        if self.edges is not None and self.weights is not None:
            near, ring = origins.rings(lat, lon, self.edges)
            return near, self.weights[ring]
        near, distance_km = origins.distances(lat, lon, self.limit)
        return near, self.weigh(distance_km)


def read_decay(method: str, decay: Any, catchment: float, bandwidth: Any, unit: str) -> Decay:
    """Choose how weight falls with distance."""
    if method not in METHODS:
        raise InvalidInputError(f"method={shown(method)}: choose {', '.join(map(repr, METHODS))}")
    if method in ("2sfca", "raam"):
        if decay is not None or bandwidth is not None:
            raise InvalidInputError(f'"{method}" knows no decay; choose "e2sfca" for one')
        return _rings({catchment: 1.0}, catchment, unit)
    if decay is None and (method == "gravity" or bandwidth is not None):
        decay = "gaussian"
    if decay is None:
        decay = {catchment * (ring + 1) / 3: weight for ring, weight in enumerate(RINGS)}
    if isinstance(decay, str) and decay in ("gaussian", "exponential"):
        return Decay(unit, catchment, _falling(decay, catchment, bandwidth))
    if bandwidth is not None:
        raise InvalidInputError("a bandwidth goes with decay='gaussian' or 'exponential'")
    if isinstance(decay, Mapping):
        return _rings(decay, catchment, unit)
    if callable(decay):
        return Decay(unit, catchment, lambda far: _checked(decay(far), far))
    raise InvalidInputError(
        f"decay={shown(decay)}: choose 'gaussian', 'exponential', a mapping of kilometres (or minutes) "
        f"to weights or a function of an array of them"
    )


def _rings(decay: Mapping[float, float], catchment: float, unit: str) -> Decay:
    if not decay:
        raise InvalidInputError("decay is empty: give the upper end of each ring and its weight")
    ends = {check_limit(end, "the end of a ring"): end for end in decay}
    rings: dict[float, float] = {}
    for end in sorted(ends):
        # The inmost of several rings that the catchment cuts is the one that counts.
        weight = check_limit(decay[ends[end]], "the weight of a ring")
        rings.setdefault(min(end, catchment), weight)
    edges, weights = np.array([*rings]), np.array([*rings.values()])

    def weigh(distance: Floats) -> Floats:
        ring = np.searchsorted(ticks(unit, edges), ticks(unit, distance))
        return np.asarray(np.append(weights, 0.0)[ring])

    return Decay(unit, catchment, weigh, edges, weights)


def _falling(name: str, catchment: float, bandwidth: Any) -> Callable[[Floats], Floats]:
    # In a catchment of 0 every distance is 0.
    scale = catchment or 1.0
    if bandwidth is not None:
        scale = check_limit(bandwidth, "the bandwidth")
        if scale == 0.0:
            raise InvalidInputError("the bandwidth must be more than 0")
    if name == "exponential":
        return lambda far: np.exp(-far / scale)
    # Without a bandwidth 0 at the catchment's end: D. Dai, Health & Place 16 (2010) 1038.
    floor = np.exp(-0.5) if bandwidth is None else 0.0
    return lambda far: np.maximum(0.0, (np.exp(-0.5 * (far / scale) ** 2) - floor) / (1.0 - floor))


def _checked(weights: Any, far: Floats) -> Floats:
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != far.shape or not (array >= 0.0).all() or not np.isfinite(array).all():
        raise InvalidInputError(
            "decay must return one finite weight, 0 or more, for each distance it is given"
        )
    return array


def access_score(
    origins: Any,
    directory: Directory,
    *,
    method: Literal["2sfca", "e2sfca", "3sfca", "gravity", "raam"] = "e2sfca",
    catchment_km: float | None = None,
    catchment_min: float | None = None,
    router: Router | None = None,
    cost: Any = None,
    decay: Any = None,
    bandwidth_km: float | None = None,
    bandwidth_min: float | None = None,
    tau_km: float | None = None,
    tau_min: float | None = None,
    capacity: Mapping[str, float] | None = None,
    per: float = 1.0,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    radius: Any = None,
    prefix: str = "",
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> Any:
    """Score each origin's access to the eligible clinics.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        One row a person, place or area; None for the postal codes of Ontario, a proxy: see
        `ontario_postal_codes`.
    directory : Directory
        The clinics.
    method : str
        ``"2sfca"``: each clinic's supply is shared by the weight within its catchment, and each
        origin adds the shares of the clinics within its own. ``"e2sfca"``: the same with weights
        that fall with distance. ``"3sfca"``: the same, where an origin's weight is first divided
        among the clinics in its catchment. ``"gravity"``: the supply around an origin, weighted by
        distance, shared with nobody. ``"raam"``: the rational agent access model, a cost, which is
        lower where access is better: distance and crowding, balanced by moving whole people.
    catchment_km : float, optional
        Nothing farther counts; a clinic exactly there does. None for 50 km, a choice, not a
        standard.
    catchment_min : float, optional
        The same with `router` or `cost`, in minutes, or in what the costs are in; None for 60.
    router, cost
        As in `nearest_join`: travel times or costs take the place of distances everywhere.
    decay : str, mapping or callable, optional
        ``"gaussian"``, ``"exponential"``, the upper ends of rings in kilometres to their weights,
        or a function from an array of kilometres to weights. None for three equal rings of 1,
        0.68 and 0.22 (``e2sfca``, ``3sfca``) or ``"gaussian"`` (``gravity``, and with a bandwidth).
    bandwidth_km, bandwidth_min : float, optional
        The width b of ``"gaussian"``, exp(-d²/2b²), or ``"exponential"``, exp(-d/b), with 0 beyond
        the catchment c. None for exp(-d/c), and for a gaussian that is 0 at the catchment's end:
        (exp(-d²/2c²) - exp(-1/2)) / (1 - exp(-1/2)).
    tau_km, tau_min : float, optional
        ``raam`` only: the distance or time that weighs as much as a clinic at the mean ratio of
        demand to supply. None for 60.
    capacity : mapping of str to float, optional
        How much each clinic can give, by id; those it leaves out give 0. None for 1 each.
    per : float
        Scores are for so many units of weight, such as ``per=100_000``.
    weight : str, optional
        A column that says how much demand a row stands for; None for 1 each.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, radius, prefix, check, provenance
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the type that came in, rows and index unchanged, with ``access_confirmed`` and
        ``access_possible``, supply for `per` units of weight: confirmed supply only, and all that
        is possible; ``ratio_confirmed`` and ``ratio_possible``, these over their mean, weighted;
        ``access_low`` and ``access_high``, between which the score lies wherever in their 90 %
        intervals the distances lie (for weights that fall with distance); and ``covered_low``,
        ``covered_confirmed``, ``covered_possible`` and ``covered_high``, whether any clinic is in
        reach, as in `coverage`. With none in reach the score is 0; without a position all are
        missing. A clinic that nobody with a weight reaches adds nothing. ``raam`` gives neither
        low nor high, and no cost where no clinic is in reach or the weight is 0.

    Raises
    ------
    InvalidInputError
        If an argument or a column cannot be used.
    UnknownClinicError
        If the capacity names a clinic that is not in the directory.

    Notes
    -----
    2SFCA: W. Luo and F. Wang, Environment and Planning B 30 (2003) 865. E2SFCA: W. Luo and Y. Qi,
    Health & Place 15 (2009) 1100. Distances are geodesic, not travelled.
    """
    check_prefix(prefix)
    straight = router is None and cost is None
    by_km, by_min = (catchment_km, bandwidth_km, tau_km), (catchment_min, bandwidth_min, tau_min)
    limit, bandwidth, tau = _lengths(by_km, by_min, straight=straight)
    if not 0.0 < real(per) < np.inf:
        raise InvalidInputError(f"per must be a number above 0, such as 100_000, not {shown(per)}")
    source = Source(lat, lon, geometry, address, radius)
    read_decay(method, decay, limit, bandwidth, "km")  # refused before anything is read
    study = Study(
        origins, directory, source, weight, where, facets, check=check, provenance=provenance,
        router=router, cost=cost,
    )  # fmt: skip
    weigh = read_decay(method, decay, limit, bandwidth, study.unit)
    amounts = read_capacity(directory, capacity)
    covered = {
        end: np.ma.MaskedArray(study.within(near, limit), ~study.located)
        for end, near in study.reach().items()
    }
    if method == "raam":
        score = {level: _raam(study, level, amounts, limit, tau) for level in LEVELS}
    else:
        score = _Scores(study, amounts, weigh, method).run()
    columns: dict[str, Column] = {f"access_{end}": per * score[end] for end in ENDS if end in score}
    columns |= {f"ratio_{level}": score[level] / _mean(study, score[level]) for level in LEVELS}
    columns |= {f"covered_{end}": covered[end] for end in ENDS}
    scored = study.frame.extended({prefix + name: columns[name] for name in columns})
    unit = "km" if straight else "min"
    settings = {"method": method, f"catchment_{unit}": limit, "decay": decay, "per": per}
    settings |= {f"tau_{unit}": tau} if method == "raam" else {f"bandwidth_{unit}": bandwidth}
    return study.stamped(scored, "access_score", **settings)


def _lengths(
    by_km: tuple[Any, Any, Any], by_min: tuple[Any, Any, Any], *, straight: bool
) -> tuple[float, Any, float]:
    """Read the catchment, the bandwidth and tau, in kilometres or in minutes."""
    if any(one is not None for one in (by_min if straight else by_km)):
        raise InvalidInputError(
            "catchment_min=, bandwidth_min= and tau_min= go with router= or cost=, those in km with "
            "straight lines"
        )
    catchment, bandwidth, tau = by_km if straight else by_min
    unit, usual = ("km", 50.0) if straight else ("min", 60.0)
    limit = check_limit(usual if catchment is None else catchment, f"catchment_{unit}")
    return limit, bandwidth, check_limit(60.0 if tau is None else tau, f"tau_{unit}")


def _mean(study: Study, score: Floats) -> float:
    """The mean of the scores that are known, weighted; NaN for none and for 0."""
    known = ~np.isnan(score)
    total = float(study.weight[known].sum())
    mean = float((study.weight[known] * score[known]).sum()) / total if total else np.nan
    return mean or np.nan


@dataclass(frozen=True, slots=True)
class _Near:
    """The origins around a clinic, and their weights by distance: as it is, at least, at most."""

    clinic_no: int
    rows: Rows
    weight: Floats
    low: Floats
    high: Floats
    exact: bool


class _Scores:
    """Scores of floating catchments; the clinics one by one, so that no pair is stored."""

    def __init__(self, study: Study, amounts: Floats, decay: Decay, method: str) -> None:
        self._study, self._amounts, self._decay, self._method = study, amounts, decay, method
        self._origins, self._rows = study.near_origins()
        self._weight = study.weight[self._rows]
        radius_km = study.origins.radius_km
        self._here_km = None if radius_km is None else radius_km[self._rows]
        self._confirmed = set(study.eligible["confirmed"]._clinic_nos().tolist())

    def run(self) -> dict[str, Floats]:
        """Score every origin at each end of what is known."""
        shared = self._method == "3sfca"
        sums = self._sums_of_weights() if shared else {}
        made = {name: np.zeros(len(self._rows)) for name in (*ENDS, "exact", "exact possible")}
        for near in self._near_clinics():
            confirmed = near.clinic_no in self._confirmed
            if near.exact and not shared:
                # Added to every end at the end: most clinics are like this, or none.
                part = self._part(near, near.weight, near.weight)
                made["exact" if confirmed else "exact possible"][near.rows] += part
                continue
            for end in ENDS if confirmed else ENDS[2:]:
                own, others = self._shares(near, end, sums)
                made[end][near.rows] += self._part(near, own, others)
        found = {}
        for end in ENDS:
            made[end] += made["exact"]
            if end in ENDS[2:]:
                made[end] += made["exact possible"]
            found[end] = np.full(len(self._study.weight), np.nan)
            found[end][self._rows] = made[end]
        # Sums in another order differ in their last bits.
        found["low"] = np.minimum(found["low"], found["confirmed"])
        found["high"] = np.maximum(found["high"], found["possible"])
        return found

    def _near_clinics(self) -> Iterator[_Near]:
        journeys = self._study.journeys
        return self._by_line() if journeys is None else self._by_travel(journeys)

    def _by_travel(self, journeys: Journeys) -> Iterator[_Near]:
        study = self._study
        for clinic_no, value in journeys.over(study.eligible["possible"]._clinic_nos()):
            ends = [end[self._rows] for end in journeys.ends(value, clinic_no)]
            rows = np.flatnonzero(study.within(ends[0], self._decay.limit))
            own, most, least = (self._decay.at(far[rows]) for far in (value[self._rows], *ends))
            low, high = np.minimum(least, own), np.maximum(most, own)
            yield _Near(clinic_no, rows, own, low, high, exact=np.array_equal(low, high))

    def _by_line(self) -> Iterator[_Near]:
        widest_km = 0.0 if self._here_km is None else self._here_km.max(initial=0.0)
        for clinic_no in self._study.eligible["possible"]._clinic_nos().tolist():
            place = self._study.directory.clinics[clinic_no].location
            if place is None:
                continue
            rows, weight = self._decay.around(self._origins, place.lat, place.lon)
            if widest_km == 0.0 and place.radius_km == 0.0:
                yield _Near(clinic_no, rows, weight, weight, weight, exact=True)
                continue
            doubt_km = (
                geo.SIGMAS_BELOW * geo.SIGMA_PER_RADIUS * np.hypot(widest_km, place.radius_km)
            )
            limit_km = self._decay.limit + float(doubt_km)
            around, distance_km = self._origins.around(place.lat, place.lon, limit_km)
            here_km = 0.0 if self._here_km is None else self._here_km[around]
            ends = geo.distance_intervals_km(distance_km, here_km, place.radius_km)
            most, least = (self._decay.at(end) for end in ends)
            own = np.zeros(len(around))
            own[np.searchsorted(around, rows)] = weight
            low, high = np.minimum(least, own), np.maximum(most, own)
            yield _Near(clinic_no, around, own, low, high, exact=False)

    def _sums_of_weights(self) -> dict[str, Floats]:
        """The weights of the clinics around each origin, added up at each end."""
        sums = {end: np.zeros(len(self._rows)) for end in ENDS}
        for near in self._near_clinics():
            for end in ENDS if near.clinic_no in self._confirmed else ENDS[2:]:
                part = near.weight if end in LEVELS else getattr(near, end)
                sums[end][near.rows] += part
        return sums

    def _shares(self, near: _Near, end: str, sums: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """The part of an origin that comes to a clinic: of one origin, and of all the others."""
        if not sums and end in LEVELS:
            return near.weight, near.weight
        low, high = near.low, near.high
        if sums and end in LEVELS:
            low = high = _over(near.weight * near.weight, sums[end][near.rows])
        elif sums:
            mine = low if near.clinic_no in self._confirmed else 0.0
            low = _over(low * low, low + np.maximum(0.0, sums["high"][near.rows] - high))
            high = _over(high * high, high + np.maximum(0.0, sums["low"][near.rows] - mine))
        return (high, low) if end == "high" else (low, high)

    def _part(self, near: _Near, own: Floats, others: Floats) -> Floats:
        """What a clinic adds to the scores around it."""
        supply = float(self._amounts[near.clinic_no])
        if self._method == "gravity":
            return supply * own
        weight = self._weight[near.rows]
        sought = float((weight * others).sum())
        if own is others:
            return own * (supply / sought if sought > 0.0 else 0.0)
        if not supply * float((weight * own).sum()) > 0.0:
            return np.zeros(len(own))  # it may be that nobody with a weight comes
        left = own * weight + np.maximum(0.0, sought - others * weight)
        # Whom nobody else may come beside has all of it to share with next to nothing.
        unbounded = (left == 0.0) & (own > 0.0)
        return np.where(unbounded, np.inf, _over(supply * own, left))


def _over(part: Floats, whole: Floats) -> Floats:
    """A part of a whole; 0 of nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0.0))


def _raam(study: Study, level: str, amounts: Floats, limit: float, tau: float) -> Floats:
    """Costs of rational agents; D. Saxon and D. Snow, Spatial Demography 8 (2020) 147."""
    clinics = study.directory.clinics
    numbers = [n for n in study.eligible[level]._clinic_nos().tolist() if amounts[n]]
    if study.journeys is None or study.journeys.by_position:
        numbers = [n for n in numbers if clinics[n].location]
    rows = np.flatnonzero(study.located & (study.weight > 0.0))
    cost = np.full(len(study.weight), np.nan)
    if len(rows) * len(numbers) > MOST_PAIRS:
        raise InvalidInputError(
            f'"raam" holds every pair, and {len(rows):,} origins with {len(numbers):,} clinics are '
            f"over {MOST_PAIRS:,}; group the origins first, such as by the first three characters "
            f"of their codes, with weight="
        )
    if not len(rows) or not numbers:
        return cost
    if study.journeys is None:
        places = [clinics[n].location for n in numbers]
        lat, lon = np.array([(p.lat, p.lon) for p in places if p is not None]).T
        far = geo.geodesic_km(
            study.origins.lat[rows, None], study.origins.lon[rows, None], lat, lon
        )
    else:
        far = np.column_stack([value[rows] for _, value in study.journeys.over(numbers)])
    far[~study.within(far, limit)] = np.inf
    near = np.isfinite(far).any(axis=1)
    supply = amounts[numbers] * study.weight[rows].sum() / amounts[numbers].sum()
    cost[rows[near]] = _balanced(study.weight[rows[near]], supply, far[near] / tau)
    return cost


def _balanced(demand: Floats, supply: Floats, travel: Floats) -> Floats:
    """Move people from their dearest to their cheapest clinic until that helps little."""
    every = np.arange(len(demand))
    assigned = np.zeros(travel.shape)
    assigned[every, travel.argmin(axis=1)] = demand
    total = travel
    for cycle in range(RAAM_CYCLES):
        at_clinic = assigned.sum(axis=0)
        total = at_clinic / supply + travel
        worst = np.where(assigned == 0.0, -np.inf, total).argmax(axis=1)
        best = total.argmin(axis=1)
        here, there = assigned[every, best], assigned[every, worst]
        room, crowd = supply[best], supply[worst]
        wanted = ((room * crowd) / (room + crowd)) * (
            (travel[every, worst] - travel[every, best])
            + (here + there + at_clinic[worst] - there) / crowd
            - (at_clinic[best] - here) / room
        )
        moved = np.where(worst == best, 0.0, np.minimum(wanted - here, there))
        step = max(0.2 * 0.5 ** (cycle / 50), 0.005)
        moved = np.trunc(np.minimum(moved, step * demand))
        if cycle < 20:
            # At first an attractive clinic would be mobbed.
            rush = np.bincount(best, moved, len(supply)) / supply
            moved = np.round(moved / np.maximum(rush, 1.0)[best])
        assigned[every, best] += moved
        assigned[every, worst] -= moved
    costs = (np.where(assigned > 0.0, total, 0.0) * assigned).sum(axis=1)
    return np.asarray(costs / assigned.sum(axis=1))
