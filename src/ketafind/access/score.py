"""How much care is in reach of each origin, where it counts less with distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.access.demand import (
    ENDS,
    LEVELS,
    Study,
    WithinDistance,
    read_study,
    read_supply,
)
from ketafind.errors import InvalidInputError
from ketafind.geo import (
    SIGMA_PER_RADIUS,
    SIGMAS_BELOW,
    distance_intervals_km,
    geodesic_km,
    micrometres,
)
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.frames import Column, code_type
from ketafind.join.origins import Source, check_prefix

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter

RINGS = (1.0, 0.68, 0.22)
"""Weights of three equal rings; W. Luo and Y. Qi, Health & Place 15 (2009) 1100."""

METHODS = ("2sfca", "e2sfca", "3sfca", "gravity", "raam")

RAAM_CYCLES = 150

MOST_PAIRS = 2**26
"""Pairs of an origin and a clinic that the rational agents may choose among."""


@dataclass(frozen=True, slots=True)
class Decay:
    """How weight falls with distance: in rings, whose edges are exact, or with every metre."""

    limit_km: float
    weigh: Callable[[Floats], Floats]
    edges_km: Floats | None = None
    weights: Floats | None = None

    def at(self, distance_km: Floats) -> Floats:
        """Weigh distances; nothing beyond the limit counts."""
        if self.edges_km is not None:
            return self.weigh(distance_km)
        weights: Floats = np.zeros(len(distance_km))
        inside = micrometres(distance_km) <= micrometres(self.limit_km)
        weights[inside] = self.weigh(distance_km[inside])
        return weights

    def around(
        self, origins: WithinDistance, lat: float, lon: float
    ) -> tuple[npt.NDArray[np.intp], Floats]:
        """Weigh the origins around a place, exactly."""
        if self.edges_km is not None and self.weights is not None:
            near, ring = origins.rings(lat, lon, self.edges_km)
            return near, self.weights[ring]
        near, distance_km = origins.distances(lat, lon, self.limit_km)
        return near, self.weigh(distance_km)


def read_decay(method: str, decay: Any, catchment_km: float, bandwidth_km: Any) -> Decay:
    """Choose how weight falls with distance."""
    if method not in METHODS:
        raise InvalidInputError(f"method={method!r}: choose {', '.join(map(repr, METHODS))}")
    if method in ("2sfca", "raam"):
        if decay is not None or bandwidth_km is not None:
            raise InvalidInputError(f'"{method}" knows no decay; choose "e2sfca" for one')
        return _rings({catchment_km: 1.0}, catchment_km)
    if decay is None and (method == "gravity" or bandwidth_km is not None):
        decay = "gaussian"
    if decay is None:
        decay = {catchment_km * (ring + 1) / 3: weight for ring, weight in enumerate(RINGS)}
    if isinstance(decay, str) and decay in ("gaussian", "exponential"):
        return Decay(catchment_km, _falling(decay, catchment_km, bandwidth_km))
    if bandwidth_km is not None:
        raise InvalidInputError("bandwidth_km= goes with decay='gaussian' or 'exponential'")
    if isinstance(decay, Mapping):
        return _rings(decay, catchment_km)
    if callable(decay):
        return Decay(catchment_km, lambda km: _checked(decay(km), km))
    raise InvalidInputError(
        f"decay={decay!r}: choose 'gaussian', 'exponential', a mapping of kilometres to weights "
        f"or a function of an array of kilometres"
    )


def _rings(decay: Mapping[float, float], catchment_km: float) -> Decay:
    if not decay:
        raise InvalidInputError("decay is empty: give the upper end of each ring and its weight")
    ends = {check_limit(end, "the end of a ring"): end for end in decay}
    rings: dict[float, float] = {}
    for end_km in sorted(ends):
        # The inmost of several rings that the catchment cuts is the one that counts.
        weight = check_limit(decay[ends[end_km]], "the weight of a ring")
        rings.setdefault(min(end_km, catchment_km), weight)
    edges_km, weights = np.array([*rings]), np.array([*rings.values()])

    def weigh(distance_km: Floats) -> Floats:
        far, ring = (
            micrometres(distance_km),
            np.zeros(len(distance_km), code_type(len(edges_km) + 1)),
        )
        for edge in micrometres(edges_km):
            ring += far > edge
        return np.append(weights, 0.0)[ring]

    return Decay(catchment_km, weigh, edges_km, weights)


def _falling(name: str, catchment_km: float, bandwidth_km: Any) -> Callable[[Floats], Floats]:
    # In a catchment of 0 every distance is 0.
    scale = catchment_km or 1.0
    if bandwidth_km is not None:
        scale = check_limit(bandwidth_km, "bandwidth_km")
        if scale == 0.0:
            raise InvalidInputError("bandwidth_km must be more than 0")
    if name == "exponential":
        return lambda km: np.exp(-km / scale)
    # Without a bandwidth 0 at the catchment's end: D. Dai, Health & Place 16 (2010) 1038.
    floor = np.exp(-0.5) if bandwidth_km is None else 0.0
    return lambda km: np.maximum(0.0, (np.exp(-0.5 * (km / scale) ** 2) - floor) / (1.0 - floor))


def _checked(weights: Any, km: Floats) -> Floats:
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != km.shape or not (array >= 0.0).all() or not np.isfinite(array).all():
        raise InvalidInputError(
            "decay must return one finite weight, 0 or more, for each distance it is given"
        )
    return array


def access_score(
    origins: Any,
    directory: Directory,
    *,
    method: str = "e2sfca",
    catchment_km: float = 50.0,
    decay: Any = None,
    bandwidth_km: float | None = None,
    tau_km: float = 60.0,
    supply: Mapping[str, float] | None = None,
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
    **facets: Any,
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
    catchment_km : float
        Nothing farther counts; a clinic exactly there does. 50 km is a choice, not a standard.
    decay : str, mapping or callable, optional
        ``"gaussian"``, ``"exponential"``, the upper ends of rings in kilometres to their weights,
        or a function from an array of kilometres to weights. None for three equal rings of 1,
        0.68 and 0.22 (``e2sfca``, ``3sfca``) or ``"gaussian"`` (``gravity``, and with a bandwidth).
    bandwidth_km : float, optional
        The width b of ``"gaussian"``, exp(-d²/2b²), or ``"exponential"``, exp(-d/b), with 0 beyond
        the catchment c. None for exp(-d/c), and for a gaussian that is 0 at the catchment's end:
        (exp(-d²/2c²) - exp(-1/2)) / (1 - exp(-1/2)).
    tau_km : float
        ``raam`` only: the distance that weighs as much as a clinic at the mean ratio of demand to
        supply.
    supply : mapping of str to float, optional
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
        If the supply names a clinic that is not in the directory.

    Notes
    -----
    2SFCA: W. Luo and F. Wang, Environment and Planning B 30 (2003) 865. E2SFCA: W. Luo and Y. Qi,
    Health & Place 15 (2009) 1100. Distances are geodesic, not travelled.
    """
    check_prefix(prefix)
    limit = check_limit(catchment_km, "catchment_km")
    weigh = read_decay(method, decay, limit, bandwidth_km)
    per, tau_km = check_limit(per, "per"), check_limit(tau_km, "tau_km")
    source = Source(lat, lon, geometry, address, radius)
    study = read_study(
        origins, directory, source, weight, where, facets, check=check, provenance=provenance
    )
    amounts = read_supply(directory, supply)
    covered = {
        end: np.ma.MaskedArray(micrometres(km) <= micrometres(limit), ~study.located)
        for end, km in study.reach_km().items()
    }
    if method == "raam":
        score = {level: _raam(study, level, amounts, limit, tau_km) for level in LEVELS}
    else:
        score = _Scores(study, amounts, weigh, method).run()
    columns: dict[str, Column] = {f"access_{end}": per * score[end] for end in ENDS if end in score}
    columns |= {f"ratio_{level}": score[level] / _mean(study, score[level]) for level in LEVELS}
    columns |= {f"covered_{end}": covered[end] for end in ENDS}
    scored = study.frame.extended({prefix + name: columns[name] for name in columns})
    settings = {"method": method, "catchment_km": limit, "decay": decay, "per": per}
    settings |= {"tau_km": tau_km} if method == "raam" else {"bandwidth_km": bandwidth_km}
    return study.stamped(scored, "access_score", **settings, weighted=weight is not None)


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
    rows: npt.NDArray[np.intp]
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
        widest_km = 0.0 if self._here_km is None else self._here_km.max(initial=0.0)
        for clinic_no in self._study.eligible["possible"]._clinic_nos().tolist():
            place = self._study.directory.clinics[clinic_no].location
            if place is None:
                continue
            rows, weight = self._decay.around(self._origins, place.lat, place.lon)
            if widest_km == 0.0 and place.radius_km == 0.0:
                yield _Near(clinic_no, rows, weight, weight, weight, exact=True)
                continue
            doubt_km = SIGMAS_BELOW * SIGMA_PER_RADIUS * np.hypot(widest_km, place.radius_km)
            limit_km = self._decay.limit_km + float(doubt_km)
            around, distance_km = self._origins.around(place.lat, place.lon, limit_km)
            here_km = 0.0 if self._here_km is None else self._here_km[around]
            ends = distance_intervals_km(distance_km, here_km, place.radius_km)
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
        left = own * weight + np.maximum(0.0, sought - others * weight)
        unbounded = (left == 0.0) & (own > others) & (supply * (weight * near.high).sum() > 0.0)
        return np.where(unbounded, np.inf, _over(supply * own, left))


def _over(part: Floats, whole: Floats) -> Floats:
    """A part of a whole; 0 of nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0.0))


def _raam(study: Study, level: str, amounts: Floats, limit_km: float, tau_km: float) -> Floats:
    """Costs of rational agents; D. Saxon and D. Snow, Spatial Demography 8 (2020) 147."""
    clinics = study.directory.clinics
    numbers = [n for n in study.eligible[level]._clinic_nos() if clinics[n].location and amounts[n]]
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
    places = [clinics[n].location for n in numbers]
    lat, lon = np.array([(p.lat, p.lon) for p in places if p is not None]).T
    km = geodesic_km(study.origins.lat[rows, None], study.origins.lon[rows, None], lat, lon)
    km[micrometres(km) > micrometres(limit_km)] = np.inf
    near = np.isfinite(km).any(axis=1)
    supply = amounts[numbers] * study.weight[rows].sum() / amounts[numbers].sum()
    cost[rows[near]] = _balanced(study.weight[rows[near]], supply, km[near] / tau_km)
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
