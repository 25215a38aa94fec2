"""The commands about addresses: ``geocode`` and ``geocoder build``."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from ketafind.tables.text import printable

__all__ = ["add_commands"]


def add_commands(add: Any) -> None:
    """Describe the commands.

    Parameters
    ----------
    add : callable
        Adds a command to the parser.
    """
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
    from ketafind.geocoding.commands import geocode_command

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
    from ketafind.geocoding.commands import build_register_command

    said = build_register_command(
        arguments.out, nar=arguments.nar, openaddresses=arguments.openaddresses
    )
    print(printable(said))
    return 0
