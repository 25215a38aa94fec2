"""Each part of a question or of a rule set, how a clinic answers it, and why that is believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import And, Bound, Criteria, Labelled, NotInVocabulary, Offers
from ketafind.explain.sentences import Explanation, Line, Wording, picked, plain
from ketafind.qualification import Result, RuleSet, assess, bundled_rules, bundled_words
from ketafind.records import Clinic, Evidence, FrozenMapping, Quantity, Service, Truth

if TYPE_CHECKING:
    from ketafind.bits import TermSlices
    from ketafind.qualification import Assessment, RuleResult
    from ketafind.query.catalogue import Catalogue
    from ketafind.query.ranking import Ranking
    from ketafind.vocabulary import Vocabulary


Settled = Mapping[str, tuple[str, ...]]
"""For each term that is settled, the stated terms that settle it."""


def vocabularies_of(ranking: Ranking) -> tuple[Vocabulary, ...]:
    """List where labels are looked up: the directory's words, then those of the rules."""
    return ranking.catalogue.vocabulary, bundled_words()


class ServiceFacts:
    """What is known at one service of a clinic, and why that is believed."""

    def __init__(self, catalogue: Catalogue, clinic_no: int, service: Service) -> None:
        clinic = catalogue.clinics[clinic_no]
        self.service = service
        self.vocabulary: Vocabulary = catalogue.vocabulary
        self.slices: TermSlices = catalogue.slices
        rows = self.slices.service_rows(int(catalogue.row_of_clinic[clinic_no]))
        self.row: int = rows[[one.service_id for one in clinic.services].index(service.service_id)]
        own = (None, service.service_id)
        self.own_evidence: list[Evidence] = [
            fact for fact in clinic.evidence if fact.service_id in own
        ]

    def truth(self, criteria: Criteria) -> Truth:
        """Look up canonical criteria."""
        return self.slices.truth(criteria, self.row)

    def evidence(self, criteria: Criteria) -> tuple[Evidence, ...]:
        """Find the evidence for every clause of canonical criteria."""
        found = (fact for leaf in criteria.leaves() for fact in self._evidence(leaf))
        return tuple(dict.fromkeys(found))

    def _evidence(self, leaf: Offers | Bound) -> list[Evidence]:
        if isinstance(leaf, Offers):
            return self._support(leaf, *self._settled(leaf))
        return [fact for fact in self.own_evidence if fact.facet == leaf.quantity]

    def find(self, criteria: Criteria) -> Finding:
        """Look up canonical criteria and every clause inside."""
        if isinstance(criteria, Bound):
            return self._measured(criteria)
        if not isinstance(criteria, Offers):
            parts = () if isinstance(criteria, NotInVocabulary) else criteria.parts
            return Finding(criteria, self.truth(criteria), parts=tuple(map(self.find, parts)))
        facet = self.vocabulary.facet(criteria.facet)
        stated = {facet.resolve(term) for term in self.service.terms(facet.id)}
        above = [one for term in criteria.terms for one in facet.ancestors(term) if one in stated]
        yes, no = self._settled(criteria)
        # Evidence that was set aside when the facts were derived from it.
        aside = [
            fact
            for term in criteria.terms
            if term not in yes and term not in no
            for fact in self.own_evidence
            if (fact.facet, fact.term) == (facet.id, term)
        ]
        said = {fact.term: {one.truth for one in aside if one.term == fact.term} for fact in aside}
        return Finding(
            criteria,
            self.truth(criteria),
            yes,
            no,
            broader=tuple(dict.fromkeys(above)),
            doubted={term: _doubt(truths) for term, truths in said.items()},
            complete=facet.id in self.service.complete,
            evidence=(*self._support(criteria, yes, no), *aside),
        )

    def _measured(self, clause: Bound) -> Finding:
        stated, evidence = self.service.quantities.get(clause.quantity), self._evidence(clause)
        said = {fact.term for fact in evidence}
        aside = {} if stated or not said else {clause.quantity: _doubt(said)}
        return Finding(
            clause, self.truth(clause), stated=stated, doubted=aside, evidence=tuple(evidence)
        )

    def _settled(self, leaf: Offers) -> tuple[Settled, Settled]:
        """Find the terms of a clause that are YES and those that are NO, each by what is stated."""
        facet = self.vocabulary.facet(leaf.facet)
        found: list[Settled] = []
        for truth, near in ((Truth.YES, facet.descendants), (Truth.NO, facet.ancestors)):
            stated = {facet.resolve(term) for term in self.service.terms(facet.id, truth)}
            by_term = {
                term: tuple(one for one in (term, *near(term)) if one in stated)
                for term in leaf.terms
            }
            found.append({term: by for term, by in by_term.items() if by})
        return found[0], found[1]

    def _support(self, leaf: Offers, yes: Settled, no: Settled) -> list[Evidence]:
        """Find the evidence for what settles terms of a clause."""
        facet = self.vocabulary.facet(leaf.facet).id
        sides = ((Truth.YES, yes), (Truth.NO, no))
        stated = {
            (facet, one, truth) for truth, by in sides for ones in by.values() for one in ones
        }
        return [fact for fact in self.own_evidence if (fact.facet, fact.term, fact.truth) in stated]


