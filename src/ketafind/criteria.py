"""Criteria: what a service must offer, as an immutable expression that JSON can carry."""

from __future__ import annotations

import json
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ketafind.errors import CriteriaError, UnknownTermError, shown
from ketafind.files import keys_once
from ketafind.geo import real

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


# Criteria that are nested deeper are refused when they are read.
MAX_DEPTH = 100


class Criteria(ABC):
    """What one service of a clinic must satisfy.

    Made by `route`, `staff`, `treats`, `offers`, `flag`, `at_most`, `at_least`, `no_service` and
    `qualified`; combined with ``&``, ``|`` and ``~``; immutable, hashable and comparable. Terms are
    looked up in the directory's vocabulary when a query is compiled.
    """

    __slots__ = ()
    depth = 0

    @property
    def parts(self) -> tuple[Criteria, ...]:
        """The expressions directly inside this one."""
        return ()

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
        if not self.parts:
            return type(self).__name__, str(self)
        inside = (text for part in self.parts for text in part.order())
        return type(self).__name__, "(", *inside, ")"

    def __and__(self, other: Criteria) -> Criteria:
        return _joined(And, self, check_criteria(other))

    def __or__(self, other: Criteria) -> Criteria:
        return _joined(Or, self, check_criteria(other))

    def __invert__(self) -> Criteria:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("criteria are combined with & | ~, not with and, or, not")

    def leaves(self) -> Iterator[Offers | Bound]:
        """Yield every clause inside that names terms or a quantity, in the order written.

        Yields
        ------
        Offers or Bound
            One clause.
        """
        for part in self.parts:
            yield from part.leaves()

    def _walk(self) -> Iterator[Criteria]:
        """Yield the expression and every one inside, in the order written."""
        yield self
        for part in self.parts:
            yield from part._walk()

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
            data = json.loads(text, object_pairs_hook=keys_once)
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
        return _read(data, 0)


def check_criteria(value: Any, what: str = "criteria combine with") -> Criteria:
    """Refuse what is not criteria."""
    if isinstance(value, Criteria):
        return value
    raise CriteriaError(
        f"{what} criteria, not {type(value).__name__}; "
        f'write for example ketafind.route("iv") & ketafind.treats("ptsd")'
    )


@dataclass(frozen=True, slots=True)
class Everything(Criteria):
    """No filter: YES for every service."""

    def to_dict(self) -> dict[str, Any]:
        return {"everything": True}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:  # noqa: ARG002
        return self

    def __str__(self) -> str:
        return "everything"


@dataclass(frozen=True, slots=True)
class Offers(Criteria):
    """At least a number of these terms of one facet."""

    facet: str
    terms: tuple[str, ...]
    at_least: int | None = 1

    def __post_init__(self) -> None:
        _check_text(self.facet, "a facet is a text, such as 'route', not ")
        if not self.terms:
            raise CriteriaError(f"{self.facet}: no term is given; leave the filter out for any")
        for term in self.terms:
            _check_text(term, f"{self.facet}: ", " is not a term; give its id or label as text")
        if self.at_least is not None:
            object.__setattr__(self, "at_least", _whole(self.at_least, len(self.terms)))

    def leaves(self) -> Iterator[Offers]:
        yield self

    def to_dict(self) -> dict[str, Any]:
        return {
            "facet": self.facet,
            "terms": list(self.terms),
            "at_least": "all" if self.at_least is None else self.at_least,
        }

    def resolve(self, vocabulary: Vocabulary) -> Offers:
        facet = vocabulary.facet(self.facet)
        terms = tuple(sorted({facet.resolve(term) for term in self.terms}))
        needed = len(terms) if self.at_least is None else self.at_least
        if needed > len(terms):
            raise CriteriaError(
                f"at_least={needed} of {len(terms)} different {facet.plural}: no service can "
                f"have that; name more terms or ask for fewer"
            )
        if (facet.id, terms, needed) == (self.facet, self.terms, self.at_least):
            return self
        return Offers(facet.id, terms, needed)

    def order(self) -> tuple[str, ...]:
        return "Offers", self.facet, str(self.at_least), *self.terms

    def __str__(self) -> str:
        needed = len(self.terms) if self.at_least is None else self.at_least
        if len(self.terms) == 1:
            return f"{self.facet} {self.terms[0]}"
        joined = ", ".join(self.terms)
        how = {1: "any of", len(self.terms): "all of"}.get(needed, f"{needed} of")
        return f"{self.facet} {how} ({joined})"


