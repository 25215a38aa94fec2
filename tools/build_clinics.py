"""Rebuild what is derived in the bundled data: positions in the CSV, counts in docs/data.md.

    python tools/build_clinics.py            rewrite both files
    python tools/build_clinics.py --check    exit 1 if either is not what this script makes

Positions come from the bundled offline geocoder and the address columns alone; they are never
typed by hand.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ketafind.errors import GeocodingError
from ketafind.geocoding import geocode
from ketafind.records import Clinic
from ketafind.vocabulary import default_vocabulary

ROOT = Path(__file__).resolve().parent.parent
CLINICS = ROOT / "data" / "ontario_clinics.csv"
EVIDENCE = ROOT / "data" / "ontario_clinics_evidence.csv"
DOCUMENT = ROOT / "docs" / "data.md"
BEGIN, END = "<!-- counts: begin -->\n", "<!-- counts: end -->\n"
ADDRESS = ("street_address", "city", "province", "postal_code")
FLAGS = ("referral_required", "ohip_covered", "virtual")

Row = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the files, or compare them with what would be written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 on a difference"
    )
    check = parser.parse_args(arguments).check
    rows = located(read(CLINICS))
    made = {CLINICS: written(rows), DOCUMENT: with_counts(rows, read(EVIDENCE))}
    stale = [path for path, text in made.items() if path.read_bytes() != text.encode()]
    for path in stale:
        if not check:
            path.write_bytes(made[path].encode())
        print(
            f"{path.relative_to(ROOT)}: {'differs from' if check else 'rewritten as'} what is made"
        )
    return 1 if check and stale else 0


def read(path: Path) -> list[Row]:
    """Read a CSV as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def written(rows: Sequence[Row]) -> str:
    """Write rows as CSV, in the order of the first one's columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def located(rows: Iterable[Row]) -> list[Row]:
    """Replace the position of every row by what the geocoder makes of its address."""
    return [row | position(row) for row in rows]


def position(row: Row) -> Row:
    """Geocode the address of one row; where no page names so much as a city, nothing is known."""
    if not any(row[name] for name in ("street_address", "city", "postal_code")):
        return dict.fromkeys(("lat", "lon", "precision", "radius_km"), "")
    address = Clinic(
        clinic_id=row["clinic_id"], name=row["name"], **{name: row[name] for name in ADDRESS}
    ).address
    try:
        location = geocode(address)
    except GeocodingError as error:
        raise SystemExit(f"{row['clinic_id']}: {error}") from error
    return {
        "lat": f"{location.lat:.5f}",
        "lon": f"{location.lon:.5f}",
        "precision": location.precision,
        "radius_km": f"{location.radius_km:.2f}",
    }


def with_counts(rows: Sequence[Row], evidence: Sequence[Row]) -> str:
    """Put the counts between their two marks in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + counts(rows, evidence) + "\n" + END + after


def counts(rows: Sequence[Row], evidence: Sequence[Row]) -> str:
    """Count clinics, facts, unknowns and sources."""
    clinics = list({row["clinic_id"]: row for row in rows}.values())
    pages = len({row["source_url"] for row in evidence})
    parts = [
        f"{len(clinics)} clinics, {len(rows)} services, {len(evidence)} evidence rows, {pages} pages.",
        table(("clinics", "n"), tally(clinics)),
        table(("facts of services", "yes", "no", "services with nothing stated"), facts(rows)),
        table(("evidence", "rows"), sources(evidence)),
    ]
    return "\n\n".join(parts) + "\n"


def tally(clinics: Sequence[Row]) -> list[tuple[object, ...]]:
    """Count clinics by status, by precision, and by the fields that are known."""
    lines: list[tuple[object, ...]] = []
    for column in ("status", "precision"):
        found = Counter(row[column] for row in clinics)
        lines += [(f"{column}: {value or 'not located'}", n) for value, n in sorted(found.items())]
    for column in ("street_address", "postal_code", "phone", "website", "languages"):
        lines.append((f"{column} known", sum(bool(row[column]) for row in clinics)))
    return lines


def facts(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Count for each facet and yes-no fact what is stated, and where nothing is."""
    lines: list[tuple[object, ...]] = []
    for facet in default_vocabulary().facets:
        if facet.plural not in rows[0]:
            continue  # flags are columns of their own
        yes = [len(row[facet.plural].split(";")) if row[facet.plural] else 0 for row in rows]
        no = [
            sum(fact.startswith(f"{facet.id}:") for fact in row["not_offered"].split(";"))
            for row in rows
        ]
        empty = sum(not y and not n for y, n in zip(yes, no, strict=True))
        lines.append((facet.plural, sum(yes), sum(no), empty))
    for flag in FLAGS:
        said = Counter(row[flag] for row in rows)
        lines.append((flag, said["yes"] + said["partial"], said["no"], said[""]))
    return lines


def sources(evidence: Sequence[Row]) -> list[tuple[object, ...]]:
    """Count the evidence by class and scope, and that whose page gives a date."""
    lines: list[tuple[object, ...]] = []
    for column in ("source_class", "scope"):
        found = Counter(row[column] for row in evidence)
        lines += [(f"{column}: {value}", n) for value, n in sorted(found.items())]
    return [*lines, ("page_date known", sum(bool(row["page_date"]) for row in evidence))]


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Write a table in Markdown, numbers to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [head, rule, *lines])


if __name__ == "__main__":
    sys.exit(main())
