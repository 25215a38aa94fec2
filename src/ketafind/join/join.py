"""The nearest clinics of every row of a frame, in memory or spread over Dask and Spark."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.files import in_memory, require
from ketafind.index.kernel import threads_for
from ketafind.index.protocol import check_count, check_limit
from ketafind.join.columns import Answers, always, check_extra, stamped
from ketafind.join.frames import Frame, column_names, open_frame
from ketafind.join.origins import Source, check_directory, check_prefix, one_of, read_origins
from ketafind.join.search import refuse_implausible, search
from ketafind.query.filter import Filter, UnknownPolicy

if TYPE_CHECKING:
    from ketafind.criteria import Criteria, Terms
    from ketafind.directory import Directory
    from ketafind.join.journeys import Travel
    from ketafind.travel import Router


Task = Callable[..., Any]
"""A function of a frame that can be pickled; its messages count rows from its `first_row`."""


def run_part(task: Task, frame: Any, partition: int, first_row: int = 0) -> Any:
    """Run a task on one part; an error says which."""
    try:
        return task(frame, first_row=first_row)
    except InvalidInputError as error:
        kind = CoordinatesError if isinstance(error, CoordinatesError) else InvalidInputError
        message = f"partition {partition}, {error}"
    # Raised outside the handler: a worker sends one plain error.
    raise kind(message)


def map_dask(frame: Any, task: Task) -> Any:
    """Run a task on every partition of a Dask frame, when it is asked for."""
    # The task itself says what comes out, from a frame without rows.
    return frame.map_partitions(_part, task, meta=task(frame._meta))


def _part(frame: Any, task: Task, partition_info: Any = None) -> Any:
    number = -1 if partition_info is None else partition_info["number"]
    return run_part(task, frame, number)


def map_spark(frame: Any, task: Task) -> Any:
    """Run a task on every batch of a Spark frame, when it is asked for."""
    arrow = require("pyspark.sql.pandas.types", "spark")
    pa = require("pyarrow", "spark")
    fields = frame.schema.fields
    made = _plain(task(_arrow_schema(frame, arrow).empty_table()), pa).schema
    _check_case(frame, made.names[len(fields) :])
    declared = arrow.from_arrow_schema(made)
    for at, field in enumerate(fields):
        declared.fields[at] = field
    return frame.mapInArrow(_Batches(task), declared)


def _arrow_schema(frame: Any, arrow: Any) -> Any:
    """What Arrow calls the types of a frame's columns."""
    # Spark 4.0 gives instants the zone UTC by itself; later ones must be told a zone.
    zone = {}
    if "timezone" in inspect.signature(arrow.to_arrow_schema).parameters:
        zone["timezone"] = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    try:
        return arrow.to_arrow_schema(frame.schema, **zone)
    except require("pyspark.errors", "spark").PySparkException as error:
        raise InvalidInputError(f"Spark cannot hand these columns to Arrow: {error}") from error


def _check_case(frame: Any, added: Sequence[str]) -> None:
    """Refuse to add a name that is there in other case, unless Spark is told to mind case."""
    if frame.sparkSession.conf.get("spark.sql.caseSensitive").lower() == "true":
        return
    there = {name.lower(): name for name in frame.columns}
    for name in added:
        if name.lower() in there:
            raise InvalidInputError(
                f"the frame already has a column {there[name.lower()]!r}, and Spark would not "
                f"tell {name!r} from it; rename it, or pass prefix=, such as "
                f'prefix="near_", which is put before the name of every column that is added'
            )


