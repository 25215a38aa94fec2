"""The project's own files agree with each other, and what is declared is what is there."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ketafind

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import supply  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DECLARED = [
    Requirement(text)
    for text in [
        *PROJECT["project"]["dependencies"],
        *(t for some in EXTRAS.values() for t in some),
    ]
]


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text("utf-8").splitlines()


def files(*patterns: str) -> list[Path]:
    """Files of the project; without git, as in an sdist, all that is there."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed]


def pins() -> dict[str, str]:
    pinned = [line for line in lines("constraints.txt") if line and not line.startswith("#")]
    return {canonicalize_name(line.split("==")[0]): line for line in pinned}


def test_required_dependencies_are_nine_at_most() -> None:
    assert len(PROJECT["project"]["dependencies"]) <= 9


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_every_declared_package_is_pinned_within_its_range(requirement: Requirement) -> None:
    if requirement.name == "ketafind":
        assert requirement.extras <= set(EXTRAS)
        return
    pin = Requirement(pins()[canonicalize_name(requirement.name)])
    (exact,) = pin.specifier
    assert requirement.specifier.contains(exact.version)


def test_every_pin_is_exact() -> None:
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins().values())


def test_the_lock_has_the_pinned_versions_and_a_hash_for_each() -> None:
    locked = supply.locked()
    assert {name: f"=={version}" for name, (version, _) in locked.items()} == {
        name: line[line.index("==") :] for name, line in pins().items()
    }, "python -m pip install uv && python tools/supply.py lock"
    assert all(hashes for _, hashes in locked.values())
    for name in PROJECT["project"]["dependencies"]:
        assert canonicalize_name(Requirement(name).name) in locked


def test_what_is_installed_beside_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "tqdm-1.0.dist-info").mkdir()
    (tmp_path / "tqdm-1.0.dist-info" / "METADATA").write_text("Name: tqdm\nVersion: 1.0\n")
    assert supply.strangers([str(tmp_path)]) == [f"{tmp_path}: tqdm 1.0 is not in the lock"]


def test_the_bill_of_materials_is_valid_and_names_what_is_required_and_bundled() -> None:
    pytest.importorskip("cyclonedx")
    bill = supply.bill()
    assert supply.faults_of(json.dumps(bill)) is None
    required = {part["name"] for part in bill["components"] if part.get("scope") == "required"}
    assert required == {row["name"] for row in LICENCES if row["kind"] == "required"}
    bill["components"][0]["type"] = "thing"
    assert "thing" in supply.faults_of(json.dumps(bill))


with (ROOT / "LICENSES.csv").open(encoding="utf-8", newline="") as listed:
    LICENCES = list(csv.DictReader(listed))


@pytest.mark.parametrize(
    "row", [r for r in LICENCES if r["kind"] == "required"], ids=lambda r: r["name"]
)
def test_each_required_package_has_the_licence_that_is_listed(row: dict[str, str]) -> None:
    stated = metadata.metadata(row["name"])
    licence = stated.get("License-Expression") or stated["License"]
    if metadata.version(row["name"]) == row["version"]:  # another version may have another
        assert licence == row["licence"]
    assert supply.locked()[row["name"]][0] == row["version"]


def test_every_file_of_others_is_listed_with_its_licence_and_credited() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    patterns = []
    for row in LICENCES:
        assert not row["credit"] or row["kind"] == "code" or row["credit"] in notice, row["name"]
        if row["kind"] != "code":
            patterns += row["files"].split()
    for pattern in patterns:
        assert list(ROOT.glob(pattern)), pattern
    # What nobody here wrote: binary or minified files, and the data.
    for path in files("src/ketafind", "data"):
        foreign = path.suffix in {".npz", ".bin"} or ".min." in path.name or path.parts[0] == "data"
        assert not foreign or any(fnmatch(path.as_posix(), one) for one in patterns), path
    shipped = {
        part
        for row in LICENCES
        if row["kind"] in {"code", "bundled"}
        for part in row["licence"].split(" AND ")
        if not part.startswith(("LicenseRef", "OGL"))
    }
    assert set(PROJECT["project"]["license"].split(" AND ")) == shipped


def test_the_build_system_is_pinned() -> None:
    for text in PROJECT["build-system"]["requires"]:
        assert canonicalize_name(Requirement(text).name) in pins()


