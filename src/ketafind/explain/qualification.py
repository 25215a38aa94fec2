"""How a clinic stands to a rule set, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Labelled, NotInVocabulary
from ketafind.explain.findings import ServiceFacts, evidence_dict, evidence_lines
from ketafind.explain.sentences import Explanation, Line, headed, picked, say
from ketafind.qualification import Result, RuleSet, assess, bundled_rules
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.qualification import Assessment, RuleResult
    from ketafind.query.catalogue import Catalogue
    from ketafind.records import Clinic, Evidence, Service


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
        lang, level = self.lang, self.level
        result = say(f"result.{self.result}", lang)
        head = headed(self.clinic.name, result, lang)
        named = say(f"level.{level}", lang) if level in _LEVELS else level
        found = [Line(0, f"{head} ({named}, {self.assessment.rules.id})")]
        if self.assessment.status != Truth.YES:
            found.append(Line(1, say(f"status.{self.clinic.status}", lang)))
        for one in self.rules:
            found += self._rule_lines(one)
        return [*found, Line(0, say("qualification.notice", lang))]

    def _rule_lines(self, one: RuleResult) -> list[Line]:
        lang, rule = self.lang, one.rule
        decides = rule.id in self.assessment.rules.levels[self.level]
        kind = say("rule.decides" if decides else f"rule.{rule.level}", lang)
        head = f"{_in(rule.title, lang)} [{kind}]"
        if one.truth is not None:
            how = "not_about" if one.applies == Truth.NO else str(one.truth)
            head = headed(say(f"truth.{how}", lang), head, lang)
        lines = [Line(1, head), *evidence_lines(self.evidence(rule.id), lang, 2)]
        if rule.id in self.wordless:
            lines.append(Line(2, say("rule.no_words", lang)))
        if rule.unverified:
            lines.append(Line(2, say("rule.unverified", lang) + _in(rule.unverified, lang)))
        return lines + [
            Line(2, say("rule.source", lang) + _in(source.note, lang), source.url)
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
        wordless=frozenset(name for name, criteria in asked.items() if _lacks_words(criteria)),
        lang=lang,
    )


def _lacks_words(criteria: Criteria) -> bool:
    return isinstance(criteria, NotInVocabulary) or any(map(_lacks_words, criteria.parts))


def rules_of(criteria: Criteria) -> tuple[RuleSet, str]:
    """Find the rule set and level that criteria ask for."""
    bundled = bundled_rules()
    names = {bundled.criteria(level): level for level in bundled.levels}
    for named in _named(criteria):
        if isinstance(named.source, tuple):
            return named.source
        level = next((level for known, level in names.items() if str(known) == named.name), None)
        if level is not None:
            return bundled, level
    return bundled, "team"


def _named(criteria: Criteria) -> Iterator[Labelled]:
    if isinstance(criteria, Labelled):
        yield criteria
    for part in criteria.parts:
        yield from _named(part)
