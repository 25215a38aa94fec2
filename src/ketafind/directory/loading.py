"""The bundled data, wherever ketafind is installed."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

from ketafind.directory.core import Directory
from ketafind.errors import DirectoryFileError

__all__ = ["bundled", "load_directory"]

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "data", PACKAGE.parents[1] / "data")
"""Inside an installed package, or at the top of a checkout."""


def bundled(name: str) -> Path:
    """Find a file of the bundled data.

    Parameters
    ----------
    name : str
        Such as ``"ontario_clinics.csv"``.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    DirectoryFileError
        If the installation lacks it.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise DirectoryFileError(f"this installation lacks its data file {name}; reinstall ketafind")


def load_directory(as_of: date | str | None = None) -> Directory:
    """Load the bundled snapshot of Ontario clinics; asks no network.

    Parameters
    ----------
    as_of : date or str, optional
        Believe only what is fresh on that day, as in `Directory.as_of`; None for all.

    Returns
    -------
    Directory
        The same object each time where no day is given: a directory never changes.

    Raises
    ------
    InvalidInputError
        If `as_of` is no date.

    Examples
    --------
    >>> import ketafind
    >>> len(ketafind.load_directory())
    26
    """
    return _bundled() if as_of is None else _bundled().as_of(as_of)


@cache
def _bundled() -> Directory:
    return Directory.from_csv(
        bundled("ontario_clinics.csv"), evidence=bundled("ontario_clinics_evidence.csv")
    )
