"""Clinics as text, and the name of a directory's data: a content hash and a date."""

# A record is the texts of a clinic and, as JSON, what else is known of it, parted by NUL, which no
# text holds; what is empty is blank. Many clinics are written by columns, and what they share is
# written once: what takes the time is to fetch so many objects from memory.

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DirectoryFileError
from ketafind.records import (
    Clinic,
    Evidence,
    FrozenMapping,
    Location,
    Quantity,
    Service,
    location_of,
)

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


T = TypeVar("T")
# A value as it is stored, with facts in the order in which they were stated; and as hashed.
Texts = tuple[str, str]

LICENCE = "CC BY 4.0"
"""Of the data that ship."""

_TEXTS = tuple(part.name for part in fields(Clinic) if part.type == "str")
_texts_of = attrgetter(*_TEXTS)
_OTHERS = ("location", "evidence", "extra", "services", "checked_on", "languages")
_others_of = tuple(map(attrgetter, _OTHERS))
_DEFAULTS: dict[type, dict[str, Any]] = {
    # Flags are among the facts.
    kind: {part.name: part.default for part in fields(kind) if part.compare}
    for kind in (Evidence, Location, Quantity, Service)
}
_GRADES = tuple(name for name in _DEFAULTS[Location] if name not in ("lat", "lon", "radius_km"))
_grades_of = attrgetter(*_GRADES)
_AT_ONCE = 1_000  # as many as a processor's cache holds
_UTF8 = ("utf-8", "surrogatepass")


def encode_directory(
    clinics: Sequence[Clinic], vocabulary: Vocabulary
) -> tuple[list[bytes], Snapshot]:
    """Write clinics, in the order of their ids, and name them."""
    digest = hashlib.blake2b(_hashed(vocabulary.to_dict()).encode(*_UTF8), digest_size=8)
    records: list[bytes] = []
    writer = _Writer()
    for start in range(0, len(clinics), _AT_ONCE):
        stored, hashed = writer.rows(clinics[start : start + _AT_ONCE])
        records += [row.encode(*_UTF8) for row in stored]
        digest.update("\0".join([*hashed, ""]).encode(*_UTF8))
    return records, Snapshot(digest.hexdigest(), max(filter(None, writer.days), default=None))


class _Writer:
    """Writes clinics by columns, and once what they share."""

    def __init__(self) -> None:
        self.days: set[date | None] = set()
        self._graded = cache(_graded)
        # By identity, and kept alive: facts that are equal may stand in another order.
        self._shared: dict[int, tuple[object, Texts]] = {}

    def rows(self, clinics: Sequence[Clinic]) -> Iterator[list[str]]:
        """Write clinics as they are stored, then as they are hashed."""
        # Not a tuple a clinic: of so many the garbage collector makes the most work.
        others = (list(map(other_of, clinics)) for other_of in _others_of)
        places, *own, services, days, languages = others
        self.days.update(days, (fact.checked_on for one in clinics for fact in one.evidence))
        same = [list(map("\0".join, map(_texts_of, clinics))), list(map(self._place, places))]
        columns = [list(map(_written, values)) for values in own]
        columns += [list(map(self._once, values)) for values in (services, days, languages)]
        for form in (0, 1):
            parts = [[texts[form] for texts in column] for column in columns]
            yield list(map("\0".join, zip(*same, *parts, strict=True)))

    def _once(self, value: object) -> Texts:
        if id(value) not in self._shared:
            self._shared[id(value)] = value, _written(value)
        return self._shared[id(value)][1]

    def _place(self, place: Location | None) -> str:
        if place is None:
            return ""
        found = self._graded(*_grades_of(place))
        return f"[{place.lat!r},{place.lon!r},{place.radius_km!r},{found}]"


def _graded(*grades: Any) -> str:
    """Write how a position was found: of most the same is known."""
    return _hashed(_without_defaults(dict(zip(_GRADES, grades, strict=True)), Location))


def _written(value: Any) -> Texts:
    if not value:
        return "", ""
    if isinstance(value, tuple) and isinstance(value[0], Evidence):
        facts = list(map(_hashed, value))
        # The order of evidence does not matter.
        return f"[{','.join(facts)}]", f"[{','.join(sorted(facts))}]"
    return _stored(value), _hashed(value)


