"""Times on a network of roads held in memory or mapped from a file."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import DirectoryFileError, InvalidInputError, shown
from ketafind.files import open_arrays, require, write_arrays
from ketafind.geo import ECCENTRICITY_2, EQUATOR_KM, geodesic_km, look_swapped, real
from ketafind.index import default_index
from ketafind.travel.router import (
    OPENSTREETMAP,
    Floats,
    TravelTimes,
    error_of,
    read_place,
    read_places,
)

KIND, VERSION = "network of roads", 1
UNREACHABLE, OFF_NETWORK, BEYOND_LIMIT = 1, 2, 3
SPACING_KM = 0.25
"""No piece of a road is longer than this without a point by which it is found."""
WHOLE = ("starts", "ends", "forward", "backward", "shape_starts", "shape_lat", "shape_lon")
"""The arrays of whole numbers, those that lead elsewhere first."""
MOST_SAMPLES = 2**26
"""Of such points: Ontario's roads have a twentieth of it."""
AT_ONCE = 2**20
"""So many pairs of a place and a sample are looked at in one go."""
FOREVER = np.finfo(np.float64).max
"""A limit that keeps what is forbidden (infinite seconds) out of scipy's heap."""
AT_CROSSING_KM = 0.001
"""A place so near the end of its road stands there: five decimals of a degree tell no more."""
Ints = NDArray[np.int32]


class Snap(NamedTuple):
    """Where on the network places stand: one entry a place, -1 and NaN off the network."""

    road: Ints
    """The road."""
    fraction: Floats
    """How far along it, of its length."""
    distance_km: Floats
    """From the place to there."""
    side: NDArray[np.int8]
    """Where the place lies, looking along the road: 1 left, -1 right, 0 on it."""


class Ends(NamedTuple):
    """The two ends, tail and head, of the roads of snapped places: seconds there, and from there."""

    snap: Snap
    tail: Ints
    head: Ints
    there: tuple[Floats, Floats]
    thence: tuple[Floats, Floats]


