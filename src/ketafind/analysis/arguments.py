"""What every analysis refuses before it begins."""

from __future__ import annotations

from typing import Any

from ketafind.errors import InvalidInputError

__all__ = ["check_directory", "check_prefix", "one_of"]


def check_directory(directory: Any) -> None:
    """Refuse what is no directory.

    Parameters
    ----------
    directory : object
        The clinics.

    Raises
    ------
    InvalidInputError
        If it is anything but a Directory.
    """
    from ketafind.directory import Directory

    if not isinstance(directory, Directory):
        raise InvalidInputError(
            f"directory must be a Directory, not a {type(directory).__name__}, such as "
            f"ketafind.load_directory()"
        )


def check_prefix(prefix: Any) -> None:
    """Refuse what cannot be put before the name of a column.

    Parameters
    ----------
    prefix : object
        What to put there.

    Raises
    ------
    InvalidInputError
        If it is no text.
    """
    if not isinstance(prefix, str):
        raise InvalidInputError(f"prefix={prefix!r}: give a text, such as 'near_'")


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Read a choice.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        What was given.
    allowed : tuple of str
        What may be.

    Returns
    -------
    str
        The same.

    Raises
    ------
    InvalidInputError
        If it is none of them.
    """
    if value not in allowed:
        raise InvalidInputError(f"{name}={value!r}: choose {' or '.join(map(repr, allowed))}")
    return str(value)
