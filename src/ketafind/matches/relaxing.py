"""Which smallest changes to a question bring more clinics, found on its bitmaps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Criteria, everything
from ketafind.criteria.expression import And, Everything, Offers
from ketafind.criteria.slices import Bits
from ketafind.explanation.relaxing import COSTS, Change, Relaxation, minimal_sets
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.matches.ranking import Ranking
    from ketafind.vocabulary import Vocabulary

__all__ = ["clauses_of", "relaxations"]

# With a bit for each clause's broader form, and three more, within 64.
MAX_CLAUSES = 30
FARTHEST_KM = 20_038.0


def clauses_of(criteria: Criteria) -> tuple[Criteria, ...]:
    """Split criteria into the clauses that can be left out one by one.

    Parameters
    ----------
    criteria : Criteria
        In canonical form.

    Returns
    -------
    tuple of Criteria
        The parts of an AND, else the whole; beyond 30 the rest as one.
    """
    if isinstance(criteria, Everything):
        return ()
    parts = criteria.parts if isinstance(criteria, And) else (criteria,)
    if len(parts) <= MAX_CLAUSES:
        return parts
    return (*parts[: MAX_CLAUSES - 1], And(parts[MAX_CLAUSES - 1 :]))


def broader_of(clause: Criteria, vocabulary: Vocabulary) -> Criteria | None:
    """Ask for the terms above those of a clause.

    Parameters
    ----------
    clause : Criteria
        In canonical form.
    vocabulary : Vocabulary
        Where the terms stand.

    Returns
    -------
    Criteria or None
        Whatever satisfies the clause satisfies this; None if no term has one above it, or if the
        clause is more than any of some terms.
    """
    if not isinstance(clause, Offers) or (clause.at_least != 1 and len(clause.terms) > 1):
        return None
    facet = vocabulary.facet(clause.facet)
    above = [facet[term].parent or term for term in clause.terms]
    broader = Offers(clause.facet, tuple(dict.fromkeys(above)), 1).resolve(vocabulary)
    return None if broader == clause.resolve(vocabulary) else broader


def relaxations(ranking: Ranking, limit: int) -> list[Relaxation]:
    """Find the smallest changes to a question that bring more clinics.

    Parameters
    ----------
    ranking : Ranking
        The question.
    limit : int
        How many at the most.

    Returns
    -------
    list of Relaxation
        Cheapest first, then by the distance of the nearest clinic that is new.
    """
    question = _Question(ranking)
    sets = minimal_sets(question.violated(), question.costs, limit)
    found = [question.relaxation(changes) for changes in sets]
    far = [math.inf if one.nearest_km is None else one.nearest_km for one in found]
    order = sorted(range(len(found)), key=lambda at: (found[at].cost, far[at], sets[at]))
    return [found[at] for at in order[:limit]]


class _Question:
    """A question's constraints: its clauses broadened, left out, the unknown policy, the rest.

    A slot is one service of one clinic, as in the slices.
    """

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking
        self.filter = ranking.filter
        self.catalogue = ranking.filter.catalogue
        self.clauses = clauses_of(self.filter.criteria)
        words = self.catalogue.vocabulary
        self.broader = [broader_of(clause, words) for clause in self.clauses]
        self.sides = [self._sides(clause) for clause in self.clauses]
        self.broad_sides = [
            None if broader is None else self._sides(broader) for broader in self.broader
        ]
        n = len(self.clauses)
        kinds = ["unknown", "radius", "region"]
        self.bit = {kind: 2 * n + at for at, kind in enumerate(kinds)}
        # To leave a clause out is to broaden it and more: its bit comes on top of the other's.
        more = [COSTS["drop"] - (0 if one is None else COSTS["broaden"]) for one in self.broader]
        self.costs = [COSTS["broaden"]] * n + more + [COSTS[kind] for kind in kinds]

    def _sides(self, clause: Criteria) -> tuple[Bits, Bits]:
        slices = self.catalogue.slices
        return slices.evaluate(clause, Truth.YES), slices.evaluate(clause, Truth.NO)

    def violated(self) -> NDArray[np.uint64]:
        """For each service that brings a new clinic, the constraints it violates."""
        slices = self.catalogue.slices
        rows = np.concatenate([np.arange(slices.n_rows), slices.owner]).astype(np.intp)
        not_yes = np.zeros(len(rows), np.uint64)
        is_no = np.zeros(len(rows), np.uint64)
        n = len(self.clauses)
        for at, (sides, broad) in enumerate(zip(self.sides, self.broad_sides, strict=True)):
            (yes, no), drop = sides, np.uint64(1 << (n + at))
            if broad is not None:
                broaden = np.uint64(1 << at)
                not_yes[~self._slots(yes)] |= broaden
                is_no[self._slots(no)] |= broaden
                yes, no = broad
            not_yes[~self._slots(yes)] |= drop
            is_no[self._slots(no)] |= drop
        around = self._around()[rows]
        policy = np.uint64(1 << self.bit["unknown"])
        new = self._new()[rows]
        maybe = new & ~self._clinics(slices.closed)[rows]
        if self.filter.unknown == "include":
            return (is_no | around)[maybe]
        loose = (is_no | around | policy)[maybe]
        if self.filter.unknown == "only":
            return loose
        sure = new & self._clinics(slices.active)[rows]
        return np.concatenate([(not_yes | around)[sure], loose])

    def _new(self) -> NDArray[np.bool_]:
        """Rows of the clinics that the question does not find, and that could be listed."""
        found = self._clinics(self.filter.bits)
        if self.ranking.origin is not None:
            found = found & ~self._beyond()
            found[self.catalogue.n_located :] = True
        return ~found

    def _around(self) -> NDArray[np.uint64]:
        """For each row the violated radius and area."""
        out = np.zeros(len(self.catalogue.rows), np.uint64)
        out[self._beyond()] |= np.uint64(1 << self.bit["radius"])
        if self.filter.region is not None:
            out[~self._clinics(self.filter.region)] |= np.uint64(1 << self.bit["region"])
        return out

    def _beyond(self) -> NDArray[np.bool_]:
        beyond = np.zeros(len(self.catalogue.rows), bool)
        origin, limit_km = self.ranking.origin, self.ranking.limit_km
        if origin is not None and not math.isinf(limit_km):
            beyond[: self.catalogue.n_located] = True
            index, places = self.catalogue.index, self.catalogue.places
            _, near = index.within(origin.lat, origin.lon, min(limit_km, FARTHEST_KM))
            beyond[self.catalogue.row_of[places.located[near]]] = False
        return beyond

    def _slots(self, bits: Bits) -> NDArray[np.bool_]:
        flags = np.unpackbits(bits, bitorder="little").astype(bool)
        slices = self.catalogue.slices
        start = 8 * slices.width
        return np.concatenate([flags[: slices.n_rows], flags[start : start + len(slices.owner)]])

    def _clinics(self, bits: Bits) -> NDArray[np.bool_]:
        n = len(self.catalogue.rows)
        return np.unpackbits(bits, count=n, bitorder="little").astype(bool)

    def relaxation(self, changes: Sequence[int]) -> Relaxation:
        """Ask the question with some constraints left out."""
        done = set(changes)
        kept = tuple(clause for clause, _ in self._kept(done))
        unknown = "include" if self.bit["unknown"] in done else self.filter.unknown
        bits = self._bits(done, unknown)
        new = bits & ~self.filter.bits
        widened = self.bit["radius"] in done
        if widened:
            # A wider radius finds again what passed before, but lay beyond.
            new = bits
        nearest_km, place, n = self._nearest(bits, new, widened=widened)
        clinic = self.catalogue.clinics[place]
        limit_km = None if math.isinf(self.ranking.limit_km) else self.ranking.limit_km
        to_km = _rounded_up(nearest_km) if widened and nearest_km is not None else limit_km
        return Relaxation(
            changes=tuple(self._changes(done, to_km)),
            criteria=everything() if not kept else kept[0] if len(kept) == 1 else And(kept),
            unknown=unknown,
            max_distance_km=to_km,
            n_clinics=n,
            nearest_km=nearest_km,
            clinic_id=clinic.clinic_id,
            name=clinic.name,
            interval_km=None if nearest_km is None else self.ranking.interval_km(nearest_km, place),
            precision=None if clinic.location is None else clinic.location.precision,
        )

    def _changes(self, done: set[int], to_km: float | None) -> Iterator[Change]:
        for at, clause in enumerate(self.clauses):
            if len(self.clauses) + at in done:
                yield Change("drop", criteria=clause)
            elif at in done:
                yield Change("broaden", criteria=clause, broader=self.broader[at])
        for kind, bit in self.bit.items():
            if bit in done and kind == "radius":
                yield Change("radius", from_km=self.ranking.limit_km, to_km=to_km)
            elif bit in done:
                yield Change(kind)

    def _kept(self, done: set[int]) -> Iterator[tuple[Criteria, tuple[Bits, Bits]]]:
        """The clauses that are left, broadened or not, and where they hold and fail."""
        for at, clause in enumerate(self.clauses):
            broader, sides = self.broader[at], self.broad_sides[at]
            if len(self.clauses) + at in done:
                continue
            if at in done and broader is not None and sides is not None:
                yield broader, sides
            else:
                yield clause, self.sides[at]

    def _bits(self, done: set[int], unknown: str) -> Bits:
        """The clinics that pass what is left."""
        slices = self.catalogue.slices
        yes = slices.evaluate(everything(), Truth.YES)
        no = slices.evaluate(everything(), Truth.NO)
        for _, (holds, fails) in self._kept(done):
            yes, no = yes & holds, no | fails
        is_yes, is_no = (
            slices.with_status(slices.fold(bits, side), side)
            for bits, side in ((yes, Truth.YES), (no, Truth.NO))
        )
        bits = {"exclude": is_yes, "include": ~is_no, "only": ~(is_yes | is_no)}[unknown]
        if self.filter.region is not None and self.bit["region"] not in done:
            bits = bits & self.filter.region
        return bits

    def _nearest(self, bits: Bits, new: Bits, *, widened: bool) -> tuple[float | None, int, int]:
        """Distance and position of the nearest new clinic, and how many there are in all."""
        origin, rows = self.ranking.origin, self.catalogue.rows
        if origin is None:
            return (
                None,
                int(rows[np.flatnonzero(self._clinics(new))].min()),
                int(self._clinics(bits).sum()),
            )
        index, located = self.catalogue.index, self.catalogue.places.located
        width = (self.catalogue.n_located + 7) // 8
        limit_km = min(self.ranking.limit_km, FARTHEST_KM)
        if widened:
            fresh = self._clinics(new) & self._beyond()
            fresh |= self._clinics(bits & ~self.filter.bits)
            new = np.packbits(fresh, bitorder="little")
        reach = FARTHEST_KM if widened else limit_km
        distance, place = index.nearest(
            origin.lat, origin.lon, 1, index.prepare(new[:width]), reach
        )
        nearest_km = distance[0]
        if widened:
            limit_km = _rounded_up(nearest_km)
        if limit_km < FARTHEST_KM:
            passing = index.prepare(bits[:width])
            n = len(index.within(origin.lat, origin.lon, limit_km, passing)[1])
        else:
            n = int(self._clinics(bits)[: self.catalogue.n_located].sum())
        return nearest_km, int(located[place[0]]), n


def _rounded_up(distance_km: float) -> float:
    """A radius that a person would type."""
    step = 0.1 if distance_km < 10.0 else 1.0
    # Never below the distance itself, whatever the division rounds to.
    return max(round(math.ceil(distance_km / step) * step, 1), distance_km)
