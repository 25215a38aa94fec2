"""Clinics as JSON, and the name of a directory's data: a content hash and a date."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DirectoryFileError
from ketafind.records import Clinic, Evidence, FrozenMapping, Location, Quantity, Service
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


T = TypeVar("T")
Texts = tuple[str, str]
"""The JSON of a value as it is stored, where mappings are lists of pairs, to keep the order in
which facts were stated; and as it is hashed, where they are objects with sorted keys."""


def _fields_of(kind: type[Any]) -> tuple[Callable[[Any], Any], list[tuple[str, Any]]]:
    """How to read a record's fields by name; each one's name and default."""
    # Flags are among the facts.
    known = {part.name: part.default for part in fields(kind) if part.compare}
    return attrgetter(*sorted(known)), [(name, known[name]) for name in sorted(known)]


_FIELDS = {kind: _fields_of(kind) for kind in (Evidence, Location, Service)}
_QUICK = (str, float)
_TEXTS = sorted(part.name for part in fields(Clinic) if part.default in ("", MISSING))
_TEXT_KEYS = [f',"{name}":' for name in _TEXTS]
_texts_of = attrgetter(*_TEXTS)
# Where the fields that are no texts stand among them, by the alphabet.
_EVIDENCE, _LANGUAGES, _SERVICES = (
    bisect(_TEXTS, n) for n in ("evidence", "languages", "services")
)


def encode_directory(
    clinics: Sequence[Clinic], vocabulary: Vocabulary
) -> tuple[list[bytes], Snapshot]:
    """Write clinics, in the order of their ids, and name them."""
    words = json.dumps(
        vocabulary.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    digest = hashlib.blake2b(words.encode(*_UTF8), digest_size=8)
    write = _Encoder().clinic
    records: list[bytes] = []
    days: set[date] = set()
    for start in range(0, len(clinics), 1_000):
        some = clinics[start : start + 1_000]
        texts = [write(clinic) for clinic in some]
        records += [record.encode(*_UTF8) for record, _ in texts]
        digest.update("".join([content for _, content in texts]).encode(*_UTF8))
        days.update([clinic.checked_on for clinic in some if clinic.checked_on])
    return records, Snapshot(digest.hexdigest(), max(days, default=None))


_UTF8 = ("utf-8", "surrogatepass")


class _Encoder:
    """Writes records as JSON in one way only; what clinics share is written once."""

    def __init__(self) -> None:
        # By identity, and kept alive: facts that are equal may stand in another order.
        self._shared: dict[int, tuple[object, Texts]] = {}

    def clinic(self, clinic: Clinic) -> Texts:
        """Write a clinic, without the fields that have their default: most, in most clinics."""
        # Joined by runs: a loop over all of its fields takes twice the time.
        texts = [
            key + encode_basestring(text) if text else ""
            for key, text in zip(_TEXT_KEYS, _texts_of(clinic), strict=True)
        ]
        day, status, place = clinic.checked_on, clinic.status, clinic.location
        checked_on = f',"checked_on":{self._once(day)[0]}' if day else ""
        languages = f',"languages":{self._once(clinic.languages)[0]}' if clinic.languages else ""
        location = "" if place is None else f',"location":{self._place(place)}'
        state = "" if status == "active" else f',"status":"{status}"'
        begin = f"{checked_on}{''.join(texts[:_EVIDENCE])}"[1:]
        middle = f"{''.join(texts[_EVIDENCE:_LANGUAGES])}{languages}{location}"
        middle += "".join(texts[_LANGUAGES:_SERVICES])
        end = f"{state}{''.join(texts[_SERVICES:])}"
        offered, services = self._listed(clinic.services)
        offered = "" if offered == "[{}]" else f',"services":{offered}'
        services = f',"services":{services}' if offered else ""
        facts, evidence, more, extra = "", "[]", "", "{}"
        if clinic.evidence:
            facts, evidence = self._listed(clinic.evidence)
            facts = f',"evidence":{facts}'
        if clinic.extra:
            more, extra = _plain(clinic.extra)
            more = f',"extra":{more}'
        return (
            f"{{{begin}{facts}{more}{middle}{offered}{end}}}",
            f'{{{begin},"evidence":{evidence},"extra":{extra}{middle}{services}{end}}}',
        )

    def _place(self, place: Location) -> str:
        """Write a location: of most no more is known than a graded position."""
        radius_km, precision = place.radius_km, place.precision
        usual = type(radius_km) is float and radius_km and precision != "unknown"
        more = place.corrections or place.candidates or place.label or place.source
        if not usual or more or place.match != "given":
            return self._record(place)[0]
        return (
            f'{{"lat":{place.lat!r},"lon":{place.lon!r},"precision":"{precision}",'
            f'"radius_km":{radius_km!r}}}'
        )

    def _record(self, record: Any) -> Texts:
        """Write another record; what a service states is hashed even where it is blank."""
        get, known = _FIELDS[type(record)]
        stored, hashed = [], []
        for (name, default), item in zip(known, get(record), strict=True):
            if item != default:
                if name == "candidates":
                    one, other = self._listed(item)
                else:
                    one, other = _plain(item) if type(item) in _QUICK else self._once(item)
                stored.append(f'"{name}":{one}')
                hashed.append(f'"{name}":{other}')
            elif name == "facts":
                hashed.append('"facts":{}')
        return f"{{{','.join(stored)}}}", f"{{{','.join(hashed)}}}"

    def _once(self, value: object) -> Texts:
        """Write what others may share."""
        known = self._shared.get(id(value))
        if known is None:
            write = self._record if type(value) is Service else _plain
            known = self._shared[id(value)] = value, write(value)
        return known[1]

    def _listed(self, records: tuple[Any, ...]) -> Texts:
        """Write the services, the evidence or the candidates of a record."""
        kind = type(records[0])
        if kind is Service and len(records) == 1:
            stored, other = self._once(records[0])
            return f"[{stored}]", f"[{other}]"
        parts = list(map(self._once if kind is Service else self._record, records))
        hashed = [text for _, text in parts]
        if kind is Evidence:
            hashed.sort()  # its order does not matter
        return f"[{','.join([text for text, _ in parts])}]", f"[{','.join(hashed)}]"


def _plain(value: Any) -> Texts:
    """Write what is not a record."""
    if isinstance(value, FrozenMapping):
        items = [(encode_basestring(key), _plain(item)) for key, item in value.items()]
        return (
            f"[{','.join(f'[{key},{one}]' for key, (one, _) in items)}]",
            f"{{{','.join(f'{key}:{other}' for key, (_, other) in sorted(items))}}}",
        )
    if isinstance(value, Quantity):
        text = json.dumps([value.low, value.high, value.unit], ensure_ascii=False)
    elif isinstance(value, str):
        text = encode_basestring(value)
    elif isinstance(value, date):
        text = f'"{value.isoformat()}"'
    elif isinstance(value, tuple | frozenset):
        parts = value if isinstance(value, tuple) else sorted(value)
        text = f"[{','.join(_plain(part)[0] for part in parts)}]"
    elif type(value) is float:
        text = repr(value)
    else:
        text = json.dumps(value, allow_nan=False)
    return text, text


def decode_clinic(data: bytes) -> Clinic:
    """Read a clinic that `encode_clinic` wrote."""
    plain = json.loads(data.decode(*_UTF8))
    place = plain.get("location")
    return Clinic(
        **{
            **plain,
            "services": tuple(_service(service) for service in plain.get("services", ({},))),
            "location": None if place is None else _location(place),
            "languages": tuple(plain.get("languages", ())),
            "extra": dict(plain.get("extra", ())),
            "checked_on": _date(plain.get("checked_on")),
            "evidence": tuple(_evidence(fact) for fact in plain.get("evidence", ())),
        }
    )


def _service(plain: dict[str, Any]) -> Service:
    facts = {
        facet: {term: Truth(truth) for term, truth in terms}
        for facet, terms in plain.get("facts", ())
    }
    complete = frozenset(plain.get("complete", ()))
    quantities = {name: Quantity(*parts) for name, parts in plain.get("quantities", ())}
    return Service(**{**plain, "facts": facts, "complete": complete, "quantities": quantities})


def _location(plain: dict[str, Any]) -> Location:
    candidates = tuple(_location(place) for place in plain.get("candidates", ()))
    corrections = tuple(plain.get("corrections", ()))
    return Location(**{**plain, "corrections": corrections, "candidates": candidates})


def _evidence(plain: dict[str, Any]) -> Evidence:
    days = {name: _date(plain.get(name)) for name in ("checked_on", "page_date")}
    return Evidence(**{**plain, **days, "truth": Truth(plain["truth"])})


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


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
        self.items = range(len(starts) - 1) if items is None else items

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
