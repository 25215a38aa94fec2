"""Which stated facts of a service settle a clause, and the evidence they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ketafind.criteria.base import Criteria
from ketafind.criteria.expression import Offers
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["leaves_evidence", "settling_terms", "supporting_evidence"]


def settling_terms(
    service: Service, leaf: Offers, vocabulary: Vocabulary, truth: Truth
) -> dict[str, tuple[str, ...]]:
    """Find the stated terms that make terms of a clause YES, or NO.

    Parameters
    ----------
    service : Service
        Whose facts.
    leaf : Offers
        A clause in canonical form.
    vocabulary : Vocabulary
        Parents and children.
    truth : Truth
        YES: a narrower stated term counts. NO: a broader one does.

    Returns
    -------
    dict of str to tuple of str
        For each term of the clause that is settled, what settles it, the term itself first.
    """
    facet = vocabulary.facet(leaf.facet)
    stated = {facet.resolve(term) for term in service.terms(facet.id, truth)}
    found = {}
    for term in leaf.terms:
        others = facet.descendants(term) if truth == Truth.YES else facet.ancestors(term)
        settling = tuple(one for one in (term, *others) if one in stated)
        if settling:
            found[term] = settling
    return found


def supporting_evidence(
    clinic: Clinic, service: Service, leaf: Offers, vocabulary: Vocabulary
) -> tuple[Evidence, ...]:
    """Find the evidence for what settles terms of a clause.

    Parameters
    ----------
    clinic : Clinic
        Whose evidence.
    service : Service
        One of its services.
    leaf : Offers
        A clause in canonical form.
    vocabulary : Vocabulary
        Parents and children.

    Returns
    -------
    tuple of Evidence
        In the order of the data; for both truths.
    """
    terms = {
        truth: {
            one
            for settling in settling_terms(service, leaf, vocabulary, truth).values()
            for one in settling
        }
        for truth in (Truth.YES, Truth.NO)
    }
    facet = vocabulary.facet(leaf.facet).id
    return tuple(
        fact
        for fact in clinic.evidence
        if fact.facet == facet
        and fact.service_id in (None, service.service_id)
        and fact.term in terms.get(fact.truth, ())
    )


def leaves_evidence(
    clinic: Clinic, service: Service, criteria: Iterable[Criteria], vocabulary: Vocabulary
) -> tuple[Evidence, ...]:
    """Find the evidence for every clause of canonical criteria.

    Parameters
    ----------
    clinic : Clinic
        Whose evidence.
    service : Service
        One of its services.
    criteria : iterable of Criteria
        In canonical form.
    vocabulary : Vocabulary
        Parents and children.

    Returns
    -------
    tuple of Evidence
        Each once.
    """
    found = dict.fromkeys(_each(clinic, service, criteria, vocabulary))
    return tuple(found)


def _each(
    clinic: Clinic, service: Service, criteria: Iterable[Criteria], vocabulary: Vocabulary
) -> Iterator[Evidence]:
    for one in criteria:
        for leaf in one.leaves():
            yield from supporting_evidence(clinic, service, leaf, vocabulary)
