"""What is stated of every service, as bits, and criteria evaluated on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import (
    And,
    Bound,
    Criteria,
    Everything,
    Labelled,
    NoService,
    Not,
    NotInVocabulary,
    Offers,
    Or,
)
from ketafind.errors import DataError, Fault
from ketafind.records import STATUSES, Clinic, Service, Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary


# Packed bits, little end first.
Bits = NDArray[np.uint8]


def pack(flags: NDArray[np.bool_]) -> Bits:
    """Pack flags into bits, little end first."""
    return np.packbits(flags, bitorder="little")


def truth_at(yes: Bits, no: Bits, row: int) -> Truth:
    """Read the truth of one row from the bits of both sides."""
    byte, bit = row >> 3, row & 7
    if yes[byte] >> bit & 1:
        return Truth.YES
    return Truth.NO if no[byte] >> bit & 1 else Truth.UNKNOWN


def columns_of(vocabulary: Vocabulary) -> dict[tuple[str, str], int]:
    """Number the terms of a vocabulary."""
    pairs = [(facet.id, term.id) for facet in vocabulary.facets for term in facet.terms]
    return {pair: column for column, pair in enumerate(pairs)}


def quantity_numbers(vocabulary: Vocabulary) -> dict[str, int]:
    """Number the quantities of a vocabulary."""
    return {quantity.id: number for number, quantity in enumerate(vocabulary.quantities)}


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What follows from the facts of each service, by clinic; services alike share a group."""

    # The terms that are YES in each group: a row a group, a bit a term. Group 0 states nothing.
    yes: Bits
    no: Bits
    # Group of each clinic's first service.
    group: NDArray[np.int32]
    # The clinic of each further service, in rising order.
    more_clinic_no: NDArray[np.int64]
    more_group: NDArray[np.int32]
    # Of each clinic, as its place in `STATUSES`.
    status: NDArray[np.uint8]
    # A column for each number that is stated, by quantity and clinic: clinic_no, place of the
    # service in its clinic, place of the quantity in the vocabulary, low and high.
    measured: NDArray[np.float64]

    @classmethod
    def of(cls, clinics: Sequence[Clinic], vocabulary: Vocabulary) -> StatedFacts:
        """Read the facts of clinics, or refuse all that contradict themselves."""
        groups, quantities = _Groups(vocabulary), quantity_numbers(vocabulary)
        more: list[tuple[int, int]] = []
        first: list[int] = []
        measured: list[tuple[float, ...]] = []
        faults: list[Fault] = []
        for clinic_no, clinic in enumerate(clinics):
            for at, service in enumerate(clinic.services):
                try:
                    group = groups.number(service)
                except DataError as error:
                    named = f"clinic {clinic.clinic_id!r}, service {service.service_id!r}"
                    faults += [Fault(f"{named}: {fault}") for fault in error.faults]
                    continue
                if at:
                    more.append((clinic_no, group))
                else:
                    first.append(group)
                for name, size in service.quantities.items():
                    measured.append((clinic_no, at, quantities[name], size.low, size.high))
        if faults:
            raise DataError("clinics", faults)
        owners, more_groups = np.array(more, np.int64).reshape(-1, 2).T
        codes = {status: code for code, status in enumerate(STATUSES)}
        status = np.array([codes[clinic.status] for clinic in clinics], np.uint8)
        return cls(
            *groups.bits(),
            np.array(first, np.int32),
            owners,
            more_groups.astype(np.int32),
            status,
            _in_order(np.array(measured, np.float64).reshape(-1, 5).T),
        )

    def changed(
        self, dropped: NDArray[np.intp], inserted: NDArray[np.intp], added: StatedFacts
    ) -> StatedFacts:
        """Drop clinics, then insert those of `added` before these of the clinics that stay."""
        yes, no, group_of = self.yes, self.no, np.zeros(len(added.yes), np.int32)
        for n, (its_yes, its_no) in enumerate(zip(added.yes, added.no, strict=True)):
            alike = np.flatnonzero((yes == its_yes).all(axis=1) & (no == its_no).all(axis=1))
            group_of[n] = alike[0] if len(alike) else len(yes)
            if not len(alike):
                yes, no = np.vstack([yes, its_yes]), np.vstack([no, its_no])
        stays = ~np.isin(self.more_clinic_no, dropped)
        numbers = renumbered(self.more_clinic_no[stays], dropped, inserted)
        new_numbers = (inserted + np.arange(len(inserted)))[added.more_clinic_no]
        owners = np.concatenate([numbers, new_numbers])
        order = np.argsort(owners, kind="stable")
        more_group = np.concatenate([self.more_group[stays], group_of[added.more_group]])
        kept, new = self.measured[:, ~np.isin(self.measured[0], dropped)], added.measured.copy()
        kept[0] = renumbered(kept[0].astype(np.intp), dropped, inserted)
        new[0] = (inserted + np.arange(len(inserted)))[new[0].astype(np.intp)]
        measured = np.concatenate([kept, new], axis=1)
        return StatedFacts(
            yes,
            no,
            np.insert(np.delete(self.group, dropped), inserted, group_of[added.group]),
            owners[order],
            more_group[order],
            np.insert(np.delete(self.status, dropped), inserted, added.status),
            _in_order(measured),
        )


