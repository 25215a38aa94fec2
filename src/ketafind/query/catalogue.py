"""What an answer is computed from: clinics by id, their points, facts and index; and its file."""

# Four numberings, the same in the whole package:
#
# clinic_no
#     A clinic, in the order of the ids: ``directory.clinics[clinic_no]``.
# point_no
#     A point of the spatial index: the located clinics, in the order of the ids.
# bit_row
#     A bit of a filter: the points in the order in which the index lays out its bits
#     (`SpatialIndex.order`), then the clinics without a position.
# service_row
#     A bit of the slices of terms: the first service of each clinic at its bit_row, then, from the
#     next whole byte, the further services (`TermSlices`).

from __future__ import annotations

import json
import math
import warnings
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property, partial
from itertools import chain, pairwise
from operator import attrgetter
from os import PathLike
from threading import Lock
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from ketafind import errors
from ketafind.bits import StatedFacts, TermSlices, columns_of, renumbered
from ketafind.facts import canonical, resolved
from ketafind.files import open_arrays, write_arrays
from ketafind.geo import compiled_core
from ketafind.geocoding.protocol import checked_location
from ketafind.index import IndexName, KernelIndex, make_index
from ketafind.records import STATUSES, UNPLACED, Clinic
from ketafind.snapshot import LICENCE, EncodedClinics, Snapshot, encode_directory, readable
from ketafind.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ketafind.geocoding import Geocoder
    from ketafind.index.protocol import SpatialIndex


clinic_id_of: attrgetter[str] = attrgetter("clinic_id")


@dataclass(frozen=True, slots=True)
class Points:
    """Where the located clinics are, as read-only columns; a row is a point_no."""

    clinic_no: NDArray[np.intp]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    radius_km: NDArray[np.float64]

    def __post_init__(self) -> None:
        for array in (self.clinic_no, self.lat, self.lon, self.radius_km):
            array.flags.writeable = False

    @classmethod
    def of(cls, clinics: Sequence[Clinic]) -> Points:
        """Take the columns from clinics."""
        # Columns, not a tuple for each: of so many the garbage collector makes the most work.
        places = [clinic.location for clinic in clinics]
        known = [place for place in places if place is not None]
        # One pass: what takes the time is to fetch each place from memory.
        flat = chain.from_iterable(map(attrgetter("lat", "lon", "radius_km"), known))
        columns = np.fromiter(flat, np.float64, 3 * len(known)).reshape(-1, 3).T.copy()
        return cls(np.flatnonzero([place is not None for place in places]), *columns)


