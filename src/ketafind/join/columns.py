"""The columns that a join adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import distance_intervals_km
from ketafind.join.certainty import order_certain
from ketafind.join.frames import (
    ALONE,
    BLOCK,
    Codes,
    Column,
    Copies,
    Crew,
    Flags,
    Floats,
    Rows,
    Texts,
    Whole,
    blocks,
    code_type,
    pick,
)
from ketafind.join.origins import NO_POSITION, NONE_NEAR, NONE_PASSES, REASONS, UNPLACED, Origins

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.join.search import Found
    from ketafind.query.filter import Filter
    from ketafind.records import Clinic

__all__ = [
    "ALWAYS",
    "CLINIC_NUMBERS",
    "CLINIC_TEXTS",
    "ROW_COLUMNS",
    "Answers",
    "ClinicFacts",
    "check_extra",
    "facts_of",
]


CLINIC_TEXTS: dict[str, Callable[[Clinic], str | None]] = {
    "clinic_id": lambda clinic: clinic.clinic_id,
    "name": lambda clinic: clinic.name,
    "operator": lambda clinic: clinic.operator or None,
    "street_address": lambda clinic: clinic.street_address or None,
    "city": lambda clinic: clinic.city or None,
    "province": lambda clinic: clinic.province or None,
    "postal_code": lambda clinic: clinic.postal_code or None,
    "phone": lambda clinic: clinic.phone or None,
    "website": lambda clinic: clinic.website or None,
    "status": lambda clinic: clinic.status,
    "precision": lambda clinic: None if clinic.location is None else clinic.location.precision,
}
"""Texts of a clinic that may be asked for."""

CLINIC_NUMBERS = {"clinic_lat": "lat", "clinic_lon": "lon", "clinic_radius_km": "radius_km"}
"""Numbers of a clinic that may be asked for, and what they are of its location."""


class ClinicFacts:
    """Columns over the clinics of one directory; an extra entry at the end is what -1 finds."""

    def __init__(self, directory: Directory) -> None:
        self._clinics: Sequence[Clinic] = directory.clinics
        self._places = directory.filter().catalogue.places
        self._texts: dict[str, tuple[npt.NDArray[np.signedinteger], Texts]] = {}

    def texts(self, name: str) -> tuple[npt.NDArray[np.signedinteger], Texts]:
        """Read one of `CLINIC_TEXTS`."""
        if name not in self._texts:
            of_clinic = [CLINIC_TEXTS[name](clinic) for clinic in self._clinics]
            number: dict[str | None, int] = {}
            for text in of_clinic:
                if text is not None:
                    number.setdefault(text, len(number))
            codes = [number.get(text, -1) for text in of_clinic]
            table = np.array([*codes, -1], dtype=code_type(len(number)))
            self._texts[name] = table, Texts(str(text) for text in number)
        return self._texts[name]

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Read one of `CLINIC_NUMBERS`."""
        column = np.full(len(self._clinics) + 1, np.nan)
        column[self._places.located] = getattr(self._places, CLINIC_NUMBERS[name])
        return column


_known: WeakKeyDictionary[Directory, ClinicFacts] = WeakKeyDictionary()


def facts_of(directory: Directory) -> ClinicFacts:
    """Find the facts of a directory; they live as long as it does."""
    facts = _known.get(directory)
    if facts is None:
        facts = _known[directory] = ClinicFacts(directory)
    return facts


_INTERVAL = ("distance_low_km", "distance_high_km")
ALWAYS = ("rank", "clinic_id", "distance_km", "truth")
"""What a join always adds for each clinic found."""

ROW_COLUMNS = ("origin_lat", "origin_lon", "origin_radius_km", "order_certain", "reason")
"""What belongs to the row and not to a clinic: once a row in a wide frame."""

EXTRA = (*list(CLINIC_TEXTS)[1:], *CLINIC_NUMBERS, *_INTERVAL, "order_certain")

_TRUTHS = Texts(("yes", "unknown"))
_REASONS = Texts(REASONS)


