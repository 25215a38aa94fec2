"""Distance intervals and certain orders for many rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ketafind.analysis.facts import facts_of
from ketafind.index.protocol import Floats
from ketafind.intervals import SIGMA_PER_RADIUS
from ketafind.matches import Filter

if TYPE_CHECKING:
    from ketafind.analysis.origins import Origins
    from ketafind.directory import Directory

__all__ = ["intervals_km", "order_certain"]

CHUNK = 2**15


def intervals_km(
    distance_km: Floats, origin_km: float | Floats, clinic_km: float | Floats
) -> tuple[Floats, Floats]:
    """Bound true distances at the 90 % level; see `ketafind.intervals`.

    Parameters
    ----------
    distance_km : ndarray of float64
        Geodesic distances; NaN stays.
    origin_km, clinic_km : float or ndarray of float64
        90 % radii of both ends.

    Returns
    -------
    low, high : ndarray of float64
        Kilometres.
    """
    sigma = SIGMA_PER_RADIUS * np.hypot(origin_km, clinic_km)
    low = np.maximum(0.0, distance_km - 1.645 * sigma)
    with np.errstate(invalid="ignore"):
        spread = 3.29 * sigma * distance_km * distance_km / (distance_km + sigma)
    spread = np.where(sigma == 0.0, 0.0, spread)
    high = np.sqrt(distance_km * distance_km + spread + 4.605 * sigma * sigma)
    return low, np.where(sigma == 0.0, distance_km, high)


def order_certain(
    directory: Directory, passing: Filter, origins: Origins, k: int, max_distance_km: float | None
) -> npt.NDArray[np.bool_]:
    """Tell for each row whether the order of its clinics is certain at the 90 % level.

    Parameters
    ----------
    directory : Directory
        The clinics.
    passing : Filter
        Which of them pass.
    origins : Origins
        The rows.
    k : int
        How many clinics a row asks for.
    max_distance_km : float or None
        The limit.

    Returns
    -------
    ndarray of bool
        As ``Matches.order_certain``; False for a row without a position.
    """
    certain = np.zeros(len(origins), dtype=np.bool_)
    if passing.n_unlocated:
        return certain
    located = np.flatnonzero(~(np.isnan(origins.lat) | np.isnan(origins.lon)))
    for start in range(0, len(located), CHUNK):
        rows = located[start : start + CHUNK]
        certain[rows] = _certain(directory, passing, origins, rows, k, max_distance_km)
    return certain


def _certain(
    directory: Directory,
    passing: Filter,
    origins: Origins,
    rows: npt.NDArray[np.intp],
    k: int,
    limit_km: float | None,
) -> npt.NDArray[np.bool_]:
    lat, lon = origins.lat[rows], origins.lon[rows]
    origin_km = np.zeros(len(rows)) if origins.radius_km is None else origins.radius_km[rows]
    width = max(1, min(k + 1, passing.n_eligible))
    distance_km, position = directory.nearest_arrays(
        lat, lon, width, where=passing, max_distance_km=limit_km
    )
    radius_km = np.append(_radii(directory), np.nan)[position]
    low, high = intervals_km(distance_km, origin_km[:, None], radius_km)
    missing = position < 0
    low[missing], high[missing] = np.inf, -np.inf
    order = np.lexsort((high, low), axis=1)
    low_in_order = np.take_along_axis(low, order, axis=1)
    high_in_order = np.take_along_axis(high, order, axis=1)
    overlaps = (low_in_order[:, 1:] <= high_in_order[:, :-1]).any(axis=1)
    full = (~missing).sum(axis=1) >= k
    reach = np.where(full, high_in_order[:, :k].max(axis=1, initial=0.0), np.inf)
    certain = ~overlaps & ~_could_enter(directory, passing, (lat, lon), origin_km, reach, limit_km)
    if width > k:
        rest = np.flatnonzero(certain)
        certain[rest] = ~_others_enter(
            directory,
            passing,
            (lat[rest], lon[rest]),
            origin_km[rest],
            reach[rest],
            limit_km,
            (distance_km[rest, k], position[rest, :k]),
        )
    return certain


def _could_enter(
    directory: Directory,
    passing: Filter,
    where: tuple[Floats, Floats],
    origin_km: Floats,
    reach_km: Floats,
    limit_km: float | None,
) -> npt.NDArray[np.bool_]:
    """Whether an UNKNOWN clinic that is not listed may be nearer than the reach."""
    enters = np.zeros(len(reach_km), dtype=np.bool_)
    if passing.unknown != "exclude":
        return enters
    possible = Filter(passing.catalogue, passing.criteria, "only", _region(passing))
    for radius_km, unknown in _by_radius(directory, possible):
        distance_km, _ = directory.nearest_arrays(
            *where, 1, where=unknown, max_distance_km=limit_km
        )
        low, _ = intervals_km(distance_km[:, 0], origin_km, radius_km)
        enters |= low <= reach_km
    return enters


def _others_enter(
    directory: Directory,
    passing: Filter,
    where: tuple[Floats, Floats],
    origin_km: Floats,
    reach_km: Floats,
    limit_km: float | None,
    listed: tuple[Floats, npt.NDArray[np.intp]],
) -> npt.NDArray[np.bool_]:
    """Whether a clinic beyond the next one, known less well, may be nearer than the reach."""
    enters = np.zeros(len(reach_km), dtype=np.bool_)
    next_km, position = listed
    k = position.shape[1]
    for radius_km, some in _by_radius(directory, passing):
        low, _ = intervals_km(next_km, origin_km, radius_km)
        rows = np.flatnonzero(low <= reach_km)
        if not len(rows):
            continue
        lat, lon = where
        distance_km, found = directory.nearest_arrays(
            lat[rows], lon[rows], min(k + 1, some.n_eligible), where=some, max_distance_km=limit_km
        )
        ours = (found[:, :, None] == position[rows][:, None, :]).any(axis=2)
        other_km = np.where(ours | (found < 0), np.inf, distance_km).min(axis=1)
        low, _ = intervals_km(other_km, origin_km[rows], radius_km)
        enters[rows] |= low <= reach_km[rows]
    return enters


def _by_radius(directory: Directory, passing: Filter) -> Iterator[tuple[float, Filter]]:
    """Part clinics by their radius: among those of one, the nearest has the lowest interval."""
    radii = _radii(directory)
    positions = passing.positions()
    for radius_km in np.unique(radii[positions]):
        if not math.isnan(radius_km):
            some = np.zeros(len(radii), dtype=np.bool_)
            some[positions] = radii[positions] == radius_km
            yield (
                float(radius_km),
                Filter(passing.catalogue, passing.criteria, passing.unknown, some),
            )


def _region(passing: Filter) -> npt.NDArray[np.bool_] | None:
    if passing.region is None:
        return None
    rows = passing.catalogue.rows
    flags = np.zeros(len(rows), dtype=np.bool_)
    flags[rows] = np.unpackbits(passing.region, count=len(rows), bitorder="little").view(np.bool_)
    return flags


def _radii(directory: Directory) -> Floats:
    return facts_of(directory).numbers("clinic_radius_km")[:-1]
