"""How long it takes, or what it costs, from the rows of a frame to the clinics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import InvalidInputError
from ketafind.geo import distance_intervals_km, earth_centred, geodesic_km
from ketafind.index.protocol import Floats
from ketafind.join.frames import Frame, code_type, open_frame
from ketafind.join.origins import Origins
from ketafind.join.search import LONG, Found, shown, ticks
from ketafind.travel.graph import OFF_NETWORK, GraphRouter
from ketafind.travel.router import BATCH, answered, check_router, error_of, pace

if TYPE_CHECKING:
    from ketafind.directory import Directory
    from ketafind.query.filter import Filter

ByClinic = Iterator[tuple[int, Floats]]
"""The number of a clinic, and what it takes from every row to it."""
KEPT = 2**25
"""So many times are kept for a second look; beyond this they are searched again."""


class Travel:
    """How one gets there, as it was asked for: by a router, or at costs of one's own."""

    def __init__(self, router: Any, cost: Any) -> None:
        if router is not None and cost is not None:
            raise InvalidInputError("give router= or cost=, not both")
        if router is not None:
            check_router(router)
        self.n_missing: int | None = None
        """Pairs without a time or a cost, in what was looked at last."""
        self.router: Any = router
        self.costs: CostTable | None = None if cost is None else CostTable(cost)

    def __repr__(self) -> str:
        # A task graph tells one from another by this; where somebody is, is not in it.
        return f"<Travel {id(self.router if self.costs is None else self.costs)}>"

    @property
    def unit(self) -> str:
        """What it is counted in."""
        return "min" if self.costs is None else self.costs.unit

    def journeys(self, directory: Directory, frame: Frame, origins: Origins) -> Journeys:
        """Get ready to look from the rows of a frame."""
        if self.costs is not None:
            return Costs(directory, origins, self.costs, frame)
        return Routed(directory, origins, self.router)

    def sites(self, candidates: Frame) -> list[str]:
        """The names by which costs know the candidates."""
        candidates.check_column("clinic_id", "; cost= names the candidates by their clinic_id")
        return [str(name) for name in candidates.values("clinic_id")]

    def told(self) -> dict[str, Any]:
        """How one gets there, in words, for who reads the answer later."""
        told: dict[str, Any] = {} if self.n_missing is None else {"n_missing": self.n_missing}
        if self.costs is not None:
            return told | {"cost": self.costs.name}
        told |= {"router": type(self.router).__name__, "profile": self.router.profile}
        credit = getattr(self.router, "credit", "")
        told |= {"credit": credit} if credit else {}
        return told | {"interval": list(error_of(self.router))}


