"""The nearest clinics of many rows, in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.analysis.columns import code_type
from ketafind.analysis.origins import Origins, check_range
from ketafind.errors import CoordinatesError
from ketafind.index.protocol import Floats

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.matches import Filter

__all__ = ["Found", "chunks", "refuse_implausible", "search"]

CHUNK = 2**16
"""Rows a piece: large enough for the threads, small enough to stay in the cache."""

LONG = 16
"""So many pieces are a long work, which shows a progress bar."""

FAR_KM, NEAR_KM = 2000.0, 500.0


@dataclass(frozen=True, slots=True)
class Found:
    """The nearest clinics of rows.

    Parameters
    ----------
    distance_km : ndarray of float64, shape (n, k)
        NaN where there is no clinic.
    code : ndarray of int, shape (n, k)
        Place in ``directory.clinics``; -1 where there is none.
    """

    distance_km: Floats
    code: npt.NDArray[Any]


def chunks(n: int, *, progress: bool | None = False) -> Iterator[slice]:
    """Cut rows into pieces, and show how many are done.

    Parameters
    ----------
    n : int
        How many rows.
    progress : bool or None
        Whether to show a bar; None shows one for long work in a terminal or notebook.

    Yields
    ------
    slice
        The next rows.
    """
    from tqdm import tqdm

    if progress is None:
        watched = "ipykernel" in sys.modules or bool(sys.stderr and sys.stderr.isatty())
        progress = watched and n >= LONG * CHUNK
    with tqdm(total=n, unit=" rows", unit_scale=True, disable=not progress) as bar:
        for start in range(0, n, CHUNK):
            stop = min(start + CHUNK, n)
            yield slice(start, stop)
            bar.update(stop - start)


def search(
    directory: Directory,
    passing: Filter,
    origins: Origins,
    k: int,
    *,
    max_distance_km: float | None = None,
    threads: int | None = None,
    progress: bool | None = False,
    check: bool = True,
    first_row: int = 0,
) -> Found:
    """Find the k nearest clinics of each row.

    Parameters
    ----------
    directory : Directory
        The clinics.
    passing : Filter
        Which of them pass.
    origins : Origins
        The rows.
    k : int
        How many for each; never more are looked for than there are.
    max_distance_km : float, optional
        Leave out what is farther.
    threads : int, optional
        As for `Directory.nearest_arrays`.
    progress : bool or None
        As for `chunks`.
    check : bool
        Refuse rows that look swapped or sign-changed.
    first_row : int
        The number of the first row, for messages.

    Returns
    -------
    Found
        In the order of the rows.

    Raises
    ------
    CoordinatesError
        If a row is no position on earth, or implausible; names it without its digits.
    """
    n, k = len(origins), max(1, min(k, passing.n_eligible))
    found = Found(np.empty((n, k)), np.empty((n, k), code_type(len(directory))))
    for rows in chunks(n, progress=progress):
        lat, lon = origins.lat[rows], origins.lon[rows]
        good = check_range(lat, lon, first_row + rows.start)
        if good is not None:
            lat, lon = lat[good], lon[good]
        distance, place = directory.nearest_arrays(
            lat, lon, k, where=passing, threads=threads, max_distance_km=max_distance_km
        )
        if check and len(lat):
            fault = _implausible(directory, lat, lon, distance[:, 0])
            if fault is not None:
                row = fault[0] if good is None else int(np.flatnonzero(good)[fault[0]])
                raise CoordinatesError(f"row {first_row + rows.start + row}: {fault[1]}")
        if good is None:
            found.distance_km[rows], found.code[rows] = distance, place
        else:
            found.distance_km[rows], found.code[rows] = np.nan, -1
            found.distance_km[rows][good], found.code[rows][good] = distance, place
    return found


def refuse_implausible(directory: Directory, origins: Origins, *, check: bool = True) -> None:
    """Refuse origins that are no position on earth, or implausible where they stand.

    Parameters
    ----------
    directory : Directory
        The clinics.
    origins : Origins
        The rows.
    check : bool
        Refuse rows that look swapped or sign-changed, too.

    Raises
    ------
    CoordinatesError
        Names the first row at fault without its digits.
    """
    if check:
        search(directory, directory.filter(), origins, 1)
    else:
        check_range(origins.lat, origins.lon)


Change = Callable[[Floats, Floats], tuple[Floats, Floats]]
PAIRS: dict[str, Change] = {
    "with lat and lon swapped": lambda lat, lon: (lon, lat),
    "with the sign of lon changed": lambda lat, lon: (lat, -lon),
    "with the sign of lat changed": lambda lat, lon: (-lat, lon),
    "with both signs changed": lambda lat, lon: (-lat, -lon),
    "with lat and lon swapped and the sign of lon changed": lambda lat, lon: (lon, -lat),
    "with lat and lon swapped and the sign of lat changed": lambda lat, lon: (-lon, lat),
}


def _implausible(
    directory: Directory, lat: Floats, lon: Floats, distance_km: Floats
) -> tuple[int, str] | None:
    """The first row that is far from every clinic and near one if corrected, and the advice."""
    rows = np.flatnonzero(~(distance_km <= FAR_KM))
    if not len(rows) or not any(clinic.location for clinic in directory.clinics):
        return None
    # The distance is to a clinic that passes: is any clinic nearer?
    rows = rows[~_some_within(directory, lat[rows], lon[rows], FAR_KM)]
    first: tuple[int, str] | None = None
    for how, change in PAIRS.items():
        new_lat, new_lon = change(lat[rows], lon[rows])
        possible = np.flatnonzero(np.abs(new_lat) <= 90.0)
        near = _some_within(directory, new_lat[possible], new_lon[possible], NEAR_KM)
        hits = rows[possible[near]]
        if len(hits) and (first is None or hits[0] < first[0]):
            first = (
                int(hits[0]),
                (
                    f"it lies over 2,000 km from every clinic; {how} it would lie within 500 km of "
                    f"one ({len(hits)} such rows here). Correct it, or pass check=False if it is meant"
                ),
            )
    return first


def _some_within(
    directory: Directory, lat: Floats, lon: Floats, limit_km: float
) -> npt.NDArray[np.bool_]:
    distance_km, _ = directory.nearest_arrays(lat, lon, 1, max_distance_km=limit_km)
    return ~np.isnan(distance_km[:, 0])
