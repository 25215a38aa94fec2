"""Change the package in small ways and see whether its tests notice.

`python tools/mutate.py` draws a seeded sample of mutants from each area below, runs the tests that
execute the mutated line until one fails, and prints those that survive and the score of each area.
A survivor is a promise that no test holds, or a change without effect: read it, and write the test
from the promise, or put it into tools/equivalent.csv with the reason. `--state FILE` keeps what was
found and goes on from there. Needs an environment in which the tests pass, and a system that forks.

The tests of an area are collected once. Each mutant is a fork of that process in which the code of
the mutated function is replaced, so that nothing is imported again; what runs on import (constants,
defaults, classes) is tried in a copy of the package instead.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gc
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import _lru_cache_wrapper, cached_property
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import coverage
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/ketafind"
EQUIVALENT = ROOT / "tools/equivalent.csv"
# Modules, and the tests that hold them, tests/test_NAME.py, their own first.
AREAS = {
    "criteria.py": "criteria contract",
    "bits.py": "bits qualification",
    "query/ranking.py": "matches explain explain_relax contract",
    "query/filter.py": "query_filter directory contract",
    "geo.py": "geo_*",
    "geocoding/cache.py": "geocoding_cache",
    "matches.py": "matches explain show_exports contract travel_query tables_whole show_map",
    "directory.py": "directory* contract explain_changes qualification query_stored tables_whole "
    "travel_query show_map",
    "explain/*.py": "explain* qualification directory travel_query vocabulary_own",
    "access/*.py": "access* join_travel",
    "travel/*.py": "travel_* join_travel",
    "geocoding/*.py": "geocoding_*",
    "query/*.py": "query_* contract directory* matches explain travel_query",
    "qualification.py": "qualification",
    "index/*.py": "index_* query_stored",
}
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
TYPES = {"None", "bool", "bytes", "float", "int", "list", "dict", "set", "str", "tuple", "type"}
NO_CODE = ("annotation", "returns", "decorator_list", "bases")
EXAMPLES = 25  # of a property, at the most


class Mutant(NamedTuple):
    """One change: a stretch of a file and what stands there instead."""

    path: str
    line: int
    end: int
    function: str
    source: str  # the line of the file in which it begins
    before: str
    after: str
    text: str

    @property
    def key(self) -> tuple[str, ...]:
        """What names it wherever its line moves to."""
        texts = (self.source, self.before, self.after)
        return (self.path, self.function, *(" ".join(text.split()) for text in texts))

    def __str__(self) -> str:
        _, function, _, before, after = self.key
        return f"{self.path}:{self.line} {function}: {before[:90]} -> {after[:60]}"


def joins_texts_or_types(node: ast.BinOp) -> bool:
    """Whether an operator joins texts, paths or types, so that any other would only raise."""
    text = any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )
    parts = re.split(r" \| ", ast.unparse(node))
    return text or all(part in TYPES or part[:1].isupper() for part in parts)


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node: each is one mistake that a person might make."""
    match node:
        case ast.Compare():
            for n, op in enumerate(node.ops):
                ops = [*node.ops[:n], OPERATORS[type(op)](), *node.ops[n + 1 :]]
                yield ast.Compare(node.left, ops, node.comparators)  # type: ignore[arg-type]
        case ast.BinOp(op=op) if type(op) in OPERATORS and not joins_texts_or_types(node):
            yield ast.BinOp(node.left, OPERATORS[type(op)](), node.right)  # type: ignore[arg-type]
        case ast.BoolOp():
            yield ast.BoolOp(OPERATORS[type(node.op)](), node.values)  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield node.operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as number):
            yield ast.Constant(number + 1)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()


