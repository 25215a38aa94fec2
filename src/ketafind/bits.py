"""What is stated of every service, as bit slices, and criteria evaluated on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import And, Criteria, Everything, Named, NoService, Not, Offers, Or, Unstated
from ketafind.errors import DataError, Fault
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.records import Clinic, Service
    from ketafind.vocabulary import Vocabulary

__all__ = ["Bits", "Closure", "TermSlices", "columns_of", "pack", "truth_at"]


Bits = NDArray[np.uint8]
"""Packed bits, little end first."""


def pack(flags: NDArray[np.bool_]) -> Bits:
    """Pack flags into bits, little end first."""
    return np.packbits(flags, bitorder="little")


def truth_at(yes: Bits, no: Bits, row: int) -> Truth:
    """Read the truth of one row from the bits of both sides."""
    byte, bit = row >> 3, row & 7
    if yes[byte] >> bit & 1:
        return Truth.YES
    return Truth.NO if no[byte] >> bit & 1 else Truth.UNKNOWN


class TermSlices:
    """One bit a service for YES and one for NO, for each term of the vocabulary."""

    __slots__ = ("active", "closed", "closure", "columns", "n_rows", "no", "owner", "width", "yes")

    def __init__(
        self,
        yes: Bits,
        no: Bits,
        columns: Mapping[tuple[str, str], int],
        owner: NDArray[np.intp],
        n_rows: int,
        active: Bits,
        closed: Bits,
        closure: Closure | None = None,
    ) -> None:
        self.yes, self.no = yes, no
        self.columns = columns
        self.owner = owner
        self.n_rows = n_rows
        self.active, self.closed = active, closed
        self.closure = closure
        self.width = (n_rows + 7) // 8

    @classmethod
    def build(
        cls,
        clinics: Sequence[Clinic],
        rows: NDArray[np.intp],
        vocabulary: Vocabulary,
        closure: Closure | None = None,
    ) -> TermSlices:
        """Slice the stated facts of clinics."""
        columns = columns_of(vocabulary)
        first = [clinics[position].services[0] for position in rows]
        more = [(row, s) for row, p in enumerate(rows) for s in clinics[p].services[1:]]
        start = _aligned(len(first))
        groups = np.zeros(start + len(more), np.int32)
        closure = Closure(vocabulary, columns) if closure is None else closure
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
            closure,
        )

    def evaluate(self, criteria: Criteria, side: Truth) -> Bits:
        """Mark the services of which canonical criteria are YES, or those of which they are NO."""
        # Not by isinstance: it costs as much as a slice, since criteria are an ABC.
        kind = type(criteria)
        if kind is Offers:
            return self._offers(cast("Offers", criteria), side)
        if kind is And or kind is Or:
            return self._joined(criteria.parts, side, Truth.YES if kind is And else Truth.NO)
        if kind is Not:
            return self.evaluate(criteria.parts[0], ~side)
        if kind is NoService:
            return self._spread(self.fold(self.evaluate(criteria.parts[0], ~side), ~side))
        if kind is Named:
            return self.evaluate(criteria.parts[0], side)
        if kind is Unstated:
            return np.zeros(self.yes.shape[1], np.uint8)
        if kind is Everything:
            return np.full(self.yes.shape[1], 255 if side is Truth.YES else 0, np.uint8)
        raise TypeError(f"{kind.__name__} is not a criteria that can be evaluated")

    def truth(self, criteria: Criteria, slot: int) -> Truth:
        """Evaluate canonical criteria for one service."""
        yes, no = (self.evaluate(criteria, side) for side in (Truth.YES, Truth.NO))
        return truth_at(yes, no, slot)

    def fold(self, bits: Bits, side: Truth) -> Bits:
        """Reduce services to clinics: YES where one is, NO where all are."""
        first = bits[: self.width]
        if not len(self.owner):
            return first
        first = first.copy()
        further = np.unpackbits(bits[self.width :], bitorder="little", count=len(self.owner))
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

    def slots_of(self, row: int) -> list[int]:
        """Slots of a clinic's services, in their order."""
        if not len(self.owner):
            return [row]
        return [row, *(8 * self.width + np.flatnonzero(self.owner == row)).tolist()]

    def _offers(self, clause: Offers, side: Truth) -> Bits:
        slices = self.yes if side is Truth.YES else self.no
        if len(clause.terms) == 1:
            only: Bits = slices[self.columns[clause.facet, clause.terms[0]]]
            return only
        wanted = [slices[self.columns[clause.facet, term]] for term in clause.terms]
        needed = len(wanted) if clause.at_least is None else clause.at_least
        # As many as decide it: so many YES, or so many NO that too few are left.
        decisive = needed if side is Truth.YES else len(wanted) - needed + 1
        if decisive == 1:
            return reduce(np.bitwise_or, wanted)
        if decisive == len(wanted):
            return reduce(np.bitwise_and, wanted)
        counts = np.unpackbits(np.stack(wanted), axis=1, bitorder="little").sum(axis=0)
        return pack(counts >= decisive)

    def _joined(self, joined: tuple[Criteria, ...], side: Truth, of_all: Truth) -> Bits:
        parts = [self.evaluate(part, side) for part in joined]
        return reduce(np.bitwise_and if side is of_all else np.bitwise_or, parts)

    def _spread(self, bits: Bits) -> Bits:
        if not len(self.owner):
            return bits
        further = bits[self.owner >> 3] >> (self.owner & 7).astype(np.uint8) & 1
        return np.concatenate([bits, pack(further.astype(bool))])


