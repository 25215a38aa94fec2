"""People and where they live: the demand side, bundled postal codes by default."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.index.protocol import Floats, check_limit
from ketafind.join.frames import Frame, open_frame
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
class Demand:
    """Origins that count."""

    frame: Frame
    origins: Origins
    weight: Floats
    located: npt.NDArray[np.bool_]


def read_demand(frame: Any, source: Source, weight: str | None) -> Demand:
    """Read origins and their weights."""
    if frame is None:
        frame = ontario_postal_codes()
    opened = open_frame(frame)
    origins = read_origins(opened, source)
    if not isinstance(weight, Hashable):
        raise InvalidInputError("weight= names a column of the origins; add the weights to them")
    weights = np.ones(len(opened)) if weight is None else opened.numbers(weight)
    wrong = ~(np.isfinite(weights) & (weights >= 0.0))
    if wrong.any():
        raise InvalidInputError(
            f'row {int(np.argmax(wrong))}, column "{weight}": a weight is a number of 0 or more; '
            f"fill or drop rows without one (rows are counted from 0)"
        )
    return Demand(opened, origins, weights, origins.located)


def both_filters(
    directory: Directory, where: Criteria | Filter | None, facets: Mapping[str, Any]
) -> dict[str, Filter]:
    """Compile criteria for confirmed supply and for all that is possible."""
    check_directory(directory)
    if "unknown" in facets:
        raise InvalidInputError(
            "unknown= is no argument here: both answers are given, confirmed and possible"
        )
    if isinstance(where, Filter):
        where = where.criteria
    return {
        level: directory.filter(where, unknown=unknown, **facets)
        for level, unknown in LEVELS.items()
    }


def nearest_km(
    directory: Directory, eligible: Filter, demand: Demand, *, check: bool
) -> tuple[Floats, npt.NDArray[Any]]:
    """Find the nearest clinic of each origin."""
    found = search(directory, eligible, demand.origins, 1, check=check)
    distance_km = found.distance_km[:, 0]
    distance_km[np.isnan(distance_km) & demand.located] = np.inf
    return distance_km, found.clinic[:, 0]


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
