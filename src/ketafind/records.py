"""Plain data: a clinic, its services, where it is and why each fact is believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from numbers import Real
from typing import Any, TypeVar

from ketafind.errors import InvalidInputError
from ketafind.geo import Coordinates, degrees
from ketafind.truth import Truth

__all__ = [
    "CITY_LEVEL",
    "FLAGS",
    "PRECISIONS",
    "STATUSES",
    "Clinic",
    "Evidence",
    "FrozenMapping",
    "Location",
    "Service",
]

PRECISIONS = (
    "rooftop",
    "block_face",
    "interpolated",
    "street",
    "postal_code",
    "place",
    "fsa",
    "municipality",
    "unknown",
)
"""How precisely a position is known, finest first; ``unknown`` is a position nobody graded."""

CITY_LEVEL = frozenset({"place", "fsa", "municipality"})
STATUSES = ("active", "uncertain", "closed")

FLAGS = {
    "referral_required": ("yes", "no"),
    "ohip_covered": ("yes", "partial", "no"),
    "virtual": ("yes", "no"),
}
"""Yes-no facts of a service with their answers; what is not stated is unknown."""
V = TypeVar("V")

_FACTS_FORM = (
    "give for each facet a mapping of terms to truths, such as "
    '{"route": {"iv": Truth.YES, "im": Truth.NO}}'
)
_TEXTS = (
    "operator",
    "street_address",
    "city",
    "province",
    "postal_code",
    "phone",
    "website",
    "notes",
)


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
            f"{facet}:{term}: {value!r} is no truth; give Truth.YES or Truth.NO, and leave out "
            f"what is not known"
        ) from None


def _several(record: Any, name: str) -> Any:
    value = getattr(record, name)
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInputError(
            f"{name} must be a list or tuple, not {type(value).__name__}: write [...] around one"
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where something is, how precisely, and how that was found out.

    Parameters
    ----------
    lat, lon : float
        Decimal degrees, WGS 84.
    precision : str
        One of `PRECISIONS`.
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

    lat: float
    lon: float
    precision: str = "unknown"
    radius_km: float = 0.0
    match: str = "given"
    corrections: tuple[str, ...] = ()
    source: str = ""
    label: str = ""
    candidates: tuple[Location, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lat", degrees(self.lat, "lat", 90.0))
        object.__setattr__(self, "lon", degrees(self.lon, "lon", 180.0))
        for name in ("corrections", "candidates"):
            object.__setattr__(self, name, tuple(_several(self, name)))
        # Half the equator: no doubt on earth is wider.
        size: Any = self.radius_km
        if (
            isinstance(size, bool)
            or not isinstance(size, Real)
            or not 0.0 <= float(size) <= 20_038.0
        ):
            raise InvalidInputError("radius_km must be a number of kilometres, 0 to 20,038")
        if self.precision not in PRECISIONS:
            raise InvalidInputError(
                f"{self.precision!r} is not a precision; known: {', '.join(PRECISIONS)}"
            )

    @property
    def coordinates(self) -> Coordinates:
        """The position alone."""
        return Coordinates(lat=self.lat, lon=self.lon)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why one fact is believed.

    Parameters
    ----------
    clinic_id : str
        The clinic it is about.
    facet : str
        A facet of the vocabulary (``route``), a yes-no fact (``referral_required``) or a field of
        the clinic (``city``).
    term : str
        The term or the field's value; empty for a yes-no fact.
    truth : Truth
        What the source says of it.
    source_url : str
        Where it was read.
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
    service_id : str or None
        The service it is about; None for the clinic as a whole.
    """

    clinic_id: str
    facet: str
    term: str
    truth: Truth
    source_url: str
    source_class: str = "other"
    checked_on: date | None = None
    page_date: date | None = None
    method: str = ""
    scope: str = "site"
    hint: str = ""
    service_id: str | None = None


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
    flags : mapping of str to str
        Stated yes-no facts, such as ``{"referral_required": "no", "ohip_covered": "partial"}``.
    """

    service_id: str = "1"
    facts: Mapping[str, Mapping[str, Truth]] = FrozenMapping()
    complete: frozenset[str] = frozenset()
    combined: bool = False
    flags: Mapping[str, str] = FrozenMapping()

    def __post_init__(self) -> None:
        if not isinstance(self.facts, Mapping):
            raise InvalidInputError(f"facts: {_FACTS_FORM}")
        facts = {facet: _stated(facet, terms) for facet, terms in self.facts.items()}
        object.__setattr__(self, "facts", FrozenMapping(facts))
        object.__setattr__(self, "flags", FrozenMapping(self.flags))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """One place where care is given.

    Parameters
    ----------
    clinic_id : str
        Unique in a directory, and stable.
    name : str
        The name to show.
    services : tuple of Service
        At least one; with nothing stated, one service of which nothing is known.
    location : Location or None
        Where it is; None if unlocated.
    status : str
        ``active``, ``uncertain`` or ``closed``.
    operator, street_address, city, province, postal_code, phone, website, notes : str
        As stated; empty where not.
    languages : tuple of str
        Languages of service that are stated.
    checked_on : date or None
        The day the sources were read.
    evidence : tuple of Evidence
        Why each fact is believed.
    extra : mapping of str to str
        Columns that ketafind does not know, kept as they came.
    """

    clinic_id: str
    name: str
    services: tuple[Service, ...] = (Service(),)
    location: Location | None = None
    status: str = "active"
    operator: str = ""
    street_address: str = ""
    city: str = ""
    province: str = ""
    postal_code: str = ""
    phone: str = ""
    website: str = ""
    languages: tuple[str, ...] = ()
    notes: str = ""
    checked_on: date | None = None
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    extra: Mapping[str, str] = field(default=FrozenMapping(), repr=False)

    def __post_init__(self) -> None:
        for name in ("clinic_id", "name"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise InvalidInputError(f"a clinic needs a {name}: a text that is not blank")
        if self.status not in STATUSES:
            raise InvalidInputError(
                f"{self.status!r} is not a status; known: {', '.join(STATUSES)}"
            )
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise InvalidInputError(
                    f"{name} must be text, not {type(getattr(self, name)).__name__}; "
                    f"leave it out where it is not known"
                )
        if not isinstance(self.location, Location | None):
            raise InvalidInputError(
                f"the location must be a Location or None, not {type(self.location).__name__}; "
                f"write ketafind.Location(lat=..., lon=...)"
            )
        for name in ("services", "languages", "evidence"):
            object.__setattr__(self, name, tuple(_several(self, name)))
        object.__setattr__(self, "extra", FrozenMapping(self.extra))
        strangers = [one for one in self.services if not isinstance(one, Service)]
        if strangers:
            raise InvalidInputError(
                f"services must be Service objects, not {type(strangers[0]).__name__}"
            )
        others = [one for one in self.evidence if not isinstance(one, Evidence)]
        if others:
            raise InvalidInputError(
                f"evidence must be Evidence objects, not {type(others[0]).__name__}"
            )
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