def _doubt(said: set[Any]) -> str:
    """Why evidence does not settle a fact of which it says this."""
    return "stale" if len(said) == 1 else "conflict"


def evidence_lines(
    facts: Iterable[Evidence], wording: Wording, depth: int, *, named: bool = False
) -> list[Line]:
    """Write evidence, one line a source, which says on request what it is evidence of."""
    pages: dict[tuple[str, str], list[Evidence]] = {}
    for fact in facts:
        pages.setdefault((fact.source_url, _dated(fact, wording)), []).append(fact)
    lines = []
    for (url, dated), same in pages.items():
        source = wording.say(f"source.{same[0].source_class}")
        parts = [wording.say("evidence.source", source=source) + dated]
        parts += [wording.say("evidence.operator_scope")] if same[0].scope == "operator" else []
        hints = dict.fromkeys(fact.hint for fact in same if fact.hint)
        # What pages say is noted in English: left out of another language's text.
        if hints and wording.lang == "en":
            parts.append(wording.say("evidence.quoted", text="; ".join(hints)))
        text = ", ".join(parts)
        if named:
            text = wording.headed("; ".join(dict.fromkeys(map(wording.fact, same))), text)
        lines.append(Line(depth, text, url))
    return lines


def sources(facts: Iterable[Evidence], vocabulary: Vocabulary, lang: str) -> list[tuple[str, str]]:
    """Say what each page is evidence of, with its address."""
    wording = Wording(lang, (vocabulary, bundled_words()))
    return [(line.text, line.url) for line in evidence_lines(facts, wording, 0, named=True)]


def _dated(fact: Evidence, wording: Wording) -> str:
    days = {"page_date": fact.page_date, "checked": fact.checked_on}
    parts = [
        wording.say(f"evidence.{how}", day=day.isoformat())
        for how, day in days.items()
        if day is not None
    ]
    if fact.method == "archived_copy":
        parts.append(wording.say("evidence.archived_copy"))
    return "".join(f", {part}" for part in parts)


