"""What is installed and shipped: the lock, its audit, and a bill of materials.

    python tools/supply.py lock             write lock.txt from pyproject.toml and constraints.txt
    python tools/supply.py lock --check     say whether it would change
    python tools/supply.py installed DIR... packages in these site-packages that are not in the lock
    python tools/supply.py sbom FILE        CycloneDX of the lock and of the data that ships, checked
    python tools/supply.py audit            known flaws of what is locked, by pip-audit

`lock` needs uv, and `audit` pip-audit, and both the network: `python -m pip install uv pip-audit`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "lock.txt"
HEAD = """\
# What the checks install, by hash, for Python 3.11 to 3.13. Versions are those of constraints.txt.
# Written by `python tools/supply.py lock`.
"""
# Some packages that are pinned need 3.11.5.
OLDEST = "3.11.5"
NO_DATA = 3


def locked() -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each package in the lock."""
    pins = re.findall(r"(?m)^([\w.-]+)==(\S+)((?:.*\\\n)*.*)", LOCK.read_text("utf-8"))
    return {
        canonicalize_name(name): (version, re.findall(r"sha256:(\w{64})", rest))
        for name, version, rest in pins
    }


def lock(*, check: bool) -> int:
    """Write the lock anew, or say whether it is what would be written."""
    command = (
        "-m uv pip compile -q --universal --generate-hashes --no-header --no-annotate --all-extras"
    )
    made = subprocess.run(
        [
            sys.executable,
            *command.split(),
            "--python-version",
            OLDEST,
            "-c",
            "constraints.txt",
            "pyproject.toml",
            "-",
        ],
        cwd=ROOT,
        input="pip\nsetuptools\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        print(made.stderr, file=sys.stderr)
        return 1
    text = HEAD + made.stdout
    if check:
        same = LOCK.read_text("utf-8") == text
        print("the lock is up to date" if same else "the lock would change: run supply.py lock")
        return 0 if same else 1
    LOCK.write_text(text, "utf-8")
    return 0


def strangers(folders: Iterable[str]) -> list[str]:
    """Installed packages that are not in the lock, at the version it has."""
    pins = locked()
    return [
        f"{folder}: {package.name} {package.version} is not in the lock"
        for folder in folders
        for package in distributions(path=[folder])
        if package.name != "ketafind"
        and pins.get(canonicalize_name(package.name), ("",))[0] != package.version
    ]


def needed(extra: str = "") -> set[str]:
    """Packages that ketafind, with an extra, brings into this environment."""
    found: set[str] = set()
    waiting = [("ketafind", extra)]
    while waiting:
        name, wanted = waiting.pop()
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires):
            inner = canonicalize_name(requirement.name)
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": wanted})
            if applies and (inner not in found or requirement.extras):
                found.add(inner)
                waiting += [(inner, part) for part in requirement.extras or [""]]
    return found - {"ketafind"}


def bill() -> dict[str, Any]:
    """The bill of materials: ketafind, the data it ships, and every package of the lock."""
    with (ROOT / "LICENSES.csv").open(encoding="utf-8", newline="") as lines:
        licences = list(csv.DictReader(lines))
    by_name = {row["name"]: row["licence"] for row in licences}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required, optional = needed(), needed("all")
    parts: list[dict[str, Any]] = [
        {
            "type": "data" if row["licence"].startswith(("CC", "OGL", "LicenseRef")) else "library",
            "bom-ref": f"bundled:{row['name']}",
            "name": row["name"],
            **({"version": row["version"]} if row["version"] else {}),
            "licenses": [{"license": {"name": row["licence"]}}],
        }
        for row in licences
        if row["kind"] == "bundled"
    ]
    for name, (version, hashes) in locked().items():
        scope = "excluded"
        if name in optional:
            scope = "required" if name in required else "optional"
        part = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "purl": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "scope": scope,
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
        }
        if name in by_name:
            part["licenses"] = [{"expression": by_name[name]}]
        parts.append(part)
    direct = [part["bom-ref"] for part in parts if part["name"] in required or "scope" not in part]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": "ketafind",
                "name": "ketafind",
                "version": distribution("ketafind").version,
                "licenses": [{"expression": project["license"]}],
            }
        },
        "components": parts,
        "dependencies": [{"ref": "ketafind", "dependsOn": direct}],
    }


def faults_of(text: str) -> str | None:
    """What the schema of CycloneDX has against a bill of materials."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return str(fault) if fault else None


def sbom(path: Path) -> int:
    """Write the bill of materials, once it is valid."""
    text = json.dumps(bill(), indent=1) + "\n"
    if fault := faults_of(text):
        print(fault, file=sys.stderr)
        return 1
    path.write_text(text, "utf-8")
    scopes = [part.get("scope", "bundled") for part in json.loads(text)["components"]]
    print(", ".join(f"{scopes.count(scope)} {scope}" for scope in dict.fromkeys(scopes)))
    return 0


def audit() -> int:
    """Known flaws of what is locked; where nothing could be looked up, say that, and fail."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        str(LOCK),
        "--require-hashes",
        "--disable-pip",
        "-f",
        "json",
    ]
    done = subprocess.run(
        [*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    looked_up = [package for package in packages if "vulns" in package]
    flaws = [(p["name"], flaw["id"]) for p in looked_up for flaw in p["vulns"]]
    for name, flaw in flaws:
        print(f"{name}: {flaw}")
    missing = len(locked()) - len(looked_up)
    print(f"{len(looked_up)} packages looked up, {missing} not, {len(flaws)} known flaws")
    if missing:
        print("NO DATA for those: this says nothing about them")
        return 1 if flaws else NO_DATA
    return 1 if flaws else 0


def main() -> int:
    """One of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock").add_argument("--check", action="store_true")
    commands.add_parser("installed").add_argument("folders", nargs="+")
    commands.add_parser("sbom").add_argument("file", type=Path)
    commands.add_parser("audit")
    options = parser.parse_args()
    if options.command == "lock":
        return lock(check=options.check)
    if options.command == "sbom":
        return sbom(options.file)
    if options.command == "audit":
        return audit()
    found = strangers(options.folders)
    print("\n".join(found) or "every installed package is in the lock")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
