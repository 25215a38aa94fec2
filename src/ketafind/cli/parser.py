"""The commands and their options."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ketafind import __version__
from ketafind.cli import batch, commands
from ketafind.cli.commands import FACETS
from ketafind.show.exports import FORMATS

LEVELS = ("team", "full")
EXAMPLES = """\
examples:
  ketafind nearest "Kingston, ON" --route iv --condition depression -k 5
  ketafind nearest --lat 43.65 --lon -79.38 --staff psychiatrist --format json
  ketafind show providence-care-ketamine-clinic
  ketafind validate my_clinics.csv
  ketafind join people.csv --address postal_code --route iv --out near.csv
  ketafind geocode --in addresses.csv --out placed.csv
  ketafind export --out clinics.xlsx
"""

UNRECOGNIZED = "unrecognized arguments: "
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
        if message.startswith(UNRECOGNIZED):
            message = _unknown(message.removeprefix(UNRECOGNIZED).split())
            help_of += " COMMAND"
        self.exit(2, f"{self.prog}: {message}; see {help_of} --help\n")


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Give ``--qualified`` its level where the next word is none of its levels."""
    out = list(argv)
    for at, word in enumerate(out):
        if word == "--qualified" and out[at + 1 : at + 2] not in ([level] for level in LEVELS):
            out[at] = f"--qualified={LEVELS[0]}"
    return out


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


def _bound(text: str) -> tuple[str, float]:
    """Read a bound such as ``price_cad=300``."""
    quantity, _, number = text.partition("=")
    return quantity, _number(number)


_bound.__name__ = "QUANTITY=NUMBER"

Option = tuple[tuple[str, ...], dict[str, Any]]


def _option(*names: str, **settings: Any) -> Option:
    return names, settings


def _file(name: str, purpose: str) -> Option:
    return _option(name, metavar="FILE", help=purpose)


def _choice(name: str, purpose: str, *choices: str) -> Option:
    first = choices[0]
    return _option(name, choices=choices, default=first, help=f"{purpose} (default {first})")


