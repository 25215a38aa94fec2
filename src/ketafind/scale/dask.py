"""Dask: a task on every partition, on its threads or anywhere."""

from __future__ import annotations

from typing import Any

from ketafind.scale.tasks import Task, run_part

__all__ = ["map_dask"]


def map_dask(frame: Any, task: Task) -> Any:
    """Run a task on every partition of a Dask frame, when it is asked for.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Its divisions stay known: the task keeps the index.
    task : Task
        A function of a pandas frame.

    Returns
    -------
    dask.dataframe.DataFrame
        Lazy, with its columns and types declared.

    Notes
    -----
    An error counts the partitions that Dask computes: after ``joined.partitions[2:]`` partition 0
    is the third of `joined`, and small files read as one count once. Dask moves a selection before
    the task, so the task cannot know.
    """
    # The task itself says what comes out, from a frame without rows.
    meta = task(frame._meta)
    return frame.map_partitions(_part, task, meta=meta)


def _part(frame: Any, task: Task, partition_info: Any = None) -> Any:
    number = -1 if partition_info is None else partition_info["number"]
    return run_part(task, frame, number)
