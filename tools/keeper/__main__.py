"""Keep clinics true: from their websites to facts that a person has reviewed.

    pip install -e . -r tools/keeper/requirements.txt
    python tools/keeper fetch CLINICS.csv --archive PAGES
    python tools/keeper propose CLINICS.csv --evidence E.csv --archive PAGES --out candidates.csv
    python tools/keeper review candidates.csv
    python tools/keeper apply candidates.csv CLINICS.csv --evidence E.csv
    python tools/keeper stale CLINICS.csv --evidence E.csv
    python tools/keeper letters CLINICS.csv --evidence E.csv --out LETTERS

Nothing is applied that nobody said yes to, and nothing without the page it stands on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import ketafind as kf

sys.path.insert(0, str(Path(__file__).parent))

from facts import propose, write_candidates
from pages import Fetcher
from upkeep import apply, letters, review, stale


def main() -> int:
    """Run one step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("fetch", "propose", "apply", "stale", "letters"):
        step = steps.add_parser(name)
        if name == "apply":
            step.add_argument("candidates", type=Path)
        step.add_argument("clinics", type=Path)
        step.add_argument("--evidence", type=Path, required=name == "apply")
        if name in ("fetch", "propose"):
            step.add_argument("--archive", type=Path, required=True)
        if name in ("propose", "letters"):
            step.add_argument("--out", type=Path, required=True)
        if name == "stale":
            step.add_argument("--limit", type=int, default=20)
    steps.add_parser("review").add_argument("candidates", type=Path)
    given = parser.parse_args()
    try:
        return run(given)
    except kf.KetafindError as error:
        print(f"keeper: {error}", file=sys.stderr)
        return 2


def run(given: argparse.Namespace) -> int:
    """Do what one step is for, and say what came of it."""
    if given.step == "review":
        review(given.candidates)
        return 0
    directory = kf.Directory.from_csv(given.clinics, evidence=given.evidence)
    match given.step:
        case "fetch":
            for clinic in directory.clinics:
                for line in Fetcher(given.archive).clinic(clinic):
                    print(line)
        case "propose":
            found = propose(directory, given.archive)
            write_candidates(given.out, found)
            print(f"{len(found)} candidates in {given.out}: now review them")
        case "apply":
            print(f"{apply(given.candidates, given.clinics, given.evidence)} facts applied")
        case "stale":
            print("\n".join(stale(directory, given.limit)))
        case "letters":
            print(f"{letters(directory, given.out)} letters in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
