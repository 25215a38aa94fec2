"""A directory in one file: saved whole, opened without reading its records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from os import PathLike, fspath
from os.path import exists
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import TermSlices, columns_of
from ketafind.errors import DirectoryFileError, InvalidInputError, MissingFileError
from ketafind.geo import compiled_core
from ketafind.index import KernelIndex, default_index
from ketafind.index.files import open_arrays, write_arrays
from ketafind.index.protocol import SpatialIndex
from ketafind.query.catalogue import Catalogue, Places
from ketafind.records import Clinic
from ketafind.snapshot import Snapshot, decode_clinic, encode_clinic
from ketafind.vocabulary import Vocabulary

__all__ = ["open_catalogue", "save_catalogue"]


KIND = "ketafind directory"
VERSION = 1
INDEX = "index."


T = TypeVar("T")
TYPES: dict[str, tuple[Any, int]] = {
    "records": (np.uint8, 1),
    "starts": (np.int64, 1),
    "vocabulary": (np.uint8, 1),
    "located": (np.int64, 1),
    "lat": (np.float64, 1),
    "lon": (np.float64, 1),
    "radius_km": (np.float64, 1),
    "yes": (np.uint8, 2),
    "no": (np.uint8, 2),
    "owner": (np.int64, 1),
    "active": (np.uint8, 1),
    "closed": (np.uint8, 1),
}
"""Type and number of dimensions of each array beside those of the index."""


def save_catalogue(path: str | PathLike[str], catalogue: Catalogue) -> None:
    """Write a catalogue to one file, whole or not at all."""
    records = [encode_clinic(clinic) for clinic in catalogue.clinics]
    starts = np.zeros(len(records) + 1, np.int64)
    np.cumsum([len(record) for record in records], out=starts[1:])
    places, slices = catalogue.places, catalogue.slices
    # In the order of the vocabulary: it is the order in which terms are shown.
    words = json.dumps(catalogue.vocabulary.to_dict()).encode()
    arrays: dict[str, NDArray[Any]] = {
        "records": np.frombuffer(b"".join(records), np.uint8),
        "starts": starts,
        "vocabulary": np.frombuffer(words, np.uint8),
        "located": places.located.astype(np.int64),
        "lat": places.lat,
        "lon": places.lon,
        "radius_km": places.radius_km,
        "yes": slices.yes,
        "no": slices.no,
        "owner": slices.owner.astype(np.int64),
        "active": slices.active,
        "closed": slices.closed,
    }
    stored = getattr(catalogue.index, "arrays", {})
    arrays |= {INDEX + name: array for name, array in stored.items()}
    snapshot = catalogue.snapshot
    day = None if snapshot.date is None else snapshot.date.isoformat()
    metadata = {"kind": KIND, "version": VERSION, "snapshot": snapshot.id, "date": day}
    write_arrays(path, metadata, arrays)


def open_catalogue(path: str | PathLike[str], *, verify: bool = True) -> Catalogue:
    """Open a catalogue that `save_catalogue` wrote; its records are read when they are asked for."""
    if not isinstance(path, str | PathLike):
        raise InvalidInputError(f"the path must be text or a Path, not {type(path).__name__}")
    if not exists(path):
        raise MissingFileError(f"{fspath(path)}: there is no such file")
    metadata, arrays = open_arrays(path, verify=verify)
    _check_kind(metadata)
    _check_shapes(arrays)
    if verify:
        _check_values(arrays)
    return _Stored(metadata, arrays, verify=verify)


class _Records(Sequence[Clinic]):
    """Clinics that are decoded when they are asked for."""

    def __init__(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self._data = data
        self._starts = starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, item: int) -> Clinic: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Clinic, ...]: ...
    def __getitem__(self, item: int | slice) -> Clinic | tuple[Clinic, ...]:
        if isinstance(item, slice):
            return tuple(self[place] for place in range(*item.indices(len(self))))
        place = range(len(self))[item]
        begin, end = self._starts[place : place + 2]
        return _readable(lambda: decode_clinic(self._data[begin:end].tobytes()))


class _Stored(Catalogue):
    """A catalogue whose parts lie in a file."""

    def __init__(
        self, metadata: Mapping[str, Any], arrays: Mapping[str, Any], *, verify: bool
    ) -> None:
        self._arrays = arrays
        self._verify = verify
        self.clinics = _Records(arrays["records"], arrays["starts"])
        located = arrays["located"].astype(np.intp, copy=False)
        self.places = Places(located, *(arrays[name] for name in ("lat", "lon", "radius_km")))
        day = metadata["date"]
        self.snapshot = Snapshot(metadata["snapshot"], day and date.fromisoformat(day))

    @cached_property
    def _stored_index(self) -> KernelIndex | None:
        stored = {
            name.removeprefix(INDEX): array
            for name, array in self._arrays.items()
            if name.startswith(INDEX)
        }
        if not stored or compiled_core() is None:
            return None
        index = KernelIndex.from_arrays(stored, verify=self._verify)
        if len(index) != self.n_located:
            raise DirectoryFileError("the file's index is not that of its places")
        return index

    @cached_property
    def index(self) -> SpatialIndex:  # type: ignore[override]
        # Saved or opened where there is no compiled core: the places are indexed anew.
        return self._stored_index or default_index(self.places.lat, self.places.lon)

    @cached_property
    def vocabulary(self) -> Vocabulary:  # type: ignore[override]
        data = self._arrays["vocabulary"].tobytes()
        return _readable(lambda: Vocabulary.from_dict(json.loads(data)))

    @cached_property
    def slices(self) -> TermSlices:  # type: ignore[override]
        if self._stored_index is None:
            # The stored slices are in the order of another index.
            return TermSlices.build(self.clinics, self.rows, self.vocabulary)
        arrays = self._arrays
        columns = columns_of(self.vocabulary)
        if len(columns) != len(arrays["yes"]):
            raise DirectoryFileError("the file's terms are not those of its vocabulary")
        owner = arrays["owner"].astype(np.intp, copy=False)
        bits = (arrays[name] for name in ("active", "closed"))
        return TermSlices(arrays["yes"], arrays["no"], columns, owner, len(self.clinics), *bits)


def _readable(read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValueError, TypeError, KeyError, LookupError, RecursionError) as error:
        raise DirectoryFileError(
            f"a record of the directory's file is damaged ({type(error).__name__}); "
            f"open it with verify=True, and save it again from its source"
        ) from error


def _check_kind(metadata: Mapping[str, Any]) -> None:
    if metadata.get("kind") != KIND:
        raise DirectoryFileError(f"this file holds no directory but {metadata.get('kind')!r}")
    if metadata.get("version") != VERSION:
        raise DirectoryFileError(
            f"this file is of version {metadata.get('version')!r} of the directory's form; this "
            f"ketafind reads version {VERSION}: update ketafind, or save the directory again"
        )
    day = metadata.get("date")
    if not isinstance(metadata.get("snapshot"), str) or not isinstance(day, str | None):
        raise DirectoryFileError("the file does not name its snapshot")


def _check_shapes(arrays: Mapping[str, Any]) -> None:
    """Whatever the bytes say, no later reading may leave its array."""
    for name, (kind, dimensions) in TYPES.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            raise DirectoryFileError(f"the file's array {name!r} is missing or of another type")
    starts, n_bytes = arrays["starts"], len(arrays["records"])
    n = len(starts) - 1
    n_located = len(arrays["located"])
    width = (n + 7) // 8
    sizes = {
        "starts": n >= 0 and starts[0] == 0 and starts[-1] == n_bytes,
        "lat, lon or radius_km": all(
            len(arrays[name]) == n_located for name in ("lat", "lon", "radius_km")
        ),
        "located": n_located <= n and _inside(arrays["located"], n),
        "owner": _inside(arrays["owner"], n),
        "active or closed": len(arrays["active"]) == len(arrays["closed"]) == width,
        "yes or no": arrays["yes"].shape == arrays["no"].shape
        and arrays["yes"].shape[1] == width + (len(arrays["owner"]) + 7) // 8,
    }
    for name, is_right in sizes.items():
        if not is_right:
            raise DirectoryFileError(f"the file's array {name} does not fit the others")


def _check_values(arrays: Mapping[str, Any]) -> None:
    """What the bytes of a sound file say, beyond what keeps reading them safe."""
    values = {
        "starts": bool((np.diff(arrays["starts"]) >= 0).all()),
        "located": bool((np.diff(arrays["located"]) > 0).all()),
        "lat": bool((np.abs(arrays["lat"]) <= 90.0).all()),
        "lon": bool((np.abs(arrays["lon"]) <= 180.0).all()),
        "radius_km": bool((arrays["radius_km"] >= 0.0).all()),
    }
    for name, is_right in values.items():
        if not is_right:
            raise DirectoryFileError(f"the file's array {name} holds values that cannot be")


def _inside(positions: NDArray[np.int64], n: int) -> bool:
    return not len(positions) or bool(positions.min() >= 0 and positions.max() < n)
