"""A function of a frame, run on one part of a larger one."""

from __future__ import annotations

from typing import Any, Protocol

from ketafind.errors import CoordinatesError, InvalidInputError

__all__ = ["Task", "run_part"]


class Task(Protocol):
    """A function of a frame that can be pickled."""

    def __call__(self, frame: Any, first_row: int = 0) -> Any:
        """Compute a frame of the same type; messages count rows from `first_row`."""
        ...


def run_part(task: Task, frame: Any, partition: int, first_row: int = 0) -> Any:
    """Run a task on one part; an error says which.

    Parameters
    ----------
    task : Task
        What to run.
    frame : frame
        The part.
    partition : int
        Its number.
    first_row : int
        The number, in the partition, of its first row.

    Returns
    -------
    frame
        What the task returned.

    Raises
    ------
    InvalidInputError, CoordinatesError
        As the task did, with the partition's number before the text.
    """
    try:
        return task(frame, first_row=first_row)
    except InvalidInputError as error:
        kind = CoordinatesError if isinstance(error, CoordinatesError) else InvalidInputError
        message = f"partition {partition}, {error}"
    # Raised outside the handler: a worker sends one plain error.
    raise kind(message)