class Journeys(ABC):
    """Times or costs between rows and clinics, one clinic after the other."""

    unit = "min"
    by_position = True
    """Whether only what has a position is reached."""

    def __init__(self, directory: Directory, origins: Origins) -> None:
        self.directory: Directory = directory
        self.origins: Origins = origins
        self.counted: npt.NDArray[np.bool_] = origins.located
        """The rows that are somewhere."""
        self.n_missing: int | None = None
        """Pairs without a time or a cost, in what was looked at last."""

    @abstractmethod
    def over(self, clinic_nos: Iterable[int], limit: float = math.inf) -> ByClinic:
        """What it takes from every row to each clinic; infinite where there is no way."""

    def ends(self, value: Floats, clinic_no: int) -> tuple[Floats, Floats]:
        """Bound what it truly takes, at the 90 % level."""
        del clinic_no
        return value, value

    def end_of(self, end: int, value: Floats, straight_km: Floats, more_km: Floats) -> Floats:
        """The low (0) or high (1) end, where positions may make the straight line so much longer."""
        del end, straight_km, more_km
        return value

    def off(self) -> npt.NDArray[np.bool_]:
        """The rows that are far from every road, as far as is known after a look."""
        return np.zeros(len(self.origins), np.bool_)

    def nearest(
        self, eligible: Filter, k: int, limit: float = math.inf, *, progress: bool | None = False
    ) -> Found:
        """Find the k nearest of each row: equal ones come by id."""
        from tqdm import tqdm

        clinic_nos = eligible._clinic_nos().tolist()
        n, k = len(self.origins), max(1, min(k, len(clinic_nos)))
        best = _Best(n, k, len(self.directory))
        most, missing = ticks(self.unit, limit), 0
        show = shown(progress=progress, long=n * len(clinic_nos) >= LONG)
        for clinic_no, value in tqdm(
            self.over(clinic_nos, limit), total=len(clinic_nos), unit=" clinics", disable=not show
        ):
            tick = ticks(self.unit, value)
            beyond = ~(tick <= most) | np.isinf(value)
            missing += int(np.count_nonzero(beyond & self.counted))
            best.add(clinic_no, np.where(beyond, np.inf, tick), value)
        self.n_missing = missing
        return best.found(self.distances_km)

    def reach(self, confirmed: Filter, possible: Filter) -> tuple[Floats, Floats, Floats, Floats]:
        """What the nearest takes: surely, confirmed, possible, perhaps; infinite for none."""
        surely, sure, maybe, perhaps = (np.full(len(self.origins), np.inf) for _ in range(4))
        known, missing = set(confirmed._clinic_nos().tolist()), 0
        for clinic_no, value in self.over(possible._clinic_nos().tolist()):
            low, high = self.ends(value, clinic_no)
            missing += int(np.count_nonzero(np.isinf(value) & self.counted))
            np.minimum(maybe, value, out=maybe)
            np.minimum(perhaps, low, out=perhaps)
            if clinic_no in known:
                np.minimum(sure, value, out=sure)
                np.minimum(surely, high, out=surely)
        self.n_missing = missing
        for values in (surely, sure, maybe, perhaps):
            values[~self.counted] = np.nan
        return surely, sure, maybe, perhaps

    @abstractmethod
    def to_sites(self, sites: Any) -> Iterator[Floats]:
        """What it takes from every row to each place where there may be a clinic."""

    def distances_km(self, rows: npt.NDArray[np.intp], clinic: npt.NDArray[Any]) -> Floats:
        """Straight distances between rows and clinics."""
        places = [one.location for one in self.directory.clinics]
        lat, lon = (
            np.array([getattr(place, axis, math.nan) for place in places])
            for axis in ("lat", "lon")
        )
        return geodesic_km(self.origins.lat[rows], self.origins.lon[rows], lat[clinic], lon[clinic])


class _Best:
    """The k best of each row so far."""

    def __init__(self, n: int, k: int, n_clinics: int) -> None:
        self.tick, self.value = np.full((k, n), np.inf), np.full((k, n), np.nan)
        self.clinic = np.full((k, n), -1, code_type(n_clinics))

    def add(self, clinic_no: int, tick: Floats, value: Floats) -> None:
        """Put a clinic, which comes after all before it by id, in its places."""
        rows = np.flatnonzero(tick < self.tick[-1])
        mine = [tick[rows], value[rows], np.full(len(rows), clinic_no, self.clinic.dtype)]
        first = np.zeros(len(rows), np.bool_)
        for place in range(len(self.tick)):
            first |= mine[0] < self.tick[place, rows]  # who gives way moves on, past equal ones
            for at, held in enumerate((self.tick, self.value, self.clinic)):
                kept = held[place, rows]
                held[place, rows] = np.where(first, mine[at], kept)
                mine[at] = np.where(first, kept, mine[at])

    def found(self, distances_km: Any) -> Found:
        """What was found, with the straight distances to it."""
        clinic, value = np.ascontiguousarray(self.clinic.T), np.ascontiguousarray(self.value.T)
        rows, place = np.nonzero(clinic >= 0)
        distance_km = np.full(clinic.shape, np.nan)
        distance_km[rows, place] = distances_km(rows, clinic[rows, place])
        rank = np.broadcast_to(np.arange(1, clinic.shape[1] + 1, dtype=np.int32), clinic.shape)
        return Found(distance_km, clinic, rank.copy(), value)


