"""What is stated of every service, as bit slices, and criteria evaluated on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria.base import Criteria
from ketafind.criteria.expression import (
    And,
    Everything,
    Named,
    NoService,
    Not,
    Offers,
    Or,
    Unstated,
)
from ketafind.errors import DataError, Fault
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["Bits", "Known", "TermSlices"]

Bits = NDArray[np.uint8]
"""Packed bits, little end first."""


class Known(NamedTuple):
    """For each row one bit for YES and one for NO; neither is UNKNOWN, never both."""

    yes: Bits
    no: Bits

    def __and__(self, other: Known) -> Known:
        return Known(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Known) -> Known:
        return Known(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Known:
        return Known(self.no, self.yes)

    def at(self, row: int) -> Truth:
        """Truth of one row."""
        byte, bit = row >> 3, row & 7
        if self.yes[byte] >> bit & 1:
            return Truth.YES
        return Truth.NO if self.no[byte] >> bit & 1 else Truth.UNKNOWN


def pack(flags: NDArray[np.bool_]) -> Bits:
    """Pack flags into bits, little end first."""
    return np.packbits(flags, bitorder="little")


class TermSlices:
    """One bit a service for YES and one for NO, for each term of the vocabulary.

    The first service of the clinic at row i has slot i, so that for clinics of one service the
    bits of the services are the bits of the clinics; further services follow after a whole byte.

    Parameters
    ----------
    yes, no : ndarray of uint8, shape (terms, bytes)
        A slice a term.
    columns : mapping of (facet, term) to int
        Where each term's slice is.
    owner : ndarray of intp
        The row of the clinic of each further service.
    n_rows : int
        Number of clinics.
    active, closed : ndarray of uint8
        A bit a clinic.
    """

    __slots__ = ("active", "closed", "columns", "n_rows", "no", "owner", "width", "yes")

    def __init__(
        self,
        yes: Bits,
        no: Bits,
        columns: Mapping[tuple[str, str], int],
        owner: NDArray[np.intp],
        n_rows: int,
        active: Bits,
        closed: Bits,
    ) -> None:
        self.yes, self.no = yes, no
        self.columns = columns
        self.owner = owner
        self.n_rows = n_rows
        self.active, self.closed = active, closed
        self.width = (n_rows + 7) // 8

    @classmethod
    def build(
        cls, clinics: Sequence[Clinic], rows: NDArray[np.intp], vocabulary: Vocabulary
    ) -> TermSlices:
        """Slice the stated facts of clinics.

        Parameters
        ----------
        clinics : sequence of Clinic
            In any order.
        rows : ndarray of intp
            The position in `clinics` of each row.
        vocabulary : Vocabulary
            Facets, terms and their parents.

        Returns
        -------
        TermSlices
            The slices, closed upward for YES and downward for NO.

        Raises
        ------
        DataError
            If a term is unknown, or is YES and NO at once.
        """
        columns = columns_of(vocabulary)
        first = [clinics[position].services[0] for position in rows]
        more = [(row, s) for row, p in enumerate(rows) for s in clinics[p].services[1:]]
        start = _aligned(len(first))
        groups = np.zeros(start + len(more), np.int32)
        closure = _Closure(vocabulary, columns)
        faults: list[Fault] = []
        for slot, service in [*enumerate(first), *enumerate((s for _, s in more), start)]:
            try:
                groups[slot] = closure.group(service)
            except DataError as error:
                row = slot if slot < start else more[slot - start][0]
                named = f"clinic {clinics[rows[row]].clinic_id!r}, service {service.service_id!r}"
                faults += [Fault(f"{named}: {fault}") for fault in error.faults]
        if faults:
            raise DataError("clinics", faults)
        status = np.array([clinics[position].status for position in rows], dtype=object)
        return cls(
            _slice(groups, closure.yes, len(columns)),
            _slice(groups, closure.no, len(columns)),
            columns,
            np.array([row for row, _ in more], dtype=np.intp),
            len(first),
            pack(status == "active"),
            pack(status == "closed"),
        )

    def evaluate(self, criteria: Criteria) -> Known:
        """Evaluate canonical criteria for every service.

        Parameters
        ----------
        criteria : Criteria
            As `Criteria.resolve` returns it.

        Returns
        -------
        Known
            A bit a slot; bits between and after the slots mean nothing.
        """
        match criteria:
            case Offers():
                return self._offers(criteria)
            case And():
                known = [self.evaluate(part) for part in criteria.parts]
                return reduce(Known.__and__, known)
            case Or():
                known = [self.evaluate(part) for part in criteria.parts]
                return reduce(Known.__or__, known)
            case Not():
                return ~self.evaluate(criteria.part)
            case NoService():
                return self._spread(~self.fold(self.evaluate(criteria.part)))
            case Named():
                return self.evaluate(criteria.part)
            case Unstated():
                return Known(self._nothing(), self._nothing())
            case Everything():
                return Known(np.full(self.yes.shape[1], 255, np.uint8), self._nothing())
        raise TypeError(f"{type(criteria).__name__} is not a criteria that can be evaluated")

    def fold(self, known: Known) -> Known:
        """Reduce services to clinics: the maximum over the services of each.

        Parameters
        ----------
        known : Known
            A bit a slot.

        Returns
        -------
        Known
            A bit a clinic.
        """
        yes, no = known.yes[: self.width], known.no[: self.width]
        if not len(self.owner):
            return Known(yes, no)
        yes, no = yes.copy(), no.copy()
        byte, bit = self.owner >> 3, (1 << (self.owner & 7)).astype(np.uint8)
        is_yes, is_no = (self._further(bits) for bits in known)
        np.bitwise_or.at(yes, byte[is_yes], bit[is_yes])
        np.bitwise_and.at(no, byte[~is_no], ~bit[~is_no])
        return Known(yes, no)

    def with_status(self, known: Known) -> Known:
        """Take the minimum with each clinic's status: uncertain is UNKNOWN, closed is NO.

        Parameters
        ----------
        known : Known
            A bit a clinic.

        Returns
        -------
        Known
            A bit a clinic.
        """
        return Known(known.yes & self.active, known.no | self.closed)

    def slots_of(self, row: int) -> list[int]:
        """Slots of a clinic's services, in their order.

        Parameters
        ----------
        row : int
            The clinic's row.

        Returns
        -------
        list of int
            Slots, for `Known.at`.
        """
        if not len(self.owner):
            return [row]
        return [row, *(8 * self.width + np.flatnonzero(self.owner == row)).tolist()]

    def _offers(self, clause: Offers) -> Known:
        wanted = [self.columns[clause.facet, term] for term in clause.terms]
        if len(wanted) == 1:
            return Known(self.yes[wanted[0]], self.no[wanted[0]])
        yes, no = self.yes[wanted], self.no[wanted]
        if clause.at_least == 1:
            return Known(np.bitwise_or.reduce(yes), np.bitwise_and.reduce(no))
        needed = len(wanted) if clause.at_least is None else clause.at_least
        if needed == len(wanted):
            return Known(np.bitwise_and.reduce(yes), np.bitwise_or.reduce(no))
        n_yes = np.unpackbits(yes, axis=1, bitorder="little").sum(axis=0)
        n_no = np.unpackbits(no, axis=1, bitorder="little").sum(axis=0)
        return Known(pack(n_yes >= needed), pack(n_no > len(wanted) - needed))

    def _further(self, bits: Bits) -> NDArray[np.bool_]:
        tail = np.unpackbits(bits[self.width :], bitorder="little", count=len(self.owner))
        return tail.astype(bool)

    def _spread(self, known: Known) -> Known:
        if not len(self.owner):
            return known
        byte, bit = self.owner >> 3, self.owner & 7
        return Known(
            *(np.concatenate([bits, pack((bits[byte] >> bit & 1).astype(bool))]) for bits in known)
        )

    def _nothing(self) -> Bits:
        return np.zeros(self.yes.shape[1], np.uint8)


def columns_of(vocabulary: Vocabulary) -> dict[tuple[str, str], int]:
    """Number the terms of a vocabulary.

    Parameters
    ----------
    vocabulary : Vocabulary
        Facets and terms.

    Returns
    -------
    dict
        (facet id, term id) to column, in the vocabulary's order.
    """
    pairs = [(facet.id, term.id) for facet in vocabulary.facets for term in facet.terms]
    return {pair: column for column, pair in enumerate(pairs)}


class _Closure:
    """What follows from the stated facts of a service; services alike share a group."""

    def __init__(self, vocabulary: Vocabulary, columns: Mapping[tuple[str, str], int]) -> None:
        self.vocabulary = vocabulary
        self.columns = columns
        self.groups: dict[object, int] = {}
        # Group 0 is the padding between the slots.
        self.yes: list[list[int]] = [[]]
        self.no: list[list[int]] = [[]]

    def group(self, service: Service) -> int:
        key = (service.facts, service.complete)
        if key not in self.groups:
            yes, no = self._close(service)
            both = [pair for pair, column in self.columns.items() if column in yes & no]
            if both:
                listed = ", ".join(f"{facet} {term}" for facet, term in both)
                raise DataError("service", [Fault(f"says both yes and no of {listed}")])
            self.groups[key] = len(self.yes)
            self.yes.append(sorted(yes))
            self.no.append(sorted(no))
        return self.groups[key]

    def _close(self, service: Service) -> tuple[set[int], set[int]]:
        yes: set[int] = set()
        no: set[int] = set()
        for name, stated in service.facts.items():
            facet = self.vocabulary.facet(name)
            for text, truth in stated.items():
                term = facet.resolve(text)
                if truth == Truth.YES:
                    yes |= {self.columns[facet.id, t] for t in (term, *facet.ancestors(term))}
                elif truth == Truth.NO:
                    no |= {self.columns[facet.id, t] for t in (term, *facet.descendants(term))}
        for name in service.complete:
            no |= self._unlisted(service, name)
        return yes, no

    def _unlisted(self, service: Service, name: str) -> set[int]:
        facet = self.vocabulary.facet(name)
        stated = service.facts.get(facet.id, {})
        open_terms: set[str] = set()
        for text, truth in stated.items():
            if truth == Truth.YES:
                term = facet.resolve(text)
                open_terms |= {term, *facet.ancestors(term), *facet.descendants(term)}
        return {self.columns[facet.id, t.id] for t in facet.terms if t.id not in open_terms}


def _aligned(n: int) -> int:
    return (n + 7) // 8 * 8


def _slice(groups: NDArray[np.int32], terms: list[list[int]], n_columns: int) -> Bits:
    has = np.zeros((len(terms), n_columns), bool)
    for group, columns in enumerate(terms):
        has[group, columns] = True
    width = (len(groups) + 7) // 8
    packed = np.empty((n_columns, width), np.uint8)
    for column in range(n_columns):
        packed[column] = pack(has[groups, column])
    packed.flags.writeable = False
    return packed
