"""One request an address: who asks first claims it, the others wait for the answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    Execute = Callable[[str, Any], sqlite3.Cursor | None]

__all__ = ["claimed"]

CLAIM = """
INSERT INTO claims VALUES (:key, :owner, :until)
ON CONFLICT (key) DO UPDATE SET owner = :owner, until = :until
WHERE until < :now OR until > :until + 60
"""
"""Take an address that nobody claims, whose claim has run out, or was made by another clock."""
POLL_S = 0.01


@contextmanager
def claimed(execute: Execute, key: bytes, lasts_s: float) -> Iterator[None]:
    """Hold an address while it is asked for; wait while another thread or process holds it."""
    owner = f"{os.getpid()}.{get_ident()}"
    mine = _claim(execute, key, owner, lasts_s)
    try:
        yield
    finally:
        if mine:
            execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, owner))


def _claim(execute: Execute, key: bytes, owner: str, lasts_s: float) -> bool:
    """Wait for an address to be free; False if it is ours already, or cannot be claimed."""
    give_up = time.monotonic() + lasts_s
    while time.monotonic() < give_up:
        now = time.time()
        taken = execute(CLAIM, {"key": key, "owner": owner, "now": now, "until": now + lasts_s})
        if taken is None or taken.rowcount == 1:
            return taken is not None
        held = execute("SELECT owner FROM claims WHERE key = ?", (key,))
        row = None if held is None else held.fetchone()
        if row is not None and row[0] == owner:
            return False
        if row is not None and not _is_running(row[0]):
            execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, row[0]))
        else:
            time.sleep(POLL_S)
    return False


def _is_running(owner: str) -> bool:
    """Whether the process that claims an address is still there."""
    process = owner.partition(".")[0]
    if os.name != "posix" or not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
