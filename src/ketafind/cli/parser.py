"""Which commands and options there are."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import NoReturn

from ketafind import __version__
from ketafind.cli import addresses, answers, commands

__all__ = ["data", "make_parser", "question", "spelled_out"]

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
    """Give ``--qualified`` its level where the next word is none of its levels.

    Parameters
    ----------
    argv : sequence of str
        The arguments.

    Returns
    -------
    list of str
        So that ``--qualified Kingston`` asks for a place.
    """
    out = list(argv)
    for at, word in enumerate(out):
        if word == "--qualified" and out[at + 1 : at + 2] not in ([level] for level in LEVELS):
            out[at] = f"--qualified={LEVELS[0]}"
    return out


def make_parser() -> ArgumentParser:
    """Describe the command line.

    Returns
    -------
    ArgumentParser
        Each command sets ``run``.
    """
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
    answers.add_commands(add, question, data)
    addresses.add_commands(add)
    info = add("info", help="this installation: version, index and data", allow_abbrev=False)
    info.set_defaults(run=commands.info)
    return parser


def _nearest(parser: ArgumentParser) -> None:
    question(parser)
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.set_defaults(run=commands.nearest)


def question(parser: ArgumentParser) -> None:
    """Add the options of a question.

    Parameters
    ----------
    parser : ArgumentParser
        Of a command that asks for the nearest clinics.
    """
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
    """Add the options that name a directory.

    Parameters
    ----------
    parser : ArgumentParser
        Of any command that needs one.
    """
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
