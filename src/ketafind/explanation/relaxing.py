"""The smallest changes to a question that bring more clinics, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from ketafind.criteria import Criteria
from ketafind.explanation.language import counted, say
from ketafind.explanation.outline import Line, Told
from ketafind.explanation.wording import Wording, distance_phrase, kilometres

if TYPE_CHECKING:
    from ketafind.vocabulary import Vocabulary

__all__ = ["COSTS", "Change", "Relaxation", "Relaxations", "minimal_sets"]

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
