"""Networks made of OpenStreetMap extracts."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DataError, Fault, InvalidInputError, packaged
from ketafind.files import regular_file, require
from ketafind.travel.graph import GraphRouter, along_km, network
from ketafind.travel.router import OPENSTREETMAP

Tags = Mapping[str, str]
Numbers = NDArray[np.signedinteger[Any]]
IN_MEMORY = 100_000_000
"""Bytes of an extract from which the positions of its nodes are kept in a file beside."""


@dataclass(frozen=True)
class Profile:
    """How fast one travels on which roads; speeds in km/h, free of traffic."""

    speeds: Mapping[str, float]
    """By the value of ``highway``, where no limit is posted; a road of another kind is closed."""
    access: Sequence[str]
    """Tags that may forbid or allow, the most particular last."""
    factor: float = 1.0
    """Of the posted or usual speed: what is driven on the whole, crossings and bends included."""
    posted: bool = False
    """Whether ``maxspeed`` counts."""
    oneway: Sequence[str] = ()
    """Tags by which one direction is closed, the most particular last; none for feet."""
    ferry_kmh: float = 20.0
    closed: frozenset[str] = frozenset({"no", "private", "agricultural", "forestry"})
    error: tuple[float, float] = (1.0, 1.0)
    """Factors of these times between which an engine's lie, nine in ten; 1 and 1: not measured."""


_LISTED: dict[str, dict[str, Any]] = packaged("travel/roads.json")
PROFILES: Mapping[str, Profile] = {
    name: Profile(**{**one, "error": tuple(one["error"])}) for name, one in _LISTED.items()
}
"""What ``ketafind roads build`` knows. The car's factor and the errors were fitted on
Peterborough, Ontario, against Valhalla (tools/calibrate_travel.py)."""

KMH = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}
_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*+([a-z/]*)\s*+(?:;.*)?", re.IGNORECASE)


def posted_kmh(text: str) -> float | None:
    """Read a ``maxspeed``; None where it is no number, such as ``"none"`` or ``"signals"``."""
    found = _LIMIT.fullmatch(text)
    if not found or found[2].lower() not in KMH:
        return None
    speed = float(found[1]) * KMH[found[2].lower()]
    return speed if 1 <= speed <= 200 else None


def speeds_kmh(tags: Tags, profile: Profile) -> tuple[float, float]:
    """Find the speeds along and against a way; 0 where one may not go."""
    ferry = tags.get("route") == "ferry"
    speed = profile.ferry_kmh if ferry else profile.speeds.get(tags.get("highway", ""), 0.0)
    allowed = [tags[name] for name in profile.access if name in tags]
    if not speed or tags.get("area") == "yes" or (allowed and allowed[-1] in profile.closed):
        return 0.0, 0.0
    along = against = speed
    if profile.posted and not ferry:
        posted = posted_kmh(tags.get("maxspeed", ""))
        along = posted_kmh(tags.get("maxspeed:forward", "")) or posted or speed
        against = posted_kmh(tags.get("maxspeed:backward", "")) or posted or speed
    words = [tags[name] for name in profile.oneway if name in tags]
    implied = tags.get("junction") in ("roundabout", "circular") or tags.get("highway") in (
        "motorway",
        "motorway_link",
    )
    word = words[-1] if words else "yes" if implied and profile.oneway else "no"
    factor = 1.0 if ferry else profile.factor
    if word in ("-1", "reverse"):
        return 0.0, against * factor
    return along * factor, 0.0 if word in ("yes", "true", "1") else against * factor


def build_roads(
    extract: str | PathLike[str],
    *,
    profiles: tuple[str, ...] = ("car",),
    within: Any = None,
    progress: Callable[[int], object] | None = None,
) -> GraphRouter:
    """Make a network of an OpenStreetMap extract.

    Parameters
    ----------
    extract : path
        An ``.osm.pbf`` or ``.osm`` file; read as a stream.
    profiles : tuple of str
        ``car``, ``bicycle``, ``foot``; the first is the one that the router uses.
    within : shapely geometry, optional
        Ways that do not touch it, in lon, lat degrees, are left out.
    progress : callable, optional
        Called with how many ways were kept since it was last called.

    Returns
    -------
    GraphRouter
        Nodes are crossings, dead ends and places where the speed changes.

    Raises
    ------
    MissingExtraError
        Without the extra ``[roads]``.
    MissingFileError, DataError
        If there is no such file, if it cannot be read, or holds no road of these profiles.
    """
    osmium = require("osmium", "roads")
    kinds = [_profile(name) for name in profiles]
    reader, told = _Ways(kinds, within), 0
    extract = regular_file(extract)
    try:
        size = os.path.getsize(extract)
        with TemporaryDirectory() as folder:
            # The positions of a large extract's nodes do not fit into memory.
            index = "flex_mem" if size < IN_MEMORY else f"sparse_file_array,{folder}/nodes"
            ways = osmium.FileProcessor(extract, osmium.osm.NODE | osmium.osm.WAY)
            ways = ways.with_locations(index).with_filter(
                osmium.filter.EntityFilter(osmium.osm.WAY)
            )
            for way in ways.with_filter(osmium.filter.KeyFilter("highway", "route")):
                reader.add(way)
                if progress and reader.kept - told >= 10_000:
                    progress(reader.kept - told)
                    told = reader.kept
            if progress:
                progress(reader.kept - told)
    except RuntimeError as error:
        fault = Fault(f"this is no readable extract: {error}")
        raise DataError(extract, [fault]) from None
    if not reader.kept:
        names = ", ".join(profiles)
        raise DataError(extract, [Fault(f"no road is open to {names}")])
    arrays = reader.arrays(profiles)
    for name, kind in zip(profiles, kinds, strict=True):
        arrays[f"error.{name}"] = np.array(kind.error)
    arrays["credit"] = np.frombuffer(OPENSTREETMAP.encode(), np.uint8)
    return GraphRouter(arrays, profiles[0])


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise InvalidInputError(f"{name!r} is not a profile; known: {', '.join(PROFILES)}")
    return PROFILES[name]


