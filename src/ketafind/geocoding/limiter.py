"""When a service is asked: one request at a time, with a pause between, and none for ever."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from contextvars import copy_context
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from ketafind.errors import GeocoderBusyError
from ketafind.geocoding.cache import FILE_FAULTS, is_locked, open_private, patiently

# A turn farther ahead than this is the mark of a clock that was set back: it does not count.
FAR_S = 3_600.0

BRIEFLY_S = 0.2
FOLLOWING = "SELECT max(next) FROM turns WHERE name = ? AND next <= ?"

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
        ahead_s = self._take(name, 0.0, self.min_delay_s, deadline) - self.clock()
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
        self._take(name, min(delay_s, FAR_S), 0.0, math.inf)

    def _take(self, name: str, from_now_s: float, delay_s: float, deadline: float) -> float:
        """Take the first turn that is free after some seconds; the next comes a delay later."""

        def take(noted: float) -> float:
            now = self.clock()
            known = [turn for turn in (noted, self._next.get(name, 0.0)) if turn <= now + FAR_S]
            turn = max(now + from_now_s, *known)
            if turn > deadline:
                raise GeocoderBusyError(
                    f"{name} is busy: the next turn comes in {turn - now:.0f} s, after the deadline",
                    retry_after_s=turn - now,
                )
            self._next[name] = turn + delay_s
            return turn

        if self.path is not None:
            patience_s = BRIEFLY_S if deadline == math.inf else deadline - self.clock()
            shared = partial(self._shared, self.path, name, take)
            try:
                return patiently(shared, patience_s, self._sleep)
            except FILE_FAULTS as error:
                if is_locked(error) and deadline < math.inf:
                    raise GeocoderBusyError(
                        f"{name} is busy: {self.path.name}, which shares the pace, is locked by "
                        "another process until after the deadline"
                    ) from None
                self._notice(error)
        with self._lock:
            return take(0.0)

    def _shared(self, path: Path, name: str, take: Callable[[float], float]) -> float:
        """Take a turn from the file, while no other process does."""
        # Without a commit the transaction is rolled back: a turn not used is not taken.
        with closing(open_private(path)[0]) as database, database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute(FOLLOWING, (name, self.clock() + FAR_S)).fetchone()
            turn = take(row[0] or 0.0)
            values = (name, self._next[name])
            database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?)", values)
        return turn

    def _notice(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the pace is not shared through {self.path} ({error}): this process keeps it alone",
                stacklevel=4,
            )


def within(call: Callable[[], Value], deadline: float) -> Value:
    """Call something that knows no deadline of `time.monotonic`; then it is left to itself."""
    result: Future[Value] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised below)
            result.set_exception(error)

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not result.done():
        raise TimeoutError
    return result.result()