def evidence_dict(fact: Evidence) -> dict[str, Any]:
    """Write evidence as plain data, without the clinic that it stands with."""
    return {name: value for name, value in plain(fact).items() if name != "clinic_id"}


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
    stated : Quantity or None
        Of a bound, the quantity that is stated.
    complete : bool
        Whether the service's list of this facet is stated to be complete.
    evidence : tuple of Evidence
        What the result rests on.
    parts : tuple of Finding
        The clauses inside.
    """

    criteria: Criteria
    truth: Truth
    yes: Mapping[str, tuple[str, ...]] = FrozenMapping()
    no: Mapping[str, tuple[str, ...]] = FrozenMapping()
    broader: tuple[str, ...] = ()
    doubted: Mapping[str, str] = FrozenMapping()
    stated: Quantity | None = None
    complete: bool = False
    evidence: tuple[Evidence, ...] = ()
    parts: tuple[Finding, ...] = ()


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
    text = wording.criteria(finding.criteria)
    head = wording.headed(wording.say(f"truth.{finding.truth}"), text)
    lines = [Line(depth, head + _reason(finding, wording))]
    lines += evidence_lines(finding.evidence, wording, depth + 1)
    for part in finding.parts:
        lines += finding_lines(part, wording, depth + 1)
    return lines


def _reason(finding: Finding, wording: Wording) -> str:
    if isinstance(finding.criteria, NotInVocabulary):
        return wording.say("why.no_words")
    if isinstance(finding.criteria, Bound):
        return f"; {_measure(finding, wording)}"
    if not isinstance(finding.criteria, Offers):
        return ""
    return "".join(f"; {reason}" for reason in _reasons(finding, finding.criteria, wording))


def _measure(finding: Finding, wording: Wording) -> str:
    if finding.stated is not None:
        return wording.say("why.stated", term=wording.size(finding.stated))
    for quantity, reason in finding.doubted.items():
        return wording.say(f"why.{reason}", term=wording.label(quantity))
    return wording.say("why.not_stated")


def _reasons(finding: Finding, clause: Offers, wording: Wording) -> Iterator[str]:
    facet = clause.facet
    exact = [term for term, by in finding.yes.items() if term in by]
    # One term alone needs no repetition.
    if exact and len(clause.terms) > 1:
        yield wording.say("why.stated", term=wording.terms(facet, exact, "and"))
    for term, by in finding.yes.items():
        if term not in by:
            narrower, name = wording.terms(facet, by, "and"), wording.label(facet, term)
            yield wording.say("why.narrower", narrower=narrower, term=name)
    if finding.truth == Truth.YES:
        return
    for term, by in finding.no.items():
        name = wording.label(facet, term)
        if term in by:
            yield wording.say("why.stated_no", term=name)
        else:
            yield wording.say("why.broader_no", broader=wording.terms(facet, by), term=name)
    for term, reason in finding.doubted.items():
        yield wording.say(f"why.{reason}", term=wording.label(facet, term))
    settled = {*finding.yes, *finding.no, *finding.doubted}
    missing = [term for term in clause.terms if term not in settled]
    if finding.broader and missing:
        yield wording.say("why.broader", broader=wording.terms(facet, finding.broader, "and"))
    elif missing:
        how = "why.complete" if finding.complete else "why.not_stated"
        yield wording.say(how)


def finding_dict(finding: Finding, wording: Wording) -> dict[str, Any]:
    """Write a finding as plain data."""
    return {
        **picked(finding, "criteria", "truth", "yes", "no", "broader", "doubted"),
        **({} if finding.stated is None else picked(finding, "stated")),
        "text": wording.criteria(finding.criteria),
        "evidence": [evidence_dict(fact) for fact in finding.evidence],
        "parts": [finding_dict(part, wording) for part in finding.parts],
    }


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Qualification(Explanation):
    """What a rule set says of a clinic; it is no endorsement.

    Parameters
    ----------
    clinic : Clinic
        The clinic.
    service : Service
        The service that was assessed.
    level : str
        The level that decides `result`.
    assessment : Assessment
        Every rule, applied.
    by_rule : mapping of str to tuple of Evidence
        For each rule id, what its result rests on.
    wordless : frozenset of str
        The rules that ask for something the directory has no words for: UNKNOWN for that reason.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names; no text here needs one.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    clinic: Clinic
    service: Service
    level: str
    assessment: Assessment
    by_rule: Mapping[str, tuple[Evidence, ...]]
    wordless: frozenset[str] = frozenset()

    @property
    def result(self) -> Result:
        """QUALIFIED, NOT_QUALIFIED or UNDETERMINED, at `level`."""
        return self.levels[self.level]

    @property
    def levels(self) -> Mapping[str, Result]:
        """The result at each level of the rule set."""
        return self.assessment.levels

    @property
    def rules(self) -> tuple[RuleResult, ...]:
        """Each rule and what is known of it."""
        return self.assessment.results

    def evidence(self, rule_id: str) -> tuple[Evidence, ...]:
        """Return what the result of a rule rests on.

        Parameters
        ----------
        rule_id : str
            Such as ``"core_team"``.

        Returns
        -------
        tuple of Evidence
            Empty where nothing is stated.
        """
        return self.by_rule.get(rule_id, ())

    def lines(self) -> list[Line]:
        wording, level = self._words, self.level
        head = wording.headed(self.clinic.name, wording.say(f"result.{self.result}"))
        named = wording.say(f"level.{level}") if level in _LEVELS else level
        found = [Line(0, f"{head} ({named}, {self.assessment.rules.id})")]
        if self.assessment.status != Truth.YES:
            found.append(Line(1, wording.say(f"status.{self.clinic.status}")))
        for one in self.rules:
            found += self._rule_lines(one)
        return [*found, Line(0, wording.say("qualification.notice"))]

    def _rule_lines(self, one: RuleResult) -> list[Line]:
        wording, lang, rule = self._words, self.lang, one.rule
        decides = rule.id in self.assessment.rules.levels[self.level]
        kind = wording.say("rule.decides" if decides else f"rule.{rule.level}")
        head = f"{_in(rule.title, lang)} [{kind}]"
        if one.truth is not None:
            how = "not_about" if one.applies == Truth.NO else str(one.truth)
            head = wording.headed(wording.say(f"truth.{how}"), head)
        lines = [Line(1, head), *evidence_lines(self.evidence(rule.id), wording, 2)]
        if rule.id in self.wordless:
            lines.append(Line(2, wording.say("rule.no_words")))
        if rule.unverified:
            lines.append(Line(2, wording.say("rule.unverified") + _in(rule.unverified, lang)))
        return lines + [
            Line(2, wording.say("rule.source") + _in(source.note, lang), source.url)
            for source in rule.sources
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            **picked(self.clinic, "clinic_id", "status"),
            **picked(self.service, "service_id"),
            **picked(self, "level", "result", "levels"),
            "rule_set": self.assessment.rules.id,
            "rules": [self._rule_dict(one) for one in self.rules],
        }

    def _rule_dict(self, one: RuleResult) -> dict[str, Any]:
        rule = one.rule
        return {
            **picked(rule, "id", "level"),
            **picked(one, "truth", "applies"),
            "title": _in(rule.title, self.lang),
            "in_vocabulary": rule.id not in self.wordless,
            "evidence": [evidence_dict(fact) for fact in self.evidence(rule.id)],
            "sources": [
                {"url": source.url, "note": _in(source.note, self.lang)} for source in rule.sources
            ],
            "unverified": _in(rule.unverified, self.lang) if rule.unverified else "",
        }


