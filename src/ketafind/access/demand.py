"""People and where they live, bundled postal codes by default, and who of them is near a clinic."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import (
    ECCENTRICITY_2,
    EQUATOR_KM,
    earth_centred,
    geodesic_km,
    micrometres,
)
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.frames import Frame, code_type, open_frame
from ketafind.join.origins import Origins, Source, check_directory, read_origins
from ketafind.join.search import search
from ketafind.query.filter import Filter, UnknownPolicy

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.directory import Directory


def ontario_postal_codes() -> pd.DataFrame:
    """List every Ontario postal code of the bundled gazetteer.

    Returns
    -------
    pandas.DataFrame
        ``postal_code``, ``area`` (its first three characters), ``lat``, ``lon`` (decimal degrees,
        WGS 84), ``radius_km`` (90 % radius) and ``rural``; ordered by code.

    Notes
    -----
    A proxy: a code is a street side in a city, one building, or a countryside of 15 km, so codes
    count addresses and not people, and cities weigh more than they should. Where people matter,
    bring a table of them with a weight. Source: GeoNames, CC BY 4.0.

    Examples
    --------
    >>> import ketafind as kf
    >>> codes = kf.ontario_postal_codes()
    >>> codes.loc[codes["postal_code"] == "K7L 3N6", "area"].item()
    'K7L'
    """
    import pandas as pd

    from ketafind.geocoding import default_gazetteer
    from ketafind.geocoding.locations import CODE_RADII, RURAL
    from ketafind.geocoding.words import AREA_TEXTS, UNIT_TEXTS

    table = default_gazetteer().ontario
    place, unit = np.divmod(table.number, 2000)
    area = np.array(AREA_TEXTS, dtype=object)[place]
    return pd.DataFrame(
        {
            "postal_code": area + np.array([f" {text}" for text in UNIT_TEXTS], dtype=object)[unit],
            "area": area,
            "lat": table.lat / 1e4,
            "lon": table.lon / 1e4,
            "radius_km": np.array(CODE_RADII)[table.quality],
            "rural": (table.quality & RURAL).astype(np.bool_),
        }
    )


def ontario_municipalities() -> pd.DataFrame:
    """List the 414 municipalities of Ontario.

    Returns
    -------
    pandas.DataFrame
        ``name`` (with the county where several bear it), ``county`` (census division), ``lat``,
        ``lon`` (the middle of its postal codes where it has any; decimal degrees, WGS 84),
        ``radius_km`` (nine of ten of its addresses are within), ``area_km2`` (land) and
        ``population`` (census of 2021); ordered by name.

    Examples
    --------
    >>> import ketafind as kf
    >>> towns = kf.ontario_municipalities()
    >>> len(towns), towns.loc[towns["name"] == "Toronto", "population"].item()
    (414, 2794356)
    """
    import pandas as pd

    from ketafind.geocoding import default_gazetteer

    rows = [
        (p.name, p.county, p.lat, p.lon, p.radius_km, round(np.pi * p.reach_km**2), p.population)
        for p in default_gazetteer().places
        if p.kind == "municipality"
    ]
    names = ["name", "county", "lat", "lon", "radius_km", "area_km2", "population"]
    return pd.DataFrame(rows, columns=names).sort_values("name", ignore_index=True)


LEVELS: dict[str, UnknownPolicy] = {"confirmed": "exclude", "possible": "include"}
"""The two ends of every interval, and the unknown policy that answers each."""


@dataclass(frozen=True, slots=True)
class Study:
    """Who is to be served, and by which clinics."""

    directory: Directory
    frame: Frame
    origins: Origins
    weight: Floats
    located: npt.NDArray[np.bool_]
    eligible: Mapping[str, Filter]
    check: bool

    def nearest(self, level: str) -> tuple[Floats, npt.NDArray[Any]]:
        """Find the nearest clinic of each origin; infinitely far where there is none."""
        found = search(self.directory, self.eligible[level], self.origins, 1, check=self.check)
        distance_km = found.distance_km[:, 0]
        distance_km[np.isnan(distance_km) & self.located] = np.inf
        return distance_km, found.clinic[:, 0]

    def near_origins(self) -> tuple[WithinDistance, npt.NDArray[np.intp]]:
        """Lay the origins out for measuring around clinics; with the row of each."""
        located = np.flatnonzero(self.located)
        near = WithinDistance(self.origins.lat[located], self.origins.lon[located])
        return near, located[near.order]


def read_study(
    origins: Any,
    directory: Directory,
    source: Source,
    weight: str | None,
    where: Criteria | Filter | None,
    facets: Mapping[str, Any],
    *,
    check: bool,
) -> Study:
    """Read origins and their weights, and compile criteria for both ends of the interval."""
    check_directory(directory)
    if "unknown" in facets:
        raise InvalidInputError(
            "unknown= is no argument here: both answers are given, confirmed and possible"
        )
    if isinstance(where, Filter):
        where = where.criteria
    eligible = {
        level: directory.filter(where, unknown=unknown, **facets)
        for level, unknown in LEVELS.items()
    }
    frame = open_frame(ontario_postal_codes() if origins is None else origins)
    places = read_origins(frame, source)
    weights = _weights(frame, weight)
    return Study(directory, frame, places, weights, places.located, eligible, check)


def _weights(frame: Frame, name: str | None) -> Floats:
    if not isinstance(name, Hashable):
        raise InvalidInputError("weight= names a column of the origins; add the weights to them")
    weights = np.ones(len(frame)) if name is None else frame.numbers(name)
    wrong = ~(np.isfinite(weights) & (weights >= 0.0))
    if wrong.any():
        raise InvalidInputError(
            f'row {int(np.argmax(wrong))}, column "{name}": a weight is a number of 0 or more; '
            f"fill or drop rows without one (rows are counted from 0)"
        )
    return weights


def check_thresholds(values: Any) -> Floats:
    """Read one distance in kilometres, or several."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    listed = list(values) if several else [values]
    if not listed:
        raise InvalidInputError("thresholds_km is empty: give one distance in kilometres or more")
    return np.array([check_limit(value, "thresholds_km") for value in listed])


def read_supply(directory: Directory, supply: Mapping[str, float] | Any) -> Floats:
    """Read how much each clinic can give."""
    if supply is None:
        return np.ones(len(directory))
    if not hasattr(supply, "items"):
        raise InvalidInputError(
            f"supply= takes a mapping or Series of clinic ids to amounts, not a "
            f"{type(supply).__name__}"
        )
    amounts = np.zeros(len(directory))
    number = {clinic.clinic_id: at for at, clinic in enumerate(directory.clinics)}
    for clinic_id, amount in dict(supply).items():
        good = isinstance(amount, Real) and not isinstance(amount, bool)
        if not good or not 0.0 <= float(amount) < np.inf:
            raise InvalidInputError(
                f"the supply of {clinic_id!r} must be a number, 0 or more, not {amount!r}"
            )
        # Raises, with a suggestion, for an id that is not there.
        amounts[number[directory[clinic_id].clinic_id]] = float(amount)
    return amounts


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
