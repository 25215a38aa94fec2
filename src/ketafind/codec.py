"""Records as JSON and back: one form for files and for the content hash."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from typing import Any

from ketafind.records import Clinic, Evidence, FrozenMapping, Location, Service
from ketafind.truth import Truth

__all__ = ["content_of", "decode_clinic", "encode", "encode_clinic"]

_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)
_DEFAULTS = {
    kind: tuple((part.name, part.default) for part in fields(kind))
    for kind in (Clinic, Evidence, Location, Service)
}
_AS_THEY_ARE = frozenset({type(None), bool, int, float, str, Truth})


def encode(value: Any) -> bytes:
    """Write plain data as JSON in one way only.

    Parameters
    ----------
    value : object
        Dicts, lists, texts, numbers, bools and None.

    Returns
    -------
    bytes
        UTF-8; keys sorted, no spaces, floats to the last digit. Lone surrogates are kept.
    """
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def encode_clinic(clinic: Clinic) -> bytes:
    """Write a clinic with its services, location and evidence.

    Parameters
    ----------
    clinic : Clinic
        Any.

    Returns
    -------
    bytes
        Equal for equal clinics; what `decode_clinic` reads.
    """
    return encode(_plain(clinic))


def content_of(clinic: Clinic) -> bytes:
    """Write what is stated of a clinic, for its hash.

    Parameters
    ----------
    clinic : Clinic
        Any.

    Returns
    -------
    bytes
        Equal for clinics of which the same is stated: the order of facets, terms, columns and
        evidence does not count. That of services does, since the first that fits answers.
    """
    plain = _plain(clinic)
    for service in plain.get("services", ()):
        facts = {facet: dict(terms) for facet, terms in service.get("facts", ())}
        service |= {"facts": facts, "flags": dict(service.get("flags", ()))}
    plain["extra"] = dict(plain.get("extra", ()))
    plain["evidence"] = sorted(plain.get("evidence", ()), key=encode)
    return encode(plain)


def decode_clinic(data: bytes) -> Clinic:
    """Read a clinic that `encode_clinic` wrote.

    Parameters
    ----------
    data : bytes
        JSON.

    Returns
    -------
    Clinic
        Equal to the one that was written.
    """
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