REGION = _option(
    "--region", choices=("ON", "CA"), help="read addresses of Ontario, or of all of Canada"
)
WORDS = _file("--vocabulary", "the vocabulary of clinics of your own, JSON")
DATA = (
    _file("--data", "clinics of your own: CSV, saved, GeoJSON, FHIR, HSDS or a data package"),
    _file("--evidence", "the evidence of --data"),
    WORDS,
    _option("--as-of", metavar="DATE", help="believe only what is fresh on that day"),
    REGION,
)
SOUGHT = (
    *(
        _option(
            *(f"--{name}" for name in names),
            action="append",
            metavar="TERM",
            help=f"such as {shown}; several times for any of them",
        )
        for *names, shown in FACETS
    ),
    _option(
        "--facet",
        action="append",
        metavar="FACET=TERM",
        help="such as setting=hospital, or a facet of your own; several times for all of them",
    ),
    _option(
        "--flag",
        action="append",
        metavar="FLAG",
        help="such as virtual, or referral_required=no; several times for all of them",
    ),
    *(
        _option(name, action="append", type=_bound, metavar="QUANTITY=NUMBER", help=purpose)
        for name, purpose in (
            ("--at-most", "such as price_cad=300; several times for all of them"),
            ("--at-least", "the same from below"),
        )
    ),
    _option(
        "--qualified",
        nargs="?",
        const=LEVELS[0],
        choices=LEVELS,
        help="by the rule set on-2026.1: team (default) or full",
    ),
    _option("--where", metavar="JSON", help="criteria.to_json(), joined to the others"),
    _option(
        "--unknown",
        choices=("exclude", "include", "only"),
        default="exclude",
        help="clinics that may match, not known: leave them out (default), add them, only them",
    ),
    _option("--max-distance-km", type=_number, metavar="KM", help="leave out what is farther"),
    _option("--no-check", action="store_true", help="accept a place that looks swapped or far off"),
    *DATA,
)
QUESTION = (
    _option("place", nargs="?", metavar="PLACE", help="address, postal code or town"),
    _option("--lat", type=_number, help="instead of PLACE: latitude in degrees"),
    _option("--lon", type=_number, help="instead of PLACE: longitude in degrees"),
    _option("-k", type=_whole, default=5, help="how many (default 5)"),
    *SOUGHT,
)
LANG = _choice("--lang", "the language", "en", "fr")
LABELS = _option(
    "--lang", choices=("en", "fr"), help="the language (default en); in JSON labels beside ids"
)
TABLE = _choice("--format", "how it is printed", "table", "json")
SAID = (LANG, _choice("--format", "how it is printed", "text", "json"))
ROADS = (
    _file("--roads", "order by travel time on this network, from roads build"),
    _option("--profile", default="car", help="how one travels: car (default), foot, bicycle"),
    _option("--max-time-min", type=_number, metavar="MIN", help="leave out what takes longer"),
)
NEAREST = (
    *QUESTION,
    LABELS,
    *ROADS,
    _choice("--format", "how it is printed", "table", "json", "geojson", "csv"),
)
CLINIC = _option("clinic_id", metavar="CLINIC_ID", help="such as caledon-clinic")
SHOW = (CLINIC, TABLE, LANG, *DATA)
VALIDATE = (
    _file("file", "a CSV file of clinics, one row a service"),
    _file("--evidence", "its CSV file of evidence"),
    WORDS,
    REGION,
    LANG,
)
FACET = _option("facet", nargs="?", metavar="FACET", help="such as route; all if left out")
EXPLAIN = (
    *QUESTION,
    _option("--why-not", metavar="CLINIC_ID", help="why this clinic is not in it"),
    _option("--relax", action="store_true", help="the smallest changes that bring more"),
    *SAID,
)
DIFF = (
    _option("old", metavar="OLD", help="clinics, as --data takes them"),
    _option("new", metavar="NEW", help="the later ones"),
    _file("--old-evidence", "the evidence of OLD"),
    _file("--new-evidence", "the evidence of NEW"),
    WORDS,
    REGION,
    *SAID,
)
STATE = (
    *DATA,
    _option("--doubts", action="store_true", help="what to look into, instead"),
    *SAID,
)
SERVER = (
    *DATA,
    _option("--precise-places", action="store_true", help="take addresses and full codes as well"),
)
OUT = (
    _option("--prefix", default="", help="put before the names of the columns that are added"),
    _option("--out", metavar="FILE", default="-", help=".csv or .parquet; - (default) for CSV out"),
    _option("--overwrite", action="store_true", help="replace FILE if it is there"),
)
TO_FILE = (
    _option("--out", metavar="FILE", required=True, help="to write; its ending says what it is"),
    _option("--overwrite", action="store_true", help="replace FILE if it is there"),
    LANG,
)
PLOT = (
    *QUESTION,
    *TO_FILE,
    _option("--title", help="what stands above the map"),
    _option("--width", type=_number, default=7.2, metavar="INCHES", help="(default 7.2)"),
    _option("--height", type=_number, default=4.8, metavar="INCHES", help="(default 4.8)"),
)
MAP = (
    *QUESTION,
    *TO_FILE,
    _option("--column", metavar="NAME", help="what colours the marks, such as status"),
    _option("--with-origin", action="store_true", help="mark the place; others may see the page"),
)
PLACE = (
    _option("text", nargs="?", metavar="TEXT", help="on one line, as people write it"),
    _file("--register", "a street register to ask first"),
    REGION,
    TABLE,
    LANG,
    _option(
        "--in", dest="input", metavar="FILE", help="many addresses: .csv or .parquet; - for CSV in"
    ),
    _option(
        "--address",
        action="append",
        metavar="COLUMN",
        help="of FILE (default address); several times for its parts",
    ),
    *OUT,
)
JOIN = (
    _option("file", metavar="FILE", help="a row each: .csv or .parquet; - for CSV in"),
    _option("--lat", metavar="COLUMN", help="latitude in degrees (default lat)"),
    _option("--lon", metavar="COLUMN", help="longitude in degrees (default lon)"),
    _option(
        "--address",
        action="append",
        metavar="COLUMN",
        help="instead: an address, postal code or town; several times for its parts",
    ),
    _option("-k", type=_whole, default=1, help="how many for each row (default 1)"),
    *SOUGHT,
    *ROADS,
    _option("--columns", metavar="NAMES", help="what to add of each clinic, such as name,phone"),
    _choice("--shape", "a row for each clinic, or columns for each", "long", "wide"),
    _choice("--how", "keep rows without a clinic, or not", "left", "inner"),
    LANG,
    *OUT,
)

