"""Rule sets as values, and the criteria made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketafind.criteria import And, Criteria, Labelled
from ketafind.errors import InvalidInputError
from ketafind.files import read_text
from ketafind.qualification.rule_file import Rule, read_rules
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

BUNDLED = Path(__file__).with_name("on-2026.1.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A versioned set of rules; made by `read`, `from_text` or `bundled_rules`.

    Parameters
    ----------
    id : str
        Its name and version, such as ``"on-2026.1"``.
    title : mapping of str to str
        In each language.
    rules : tuple of Rule
        In the order of the file.
    levels : mapping of str to tuple of str
        For each level the rules that decide it; ``full`` is every required rule.
    date : str
        When it was written.
    words : mapping
        Facets and terms that its rules need beyond a directory's vocabulary, in the form of a
        vocabulary file.
    """

    id: str
    title: Mapping[str, str]
    rules: tuple[Rule, ...]
    levels: Mapping[str, tuple[str, ...]]
    date: str = ""
    words: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def read(cls, path: str | Path, *, vocabulary: Vocabulary | None = None) -> RuleSet:
        """Read a rule set from a file.

        Parameters
        ----------
        path : str or Path
            JSON, in the form of the bundled ``on-2026.1.json``.
        vocabulary : Vocabulary, optional
            The words that its rules may use besides its own; None for the bundled one.

        Returns
        -------
        RuleSet
            The rules.

        Raises
        ------
        DataError
            If a name is unknown or a rule rests on itself: every fault with its line.
        """
        text = read_text(path, "a rule set", max_mb=4)
        return cls.from_text(text, source=Path(path).name, vocabulary=vocabulary)

    @classmethod
    def from_text(
        cls, text: str, *, source: str = "rules", vocabulary: Vocabulary | None = None
    ) -> RuleSet:
        """Read a rule set from JSON text.

        Parameters
        ----------
        text : str
            JSON.
        source : str
            What to call it in an error text.
        vocabulary : Vocabulary, optional
            As in `read`.

        Returns
        -------
        RuleSet
            The rules.

        Raises
        ------
        DataError
            As in `read`.
        """
        return cls(**read_rules(text, source, vocabulary))

    def vocabulary(self, base: Vocabulary | None = None) -> Vocabulary:
        """Extend a vocabulary by the words of these rules, so that a directory can state them.

        Parameters
        ----------
        base : Vocabulary, optional
            What to extend; None for the bundled one.

        Returns
        -------
        Vocabulary
            Pass it to `Directory.from_csv`: the new facets are columns there.
        """
        from ketafind.vocabulary import default_vocabulary

        base = default_vocabulary() if base is None else base
        return base.extended(self.words) if self.words else base

    def deciding(self, level: str) -> tuple[Rule, ...]:
        """Rules that decide a level.

        Parameters
        ----------
        level : str
            Such as ``"team"`` or ``"full"``.

        Returns
        -------
        tuple of Rule
            In the order of the file.

        Raises
        ------
        InvalidInputError
            If the rule set has no such level.
        """
        if not isinstance(level, str) or level not in self.levels:
            known = ", ".join(map(repr, self.levels))
            raise InvalidInputError(f"level={level!r}: {self.id} has {known}")
        return tuple(rule for rule in self.rules if rule.id in self.levels[level])

    def criteria(self, level: str = "team") -> Criteria:
        """Return a level as criteria.

        Parameters
        ----------
        level : str
            Such as ``"team"`` or ``"full"``.

        Returns
        -------
        Criteria
            All of its rules, under the name of the rule set.

        Raises
        ------
        InvalidInputError
            If the rule set has no such level.
        """
        parts = [rule.criteria for rule in self.deciding(level)]
        wanted = tuple(part for part in parts if part is not None)
        whole = wanted[0] if len(wanted) == 1 else And(wanted)
        return Labelled(f"qualified: {level}, {self.id}", whole, (self, level))


@cache
def bundled_rules() -> RuleSet:
    """Return the bundled rule set, ``on-2026.1``.

    Returns
    -------
    RuleSet
        The same object each time.

    Examples
    --------
    >>> from ketafind.qualification import bundled_rules
    >>> [rule.id for rule in bundled_rules().deciding("team")]
    ['core_team']
    """
    return RuleSet.read(BUNDLED)


@cache
def bundled_words() -> Vocabulary:
    """Return the bundled vocabulary with the words of the bundled rules."""
    return bundled_rules().vocabulary()


def qualified(level: str = "team", rules: RuleSet | None = None) -> Criteria:
    """Ask for providers that satisfy a rule set.

    Parameters
    ----------
    level : str
        ``"team"``: an anesthesiologist, a psychiatrist or a nurse practitioner is on the staff;
        ``"full"``: every required rule; or a level that `rules` has.
    rules : RuleSet, optional
        Rules of your own; None for the bundled ``on-2026.1``.

    Returns
    -------
    Criteria
        To be combined with others. Being qualified by a rule set is no endorsement.

    Raises
    ------
    InvalidInputError
        If the rule set has no such level.

    Examples
    --------
    >>> import ketafind as kf
    >>> print(kf.route("iv") & kf.qualified())
    route iv and qualified: team, on-2026.1
    """
    if rules is not None and not isinstance(rules, RuleSet):
        raise InvalidInputError(
            f"rules takes a RuleSet, not {type(rules).__name__}; RuleSet.read(path) makes one"
        )
    return (rules or bundled_rules()).criteria(level)


class Result(StrEnum):
    """What a rule set says of a provider; it is no endorsement."""

    QUALIFIED = "QUALIFIED"
    NOT_QUALIFIED = "NOT_QUALIFIED"
    UNDETERMINED = "UNDETERMINED"

    @classmethod
    def of(cls, truth: Truth) -> Result:
        """Name the truth of a level.

        Parameters
        ----------
        truth : Truth
            The truth of a level.

        Returns
        -------
        Result
            QUALIFIED for YES, NOT_QUALIFIED for NO, UNDETERMINED for UNKNOWN.
        """
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
        """Return the truth of a level: the minimum of its rules and of the clinic's status.

        Parameters
        ----------
        level : str
            One of ``rules.levels``.

        Returns
        -------
        Truth
            UNKNOWN where a rule of the level is not settled and none is broken.
        """
        deciding = {rule.id for rule in self.rules.deciding(level)}
        truths = [r.truth for r in self.results if r.rule.id in deciding and r.truth is not None]
        return min([self.status, *truths])

    @property
    def levels(self) -> Mapping[str, Result]:
        """The result at each level."""
        return {level: Result.of(self.truth(level)) for level in self.rules.levels}


def assess(rules: RuleSet, status: Truth, truth_of: Callable[[Criteria], Truth]) -> Assessment:
    """Apply every rule to one service."""

    def result(rule: Rule) -> RuleResult:
        wanted = rule.criteria
        return RuleResult(
            rule,
            None if wanted is None else truth_of(wanted),
            Truth.YES if rule.when is None else truth_of(rule.when),
        )

    return Assessment(rules, status, tuple(result(rule) for rule in rules.rules))
