"""Positions and distances on the WGS 84 ellipsoid: the one place for degrees, kilometres and doubt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, update_wrapper
from numbers import Real
from types import ModuleType
from typing import Any, Never, Protocol, Self

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError, InvalidInputError

Floats = npt.NDArray[np.float64]
# Of latitude, and of longitude at the equator; rounded up.
KM_PER_DEGREE = 111.32
EARTH_KM = 6371.0088
# The box around Ontario, in degrees.
SOUTH, NORTH, WEST, EAST = 41.6, 56.9, -95.3, -74.2


def sphere_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Distance on a sphere, to judge doubt by; directories rank by geodesics."""
    north, east = math.radians(lat2 - lat1) / 2, math.radians(lon2 - lon1) / 2
    chord = math.sin(north) ** 2
    chord += math.cos(math.radians(lat1)) * math.cos(math.radians(lat2)) * math.sin(east) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, chord)))


class Positioned(Protocol):
    """What has a latitude and a longitude, in degrees."""

    @property
    def lat(self) -> float: ...
    @property
    def lon(self) -> float: ...


def apart_km(one: Positioned, other: Positioned) -> float:
    """Distance on a sphere between two positions, to judge doubt by."""
    return sphere_km(one.lat, one.lon, other.lat, other.lon)


def in_ontario(lat: float, lon: float) -> bool:
    """Whether a position lies in the box around Ontario."""
    return SOUTH <= lat <= NORTH and WEST <= lon <= EAST


def real(value: Any) -> float:
    """Read a number as a float: NaN for what is no number, infinity for one too large."""
    # numpy's bool is no Real, Python's and numpy's span of time are. A plain float is spared the
    # slow look at the class.
    if type(value) is float:
        return value
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def degrees(value: Any, name: str, limit: float) -> float:
    """Read one coordinate as a float, or refuse it without showing it."""
    number = real(value)
    if math.isnan(number) and (isinstance(value, bool) or not isinstance(value, Real)):
        raise CoordinatesError(
            f"{name} must be a number in decimal degrees, not {type(value).__name__}"
        )
    if not math.isfinite(number):
        raise CoordinatesError(f"{name} must be a finite number in decimal degrees")
    if abs(number) > limit:
        raise CoordinatesError(
            f"{name} must lie between -{limit:g} and {limit:g} degrees{_cause(number)}"
        )
    return number + 0.0  # minus zero is the same place as zero


def _cause(number: float) -> str:
    size = abs(number)
    if size <= 180.0:
        return "; are lat and lon swapped?"
    if size <= 360.0:
        return "; is it a longitude counted from 0 to 360? Subtract 360"
    if 180.0e6 >= size > 25.0e6:
        return "; is it in microdegrees? Divide by 1,000,000"
    return "; is it in metres of a map projection (UTM, Web Mercator)? Convert it to WGS 84 degrees"


def look_swapped(lat: Any, lon: Any) -> Any:
    """Tell which positions lie off or on Antarctica, and amid people the other way round."""
    return (lat < -56.0) & (lon >= 24.0) & (lon <= 84.0)


def fault_of_pair(lat: Any, lon: Any) -> str | None:
    """Say what is wrong with a pair, without its digits, or None if nothing is."""
    try:
        Coordinates(lat=lat, lon=lon)
    except CoordinatesError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Coordinates:
    """A position in decimal degrees on WGS 84.

    The repr is rounded to whole degrees: a searcher's place is health information.

    Parameters
    ----------
    lat : float
        Latitude, -90 to 90, north positive.
    lon : float
        Longitude, -180 to 180, east positive.

    Raises
    ------
    CoordinatesError
        If either is not a finite number in its range.
    """

    lat: float
    lon: float

    def __new__(cls, *positional: Never, **_named: Any) -> Self:
        """Refuse two bare numbers, of which nobody can tell which is which."""
        if positional:
            raise CoordinatesError("name them: Coordinates(lat=..., lon=...)")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lat", degrees(self.lat, "lat", 90.0))
        object.__setattr__(self, "lon", degrees(self.lon, "lon", 180.0))

    def coarsen(self, km: float) -> Coordinates:
        """Blur a position to the centre of a grid cell before it leaves the process.

        Parameters
        ----------
        km : float
            The side of the cells, in kilometres, above 0 and at most 1,000.

        Returns
        -------
        Coordinates
            The same for all positions of a cell, so that nothing finer can be told from one
            answer or from many. `ketafind.geocoding.coarsen_to_fsa` blurs to a postal area.

        Raises
        ------
        InvalidInputError
            If `km` is anything else.

        Examples
        --------
        >>> import ketafind
        >>> ketafind.Coordinates(lat=44.2312, lon=-76.4860).coarsen(20.0)
        <Coordinates near 44°N 76°W>
        """
        if not 0.0 < real(km) <= 1000.0:
            raise InvalidInputError("km must be a number of kilometres above 0 and at most 1,000")
        return _cell_centre(self.lat, self.lon, float(km) / KM_PER_DEGREE)

    def __repr__(self) -> str:
        ends: tuple[Any, Any] = self.lat, self.lon
        if not all(isinstance(one, float) for one in ends):
            return "<Coordinates that were refused>"  # a traceback may show them
        north = "N" if self.lat >= 0 else "S"
        east = "E" if self.lon >= 0 else "W"
        return f"<Coordinates near {abs(self.lat):.0f}°{north} {abs(self.lon):.0f}°{east}>"


