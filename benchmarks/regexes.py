"""Time every regular expression of the package on texts made to slow it: twice the text, twice the time.

For each repetition in a pattern there are texts that reach it and then feed it on and on, with
ends that fail. A text grows until it takes 2 ms or has a million characters (8,192 with --quick);
what then takes more than 2.6 times as long for twice the text is shown, and the exit code is 1. A
million characters in 100 ms are quick enough.

    python benchmarks/regexes.py [--quick] [--only NAME]
"""

from __future__ import annotations

import argparse
import ast
import importlib
import math
import pkgutil
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import ketafind

ALPHABET = "aZ0é \t\n,;.-'\"/&<:{[\\_=\x80"
SCANS = {"search", "sub", "subn", "split", "findall", "finditer"}
TAILS = ("", "\0", "!", " ")
LOOPED = {"FORMS": {"fullmatch"}}
"""Tuples whose patterns are taken one by one, and what for."""
BOUNDED = {"DISTANCE": 1000, "_SEXAGESIMAL": 40}
"""The longest texts of those that no longer ones are given to: they may take 20 ms."""
COARSE = 0.002
"""Seconds below which nothing is compared."""


def modules() -> Iterator[tuple[str, Any]]:
    """Every module of the package that can be imported here."""
    for found in pkgutil.walk_packages(ketafind.__path__, "ketafind."):
        if not found.name.endswith(("__main__", "_kernel")):
            yield found.name, importlib.import_module(found.name)