class _Ways:
    """Ways as they stream by: their nodes, and the class of speeds of each."""

    def __init__(self, profiles: list[Profile], within: Any) -> None:
        self.profiles, self.within = profiles, within
        if within is not None:
            import shapely

            shapely.prepare(within)
        self.kept = 0
        self.classes: dict[tuple[tuple[float, float], ...], int] = {}
        # Grown by the million: an array of machine numbers, not a list.
        self.nodes, self.lat, self.lon = array("q"), array("i"), array("i")
        self.length, self.kind = array("i"), array("i")

    def add(self, way: Any) -> None:
        """Keep a way that is open to a profile and in the bounds."""
        tags = {tag.k: tag.v for tag in way.tags}
        if "highway" not in tags and tags.get("route") != "ferry":
            return
        speeds = tuple(speeds_kmh(tags, profile) for profile in self.profiles)
        if not any(speed for pair in speeds for speed in pair):
            return
        points = [node for node in way.nodes if node.location.valid()]
        lats, lons = (
            [round(getattr(node, axis) * 1e7) for node in points] for axis in ("lat", "lon")
        )
        if len(points) < 2 or not self._inside(lats, lons):
            return
        self.kept += 1
        self.nodes.extend([node.ref for node in points])
        self.lat.extend(lats)
        self.lon.extend(lons)
        self.length.append(len(points))
        self.kind.append(self.classes.setdefault(speeds, len(self.classes)))

    def _inside(self, lats: list[int], lons: list[int]) -> bool:
        if self.within is None:
            return True
        west, south, east, north = (edge * 1e7 for edge in self.within.bounds)
        if max(lons) < west or min(lons) > east or max(lats) < south or min(lats) > north:
            return False
        line = np.column_stack([lons, lats]) / 1e7
        import shapely

        return bool(shapely.intersects(self.within, shapely.linestrings(line)))

    def arrays(self, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        """Cut the ways at crossings, join what needs no crossing, and lay the roads out."""
        nodes, lat, lon = (np.asarray(each) for each in (self.nodes, self.lat, self.lon))
        starts = np.concatenate([[0], np.cumsum(self.length)])
        roads = _joined(*_cut(nodes, starts, np.asarray(self.kind)), nodes)
        points = np.concatenate([road[1] for road in roads])
        shape_starts = np.concatenate([[0], np.cumsum([len(road[1]) for road in roads])])
        kind = np.array([road[0] for road in roads])
        lat, lon = lat[points] / 1e7, lon[points] / 1e7
        up_to = along_km(shape_starts, lat, lon)
        km = up_to[shape_starts[1:] - 1] - up_to[shape_starts[:-1]]
        table = np.array(list(self.classes))  # class, profile, direction
        with np.errstate(divide="ignore", invalid="ignore"):
            hours = np.where(table[kind] > 0, km[:, None, None] / table[kind], np.inf)
        seconds = {
            name: (hours[:, at, 0] * 3600, hours[:, at, 1] * 3600) for at, name in enumerate(names)
        }
        tail, head = nodes[points[shape_starts[:-1]]], nodes[points[shape_starts[1:] - 1]]
        return network(tail, head, (shape_starts, lat, lon), seconds)


def _cut(nodes: Numbers, starts: Numbers, kinds: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Cut ways where they meet others or themselves: first and last place, and class, of each."""
    _, which, count = np.unique(nodes, return_inverse=True, return_counts=True)
    cut = count[which] > 1
    cut[starts[:-1]] = cut[starts[1:] - 1] = True
    places = np.flatnonzero(cut)
    way = np.searchsorted(starts, places, side="right") - 1
    inner = way[1:] == way[:-1]
    return places[:-1][inner], places[1:][inner], kinds[way[:-1][inner]]


def _joined(
    first: Numbers, last: Numbers, kinds: Numbers, nodes: Numbers
) -> list[tuple[int, Numbers]]:
    """Join roads that run on as the same at a node where nothing else meets."""
    each = np.arange(len(first))
    met, ends = np.unique([nodes[first], nodes[last]], return_inverse=True)
    before, after = np.zeros((2, len(met)), np.intp)
    tail, head = ends.reshape(2, -1)
    after[tail], before[head] = each, each
    counts = (np.bincount(side, minlength=len(met)) for side in (tail, head))
    alone = np.logical_and(*(count == 1 for count in counts))
    alone &= (before != after) & (kinds[before] == kinds[after])
    follows = dict(zip(before[alone].tolist(), after[alone].tolist(), strict=True))
    begun = set(follows.values())
    done: set[int] = set()
    roads = []
    for road in [*np.setdiff1d(each, list(begun)).tolist(), *begun]:  # rings come last
        if road in done:
            continue
        points, at = [np.arange(first[road], last[road] + 1)], road
        done.add(road)
        while (at := follows.get(at, road)) not in done:
            done.add(at)
            points.append(np.arange(first[at] + 1, last[at] + 1))
        roads.append((int(kinds[road]), np.concatenate(points)))
    return roads
