"""One request at a time to a service, with a pause between: for all threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ketafind.errors import GeocoderBusyError
from ketafind.geocoding.private_file import open_private

if TYPE_CHECKING:
    import sqlite3

__all__ = ["RateLimit"]

FAR_S = 3_600.0
"""A turn farther ahead than this is the mark of a clock that was set back: it does not count."""


class RateLimit:
    """Hands out turns that are at least so many seconds apart.

    Parameters
    ----------
    min_delay_s : float
        Seconds between the starts of two requests; 1 is the most that public services allow.
    path : path-like, optional
        A file that processes share, so that together they keep the pace; made if absent.
    clock : callable, optional
        Seconds since the epoch.
    sleep : callable, optional
        Waits for some seconds.
    """

    def __init__(
        self,
        min_delay_s: float = 1.0,
        path: str | Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.min_delay_s = min_delay_s
        self.path = None if path is None else Path(path)
        self._clock, self._sleep = clock, sleep
        self._next = 0.0
        self._lock = Lock()

    def wait(self, name: str, deadline: float) -> None:
        """Wait for this service's next turn.

        Parameters
        ----------
        name : str
            The service.
        deadline : float
            The clock's time after which no turn is of use.

        Raises
        ------
        GeocoderBusyError
            If the turn would come after the deadline; none is taken.
        """
        now = self._clock()
        turn = self._turn(name, now, deadline)
        if turn > now:
            self._sleep(turn - now)

    def postpone(self, name: str, delay_s: float) -> None:
        """Let nobody ask a service for some seconds: it said so.

        Parameters
        ----------
        name : str
            The service.
        delay_s : float
            Seconds, at most an hour.
        """
        until = self._clock() + min(delay_s, FAR_S)
        if self.path is None:
            with self._lock:
                self._next = max(self._next, until)
            return
        database = self._shared()
        try:
            database.execute(
                "INSERT INTO turns VALUES (?, ?) ON CONFLICT (name) "
                "DO UPDATE SET next = max(next, excluded.next)",
                (name, until),
            )
        finally:
            database.close()

    def _turn(self, name: str, now: float, deadline: float) -> float:
        if self.path is None:
            with self._lock:
                turn = self._checked(name, self._next, now, deadline)
                self._next = turn + self.min_delay_s
                return turn
        database = self._shared()
        try:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT next FROM turns WHERE name = ?", (name,)).fetchone()
            turn = self._checked(name, row[0] if row else 0.0, now, deadline)
            database.execute(
                "INSERT OR REPLACE INTO turns VALUES (?, ?)", (name, turn + self.min_delay_s)
            )
            database.execute("COMMIT")
            return turn
        finally:
            # Without COMMIT the transaction is rolled back: a turn not used is not taken.
            database.close()

    def _checked(self, name: str, following: float, now: float, deadline: float) -> float:
        turn = now if following > now + FAR_S else max(now, following)
        if turn > deadline:
            raise GeocoderBusyError(
                f"{name} is busy: the next turn comes in {turn - now:.0f} s, after the deadline",
                retry_after_s=turn - now,
            )
        return turn

    def _shared(self) -> sqlite3.Connection:
        database = open_private(Path(self.path or ""))
        database.execute(
            "CREATE TABLE IF NOT EXISTS turns (name TEXT PRIMARY KEY, next REAL NOT NULL)"
        )
        return database
