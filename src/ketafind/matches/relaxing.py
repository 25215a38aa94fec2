"""Which smallest changes to a question bring more clinics, found on its bitmaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Criteria, everything
from ketafind.criteria.expression import And, Everything
from ketafind.criteria.slices import Bits
from ketafind.explanation.relaxing import COSTS, Change, Relaxation, minimal_sets
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.matches.ranking import Ranking

__all__ = ["clauses_of", "relaxations"]

MAX_CLAUSES = 56
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
        The parts of an AND, else the whole; beyond 56 the rest as one.
    """
    if isinstance(criteria, Everything):
        return ()
    parts = criteria.parts if isinstance(criteria, And) else (criteria,)
    if len(parts) <= MAX_CLAUSES:
        return parts
    return (*parts[: MAX_CLAUSES - 1], And(parts[MAX_CLAUSES - 1 :]))


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
    """A question's constraints: its clauses, then the unknown policy, the radius, the area.

    A slot is one service of one clinic, as in the slices.
    """

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking
        self.filter = ranking.filter
        self.catalogue = ranking.filter.catalogue
        self.clauses = clauses_of(self.filter.criteria)
        slices = self.catalogue.slices
        self.yes = [slices.evaluate(clause, Truth.YES) for clause in self.clauses]
        self.no = [slices.evaluate(clause, Truth.NO) for clause in self.clauses]
        kinds = ["unknown", "radius", "region"]
        self.bit = {kind: len(self.clauses) + at for at, kind in enumerate(kinds)}
        self.costs = [COSTS["drop"]] * len(self.clauses) + [COSTS[kind] for kind in kinds]

    def violated(self) -> NDArray[np.uint64]:
        """For each service that brings a new clinic, the constraints it violates."""
        slices = self.catalogue.slices
        rows = np.concatenate([np.arange(slices.n_rows), slices.owner]).astype(np.intp)
        not_yes = np.zeros(len(rows), np.uint64)
        is_no = np.zeros(len(rows), np.uint64)
        for at, (yes, no) in enumerate(zip(self.yes, self.no, strict=True)):
            mask = np.uint64(1 << at)
            not_yes[~self._slots(yes)] |= mask
            is_no[self._slots(no)] |= mask
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
        kept = tuple(c for at, c in enumerate(self.clauses) if at not in done)
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
            changes=tuple(self._change(at, to_km) for at in sorted(done)),
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

    def _change(self, at: int, to_km: float | None) -> Change:
        if at < len(self.clauses):
            return Change("drop", criteria=self.clauses[at])
        if at == self.bit["radius"]:
            return Change("radius", from_km=self.ranking.limit_km, to_km=to_km)
        return Change("unknown" if at == self.bit["unknown"] else "region")

    def _bits(self, done: set[int], unknown: str) -> Bits:
        """The clinics that pass what is left."""
        slices = self.catalogue.slices
        kept = [at for at in range(len(self.clauses)) if at not in done]
        yes = slices.evaluate(everything(), Truth.YES)
        no = slices.evaluate(everything(), Truth.NO)
        for at in kept:
            yes, no = yes & self.yes[at], no | self.no[at]
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
        nearest_km = float(distance[0])
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
