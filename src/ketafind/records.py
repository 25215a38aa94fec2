"""Plain data: a clinic, its services, where it is and why each fact is believed."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ketafind import shapes
from ketafind.errors import InvalidInputError, shown
from ketafind.geo import Coordinates, degrees, real
from ketafind.vocabulary.terms import FLAG, quoted

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


class Truth(StrEnum):
    """What is known of a statement.

    ``NO < UNKNOWN < YES``; ``&`` is the minimum, ``|`` the maximum, ``~`` swaps YES and NO, so
    ``x | ~x`` may be UNKNOWN. A truth has no boolean value: compare it, ``truth == Truth.YES``.

    Notes
    -----
    S. C. Kleene, Introduction to Metamathematics (1952), section 64.
    """

    # The alphabetical order of the values is the logical order.
    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"

    def __and__(self, other: Truth) -> Truth:
        return min(self, other)

    def __or__(self, other: Truth) -> Truth:
        return max(self, other)

    def __invert__(self) -> Truth:
        return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[self]

    def __bool__(self) -> bool:
        raise TypeError("a truth is yes, no or unknown: compare it, as in truth == Truth.YES")

    @classmethod
    def _missing_(cls, value: Any) -> Truth | None:
        text = value.lower() if isinstance(value, str) else value
        return next((member for member in cls if member.value == text), None)


# For a precision without a radius: wide, and said aloud in the location's corrections.
ASSUMED_RADIUS_KM = {
    "rooftop": 0.05,
    "block_face": 0.2,
    "interpolated": 0.5,
    "street": 2.0,
    "postal_code": 2.0,
    "place": 10.0,
    "fsa": 15.0,
    "municipality": 20.0,
}

# How precisely a position is known, finest first; ``unknown`` is a position nobody graded.
PRECISIONS = (*ASSUMED_RADIUS_KM, "unknown")

CITY_LEVEL = frozenset({"place", "fsa", "municipality"})
# The extra field of a clinic that says which of its own statements evidence overrules.
OVERRULED = "overruled"

# The column of a clinic, added on reading, that says why its address could not be placed.
UNPLACED = "geocoding"

WEB_ADDRESS = re.compile(
    r"https?://(\[[\da-f:.]+\]|[^\s\x00-\x20\x7f/?#@\\\[\]]+)([/?#][^\s\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)
NO_WEB_ADDRESS = """is not a web address: it must begin with https:// or http://, and hold no space and no \
name or password before the host"""
_SURROGATE = re.compile("[\ud800-\udfff]")


def text_fault(value: str) -> str | None:
    """Say what a text holds that no file or page can."""
    if "\0" in value:
        return "holds a NUL character (U+0000); remove it"
    if not value.isascii() and _SURROGATE.search(value):
        return "holds half of a surrogate pair, which is no character; remove it"
    return None


STATUSES = ("active", "uncertain", "closed")
# Who may say a fact, highest first.
SOURCE_CLASSES = ("regulator", "clinic", "government", "operator", "other")
SCOPES = ("site", "operator")

V = TypeVar("V")
R = TypeVar("R")

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_QUANTITY = re.compile(rf"({_NUMBER})(?:\s*[-\u2013]\s*({_NUMBER}))?(?:\s*([^\W\d_].*))?")
_FACTS_FORM = (
    "give for each facet a mapping of terms to truths, such as "
    '{"route": {"iv": Truth.YES, "im": Truth.NO}}'
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record that is a column of tables; records give theirs as ``metadata``."""

    name: str
    level: str
    default: Any
    kind: str = "text"
    choices: tuple[str, ...] = ()
    # Whether evidence may be about it.
    evidenced: bool = False

    def of(self, clinic: Clinic) -> Any:
        """Read it from a clinic; None where it is not known."""
        value = getattr(clinic.location if self.level == "location" else clinic, self.name, None)
        return None if value == "" else value


def _fields(record: type, level: str) -> tuple[Field, ...]:
    return tuple(
        Field(part.name, level, part.default, **part.metadata)
        for part in fields(record)
        if part.metadata
    )


def _column(kind: str = "text", **traits: Any) -> Mapping[str, Any]:
    return {"kind": kind, **traits}


