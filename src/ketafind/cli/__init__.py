"""The command line: ``ketafind nearest PLACE --route iv`` and its siblings."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper

from ketafind.errors import FileFailedError, GeocodingError, KetafindError, packaged
from ketafind.records import Location

__all__ = ["main"]

INPUT, FAILURE, INTERRUPTED = 2, 1, 130
COORDINATES = re.compile(r"(?:ketafind\.)?Coordinates(?:\(lat=\.\.\., lon=\.\.\.\))?")
"""How Python's messages name what are two options here."""


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
    from ketafind.cli.parser import make_parser, spelled_out

    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown escaped, never a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    lang = "en"
    try:
        arguments = make_parser().parse_args(spelled_out(sys.argv[1:] if argv is None else argv))
        lang = getattr(arguments, "lang", None) or lang
        with warnings.catch_warnings(action="always", category=UserWarning):
            warnings.showwarning = lambda message, *_: _say(str(message))
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
    _say(said)
    return FAILURE if isinstance(error, FileFailedError) else INPUT


def _say(message: str) -> None:
    """Print a message of Python's in the words of the command line."""
    from ketafind.show.text import escaped

    for in_python, here in packaged("cli/parser.json")["in_python"].items():
        message = message.replace(in_python, here)
    lines = COORDINATES.sub("--lat and --lon", message).splitlines()
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