def inside(value: Any, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    """The patterns that a value holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        yield from inside([*value, *value.values()], depth)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from inside(part, depth - 1)


def written(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Patterns in calls such as re.search(PATTERN, text), a filled-in part as x; and the method."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        named = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
        if not named or node.func.attr not in SCANS | {"match", "fullmatch"}:
            continue
        first = node.args[0]
        parts = first.values if isinstance(first, ast.JoinedStr) else [first]
        text = "".join(str(p.value) if isinstance(p, ast.Constant) else "x" for p in parts)
        yield text, node.func.attr


def used(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Names and the methods that are called on them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = getattr(node.value, "id", None) or getattr(node.value, "attr", None)
            if name and node.attr in SCANS | {"match", "fullmatch"}:
                yield name, node.attr


def patterns() -> dict[str, tuple[re.Pattern[Any], set[str]]]:
    """Each by its name, with the methods that are called on it."""
    found: dict[str, tuple[re.Pattern[Any], set[str]]] = {}
    calls: dict[str, set[str]] = defaultdict(set)
    for name, module in modules():
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        for called, method in used(tree):
            calls[called].add(method)
        for text, method in written(tree):
            found[f"{name}: {text}"] = re.compile(text), {method}
        for variable, value in list(vars(module).items()):
            for number, pattern in enumerate(inside(value)):
                key = f"{name}: {variable}" + (f"[{number}]" if number else "")
                if all(pattern != known for known, _ in found.values()):
                    found[key] = pattern, {variable}
    return {
        name: (
            pattern,
            set.union(set(), *(LOOPED.get(one) or calls.get(one, {one}) for one in methods)),
        )
        for name, (pattern, methods) in found.items()
    }


def sample(tree: Any) -> str:
    """A text that a parsed pattern matches, assertions aside."""
    return "".join(one_sample(*item) for item in tree)


def one_sample(kind: Any, value: Any) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.SUBPATTERN:
        return sample(value[-1])
    if kind is op.ATOMIC_GROUP:
        return sample(value)
    if kind is op.BRANCH:
        return sample(value[1][0])
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        low, high, body = value
        return sample(body) * max(low, min(1, high))
    if kind in (op.IN, op.ANY, op.NOT_LITERAL):
        return members(kind, value)[:1]
    return ""


def members(kind: Any, value: Any) -> str:
    """Characters that one item matches, those of the pattern first."""
    named = "".join(chr(one) for what, one in value if what is op.LITERAL) if kind is op.IN else ""
    state = _parser.State()
    one = re._compiler.compile(_parser.SubPattern(state, [(kind, value)]))  # type: ignore[attr-defined]
    return "".join(c for c in named + ALPHABET if one.match(c))


def repeated(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Of each long repetition a text that leads to it, and texts that go on in it."""
    for kind, value in tree:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            _, high, body = value
            if high > 30:
                yield before, sample(body)
                if len(body) == 1 and body[0][0] in (op.IN, op.ANY, op.NOT_LITERAL):
                    yield from ((before, c) for c in members(*body[0])[:12])
            yield from repeated(body, before)
        elif kind is op.SUBPATTERN:
            yield from repeated(value[-1], before)
        elif kind is op.ATOMIC_GROUP:
            yield from repeated(value, before)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from repeated(branch, before)
        before += one_sample(kind, value)


def attacks(pattern: re.Pattern[Any]) -> set[tuple[str, str, str]]:
    """What comes first, what is repeated, and what comes last."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    text = (lambda one: one.decode("latin-1")) if isinstance(pattern.pattern, bytes) else str
    whole = text(sample(tree).encode("latin-1", "replace")) if text is not str else sample(tree)
    made = {("", unit, tail) for unit in {whole, whole[:-1], *ALPHABET} for tail in TAILS}
    for before, unit in repeated(tree):
        made |= {(start, unit, tail) for start in (before, "") for tail in TAILS}
        made |= {("", before + unit, tail) for tail in TAILS}
    return {one for one in made if one[1]}


def seconds(run: Callable[[Any], Any], text: Any) -> float:
    """Of the processor; where it is little, the least of three."""
    least = math.inf
    for _ in range(3):
        begun = time.thread_time()
        run(text)
        least = min(least, time.thread_time() - begun)
        if not COARSE < least < 0.1:
            break
    return least


def count(pattern: re.Pattern[Any], text: Any) -> int:
    """How often a pattern is found."""
    return sum(1 for _ in pattern.finditer(text))


def growth(
    pattern: re.Pattern[Any], run: Callable[[Any], Any], attack: tuple[str, str, str], most: int
) -> tuple[float, float, int]:
    """How much longer twice the text takes, how long that is, and how many characters it has."""
    start, unit, tail = attack

    def text(size: int) -> Any:
        made = start + unit * (size // len(unit)) + tail
        return made.encode("utf-8") if isinstance(pattern.pattern, bytes) else made

    # What grows faster shows early; what does not takes no time early.
    for size in (min(size, most) for size in (64, 1024, 2**13, 2**17, 2**20)):
        took = seconds(run, text(size))
        if took > COARSE or size >= most:
            break
    half = seconds(run, text(size // 2)) if took > COARSE else took
    return took / max(half, 1e-6), took, size


def main() -> None:
    """Every pattern."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true", help="the patterns, and how they are used")
    options = parser.parse_args()
    most, allowed = 2**13 if options.quick else 2**20, 2.6
    slow = tried = 0
    everything = patterns()
    for name, (pattern, methods) in everything.items():
        if options.only not in name:
            continue
        bound = BOUNDED.get(name.partition(": ")[2], most)
        worst: tuple[float, float, int, Any] = (0.0, 0.0, 0, "")
        if options.list:
            print(f"  {name}: {sorted(methods)} {pattern.pattern!r:.70}")
            continue
        run: Callable[[Any], Any] = pattern.fullmatch
        if methods & SCANS or not methods & {"match", "fullmatch"}:
            run = partial(count, pattern)
        for attack in sorted(attacks(pattern)):
            tried += 1
            ratio, took, size = growth(pattern, run, attack, bound)
            enough = 0.1 if bound == 2**20 else 0.02 if bound < most else 0.0
            if size == bound and took < enough:
                continue
            if ratio > allowed:  # or the machine was busy
                ratio, took, size = min(growth(pattern, run, attack, bound) for _ in range(2))
            worst = max(worst, (ratio, took, size, attack))
            if ratio > allowed:
                break  # one is enough
        if worst[0] > allowed:
            slow += 1
            ratio, took, size, attack = worst
            print(f"  {name}: x {ratio:.1f} for twice the text; {took * 1e3:.0f} ms for {size:,} "
                  f"characters: {attack!r}", flush=True)  # fmt: skip
    print(
        f"{len(everything)} patterns, {tried:,} texts: {slow} take more than {allowed} times as long"
    )
    if slow:
        sys.exit(1)


if __name__ == "__main__":
    main()
