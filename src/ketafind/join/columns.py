"""What an analysis adds to a frame: the columns of a join, and where the frame comes from."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError, packaged, shown
from ketafind.geo import distance_intervals_km
from ketafind.index.protocol import Floats
from ketafind.join.frames import BLOCK, Codes, Texts, code_type, on_threads, repeated, slices
from ketafind.join.origins import REASON_NO, REASONS, Origins
from ketafind.join.search import column_name, order_certain
from ketafind.records import CLINIC_FIELDS

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.join.frames import Column, Times
    from ketafind.join.journeys import Journeys, Travel
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
_REASONS = Texts(REASONS.values())


def check_extra(
    columns: Sequence[str], vocabulary: Vocabulary, unit: str = "km"
) -> tuple[str, ...]:
    """Refuse the name of a column that a join cannot add."""
    if not isinstance(columns, Iterable) or not getattr(columns, "ndim", True):
        raise InvalidInputError(
            f"columns={shown(columns)}: give names of columns, such as ['city']"
        )
    wanted = (columns,) if isinstance(columns, str) else tuple(dict.fromkeys(map(str, columns)))
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
        """Lay the answers out with one row a clinic; once only: what was found may move."""
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
            distance_km, rank = _kept(distance_km, keep), _kept(rank, keep)
            cells = _Cells(clinic[keep], distance_km, rank, times, value)
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
        nothing = "none_near"
        if self.journeys is not None:
            nothing = "no_way" if self.limit is None else "none_in_time"
        by_position = self.journeys is None or self.journeys.by_position
        if not len(self.eligible._clinic_nos()):
            nothing = "none_eligible"
        elif not self.eligible.n_eligible and by_position:
            nothing = "unplaced"
        reason = np.where(self.found.clinic[:, 0] < 0, REASON_NO[nothing], np.int8(-1))
        if self.journeys is not None and nothing in ("no_way", "none_in_time"):
            reason[self.journeys.off()] = REASON_NO["no_road"]
            if not by_position:
                return Codes(reason, _REASONS)
        reason[~self.origins.located] = REASON_NO["no_position"]
        known = self.origins.reason
        return Codes(reason if known is None else np.where(known >= 0, known, reason), _REASONS)


def _kept(table: npt.NDArray[Any], keep: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """The numbers that are kept, one after the other; in the table's own memory if most are."""
    line, flags, n = table.reshape(-1), keep.reshape(-1), 0
    for part in slices(len(line), BLOCK):
        some = line[part][flags[part]]
        line[n : n + len(some)] = some
        n += len(some)
    return line[:n] if 2 * n >= len(line) else line[:n].copy()


KEY = "ketafind"
"""Where pandas' attrs and Arrow's metadata hold the record."""

T = TypeVar("T")
_named = lru_cache(maxsize=64)(str)
"""Of a snapshot; a join of few rows is asked for again and again."""

# Other frames hold no record of their own; theirs goes when they go.
_records: dict[int, dict[str, Any]] = {}


def stamped(
    frame: T,
    method: str,
    directory: Directory,
    eligible: Filter,
    /,
    *,
    unknown: str,
    radius: str,
    criteria: bool,
    travel: Travel | None = None,
    **settings: Any,
) -> T:
    """Let a frame that was just made remember where it comes from."""
    from ketafind import __version__

    record: dict[str, Any] = {
        "snapshot": _named(directory.snapshot),
        "licence": directory._catalogue.licence,
        "version": __version__,
        "method": method,
        "date": date.today().isoformat(),  # noqa: DTZ011 - the day where the work is done
        "unknown": unknown,
        "n_clinics": len(directory),
        "n_unlocated": eligible.n_unlocated,
        "radius": radius,
        **({} if travel is None else travel.told()),
        "settings": {name: _plain(value) for name, value in settings.items()},
    }
    if criteria:
        record["criteria"] = eligible.criteria.to_dict()
    if hasattr(frame, "attrs") and isinstance(frame.attrs, dict):
        frame.attrs[KEY] = record
        return frame
    if hasattr(frame, "schema") and hasattr(frame, "replace_schema_metadata"):
        kept = frame.schema.metadata or {}
        made: T = frame.replace_schema_metadata({**kept, KEY: json.dumps(record)})
        return made
    _records[id(frame)] = record
    weakref.finalize(frame, _records.pop, id(frame), None)
    return frame


