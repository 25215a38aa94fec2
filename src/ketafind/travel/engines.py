"""Routers that are not ours: Valhalla in this process, and services that answer with tables."""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property, partial
from hashlib import blake2b
from itertools import product
from os import PathLike
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import urlencode

import numpy as np

from ketafind import errors
from ketafind.files import naming, path_text, require
from ketafind.geo import geodesic_km, real
from ketafind.geocoding.limiter import PacedService, retry_after_s, unlogged
from ketafind.travel.router import (
    OPENSTREETMAP,
    REASONS,
    Floats,
    TravelTimes,
    read_place,
    read_places,
)

if TYPE_CHECKING:
    from ketafind.geocoding.limiter import RateLimit

OFF_NETWORK, BEYOND_LIMIT = REASONS.index("off_network"), REASONS.index("beyond_limit")
UNREACHABLE = REASONS.index("unreachable")

Place = tuple[float, float]
"""Latitude and longitude."""


class Cell(NamedTuple):
    """What was answered of one pair of places; None for what is not known."""

    seconds: float | None
    metres: float | None
    reason: int
    origin_snap_km: float | None = None
    target_snap_km: float | None = None


Cells = dict[tuple[Place, Place], Cell]


class _NoRoadError(Exception):
    """A table was refused for one of its places: which, if that was said, and what it may be."""

    def __init__(self, place: int | None, reason: int = OFF_NETWORK) -> None:
        self.place, self.reason = place, reason
        super().__init__()


