"""The smallest changes to a question that bring more matches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import Bits
from ketafind.criteria import And, Criteria, Everything, Offers, everything
from ketafind.explain.sentences import (
    Line,
    Told,
    Wording,
    counted,
    distance_phrase,
    kilometres,
    say,
)
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.query.ranking import Ranking
    from ketafind.vocabulary import Vocabulary

__all__ = [
    "COSTS",
    "Change",
    "Relaxation",
    "Relaxations",
    "clauses_of",
    "minimal_sets",
    "relaxations",
]


COSTS = {"unknown": 1, "radius": 2, "region": 3, "broaden": 3, "drop": 4}
"""What each kind of change costs: asking a clinic is less than giving up a wish."""


def minimal_sets(
    family: NDArray[np.uint64], costs: Sequence[int], limit: int
) -> list[tuple[int, ...]]:
    """Find the cheapest sets of a family that contain no other set of it.

    Parameters
    ----------
    family : ndarray of uint64
        Sets as bit masks.
    costs : sequence of int
        Cost of each bit, above 0.
    limit : int
        How many sets; more where several cost the same as the last.

    Returns
    -------
    list of tuple of int
        The bits of each set, cheapest first, ties by the bits.

    Notes
    -----
    Each clinic that fails violates a set of constraints; a correction set must hold one of these
    sets, so the minimal correction sets are the minimal violated sets. (M. Liffiton and K.
    Sakallah, Journal of Automated Reasoning 40 (2008), define them.) A subset costs less than its
    superset, so the cheapest set that is left is minimal always.
    """
    left = np.unique(family)
    bits = np.arange(len(costs), dtype=np.uint64)
    price = ((left[:, None] >> bits & np.uint64(1)) * np.array(costs, np.uint64)).sum(axis=1)
    order = np.lexsort((left, price))
    left, price = left[order], price[order]
    found: list[tuple[int, ...]] = []
    last = 0
    while len(left) and (len(found) < limit or int(price[0]) == last):
        one, last = left[0], int(price[0])
        found.append(tuple(np.flatnonzero(one >> bits & np.uint64(1)).tolist()))
        keep = (left & one) != one
        left, price = left[keep], price[keep]
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a question.

    Parameters
    ----------
    kind : str
        ``unknown`` (let clinics pass of which it is not known), ``radius`` (search farther),
        ``region`` (search outside the area too), ``broaden`` (ask for the terms above) or
        ``drop`` (leave a clause out).
    criteria : Criteria or None
        The clause that is left out, or broadened.
    broader : Criteria or None
        What stands in its place, if it is broadened.
    from_km, to_km : float or None
        The radius before and after.
    """

    kind: str
    criteria: Criteria | None = None
    from_km: float | None = None
    to_km: float | None = None
    broader: Criteria | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """Changes that together bring more clinics, and none of which can be left out.

    Parameters
    ----------
    changes : tuple of Change
        Made together.
    criteria : Criteria
        The criteria that are left.
    unknown : str
        The unknown policy to ask with.
    max_distance_km : float or None
        The radius to ask with; None for no limit.
    n_clinics : int
        How many clinics the changed question gives.
    nearest_km : float or None
        Distance of the nearest clinic that was not found before; None without an origin.
    interval_km : tuple of float or None
        The 90 % interval of that distance.
    precision : str or None
        How precisely that clinic is known.
    clinic_id, name : str
        That clinic, or the first by id.
    """

    changes: tuple[Change, ...]
    criteria: Criteria
    unknown: str
    max_distance_km: float | None
    n_clinics: int
    nearest_km: float | None
    clinic_id: str
    name: str
    interval_km: tuple[float, float] | None = None
    precision: str | None = None

    @property
    def cost(self) -> int:
        """Sum of the changes' costs."""
        return sum(COSTS[change.kind] for change in self.changes)


