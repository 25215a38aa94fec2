"""The root of every criteria: how they combine, and how they are read from JSON."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ketafind.errors import CriteriaError

if TYPE_CHECKING:
    from ketafind.criteria.expression import Offers
    from ketafind.vocabulary import Vocabulary

__all__ = ["JOINERS", "READERS", "Criteria", "check_criteria", "read_criteria"]


class Criteria(ABC):
    """What one service of a clinic must satisfy.

    Made by `route`, `staff`, `treats`, `offers`, `no_service` and `qualified`; combined with
    ``&``, ``|`` and ``~``; immutable, hashable and comparable. Terms are looked up in the
    directory's vocabulary when a query is compiled.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def parts(self) -> tuple[Criteria, ...]:
        """The expressions directly inside this one."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the expression as plain data, ready for JSON.

        Returns
        -------
        dict
            What `from_dict` reads.
        """

    @abstractmethod
    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        """Return the canonical form: term ids, sorted, without doubles.

        Parameters
        ----------
        vocabulary : Vocabulary
            Where the terms are looked up.

        Returns
        -------
        Criteria
            Equal for expressions that differ in spelling or order only.

        Raises
        ------
        UnknownTermError
            If a facet or term is not in the vocabulary.
        """

    @abstractmethod
    def __str__(self) -> str: ...

    def order(self) -> tuple[str, ...]:
        """Return what canonical operands are sorted by.

        Returns
        -------
        tuple of str
            Equal for equal expressions only.
        """
        inside = (text for part in self.parts for text in part.order())
        return type(self).__name__, str(self), "(", *inside, ")"

    def __and__(self, other: Criteria) -> Criteria:
        return _join("and", self, other)

    def __or__(self, other: Criteria) -> Criteria:
        return _join("or", self, other)

    def __invert__(self) -> Criteria:
        return JOINERS["not"](self)

    def __bool__(self) -> bool:
        raise TypeError("criteria are combined with & | ~, not with and, or, not")

    def leaves(self) -> Iterator[Offers]:
        """Yield every `offers` clause inside, in the order written.

        Yields
        ------
        Offers
            One clause.
        """
        for part in self.parts:
            yield from part.leaves()

    def to_json(self) -> str:
        """Return the expression as JSON text.

        Returns
        -------
        str
            What `from_json` reads.
        """
        return json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Criteria:
        """Read an expression that `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Criteria
            The expression.

        Raises
        ------
        CriteriaError
            If it is not JSON or not an expression.
        """
        try:
            data = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise CriteriaError(f"these criteria are not JSON: {error}") from None
        return Criteria.from_dict(data)

    @staticmethod
    def from_dict(data: Any) -> Criteria:
        """Read an expression that `to_dict` returned.

        Parameters
        ----------
        data : dict
            Plain data.

        Returns
        -------
        Criteria
            The expression.

        Raises
        ------
        CriteriaError
            If it is not an expression; names the part that is wrong.
        """
        return read_criteria(data, depth=0)


def check_criteria(value: Any, what: str = "criteria combine with") -> Criteria:
    """Refuse what is no criteria.

    Parameters
    ----------
    value : Criteria
        An expression.
    what : str
        How the message begins.

    Returns
    -------
    Criteria
        The same.

    Raises
    ------
    CriteriaError
        If it is anything else.
    """
    if isinstance(value, Criteria):
        return value
    raise CriteriaError(
        f"{what} criteria, not {type(value).__name__}; "
        f'write for example ketafind.route("iv") & ketafind.treats("ptsd")'
    )


def _join(how: str, left: Criteria, right: Any) -> Criteria:
    return JOINERS[how]((left, check_criteria(right)))


MAX_DEPTH = 100

# Each kind of expression enters itself here: the root knows none of them.
JOINERS: dict[str, Callable[[Any], Criteria]] = {}
READERS: dict[frozenset[str], Callable[[dict[str, Any], int], Criteria]] = {}


def read_criteria(data: Any, depth: int) -> Criteria:
    """Read plain data as criteria.

    Parameters
    ----------
    data : dict
        As `Criteria.to_dict` returns it.
    depth : int
        How deep inside other criteria.

    Returns
    -------
    Criteria
        The expression.

    Raises
    ------
    CriteriaError
        If it is not an expression, or nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise CriteriaError(f"these criteria are nested deeper than {MAX_DEPTH} levels")
    if not isinstance(data, dict):
        raise CriteriaError(f"criteria are objects, not {type(data).__name__}")
    reader = READERS.get(frozenset(data))
    if reader is None:
        known = "; ".join(", ".join(sorted(keys)) for keys in READERS)
        raise CriteriaError(
            f"criteria with the keys {sorted(map(str, data))}; write for example "
            f'{{"facet": "route", "terms": ["iv"]}}. Known: {known}'
        )
    return reader(data, depth + 1)
