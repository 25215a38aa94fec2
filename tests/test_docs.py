"""The documents hold together: links lead somewhere, and every example is one that is run."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [page for page in PAGES if page.name != "CHANGELOG.md"]
# An example may be skipped where it needs an extra that the tests do not install.
SKIPPED = re.compile(r"(?ms)^<!--+ skip: next.*?-->\n+```.*?^```$")
FENCE = re.compile(r"(?ms)^```(.*?)\n(.*?)^```$")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have."""
    heads = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", RUN, ids=name)
def test_every_example_is_marked_as_what_it_is_so_that_it_runs(page: Path) -> None:
    run = SKIPPED.sub("", page.read_text("utf-8"))
    for language, body in FENCE.findall(run):
        if re.search(r"(?m)^>>> ", body):
            assert language == "python", body
        if re.search(r"(?m)^\$ ", body):
            assert language == "console", body
        shows = re.search(r"(?m)^(>>> |def test_)", body)
        assert language != "python" or shows, f"shows no output and tests nothing: {body}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_page_has_one_title_and_no_line_of_another_machine(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    included = "{include}" in page.read_text("utf-8")
    assert len(re.findall(r"(?m)^# ", text)) == (0 if included else 1)
    assert not re.search(r"(?<![\w.~/])/(?:home|root|tmp|usr)/", page.read_text("utf-8"))


@pytest.mark.parametrize("folder", ["docs", "docs/reference"])
def test_every_page_stands_in_the_contents_of_its_folder(folder: str) -> None:
    index = (ROOT / folder / "index.md").read_text("utf-8")
    trees = [body for language, body in FENCE.findall(index) if language == "{toctree}"]
    lines = [line for tree in trees for line in tree.splitlines() if not line.startswith(":")]
    entries = [line for line in lines if line and not line.startswith("notebooks/")]
    pages = {page.stem for page in (ROOT / folder).glob("*.md")} - {"index"}
    assert sorted({*entries} - {"reference/index"}) == sorted(pages)


def first_cells(page: str, head: str) -> set[str]:
    """The names in the first column of a table."""
    rows = (ROOT / "docs" / page).read_text("utf-8").partition(head)[2].partition("\n\n")[0]
    cells = re.findall(r"(?m)^\|([^|]*)\|", rows)
    return {found for cell in cells for found in re.findall(r"`([a-z]+(?: build)?)[^`]*`", cell)}


def test_every_extra_for_users_is_told_of_in_the_tutorial() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = {"test", "docs", "browser", "bench", "dev"}
    assert first_cells("quickstart.md", "| extra |") == {*extras["optional-dependencies"]} - ours


def test_every_column_of_clinics_and_evidence_is_on_the_page_of_own_directories() -> None:
    from ketafind.records import CLINIC_FIELDS, EVIDENCE_FIELDS

    page = (ROOT / "docs/own_directory.md").read_text("utf-8").partition("## The columns")[2]
    of_clinics, of_evidence = page.split("Of a table of evidence")
    for table, fields in ((of_clinics, CLINIC_FIELDS), (of_evidence, EVIDENCE_FIELDS)):
        cells = " ".join(re.findall(r"(?m)^\|([^|]*)\|", table))
        named = set(re.findall(r"`(\w+)`", cells))
        assert {field.name for field in fields} <= named, table
        assert named - {field.name for field in fields} <= {
            *("service_id", "not_offered", "complete", "combined", "routes", "virtual", "price_cad")
        }


def test_every_command_is_on_the_page_of_the_command_line() -> None:
    listed = json.loads((ROOT / "src/ketafind/cli/parser.json").read_text("utf-8"))["commands"]
    names = {" ".join((name, *one.get("commands", ()))) for name, one in listed.items()}
    assert first_cells("reference/command_line.md", "| command |") == names


def test_the_architecture_page_draws_the_tree_that_there_is() -> None:
    """Every module and folder of the package once, and nothing else."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The tree")[2].partition("## Four trips")[0]
    drawn = [
        name
        for row in re.findall(r"(?m)^\|[^|]*\|([^|]*)\|", table)
        for name in re.findall(r"`(\w+)/?`", row)
    ]
    package = ROOT / "src" / "ketafind"
    there = {path.stem for path in package.glob("*.py")} - {"__main__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert sorted(drawn) == sorted(there)