def _in_order(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Order statements of numbers so that those of one quantity lie together."""
    clinic_no, place, quantity = measured[:3]
    return np.ascontiguousarray(measured[:, np.lexsort((place, clinic_no, quantity))])


def renumbered(
    numbers: NDArray[np.integer], dropped: NDArray[np.intp], inserted: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Number what stays when some are dropped, then others inserted before these that stay."""
    kept = numbers - np.searchsorted(dropped, numbers)
    return kept + np.searchsorted(inserted, kept, side="right")


_PIECE = 65_536


class TermSlices:
    """One bit a service for YES and one for NO, for each term or bound that is asked for."""

    # A service's bit is its service_row: see the numberings of query/catalogue.py.

    __slots__ = ("_facts", "_groups", "_numbers", "_row_of_clinic", "_slices", "active", "closed",
                 "columns", "n_rows", "owner", "width")  # fmt: skip

    def __init__(
        self,
        facts: StatedFacts,
        clinic_of_row: NDArray[np.intp],
        row_of_clinic: NDArray[np.intp],
        vocabulary: Vocabulary,
    ) -> None:
        self.columns: dict[tuple[str, str], int] = columns_of(vocabulary)
        self._numbers = quantity_numbers(vocabulary)
        self._row_of_clinic = row_of_clinic
        self.n_rows: int = len(clinic_of_row)
        self.width: int = (self.n_rows + 7) // 8
        self.owner: NDArray[np.intp] = row_of_clinic[facts.more_clinic_no]
        padding = np.zeros(8 * self.width - self.n_rows, np.intp)
        self._facts = facts
        self._groups = np.concatenate([facts.group[clinic_of_row], padding, facts.more_group])
        self._slices: dict[tuple[int, Truth], Bits] = {}
        status = facts.status[clinic_of_row]
        self.active: Bits = pack(status == STATUSES.index("active"))
        self.closed: Bits = pack(status == STATUSES.index("closed"))

    def evaluate(self, criteria: Criteria, side: Truth) -> Bits:
        """Mark the services of which canonical criteria are YES, or those of which they are NO."""
        # Not by isinstance: it costs as much as a slice, since criteria are an ABC.
        kind = type(criteria)
        if kind is Offers:
            return self._offers(cast("Offers", criteria), side)
        if kind is And or kind is Or:
            return self._joined(criteria.parts, side, Truth.YES if kind is And else Truth.NO)
        if kind is Bound:
            return self._bound(cast("Bound", criteria), side)
        if kind is Not:
            return self.evaluate(criteria.parts[0], ~side)
        if kind is NoService:
            return self._spread(self.by_clinic(self.evaluate(criteria.parts[0], ~side), ~side))
        if kind is Labelled:
            return self.evaluate(criteria.parts[0], side)
        if kind is NotInVocabulary:
            return np.zeros((len(self._groups) + 7) // 8, np.uint8)
        if kind is Everything:
            value = 255 if side is Truth.YES else 0
            return np.full((len(self._groups) + 7) // 8, value, np.uint8)
        raise TypeError(f"criteria of the type {kind.__name__} cannot be evaluated")

    def truth(self, criteria: Criteria, service_row: int) -> Truth:
        """Evaluate canonical criteria for one service."""
        yes, no = (self.evaluate(criteria, side) for side in (Truth.YES, Truth.NO))
        return truth_at(yes, no, service_row)

    def by_clinic(self, services: Bits, side: Truth) -> Bits:
        """Reduce services to clinics: YES where one is, NO where all are."""
        first = services[: self.width]
        if not len(self.owner):
            return first
        first = first.copy()
        further = np.unpackbits(services[self.width :], bitorder="little", count=len(self.owner))
        changes = self.owner[(further == 1) == (side is Truth.YES)]
        byte, bit = changes >> 3, (1 << (changes & 7)).astype(np.uint8)
        if side is Truth.YES:
            np.bitwise_or.at(first, byte, bit)
        else:
            np.bitwise_and.at(first, byte, ~bit)
        return first

    def with_status(self, bits: Bits, side: Truth) -> Bits:
        """Take the minimum with each clinic's status: uncertain is UNKNOWN, closed is NO."""
        return bits & self.active if side is Truth.YES else bits | self.closed

    def service_rows(self, bit_row: int) -> list[int]:
        """The rows of a clinic's services, in their order."""
        if not len(self.owner):
            return [bit_row]
        return [bit_row, *(8 * self.width + np.flatnonzero(self.owner == bit_row)).tolist()]

    def _slice(self, facet: str, term: str, side: Truth) -> Bits:
        column = self.columns[facet, term]
        found = self._slices.get((column, side))
        if found is None:
            terms = self._facts.yes if side is Truth.YES else self._facts.no
            has = (terms[:, column >> 3] >> (column & 7) & 1).astype(bool)
            found = pack(has[self._groups])
            found.flags.writeable = False
            self._slices[column, side] = found
        return found

    def _offers(self, clause: Offers, side: Truth) -> Bits:
        wanted = [self._slice(clause.facet, term, side) for term in clause.terms]
        if len(wanted) == 1:
            return wanted[0]
        needed = len(wanted) if clause.at_least is None else clause.at_least
        # How many decide it: enough YES, or enough NO that too few are left.
        decisive = needed if side is Truth.YES else len(wanted) - needed + 1
        if decisive == 1:
            return reduce(np.bitwise_or, wanted)
        if decisive == len(wanted):
            return reduce(np.bitwise_and, wanted)
        counts = np.unpackbits(np.stack(wanted), axis=1, bitorder="little").sum(axis=0)
        return pack(counts >= decisive)

    def stated(self, quantity: str) -> NDArray[np.float64]:
        """What is stated of a quantity, as columns of `StatedFacts.measured`."""
        number = self._numbers[quantity]
        first, last = np.searchsorted(self._facts.measured[2], (number, number + 1))
        return self._facts.measured[:, first:last]

    def _bound(self, clause: Bound, side: Truth) -> Bits:
        stated = self.stated(clause.quantity)
        flags = np.zeros(len(self._groups), bool)
        # In pieces that stay in the processor's cache: memory that is new costs more than the rest.
        for start in range(0, stated.shape[1], _PIECE):
            clinic_no, place, _, low, high = stated[:, start : start + _PIECE]
            if clause.side == "at_most":
                holds = high <= clause.number if side is Truth.YES else low > clause.number
            else:
                holds = low >= clause.number if side is Truth.YES else high < clause.number
            flags[self._service_rows(clinic_no.astype(np.intp), place)] = holds
        return pack(flags)

    def _service_rows(
        self, clinic_no: NDArray[np.intp], place: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """The service_row of services, by their clinic and their place in it."""
        rows = self._row_of_clinic[clinic_no]
        if len(self.owner):
            further = np.flatnonzero(place)
            first = np.searchsorted(self._facts.more_clinic_no, clinic_no[further])
            rows[further] = 8 * self.width + first + place[further].astype(np.intp) - 1
        return rows

    def _joined(self, joined: tuple[Criteria, ...], side: Truth, of_all: Truth) -> Bits:
        parts = [self.evaluate(part, side) for part in joined]
        return reduce(np.bitwise_and if side is of_all else np.bitwise_or, parts)

    def _spread(self, bits: Bits) -> Bits:
        if not len(self.owner):
            return bits
        further = bits[self.owner >> 3] >> (self.owner & 7).astype(np.uint8) & 1
        return np.concatenate([bits, pack(further.astype(bool))])


class _Groups:
    """The groups of services alike, with the terms that follow from what each states."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.columns = columns_of(vocabulary)
        self.numbers: dict[object, int] = {}
        self.terms: list[tuple[set[int], set[int]]] = [(set(), set())]
        self._lineage = cache(self._lineage_of)

    def number(self, service: Service) -> int:
        """The group of a service."""
        key = (service.facts, service.complete)
        number = self.numbers.get(key)
        if number is None:
            yes, no = self._close(service)
            if yes & no:
                pairs = [pair for pair, column in self.columns.items() if column in yes & no]
                listed = ", ".join(f"{facet} {term}" for facet, term in pairs)
                raise DataError("service", [Fault(f"says both yes and no of {listed}")])
            number = self.numbers[key] = len(self.terms)
            self.terms.append((yes, no))
        return number

    def bits(self) -> tuple[Bits, Bits]:
        """The terms that are YES and those that are NO in each group."""
        sides = np.zeros((2, len(self.terms), len(self.columns)), bool)
        for number, closed in enumerate(self.terms):
            for side, columns in zip(sides, closed, strict=True):
                side[number, list(columns)] = True
        yes, no = np.packbits(sides, axis=2, bitorder="little")
        return yes, no

    def _close(self, service: Service) -> tuple[set[int], set[int]]:
        yes: set[int] = set()
        no: set[int] = set()
        for facet, stated in service.facts.items():
            for term, truth in stated.items():
                if truth == Truth.YES:
                    yes |= self._lineage(facet, term)[0]
                elif truth == Truth.NO:
                    no |= self._lineage(facet, term)[1]
        for facet in service.complete:
            listed = [self._lineage(facet, term) for term in service.terms(facet)]
            every = {column for (its, _), column in self.columns.items() if its == facet}
            no |= every.difference(*(side for lineage in listed for side in lineage))
        return yes, no

    def _lineage_of(self, facet: str, term: str) -> tuple[frozenset[int], frozenset[int]]:
        """Columns of a term and all above it, and of the term and all below it."""
        words = self.vocabulary.facet(facet)
        above, below = (
            frozenset(self.columns[facet, one] for one in (term, *others))
            for others in (words.ancestors(term), words.descendants(term))
        )
        return above, below