class Catalogue:
    """Clinics in the order of their ids, and what queries need of them, made when first needed."""

    licence = ""
    """Of the data, where it is known: of those that ship, and of what is made from them."""

    def __init__(
        self, clinics: Sequence[Clinic], vocabulary: Vocabulary, index_name: IndexName | None
    ) -> None:
        self.clinics = clinics
        self.vocabulary = vocabulary
        self.index_name = index_name
        self._lock = Lock()

    @classmethod
    def build(
        cls,
        clinics: Iterable[Clinic],
        vocabulary: Vocabulary,
        index_name: IndexName | None = None,
        *,
        are_consistent: bool = False,
        licence: str = "",
    ) -> Catalogue:
        """Order clinics, and refuse those whose facts contradict each other."""
        catalogue = cls(_ordered(clinics), vocabulary, index_name)
        catalogue.licence = licence
        if not are_consistent:
            _ = catalogue.facts
        return catalogue

    def __reduce__(self) -> tuple[Any, ...]:
        build = partial(Catalogue.build, licence=self.licence)
        return build, (self.clinics, self.vocabulary, self.index_name)

    @cached_property
    def points(self) -> Points:
        """The located clinics."""
        return Points.of(self.clinics)

    @cached_property
    def facts(self) -> StatedFacts:
        """What the services state; it is refused where it contradicts itself."""
        return StatedFacts.of(self.clinics, self.vocabulary)

    @cached_property
    def index(self) -> SpatialIndex:
        """The index of the points: one, though several threads ask, since filters are made for it."""
        known = self.__dict__
        with self._lock:
            if "index" not in known:
                known["index"] = self._make_index()
        index: SpatialIndex = known["index"]
        return index

    def _make_index(self) -> SpatialIndex:
        return make_index(self.index_name)(self.points.lat, self.points.lon)

    def changed(self, added: Iterable[Clinic], removed: Iterable[str]) -> Catalogue:
        """Remove clinics, then add others or new versions, without a look at those that stay."""
        new = _ordered(added)
        dropped = {self.clinic_no(clinic_id) for clinic_id in removed}
        dropped |= {no for one in new if (no := self.find(one.clinic_id)) is not None}
        drop = np.array(sorted(dropped), np.intp)
        at = np.array([self._place(one.clinic_id) for one in new], np.intp)
        at -= np.searchsorted(drop, at)
        facts = self.facts.changed(drop, at, StatedFacts.of(new, self.vocabulary))
        clinics = _spliced(self.clinics, drop.tolist(), at.tolist(), new)
        made = Catalogue(clinics, self.vocabulary, self.index_name)
        made.facts, made.licence = facts, self.licence
        self._change_points(made, drop, at, new)
        return made

    def _change_points(
        self, made: Catalogue, drop: NDArray[np.intp], at: NDArray[np.intp], new: Sequence[Clinic]
    ) -> None:
        old, more = self.points, Points.of(new)
        gone = np.flatnonzero(np.isin(old.clinic_no, drop))
        kept_no = renumbered(np.delete(old.clinic_no, gone), drop, at)
        new_no = (at + np.arange(len(at)))[more.clinic_no]
        before = np.searchsorted(kept_no, new_no)
        made.points = points = Points(
            np.insert(kept_no, before, new_no),
            np.insert(np.delete(old.lat, gone), before, more.lat),
            np.insert(np.delete(old.lon, gone), before, more.lon),
            np.insert(np.delete(old.radius_km, gone), before, more.radius_km),
        )
        if "index" in self.__dict__:
            made.index = self.index.changed(gone, before, points.lat, points.lon)

    @property
    def n_located(self) -> int:
        """How many clinics have a position."""
        return len(self.points.clinic_no)

    @cached_property
    def all_located(self) -> bool:
        """Whether every clinic has a position: each point_no is the clinic_no then."""
        return len(self.clinics) == self.n_located

    @cached_property
    def clinic_of_point(self) -> NDArray[np.intp]:
        """The clinic_no of each point_no; of -1, which says that there is none, -1."""
        return np.append(self.points.clinic_no, -1)

    @cached_property
    def anchor(self) -> tuple[float, float]:
        """Latitude and longitude of one located clinic, in radians."""
        return math.radians(self.points.lat[0]), math.radians(self.points.lon[0])

    @cached_property
    def clinic_of_row(self) -> NDArray[np.intp]:
        """The clinic_no of each bit_row."""
        is_located = np.zeros(len(self.clinics), bool)
        is_located[self.points.clinic_no] = True
        return np.concatenate(
            [self.points.clinic_no[self.index.order], np.flatnonzero(~is_located)]
        )

    @cached_property
    def row_of_clinic(self) -> NDArray[np.intp]:
        """The bit_row of each clinic_no."""
        rows = np.empty(len(self.clinic_of_row), np.intp)
        rows[self.clinic_of_row] = np.arange(len(rows))
        return rows

    @cached_property
    def slices(self) -> TermSlices:
        """What is stated of the services, in the order of the index."""
        return TermSlices(self.facts, self.clinic_of_row, self.row_of_clinic, self.vocabulary)

    @cached_property
    def radius_km(self) -> NDArray[np.float64]:
        """90 % radius of each clinic's position; NaN for the unlocated."""
        radius_km = np.full(len(self.clinics), np.nan)
        radius_km[self.points.clinic_no] = self.points.radius_km
        return radius_km

    @cached_property
    def snapshot(self) -> Snapshot:
        """The name of this data."""
        return Snapshot.of(self.clinics, self.vocabulary)

    def clinic_no(self, clinic_id: str) -> int:
        """Find a clinic by its id."""
        found = self.find(clinic_id)
        if not isinstance(clinic_id, str):
            raise errors.UnknownClinicError(
                f"a clinic's id is a text, not {type(clinic_id).__name__}; write clinic.clinic_id"
            )
        if found is None:
            raise self._unknown(clinic_id)
        return found

    def find(self, clinic_id: object) -> int | None:
        """Look up a clinic's number, or None if there is no such clinic."""
        if not isinstance(clinic_id, str):
            return None
        place = self._place(clinic_id)
        is_there = place < len(self.clinics) and self.clinics[place].clinic_id == clinic_id
        return place if is_there else None

    def _place(self, clinic_id: str) -> int:
        return bisect_left(self.clinics, clinic_id, key=clinic_id_of)

    def _unknown(self, clinic_id: str) -> errors.UnknownClinicError:
        near = self._near(clinic_id)
        message = f"no clinic has the id {errors.shown(clinic_id)}"
        if near:
            message += f"; did you mean {' or '.join(map(repr, near))}?"
        error = errors.UnknownClinicError(message).of(clinic_id)
        error.suggestions = near
        return error

    def _near(self, clinic_id: str) -> tuple[str, ...]:
        from difflib import get_close_matches

        # Ids are compared one by one: in a large directory only those that begin alike.
        text = "-".join(clinic_id.lower().split())
        place = self._place(text[:3])
        around = self.clinics[max(0, place - 500) : place + 500]
        known = [clinic.clinic_id for clinic in around]
        close = [one for one in known if len(text) > 2 and text in one][:3]
        return tuple(close or get_close_matches(text, known, n=3))


