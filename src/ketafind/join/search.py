"""The nearest clinics of many rows, in bounded memory, and what is certain of them at the 90 % level."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ketafind.geo import distance_intervals_km, distance_lows_km, micrometres
from ketafind.index.kernel import threads_for
from ketafind.index.protocol import Floats, check_count
from ketafind.join.frames import code_type, on_threads, slices
from ketafind.join.origins import Origins, check_range, wrong_position
from ketafind.query.filter import Filter
from ketafind.query.origin import FAR_KM, implausible

if TYPE_CHECKING:
    from ketafind.directory import Directory


CHUNK, LEAST_CHUNK = 2**18, 2**15
"""Rows a part, and the fewest if a thread is to have several: neighbours follow each other more
closely where there are many."""

ANSWERS = 8
"""How many answers a row a part is made for; with more there are fewer rows."""

LONG = 2**20
"""Rows from which a progress bar is shown."""


Rows = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_COLUMNS = {"km": "distance{}_km", "min": "travel_time{}_min", "cost": "cost{}"}


def column_name(unit: str, end: str = "") -> str:
    """What a column of distances, times or costs is called, or of an end of their intervals."""
    return _COLUMNS[unit].format(f"_{end}" if end else "")


def ticks(unit: str, values: Any) -> Any:
    """What is compared: whole micrometres or milliseconds; costs as they are."""
    if unit == "km":
        return micrometres(values)
    return np.rint(np.multiply(values, 60_000.0)) if unit == "min" else values


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest clinics of rows, by their numbers in the directory; NaN and -1 where none is."""

    distance_km: Floats
    clinic: npt.NDArray[Any]
    rank: npt.NDArray[np.int32]
    value: Floats | None = None
    """Times or costs, where the order is theirs."""

    @property
    def values(self) -> Floats:
        """What the order is by."""
        return self.distance_km if self.value is None else self.value

    @property
    def complete(self) -> bool:
        """Whether no clinic is missing."""
        return not len(self.clinic) or int(self.clinic[:, -1].min()) >= 0


