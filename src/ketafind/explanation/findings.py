"""What is known of each clause of criteria for one service, and what that rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Criteria
from ketafind.criteria.expression import And, Offers, Unstated
from ketafind.criteria.support import settling_terms, supporting_evidence
from ketafind.explanation.evidence import evidence_dict, evidence_lines
from ketafind.explanation.language import say
from ketafind.explanation.outline import Line
from ketafind.explanation.wording import Wording
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["Finding", "find", "finding_dict", "finding_lines", "unsettled"]

Settled = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One clause, looked up.

    Parameters
    ----------
    criteria : Criteria
        The clause.
    truth : Truth
        What is known of it.
    yes, no : mapping of str to tuple of str
        For each of its terms that is settled, the stated terms that settle it.
    broader : tuple of str
        Stated terms that are broader than what is asked: they leave it UNKNOWN.
    doubted : mapping of str to str
        For each term that evidence speaks of and does not settle: ``conflict`` or ``stale``.
    complete : bool
        Whether the service's list of this facet is stated to be complete.
    evidence : tuple of Evidence
        What the result rests on.
    parts : tuple of Finding
        The clauses inside.
    """

    criteria: Criteria
    truth: Truth
    yes: Settled
    no: Settled
    broader: tuple[str, ...]
    doubted: Mapping[str, str]
    complete: bool
    evidence: tuple[Evidence, ...]
    parts: tuple[Finding, ...]


def find(
    criteria: Criteria,
    clinic: Clinic,
    service: Service,
    vocabulary: Vocabulary,
    truth_of: Callable[[Criteria], Truth],
) -> Finding:
    """Look up criteria and every clause inside.

    Parameters
    ----------
    criteria : Criteria
        In canonical form.
    clinic : Clinic
        The clinic.
    service : Service
        The service that is asked about.
    vocabulary : Vocabulary
        Parents and children.
    truth_of : callable
        What is known of a clause for this service.

    Returns
    -------
    Finding
        The criteria and what is inside.
    """
    parts = () if isinstance(criteria, Unstated) else criteria.parts
    inside = tuple(find(part, clinic, service, vocabulary, truth_of) for part in parts)
    if not isinstance(criteria, Offers):
        return Finding(criteria, truth_of(criteria), {}, {}, (), {}, False, (), inside)
    facet = vocabulary.facet(criteria.facet)
    stated = {facet.resolve(term) for term in service.terms(facet.id)}
    above = [one for term in criteria.terms for one in facet.ancestors(term) if one in stated]
    yes = settling_terms(service, criteria, vocabulary, Truth.YES)
    no = settling_terms(service, criteria, vocabulary, Truth.NO)
    open_terms = [term for term in criteria.terms if term not in yes and term not in no]
    doubted = _doubted(clinic, service, facet.id, open_terms)
    support = supporting_evidence(clinic, service, criteria, vocabulary)
    return Finding(
        criteria,
        truth_of(criteria),
        yes,
        no,
        tuple(dict.fromkeys(above)),
        {term: reason for term, (reason, _) in doubted.items()},
        facet.id in service.complete,
        support + tuple(fact for _, facts in doubted.values() for fact in facts),
        inside,
    )


def _doubted(
    clinic: Clinic, service: Service, facet: str, terms: list[str]
) -> dict[str, tuple[str, list[Evidence]]]:
    """Evidence about terms that was set aside when the facts were derived from it, and why."""
    found = {}
    for term in terms:
        facts = [
            fact
            for fact in clinic.evidence
            if (fact.facet, fact.term) == (facet, term)
            and fact.service_id in (None, service.service_id)
        ]
        if facts:
            one_answer = len({fact.truth for fact in facts}) == 1
            found[term] = ("stale" if one_answer else "conflict", facts)
    return found


def unsettled(finding: Finding) -> Iterator[Finding]:
    """Yield the innermost clauses that are UNKNOWN and make the whole so.

    Parameters
    ----------
    finding : Finding
        Criteria, looked up.

    Yields
    ------
    Finding
        A clause whose answer may settle the whole.
    """
    if finding.truth != Truth.UNKNOWN:
        return
    inside = [one for part in finding.parts for one in unsettled(part)]
    # What is open may lie with another service of the clinic.
    yield from inside or [finding]


def finding_lines(finding: Finding, wording: Wording, depth: int) -> list[Line]:
    """Write a finding as an outline.

    Parameters
    ----------
    finding : Finding
        Criteria, looked up.
    wording : Wording
        Language and labels.
    depth : int
        How deep in the outline.

    Returns
    -------
    list of Line
        Each clause of an AND on its own; evidence below.
    """
    # The clauses of the whole question are listed one below the other.
    if isinstance(finding.criteria, And):
        return [line for part in finding.parts for line in finding_lines(part, wording, depth)]
    lang = wording.lang
    text = wording.criteria(finding.criteria)
    head = say("headed", lang, head=say(f"truth.{finding.truth}", lang), text=text)
    lines = [Line(depth, head + _reason(finding, wording))]
    lines += evidence_lines(finding.evidence, lang, depth + 1)
    for part in finding.parts:
        lines += finding_lines(part, wording, depth + 1)
    return lines


def _reason(finding: Finding, wording: Wording) -> str:
    if isinstance(finding.criteria, Unstated):
        return say("why.no_words", wording.lang)
    if not isinstance(finding.criteria, Offers):
        return ""
    return "".join(f"; {reason}" for reason in _reasons(finding, finding.criteria, wording))


def _reasons(finding: Finding, clause: Offers, wording: Wording) -> Iterator[str]:
    lang, facet = wording.lang, clause.facet
    exact = [term for term, by in finding.yes.items() if term in by]
    # One term alone needs no repetition.
    if exact and len(clause.terms) > 1:
        yield say("why.stated", lang, term=wording.terms(facet, exact, "and"))
    for term, by in finding.yes.items():
        if term not in by:
            narrower, name = wording.terms(facet, by, "and"), wording.term(facet, term)
            yield say("why.narrower", lang, narrower=narrower, term=name)
    if finding.truth == Truth.YES:
        return
    for term, by in finding.no.items():
        name = wording.term(facet, term)
        if term in by:
            yield say("why.stated_no", lang, term=name)
        else:
            yield say("why.broader_no", lang, broader=wording.terms(facet, by), term=name)
    for term, reason in finding.doubted.items():
        yield say(f"why.{reason}", lang, term=wording.term(facet, term))
    settled = {*finding.yes, *finding.no, *finding.doubted}
    missing = [term for term in clause.terms if term not in settled]
    if finding.broader and missing:
        yield say("why.broader", lang, broader=wording.terms(facet, finding.broader, "and"))
    elif missing:
        how = "why.complete" if finding.complete else "why.not_stated"
        yield say(how, lang)


def finding_dict(finding: Finding, wording: Wording) -> dict[str, Any]:
    """Write a finding as plain data.

    Parameters
    ----------
    finding : Finding
        Criteria, looked up.
    wording : Wording
        Language and labels.

    Returns
    -------
    dict
        The clause, its truth, what settles it, its evidence and its parts.
    """
    return {
        "criteria": finding.criteria.to_dict(),
        "text": wording.criteria(finding.criteria),
        "truth": str(finding.truth),
        "yes": {term: list(by) for term, by in finding.yes.items()},
        "no": {term: list(by) for term, by in finding.no.items()},
        "broader": list(finding.broader),
        "doubted": dict(finding.doubted),
        "evidence": [evidence_dict(fact) for fact in finding.evidence],
        "parts": [finding_dict(part, wording) for part in finding.parts],
    }
