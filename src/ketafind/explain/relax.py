"""The smallest changes to a question that bring more matches."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ketafind.bits import TermSlices
from ketafind.criteria import And, Bound, Criteria, Everything, Offers, everything
from ketafind.errors import InvalidInputError
from ketafind.explain.findings import vocabularies_of
from ketafind.explain.sentences import ExplanationList, Line, ends, picked, plain, precision_of
from ketafind.query.filter import Filter
from ketafind.query.ranking import FARTHEST_KM, Ranking
from ketafind.records import Truth

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

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
class CriteriaChange:
    """One change to a question.

    Parameters
    ----------
    kind : str
        ``unknown`` (accept clinics of which it is not known whether they match), ``radius`` (search farther),
        ``region`` (search outside the area too), ``broaden`` (ask for the terms above, or loosen a
        bound) or
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
    changes : tuple of CriteriaChange
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

    changes: tuple[CriteriaChange, ...]
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


class Relaxations(ExplanationList[Relaxation]):
    """The smallest changes that bring more clinics, cheapest first.

    Parameters
    ----------
    found : tuple of Relaxation
        The changes.
    vocabularies : tuple of Vocabulary
        Where facets and terms get their names, first found first.
    lang : str
        ``"en"`` or ``"fr"``.
    """

    def lines(self) -> list[Line]:
        words = self._words
        if not self.found:
            return [Line(0, words.say("relax.none"))]
        lines = [Line(0, words.say("relax.head"))]
        return lines + [Line(1, self._sentence(one)) for one in self.found]

    def _sentence(self, one: Relaxation) -> str:
        words = self._words
        changes = f" {words.say('and')} ".join(map(self._phrase, one.changes))
        gives = words.counted("relax.gives", one.n_clinics)
        if one.nearest_km is not None:
            far = words.distance(one.nearest_km, one.interval_km, one.precision, "at")
            gives += words.say("relax.nearest", name=one.name, far=far)
        return words.headed(changes, gives)

    def _phrase(self, change: CriteriaChange) -> str:
        words, values = self._words, dict[str, str]()
        for name, clause in (("what", change.criteria), ("broader", change.broader)):
            if clause is not None:
                values[name] = words.criteria(clause)
        if change.to_km is not None:
            values["far"] = words.kilometres(change.to_km)
        return words.say(f"relax.{change.kind}", **values)

    def to_dict(self) -> dict[str, Any]:
        return {"relaxations": [self._dict(one) for one in self.found], "text": str(self)}

    def _dict(self, one: Relaxation) -> dict[str, Any]:
        changes = [{**plain(change), "text": self._phrase(change)} for change in one.changes]
        return {
            "changes": [
                {name: value for name, value in change.items() if value is not None}
                for change in changes
            ],
            **picked(one, "criteria", "unknown", "max_distance_km", "n_clinics", "cost"),
            **picked(one, "clinic_id", "nearest_km"),
            **ends(one.interval_km, "nearest"),
        }


# With a bit for each clause's broader form, and three more, within 64.
MAX_CLAUSES = 30


def clauses_of(criteria: Criteria) -> tuple[Criteria, ...]:
    """Split criteria into the clauses that can be left out one by one."""
    if isinstance(criteria, Everything):
        return ()
    parts = criteria.parts if isinstance(criteria, And) else (criteria,)
    if len(parts) <= MAX_CLAUSES:
        return parts
    return (*parts[: MAX_CLAUSES - 1], And(parts[MAX_CLAUSES - 1 :]))


def forms_of(clause: Criteria, vocabulary: Vocabulary, slices: TermSlices) -> tuple[Criteria, ...]:
    """A clause as asked and, if it can be, with the terms above or a bound that all keep."""
    if isinstance(clause, Bound):
        looser = looser_numbers(clause, slices)
        return (clause, Bound(clause.quantity, clause.side, looser[-1])) if looser else (clause,)
    if not isinstance(clause, Offers) or (clause.at_least != 1 and len(clause.terms) > 1):
        return (clause,)
    facet = vocabulary.facet(clause.facet)
    above = [facet[term].parent or term for term in clause.terms]
    return clause, Offers(clause.facet, tuple(dict.fromkeys(above)), 1).resolve(vocabulary)