def search(
    directory: Directory,
    eligible: Filter,
    origins: Origins,
    k: int,
    *,
    threads: int | None = None,
    max_distance_km: float | None = None,
    progress: bool | None = False,
    check: bool = True,
    first_row: int = 0,
) -> Found:
    """Find the k nearest clinics of each row, part by part on several threads."""
    from tqdm import tqdm

    catalogue, n, k = eligible._catalogue, len(origins), max(1, min(k, eligible.n_eligible))
    threads = threads_for(n) if threads is None else check_count(threads, "threads")
    rows = max(LEAST_CHUNK, min(CHUNK, n // threads))
    parts = slices(n, max(1, min(rows, ANSWERS * rows // k)))
    numbers = np.empty((n, k), code_type(len(directory)))
    found = Found(np.empty((n, k)), numbers, np.empty((n, k), np.int32))
    ranks = np.arange(1, k + 1, dtype=np.int32)
    limit_km = math.inf if max_distance_km is None else max_distance_km
    inner = threads if len(parts) == 1 else 1

    def work(rows: slice) -> int:
        lat, lon = origins.lat[rows], origins.lon[rows]
        out = distance_km, clinic = found.distance_km[rows], found.clinic[rows]
        found.rank[rows] = ranks
        good = check_range(lat, lon, first_row + rows.start)
        if good is not None:
            lat, lon = lat[good], lon[good]
            out = distance_km[: len(lat)].copy(), clinic[: len(lat)].copy()
        catalogue.index.nearest_many(
            lat, lon, k, eligible._prepared, limit_km, threads=inner, out=out
        )
        if not catalogue.all_located:
            out[1][:] = catalogue.clinic_of_point[out[1]]
        # NaN is not less; one reduction is faster than to compare each.
        if check and not out[0][:, 0].max(initial=0.0) <= FAR_KM:
            far = np.flatnonzero(~(out[0][:, 0] <= FAR_KM))
            fault = implausible(catalogue, lat[far], lon[far])
            if fault is not None:
                row = far[fault[0]] if good is None else np.flatnonzero(good)[far[fault[0]]]
                raise wrong_position(first_row + rows.start + int(row), f"it {fault[1]}")
        if good is not None:
            distance_km[:], clinic[:] = np.nan, -1
            distance_km[good], clinic[good] = out
        return len(distance_km)

    show = shown(progress=progress, long=n >= LONG)
    with tqdm(total=n, unit=" rows", unit_scale=True, disable=not show) as bar:
        for done in on_threads(work, parts, threads):
            bar.update(done)
    return found


def shown(*, progress: bool | None, long: bool) -> bool:
    """Whether to show a progress bar: where that is left open, of long work that is watched."""
    watched = "ipykernel" in sys.modules or bool(sys.stderr and sys.stderr.isatty())
    return watched and long if progress is None else progress


def refuse_implausible(
    directory: Directory, origins: Origins, *, check: bool = True, first_row: int = 0,
    threads: int | None = None,
) -> None:  # fmt: skip
    """Refuse origins that are not a position on earth, or implausible where they stand."""
    if check:
        search(directory, directory.filter(), origins, 1, threads=threads, first_row=first_row)
    else:
        check_range(origins.lat, origins.lon, first_row)


def nearest_arrays(
    eligible: Filter, lat: Floats, lon: Floats, k: int, limit_km: float
) -> tuple[Floats, Rows]:
    """Find the k nearest eligible clinics of positions that were checked."""
    catalogue = eligible._catalogue
    distance_km, point_no = catalogue.index.nearest_many(lat, lon, k, eligible._prepared, limit_km)
    return distance_km, catalogue.clinic_of_point[point_no]


ROWS_AT_ONCE = 2**15
"""Rows of which the certainty of their order is worked out together."""


def order_certain(
    eligible: Filter, origins: Origins, k: int, max_distance_km: float | None
) -> Flags:
    """Tell for each row whether the order of its clinics is certain at the 90 % level."""
    certain = np.zeros(len(origins), dtype=np.bool_)
    if eligible.n_unlocated:
        return certain
    limit_km = math.inf if max_distance_km is None else max_distance_km
    others = [_Unlisted(eligible, k, limit_km)]
    if eligible.unknown == "exclude":
        others.append(_Unlisted(eligible._under("only"), 0, limit_km))
    located = np.flatnonzero(origins.located)
    for start in range(0, len(located), ROWS_AT_ONCE):
        rows = located[start : start + ROWS_AT_ONCE]
        listed = _Listed(eligible, origins, rows, k, limit_km)
        sure = np.flatnonzero(~listed.overlaps)
        for clinics in reversed(others):
            sure = np.setdiff1d(sure, clinics.entered(listed, sure, clinics.radii_km))
        certain[rows[sure]] = True
    return certain


class _Listed:
    """Rows, the clinics that are listed for each, and how far the last of these may be."""

    def __init__(
        self, eligible: Filter, origins: Origins, rows: Rows, k: int, limit_km: float
    ) -> None:
        self.lat, self.lon = origins.lat[rows], origins.lon[rows]
        known_km = origins.radius_km
        self.radius_km = np.zeros(len(rows)) if known_km is None else known_km[rows]
        width = max(1, min(k + 1, eligible.n_eligible))
        distance_km, clinic_no = nearest_arrays(eligible, self.lat, self.lon, width, limit_km)
        there_km = np.append(eligible._catalogue.radius_km, np.nan)[clinic_no]
        low, high = distance_intervals_km(distance_km, self.radius_km[:, None], there_km)
        missing = clinic_no < 0
        low[missing], high[missing] = np.inf, -np.inf
        order = np.lexsort((high, low), axis=1)
        low, high = (np.take_along_axis(end, order, axis=1) for end in (low, high))
        self.overlaps: Flags = np.any(low[:, 1:] <= high[:, :-1], axis=1)
        full = (~missing).sum(axis=1) >= k
        self.reach_km = np.where(full, high[:, :k].max(axis=1, initial=0.0), np.inf)
        self.next_km = distance_km[:, k] if width > k else np.full(len(rows), np.nan)
        self.clinic_no = clinic_no[:, :k]


class _ByRadius:
    """Clinics by their radii."""

    def __init__(self, eligible: Filter) -> None:
        self._eligible, self._clinic_nos = eligible, eligible._clinic_nos()
        known = np.unique(eligible._catalogue.radius_km[self._clinic_nos])
        self.radii_km = known[~np.isnan(known)]
        self._parts: dict[tuple[float, float], Filter] = {}

    def part(self, least_km: float, most_km: float) -> Filter:
        """The clinics whose radii lie between two."""
        ends = (least_km, most_km)
        if ends not in self._parts:
            eligible, radii_km = self._eligible, self._eligible._catalogue.radius_km
            some = np.zeros(len(radii_km), dtype=np.bool_)
            some[self._clinic_nos] = True
            some &= (least_km <= radii_km) & (radii_km <= most_km)
            made = Filter(eligible._catalogue, eligible.criteria, eligible.unknown, some)
            self._parts[ends] = made
        return self._parts[ends]


class _Unlisted(_ByRadius):
    """Clinics by their radii, of which up to so many are listed for each row."""

    def __init__(self, eligible: Filter, n_listed: int, limit_km: float) -> None:
        super().__init__(eligible)
        self._n_listed, self._limit_km = n_listed, limit_km

    def entered(self, listed: _Listed, rows: Rows, radii_km: Floats) -> Rows:
        """Choose the rows that an unlisted clinic with one of these radii enters."""
        if not len(radii_km):
            return rows[:0]
        origin_km, reach_km = listed.radius_km, listed.reach_km
        if self._n_listed:
            # Whoever is not listed is as far as the next one, or farther.
            low = distance_lows_km(listed.next_km[rows], origin_km[rows], radii_km[-1])
            rows = rows[low <= reach_km[rows]]
        if not len(rows):
            return rows
        nearest_km = self._nearest_km(listed, rows, self.part(radii_km[0], radii_km[-1]))
        # NaN, for no clinic, is below no reach.
        surely, maybe = (
            distance_lows_km(nearest_km, origin_km[rows], radius_km) <= reach_km[rows]
            for radius_km in (radii_km[0], radii_km[-1])
        )
        open_, found = rows[maybe & ~surely], [rows[surely]]
        for half in np.array_split(radii_km, 2) if len(open_) else ():
            found.append(self.entered(listed, open_, half))
            open_ = np.setdiff1d(open_, found[-1])
        return np.concatenate(found)

    def _nearest_km(self, listed: _Listed, rows: Rows, part: Filter) -> Floats:
        """How far the nearest clinic is that is not listed; NaN for none."""
        k = min(self._n_listed + 1, part.n_eligible)
        distance_km, found = nearest_arrays(
            part, listed.lat[rows], listed.lon[rows], k, self._limit_km
        )
        if self._n_listed:
            ours = (found[:, :, None] == listed.clinic_no[rows][:, None, :]).any(axis=2)
            distance_km = np.where(ours, np.nan, distance_km)
        nearest_km: Floats = np.fmin.reduce(distance_km, axis=1)
        return nearest_km


def nearest_end_km(eligible: Filter, origins: Origins, end: Literal["low", "high"]) -> Floats:
    """The least low or high end of the intervals to any clinic; infinite where there is none."""
    rows = np.flatnonzero(origins.located)
    lat, lon = origins.lat[rows], origins.lon[rows]
    here_km = np.zeros(len(rows)) if origins.radius_km is None else origins.radius_km[rows]
    clinics, best_km = _ByRadius(eligible), np.full(len(rows), np.inf)
    there_km = np.append(eligible._catalogue.radius_km, np.nan)

    def end_km(distance_km: Floats, rows: Rows, radius_km: float | Floats) -> Floats:
        if end == "low":
            return distance_lows_km(distance_km, here_km[rows], radius_km)
        return distance_intervals_km(distance_km, here_km[rows], radius_km)[1]

    def look(rows: Rows, radii_km: Floats, least_km: Floats) -> None:
        """Look among the clinics with these radii, none of which is nearer than the least."""
        kindest = end_km(least_km, rows, radii_km[-1 if end == "low" else 0])
        open_ = rows[kindest < best_km[rows]]
        if not len(open_):
            return
        part = clinics.part(radii_km[0], radii_km[-1])
        distance_km, clinic_no = nearest_arrays(part, lat[open_], lon[open_], 1, math.inf)
        own = end_km(distance_km[:, 0], open_, there_km[clinic_no[:, 0]])
        best_km[open_] = np.minimum(best_km[open_], own)
        halves = np.array_split(radii_km, 2) if len(radii_km) > 1 else []
        # First those that promise most: the others are then looked at for fewer rows.
        for half in reversed(halves) if end == "low" else halves:
            look(open_, half, distance_km[:, 0])

    if len(clinics.radii_km):
        look(np.arange(len(rows)), clinics.radii_km, np.zeros(len(rows)))
    found = np.full(len(origins), np.nan)
    found[rows] = best_km
    return found
