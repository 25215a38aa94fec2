"""The commands that judge the source: what they count, and what they let through."""

from __future__ import annotations

import ast
import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TOOLS = Path(__file__).parents[1] / "tools"
EIGHT = "".join(f"    total = total * 3 + {n}\n" for n in range(8))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch):
    """Import a script of tools/ by its name, for this test alone."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(TOOLS)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(TOOLS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def modules(tree: ModuleType, **texts: str) -> list:
    return [
        tree.Module(tree.SOURCE / f"{name}.py", f"ketafind.{name}", ast.parse(t), t.splitlines())
        for name, t in texts.items()
    ]


def test_docstrings_comments_and_blank_lines_are_not_code(tool) -> None:
    tree = tool("tree")
    text = '"""Of\n\nmany lines."""\n\n# why\nx = """kept\n"""\n\ndef f():\n    """One."""\n    return x\n'
    (module,) = modules(tree, a=text)
    assert tree.code_lines(module) == [6, 7, 9, 11]
    assert list(tree.functions(module)) == [(2, "a.py:9 f")]


def test_imports_count_wherever_they_stand_and_by_the_module_they_reach(tool) -> None:
    tree = tool("tree")
    reach = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ketafind import a\n"
    inner = "def f():\n    from ketafind.a import x\n    import ketafind.b\n"
    by = tree.importers(modules(tree, a="x = 1\n", b=reach, c=inner))
    assert by == {"ketafind.a": {"ketafind.b", "ketafind.c"}, "ketafind.b": {"ketafind.c"}}


def test_a_repetition_is_one_pair_as_long_as_it_goes(tool) -> None:
    tree = tool("tree")
    one = f"def f(total):\n{EIGHT}    return total\n"
    other = (
        f'def g(total):\n    """Of its own."""\n{EIGHT}\n    # said otherwise\n    return -total\n'
    )
    both = modules(tree, a=one, b=other)
    assert list(tree.repetitions(both)) == [(8, "a.py:2", "b.py:3")]
    assert list(tree.repetitions(both[:1])) == []
    few = "".join(EIGHT.splitlines(keepends=True)[:5])
    assert list(tree.repetitions(modules(tree, a=few.replace("    ", ""), b=one))) == []


def test_an_internal_docstring_is_one_sentence(tool) -> None:
    documented = tool("docstrings").Documented
    path = Path("a.py")
    assert documented(path, "f", 1, "Return x.").is_sentence
    for text in ("Return x.\n\n    At length.", "return x.", "Return x"):
        assert not documented(path, "f", 1, text).is_sentence


@pytest.mark.parametrize("name", ["criteria.py", "matches.py"])
def test_every_mutant_is_a_program_that_differs(tool, name: str) -> None:
    mutate = tool("mutate")
    own = ast.unparse(ast.parse((mutate.ROOT / mutate.PACKAGE / name).read_text("utf-8")))
    found = mutate.mutants_of(name)
    assert len(found) > 50
    assert all(ast.unparse(ast.parse(mutant.text)) != own for mutant in found[::7])


def test_every_area_of_the_mutations_has_modules_and_tests(tool) -> None:
    mutate = tool("mutate")
    for area, words in mutate.AREAS.items():
        assert list((mutate.ROOT / mutate.PACKAGE).glob(area)), area
        for word in words.split():
            assert mutate.tests_of(word), word


def test_a_sample_is_the_same_again_and_grows_by_its_size(tool) -> None:
    mutate = tool("mutate")
    few, more = ({m.key for m in mutate.drawn("shapes.py", n, 1)} for n in (5, 9))
    assert few < more
    assert few != {m.key for m in mutate.drawn("shapes.py", 5, 2)}


def test_a_mutant_replaces_the_code_of_a_function_in_this_process(tool) -> None:
    mutate = tool("mutate")
    from ketafind import geo

    if not Path(geo.__file__).is_relative_to(mutate.ROOT):
        pytest.skip("an installed package is not the checkout's")
    chosen = {m.before: m for m in mutate.mutants_of("geo.py") if m.function == "sphere_km"}
    assert "1.0" in chosen
    before = geo.sphere_km.__code__
    try:
        assert mutate.replaced(chosen["lat2 - lat1"], mutate.live_functions())
        assert geo.sphere_km(44.0, -76.0, 44.0, -76.0) > 1000.0
    finally:
        geo.sphere_km.__code__ = before
    constant = next(m for m in mutate.mutants_of("geo.py") if m.before == "111.32")
    assert not mutate.replaced(constant, mutate.live_functions())


def test_results_are_kept_and_gone_on_from(tool, tmp_path: Path) -> None:
    mutate = tool("mutate")
    one, other = mutate.mutants_of("shapes.py")[:2]
    state = mutate.State(tmp_path / "state")
    state.add(one, "survived")
    state.add(one, "killed")
    again = mutate.State(tmp_path / "state")
    assert (again.of(one), again.of(other)) == ("killed", "")


def test_every_mutant_called_equivalent_has_its_reason_and_counts_as_such(tool) -> None:
    mutate = tool("mutate")
    with mutate.EQUIVALENT.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert [row for row in rows[1:] if len(row) != 6 or len(row[5]) < 20] == []
    results = mutate.State(None).results
    assert all(results[tuple(row[:5])] == "equivalent" for row in rows[1:])


def test_what_no_file_should_hold_is_found_with_its_line(tool, tmp_path, monkeypatch) -> None:
    hygiene = tool("hygiene")
    monkeypatch.setattr(hygiene, "ROOT", tmp_path)
    bad = {"a.py": "x = 1 \n", "b.py": "x\n" + "<" * 7 + " one\n", "c.py": "x", "d.sh": "if\n\tx\n"}
    for name, text in bad.items():
        (tmp_path / name).write_bytes(text.encode())
    said = [fault for name in bad for fault in hygiene.faults(name)]
    assert said == [
        "a.py:1: space at the end of a line",
        "b.py:2: a conflict marker",
        "c.py: must end with one line end",
        "d.sh:2: a tab that indents",
    ]


def test_properties_draw_the_same_whatever_modules_are_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Hypothesis draws constants of modules too: with them no run would be as the one before."""
    (tmp_path / "full_of_constants.py").write_text(f"LARGE = {list(range(9_000, 10_000))}\n")
    monkeypatch.syspath_prepend(tmp_path)

    def drawn() -> list[int]:
        seen: list[int] = []

        @settings(max_examples=300, derandomize=True, database=None)
        @given(st.integers())
        def draw(number: int) -> None:
            seen.append(number)

        draw()
        return seen

    before = drawn()
    module = importlib.import_module("full_of_constants")
    try:
        assert not settings.default.derandomize or drawn() == before
    finally:
        del sys.modules[module.__name__]
