"""Where the faults of a table are gathered, so that all of them come in one error."""

from __future__ import annotations

from typing import Any

from ketafind.errors import DataError, Fault
from ketafind.tables.scan import Row

__all__ = ["Report"]

_VALUE_SHOWN = 200


class Report:
    """The faults of one table.

    Parameters
    ----------
    source : str
        The file's name, or what the frame is called.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.faults: list[Fault] = []

    def add(
        self, message: str, row: Row | None = None, column: str | None = None, value: Any = None
    ) -> None:
        """Note one fault.

        Parameters
        ----------
        message : str
            What is wrong and what to do.
        row : Row or None
            Where; None for the whole table.
        column : str or None
            The column; None for the whole row.
        value : object
            The cell as it stood.
        """
        number = None if row is None else row.number
        if row is not None and row.line != row.number:
            message = f"{message} (line {row.line} of the file)"
        shown = None if value is None else str(value)[:_VALUE_SHOWN]
        self.faults.append(Fault(message, number, column, shown))

    def refuse(self, n_rows: int | None = None) -> None:
        """Raise if anything was noted.

        Parameters
        ----------
        n_rows : int or None
            How many data rows there were.

        Raises
        ------
        DataError
            With every fault, in row order.
        """
        if self.faults:
            faults = sorted(self.faults, key=lambda fault: fault.row or 0)
            raise DataError(self.source, faults, n_rows)