EXPORT = (
    *QUESTION,
    *TO_FILE,
    _option("--format", choices=tuple(FORMATS), help="what FILE is; its ending says it otherwise"),
    _option("--spreadsheet", action="store_true", help="in CSV, no text that becomes a formula"),
)

Run = Callable[[Namespace], int | None]
COMMANDS: tuple[tuple[str, Run, str, Sequence[Option]], ...] = (
    ("nearest", commands.nearest, "the nearest clinics that match", NEAREST),
    ("show", commands.show, "one clinic: its facts and their evidence", SHOW),
    ("validate", commands.validate, "every fault of a file of clinics", VALIDATE),
    ("vocabulary", commands.vocabulary, "the terms that queries know", (FACET, WORDS, LANG)),
    ("explain", commands.explain, "why each clinic is in the answer, or is not", EXPLAIN),
    ("questions", commands.questions, "what to ask which clinic", (*QUESTION, *SAID)),
    ("diff", commands.diff, "what changed from one directory to another", DIFF),
    ("profile", commands.profile, "how complete, precise and old the data are", STATE),
    ("geocode", batch.geocode, "place an address, postal code or town, or many", PLACE),
    ("map", commands.explore, "a map to pan and zoom of the nearest clinics", MAP),
    ("page", commands.page, "a page in which anybody finds the nearest clinics", (*TO_FILE, *DATA)),
    ("plot", commands.plot, "the nearest clinics on a map, as a picture", PLOT),
    ("join", batch.join, "the nearest clinics of every row of a file", JOIN),
    ("mcp", commands.mcp, "a server for agents, on standard input and output", SERVER),
    ("export", commands.export, "clinics, or an answer, for other programs", EXPORT),
    ("info", commands.info, "this installation: version, index and data", ()),
)


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
    for name, run, purpose, options in COMMANDS:
        said = f"{purpose[0].upper()}{purpose[1:]}."
        command = subparsers.add_parser(name, help=purpose, description=said, allow_abbrev=False)
        command.set_defaults(run=run)
        for names, settings in options:
            command.add_argument(*names, **settings)
    purpose = "build a street register of your own"
    _add_build(subparsers.add_parser("geocoder", help=purpose, allow_abbrev=False))
    purpose = "build a network of roads, for travel times"
    _add_roads(subparsers.add_parser("roads", help=purpose, allow_abbrev=False))
    return parser


def _add_roads(parser: ArgumentParser) -> None:
    build = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "build", help="from an extract of OpenStreetMap", allow_abbrev=False
    )
    build.add_argument("extract", metavar="EXTRACT", help="an .osm.pbf or .osm file")
    build.add_argument("-o", "--out", metavar="FILE", required=True, help="the file to write")
    build.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    build.add_argument(
        "--profile",
        nargs="+",
        default=["car"],
        metavar="PROFILE",
        help="car (default), foot, bicycle: one or several",
    )
    clip = build.add_mutually_exclusive_group()
    clip.add_argument("--clip", metavar="GEOJSON", help="a polygon: leave out what is outside")
    clip.add_argument(
        "--around",
        metavar="CLINICS",
        help="the same around clinics, as --data takes them; - the bundled",
    )
    build.add_argument(
        "--margin-km", type=_number, default=50.0, help="how far around them (default 50)"
    )
    build.set_defaults(run=commands.build_roads, evidence=None, vocabulary=None, region=None)


def _add_build(parser: ArgumentParser) -> None:
    build = parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "build", help="from a National Address Register or OpenAddresses", allow_abbrev=False
    )
    source = build.add_mutually_exclusive_group(required=True)
    source.add_argument("--nar", metavar="ZIP", help="Statistics Canada's register, as it comes")
    source.add_argument("--openaddresses", metavar="FILE", help="CSV or line-delimited GeoJSON")
    build.add_argument("-o", "--out", metavar="FILE", required=True, help="the file to write")
    build.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    build.set_defaults(run=commands.build_register)
