"""Check docstrings: full for what docs/reference lists, one line for everything else.

`python tools/docstrings.py` prints the faults; `--check` exits 1 if there is one, `--list` prints
what is public instead.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src/ketafind"
# What numpydoc would ask for as well and this project does not: examples, see-also sections and a
# second paragraph everywhere, types that the signature has, the signature's order where one entry
# describes several parameters, and verbs for nouns that end in s.
NOT_ASKED = {"EX01", "SA01", "SA04", "ES01", "PR03", "PR04", "SS05"}
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
DIRECTIVE = re.compile(
    r"^\.\. (?P<kind>currentmodule|py:module|auto(?:module|function|class|exception|data)):: "
    r"(?P<name>\S+)(?:\n   :members: (?P<members>.+))?",
    re.MULTILINE,
)


class Documented(NamedTuple):
    """A docstring in the source, and what it belongs to."""

    path: Path
    name: str
    line: int
    text: str

    @property
    def n_lines(self) -> int:
        return self.text.count("\n") + 1

    @property
    def is_sentence(self) -> bool:
        return self.n_lines == 1 and not self.text[0].islower() and self.text[-1] in ".?!"


def docstring_of(node: ast.AST) -> ast.Constant | None:
    """The docstring of a module, class or function, as it stands in the source."""
    if isinstance(node, ast.Module | Definition) and node.body:
        match node.body[0]:
            case ast.Expr(ast.Constant(str()) as text):
                return text
    return None


def module_name(path: Path) -> str:
    """The name a file of the package is imported by."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def documented(path: Path) -> Iterator[Documented]:
    """Every docstring of a file; names are those of Python, such as ketafind.Matches.more."""

    def walk(node: ast.AST, name: str) -> Iterator[Documented]:
        text = docstring_of(node)
        if text is not None:
            yield Documented(path, name, text.lineno, str(text.value))
        for child in ast.iter_child_nodes(node):
            inner = f"{name}.{child.name}" if isinstance(child, Definition) else name
            yield from walk(child, inner)

    yield from walk(ast.parse(path.read_text("utf-8")), module_name(path))


def listed() -> Iterator[tuple[str, str]]:
    """What the pages under docs/reference list, and the members named there, if any."""
    yield "ketafind", ""
    for page in sorted((ROOT / "docs/reference").glob("*.md")):
        current = ""
        for found in DIRECTIVE.finditer(page.read_text("utf-8")):
            kind, name, members = found["kind"], found["name"], found["members"] or ""
            if kind in {"currentmodule", "py:module", "automodule"}:
                current = name
            if kind != "currentmodule":
                yield name if name.startswith("ketafind") else f"{current}.{name}", members


def find(name: str) -> Any:
    """The object of a dotted name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part)
        return value
    raise LookupError(name)


def home(value: Any) -> str | None:
    """The dotted name under which an object stands in the source; None for plain data."""
    value = getattr(value, "fget", None) or getattr(value, "func", None) or value
    value = inspect.unwrap(getattr(value, "__func__", value))
    if inspect.ismodule(value):
        return value.__name__
    if inspect.isfunction(value) and value.__code__.co_filename.startswith(f"{SOURCE}/"):
        code = value.__code__
        return f"{module_name(Path(code.co_filename))}.{code.co_qualname}".replace(".<locals>", "")
    if inspect.isclass(value):
        # A method of its own says where a class stands that is made by a function.
        methods = (home(m) or "" for m in vars(value).values() if inspect.isfunction(m))
        owners = (name.rpartition(".")[0] for name in methods)
        stated = f"{value.__module__}.{value.__qualname__}"
        return next((at for at in owners if at.endswith(f".{value.__name__}")), stated)
    return None


def public() -> dict[str, str]:
    """What is public, by the name under which it stands in the source: its listed name."""
    names: dict[str, str] = {}
    for name, members in listed():
        value = find(name)
        names[home(value) or name] = name
        if not inspect.isclass(value):
            continue
        wanted = {part.strip() for part in members.split(",")} - {""}
        for base in reversed(value.__mro__):
            if base.__module__.partition(".")[0] != "ketafind":
                continue
            for member, found in vars(base).items():
                at = home(found)
                if at and not member.startswith("_") and member in (wanted or {member}):
                    names[at] = f"{name}.{member}"
    return {at: name for at, name in names.items() if at.startswith("ketafind")}


def inherits(name: str, code: str) -> bool:
    """Whether what a docstring lacks is said elsewhere: on the method or constructor it inherits."""
    value = find(name)
    if inspect.isclass(value):
        own = not issubclass(value, Enum) and not getattr(value, "_is_protocol", False)
        return code == "PR01" and not (own and {"__init__", "__new__"} & vars(value).keys())
    owner, _, member = name.rpartition(".")
    bases = find(owner).__mro__[1:] if inspect.isclass(find(owner)) else ()
    return code == "GL08" and any(getattr(vars(b).get(member), "__doc__", None) for b in bases)


def faults() -> Iterator[str]:
    """Each docstring that is not what it should be."""
    from numpydoc.validate import validate  # type: ignore[import-untyped]

    known = public()
    for path in sorted(SOURCE.rglob("*.py")):
        for found in documented(path):
            if found.name not in known and not found.is_sentence:
                where = f"{path.relative_to(ROOT)}:{found.line}"
                yield f"{where}: {found.name} is internal: one sentence on one line"
    for name in sorted(known.values()):
        value = find(name)
        if inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, property):
            for code, text in validate(name)["errors"]:
                if code not in NOT_ASKED and not inherits(name, code):
                    yield f"{name}: {code} {text}"


if __name__ == "__main__":
    if "--list" in sys.argv:
        print("\n".join(sorted(public().values())))
        sys.exit()
    lines = list(faults())
    print("\n".join(lines) or "every docstring is what it should be")
    sys.exit(1 if lines and "--check" in sys.argv else 0)
