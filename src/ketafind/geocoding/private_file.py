"""SQLite files that only their owner can read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

__all__ = ["open_private"]

WAIT_S = 10.0


def open_private(path: Path) -> sqlite3.Connection:
    """Open a database that is readable by its owner only; make it if it is absent."""
    import sqlite3

    if not path.exists():
        # SQLite itself would make it readable by all; its journals take the file's mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        _enter_wal(database)
        # Durable against a killed process; NORMAL may lose the last answers on a power cut only.
        database.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _enter_wal(database: sqlite3.Connection) -> None:
    """Change to write-ahead mode; SQLite itself does not wait for a lock to do that."""
    import sqlite3

    give_up = time.monotonic() + WAIT_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
