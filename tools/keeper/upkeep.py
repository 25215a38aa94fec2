"""Review candidates, apply what was said yes to, and find what needs another look."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from facts import Candidate, read_candidates, write_candidates

import ketafind as kf
from ketafind.errors import InvalidInputError
from ketafind.files import write_whole

KEYS = "y yes, n no, e edit the term, s skip, q quit"
GREETING = {
    "en": "Hello,\n\n{name} is listed in a public directory of ketamine clinics. So that people find "
    "what is true, please tell us:\n\n{questions}\n\nWe publish what you state, with its date.\n",
    "fr": "Bonjour,\n\n{name} figure dans un répertoire public de cliniques de kétamine. Pour que "
    "l'on y trouve ce qui est vrai, dites-nous s'il vous plaît :\n\n{questions}\n\nNous publions ce "
    "que vous indiquez, avec sa date.\n",
}
LOOK = 1_000


def review(path: Path, ask: Callable[[str], str] = input) -> None:
    """Show each candidate beside what is there, and keep each answer at once."""
    rows = read_candidates(path)
    for at, one in enumerate(rows):
        if one.decision or one.stance == "supposed":
            continue
        clash = "  CONFLICT" if one.conflict else ""
        print(f"\n{one.clinic_id}: {one.facet} {one.term} is {one.truth} ({one.stance}); "
              f"now {one.known or 'blank'}{clash}\n  \"{one.hint}\"\n  {one.source_url}")  # fmt: skip
        answer = ask(f"{KEYS}? ").strip().lower()[:1]
        if answer == "q":
            break
        term = ask("term or value: ").strip() if answer == "e" else one.term
        if answer in ("y", "e", "n"):
            rows[at] = replace(one, term=term, decision="no" if answer == "n" else "yes")
            write_candidates(path, rows)


def apply(candidates: Path, clinics: Path, evidence: Path) -> int:
    """Put what was said yes to into both files, or change neither."""
    wanted = []
    for number, one in enumerate(read_candidates(candidates), 2):
        if one.decision != "yes":
            continue
        missing = [name for name in ("clinic_id", "source_url", "checked_on", "term")
                   if not getattr(one, name).strip()]  # fmt: skip
        if missing:
            raise InvalidInputError(
                f'{candidates}: row {number}, column "{missing[0]}": blank; a fact is applied with '
                "its source, or not at all"
            )
        wanted.append(one)
    rows, facts = _rows(clinics), _rows(evidence)
    for one in wanted:
        facts.append(_fact(one, facts[0] if facts else {}))
        if one.facet in rows[0]:
            for row in rows:
                if row["clinic_id"] == one.clinic_id:
                    row[one.facet] = one.term
    texts = {clinics: _text(rows), evidence: _text(facts)}
    beside = {path: path.with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            write_whole(beside[path], text, overwrite=True)
        kf.Directory.from_csv(
            beside[clinics], evidence=beside[evidence]
        )  # refused: nothing changes
    finally:
        for path in beside.values():
            path.unlink(missing_ok=True)
    for path, text in texts.items():
        write_whole(path, text, overwrite=True)
    return len(wanted)


def _fact(one: Candidate, like: dict[str, str]) -> dict[str, str]:
    facet, term = (one.term, "") if one.facet == "flag" else (one.facet, one.term)
    row = {
        "clinic_id": one.clinic_id, "service_id": one.service_id, "facet": facet, "term": term,
        "truth": one.truth, "source_url": one.source_url, "source_class": "clinic",
        "checked_on": one.checked_on, "method": one.method, "scope": "site", "hint": one.hint,
    }  # fmt: skip
    return {name: row.get(name, "") for name in like or row}


def stale(directory: kf.Directory, limit: int) -> list[str]:
    """What needs another look: what would settle most first, then what is oldest."""
    asked = directory.search(unknown="include").questions(LOOK).to_dict()["clinics"]
    first = {one["clinic_id"]: at for at, one in enumerate(asked)}
    old = sorted(
        directory.clinics,
        key=lambda clinic: (first.get(clinic.clinic_id, LOOK), str(clinic.checked_on or "")),
    )
    return [
        f"{clinic.clinic_id}: read {clinic.checked_on or 'never'}"
        + (", not certain" if clinic.clinic_id in first else "")
        for clinic in old[:limit]
    ]


def letters(directory: kf.Directory, folder: Path) -> int:
    """Write to each clinic what is not known of it, in its language."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    asked = {lang: _questions(directory, lang) for lang in GREETING}
    for clinic in directory.clinics:
        lang = "fr" if clinic.languages[:1] == ("fr",) else "en"
        mine = asked[lang].get(clinic.clinic_id)
        if not mine:
            continue
        lines = "\n".join(f"- {text}" for text in mine)
        text = GREETING[lang].format(name=clinic.name, questions=lines)
        write_whole(folder / f"{clinic.clinic_id}.txt", text, overwrite=True)
        written += 1
    return written


def _questions(directory: kf.Directory, lang: str) -> dict[str, list[str]]:
    """What is not known of each clinic, as questions, none twice: whether it is open, each flag."""
    flags = [term.id for term in directory.vocabulary.facet("flag")]
    found: dict[str, list[str]] = {}
    for where in (kf.everything(), *map(kf.flag, flags)):
        possible = directory.search(where=where, unknown="only")
        for one in possible.questions(LOOK, lang=lang).to_dict()["clinics"]:
            mine = found.setdefault(one["clinic_id"], [])
            mine += [text for text in one["questions"] if text not in mine]
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _text(rows: list[dict[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
