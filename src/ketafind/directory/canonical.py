"""Clinics in one form: facets and terms by id, whatever they were written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from operator import is_
from typing import TYPE_CHECKING

from ketafind.errors import DataError, Fault, InvalidInputError, UnknownTermError
from ketafind.records import Clinic, FrozenMapping
from ketafind.tables.cells import CellError
from ketafind.tables.columns import FLAGS
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Evidence, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["canonical"]

KNOWN = frozenset({*FLAGS, *(part.name for part in fields(Clinic))})
"""What evidence may be about besides facets."""

Facts = Mapping[str, Mapping[str, Truth]]
Stated = tuple[Facts, frozenset[str]]


def canonical(clinics: Iterable[Clinic], vocabulary: Vocabulary) -> tuple[Clinic, ...]:
    """Write what clinics state in the vocabulary's ids, whatever they were written in.

    Parameters
    ----------
    clinics : iterable of Clinic
        Facets by id or plural, terms by id, label or synonym.
    vocabulary : Vocabulary
        Where they are looked up.

    Returns
    -------
    tuple of Clinic
        In the same order; a clinic that is in this form already is itself.

    Raises
    ------
    DataError
        If a facet or term, of a service or of evidence, is not in the vocabulary, a fact is
        stated twice with another truth, or a yes-no fact has another answer; names clinic and
        service.
    """
    reader = _Reader(vocabulary)
    made = tuple(map(reader.clinic, clinics))
    if reader.faults:
        raise DataError("clinics", reader.faults)
    return made


class _Reader:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.faults: list[Fault] = []
        self.has_languages = any(facet.id == "language" for facet in vocabulary.facets)
        # Services that state the same are read once; so are facts of evidence.
        self.read: dict[Stated, Stated] = {}
        self.named: dict[tuple[str, str], tuple[str, str]] = {}

    def clinic(self, clinic: Clinic) -> Clinic:
        services = tuple(self._service(clinic, service) for service in clinic.services)
        evidence = tuple(self._evidence(clinic, fact) for fact in clinic.evidence)
        same = all(map(is_, (*services, *evidence), (*clinic.services, *clinic.evidence)))
        return clinic if same else replace(clinic, services=services, evidence=evidence)

    def _evidence(self, clinic: Clinic, fact: Evidence) -> Evidence:
        key = fact.facet, fact.term
        if fact.facet in KNOWN or any(fact.facet in service.flags for service in clinic.services):
            return fact
        try:
            if key not in self.named:
                facet = self.vocabulary.facet(fact.facet)
                self.named[key] = facet.id, facet.resolve(fact.term)
        except UnknownTermError as error:
            message = f"clinic {clinic.clinic_id!r}, evidence: {error}"
            self.faults.append(Fault(message, None, None, clinic.clinic_id))
            return fact
        if self.named[key] == key:
            return fact
        return replace(fact, facet=self.named[key][0], term=self.named[key][1])

    def _service(self, clinic: Clinic, service: Service) -> Service:
        stated = (service.facts, service.complete)
        if clinic.languages and "language" not in service.facts and self.has_languages:
            # Languages are stated of the clinic, and looked for in its services.
            spoken = dict.fromkeys(clinic.languages, Truth.YES)
            stated = (
                FrozenMapping({**service.facts, "language": FrozenMapping(spoken)}),
                stated[1],
            )
        try:
            _check_flags(service)
            if stated not in self.read:
                self.read[stated] = self._stated(*stated)
        except (InvalidInputError, UnknownTermError) as error:
            where = f"clinic {clinic.clinic_id!r}, service {service.service_id!r}"
            self.faults.append(Fault(f"{where}: {error}", None, None, clinic.clinic_id))
            return service
        facts, complete = self.read[stated]
        if complete == service.complete and (facts is service.facts or facts == service.facts):
            return service
        return replace(service, facts=facts, complete=complete)

    def _stated(self, facts: Facts, complete: frozenset[str]) -> Stated:
        made: dict[str, dict[str, Truth]] = {}
        for name, terms in facts.items():
            facet = self.vocabulary.facet(name)
            kept = made.setdefault(facet.id, {})
            for text, truth in terms.items():
                if kept.setdefault(facet.resolve(text), truth) is not truth:
                    raise InvalidInputError(f"{facet.id}:{text} is stated twice, differently")
        known = frozenset(self.vocabulary.facet(name).id for name in complete)
        return (facts if made == facts else made), (complete if known == complete else known)


def _check_flags(service: Service) -> None:
    for name, answer in service.flags.items():
        try:
            read = FLAGS[name](answer) if name in FLAGS else answer
        except CellError as error:
            raise InvalidInputError(f"{name}: {error}") from None
        if read != answer:
            raise InvalidInputError(f"{name}: {answer!r} is no answer; write {read!r}")
