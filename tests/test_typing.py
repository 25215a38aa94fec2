"""Type checkers find what a user mistypes, and take what is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ketafind as kf

ROOT = Path(__file__).parents[1]
RIGHT = """\
import ketafind as kf
from ketafind import geocoding, travel

directory = kf.load_directory()
origin: kf.Origin = kf.Coordinates(lat=44.23, lon=-76.48)
near = directory.nearest(origin, 3, routes="iv", unknown="include")
names: list[str] = [clinic.name for clinic in directory.values()]
ids: list[str] = list(directory)
found: kf.Clinic | None = directory.get("a")
asked: kf.Matches = directory.search(routes=["iv"], staff=("nurse",), virtual=True, settings=None)
read: kf.Directory = kf.Directory.from_geojson(directory.to_geojson())
def routers(
    roads: travel.GraphRouter, engine: travel.ValhallaRouter, service: travel.ServiceRouter
) -> list[travel.Router]:
    return [roads, engine, service]
def geocoders(
    online: geocoding.GeopyGeocoder, register: geocoding.RegisterGeocoder
) -> list[kf.Geocoder]:
    return [online, register, kf.OfflineGeocoder(), geocoding.ChainGeocoder([online])]
policy: kf.UnknownPolicy = "include" if len(found.name if found else "") else "only"
filter_: kf.Filter = directory.filter(kf.route("iv") & ~kf.staff("nurse"))
"""
WRONG = [
    'kf.nerest_join(None, kf.load_directory())',
    'kf.load_directory().nearest("K7L 3N6", unknown="maybe")',
    'kf.load_directory().nearest(44.23)',
    'kf.load_directory().nearest_arrays([44.2], [-76.5], 5, None)',
    'kf.nearest_join(None, kf.load_directory(), unknown="maybe")',
    'kf.Directory.from_clinics([], index="quadtree")',
    'kf.load_directory().filter().bits',
    'kf.load_directory().search(routes=5)',
    'kf.load_directory().to_frame("facts")',
    'kf.load_directory().get("a").name',
    'kf.nearest_join(None, kf.load_directory(), how="outer")',
    'kf.Directory.from_fhir(5)',
]  # fmt: skip
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict", "--config-file=", f"--cache-dir={ROOT / '.mypy_cache'}"],
    "basedpyright": ["-m", "basedpyright", "--level", "error"],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_type_checker_finds_each_mistake_and_nothing_else(checker, tmp_path):
    if find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed: pip install ketafind[dev]")
    program = tmp_path / "program.py"
    program.write_text(RIGHT + "\n".join(WRONG) + "\n")
    settings = {"extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    answer = subprocess.run(
        [sys.executable, *CHECKERS[checker], str(program)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )
    lines = answer.stdout.splitlines()
    errors = {
        int(line.split(":")[1]) for line in lines if "program.py:" in line and "error" in line
    }
    first = RIGHT.count("\n") + 1
    assert errors == set(range(first, first + len(WRONG))), answer.stdout + answer.stderr


def test_pyright_finds_the_type_of_every_public_name_stated_in_full(tmp_path):
    if find_spec("basedpyright") is None:
        pytest.skip("basedpyright is not installed: pip install ketafind[dev]")
    command = "-m basedpyright --verifytypes ketafind --ignoreexternal --outputjson"
    answer = subprocess.run(
        [sys.executable, *command.split(), "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    found = json.loads(answer.stdout)["typeCompleteness"]
    assert found["completenessScore"] > 0.97
    public = {f"ketafind.{name}" for name in kf.__all__} - {"ketafind.__version__"}
    known = {symbol["name"] for symbol in found["symbols"] if symbol["isTypeKnown"]}
    assert public - known == set()
