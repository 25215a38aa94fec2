"""A clinic's facts as rows, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ketafind.tables.evidence import CLINIC_FACTS

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence
    from ketafind.resolution import Decision

__all__ = ["HEADERS", "facts_of"]

HEADERS = ("fact", "value", "truth", "service", "source", "checked", "page", "believed")
FIELDS = (*CLINIC_FACTS, "notes")

Key = tuple[str | None, str, str]


def facts_of(clinic: Clinic, decisions: Iterable[Decision]) -> list[dict[str, str]]:
    """List what is stated of a clinic, and what each source says of it.

    Parameters
    ----------
    clinic : Clinic
        The clinic.
    decisions : iterable of Decision
        What its evidence comes to.

    Returns
    -------
    list of dict
        Texts by `HEADERS`: first the evidence, in its order; then what no source states, with a
        blank source; then the columns that are only kept. ``believed`` is ``no`` for evidence
        that is outranked, contradicted or too old.
    """
    doubted: set[Evidence] = set()
    for one in decisions:
        doubted.update(one.set_aside if one.reason == "decided" else (*one.by, *one.set_aside))
    rows = [_evidence_row(fact, doubted) for fact in clinic.evidence]
    known = {(fact.service_id, fact.facet, fact.term) for fact in clinic.evidence}
    stated = [
        (key, truth)
        for key, truth in _stated(clinic)
        if key not in known and (None, *key[1:]) not in known
    ]
    rows += [_row(facet, term, truth, service or "") for (service, facet, term), truth in stated]
    rows += [_row(name, value, "", "") for name, value in clinic.extra.items() if value]
    return rows


def _evidence_row(fact: Evidence, doubted: set[Evidence]) -> dict[str, str]:
    found = _row(fact.facet, fact.term, str(fact.truth), fact.service_id or "")
    found |= {
        "source": fact.source_class,
        "checked": str(fact.checked_on or ""),
        "page": fact.source_url,
    }
    return found | {"believed": "no" if fact in doubted else "yes"}


def _row(fact: str, value: str, truth: str, service: str) -> dict[str, str]:
    # A yes-no fact has no term: its answer is its value.
    cells = (fact, value or truth, truth if value else "", service)
    return dict.fromkeys(HEADERS, "") | dict(zip(HEADERS, cells, strict=False))


def _stated(clinic: Clinic) -> Iterator[tuple[Key, str]]:
    for name in FIELDS:
        if name != "status" and getattr(clinic, name):
            yield (None, name, getattr(clinic, name)), "yes"
    for service in clinic.services:
        for facet, terms in service.facts.items():
            yield from (((service.service_id, facet, term), str(t)) for term, t in terms.items())
        for flag, answer in service.flags.items():
            # "partial" is a yes of its own.
            term = "partial" if answer == "partial" else ""
            yield (service.service_id, flag, term), "yes" if term else answer
