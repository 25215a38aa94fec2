"""A rule set's file, read strictly: every fault with its line."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Criteria, Not, Or
from ketafind.errors import CriteriaError, DataError, Fault, UnknownTermError
from ketafind.records import FrozenMapping
from ketafind.vocabulary import default_vocabulary

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

__all__ = [
    "FORMAT",
    "FULL",
    "LEVELS",
    "Placed",
    "Rule",
    "Source",
    "read_placed",
    "read_rules",
    "read_text",
]


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


_LARGEST = 4 * 2**20
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[{}\n]')


class Placed(dict[str, Any]):
    """A JSON object and the line of its opening brace, counted from 1."""

    line = 1


def read_text(path: str | Path) -> str:
    """Read a file of rules as text."""
    path = Path(path)
    if not path.is_file():
        raise DataError(str(path), [Fault("no such file; give the path of a rule set in JSON")])
    if path.stat().st_size > _LARGEST:
        raise DataError(path.name, [Fault("the file is over 4 MB: this is no rule set")])
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(path.name, [Fault(f"the file is not UTF-8: {error.reason}")]) from None


def read_placed(text: str, source: str) -> Placed:
    """Read a JSON object; every object inside is `Placed`."""
    # The hook sees the objects in the order in which their braces close.
    lines = iter(_lines_of_objects(text))
    doubled: list[Fault] = []

    def place(pairs: list[tuple[str, Any]]) -> Placed:
        value = Placed(pairs)
        value.line = next(lines, 1)
        if len(value) < len(pairs):
            doubled.append(Fault(f"line {value.line}: a key stands twice in one object"))
        return value

    try:
        data = json.loads(text, object_pairs_hook=place)
    except json.JSONDecodeError as error:
        fault = Fault(f"line {error.lineno}: not JSON: {error.msg}")
        raise DataError(source, [fault]) from None
    except RecursionError:
        raise DataError(source, [Fault("the JSON is nested too deeply")]) from None
    if doubled:
        raise DataError(source, doubled)
    if not isinstance(data, Placed):
        raise DataError(source, [Fault("line 1: a rule set is one JSON object")])
    return data


def _lines_of_objects(text: str) -> list[int]:
    ends = [match.start() for match in re.finditer("\n", text)]
    lines, opened = [], []
    for token in _TOKEN.finditer(text):
        if token.group() == "{":
            opened.append(token.start())
        elif token.group() == "}" and opened:
            lines.append(bisect(ends, opened.pop()) + 1)
    return lines


FORMAT = "ketafind-rules/1"
_SET_KEYS = {"format", "id", "title", "date", "levels", "vocabulary", "rules"}
_RULE_KEYS = {"id", "level", "title", "when", "requires", "sources", "unverified"}


def read_rules(text: str, source: str, vocabulary: Vocabulary | None) -> dict[str, Any]:
    """Read a rule set."""
    data = read_placed(text, source)
    faults = _shape_faults(data)
    if faults:
        raise DataError(source, faults)
    base = default_vocabulary() if vocabulary is None else vocabulary
    words = data.get("vocabulary", {})
    full = base.extended(words) if words else base
    reader = _Reader({rule["id"]: rule for rule in data["rules"]}, base, full)
    rules = tuple(reader.rule(raw) for raw in data["rules"])
    levels = {**data.get("levels", {}), FULL: [r.id for r in rules if r.level == "required"]}
    reader.faults += _level_faults(levels, data)
    if reader.faults:
        raise DataError(source, reader.faults)
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

    def __init__(self, raw: Mapping[str, Placed], base: Vocabulary, full: Vocabulary) -> None:
        self.raw = raw
        self.base, self.full = base, full
        self.faults: list[Fault] = []

    def rule(self, raw: Placed) -> Rule:
        """Read one rule."""
        trail = (raw["id"],)
        return Rule(
            id=raw["id"],
            level=raw["level"],
            title=FrozenMapping(raw["title"]),
            requires=self._criteria(raw.get("requires"), trail),
            when=self._criteria(raw.get("when"), trail),
            sources=tuple(
                Source(FrozenMapping(one["note"]), one.get("url", ""))
                for one in raw.get("sources", ())
            ),
            unverified=FrozenMapping(raw.get("unverified", {})),
        )

    def _criteria(self, raw: Any, trail: tuple[str, ...]) -> Criteria | None:
        if raw is None:
            return None
        n_before = len(self.faults)
        data = self._expanded(raw, trail)
        if len(self.faults) > n_before:
            return None
        try:
            return Criteria.from_dict(data)
        except CriteriaError as error:
            self._fault(getattr(raw, "line", self.raw[trail[0]].line), trail[0], str(error))
            return None

    def _expanded(self, raw: Any, trail: tuple[str, ...]) -> Any:
        """Replace references by what they name, and mark what only some directories record."""
        if isinstance(raw, list):
            return [self._expanded(one, trail) for one in raw]
        if not isinstance(raw, Placed):
            return raw
        if set(raw) == {"rule"}:
            return self._referred(raw, trail)
        if set(raw) == {"facet", "terms", "at_least"}:
            return self._leaf(raw, trail)
        return {key: self._expanded(value, trail) for key, value in raw.items()}

    def _referred(self, raw: Placed, trail: tuple[str, ...]) -> Any:
        name = raw["rule"]
        if not isinstance(name, str) or name not in self.raw:
            known = ", ".join(self.raw)
            self._fault(raw.line, trail[0], f"{name!r} is no rule of this set; known: {known}")
            return {}
        if name in trail:
            circle = " > ".join((*trail[trail.index(name) :], name))
            self._fault(raw.line, trail[0], f"the rules go in a circle: {circle}")
            return {}
        there = self.raw[name]
        if there.get("requires") is None:
            self._fault(raw.line, trail[0], f"the rule {name!r} asks for nothing")
            return {}
        wanted = self._expanded(there["requires"], (*trail, name))
        if there.get("when") is None:
            return wanted
        return {"or": [{"not": self._expanded(there["when"], (*trail, name))}, wanted]}

    def _leaf(self, raw: Placed, trail: tuple[str, ...]) -> Any:
        plain = dict(raw)
        try:
            clause = Criteria.from_dict(plain)
            clause.resolve(self.full)
        except (CriteriaError, UnknownTermError) as error:
            self._fault(raw.line, trail[0], str(error))
            return {}
        try:
            clause.resolve(self.base)
        except UnknownTermError:
            return {"if_known": plain}
        return plain

    def _fault(self, line: int, rule: str, message: str) -> None:
        fault = Fault(f'line {line}, rule "{rule}": {message}')
        if fault not in self.faults:
            self.faults.append(fault)


def _shape_faults(data: Placed) -> list[Fault]:
    faults = [Fault(f"line {data.line}: {message}") for message in _set_faults(data)]
    rules = data.get("rules")
    if not isinstance(rules, list) or not rules:
        return [*faults, Fault(f'line {data.line}: "rules" is a list of one or more rules')]
    seen: set[str] = set()
    for rule in rules:
        line = getattr(rule, "line", data.line)
        faults += [Fault(f"line {line}: {message}") for message in _rule_faults(rule, seen)]
    return faults


def _set_faults(data: Placed) -> Iterator[str]:
    if data.get("format") != FORMAT:
        yield f'"format" must be "{FORMAT}", not {data.get("format")!r}'
    if not isinstance(data.get("id"), str) or not data["id"].strip():
        yield '"id" is a text, such as "on-2026.1"'
    if not _texts(data.get("title")):
        yield '"title" is an object with a text in each language'
    if not isinstance(data.get("date", ""), str):
        yield '"date" is a text'
    for key in ("levels", "vocabulary"):
        if not isinstance(data.get(key, {}), dict):
            yield f'"{key}" is an object'
    yield from _strangers(data, _SET_KEYS)


def _rule_faults(rule: Any, seen: set[str]) -> Iterator[str]:
    if not isinstance(rule, Placed):
        yield "a rule is an object"
        return
    name = rule.get("id")
    if not isinstance(name, str) or not name.strip():
        yield 'a rule needs an "id"'
    elif name in seen:
        yield f"the id {name!r} stands twice"
    seen.add(str(name))
    if rule.get("level") not in LEVELS:
        yield f'rule {name!r}: "level" is one of {", ".join(LEVELS)}, not {rule.get("level")!r}'
    if not _texts(rule.get("title")):
        yield f'rule {name!r}: "title" is an object with a text in each language'
    if not _texts(rule.get("unverified", {}), blank=True):
        yield f'rule {name!r}: "unverified" is an object with a text in each language'
    if not _sources(rule.get("sources", [])):
        yield f'rule {name!r}: "sources" is a list of objects with a "note" in each language'
    if rule.get("level") != "information" and rule.get("requires") is None:
        yield f'rule {name!r}: "requires" is missing'
    yield from _strangers(rule, _RULE_KEYS)


def _strangers(data: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    for key in sorted(set(data) - known):
        yield f'"{key}" is not known; known: {", ".join(sorted(known))}'


def _texts(value: Any, *, blank: bool = False) -> bool:
    if not isinstance(value, dict) or not (value or blank):
        return False
    return all(isinstance(text, str) and text.strip() for text in value.values())


def _sources(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and _texts(one.get("note")) and isinstance(one.get("url", ""), str)
        for one in value
    )


def _level_faults(levels: Mapping[str, Any], data: Placed) -> Iterator[Fault]:
    known = {raw["id"] for raw in data["rules"] if raw.get("requires") is not None}
    line = getattr(data.get("levels"), "line", data.line)
    if not levels[FULL]:
        yield Fault(f"line {data.line}: a rule set has one required rule or more")
        return
    if FULL in data.get("levels", {}):
        yield Fault(f'line {line}: the level "{FULL}" is every required rule; leave it out')
    for name, ids in levels.items():
        if not isinstance(ids, list) or not ids:
            yield Fault(f'line {line}: the level "{name}" is a list of one or more rules')
            continue
        for one in ids:
            if one not in known:
                yield Fault(f'line {line}: the level "{name}" names no rule to check: {one!r}')
