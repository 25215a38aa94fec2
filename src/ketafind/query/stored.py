"""A directory in one file: saved whole, opened without reading its records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from functools import cached_property
from os import PathLike
from threading import Lock
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import StatedFacts, columns_of
from ketafind.errors import DirectoryFileError, InvalidInputError
from ketafind.files import open_arrays, write_arrays
from ketafind.geo import compiled_core
from ketafind.index import IndexName, KernelIndex
from ketafind.index.protocol import SpatialIndex
from ketafind.query.catalogue import Catalogue, Points
from ketafind.records import STATUSES
from ketafind.snapshot import LICENCE, EncodedClinics, Snapshot, encode_directory, readable
from ketafind.vocabulary import Vocabulary

KIND = "ketafind directory"
VERSION = 6
INDEX = "index."

TYPES: dict[str, tuple[Any, int]] = {
    "records": (np.uint8, 1),
    "starts": (np.int64, 1),
    "vocabulary": (np.uint8, 1),
    "clinic_no": (np.int64, 1),
    "lat": (np.float64, 1),
    "lon": (np.float64, 1),
    "radius_km": (np.float64, 1),
    "yes": (np.uint8, 2),
    "no": (np.uint8, 2),
    "group": (np.int32, 1),
    "more_clinic_no": (np.int64, 1),
    "more_group": (np.int32, 1),
    "status": (np.uint8, 1),
    "measured": (np.float64, 2),
}
"""Type and number of dimensions of each array but those of the index."""

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


def open_catalogue(path: str | PathLike[str], *, verify: bool = True) -> Catalogue:
    """Open a catalogue that `save_catalogue` wrote; its records are read when they are asked for."""
    if not isinstance(path, str | PathLike):
        raise InvalidInputError(f"the path must be text or a Path, not {type(path).__name__}")
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
            raise DirectoryFileError("the file's index is not that of its points")
        return index

    @cached_property
    def vocabulary(self) -> Vocabulary:  # type: ignore[override]
        data = self._arrays["vocabulary"].tobytes()
        vocabulary = readable(lambda: Vocabulary.from_dict(json.loads(data)))
        if (len(columns_of(vocabulary)) + 7) // 8 != self.facts.yes.shape[1]:
            raise DirectoryFileError("the file's terms are not those of its vocabulary")
        return vocabulary


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    day = metadata.get("date", 0)
    if not isinstance(metadata.get("snapshot"), str) or not isinstance(day, str | None):
        raise DirectoryFileError("the file does not name its snapshot")
    if metadata.get("index", 0) not in (None, *get_args(IndexName)):
        raise DirectoryFileError("the file names an index that is not known")
    if metadata.get("licence", "") not in ("", LICENCE):
        raise DirectoryFileError("the file names a licence that is not known")


def _check_shapes(arrays: Mapping[str, Any]) -> None:
    """Whatever the bytes say, no later reading may leave its array."""
    for name, (kind, dimensions) in TYPES.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            raise DirectoryFileError(f"the file's array {name!r} is missing or of another type")
    starts, n_bytes = arrays["starts"], len(arrays["records"])
    n, n_groups = len(starts) - 1, len(arrays["yes"])
    n_located = len(arrays["clinic_no"])
    sizes = {
        "starts": n >= 0 and starts[0] == 0 and starts[-1] == n_bytes,
        "lat, lon or radius_km": all(
            len(arrays[name]) == n_located for name in ("lat", "lon", "radius_km")
        ),
        "clinic_no": n_located <= n and _below(arrays["clinic_no"], n),
        "yes or no": arrays["yes"].shape == arrays["no"].shape,
        "group": len(arrays["group"]) == n and _below(arrays["group"], n_groups),
        "more_clinic_no": _below(arrays["more_clinic_no"], n),
        "more_group": len(arrays["more_group"]) == len(arrays["more_clinic_no"])
        and _below(arrays["more_group"], n_groups),
        "status": len(arrays["status"]) == n,
        "measured": _are_services(arrays["measured"], arrays["more_clinic_no"], n),
    }
    _refuse(sizes, "does not fit the others")


def _check_values(arrays: Mapping[str, Any]) -> None:
    """What the bytes of a sound file say, beyond what keeps reading them safe."""
    values = {
        "starts": bool((np.diff(arrays["starts"]) >= 0).all()),
        "clinic_no": bool((np.diff(arrays["clinic_no"]) > 0).all()),
        "lat": bool((np.abs(arrays["lat"]) <= 90.0).all()),
        "lon": bool((np.abs(arrays["lon"]) <= 180.0).all()),
        "radius_km": bool((arrays["radius_km"] >= 0.0).all()),
        "more_clinic_no": bool((np.diff(arrays["more_clinic_no"]) >= 0).all()),
        "status": bool((arrays["status"] < len(STATUSES)).all()),
        "measured": bool(
            (arrays["measured"][3] <= arrays["measured"][4]).all()
            and (np.diff(arrays["measured"][2]) >= 0).all()
        ),
    }
    _refuse(values, "holds values that cannot be")


def _refuse(are_right: Mapping[str, bool], fault: str) -> None:
    for name, is_right in are_right.items():
        if not is_right:
            raise DirectoryFileError(f"the file's array {name} {fault}")


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