class GraphRouter:
    """Exact travel times on roads of one's own, by Dijkstra's algorithm.

    Places are snapped to the nearest point of the nearest road open to the profile, anywhere along
    it; the way to the road is not counted. Between crossings roads keep their shape. Nothing
    leaves the process.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        As the builders make them: ``starts`` and ``ends`` (compressed rows of arcs), ``forward``
        and ``backward`` (each road's two arcs), ``km``, ``shape_starts``, ``shape_lat``,
        ``shape_lon``, ``seconds.PROFILE``, perhaps ``error.PROFILE``.
    profile : str
        How one travels.

    Attributes
    ----------
    error : tuple of float
        What true times lie between, as factors of these, for nine in ten: of a built network what
        the profile was measured to be off by, otherwise (1.0, 1.0), for not known; may be set,
        and is saved.

    See Also
    --------
    from_edges : From a table of edges.
    open : From a file that ``ketafind roads build`` made.

    Notes
    -----
    The searches are `scipy.sparse.csgraph.dijkstra`, from a node that stands for the origin and
    is tied to both ends of its road, so one search answers for one origin and all targets.
    """

    works_offline = True

    def __init__(self, arrays: Mapping[str, NDArray[Any]], profile: str = "car") -> None:
        require("scipy", "geo")
        self._arrays = dict(arrays)
        name = f"seconds.{profile}"
        if name not in arrays:
            known = sorted(key[8:] for key in arrays if key.startswith("seconds."))
            raise InvalidInputError(
                f"the network has no times for {shown(profile)}; it has {', '.join(known)}"
            )
        self.profile = profile
        self.error: tuple[float, ...] = tuple(
            map(float, arrays.get(f"error.{profile}", (1.0, 1.0)))
        )
        self.credit: str = bytes(arrays.get("credit", b"")).decode()
        self._lock = Lock()
        self._targets: tuple[tuple[bytes, bytes], Ends] | None = None
        self._seconds: Floats = arrays[name]
        self._ends: Ints = arrays["ends"]
        self._starts: Ints = arrays["starts"]
        self._forward: Ints = arrays["forward"]
        self._backward: Ints = arrays["backward"]

    def __reduce__(self) -> tuple[Any, ...]:
        return GraphRouter, ({**self._arrays, **self._own()}, self.profile)

    def _own(self) -> dict[str, NDArray[Any]]:
        """What may be set after the network was built."""
        credit = np.frombuffer(self.credit.encode(), np.uint8)
        return {f"error.{self.profile}": np.array(error_of(self)), "credit": credit}

    def __repr__(self) -> str:
        return f"<GraphRouter {self.profile}, {self.n_nodes:,} nodes, {self.n_roads:,} roads>"

    @property
    def n_nodes(self) -> int:
        """How many crossings and dead ends."""
        return len(self._starts) - 2

    @property
    def n_roads(self) -> int:
        """How many roads between them."""
        return len(self._forward)

    @property
    def max_speed_kmh(self) -> float:
        """The fastest road's speed over the geodesic between its ends."""
        return self._max_speed_kmh  # to pyright a cached property is not that of a `Router`

    @cached_property
    def _max_speed_kmh(self) -> float:
        tail, head = self._nodes_of(np.arange(self.n_roads))
        lat, lon = self.node_positions
        straight_km = geodesic_km(lat[tail], lon[tail], lat[head], lon[head])
        quickest = np.minimum(self._seconds[self._forward], self._seconds[self._backward])
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(straight_km > 0, straight_km / quickest, 0.0) * 3600
        return float(speed.max(initial=0.0))

    @cached_property
    def node_positions(self) -> tuple[Floats, Floats]:
        """Latitude and longitude of each node; NaN of one that no road touches."""
        lat, lon = (np.full(self.n_nodes, np.nan) for _ in range(2))
        tail, head = self._nodes_of(np.arange(self.n_roads))
        shape = self._arrays["shape_starts"]
        for node, at in ((tail, shape[:-1]), (head, shape[1:] - 1)):
            lat[node] = self._arrays["shape_lat"][at] / 1e7
            lon[node] = self._arrays["shape_lon"][at] / 1e7
        return lat, lon

    # ---- made of tables and of other graphs ----

    @classmethod
    def from_edges(
        cls, edges: Any, nodes: Any, *, minutes: str = "minutes", profile: str = "car"
    ) -> GraphRouter:
        """Make a network of a table of edges between points.

        Parameters
        ----------
        edges : frame or mapping of columns
            One row a direction of travel: ``source`` and ``target`` (values of ``node``) and the
            column named by ``minutes`` (finite, 0 or more). A street open both ways has two rows.
        nodes : frame or mapping of columns
            ``node``, ``lat``, ``lon``. Edges are straight between them.
        minutes : str
            The column of times.
        profile : str
            A name for the way of travelling.

        Returns
        -------
        GraphRouter
            Of edges between the same two nodes the quickest counts.

        Raises
        ------
        InvalidInputError
            Naming the row and what is wrong with it.
        """
        ids, *sides = _columns("nodes", nodes, "node", "lat", "lon")
        table = _columns("edges", edges, "source", "target", minutes)
        for row, node in enumerate(ids):
            if not isinstance(node, Hashable):
                raise InvalidInputError(f"nodes, row {row}: {node!r} is not a value to be named by")
        number = {node: at for at, node in enumerate(ids)}
        if len(number) < len(ids):
            raise InvalidInputError("nodes: a node stands there twice")
        places = np.array([list(map(real, side)) for side in sides]).T
        if (at := _misplaced(places)) is not None:
            raise InvalidInputError(
                f"nodes, row {at}: lat and lon are no place with roads, in degrees; are the two "
                f"columns swapped, or projected?"
            )
        roads = _Roads(places)
        for row, (source, target, given) in enumerate(zip(*table, strict=True)):
            for name, value in (("source", source), ("target", target)):
                if not isinstance(value, Hashable) or value not in number:
                    raise InvalidInputError(f"edges, row {row}, {name}: {value!r} is not a node")
            if not 0.0 <= (time := real(given)) < math.inf:
                raise InvalidInputError(f"edges, row {row}, {minutes}: {given!r} is not a time")
            roads.add(number[source], number[target], time * 60.0)
        if not roads.seconds:
            raise InvalidInputError("edges: there are none")
        return cls(roads.arrays(profile), profile)

    @classmethod
    def from_networkx(cls, graph: Any, *, profile: str = "car") -> GraphRouter:
        """Make a network of a graph of NetworkX, such as those of OSMnx.

        Parameters
        ----------
        graph : networkx.MultiDiGraph, DiGraph, MultiGraph or Graph
            Nodes have ``x`` and ``y``, lon and lat in degrees (OSMnx: not projected), edges
            ``travel_time`` in seconds (``osmnx.routing.add_edge_travel_times``) and, if they are
            not straight, ``geometry``, a shapely LineString. The edges of a graph without
            directions are open both ways.
        profile : str
            A name for the way of travelling.

        Returns
        -------
        GraphRouter
            Of edges of one shape between the same two nodes the quickest counts.

        Raises
        ------
        InvalidInputError
            If a node has no place in degrees, or an edge no time; it is named.
        """
        if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
            raise InvalidInputError(f"a graph of NetworkX is needed, not {type(graph).__name__}")
        number = {node: at for at, node in enumerate(graph.nodes)}
        places = np.array(
            [(real(data.get("y")), real(data.get("x"))) for _, data in graph.nodes(data=True)]
        ).reshape(-1, 2)
        if (at := _misplaced(places)) is not None:
            raise InvalidInputError(
                f"node {list(number)[at]!r}: x and y are its lon and lat in degrees; a projected graph "
                f'is turned back with osmnx.project_graph(graph, to_crs="EPSG:4326")'
            )
        roads = _Roads(places)
        for source, target, data in graph.edges(data=True):
            given, shape = data.get("travel_time", math.nan), data.get("geometry")
            if not 0.0 <= (time := real(given)) < math.inf:
                raise InvalidInputError(
                    f"edge {source!r} to {target!r}: travel_time={given!r} is not a number of seconds; "
                    "osmnx.routing.add_edge_travel_times(graph) adds it"
                )
            if shape is not None and getattr(shape, "geom_type", None) != "LineString":
                raise InvalidInputError(
                    f"edge {source!r} to {target!r}: geometry is a LineString of shapely's"
                )
            line = [] if shape is None else [(lat, lon) for lon, lat, *_ in shape.coords[1:-1]]
            roads.add(number[source], number[target], time, line)
            if not graph.is_directed():
                roads.add(number[target], number[source], time, line[::-1])
        if not roads.seconds:
            raise InvalidInputError("the graph has no edges")
        made = cls(roads.arrays(profile), profile)
        if "osmnx" in str(graph.graph.get("created_with", "")).lower():
            made.credit = OPENSTREETMAP
        return made

    # ---- files ----

    @classmethod
    def open(
        cls, path: str | PathLike[str], profile: str = "car", *, verify: bool = True
    ) -> GraphRouter:
        """Open a file of roads; it is mapped, not read.

        Parameters
        ----------
        path : path
            What `save` or ``ketafind roads build`` wrote.
        profile : str
            One that the file holds.
        verify : bool
            True to check every byte; False to check the structure only.

        Raises
        ------
        DirectoryFileError
            If it is damaged or something else.
        InvalidInputError
            If it does not hold the profile.
        """
        _, arrays = open_arrays(path, kind=KIND, version=VERSION, verify=verify, private=True)
        fault = _fault(arrays, deep=verify)
        if fault:
            raise DirectoryFileError(f"{path}: {fault}; build it again")
        return cls(arrays, profile)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network, all profiles included, to a file.

        Parameters
        ----------
        path : path
            Written beside, synced and renamed into place; ``open`` reads it.
        """
        whole = {**self._arrays, **self._own()}
        write_arrays(path, {"kind": KIND, "version": VERSION}, whole)

    # ---- snapping ----

    @cached_property
    def _samples(self) -> tuple[Any, Ints]:
        """Points along all roads: their index, and the piece of a road's shape that each is on."""
        lat, lon, piece = _sampled(self._arrays, np.diff(self._along_km))
        return default_index(lat, lon), piece

    @cached_property
    def _along_km(self) -> Floats:
        lat, lon = (self._arrays[f"shape_{name}"] / 1e7 for name in ("lat", "lon"))
        return along_km(self._arrays["shape_starts"], lat, lon)

    @cached_property
    def _open_samples(self) -> Any:
        """The points of roads that the profile may use, prepared for their index."""
        index, piece = self._samples
        usable = np.isfinite(
            np.minimum(self._seconds[self._forward], self._seconds[self._backward])
        )
        if usable.all():
            return index.prepare(None)
        passes = usable[self._road_of(piece)]
        return index.prepare(np.packbits(passes[index.order], bitorder="little"))

    def snap(self, places: Any, *, max_km: float = 10.0) -> Snap:
        """Find the nearest point of a road that is open to the profile.

        Parameters
        ----------
        places : sequence of Coordinates, Location or Point, array of shape (n, 2), or frame
            Where.
        max_km : float
            Off the network beyond this.

        Returns
        -------
        Snap
            One entry a place; of roads equally near the first.
        """
        lat, lon = read_places(places, "places")
        n, index = len(lat), self._samples[0]
        found = Snap(
            np.full(n, -1, np.int32), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int8)
        )
        limit_km = max_km + SPACING_KM
        _, first = index.nearest_many(lat, lon, 1, self._open_samples, limit_km)
        rows, k = np.flatnonzero(first[:, 0] >= 0), 8
        while len(rows):
            # Who has none beyond its reach among the nearest samples is asked again, for more.
            parts = np.array_split(rows, -(-len(rows) * k // AT_ONCE))
            rows = np.concatenate(
                [
                    self._snap_among(found, lat[part], lon[part], part, first[part], k)
                    for part in parts
                ]
            )
            k *= 4
        far = ~(found.distance_km <= max_km)
        found.road[far], found.fraction[far] = -1, np.nan
        found.distance_km[far], found.side[far] = np.nan, 0
        return found

    def _snap_among(
        self, found: Snap, lat: Floats, lon: Floats, rows: NDArray[np.intp], first: Any, k: int
    ) -> NDArray[np.intp]:
        """Snap places to the roads of the nearest k samples; those for which k is too few."""
        index, pieces = self._samples
        # A road's nearest point lies within half the spacing of one of its samples.
        reach = 1.002 * self._nearest_on(lat, lon, pieces[first])[2] + 0.501 * SPACING_KM
        near_km, samples = index.nearest_many(lat, lon, k, self._open_samples, reach.max())
        whole = ~(near_km[:, -1] <= reach)
        there = pieces[np.where(samples < 0, first, samples)][whole]
        there.sort(axis=1)  # of pieces equally near the first
        if not len(there):
            return rows
        piece, along, km, side = self._nearest_on(lat[whole], lon[whole], there)
        road, done = self._road_of(piece), rows[whole]
        found.road[done], found.distance_km[done], found.side[done] = road, km, side
        found.fraction[done] = self._fractions(road, piece, along)
        left: NDArray[np.intp] = rows[~whole]
        return left

    def _road_of(self, piece: Ints) -> Ints:
        road = np.searchsorted(self._arrays["shape_starts"], piece, side="right") - 1
        found: Ints = road.astype(np.int32)
        return found

    def _nearest_on(
        self, lat: Floats, lon: Floats, pieces: Ints
    ) -> tuple[Ints, Floats, Floats, NDArray[np.int8]]:
        """Find the nearest of some pieces for each place: which, how far along, distance, side."""
        scale = np.array(_km_per_degree(lat))[:, :, None]
        first, last = (self._offsets(lat, lon, pieces + step) * scale for step in (0, 1))
        step = last - first
        length = (step**2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.clip(np.where(length > 0, -(first * step).sum(axis=0) / length, 0.0), 0, 1)
        foot = first + along * step
        apart = np.hypot(*foot)
        at = np.arange(len(lat)), apart.argmin(axis=1)
        turn = step[0][at] * foot[1][at] - step[1][at] * foot[0][at]
        side = np.where(apart[at] < 1e-6, 0, np.sign(turn)).astype(np.int8)
        return pieces[at], along[at], apart[at], side

    def _offsets(self, lat: Floats, lon: Floats, points: Ints) -> Floats:
        """Degrees east and north of places; never the long way round."""
        east = self._arrays["shape_lon"][points] / 1e7 - lon[:, None]
        north = self._arrays["shape_lat"][points] / 1e7 - lat[:, None]
        return np.array([(east + 180.0) % 360.0 - 180.0, north])

    def _fractions(self, road: Ints, piece: Ints, along: Floats) -> Floats:
        """Turn places on pieces into parts of their roads' lengths."""
        km, shape = self._along_km, self._arrays["shape_starts"]
        begun, ended = km[shape[road]], km[shape[road + 1] - 1]
        done, total = km[piece] + along * (km[piece + 1] - km[piece]) - begun, ended - begun
        # Who stands at a crossing may leave it by any road, not only by the one snapped to.
        near = np.minimum(AT_CROSSING_KM, total / 2)
        ends = [done <= near, total - done <= near]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.select(ends, [0.0, 1.0], done / total)

    # ---- searching ----

    def times(self, origins: Any, targets: Any, *, limit_min: float = math.inf) -> TravelTimes:
        """Find the times from each origin to each target.

        Parameters
        ----------
        origins, targets : sequence of Coordinates, Location or Point, array (n, 2), or frame
            Where from and to.
        limit_min : float
            Leave out what takes longer; what takes as long stays.

        Returns
        -------
        TravelTimes
            Minutes of shape (n, m); NaN with a reason where there are none. A place off the
            network fails alone.
        """
        start, goal = (self.ends_of(self.snap(places)) for places in (origins, targets))
        back = len(goal.tail) < len(start.tail)
        one, many = (goal, start) if back else (start, goal)
        minutes = np.full((len(one.tail), len(many.tail)), np.nan)
        for at in range(len(one.tail)):
            if one.snap.road[at] >= 0:
                minutes[at] = self.reach(one, at, limit_min, back=back).to(many)
        reason = np.where(np.isinf(minutes), UNREACHABLE, 0)
        if not math.isinf(limit_min):
            reason[~(minutes <= limit_min)] = BEYOND_LIMIT
        off = one.snap.road[:, None] < 0, many.snap.road[None, :] < 0
        reason[off[0] | off[1]] = OFF_NETWORK
        minutes[reason > 0] = np.nan
        if back:
            minutes, reason = minutes.T, reason.T
        return TravelTimes(
            minutes, reason.astype(np.int8), start.snap.distance_km, goal.snap.distance_km
        )

    def isochrone(
        self, origin: Any, minutes: float, *, reverse: bool = False, width_km: float = 0.2
    ) -> Any:
        """Draw what can be reached within a time.

        Parameters
        ----------
        origin : Coordinates, Location or Point
            Where from.
        minutes : float
            The time, more than 0.
        reverse : bool
            True for the places from which the origin can be reached.
        width_km : float
            How far to each side of a road still counts.

        Returns
        -------
        shapely Polygon or MultiPolygon
            In lon, lat degrees; empty where the origin is off the network.
        """
        import shapely

        if not 0.0 < real(minutes) < math.inf:
            raise InvalidInputError(f"minutes={shown(minutes)} is not a time above 0")
        place = read_place(origin, "origin")
        ends = self.ends_of(self.snap(np.array([place])))
        if ends.snap.road[0] < 0:
            return shapely.Polygon()
        reached = self.reach(ends, 0, minutes, back=reverse)
        # In kilometres about the origin, as wide everywhere.
        scale = np.ravel(_km_per_degree(np.array(place[:1])))
        lines = [self._line(road, *span) for road, span in self._spans(reached, minutes * 60)]
        flat = shapely.transform(np.array(lines), lambda degrees: degrees * scale)
        shape = shapely.union_all(shapely.buffer(flat, width_km, quad_segs=4))
        return shapely.transform(shape, lambda km: km / scale)

    def _spans(self, reached: Reached, limit: float) -> Iterator[tuple[int, tuple[float, float]]]:
        """The reached parts of roads, from a fraction to a fraction."""
        tail, head = self._nodes_of(np.arange(self.n_roads))
        onward, against = self._seconds[self._forward], self._seconds[self._backward]
        if reached.back:
            onward, against = against, onward
        parts = []
        for node, seconds in ((tail, onward), (head, against)):
            left = limit - reached.seconds[node]
            with np.errstate(divide="ignore", invalid="ignore"):
                part = np.clip(np.nan_to_num(left / seconds, nan=1.0), 0, 1)
            parts.append(np.where(np.isfinite(left), part, 0.0))
        ahead, behind = parts
        ahead[ahead + behind >= 1] = 1.0
        for road in np.flatnonzero(ahead > 0):
            yield int(road), (0.0, float(ahead[road]))
        for road in np.flatnonzero((behind > 0) & (ahead < 1)):
            yield int(road), (1.0 - float(behind[road]), 1.0)
        at, one = reached.at, reached.one
        own, place = int(one.snap.road[at]), float(one.snap.fraction[at])
        with np.errstate(divide="ignore", invalid="ignore"):
            on = place + np.nan_to_num(limit / onward[own], nan=0.0, posinf=1.0)
            back = place - np.nan_to_num(limit / against[own], nan=0.0, posinf=1.0)
        yield own, (max(0.0, float(back)), min(1.0, float(on)))

    def _line(self, road: int, first: float, last: float) -> Any:
        """A part of a road's shape, in lon, lat degrees."""
        import shapely
        from shapely.ops import substring

        start, stop = self._arrays["shape_starts"][road : road + 2]
        points = [self._arrays[f"shape_{name}"][start:stop] / 1e7 for name in ("lon", "lat")]
        line = shapely.LineString(np.column_stack(points))
        return (
            line if (first, last) == (0.0, 1.0) else substring(line, first, last, normalized=True)
        )

    def targets(self, lat: Floats, lon: Floats) -> Ends:
        """Snap many places once: the same places asked for again are remembered."""
        key = (lat.tobytes(), lon.tobytes())
        known = self._targets
        if known is None or known[0] != key:
            known = self._targets = (key, self.ends_of(self.snap(np.column_stack([lat, lon]))))
        return known[1]

    def ends_of(self, snap: Snap) -> Ends:
        """Work out what it takes from snapped places to the ends of their roads and back."""
        road = np.maximum(snap.road, 0)
        tail, head = self._nodes_of(road)
        onward, backward = self._seconds[self._forward[road]], self._seconds[self._backward[road]]
        done, left = snap.fraction, 1 - snap.fraction
        there = _part(done, backward), _part(left, onward)
        return Ends(snap, tail, head, there, (_part(done, onward), _part(left, backward)))

    def reach(
        self, ends: Ends, at: int, limit_min: float = math.inf, *, back: bool = False
    ) -> Reached:
        """Search from one place to all nodes, or from all nodes to it."""
        from scipy.sparse.csgraph import dijkstra

        graph = self._reversed if back else self._forwards
        costs = ends.thence if back else ends.there
        limit = min(limit_min * 60.0 * (1 + 1e-12), FOREVER)
        with self._lock:
            self._ends[-2:] = ends.tail[at], ends.head[at]
            graph.data[-2:] = costs[0][at], costs[1][at]
            found = dijkstra(graph, indices=self.n_nodes, limit=limit)
        return Reached(self, found, ends, at, back)

    @cached_property
    def _forwards(self) -> Any:
        return self._sparse(self._seconds)

    @cached_property
    def _reversed(self) -> Any:
        # The arc against a road's own has the other's weight: the structure is the same.
        seconds = np.empty_like(self._seconds)
        seconds[self._forward] = self._seconds[self._backward]
        seconds[self._backward] = self._seconds[self._forward]
        return self._sparse(seconds)

    def _sparse(self, seconds: Floats) -> Any:
        from scipy.sparse import csr_array

        n = self.n_nodes + 1
        return csr_array((seconds, self._ends, self._starts), shape=(n, n))

    def _nodes_of(self, road: Any) -> tuple[Ints, Ints]:
        """The tail and the head of roads."""
        return self._ends[self._backward[road]], self._ends[self._forward[road]]


class Reached(NamedTuple):
    """What one search found: the time to (or from) every node, and so to every snapped place."""

    router: GraphRouter
    seconds: Floats
    one: Ends
    at: int
    back: bool

    def to(self, many: Ends) -> Floats:
        """Minutes to (or from) places; infinite where no way was found."""
        sides = many.there if self.back else many.thence
        seconds = np.minimum(self.seconds[many.tail] + sides[0], self.seconds[many.head] + sides[1])
        same = np.flatnonzero(many.snap.road == self.one.snap.road[self.at])
        if len(same):
            seconds[same] = np.minimum(seconds[same], self._along(many.snap.fraction[same]))
        return seconds / 60.0

    def _along(self, fraction: Floats) -> Floats:
        """Seconds between places on the searched place's own road, without leaving it."""
        road, own = self.one.snap.road[self.at], self.one.snap.fraction[self.at]
        ahead = own - fraction if self.back else fraction - own
        arcs = (self.router._forward, self.router._backward)
        onward, backward = (self.router._seconds[arc[road]] for arc in arcs)
        return np.where(ahead >= 0, _part(ahead, onward), _part(-ahead, backward))


def _part(fraction: Floats, seconds: Any) -> Floats:
    """Take a part of a road's time: none of it is nothing even where the way is forbidden."""
    with np.errstate(invalid="ignore"):
        part: Floats = np.where(fraction == 0, 0.0, fraction * seconds)
    return part


def _misplaced(places: Floats) -> int | None:
    """Find the first row of lat and lon that no road is at, or None."""
    lat, lon = places.T
    bad = ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0)) | look_swapped(lat, lon)
    return int(bad.argmax()) if bad.any() else None


def _columns(what: str, table: Any, *needed: str) -> list[list[Any]]:
    """Take columns out of a table; they are as long as each other."""
    named = getattr(table, "column_names", getattr(table, "columns", table))
    if isinstance(named, str) or not isinstance(named, Iterable):
        raise InvalidInputError(
            f"{what}: a frame or a mapping of columns, not a {type(table).__name__}"
        )
    named = list(named)
    for name in needed:
        if name not in named:
            raise InvalidInputError(
                f"{what}: there is no column {name!r}; needed: {', '.join(needed)}"
            )
    columns = [list(table[name]) for name in needed]
    if len(set(map(len, columns))) > 1:
        raise InvalidInputError(f"{what}: {', '.join(needed)} are not as long as each other")
    return columns


class _Roads:
    """Edges as they come: those of one shape between the same two nodes are one road."""

    def __init__(self, places: Floats) -> None:
        self.places = places
        self.seconds: dict[tuple[int, int, tuple[tuple[float, float], ...]], list[float]] = {}

    def add(
        self, source: int, target: int, seconds: float, line: Sequence[tuple[float, float]] = ()
    ) -> None:
        """Add an edge; ``line`` are the points (lat, lon) between its nodes."""
        there, back = (source, target, tuple(line)), (target, source, tuple(line)[::-1])
        pair = self.seconds.setdefault(min(there, back), [math.inf, math.inf])
        ways = {0, 1} if there == back else {int(there > back)}
        for way in ways:
            pair[way] = min(pair[way], seconds)

    def arrays(self, profile: str) -> dict[str, NDArray[Any]]:
        """Lay the roads out as arrays."""
        lines = [
            np.array([self.places[source], *line, self.places[target]])
            for source, target, line in self.seconds
        ]
        starts = np.concatenate([[0], np.cumsum([len(line) for line in lines])])
        lat, lon = np.concatenate(lines).T
        tail, head = np.array([road[:2] for road in self.seconds], np.int32).T
        times = np.array(list(self.seconds.values())).T
        return network(tail, head, (starts, lat, lon), {profile: (times[0], times[1])})


def network(
    tail: Ints, head: Ints, shapes: tuple[NDArray[np.integer[Any]], Floats, Floats],
    seconds: Mapping[str, tuple[Floats, Floats]],
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Lay roads out as arrays: nodes in spatial order, each road as two arcs of one row table."""
    # ``shapes`` is where each road's points start (one more than roads), their latitudes and
    # longitudes; ``seconds`` gives each profile's times along and against the roads, infinite where
    # that is not allowed.
    starts, lat, lon = shapes
    where = np.unique(np.concatenate([tail, head]), return_index=True)
    at = np.concatenate([starts[:-1], starts[1:] - 1])[where[1]]
    rank = np.empty(len(at), np.int32)
    rank[default_index(lat[at], lon[at]).order] = np.arange(len(at), dtype=np.int32)
    tail, head = (rank[np.searchsorted(where[0], side)] for side in (tail, head))
    n, roads = len(at), len(tail)
    order = np.argsort(np.concatenate([tail, head]), kind="stable")
    place = np.empty(2 * roads, np.int32)
    place[order] = np.arange(2 * roads, dtype=np.int32)
    counts = np.bincount(np.concatenate([tail, head]), minlength=n)
    # The last node stands for whoever searches: two arcs, written anew for each search.
    arrays: dict[str, NDArray[Any]] = {
        "starts": np.concatenate([[0], np.cumsum(counts), [2 * roads + 2]]).astype(np.int32),
        "ends": np.concatenate([np.concatenate([head, tail])[order], [0, 0]]).astype(np.int32),
        "forward": place[:roads],
        "backward": place[roads:],
        "shape_starts": starts.astype(np.int32),
        "shape_lat": np.rint(lat * 1e7).astype(np.int32),
        "shape_lon": np.rint(lon * 1e7).astype(np.int32),
    }
    for profile, (onward, backward) in seconds.items():
        weights = np.full(2 * roads + 2, np.inf)
        weights[arrays["forward"]], weights[arrays["backward"]] = onward, backward
        arrays[f"seconds.{profile}"] = weights
    return arrays


def along_km(starts: NDArray[np.integer[Any]], lat: Floats, lon: Floats) -> Floats:
    """How long all roads are together, one after the other, up to each point of their shapes."""
    km = np.concatenate([[0.0], geodesic_km(lat[:-1], lon[:-1], lat[1:], lon[1:])])
    km[starts[:-1]] = 0.0  # from one road to the next
    return km.cumsum(out=km)


def _sampled(arrays: Mapping[str, NDArray[Any]], km: Floats) -> tuple[Floats, Floats, Ints]:
    """Cut every piece of every road into parts of at most `SPACING_KM`, and name their middles."""
    lat, lon = arrays["shape_lat"] / 1e7, arrays["shape_lon"] / 1e7
    piece = np.delete(np.arange(len(km)), arrays["shape_starts"][1:-1] - 1)
    km = km[piece]
    parts = np.maximum(1, np.ceil(1.001 * km / SPACING_KM)).astype(np.intp)
    if parts.sum() > MOST_SAMPLES:
        raise InvalidInputError(
            f"the roads are {km.sum():,.0f} km long together; "
            f"{MOST_SAMPLES * SPACING_KM:,.0f} km are the most"
        )
    each = np.repeat(np.arange(len(piece)), parts)
    share = (np.arange(len(each)) - np.repeat(np.cumsum(parts) - parts, parts) + 0.5) / parts[each]
    east = (lon[piece + 1] - lon[piece] + 180.0) % 360.0 - 180.0
    north = lat[piece + 1] - lat[piece]
    sample_lat = lat[piece[each]] + share * north[each]
    sample_lon = (lon[piece[each]] + share * east[each] + 180.0) % 360.0 - 180.0
    return sample_lat, sample_lon, piece[each].astype(np.int32)


def _km_per_degree(lat: Floats) -> tuple[Floats, Floats]:
    """Kilometres a degree east and north on the ellipsoid."""
    sine = np.sin(np.radians(lat))
    normal = EQUATOR_KM / np.sqrt(1.0 - ECCENTRICITY_2 * sine * sine)
    meridian = normal * (1.0 - ECCENTRICITY_2) / (1.0 - ECCENTRICITY_2 * sine * sine)
    return np.radians(normal * np.cos(np.radians(lat))), np.radians(meridian)


def _fault(arrays: Mapping[str, NDArray[Any]], *, deep: bool) -> str:
    """Say what makes a file's arrays no network; deep looks at more than what keeps them safe."""
    weights = [array for name, array in arrays.items() if name.startswith("seconds.")]
    kinds = {name: arrays[name].dtype.str for name in WHOLE if name in arrays}
    if kinds != dict.fromkeys(WHOLE, "<i4") or any(one.dtype != np.float64 for one in weights):
        return "an array is missing, or of another type"
    starts, ends, forward, backward, shapes = (arrays[name] for name in WHOLE[:5])
    roads = len(forward)
    sizes = (
        all(array.ndim == 1 for array in (*(arrays[name] for name in WHOLE), *weights))
        and len(backward) == roads == len(shapes) - 1
        and len(starts) >= 2
        and len(ends) == 2 * roads + 2 == starts[-1]
        and all(len(weight) == len(ends) for weight in weights)
        and len(arrays["shape_lat"]) == len(arrays["shape_lon"]) == shapes[-1]
    )
    if not sizes:
        return "its arrays do not fit together"
    # What follows an array where it leads trusts these: looking at them takes milliseconds.
    within = (
        starts[0] == shapes[0] == 0
        and (starts[1:] >= starts[:-1]).all()
        and (shapes[1:] - shapes[:-1] >= 2).all()
        and all(one.min(initial=0) >= 0 for one in (ends, forward, backward))
        and ends.max() <= max(0, len(starts) - 3)
        and max(one.max(initial=-1) for one in (forward, backward)) < 2 * roads
        and all(weight.min() >= 0 for weight in weights)  # NaN is not; less would never end
    )
    valid = within and (
        not deep
        or (
            _each_once(forward, backward)
            and (np.abs(arrays["shape_lat"]) <= 90 * 10**7).all()
            and (np.abs(arrays["shape_lon"]) <= 180 * 10**7).all()
        )
    )
    return "" if valid else "its numbers are no network"


def _each_once(forward: Ints, backward: Ints) -> bool:
    """Whether the arcs of roads are all numbers from 0, each once."""
    seen = np.zeros(2 * len(forward), np.bool_)
    seen[forward] = seen[backward] = True
    return bool(seen.all())
