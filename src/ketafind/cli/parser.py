"""The commands and their options."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ketafind import __version__
from ketafind.cli import commands
from ketafind.errors import GeocodingError
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.records import Location
from ketafind.show.text import printable

__all__ = [
    "add_commands",
    "build_register_command",
    "data",
    "describe",
    "explain_failure",
    "geocode_command",
    "make_parser",
    "question",
    "spelled_out",
]


def describe(location: Location) -> dict[str, Any]:
    """Turn a location into plain data for printing."""
    return {
        "label": location.label,
        "lat": location.lat,
        "lon": location.lon,
        "precision": location.precision,
        "radius_km": location.radius_km,
        "match": location.match,
        "corrections": list(location.corrections),
        "source": location.source,
        "candidates": [describe(candidate) for candidate in location.candidates],
    }


def geocode_command(text: str, register: str | Path | None = None) -> dict[str, Any]:
    """Answer ``ketafind geocode TEXT``."""
    if register is None:
        return describe(OfflineGeocoder().geocode(text))
    from ketafind.geocoding.register import RegisterGeocoder

    return describe(RegisterGeocoder.open(register).geocode(text))


def build_register_command(
    out: str | Path, nar: str | Path | None = None, openaddresses: str | Path | None = None
) -> str:
    """Answer ``ketafind geocoder build --nar ZIP | --openaddresses FILE -o OUT``."""
    from ketafind.geocoding.register_build import build_register

    meta = build_register(out, nar=nar, openaddresses=openaddresses)
    return (
        f"{out}: {meta['points']:,} addresses on {meta['streets']:,} streets, of {meta['rows']:,} "
        f"rows of {meta['source']}. {meta['licence']}"
    )


def explain_failure(error: GeocodingError) -> str:
    """Print a failure with the places it could be."""
    lines = [str(error)]
    lines += [f"  {c.label or c.source}: {c.lat:.4f}, {c.lon:.4f}" for c in error.candidates]
    return "\n".join(lines)


def add_commands(add: Any) -> None:
    """Describe the commands."""
    asked = add("geocode", help="place an address, postal code or town", allow_abbrev=False)
    asked.add_argument("text", metavar="TEXT", help="on one line, as people write it")
    asked.add_argument("--register", metavar="FILE", help="a street register to ask first")
    asked.add_argument("--format", choices=("table", "json"), default="table")
    asked.set_defaults(run=_geocode)
    parser: ArgumentParser = add(
        "geocoder", help="build a street register of your own", allow_abbrev=False
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    build = commands.add_parser(
        "build", help="from a National Address Register or OpenAddresses", allow_abbrev=False
    )
    source = build.add_mutually_exclusive_group(required=True)
    source.add_argument("--nar", metavar="ZIP", help="Statistics Canada's register, as it comes")
    source.add_argument("--openaddresses", metavar="FILE", help="CSV or line-delimited GeoJSON")
    build.add_argument("-o", "--out", metavar="FILE", required=True, help="the file to write")
    build.set_defaults(run=_build)


def _geocode(arguments: Namespace) -> int:

    found = geocode_command(arguments.text, arguments.register)
    if arguments.format == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return 0
    print(printable(f"{found['label']}: {found['lat']:.5f}, {found['lon']:.5f}"))
    print(printable(f"{found['precision']}, within {found['radius_km']:.1f} km at 90 %"))
    notes = [] if found["match"] == "exact" else [f"match: {found['match']}"]
    notes += [*found["corrections"], f"source: {found['source']}"]
    for note in notes:
        print(printable(note))
    return 0


def _build(arguments: Namespace) -> int:

    said = build_register_command(
        arguments.out, nar=arguments.nar, openaddresses=arguments.openaddresses
    )
    print(printable(said))
    return 0


LEVELS = ("team", "full")
FORMATS = ("table", "json", "geojson", "csv")
EXAMPLES = """\
examples:
  ketafind nearest "Kingston, ON" --route iv --condition depression -k 5
  ketafind nearest --lat 43.65 --lon -79.38 --staff psychiatrist --format json
  ketafind show providence-care-ketamine-clinic
  ketafind validate my_clinics.csv
