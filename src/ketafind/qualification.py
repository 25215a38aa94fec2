"""Rule sets: what makes a provider qualified, as data, and as criteria of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketafind import errors
from ketafind.criteria import And, Criteria, Labelled, Not, Or
from ketafind.errors import CriteriaError, DataError, Fault, packaged
from ketafind.files import JsonObject, parse_json, read_text
from ketafind.records import FrozenMapping, Truth
from ketafind.vocabulary import checked_vocabulary

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

BUNDLED = Path(__file__).with_name("on-2026.1.json")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A versioned set of rules; made by `read`, `from_text` or `qualification.bundled_rules`.

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
    questions : mapping of str to mapping
        For a facet or yes-no fact what to ask a clinic, in each language; ``{what}`` stands for
        the terms, ``province`` names the only province where it is asked.
    words : mapping
        Facets and terms that its rules need beyond a directory's vocabulary, in the form of a
        vocabulary file.
    """

    id: str
    title: Mapping[str, str]
    rules: tuple[Rule, ...]
    levels: Mapping[str, tuple[str, ...]]
    date: str = ""
    questions: Mapping[str, Mapping[str, str]] = FrozenMapping()
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
        MissingFileError
            If there is no such file.
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
        data = parse_json(text, source, "a rule set")
        if faults := list(_shape_faults(data)):
            raise DataError(source, faults)
        base = checked_vocabulary(vocabulary)
        words = data.get("vocabulary", {})
        whole = base.extended(words) if words else base
        reader = _Reader(data["rules"], whole)
        rules = tuple(map(reader.rule, data["rules"]))
        levels = {**data.get("levels", {}), FULL: [r.id for r in rules if r.level == "required"]}
        questions = data.get("questions", JsonObject())
        known = {one.id for one in (*whole.facets, *whole.flags)}
        faults = [*dict.fromkeys(reader.faults), *_level_faults(levels, data)]
        for name in sorted(questions.keys() - known):
            message = f'the question "{name}" is about no facet and no yes-no fact'
            faults.append(questions.fault(message))
        if faults:
            raise DataError(source, faults)
        return cls(
            id=data["id"],
            title=FrozenMapping(data["title"]),
            rules=rules,
            levels=FrozenMapping({name: tuple(ids) for name, ids in levels.items()}),
            date=data.get("date", ""),
            questions=FrozenMapping({name: FrozenMapping(questions[name]) for name in questions}),
            words=words,
        )

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
        base = checked_vocabulary(base)
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
            raise errors.InvalidInputError(f"level={errors.shown(level)}: {self.id} has {known}")
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
        raise errors.InvalidInputError(
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
        known = {Truth.YES: cls.QUALIFIED, Truth.NO: cls.NOT_QUALIFIED}
        return known.get(truth, cls.UNDETERMINED)


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


# ---- a rule set's file, read strictly: every fault with its line and path ----

FULL = "full"
_TYPES: dict[str, type[Any]] = {"text": str, "list": list, "object": dict}


def _fits(value: Any, form: Mapping[str, Any]) -> bool:
    """Tell whether a value is what `rules.json` says of it, and so are its parts."""
    if "one_of" in form:
        return value in form["one_of"]
    if not isinstance(value, _TYPES[form["type"]]):
        return False
    size = len(value.strip() if isinstance(value, str) else value)
    parts = value.values() if isinstance(value, dict) else value
    return (
        size >= form.get("least", 0)
        and ("each" not in form or all(_fits(part, form["each"]) for part in parts))
        and all(_fits(value.get(name, ""), key) for name, key in form.get("keys", {}).items())
    )


def _shape_faults(data: JsonObject) -> Iterator[Fault]:
    forms = packaged("rules.json")
    yield from _key_faults(data, forms["set"])
    seen: set[str] = set()
    rules = data.get("rules")
    for rule in rules if isinstance(rules, list) else ():
        if not isinstance(rule, JsonObject):
            yield data.fault(f"a rule is an object, not {rule!r}")
            continue
        yield from _key_faults(rule, forms["rule"])
        if str(rule.get("id")) in seen:
            yield rule.fault(f"the id {rule.get('id')!r} stands twice")
        if rule.get("requires") is None and rule.get("level") != "information":
            yield rule.fault('"requires" is missing')
        seen.add(str(rule.get("id")))


def _key_faults(raw: JsonObject, keys: Mapping[str, Any]) -> Iterator[Fault]:
    for name, key in keys.items():
        known = name in raw or key.get("needed")
        if "is" in key and known and not _fits(raw.get(name), key["is"]):
            yield raw.fault(key["says"].format(raw.get(name)))
    for name in sorted(set(raw) - set(keys)):
        yield raw.fault(f"{name!r} is not known; known: {', '.join(sorted(keys))}")


def _level_faults(levels: Mapping[str, Any], data: JsonObject) -> Iterator[Fault]:
    known = [raw["id"] for raw in data["rules"] if raw.get("requires") is not None]
    given = data.get("levels", data)
    if not levels[FULL]:
        yield data.fault("a rule set has one required rule or more")
        return
    if FULL in data.get("levels", {}):
        yield given.fault(f'the level "{FULL}" is every required rule; leave it out')
    for name, ids in levels.items():
        if not isinstance(ids, list) or not ids:
            yield given.fault(f'the level "{name}" is a list of one or more rules')
            continue
        for one in ids:
            if one not in known:
                yield given.fault(f'the level "{name}" names no rule to check: {one!r}')


class _Reader:
    """Turns raw rules into criteria and collects what is wrong with them."""

    def __init__(self, raw: list[JsonObject], words: Vocabulary) -> None:
        self.raw = {rule["id"]: rule for rule in raw}
        self.words = words
        self.faults: list[Fault] = []

    def rule(self, raw: JsonObject) -> Rule:
        sources = [
            Source(FrozenMapping(one["note"]), one.get("url", "")) for one in raw.get("sources", ())
        ]
        return Rule(
            id=raw["id"],
            level=raw["level"],
            title=FrozenMapping(raw["title"]),
            requires=self._criteria(raw, "requires"),
            when=self._criteria(raw, "when"),
            sources=tuple(sources),
            unverified=FrozenMapping(raw.get("unverified", {})),
        )

    def _criteria(self, rule: JsonObject, key: str) -> Criteria | None:
        raw = rule.get(key)
        if raw is None:
            return None
        n_before = len(self.faults)
        data = self._expanded(raw, (rule["id"],))
        if len(self.faults) == n_before:
            try:
                return Criteria.from_dict(data)
            except CriteriaError as error:
                self._refuse(raw if isinstance(raw, JsonObject) else rule, str(error))
        return None

    def _expanded(self, raw: Any, trail: tuple[str, ...]) -> Any:
        """Replace references by what they name, and mark what a directory may have no words for."""
        if isinstance(raw, list):
            return [self._expanded(one, trail) for one in raw]
        if not isinstance(raw, JsonObject):
            return raw
        if set(raw) == {"rule"}:
            return self._referred(raw, trail)
        if {"facet", "quantity"} & set(raw):
            return self._leaf(raw)
        return {key: self._expanded(value, trail) for key, value in raw.items()}

    def _referred(self, raw: JsonObject, trail: tuple[str, ...]) -> Any:
        name = raw["rule"]
        if not isinstance(name, str) or name not in self.raw:
            known = ", ".join(self.raw)
            return self._refuse(raw, f"{name!r} is not a rule of this set; known: {known}")
        if name in trail:
            circle = " > ".join((*trail[trail.index(name) :], name))
            return self._refuse(raw, f"the rules go in a circle: {circle}")
        there = self.raw[name]
        if there.get("requires") is None:
            return self._refuse(raw, f"the rule {name!r} asks for nothing")
        wanted = self._expanded(there["requires"], (*trail, name))
        if there.get("when") is None:
            return wanted
        return {"or": [{"not": self._expanded(there["when"], (*trail, name))}, wanted]}

    def _leaf(self, raw: JsonObject) -> Any:
        try:
            Criteria.from_dict(dict(raw)).resolve(self.words)
        except (CriteriaError, errors.UnknownTermError) as error:
            return self._refuse(raw, str(error))
        return {"if_known": dict(raw)}

    def _refuse(self, raw: JsonObject, message: str) -> Any:
        self.faults.append(raw.fault(message))
        return {}
