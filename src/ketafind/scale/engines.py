"""Which engine a frame belongs to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ketafind.scale.dask import map_dask
from ketafind.scale.spark import map_spark
from ketafind.scale.tasks import Task

__all__ = ["engine_of"]

Engine = Callable[[Any, Task], Any]


def engine_of(frame: Any) -> Engine | None:
    """Find the engine that runs a task on a frame.

    Parameters
    ----------
    frame : object
        Any frame.

    Returns
    -------
    callable or None
        From a frame and a task to a lazy frame of the same kind; None if the frame is in memory.
    """
    # A frame can only be of a library that is imported already; classic Spark and Spark Connect
    # have classes of their own.
    for module, engine in (
        ("dask.dataframe", map_dask),
        ("pyspark.sql", map_spark),
        ("pyspark.sql.connect.dataframe", map_spark),
    ):
        library = sys.modules.get(module)
        if library is not None and isinstance(frame, getattr(library, "DataFrame", ())):
            return engine
    return None
