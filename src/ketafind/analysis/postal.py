"""The bundled postal codes as a stand-in for where people live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ontario_postal_codes"]


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
    from ketafind.geocoding.postal import AREA_TEXTS, UNIT_TEXTS
    from ketafind.geocoding.radius import CODE_RADII, RURAL

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
