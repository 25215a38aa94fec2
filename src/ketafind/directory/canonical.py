"""Clinics in one form: facets and terms by id, whatever they were written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING

from ketafind.errors import DataError, Fault, InvalidInputError, UnknownTermError
from ketafind.records import FrozenMapping
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["canonical"]

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
        If a facet or term is not in the vocabulary, or is stated twice with another truth; names
        clinic and service.
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
        # Services that state the same are read once.
        self.read: dict[Stated, Stated] = {}

    def clinic(self, clinic: Clinic) -> Clinic:
        services = tuple(self._service(clinic, service) for service in clinic.services)
        same = all(map(is_, services, clinic.services))
        return clinic if same else replace(clinic, services=services)

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
