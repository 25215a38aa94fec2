"""One rule and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ketafind.criteria import Criteria
from ketafind.criteria.expression import Not, Or
from ketafind.records import FrozenMapping

__all__ = ["FULL", "LEVELS", "Rule", "Source"]

FULL = "full"
LEVELS = ("required", "advisory", "information")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from.

    Parameters
    ----------
    note : mapping of str to str
        In each language, what the source says.
    url : str
        Its address; empty where it has none.
    """

    note: Mapping[str, str]
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Parameters
    ----------
    id : str
        Unique in its rule set.
    level : str
        ``required``, ``advisory`` (shown, decides nothing) or ``information`` (nothing to check).
    title : mapping of str to str
        In each language.
    requires : Criteria or None
        What a service must satisfy; None for information.
    when : Criteria or None
        Which services it is about; None for all.
    sources : tuple of Source
        Where it comes from.
    unverified : mapping of str to str
        In each language, what of it could not be verified; empty if nothing.
    """

    id: str
    level: str
    title: Mapping[str, str]
    requires: Criteria | None = None
    when: Criteria | None = None
    sources: tuple[Source, ...] = ()
    unverified: Mapping[str, str] = FrozenMapping()

    @property
    def criteria(self) -> Criteria | None:
        """The rule as criteria: YES too where it is not about the service."""
        if self.requires is None or self.when is None:
            return self.requires
        return Or((Not(self.when), self.requires))
