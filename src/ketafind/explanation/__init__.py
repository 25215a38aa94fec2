"""Answers put into words, in English and French: why, why not, what would help, whom to ask."""

from ketafind.explanation.outline import Line, Told
from ketafind.explanation.qualification import Qualification

__all__ = ["Line", "Qualification", "Told"]
