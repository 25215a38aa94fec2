"""The kinds of criteria, immutable and comparable."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ketafind.criteria.base import JOINERS, READERS, Criteria, read_criteria
from ketafind.errors import CriteriaError, UnknownTermError

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

__all__ = [
    "And",
    "Everything",
    "IfKnown",
    "Named",
    "NoService",
    "Not",
    "Offers",
    "Or",
    "Unstated",
]


@dataclass(frozen=True, slots=True)
class Everything(Criteria):
    """No filter: YES for every service."""

    @property
    def parts(self) -> tuple[Criteria, ...]:
        return ()

    def to_dict(self) -> dict[str, Any]:
        return {"everything": True}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:  # noqa: ARG002
        return self

    def __str__(self) -> str:
        return "everything"


@dataclass(frozen=True, slots=True)
class Offers(Criteria):
    """At least so many of these terms of one facet.

    Parameters
    ----------
    facet : str
        A facet of the vocabulary, singular or plural.
    terms : tuple of str
        One or more.
    at_least : int or None
        How many of them; None for all.
    """

    facet: str
    terms: tuple[str, ...]
    at_least: int | None = 1

    def __post_init__(self) -> None:
        if not isinstance(self.facet, str) or not self.facet.strip():
            raise CriteriaError(f"a facet is a text, such as 'route', not {self.facet!r}")
        if not self.terms:
            raise CriteriaError(f"{self.facet}: no term is given; leave the filter out for any")
        for term in self.terms:
            if not isinstance(term, str) or not term.strip():
                raise CriteriaError(
                    f"{self.facet}: {term!r} is not a term; give its id or label as text"
                )
        if self.at_least is not None:
            object.__setattr__(self, "at_least", _whole(self.at_least, len(self.terms)))

    @property
    def parts(self) -> tuple[Criteria, ...]:
        return ()

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
class _Several(Criteria):
    """Several expressions joined by one operator.

    Parameters
    ----------
    parts : tuple of Criteria
        Two or more.
    """

    parts: tuple[Criteria, ...]

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

    def to_dict(self) -> dict[str, Any]:
        return {"and": [part.to_dict() for part in self.parts]}

    def __str__(self) -> str:
        return " and ".join(_bracketed(part) for part in self.parts)


class Or(_Several):
    """The maximum of the parts."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return {"or": [part.to_dict() for part in self.parts]}

    def __str__(self) -> str:
        return " or ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Single(Criteria):
    """An expression about one other.

    Parameters
    ----------
    part : Criteria
        The other.
    """

    part: Criteria

    @property
    def parts(self) -> tuple[Criteria, ...]:
        return (self.part,)


class Not(_Single):
    """The opposite, of the same service; UNKNOWN stays UNKNOWN."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return {"not": self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        done = self.part.resolve(vocabulary)
        return done.part if isinstance(done, Not) else Not(done)

    def __str__(self) -> str:
        return f"not {_bracketed(self.part)}"


class NoService(_Single):
    """None of the clinic's services satisfies the part."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return {"no_service": self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        return NoService(self.part.resolve(vocabulary))

    def __str__(self) -> str:
        return f"no service with {_bracketed(self.part)}"


@dataclass(frozen=True, slots=True)
class Named(Criteria):
    """An expression that goes by a name, such as a rule set's.

    Parameters
    ----------
    name : str
        The name to show.
    part : Criteria
        What it stands for.
    source : object
        What made it; neither compared nor serialised.
    """

    name: str
    part: Criteria
    source: object = field(default=None, compare=False, repr=False)

    @property
    def parts(self) -> tuple[Criteria, ...]:
        return (self.part,)

    def to_dict(self) -> dict[str, Any]:
        return {"named": self.name, "criteria": self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        return Named(self.name, self.part.resolve(vocabulary), self.source)

    def __str__(self) -> str:
        return self.name


class Unstated(_Single):
    """Something that a directory has no words for: UNKNOWN for every service."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return {"unstated": self.part.to_dict()}

    def leaves(self) -> Iterator[Offers]:
        # No clause inside can be looked up.
        return iter(())

    def resolve(self, vocabulary: Vocabulary) -> Criteria:  # noqa: ARG002
        return self

    def __str__(self) -> str:
        return str(self.part)


class IfKnown(_Single):
    """The part where the vocabulary has its words; else UNKNOWN, as nothing can be stated of it.

    For rules that name facts which only some directories record.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        return {"if_known": self.part.to_dict()}

    def resolve(self, vocabulary: Vocabulary) -> Criteria:
        try:
            return self.part.resolve(vocabulary)
        except UnknownTermError:
            return Unstated(self.part)

    def __str__(self) -> str:
        return str(self.part)


def _whole(needed: Any, n_terms: int) -> int:
    try:
        count = operator.index(needed)
    except TypeError:
        count = 0
    if isinstance(needed, bool) or not 1 <= count <= n_terms:
        raise CriteriaError(
            f"at_least must be a whole number from 1 up to the number of terms ({n_terms}), "
            f"not {needed!r}"
        )
    return count


_order = operator.methodcaller("order")


def _bracketed(part: Criteria) -> str:
    return f"({part})" if isinstance(part, _Several) else str(part)


def _read_several(kind: type[_Several], key: str) -> Callable[[dict[str, Any], int], Criteria]:
    def read(data: dict[str, Any], depth: int) -> Criteria:
        if not isinstance(data[key], list) or not data[key]:
            raise CriteriaError(f'"{key}" takes a list of one or more criteria')
        return kind(tuple(read_criteria(part, depth) for part in data[key]))

    return read


def _read_offers(data: dict[str, Any], _depth: int) -> Criteria:
    if not isinstance(data["terms"], list):
        raise CriteriaError('"terms" takes a list of texts')
    needed = data.get("at_least", 1)
    return Offers(data["facet"], tuple(data["terms"]), None if needed == "all" else needed)


def _read_named(data: dict[str, Any], depth: int) -> Criteria:
    if not isinstance(data["named"], str):
        raise CriteriaError('"named" takes a text')
    return Named(data["named"], read_criteria(data["criteria"], depth))


def _read_everything(data: dict[str, Any], _depth: int) -> Criteria:
    if data["everything"] is not True:
        raise CriteriaError('"everything" takes true')
    return Everything()


READERS.update(
    {
        frozenset({"facet", "terms", "at_least"}): _read_offers,
        frozenset({"facet", "terms"}): _read_offers,
        frozenset({"and"}): _read_several(And, "and"),
        frozenset({"or"}): _read_several(Or, "or"),
        frozenset({"not"}): lambda data, depth: Not(read_criteria(data["not"], depth)),
        frozenset({"no_service"}): lambda data, depth: NoService(
            read_criteria(data["no_service"], depth)
        ),
        frozenset({"named", "criteria"}): _read_named,
        frozenset({"if_known"}): lambda data, depth: IfKnown(
            read_criteria(data["if_known"], depth)
        ),
        frozenset({"unstated"}): lambda data, depth: Unstated(
            read_criteria(data["unstated"], depth)
        ),
        frozenset({"everything"}): _read_everything,
    }
)
JOINERS.update({"and": And, "or": Or, "not": Not})
