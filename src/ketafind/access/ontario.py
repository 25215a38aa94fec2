"""Where the people of Ontario live: its postal codes and municipalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


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
