"""The forward sortation area that a position lies in, as far as postal codes tell."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from ketafind.errors import CoordinatesError
from ketafind.geocoding.answers import at_area
from ketafind.geocoding.gazetteer import default_gazetteer

if TYPE_CHECKING:
    from ketafind.coordinates import Coordinates

__all__ = ["area_centre"]

TOWN_ONLY = 64
NEIGHBOURS = 15
FARTHEST_DEGREES = 0.45
"""About 50 km of latitude."""


def area_centre(place: Coordinates) -> dict[str, float]:
    """Find the centre of the area that most of the nearest postal codes are of.

    Parameters
    ----------
    place : Coordinates
        A position in Ontario.

    Returns
    -------
    dict
        ``lat`` and ``lon`` in degrees.

    Raises
    ------
    CoordinatesError
        If no postal code of Ontario is within 50 km.
    """
    gazetteer = default_gazetteer()
    codes = gazetteer.ontario
    # Flat degrees, longitude shrunk: near enough to name the area of the nearest code.
    north = codes.lat / 1e4 - place.lat
    east = (codes.lon / 1e4 - place.lon) * math.cos(math.radians(place.lat))
    square = north * north + east * east
    # A code that only its town places stands where it is not.
    square[codes.quality >= TOWN_ONLY] = np.inf
    near = np.argpartition(square, NEIGHBOURS)[:NEIGHBOURS]
    near = near[np.argsort(square[near], kind="stable")]
    if square[near[0]] > FARTHEST_DEGREES**2:
        raise CoordinatesError(
            "no postal code of Ontario is within 50 km of this position; coarsen it by km instead"
        )
    # Single codes are misplaced at times: most of the nearest decide, the nearest where tied.
    areas = Counter((codes.number[near] // 2000).tolist())
    found = at_area(gazetteer, areas.most_common(1)[0][0])
    return {"lat": found.lat, "lon": found.lon}
