"""Where the people of Ontario live: its postal codes and municipalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


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
    from ketafind.geocoding.locations import CODE_RADII, RURAL
    from ketafind.geocoding.words import AREA_TEXTS, UNIT_TEXTS

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
