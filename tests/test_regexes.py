"""No pattern of the package has a repetition inside a repetition that could be split in many ways."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "benchmarks/regexes.py").exists():
    pytest.skip("the benchmarks are in the source tree", allow_module_level=True)
sys.path.insert(0, str(ROOT / "benchmarks"))

from regexes import BOUNDED, LOOPED, patterns  # noqa: E402

ENDLESS = (op.MAX_REPEAT, op.MIN_REPEAT)
SINGLE = (op.LITERAL, op.NOT_LITERAL, op.IN)


def parts(kind: Any, value: Any) -> list[Any]:
    """The sequences inside an item."""
    if kind is op.BRANCH:
        return list(value[1])
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP) or kind in (*ENDLESS, op.POSSESSIVE_REPEAT):
        return [value if kind is op.ATOMIC_GROUP else value[-1]]
    return []


def endless(tree: Any) -> bool:
    """Whether a repetition without an end is inside, one that can give back what it took."""
    return any(
        (kind in ENDLESS and value[1] is op.MAXREPEAT) or any(map(endless, parts(kind, value)))
        for kind, value in tree
    )


def ambiguous(tree: Any) -> Iterator[Any]:
    """Endless repetitions around endless ones, but those whose every turn begins with a character."""
    for kind, value in tree:
        if kind in ENDLESS and value[1] is op.MAXREPEAT and endless(value[2]):
            sequence = value[2]
            while len(sequence) == 1 and sequence[0][0] is op.SUBPATTERN:
                sequence = sequence[0][1][-1]
            if sequence[0][0] not in SINGLE:
                yield sequence
        for part in parts(kind, value):
            yield from ambiguous(part)


def parsed(pattern: str | bytes, flags: int = 0) -> Any:
    return _parser.parse(pattern, flags)


@pytest.mark.parametrize("bad", ["(a+)+$", r"(\w+\s?)*$", "(?:(?:x*)y?)+", r"a(?:\d*|b)*c"])
def test_the_rule_finds_what_is_slow(bad: str) -> None:
    assert list(ambiguous(parsed(bad)))


@pytest.mark.parametrize("good", ["a+b+", r"[a-z]+(?:'[a-z]+)*", '(?:""[^"]*+)*+', "(?:ab?c)*"])
def test_the_rule_lets_others_pass(good: str) -> None:
    assert not list(ambiguous(parsed(good)))


def test_every_pattern_keeps_the_rule() -> None:
    """Those written in calls too; how long they take is for benchmarks/regexes.py."""
    found = patterns()
    assert len(found) >= 70
    names = {name.rpartition(": ")[2] for name in found}
    assert {*BOUNDED, *LOOPED} <= names
    for name, (pattern, _) in found.items():
        assert not list(ambiguous(parsed(pattern.pattern, pattern.flags & ~re.DEBUG))), name
