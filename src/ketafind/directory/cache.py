"""Compiled filters, kept as long as there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from ketafind.criteria import Criteria, shorthand
from ketafind.errors import UnknownTermError
from ketafind.matches import Filter, check_policy

if TYPE_CHECKING:
    from ketafind.matches import Catalogue
    from ketafind.vocabulary import Vocabulary

__all__ = ["FilterCache"]

MAX_BYTES = 64 * 2**20
MAX_FILTERS = 1024


class FilterCache:
    """The filters used last, found by what was asked and by its canonical form.

    Parameters
    ----------
    catalogue : Catalogue
        What they are compiled for.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        # A filter holds about six slices, and each is stored under two keys.
        room = MAX_BYTES // (6 * (len(catalogue.clinics) // 8 + 100))
        self._capacity = 2 * max(4, min(MAX_FILTERS, room))
        self._filters: OrderedDict[Hashable, Filter] = OrderedDict()
        self._lock = Lock()

    def get(self, where: Criteria | None, unknown: str, facets: Mapping[str, Any]) -> Filter:
        """Find or compile a filter.

        Parameters
        ----------
        where : Criteria or None
            An expression.
        unknown : str
            The unknown policy.
        facets : mapping
            Shorthands.

        Returns
        -------
        Filter
            Compiled for the catalogue.
        """
        check_policy(unknown)
        asked = _key(where, unknown, facets)
        found = None if asked is None else self._filters.get(asked)
        if found is not None:
            return found
        _check_names(facets, self._catalogue.vocabulary)
        criteria = shorthand(where, **facets).resolve(self._catalogue.vocabulary)
        canonical = (criteria, unknown)
        found = self._filters.get(canonical)
        made = found or Filter(self._catalogue, criteria, unknown)
        with self._lock:
            # A new key comes last of itself; hashing criteria once more is dear.
            self._filters[canonical] = made
            if found is not None:
                self._filters.move_to_end(canonical)
            if asked is not None:
                self._filters[asked] = made
            while len(self._filters) > self._capacity:
                self._filters.popitem(last=False)
        return made


def _check_names(facets: Iterable[str], vocabulary: Vocabulary) -> None:
    for name in facets:
        try:
            vocabulary.facet(name)
        except UnknownTermError as error:
            # Any keyword may be a facet: a mistyped argument ends up here.
            raise UnknownTermError(
                f"{name}= is no argument of this query, and {error}", error.suggestions
            ) from None


def _key(where: object, unknown: str, facets: Mapping[str, Any]) -> Hashable | None:
    """What was asked, if it is made of texts only: another kind may change after it was read."""
    if where is not None and not isinstance(where, Criteria):
        return None
    parts: list[Hashable] = [where, unknown]
    for name, terms in facets.items():
        if terms is None or isinstance(terms, str):
            parts.append((name, terms))
        elif isinstance(terms, list | tuple | set | frozenset) and all(
            isinstance(term, str) for term in terms
        ):
            parts.append((name, frozenset(terms)))
        else:
            return None
    return tuple(parts)
