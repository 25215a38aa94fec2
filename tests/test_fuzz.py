"""Damaged input at every door of the package: only a KetafindError may come out."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
if not (ROOT / "tools/fuzz.py").exists():
    pytest.skip("the tools are in the source tree", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tools"))

from fuzz import Doors, damaged, escaping, resealed  # noqa: E402

from ketafind.errors import DirectoryFileError  # noqa: E402
from ketafind.files import open_arrays, write_arrays  # noqa: E402
from ketafind.travel import GraphRouter  # noqa: E402

NAMES = (
    *("csv", "evidence", "address", "criteria", "vocabulary", "rules", "directory", "roads"),
    *("cache", "provider", "routing", "pbf", "fhir", "hsds", "geojson", "cli", "mcp"),
)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Doors:
    return Doors(tmp_path_factory.mktemp("fuzz"))


def test_every_door_is_named(doors: Doors) -> None:
    assert tuple(doors.targets()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_damaged_input_is_refused_or_harmless(name: str, doors: Doors) -> None:
    target, seeds = doors.targets()[name]
    for data in seeds:
        assert escaping(target, data) is None
    for data in islice(damaged(name, 1, doors), max(20, settings().max_examples // 2)):
        error = escaping(target, data)
        assert error is None, (data[:500], error)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize(("sound", "wrong"), [(b'"metadata"', b'"Metadata"'), (b'"<i4"', b'",x4"')])
def test_a_directory_of_arrays_that_is_none_is_refused_though_its_checksums_are_right(
    tmp_path: Path, sound: bytes, wrong: bytes, verify: bool
) -> None:
    path = tmp_path / "file"
    write_arrays(path, {}, {"one": np.zeros(3, np.int32)})
    path.write_bytes(resealed(path.read_bytes().replace(sound, wrong)))
    with pytest.raises(DirectoryFileError, match="its directory cannot be read"):
        open_arrays(path, verify=verify)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("number", [2**27, -1, None])
@pytest.mark.parametrize("name", ["forward", "backward", "ends"])
def test_roads_that_lead_outside_are_refused_though_their_checksums_are_right(
    doors: Doors, tmp_path: Path, name: str, number: int | None, verify: bool
) -> None:
    path = tmp_path / "a.roads"
    doors.edges.save(path)
    metadata, arrays = open_arrays(path, private=True)
    outside = {"ends": doors.edges.n_nodes}.get(name, 2 * doors.edges.n_roads)
    arrays[name][0] = outside if number is None else number
    write_arrays(path, metadata, arrays)
    with pytest.raises(DirectoryFileError, match="no network"):
        GraphRouter.open(path, verify=verify)
