"""What each column of a clinics table means, and how its cells are read."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ketafind.tables import cells
from ketafind.tables.facets import complete_reader, facet_reader, not_offered_reader
from ketafind.tables.positions import latitude, longitude
from ketafind.tables.report import Report
from ketafind.tables.scan import Row
from ketafind.vocabulary import Vocabulary
from ketafind.vocabulary.words import shown

__all__ = ["CLINIC_COLUMNS", "FLAGS", "Column", "canonical", "clinic_columns", "match_columns"]

Reader = Callable[[Any], Any]

FLAGS: dict[str, Reader] = {
    "referral_required": cells.yes_no,
    "ohip_covered": cells.choice(("yes", "partial", "no"), "an answer"),
    "virtual": cells.yes_no,
}
"""Yes-no facts of a service; blank is unknown."""

CLINIC_COLUMNS: dict[str, Reader] = {
    "clinic_id": cells.identifier,
    "name": cells.text,
    "operator": cells.text,
    "street_address": cells.text,
    "city": cells.text,
    "province": cells.text,
    "postal_code": cells.text,
    "phone": cells.text,
    "website": cells.website,
    "lat": latitude,
    "lon": longitude,
    "precision": cells.precision,
    "radius_km": cells.radius,
    "status": cells.status,
    "notes": cells.text,
    "checked_on": cells.iso_date,
}
"""Columns that must be equal in all rows of a clinic (``languages`` is another)."""

_SERVICE_COLUMNS: dict[str, Reader] = {
    "service_id": cells.identifier,
    "combined": cells.yes_no,
    **FLAGS,
}
# Names that other files use; they are not read, only pointed out.
_OTHER_NAMES = {
    "latitude": "lat",
    "y": "lat",
    "longitude": "lon",
    "lng": "lon",
    "long": "lon",
    "x": "lon",
    "address": "street_address",
    "street": "street_address",
    "town": "city",
    "postcode": "postal_code",
    "postal": "postal_code",
    "zip": "postal_code",
    "telephone": "phone",
    "url": "website",
}
_JOINTS = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    position : int
        Which cell of a row.
    given : str
        Its name in the table.
    name : str
        Its name in ketafind: the plural for a facet; as given if unknown.
    read : callable
        From a cell to its value.
    facet : str
        The facet id, for a facet's column.
    known : bool
        False for a column that is kept as it is.
    """

    position: int
    given: str
    name: str
    read: Reader = field(repr=False)
    facet: str = ""
    known: bool = True


def canonical(name: str) -> str:
    """Reduce a column name to what is compared.

    Parameters
    ----------
    name : str
        Such as ``"Clinic ID"``.

    Returns
    -------
    str
        Lower case, with underscores.
    """
    return _JOINTS.sub("_", name.strip().lower())


def match_columns(
    names: Sequence[str],
    readers: dict[str, tuple[str, Reader, str]],
    report: Report,
    header: Row | None,
) -> tuple[Column, ...]:
    """Say what each column means.

    Parameters
    ----------
    names : sequence of str
        The names in the table.
    readers : dict of str to (str, callable, str)
        For each canonical name: the name in ketafind, the reader and the facet id.
    report : Report
        Where two columns of one meaning are noted.
    header : Row or None
        Where the header is.

    Returns
    -------
    tuple of Column
        In the order of the table.
    """
    columns = []
    meant: dict[str, str] = {}
    for position, given in enumerate(names):
        if canonical(given) not in readers:
            columns.append(Column(position, given, given, cells.extra, known=False))
            continue
        name, read, facet = readers[canonical(given)]
        if name in meant:
            report.add(
                f"the columns {shown(meant[name])} and {shown(given)} mean the same; keep one",
                header,
            )
        meant[name] = given
        columns.append(Column(position, given, name, read, facet))
    return tuple(columns)


def clinic_columns(
    names: Sequence[str], vocabulary: Vocabulary, report: Report, header: Row | None = None
) -> tuple[Column, ...]:
    """Say what each column of a clinics table means.

    Parameters
    ----------
    names : sequence of str
        The names in the table; a facet by its plural or its id.
    vocabulary : Vocabulary
        The facets there are.
    report : Report
        Where a missing or doubled column is noted.
    header : Row or None
        Where the header is.

    Returns
    -------
    tuple of Column
        In the order of the table.

    Warns
    -----
    UserWarning
        If an unknown column has a name that looks like a known one; it is kept as unknown.
    """
    readers = dict(_readers(vocabulary))
    columns = match_columns(names, readers, report, header)
    found = {column.name for column in columns if column.known}
    for needed in ("clinic_id", "name"):
        if needed not in found:
            listed = ", ".join(shown(name) for name in names[:12]) or "none"
            report.add(
                f'there is no column "{needed}"; is there a header row? Found: {listed}',
                header,
            )
    for column in columns:
        if not column.known and (meant := _alike(column.given, readers)) and meant not in found:
            warnings.warn(
                f"{report.source}: the column {shown(column.given)} is not known and is only kept; "
                f'did you mean "{meant}"?',
                UserWarning,
                stacklevel=5,
            )
    return columns


def _readers(vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[str, Reader, str]]]:
    for facet in vocabulary.facets:
        reader = (facet.plural, facet_reader(facet), facet.id)
        yield from ((facet.id, reader), (facet.plural, reader))
    yield "not_offered", ("not_offered", not_offered_reader(vocabulary), "")
    yield "complete", ("complete", complete_reader(vocabulary), "")
    for name, read in (CLINIC_COLUMNS | _SERVICE_COLUMNS).items():
        yield name, (name, read, "")


def _alike(given: str, readers: dict[str, tuple[str, Reader, str]]) -> str | None:
    from difflib import get_close_matches

    name = canonical(given)
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    near = get_close_matches(name, readers, n=1, cutoff=0.85) if len(name) > 3 else []
    return readers[near[0]][0] if near else None
