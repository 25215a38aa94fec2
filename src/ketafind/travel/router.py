"""What every router answers: minutes between places, why where there are none, and how that is proved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ketafind.errors import InvalidInputError, RoutingError
from ketafind.geo import Coordinates, real
from ketafind.records import Location

Floats = NDArray[np.float64]
OPENSTREETMAP = "roads © OpenStreetMap contributors, ODbL"
"""What stands on pictures of what was found on roads of OpenStreetMap."""

BATCH = 50
"""So many targets a request: what public services allow in a matrix."""

REASONS = ("", "unreachable", "off_network", "beyond_limit")
"""Why a time is missing: no way leads there, no road is near, or it takes longer than asked for."""


@dataclass(frozen=True, eq=False)
class TravelTimes:
    """Times from n origins to m targets.

    Parameters
    ----------
    minutes : ndarray of float64, shape (n, m)
        Free-flow travel time; NaN where there is none.
    reason : ndarray of int8, shape (n, m)
        0 where there is a time; 1: unreachable, 2: off_network, 3: beyond_limit.
    origin_snap_km, target_snap_km : ndarray of float64, shape (n,) and (m,)
        How far each place lies from the road that stands for it; NaN where it is not known. The
        way to that road is not in the time.
    km : ndarray of float64, shape (n, m), or None
        How long the way is, where the router says.
    """

    minutes: Floats
    reason: NDArray[np.int8]
    origin_snap_km: Floats
    target_snap_km: Floats
    km: Floats | None = None


@dataclass(frozen=True)
class Certificate:
    """How it was proved that no other clinic is nearer by time.

    Parameters
    ----------
    proved : bool
        False where nobody vouches for the fastest speed, so that a clinic that was not asked
        about might be nearer.
    method : str
        ``"search"``: one search of the network, bounded by the answer's own times. ``"bound"``:
        no journey is faster than ``max_speed_kmh`` over the straight line. ``"all"``: every
        eligible clinic was asked about. ``"nearest by line"``: only those were that are nearest in
        a straight line.
    bound_min : float or None
        No clinic whose time was not worked out takes less, in minutes; None where there is no such
        clinic.
    n_examined, n_requests : int
        Clinics whose time was worked out, and searches or requests made.
    max_speed_kmh : float or None
        What the router vouches for; None where there is no such speed.
    origin_snap_km : float or None
        How far the origin lies from the road that stands for it; None where it is not known.
    clinic_snap_km : dict of str to float
        The same of the clinics listed, by id, where it is known.
    unreachable : dict of str to int
        Clinics without a time among those examined, by reason: ``unreachable``, ``off_network``
        or ``beyond_limit``.
    """

    proved: bool
    method: str
    bound_min: float | None
    n_examined: int
    n_requests: int
    max_speed_kmh: float | None
    origin_snap_km: float | None
    clinic_snap_km: dict[str, float]
    unreachable: dict[str, int]


class Router(Protocol):
    """Something that knows how long it takes from one place to another.

    One that asks no network says so by an attribute ``works_offline`` that is True: such a one may
    be asked about places around the origin, to see what its doubt makes of the time. One that knows
    how well it does says so by ``error``, a pair of factors: nine true times in ten lie between the
    first and the second times its own; (1.0, 1.0) where nothing is known. One whose roads want a
    credit gives it as ``credit``: it stands on pictures of what the router found.
    """

    @property
    def profile(self) -> str:
        """How one travels: ``"car"``, ``"foot"``, ``"bicycle"`` or another."""
        ...

    @property
    def max_speed_kmh(self) -> float | None:
        """No journey is faster than this over the geodesic; None where nobody vouches for one."""
        ...

    def times(self, origins: Any, targets: Any, *, limit_min: float = np.inf) -> TravelTimes:
        """Find the times from each origin to each target.

        Parameters
        ----------
        origins, targets : places
            Coordinates, Locations, shapely Points, an array (n, 2) of lat and lon in degrees, or
            a frame with ``lat`` and ``lon``.
        limit_min : float
            Longer journeys are not looked for.

        Returns
        -------
        TravelTimes
            Minutes of shape (n, m), and a reason for each that is missing.
        """
        ...

    def isochrone(self, origin: Any, minutes: float, *, reverse: bool = False) -> Any:
        """Draw what can be reached within a time, or refuse by name where that is not known.

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
            In lon, lat degrees.
        """


def check_router(router: Any) -> None:
    """Refuse what is not a router."""
    for name in ("profile", "max_speed_kmh", "times"):
        if not hasattr(router, name):
            raise InvalidInputError(
                f"a router has {name}; {type(router).__name__} has none. "
                "GraphRouter.open reads a file of roads"
            )


def error_of(router: Router) -> tuple[float, float]:
    """Read what a router says of its own error: factors of its times, 1.0 and 1.0 for none."""
    given: Any = getattr(router, "error", (1.0, 1.0))
    is_pair = isinstance(given, Iterable) and len(pair := tuple(given)) == 2
    low, high = map(real, pair) if is_pair else (np.nan, np.nan)
    if not 0.0 < low <= 1.0 <= high < np.inf:
        raise InvalidInputError("a router's error is two factors, such as (0.9, 1.15)")
    return low, high


LEAST_PACE = 1.0
"""Minutes for a kilometre that positions may be off by, at the least."""


def pace(minutes: Floats, straight_km: Floats) -> Floats:
    """Minutes that a kilometre of doubt counts as: those of the way, as the crow flies."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.fmax(minutes / straight_km, LEAST_PACE)
    return np.where(np.isfinite(found), found, LEAST_PACE)