def test_the_extra_all_is_every_extra_that_adds_a_feature() -> None:
    (everything,) = (Requirement(text) for text in EXTRAS["all"])
    assert everything.extras == set(EXTRAS) - {"all", "bench", "browser", "test", "docs", "dev"}


def test_every_file_that_is_no_code_is_declared_as_package_data() -> None:
    declared = PROJECT["tool"]["setuptools"]["package-data"]
    for path in files("src/ketafind"):
        if path.suffix not in {".py", ".c", ".h"}:
            inner = path.relative_to("src/ketafind").as_posix()
            assert any(
                fnmatch(inner, pattern) and inner.count("/") == pattern.count("/")
                for pattern in declared["ketafind"]
            ), inner


RUN_IT = (
    'python -m pip install . && python -m ketafind nearest "Kingston, ON" '
    "--route iv --condition depression -k 5"
)
TEST_IT = 'python -m pip install -e ".[test]" && python -m pytest'


def test_readme_has_the_two_commands_and_ci_takes_them_from_there() -> None:
    commands = [line.removeprefix("$ ") for line in lines("README.md") if line.startswith("$ ")]
    assert [c for c in commands if "-m pytest" in c] == [TEST_IT]
    assert next(c for c in commands if "-m ketafind" in c) == RUN_IT
    assert "readme_command" in (ROOT / ".ci/run").read_text("utf-8")


def test_every_step_of_the_checks_has_its_commands_and_a_pull_request_runs_them() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    listed = re.findall(r'(?m)^(?:first_lane|second_lane|last)="([^"]+)"', script)
    steps = [name for names in listed for name in names.split()]
    assert sorted(steps) == sorted(re.findall(r"(?m)^step_([\w.-]+)\(\)", script))
    assert "- run: .ci/run\n" in (ROOT / ".github/workflows/checks.yml").read_text("utf-8")
    for line in lines("CONTRIBUTING.md"):
        if line.startswith("$ .ci/run ") and "--" not in line:
            assert set(line.removeprefix("$ .ci/run ").split()) <= set(steps), line


def test_what_the_forge_runs_is_pinned_by_hash() -> None:
    workflows = files(".github/workflows/*.yml")
    used = [
        use
        for path in workflows
        for use in re.findall(r"uses: (.+)", (ROOT / path).read_text("utf-8"))
    ]
    assert len(used) >= len(workflows)
    assert [use for use in used if not re.match(r"[\w/.-]+@[0-9a-f]{40} # v\d", use)] == []


def test_no_committed_file_names_a_package_index_or_a_folder_of_one_machine() -> None:
    registry = re.compile(r"(?:https?|file)://[\w.]*(?:pypi|pythonhosted|npmjs)|--extra-index-url")
    for path in files("*.py", "*.toml", "*.txt", "*.md", "*.yml", "*.cfg", ".ci"):
        text = (ROOT / path).read_text("utf-8")
        assert path.name == Path(__file__).name or not registry.search(text), path


def test_the_version_stands_in_the_package_and_everything_agrees_with_it() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"] == {"version": {"attr": "ketafind.__version__"}}
    assert f"version: {ketafind.__version__}" in lines("CITATION.cff")
    assert metadata.version("ketafind") == ketafind.__version__  # else: install it again


def test_the_changelog_keeps_its_form() -> None:
    heads = [line for line in lines("CHANGELOG.md") if line.startswith("## ")]
    released = [head for head in heads if head != "## [Unreleased]"]
    assert heads[len(released) :] in ([], ["## [Unreleased]"])
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", h) for h in released)
    kinds = {line for line in lines("CHANGELOG.md") if line.startswith("### ")}
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert kinds <= {f"### {kind}" for kind in known}


def test_each_change_log_fragment_is_named_so_that_it_is_found_and_is_a_sentence() -> None:
    kinds = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    for path in (ROOT / "changelog.d").iterdir():
        if path.name != "README.md":
            assert re.fullmatch(rf"\+[a-z0-9-]+\.({kinds})\.md", path.name), path.name
            assert re.fullmatch(r"(?s)\S.*\.\n", path.read_text("utf-8")), path.name


def test_the_notice_credits_the_gazetteer() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert "GeoNames (geonames.org), CC BY 4.0" in notice
    assert "not Canada Post data" in notice
