"""Measure src/ketafind: its size, its files, its repetitions, and how far a call travels.

`python tools/tree.py` prints the figures; `--check` exits 1 where one is over its limit,
`--files` adds the lines of each file, the repetitions and the files of each trip.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from docstrings import SOURCE, docstring_of, documented, module_name, public

LIMITS = {
    "modules": 90,
    "lines": 23_500,
    "lines of code": 13_500,
    "lines of code in the largest file": 600,
    "lines of code in the largest function": 60,
    "modules under 100 lines of code that one other imports": 15,
    "pairs of runs of 6 or more equal lines": 20,
    "internal docstrings of more than one line": 0,
    "files touched by a warm nearest": 7,
    "files touched by from_csv of one row": 14,
    "files touched by geocode": 7,
    "files touched by nearest_join": 10,
}
"""What a figure may be at the most; figures that are not here are only printed."""
SMALL, RUN = 100, 6

ADDRESS = "30 Duncan St Suite 400, Toronto ON M5V 2C3"
ROW = "clinic_id,name,city,province,postal_code,routes\na,A,Kingston,ON,K7L 3N6,intravenous\n"
"""A row as most are: terms as people write them, and an address that has yet to be located."""


Figure = tuple[int, str]
"""A number and, where it is of one place, that place."""


class Module(NamedTuple):
    """A file of the package, read."""

    path: Path
    name: str
    tree: ast.Module
    lines: list[str]

    @property
    def short(self) -> str:
        return self.path.relative_to(SOURCE).as_posix()


def read_modules() -> list[Module]:
    texts = {path: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    return [Module(p, module_name(p), ast.parse(t), t.splitlines()) for p, t in texts.items()]


def spanned(nodes: Iterator[Any]) -> set[int]:
    """The numbers of the lines on which nodes stand."""
    return {n for node in nodes for n in range(node.lineno, node.end_lineno + 1)}


def code_lines(module: Module, node: ast.AST | None = None) -> list[int]:
    """The numbers of the lines of code, of a module or of a node in it."""
    around = node or module.tree
    prose = spanned(t for n in ast.walk(around) if (t := docstring_of(n)) is not None)
    inside = range(1, len(module.lines) + 1) if node is None else sorted(spanned(iter([node])))
    return [
        n
        for n in inside
        if n not in prose and (text := module.lines[n - 1].strip()) and not text.startswith("#")
    ]


def functions(module: Module) -> Iterator[tuple[int, str]]:
    """Each function's lines of code and where it stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield len(code_lines(module, node)), f"{module.short}:{node.lineno} {node.name}"


def importers(modules: list[Module]) -> dict[str, set[str]]:
    """Who imports each module: anywhere in a file, for types only as well."""
    names = {module.name for module in modules}
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [name if name in names else node.module for name in inner]
            else:
                continue
            for name in names.intersection(wanted) - {module.name}:
                found[name].add(module.name)
    return found


def repetitions(modules: list[Module]) -> Iterator[tuple[int, str, str]]:
    """Pairs of places with equal code, as long as they go: lines, place, place."""
    code: list[tuple[str, str, int]] = []  # text, file, number; a gap between files
    for module in modules:
        imports = (n for n in ast.walk(module.tree) if isinstance(n, ast.Import | ast.ImportFrom))
        brought = spanned(imports)
        kept = (n for n in code_lines(module) if n not in brought)
        code += [(" ".join(module.lines[n - 1].split()), module.short, n) for n in kept]
        code.append((f"end of {module.short}", module.short, 0))
    texts = [text for text, _, _ in code]
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in range(len(texts) - RUN + 1):
        places[tuple(texts[at : at + RUN])].append(at)
    for group in places.values():
        for i, first in enumerate(group):
            for second in group[i + 1 :]:
                if first and texts[first - 1] == texts[second - 1]:
                    continue  # a part of the run that begins before it
                n = RUN
                while second + n < len(texts) and texts[first + n] == texts[second + n]:
                    n += 1
                places_of = [f"{code[at][1]}:{code[at][2]}" for at in (first, second)]
                yield n, places_of[0], places_of[1]