def _plain(value: Any) -> Any:
    """Say what JSON is to write for a value that it does not know."""
    if isinstance(value, FrozenMapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, date):
        return value.isoformat()
    stated = {name: getattr(value, name) for name in _DEFAULTS[type(value)]}
    return _without_defaults(stated, type(value))


def _without_defaults(stated: dict[str, Any], kind: type) -> dict[str, Any]:
    return {name: item for name, item in stated.items() if item != _DEFAULTS[kind][name]}


# The order in which facts were stated is kept, and not named.
_stored, _hashed = (
    json.JSONEncoder(
        sort_keys=sort_keys, default=_plain, ensure_ascii=False, separators=(",", ":")
    ).encode
    for sort_keys in (False, True)
)


def decode_clinic(data: bytes) -> Clinic:
    """Read a clinic that `encode_directory` wrote."""
    *texts, place, evidence, extra, services, day, languages = data.decode(*_UTF8).split("\0")
    known = dict(zip(_TEXTS, texts, strict=True))
    return Clinic(
        **known,
        location=_location(*json.loads(place)) if place else None,
        services=tuple(map(_service, json.loads(services))),
        checked_on=date.fromisoformat(json.loads(day)) if day else None,
        languages=tuple(json.loads(languages or "[]")),
        evidence=tuple(map(_evidence, json.loads(evidence or "[]"))),
        extra=json.loads(extra or "{}"),
    )


def _service(plain: dict[str, Any]) -> Service:
    numbers = {name: Quantity(**size) for name, size in plain.get("quantities", {}).items()}
    return Service(**{**plain, "quantities": numbers})


def _evidence(plain: dict[str, Any]) -> Evidence:
    days = {name: plain[name] for name in ("checked_on", "page_date") if name in plain}
    return Evidence(**plain | {name: date.fromisoformat(day) for name, day in days.items()})


def _location(lat: float, lon: float, radius_km: float, grades: dict[str, Any]) -> Location:
    return location_of({"lat": lat, "lon": lon, "radius_km": radius_km, **grades})


class EncodedClinics(Sequence[Clinic]):
    """Clinics that are decoded when they are asked for."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        starts: NDArray[np.int64],
        items: Sequence[int | Clinic] | None = None,
    ) -> None:
        self._data = data
        self._starts = starts
        # Of each clinic its place among the records, or the clinic itself.
        self.items: Sequence[int | Clinic] = range(len(starts) - 1) if items is None else items

    def sharing(self, items: Sequence[int | Clinic]) -> EncodedClinics:
        """Other clinics, of the same records."""
        return EncodedClinics(self._data, self._starts, items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, item: int) -> Clinic: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Clinic, ...]: ...
    def __getitem__(self, item: int | slice) -> Clinic | tuple[Clinic, ...]:
        if isinstance(item, slice):
            return tuple(map(self.__getitem__, range(*item.indices(len(self)))))
        record = self.items[item]
        if isinstance(record, Clinic):
            return record
        begin, end = self._starts[record : record + 2]
        return readable(lambda: decode_clinic(self._data[begin:end].tobytes()))


def readable(read: Callable[[], T]) -> T:
    """Read a part of a saved directory, or say that it is damaged."""
    try:
        return read()
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise DirectoryFileError(
            f"a record of the directory's file is damaged ({type(error).__name__}); "
            f"open it with verify=True, and save it again from its source"
        ) from error


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which data an answer was made from.

    Parameters
    ----------
    id : str
        16 hexadecimal digits of a BLAKE2b hash over every clinic and the vocabulary. The order
        of clinics, columns, terms and evidence does not matter; that of a clinic's services
        does, since the first that fits answers.
    date : date or None
        The latest day on which a clinic's sources were read.
    """

    id: str
    date: date | None

    @classmethod
    def of(cls, clinics: Sequence[Clinic], vocabulary: Vocabulary) -> Snapshot:
        """Name the data of a directory.

        Parameters
        ----------
        clinics : sequence of Clinic
            In order of clinic id.
        vocabulary : Vocabulary
            The terms they use.

        Returns
        -------
        Snapshot
            Equal for equal content, on every machine.
        """
        return encode_directory(clinics, vocabulary)[1]

    def __str__(self) -> str:
        return f"{self.id} of {self.date}" if self.date else self.id
