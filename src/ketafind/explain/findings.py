"""Each part of a question, how a clinic answers it, and why that is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import And, Criteria, Offers, Unstated
from ketafind.explain.sentences import Line, Wording, say
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Evidence, Service
    from ketafind.vocabulary import Vocabulary

__all__ = [
    "Finding",
    "evidence_dict",
    "evidence_lines",
    "find",
    "finding_dict",
    "finding_lines",
    "leaves_evidence",
    "settling_terms",
    "supporting_evidence",
    "unsettled",
]


def settling_terms(
    service: Service, leaf: Offers, vocabulary: Vocabulary, truth: Truth
) -> dict[str, tuple[str, ...]]:
    """Find the stated terms that make terms of a clause YES, or NO."""
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
    """Find the evidence for what settles terms of a clause."""
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
    """Find the evidence for every clause of canonical criteria."""
    found = dict.fromkeys(_each(clinic, service, criteria, vocabulary))
    return tuple(found)


def _each(
    clinic: Clinic, service: Service, criteria: Iterable[Criteria], vocabulary: Vocabulary
) -> Iterator[Evidence]:
    for one in criteria:
        for leaf in one.leaves():
            yield from supporting_evidence(clinic, service, leaf, vocabulary)


def evidence_lines(facts: Iterable[Evidence], lang: str, depth: int) -> list[Line]:
    """Write evidence, one line a source."""
    pages: dict[tuple[str, str], list[Evidence]] = {}
    for fact in facts:
        pages.setdefault((fact.source_url, _dated(fact, lang)), []).append(fact)
    lines = []
    for (url, dated), same in pages.items():
        source = say(f"source.{same[0].source_class}", lang)
        parts = [say("evidence.source", lang, source=source) + dated]
        parts += [say("evidence.operator_scope", lang)] if same[0].scope == "operator" else []
        hints = dict.fromkeys(fact.hint for fact in same if fact.hint)
        # What pages say is noted in English: left out of another language's text.
        if hints and lang == "en":
            parts.append(say("evidence.quoted", lang, text="; ".join(hints)))
        lines.append(Line(depth, ", ".join(parts), url))
    return lines


def _dated(fact: Evidence, lang: str) -> str:
    parts = []
    if fact.page_date is not None:
        parts.append(say("evidence.page_date", lang, day=fact.page_date.isoformat()))
    if fact.checked_on is not None:
        parts.append(say("evidence.checked", lang, day=fact.checked_on.isoformat()))
    if fact.method == "archived_copy":
        parts.append(say("evidence.archived_copy", lang))
    return "".join(f", {part}" for part in parts)


def evidence_dict(fact: Evidence) -> dict[str, Any]:
    """Write evidence as plain data."""
    return {
        "facet": fact.facet,
        "term": fact.term,
        "truth": str(fact.truth),
        "service_id": fact.service_id,
        "source_url": fact.source_url,
        "source_class": fact.source_class,
        "checked_on": None if fact.checked_on is None else fact.checked_on.isoformat(),
        "page_date": None if fact.page_date is None else fact.page_date.isoformat(),
        "method": fact.method,
        "scope": fact.scope,
        "hint": fact.hint,
    }


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
    """Look up criteria and every clause inside."""
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
    """Yield the innermost clauses that are UNKNOWN and make the whole so."""
    if finding.truth != Truth.UNKNOWN:
        return
    inside = [one for part in finding.parts for one in unsettled(part)]
    # What is open may lie with another service of the clinic.
    yield from inside or [finding]


def finding_lines(finding: Finding, wording: Wording, depth: int) -> list[Line]:
    """Write a finding as an outline."""
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
    """Write a finding as plain data."""
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