def touched(act: Callable[[], object]) -> list[str]:
    """The files of the package whose functions a second, warm call runs, in any thread."""
    files: set[str] = set()

    def note(frame: Any, event: str, _: object) -> None:
        code = frame.f_code
        # A module's or class's body is no call; a function's code is optimised.
        if event == "call" and code.co_flags & 1 and code.co_filename.startswith(f"{SOURCE}/"):
            files.add(Path(code.co_filename).relative_to(SOURCE).as_posix())

    act()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(files)


def trips() -> dict[str, list[str]]:
    """The files that each of four calls travels through."""
    import pandas as pd

    import ketafind as kf

    directory = kf.load_directory()
    origin = kf.Coordinates(lat=44.23, lon=-76.48)
    where = kf.route("iv") & kf.treats("depression")
    frame = pd.DataFrame({"lat": [44.2, 43.6], "lon": [-76.5, -79.4]})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clinics.csv")
        path.write_text(ROW, "utf-8")
        acts: dict[str, Callable[[], object]] = {
            "a warm nearest": lambda: directory.nearest(origin, k=5, where=where),
            "from_csv of one row": lambda: kf.Directory.from_csv(path),
            "geocode": lambda: kf.geocode(ADDRESS),
            "nearest_join": lambda: kf.nearest_join(frame, directory, k=2),
        }
        return {name: touched(act) for name, act in acts.items()}


def measure() -> tuple[dict[str, Figure], list[str]]:
    """Every figure, and line by line what is behind them."""
    modules = read_modules()
    sizes = sorted(((len(code_lines(m)), m.short) for m in modules), reverse=True)
    small = {short for n, short in sizes if n < SMALL}
    by = importers(modules)
    alone = [m.short for m in modules if m.short in small and len(by[m.name]) == 1]
    runs = sorted(repetitions(modules), reverse=True)
    known = public()
    texts = [found for module in modules for found in documented(module.path)]
    inner = [found for found in texts if found.name not in known]
    walked = trips()
    figures: dict[str, Figure] = {
        "modules": (len(modules), ""),
        "lines": (sum(len(module.lines) for module in modules), ""),
        "lines of code": (sum(n for n, _ in sizes), ""),
        "lines of code in the largest file": sizes[0],
        "lines of code in the largest function": max(f for m in modules for f in functions(m)),
        f"modules under {SMALL} lines of code that one other imports": (len(alone), ""),
        f"pairs of runs of {RUN} or more equal lines": (len(runs), ""),
        **{f"files touched by {name}": (len(files), "") for name, files in walked.items()},
        "docstring lines, public": (sum(f.n_lines for f in texts if f.name in known), ""),
        "docstring lines, internal": (sum(f.n_lines for f in inner), ""),
        "internal docstrings of more than one line": (sum(f.n_lines > 1 for f in inner), ""),
    }
    details = [f"{n:6,} {short}" for n, short in sizes]
    details += [f"imported by one other: {short}" for short in alone]
    details += [f"{n} equal lines: {first} {second}" for n, first, second in runs]
    details += [f"touched by {name}: {', '.join(files)}" for name, files in walked.items()]
    return figures, details


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure src/ketafind.")
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is passed")
    parser.add_argument("--files", action="store_true", help="print what is behind the figures")
    options = parser.parse_args()
    figures, details = measure()
    over = [name for name, limit in LIMITS.items() if figures[name][0] > limit]
    for name, (value, place) in figures.items():
        limit = f"{'over' if name in over else 'of'} {LIMITS[name]:,}" if name in LIMITS else ""
        print(f"{value:7,} {limit:>12}  {name} {place}".rstrip())
    if options.files:
        print(*details, sep="\n")
    return 1 if options.check and over else 0


if __name__ == "__main__":
    sys.exit(main())
