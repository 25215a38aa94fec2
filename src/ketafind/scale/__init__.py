"""Run a function of a frame where a larger frame lives: on Dask or on Spark, lazily."""

from __future__ import annotations

from ketafind.scale.engines import engine_of
from ketafind.scale.tasks import Task

__all__ = ["Task", "engine_of"]