class FrozenMapping(Mapping[str, V]):
    """A mapping that cannot change; hashable, comparable and picklable, in the order given."""

    __slots__ = ("_hash", "_items")

    def __init__(self, items: Mapping[str, V] | None = None) -> None:
        self._items = dict(items or {})
        self._hash: int | None = None

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        # Mapping's own goes through Python for each item.
        if type(other) is FrozenMapping:
            return self._items == other._items
        return Mapping.__eq__(self, other)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._items.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # Hashes of texts differ between processes.
        return FrozenMapping, (self._items,)

    def __repr__(self) -> str:
        return repr(self._items)


_AS_IN_FACTS: FrozenMapping[Truth] = FrozenMapping()


def _stated(facet: str, terms: Any) -> FrozenMapping[Truth]:
    if not isinstance(terms, Mapping):
        raise InvalidInputError(f"facts of {facet!r}: {_FACTS_FORM}")
    return FrozenMapping({term: _truth(facet, term, value) for term, value in terms.items()})


def _truth(facet: str, term: str, value: Any) -> Truth:
    if type(value) is Truth:
        return value
    try:
        return Truth(value)
    except ValueError:
        raise InvalidInputError(
            f"{facet}:{term}: {value!r} is not a truth; give Truth.YES or Truth.NO, and leave out "
            f"what is not known"
        ) from None


def _several(record: Any, name: str, kind: type = object) -> Any:
    """Read a field that holds several values, all of one kind."""
    value = getattr(record, name)
    if isinstance(value, str | type) or not hasattr(value, "__iter__"):
        raise InvalidInputError(
            f"{name} must be a list or tuple, not {type(value).__name__}: write [...] around one"
        )
    values = tuple(value)
    for one in values:
        if not isinstance(one, kind):
            raise InvalidInputError(
                f"{name} must be {kind.__name__} objects, not {type(one).__name__}"
            )
    return values


def _check_choice(value: str, what: str, known: Iterable[str]) -> None:
    if value not in known:
        message = f"{shown(value)} is not a {what}; known: {', '.join(known)}"
        raise InvalidInputError(message).of(value, known)