def columns_of(vocabulary: Vocabulary) -> dict[tuple[str, str], int]:
    """Number the terms of a vocabulary."""
    pairs = [(facet.id, term.id) for facet in vocabulary.facets for term in facet.terms]
    return {pair: column for column, pair in enumerate(pairs)}


class _Line(NamedTuple):
    """Columns of a term and all above it, and of the term and all below it."""

    up: frozenset[int]
    down: frozenset[int]


class Closure:
    """What follows from the stated facts of a service; services alike share a group."""

    def __init__(self, vocabulary: Vocabulary, columns: Mapping[tuple[str, str], int]) -> None:
        self.vocabulary = vocabulary
        self.columns = columns
        self.groups: dict[object, int] = {}
        self.lines: dict[tuple[str, str], _Line] = {}
        # Group 0 is the padding between the slots.
        self.yes: list[list[int]] = [[]]
        self.no: list[list[int]] = [[]]

    def group(self, service: Service) -> int:
        key = (service.facts, service.complete)
        group = self.groups.get(key)
        if group is None:
            yes, no = self._close(service)
            if yes & no:
                pairs = [pair for pair, column in self.columns.items() if column in yes & no]
                listed = ", ".join(f"{facet} {term}" for facet, term in pairs)
                raise DataError("service", [Fault(f"says both yes and no of {listed}")])
            group = self.groups[key] = len(self.yes)
            self.yes.append(sorted(yes))
            self.no.append(sorted(no))
        return group

    def _close(self, service: Service) -> tuple[set[int], set[int]]:
        yes: set[int] = set()
        no: set[int] = set()
        for name, stated in service.facts.items():
            for text, truth in stated.items():
                if truth == Truth.YES:
                    yes |= self._line(name, text).up
                elif truth == Truth.NO:
                    no |= self._line(name, text).down
        for name in service.complete:
            no |= self._unlisted(service, name)
        return yes, no

    def _unlisted(self, service: Service, name: str) -> set[int]:
        facet = self.vocabulary.facet(name)
        related: set[int] = set()
        for text, truth in service.facts.get(facet.id, {}).items():
            if truth == Truth.YES:
                line = self._line(facet.id, text)
                related |= line.up | line.down
        return {self.columns[facet.id, term.id] for term in facet.terms} - related

    def _line(self, name: str, text: str) -> _Line:
        if (name, text) not in self.lines:
            facet = self.vocabulary.facet(name)
            term = facet.resolve(text)
            self.lines[name, text] = _Line(
                *(
                    frozenset(self.columns[facet.id, one] for one in (term, *others))
                    for others in (facet.ancestors(term), facet.descendants(term))
                )
            )
        return self.lines[name, text]


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
