"""Facet cells: lists of terms, each resolved by the vocabulary, and what contradicts what."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ketafind.errors import UnknownTermError
from ketafind.records import FLAGS
from ketafind.tables import cells
from ketafind.tables.cells import CellError, identifier, latitude, longitude
from ketafind.tables.csv import Report, Row
from ketafind.truth import Truth
from ketafind.vocabulary import Facet, Vocabulary
from ketafind.vocabulary.terms import shown

__all__ = [
    "CLINIC_COLUMNS",
    "Column",
    "canonical",
    "clinic_columns",
    "complete_reader",
    "contradictions",
    "facet_reader",
    "match_columns",
    "not_offered_reader",
]


Terms = tuple[str, ...]
# Tables repeat the same few lists; beyond so many different ones each is read anew.
_REMEMBERED = 4096


def _items(cell: Any) -> Terms:
    """Split a cell at its semicolons; a tuple is taken as it is."""
    if isinstance(cell, tuple):
        items = [identifier(item).strip() for item in cell]
    else:
        value = identifier(cell).strip()
        if not value:
            return ()
        if "," in value:
            raise CellError(
                f'{shown(value)} holds a comma; separate the terms by semicolons, as in "iv;im"'
            )
        items = [item.strip() for item in value.split(";")]
    if not all(items):
        raise CellError("an item of the list is empty; remove the extra semicolon")
    return tuple(items)


def _remembering(read: Callable[[Terms], Any]) -> Callable[[Any], Any]:
    memory: dict[Any, Any] = {}

    def remember(cell: Any) -> Any:
        if cell not in memory:
            if len(memory) >= _REMEMBERED:
                memory.clear()
            memory[cell] = read(_items(cell))
        return memory[cell]

    return remember


def facet_reader(facet: Facet) -> Callable[[Any], Terms]:
    """Make a reader of a facet's column."""

    def read(items: Terms) -> Terms:
        return tuple(dict.fromkeys(_resolved(facet, item) for item in items))

    return _remembering(read)


def _resolved(facet: Facet, item: str) -> str:
    try:
        return facet.resolve(item)
    except UnknownTermError as error:
        raise CellError(str(error)) from None


def _facet(vocabulary: Vocabulary, name: str) -> Facet:
    try:
        return vocabulary.facet(name)
    except UnknownTermError as error:
        raise CellError(str(error)) from None


def not_offered_reader(vocabulary: Vocabulary) -> Callable[[Any], tuple[tuple[str, str], ...]]:
    """Make a reader of ``not_offered``: facts that are stated as NO."""

    def read(items: Terms) -> tuple[tuple[str, str], ...]:
        pairs = []
        for item in items:
            name, colon, term = item.partition(":")
            if not colon:
                raise CellError(
                    f'{shown(item)} names no facet; write "facet:term", as in "route:im"'
                )
            facet = _facet(vocabulary, name.strip())
            pairs.append((facet.id, _resolved(facet, term.strip())))
        return tuple(dict.fromkeys(pairs))

    return _remembering(read)


def complete_reader(vocabulary: Vocabulary) -> Callable[[Any], frozenset[str]]:
    """Make a reader of ``complete``: facets whose list is stated to be complete."""
    return _remembering(lambda items: frozenset(_facet(vocabulary, item).id for item in items))


def contradictions(
    facts: Mapping[str, Mapping[str, Truth]], vocabulary: Vocabulary
) -> Iterator[tuple[str, str, str]]:
    """Find every term stated YES under an ancestor that is stated NO."""
    for facet_id, stated in facts.items():
        if Truth.NO not in stated.values():
            continue
        facet = vocabulary.facet(facet_id)
        for term, truth in stated.items():
            if truth == Truth.YES:
                for ancestor in facet.ancestors(term):
                    if stated.get(ancestor) == Truth.NO:
                        yield facet_id, term, ancestor


Reader = Callable[[Any], Any]

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
    **{flag: cells.choice(answers, "an answer") for flag, answers in FLAGS.items()},
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
    """One column of a table."""

    position: int
    given: str
    name: str
    read: Reader = field(repr=False)
    facet: str = ""
    known: bool = True


def canonical(name: str) -> str:
    """Reduce a column name to what is compared."""
    return _JOINTS.sub("_", name.strip().lower())


def match_columns(
    names: Sequence[str],
    readers: dict[str, tuple[str, Reader, str]],
    report: Report,
    header: Row | None,
) -> tuple[Column, ...]:
    """Say what each column means."""
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
    """Say what each column of a clinics table means."""
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