@dataclass(frozen=True, slots=True)
class Bound(Criteria):
    """A quantity that is at most, or at least, a number."""

    quantity: str
    side: Literal["at_most", "at_least"]
    number: float

    def __post_init__(self) -> None:
        _check_text(self.quantity, "a quantity is a text, such as 'price_cad', not ")
        size = real(self.number)
        if not 0.0 <= size < math.inf:
            raise CriteriaError(
                f"{self.quantity}: a bound is a number of 0 or more, not {shown(self.number)}"
            )
        object.__setattr__(self, "number", size + 0.0)  # no minus zero

    @property
    def facet(self) -> str:
        """The quantity, as what the clause is about."""
        return self.quantity

    def leaves(self) -> Iterator[Bound]:
        yield self

    def to_dict(self) -> dict[str, Any]:
        return {"quantity": self.quantity, self.side: self.number}

    def resolve(self, vocabulary: Vocabulary) -> Bound:
        known = vocabulary.quantities.resolve(self.quantity)
        return self if known == self.quantity else Bound(known, self.side, self.number)

    def __str__(self) -> str:
        number = repr(self.number).removesuffix(".0")
        return f"{self.quantity} {self.side.replace('_', ' ')} {number}"


def _check_text(value: Any, before: str, after: str = "") -> None:
    if not isinstance(value, str) or not value.strip():
        raise CriteriaError(before + shown(value) + after)


def _joined(kind: type[_Several], one: Criteria, other: Criteria) -> Criteria:
    # A chain of one operator is one expression, however long.
    return kind((*(one.parts if type(one) is kind else (one,)), other))


def _measure_depth(self: Any) -> None:
    depth = 1 + max(map(_depth, self.parts))
    if depth > MAX_DEPTH:
        raise CriteriaError(f"these criteria are nested deeper than {MAX_DEPTH} levels")
    object.__setattr__(self, "depth", depth)


@dataclass(frozen=True, slots=True)
class _Several(Criteria):
    """Several expressions joined by one operator."""

    key: ClassVar[str]
    parts: tuple[Criteria, ...]
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        _measure_depth(self)

    def to_dict(self) -> dict[str, Any]:
        return {self.key: [part.to_dict() for part in self.parts]}

    def __str__(self) -> str:
        return f" {self.key} ".join(map(_bracketed, self.parts))

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        flat: dict[Criteria, None] = {}
        for part in self.parts:
            done = part.resolve(vocabulary)
            flat.update(dict.fromkeys(done.parts if type(done) is type(self) else (done,)))
        # The order of the operands changes nothing: one order, one cache entry.
        ordered = sorted(flat, key=_order)
        return ordered[0] if len(ordered) == 1 else type(self)(tuple(ordered))


class And(_Several):
    """The minimum of the parts."""

    __slots__ = ()
    key = "and"


class Or(_Several):
    """The maximum of the parts."""

    __slots__ = ()
    key = "or"


class _Around(Criteria):
    """An expression that holds one other."""

    __slots__ = ()
    part: Criteria
    __post_init__ = _measure_depth

    @property
    def parts(self) -> tuple[Criteria, ...]:
        return (self.part,)


