"""When a service is asked: one request at a time, with a pause between, and none for ever."""

from __future__ import annotations

import logging
import math
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from contextvars import ContextVar, copy_context
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

from ketafind import errors
from ketafind.files import path_text
from ketafind.geo import real
from ketafind.geocoding.cache import FILE_FAULTS, is_locked, open_private, patiently, rest_until

# A turn farther ahead than this is the mark of a clock that was set back: it does not count.
FAR_S = 3_600.0

LONGEST_PAUSE_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_WAIT_S = 1e9

# They log whole URLs, with keys and addresses, and what a service replied.
LOGGERS = ("geopy", "httpx", "httpcore.connection", "httpcore.http11")

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
        if not 0.0 <= real(min_delay_s) < math.inf:
            raise errors.InvalidInputError("min_delay_s is a number of seconds, 0 or more")
        self.min_delay_s = min_delay_s
        self.path: Path | None = None if path is None else Path(path_text(path))
        self.clock: Callable[[], float] = clock
        self._sleep = sleep
        self._next: dict[str, float] = {}
        self._lock = Lock()
        self._left_alone_until = 0.0
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
                raise errors.GeocoderBusyError(
                    f"{name} is busy: the next turn comes in {turn - now:.0f} s, after the deadline",
                    retry_after_s=turn - now,
                )
            self._next[name] = turn + delay_s
            return turn

        begun = time.monotonic()
        if self.path is not None and begun >= self._left_alone_until:
            patience_s = BRIEFLY_S if deadline == math.inf else deadline - self.clock()
            shared = partial(self._shared, self.path, name, take)
            try:
                return patiently(shared, patience_s, self._sleep)
            except FILE_FAULTS as error:
                if is_locked(error) and deadline < math.inf:
                    raise errors.GeocoderBusyError(
                        f"{name} is busy: {self.path.name}, which shares the pace, is locked by "
                        "another process until after the deadline"
                    ) from None
                self._left_alone_until = rest_until(begun)
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


class PacedService:
    """What asks a service: at its pace, within a deadline, again where that may help."""

    def __init__(
        self, name: str, deadline_s: float, retries: int, budget: int | None,
        limit: RateLimit | None,
    ) -> None:  # fmt: skip
        if math.isnan(real(deadline_s)):
            raise errors.InvalidInputError("deadline_s is a number of seconds")
        for what, number in (("retries", retries), ("budget", 0 if budget is None else budget)):
            if type(number) is not int or number < 0:
                raise errors.InvalidInputError(f"{what} is a whole number, 0 or more")
        if limit is not None and not isinstance(limit, RateLimit):
            raise errors.InvalidInputError(f"limit is a RateLimit, not a {type(limit).__name__}")
        self.name = name
        self.deadline_s: float = deadline_s
        self.retries: int = retries
        self.budget: int | None = budget
        self.limit: RateLimit = limit if limit is not None else RateLimit()
        self.requests_sent: int = 0
        self._refusal: str | None = None
        self._lock = Lock()

    def _ask(self, call: Callable[[float], Value], deadline: float) -> Value:
        """Ask until there is an answer, a final failure or the deadline."""
        for retried in range(self.retries):
            try:
                return self._ask_once(call, deadline)
            except (errors.GeocoderRefusedError, errors.GeocoderBusyError):
                raise
            except errors.GeocoderFailedError as error:
                self._back_off(retried, error, deadline)
        return self._ask_once(call, deadline)

    def _back_off(self, retried: int, failure: errors.GeocoderFailedError, deadline: float) -> None:
        """Let the next turn wait as long as the service said, else longer each time."""
        said_s = failure.retry_after_s
        jitter_s = FIRST_PAUSE_S * 2**retried * random.uniform(0.5, 1.0)  # noqa: S311
        pause_s = min(jitter_s, LONGEST_PAUSE_S) if said_s is None else said_s
        late = time.monotonic() + pause_s >= deadline
        if late and said_s is None:
            raise failure
        self.limit.postpone(self.name, pause_s)
        if late:
            raise errors.GeocoderBusyError(
                f"{self.name} asks to wait {pause_s:.0f} s, longer than the deadline of "
                f"{self.deadline_s:g} s",
                retry_after_s=pause_s,
            )

    def _ask_once(self, call: Callable[[float], Value], deadline: float) -> Value:
        self._check_budget()
        # The limit's clock is the wall's: other processes have no other in common.
        self.limit.wait(self.name, self.limit.clock() + (deadline - time.monotonic()))
        with self._lock:
            self._check_budget()
            self.requests_sent += 1
        return call(deadline)

    def _check_budget(self) -> None:
        if self._refusal is not None:
            raise errors.GeocoderRefusedError(self._refusal)
        if self.budget is not None and self.requests_sent >= self.budget:
            raise errors.GeocoderRefusedError(f"the budget of {self.budget} requests is spent")


def retry_after_s(headers: Mapping[str, str] | None) -> float | None:
    """Read Retry-After, in seconds or as a date; None for anything else."""
    said = str((headers or {}).get("retry-after", "")).strip()
    if said.isascii() and said.isdigit():
        return min(float(said), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, moment - time.time())


@contextmanager
def unlogged() -> Iterator[None]:
    """Let no library log what is asked of a service in this thread meanwhile."""
    for logger in map(logging.getLogger, LOGGERS):
        logger.addFilter(_outside_a_call)  # to add it again does nothing
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)


_calling = ContextVar("_calling", default=False)


def _outside_a_call(_: logging.LogRecord) -> bool:
    return not _calling.get()


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