class Routed(Journeys):
    """Times by a router: on a graph of one's own one search a clinic serves every row."""

    def __init__(self, directory: Directory, origins: Origins, router: Any) -> None:
        super().__init__(directory, origins)
        self.router = router
        self._rows = np.flatnonzero(self.counted)
        self._places = np.column_stack([origins.lat, origins.lon])[self._rows]
        self._kept: dict[tuple[float, float], Floats] = {}
        self._off = np.ones(len(self._rows), np.bool_)
        self._factors = error_of(router)

    def over(self, clinic_nos: Iterable[int], limit: float = math.inf) -> ByClinic:
        """What it takes from every row to each clinic; infinite where there is no way."""
        where = {no: self.directory.clinics[no].location for no in clinic_nos}
        places = {no: (one.lat, one.lon) for no, one in where.items() if one is not None}
        # Several clinics may share a place, and be asked about again.
        wanted = [place for place in dict.fromkeys(places.values()) if place not in self._kept]
        answers, held = self._columns(wanted, limit), dict(self._kept)
        keep = math.isinf(limit) and (
            not isinstance(self.router, GraphRouter)
            or len(self._places) * (len(self._kept) + len(wanted)) <= KEPT
        )
        last = {place: no for no, place in places.items()}
        for no, place in places.items():
            if place not in held:
                held[place] = next(answers)
                if keep:
                    self._kept[place] = held[place]
            yield no, self._of_all(held[place] if last[place] != no else held.pop(place))

    def to_sites(self, sites: Any) -> Iterator[Floats]:
        """What it takes from every row to each place where there may be a clinic."""
        return map(self._of_all, self._columns([*zip(sites.lat, sites.lon, strict=True)], math.inf))

    def _of_all(self, minutes: Floats) -> Floats:
        value = np.full(len(self.origins), np.inf)
        value[self._rows] = minutes
        return value

    def _columns(self, places: Sequence[tuple[float, float]], limit: float) -> Iterator[Floats]:
        """Minutes from all rows to each place."""
        table = np.array(places).reshape(-1, 2)
        if isinstance(self.router, GraphRouter):
            router, start = self.router, self._ends
            goal = router.ends_of(router.snap(table))
            self._off = start.snap.road < 0
            for at in range(len(table)):
                minutes = np.full(len(self._rows), np.inf)
                if goal.snap.road[at] >= 0:
                    minutes = router.reach(goal, at, limit, back=True).to(start)
                    minutes[self._off] = np.inf
                yield minutes
            return
        size = getattr(self.router, "batch", BATCH)
        for first in range(0, len(table), size):
            answer = answered(
                self.router, self._places, table[first : first + size], limit_min=limit
            )
            self._off = self._off & (answer.reason == OFF_NETWORK).all(axis=1)
            yield from np.nan_to_num(answer.minutes, nan=np.inf).T

    @cached_property
    def _ends(self) -> Any:
        return self.router.ends_of(self.router.snap(self._places))

    def off(self) -> npt.NDArray[np.bool_]:
        """The rows that are far from every road, as far as is known after a look."""
        off = super().off()
        off[self._rows] = self._off
        return off

    def ends(self, value: Floats, clinic_no: int) -> tuple[Floats, Floats]:
        """Bound what it truly takes, at the 90 % level."""
        place, here_km = self.directory.clinics[clinic_no].location, self.origins.radius_km
        if place is None or (here_km is None and place.radius_km == 0.0):
            return value * self._factors[0], value * self._factors[1]
        there = earth_centred(np.array([place.lat]), np.array([place.lon]))
        straight_km = np.linalg.norm(self._points - there, axis=0)
        low_km, high_km = distance_intervals_km(
            straight_km, 0.0 if here_km is None else here_km, place.radius_km
        )
        low = self.end_of(0, value, straight_km, low_km - straight_km)
        return low, self.end_of(1, value, straight_km, high_km - straight_km)

    def end_of(self, end: int, value: Floats, straight_km: Floats, more_km: Floats) -> Floats:
        """The low (0) or high (1) end, where positions may make the straight line so much longer."""
        more = np.where(more_km == 0.0, 0.0, more_km * pace(value, straight_km))
        bound: Floats = np.maximum(0.0, value * self._factors[end] + more)
        return bound

    @cached_property
    def _points(self) -> Floats:
        return earth_centred(self.origins.lat, self.origins.lon)


