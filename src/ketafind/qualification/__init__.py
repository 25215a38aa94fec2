"""Rule sets: what makes a provider qualified, as data, and as criteria of it."""

from ketafind.qualification.assessing import Assessment, Result, RuleResult, assess
from ketafind.qualification.rules import RuleSet, bundled_rules, bundled_words, qualified
from ketafind.qualification.values import Rule, Source

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
