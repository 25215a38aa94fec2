"""Faults of files, memory and threads, kills and damage, in short: `benchmarks/goals.py` at length."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ketafind as kf
from ketafind.geo import compiled_core

ROOT = Path(__file__).parents[1]
GOALS = ROOT / "benchmarks/goals.py"
HERE = kf.Coordinates(lat=43.7, lon=-79.4)
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not GOALS.exists(),
    reason="needs Linux and the source tree",
)
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


@pytest.mark.parametrize(
    "goal",
    ["G4", "G6", pytest.param("G7", marks=needs_compiler), pytest.param("G16", marks=needs_compiler),
     "G17"],
)  # fmt: skip
@pytest.mark.skipif(compiled_core() is None, reason="installed without a C compiler")
@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") == "brief", reason="asked once, with the whole suite"
)
def test_a_goal_holds_in_short(goal: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(GOALS), goal, "--short"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{goal}: 0 wrong" in done.stdout


def test_a_directory_that_is_replaced_again_and_again_answers_as_one_of_its_files(
    tmp_path: Path,
) -> None:
    clinics = [clinic for clinic in kf.load_directory().clinics if clinic.location is not None]
    versions = [kf.Directory.from_clinics(clinics[n : n + 9]) for n in range(3)]
    right = [[match.clinic.clinic_id for match in one.nearest(HERE, 5)] for one in versions]
    path = tmp_path / "some.ketafind"
    versions[0].save(path)
    over, wrong, answers = threading.Event(), list[object](), list[int]()

    def ask() -> None:
        while not over.is_set():
            try:
                opened = kf.Directory.open(path)
                found = [match.clinic.clinic_id for match in opened.nearest(HERE, 5)]
                answers.append(right.index(found))
            except Exception as error:  # noqa: BLE001 - told below
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        versions[turn % 3].save(path)
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert answers


def test_two_who_save_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    clinics = list(kf.load_directory().clinics)
    versions = [kf.Directory.from_clinics(clinics[n : n + 5]) for n in range(4)]
    path = tmp_path / "some.ketafind"

    def save(one: kf.Directory) -> None:
        for _ in range(8):
            one.save(path)

    threads = [threading.Thread(target=save, args=(one,)) for one in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path) == [path.name]
    assert kf.Directory.open(path).snapshot in [one.snapshot for one in versions]


BUSY = """
import os, resource, signal, sys, threading, warnings
import numpy as np
import ketafind as kf

warnings.simplefilter("ignore")  # newer Pythons advise against forks beside threads
directory = kf.load_directory()
here = kf.Coordinates(lat=43.7, lon=-79.4)
right = [match.clinic.clinic_id for match in directory.nearest(here, 5, routes="iv")]
lat, lon = np.full(20_000, 43.7), np.full(20_000, -79.4)

def ask():
    assert [match.clinic.clinic_id for match in directory.nearest(here, 5, routes="iv")] == right

def ask_always():
    while True:
        ask()
        directory.nearest_arrays(lat, lon, 3, threads=2)

def busy():
    for _ in range(4):
        threading.Thread(target=ask_always, daemon=True).start()
"""
STRAINS = {
    "forks with busy threads": """
busy()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        ask()
        directory.nearest_arrays(lat, lon, 3, threads=2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
""",
    "a limit of memory": """
ask()
size = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (size + 2**26, resource.RLIM_INFINITY))
for k in (20, 28):
    try:
        directory.nearest_arrays(np.full(4_000_000, 43.7), np.full(4_000_000, -79.4), k)
    except MemoryError:
        pass
    else:
        raise SystemExit("there was memory enough")
    ask()
    directory.nearest_arrays(lat, lon, 3)
""",
    "no memory for an object": """
try:
    import _testcapi
except ImportError:
    sys.exit()
from ketafind.index import KernelIndex

rng = np.random.default_rng(1)
tree = KernelIndex(rng.uniform(42, 50, 4_000), rng.uniform(-90, -75, 4_000))._tree
arrays, bits = np.zeros((50, 80)), np.full(500, 17, np.uint8)
place = (lat[:50], lon[:50], arrays, arrays.astype(np.intp), 80, float("inf"))
for work in (
    lambda: tree.nearest(44.0, -79.0, 70, float("inf")), lambda: tree.within(44.0, -79.0, 100.0),
    lambda: tree.filtered(bits).count, lambda: tree.nearest_many(*place),
):
    result, refused = work(), 0
    for start in range(300):
        again = None
        _testcapi.set_nomemory(start, start + 1)
        try:
            again = work()
        except MemoryError:
            refused += 1
        finally:
            _testcapi.remove_mem_hooks()
        assert again in (None, result)
    assert refused and work() == result
""",
    "an exit while threads ask": """
busy()
ask()
""",
}


@pytest.mark.parametrize("strain", STRAINS)
def test_a_process_under_strain_answers_right(strain: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY + STRAINS[strain]],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