class TableRouter(ABC):
    """A router that answers with tables of so many places; one that no road is near fails alone."""

    profile: str
    max_speed_kmh: float | None
    credit = OPENSTREETMAP
    batch: int
    """So many targets a table."""
    cells: int
    """So many pairs a table."""
    most: int = 10**9
    """So many places a table, origins and targets together."""
    known: MutableMapping[str, Any] | None = None

    @abstractmethod
    def _table(self, origins: Sequence[Place], targets: Sequence[Place]) -> Cells:
        """Ask for one table."""

    def times(self, origins: Any, targets: Any, *, limit_min: float = math.inf) -> TravelTimes:
        """Find the times from each origin to each target.

        Parameters
        ----------
        origins, targets : sequence of Coordinates, Location or Point, array (n, 2), or frame
            Where from and to.
        limit_min : float
            Leave out what takes longer; what takes as long stays. The router is asked all the
            same.

        Returns
        -------
        TravelTimes
            Minutes of shape (n, m); NaN with a reason where there are none. A place that no road
            is near fails alone.

        Raises
        ------
        RoutingError
            If the router fails; what was answered before is in ``known``, where there is one.
        """
        here, there = (
            list(zip(*(one.tolist() for one in read_places(places, what)), strict=True))
            for places, what in ((origins, "origins"), (targets, "targets"))
        )
        cells = self._answered(here, there)
        table = np.array([[cells[a, b] for b in there] for a in here], np.float64)
        seconds, metres, reasons, *snaps = table.reshape(len(here), len(there), 5).transpose(
            2, 0, 1
        )
        minutes, reason = seconds / 60.0, reasons.astype(np.int8)
        reason[minutes > limit_min] = BEYOND_LIMIT
        minutes[reason > 0] = np.nan
        return TravelTimes(
            minutes,
            reason,
            _first_known(snaps[0]),
            _first_known(snaps[1].T),
            None if np.isnan(metres).all() else metres / 1000.0,
        )

    def isochrone(self, origin: Any, minutes: float, *, reverse: bool = False) -> Any:
        """Refuse: a table of times is no area."""
        del origin, minutes, reverse
        raise errors.InvalidInputError(
            f"{type(self).__name__} draws no isochrones: take GraphRouter or ValhallaRouter, or "
            "catchments(origins, directory, router=...), which asks for tables"
        )

    def _answered(self, here: list[Place], there: list[Place]) -> Cells:
        """Every pair's answer; those that are known already are not asked for."""
        cells: Cells = {}
        known = self.known or {}
        for a, b in product(dict.fromkeys(here), dict.fromkeys(there)) if known else ():
            if (found := known.get(self._key(a, b))) is not None:
                cells[a, b] = Cell(*found)
        # Origins that lack the same targets are asked about together.
        lacking: dict[tuple[Place, ...], list[Place]] = {}
        for a in dict.fromkeys(here):
            missing = tuple(b for b in dict.fromkeys(there) if (a, b) not in cells)
            if missing:
                lacking.setdefault(missing, []).append(a)
        for missing, origins in lacking.items():
            for targets in _parts(missing, self.batch):
                most = min(self.cells // len(targets), self.most - len(targets))
                for some in _parts(origins, most):
                    answered = self._apart(some, targets)
                    cells.update(answered)
                    if self.known is not None:
                        kept = {self._key(*pair): list(cell) for pair, cell in answered.items()}
                        self.known.update(kept)
        return cells

    def _key(self, origin: Place, target: Place) -> str:
        """A pair by a name that shows no place."""
        text = json.dumps([type(self).__name__, self.profile, self._asked_as(), origin, target])
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def _asked_as(self) -> Any:
        """What answers depend on besides the places."""
        return None

    def _apart(self, origins: Sequence[Place], targets: Sequence[Place]) -> Cells:
        """Ask for a table, in parts where one of its places spoils the whole."""
        try:
            return self._table(origins, targets)
        except _NoRoadError as error:
            place, reason = error.place, error.reason
        n = len(origins)
        if place is not None and place < n + len(targets):
            bad = {(*origins, *targets)[place]}
            rest_a = [one for one in origins if one not in bad or place >= n]
            rest_b = [one for one in targets if one not in bad or place < n]
            kept = self._apart(rest_a, rest_b) if rest_a and rest_b else {}
            none = Cell(None, None, OFF_NETWORK)
            return {(a, b): kept.get((a, b), none) for a in origins for b in targets}
        if n > 1:
            return self._apart(origins[: n // 2], targets) | self._apart(origins[n // 2 :], targets)
        one_pair = len(targets) == 1
        if not one_pair and self._is_on_road(origins[0]):
            half = len(targets) // 2
            return self._apart(origins, targets[:half]) | self._apart(origins, targets[half:])
        # That no way leads there is said of places that no road is near, too.
        if not one_pair or not all(map(self._is_on_road, (origins[0], targets[0]))):
            reason = OFF_NETWORK
        return {(origins[0], b): Cell(None, None, reason) for b in targets}

    def _is_on_road(self, place: Place) -> bool:
        try:
            self._table([place], [place])
        except _NoRoadError:
            return False
        return True


def _first_known(rows: Floats) -> Floats:
    """The first distance that is known in each row."""
    if not rows.shape[1]:
        return np.full(len(rows), math.nan)
    first: Floats = rows[np.arange(len(rows)), (~np.isnan(rows)).argmax(axis=1)]
    return first


def _parts(items: Sequence[Place], size: int) -> Iterator[list[Place]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


# ---- Valhalla in this process ----

LISTED: dict[str, dict[str, Any]] = errors.packaged("travel/engines.json")
"""What public services allow (one's own may allow more), and what profiles are called."""
COSTINGS = LISTED["costings"]
TOP_SPEED_KMH = 140.0
"""What Valhalla takes for the top speed of a car where its options do not say."""
WITHOUT_WAY = {171: OFF_NETWORK, 170: UNREACHABLE}
"""What its errors mean."""


class ValhallaRouter(TableRouter):
    """Valhalla in this process, on tiles of one's own (extra ``routing``, Python 3.12 and later).

    Nothing leaves the process. Where the roads are the same, times are those of Valhalla's matrix,
    in whole seconds: with turns and crossings, which `GraphRouter` does not count one by one. A
    small island of roads is no road to Valhalla: a place there is off the network.

    Parameters
    ----------
    tiles : path
        A folder of tiles, or the ``.tar`` that ``valhalla_build_extract`` makes of one.
    profile : str
        ``"car"``, ``"bicycle"`` or ``"foot"``.
    options : mapping, optional
        Valhalla's costing options, such as ``{"top_speed": 110}``.
    max_speed_kmh : float, optional
        No journey is faster over the straight line between the places on the roads; for cars the
        top speed by default. Without it a nearest query is not proved.

    Raises
    ------
    MissingExtraError
        If pyvalhalla is not installed.
    MissingFileError
        If there are no tiles.
    InvalidInputError
        If the profile is another.
    """

    works_offline = True
    batch: int = 500
    cells: int = 50_000
    max_snap_km: float = 5.0
    """A place farther from every road than this has no time."""

    def __init__(
        self,
        tiles: str | PathLike[str],
        profile: str = "car",
        *,
        options: Mapping[str, Any] | None = None,
        max_speed_kmh: float | None = None,
    ) -> None:
        if profile not in COSTINGS:
            raise errors.InvalidInputError(
                f"{errors.shown(profile)} is not a profile of Valhalla's; known: {', '.join(COSTINGS)}"
            )
        self.profile = profile
        self._path, self._options = path_text(tiles), dict(options or {})
        self.max_speed_kmh = max_speed_kmh
        if max_speed_kmh is None and profile == "car":
            self.max_speed_kmh = float(self._options.get("top_speed", TOP_SPEED_KMH))
        self._valhalla = require("valhalla", "routing")
        if not os.path.exists(self._path):
            raise errors.MissingFileError(f"{self._path}: there are no tiles")

    def __repr__(self) -> str:
        return f"<ValhallaRouter {self.profile}>"

    @cached_property
    def _actor(self) -> Any:
        is_folder = os.path.isdir(self._path)
        config = self._valhalla.get_config(
            tile_dir=self._path if is_folder else "", tile_extract="" if is_folder else self._path
        )
        config["service_limits"][COSTINGS[self.profile]].update(LISTED["limits"])
        return self._valhalla.Actor(config)

    def isochrone(self, origin: Any, minutes: float, *, reverse: bool = False) -> Any:
        """Draw what can be reached within a time.

        Parameters
        ----------
        origin : Coordinates, Location or Point
            Where from.
        minutes : float
            The time, more than 0.
        reverse : bool
            True for the places from which the origin can be reached.

        Returns
        -------
        shapely Polygon or MultiPolygon
            In lon, lat degrees; empty where the origin is off the network.

        Raises
        ------
        RoutingError
            If Valhalla fails, as it does beyond the time that its settings allow.
        """
        from shapely import Polygon
        from shapely.geometry import shape

        if not real(minutes) > 0:
            raise errors.InvalidInputError("minutes= is a time above 0")
        lat, lon = read_place(origin, "origin")
        if self.times(origin, origin).reason[0, 0]:
            return Polygon()
        question = {
            "locations": [{"lat": lat, "lon": lon}],
            "contours": [{"time": float(minutes)}],
            "polygons": True,
            "reverse": reverse,
        }
        return shape(self._said("isochrone", question)["features"][0]["geometry"])

    def _asked_as(self) -> Any:
        return [self._path, self._options]

    def _table(self, origins: Sequence[Place], targets: Sequence[Place]) -> Cells:
        question = {
            name: [{"lat": lat, "lon": lon} for lat, lon in places]
            for name, places in (("sources", origins), ("targets", targets))
        }
        answer = self._said("matrix", question)["sources_to_targets"]
        return {
            (a, b): self._cell(a, b, cell)
            for a, row in zip(origins, answer, strict=True)
            for b, cell in zip(targets, row, strict=True)
        }

    def _said(self, action: str, question: dict[str, Any]) -> Any:
        """What Valhalla answers."""
        costing = COSTINGS[self.profile]
        question |= {"costing": costing, "costing_options": {costing: self._options}}
        try:
            return getattr(self._actor, action)(question)
        except self._valhalla.ValhallaError as error:
            code = error.code
        # Out here: an error of Valhalla's may hold places.
        if action == "matrix" and code in WITHOUT_WAY:
            raise _NoRoadError(None, WITHOUT_WAY[code])
        raise errors.RoutingError(f"Valhalla failed (error {code})")

    def _cell(self, a: Place, b: Place, cell: Mapping[str, Any]) -> Cell:
        if cell["time"] is None:
            return Cell(None, None, UNREACHABLE)
        snaps = [
            float(geodesic_km(*place, cell[f"{end}_lat"], cell[f"{end}_lon"]))
            if f"{end}_lat" in cell  # not all of its methods say it
            else None
            for place, end in ((a, "begin"), (b, "end"))
        ]
        if any(km is not None and km > self.max_snap_km for km in snaps):
            return Cell(None, None, OFF_NETWORK, *snaps)
        return Cell(float(cell["time"]), 1000.0 * cell["distance"], 0, *snaps)


# ---- services ----


NO_ROAD = re.compile(r'NoSegment|"code":\s*6010\b|"error_code":\s*17[01]\b|PointNotFound')
NO_WAY = re.compile(r'"error_code":\s*170\b')
WHICH = re.compile(r"\bcoordinate (\d+)")
REFUSED = (401, 402, 403)
"""Statuses of a key, a payment or a permission that is lacking."""
RETRIED = 429
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)


class ServiceRouter(PacedService, TableRouter):
    """Any service that routingpy knows, asked by a client of ours (extra ``routing``).

    Nothing is sent unless this object is made and called: it tells the service where people and
    clinics are. Services of OSRM, GraphHopper, Mapbox and Google get the places in the URL, which
    servers and proxies log; Valhalla and openrouteservice get them in the body.

    Parameters
    ----------
    service : object
        A router of routingpy, such as ``routingpy.OSRM("https://osrm.example")``; it is copied,
        not changed. Its own client is replaced by one that keeps a deadline, follows no redirect,
        asks no private address and logs nothing.
    profile : str
        The service's word: ``"driving"``, ``"auto"``, ``"driving-car"``, ``"car"``.
    max_speed_kmh : float, optional
        No journey of the service is faster over the straight line between two places as they are
        given; whoever makes the router vouches for it. Without it a nearest query is not proved.
    name : str, optional
        The service's name, in messages; the class's name by default.
    deadline_s : float
        Seconds that one request may take, waiting and retries included.
    retries : int
        How often a failure that may pass (a reset, 429, 5xx) is tried again.
    budget : int or None
        The most requests this object sends in its life; None for any number.
    limit : RateLimit, optional
        The pace; one request a second by default.
    places, cells : int, optional
        So many places and so many pairs a request; by default what the public service allows, and
        never more than 50 targets.
    known : path or mapping, optional
        Where answers are kept and looked up first, so that what broke off goes on where it was: a
        file of one's own, or a dict. Places stand in it as hashes.
    options : mapping, optional
        More keyword arguments for each call of the service's ``matrix``.
    allow_private : bool
        Allow http and a service on this machine or in a private network.

    Raises
    ------
    InvalidInputError
        If it is no router of routingpy with a matrix, or a number cannot be used.
    MissingExtraError
        If the extra ``routing`` is not installed.
    """

    def __init__(
        self,
        service: Any,
        profile: str = "driving",
        *,
        max_speed_kmh: float | None = None,
        name: str | None = None,
        deadline_s: float = 30.0,
        retries: int = 2,
        budget: int | None = None,
        limit: RateLimit | None = None,
        places: int | None = None,
        cells: int | None = None,
        known: str | PathLike[str] | MutableMapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        allow_private: bool = False,
    ) -> None:
        client: Any = getattr(service, "client", None)
        if not callable(getattr(service, "matrix", None)) or not hasattr(client, "base_url"):
            raise errors.InvalidInputError(
                f"a router of routingpy with a matrix is needed, not {type(service).__name__}"
            )
        require("httpx", "routing")
        services = LISTED["services"]
        usual = services.get(type(service).__name__, services["others"])
        super().__init__(name or type(service).__name__, deadline_s, retries, budget, limit)
        self.service_profile: str = profile
        self.max_speed_kmh: float | None = max_speed_kmh
        self.profile: str = LISTED["means"].get(profile, profile)
        self.most: int = usual["places"] if places is None else places
        self.cells: int = usual["cells"] if cells is None else cells
        if self.most < 2 or self.cells < 1:
            raise errors.InvalidInputError("a request holds two places and a pair at the least")
        self.batch: int = min(50, self.most - 1, self.cells)
        self._options = {**usual["more"], **(options or {})}
        self.known: MutableMapping[str, Any] | None = (
            _Kept(known) if isinstance(known, str | PathLike) else known
        )
        self._service = copy.copy(service)
        self._base_url = str(client.base_url)
        self._service.client = self._client = _Client(client, allow_private=allow_private)

    def __repr__(self) -> str:
        return f"<ServiceRouter {self.name}, {self.profile}, {self.requests_sent} requests sent>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a router may hold a key and is not pickled; make one in each process")

    def _asked_as(self) -> Any:
        return [
            self.name,
            self._base_url,
            self.service_profile,
            sorted(map(str, self._options.items())),
        ]

    def _table(self, origins: Sequence[Place], targets: Sequence[Place]) -> Cells:
        deadline = time.monotonic() + self.deadline_s
        failure: Exception
        try:
            return self._ask(partial(self._once, origins, targets), deadline)
        except errors.GeocoderFailedError as error:
            failure = _of_routing(error)
        raise failure from None

    def _once(self, origins: Sequence[Place], targets: Sequence[Place], deadline: float) -> Cells:
        """Ask once and read what comes, without a word of it in an error."""
        from geopy.adapters import AdapterHTTPError

        n, m = len(origins), len(targets)
        places = [[lon, lat] for lat, lon in (*origins, *targets)]
        sides = {"sources": list(range(n)), "destinations": list(range(n, n + m))}
        self._client.local.deadline = deadline
        failure: Exception
        try:
            with unlogged():
                answer = self._service.matrix(
                    places, self.service_profile, **sides, **self._options
                )
            return _read(answer, origins, targets, self.name)
        except (errors.GeocoderFailedError, _NoRoadError):
            raise
        except AdapterHTTPError as error:
            wait_s = retry_after_s(error.headers)
            failure = self._failure(error.status_code, str(error.text), wait_s)
        except MALFORMED as error:
            failure = errors.GeocoderFailedError(
                f"{self.name} sent a malformed reply ({type(error).__name__})"
            )
            failure.__cause__ = None
        raise failure from None  # out here: the errors behind it may hold places

    def _failure(self, status: int, body: str, wait_s: float | None) -> Exception:
        """What a status means: of a place, of the use, of the service."""
        if NO_ROAD.search(body):
            which = WHICH.search(body) if "NoSegment" in body else None
            reason = UNREACHABLE if NO_WAY.search(body) else OFF_NETWORK
            return _NoRoadError(int(which[1]) if which else None, reason)
        if status in REFUSED:
            self._refusal = f"{self.name} refused the key or the use (HTTP status {status})"
            return errors.GeocoderRefusedError(self._refusal)
        text = f"{self.name} failed (HTTP status {status})"
        if status == RETRIED:
            text = f"{self.name} says too many requests"
        elif status < 500:
            return errors.GeocoderRefusedError(f"{text}: it does not take the request")
        return errors.GeocoderFailedError(text, wait_s)


def _of_routing(error: errors.GeocoderFailedError) -> errors.RoutingError:
    """The same failure by its name for routers."""
    kinds: dict[type[errors.GeocoderFailedError], type[errors.RoutingError]] = {
        errors.GeocoderTimeoutError: errors.RoutingTimeoutError,
        errors.GeocoderBusyError: errors.RoutingBusyError,
        errors.GeocoderRefusedError: errors.RoutingRefusedError,
    }
    return kinds.get(type(error), errors.RoutingError)(str(error), error.retry_after_s)


def _read(answer: Any, origins: Sequence[Place], targets: Sequence[Place], name: str) -> Cells:
    """Check a matrix: rows and columns as asked for, numbers or nothing in them."""
    seconds = metres = _checked(answer.durations, len(origins), len(targets), name)
    if answer.distances is not None:
        metres = _checked(answer.distances, len(origins), len(targets), name)
    raw = answer.raw if isinstance(answer.raw, dict) else {}
    here, there = _stated(raw.get("sources"), origins), _stated(raw.get("destinations"), targets)
    return {
        (a, b): Cell(None, None, UNREACHABLE, near_a, near_b)
        if time_s is None
        else Cell(time_s, None if answer.distances is None else far, 0, near_a, near_b)
        for a, near_a, times, lengths in zip(origins, here, seconds, metres, strict=True)
        for b, near_b, time_s, far in zip(targets, there, times, lengths, strict=True)
    }


def _checked(table: Any, n: int, m: int, name: str) -> list[list[float | None]]:
    is_table = isinstance(table, list) and len(table) == n
    if not is_table or any(not isinstance(row, list) or len(row) != m for row in table):
        raise errors.GeocoderFailedError(f"{name} answered with a table of another size")
    if any(value is not None and not 0 <= real(value) < math.inf for row in table for value in row):
        raise errors.GeocoderFailedError(f"{name} answered with what is no time or distance")
    return [[None if value is None else float(value) for value in row] for row in table]


def _stated(places: Any, asked: Sequence[Place]) -> list[float | None]:
    """How far each place lies from its road, where the service says, in kilometres."""
    if not isinstance(places, list) or len(places) != len(asked):
        return [None] * len(asked)
    found = [one if isinstance(one, dict) else {} for one in places]
    metres = [real(one.get("distance", one.get("snapped_distance"))) for one in found]
    return [far / 1000.0 if far >= 0 else None for far in metres]


class _Client:
    """What routingpy takes for its client: vetted addresses, one deadline, no logs."""

    def __init__(self, client: Any, *, allow_private: bool) -> None:
        from ketafind.geocoding.http import HttpxAdapter

        self.base_url = str(client.base_url).rstrip("/")
        self.headers = {k: str(v) for k, v in dict(client.headers).items() if v is not None}
        self.local = local()
        self._adapter = HttpxAdapter(allow_private=allow_private)

    def _request(self, url: str, get_params: Any = None, post_params: Any = None, **_: Any) -> Any:
        from ketafind.geocoding.http import read_json

        pairs = sorted(get_params.items()) if isinstance(get_params, dict) else get_params
        whole = self.base_url + url + (f"?{urlencode(pairs, safe=';,|')}" if pairs else "")
        body = None if post_params is None else json.dumps(post_params).encode()
        return _without_gaps(
            read_json(self._adapter.send(whole, self.headers, self.local.deadline, body))
        )


def _without_gaps(value: Any) -> Any:
    """Google leaves out what routingpy looks for where no way leads: say that it is nothing."""
    if isinstance(value, dict) and isinstance(value.get("rows"), list):
        for row in value["rows"]:
            for cell in row["elements"]:
                if cell.get("status") in ("ZERO_RESULTS", "NOT_FOUND"):
                    cell.update(duration={"value": None}, distance={"value": None})
    return value


class _Kept(dict[str, Any]):
    """Answers in a file: a line of JSON for each table, appended; a torn last line is dropped."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__()
        self._path = path_text(path)
        if not os.path.isdir(os.path.dirname(os.path.abspath(self._path))):
            raise errors.MissingFileError(f"{self._path}: there is no folder for it")
        # Only its owner reads it; a pipe is not waited for.
        how = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        with naming(self._path), os.fdopen(os.open(self._path, how, 0o600), "r+b") as file:
            whole = file.read()
            end = whole.rfind(b"\n") + 1
            file.truncate(end)
        for line in whole[:end].splitlines():
            try:
                super().update({key: Cell(*cell) for key, cell in json.loads(line).items()})
            except (ValueError, TypeError, AttributeError):
                raise errors.DirectoryFileError(
                    f"{self._path} holds no answers of a router; give another file"
                ) from None

    def update(self, cells: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Keep the cells of a table."""
        super().update(cells)
        line = json.dumps(cells).encode() + b"\n"
        with naming(self._path), open(self._path, "ab", buffering=0) as file:
            end = file.tell()
            try:
                if (file.write(line) or 0) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:  # half a line must not stand before the next
                file.truncate(end)
                raise
