"""Change the package in small ways and see whether its tests notice.

`python tools/mutate.py` draws a sample of mutants from each module below with a fixed seed, runs
the tests of that module on each in a copy of the package, and prints those that survive and the
score of each module. A survivor is a promise that no test holds, or a change without effect: read
it and write the test from the promise. Needs an environment in which the tests pass.
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/ketafind"
# Modules, and the tests that hold them, tests/test_NAME.py; quick ones first.
AREAS = {
    "criteria.py": "criteria* contract vocabulary directory_search",
    "bits.py": "bits* contract qualification directory_search",
    "matches.py": "matches show_exports contract explain* directory_search",
    "directory.py": "directory contract query_stored explain_changes directory_search",
    "query/filter.py": "query_filter contract directory explain directory_search",
    "query/ranking.py": "query_ranking contract matches explain* directory_search",
    "query/catalogue.py": "query_catalogue contract directory directory_search",
    "explain/*.py": "explain* directory qualification",
    "access/*.py": "access*",
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


class Mutant(NamedTuple):
    """One change: a stretch of a file and what stands there instead."""

    path: str
    line: int
    before: str
    after: str
    text: str


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
        case ast.Compare(ops=[*_, _]):
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


def places(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is code: no annotation, decorator, import or text."""
    yield node
    if isinstance(node, ast.JoinedStr) or ast.unparse(node).startswith("if TYPE_CHECKING"):
        return
    for name, value in ast.iter_fields(node):
        if name in NO_CODE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places(child)


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
    tests = {id(node.test) for node in nodes if isinstance(node, ast.If | ast.IfExp | ast.While)}
    for node in nodes:
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        branches = [ast.Constant(True), ast.Constant(False)] if id(node) in tests else []
        for new in [*changes(node), *branches]:
            after = ast.unparse(new)
            if not isinstance(new, ast.Constant | ast.stmt):
                after = f"({after})"
            whole = content[:begin] + after.encode("utf-8") + content[end:]
            before = content[begin:end].decode("utf-8")
            found.append(Mutant(path, node.lineno, before, after, whole.decode("utf-8")))
    return found


def tests_of(names: str) -> list[str]:
    """The test files of an area, in the order of the names."""
    named = [path for name in names.split() for path in sorted(ROOT.glob(f"tests/test_{name}.py"))]
    return list(dict.fromkeys(path.relative_to(ROOT).as_posix() for path in named))


class Copy:
    """The checkout in a folder of its own, in which one mutant at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left = shutil.ignore_patterns(".*", "__pycache__", "build", "_build", "*.egg-info")
        shutil.copytree(ROOT, folder, ignore=left)

    def fault(self, tests: list[str], timeout_s: float) -> str:
        """The end of what the tests say where they fail, or take too long; empty if they pass."""
        program = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        settings = {"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        settings |= {"HYPOTHESIS_PROFILE": "brief", "MPLBACKEND": "Agg"}
        try:
            done = subprocess.run(
                program, cwd=self.folder, env=os.environ | settings, capture_output=True, text=True,
                timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done in {timeout_s:.0f} s"
        return done.stdout[-2000:] + done.stderr[-2000:] if done.returncode else ""

    def survives(self, mutant: Mutant, tests: list[str], timeout_s: float) -> bool:
        """Whether no test notices a mutant."""
        path = self.folder / PACKAGE / mutant.path
        before = path.read_text("utf-8")
        path.write_text(mutant.text, "utf-8")
        try:
            return not self.fault(tests, timeout_s)
        finally:
            path.write_text(before, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutate the package and run its tests.")
    parser.add_argument("modules", nargs="*", help="parts of paths such as criteria or explain/")
    parser.add_argument("--sample", type=int, default=20, help="mutants a module (20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="begin no mutant after (60)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    drawn: dict[str, list[Mutant]] = {}
    tests: dict[str, list[str]] = {}
    for pattern, names in AREAS.items():
        for path in sorted((ROOT / PACKAGE).glob(pattern)):
            short = path.relative_to(ROOT / PACKAGE).as_posix()
            every = mutants_of(short)
            if every and any(part in short for part in options.modules or [""]):
                random_ = random.Random(f"{options.seed} {short}")
                drawn[short] = random_.sample(every, min(options.sample, len(every)))
                tests[short] = tests_of(names)
    if not drawn:
        parser.error("no module of that name")

    end = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(options.workers) as pool:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for n in range(options.workers):
            copies.put(Copy(Path(work, str(n))))
        limits: dict[tuple[str, ...], float] = {}
        for files in map(tuple, tests.values()):
            begun = time.monotonic()
            if files not in limits:
                copy = copies.get()
                if fault := copy.fault(list(files), 3600):
                    print("these tests fail as the package stands:", *files, fault, sep="\n")
                    return 2
                copies.put(copy)
                limits[files] = 10 + 3 * (time.monotonic() - begun)

        def survives(mutant: Mutant) -> bool | None:
            if time.monotonic() > end:
                return None
            copy = copies.get()
            files = tests[mutant.path]
            answer = copy.survives(mutant, files, limits[tuple(files)])
            copies.put(copy)
            return answer

        # One of each module in turn, so that time that runs out is short for all of them.
        turns = [m for turn in zip_longest(*drawn.values()) for m in turn if m is not None]
        tried: dict[str, list[bool]] = {name: [] for name in drawn}
        for mutant, answer in zip(turns, pool.map(survives, turns), strict=True):
            if answer is not None:
                tried[mutant.path].append(answer)
            if answer:
                shown = (" ".join(text.split())[:90] for text in (mutant.before, mutant.after))
                print(f"{mutant.path}:{mutant.line}: {' -> '.join(shown)}", flush=True)

    print("\nnoticed, of tried")
    for name, answers in tried.items():
        print(f"{answers.count(False):5} {len(answers):5}  {name}")
    every_answer = [answer for answers in tried.values() for answer in answers]
    print(f"{every_answer.count(False):5} {len(every_answer):5}  in all, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
