"""The origins of a frame: its positions, row by row."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ketafind.errors import CoordinatesError, Fault, InvalidInputError, packaged, shown
from ketafind.files import is_missing
from ketafind.geo import fault_of_pair
from ketafind.index.protocol import Floats
from ketafind.join.frames import BLOCK, Frame, on_threads, slices

if TYPE_CHECKING:
    from ketafind.geocoding import Geocoder


def check_directory(directory: Any) -> None:
    """Refuse what is not a directory."""
    from ketafind.directory import Directory

    if not isinstance(directory, Directory):
        raise InvalidInputError(
            f"directory must be a Directory, not {type(directory).__name__}, such as "
            f"ketafind.load_directory()"
        )


def check_prefix(prefix: Any) -> None:
    """Refuse what cannot be put before the name of a column."""
    if not isinstance(prefix, str):
        raise InvalidInputError(f"prefix={shown(prefix)}: give a text, such as 'near_'")


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Read a choice."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(f"{name}={shown(value)}: choose {' or '.join(map(repr, allowed))}")
    return str(value)


REASONS: dict[str, str] = packaged("join/reasons.json")
"""Why a row has no clinic."""
REASON_NO = {name: np.int8(no) for no, name in enumerate(REASONS)}


@dataclass(frozen=True, slots=True)
class Source:
    """Which columns say where a row is."""

    lat: str | None = None
    lon: str | None = None
    geometry: str | None = None
    address: str | Sequence[str] | None = None
    radius: Any = None

    def __post_init__(self) -> None:
        for what in ("lat", "lon", "geometry"):
            if not isinstance(name := getattr(self, what), Hashable):
                kind = type(name).__name__
                raise InvalidInputError(f"{what}= names a column of the frame; it is not a {kind}")
        pair = self.lat is not None or self.lon is not None
        if pair + (self.geometry is not None) + (self.address is not None) > 1:
            raise InvalidInputError(
                "say once where a row is: lat= and lon=, or geometry=, or address="
            )
        if self.lat is not None and self.lat == self.lon:
            raise InvalidInputError(f"lat= and lon= name the same column, {self.lat!r}")
        if self.radius is not None and self.address is not None:
            raise InvalidInputError("an address is found with its radius: leave radius= out")

    def radius_in(self, names: Iterable[Any]) -> Any:
        """Where the radii are: as was said, or in the column that a geocoded frame has of them."""
        prefix = ("lat" if self.lat is None else str(self.lat)).removesuffix("lat")
        beside = {f"{prefix}lat", f"{prefix}radius_km", f"{prefix}precision"}
        apart = self.geometry is not None or self.address is not None
        if self.radius is not None or apart or not beside.issubset(names):
            return self.radius
        return f"{prefix}radius_km"

    def radius_told(self, names: Iterable[Any]) -> str:
        """Where the radii come from, in words."""
        radius = self.radius_in(names)
        if self.address is not None:
            return "geocoded addresses"
        if radius is None:
            return "exact"
        if not isinstance(radius, Hashable):
            return "one for each row"
        return f'column "{radius}"' if isinstance(radius, str) else f"{radius!r} km"


@dataclass(frozen=True, slots=True)
class Origins:
    """The positions of rows."""

    lat: Floats
    lon: Floats
    radius_km: Floats | None = None
    reason: npt.NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.lat)

    @property
    def located(self) -> npt.NDArray[np.bool_]:
        """Which rows have a position."""
        return ~(np.isnan(self.lat) | np.isnan(self.lon))


def read_origins(
    frame: Frame, source: Source, threads: int = 1, geocoder: Geocoder | None = None, *,
    needless: bool = False,
) -> Origins:  # fmt: skip
    """Read where each row is; addresses by a geocoder. Needless: a frame may do without."""
    apart = getattr(frame.native, "_geometry_column_name", None) is not None
    if needless and source == Source() and not (apart or {"lat", "lon"} <= set(frame.names)):
        return Origins(*np.full((2, len(frame)), np.nan))
    origins, radius = _positions(frame, source, threads, geocoder), source.radius_in(frame.names)
    if radius is None:
        return origins
    return replace(origins, radius_km=_radii(frame, radius, origins))


def _positions(frame: Frame, source: Source, threads: int, geocoder: Geocoder | None) -> Origins:
    if source.address is not None:
        return _from_addresses(frame, source.address, geocoder)
    geometry = source.geometry
    if geometry is None and source.lat is None and source.lon is None:
        geometry = getattr(frame.native, "_geometry_column_name", None)
    if geometry is not None:
        return _from_points(frame, geometry, threads)
    pairs = ((source.lat, "lat"), (source.lon, "lon"))
    names = [default if name is None else name for name, default in pairs]
    for name in names:
        frame.check_column(name, "; say where the rows are with lat= and lon=, or with address=")
    return Origins(frame.numbers(names[0]), frame.numbers(names[1]))


def _radii(frame: Frame, radius: Any, origins: Origins) -> Floats:
    if isinstance(radius, Real) or not isinstance(radius, Hashable):
        radius_km, where = _array(radius, len(frame)), "radius="
    else:
        radius_km, where = frame.numbers(radius), f'column "{radius}"'
    wrong = origins.located & ~((radius_km >= 0.0) & (radius_km < np.inf))
    if wrong.any():
        raise InvalidInputError(
            f"row {int(np.argmax(wrong))}, {where}: a position needs a radius in kilometres, 0 or "
            f"more; 0 says that it is exact (rows are counted from 0)"
        )
    return radius_km


def _array(radius: Any, n: int) -> Floats:
    """One number for all rows, or one for each."""
    try:
        if np.asarray(radius).dtype.kind in "bmM":
            raise TypeError
        given = np.asarray(radius, dtype=np.float64)
        if given.shape not in ((), (n,)):
            raise ValueError
        return np.broadcast_to(given, n).copy()
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"radius= takes a column of radii in kilometres, one number or an array of {n:,} "
            f"numbers, one for each row"
        ) from None


def check_range(lat: Floats, lon: Floats, first_row: int = 0) -> npt.NDArray[np.bool_] | None:
    """Refuse numbers that are not a position, and mark the rows that have none."""
    if _all_within(lat, 90.0) and _all_within(lon, 180.0):
        return None
    good = np.abs(lat) <= 90.0
    good &= np.abs(lon) <= 180.0
    missing = np.isnan(lat) | np.isnan(lon)
    wrong = ~(good | missing)
    if wrong.any():
        row = int(np.argmax(wrong))
        fault = fault_of_pair(float(lat[row]), float(lon[row]))
        hint = " (rows are counted from 0; leave a position that is not known empty)"
        raise wrong_position(first_row + row, str(fault), hint)
    return good


def wrong_position(row: int, fault: str, hint: str = "") -> CoordinatesError:
    """Make the error of a row, which carries the row: a file counts it otherwise."""
    error = CoordinatesError(f"row {row}: {fault}{hint}")
    error.faults = (Fault(fault, row),)
    return error


def _all_within(numbers: Floats, limit: float) -> bool:
    # NaN is neither; two reductions are faster than a comparison of each.
    return not len(numbers) or (float(numbers.min()) >= -limit and float(numbers.max()) <= limit)


def _from_points(frame: Frame, name: str, threads: int) -> Origins:
    frame.check_column(name)
    points: Any = frame.native[name] if hasattr(frame.native, "iloc") else None
    if not hasattr(points, "crs"):
        raise InvalidInputError(
            f"{name!r} is not a geometry with a coordinate reference system; geometry= takes a "
            f"column of a GeoDataFrame, for other frames give lat= and lon="
        )
    if points.crs is None:
        raise InvalidInputError(
            f'the geometry {name!r} has no CRS; if it is in degrees, call set_crs("EPSG:4326") '
            f"on the frame first"
        )
    if points.crs.is_geocentric:
        raise InvalidInputError(
            f"the geometry {name!r} is in metres from the centre of the earth; call "
            f'to_crs("EPSG:4979") on the frame first'
        )
    shapes = np.asarray(points.values._data)
    to_degrees = _to_degrees(points.crs)
    lat, lon = np.empty((2, len(shapes)))

    def read(rows: slice) -> None:
        y, x = _coordinates(shapes[rows], name, rows.start)
        # The axes of a geometry are always (lon, lat), whatever the CRS says.
        lon[rows], lat[rows] = (x, y) if to_degrees is None else to_degrees.transform(x, y)

    deque(on_threads(read, slices(len(shapes), BLOCK), threads), maxlen=0)
    return Origins(lat, lon)


def _coordinates(shapes: npt.NDArray[np.object_], name: str, first_row: int) -> Any:
    """The y and x of points; NaN for none and for empty ones."""
    import shapely

    try:
        y, x = shapely.get_y(shapes), shapely.get_x(shapes)
    except shapely.GEOSException:  # an empty point has neither
        shapes = shapes.copy()
        shapes[shapely.is_empty(shapes)] = None
        y, x = shapely.get_y(shapes), shapely.get_x(shapes)
    # What is there and is not a point has neither.
    odd = np.flatnonzero(np.isnan(y))
    wrong = odd[shapely.get_type_id(shapes[odd]) > 0]
    if len(wrong):
        row = int(wrong[0])
        raise InvalidInputError(
            f'row {first_row + row}, column "{name}": a point is needed, not a '
            f"{shapes[row].geom_type}; take representative_point() or centroid first (rows are "
            f"counted from 0)"
        )
    return y, x


def _to_degrees(crs: Any) -> Any:
    """What turns coordinates of a CRS into degrees; None if they are."""
    import pyproj

    if crs.equals("EPSG:4326", ignore_axis_order=True):
        return None
    try:
        return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise InvalidInputError(
            f"the CRS {crs.name!r} cannot be turned into degrees on WGS 84: {error}"
        ) from error


def _from_addresses(
    frame: Frame, address: str | Sequence[str], geocoder: Geocoder | None
) -> Origins:
    from ketafind.geocoding.batch import outcomes

    parts = []
    several = bool(address) and isinstance(address, list | tuple)
    columns: list[Any] = list(address) if several else [address]
    for name in columns:
        frame.check_column(name)
        parts.append([_text(value, row, name) for row, value in enumerate(frame.values(name))])
    texts = [", ".join(filter(None, those)) for those in zip(*parts, strict=True)]
    table = np.full((3, len(texts)), np.nan)
    reason = np.full(len(texts), -1, dtype=np.int8)
    for row, found in enumerate(outcomes(texts, geocoder)):
        if found.location is None:
            reason[row] = REASON_NO.get(found.status, REASON_NO["not_found"])
        else:
            table[:, row] = found.location.lat, found.location.lon, found.location.radius_km
    return Origins(table[0], table[1], table[2], reason)


def _text(value: Any, row: int, name: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if is_missing(value):
        return ""
    raise InvalidInputError(
        f'row {row}, column "{name}": an address is a text, not {type(value).__name__} '
        f"(rows are counted from 0)"
    )
