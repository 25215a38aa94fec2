"""Spark: a task on every batch of Arrow rows, with the schema declared."""

from __future__ import annotations

from collections.abc import Iterator
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
        If a column has a type that Arrow does not know.
    """
    arrow = require("pyspark.sql.pandas.types", "spark")
    pa = require("pyarrow", "spark")
    schema = frame.schema
    try:
        empty = arrow.to_arrow_schema(schema).empty_table()
    except require("pyspark.errors", "spark").PySparkException as error:
        raise InvalidInputError(f"Spark cannot hand these columns to Arrow: {error}") from error
    made = _plain(task(empty), pa).schema
    declared = arrow.from_arrow_schema(made)
    for at, field in enumerate(schema.fields):
        declared.fields[at] = field
    return frame.mapInArrow(_Batches(task), declared)


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
    fields = [
        pa.field(field.name, pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