def looser_numbers(clause: Bound, slices: TermSlices) -> list[float]:
    """The numbers that services state beyond a bound, nearest first."""
    stated = np.unique(slices.stated(clause.quantity)[3:])
    rising = clause.side == "at_most"
    beyond = stated[stated > clause.number] if rising else stated[stated < clause.number][::-1]
    return list(map(float, beyond))


def smallest_changes(ranking: Ranking, limit: int, lang: str) -> Relaxations:
    """Find the smallest changes to a question that bring more clinics."""
    if ranking.travel is not None:
        raise InvalidInputError("changes are counted in straight lines: ask again without router=")
    question = _Question(ranking)
    found = [
        (question.relaxation(changes), changes)
        for changes in minimal_sets(question.violated(), question.costs, limit)
    ]
    found.sort(key=lambda one: (one[0].cost, one[0].nearest_km or 0.0, one[1]))
    return Relaxations(
        found=tuple(one for one, _ in found[:limit]),
        vocabularies=vocabularies_of(ranking),
        lang=lang,
    )


class _Question:
    """A question's constraints: its clauses broadened, left out, the unknown policy, the rest."""

    def __init__(self, ranking: Ranking) -> None:
        self.ranking = ranking
        self.filter = ranking.filter
        self.catalogue = ranking.catalogue
        words = self.catalogue.vocabulary
        slices = self.catalogue.slices
        self.forms = [
            forms_of(clause, words, slices) for clause in clauses_of(self.filter.criteria)
        ]
        self.n = n = len(self.forms)
        self.bit = {"unknown": 2 * n, "radius": 2 * n + 1, "region": 2 * n + 2}
        # To leave a clause out is to broaden it and more: its bit comes on top of the other's.
        more = [COSTS["drop"] - COSTS["broaden"] * (len(forms) - 1) for forms in self.forms]
        self.costs = [COSTS["broaden"]] * n + more + [COSTS[kind] for kind in self.bit]

    def violated(self) -> NDArray[np.uint64]:
        """For each service that brings a new clinic, the constraints it violates."""
        slices = self.catalogue.slices
        rows = np.concatenate([np.arange(slices.n_rows), slices.owner]).astype(np.intp)
        not_yes, is_no = np.zeros((2, len(rows)), np.uint64)
        for at, forms in enumerate(self.forms):
            for form, bit in zip(reversed(forms), (self.n + at, at), strict=False):
                yes, no = (self._services(form, side) for side in (Truth.YES, Truth.NO))
                not_yes[~yes] |= np.uint64(1 << bit)
                is_no[no] |= np.uint64(1 << bit)
        clinic_nos, flags = self.catalogue.clinic_of_row[rows], self.filter._by_number
        around, new = self._around()[clinic_nos], self._new[clinic_nos]
        maybe = new & ~flags(slices.closed)[clinic_nos]
        if self.filter.unknown == "include":
            return (is_no | around)[maybe]
        loose = (is_no | around | np.uint64(1 << self.bit["unknown"]))[maybe]
        if self.filter.unknown == "only":
            return loose
        sure = new & flags(slices.active)[clinic_nos]
        return np.concatenate([(not_yes | around)[sure], loose])

    @cached_property
    def _area(self) -> NDArray[np.bool_] | None:
        """The clinics inside the area, by their number; None without one."""
        region = self.filter._region
        return None if region is None else self.filter._by_number(region)

    @cached_property
    def _new(self) -> NDArray[np.bool_]:
        """The clinics that the question does not find, and that could be listed."""
        found = self.filter._passing(self.filter.unknown)
        if self.ranking.origin is not None:
            found = (found & ~self._beyond) | np.isnan(self.catalogue.radius_km)
        return ~found

    def _around(self) -> NDArray[np.uint64]:
        """For each clinic the violated radius and area."""
        out = self._beyond * np.uint64(1 << self.bit["radius"])
        if self._area is not None:
            out[~self._area] |= np.uint64(1 << self.bit["region"])
        return out

    @cached_property
    def _beyond(self) -> NDArray[np.bool_]:
        """The clinics that lie beyond the radius."""
        origin, limit_km, points = self.ranking.origin, self.ranking.limit_km, self.catalogue.points
        beyond = np.zeros(len(self.catalogue.clinics), bool)
        if origin is not None and not math.isinf(limit_km):
            beyond[points.clinic_no] = True
            place = origin.lat, origin.lon, min(limit_km, FARTHEST_KM)
            beyond[points.clinic_no[self.catalogue.index.within(*place)[1]]] = False
        return beyond

    def _services(self, clause: Criteria, side: Truth) -> NDArray[np.bool_]:
        slices = self.catalogue.slices
        flags = np.unpackbits(slices.evaluate(clause, side), bitorder="little").astype(bool)
        start = 8 * slices.width
        return np.concatenate([flags[: slices.n_rows], flags[start : start + len(slices.owner)]])

    def relaxation(self, changes: Sequence[int]) -> Relaxation:
        """Ask the question with some constraints left out."""
        done, origin, limit_km = set(changes), self.ranking.origin, self.ranking.limit_km
        kept = {
            at: forms[-1 if at in done else 0]
            for at, forms in enumerate(self.forms)
            if self.n + at not in done
        }
        unknown = "include" if self.bit["unknown"] in done else self.filter.unknown
        area = None if self.bit["region"] in done else self._area
        new_ones = self._new if area is None else self._new & area
        widened = self.bit["radius"] in done
        reach_km = math.inf if widened else limit_km

        def first() -> tuple[list[float] | None, list[int]]:
            new = Filter(self.catalogue, _joined(kept), unknown, new_ones)
            return Ranking(new, origin, reach_km).part(0, 1)

        for at in done.intersection(kept):
            self._tighten(kept, at, lambda: bool(first()[1]))
        nearest, (clinic_no,) = first()
        criteria = _joined(kept)
        nearest_km = nearest[0] if nearest else None
        if nearest_km is not None and widened:
            limit_km = _rounded_up(nearest_km)
        eligible = Filter(self.catalogue, criteria, unknown, area)
        clinic = self.catalogue.clinics[clinic_no]
        to_km = None if math.isinf(limit_km) else limit_km
        return Relaxation(
            changes=tuple(self._changes(done, kept, to_km)),
            criteria=criteria,
            unknown=unknown,
            max_distance_km=to_km,
            n_clinics=Ranking(eligible, origin, limit_km).n_eligible,
            nearest_km=nearest_km,
            clinic_id=clinic.clinic_id,
            name=clinic.name,
            interval_km=None
            if nearest_km is None
            else self.ranking.interval_km(nearest_km, clinic_no),
            precision=precision_of(clinic),
        )

    def _tighten(self, kept: dict[int, Criteria], at: int, finds: Callable[[], bool]) -> None:
        """Loosen a bound no more than to the next number that brings a clinic."""
        clause = self.forms[at][0]
        if not isinstance(clause, Bound):
            return
        looser = looser_numbers(clause, self.catalogue.slices)

        def helps(number: float) -> bool:
            kept[at] = Bound(clause.quantity, clause.side, number)
            return finds()

        helps(looser[bisect_left(looser, True, key=helps)])

    def _changes(
        self, done: set[int], kept: Mapping[int, Criteria], to_km: float | None
    ) -> Iterator[CriteriaChange]:
        for at, forms in enumerate(self.forms):
            if self.n + at in done:
                yield CriteriaChange("drop", criteria=forms[0])
            elif at in done:
                yield CriteriaChange("broaden", criteria=forms[0], broader=kept[at])
        for kind, bit in self.bit.items():
            if bit in done and kind == "radius":
                yield CriteriaChange("radius", from_km=self.ranking.limit_km, to_km=to_km)
            elif bit in done:
                yield CriteriaChange(kind)


def _joined(kept: Mapping[int, Criteria]) -> Criteria:
    parts = tuple(kept.values())
    return everything() if not parts else parts[0] if len(parts) == 1 else And(parts)


def _rounded_up(distance_km: float) -> float:
    """A radius that a person would type."""
    step = 0.1 if distance_km < 10.0 else 1.0
    # Never below the distance itself, whatever the division rounds to.
    return max(round(math.ceil(distance_km / step) * step, 1), distance_km)