def _read_days(record: Any, *names: str) -> None:
    """Take the day of a datetime, which compares with no date, and refuse anything else."""
    for name in names:
        day = getattr(record, name)
        if isinstance(day, datetime) and day == day:  # noqa: PLR0124 - NaT is a datetime
            object.__setattr__(record, name, day.date())
        elif day is not None and type(day) is not date:
            raise InvalidInputError(
                f"{name} must be a date or None, not {type(day).__name__}; "
                f"write datetime.date(2026, 11, 23)"
            )


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, or the range that it lies in.

    Parameters
    ----------
    low, high : float
        The range, ends included, 0 or more; equal where the number itself is stated.
    unit : str
        What is counted, such as ``"CAD"`` or ``"days"``.
    """

    low: float
    high: float
    unit: str

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            size = real(getattr(self, name))
            if not 0.0 <= size < math.inf:
                raise InvalidInputError(f"a quantity's {name} must be a number of 0 or more")
            object.__setattr__(self, name, size + 0.0)  # no minus zero
        if self.low > self.high:
            raise InvalidInputError(f"{self.span} has its low end above its high end; swap them")
        if not isinstance(self.unit, str) or not self.unit.strip():
            raise InvalidInputError('a quantity needs a unit, such as "CAD"')

    @classmethod
    def read(cls, text: str, unit: str) -> Self:
        """Read a number or a range, such as ``300``, ``250-400`` or ``300 CAD``.

        Parameters
        ----------
        text : str
            The number or the two ends; the unit may follow.
        unit : str
            The unit that it must be in.

        Returns
        -------
        Quantity
            What is stated.

        Raises
        ------
        InvalidInputError
            If it is not a number of 0 or more, a low end is above its high end, or the unit is
            another one.
        """
        parts = _QUANTITY.fullmatch(text.strip()) if len(text) <= 200 else None
        if parts is None:
            raise InvalidInputError(
                f"{quoted(text)} is not a number of {unit}; write 300, or 250-400 for a range"
            )
        low, high, given = parts.groups()
        if given is not None and given.casefold() != unit.casefold():
            raise InvalidInputError(
                f"{quoted(text)} is not in {unit}; write 300, or 250-400 for a range, of {unit}"
            )
        return cls(float(low), float(high or low), unit)

    @property
    def span(self) -> str:
        """The number or the range, without the unit."""
        ends = dict.fromkeys(repr(end).removesuffix(".0") for end in (self.low, self.high))
        return "-".join(ends)

    def __str__(self) -> str:
        return f"{self.span} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where something is, how precisely, and how that was found out.

    Parameters
    ----------
    lat, lon : float
        Decimal degrees, WGS 84.
    precision : str
        One of ``ketafind.records.PRECISIONS``.
    radius_km : float
        The true position lies within this distance in 90 % of such answers; 0 for a position
        taken as exact.
    match : str
        ``exact``, ``corrected``, ``fuzzy``, ``ambiguous``, ``conflict`` or ``given`` (coordinates
        that were supplied).
    corrections : tuple of str
        What was read otherwise than written, one sentence each.
    source : str
        The gazetteer, register or service that answered.
    label : str
        The name of what was found, such as ``"Kingston, ON"``.
    candidates : tuple of Location
        The other places it could be, where there was doubt.
    """

    lat: float = field(metadata=_column("latitude"))
    lon: float = field(metadata=_column("longitude"))
    precision: str = field(default="unknown", metadata=_column("choice", choices=PRECISIONS))
    radius_km: float = field(default=0.0, metadata=_column("radius"))
    match: str = "given"
    corrections: tuple[str, ...] = ()
    source: str = ""
    label: str = ""
    candidates: tuple[Location, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lat", degrees(self.lat, "lat", 90.0))
        object.__setattr__(self, "lon", degrees(self.lon, "lon", 180.0))
        for name in ("corrections", "candidates"):
            object.__setattr__(self, name, _several(self, name))
        radius_km = real(self.radius_km) + 0.0  # no minus zero
        # Half the equator: no doubt on earth is wider.
        if not 0.0 <= radius_km <= 20_038.0:
            raise InvalidInputError("radius_km must be a number of kilometres, 0 to 20,038")
        object.__setattr__(self, "radius_km", radius_km)
        _check_choice(self.precision, "precision", PRECISIONS)

    @property
    def coordinates(self) -> Coordinates:
        """The position alone."""
        return Coordinates(lat=self.lat, lon=self.lon)

    def to_dict(self, lang: str | None = None) -> shapes.LocationRecord:
        """Write the location as plain data, ready for JSON.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.

        Returns
        -------
        LocationRecord
            Its fields; with a language ``labels`` for precision, match and corrections. A text
            that is not known is None.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        candidates = [place.to_dict(lang) for place in self.candidates]
        made: Any = shapes.plain(self, lang, labelled=("precision", "match"), candidates=candidates)
        if lang is not None:
            made["labels"]["corrections"] = shapes.translated(self.corrections, lang)
        return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why one fact is believed.

    Parameters
    ----------
    clinic_id : str
        The clinic it is about.
    service_id : str or None
        The service it is about; None for the clinic as a whole.
    facet : str
        A facet of the vocabulary (``route``; ``flag`` for yes-no facts), a quantity
        (``price_cad``) or a field of the clinic (``city``).
    term : str
        The term (``iv``; ``referral_required``), or the value of the quantity or field.
    truth : Truth
        What the source says of it.
    source_url : str
        Where it was read: the address of a page; anything else is shown as text, without a link.
    source_class : str
        ``regulator``, ``clinic``, ``government``, ``operator`` or ``other``.
    checked_on : date or None
        The day the source was read.
    page_date : date or None
        The date the page gives itself, when known.
    method : str
        How it was read; ``archived_copy`` is a stored copy, not checked live.
    scope : str
        ``site``, or ``operator`` when the source speaks of all its sites.
    hint : str
        A few words of what the source says.
    """

    clinic_id: str = field(metadata=_column("identifier"))
    service_id: str | None = field(default=None, metadata=_column("identifier"))
    facet: str = field(metadata=_column())
    term: str = field(metadata=_column())
    truth: Truth = field(metadata=_column("choice", choices=("yes", "no")))
    source_url: str = field(metadata=_column("website"))
    source_class: str = field(default="other", metadata=_column("choice", choices=SOURCE_CLASSES))
    checked_on: date | None = field(default=None, metadata=_column("date"))
    page_date: date | None = field(default=None, metadata=_column("date"))
    method: str = field(default="", metadata=_column())
    scope: str = field(default="site", metadata=_column("choice", choices=SCOPES))
    hint: str = field(default="", metadata=_column())

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", _truth(self.facet, self.term, self.truth))
        if not isinstance(self.source_url, str) or not self.source_url.strip():
            what = f"evidence of clinic {quoted(str(self.clinic_id))}: source_url"
            raise InvalidInputError(
                f"{what} must say where the fact was read; no fact has no source"
            )
        _check_choice(self.source_class, "source class", SOURCE_CLASSES)
        _check_choice(self.scope, "scope", SCOPES)
        _read_days(self, "checked_on", "page_date")

    def to_dict(
        self, lang: str | None = None, *, vocabulary: Vocabulary | None = None
    ) -> shapes.EvidenceRecord:
        """Write the evidence as plain data, ready for JSON.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.
        vocabulary : Vocabulary, optional
            Where labels of terms come from; the bundled one by default.

        Returns
        -------
        EvidenceRecord
            Its fields, days in ISO form; with a language ``labels`` for facet, term, truth and
            class of source. A text that is not known is None.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        made: Any = shapes.plain(self, lang, labelled=("truth", "source_class"))
        if lang is not None:
            made["labels"]["facet"] = shapes.named(self.facet, None, lang, vocabulary)
            made["labels"]["term"] = shapes.named(self.facet, self.term, lang, vocabulary)
        return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One offering of a clinic: what is stated of its routes, staff, conditions and the rest.

    Parameters
    ----------
    service_id : str
        Unique within the clinic.
    facts : mapping of str to mapping of str to Truth
        For each facet the terms that are stated, each YES or NO. What is not there is UNKNOWN.
    complete : frozenset of str
        Facets whose list is stated to be complete: there, what is not listed is NO.
    combined : bool
        True if a source did not tie these facts together: they may belong to several offerings.
    flags : mapping of str to Truth
        Stated yes-no facts, such as ``{"referral_required": Truth.NO}``; they are the terms of the
        facet ``flag`` in `facts`, and may be given there.
    quantities : mapping of str to Quantity
        Stated numbers, such as ``{"price_cad": Quantity(250, 400, "CAD")}``.
    """

    service_id: str = field(default="1", metadata=_column("identifier"))
    facts: Mapping[str, Mapping[str, Truth]] = FrozenMapping()
    complete: frozenset[str] = frozenset()
    combined: bool = field(default=False, metadata=_column("yes_no"))
    flags: Mapping[str, Truth] = field(default=_AS_IN_FACTS, compare=False)
    quantities: Mapping[str, Quantity] = FrozenMapping()

    def __post_init__(self) -> None:
        if not isinstance(self.facts, Mapping):
            raise InvalidInputError(f"facts: {_FACTS_FORM}")
        given = self.facts if self.flags is _AS_IN_FACTS else {**self.facts, FLAG: self.flags}
        facts = {facet: _stated(facet, terms) for facet, terms in given.items()}
        facts = {facet: terms for facet, terms in facts.items() if facet != FLAG or terms}
        object.__setattr__(self, "facts", FrozenMapping(facts))
        object.__setattr__(self, "flags", facts.get(FLAG, _AS_IN_FACTS))
        object.__setattr__(self, "quantities", FrozenMapping(self.quantities))
        for name, quantity in self.quantities.items():
            if not isinstance(quantity, Quantity):
                raise InvalidInputError(
                    f"{name} must be a Quantity, not {type(quantity).__name__}; "
                    f'write Quantity(250, 400, "CAD")'
                )
        object.__setattr__(self, "complete", frozenset(_several(self, "complete")))

    def terms(self, facet: str, truth: Truth = Truth.YES) -> tuple[str, ...]:
        """Terms of a facet that are stated with this truth, in the order given.

        Parameters
        ----------
        facet : str
            A facet id, such as ``"route"``, or its plural.
        truth : Truth
            YES or NO.

        Returns
        -------
        tuple of str
            Term ids.
        """
        stated = self.facts.get(facet) or self.facts.get(facet.removesuffix("s"), {})
        return tuple(term for term, is_so in stated.items() if is_so == truth)

    @property
    def routes(self) -> tuple[str, ...]:
        """Routes of administration that are stated."""
        return self.terms("route")

    @property
    def staff(self) -> tuple[str, ...]:
        """Staff types that are stated."""
        return self.terms("staff")

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions that are stated."""
        return self.terms("condition")

    @property
    def products(self) -> tuple[str, ...]:
        """Products that are stated."""
        return self.terms("product")

    def to_dict(
        self, lang: str | None = None, *, vocabulary: Vocabulary | None = None
    ) -> shapes.ServiceRecord:
        """Write the service as plain data, ready for JSON.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.
        vocabulary : Vocabulary, optional
            Where labels of terms come from; the bundled one by default.

        Returns
        -------
        ServiceRecord
            Facts by facet, each stated term with its truth, and whether the list is complete;
            yes-no facts by name as well, and quantities. What is not there is unknown.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        made: Any = shapes.plain(
            self,
            None,
            facts=shapes.plain_facts(self.facts, self.complete, lang, vocabulary),
            quantities=shapes.plain_quantities(self.quantities, lang, vocabulary),
        )
        del made["complete"]  # it stands beside the facts
        return made  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """One place where care is given.

    Parameters
    ----------
    clinic_id : str
        Unique in a directory, and stable.
    name : str
        The name to show.
    operator, street_address, city, province, postal_code, phone, website : str
        As stated; empty where not.
    location : Location or None
        Where it is; None if unlocated.
    status : str
        ``active``, ``uncertain`` or ``closed``.
    languages : tuple of str
        Languages of service that are stated.
    services : tuple of Service
        At least one; with nothing stated, one service of which nothing is known.
    notes : str
        As stated; empty where not.
    checked_on : date or None
        The day the sources were read.
    evidence : tuple of Evidence
        Why each fact is believed.
    extra : mapping of str to str
        Columns that ketafind does not know, kept as they came.
    """

    clinic_id: str = field(metadata=_column("identifier"))
    name: str = field(metadata=_column(evidenced=True))
    operator: str = field(default="", metadata=_column(evidenced=True))
    street_address: str = field(default="", metadata=_column(evidenced=True))
    city: str = field(default="", metadata=_column(evidenced=True))
    province: str = field(default="", metadata=_column(evidenced=True))
    postal_code: str = field(default="", metadata=_column(evidenced=True))
    phone: str = field(default="", metadata=_column(evidenced=True))
    website: str = field(default="", metadata=_column("website", evidenced=True))
    location: Location | None = None
    status: str = field(
        default="active", metadata=_column("choice", choices=STATUSES, evidenced=True)
    )
    services: tuple[Service, ...] = (Service(),)
    languages: tuple[str, ...] = ()
    notes: str = field(default="", metadata=_column())
    checked_on: date | None = field(default=None, metadata=_column("date"))
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    extra: Mapping[str, str] = field(default=FrozenMapping(), repr=False)

    def __post_init__(self) -> None:
        for name in ("clinic_id", "name"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise InvalidInputError(f"a clinic needs a {name}: a text that is not blank")
        _check_choice(self.status, "status", STATUSES)
        _read_days(self, "checked_on")
        for name in _CLINIC_TEXTS:
            if not isinstance(getattr(self, name), str):
                raise InvalidInputError(
                    f"{name} must be text, not {type(getattr(self, name)).__name__}; "
                    f"leave it out where it is not known"
                )
        texts = _texts_of_clinic(self)
        if fault := text_fault("".join(texts)):
            name = next(n for n, text in zip(_TEXTS, texts, strict=True) if text_fault(text))
            raise InvalidInputError(f"clinic {quoted(self.clinic_id)}: {name} {fault}")
        if self.website and not WEB_ADDRESS.fullmatch(self.website):
            raise InvalidInputError(f"clinic {quoted(self.clinic_id)}: website {NO_WEB_ADDRESS}")
        if not isinstance(self.location, Location | None):
            raise InvalidInputError(
                f"the location must be a Location or None, not {type(self.location).__name__}; "
                f"write ketafind.Location(lat=..., lon=...)"
            )
        for name, kind in {"services": Service, "languages": object, "evidence": Evidence}.items():
            object.__setattr__(self, name, _several(self, name, kind))
        object.__setattr__(self, "extra", FrozenMapping(self.extra))
        ids = [service.service_id for service in self.services]
        if not ids or len(set(ids)) < len(ids):
            raise InvalidInputError(
                f"clinic {self.clinic_id!r} needs one service or more, each with its own service_id"
            )

    @property
    def address(self) -> str:
        """The address on one line, of the parts that are known."""
        town = " ".join(part for part in (self.province, self.postal_code) if part)
        return ", ".join(part for part in (self.street_address, self.city, town) if part)

    def to_dict(
        self, lang: str | None = None, *, vocabulary: Vocabulary | None = None
    ) -> shapes.ClinicRecord:
        """Write the clinic, with its services and evidence, as plain data, ready for JSON.

        Parameters
        ----------
        lang : str or None
            ``"en"`` or ``"fr"`` for labels beside the ids, None for ids alone.
        vocabulary : Vocabulary, optional
            Where labels of terms come from; the bundled one by default.

        Returns
        -------
        ClinicRecord
            Its fields, days in ISO form; with a language ``labels`` for status and languages.
            A text that is not known is None.

        Raises
        ------
        InvalidInputError
            If lang is another language.
        """
        made: Any = shapes.plain(
            self,
            lang,
            labelled=("status",),
            location=None if self.location is None else self.location.to_dict(lang),
            services=[one.to_dict(lang, vocabulary=vocabulary) for one in self.services],
            evidence=[one.to_dict(lang, vocabulary=vocabulary) for one in self.evidence],
        )
        if lang is not None:
            labels = [shapes.named("language", one, lang, vocabulary) for one in self.languages]
            made["labels"]["languages"] = labels
        return made  # type: ignore[no-any-return]


def build_records(record: type[R], n: int, columns: Mapping[str, Iterable[Any]]) -> list[R]:
    """Make records of columns of values that are checked already: exact types, all frozen."""
    made = [object.__new__(record) for _ in range(n)]
    for part in fields(record):  # type: ignore[arg-type]
        values = columns.get(part.name) or repeat(part.default, n)
        deque(map(getattr(record, part.name).__set__, made, values), maxlen=0)
    return made


def read_plain(plain: Mapping[str, Any], known: Iterable[Field]) -> dict[str, Any]:
    """Read fields of plain data, as `to_dict` gives it; what is None takes its default."""
    made = {
        part.name: _plain_value(part, plain[part.name])
        for part in known
        if plain.get(part.name) is not None
    }
    missing = [one.name for one in known if one.default is MISSING and one.name not in made]
    if missing:
        raise InvalidInputError(f"{' and '.join(missing)} missing; it needs one")
    return made


_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("latitude", "longitude", "radius"), (int, float)),
    "yes_no": (bool,),
}