def _ordered(clinics: Iterable[Clinic]) -> tuple[Clinic, ...]:
    """Sort clinics by id, and refuse two of one id."""
    ordered = tuple(sorted(clinics, key=clinic_id_of))
    ids = [clinic.clinic_id for clinic in ordered]
    repeated = sorted({one for one, other in pairwise(ids) if one == other})
    if repeated:
        faults = [
            errors.Fault(f"two clinics share this id, {one!r}", None, "clinic_id", one)
            for one in repeated
        ]
        raise errors.DataError("clinics", faults)
    return ordered


def _spliced(
    clinics: Sequence[Clinic], drop: list[int], at: list[int], new: Sequence[Clinic]
) -> Sequence[Clinic]:
    """Drop clinics, then insert the new ones before these of those that stay."""
    items: list[Any] = list(clinics.items if isinstance(clinics, EncodedClinics) else clinics)
    for clinic_no in reversed(drop):
        del items[clinic_no]
    for clinic_no, clinic in zip(reversed(at), reversed(new), strict=True):
        items.insert(clinic_no, clinic)
    return clinics.sharing(items) if isinstance(clinics, EncodedClinics) else tuple(items)


def canonical_clinics(
    clinics: Iterable[Clinic], vocabulary: Vocabulary, *, check: bool
) -> tuple[Clinic, ...]:
    """Check clinics that a caller gives, and write them in the vocabulary's ids."""
    from ketafind.tables.places import refuse_implausible

    if isinstance(clinics, Clinic | str) or not isinstance(clinics, Iterable):
        raise errors.InvalidInputError(
            f"several Clinic objects are needed, not {type(clinics).__name__}; "
            f"write [...] around one"
        )
    records = tuple(clinics)
    for record in records:
        if not isinstance(record, Clinic):
            raise errors.InvalidInputError(
                f"Clinic objects are needed, not {type(record).__name__}; for tables there are "
                f"from_frame and from_csv, and of a directory take .values()"
            )
    if check:
        refuse_implausible(records)
    return canonical(records, vocabulary)


def decided_and_placed(
    clinics: Iterable[Clinic],
    vocabulary: Vocabulary,
    geocoder: Geocoder | None,
    *,
    stacklevel: int,
) -> list[Clinic]:
    """Let evidence decide what clinics in canonical form state, and geocode their addresses."""
    # Where sources disagree, the higher class and the later date decide.
    decided = (resolved(one, vocabulary) for one in clinics)
    ready = [_placed(one, geocoder) if one.location is None else one for one in decided]
    n_unplaced = sum(one.location is None and UNPLACED in one.extra for one in ready)
    if n_unplaced:
        warnings.warn(
            f"{n_unplaced} of {len(ready)} clinics could not be placed by their address: they are "
            f"found by search, never by distance; directory.validate() lists the reasons",
            UserWarning,
            stacklevel=stacklevel,
        )
    return ready