class _Batches:
    """What a worker runs; pickled with its task."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa
        from pyspark import TaskContext

        context = TaskContext.get()
        partition = -1 if context is None else context.partitionId()
        first_row = 0
        for batch in batches:
            part = pa.Table.from_batches([batch])
            yield from _plain(run_part(self._task, part, partition, first_row), pa).to_batches()
            first_row += batch.num_rows


def _plain(table: Any, pa: Any) -> Any:
    """The same rows with texts instead of dictionaries, which Spark does not know."""
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.string()))
    return table


def read_travel(
    router: Any, cost: Any, directory: Directory, candidates: Frame | None = None
) -> Travel | None:
    """Read how one gets there; None for straight lines, which load no more for it."""
    if router is None and cost is None:
        return None
    from ketafind.join.journeys import Travel

    travel = Travel(router, cost)
    if travel.costs is not None:
        travel.costs.check_clinics(directory, candidates)
    return travel


MOST_WIDE = 1_000
"""Clinics of a row in a wide frame: each has columns."""

ENGINES = {
    "dask.dataframe": map_dask,
    "pyspark.sql": map_spark,
    # Spark Connect has classes of its own.
    "pyspark.sql.connect.dataframe": map_spark,
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Join:
    """A join that is ready to run on any frame; can be pickled."""

    directory: Directory
    where: Criteria | None
    unknown: UnknownPolicy
    k: int
    source: Source
    limit: float | None
    travel: Travel | None
    how: str
    shape: str
    columns: tuple[str, ...]
    prefix: str
    threads: int | None
    progress: bool | None
    check: bool
    told: bool
    """Whether an answer remembers the criteria."""

    def __call__(self, frame: Any, first_row: int = 0, eligible: Filter | None = None) -> Any:
        """Join a frame that is in memory."""
        opened = open_frame(frame)
        if eligible is None:
            eligible = self.directory.filter(self.where, unknown=self.unknown)
        threads = threads_for(len(opened)) if self.threads is None else self.threads
        reader = None if self.source.address is None else self.directory._reader
        needless = self.travel is not None and self.travel.costs is not None
        origins = read_origins(opened, self.source, threads, reader, needless=needless)
        journeys, asked = None, {"threads": threads, "first_row": first_row}
        if self.travel is None:
            found = search(
                self.directory, eligible, origins, self.k, max_distance_km=self.limit,
                progress=self.progress, check=self.check, **asked,
            )  # fmt: skip
        else:
            journeys = self.travel.journeys(self.directory, opened, origins)
            refuse_implausible(self.directory, origins, check=self.check, **asked)
            limit = math.inf if self.limit is None else self.limit
            found = journeys.nearest(eligible, self.k, limit, progress=self.progress)
            self.travel.n_missing = journeys.n_missing
        answers = Answers(eligible, origins, found, self.k, self.limit, threads, journeys)
        lay_out = answers.wide if self.shape == "wide" else answers.long
        columns, times = lay_out(self._added(), left=self.how == "left")
        named = {self.prefix + name: column for name, column in columns.items()}
        joined = opened.extended(named, times, threads)
        return self.stamped(joined, column_names(frame), eligible)

    def stamped(self, joined: Any, names: Sequence[Any], eligible: Filter) -> Any:
        """Let an answer remember where it comes from; its criteria only where that is asked."""
        return stamped(
            joined,
            "nearest_join",
            self.directory,
            eligible,
            unknown=eligible.unknown,
            radius=self.source.radius_told(names),
            criteria=self.told,
            travel=self.travel,
            k=self.k,
            **{"max_distance_km" if self.travel is None else "max_time_min": self.limit},
            how=self.how,
        )

    def __repr__(self) -> str:
        # What is sought is health information: a task graph may print this.
        return f"<Join with the {self.k} nearest of {len(self.directory)} clinics>"

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        # The snapshot names the data: Dask need not hash every clinic.
        others = (getattr(self, name) for name in self.__slots__ if name != "directory")
        return ("ketafind.Join", self.directory.snapshot.id, *map(repr, others))

    def _added(self) -> tuple[str, ...]:
        names = [*always("km" if self.travel is None else self.travel.unit), *self.columns]
        if self.source.address is not None:
            names += ["origin_lat", "origin_lon", "origin_radius_km"]
        if self.how == "left":
            names.append("reason")
        return tuple(names)


def _engine_of(frame: Any) -> Callable[[Any, Task], Any] | None:
    """What runs a join on a frame that is not in memory."""
    for module, engine in ENGINES.items():
        # A frame can only be of a library that is imported already.
        library = sys.modules.get(module)
        if library is not None and isinstance(frame, getattr(library, "DataFrame", ())):
            return engine
    return None


def nearest_join(
    frame: Any,
    directory: Directory,
    *,
    k: int = 1,
    lat: str | None = None,
    lon: str | None = None,
    geometry: str | None = None,
    address: str | Sequence[str] | None = None,
    radius: Any = None,
    where: Criteria | Filter | None = None,
    unknown: UnknownPolicy = "exclude",
    max_distance_km: float | None = None,
    router: Router | None = None,
    cost: Any = None,
    max_time_min: float | None = None,
    how: Literal["left", "inner"] = "left",
    shape: Literal["long", "wide"] = "long",
    columns: Sequence[str] = (),
    prefix: str = "",
    threads: int | None = None,
    progress: bool | None = None,
    check: bool = True,
    provenance: bool = False,
    **facets: Terms,
) -> Any:
    """Add to each row of a frame its k nearest clinics among those that pass.

    Parameters
    ----------
    frame : pandas, geopandas, polars, pyarrow, Dask or Spark frame
        One row a person, place or postal code. Its rows, columns, order and index are kept. Dask
        and Spark stay lazy: each partition is joined where it lives. A lazy frame of polars is
        collected, a relation of DuckDB becomes a pyarrow table, a GeoSeries a GeoDataFrame.
    directory : Directory
        The clinics.
    k : int
        How many clinics for each row; 1,000 at most if `shape` is ``"wide"``.
    lat, lon : str, optional
        Columns of decimal degrees on WGS 84; ``"lat"`` and ``"lon"`` if nothing else says where
        the rows are.
    geometry : str, optional
        A column of points of a GeoDataFrame, in any CRS that is stated; its active geometry if
        nothing else says where the rows are.
    address : str or sequence of str, optional
        A column of addresses, or the columns of their parts in order, geocoded offline as the
        directory's origins are; adds ``origin_lat``, ``origin_lon`` and ``origin_radius_km``, the
        90 % radius.
    radius : str, float or array of float, optional
        The 90 % radii of the positions in kilometres: a column, one number for all rows, or an
        array of one for each (on Dask and Spark a column or a number): intervals and
        ``order_certain`` count them. None for the column ``radius_km`` of a frame that
        `geocode_frame` made, which lies beside ``lat`` and ``precision``; other positions are
        exact.
    where, unknown
        As in `Directory.filter`.
    max_distance_km : float, optional
        Leave out what is farther; goes with straight lines only.
    router : Router, optional
        Rank by travel time: see `ketafind.travel`. On a `travel.GraphRouter` one search from each
        clinic serves every row; a service is asked for matrices.
    cost : frame, optional
        Rank by times or costs of your own: ``origin`` (the value of the frame's column
        ``origin``, or of its index), ``clinic_id`` and ``minutes``, or one other column of costs.
        A pair that is missing is unreachable. Rows and clinics need no position.
    max_time_min : float, optional
        With `router` or `cost`: leave out what takes longer, or costs more.
    how : str
        ``"left"`` keeps rows without a clinic and says why in ``reason``; ``"inner"`` drops them.
    shape : str
        ``"long"``: one row for each clinic found; ``"wide"``: one row for each row, with columns
        ``clinic_id_1``, ``distance_km_1``, ... and so on to k.
    columns : sequence of str
        What else to add: fields of the clinic (``name``, ``city``, ...), ``clinic_lat``,
        ``clinic_lon``, ``clinic_radius_km``, ``distance_low_km`` and ``distance_high_km`` (the
        90 % interval; by time ``travel_time_low_min`` and ``travel_time_high_min`` too, from the
        router's error and from what positions may be off, at the pace of the way and at least a
        minute a kilometre), ``order_certain`` (not by time; takes a second search), and facts by the plural of
        their facet (``routes``, ``staff``, ...): the terms that the service which answers is
        known to offer, joined by ``;``; missing where none is known.
    prefix : str
        Put before the name of every column that is added.
    threads : int, optional
        How many threads; None for what suits the machine, and 1 a partition on Dask and Spark.
        Answers do not depend on it.
    progress : bool, optional
        Show a progress bar; None for long work in a terminal or notebook.
    check : bool
        False to accept rows over 2,000 km from every clinic that are (0, 0), or whose swapped or sign-changed
        position is within 500 km of one.
    provenance : bool
        True to let the frame remember the criteria, too: see `provenance`. They say what is
        sought, and pandas and pyarrow write them into Parquet.
    **facets
        As in `Directory.filter`, such as ``routes="iv"``.

    Returns
    -------
    frame
        Of the type that came in, with ``rank`` (from 1), ``clinic_id``, ``distance_km``
        (geodesic, WGS 84), ``truth`` and ``reason`` added, by a router or costs of minutes
        ``travel_time_min`` (free-flow), by other costs ``cost``. In the order of the rows, then of
        distance rounded to one micrometre, or of time to one millisecond, then of clinic id.
        Missing values are the frame's own (``<NA>``, NaN or null). Texts are categorical in pandas,
        dictionaries in pyarrow.

    Raises
    ------
    InvalidInputError
        If the frame or an argument cannot be used: a column that is missing, doubled, of another
        type or there already; a geometry without a CRS; a position without a radius.
    CoordinatesError
        If a row is no position on earth or implausible; names it without its digits.

    Examples
    --------
    >>> import pandas as pd
    >>> import ketafind as kf
    >>> people = pd.DataFrame({"lat": [44.23, 43.65], "lon": [-76.48, -79.38]}, index=["a", "b"])
    >>> near = kf.nearest_join(people, kf.load_directory(), columns=["city"], routes="iv")
    >>> near["city"].tolist()
    ['Kingston', 'Toronto']
    """
    check_directory(directory)
    check_prefix(prefix)
    travel = read_travel(router, cost, directory)
    if (max_time_min if travel is None else max_distance_km) is not None:
        raise InvalidInputError(
            "max_time_min= goes with router= or cost=, max_distance_km= with straight lines"
        )
    frame = in_memory(frame)
    criteria = directory.filter(where, unknown=unknown, **facets)
    if shape == "wide" and check_count(k, "k") > MOST_WIDE:
        raise InvalidInputError(f"shape='wide' makes columns for each of {MOST_WIDE:,} at most")
    join = Join(
        directory=directory,
        where=criteria.criteria,
        unknown=criteria.unknown,
        k=check_count(k, "k"),
        source=Source(lat, lon, geometry, address, radius),
        limit=_limit(max_distance_km=max_distance_km, max_time_min=max_time_min),
        travel=travel,
        how=one_of("how", how, ("left", "inner")),
        shape=one_of("shape", shape, ("long", "wide")),
        columns=check_extra(columns, directory.vocabulary, travel.unit if travel else "km"),
        prefix=prefix,
        threads=None if threads is None else check_count(threads, "threads"),
        progress=progress,
        check=check,
        told=provenance,
    )
    if (engine := _engine_of(frame)) is None:
        return join(frame, eligible=criteria)
    if not isinstance(radius, Hashable):
        raise InvalidInputError("radius= is a column or one number for a frame of Dask or Spark")
    # The engine has the cores already, and shows its own progress.
    joined = engine(frame, replace(join, threads=threads or 1, progress=False))
    return join.stamped(joined, column_names(frame), criteria)


def _limit(**limits: float | None) -> float | None:
    """Read the limit that is given, if any."""
    given = [check_limit(value, name) for name, value in limits.items() if value is not None]
    return given[0] if given else None
