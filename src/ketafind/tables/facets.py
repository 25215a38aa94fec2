"""Facet cells: lists of terms, each resolved by the vocabulary, and what contradicts what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ketafind.errors import UnknownTermError
from ketafind.tables.cells import CellError, identifier
from ketafind.truth import Truth
from ketafind.vocabulary import Facet, Vocabulary
from ketafind.vocabulary.words import shown

__all__ = ["complete_reader", "contradictions", "facet_reader", "not_offered_reader"]

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
    """Make a reader of a facet's column.

    Parameters
    ----------
    facet : Facet
        The facet.

    Returns
    -------
    callable
        From a cell to term ids, each once, in the order given; CellError with a suggestion
        for a word that the facet does not know.
    """

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
    """Make a reader of ``not_offered``: facts that are stated as NO.

    Parameters
    ----------
    vocabulary : Vocabulary
        The facets there are.

    Returns
    -------
    callable
        From a cell such as ``"route:im;condition:ocd"`` to pairs of facet id and term id.
    """

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
    """Make a reader of ``complete``: facets whose list is stated to be complete.

    Parameters
    ----------
    vocabulary : Vocabulary
        The facets there are.

    Returns
    -------
    callable
        From a cell such as ``"routes;staff"`` to facet ids.
    """
    return _remembering(lambda items: frozenset(_facet(vocabulary, item).id for item in items))


def contradictions(
    facts: Mapping[str, Mapping[str, Truth]], vocabulary: Vocabulary
) -> Iterator[tuple[str, str, str]]:
    """Find every term stated YES under an ancestor that is stated NO.

    Parameters
    ----------
    facts : mapping of str to mapping of str to Truth
        As in `ketafind.records.Service`.
    vocabulary : Vocabulary
        The parents.

    Yields
    ------
    (str, str, str)
        Facet id, the term that is YES, the ancestor that is NO.
    """
    for facet_id, stated in facts.items():
        if Truth.NO not in stated.values():
            continue
        facet = vocabulary.facet(facet_id)
        for term, truth in stated.items():
            if truth == Truth.YES:
                for ancestor in facet.ancestors(term):
                    if stated.get(ancestor) == Truth.NO:
                        yield facet_id, term, ancestor
