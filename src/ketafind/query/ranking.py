"""A question and its whole order of answers, of which a page is taken at a time."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ketafind.geo import distance_interval_km, distance_lows_km

if TYPE_CHECKING:
    from ketafind.query.filter import Filter
    from ketafind.records import Location

__all__ = ["Page", "Ranking"]


Page = tuple[list[float] | None, list[int]]
"""Distances in kilometres (None without an origin) and the positions of the clinics."""

FARTHEST_KM = 20_038.0


class Ranking:
    """The clinics that pass a filter, nearest first, or by id where there is no origin."""

    __slots__ = ("__dict__", "filter", "limit_km", "origin")

    def __init__(
        self, passing: Filter, origin: Location | None = None, limit_km: float = math.inf
    ) -> None:
        self.filter = passing
        self.origin = origin
        self.limit_km = limit_km

    def page(self, start: int, stop: int | None) -> Page:
        """Take a part of the order."""
        if self.origin is None:
            return None, self._by_id[start:stop].tolist()
        if stop is None:
            distances, places = (one.tolist() for one in self._within(self.filter.prepared))
            return distances[start:], self.filter.catalogue.listed(places[start:])
        distances, positions = self.filter.nearest(
            self.origin.lat, self.origin.lon, stop, self.limit_km
        )
        return distances[start:], positions[start:]

    @cached_property
    def n_eligible(self) -> int:
        """How many clinics the whole order holds."""
        if self.origin is None:
            return len(self._by_id)
        if math.isinf(self.limit_km):
            return self.filter.n_eligible
        return len(self._within(self.filter.prepared)[1])

    @cached_property
    def n_possible(self) -> int:
        """How many located clinics inside the limits may satisfy the criteria or not."""
        if self.origin is None or math.isinf(self.limit_km):
            return self.filter.n_possible
        return len(self._within(self.filter.possible)[1])

    def interval_km(self, distance_km: float, position: int) -> tuple[float, float]:
        """Bound the true distance to a clinic; see `distance_interval_km`."""
        if self.origin is None:
            raise ValueError("an interval needs an origin")
        radius_km = float(self.filter.catalogue.radius_km[position])
        return distance_interval_km(distance_km, self.origin.radius_km, radius_km)

    def distance_km(self, position: int) -> float | None:
        """Measure how far a clinic is; None without an origin or a position of the clinic."""
        from ketafind.geo import geodesic_km

        place = self.filter.catalogue.clinics[position].location
        if self.origin is None or place is None:
            return None
        return float(geodesic_km(self.origin.lat, self.origin.lon, place.lat, place.lon))

    def rank_of(self, distance_km: float, position: int) -> int:
        """Count the rank that a clinic has, or would have if it passed; whatever the limit."""
        if self.origin is None:
            raise ValueError("a rank needs an origin")
        catalogue = self.filter.catalogue
        far, places = catalogue.index.within(
            self.origin.lat, self.origin.lon, min(distance_km, FARTHEST_KM), self.filter.prepared
        )
        # The order: by distance rounded to one micrometre, then by position.
        own = np.rint(distance_km * 1e9)
        theirs = np.rint(far * 1e9)
        before = (theirs < own) | ((theirs == own) & (catalogue.places.located[places] < position))
        return int(before.sum()) + 1

    def order_certain(self, start: int, stop: int | None) -> bool:
        """Tell whether the order of a page is certain at the 90 % level."""
        if self.origin is None or self.filter.n_unlocated:
            return False
        distances, positions = self.page(start, stop)
        if distances is None:
            return False
        pairs = zip(distances, positions, strict=True)
        spans = sorted(self.interval_km(*pair) for pair in pairs)
        if any(low <= high for (_, high), (low, _) in pairwise(spans)):
            return False
        reach_km = math.inf
        if stop is not None and len(positions) >= stop - start:
            reach_km = max((high for _, high in spans), default=0.0)
            # Not the next alone: one farther off may be known less well.
            if len(self._entrants(reach_km, self.filter.prepared, stop)[1]):
                return False
        if self.filter.unknown != "exclude" or not self.n_possible:
            return True
        return not len(self._entrants(reach_km, self.filter.possible, 0)[1])

    def rival(self, reach_km: float, stop: int) -> Page:
        """Find the first clinic after a page that may be nearer than this, if there is one."""
        distances, places = self._entrants(reach_km, self.filter.prepared, stop)
        return distances[:1].tolist(), self.filter.catalogue.listed(places[:1].tolist())

    def _entrants(
        self, reach_km: float, prepared: object, skip: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """The clinics, but for the nearest few, that may be nearer than this."""
        if self.origin is None:
            raise ValueError("distances need an origin")
        radius_km = self.filter.catalogue.places.radius_km
        # No interval begins farther below its distance than both radii together.
        doubt_km = math.hypot(self.origin.radius_km, float(radius_km.max(initial=0.0)))
        distances, places = self._within(prepared, reach_km + doubt_km)
        distances, places = distances[skip:], places[skip:]
        lows = distance_lows_km(distances, self.origin.radius_km, radius_km[places])
        return distances[lows <= reach_km], places[lows <= reach_km]

    def _within(
        self, prepared: object, reach_km: float = math.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        if self.origin is None:
            raise ValueError("distances need an origin")
        limit = min(self.limit_km, FARTHEST_KM, reach_km)
        index = self.filter.catalogue.index
        return index.within(self.origin.lat, self.origin.lon, limit, prepared)

    @cached_property
    def _by_id(self) -> NDArray[np.intp]:
        return self.filter.positions()
