"""Every limit on what is read, in one place."""

from __future__ import annotations

__all__ = ["MAX_CELL_CHARACTERS", "MAX_COLUMNS", "MAX_FILE_BYTES"]

MAX_FILE_BYTES = 512 * 1024 * 1024
"""The largest CSV file that is read; archives and compressed files are refused at any size."""

MAX_CELL_CHARACTERS = 100_000
"""The longest cell."""

MAX_COLUMNS = 1_000
"""The most columns."""
