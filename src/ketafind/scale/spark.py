"""Spark: a task on every batch of Arrow rows, with the schema declared."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from ketafind.errors import InvalidInputError
from ketafind.optional import require
from ketafind.scale.tasks import Task, run_part

__all__ = ["map_spark"]


def map_spark(frame: Any, task: Task) -> Any:
    """Run a task on every batch of a Spark frame, when it is asked for.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        Classic or Connect.
    task : Task
        A function of a pyarrow table; it adds columns after those that are there.

    Returns
    -------
    pyspark.sql.DataFrame
        Lazy; texts are strings.

    Raises
    ------
    InvalidInputError
        If a column has a type that Arrow does not know, or if Spark would not tell a column that
        is added from one that is there.
    """
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
