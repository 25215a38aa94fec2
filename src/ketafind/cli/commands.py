"""What each command does."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from ketafind.cli.facts import HEADERS, facts_of
from ketafind.errors import DataError, InvalidInputError
from ketafind.tables.exports import csv_text
from ketafind.tables.text import printable, terminal_width, text_table

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.matches import Matches
    from ketafind.records import Clinic

__all__ = [
    "asked",
    "directory_of",
    "info",
    "nearest",
    "read_directory",
    "show",
    "validate",
    "vocabulary",
]

FACETS = ("route", "staff", "condition", "product", "setting", "language")


def nearest(arguments: Namespace) -> int:
    """Print the nearest clinics that match.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code; 0 where none matches, too.
    """
    matches = asked(arguments)
    if arguments.format == "json":
        print(_json(matches, arguments))
    elif arguments.format == "geojson":
        print(json.dumps(matches.to_geojson(), indent=2, ensure_ascii=False, allow_nan=False))
    elif arguments.format == "csv":
        print(csv_text(matches.columns()), end="")
    else:
        print(matches)
    return 0


def asked(arguments: Namespace) -> Matches:
    """Ask for the nearest clinics as the options say.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    Matches
        The answer.
    """
    from ketafind.criteria import Criteria

    where = None if arguments.where is None else Criteria.from_json(arguments.where)
    if arguments.qualified is not None:
        from ketafind.qualification import qualified

        needed = qualified(arguments.qualified)
        where = needed if where is None else where & needed
    facets = {facet: getattr(arguments, facet) for facet in FACETS}
    return directory_of(arguments).nearest(
        _origin(arguments),
        arguments.k,
        where=where,
        unknown=arguments.unknown,
        max_distance_km=arguments.max_distance_km,
        check=not arguments.no_check,
        **{facet: terms for facet, terms in facets.items() if terms is not None},
    )


def show(arguments: Namespace) -> int:
    """Print one clinic's facts, each with its evidence.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code.
    """
    directory = directory_of(arguments)
    clinic = directory[arguments.clinic_id]
    made = directory.decisions(clinic.clinic_id, arguments.as_of)
    if arguments.format == "json":
        said = {"clinic_id": clinic.clinic_id, "name": clinic.name, "status": clinic.status}
        print(json.dumps(said | {"facts": facts_of(clinic, made)}, indent=2, ensure_ascii=False))
        return 0
    print(printable(f"{clinic.name} ({clinic.clinic_id}), {clinic.status}"))
    print(printable(f"{clinic.address or 'no address'} [{_where(clinic)}]"), end="\n\n")
    facts = facts_of(clinic, made)
    # The last column says what is not believed: rarely anything.
    headers = HEADERS if any(fact["believed"] == "no" for fact in facts) else HEADERS[:-1]
    rows = [[fact[name] for name in headers] for fact in facts]
    print(text_table(rows, headers, terminal_width()))
    return 0


def _where(clinic: Clinic) -> str:
    place = clinic.location
    if place is None:
        return "no position"
    if place.precision == "unknown":
        within = f", within {place.radius_km:.1f} km" if place.radius_km else ""
        return f"position as given{within}"
    return f"{place.precision}, within {place.radius_km:.1f} km"


def validate(arguments: Namespace) -> int:
    """Print every fault of a file of clinics.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        1 if there is a fault.
    """
    from ketafind.directory import Directory

    try:
        directory = Directory.from_csv(arguments.file, evidence=arguments.evidence)
    except DataError as error:
        for fault in error.faults:
            print(printable(f"{error.source}: {fault}"))
        print(printable(str(error).splitlines()[0]), file=sys.stderr)
        return 1
    n, unlocated = len(directory), sum(clinic.location is None for clinic in directory)
    clinics = "1 clinic" if n == 1 else f"{n} clinics"
    print(printable(f"{arguments.file}: no fault in {clinics}, {unlocated} without a position"))
    for clinic in directory:
        if clinic.location is None and "geocoding" in clinic.extra:
            print(printable(f"{clinic.clinic_id}: no position: {clinic.extra['geocoding']}"))
    return 0


def info(_arguments: Namespace) -> int:
    """Print what is installed, and whether searches run on the compiled core.

    Parameters
    ----------
    _arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code.
    """
    from ketafind import __version__
    from ketafind.directory import load_directory
    from ketafind.distance import compiled_core

    directory = load_directory()
    index = "KernelIndex (compiled core)"
    if compiled_core() is None:
        index = (
            "ScanIndex (plain scan: installed without a C compiler; the answers are the same, "
            "large directories are slower)"
        )
    rows = [
        ["ketafind", __version__],
        ["Python", sys.version.split()[0]],
        ["index", index],
        ["data", f"{len(directory)} clinics, {directory.snapshot}"],
        ["places", "GeoNames, CC BY 4.0, and the sources named in NOTICE"],
    ]
    print(text_table(rows, ("", ""), terminal_width()))
    return 0


def vocabulary(arguments: Namespace) -> int:
    """Print the terms of a facet, or of all.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code.
    """
    from ketafind.vocabulary import default_vocabulary

    words = default_vocabulary()
    facets = words.facets if arguments.facet is None else (words.facet(arguments.facet),)
    rows = [
        [facet.id, "  " * len(facet.ancestors(term.id)) + term.id, term.label(arguments.lang)]
        for facet in facets
        for term in facet.terms
    ]
    print(text_table(rows, ("facet", "term", "label"), terminal_width()))
    return 0


def directory_of(arguments: Namespace) -> Directory:
    """Load the directory that the options name.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    Directory
        The bundled one unless another is named; as of a day if one is.
    """
    from ketafind.directory import load_directory

    if arguments.data is None:
        if arguments.evidence is not None:
            raise InvalidInputError("--evidence goes with --data")
        directory = load_directory()
    else:
        directory = read_directory(arguments.data, arguments.evidence)
    return directory if arguments.as_of is None else directory.as_of(arguments.as_of)


def read_directory(path: str, evidence: str | None = None) -> Directory:
    """Open a saved directory, or read one from CSV.

    Parameters
    ----------
    path : str
        ``.ketafind`` for a saved one.
    evidence : str, optional
        The CSV file of evidence.

    Returns
    -------
    Directory
        What the file holds.
    """
    from ketafind.directory import Directory

    if path.endswith(".ketafind"):
        return Directory.open(path)
    return Directory.from_csv(path, evidence=evidence)


def _origin(arguments: Namespace) -> Any:
    from ketafind.coordinates import Coordinates

    pair = (arguments.lat, arguments.lon)
    if (arguments.place is None) == (pair == (None, None)) or None in pair != (None, None):
        raise InvalidInputError("give a PLACE, or --lat and --lon together")
    if arguments.place is not None:
        return arguments.place
    return Coordinates(lat=arguments.lat, lon=arguments.lon)


def _json(matches: Matches, arguments: Namespace) -> str:
    answer = {
        # The origin stays out: it is the searcher's own.
        "query": {
            "where": matches.criteria.to_dict(),
            "unknown": matches.unknown,
            "k": arguments.k,
            "max_distance_km": arguments.max_distance_km,
        },
        "snapshot": {"id": matches.snapshot.id, "date": str(matches.snapshot.date)},
        "n_eligible": matches.n_eligible,
        "n_possible": matches.n_possible,
        "n_unlocated": matches.n_unlocated,
        "order_certain": matches.order_certain,
        "matches": matches.to_dicts(),
    }
    return json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)
