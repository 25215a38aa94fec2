"""A directory as a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ketafind.tables.html import Link, html_table

if TYPE_CHECKING:
    from ketafind.records import Clinic

__all__ = ["clinics_html"]

MOST = 20
HEADERS = ("id", "clinic", "city", "position", "status", "website")


def clinics_html(clinics: Sequence[Clinic], caption: str) -> str:
    """Write the first clinics as a table for a notebook.

    Parameters
    ----------
    clinics : sequence of Clinic
        All of them; the first 20 are shown.
    caption : str
        A line above.

    Returns
    -------
    str
        HTML with every text escaped.
    """
    rows = [_row(clinic) for clinic in clinics[:MOST]]
    more = len(clinics) - len(rows)
    return html_table(
        rows, HEADERS, caption=caption, notes=[f"... and {more} more"] if more else []
    )


def _row(clinic: Clinic) -> tuple[str | Link, ...]:
    return (
        clinic.clinic_id,
        clinic.name,
        clinic.city,
        "none" if clinic.location is None else clinic.location.precision,
        clinic.status,
        Link(clinic.website, clinic.website) if clinic.website else "",
    )
