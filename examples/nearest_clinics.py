"""Which clinics near a place give ketamine by infusion for depression, and what is not known?

    python examples/nearest_clinics.py ["PLACE"] [GEOJSON_FILE]

Runs offline. With a second argument, writes the answer as GeoJSON for a map.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ketafind as kf


def print_confirmed(near: kf.Matches) -> None:
    """The table, then for each clinic the page that says it gives infusions."""
    print(near, end="\n\n")
    for match in near:
        for fact in match.evidence():
            if (fact.facet, fact.term) == ("route", "iv"):
                print(f"{match.rank}  {fact.hint} ({fact.source_class}, read {fact.checked_on})")
                print(f"   {fact.source_url}")


def print_possible(directory: kf.Directory, place: str, wanted: kf.Criteria) -> None:
    """Clinics that may qualify, nearer than the confirmed ones or not: worth a phone call."""
    for match in directory.nearest(place, k=3, where=wanted, unknown="only"):
        clinic = match.clinic
        contact = clinic.phone or clinic.website or "no contact known"
        print(f"about {match.distance_km:.0f} km  {clinic.name} ({clinic.status}): {contact}")


def main(place: str = "K7L 3N6", file: str | None = None) -> int:
    """Print the answer; 2 if the place is not one."""
    directory = kf.load_directory()
    wanted = kf.route("iv") & kf.treats("depression")
    try:
        near = directory.nearest(place, k=3, where=wanted)
    except kf.errors.GeocodingError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{directory!r}\n\nConfirmed: {wanted}\n")
    print_confirmed(near)
    print("\nThe pages do not say; ask:\n")
    print_possible(directory, place, wanted)
    if file is not None:
        Path(file).write_text(json.dumps(near.to_geojson(), indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