def places(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Every node that is code (no annotation, decorator, import or text), and in which function."""
    yield node, function
    if isinstance(node, ast.JoinedStr):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.keyword) and node.arg == "strict":  # asserts what always holds
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".strip(".")
    for name, value in ast.iter_fields(node):
        if name in NO_CODE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places(child, function)


def mutants_of(path: str) -> list[Mutant]:
    """Every mutant of a file, in its order."""
    text = (ROOT / PACKAGE / path).read_text("utf-8")
    found = []
    lines = text.encode("utf-8").splitlines(keepends=True)  # ast counts bytes
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content = b"".join(lines)
    nodes = list(places(ast.parse(text)))
    tests = {id(node.test) for node, _ in nodes if isinstance(node, ast.If | ast.IfExp | ast.While)}
    for node, function in nodes:
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        last = node.end_lineno or node.lineno
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[last - 1] + (node.end_col_offset or 0)
        branches = [ast.Constant(True), ast.Constant(False)] if id(node) in tests else []
        for new in [*changes(node), *branches]:
            after = ast.unparse(new)
            if after == ast.unparse(node):  # `while True` is so already
                continue
            # As many lines as before, so that no other function moves.
            filled = after + "\n" * content[begin:end].count(b"\n")
            if not isinstance(new, ast.stmt):
                filled = f"({filled})"
            whole = (content[:begin] + filled.encode("utf-8") + content[end:]).decode("utf-8")
            before = content[begin:end].decode("utf-8")
            source = lines[node.lineno - 1].decode("utf-8")
            found.append(Mutant(path, node.lineno, last, function, source, before, after, whole))
    return found


def drawn(area: str, sample: int, seed: int) -> list[Mutant]:
    """The sample of an area; an edit of the package leaves the draws of other lines as they are."""
    every = [
        mutant
        for path in sorted((ROOT / PACKAGE).glob(area))
        for mutant in mutants_of(path.relative_to(ROOT / PACKAGE).as_posix())
    ]

    def draw(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{seed} {mutant.key}".encode()).digest()

    return sorted(sorted(every, key=draw)[:sample], key=lambda mutant: mutant[:2])


def tests_of(names: str) -> list[str]:
    """The test files of an area, in the order of the names."""
    named = [path for name in names.split() for path in sorted(ROOT.glob(f"tests/test_{name}.py"))]
    return list(dict.fromkeys(path.relative_to(ROOT).as_posix() for path in named))


def functions_of(code: CodeType) -> Iterator[CodeType]:
    """The functions and methods of a module, without those inside them."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            function = part.co_flags & 1  # CO_OPTIMIZED: a class body has it not
            yield from [part] if function else functions_of(part)


class Live(NamedTuple):
    """A function of the package in this process, and the cache of its results if it has one."""

    function: FunctionType
    cache: Any


def live_functions() -> dict[tuple[str, str, int], list[Live]]:
    """The functions of the package in this process, by file, name and line."""
    gc.unfreeze()  # conftest.py froze what was loaded then
    objects = gc.get_objects()
    gc.freeze()  # so that no fork copies what it only looks through
    caches = {id(one.__wrapped__): one for one in objects if isinstance(one, _lru_cache_wrapper)}
    found = defaultdict(list)
    for value in objects:
        if isinstance(value, FunctionType) and value.__code__.co_filename.startswith(str(ROOT)):
            code = value.__code__
            key = code.co_filename, code.co_qualname, code.co_firstlineno
            found[key].append(Live(value, caches.get(id(value))))
    return found


def replaced(mutant: Mutant, live: dict[tuple[str, str, int], list[Live]]) -> bool:
    """Whether the mutant now stands in this process: all it changes is code of functions here."""
    file = str(ROOT / PACKAGE / mutant.path)
    before = compile(Path(file).read_text("utf-8"), file, "exec", dont_inherit=True)
    after = compile(mutant.text, file, "exec", dont_inherit=True)
    pairs = zip(functions_of(before), functions_of(after), strict=True)
    swaps = [
        (one, new)
        for old, new in pairs
        if old != new
        for one in live.get((file, old.co_qualname, old.co_firstlineno), [])
    ]
    if not swaps or any(x.function.__code__.co_freevars != new.co_freevars for x, new in swaps):
        return False
    for one, new in swaps:
        one.function.__code__ = new
        if one.cache:
            one.cache.cache_clear()
    return True


class Copy:
    """The checkout in a folder of its own, in which one mutant at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left = shutil.ignore_patterns(".*", "__pycache__", "build", "_build", "*.egg-info")
        shutil.copytree(ROOT, folder, ignore=left)

    def survives(self, mutant: Mutant, tests: list[str], timeout_s: float) -> bool:
        """Whether no test notices a mutant in time."""
        path = self.folder / PACKAGE / mutant.path
        before = path.read_text("utf-8")
        path.write_text(mutant.text, "utf-8")
        program = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        settings = {"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                program, cwd=self.folder, env=os.environ | settings, capture_output=True,
                timeout=timeout_s, check=False,
            )  # fmt: skip
            return not done.returncode
        except subprocess.TimeoutExpired:
            return False
        finally:
            path.write_text(before, "utf-8")


@dataclass
class State:
    """What is known of mutants: those shown to be equivalent, and the results so far."""

    file: Path | None
    results: dict[tuple[str, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            for line in self.file.read_text("utf-8").splitlines():
                key, result = json.loads(line)
                self.results[tuple(key)] = result
        if EQUIVALENT.exists():
            with EQUIVALENT.open(encoding="utf-8", newline="") as lines:
                for row in csv.reader(lines):
                    self.results[tuple(row[:5])] = "equivalent"

    def add(self, mutant: Mutant, result: str) -> None:
        self.results[mutant.key] = result
        if self.file:
            with self.file.open("a", encoding="utf-8") as lines:
                print(json.dumps([mutant.key, result]), file=lines)

    def of(self, mutant: Mutant) -> str:
        """Empty where it was not tried."""
        return self.results.get(mutant.key, "")


class Trial:
    """A pytest session that tries mutants, each in a fork, in place of running its tests once."""

    def __init__(self, mutants: list[Mutant], state: State, work: Path, end: float) -> None:
        self.mutants, self.state, self.work, self.end = mutants, state, work, end
        self.seconds: dict[str, float] = defaultdict(float)
        self.kills: Counter[str] = Counter()
        self.failed = ""
        self.live: dict[tuple[str, str, int], list[Live]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """End the fork of a mutant that is noticed; nothing needs to be told of how."""
        expected = (pytest.skip.Exception, pytest.xfail.Exception)
        fault = call.excinfo and not call.excinfo.errisinstance(expected)
        if self.live and fault and not item.get_closest_marker("xfail"):
            os._exit(1)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed = f"{report.nodeid}\n{report.longreprtext}"

    @pytest.hookimpl
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        self.learn()
        for mutant in self.mutants:
            if time.monotonic() > self.end:
                break
            survived = self.survives(mutant)
            self.state.add(mutant, "survived" if survived else "killed")
            if survived:
                print(mutant, flush=True)
        return True

    def run(self, names: Iterable[str]) -> Iterator[str]:
        """Run tests one by one, in this process; yields the name of each before it runs."""
        import hypothesis  # by now: pytest rewrites it

        items = [self.items[name] for name in names]
        for item in items:
            test = getattr(item, "obj", None)
            test = getattr(test, "__func__", test)
            if own := getattr(test, "_hypothesis_internal_use_settings", None):
                test._hypothesis_internal_use_settings = hypothesis.settings(
                    own,
                    max_examples=min(own.max_examples, EXAMPLES),
                    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
                    database=None,
                    derandomize=True,
                )
        for item, following in pairwise([*items, None]):
            yield item.nodeid
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break

    def learn(self) -> None:
        """Run every test once as the package stands: which lines it executes, and how long."""
        kept = self.work / "learnt.json"
        data = str(self.work / "coverage")
        child = os.fork()
        if not child:
            silence()
            measured = coverage.Coverage(
                data, config_file=False, include=[f"{ROOT / PACKAGE}/*"], messages=False
            )
            measured.start()
            for name in self.run(self.items):
                measured.switch_context(name)
            measured.stop()
            measured.save()
            kept.write_text(json.dumps([self.failed, self.seconds, list(sys.modules)]))
            os._exit(0)
        os.waitpid(child, 0)
        failed, seconds, modules = json.loads(kept.read_text())
        if failed:
            pytest.exit(f"this fails as the package stands: {failed}", 2)
        self.seconds.update(seconds)
        for name in modules:  # what the tests import late, or each fork would import it again
            if name.startswith("ketafind") or "." not in name:
                with suppress(ImportError):
                    import_module(name)
        self.live = live_functions()
        read = coverage.CoverageData(data)
        read.read()
        self.contexts = {
            path: read.contexts_by_lineno(str(ROOT / PACKAGE / path))
            for path in {mutant.path for mutant in self.mutants}
        }

    def quick_first(self, lines: Iterable[int], mutant: Mutant) -> list[str]:
        """The tests that execute lines: those that noticed the most so far, then the quick."""
        of_line = self.contexts[mutant.path]
        names = {name for line in lines for name in of_line.get(line, []) if name}
        return sorted(names, key=lambda name: (-self.kills[name], self.seconds[name]))

    @cached_property
    def copy(self) -> Copy:
        return Copy(self.work / "copy")

    def survives(self, mutant: Mutant) -> bool:
        executing = self.quick_first(range(mutant.line, mutant.end + 1), mutant)
        # What no test executes may have been executed on import, or once and kept.
        killer = self.in_fork(mutant, executing) if executing else None
        if killer is not None:
            self.kills[killer] += 1
            return not killer
        # All of the area: one that only inspects a class executes no line of it.
        quick = self.quick_first(self.contexts[mutant.path], mutant)
        names = list(dict.fromkeys([*quick, *self.items]))
        return self.copy.survives(mutant, names, 60 + 5 * sum(self.seconds[n] for n in names))

    def in_fork(self, mutant: Mutant, names: list[str]) -> str | None:
        """The name of the test that notices it; empty for none; None if a fork cannot tell."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.setsid()
            silence()
            if not replaced(mutant, self.live):
                os._exit(3)
            for name in self.run(names):
                os.write(writing, f"{name}\n".encode())
                signal.alarm(10 + int(10 * self.seconds[name]))  # it ends the process
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as lines:
            begun = lines.read().splitlines()
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what its tests started
        if status == 0:
            return ""
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3:
            return None
        return begun[-1] if begun else names[0]


def silence() -> None:
    """Send to nowhere what this process prints from now on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def try_area(area: str, mutants: list[Mutant], state: State, end: float) -> None:
    """Try mutants in a process of its own, which begins without the package."""
    with tempfile.TemporaryDirectory() as work:
        trial = Trial(mutants, state, Path(work), end)
        doctests = sorted({f"{PACKAGE}/{mutant.path}" for mutant in mutants})
        options = ["-q", "-s", "-p", "no:cacheprovider", f"--basetemp={work}/tests"]
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            if status:
                sys.exit(f"{area}: not tried")
        else:
            code = pytest.main([*options, *tests_of(AREAS[area]), *doctests], [trial])
            sys.stdout.flush()
            os._exit(int(code))


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutate the package and run its tests.")
    parser.add_argument("areas", nargs="*", help="of them, as criteria.py or explain (all)")
    parser.add_argument("--sample", type=int, default=20, help="mutants an area (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="begin no mutant after (60)")
    parser.add_argument("--state", type=Path, help="a file of results, kept and gone on from")
    parser.add_argument("--again", action="store_true", help="try what survived once more")
    parser.add_argument("--report", action="store_true", help="try none: show what is known")
    options = parser.parse_args()

    os.chdir(ROOT)
    os.environ |= {"HYPOTHESIS_PROFILE": "brief", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    end = time.monotonic() + options.minutes * 60
    areas = [area for area in AREAS if any(a in area for a in options.areas or [""])]
    if not areas:
        parser.error("no area of that name")
    samples = {area: drawn(area, options.sample, options.seed) for area in areas}
    wanted = {"", "survived"} if options.again else {""}
    for area, mutants in samples.items():
        state = State(options.state)
        left = [mutant for mutant in mutants if state.of(mutant) in wanted]
        if left and not options.report and time.monotonic() < end:
            try_area(area, left, state, end)
    state = State(options.state)
    print(
        f"\n| seed {options.seed} | mutants | killed | equivalent | survivors | not tried | score |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for area, mutants in samples.items():
        n = Counter(map(state.of, mutants))
        counts = [n[result] for result in ("killed", "equivalent", "survived", "")]
        score = n["killed"] / max(n["killed"] + n["survived"], 1)
        print("|", area, "|", len(mutants), "|", *(f"{c} |" for c in counts), f"{score:.1%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
