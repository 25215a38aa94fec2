"""What the command line does with addresses: plain functions of parsed values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ketafind.errors import GeocodingError
from ketafind.geocoding.offline import OfflineGeocoder
from ketafind.records import Location

__all__ = ["build_register_command", "describe", "explain_failure", "geocode_command"]


def describe(location: Location) -> dict[str, Any]:
    """Turn a location into plain data for printing.

    Parameters
    ----------
    location : Location
        Any.

    Returns
    -------
    dict
        Texts, numbers and lists; candidates as dicts of the same form.
    """
    return {
        "label": location.label,
        "lat": location.lat,
        "lon": location.lon,
        "precision": location.precision,
        "radius_km": location.radius_km,
        "match": location.match,
        "corrections": list(location.corrections),
        "source": location.source,
        "candidates": [describe(candidate) for candidate in location.candidates],
    }


def geocode_command(text: str, register: str | Path | None = None) -> dict[str, Any]:
    """Answer ``ketafind geocode TEXT``.

    Parameters
    ----------
    text : str
        The address.
    register : path-like, optional
        A street register to ask first.

    Returns
    -------
    dict
        As `describe` makes it.

    Raises
    ------
    GeocodingError
        If there is no one answer; the error holds the candidates.
    DirectoryFileError
        If the register cannot be used.
    """
    if register is None:
        return describe(OfflineGeocoder().geocode(text))
    from ketafind.geocoding.register import RegisterGeocoder

    return describe(RegisterGeocoder.open(register).geocode(text))


def build_register_command(
    out: str | Path, nar: str | Path | None = None, openaddresses: str | Path | None = None
) -> str:
    """Answer ``ketafind geocoder build --nar ZIP | --openaddresses FILE -o OUT``.

    Parameters
    ----------
    out : path-like
        The file to write.
    nar, openaddresses : path-like, optional
        The source; exactly one.

    Returns
    -------
    str
        One line on what was built, and its licence.

    Raises
    ------
    InvalidInputError or DataError
        As `build_register` does.
    """
    from ketafind.geocoding.register_build import build_register

    meta = build_register(out, nar=nar, openaddresses=openaddresses)
    return (
        f"{out}: {meta['points']:,} addresses on {meta['streets']:,} streets, of {meta['rows']:,} "
        f"rows of {meta['source']}. {meta['licence']}"
    )


def explain_failure(error: GeocodingError) -> str:
    """Print a failure with the places it could be.

    Parameters
    ----------
    error : GeocodingError
        What a geocoder raised.

    Returns
    -------
    str
        Its message, and one line for each candidate.
    """
    lines = [str(error)]
    lines += [f"  {c.label or c.source}: {c.lat:.4f}, {c.lon:.4f}" for c in error.candidates]
    return "\n".join(lines)
