"""Records as plain data: what each looks like, and how values and words become it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import date
from numbers import Real
from typing import TYPE_CHECKING, Any, NotRequired

from ketafind.errors import TypedDict, UnknownTermError, check_language, in_french, packaged
from ketafind.vocabulary import default_vocabulary

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


class QuantityRecord(TypedDict):
    """A `Quantity` as plain data."""

    low: float
    high: float
    unit: str
    label: NotRequired[str]
    unit_label: NotRequired[str]


class LocationRecord(TypedDict):
    """A `Location` as plain data: degrees of WGS 84 and kilometres."""

    lat: float
    lon: float
    precision: str
    radius_km: float
    match: str
    corrections: list[str]
    source: str | None
    label: str | None
    candidates: list[LocationRecord]
    labels: NotRequired[dict[str, str | list[str]]]


class EvidenceRecord(TypedDict):
    """An `Evidence` as plain data; days in ISO form, what is not known None."""

    clinic_id: str
    service_id: str | None
    facet: str
    term: str | None
    truth: str
    source_url: str | None
    source_class: str
    checked_on: str | None
    page_date: str | None
    method: str | None
    scope: str
    hint: str | None
    labels: NotRequired[dict[str, str]]


class TermRecord(TypedDict):
    """A stated term of a service: ``yes`` or ``no``."""

    id: str
    truth: str
    label: NotRequired[str]


class FactsRecord(TypedDict):
    """What is stated of one facet of a service; a term that is not there is unknown."""

    complete: bool
    terms: list[TermRecord]
    label: NotRequired[str]


class ServiceRecord(TypedDict):
    """A `Service` as plain data: facts by facet, yes-no facts in the facet ``flag`` too."""

    service_id: str
    facts: dict[str, FactsRecord]
    combined: bool
    flags: dict[str, str]
    quantities: dict[str, QuantityRecord]


class ClinicRecord(TypedDict):
    """A `Clinic` as plain data; what is not known is None."""

    clinic_id: str
    name: str
    operator: str | None
    street_address: str | None
    city: str | None
    province: str | None
    postal_code: str | None
    phone: str | None
    website: str | None
    location: LocationRecord | None
    status: str
    services: list[ServiceRecord]
    languages: list[str]
    notes: str | None
    checked_on: str | None
    evidence: list[EvidenceRecord]
    extra: dict[str, str]
    labels: NotRequired[dict[str, str | list[str]]]


def label_of(name: str, word: str, lang: str) -> str:
    """Name a word of a field, such as a status; a word of somebody else's is its own label."""
    return str(packaged("shapes.json")[name].get(word, {}).get(lang, word))


def plain(
    record: Any, lang: str | None, labelled: Collection[str] = (), **nested: Any
) -> dict[str, Any]:
    """Write a record's fields as JSON has them; what is nested is given, ready."""
    made = {
        part.name: nested[part.name] if part.name in nested else _value(getattr(record, part.name))
        for part in fields(record)
    }
    if lang is not None:
        lang = check_language(lang)
        made["labels"] = {name: label_of(name, made[name], lang) for name in labelled}
    return made


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return str(value) or None
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, date):
        return date(value.year, value.month, value.day).isoformat()
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {name: str(text) for name, text in value.items()}
    return sorted(value) if isinstance(value, frozenset) else list(value)


def plain_facts(
    facts: Mapping[str, Mapping[str, Any]],
    complete: Collection[str],
    lang: str | None,
    vocabulary: Vocabulary | None,
) -> dict[str, FactsRecord]:
    """Write what is stated of each facet, and of which facets the list is complete."""
    made: dict[str, FactsRecord] = {}
    for facet in dict.fromkeys((*facts, *sorted(complete))):
        terms: list[TermRecord] = [
            {"id": term, "truth": str(truth)} for term, truth in facts.get(facet, {}).items()
        ]
        made[facet] = {"complete": facet in complete, "terms": terms}
        if lang is not None:
            made[facet]["label"] = named(facet, None, lang, vocabulary)
            for term in terms:
                term["label"] = named(facet, term["id"], lang, vocabulary)
    return made


def plain_quantities(
    quantities: Mapping[str, Any], lang: str | None, vocabulary: Vocabulary | None
) -> dict[str, QuantityRecord]:
    """Write numbers with their units."""
    made: dict[str, QuantityRecord] = {}
    for name, one in quantities.items():
        made[name] = {"low": one.low, "high": one.high, "unit": one.unit}
        if lang is not None:
            made[name]["label"] = named(name, None, lang, vocabulary)
            made[name]["unit_label"] = label_of("unit", one.unit, check_language(lang))
    return made


def in_language(text: str, lang: str) -> str:
    """Say in a language what is said in English, where its French is known."""
    return text if check_language(lang) == "en" else in_french(text) or text


def translated(corrections: Iterable[str], lang: str) -> list[str]:
    """Say in a language what was read otherwise than written."""
    lang = check_language(lang)
    return [in_language(one, lang) for one in corrections]


def named(facet: str, term: str | None, lang: str, *vocabularies: Vocabulary | None) -> str:
    """Name a facet, flag, quantity or field, or a term of it, by the first vocabulary that can."""
    for known in vocabularies:
        words = known or default_vocabulary()
        try:
            if facet in words.quantities:
                return term or words.quantities[facet].label(check_language(lang))
            found = words.facet(facet)
            return (found[term] if term else found).label(check_language(lang))
        except UnknownTermError:
            continue  # a field of the clinic, or a word of another vocabulary
    return label_of("field", facet, check_language(lang)) if term is None else term
