"""Clinics as JSON, and the name of a directory's data: a content hash and a date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from json.encoder import encode_basestring
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DirectoryFileError
from ketafind.records import Clinic, Evidence, FrozenMapping, Location, Service
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


T = TypeVar("T")
Texts = tuple[str, str]
"""The JSON of a value as it is stored, where mappings are lists of pairs, to keep the order in
which facts were stated; and as it is hashed, where they are objects with sorted keys."""


_BLANKS = {"evidence": "[]", "extra": "{}", "facts": "{}", "flags": "{}"}
"""What is hashed even where it is blank."""


def _fields_of(kind: type[Any]) -> tuple[Callable[[Any], tuple[Any, ...]], list[Any]]:
    """How to read a record's fields by name; each one's name, JSON key, default and blank."""
    known = sorted(fields(kind), key=attrgetter("name"))
    keys = {part.name: f"{encode_basestring(part.name)}:" for part in known}
    listed = [
        (name, key, part.default, key + _BLANKS[name] if name in _BLANKS else "")
        for part, (name, key) in zip(known, keys.items(), strict=True)
    ]
    return attrgetter(*keys), listed


_FIELDS = {kind: _fields_of(kind) for kind in (Clinic, Evidence, Location, Service)}


def encode_clinic(clinic: Clinic) -> bytes:
    """Write a clinic with its services, location and evidence."""
    return _utf8(_Encoder().texts(clinic)[0])


def encode_directory(
    clinics: Iterable[Clinic], vocabulary: Vocabulary
) -> tuple[list[bytes], Snapshot]:
    """Write clinics, in the order of their ids, and name them."""
    words = json.dumps(
        vocabulary.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    digest = hashlib.blake2b(_utf8(words), digest_size=8)
    texts = _Encoder().texts
    records: list[bytes] = []
    latest: date | None = None
    for clinic in clinics:
        record, content = texts(clinic)
        records.append(_utf8(record))
        digest.update(_utf8(content))
        if clinic.checked_on is not None and (latest is None or clinic.checked_on > latest):
            latest = clinic.checked_on
    return records, Snapshot(digest.hexdigest(), latest)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class _Encoder:
    """Writes records as JSON in one way only; what clinics share is written once."""

    def __init__(self) -> None:
        # By identity, and kept alive: facts that are equal may stand in another order.
        self._shared: dict[int, tuple[object, Texts]] = {}

    def texts(self, record: Any) -> Texts:
        """Write a record, without the fields that have their default: most, in most clinics."""
        get, known = _FIELDS[type(record)]
        stored: list[str] = []
        hashed: list[str] = []
        for (name, key, default, blank), item in zip(known, get(record), strict=True):
            if item is default or item == default:
                if blank:
                    hashed.append(blank)
                continue
            kind = type(item)
            if kind is str or kind is float:
                text = key + (encode_basestring(item) if kind is str else float.__repr__(item))
                stored.append(text)
                hashed.append(text)
                continue
            nested = name in _NESTED
            one, other = self._nested(item, name) if nested else self._once(_plain, item)
            stored.append(key + one)
            hashed.append(key + other)
        return f"{{{','.join(stored)}}}", f"{{{','.join(hashed)}}}"

    def _once(self, write: Callable[[Any], Texts], value: object) -> Texts:
        known = self._shared.get(id(value))
        if known is None:
            known = self._shared[id(value)] = value, write(value)
        return known[1]

    def _nested(self, item: Any, name: str) -> Texts:
        if name == "location":
            return self.texts(item)
        if name == "services" and len(item) == 1:
            stored, hashed = self._once(self.texts, item[0])
            return f"[{stored}]", f"[{hashed}]"
        parts = [self.texts(record) for record in item]
        # The order of evidence does not matter.
        last = sorted if name == "evidence" else list
        hashed = ",".join(last([text for _, text in parts]))
        return f"[{','.join([text for text, _ in parts])}]", f"[{hashed}]"


_NESTED = frozenset({"candidates", "evidence", "location", "services"})


def _plain(value: Any) -> Texts:
    """Write what is not a record."""
    if isinstance(value, FrozenMapping):
        items = [(encode_basestring(key), _plain(item)) for key, item in value.items()]
        return (
            f"[{','.join(f'[{key},{one}]' for key, (one, _) in items)}]",
            f"{{{','.join(f'{key}:{other}' for key, (_, other) in sorted(items))}}}",
        )
    if isinstance(value, str):
        text = encode_basestring(value)
    elif isinstance(value, date):
        text = f'"{value.isoformat()}"'
    elif isinstance(value, tuple | frozenset):
        parts = value if isinstance(value, tuple) else sorted(value)
        text = f"[{','.join(_plain(part)[0] for part in parts)}]"
    else:
        text = json.dumps(value, allow_nan=False)
    return text, text


def decode_clinic(data: bytes) -> Clinic:
    """Read a clinic that `encode_clinic` wrote."""
    plain = json.loads(data.decode("utf-8", "surrogatepass"))
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
    return Service(
        **{**plain, "facts": facts, "complete": complete, "flags": dict(plain.get("flags", ()))}
    )


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
    except (ValueError, TypeError, KeyError, LookupError, RecursionError) as error:
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
    def of(cls, clinics: Iterable[Clinic], vocabulary: Vocabulary) -> Snapshot:
        """Name the data of a directory.

        Parameters
        ----------
        clinics : iterable of Clinic
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
