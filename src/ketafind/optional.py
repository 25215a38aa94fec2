"""Optional packages, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ketafind.errors import MissingExtraError

__all__ = ["require"]


def require(module: str, extra: str) -> Any:
    """Import an optional package, or say which extra brings it.

    Parameters
    ----------
    module : str
        The module to import, such as ``"folium"``.
    extra : str
        The extra of ketafind that installs it.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f'this needs the package {module.partition(".")[0]!r}: pip install "ketafind[{extra}]"'
        ) from None
