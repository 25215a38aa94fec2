"""Joins spread over Dask and Spark."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ketafind.errors import CoordinatesError, InvalidInputError
from ketafind.files import require

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
