"""Which of many origins lie within given distances of a clinic, exactly and fast."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ketafind.geo import (
    ECCENTRICITY_2,
    EQUATOR_KM,
    earth_centred,
    geodesic_km,
    micrometres,
)
from ketafind.index.protocol import Floats
from ketafind.join.frames import code_type

LEAST_RADIUS_KM = EQUATOR_KM * (1.0 - ECCENTRICITY_2)
"""No line on the ellipsoid bends more sharply than a circle of this radius."""

MARGIN_KM = 1e-6
"""Far more than rounding loses; what falls in it is measured."""

MEASURED_KM = 5000.0
"""Beyond this chords say too little: everything is measured."""


class WithinDistance:
    """Origins, laid out so that those near a clinic are found fast."""

    def __init__(self, lat: Floats, lon: Floats) -> None:
        self.order = np.argsort(lat, kind="stable")
        self._lat, self._lon = lat[self.order], lon[self.order]
        self._points = earth_centred(self._lat, self._lon)

    def rings(
        self, lat: float, lon: float, edges_km: Floats
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
        """Sort the origins around a place into rings."""
        near, chord_km = self._near(lat, lon, float(edges_km[-1]))
        ring: npt.NDArray[Any] = np.zeros(len(near), code_type(len(edges_km) + 1))
        for edge_km in edges_km.tolist():
            ring += self._beyond(lat, lon, near, chord_km, edge_km)
        inside = ring < len(edges_km)
        return near[inside], ring[inside]

    def distances(
        self, lat: float, lon: float, limit_km: float
    ) -> tuple[npt.NDArray[np.intp], Floats]:
        """Measure the origins around a place."""
        near, _ = self._near(lat, lon, limit_km)
        distance_km = geodesic_km(lat, lon, self._lat[near], self._lon[near])
        inside = micrometres(distance_km) <= micrometres(limit_km)
        return near[inside], distance_km[inside]

    def _near(self, lat: float, lon: float, limit_km: float) -> tuple[npt.NDArray[np.intp], Floats]:
        """All origins whose chord is not too long, and a few more."""
        # No degree of latitude is shorter than 110.5 km.
        reach = (limit_km + MARGIN_KM) / 110.5
        first = int(np.searchsorted(self._lat, lat - reach, side="left"))
        last = int(np.searchsorted(self._lat, lat + reach, side="right"))
        here = earth_centred(np.array([lat]), np.array([lon]))
        chord = self._points[0, first:last] - here[0, 0]
        chord *= chord
        for axis in (1, 2):
            part = self._points[axis, first:last] - here[axis, 0]
            part *= part
            chord += part
        limit = (limit_km + MARGIN_KM) ** 2
        near = np.flatnonzero(chord <= limit)
        return near + first, np.sqrt(chord[near])

    def _beyond(
        self,
        lat: float,
        lon: float,
        near: npt.NDArray[np.intp],
        chord_km: Floats,
        edge_km: float,
    ) -> npt.NDArray[np.bool_]:
        surely = 0.0
        if edge_km < MEASURED_KM:
            surely = 2.0 * LEAST_RADIUS_KM * math.sin(edge_km / (2.0 * LEAST_RADIUS_KM))
        beyond = chord_km > surely - MARGIN_KM
        open_ = np.flatnonzero(beyond & (chord_km <= edge_km + MARGIN_KM))
        if len(open_):
            rows = near[open_]
            distance_km = geodesic_km(lat, lon, self._lat[rows], self._lon[rows])
            beyond[open_] = micrometres(distance_km) > micrometres(edge_km)
        return beyond
