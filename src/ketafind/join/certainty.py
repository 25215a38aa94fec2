"""Certain orders for many rows at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ketafind.geo import distance_intervals_km, distance_lows_km
from ketafind.index.protocol import Floats
from ketafind.query.filter import Filter
from ketafind.query.origin import Start
from ketafind.query.ranking import Page, Ranking

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.join.origins import Origins


CHUNK = 2**15
PARTS = 32


def order_certain(
    directory: Directory, eligible: Filter, origins: Origins, k: int, max_distance_km: float | None
) -> npt.NDArray[np.bool_]:
    """Tell for each row whether the order of its clinics is certain at the 90 % level."""
    certain = np.zeros(len(origins), dtype=np.bool_)
    if eligible.n_unlocated:
        return certain
    limit_km = math.inf if max_distance_km is None else max_distance_km
    parts = list(_by_radius(eligible))
    unknown = list(_by_radius(eligible._under("only"))) if eligible.unknown == "exclude" else []
    located = np.flatnonzero(origins.located)
    for start in range(0, len(located), CHUNK):
        rows = located[start : start + CHUNK]
        listed = _listed(directory, eligible, origins, rows, k, limit_km)
        sure = np.zeros(len(rows), dtype=np.bool_)
        maybe = np.zeros(len(rows), dtype=np.bool_)
        for part in unknown:
            listed.mark_entered(part, 1, sure, maybe)
        for part in parts if listed.next_km is not None else ():
            listed.mark_entered(part, k + 1, sure, maybe)
        certain[rows] = ~(listed.overlaps | sure)
        for at in np.flatnonzero(maybe & ~(listed.overlaps | sure)):
            place = Start(
                float(listed.lat[at]),
                float(listed.lon[at]),
                float(listed.radius_km[at]),
            )
            certain[rows[at]] = Page(Ranking(eligible, place, limit_km), 0, k).order_certain
    return certain


@dataclass(frozen=True, slots=True)
class _Part:
    """Clinics whose radii lie between two that are nearly the same."""

    least_km: float
    most_km: float
    eligible: Filter


def _by_radius(eligible: Filter) -> Iterator[_Part]:
    radii = eligible._catalogue.radius_km
    clinic_nos = eligible._clinic_nos()
    known = np.unique(radii[clinic_nos])
    known = known[~np.isnan(known)]
    for few in np.array_split(known, min(len(known), PARTS) or 1):
        if len(few):
            some = np.zeros(len(radii), dtype=np.bool_)
            some[clinic_nos] = (few[0] <= radii[clinic_nos]) & (radii[clinic_nos] <= few[-1])
            part = Filter(eligible._catalogue, eligible.criteria, eligible.unknown, some)
            yield _Part(float(few[0]), float(few[-1]), part)


@dataclass(frozen=True, slots=True)
class _Listed:
    """Rows, the clinics that are listed for each, and how far the last of these may be."""

    directory: Directory
    lat: Floats
    lon: Floats
    radius_km: Floats
    limit_km: float
    listed: npt.NDArray[np.intp]
    next_km: Floats | None
    overlaps: npt.NDArray[np.bool_]
    reach_km: Floats

    def mark_entered(
        self, part: _Part, n: int, sure: npt.NDArray[np.bool_], maybe: npt.NDArray[np.bool_]
    ) -> None:
        """Mark the rows that an unlisted clinic of a part enters, surely or maybe."""
        open_rows = ~(self.overlaps | sure)
        if n > 1 and self.next_km is not None:
            # Whoever is not listed is as far as the next one, or farther.
            low = distance_lows_km(self.next_km, self.radius_km, part.most_km)
            open_rows &= low <= self.reach_km
        rows = np.flatnonzero(open_rows)
        if not len(rows):
            return
        distance_km, found = self.directory.nearest_arrays(
            self.lat[rows],
            self.lon[rows],
            k=min(n, part.eligible.n_eligible),
            where=part.eligible,
            max_distance_km=self.limit_km,
        )
        if n > 1:
            ours = (found[:, :, None] == self.listed[rows][:, None, :]).any(axis=2)
            distance_km = np.where(ours, np.nan, distance_km)
        # NaN, for no clinic, is below no reach.
        nearest_km = np.fmin.reduce(distance_km, axis=1)
        for radius_km, marks in ((part.least_km, sure), (part.most_km, maybe)):
            low = distance_lows_km(nearest_km, self.radius_km[rows], radius_km)
            marks[rows] |= low <= self.reach_km[rows]


def _listed(
    directory: Directory,
    eligible: Filter,
    origins: Origins,
    rows: npt.NDArray[np.intp],
    k: int,
    limit_km: float,
) -> _Listed:
    lat, lon = origins.lat[rows], origins.lon[rows]
    origin_km = np.zeros(len(rows)) if origins.radius_km is None else origins.radius_km[rows]
    width = max(1, min(k + 1, eligible.n_eligible))
    distance_km, clinic_no = directory.nearest_arrays(
        lat, lon, k=width, where=eligible, max_distance_km=limit_km
    )
    radius_km = np.append(eligible._catalogue.radius_km, np.nan)[clinic_no]
    low, high = distance_intervals_km(distance_km, origin_km[:, None], radius_km)
    missing = clinic_no < 0
    low[missing], high[missing] = np.inf, -np.inf
    order = np.lexsort((high, low), axis=1)
    low_in_order = np.take_along_axis(low, order, axis=1)
    high_in_order = np.take_along_axis(high, order, axis=1)
    overlaps = np.any(low_in_order[:, 1:] <= high_in_order[:, :-1], axis=1)
    full = (~missing).sum(axis=1) >= k
    reach = np.where(full, high_in_order[:, :k].max(axis=1, initial=0.0), np.inf)
    next_km = distance_km[:, k] if width > k else None
    return _Listed(
        directory, lat, lon, origin_km, limit_km, clinic_no[:, :k], next_km, overlaps, reach
    )
