"""Commands that explain answers, and that compare and describe directories."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from ketafind.cli.commands import asked, directory_of, read_directory

if TYPE_CHECKING:
    from ketafind.explanation import Told

__all__ = ["add_commands", "diff", "explain", "profile", "questions"]

Describe = Callable[[ArgumentParser], None]


def add_commands(add: Callable[..., ArgumentParser], question: Describe, data: Describe) -> None:
    """Describe these commands.

    Parameters
    ----------
    add : callable
        Adds a command.
    question, data : callable
        Add the options of a question, and those that name a directory.
    """
    why = add("explain", help="why each clinic is in the answer, or is not", allow_abbrev=False)
    question(why)
    why.add_argument("--why-not", metavar="CLINIC_ID", help="why this clinic is not in it")
    why.add_argument("--relax", action="store_true", help="the smallest changes that bring more")
    _output(why, explain)
    whom = add("questions", help="what to ask which clinic", allow_abbrev=False)
    question(whom)
    _output(whom, questions)
    changes = add("diff", help="what changed from one directory to another", allow_abbrev=False)
    changes.add_argument("old", metavar="OLD", help="clinics, CSV or saved")
    changes.add_argument("new", metavar="NEW", help="the later ones")
    changes.add_argument("--old-evidence", metavar="FILE", help="the evidence of OLD")
    changes.add_argument("--new-evidence", metavar="FILE", help="the evidence of NEW")
    _output(changes, diff)
    state = add("profile", help="how complete, precise and old the data are", allow_abbrev=False)
    data(state)
    state.add_argument("--doubts", action="store_true", help="what to look into, instead")
    _output(state, profile)


def _output(parser: ArgumentParser, run: Callable[[Namespace], int]) -> None:
    parser.add_argument("--lang", choices=("en", "fr"), default="en")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def explain(arguments: Namespace) -> int:
    """Print why each clinic is in an answer, why one is not, or what would bring more.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code.
    """
    matches = asked(arguments)
    if arguments.why_not is not None:
        return _print(matches.why_not(arguments.why_not, arguments.lang), arguments)
    if arguments.relax:
        return _print(matches.relax(lang=arguments.lang), arguments)
    return _print(matches.explain(arguments.lang), arguments)


def questions(arguments: Namespace) -> int:
    """Print what to ask which clinic.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code.
    """
    return _print(asked(arguments).questions(arguments.lang, arguments.k), arguments)


def diff(arguments: Namespace) -> int:
    """Print what changed from one directory to another.

    Parameters
    ----------
    arguments : Namespace
        As parsed.

    Returns
    -------
    int
        The exit code: 0 where nothing changed, too.
    """
    old = read_directory(arguments.old, arguments.old_evidence)
    new = read_directory(arguments.new, arguments.new_evidence)
    return _print(old.diff(new, arguments.lang), arguments)


def profile(arguments: Namespace) -> int:
    """Print how complete, precise and old the data are.

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
    if arguments.doubts:
        return _print(directory.validate(arguments.lang), arguments)
    return _print(directory.profile(arguments.lang), arguments)


def _print(told: Told, arguments: Namespace) -> int:
    if arguments.format == "json":
        print(json.dumps(told.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(told)
    return 0
