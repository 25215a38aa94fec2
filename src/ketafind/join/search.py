"""The nearest clinics of many rows, in bounded memory."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError
from ketafind.geo import micrometres
from ketafind.index.kernel import threads_for
from ketafind.index.protocol import Floats, check_count
from ketafind.join.frames import code_type, on_threads, slices
from ketafind.join.origins import Origins, check_range
from ketafind.query.origin import BOTH_ZERO, CHANGES, FAR_KM, NEAR_KM, would_fit

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter


CHUNK, LEAST_CHUNK = 2**18, 2**15
"""Rows a part, and the fewest if a thread is to have several: neighbours follow each other more
closely where there are many."""

ANSWERS = 8
"""How many answers a row a part is made for; with more there are fewer rows."""

LONG = 2**20
"""Rows from which a progress bar is shown."""


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
        fault = _implausible(directory, lat, lon, out[0][:, 0]) if check else None
        if fault is not None:
            row = fault[0] if good is None else int(np.flatnonzero(good)[fault[0]])
            raise CoordinatesError(f"row {first_row + rows.start + row}: it {fault[1]}")
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


def _implausible(
    directory: Directory, lat: Floats, lon: Floats, distance_km: Floats
) -> tuple[int, str] | None:
    """The first row that is far from every clinic and near one if corrected, and the advice."""
    # NaN is not less; one reduction is faster than to compare each.
    if distance_km.max(initial=0.0) <= FAR_KM:
        return None
    rows = np.flatnonzero(~(distance_km <= FAR_KM))
    if not any(clinic.location for clinic in directory.clinics):
        return None
    # The distance is to an eligible clinic: is any clinic nearer?
    rows = rows[~_some_within(directory, lat[rows], lon[rows], FAR_KM)]
    faults = [(int(row), BOTH_ZERO) for row in rows[(lat[rows] == 0.0) & (lon[rows] == 0.0)][:1]]
    for how, change in CHANGES.items():
        new_lat, new_lon = change(lat[rows], lon[rows])
        possible = np.flatnonzero(np.abs(new_lat) <= 90.0)
        near = _some_within(directory, new_lat[possible], new_lon[possible], NEAR_KM)
        faults += [(int(row), would_fit(how)) for row in rows[possible[near]][:1]]
    return min(faults, key=itemgetter(0), default=None)


def _some_within(
    directory: Directory, lat: Floats, lon: Floats, limit_km: float
) -> npt.NDArray[np.bool_]:
    return nearest_arrays(directory.filter(), lat, lon, 1, limit_km)[1][:, 0] >= 0


def nearest_arrays(
    eligible: Filter, lat: Floats, lon: Floats, k: int, limit_km: float
) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Find the k nearest eligible clinics of positions that were checked."""
    catalogue = eligible._catalogue
    distance_km, point_no = catalogue.index.nearest_many(lat, lon, k, eligible._prepared, limit_km)
    return distance_km, catalogue.clinic_of_point[point_no]
