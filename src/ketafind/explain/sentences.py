"""Sentences in English and French, and how they are laid out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, overload

from ketafind.criteria import (
    And,
    Bound,
    Criteria,
    Everything,
    Labelled,
    NoService,
    Not,
    Offers,
    Or,
)
from ketafind.errors import check_language, packaged
from ketafind.records import CITY_LEVEL
from ketafind.shapes import label_of, named
from ketafind.show.text import escaped, interval_matters, number, outwards, time_text
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.query.ranking import Trip
    from ketafind.records import Clinic, Evidence, Quantity
    from ketafind.snapshot import Snapshot
    from ketafind.travel.router import Certificate
    from ketafind.vocabulary import Vocabulary


def texts() -> Mapping[str, Mapping[str, str]]:
    """Give every sentence: key to language to template."""
    known: dict[str, dict[str, str]] = packaged("explain/texts.json")
    return known


def headed(head: str, text: str, lang: str) -> str:
    """Put a heading before a text: ``"head: text"``."""
    return say("headed", lang, head=head, text=text)


def say(key: str, lang: str, **values: Any) -> str:
    """Fill a sentence in."""
    template = texts()[key][lang]
    return template.format(**values) if values else template


def counted(key: str, n: int, lang: str, **values: Any) -> str:
    """Fill a sentence in that depends on a number: ``key.one`` or ``key.other``."""
    singular = n == 1 or (lang == "fr" and n == 0)
    return say(f"{key}.{'one' if singular else 'other'}", lang, n=number(n, lang), **values)


def listed(items: list[str] | tuple[str, ...], lang: str, word: str = "or") -> str:
    """Join words: ``"a, b or c"``."""
    *most, last = items
    return f"{', '.join(most)} {say(word, lang)} {last}" if most else last


class Line(NamedTuple):
    """One line of an outline.

    Parameters
    ----------
    depth : int
        0 for a heading.
    text : str
        Plain text.
    url : str
        A page that it leads to; empty for none.
    """

    depth: int
    text: str
    url: str = ""


def as_text(lines: Iterable[Line]) -> str:
    """Write an outline as indented text; control characters are spelled out."""
    return "\n".join(
        "  " * line.depth + escaped(line.text + (f" <{line.url}>" if line.url else ""))
        for line in lines
    )


def as_html(lines: Sequence[Line], lang: str) -> str:
    """Write an outline as nested lists; every text is escaped."""
    from ketafind.show.html import html_link, html_text, notebook_html

    html, depth = "", 0
    for line in lines:
        more = f" {html_link(line.url)}" if line.url else ""
        text = f"{html_text(line.text)}{more}"
        html += _between(depth, line.depth)
        html += f"<li>{text}" if line.depth else f"<p>{text}</p>"
        depth = line.depth
    return notebook_html(html + _between(depth, 0), lang)


def _between(depth: int, following: int) -> str:
    """Write what stands between two lines: a deeper list is inside the item above it."""
    if following > depth:
        return "<ul>" * (following - depth)
    return "</li></ul>" * (depth - following) + ("</li>" if following else "")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Explanation(ABC):
    """What ketafind says in words: as text, plain data and HTML, in English and French.

    ``str`` gives the text, a notebook shows the HTML.

    Parameters
    ----------
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    vocabularies: tuple[Vocabulary, ...] = ()
    lang: str = "en"

    def __post_init__(self) -> None:
        object.__setattr__(self, "lang", check_language(self.lang))

    @abstractmethod
    def lines(self) -> list[Line]:
        """Return the text as an outline.

        Returns
        -------
        list of Line
            From the top.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data, ready for JSON.

        Returns
        -------
        dict
            Keys and codes are the same in every language; texts are in `lang`.
        """

    def translated(self, lang: str) -> Self:
        """Say the same in another language.

        Parameters
        ----------
        lang : str
            ``"en"`` or ``"fr"``.

        Returns
        -------
        Explanation
            Another object with the same content.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        return replace(self, lang=lang)

    @property
    def _wording(self) -> Wording:
        return Wording(self.lang, self.vocabularies)

    def __str__(self) -> str:
        return as_text(self.lines())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self.lines(), self.lang)


T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ExplanationList(Explanation, Sequence[T]):
    """An explanation that is a sequence of what was found."""

    found: tuple[T, ...]

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, item: int) -> T: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[T, ...]: ...
    def __getitem__(self, item: int | slice) -> T | tuple[T, ...]:
        return self.found[item]


def plain(value: Any) -> Any:
    """Turn a record, and all inside, into what JSON has."""
    if isinstance(value, Criteria):
        return value.to_dict()
    if is_dataclass(value):
        return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


def picked(record: object, *names: str) -> dict[str, Any]:
    """Take some attributes of a record as plain data."""
    return {name: plain(getattr(record, name)) for name in names}


def ends(interval_km: tuple[float, float] | None, name: str = "distance") -> dict[str, Any]:
    """Write an interval as plain data."""
    low, high = interval_km or (None, None)
    return {f"{name}_low_km": low, f"{name}_high_km": high}


@dataclass(frozen=True)
class Wording:
    """Names facets, terms and whole criteria in one language."""

    lang: str
    vocabularies: tuple[Vocabulary, ...]

    def label(self, facet: str, term: str | None = None) -> str:
        """Name a facet, a quantity, or a term of a facet."""
        return named(facet, term, self.lang, *self.vocabularies)

    def fact(self, fact: Evidence) -> str:
        """Name what a piece of evidence says."""
        name = self.label(fact.facet, fact.term)
        return say("clause.not", self.lang, what=name) if fact.truth == Truth.NO else name

    def terms(self, facet: str, terms: Sequence[str], word: str = "or") -> str:
        """Name several terms."""
        return listed([self.label(facet, term) for term in terms], self.lang, word)

    def criteria(self, criteria: Criteria) -> str:
        """Put criteria into words."""
        lang = self.lang
        match criteria:
            case Offers():
                return headed(self.label(criteria.facet), self.offered(criteria), lang)
            case Bound():
                return headed(self.label(criteria.quantity), self.bound(criteria), lang)
            case And() | Or():
                joint = f" {say('and' if isinstance(criteria, And) else 'or', lang)} "
                return joint.join(self._bracketed(part) for part in criteria.parts)
            case Not():
                return say("clause.not", lang, what=self._bracketed(criteria.part))
            case NoService():
                return say("clause.no_service", lang, what=self._bracketed(criteria.part))
            case Labelled():
                return self._named(criteria)
            case Everything():
                return say("clause.everything", lang)
        return " ".join(self.criteria(part) for part in criteria.parts)

    def offered(self, clause: Offers) -> str:
        """Name the terms that are asked for, and how many of them."""
        of = len(clause.terms)
        needed = of if clause.at_least is None else clause.at_least
        named = self.terms(clause.facet, clause.terms, "and" if needed == of else "or")
        return say("clause.at_least", self.lang, n=needed, what=named) if 1 < needed < of else named

    def bound(self, clause: Bound) -> str:
        """Name what a quantity may be."""
        units = (words.quantities[clause.quantity].unit for words in self.vocabularies
                 if clause.quantity in words.quantities)  # fmt: skip
        unit = label_of("unit", next(units, ""), self.lang)
        size = f"{number(clause.number, self.lang, None)} {unit}".strip()
        return say(
            "clause.no_more" if clause.side == "at_most" else "clause.no_less", self.lang, size=size
        )

    def size(self, stated: Quantity) -> str:
        """Write a number with its unit, or the range that it lies in."""
        ends = dict.fromkeys(number(end, self.lang, None) for end in (stated.low, stated.high))
        return f"{'-'.join(ends)} {label_of('unit', stated.unit, self.lang)}"

    def _bracketed(self, part: Criteria) -> str:
        return f"({self.criteria(part)})" if isinstance(part, And | Or) else self.criteria(part)

    def _named(self, criteria: Labelled) -> str:
        kind, _, rest = criteria.name.partition(": ")
        level, _, rules = rest.partition(", ")
        if kind == "qualified" and level in ("team", "full") and rules:
            how = say(f"level.{level}", self.lang)
            return say("clause.qualified", self.lang, how=how, rules=rules)
        return criteria.name


def kilometres(distance_km: float, lang: str) -> str:
    """Write a distance as a person reads it."""
    return f"{number(distance_km, lang, 1 if distance_km < 9.95 else 0)}\u00a0km"


def name_and_city(clinic: Clinic) -> str:
    """Name a clinic and its city, unless the name holds it already."""
    return clinic.name if clinic.city in clinic.name else f"{clinic.name} ({clinic.city})"


def snapshot_words(snapshot: Snapshot, lang: str) -> str:
    """Name the data and their day."""
    if snapshot.date is None:
        return snapshot.id
    return say("snapshot", lang, id=snapshot.id, day=snapshot.date.isoformat())


def precision_of(clinic: Clinic) -> str | None:
    """How precisely a clinic is known; None without a position."""
    return None if clinic.location is None else clinic.location.precision


def place_words(
    clinic: Clinic, distance_km: float | None, interval_km: tuple[float, float] | None, lang: str
) -> str:
    """Write how far a clinic is in a straight line, or how well its position is known."""
    place = clinic.location
    if place is None:
        return say("distance.none", lang)
    precision = place.precision
    if distance_km is None or interval_km is None:
        how = "given" if precision == "unknown" else "exact"
        key = f"position.{'within' if place.radius_km else how}"
        what, far = say(f"precision.{precision}", lang), kilometres(place.radius_km, lang)
        return say(key, lang, what=what, far=far)
    text = distance_phrase(distance_km, interval_km, precision, lang, "straight")
    low, high = (kilometres(end, lang) for end in interval_km)
    if low == high or interval_matters(distance_km, *interval_km, precision):
        return text
    return f"{text} ({say('distance.between', lang, low=low, high=high)})"


def by_means(profile: str | None, lang: str) -> str:
    """Say how one travels."""
    known = profile if profile in ("car", "foot", "bicycle") else "other"
    return say(f"trip.{known}", lang, profile=profile)


def trip_words(trip: Trip, lang: str) -> str:
    """Write how long it takes, or why that is not known."""
    how = by_means(trip.profile, lang)
    if trip.reason:
        return say(f"trip.{trip.reason}", lang, how=how)
    far = time_text(trip.minutes, lang=lang)
    span = time_text(trip.minutes, trip.low_min, trip.high_min, lang)
    key = "trip.time" if span == far else "trip.span"
    return say(key, lang, far=far, span=span, how=how)


def travel_notes(certificate: Certificate, profile: str | None, lang: str) -> list[str]:
    """What there is to know of an order by time."""
    notes = [say("trip.note", lang, how=by_means(profile, lang))]
    if not certificate.proved:
        notes.append(say("trip.unproved", lang))
    if certificate.unreachable:
        reasons = [say(f"reason.{reason}", lang) for reason in certificate.unreachable]
        n = sum(certificate.unreachable.values())
        notes.append(counted("trip.no_time", n, lang, why=listed(reasons, lang)))
    return [" ".join(notes)]


def distance_phrase(
    distance_km: float,
    interval_km: tuple[float, float] | None,
    precision: str | None,
    lang: str,
    form: str = "short",
) -> str:
    """Write how far a clinic is, or the interval where it matters: ``short``, ``at``, ``straight``."""
    low, high = interval_km or (distance_km, distance_km)
    if not interval_matters(distance_km, low, high, precision):
        return say(f"distance.{form}", lang, far=kilometres(distance_km, lang))
    low, high, places = outwards(low, high)
    far = say("distance.span", lang, low=number(low, lang, places), high=number(high, lang, places))
    how = f"{form}_city" if precision in CITY_LEVEL else f"{form}_span"
    return say(f"distance.{how}", lang, far=far)