_LEVELS = ("team", "full")


def _in(texts: Mapping[str, str], lang: str) -> str:
    """A text of a rule set in a language, or in the first that it has."""
    return texts.get(lang) or next(iter(texts.values()))


_STATUS = {"active": Truth.YES, "uncertain": Truth.UNKNOWN, "closed": Truth.NO}


def qualification(
    catalogue: Catalogue,
    clinic_no: int,
    service: Service,
    rules: RuleSet,
    level: str,
    lang: str = "en",
) -> Qualification:
    """Apply a rule set to a service."""
    rules.deciding(level)
    clinic, words = catalogue.clinics[clinic_no], catalogue.vocabulary
    known = ServiceFacts(catalogue, clinic_no, service)
    truth_of = lambda criteria: known.truth(criteria.resolve(words))  # noqa: E731
    asked = {
        rule.id: rule.criteria.resolve(words) for rule in rules.rules if rule.criteria is not None
    }
    return Qualification(
        clinic=clinic,
        service=service,
        level=level,
        assessment=assess(rules, _STATUS[clinic.status], truth_of),
        by_rule={name: known.evidence(criteria) for name, criteria in asked.items()},
        wordless=frozenset(
            name for name, one in asked.items() if NotInVocabulary in map(type, one._walk())
        ),
        lang=lang,
    )


def rules_of(criteria: Criteria) -> tuple[RuleSet, str]:
    """Find the rule set and level that criteria ask for."""
    bundled = bundled_rules()
    names = {bundled.criteria(level): level for level in bundled.levels}
    labelled = (one for one in criteria._walk() if isinstance(one, Labelled))
    for named in labelled:
        if isinstance(named.source, tuple):
            return named.source
        level = next((level for known, level in names.items() if str(known) == named.name), None)
        if level is not None:
            return bundled, level
    return bundled, "team"
