"""What the package promises of damage, faults, kills and repetition, counted.

    python benchmarks/goals.py G7 --seconds 1200 --state kills.json     # and again: it goes on
    python benchmarks/goals.py G3 G4 G6 G7 G16 G17 --short              # a few seconds each

G3   every hostile case, by the tests that name it (tests/hostile_cases.csv)
G4   mutated CSV files: each row accepted, or refused with its number, column and value
G6   each single-bit flip and each truncation of a directory file of 64 KiB
G7   kill -9 at each write of every file that is made, and of batches of 2,000 addresses
G16  each open, read, write, sync and rename fails in turn, each allocation and thread of the kernel
G17  directory files and exports are the same bytes: hash seeds, threads, versions of Python

Each goal takes its --seconds, 1200 unless it is said, or ends before. What is wrong is printed and
kept in the state, and the exit code is 1. G7 and G16 need Linux and a C compiler. For G17, PYTHONS
may name several interpreters, separated by colons.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _faults as faults

import ketafind as kf
from ketafind.errors import DataError, DirectoryFileError, KetafindError
from ketafind.query.catalogue import open_catalogue
from ketafind.tables.clinics import read_clinics

ROOT = Path(__file__).parents[1]
STEP = 2048
HERE = kf.Coordinates(lat=43.7, lon=-79.4)
State = dict[str, Any]


def damage(state: State, folder: Path, *, short: bool) -> Iterator[list[str]]:
    """G6, in forks: a crash is one's own."""
    clinics = list(kf.load_directory().clinics)[:9]
    path, n = folder / "whole", 0
    while True:  # padded to the size
        padded = kf.Clinic(clinic_id="z", name="Z", notes="x" * n)
        kf.Directory.from_clinics([*clinics, padded]).save(path)
        if path.stat().st_size >= 65_536:
            break
        n += max(1, (65_536 - path.stat().st_size) // 2)
    whole = path.read_bytes()
    right = _asked(path, verify=True)
    broken = folder / "broken"
    total = 8 * len(whole) + len(whole)
    state["of"] = total

    def damaged(which: int) -> bytes | bytearray:
        if which >= 8 * len(whole):
            return whole[: which - 8 * len(whole)]
        content = bytearray(whole)
        content[which // 8] ^= 1 << which % 8
        return content

    def some(numbers: range) -> dict[str, Any]:
        opened, wrong = 0, []
        for which in numbers:
            broken.write_bytes(damaged(which))
            try:
                if _asked(broken, verify=True) != right:
                    wrong.append(f"damage {which}: another answer")
            except DirectoryFileError:
                pass
            try:
                # To read its words takes most of the time: all is asked of some.
                ask = _asked if which % 97 == 0 else _nearest
                ask(broken, verify=False)
                opened += 1
            except KetafindError:
                pass
        return {"opened": opened, "wrong": wrong}

    step = total // 40 if short else 1
    block = STEP * step if short else STEP
    while state.get("done", 0) < total:
        first = state.get("done", 0)
        numbers = range(first, min(first + block, total), 997 if short else 1)
        told = faults.in_child(lambda numbers=numbers: some(numbers))
        state["done"] = numbers.stop
        state["tried"] = state.get("tried", 0) + len(numbers)
        if not isinstance(told, dict) or "opened" not in told:
            yield [f"damage {first} to {numbers.stop}: {told}"]
            continue
        state["opened unverified"] = state.get("opened unverified", 0) + told["opened"]
        yield told["wrong"]


def _nearest(path: Path, *, verify: bool) -> list[Any]:
    index = open_catalogue(path, verify=verify).index
    return [array.tolist() for array in index.nearest_many([43.7, 45.4], [-79.4, -75.7], 3)]


def _asked(path: Path, *, verify: bool) -> list[Any]:
    """What a small app asks of a file."""
    directory = kf.Directory.open(path, verify=verify)
    near = directory.nearest(HERE, 3, routes="iv", unknown="include", check=False)
    return [
        [match.clinic.clinic_id for match in near],
        _nearest(path, verify=verify),
        [match.clinic.name for match in directory.search(staff="psychiatrist")],
    ]


def mutated_tables(state: State, folder: Path, *, short: bool) -> Iterator[list[str]]:
    """G4."""
    sys.path.insert(0, str(ROOT / "tests"))
    from test_tables_fuzz import DATA, damaged

    rows = (DATA / "ontario_clinics.csv").read_bytes().splitlines(keepends=True)[:12]
    original, path = b"".join(rows), folder / "clinics.csv"
    while not short or state.get("done", 0) < 400:
        number = state.get("done", 0)
        content = damaged(original, random.Random(f"table {number}"))
        path.write_bytes(content)
        state["done"] = number + 1
        yield [f"table {number}: {fault}" for fault in _unaccounted(path, content, state)]


def _unaccounted(path: Path, content: bytes, state: State) -> list[str]:
    """What the report of a table leaves open, by the standard library's count of its rows."""
    try:
        with warnings.catch_warnings(action="ignore"):
            clinics = read_clinics(path, check=False)
    except DataError as error:
        state["refused"] = state.get("refused", 0) + 1
        return _unsaid(error, content, state)
    n = _rows_of(content)
    accepted = sum(len(clinic.services) for clinic in clinics)
    state["rows"] = state.get("rows", 0) + accepted
    # A row of blanks at the end is left out and said.
    return [] if n is None or (accepted <= n and n - accepted <= 1) else [f"{accepted} of {n} rows"]


def _unsaid(error: DataError, content: bytes, state: State) -> list[str]:
    if not error.faults or not all(fault.message for fault in error.faults):
        return ["refused without a reason"]
    if error.n_rows is None:
        return []  # no table at all
    state["rows"] = state.get("rows", 0) + error.n_rows
    wrong = []
    of_rows = [fault for fault in error.faults if fault.row != error.header]
    if any(fault.row is None for fault in of_rows):
        wrong.append("a fault names no row")
    if len({fault.row for fault in of_rows}) > error.n_rows:
        wrong.append("more rows are refused than there are")
    # Where a quote stands inside a cell the standard library reads on, and we refuse the row.
    n = None if any("quote" in fault.message for fault in error.faults) else _rows_of(content)
    if n is not None and not n - 1 <= error.n_rows <= n:
        wrong.append(f"{error.n_rows} of {n} rows are counted")
    return wrong


def _rows_of(content: bytes) -> int | None:
    """How many rows the standard library reads below the header; None where it refuses."""
    try:
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    return sum(len(row) > 1 or bool("".join(row).strip()) for row in rows) - 1


def kills(state: State, folder: Path, *, short: bool) -> Iterator[list[str]]:
    """G7: files first, then batches."""
    shop = faults.Workshop(folder)
    place = folder / "written"
    place.mkdir()
    if not state.get("files are done"):
        state["kills of files"] = 0
        for one in shop.writes():
            if short and one.name not in faults.SHORT:
                continue
            for wrong in faults.kills_of_writes(one, place):
                state["kills of files"] += 1
                yield wrong
        state["files are done"] = True
    n, seed = 60 if short else 2_000, state.get("kills", 0)
    repeated = 0
    for told in faults.kills_of_batches(n, folder, seed):
        state["kills"] = state.get("kills", 0) + told["killed"]
        state["batches"] = state.get("batches", 0) + (not told["killed"])
        new = told["repeated"] - repeated
        repeated = told["repeated"] if told["killed"] else 0
        state["repeated requests"] = state.get("repeated requests", 0) + new
        state["lost"] = state.get("lost", 0) + told["lost"]
        wrong = [f"kill {state['kills']}: {told['lost']} answers lost"] * (told["lost"] > 0)
        wrong += [f"kill {state['kills']}: {new} requests repeated"] * (new > 1)
        yield wrong + [f"batch: {told['wrong']}"] * (told["wrong"] is not None)
        if short and state["kills"] >= 24:
            return


def faults_at_every_point(state: State, folder: Path, *, short: bool) -> Iterator[list[str]]:
    """G16."""
    for what, wrong in faults.faults_everywhere(folder, short=short):
        state[what] = state.get(what, 0) + 1
        state["done"] = state.get("done", 0) + 1
        yield wrong


BUILD = """
import hashlib, json, os, random, sys
import ketafind as kf
from ketafind.index import kernel
from ketafind.show.exports import FORMATS

made = {}

def note(name, write):
    path = os.path.join(sys.argv[1], name)
    write(path)
    with open(path, "rb") as file:
        made.setdefault(name, set()).add(hashlib.sha256(file.read()).hexdigest())
    os.unlink(path)

directory = kf.Directory.from_clinics(list(kf.load_directory().clinics))
rng = random.Random(1)
places = [kf.Location(lat=rng.uniform(42, 50), lon=rng.uniform(-90, -75)) for _ in range(9_000)]
many = [kf.Clinic(clinic_id=str(n), name=str(n), location=at) for n, at in enumerate(places)]
for threads in range(1, 9):
    kernel._usable_processors = lambda: threads
    note("directory", kf.Directory.from_clinics(list(directory.clinics)).save)
    note("a large directory", kf.Directory.from_clinics(many, check=False).save)
for form in FORMATS:
    note(form, lambda path: directory.export(path, form))
note("page", directory.to_html)
near = directory.nearest("Kingston", 5, routes="iv", unknown="include")
made["answer"] = {hashlib.sha256((near.to_frame().to_csv() + str(near)).encode()).hexdigest()}
json.dump({name: sorted(hashes) for name, hashes in made.items()}, sys.stdout)
"""


def same_bytes(state: State, folder: Path, *, short: bool) -> Iterator[list[str]]:
    """G17: eight builds a process; forms that libraries write are compared within one Python."""
    pythons = os.environ.get("PYTHONS", sys.executable).split(":")
    first: dict[str, dict[str, str]] = state.setdefault("hashes", {})
    while state.get("builds", 0) < (16 if short else 104):
        number = state.get("builds", 0) // 8
        python = pythons[number % len(pythons)]
        done = subprocess.run(
            [python, "-W", "ignore", "-c", BUILD, str(folder)],
            env=os.environ | {"PYTHONHASHSEED": str(number)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        state["builds"] = 8 * (number + 1)
        if done.returncode:
            yield [f"builds {number} by {python}: {done.stderr[-300:]}"]
            continue
        wrong = []
        for name, hashes in json.loads(done.stdout).items():
            key = python if name in ("geoparquet", "geopackage", "excel") else "every Python"
            known = first.setdefault(name, {}).setdefault(key, hashes[0])
            wrong += [f"builds {number} by {python}: another {name}"] * (hashes != [known])
        yield wrong


def hostile_cases(state: State, _: Path, *, short: bool) -> Iterator[list[str]]:
    """G3."""
    with open(ROOT / "tests/hostile_cases.csv", newline="") as file:
        cases = list(csv.DictReader(file))
    tests = sorted({f"tests/{test}" for case in cases for test in case["tests"].split()})
    tests = tests[::20] if short else tests
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    state["done"], state["cases"] = len(tests), len(cases)
    state["pytest"] = done.stdout.strip().splitlines()[-1]
    yield [] if done.returncode == 0 else [done.stdout[-2_000:]]


GOALS: dict[str, Callable[..., Iterator[list[str]]]] = {
    "G3": hostile_cases,
    "G4": mutated_tables,
    "G6": damage,
    "G7": kills,
    "G16": faults_at_every_point,
    "G17": same_bytes,
}


def run(name: str, state: State, seconds: float, keep: Callable[[], None], *, short: bool) -> None:
    """Go on with a goal for some seconds, or to its end."""
    begun = noted = time.monotonic()
    before = state.get("seconds", 0.0)
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="ketafind-goals-") as folder:
        for wrong in GOALS[name](state, Path(folder), short=short):
            for fault in wrong:
                print(f"{name}: {fault}", flush=True)
            state.setdefault("wrong", []).extend(wrong)
            now = time.monotonic()
            state["seconds"] = round(before + now - begun, 1)
            if now - noted > 5:
                noted = now
                keep()
            if now - begun > seconds:
                break
    keep()


def main() -> None:
    """Goals in turn."""
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("goals", nargs="*", default=list(GOALS))
    parser.add_argument("--seconds", type=float, default=1200.0)
    parser.add_argument("--state", type=Path, help="a file of JSON to go on from")
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    if {"G7", "G16"} & set(given.goals) and not faults.preloaded():
        faults.run_again_with_faults()
    states: dict[str, State] = {}
    if given.state and given.state.exists():
        states = json.loads(given.state.read_text())

    def keep() -> None:
        if given.state:
            given.state.write_text(json.dumps(states, indent=1))

    for name in given.goals:
        state = states.setdefault(name, {})
        run(name, state, given.seconds, keep, short=given.short)
        told = {key: value for key, value in state.items() if key not in ("hashes", "wrong")}
        print(f"{name}: {len(state.get('wrong', []))} wrong; {json.dumps(told)}", flush=True)
    if any(state.get("wrong") for state in states.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
