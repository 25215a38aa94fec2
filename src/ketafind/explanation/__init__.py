"""Answers put into words, in English and French: why, why not, what would help, whom to ask."""

from ketafind.explanation.answers import (
    AnswerExplanation,
    AnswerFacts,
    ClinicFacts,
    MatchExplanation,
    MissExplanation,
)
from ketafind.explanation.findings import Finding
from ketafind.explanation.outline import Line, Told
from ketafind.explanation.qualification import Qualification
from ketafind.explanation.questions import Asking, Questions
from ketafind.explanation.relaxing import Change, Relaxation, Relaxations, minimal_sets

__all__ = [
    "AnswerExplanation",
    "AnswerFacts",
    "Asking",
    "Change",
    "ClinicFacts",
    "Finding",
    "Line",
    "MatchExplanation",
    "MissExplanation",
    "Qualification",
    "Questions",
    "Relaxation",
    "Relaxations",
    "Told",
    "minimal_sets",
]
