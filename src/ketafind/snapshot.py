"""Clinics as JSON, and the name of a directory's data: a content hash and a date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from ketafind.records import Clinic, Evidence, FrozenMapping, Location, Service
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

__all__ = ["Snapshot", "content_of", "decode_clinic", "encode", "encode_clinic"]


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)
_DEFAULTS = {
    kind: tuple((part.name, part.default) for part in fields(kind))
    for kind in (Clinic, Evidence, Location, Service)
}
_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, Truth})


def encode(value: Any) -> bytes:
    """Write plain data as JSON in one way only."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def encode_clinic(clinic: Clinic) -> bytes:
    """Write a clinic with its services, location and evidence."""
    return encode(_plain(clinic))


def content_of(clinic: Clinic) -> bytes:
    """Write what is stated of a clinic, for its hash."""
    plain = _plain(clinic)
    for service in plain.get("services", ()):
        facts = {facet: dict(terms) for facet, terms in service.get("facts", ())}
        service |= {"facts": facts, "flags": dict(service.get("flags", ()))}
    plain["extra"] = dict(plain.get("extra", ()))
    plain["evidence"] = sorted(plain.get("evidence", ()), key=encode)
    return encode(plain)


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


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is FrozenMapping:
        # Pairs, not an object: the order in which facts were stated is kept.
        return [[key, _plain(item)] for key, item in value.items()]
    if kind is tuple:
        return [_plain(item) for item in value]
    if kind is frozenset:
        return sorted(value)
    if kind is date:
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    # What has its default is left out: most fields of most clinics.
    return {
        name: _plain(item)
        for name, default in _DEFAULTS[kind]
        if (item := getattr(value, name)) is not default and item != default
    }


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
        digest = hashlib.blake2b(encode(vocabulary.to_dict()), digest_size=8)
        latest: date | None = None
        for clinic in clinics:
            digest.update(content_of(clinic))
            days = [day for day in (clinic.checked_on, latest) if day is not None]
            latest = max(days, default=None)
        return cls(digest.hexdigest(), latest)

    def __str__(self) -> str:
        return f"{self.id} of {self.date}" if self.date else self.id