class Relaxations(Told, Sequence[Relaxation]):
    """The smallest changes that bring more clinics, cheapest first.

    Parameters
    ----------
    found : iterable of Relaxation
        The changes.
    vocabularies : tuple of Vocabulary
        Where labels are looked up.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    __slots__ = ("_found", "_vocabularies")

    def __init__(
        self,
        found: Iterable[Relaxation],
        vocabularies: tuple[Vocabulary, ...],
        lang: str = "en",
    ) -> None:
        super().__init__(lang)
        self._found = tuple(found)
        self._vocabularies = vocabularies

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, item: int) -> Relaxation: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Relaxation]: ...
    def __getitem__(self, item: int | slice) -> Relaxation | Sequence[Relaxation]:
        return self._found[item]

    def __iter__(self) -> Iterator[Relaxation]:
        return iter(self._found)

    def translated(self, lang: str) -> Relaxations:
        return Relaxations(self._found, self._vocabularies, lang)

    def lines(self) -> list[Line]:
        if not self._found:
            return [Line(0, say("relax.none", self.lang))]
        lines = [Line(0, say("relax.head", self.lang))]
        return lines + [Line(1, self._told(one)) for one in self._found]

    def _told(self, one: Relaxation) -> str:
        lang = self.lang
        joint = f" {say('and', lang)} "
        changes = joint.join(self._change(change) for change in one.changes)
        gives = counted("relax.gives", one.n_clinics, lang)
        if one.nearest_km is None:
            return say("headed", lang, head=changes, text=gives)
        far = distance_phrase(one.nearest_km, one.interval_km, one.precision, lang, at=True)
        new = say("relax.nearest", lang, name=one.name, far=far)
        return say("headed", lang, head=changes, text=gives + new)

    def _change(self, change: Change) -> str:
        lang = self.lang
        if change.criteria is not None:
            wording = Wording(lang, self._vocabularies)
            what = wording.criteria(change.criteria)
            if change.broader is None:
                return say("relax.drop", lang, what=what)
            return say("relax.broaden", lang, what=what, broader=wording.criteria(change.broader))
        if change.to_km is not None:
            return say("relax.radius", lang, far=kilometres(change.to_km, lang))
        return say(f"relax.{change.kind}", lang)

    def to_dict(self) -> dict[str, Any]:
        return {"relaxations": [self._dict(one) for one in self._found], "text": str(self)}

    def _dict(self, one: Relaxation) -> dict[str, Any]:
        return {
            "changes": [
                {
                    "kind": change.kind,
                    "text": self._change(change),
                    **({} if change.criteria is None else {"criteria": change.criteria.to_dict()}),
                    **({} if change.broader is None else {"broader": change.broader.to_dict()}),
                    **({"from_km": change.from_km, "to_km": change.to_km} if change.to_km else {}),
                }
                for change in one.changes
            ],
            "criteria": one.criteria.to_dict(),
            "unknown": one.unknown,
            "max_distance_km": one.max_distance_km,
            "n_clinics": one.n_clinics,
            "nearest_km": one.nearest_km,
            "nearest_low_km": None if one.interval_km is None else one.interval_km[0],
            "nearest_high_km": None if one.interval_km is None else one.interval_km[1],
            "clinic_id": one.clinic_id,
            "cost": one.cost,
        }


# With a bit for each clause's broader form, and three more, within 64.
MAX_CLAUSES = 30
FARTHEST_KM = 20_038.0


def clauses_of(criteria: Criteria) -> tuple[Criteria, ...]:
    """Split criteria into the clauses that can be left out one by one."""
    if isinstance(criteria, Everything):
        return ()
    parts = criteria.parts if isinstance(criteria, And) else (criteria,)
    if len(parts) <= MAX_CLAUSES:
        return parts
    return (*parts[: MAX_CLAUSES - 1], And(parts[MAX_CLAUSES - 1 :]))


def broader_of(clause: Criteria, vocabulary: Vocabulary) -> Criteria | None:
    """Ask for the terms above those of a clause."""
    if not isinstance(clause, Offers) or (clause.at_least != 1 and len(clause.terms) > 1):
        return None
    facet = vocabulary.facet(clause.facet)
    above = [facet[term].parent or term for term in clause.terms]
    broader = Offers(clause.facet, tuple(dict.fromkeys(above)), 1).resolve(vocabulary)
    return None if broader == clause.resolve(vocabulary) else broader


def relaxations(ranking: Ranking, limit: int) -> list[Relaxation]:
    """Find the smallest changes to a question that bring more clinics."""
    question = _Question(ranking)
    sets = minimal_sets(question.violated(), question.costs, limit)
    found = [question.relaxation(changes) for changes in sets]
    far = [math.inf if one.nearest_km is None else one.nearest_km for one in found]
    order = sorted(range(len(found)), key=lambda at: (found[at].cost, far[at], sets[at]))
    return [found[at] for at in order[:limit]]


class _Question:
    """A question's constraints: its clauses broadened, left out, the unknown policy, the rest."""

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
