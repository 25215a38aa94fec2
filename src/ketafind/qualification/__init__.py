"""Rule sets: what makes a provider qualified, as data, and as criteria of it."""

from ketafind.qualification.rule_file import Rule, Source
from ketafind.qualification.rules import (
    Assessment,
    Result,
    RuleResult,
    RuleSet,
    assess,
    bundled_rules,
    bundled_words,
    qualified,
)

__all__ = [
    "Assessment",
    "Result",
    "Rule",
    "RuleResult",
    "RuleSet",
    "Source",
    "assess",
    "bundled_rules",
    "bundled_words",
    "qualified",
]