def _placed(clinic: Clinic, geocoder: Geocoder | None) -> Clinic:
    if not (clinic.city or clinic.postal_code or clinic.street_address):
        return clinic
    try:
        if geocoder is None:
            from ketafind.geocoding import geocode

            place = geocode(clinic.address)
        else:
            place = checked_location(geocoder.geocode(clinic.address), geocoder)
    except errors.GeocodingError as error:
        return replace(clinic, extra={**clinic.extra, UNPLACED: str(error)})
    return replace(clinic, location=place)


# -- In a file, which is opened without reading its records ---------------------------------------

KIND = "ketafind directory"
VERSION = 6
INDEX = "index."

TYPES: dict[str, tuple[Any, int, str]] = {
    "records": (np.uint8, 1, ""),
    "starts": (np.int64, 1, ""),
    "vocabulary": (np.uint8, 1, ""),
    "clinic_no": (np.int64, 1, ""),
    "lat": (np.float64, 1, "clinic_no"),
    "lon": (np.float64, 1, "clinic_no"),
    "radius_km": (np.float64, 1, "clinic_no"),
    "yes": (np.uint8, 2, ""),
    "no": (np.uint8, 2, "yes"),
    "group": (np.int32, 1, ""),
    "more_clinic_no": (np.int64, 1, ""),
    "more_group": (np.int32, 1, "more_clinic_no"),
    "status": (np.uint8, 1, "group"),
    "measured": (np.float64, 2, ""),
}
"""Type, number of dimensions and what has the same shape, of each array but those of the index."""

FACTS = tuple(part.name for part in fields(StatedFacts))
POINTS = tuple(part.name for part in fields(Points))


def save_catalogue(path: str | PathLike[str], catalogue: Catalogue) -> None:
    """Write a catalogue to one file, whole or not at all."""
    records, snapshot = encode_directory(catalogue.clinics, catalogue.vocabulary)
    starts = np.zeros(len(records) + 1, np.int64)
    np.cumsum(list(map(len, records)), out=starts[1:])
    # In the order of the vocabulary: it is the order in which terms are shown.
    words = json.dumps(catalogue.vocabulary.to_dict()).encode()
    arrays: dict[str, NDArray[Any]] = {
        "records": np.frombuffer(b"".join(records), np.uint8),
        "starts": starts,
        "vocabulary": np.frombuffer(words, np.uint8),
    }
    arrays |= {name: getattr(catalogue.points, name) for name in POINTS}
    arrays |= {name: getattr(catalogue.facts, name) for name in FACTS}
    arrays = {name: array.astype(TYPES[name][0], copy=False) for name, array in arrays.items()}
    if isinstance(catalogue.index, KernelIndex):
        arrays |= {INDEX + name: array for name, array in catalogue.index.arrays.items()}
    metadata = {
        "kind": KIND,
        "version": VERSION,
        "snapshot": snapshot.id,
        "date": None if snapshot.date is None else snapshot.date.isoformat(),
        "index": catalogue.index_name,
        "licence": catalogue.licence,
    }
    write_arrays(path, metadata, arrays)


def open_catalogue(path: str | PathLike[str], *, verify: bool) -> Catalogue:
    """Open a catalogue that `save_catalogue` wrote; its records are read when they are asked for."""
    metadata, arrays = open_arrays(path, kind=KIND, version=VERSION, verify=verify)
    _check_metadata(metadata)
    _check_shapes(arrays)
    if verify:
        _check_values(arrays)
    return _Stored(metadata, arrays, verify=verify)


