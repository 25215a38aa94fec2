"""Which clinics to ask, so that as few answers as possible confirm as near a clinic as possible."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.explanation.findings import unsettled
from ketafind.explanation.questions import FLAGS, Asking, Questions
from ketafind.matches.relaxing import clauses_of
from ketafind.matches.telling import clinic_facts, vocabularies_of
from ketafind.truth import Truth

if TYPE_CHECKING:
    from ketafind.matches.filters import Filter
    from ketafind.matches.ranking import Ranking

__all__ = ["questions"]


def questions(ranking: Ranking, limit: int, lang: str) -> Questions:
    """Find what to ask which clinic.

    Parameters
    ----------
    ranking : Ranking
        A question.
    limit : int
        How many clinics at the most.
    lang : str
        The language to tell it in.

    Returns
    -------
    Questions
        The clinics that fewest answers would confirm first, then the nearest, then by id.
    """
    possible = ranking.filter.under("only")
    far, positions = type(ranking)(possible, ranking.origin, ranking.limit_km).page(0, None)
    distances = far or [math.nan] * len(positions)
    n_open = _open_clauses(possible)[possible.catalogue.row_of[positions]]
    # They come nearest first, or by id: a stable sort keeps that within a count.
    best = np.argsort(n_open, kind="stable")[:limit]
    asked = [
        _asking(ranking, int(positions[at]), None if math.isnan(distances[at]) else distances[at])
        for at in best
    ]
    return Questions(asked, len(positions), vocabularies_of(ranking), lang)


def _open_clauses(possible: Filter) -> NDArray[np.uint8]:
    """For each row the fewest clauses that are open in one of its services, status included."""
    slices = possible.catalogue.slices
    slots = 8 * len(slices.evaluate(possible.criteria, Truth.YES))
    n_open = np.zeros(slots, np.uint8)
    fails = np.zeros(slots, bool)
    for clause in clauses_of(possible.criteria):
        yes, no = (slices.evaluate(clause, side) for side in (Truth.YES, Truth.NO))
        n_open += np.unpackbits(~(yes | no), bitorder="little")
        fails |= np.unpackbits(no, bitorder="little").astype(bool)
    n_open[fails] = 255
    rows = n_open[: slices.n_rows].copy()
    start = 8 * slices.width
    np.minimum.at(rows, slices.owner, n_open[start : start + len(slices.owner)])
    active = np.unpackbits(slices.active, bitorder="little", count=slices.n_rows)
    return np.where(rows < 255, rows + (active == 0), rows)


def _asking(ranking: Ranking, position: int, distance_km: float | None) -> Asking:
    facts = clinic_facts(ranking, position, None, distance_km)
    open_clauses = tuple(finding.criteria for finding in unsettled(facts.finding))
    return Asking(
        clinic=facts.clinic,
        distance_km=None if distance_km is None else float(distance_km),
        interval_km=facts.interval_km,
        open_clauses=open_clauses,
        is_open=facts.clinic.status == "active",
        open_flags=tuple(flag for flag in FLAGS if flag not in facts.service.flags),
    )