def _plain_value(part: Field, value: Any) -> Any:
    right = _PLAIN_TYPES.get(part.kind, (str,))
    if not isinstance(value, right) or (isinstance(value, bool) and bool not in right):
        raise InvalidInputError(f"{part.name} cannot be {value!r}")
    if part.choices and value not in part.choices:
        known = ", ".join(part.choices)
        raise InvalidInputError(f"{part.name}: {value!r} is not one of {known}").of(value, known)
    return date.fromisoformat(str(value)) if part.kind == "date" else value


def location_of(plain: Mapping[str, Any]) -> Location:
    """Read a location that was written by `Location.to_dict`, or without what is the default."""
    more = {name: plain[name] for name in ("match", "source", "label") if plain.get(name)}
    return Location(
        **read_plain(plain, LOCATION_FIELDS),
        **more,
        corrections=tuple(plain.get("corrections") or ()),
        candidates=tuple(map(location_of, plain.get("candidates") or ())),
    )


_OF_CLINIC = _fields(Clinic, "clinic")
_STATUS_AT = [part.name for part in _OF_CLINIC].index("status")
LOCATION_FIELDS = _fields(Location, "location")
# The columns of a clinic and its location, in the order of files; the one list of them.
CLINIC_FIELDS = (
    *_OF_CLINIC[:_STATUS_AT],
    *LOCATION_FIELDS,
    *_OF_CLINIC[_STATUS_AT:],
)

# The columns of a service besides its facets, flags, quantities and ``complete``.
SERVICE_FIELDS = _fields(Service, "service")

EVIDENCE_FIELDS = _fields(Evidence, "evidence")

# Fields of a clinic that evidence may be about; the term is then the field's value.
CLINIC_FACTS = tuple(part.name for part in CLINIC_FIELDS if part.evidenced)

_CLINIC_TEXTS = [part.name for part in _OF_CLINIC if part.default == ""]
_TEXTS = ("clinic_id", "name", *_CLINIC_TEXTS)
_texts_of_clinic = attrgetter(*_TEXTS)