def answered(
    router: Router, origins: Any, targets: Floats, *, limit_min: float = np.inf
) -> TravelTimes:
    """Ask a router, which may be anybody's, and refuse what is no table of times."""
    found: Any = router.times(origins, targets, limit_min=limit_min)
    size = len(origins), len(targets)
    try:
        # Only its own tables are compared: a slip would be the time of another place.
        parts = (found.minutes, found.reason, *(() if found.km is None else (found.km,)))
        snaps = len(found.origin_snap_km), len(found.target_snap_km)
        is_right = snaps == size and all(np.shape(part) == size for part in parts)
        is_right = is_right and not bool(((found.minutes < 0.0) | np.isinf(found.minutes)).any())
    except (AttributeError, TypeError):
        is_right = False
    if not is_right:
        raise RoutingError(f"the router's answer is not a table of times of {size[0]} to {size[1]}")
    return cast("TravelTimes", found)


def read_places(places: Any, what: str) -> tuple[Floats, Floats]:
    """Read latitudes and longitudes from places of any kind that a query takes, or an array."""
    if isinstance(places, np.ndarray):
        pairs = _degrees(places, what)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InvalidInputError(f"{what}: an array has the shape (n, 2): lat and lon")
    elif hasattr(places, "columns"):
        missing = {"lat", "lon"} - set(places.columns)
        if missing:
            raise InvalidInputError(f"{what}: the frame has no column {min(missing)!r}")
        pairs = np.column_stack([_degrees(places[name], what) for name in ("lat", "lon")])
    elif isinstance(places, Iterable) and not isinstance(places, str):
        pairs = np.array([_pair(place, what) for place in places]).reshape(-1, 2)
    else:
        pairs = np.array([_pair(places, what)])
    bad = ~(np.abs(pairs) <= (90.0, 180.0)).all(axis=1)
    if bad.any():
        at = int(bad.argmax())
        raise InvalidInputError(f"{what}: number {at} is not a position in degrees, lat and lon")
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def read_place(place: Any, what: str) -> tuple[float, float]:
    """Read one latitude and longitude."""
    lat, lon = read_places(place, what)
    if len(lat) != 1:
        raise InvalidInputError(f"{what}: one place is needed, not {len(lat)}")
    return float(lat[0]), float(lon[0])


def _degrees(column: Any, what: str) -> Floats:
    """Read numbers; what is masked is none."""
    is_masked = isinstance(column, np.ma.MaskedArray)
    try:
        return np.asarray(column.astype(float).filled(np.nan) if is_masked else column, np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what}: lat and lon are numbers of degrees") from None


def _pair(place: Any, what: str) -> tuple[float, float]:
    if isinstance(place, Coordinates | Location):
        return place.lat, place.lon
    if str(getattr(place, "geom_type", None)) == "Point":
        return place.y, place.x  # shapely points are (lon, lat)
    raise InvalidInputError(
        f"{what}: give Coordinates, Locations, shapely Points, an array (n, 2) of lat and lon, or "
        f"a frame with lat and lon, not {type(place).__name__}"
    )