def _plain(value: Any) -> Any:
    """A setting as JSON has it; a function by its name."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): float(number) for key, number in value.items()}
    return getattr(value, "__name__", "a function") if callable(value) else value


def provenance(frame: Any) -> dict[str, Any]:
    """Tell where a frame that an analysis returned comes from.

    Parameters
    ----------
    frame : frame
        What `nearest_join`, `coverage`, `gaps`, `access_score`, `catchments`, `best_sites` or
        `compare` returned; of a table that `to_frame` made, the data and the version alone. Frames
        of Dask hold it when they are computed, too; Spark keeps none. Frames of pandas hold the
        record in ``attrs["ketafind"]`` and those of pyarrow in the metadata of their schema, and
        keep it in Parquet; of other frames only the very one that was returned is known, not what
        was made from it.

    Returns
    -------
    dict
        ``snapshot``, ``n_clinics`` and, of what `load_directory` returned or was made from it, ``licence``,
        ``version`` of ketafind, ``method`` (the function), ``date``, ``unknown`` (the policy, or
        ``"both"``), ``n_unlocated``, ``radius`` (where the 90 % radii of the origins come from),
        ``settings``; by travel time ``router`` (its kind), ``profile`` and ``credit`` (whose
        roads), or ``cost`` (the column), and ``n_missing``, the pairs of an origin and a clinic
        without one, or none within the limit (not known of lazy frames); and, if the analysis was
        asked with ``provenance=True``, ``criteria``. Never an origin.

    Raises
    ------
    InvalidInputError
        If nothing is known of the frame.

    Examples
    --------
    >>> import ketafind as kf
    >>> reach = kf.coverage(None, kf.load_directory(), thresholds_km=100, routes="iv")
    >>> kf.provenance(reach)["method"], "criteria" in kf.provenance(reach)
    ('coverage', False)
    """
    known: Any = _records.get(id(frame))
    if isinstance(getattr(frame, "attrs", None), dict):
        known = frame.attrs.get(KEY)
        # A difference is of two snapshots.
        known = known if isinstance(known, dict) and known.keys() & {"snapshot", "before"} else None
    elif hasattr(frame, "schema") and hasattr(frame.schema, "metadata"):
        text = (frame.schema.metadata or {}).get(KEY.encode())
        known = None if text is None else json.loads(text)
    named = ("snapshot", "before", "after", "licence", "credit")
    if not known or not all(isinstance(known.get(name, ""), str) for name in named):
        raise InvalidInputError(
            f"nothing is known of where this {type(frame).__name__} comes from; give the frame "
            f"that an analysis returned"
        )
    return dict(known)


def methods(frame: Any) -> str:
    """Write a paragraph for the methods section of a paper, in English and in French.

    Parameters
    ----------
    frame : frame
        As in `provenance`.

    Returns
    -------
    str
        The English paragraph, a blank line and the French one.

    Raises
    ------
    InvalidInputError
        If nothing is known of the frame.

    Examples
    --------
    >>> import ketafind as kf
    >>> reach = kf.coverage(None, kf.load_directory(), thresholds_km=100, routes="iv")
    >>> print(kf.methods(reach))  # doctest: +ELLIPSIS
    With ketafind 0.1.0, ...
    """
    record = provenance(frame)
    if "method" not in record:
        raise InvalidInputError("this is a table of data: methods are written of an analysis")
    settings = ", ".join(f"{name}={value!r}" for name, value in record["settings"].items())
    criteria = json.dumps(record.get("criteria"), ensure_ascii=False)
    way = "router" if "router" in record else "cost" if "cost" in record else "distance"
    missing = ["missing"] if "n_missing" in record else []
    parts = ["opening", "data", way, *missing, "exact" if record["radius"] == "exact" else "radii"]
    parts += ["criteria"] if "criteria" in record else []
    parts += ["both" if record["unknown"] == "both" else "policy"]
    told = {**record, "settings": settings, "criteria": criteria}
    paragraphs = []
    for words in packaged("join/methods.json").values():
        for english, term in words["terms"].items():
            told |= {name: told[name].replace(english, term) for name in ("snapshot", "radius")}
        sentences = " ".join(words["sentences"][part] for part in parts)
        paragraphs.append(sentences.format(**told, done=words["done"][record["method"]]))
    return "\n\n".join(paragraphs)
