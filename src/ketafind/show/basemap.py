"""The land, lakes, borders and towns around Ontario that lie beneath a map."""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Scale = Literal["far", "near"]
"""``near`` keeps within 0.005 degrees and has the smaller lakes and islands, ``far`` 0.02."""
AROUND = (-98.0, 40.0, -71.0, 58.5)
"""West, south, east and north of what is drawn; nothing is known beyond."""
CREDIT = "Made with Natural Earth; towns GeoNames (CC BY 4.0)"
_FILE = Path(__file__).with_name("basemap.bin")


class Town(NamedTuple):
    """A town that tells where one is."""

    name: str
    lon: float
    lat: float
    population: int


def packed() -> bytes:
    """Return the file as it ships, for a page to unpack: deflated JSON, see tools/build_basemap.py."""
    return _FILE.read_bytes()


@cache
def _content() -> dict[str, Any]:
    return dict(json.loads(zlib.decompress(packed())))


def towns() -> list[Town]:
    """Return the towns, the largest first."""
    return [Town(*town) for town in _content()["towns"]]


@cache
def layers(scale: Scale = "far") -> dict[str, BaseGeometry]:
    """Return ``land``, ``lakes`` and ``ontario`` as areas and ``borders`` as lines, in degrees."""
    import shapely

    content = _content()[scale]
    return {
        name: (shapely.build_area if name != "borders" else shapely.line_merge)(
            shapely.MultiLineString(
                [np.reshape(line, (-1, 2)).cumsum(axis=0) * content["step"] for line in lines]
            )
        )
        for name, lines in content.items()
        if name != "step"
    }
