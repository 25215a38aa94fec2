"""The command line: ``ketafind nearest PLACE --route iv`` and its siblings."""

from __future__ import annotations

import os
import re
import sys
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from io import TextIOWrapper
from typing import Any, NoReturn

from ketafind import __version__
from ketafind.errors import FileFailedError, GeocodingError, KetafindError, packaged
from ketafind.records import Location
from ketafind.shapes import in_language

__all__ = ["main"]

INPUT, FAILURE, INTERRUPTED = 2, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    # Of a stream that is closed Python makes None, and prints what was for it to another.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        print("ketafind: standard output is closed", file=sys.stderr)
        return FAILURE
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _give_up(error)


def _run(argv: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown escaped, never a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    lang = "en"
    try:
        arguments = make_parser().parse_args(spelled_out(sys.argv[1:] if argv is None else argv))
        lang = getattr(arguments, "lang", None) or lang
        with warnings.catch_warnings(action="always", category=UserWarning):
            warnings.showwarning = lambda message, *_: _say(in_language(str(message), lang), lang)
            code = arguments.run(arguments) or 0
        sys.stdout.flush()
    except KetafindError as error:
        return _refuse(error, lang)
    return int(code)


def _refuse(error: KetafindError, lang: str) -> int:
    said = error.text(lang)
    if isinstance(error, GeocodingError) and error.candidates:
        first, *more = said.splitlines()
        first += f" ({'; '.join(_named(place, lang) for place in error.candidates)})"
        said = "\n".join((first, *more))
    _say(said, lang)
    return FAILURE if isinstance(error, FileFailedError) else INPUT


def _say(message: str, lang: str) -> None:
    """Print a message of Python's in the words of the command line."""
    from ketafind.cli.commands import by_options
    from ketafind.show.text import escaped

    lines = by_options(message, lang).splitlines()
    print("\n".join(f"ketafind: {escaped(line)}" for line in lines), file=sys.stderr)


def _named(place: Location, lang: str) -> str:
    # Places that share a name are told apart by where they are.
    return f"{place.label} {'à' if lang == 'fr' else 'at'} {place.lat:.2f}, {place.lon:.2f}"


def _give_up(error: OSError) -> int:
    if not isinstance(error, BrokenPipeError):
        with suppress(OSError):  # it may be this stream that failed
            print(f"ketafind: {error.strerror or error}", file=sys.stderr)
    # What is still buffered has nowhere to go: keep the interpreter's last flush from failing.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILURE


# -- The commands and their options

LEVELS = ("team", "full")
UNRECOGNIZED = "unrecognized arguments: "
"""How argparse begins; what follows may be where somebody searches from, or a key."""


_VALUE = re.compile(
    r"(invalid (?:choice|[^:]{0,40} value)|ignored explicit argument)"
    r"(?:.*(?= \(choose from )|.*)",
    re.S,
)
"""What argparse repeats of the command line: it may be where somebody searches from."""


def _unknown(words: list[str]) -> tuple[str, str]:
    options = [word.partition("=")[0] for word in words if word[:1] == "-" and word[1:2] > "9"]
    options += [word.partition("=")[0] for word in words if word[:2] == "--"]
    if options:
        listed = packaged("cli/parser.json")
        known = sorted({*re.findall(r"--[a-z-]+", str(listed)), *listed["elsewhere"]})
        near = "".join(get_close_matches(options[0], known, 1, 0.8))
        meant = listed["elsewhere"].get(near, near)
        said = f"there is no option {', '.join(dict.fromkeys(options))}"
        return said, "" if meant == options[0] else meant  # which another command has
    return "too many words: put a place of several words in quotes", ""


class _Parser(ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        help_of = self.prog
        given, _, listed = message.partition("invalid choice: ")[2].partition(" (choose from ")
        choices = re.findall(r"[\w-]+", listed)
        meant = "".join(get_close_matches(given.strip("'"), choices, 1, 0.75))
        message = _VALUE.sub(r"\1", message)
        if message.startswith(UNRECOGNIZED):
            message, meant = _unknown(message.removeprefix(UNRECOGNIZED).split())
            help_of += " COMMAND"
        see = f"; did you mean {meant}? See" if meant else "; see"
        self.exit(2, f"{self.prog}: {message}{see} {help_of} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)  # argparse's own is silent where this fails

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        sys.stdout.flush()
        super().exit(status, message)


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


def _bound(text: str) -> tuple[str, float]:
    """Read a bound such as ``price_cad=300``."""
    quantity, _, number = text.partition("=")
    return quantity, _number(number)


_bound.__name__ = "QUANTITY=NUMBER"

TYPES = {"number": _number, "whole number": _typed(int, "whole number"), "bound": _bound}


def make_parser() -> ArgumentParser:
    """Describe the command line: its commands and their options, as parser.json lists them."""
    listed = packaged("cli/parser.json")
    parser = _Parser(
        prog="ketafind",
        description="Find the nearest qualified providers. Offline: no command asks a network.",
        epilog="\n".join(listed["examples"]),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ketafind {__version__}")
    _add_commands(parser, listed["commands"], listed["groups"])
    return parser


def _add_commands(
    parser: ArgumentParser, named: Mapping[str, Any], groups: Mapping[str, Any]
) -> None:
    from ketafind.cli import batch, commands

    run: dict[str, Callable[[Namespace], int | None]] = vars(commands) | vars(batch)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, one in named.items():
        said = f"{one['help'][0].upper()}{one['help'][1:]}."
        command = subparsers.add_parser(
            name, help=one["help"], description=said, allow_abbrev=False
        )
        if "commands" in one:
            _add_commands(command, one["commands"], groups)
            continue
        command.set_defaults(run=run[one.get("run", name)], **one.get("defaults", {}))
        _add_options(command, one["options"], groups)


def _add_options(parser: Any, options: Iterable[Any], groups: Mapping[str, Any]) -> None:
    for option in options:
        if isinstance(option, str):
            _add_options(parser, groups[option], groups)
        elif "one_of" in option:
            either = parser.add_mutually_exclusive_group(required=option["required"])
            _add_options(either, option["one_of"], groups)
        else:
            settings = {name: value for name, value in option.items() if name != "option"}
            if "type" in settings:
                settings["type"] = TYPES[settings["type"]]
            if settings.get("choices") == "FORMATS":
                from ketafind.show.exports import FORMATS

                settings["choices"] = tuple(FORMATS)
            parser.add_argument(*option["option"].split(), **settings)
