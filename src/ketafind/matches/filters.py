"""A filter, compiled: criteria and an unknown policy turned into bits and ready for the index."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria.slices import Bits, pack, truth_at
from ketafind.errors import InvalidInputError
from ketafind.matches.frozen import Frozen
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.index.protocol import Bound
    from ketafind.matches.catalogue import Catalogue
    from ketafind.records import Clinic, Service

__all__ = ["POLICIES", "Filter", "check_policy"]

POLICIES = ("exclude", "include", "only")
"""Which clinics pass: the YES, those that are not NO, or the UNKNOWN alone."""


def check_policy(unknown: Any) -> None:
    """Refuse a word that is not an unknown policy.

    Parameters
    ----------
    unknown : str
        One of `POLICIES`.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    if not isinstance(unknown, str) or unknown not in POLICIES:
        raise InvalidInputError(f"unknown={unknown!r}: choose {', '.join(map(repr, POLICIES))}")


class Filter(Frozen):
    """Criteria compiled for one directory; reusable, immutable, safe to share between threads.

    Parameters
    ----------
    catalogue : Catalogue
        The data it is compiled for.
    criteria : Criteria
        In canonical form.
    unknown : str
        ``"exclude"`` (confirmed only), ``"include"`` (possible too) or ``"only"``.
    region : ndarray of bool, optional
        Positions that may pass.

    Raises
    ------
    InvalidInputError
        If the policy is another word.
    """

    catalogue: Catalogue
    criteria: Criteria
    unknown: str
    region: Bits | None
    bits: Bits
    prepared: Any
    _bound: Bound

    def __init__(
        self,
        catalogue: Catalogue,
        criteria: Criteria,
        unknown: str,
        region: NDArray[np.bool_] | None = None,
    ) -> None:
        check_policy(unknown)
        fields = self.__dict__
        fields["catalogue"] = catalogue
        fields["criteria"] = criteria
        fields["unknown"] = unknown
        fields["region"] = None if region is None else pack(region[catalogue.rows])
        if unknown == "exclude":  # needs one side only; a cached property costs more than it
            fields["_services_yes"] = catalogue.slices.evaluate(criteria, Truth.YES)
            fields["yes"] = self._clinics(self._services_yes, Truth.YES)
        fields["bits"] = bits = self._bits(unknown)
        bits.flags.writeable = False
        fields["prepared"] = prepared = catalogue.index.prepare(self._located(bits))
        fields["_bound"] = catalogue.index.bound(prepared)

    def __repr__(self) -> str:
        # A filter names conditions: what is sought is health information.
        return f"<Filter unknown={self.unknown!r}, {self.n_eligible} clinics pass>"

    @cached_property
    def n_eligible(self) -> int:
        """How many located clinics pass."""
        return self._count(self.bits)

    @cached_property
    def n_possible(self) -> int:
        """How many located clinics are UNKNOWN: they may satisfy the criteria."""
        return self._count(self._bits("only"))

    @cached_property
    def n_unlocated(self) -> int:
        """How many clinics without a position satisfy the criteria or may."""
        # A region tells nothing of a clinic that has no position.
        return int(self._flags(~self.no)[self.catalogue.n_located :].sum())

    @cached_property
    def yes(self) -> Bits:
        """The clinics of which the criteria are YES, whatever the region."""
        return self._clinics(self._services_yes, Truth.YES)

    @cached_property
    def no(self) -> Bits:
        """The clinics of which the criteria are NO, whatever the region."""
        return self._clinics(self._services_no, Truth.NO)

    @cached_property
    def possible(self) -> Any:
        """The UNKNOWN clinics, prepared for the index."""
        return self.catalogue.index.prepare(self._located(self._bits("only")))

    def nearest(
        self, lat: float, lon: float, k: int = 5, max_distance_km: float = math.inf
    ) -> tuple[list[float], list[int]]:
        """Find the k nearest clinics that pass: plain numbers, in about a microsecond.

        Parameters
        ----------
        lat, lon : float
            The origin in decimal degrees; not checked for plausibility.
        k : int
            How many at the most.
        max_distance_km : float
            Leave out what is farther; a clinic exactly there stays.

        Returns
        -------
        distance_km : list of float
            WGS 84 geodesics, in the order of `Directory.nearest`; fewer than k where fewer pass.
        position : list of int
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
        answer = self._bound.nearest(lat, lon, k, max_distance_km)
        if self.catalogue.all_located:
            return answer
        return answer[0], self.catalogue.listed(answer[1])

    def positions(self) -> NDArray[np.intp]:
        """Every clinic that passes, located or not, by id."""
        return np.sort(self.catalogue.rows[np.flatnonzero(self._flags(self.bits))])

    def truth(self, position: int) -> Truth:
        """What is known of a clinic.

        Parameters
        ----------
        position : int
            Its position.

        Returns
        -------
        Truth
            The maximum over its services, then the minimum with its status.
        """
        return truth_at(self.yes, self.no, int(self.catalogue.row_of[position]))

    def in_region(self, position: int) -> bool:
        """Tell whether a clinic lies where clinics may pass.

        Parameters
        ----------
        position : int
            Its position.

        Returns
        -------
        bool
            True for all where there is no region.
        """
        row = int(self.catalogue.row_of[position])
        return self.region is None or bool(self.region[row >> 3] >> (row & 7) & 1)

    def under(self, unknown: str) -> Filter:
        """Ask for the same under another unknown policy.

        Parameters
        ----------
        unknown : str
            One of `POLICIES`.

        Returns
        -------
        Filter
            Another filter.
        """
        flags = None
        if self.region is not None:
            flags = self._flags(self.region).astype(bool)[self.catalogue.row_of]
        return Filter(self.catalogue, self.criteria, unknown, flags)

    def service(self, position: int) -> Service:
        """Choose the service that answers for a clinic: the first with the highest truth.

        Parameters
        ----------
        position : int
            The clinic's position.

        Returns
        -------
        Service
            One of its services.
        """
        clinic: Clinic = self.catalogue.clinics[position]
        if len(clinic.services) == 1:
            return clinic.services[0]
        slots = self.catalogue.slices.slots_of(int(self.catalogue.row_of[position]))
        truths = [truth_at(self._services_yes, self._services_no, slot) for slot in slots]
        return clinic.services[truths.index(max(truths))]

    @cached_property
    def _services_yes(self) -> Bits:
        return self.catalogue.slices.evaluate(self.criteria, Truth.YES)

    @cached_property
    def _services_no(self) -> Bits:
        return self.catalogue.slices.evaluate(self.criteria, Truth.NO)

    def _clinics(self, services: Bits, side: Truth) -> Bits:
        slices = self.catalogue.slices
        return slices.with_status(slices.fold(services, side), side)

    def _bits(self, unknown: str) -> Bits:
        if unknown == "exclude":
            bits = self.yes
        else:
            bits = ~self.no if unknown == "include" else ~(self.yes | self.no)
        return bits if self.region is None else bits & self.region

    def _located(self, bits: Bits) -> Bits:
        return bits[: (self.catalogue.n_located + 7) // 8]

    def _flags(self, bits: Bits) -> NDArray[np.uint8]:
        return np.unpackbits(bits, count=len(self.catalogue.rows), bitorder="little")

    def _count(self, bits: Bits) -> int:
        return int(self._flags(bits)[: self.catalogue.n_located].sum())
