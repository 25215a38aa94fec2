"""Criteria compiled for one directory, and the cache of them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import Bits, pack, truth_at
from ketafind.criteria import Criteria, shorthand
from ketafind.errors import CriteriaError, InvalidInputError, UnknownTermError, shown
from ketafind.records import Clinic, Service, Truth

if TYPE_CHECKING:
    from ketafind.index.protocol import PreparedFilter
    from ketafind.query.catalogue import Catalogue
    from ketafind.vocabulary import Vocabulary


class Frozen:
    """A part of an answer: it never changes, a copy is itself, and it is not pickled."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is not pickled: it holds what somebody asked for. Send "
            f"to_dict() of an answer, or the criteria of a filter and the directory"
        )


UnknownPolicy = Literal["exclude", "include", "only"]
"""Which clinics are eligible: the YES, those that are not NO, or the UNKNOWN alone."""

POLICIES: tuple[UnknownPolicy, ...] = get_args(UnknownPolicy)


def check_policy(unknown: object) -> None:
    """Refuse a word that is not an unknown policy."""
    if not isinstance(unknown, str) or unknown not in POLICIES:
        choices = ", ".join(map(repr, POLICIES))
        raise InvalidInputError(f"unknown={shown(unknown)}: choose {choices}").of(unknown, POLICIES)


