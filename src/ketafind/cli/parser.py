"""The commands and their options."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import NoReturn

from ketafind import __version__
from ketafind.cli import commands

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
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, purpose: str, run: Callable[[Namespace], int]) -> ArgumentParser:
        command = subparsers.add_parser(name, help=purpose, allow_abbrev=False)
        command.set_defaults(run=run)
        return command

    near = add("nearest", "the nearest clinics that match", commands.nearest)
    _question(near)
    near.add_argument("--format", choices=FORMATS, default="table")
    one = add("show", "one clinic: its facts and their evidence", commands.show)
    one.add_argument("clinic_id", metavar="CLINIC_ID", help="such as caledon-clinic")
    one.add_argument("--format", choices=("table", "json"), default="table")
    _data(one)
    file = add("validate", "every fault of a file of clinics", commands.validate)
    file.add_argument("file", metavar="FILE", help="a CSV file of clinics, one row a service")
    file.add_argument("--evidence", metavar="FILE", help="its CSV file of evidence")
    words = add("vocabulary", "the terms that queries know", commands.vocabulary)
    words.add_argument("facet", nargs="?", metavar="FACET", help="such as route; all if left out")
    words.add_argument("--lang", choices=("en", "fr"), default="en")
    why = add("explain", "why each clinic is in the answer, or is not", commands.explain)
    _question(why)
    why.add_argument("--why-not", metavar="CLINIC_ID", help="why this clinic is not in it")
    why.add_argument("--relax", action="store_true", help="the smallest changes that bring more")
    whom = add("questions", "what to ask which clinic", commands.questions)
    _question(whom)
    changes = add("diff", "what changed from one directory to another", commands.diff)
    changes.add_argument("old", metavar="OLD", help="clinics, CSV or saved")
    changes.add_argument("new", metavar="NEW", help="the later ones")
    changes.add_argument("--old-evidence", metavar="FILE", help="the evidence of OLD")
    changes.add_argument("--new-evidence", metavar="FILE", help="the evidence of NEW")
    state = add("profile", "how complete, precise and old the data are", commands.profile)
    _data(state)
    state.add_argument("--doubts", action="store_true", help="what to look into, instead")
    for command in (why, whom, changes, state):
        command.add_argument("--lang", choices=("en", "fr"), default="en")
        command.add_argument("--format", choices=("text", "json"), default="text")
    place = add("geocode", "place an address, postal code or town", commands.geocode)
    place.add_argument("text", metavar="TEXT", help="on one line, as people write it")
    place.add_argument("--register", metavar="FILE", help="a street register to ask first")
    place.add_argument("--format", choices=("table", "json"), default="table")
    _geocoder(
        subparsers.add_parser(
            "geocoder", help="build a street register of your own", allow_abbrev=False
        )
    )
    add("info", "this installation: version, index and data", commands.info)
    return parser


def _geocoder(parser: ArgumentParser) -> None:
    build = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "build", help="from a National Address Register or OpenAddresses", allow_abbrev=False
    )
    source = build.add_mutually_exclusive_group(required=True)
    source.add_argument("--nar", metavar="ZIP", help="Statistics Canada's register, as it comes")
    source.add_argument("--openaddresses", metavar="FILE", help="CSV or line-delimited GeoJSON")
    build.add_argument("-o", "--out", metavar="FILE", required=True, help="the file to write")
    build.set_defaults(run=commands.build_register)


def _question(parser: ArgumentParser) -> None:
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
    _data(parser)


def _data(parser: ArgumentParser) -> None:
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