def check_extra(columns: Sequence[str]) -> tuple[str, ...]:
    """Refuse the name of a column that a join cannot add."""
    if not isinstance(columns, Iterable):
        raise InvalidInputError(f"columns={columns!r}: give names of columns, such as ['city']")
    wanted = (columns,) if isinstance(columns, str) else tuple(dict.fromkeys(columns))
    unknown = [name for name in wanted if name not in EXTRA]
    if unknown:
        raise InvalidInputError(
            f"a join cannot add the column {unknown[0]!r}; it adds {', '.join(ALWAYS)} always and "
            f"on request {', '.join(EXTRA)}"
        )
    return wanted


@dataclass(frozen=True, slots=True)
class _Cells:
    """Clinics found, one a row of what comes out; `complete` if none is missing."""

    code: npt.NDArray[Any]
    distance_km: npt.NDArray[np.float64]
    complete: bool
    rank: npt.NDArray[np.int32] | None = None


class Answers:
    """The answers to a join, column by column."""

    def __init__(
        self,
        directory: Directory,
        passing: Filter,
        origins: Origins,
        found: Found,
        k: int,
        max_distance_km: float | None,
        crew: Crew = ALONE,
    ) -> None:
        self._directory = directory
        self._facts = facts_of(directory)
        self._passing = passing
        self._origins = origins
        self._found = found
        self._k = k
        self._limit_km = max_distance_km
        self._crew = crew

    def long(
        self, names: Sequence[str], *, left: bool, rank: npt.NDArray[np.int32] | None = None
    ) -> tuple[dict[str, Column], Rows | None]:
        """Lay the answers out with one row a clinic; once only: the distances found may move."""
        code, distance_km = self._found.code, self._found.distance_km
        n, width = code.shape
        if self._found.complete:
            rows: Rows | None = None if width == 1 else width
            cells = _Cells(
                code.ravel(), distance_km.ravel(), True, self._ranks() if rank is None else rank
            )
        else:
            keep = code >= 0
            if left:
                keep[:, 0] = True
            # Numbers as small as they can be: for many rows these are large arrays.
            numbers = np.arange(n, dtype=np.int32 if n < 2**31 else np.intp)
            owners: npt.NDArray[Any] = np.repeat(numbers, np.count_nonzero(keep, axis=1))
            ranks = np.broadcast_to(np.arange(1, width + 1, dtype=np.int32), (n, width))[keep]
            cells = _Cells(code[keep], _kept(distance_km, keep, len(owners)), False, ranks)
            rows = None if width == 1 and len(owners) == n else owners
        columns = {name: self._column(name, cells, rows) for name in names}
        return columns, rows

    def wide(self, names: Sequence[str], *, left: bool) -> tuple[dict[str, Column], Rows | None]:
        """Lay the answers out with one row a row; see `long`."""
        code, distance_km = self._found.code, self._found.distance_km
        rows = None if left else np.flatnonzero(code[:, 0] >= 0)
        if rows is not None:
            code, distance_km = code[rows], distance_km[rows]
        columns: dict[str, Column] = {}
        none = _Cells(np.full(len(code), -1, code.dtype), np.full(len(code), np.nan), False)
        for place in range(self._k):
            cells = none
            if place < code.shape[1]:
                cells = _Cells(code[:, place], distance_km[:, place], self._found.complete)
            for name in names:
                if name not in (*ROW_COLUMNS, "rank"):
                    columns[f"{name}_{place + 1}"] = self._column(name, cells, rows)
        for name in names:
            if name in ROW_COLUMNS:
                columns[name] = self._of_row(name, rows, len(code))
        return columns, rows

    def _ranks(self) -> npt.NDArray[np.int32]:
        n, width = self._found.code.shape
        copies = Copies[str]({}, width, n)
        self._crew.fill(copies.fill, n, width)
        return copies.number

    def _column(self, name: str, cells: _Cells, rows: Rows | None) -> Column:
        code = cells.code
        if name == "clinic_id":
            # A clinic's place is its id's place, too.
            return Codes(code, self._facts.texts(name)[1])
        if name == "distance_km":
            return Floats(cells.distance_km, cells.complete)
        if name == "rank" and cells.rank is not None:
            return Whole(cells.rank, None if cells.complete else code < 0)
        if name == "truth":
            return self._truth(cells)
        if name in CLINIC_TEXTS:
            of_clinic, texts = self._facts.texts(name)
            return Codes(pick(of_clinic, code, self._crew), texts)
        if name in CLINIC_NUMBERS:
            return Floats(pick(self._facts.numbers(name), code, self._crew))
        if name in _INTERVAL:
            return self._interval(name, cells, rows)
        return self._of_row(name, rows, len(code))

    def _truth(self, cells: _Cells) -> Codes:
        code = cells.code
        if self._passing.unknown != "include":
            only = int(self._passing.unknown == "only")
            if cells.complete:
                return Codes.same(only, len(code), _TRUTHS)
            return Codes(np.where(code < 0, -1, only).astype(np.int8), _TRUTHS)
        confirmed = self._directory.filter(self._passing.criteria).positions()
        of_clinic = np.ones(len(self._directory) + 1, dtype=np.int8)
        of_clinic[confirmed] = 0
        of_clinic[-1] = -1
        return Codes(pick(of_clinic, code, self._crew), _TRUTHS)

    def _interval(self, name: str, cells: _Cells, rows: Rows | None) -> Floats:
        clinic_km = self._facts.numbers("clinic_radius_km")
        bounds = np.empty(len(cells.code))

        def fill(part: slice) -> None:
            low, high = distance_intervals_km(
                cells.distance_km[part], self._origin_km(part, rows), clinic_km[cells.code[part]]
            )
            bounds[part] = low if name == "distance_low_km" else high

        self._crew.fill(fill, len(bounds))
        return Floats(bounds)

    def _origin_km(self, part: slice, rows: Rows | None) -> Any:
        """The radii of the origins of some rows of what comes out."""
        radius_km = self._origins.radius_km
        if radius_km is None:
            return 0.0
        if rows is None:
            return radius_km[part]
        if isinstance(rows, int):
            return radius_km[np.arange(part.start, part.stop) // rows]
        return radius_km[rows[part]]

    def _of_row(self, name: str, rows: Rows | None, n: int) -> Column:
        column: Column
        if name == "reason":
            if self._found.complete:
                return Codes.same(-1, n, _REASONS)
            column = self._reason()
        elif name == "order_certain":
            column = Flags(
                order_certain(
                    self._directory, self._passing, self._origins, self._k, self._limit_km
                )
            )
        else:
            values = getattr(self._origins, name.removeprefix("origin_"))
            column = Floats(values)
        return column if rows is None else column.take(rows)

    def _reason(self) -> Codes:
        missing = self._found.code[:, 0] < 0
        nothing = NONE_NEAR
        if not self._passing.n_eligible:
            nothing = UNPLACED if len(self._passing.positions()) else NONE_PASSES
        reason = np.where(missing, nothing, -1).astype(np.int8)
        known = self._origins.reason
        if known is None:
            reason[np.isnan(self._origins.lat) | np.isnan(self._origins.lon)] = NO_POSITION
            return Codes(reason, _REASONS)
        return Codes(np.where(known >= 0, known, reason), _REASONS)


def _kept(
    table: npt.NDArray[np.float64], keep: npt.NDArray[np.bool_], n_kept: int
) -> npt.NDArray[np.float64]:
    """The numbers that are kept, one after the other; in the table's own memory if most are."""
    if 2 * n_kept < table.size:
        return table[keep]
    line, end = table.reshape(-1), 0
    # What is read lies never before what is written.
    for part in blocks(len(table), max(1, BLOCK // table.shape[1])):
        some = table[part][keep[part]]
        line[end : end + len(some)] = some
        end += len(some)
    return line[:end]
