"""A rule set applied to one clinic of a catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ketafind.criteria.expression import Named
from ketafind.criteria.support import leaves_evidence
from ketafind.explanation import Qualification
from ketafind.qualification import RuleSet, assess, bundled_rules
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.matches.catalogue import Catalogue
    from ketafind.records import Service

__all__ = ["qualification", "rules_of"]

_STATUS = {"active": Truth.YES, "uncertain": Truth.UNKNOWN, "closed": Truth.NO}


def qualification(
    catalogue: Catalogue,
    position: int,
    service: Service,
    rules: RuleSet,
    level: str,
    lang: str = "en",
) -> Qualification:
    """Apply a rule set to a service.

    Parameters
    ----------
    catalogue : Catalogue
        The data.
    position : int
        The clinic's position.
    service : Service
        One of its services.
    rules : RuleSet
        The rules.
    level : str
        The level that decides.
    lang : str
        The language to tell it in.

    Returns
    -------
    Qualification
        Each rule, with its evidence.
    """
    rules.deciding(level)
    clinic, words = catalogue.clinics[position], catalogue.vocabulary
    slots = catalogue.slices.slots_of(int(catalogue.row_of[position]))
    slot = slots[[one.service_id for one in clinic.services].index(service.service_id)]

    def truth_of(criteria: Criteria) -> Truth:
        return catalogue.slices.truth(criteria.resolve(words), slot)

    evidence = {
        rule.id: leaves_evidence(clinic, service, [rule.criteria.resolve(words)], words)
        for rule in rules.rules
        if rule.criteria is not None
    }
    assessment = assess(rules, _STATUS[clinic.status], truth_of)
    return Qualification(clinic, service, level, assessment, evidence, lang)


def rules_of(criteria: Criteria) -> tuple[RuleSet, str]:
    """Find the rule set and level that criteria ask for.

    Parameters
    ----------
    criteria : Criteria
        What was asked for.

    Returns
    -------
    tuple of RuleSet and str
        The first that is named; else the bundled rules at the level ``"team"``.
    """
    bundled = bundled_rules()
    names = {bundled.criteria(level): level for level in bundled.levels}
    for named in _named(criteria):
        if isinstance(named.source, tuple):
            return named.source
        level = next((level for known, level in names.items() if str(known) == named.name), None)
        if level is not None:
            return bundled, level
    return bundled, "team"


def _named(criteria: Criteria) -> Iterator[Named]:
    if isinstance(criteria, Named):
        yield criteria
    for part in criteria.parts:
        yield from _named(part)
