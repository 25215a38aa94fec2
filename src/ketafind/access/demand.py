"""Who is to be served, by which clinics, who of them is near one, and where Ontario's people live."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ketafind.errors import InvalidInputError
from ketafind.geo import ECCENTRICITY_2, EQUATOR_KM, earth_centred, geodesic_km, micrometres, real
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.columns import stamped
from ketafind.join.frames import Frame, open_frame
from ketafind.join.join import read_travel
from ketafind.join.origins import Origins, Source, check_directory, read_origins
from ketafind.join.search import Flags, Rows, nearest_end_km, refuse_implausible, search, ticks
from ketafind.query.filter import Filter, UnknownPolicy
from ketafind.query.origin import outside_ontario

if TYPE_CHECKING:
    import pandas as pd

    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.join.journeys import Travel
    from ketafind.travel import Router


T = TypeVar("T")
TOWN = "municipality"

RURAL_PARTS = 18.0
"""The people of a rural code for one of a city: least squares over the municipalities, each
weighted by the root of its population, give 662 and 36."""


def ontario_postal_codes() -> pd.DataFrame:
    """List every Ontario postal code of the bundled gazetteer.

    Returns
    -------
    pandas.DataFrame
        ``postal_code``, ``area`` (its first three characters), ``lat``, ``lon`` (decimal degrees,
        WGS 84), ``radius_km`` (90 % radius), ``rural``, ``municipality`` (as
        `ontario_municipalities` names it; missing for about 600 codes) and ``population``, an
        estimate; ordered by code.

    Notes
    -----
    A code is a street side in a city, one building, or a countryside of 15 km: codes count
    addresses, not people. ``population`` divides the census of 2021 of each municipality among
    its codes, in equal parts and 18 parts to a rural code, the ratio that fits the municipalities
    of Ontario best. Sums over a municipality are right, a single code's number is not: towers and
    offices count alike. Some 35 municipalities, 0.3 % of Ontario's people, have no code of their
    own. Weigh with ``weight="population"``, or bring a table of people. Sources: GeoNames, CC BY
    4.0; Statistics Canada.

    Examples
    --------
    >>> import ketafind as kf
    >>> codes = kf.ontario_postal_codes()
    >>> codes.loc[codes["postal_code"] == "K7L 3N6", "municipality"].item()
    'Kingston'
    """
    import pandas as pd

    from ketafind.geocoding import default_gazetteer
    from ketafind.geocoding.lexicon import AREA_TEXTS, UNIT_TEXTS
    from ketafind.geocoding.locations import CODE_RADII, RURAL

    gazetteer = default_gazetteer()
    table, places = gazetteer.ontario, gazetteer.places
    rural = (table.quality & RURAL).astype(np.bool_)
    town = np.array([n if p.kind == TOWN else p.owner for n, p in enumerate(places)])[table.name]
    # The last entry is for codes without a municipality: -1 finds it.
    names = np.array([*(p.name for p in places), None], dtype=object)
    people = np.array([*(p.population for p in places), np.nan])
    parts = np.where(rural, RURAL_PARTS, 1.0)
    whole = np.bincount(town + 1, parts, len(people))
    place, unit = np.divmod(table.number, 2000)
    area = np.array(AREA_TEXTS, dtype=object)[place]
    return pd.DataFrame(
        {
            "postal_code": area + np.array([f" {text}" for text in UNIT_TEXTS], dtype=object)[unit],
            "area": area,
            "lat": table.lat / 1e4,
            "lon": table.lon / 1e4,
            "radius_km": np.array(CODE_RADII)[table.quality],
            "rural": rural,
            "municipality": pd.Series(names[town], dtype="str"),
            "population": people[town] * parts / whole[town + 1],
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
        if p.kind == TOWN
    ]
    names = ["name", "county", "lat", "lon", "radius_km", "area_km2", "population"]
    return pd.DataFrame(rows, columns=names).sort_values("name", ignore_index=True)


LEVELS: dict[str, UnknownPolicy] = {"confirmed": "exclude", "possible": "include"}
"""The two ends of what is known, and the unknown policy that answers each."""

ENDS = ("low", *LEVELS, "high")
"""Confirmed and surely in reach; the levels by positions as they are; possible and perhaps."""


class Study:
    """Who is to be served, and by which clinics: at both ends of what is known."""

    def __init__(
        self,
        origins: Any,
        directory: Directory,
        source: Source,
        weight: str | None,
        where: Criteria | Filter | None,
        facets: Mapping[str, Any],
        *,
        check: bool,
        provenance: bool,
        router: Router | None = None,
        cost: Any = None,
        candidates: Frame | None = None,
    ) -> None:
        check_directory(directory)
        self.directory = directory
        self.travel: Travel | None = read_travel(router, cost, directory, candidates)
        self.check, self._provenance = check, provenance
        self.eligible: Mapping[str, Filter] = _eligible(directory, where, facets)
        if origins is None and outside_ontario(directory._catalogue):
            warnings.warn(
                "without origins the postal codes of Ontario are counted, where none of these "
                "clinics is: give a table of people",
                UserWarning,
                stacklevel=3,
            )
        self.frame = open_frame(ontario_postal_codes() if origins is None else origins)
        reader = None if source.address is None else directory._reader
        needless = self.travel is not None and self.travel.costs is not None
        self.origins: Origins = read_origins(self.frame, source, geocoder=reader, needless=needless)
        self.weight: Floats = _weights(self.frame, weight)
        self._radius_from = source.radius_told(self.frame.names)
        self._settings: dict[str, Any] = {"weighted": weight is not None}
        self.located, self.journeys = self.origins.located, None
        if self.travel is not None:
            refuse_implausible(directory, self.origins, check=check)
            self.journeys = self.travel.journeys(directory, self.frame, self.origins)
            self.located = self.journeys.counted

    @property
    def unit(self) -> str:
        """What is measured: kilometres, minutes or a cost."""
        return "km" if self.journeys is None else self.journeys.unit

    def ticks(self, values: Any) -> Any:
        """What is compared: values that are equal for this purpose are equal."""
        return ticks(self.unit, values)

    def within(self, values: Floats, limit: float) -> Flags:
        """Whether values are no more than a limit."""
        return np.asarray(self.ticks(values) <= self.ticks(limit))

    def read_limits(self, km: Any, minutes: Any, usual: Mapping[str, Any]) -> Floats:
        """Read one threshold, or several, and keep them for provenance; None for what is usual."""
        name, given, other = "thresholds_km", km, minutes
        if self.unit != "km":
            name, given, other = "thresholds_min", minutes, km
        if other is not None:
            raise InvalidInputError(
                "thresholds_min= goes with router= or cost=, thresholds_km= with straight lines"
            )
        values = usual[name] if given is None else given
        several = isinstance(values, Iterable) and not isinstance(values, str)
        listed = list(values) if several else [values]
        if not listed:
            raise InvalidInputError(f"{name} is empty: give one or more")
        limits = np.array([check_limit(value, name) for value in listed])
        self._settings = {name: limits, **self._settings}
        return limits

    def nearest(self, level: str) -> tuple[Floats, Any]:
        """Find the nearest clinic of each origin; infinitely far where there is none."""
        if self.journeys is not None:
            by_travel = self.journeys.nearest(self.eligible[level], 1)
            value = np.nan_to_num(by_travel.values[:, 0], nan=np.inf)
            value[~self.located] = np.nan
            return value, by_travel.clinic[:, 0]
        found = search(self.directory, self.eligible[level], self.origins, 1, check=self.check)
        distance_km = found.distance_km[:, 0]
        distance_km[np.isnan(distance_km) & self.located] = np.inf
        return distance_km, found.clinic[:, 0]

    def reach(self) -> dict[str, Floats]:
        """How near a clinic is: surely, confirmed, possible, and perhaps; the least counts last."""
        if self.journeys is not None:
            ends = self.journeys.reach(self.eligible["confirmed"], self.eligible["possible"])
            return dict(zip(ENDS, ends, strict=True))
        confirmed, possible = (self.nearest(level)[0] for level in LEVELS)
        surely = nearest_end_km(self.eligible["confirmed"], self.origins, "high")
        perhaps = nearest_end_km(self.eligible["possible"], self.origins, "low")
        return dict(zip(ENDS, (surely, confirmed, possible, perhaps), strict=True))

    def stamped(self, frame: T, method: str, /, **settings: Any) -> T:
        """Let a frame that was just made remember where it comes from."""
        if self.travel is not None and self.journeys is not None:
            self.travel.n_missing = self.journeys.n_missing
        return stamped(
            frame,
            method,
            self.directory,
            self.eligible["possible"],
            unknown="both",
            radius=self._radius_from,
            criteria=self._provenance,
            travel=self.travel,
            **settings,
            **self._settings,
        )

    def near_origins(self) -> tuple[WithinDistance, Rows]:
        """Lay the origins out for measuring around clinics; with the row of each."""
        located = np.flatnonzero(self.located)
        near = WithinDistance(self.origins.lat[located], self.origins.lon[located])
        return near, located[near.order]


def _eligible(
    directory: Directory, where: Criteria | Filter | None, facets: Mapping[str, Any]
) -> Mapping[str, Filter]:
    """Compile criteria for both ends of the interval."""
    if "unknown" in facets:
        raise InvalidInputError(
            "unknown= is no argument here: both answers are given, confirmed and possible"
        )
    if isinstance(where, Filter):
        # Refuses what was compiled for another directory, or is given with other criteria.
        compiled = directory.filter(where, **facets)
        if compiled.unknown != "exclude":
            raise InvalidInputError(
                f"where= is a filter with unknown={compiled.unknown!r}, but both answers are given "
                f"here, confirmed and possible; give its criteria: where=compiled.criteria"
            )
        where, facets = compiled.criteria, {}
    return {
        level: directory.filter(where, unknown=unknown, **facets)
        for level, unknown in LEVELS.items()
    }


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
    with np.errstate(over="ignore"):
        whole = weights.sum()
    if not np.isfinite(whole):
        raise InvalidInputError(f'column "{name}": the sum of the weights is too large to count')
    return weights


def read_capacity(directory: Directory, capacity: Mapping[str, float] | Any) -> Floats:
    """Read how much each clinic can give."""
    if capacity is None:
        return np.ones(len(directory))
    if not hasattr(capacity, "items") or hasattr(capacity, "columns"):
        raise InvalidInputError(
            f"capacity= takes a mapping or Series of clinic ids to amounts, not a "
            f"{type(capacity).__name__}"
        )
    amounts = np.zeros(len(directory))
    number = {clinic.clinic_id: at for at, clinic in enumerate(directory.clinics)}
    for clinic_id, amount in dict(capacity).items():
        if not 0.0 <= real(amount) < np.inf:
            raise InvalidInputError(
                f"the capacity of {clinic_id!r} must be a number, 0 or more, not {amount!r}"
            )
        # Raises, with a suggestion, for an id that is not there.
        amounts[number[directory[clinic_id].clinic_id]] = float(amount)
    return amounts


LEAST_RADIUS_KM = EQUATOR_KM * (1.0 - ECCENTRICITY_2)
"""No line on the ellipsoid bends more sharply than a circle of this radius."""

MARGIN_KM = 1e-6
"""Far more than rounding loses; what falls in it is measured."""

MEAN_KM = 6371.0
"""Arcs of a sphere of this radius, over the chord, are off by less than 0.4 % and 100 metres."""

MEASURED_KM = 5000.0
"""Beyond this chords say too little."""


Near = tuple[Rows, Floats]
"""Origins as they are laid out, and how far each is, or its weight."""


class WithinDistance:
    """Origins, laid out so that those near a clinic are found fast."""

    def __init__(self, lat: Floats, lon: Floats) -> None:
        self.order: Rows = np.argsort(lat, kind="stable")
        self._lat, self._lon = lat[self.order], lon[self.order]
        self._points = earth_centred(self._lat, self._lon)

    def rings(self, lat: float, lon: float, edges_km: Floats) -> tuple[Rows, Rows]:
        """Sort the origins around a place into rings."""
        near, chord_km = self._near(lat, lon, float(edges_km[-1]))
        # An arc is no shorter than its chord, and no longer than the sharpest bend makes it.
        half_bend = np.minimum(edges_km, MEASURED_KM) / (2.0 * LEAST_RADIUS_KM)
        ring = np.searchsorted(edges_km + MARGIN_KM, chord_km)
        most = np.searchsorted(2.0 * LEAST_RADIUS_KM * np.sin(half_bend) - MARGIN_KM, chord_km)
        open_ = np.flatnonzero(ring != most)
        rows = near[open_]
        distance_km = geodesic_km(lat, lon, self._lat[rows], self._lon[rows])
        ring[open_] = np.searchsorted(micrometres(edges_km), micrometres(distance_km))
        inside = ring < len(edges_km)
        return near[inside], ring[inside]

    def around(self, lat: float, lon: float, limit_km: float) -> Near:
        """Measure the origins around a place to some metres: enough for what is in doubt."""
        near, chord_km = self._near(lat, lon, 1.004 * limit_km + 0.1)
        return near, 2.0 * MEAN_KM * np.arcsin(np.minimum(1.0, chord_km / (2.0 * MEAN_KM)))

    def distances(self, lat: float, lon: float, limit_km: float) -> Near:
        """Measure the origins around a place."""
        near, _ = self._near(lat, lon, limit_km)
        distance_km = geodesic_km(lat, lon, self._lat[near], self._lon[near])
        inside = micrometres(distance_km) <= micrometres(limit_km)
        return near[inside], distance_km[inside]

    def _near(self, lat: float, lon: float, limit_km: float) -> Near:
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
        near = np.flatnonzero(chord <= (limit_km + MARGIN_KM) ** 2)
        return near + first, np.sqrt(chord[near])
