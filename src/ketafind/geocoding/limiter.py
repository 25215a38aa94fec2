"""When a service is asked: one request at a time, with a pause between, and none for ever."""

from __future__ import annotations

import sqlite3
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from ketafind.errors import GeocoderBusyError
from ketafind.geocoding.cache import FILE_FAULTS, is_locked, open_private, patiently

FAR_S = 3_600.0
"""A turn farther ahead than this is the mark of a clock that was set back: it does not count."""

BRIEFLY_S = 0.2
TABLE = "CREATE TABLE IF NOT EXISTS turns (name TEXT PRIMARY KEY, next REAL NOT NULL)"
POSTPONE = """
INSERT INTO turns VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)
"""

Value = TypeVar("Value")


class RateLimit:
    """Hands out turns that are at least so many seconds apart.

    Parameters
    ----------
    min_delay_s : float
        Seconds between the starts of two requests; 1 is the most that public services allow.
    path : path-like, optional
        A file that processes share, so that together they keep the pace; made if absent. If it
        cannot be used, one warning says so and this process keeps the pace alone.
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
        self.clock, self._sleep = clock, sleep
        self._next: dict[str, float] = {}
        self._lock = Lock()
        self._warned = False

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
            If the turn would come after the deadline, or another process has the file locked
            until then; none is taken.
        """
        turn = None if self.path is None else self._shared_turn(self.path, name, deadline)
        if turn is None:
            with self._lock:
                turn = self._checked(name, 0.0, deadline)
                self._next[name] = turn + self.min_delay_s
        ahead_s = turn - self.clock()
        if ahead_s > 0:
            self._sleep(ahead_s)

    def postpone(self, name: str, delay_s: float) -> None:
        """Let nobody ask a service for some seconds: it said so.

        Parameters
        ----------
        name : str
            The service.
        delay_s : float
            Seconds, at most an hour.
        """
        until = self.clock() + min(delay_s, FAR_S)
        self._note(name, until)
        if self.path is None:
            return
        values = (name, until)
        try:
            self._share(self.path, lambda shared: shared.execute(POSTPONE, values), BRIEFLY_S)
        except FILE_FAULTS as error:
            self._notice(error)

    def _shared_turn(self, path: Path, name: str, deadline: float) -> float | None:
        """Take a turn from the file; None if it cannot be used."""

        def take(database: sqlite3.Connection) -> float:
            row = database.execute(
                "SELECT next FROM turns WHERE name = ? AND next <= ?", (name, self.clock() + FAR_S)
            ).fetchone()
            turn = self._checked(name, row[0] if row else 0.0, deadline)
            database.execute(
                "INSERT OR REPLACE INTO turns VALUES (?, ?)", (name, turn + self.min_delay_s)
            )
            return turn

        try:
            turn = self._share(path, take, deadline - self.clock())
        except FILE_FAULTS as error:
            if is_locked(error):
                raise GeocoderBusyError(
                    f"{name} is busy: {path.name}, which shares the pace, is locked by another "
                    "process until after the deadline"
                ) from None
            self._notice(error)
            return None
        self._note(name, turn + self.min_delay_s)
        return turn

    def _share(
        self, path: Path, use: Callable[[sqlite3.Connection], Value], patience_s: float
    ) -> Value:
        def attempt() -> Value:
            # Without a commit the transaction is rolled back: a turn not used is not taken.
            with closing(open_private(path)) as database, database:
                database.execute(TABLE)
                database.execute("BEGIN IMMEDIATE")
                return use(database)

        return patiently(attempt, patience_s, self._sleep)

    def _checked(self, name: str, shared: float, deadline: float) -> float:
        now = self.clock()
        known = (shared, self._next.get(name, 0.0))
        turn = max(now, *(following for following in known if following <= now + FAR_S))
        if turn > deadline:
            raise GeocoderBusyError(
                f"{name} is busy: the next turn comes in {turn - now:.0f} s, after the deadline",
                retry_after_s=turn - now,
            )
        return turn

    def _note(self, name: str, until: float) -> None:
        with self._lock:
            before = self._next.get(name, 0.0)
            self._next[name] = until if before > until + FAR_S else max(before, until)

    def _notice(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the pace is not shared through {self.path} ({error}): this process keeps it alone",
                stacklevel=4,
            )


def within(call: Callable[[], Value], deadline: float, late: Callable[[], TimeoutError]) -> Value:
    """Call something that knows no deadline of `time.monotonic`; then it is left to itself."""
    result: Future[Value] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised below)
            result.set_exception(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not result.done():
        raise late()
    return result.result()
