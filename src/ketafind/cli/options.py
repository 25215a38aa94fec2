"""What the options say: a directory, where to search from, and what is sought."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from ketafind.errors import InvalidInputError

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.geocoding import OfflineGeocoder, RegisterGeocoder
    from ketafind.matches import Matches
    from ketafind.vocabulary import Vocabulary

FACETS = (
    ("route", "routes", "iv"),
    ("staff", "psychiatrist"),
    ("condition", "conditions", "ptsd"),
    ("product", "products", "esketamine"),
    ("setting", "settings", "hospital"),
    ("language", "languages", "fr"),
)
"""The facets that have options: id, plural where it is another word, and a term as an example."""


def asked(arguments: Namespace) -> Matches:
    """Ask for the nearest clinics as the options say."""
    return directory_of(arguments).nearest(
        _origin(arguments),
        arguments.k,
        max_distance_km=arguments.max_distance_km,
        check=not arguments.no_check,
        **by_road(arguments),
        **sought(arguments),
    )


def by_road(arguments: Namespace) -> dict[str, Any]:
    """How one travels, as keywords of a query; none for straight lines."""
    if getattr(arguments, "roads", None) is None:
        if getattr(arguments, "max_time_min", None) is not None:
            raise InvalidInputError("--max-time-min goes with --roads")
        return {}
    from ketafind.travel import GraphRouter

    router = GraphRouter.open(arguments.roads, arguments.profile)
    return {"router": router, "max_time_min": arguments.max_time_min}


def sought(arguments: Namespace) -> dict[str, Any]:
    """What is sought, as keywords of a query."""
    facets = {facet: getattr(arguments, facet) for facet, *_ in FACETS}
    named = {facet: terms for facet, terms in facets.items() if terms is not None}
    return {"where": _criteria(arguments), "unknown": arguments.unknown, **named}


def _criteria(arguments: Namespace) -> Criteria | None:
    clauses = list(_clauses(arguments))
    return reduce(and_, clauses) if clauses else None


def _clauses(arguments: Namespace) -> Iterator[Criteria]:
    """Read what is sought beside terms of facets."""
    from ketafind.criteria import Criteria, at_least, at_most, flag, offers

    if arguments.where is not None:
        yield Criteria.from_json(arguments.where)
    if arguments.qualified is not None:
        from ketafind.qualification import qualified

        yield qualified(arguments.qualified)
    for text in arguments.facet or ():
        facet, separator, term = text.partition("=")
        if not separator:
            raise InvalidInputError(f"--facet {text}: write FACET=TERM, such as setting=hospital")
        yield offers(facet, term)
    for text in arguments.flag or ():
        name, _, answer = text.partition("=")
        if answer not in ("", "yes", "no"):
            raise InvalidInputError(f"--flag {text}: write {name}, {name}=yes or {name}=no")
        yield ~flag(name) if answer == "no" else flag(name)
    yield from (at_most(*bound) for bound in arguments.at_most or ())
    yield from (at_least(*bound) for bound in arguments.at_least or ())


def directory_of(arguments: Namespace) -> Directory:
    """Load the directory that the options name."""
    from ketafind.directory import load_directory

    if arguments.data is None:
        for option in ("evidence", "vocabulary"):
            if getattr(arguments, option) is not None:
                raise InvalidInputError(f"--{option} goes with --data")
        directory = load_directory(geocoder=geocoder_of(arguments))
    else:
        directory = read_directory(arguments.data, arguments, arguments.evidence)
    return directory if arguments.as_of is None else directory.as_of(arguments.as_of)


def read_directory(path: str, arguments: Namespace, evidence: str | None) -> Directory:
    """Open a saved directory, or read a file of clinics in one of the forms that are known."""
    from ketafind.directory import Directory
    from ketafind.show.exports import reader_of

    geocoder, words = geocoder_of(arguments), vocabulary_of(arguments)
    reader = "open" if path.endswith(".ketafind") else reader_of(path)
    if evidence is not None and reader != "from_csv":
        raise InvalidInputError(f"{path}: its evidence is in the file; --evidence goes with CSV")
    if reader == "open":
        if words is not None:
            raise InvalidInputError(f"{path}: a saved directory holds its vocabulary already")
        return Directory.open(path, geocoder=geocoder)
    given: dict[str, Any] = {"geocoder": geocoder, "vocabulary": words}
    if reader == "from_csv":
        given["evidence"] = evidence
    read: Callable[..., Directory] = getattr(Directory, reader)
    return read(path, **given)


def vocabulary_of(arguments: Namespace) -> Vocabulary | None:
    """Read the vocabulary that the options name."""
    from ketafind.vocabulary import Vocabulary

    return None if arguments.vocabulary is None else Vocabulary.read(arguments.vocabulary)


def address_geocoder(arguments: Namespace) -> OfflineGeocoder | RegisterGeocoder:
    """Open the street register that the options name, or make the geocoder of their region."""
    from ketafind.geocoding import OfflineGeocoder, RegisterGeocoder

    if arguments.register is None:
        return geocoder_of(arguments) or OfflineGeocoder()
    if arguments.region is not None:
        raise InvalidInputError("a register reads addresses of Ontario: leave --region out")
    return RegisterGeocoder.open(arguments.register)


def geocoder_of(arguments: Namespace) -> OfflineGeocoder | None:
    """Make the geocoder of the region that the options name."""
    from ketafind.geocoding import OfflineGeocoder

    return None if arguments.region is None else OfflineGeocoder(region=arguments.region)


def _origin(arguments: Namespace) -> Any:
    from ketafind.geo import Coordinates

    pair = (arguments.lat, arguments.lon)
    if (arguments.place is None) == (pair == (None, None)) or None in pair != (None, None):
        raise InvalidInputError("give a PLACE, or --lat and --lon together")
    if arguments.place is not None:
        return arguments.place
    return Coordinates(lat=arguments.lat, lon=arguments.lon)