# What help shows is the names that go.
update_wrapper(Coordinates.__new__, Coordinates.__init__, assigned=(), updated=())


def _cell_centre(lat: float, lon: float, size: float) -> Coordinates:
    """The centre of a grid cell that is as wide as it is high, in degrees of latitude."""
    rows = math.ceil(180.0 / size)
    row = min(rows - 1, math.floor((lat + 90.0) / 180.0 * rows))
    centre = (row + 0.5) / rows * 180.0 - 90.0
    # At least two: the centre of the last row lies half a cell from the pole.
    columns = math.floor(360.0 * math.cos(math.radians(centre)) / size)
    column = math.floor((lon + 180.0) / 360.0 * columns) % columns
    return Coordinates(lat=centre, lon=(column + 0.5) / columns * 360.0 - 180.0)


# Measured at a time.
PAIRS = 1 << 16
MICROMETRES_PER_KM = 1e9
# WGS 84: the semi-major axis, and by how much of it the poles are nearer.
EQUATOR_KM, FLATTENING = 6378.137, 1.0 / 298.257223563
POLE_KM = EQUATOR_KM * (1.0 - FLATTENING)
ECCENTRICITY_2 = FLATTENING * (2.0 - FLATTENING)


def earth_centred(lat: Floats, lon: Floats) -> Floats:
    """Place degrees on the ellipsoid, in earth-centred kilometres of shape (3, n)."""
    north, east = np.radians(lat), np.radians(lon)
    normal = EQUATOR_KM / np.sqrt(1.0 - ECCENTRICITY_2 * np.sin(north) ** 2)
    across = normal * np.cos(north)
    up = normal * (1.0 - ECCENTRICITY_2) * np.sin(north)
    return np.array([across * np.cos(east), across * np.sin(east), up])


@cache
def compiled_core() -> ModuleType | None:
    """Find the compiled search core."""
    try:
        from ketafind import _kernel
    except ImportError:
        return None
    return _kernel