@dataclass(frozen=True, slots=True)
class _Single(_Around):
    """An expression about one other."""

    key: ClassVar[str]
    part: Criteria
    depth: int = field(init=False, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {self.key: self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        return type(self)(self.part.resolve(vocabulary))

    def __str__(self) -> str:
        return str(self.part)


class Not(_Single):
    """The opposite, of the same service; UNKNOWN stays UNKNOWN."""

    __slots__ = ()
    key = "not"

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        done = self.part.resolve(vocabulary)
        return done.part if isinstance(done, Not) else Not(done)

    def __str__(self) -> str:
        return f"not {_bracketed(self.part)}"


class NoService(_Single):
    """None of the clinic's services satisfies the part."""

    __slots__ = ()
    key = "no_service"

    def __str__(self) -> str:
        return f"no service with {_bracketed(self.part)}"


@dataclass(frozen=True, slots=True)
class Labelled(_Around):
    """An expression that goes by a name, such as a rule set's."""

    name: str
    part: Criteria
    source: object = field(default=None, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)

    def order(self) -> tuple[str, ...]:
        return "Labelled", self.name, *self.part.order()

    def to_dict(self) -> dict[str, Any]:
        return {"named": self.name, "criteria": self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        return Labelled(self.name, self.part.resolve(vocabulary), self.source)

    def __str__(self) -> str:
        return self.name


class NotInVocabulary(_Single):
    """Something that a directory has no words for: UNKNOWN for every service."""

    __slots__ = ()
    key = "unstated"

    def leaves(self) -> Iterator[Offers | Bound]:
        # No clause inside can be looked up.
        return iter(())

    def resolve(self, vocabulary: Vocabulary) -> Criteria:  # noqa: ARG002
        return self


class IfInVocabulary(_Single):
    """The part where the vocabulary has its words; else UNKNOWN, as nothing can be stated of it."""

    __slots__ = ()
    key = "if_known"

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        try:
            return self.part.resolve(vocabulary)
        except UnknownTermError:
            return NotInVocabulary(self.part)


def _whole(needed: Any, n_terms: int) -> int:
    try:
        count = operator.index(needed)
    except TypeError:
        count = 0
    if isinstance(needed, bool) or not 1 <= count <= n_terms:
        raise CriteriaError(
            f"at_least must be a whole number from 1 up to the number of terms ({n_terms}), "
            f"not {shown(needed)}"
        )
    return count


_order = operator.methodcaller("order")
_depth = operator.attrgetter("depth")


def _bracketed(part: Criteria) -> str:
    return f"({part})" if isinstance(part, _Several) else str(part)


def _read(data: Any, depth: int) -> Criteria:
    """Read plain data as criteria."""
    if depth > MAX_DEPTH:  # before anything is made of it
        raise CriteriaError(f"these criteria are nested deeper than {MAX_DEPTH} levels")
    if not isinstance(data, dict):
        raise CriteriaError(f"criteria are objects, not {type(data).__name__}")
    match data:
        case {"facet": facet, "terms": terms, **rest} if rest.keys() <= {"at_least"}:
            if not isinstance(terms, list):
                raise CriteriaError('"terms" takes a list of texts')
            needed = rest.get("at_least", 1)
            return Offers(facet, tuple(terms), None if needed == "all" else needed)
        case {"quantity": name, "at_most": number, **rest} if not rest:
            return Bound(name, "at_most", number)
        case {"quantity": name, "at_least": number, **rest} if not rest:
            return Bound(name, "at_least", number)
        case {"named": str(name), "criteria": part, **rest} if not rest:
            return Labelled(name, _read(part, depth + 1))
        case {"everything": True, **rest} if not rest:
            return Everything()
    if len(data) == 1:
        [(key, inside)] = data.items()
        if key in _SINGLE:
            return _SINGLE[key](_read(inside, depth + 1))
        if key in _SEVERAL:
            if not isinstance(inside, list) or not inside:
                raise CriteriaError(f'"{key}" takes a list of one or more criteria')
            return _SEVERAL[key](tuple(_read(part, depth + 1) for part in inside))
    raise CriteriaError(
        f"criteria with the keys [{', '.join(sorted(map(shown, data)))}]; write for example "
        f'{{"facet": "route", "terms": ["iv"]}}. Known: facet, terms (a list) and at_least; '
        f"quantity and at_most or at_least (a number); and, or (a list); not, no_service, if_known, unstated; named (a text) and criteria; "
        f"everything (true)"
    )


_SINGLE = {kind.key: kind for kind in (Not, NoService, IfInVocabulary, NotInVocabulary)}
_SEVERAL: dict[str, type[_Several]] = {kind.key: kind for kind in (And, Or)}


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
        raise CriteriaError(f"all_of must be True or False, not {shown(all_of)}")
    if all_of and at_least is not None:
        raise CriteriaError("give all_of or at_least, not both")
    needed = 1 if at_least is None else at_least
    return Offers(facet, tuple(_flat(terms)), None if all_of else needed)


def _flat(terms: Iterable[Any]) -> Iterator[Any]:
    for term in terms:
        single = isinstance(term, (str, bytes, Mapping)) or not isinstance(term, Iterable)
        if single or not getattr(term, "ndim", True):
            yield term
        else:
            yield from term


def route(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for routes of administration, such as ``route("iv", "im")`` for either.

    Parameters
    ----------
    *terms : str or iterable of str
        Routes; any one of them suffices.
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
    return offers("route", *terms, all_of=all_of, at_least=at_least)


def staff(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for staff types, such as ``staff("psychiatrist", "anesthesiologist", all_of=True)``.

    Parameters
    ----------
    *terms : str or iterable of str
        Staff types; any one of them suffices.
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
    return offers("staff", *terms, all_of=all_of, at_least=at_least)


def treats(
    *terms: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for conditions treated, such as ``treats("ptsd")``.

    Parameters
    ----------
    *terms : str or iterable of str
        Conditions; any one of them suffices.
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
    return offers("condition", *terms, all_of=all_of, at_least=at_least)


def flag(
    *names: str | Iterable[str], all_of: bool = False, at_least: int | None = None
) -> Criteria:
    """Ask for yes-no facts, such as ``flag("virtual")``; ``~flag(...)`` asks for a stated NO.

    Parameters
    ----------
    *names : str or iterable of str
        Flags of the vocabulary; any one of them suffices.
    all_of : bool
        True to ask for all of them.
    at_least : int, optional
        Ask for this many of them; at most as many as there are.

    Returns
    -------
    Criteria
        YES for a service of which it is stated, NO for one that is stated not to, else UNKNOWN.

    Raises
    ------
    CriteriaError
        If there is no flag, one is not a text, or `at_least` is not a number from 1 to that of
        the flags.

    Examples
    --------
    >>> import ketafind as kf
    >>> directory = kf.load_directory()
    >>> where = kf.route("iv") & ~kf.flag("referral_required")
    >>> len(directory.search(where)) == len(directory.search(routes="iv", referral_required=False))
    True
    """
    return offers("flag", *names, all_of=all_of, at_least=at_least)


def at_most(quantity: str, number: float) -> Criteria:
    """Ask for a quantity that is no more than a number, such as ``at_most("price_cad", 300)``.

    Parameters
    ----------
    quantity : str
        A quantity of the vocabulary.
    number : float
        In its unit; 0 or more.

    Returns
    -------
    Criteria
        YES where the whole range that is stated is no more, NO where all of it is more, else
        UNKNOWN.

    Raises
    ------
    CriteriaError
        If the quantity is not a text, or the bound not a number of 0 or more.
    """
    return Bound(quantity, "at_most", number)


def at_least(quantity: str, number: float) -> Criteria:
    """Ask for a quantity that is no less than a number, such as ``at_least("price_cad", 50)``.

    Parameters
    ----------
    quantity : str
        A quantity of the vocabulary.
    number : float
        In its unit; 0 or more.

    Returns
    -------
    Criteria
        YES where the whole range that is stated is no less, NO where all of it is less, else
        UNKNOWN.

    Raises
    ------
    CriteriaError
        If the quantity is not a text, or the bound not a number of 0 or more.
    """
    return Bound(quantity, "at_least", number)


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


Terms = str | Iterable[str] | bool | None
"""What a shorthand asks for: a term or several, or whether a flag is set; None for nothing."""


def shorthand(where: Criteria | None, **facets: Terms) -> Criteria:
    """Join ``where=`` and shorthands such as ``routes="iv"`` and ``virtual=True`` by AND."""
    parts = [] if where is None else [check_criteria(where, "where takes")]
    for name, asked in facets.items():
        if isinstance(asked, bool):
            parts.append(flag(name) if asked else ~flag(name))
        elif asked is not None:
            parts.append(offers(name, asked))
    if len(parts) > 1:
        return And(tuple(parts))
    return parts[0] if parts else Everything()