class _Stored(Catalogue):
    """A catalogue whose parts lie in a file."""

    def __init__(
        self, metadata: Mapping[str, Any], arrays: Mapping[str, Any], *, verify: bool
    ) -> None:
        self._arrays = arrays
        self._verify = verify
        self._lock = Lock()
        self.clinics = EncodedClinics(arrays["records"], arrays["starts"])
        self.index_name: IndexName | None = metadata["index"]
        self.licence = metadata.get("licence", "")
        self.points = Points(
            arrays["clinic_no"].astype(np.intp, copy=False),
            *(arrays[name] for name in ("lat", "lon", "radius_km")),
        )
        self.facts = StatedFacts(*(arrays[name] for name in FACTS))
        day = metadata["date"]
        when = None if day is None else readable(lambda: date.fromisoformat(day))
        self.snapshot = Snapshot(metadata["snapshot"], when)

    def _make_index(self) -> SpatialIndex:
        stored = {
            name.removeprefix(INDEX): array
            for name, array in self._arrays.items()
            if name.startswith(INDEX)
        }
        if not stored or compiled_core() is None:
            # Another kind of index, or saved or opened where there is no compiled core.
            return super()._make_index()
        index = KernelIndex.from_arrays(stored, verify=self._verify)
        if len(index) != self.n_located:
            raise errors.DirectoryFileError("the file's index is not that of its points")
        return index

    @cached_property
    def vocabulary(self) -> Vocabulary:  # type: ignore[override]
        data = self._arrays["vocabulary"].tobytes()
        vocabulary = readable(lambda: Vocabulary.from_dict(json.loads(data)))
        if (len(columns_of(vocabulary)) + 7) // 8 != self.facts.yes.shape[1]:
            raise errors.DirectoryFileError("the file's terms are not those of its vocabulary")
        return vocabulary


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    day = metadata.get("date", 0)
    if not isinstance(metadata.get("snapshot"), str) or not isinstance(day, str | None):
        raise errors.DirectoryFileError("the file does not name its snapshot")
    if metadata.get("index", 0) not in (None, *get_args(IndexName)):
        raise errors.DirectoryFileError("the file names an index that is not known")
    if metadata.get("licence", "") not in ("", LICENCE):
        raise errors.DirectoryFileError("the file names a licence that is not known")


def _check_shapes(arrays: Mapping[str, Any]) -> None:
    """Whatever the bytes say, no later reading may leave its array."""
    for name, (kind, dimensions, _) in TYPES.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            raise errors.DirectoryFileError(
                f"the file's array {name!r} is missing or of another type"
            )
    alike = ((name, like) for name, (_, _, like) in TYPES.items() if like)
    same = {name: arrays[name].shape == arrays[like].shape for name, like in alike}
    _refuse("does not fit the others", same)
    starts, measured, more = arrays["starts"], arrays["measured"], arrays["more_clinic_no"]
    n, n_groups = len(starts) - 1, len(arrays["yes"])
    _refuse("does not fit the others", {
        "starts": n >= 0 and starts[0] == 0 and starts[-1] == len(arrays["records"]),
        "clinic_no": len(arrays["clinic_no"]) <= n and _below(arrays["clinic_no"], n),
        "group": len(arrays["group"]) == n and _below(arrays["group"], n_groups),
        "more_clinic_no": _below(more, n),
        "more_group": _below(arrays["more_group"], n_groups),
        "measured": _are_services(measured, more, n),
    })  # fmt: skip


def _check_values(arrays: Mapping[str, Any]) -> None:
    """What the bytes of a sound file say, beyond what keeps reading them safe."""
    measured = arrays["measured"]
    _refuse("holds values that cannot be", {
        "starts": (np.diff(arrays["starts"]) >= 0).all(),
        "clinic_no": (np.diff(arrays["clinic_no"]) > 0).all(),
        "lat": (np.abs(arrays["lat"]) <= 90.0).all(),
        "lon": (np.abs(arrays["lon"]) <= 180.0).all(),
        "radius_km": (arrays["radius_km"] >= 0.0).all(),
        "more_clinic_no": (np.diff(arrays["more_clinic_no"]) >= 0).all(),
        "status": (arrays["status"] < len(STATUSES)).all(),
        "measured": (measured[3] <= measured[4]).all() and (np.diff(measured[2]) >= 0).all(),
    })  # fmt: skip


def _refuse(fault: str, are_right: Mapping[str, Any]) -> None:
    for name, is_right in are_right.items():
        if not is_right:
            raise errors.DirectoryFileError(f"the file's array {name} {fault}")


def _are_services(measured: NDArray[Any], more_clinic_no: NDArray[Any], n: int) -> bool:
    """Whether each number is that of a service that is there."""
    n_more = len(more_clinic_no)
    if len(measured) != 5 or not bool((measured[:3] == np.floor(measured[:3])).all()):
        return False
    clinic_no, place, quantity = measured[:3]
    if not (_below(clinic_no, n) and _below(place, n_more + 1) and _below(quantity, 2**31)):
        return False
    further = np.searchsorted(more_clinic_no, clinic_no) + place - 1
    return bool((further < n_more)[place > 0].all())


def _below(numbers: NDArray[Any], n: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= 0 and numbers.max() < n)
