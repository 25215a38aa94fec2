"""Where the next clinics would reach most."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.access.demand import (
    LEVELS,
    Demand,
    both_filters,
    check_thresholds,
    nearest_km,
    read_demand,
)
from ketafind.access.within_distance import WithinDistance
from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.files import require
from ketafind.geo import micrometres
from ketafind.index.protocol import Floats, check_count
from ketafind.join.frames import Codes, Column, Texts, open_frame
from ketafind.join.origins import Origins, Source, check_range, read_origins
from ketafind.join.search import refuse_implausible

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter


ADDED = ("threshold_km", "supply", "newly_covered", "share_before", "share_after")
"""What an answer adds to the candidates' columns."""


def best_sites(
    origins: Any,
    directory: Directory,
    candidates: Any,
    *,
    n: int = 1,
    thresholds_km: float | Sequence[float] = 50.0,
    weight: str | None = None,
    where: Criteria | Filter | None = None,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | None = None,
    check: bool = True,
    **facets: Any,
) -> Any:
    """Choose the n candidate sites that bring most origins within reach of a clinic.

    Parameters
    ----------
    origins : pandas, geopandas, polars or pyarrow frame, or None
        As in `coverage`: who is to be reached.
    directory : Directory
        The clinics that are there already.
    candidates : pandas, geopandas, polars or pyarrow frame
        One row a site, with the same columns of position as the origins have, or else ``lat`` and
        ``lon``.
    n : int
        How many sites.
    thresholds_km : float or sequence of float
        Within reach is this far at the most, in kilometres; sites are chosen for each distance.
    weight : str, optional
        A column of the origins that says how much a row counts; None for one each.
    where : Criteria or Filter, optional
        What a clinic must satisfy to count as being there.
    lat, lon, geometry, address, check
        As in `nearest_join`, of the origins.
    **facets
        As in `Directory.filter`.

    Returns
    -------
    frame
        Of the candidates' type, for each ``threshold_km`` n rows twice: the choice when only
        confirmed clinics are there (``supply`` is ``confirmed``), then when all possible ones are
        (``possible``).
        ``newly_covered`` is the weight that this site reaches and neither a clinic nor a site
        above it does, the most first; ``share_before`` and ``share_after``
        are the shares of the whole weight within reach without and with all n sites.

    Raises
    ------
    InvalidInputError
        If an argument or a column cannot be used, or there are fewer than n candidates.
    MissingExtraError
        If spopt is not installed (extra ``sites``).

    Notes
    -----
    Maximal covering location problem: R. Church and C. ReVelle, Papers in Regional Science 32
    (1974) 101, solved to the optimum by ``spopt`` and the solver CBC. Origins that the same
    candidates reach are one client of the model, which loses nothing.
    """
    require("spopt.locate", "sites")  # said before the work, not after it
    limits = check_thresholds(thresholds_km)
    source = Source(lat, lon, geometry, address)
    demand = read_demand(origins, source, weight)
    opened = open_frame(candidates)
    sites = read_origins(opened, _source_of_sites(source, opened.names))
    good = check_range(sites.lat, sites.lon)
    if good is not None:
        raise InvalidInputError(
            f"candidate {int(np.argmin(good))} has no position; drop such rows first (rows are "
            f"counted from 0)"
        )
    if check_count(n, "n") > len(opened):
        raise InvalidInputError(f"n={n}, but there are {len(opened)} candidates")
    taken = [name for name in ADDED if name in opened.names]
    if taken:
        raise InvalidInputError(f"the candidates have a column {taken[0]!r}; rename it first")
    eligible = both_filters(directory, where, facets)
    _check_candidates(directory, sites, check=check)
    nearest = [nearest_km(directory, eligible[level], demand, check=check)[0] for level in LEVELS]
    rows: list[int] = []
    shares: list[tuple[float, float, float]] = []
    for limit in limits.tolist():
        reached = _reached(demand, sites, limit)
        for distance_km in nearest:
            near = micrometres(distance_km) <= micrometres(limit)
            chosen, added = _best(demand, reached, len(sites), near, n)
            rows += chosen
            shares += added
    levels = np.tile(np.arange(2, dtype=np.int8).repeat(n), len(limits))
    columns: dict[str, Column] = {"threshold_km": limits.repeat(2 * n)}
    columns["supply"] = Codes(levels, Texts(LEVELS))
    columns |= dict(zip(ADDED[2:], np.array(shares).T, strict=True))
    return opened.chosen(np.array(rows, dtype=np.intp)).extended(columns)


