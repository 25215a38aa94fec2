"""Rules applied to one service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ketafind.criteria import Criteria
from ketafind.qualification.rules import RuleSet
from ketafind.qualification.values import Rule
from ketafind.truth import Truth

__all__ = ["Assessment", "Result", "RuleResult", "assess"]


class Result(StrEnum):
    """What a rule set says of a provider; it is no endorsement."""

    QUALIFIED = "QUALIFIED"
    NOT_QUALIFIED = "NOT_QUALIFIED"
    UNDETERMINED = "UNDETERMINED"

    @classmethod
    def of(cls, truth: Truth) -> Result:
        """Name the truth of a level."""
        return {
            Truth.YES: cls.QUALIFIED,
            Truth.NO: cls.NOT_QUALIFIED,
            Truth.UNKNOWN: cls.UNDETERMINED,
        }[truth]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule, applied.

    Parameters
    ----------
    rule : Rule
        The rule.
    truth : Truth or None
        Whether it is satisfied; None for information.
    applies : Truth
        Whether it is about this service at all.
    """

    rule: Rule
    truth: Truth | None
    applies: Truth


@dataclass(frozen=True, slots=True)
class Assessment:
    """Every rule of a set, applied to one service.

    Parameters
    ----------
    rules : RuleSet
        The rules.
    status : Truth
        Whether the clinic is open.
    results : tuple of RuleResult
        In the order of the rules.
    """

    rules: RuleSet
    status: Truth
    results: tuple[RuleResult, ...]

    def truth(self, level: str) -> Truth:
        """Return the minimum of a level's rules and of the clinic's status."""
        deciding = {rule.id for rule in self.rules.deciding(level)}
        truths = [r.truth for r in self.results if r.rule.id in deciding and r.truth is not None]
        return min([self.status, *truths])

    @property
    def levels(self) -> Mapping[str, Result]:
        """The result at each level."""
        return {level: Result.of(self.truth(level)) for level in self.rules.levels}


def assess(rules: RuleSet, status: Truth, truth_of: Callable[[Criteria], Truth]) -> Assessment:
    """Apply every rule to one service.

    Parameters
    ----------
    rules : RuleSet
        The rules.
    status : Truth
        Whether the clinic is open.
    truth_of : callable
        What is known of criteria for this service.

    Returns
    -------
    Assessment
        The minimum of the required rules decides, as for any criteria.
    """

    def result(rule: Rule) -> RuleResult:
        wanted = rule.criteria
        return RuleResult(
            rule,
            None if wanted is None else truth_of(wanted),
            Truth.YES if rule.when is None else truth_of(rule.when),
        )

    return Assessment(rules, status, tuple(result(rule) for rule in rules.rules))
