"""The words that criteria are written with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ketafind.criteria.base import Criteria, check_criteria
from ketafind.criteria.expression import And, Everything, NoService, Offers
from ketafind.errors import CriteriaError

__all__ = ["everything", "no_service", "offers", "route", "shorthand", "staff", "treats"]


def everything() -> Criteria:
    """Return the criteria that every service satisfies.

    Returns
    -------
    Criteria
        No filter.
    """
    return Everything()


def offers(
    facet: str, *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for terms of any facet of the vocabulary.

    Parameters
    ----------
    facet : str
        A facet, such as ``"product"``; singular or plural.
    *terms : str or iterable of str
        Ids, labels or synonyms, in English or French; any one of them suffices.
    all_of : bool
        True to ask for all of them.
    at_least : int, optional
        Ask for this many of them, each counted by itself; at most as many as there are.

    Returns
    -------
    Criteria
        YES for a service that has them, NO for one that is stated not to, else UNKNOWN.

    Raises
    ------
    CriteriaError
        If there is no term, a term is not a text, or `at_least` is not a number from 1 to
        that of the terms.
    """
    if not isinstance(all_of, bool):
        raise CriteriaError(f"all_of must be True or False, not {all_of!r}")
    if all_of and at_least is not None:
        raise CriteriaError("give all_of or at_least, not both")
    needed = 1 if at_least is None else at_least
    return Offers(facet, tuple(_flat(terms)), None if all_of else needed)


def _flat(terms: Iterable[Any]) -> Iterator[Any]:
    for term in terms:
        if isinstance(term, Iterable) and not isinstance(term, str):
            yield from term
        else:
            yield term


def route(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for routes of administration, such as ``route("iv", "im")`` for either.

    Parameters
    ----------
    *terms : str or iterable of str
        Routes; any one of them suffices.
    all_of, at_least : optional
        As in `offers`.

    Returns
    -------
    Criteria
        The clause.
    """
    return offers("route", *terms, all_of=all_of, at_least=at_least)


def staff(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for staff types, such as ``staff("psychiatrist", "anesthesiologist", all_of=True)``.

    Parameters
    ----------
    *terms : str or iterable of str
        Staff types; any one of them suffices.
    all_of, at_least : optional
        As in `offers`.

    Returns
    -------
    Criteria
        The clause.
    """
    return offers("staff", *terms, all_of=all_of, at_least=at_least)


def treats(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for conditions treated, such as ``treats("ptsd")``.

    Parameters
    ----------
    *terms : str or iterable of str
        Conditions; any one of them suffices.
    all_of, at_least : optional
        As in `offers`.

    Returns
    -------
    Criteria
        The clause.
    """
    return offers("condition", *terms, all_of=all_of, at_least=at_least)


def no_service(criteria: Criteria) -> Criteria:
    """Ask that none of the clinic's services satisfies the criteria.

    Parameters
    ----------
    criteria : Criteria
        What must not be offered.

    Returns
    -------
    Criteria
        YES where every service is NO, NO where one is YES, else UNKNOWN.
    """
    return NoService(check_criteria(criteria, "no_service takes"))


def shorthand(where: Criteria | None, **facets: Any) -> Criteria:
    """Join ``where=`` and shorthands such as ``routes="iv"`` by AND.

    Parameters
    ----------
    where : Criteria or None
        An expression; None is no filter.
    **facets : str, iterable of str or None
        For each facet one term or several (any of); None is no filter.

    Returns
    -------
    Criteria
        `everything` if there is no filter at all.

    Raises
    ------
    CriteriaError
        If a filter is empty or of another kind.
    """
    parts = [] if where is None else [check_criteria(where, "where takes")]
    parts += [offers(facet, terms) for facet, terms in facets.items() if terms is not None]
    if not parts:
        return Everything()
    return parts[0] if len(parts) == 1 else And(tuple(parts))