def _best(
    demand: Demand,
    reached: npt.NDArray[np.uint8],
    n_sites: int,
    near: npt.NDArray[np.bool_],
    n: int,
) -> tuple[list[int], list[tuple[float, float, float]]]:
    """Choose n sites; what each adds, and the shares within reach before and after all."""
    weights = np.where(near | ~demand.located, 0.0, demand.weight)
    best, new = _solve(reached, n_sites, weights, n)
    total = float(demand.weight[demand.located].sum()) or 1.0
    before = float(demand.weight[near].sum())
    return best, [(one, before / total, (before + sum(new)) / total) for one in new]


def _check_candidates(directory: Directory, sites: Origins, *, check: bool) -> None:
    try:
        refuse_implausible(directory, sites, check=check)
    except CoordinatesError as error:
        raise CoordinatesError(f"candidates, {error}") from None


def _source_of_sites(source: Source, names: list[Any]) -> Source:
    wanted = (source.lat, source.lon, source.geometry, source.address)
    return source if all(one is None or one in names for one in wanted) else Source()


def _reached(demand: Demand, sites: Origins, limit_km: float) -> npt.NDArray[np.uint8]:
    """Which sites reach each origin: one bit a site, packed."""
    located = np.flatnonzero(demand.located)
    near_origins = WithinDistance(demand.origins.lat[located], demand.origins.lon[located])
    rows = located[near_origins.order]
    reached = np.zeros((len(demand.weight), (len(sites) + 7) // 8), dtype=np.uint8)
    edge = np.array([limit_km])
    for site, (lat, lon) in enumerate(zip(sites.lat.tolist(), sites.lon.tolist(), strict=True)):
        near, _ = near_origins.rings(lat, lon, edge)
        reached[rows[near], site // 8] |= np.uint8(1 << site % 8)
    return reached


def _solve(
    reached: npt.NDArray[np.uint8], n_sites: int, weight: Floats, n: int
) -> tuple[list[int], list[float]]:
    """The best n sites, the one that adds most first, and what each adds to those before it."""
    open_ = (weight > 0.0) & reached.any(axis=1)
    if not open_.any():
        return list(range(n)), [0.0] * n
    patterns, group = np.unique(reached[open_], axis=0, return_inverse=True)
    clients: Floats = np.bincount(group.ravel(), weight[open_]).astype(np.float64)
    covers = np.unpackbits(patterns, axis=1, count=n_sites, bitorder="little").astype(np.bool_)
    # The solver takes what is small for nothing.
    left = _mclp(covers, clients / clients.max(), n)
    best, new = [], []
    while left:
        gains = [float(clients[covers[:, site]].sum()) for site in left]
        new.append(max(gains))
        best.append(left.pop(gains.index(new[-1])))
        clients = np.where(covers[:, best[-1]], 0.0, clients)
    return best, new


def _mclp(covers: npt.NDArray[np.bool_], clients: Floats, n: int) -> list[int]:
    locate, pulp = require("spopt.locate", "sites"), require("pulp", "sites")
    with warnings.catch_warnings():
        # spopt builds its model in a way that PuLP 4 will not know: PuLP 3 is required.
        warnings.simplefilter("ignore", DeprecationWarning)
        model = locate.MCLP.from_cost_matrix(np.where(covers, 0.0, 1.0), clients, 0.5, n)
        model = model.solve(pulp.PULP_CBC_CMD(msg=False))
    values = [variable.value() for variable in model.fac_vars]
    return [site for site, value in enumerate(values) if value is not None and value > 0.5]
