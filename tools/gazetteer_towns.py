"""Settle where a town is, from sources that may each be wrong (used by gazetteer_places.py)."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from gazetteer_codes import Codes, distance_km

GEONAMES, DBIP, POSTAL, OFFICE, AIRPORT = 0, 1, 2, 3, 4
AGREE_KM = 6.0
AIRPORT_KM = 12.0
MANY = 20


class Vote(NamedTuple):
    """One source's position of a town."""

    lat: float
    lon: float
    weight: float
    source: int


def points_of_one_name(codes: Codes) -> np.ndarray:
    """True for codes whose point no code of another name shares.

    A point shared by several towns is the middle of their area, not the place of any.
    """
    names: dict[tuple[float, float], set[str]] = defaultdict(set)
    points = list(zip(codes.lat.tolist(), codes.lon.tolist(), strict=True))
    for point, name in zip(points, codes.name.tolist(), strict=True):
        names[point].add(name)
    return np.array([len(names[point]) == 1 for point in points])


def postal_votes(codes: Codes, at: np.ndarray, own_point: np.ndarray) -> list[Vote]:
    """What a town's own codes say.

    A local unit that starts with 0 is a newer code that stands at the village's post office; an
    older one stands some kilometres off. Both only where the point is the town's own.
    """
    use = at[own_point[at]]
    if len(use) >= MANY:
        return [Vote(float(np.median(codes.lat[use])), float(np.median(codes.lon[use])), 3, POSTAL)]
    office = (codes.number[use] % 2000) < 200
    return [
        Vote(float(codes.lat[i]), float(codes.lon[i]), 2.5 if new else 1, OFFICE if new else POSTAL)
        for i, new in zip(use.tolist(), office.tolist(), strict=True)
    ]


def _agree(one: Vote, two: Vote) -> bool:
    reach = AIRPORT_KM if AIRPORT in {one.source, two.source} else AGREE_KM
    return bool(distance_km(one.lat, one.lon, two.lat, two.lon) <= reach)


def settle(votes: list[Vote], preferred: tuple[int, ...]) -> tuple[Vote, bool]:
    """Choose the vote that most of the weight agrees with, within 6 km (an airport: 12 km).

    Parameters
    ----------
    votes : list of Vote
        At least one.
    preferred : tuple of int
        Sources, the first wins among equals and among votes that agree with each other.

    Returns
    -------
    Vote
        The position to use.
    bool
        True if a vote of about the same weight says otherwise.
    """

    def support(vote: Vote) -> float:
        return sum(v.weight for v in votes if _agree(vote, v))

    best = max(votes, key=lambda v: (support(v), -preferred.index(v.source)))
    agree = [v for v in votes if _agree(best, v)]
    against = max((support(v) for v in votes if v not in agree), default=0.0)
    # An older code that is some kilometres off does not speak against the post office.
    far = any(distance_km(best.lat, best.lon, v.lat, v.lon) > 20.0 for v in votes)
    doubtful = far and against >= 0.4 * support(best)
    return min(agree, key=lambda v: preferred.index(v.source)), doubtful
