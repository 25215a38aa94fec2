"""Sentences in English and French, and how they are laid out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, overload

from ketafind.criteria import And, Bound, Criteria, Everything, Labelled, NoService, Not, Offers, Or
from ketafind.errors import check_language, packaged
from ketafind.records import CITY_LEVEL, Clinic, Evidence, Quantity, Truth
from ketafind.shapes import label_of, named
from ketafind.show.text import escaped, interval_matters, number, outwards, time_text

if TYPE_CHECKING:
    from ketafind.query.ranking import Trip
    from ketafind.snapshot import Snapshot
    from ketafind.travel.router import Certificate
    from ketafind.vocabulary import Vocabulary


def texts() -> Mapping[str, Mapping[str, str]]:
    """Give every sentence: key to language to template."""
    known: dict[str, dict[str, str]] = packaged("explain/texts.json")
    return known


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
    def _words(self) -> Wording:
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
    """Says things in one language, and names facets, terms and whole criteria in it."""

    lang: str
    vocabularies: tuple[Vocabulary, ...] = ()

    def say(self, key: str, **values: Any) -> str:
        """Fill a sentence in."""
        template = texts()[key][self.lang]
        return template.format(**values) if values else template

    def headed(self, head: str, text: str) -> str:
        """Put a heading before a text: ``"head: text"``."""
        return self.say("headed", head=head, text=text)

    def counted(self, key: str, n: int, **values: Any) -> str:
        """Fill a sentence in that depends on a number: ``key.one`` or ``key.other``."""
        singular = n == 1 or (self.lang == "fr" and n == 0)
        return self.say(f"{key}.{'one' if singular else 'other'}", n=self.number(n), **values)

    def listed(self, items: Sequence[str], word: str = "or") -> str:
        """Join words: ``"a, b or c"``."""
        *most, last = items
        return f"{', '.join(most)} {self.say(word)} {last}" if most else last

    def number(self, value: float, places: int | None = 0) -> str:
        """Write a number; None for as many decimals as it has."""
        return number(value, self.lang, places)

    def label(self, facet: str, term: str | None = None) -> str:
        """Name a facet, a quantity, or a term of a facet."""
        return named(facet, term, self.lang, *self.vocabularies)

    def fact(self, fact: Evidence) -> str:
        """Name what a piece of evidence says."""
        name = self.label(fact.facet, fact.term)
        return self.say("clause.not", what=name) if fact.truth == Truth.NO else name

    def terms(self, facet: str, terms: Sequence[str], word: str = "or") -> str:
        """Name several terms."""
        return self.listed([self.label(facet, term) for term in terms], word)

    def criteria(self, criteria: Criteria) -> str:
        """Put criteria into words."""
        match criteria:
            case Offers():
                return self.headed(self.label(criteria.facet), self.offered(criteria))
            case Bound():
                return self.headed(self.label(criteria.quantity), self.bound(criteria))
            case And() | Or():
                joint = f" {self.say('and' if isinstance(criteria, And) else 'or')} "
                return joint.join(self._bracketed(part) for part in criteria.parts)
            case Not():
                return self.say("clause.not", what=self._bracketed(criteria.part))
            case NoService():
                return self.say("clause.no_service", what=self._bracketed(criteria.part))
            case Labelled():
                return self._named(criteria)
            case Everything():
                return self.say("clause.everything")
        return " ".join(self.criteria(part) for part in criteria.parts)

    def offered(self, clause: Offers) -> str:
        """Name the terms that are asked for, and how many of them."""
        of = len(clause.terms)
        needed = of if clause.at_least is None else clause.at_least
        named = self.terms(clause.facet, clause.terms, "and" if needed == of else "or")
        return self.say("clause.at_least", n=needed, what=named) if 1 < needed < of else named

    def bound(self, clause: Bound) -> str:
        """Name what a quantity may be."""
        units = (words.quantities[clause.quantity].unit for words in self.vocabularies
                 if clause.quantity in words.quantities)  # fmt: skip
        unit = label_of("unit", next(units, ""), self.lang)
        size = f"{self.number(clause.number, None)} {unit}".strip()
        return self.say(
            "clause.no_more" if clause.side == "at_most" else "clause.no_less", size=size
        )

    def size(self, stated: Quantity) -> str:
        """Write a number with its unit, or the range that it lies in."""
        ends = dict.fromkeys(self.number(end, None) for end in (stated.low, stated.high))
        return f"{'-'.join(ends)} {label_of('unit', stated.unit, self.lang)}"

    def _bracketed(self, part: Criteria) -> str:
        return f"({self.criteria(part)})" if isinstance(part, And | Or) else self.criteria(part)

    def _named(self, criteria: Labelled) -> str:
        kind, _, rest = criteria.name.partition(": ")
        level, _, rules = rest.partition(", ")
        if kind == "qualified" and level in ("team", "full") and rules:
            return self.say("clause.qualified", how=self.say(f"level.{level}"), rules=rules)
        return criteria.name

    def kilometres(self, distance_km: float) -> str:
        """Write a distance as a person reads it."""
        return f"{self.number(distance_km, 1 if distance_km < 9.95 else 0)}\u00a0km"

    def clinic(self, clinic: Clinic) -> str:
        """Name a clinic and its city, unless the name holds it already."""
        return clinic.name if clinic.city in clinic.name else f"{clinic.name} ({clinic.city})"

    def snapshot(self, snapshot: Snapshot) -> str:
        """Name the data and their day."""
        if snapshot.date is None:
            return snapshot.id
        return self.say("snapshot", id=snapshot.id, day=snapshot.date.isoformat())

    def data(self, snapshot: Snapshot) -> str:
        """Name the data in a sentence."""
        return self.say("table.data", snapshot=self.snapshot(snapshot))

    def place(
        self, clinic: Clinic, distance_km: float | None, interval_km: tuple[float, float] | None
    ) -> str:
        """Write how far a clinic is in a straight line, or how well its position is known."""
        place = clinic.location
        if place is None:
            return self.say("distance.none")
        if distance_km is None or interval_km is None:
            how = "given" if place.precision == "unknown" else "exact"
            key = f"position.{'within' if place.radius_km else how}"
            what = self.say(f"precision.{place.precision}")
            return self.say(key, what=what, far=self.kilometres(place.radius_km))
        text = self.distance(distance_km, interval_km, place.precision, "straight")
        low, high = map(self.kilometres, interval_km)
        if low == high or interval_matters(distance_km, *interval_km, place.precision):
            return text
        return f"{text} ({self.say('distance.between', low=low, high=high)})"

    def distance(
        self,
        distance_km: float,
        interval_km: tuple[float, float] | None,
        precision: str | None,
        form: str = "short",
    ) -> str:
        """Write a distance, or its interval where it matters: ``short``, ``at``, ``straight``."""
        low, high = interval_km or (distance_km, distance_km)
        if not interval_matters(distance_km, low, high, precision):
            return self.say(f"distance.{form}", far=self.kilometres(distance_km))
        *ends, places = outwards(low, high)
        least, most = (self.number(end, places) for end in ends)
        how = f"{form}_city" if precision in CITY_LEVEL else f"{form}_span"
        return self.say(f"distance.{how}", far=self.say("distance.span", low=least, high=most))

    def by_means(self, profile: str | None) -> str:
        """Say how one travels."""
        known = profile if profile in ("car", "foot", "bicycle") else "other"
        return self.say(f"trip.{known}", profile=profile)

    def trip(self, trip: Trip) -> str:
        """Write how long it takes, or why that is not known."""
        how = self.by_means(trip.profile)
        if trip.reason:
            return self.say(f"trip.{trip.reason}", how=how)
        far = time_text(trip.minutes, lang=self.lang)
        span = time_text(trip.minutes, trip.low_min, trip.high_min, self.lang)
        return self.say("trip.time" if span == far else "trip.span", far=far, span=span, how=how)

    def travel_notes(self, certificate: Certificate, profile: str | None) -> str:
        """What there is to know of an order by time."""
        notes = [self.say("trip.note", how=self.by_means(profile))]
        if not certificate.proved:
            notes.append(self.say("trip.unproved"))
        if certificate.unreachable:
            reasons = [self.say(f"reason.{reason}") for reason in certificate.unreachable]
            n = sum(certificate.unreachable.values())
            notes.append(self.counted("trip.no_time", n, why=self.listed(reasons)))
        return " ".join(notes)


def precision_of(clinic: Clinic) -> str | None:
    """How precisely a clinic is known; None without a position."""
    return None if clinic.location is None else clinic.location.precision
