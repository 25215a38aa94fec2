"""The columns that a join adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError, shown
from ketafind.geo import distance_intervals_km
from ketafind.index.protocol import Floats
from ketafind.join.frames import (
    BLOCK,
    Codes,
    Column,
    Texts,
    Times,
    code_type,
    on_threads,
    repeated,
    slices,
)
from ketafind.join.origins import (
    NO_POSITION,
    NO_ROAD,
    NO_WAY,
    NONE_ELIGIBLE,
    NONE_IN_TIME,
    NONE_NEAR,
    REASONS,
    UNPLACED,
    Origins,
)
from ketafind.join.search import column_name, order_certain
from ketafind.records import CLINIC_FIELDS

if TYPE_CHECKING:
    from ketafind.join.journeys import Journeys
    from ketafind.join.search import Found
    from ketafind.query.catalogue import Catalogue
    from ketafind.query.filter import Filter
    from ketafind.vocabulary import Vocabulary


_NUMBERS = {
    f"clinic_{field.name}": field
    for field in CLINIC_FIELDS
    if field.kind in ("latitude", "longitude", "radius")
}
_TEXTS = {field.name: field for field in CLINIC_FIELDS if field not in _NUMBERS.values()}


def always(unit: str) -> tuple[str, ...]:
    """What a join always adds for each clinic found."""
    by_travel = () if unit == "km" else (column_name(unit),)
    return ("rank", "clinic_id", *by_travel, "distance_km", "truth")


ROW_COLUMNS = ("origin_lat", "origin_lon", "origin_radius_km", "order_certain", "reason")
"""What belongs to the row and not to a clinic: once a row in a wide frame."""

INTERVAL = ("distance_low_km", "distance_high_km")
TIMES = ("travel_time_low_min", "travel_time_high_min")
EXTRA = (*(name for name in _TEXTS if name != "clinic_id"), *_NUMBERS, *INTERVAL, "order_certain")
"""What a join adds if it is named."""

_TRUTHS = Texts(("yes", "unknown"))
_REASONS = Texts(REASONS)


def check_extra(
    columns: Sequence[str], vocabulary: Vocabulary, unit: str = "km"
) -> tuple[str, ...]:
    """Refuse the name of a column that a join cannot add."""
    if not isinstance(columns, Iterable):
        raise InvalidInputError(
            f"columns={shown(columns)}: give names of columns, such as ['city']"
        )
    wanted = (columns,) if isinstance(columns, str) else tuple(dict.fromkeys(columns))
    # The order of times is not worked out twice, and costs have no interval.
    own = EXTRA if unit == "km" else (*EXTRA[:-1], *(TIMES if unit == "min" else ()))
    able = (*own, *(facet.plural for facet in vocabulary.facets))
    unknown = [name for name in wanted if name not in able]
    if unknown:
        raise InvalidInputError(
            f"a join cannot add the column {shown(unknown[0])}; it adds {', '.join(always(unit))} always "
            f"and on request {', '.join(able)}"
        )
    return wanted


_known: WeakKeyDictionary[Catalogue, dict[str, Codes]] = WeakKeyDictionary()


def clinic_texts(catalogue: Catalogue, name: str) -> Codes:
    """Read a field of all clinics, with a missing one at the end for -1; read once only."""
    known = _known.setdefault(catalogue, {})
    if name not in known:
        known[name] = _coded(_TEXTS[name].of(clinic) for clinic in catalogue.clinics)
    return known[name]


def _coded(values: Iterable[Any]) -> Codes:
    """Number values, with a missing one at the end for -1."""
    import pandas as pd

    numbers, texts = pd.factorize(np.array([*values, None], dtype=object))
    return Codes(numbers.astype(code_type(len(texts))), Texts(map(str, texts)))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Clinics found, one a row of what comes out, and how many of these a row of the frame has."""

    clinic: npt.NDArray[Any]
    distance_km: Floats
    rank: npt.NDArray[np.int32]
    times: Times
    value: Floats
    """Times or costs; empty where the order is that of distances."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a join, column by column."""

    eligible: Filter
    origins: Origins
    found: Found
    k: int
    limit: float | None
    threads: int
    journeys: Journeys | None = None

    def long(self, names: Sequence[str], *, left: bool) -> tuple[dict[str, Column], Times]:
        """Lay the answers out with one row a clinic; once only: the distances found may move."""
        clinic, distance_km, rank = self.found.clinic, self.found.distance_km, self.found.rank
        width = clinic.shape[1]
        value = np.empty(0) if self.found.value is None else self.found.value
        if self.found.complete:
            cells = _Cells(clinic.ravel(), distance_km.ravel(), rank.ravel(), width, value.ravel())
        else:
            keep = clinic >= 0
            keep[:, 0] |= left
            times = 1 if width == 1 and left else np.count_nonzero(keep, axis=1)
            value = value[keep] if len(value) else value
            cells = _Cells(clinic[keep], _kept(distance_km, keep), rank[keep], times, value)
        return {name: self._column(name, cells) for name in names}, cells.times

    def wide(self, names: Sequence[str], *, left: bool) -> tuple[dict[str, Column], Times]:
        """Lay the answers out with one row a row of the frame."""
        keep = self.found.clinic[:, 0] >= 0
        keep |= left
        clinic, distance_km = self.found.clinic[keep], self.found.distance_km[keep]
        value = distance_km if self.found.value is None else self.found.value[keep]
        times: Times = 1 if left else keep.astype(np.intp)
        beyond = ((0, 0), (0, self.k - clinic.shape[1]))
        clinic = np.pad(clinic, beyond, constant_values=-1)
        distance_km, value = (
            np.pad(table, beyond, constant_values=np.nan) for table in (distance_km, value)
        )
        rank = np.ones(len(clinic), dtype=np.int32)
        columns: dict[str, Column] = {}
        for place in range(self.k):
            cells = _Cells(clinic[:, place], distance_km[:, place], rank, times, value[:, place])
            for name in names:
                if name not in (*ROW_COLUMNS, "rank"):
                    columns[f"{name}_{place + 1}"] = self._column(name, cells)
        return columns | {n: self._of_row(n, times) for n in names if n in ROW_COLUMNS}, times

    def _column(self, name: str, cells: _Cells) -> Column:
        clinic, catalogue = cells.clinic, self.eligible._catalogue
        if name == "clinic_id":
            # A clinic's number is its id's number, too.
            return Codes(clinic, clinic_texts(catalogue, name).texts)
        if name == "distance_km":
            return cells.distance_km
        if self.journeys is not None and name == column_name(self.journeys.unit):
            return cells.value
        if self.journeys is not None and name in TIMES:
            end = TIMES.index(name)
            more_km = self._interval(end, cells) - cells.distance_km
            return self.journeys.end_of(end, cells.value, cells.distance_km, more_km)
        if name == "rank":
            return np.ma.MaskedArray(cells.rank, clinic < 0)
        if name == "truth":
            return self._truth(clinic)
        if name in _TEXTS:
            known = clinic_texts(catalogue, name)
            return Codes(known.numbers[clinic], known.texts)
        if name in _NUMBERS:
            values = [_NUMBERS[name].of(one) for one in catalogue.clinics]
            numbers: Floats = np.array([*values, None], dtype=np.float64)[clinic]
            return numbers
        if name in INTERVAL:
            return self._interval(INTERVAL.index(name), cells)
        if name in ROW_COLUMNS:
            return self._of_row(name, cells.times)
        known = self._facts(name)
        return Codes(known.numbers[clinic], known.texts)

    def _facts(self, plural: str) -> Codes:
        """The terms of a facet that are YES in the service that answers for each clinic."""
        catalogue = self.eligible._catalogue
        facet, texts = catalogue.vocabulary.facet(plural).id, [""] * len(catalogue.clinics)
        for clinic_no in self.eligible._clinic_nos().tolist():
            texts[clinic_no] = ";".join(self.eligible._service(clinic_no).terms(facet))
        return _coded(text or None for text in texts)

    def _truth(self, clinic: npt.NDArray[Any]) -> Codes:
        if self.eligible.unknown != "include" and self.found.complete:
            return Codes.same(int(self.eligible.unknown == "only"), len(clinic), _TRUTHS)
        of_clinic = np.full(len(self.eligible._catalogue.clinics) + 1, 1, dtype=np.int8)
        of_clinic[-1] = -1
        if self.eligible.unknown != "only":
            of_clinic[self.eligible._under("exclude")._clinic_nos()] = 0
        return Codes(of_clinic[clinic], _TRUTHS)

    def _interval(self, end: int, cells: _Cells) -> Floats:
        clinic_km = np.append(self.eligible._catalogue.radius_km, np.nan)
        radius_km = self.origins.radius_km
        origin_km = None if radius_km is None else repeated(radius_km, cells.times)

        def bounds(part: slice) -> Floats:
            there_km = clinic_km[cells.clinic[part]]
            here_km = 0.0 if origin_km is None else origin_km[part]
            return distance_intervals_km(cells.distance_km[part], here_km, there_km)[end]

        parts = slices(len(cells.clinic), BLOCK)
        return np.concatenate([np.empty(0), *on_threads(bounds, parts, self.threads)])

    def _of_row(self, name: str, times: Times) -> Column:
        if name == "reason":
            column: Column = self._reason()
        elif name == "order_certain":
            certain = order_certain(self.eligible, self.origins, self.k, self.limit)
            column = np.ma.MaskedArray(certain, ~self.origins.located)
        else:
            column = getattr(self.origins, name.removeprefix("origin_"))
        chosen: Column = repeated(column, times)
        return chosen

    def _reason(self) -> Codes:
        if self.found.complete:
            return Codes.same(-1, len(self.found.clinic), _REASONS)
        nothing = NONE_NEAR
        if self.journeys is not None:
            nothing = NO_WAY if self.limit is None else NONE_IN_TIME
        if not len(self.eligible._clinic_nos()):
            nothing = NONE_ELIGIBLE
        elif not self.eligible.n_eligible and (self.journeys is None or self.journeys.by_position):
            nothing = UNPLACED
        reason = np.where(self.found.clinic[:, 0] < 0, np.int8(nothing), np.int8(-1))
        if self.journeys is not None and nothing in (NO_WAY, NONE_IN_TIME):
            reason[self.journeys.off()] = NO_ROAD
            if not self.journeys.by_position:
                return Codes(reason, _REASONS)
        reason[~self.origins.located] = NO_POSITION
        known = self.origins.reason
        return Codes(reason if known is None else np.where(known >= 0, known, reason), _REASONS)


def _kept(table: Floats, keep: npt.NDArray[np.bool_]) -> Floats:
    """The numbers that are kept, one after the other; in the table's own memory if most are."""
    line, kept = table.reshape(-1), table[keep]
    if 2 * len(kept) < len(line):
        return kept
    line[: len(kept)] = kept
    return line[: len(kept)]