class Filter(Frozen):
    """Criteria compiled for one directory; reusable, immutable, safe to share between threads.

    Made by `Directory.filter`; what the queries take as ``where=``.

    Parameters
    ----------
    catalogue : Catalogue
        The data it is compiled for.
    criteria : Criteria
        In canonical form.
    unknown : str
        ``"exclude"`` (confirmed only), ``"include"`` (possible too) or ``"only"``.
    region : ndarray of bool, optional
        The clinics that may be eligible, by their number in the directory.

    Raises
    ------
    InvalidInputError
        If the policy is another word.
    """

    criteria: Criteria
    """What was asked for, in canonical form."""
    unknown: UnknownPolicy
    """The unknown policy: ``exclude``, ``include`` or ``only``."""
    _catalogue: Catalogue
    _region: Bits | None
    _bits: Bits
    _prepared: PreparedFilter

    def __init__(
        self,
        catalogue: Catalogue,
        criteria: Criteria,
        unknown: UnknownPolicy,
        region: NDArray[np.bool_] | None = None,
    ) -> None:
        check_policy(unknown)
        fields = self.__dict__
        fields["_catalogue"] = catalogue
        fields["criteria"] = criteria
        fields["unknown"] = unknown
        fields["_region"] = None if region is None else pack(region[catalogue.clinic_of_row])
        if unknown == "exclude":  # needs one side only; a cached property costs more than it
            fields["_services_yes"] = catalogue.slices.evaluate(criteria, Truth.YES)
            fields["_yes"] = self._by_clinic(self._services_yes, Truth.YES)
        fields["_bits"] = bits = self._bits_under(unknown)
        bits.flags.writeable = False
        fields["_prepared"] = catalogue.index.prepare(self._located(bits))

    def __repr__(self) -> str:
        # A filter names conditions: what is sought is health information.
        return f"<Filter unknown={self.unknown!r}, {self.n_eligible} clinics eligible>"

    @cached_property
    def n_eligible(self) -> int:
        """How many located clinics are eligible."""
        return self._count(self._bits)

    @cached_property
    def n_possible(self) -> int:
        """How many located clinics are UNKNOWN: they may satisfy the criteria."""
        return self._count(self._bits_under("only"))

    @cached_property
    def n_unlocated(self) -> int:
        """How many clinics without a position satisfy the criteria or may."""
        # A region says nothing of a clinic that has no position.
        return int(self._flags(~self._no)[self._catalogue.n_located :].sum())

    def nearest(
        self, lat: float, lon: float, k: int = 5, max_distance_km: float = math.inf
    ) -> tuple[list[float], list[int]]:
        """Find the k nearest eligible clinics: plain numbers, in about a microsecond.

        Parameters
        ----------
        lat, lon : float
            The origin in decimal degrees, WGS 84; not checked for plausibility.
        k : int
            How many at the most, 1 or more.
        max_distance_km : float
            Leave out what is farther; a clinic exactly there stays.

        Returns
        -------
        distance_km : list of float
            WGS 84 geodesics in kilometres, nearest first; clinics at distances that are equal to
            the micrometre are in the order of their ids. Fewer than k where fewer are eligible.
        clinic_no : list of int
            Indexes ``directory.clinics``.

        Raises
        ------
        InvalidInputError
            If an argument cannot be used.

        See Also
        --------
        ketafind.Directory.nearest_arrays : The same for many origins at once.

        Examples
        --------
        >>> import ketafind
        >>> directory = ketafind.load_directory()
        >>> near = directory.filter(routes="iv", conditions="depression").nearest(44.23, -76.48, 1)
        >>> directory.clinics[near[1][0]].city
        'Kingston'
        """
        answer = self._prepared.nearest(lat, lon, k, max_distance_km)
        if self._catalogue.all_located:
            return answer
        distances, points = answer
        return distances, self._catalogue.clinic_of_point[points].tolist()

    @cached_property
    def _yes(self) -> Bits:
        """The clinics of which the criteria are YES, whatever the region."""
        return self._by_clinic(self._services_yes, Truth.YES)

    @cached_property
    def _no(self) -> Bits:
        """The clinics of which the criteria are NO, whatever the region."""
        return self._by_clinic(self._services_no, Truth.NO)

    @cached_property
    def _possible(self) -> Any:
        """The UNKNOWN clinics, prepared for the index."""
        return self._catalogue.index.prepare(self._located(self._bits_under("only")))

    def _clinic_nos(self) -> NDArray[np.intp]:
        """Every eligible clinic, located or not, by id."""
        return np.flatnonzero(self._passing(self.unknown))

    def _passing(self, unknown: UnknownPolicy) -> NDArray[np.bool_]:
        """Whether each clinic, by its number, is eligible under an unknown policy."""
        return self._by_number(self._bits_under(unknown))

    def _by_number(self, bits: Bits) -> NDArray[np.bool_]:
        """Whether each clinic, by its number, is among those of some bits."""
        return self._flags(bits).astype(bool)[self._catalogue.row_of_clinic]

    def _truth(self, clinic_no: int) -> Truth:
        """The maximum over a clinic's services, then the minimum with its status."""
        return truth_at(self._yes, self._no, int(self._catalogue.row_of_clinic[clinic_no]))

    def _in_region(self, clinic_no: int) -> bool:
        """Whether a clinic lies where clinics may be eligible."""
        row = int(self._catalogue.row_of_clinic[clinic_no])
        return self._region is None or bool(self._region[row >> 3] >> (row & 7) & 1)

    def _under(self, unknown: UnknownPolicy) -> Filter:
        """The same criteria and region under another unknown policy."""
        flags = None if self._region is None else self._by_number(self._region)
        return Filter(self._catalogue, self.criteria, unknown, flags)

    def _service(self, clinic_no: int) -> Service:
        """The service that answers for a clinic: the first with the highest truth."""
        clinic: Clinic = self._catalogue.clinics[clinic_no]
        if len(clinic.services) == 1:
            return clinic.services[0]
        rows = self._catalogue.slices.service_rows(int(self._catalogue.row_of_clinic[clinic_no]))
        truths = [truth_at(self._services_yes, self._services_no, row) for row in rows]
        return clinic.services[truths.index(max(truths))]

    @cached_property
    def _services_yes(self) -> Bits:
        return self._catalogue.slices.evaluate(self.criteria, Truth.YES)

    @cached_property
    def _services_no(self) -> Bits:
        return self._catalogue.slices.evaluate(self.criteria, Truth.NO)

    def _by_clinic(self, services: Bits, side: Truth) -> Bits:
        slices = self._catalogue.slices
        return slices.with_status(slices.by_clinic(services, side), side)

    def _bits_under(self, unknown: UnknownPolicy) -> Bits:
        if unknown == "exclude":
            bits = self._yes
        else:
            bits = ~self._no if unknown == "include" else ~(self._yes | self._no)
        return bits if self._region is None else bits & self._region

    def _located(self, bits: Bits) -> Bits:
        return bits[: (self._catalogue.n_located + 7) // 8]

    def _flags(self, bits: Bits) -> NDArray[np.uint8]:
        n_rows = len(self._catalogue.clinic_of_row)
        return np.unpackbits(bits, count=n_rows, bitorder="little")

    def _count(self, bits: Bits) -> int:
        return int(self._flags(bits)[: self._catalogue.n_located].sum())


MAX_BYTES = 64 * 2**20
MAX_FILTERS = 1024


class FilterCache:
    """The filters used last, found by what was asked and by its canonical form."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        # A filter holds about six slices, and each is stored under two keys.
        room = MAX_BYTES // (6 * (len(catalogue.clinics) // 8 + 100))
        self._capacity = 2 * max(4, min(MAX_FILTERS, room))
        self._filters: OrderedDict[Hashable, Filter] = OrderedDict()
        self._lock = Lock()

    def get(
        self, where: Criteria | None, unknown: UnknownPolicy, facets: Mapping[str, Any]
    ) -> Filter:
        """Find or compile a filter."""
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
            # A new key comes last of itself; hashing criteria once more is slow.
            self._filters[canonical] = made
            if found is not None:
                self._filters.move_to_end(canonical)
            if asked is not None:
                self._filters[asked] = made
            while len(self._filters) > self._capacity:
                self._filters.popitem(last=False)
        return made


OPTIONS = (
    *("max_distance_km", "max_time_min", "unknown", "where", "check"),
    *("thresholds_km", "thresholds_min", "catchment_km", "catchment_min"),
)
"""What a mistyped argument of a query or an analysis may be meant for."""
MEANT = {
    **dict.fromkeys(("n", "limit", "count"), "k"),
    **dict.fromkeys(("criteria", "filter", "query"), "where"),
    **dict.fromkeys(("max_km", "radius", "radius_km"), "max_distance_km"),
}
"""What arguments of other tools are called here."""


def _check_names(asked: Mapping[str, Any], vocabulary: Vocabulary) -> None:
    """Refuse a keyword that is neither a facet with terms nor a flag with yes or no."""
    for name, value in asked.items():
        is_flag = name in vocabulary.flags
        if not is_flag:
            _check_facet(name, vocabulary)
        if value is not None and isinstance(value, bool) != is_flag:
            takes = "True, False (stated not to be so) or None" if is_flag else "a term or several"
            raise CriteriaError(f"{name}= takes {takes}, not {shown(value)}")


def _check_facet(name: str, vocabulary: Vocabulary) -> None:
    if name in vocabulary.quantities:
        raise CriteriaError(f"{name}= is a number: write where=ketafind.at_most({name!r}, ...)")
    if name in ("router", "max_time_min"):
        raise CriteriaError(
            f"{name}= is no argument of this query, which is by straight distance or by none: "
            "write nearest(origin, k, router=..., max_time_min=...)"
        )
    try:
        vocabulary.facet(name)
    except UnknownTermError as error:
        from difflib import get_close_matches

        # Any keyword may be a facet: a mistyped argument ends up here.
        meant = MEANT.get(name) or "".join(get_close_matches(name, OPTIONS, 1, 0.75))
        message = f"{name}= is no argument of this query, and {error}"
        if meant and not error.suggestions:
            message = f"{name}= is no argument of this query; did you mean {meant}=?"
        raise UnknownTermError(message, error.suggestions).of(name, error.known) from None


def _key(where: object, unknown: str, facets: Mapping[str, Any]) -> Hashable | None:
    """What was asked, if it is made of texts only: another kind may change after it was read."""
    if where is not None and not isinstance(where, Criteria):
        return None
    parts: list[Hashable] = [where, unknown]
    for name, terms in facets.items():
        if terms is None or isinstance(terms, str | bool):
            parts.append((name, terms))
        elif isinstance(terms, list | tuple | set | frozenset) and all(
            isinstance(term, str) for term in terms
        ):
            parts.append((name, frozenset(terms)))
        else:
            return None
    return tuple(parts)