"""


UNKNOWN = "unrecognized arguments: "
"""How argparse begins; what follows may be where somebody searches from, or a key."""


def _unknown(words: list[str]) -> str:
    options = [word.partition("=")[0] for word in words if word[:1] == "-" and word[1:2] > "9"]
    options += [word.partition("=")[0] for word in words if word[:2] == "--"]
    if options:
        return f"there is no option {', '.join(dict.fromkeys(options))}"
    return "too many words: put a place of several words in quotes"


class _Parser(ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        help_of = self.prog
        if message.startswith(UNKNOWN):
            message = _unknown(message.removeprefix(UNKNOWN).split())
            help_of += " COMMAND"
        self.exit(2, f"{self.prog}: {message}; see {help_of} --help\n")


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Give ``--qualified`` its level where the next word is none of its levels."""
    out = list(argv)
    for at, word in enumerate(out):
        if word == "--qualified" and out[at + 1 : at + 2] not in ([level] for level in LEVELS):
            out[at] = f"--qualified={LEVELS[0]}"
    return out


def make_parser() -> ArgumentParser:
    """Describe the command line."""
    parser = _Parser(
        prog="ketafind",
        description="Find the nearest qualified providers. Offline: no command asks a network.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ketafind {__version__}")
    add = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser
    _nearest(add("nearest", help="the nearest clinics that match", allow_abbrev=False))
    _show(add("show", help="one clinic: its facts and their evidence", allow_abbrev=False))
    _validate(add("validate", help="every fault of a file of clinics", allow_abbrev=False))
    _vocabulary(add("vocabulary", help="the terms that queries know", allow_abbrev=False))
    commands.add_commands(add, question, data)
    add_commands(add)
    info = add("info", help="this installation: version, index and data", allow_abbrev=False)
    info.set_defaults(run=commands.info)
    return parser


def _nearest(parser: ArgumentParser) -> None:
    question(parser)
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.set_defaults(run=commands.nearest)


def question(parser: ArgumentParser) -> None:
    """Add the options of a question."""
    parser.add_argument("place", nargs="?", metavar="PLACE", help="address, postal code or town")
    parser.add_argument("--lat", type=_number, help="instead of PLACE: latitude in degrees")
    parser.add_argument("--lon", type=_number, help="instead of PLACE: longitude in degrees")
    for facet, plural, shown in (
        ("route", ["--routes"], "iv"),
        ("staff", [], "psychiatrist"),
        ("condition", ["--conditions"], "ptsd"),
        ("product", ["--products"], "esketamine"),
        ("setting", ["--settings"], "hospital"),
        ("language", ["--languages"], "fr"),
    ):
        parser.add_argument(
            f"--{facet}",
            *plural,
            action="append",
            metavar="TERM",
            help=f"such as {shown}; several times for any of them",
        )
    parser.add_argument(
        "--qualified",
        nargs="?",
        const="team",
        choices=LEVELS,
        help="by the rule set on-2026.1: team (default) or full",
    )
    parser.add_argument("--where", metavar="JSON", help="criteria.to_json(), joined to the others")
    parser.add_argument(
        "--unknown",
        choices=("exclude", "include", "only"),
        default="exclude",
        help="clinics of which it is not known: leave them out (default), add them, only them",
    )
    parser.add_argument("-k", type=_whole, default=5, help="how many (default 5)")
    parser.add_argument("--max-distance-km", type=_number, metavar="KM", help="none farther")
    parser.add_argument(
        "--no-check", action="store_true", help="accept a place that looks swapped or far off"
    )
    data(parser)


def _show(parser: ArgumentParser) -> None:
    parser.add_argument("clinic_id", metavar="CLINIC_ID", help="such as caledon-clinic")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    data(parser)
    parser.set_defaults(run=commands.show)


def _validate(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a CSV file of clinics, one row a service")
    parser.add_argument("--evidence", metavar="FILE", help="its CSV file of evidence")
    parser.set_defaults(run=commands.validate)


def _vocabulary(parser: ArgumentParser) -> None:
    parser.add_argument("facet", nargs="?", metavar="FACET", help="such as route; all if left out")
    parser.add_argument("--lang", choices=("en", "fr"), default="en")
    parser.set_defaults(run=commands.vocabulary)


def data(parser: ArgumentParser) -> None:
    """Add the options that name a directory."""
    parser.add_argument("--data", metavar="FILE", help="clinics of your own, CSV or saved")
    parser.add_argument("--evidence", metavar="FILE", help="the evidence of --data")
    parser.add_argument("--as-of", metavar="DATE", help="believe only what is fresh on that day")


def _typed(kind: Callable[[str], float], name: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        # int() and float() also take 4_3 and full-width digits: nobody means those.
        if not text.isascii() or "_" in text:
            raise ValueError(text)
        return kind(text)

    read.__name__ = name
    return read


_number = _typed(float, "number")
_whole = _typed(int, "whole number")