class CostTable:
    """Costs of one's own: a value for each pair of an origin and a clinic."""

    def __init__(self, cost: Any) -> None:
        import pandas as pd

        frame = open_frame(cost)
        for name in ("origin", "clinic_id"):
            frame.check_column(name, "; cost= takes a frame with origin, clinic_id and minutes")
        others = [name for name in frame.names if name not in ("origin", "clinic_id")]
        if "minutes" in others:
            others = ["minutes"]
        if len(others) != 1:
            raise InvalidInputError(
                f"cost= takes a frame with origin, clinic_id and one column of costs, such as "
                f"minutes; these are left: {', '.join(map(repr, others)) or 'none'}"
            )
        self.name: str = str(others[0])
        values = frame.numbers(others[0])
        if (values < 0).any():
            row = int(np.argmax(values < 0))
            raise InvalidInputError(f"cost=, row {row}, {self.name}: a cost is 0 or more")
        (origin, self.origins), (clinic, ids) = (
            pd.factorize(_labels(frame.values(name))) for name in ("origin", "clinic_id")
        )
        pairs = pd.MultiIndex.from_arrays([origin, clinic])
        for bad, why in (
            (origin < 0, "the origin is missing"),
            (clinic < 0, "the clinic_id is missing"),
            (pairs.duplicated(), "this pair stands there already"),
        ):
            if bad.any():
                raise InvalidInputError(f"cost=, row {int(np.argmax(bad))}: {why}")
        parts = pd.Series(values).groupby(ids[clinic], sort=False).indices
        self.of_clinic: dict[str, tuple[Any, Floats]] = {
            str(name): (origin[rows], values[rows]) for name, rows in parts.items()
        }

    @property
    def unit(self) -> str:
        """What it is counted in."""
        return "min" if self.name == "minutes" else "cost"

    def check_clinics(self, directory: Directory, candidates: Frame | None = None) -> None:
        """Refuse a clinic that is neither in the directory nor a candidate."""
        known = set(directory)
        if candidates is not None and "clinic_id" in candidates.names:
            known |= set(map(str, candidates.values("clinic_id")))
        for clinic_id in self.of_clinic:
            if clinic_id not in known:
                directory[clinic_id]  # raises, with a suggestion

    def rows(self, frame: Frame) -> npt.NDArray[np.intp]:
        """Which origin each row of a frame is; -1 for one without costs."""
        import pandas as pd

        if "origin" in frame.names:
            labels = _labels(frame.values("origin"))
        elif hasattr(frame.native, "index") and hasattr(frame.native, "iloc"):
            labels = _labels(frame.native.index)
        else:
            raise InvalidInputError(
                "cost= names its origins: give the frame a column 'origin' with the same names"
            )
        found: npt.NDArray[np.intp] = pd.Index(self.origins).get_indexer(pd.Index(labels))
        if len(found) and (found < 0).all():
            raise InvalidInputError(
                "cost= has no row for any origin of the frame: its column 'origin' holds the "
                "frame's column 'origin', or else its index"
            )
        return found

    def from_all(self, clinic_id: str) -> Floats:
        """The cost from each origin, and an infinite one at the end for -1."""
        values = np.full(len(self.origins) + 1, np.inf)
        if clinic_id in self.of_clinic:
            origin, cost = self.of_clinic[clinic_id]
            values[origin] = np.where(np.isnan(cost), np.inf, cost)
        return values


def _labels(values: Any) -> npt.NDArray[np.object_]:
    labels = np.empty(len(values), object)
    labels[:] = list(values)
    return labels


class Costs(Journeys):
    """Costs of one's own, taken as they are: nobody knows their error."""

    by_position = False

    def __init__(
        self, directory: Directory, origins: Origins, costs: CostTable, frame: Frame
    ) -> None:
        super().__init__(directory, origins)
        self._costs = costs
        self.unit: str = costs.unit
        self.counted: npt.NDArray[np.bool_] = np.ones(len(origins), np.bool_)
        self.row: npt.NDArray[np.intp] = costs.rows(frame)

    def over(self, clinic_nos: Iterable[int], limit: float = math.inf) -> ByClinic:
        """What it takes from every row to each clinic; infinite where there is no way."""
        del limit  # what is beyond it is left out later
        for clinic_no in clinic_nos:
            clinic_id = self.directory.clinics[clinic_no].clinic_id
            yield clinic_no, self._costs.from_all(clinic_id)[self.row]

    def to_sites(self, sites: Any) -> Iterator[Floats]:
        """What it takes from every row to each place where there may be a clinic."""
        return (self._costs.from_all(name)[self.row] for name in sites)
