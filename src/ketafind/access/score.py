"""How care counts less with distance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.access.demand import LEVELS, Study, WithinDistance, read_study, read_supply
from ketafind.errors import InvalidInputError
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.frames import Column
from ketafind.join.origins import Source, check_prefix
from ketafind.join.search import refuse_implausible

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter


@dataclass(frozen=True, slots=True)
class Rings:
    """Weights that fall in steps."""

    edges_km: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class Smooth:
    """Weights that fall with every metre."""

    limit_km: float
    weigh: Callable[[Floats], Floats]


Decay = Rings | Smooth

RINGS = (1.0, 0.68, 0.22)
"""Weights of three equal rings; W. Luo and Y. Qi, Health & Place 15 (2009) 1100."""

METHODS = ("2sfca", "e2sfca", "gravity")


def read_decay(method: str, decay: Any, catchment_km: float) -> Decay:
    """Choose how weight falls with distance."""
    if method not in METHODS:
        raise InvalidInputError(f"method={method!r}: choose {', '.join(map(repr, METHODS))}")
    if method == "2sfca":
        if decay is not None:
            raise InvalidInputError('"2sfca" knows no decay; choose "e2sfca" for one')
        return Rings(np.array([catchment_km]), np.ones(1))
    if decay is None and method == "gravity":
        decay = "gaussian"
    if decay is None:
        decay = {catchment_km * (ring + 1) / 3: weight for ring, weight in enumerate(RINGS)}
    if isinstance(decay, Mapping):
        return _rings(decay, catchment_km)
    # In a catchment of 0 every distance is 0.
    end_km = catchment_km or 1.0
    if isinstance(decay, str) and decay == "gaussian":
        return Smooth(catchment_km, lambda km: _gaussian(km / end_km))
    if isinstance(decay, str) and decay == "exponential":
        return Smooth(catchment_km, lambda km: np.exp(-km / end_km))
    if callable(decay):
        return Smooth(catchment_km, lambda km: _checked(decay(km), km))
    raise InvalidInputError(
        f"decay={decay!r}: choose 'gaussian', 'exponential', a mapping of kilometres to weights "
        f"or a function of an array of kilometres"
    )


def _rings(decay: Mapping[float, float], catchment_km: float) -> Rings:
    if not decay:
        raise InvalidInputError("decay is empty: give the upper end of each ring and its weight")
    ends = {check_limit(end, "the end of a ring"): end for end in decay}
    rings: dict[float, float] = {}
    for end_km in sorted(ends):
        # The inmost of several rings that the catchment cuts is the one that counts.
        weight = check_limit(decay[ends[end_km]], "the weight of a ring")
        rings.setdefault(min(end_km, catchment_km), weight)
    return Rings(np.array([*rings]), np.array([*rings.values()]))


def _gaussian(part: Floats) -> Floats:
    """1 here, 0 at the catchment's end; D. Dai, Health & Place 16 (2010) 1038."""
    floor = np.exp(-0.5)
    height = (np.exp(-0.5 * part * part) - floor) / (1.0 - floor)
    return np.asarray(np.maximum(0.0, height))


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
    supply: Mapping[str, float] | None = None,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    prefix: str = "",
    check: bool = True,
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
        that fall with distance. ``"gravity"``: the supply around an origin, weighted by distance,
        shared with nobody.
    catchment_km : float
        Nothing farther counts; a clinic exactly there does. 50 km is a choice, not a standard.
    decay : str, mapping or callable, optional
        ``"gaussian"``, ``"exponential"``, the upper ends of rings in kilometres to their weights,
        or a function from an array of kilometres to weights. None for three equal rings of 1,
        0.68 and 0.22 (``e2sfca``) or ``"gaussian"`` (``gravity``).
    supply : mapping of str to float, optional
        How much each clinic can give, by id; those it leaves out give 0. None for 1 each.
    weight : str, optional
        A column that says how much demand a row stands for; None for 1 each.
    where : Criteria or Filter, optional
        What a clinic must satisfy.
    lat, lon, geometry, address, prefix, check
        As in `nearest_join`.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the type that came in, rows and index unchanged, with ``access_confirmed`` and
        ``access_possible``, supply for one unit of weight: confirmed supply only, and all that
        is possible; and ``covered_confirmed`` and ``covered_possible``, whether any clinic is in
        reach. With none in reach the score is 0; without a position it is missing. A clinic that
        nobody with a weight reaches adds nothing.

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
    weigh = read_decay(method, decay, limit)
    source = Source(lat, lon, geometry, address)
    study = read_study(origins, directory, source, weight, where, facets, check=check)
    amounts = read_supply(directory, supply)
    refuse_implausible(directory, study.origins, check=check)
    score, covered = _scores(study, amounts, weigh, compete=method != "gravity")
    columns: dict[str, Column] = {}
    for level in LEVELS:
        columns[f"{prefix}access_{level}"] = score[level]
        columns[f"{prefix}covered_{level}"] = covered[level]
    return study.frame.extended(columns)


def _scores(
    study: Study, amounts: Floats, weigh: Decay, *, compete: bool
) -> tuple[dict[str, Floats], dict[str, npt.NDArray[np.bool_]]]:
    """Score and cover by level; the clinics one by one, so that no pair is stored."""
    near_origins, rows = study.near_origins()
    weight = study.weight[rows]
    confirmed = set(study.eligible["confirmed"]._clinic_nos().tolist())
    some = {level: np.zeros(len(rows)) for level in LEVELS}
    seen = {level: np.zeros(len(rows), dtype=np.bool_) for level in LEVELS}
    for clinic_no in study.eligible["possible"]._clinic_nos().tolist():
        place = study.directory.clinics[clinic_no].location
        if place is None:
            continue
        near, share = _reached(near_origins, place.lat, place.lon, weigh)
        factor = amounts[clinic_no]
        if compete:
            sought = float((weight[near] * share).sum())
            factor = factor / sought if sought > 0.0 else 0.0
        # What is possible includes what is confirmed: that is added at the end.
        level = "confirmed" if clinic_no in confirmed else "possible"
        some[level][near] += share * factor
        seen[level][near] = True
    some["possible"] += some["confirmed"]
    seen["possible"] |= seen["confirmed"]
    score = {level: np.full(len(study.weight), np.nan) for level in LEVELS}
    covered = {level: np.zeros(len(study.weight), dtype=np.bool_) for level in LEVELS}
    for level in LEVELS:
        score[level][rows], covered[level][rows] = some[level], seen[level]
    return score, covered


def _reached(
    origins: WithinDistance, lat: float, lon: float, weigh: Decay
) -> tuple[npt.NDArray[np.intp], Floats]:
    if isinstance(weigh, Rings):
        near, ring = origins.rings(lat, lon, weigh.edges_km)
        return near, weigh.weights[ring]
    near, distance_km = origins.distances(lat, lon, weigh.limit_km)
    return near, weigh.weigh(distance_km)
