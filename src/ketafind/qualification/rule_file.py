"""A rule set's file, read strictly: every fault with its line and path."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Criteria, Not, Or
from ketafind.errors import CriteriaError, DataError, Fault, UnknownTermError
from ketafind.files import JsonObject, parse_json
from ketafind.records import FrozenMapping
from ketafind.vocabulary import default_vocabulary

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

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


FORMAT = "ketafind-rules/1"
_SET_KEYS = {"format", "id", "title", "date", "levels", "vocabulary", "rules"}
_RULE_KEYS = {"id", "level", "title", "when", "requires", "sources", "unverified"}


def read_rules(text: str, source: str, vocabulary: Vocabulary | None) -> dict[str, Any]:
    """Read a rule set."""
    data = parse_json(text, source, "a rule set")
    if faults := list(_shape_faults(data)):
        raise DataError(source, faults)
    base = default_vocabulary() if vocabulary is None else vocabulary
    words = data.get("vocabulary", {})
    reader = _Reader(data["rules"], base, base.extended(words) if words else base)
    rules = tuple(reader.rule(raw) for raw in data["rules"])
    levels = {**data.get("levels", {}), FULL: [r.id for r in rules if r.level == "required"]}
    if faults := [*dict.fromkeys(reader.faults), *_level_faults(levels, data)]:
        raise DataError(source, faults)
    return {
        "id": data["id"],
        "title": FrozenMapping(data["title"]),
        "rules": rules,
        "levels": FrozenMapping({name: tuple(ids) for name, ids in levels.items()}),
        "date": data.get("date", ""),
        "words": words,
    }


class _Reader:
    """Turns raw rules into criteria and collects what is wrong with them."""

    def __init__(self, raw: list[JsonObject], base: Vocabulary, full: Vocabulary) -> None:
        self.raw = {rule["id"]: rule for rule in raw}
        self.base, self.full = base, full
        self.faults: list[Fault] = []

    def rule(self, raw: JsonObject) -> Rule:
        return Rule(
            id=raw["id"],
            level=raw["level"],
            title=FrozenMapping(raw["title"]),
            requires=self._criteria(raw, "requires"),
            when=self._criteria(raw, "when"),
            sources=tuple(
                Source(FrozenMapping(one["note"]), one.get("url", ""))
                for one in raw.get("sources", ())
            ),
            unverified=FrozenMapping(raw.get("unverified", {})),
        )

    def _criteria(self, rule: JsonObject, key: str) -> Criteria | None:
        raw = rule.get(key)
        if raw is None:
            return None
        n_before = len(self.faults)
        data = self._expanded(raw, (rule["id"],))
        if len(self.faults) > n_before:
            return None
        try:
            return Criteria.from_dict(data)
        except CriteriaError as error:
            self._refuse(raw if isinstance(raw, JsonObject) else rule, str(error))
            return None

    def _expanded(self, raw: Any, trail: tuple[str, ...]) -> Any:
        """Replace references by what they name, and mark what only some directories record."""
        if isinstance(raw, list):
            return [self._expanded(one, trail) for one in raw]
        if not isinstance(raw, JsonObject):
            return raw
        if set(raw) == {"rule"}:
            return self._referred(raw, trail)
        if set(raw) == {"facet", "terms", "at_least"}:
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
        plain = dict(raw)
        try:
            clause = Criteria.from_dict(plain)
            clause.resolve(self.full)
        except (CriteriaError, UnknownTermError) as error:
            return self._refuse(raw, str(error))
        try:
            clause.resolve(self.base)
        except UnknownTermError:
            return {"if_known": plain}
        return plain

    def _refuse(self, raw: JsonObject, message: str) -> Any:
        self.faults.append(raw.fault(message))
        return {}


def _shape_faults(data: JsonObject) -> Iterator[Fault]:
    rules = data.get("rules")
    yield from _unmet(
        data,
        (data.get("format") == FORMAT, f'"format" must be "{FORMAT}", not {data.get("format")!r}'),
        (_is_text(data.get("id")), '"id" is a text, such as "on-2026.1"'),
        (_are_texts(data.get("title")), '"title" is an object with a text in each language'),
        (isinstance(data.get("date", ""), str), '"date" is a text'),
        (isinstance(data.get("levels", {}), dict), '"levels" is an object'),
        (isinstance(data.get("vocabulary", {}), dict), '"vocabulary" is an object'),
        (isinstance(rules, list) and bool(rules), '"rules" is a list of one or more rules'),
        known=_SET_KEYS,
    )
    seen: set[str] = set()
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, JsonObject):
            yield from _rule_faults(rule, seen)
            seen.add(str(rule.get("id")))
        else:
            yield data.fault(f"a rule is an object, not {rule!r}")


def _rule_faults(rule: JsonObject, seen: set[str]) -> Iterator[Fault]:
    name, level = rule.get("id"), rule.get("level")
    needless = level == "information" or rule.get("requires") is not None
    yield from _unmet(
        rule,
        (_is_text(name), 'a rule needs an "id"'),
        (str(name) not in seen, f"the id {name!r} stands twice"),
        (level in LEVELS, f'"level" is one of {", ".join(LEVELS)}, not {level!r}'),
        (_are_texts(rule.get("title")), '"title" is an object with a text in each language'),
        (
            rule.get("unverified", {}) == {} or _are_texts(rule["unverified"]),
            '"unverified" is an object with a text in each language',
        ),
        (
            _are_sources(rule.get("sources", [])),
            '"sources" is a list of objects with a "note" in each language',
        ),
        (needless, '"requires" is missing'),
        known=_RULE_KEYS,
    )


def _unmet(
    raw: JsonObject, *needs: tuple[bool, str], known: Collection[str] = ()
) -> Iterator[Fault]:
    yield from (raw.fault(message) for is_met, message in needs if not is_met)
    for key in sorted(set(raw) - set(known)):
        yield raw.fault(f"{key!r} is not known; known: {', '.join(sorted(known))}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_text, value.values()))


def _are_sources(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict)
        and _are_texts(one.get("note"))
        and isinstance(one.get("url", ""), str)
        for one in value
    )


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
