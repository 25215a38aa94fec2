"""Check that a wheel and an sdist hold what they must, and no more: check_archives.py FILE..."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tracked(*folders: str) -> list[str]:
    """The files under these folders that belong to the project."""
    listed = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def names_in(archive: Path) -> set[str]:
    """The files of a wheel, or of an sdist below its one folder."""
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as opened:
        return {name.partition("/")[2] for name in opened.getnames()}


def wanted_in(archive: Path) -> set[str]:
    """What must be there, by the name it has there."""
    if archive.suffix != ".whl":
        kept = tracked("benchmarks", "data", "docs", "examples", "src", "tests", "tools")
        top = "LICENSE NOTICE README.md constraints.txt lock.txt pyproject.toml"
        return {*kept, *top.split()}
    code = {name.removeprefix("src/") for name in tracked("src") if not name.endswith((".c", ".h"))}
    return code | {f"ketafind/{name}" for name in tracked("data")}


def faults_of(archive: Path) -> list[str]:
    """What is missing from an archive, and what must not be in it."""
    names = names_in(archive)
    faults = [f"lacks {name}" for name in sorted(wanted_in(archive) - names)]
    strange = [name for name in names if name.endswith((".pyc", ".so~")) or "/.git" in name]
    if archive.suffix == ".whl":
        strange += [n for n in names if n.split("/")[0] != "ketafind" and ".dist-info/" not in n]
        licences = [n for n in names if n.endswith(("licenses/LICENSE", "licenses/NOTICE"))]
        faults += ["lacks LICENSE or NOTICE"] if len(licences) < 2 else []
    return faults + [f"holds {name}" for name in sorted(strange)]


def main(paths: list[str]) -> int:
    """Print the faults of each archive; 1 if there is one."""
    faults = [f"{path}: {fault}" for path in paths for fault in faults_of(Path(path))]
    print("\n".join(faults) or f"{len(paths)} archives hold what they must")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