def geodesic_km(
    lat1: npt.ArrayLike, lon1: npt.ArrayLike, lat2: npt.ArrayLike, lon2: npt.ArrayLike
) -> Floats:
    """Measure the shortest path on the WGS 84 ellipsoid between pairs of points.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like of float
        Decimal degrees, finite and in range (unchecked here); any shapes that broadcast.

    Returns
    -------
    ndarray of float64
        Kilometres, in the broadcast shape; 0.0 between equal points, and the same both ways.

    Notes
    -----
    Every distance that an index returns comes from this function, so that all of them agree on
    order and ties. With the compiled core it is a series in the chord up to 4,000 km and the
    inverse geodesic problem beyond (``src/kernel/geodesic.h``), else pyproj; each is within 15 nm
    of the truth. Reference: C. F. F. Karney, Algorithms for geodesics, J. Geodesy 87 (2013).
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (lat1, lon1, lat2, lon2)]
    shape = np.broadcast_shapes(*(side.shape for side in sides))
    # One value may stand for many without being copied.
    whole = [side if side.size == 1 else np.broadcast_to(side, shape) for side in sides]
    flat = [np.ascontiguousarray(side).reshape(-1) for side in whole]
    core = compiled_core()
    if core is None:
        return _by_pyproj(flat, shape)
    distance_km = np.empty(shape)
    out = distance_km.reshape(-1)
    for start in range(0, out.size, PAIRS):  # an interrupt is heard between slices
        part = slice(start, start + PAIRS)
        core.distance(*(side if side.size == 1 else side[part] for side in flat), out[part])
    return distance_km


def micrometres(distance_km: npt.ArrayLike) -> Floats:
    """Round distances to whole micrometres: the unit in which two distances are equal."""
    return np.rint(np.asarray(distance_km, dtype=np.float64) * MICROMETRES_PER_KM)


def _by_pyproj(flat: list[Floats], shape: tuple[int, ...]) -> Floats:
    lat1, lon1, lat2, lon2 = np.broadcast_arrays(*flat)
    metres = wgs84().inv(lon1, lat1, lon2, lat2)[2]
    return np.asarray(metres, dtype=np.float64).reshape(shape) / 1000.0


@cache
def wgs84() -> Any:
    """The ellipsoid, as pyproj measures on it."""
    from pyproj import Geod

    return Geod(ellps="WGS84")


def circles(lat: Floats, lon: Floats, radius_km: Floats, n: int) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of n places on the circle about each position, a row each."""
    places = [np.repeat(side, n) for side in (lon, lat, 1000.0 * radius_km)]
    bearings = np.tile(np.linspace(0.0, 360.0, n, endpoint=False), len(lat))
    east, north, _ = wgs84().fwd(*places[:2], bearings, places[2])
    return np.reshape(north, (-1, n)), np.reshape(east, (-1, n))


# A position known within r at 90 % scatters by 0.466 r a side if it is normal, by 0.5 r if it is
# uniform in the disc of r, by 0.527 r if uniform in the disc of which r holds 90 %. This serves
# all three: benchmarks/intervals.py shows the coverage and the widths.
SIGMA_PER_RADIUS = 0.505
SIGMAS_BELOW = 1.645
# The square of the radius that holds 90 % of a normal scatter in two dimensions, in sigmas.
DISC_90 = 4.605


def distance_interval_km(
    distance_km: float, origin_radius_km: float, clinic_radius_km: float
) -> tuple[float, float]:
    """Bound the true distance at the 90 % level."""
    square = origin_radius_km * origin_radius_km + clinic_radius_km * clinic_radius_km
    sigma = SIGMA_PER_RADIUS * math.sqrt(square)
    if sigma == 0.0:
        return distance_km, distance_km
    low = max(0.0, distance_km - SIGMAS_BELOW * sigma)
    spread = 2 * SIGMAS_BELOW * sigma * distance_km * distance_km / (distance_km + sigma)
    high = math.sqrt(distance_km * distance_km + spread + DISC_90 * sigma * sigma)
    # A root may round below what was squared.
    return low, max(distance_km, high)


def distance_intervals_km(
    distances_km: Floats, origin_radius_km: float | Floats, radii_km: float | Floats
) -> tuple[Floats, Floats]:
    """Bound many true distances, to the last bit as `distance_interval_km` does."""
    sigma = _sigmas_km(origin_radius_km, radii_km)
    with np.errstate(invalid="ignore"):
        spread = 2 * SIGMAS_BELOW * sigma * distances_km * distances_km / (distances_km + sigma)
    high = np.sqrt(distances_km * distances_km + spread + DISC_90 * sigma * sigma)
    high = np.where(sigma == 0.0, distances_km, np.maximum(distances_km, high))
    return distance_lows_km(distances_km, origin_radius_km, radii_km), high


def distance_lows_km(
    distances_km: Floats, origin_radius_km: float | Floats, radii_km: float | Floats
) -> Floats:
    """Bound many true distances from below, as `distance_interval_km` does."""
    sigma = _sigmas_km(origin_radius_km, radii_km)
    lows_km: Floats = np.maximum(0.0, distances_km - SIGMAS_BELOW * sigma)
    return lows_km


def _sigmas_km(one_km: Any, other_km: Any) -> Any:
    # As for one distance: hypot() rounds differently from library to library.
    return SIGMA_PER_RADIUS * np.sqrt(np.square(one_km) + np.square(other_km))
