"""Yes, no and unknown: Kleene's strong three-valued logic."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Truth(StrEnum):
    """What is known of a statement.

    ``NO < UNKNOWN < YES``; ``&`` is the minimum, ``|`` the maximum, ``~`` swaps YES and NO, so
    ``x | ~x`` may be UNKNOWN. A truth has no boolean value: compare it, ``truth == Truth.YES``.

    Notes
    -----
    S. C. Kleene, Introduction to Metamathematics (1952), section 64.
    """

    # The alphabetical order of the values is the logical order.
    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"

    def __and__(self, other: Truth) -> Truth:
        return min(self, other)

    def __or__(self, other: Truth) -> Truth:
        return max(self, other)

    def __invert__(self) -> Truth:
        return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[self]

    def __bool__(self) -> bool:
        raise TypeError("a truth is yes, no or unknown: compare it, as in truth == Truth.YES")

    @classmethod
    def _missing_(cls, value: Any) -> Truth | None:
        text = value.lower() if isinstance(value, str) else value
        return next((member for member in cls if member.value == text), None)
