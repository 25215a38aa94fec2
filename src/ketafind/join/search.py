"""The nearest clinics of many rows, in bounded memory."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError
from ketafind.index.protocol import Floats
from ketafind.join.frames import Crew, blocks, code_type
from ketafind.join.origins import Origins, check_range
from ketafind.query.origin import BOTH_ZERO, CHANGES, FAR_KM, NEAR_KM, would_fit

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter

__all__ = ["Found", "refuse_implausible", "search"]


CHUNK, LEAST_CHUNK = 2**18, 2**15
"""Rows a piece, and the fewest if a thread is to have several: neighbours follow each other more
closely where there are many."""

ANSWERS = 8
"""So many answers a row a piece is made for; with more there are fewer rows."""

LONG = 2**20
"""So many rows are a long work, which shows a progress bar."""


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest clinics of rows."""

    distance_km: Floats
    code: npt.NDArray[Any]
    complete: bool


def search(
    directory: Directory,
    passing: Filter,
    origins: Origins,
    k: int,
    *,
    crew: Crew,
    max_distance_km: float | None = None,
    progress: bool | None = False,
    check: bool = True,
    first_row: int = 0,
    beside: Callable[[slice], None] | None = None,
) -> Found:
    """Find the k nearest clinics of each row."""
    from tqdm import tqdm

    n, k = len(origins), max(1, min(k, passing.n_eligible))
    rows = max(LEAST_CHUNK, min(CHUNK, n // crew.threads))
    parts = blocks(n, max(1, min(rows, ANSWERS * rows // k)))
    kind = code_type(len(directory))
    places = passing.catalogue.places.located
    pieces = _Pieces(
        directory=directory,
        passing=passing,
        origins=origins,
        limit_km=math.inf if max_distance_km is None else max_distance_km,
        threads=crew.threads if len(parts) == 1 else 1,
        check=check,
        first_row=first_row,
        distance_km=np.empty((n, k)),
        code=np.empty((n, k), kind),
        clinics=None if passing.catalogue.all_located else np.append(places, -1).astype(kind),
        beside=beside,
    )
    with tqdm(
        total=n, unit=" rows", unit_scale=True, disable=not _shown(n, progress=progress)
    ) as bar:
        crew.run(pieces.work, parts, lambda part: bar.update(part.stop - part.start))
    return Found(pieces.distance_km, pieces.code, not pieces.lacking)


def _shown(n: int, *, progress: bool | None) -> bool:
    if progress is None:
        watched = "ipykernel" in sys.modules or bool(sys.stderr and sys.stderr.isatty())
        return watched and n >= LONG
    return progress


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """A search that is done piece by piece, on any thread."""

    directory: Directory
    passing: Filter
    origins: Origins
    limit_km: float
    threads: int
    check: bool
    first_row: int
    distance_km: Floats
    code: npt.NDArray[Any]
    clinics: npt.NDArray[Any] | None
    beside: Callable[[slice], None] | None
    lacking: list[slice] = field(default_factory=list)

    def work(self, rows: slice) -> None:
        """Do all there is to do for some rows."""
        self.find(rows)
        if self.beside is not None:
            self.beside(rows)

    def find(self, rows: slice) -> None:
        """Write the answers of some rows; note if a clinic is missing."""
        lat, lon = self.origins.lat[rows], self.origins.lon[rows]
        distance_km, code = self.distance_km[rows], self.code[rows]
        good: npt.NDArray[np.bool_] | None = None
        try:
            self._ask(lat, lon, distance_km, code)
        except CoordinatesError:
            good = check_range(lat, lon, self.first_row + rows.start)
            if good is None:
                raise
            lat, lon = lat[good], lon[good]
            some_km, some = distance_km[: len(lat)].copy(), code[: len(lat)].copy()
            self._ask(lat, lon, some_km, some)
            distance_km[:], code[:] = np.nan, -1
            distance_km[good], code[good] = some_km, some
        if self.check and len(lat):
            nearest_km = distance_km[:, 0] if good is None else some_km[:, 0]
            self._refuse(lat, lon, nearest_km, rows, good)
        if len(code) and int(code[:, -1].min()) < 0:
            self.lacking.append(rows)

    def _ask(self, lat: Floats, lon: Floats, distance_km: Floats, code: npt.NDArray[Any]) -> None:
        self.passing.catalogue.index.nearest_many(
            lat,
            lon,
            code.shape[1],
            self.passing.prepared,
            self.limit_km,
            threads=self.threads,
            out=(distance_km, code),
        )
        if self.clinics is not None:
            # The extra entry is what -1 finds.
            code[:] = self.clinics[code]

    def _refuse(
        self,
        lat: Floats,
        lon: Floats,
        distance_km: Floats,
        rows: slice,
        good: npt.NDArray[np.bool_] | None,
    ) -> None:
        fault = _implausible(self.directory, lat, lon, distance_km)
        if fault is not None:
            row = fault[0] if good is None else int(np.flatnonzero(good)[fault[0]])
            raise CoordinatesError(f"row {self.first_row + rows.start + row}: it {fault[1]}")


def refuse_implausible(directory: Directory, origins: Origins, *, check: bool = True) -> None:
    """Refuse origins that are no position on earth, or implausible where they stand."""
    if check:
        with Crew(len(origins)) as crew:
            search(directory, directory.filter(), origins, 1, crew=crew)
    else:
        check_range(origins.lat, origins.lon)


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
    # The distance is to a clinic that passes: is any clinic nearer?
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
    distance_km, _ = directory.nearest_arrays(lat, lon, 1, max_distance_km=limit_km)
    return ~np.isnan(distance_km[:, 0])
