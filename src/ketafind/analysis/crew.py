"""Threads that share out the blocks of one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType

from ketafind.index.checks import check_count
from ketafind.index.kernel import threads_for

__all__ = ["ALONE", "BLOCK", "Crew", "blocks"]

Work = Callable[[slice], object]

BLOCK = 2**17
"""So many numbers are written in one go: they stay in the cache."""


def blocks(n: int, most: int) -> list[slice]:
    """Cut a range into blocks of about one size.

    Parameters
    ----------
    n : int
        How many rows.
    most : int
        How many a block has at the most.

    Returns
    -------
    list of slice
        In order; none if there is no row.
    """
    count = -(-n // most)
    size = -(-n // count) if count else 1
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


class Crew:
    """Threads for work on blocks of rows that leaves Python alone: searching, copying.

    Used in a ``with`` block, at whose end they are gone.

    Parameters
    ----------
    n : int
        How many rows there are to work on.
    threads : int, optional
        How many threads, the caller's own among them; None for what suits machine and rows.

    Raises
    ------
    InvalidInputError
        If `threads` is no whole number of 1 or more.
    """

    def __init__(self, n: int, threads: int | None = None) -> None:
        if threads is None:
            threads = threads_for(n)
        self.threads = check_count(threads, "threads")
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, work: Work, parts: Sequence[slice], done: Work | None = None) -> None:
        """Do work on each part.

        Parameters
        ----------
        work : callable
            Takes a slice of rows; safe to run on several threads.
        parts : sequence of slice
            The parts; each thread takes the next one as soon as it is free.
        done : callable, optional
            Called with each part that is done: one at a time, on whatever thread.

        Raises
        ------
        Exception
            What `work` raised on the first part on which it did; nothing more is begun then.
        """
        shift = _Shift(work, parts, done)
        hands = 0 if self._pool is None else min(self.threads, len(parts)) - 1
        helpers = [self._pool.submit(shift.labour) for _ in range(hands) if self._pool]
        try:
            shift.labour()
        finally:
            # An interrupt ends the others, too.
            shift.over = True
            for helper in helpers:
                helper.result()
        if shift.faults:
            raise shift.faults[min(shift.faults)]

    def fill(self, work: Work, n: int, width: int = 1) -> None:
        """Let work write all rows of an array, block by block.

        Parameters
        ----------
        work : callable
            Writes a slice of rows.
        n : int
            How many rows.
        width : int
            How many numbers a row takes.
        """
        self.run(work, blocks(n, max(1, BLOCK // max(1, width))))


class _Shift:
    """One piece of work, and how far it is."""

    def __init__(self, work: Work, parts: Sequence[slice], done: Work | None) -> None:
        self.over = False
        self.faults: dict[int, Exception] = {}
        self._work = work
        self._parts = parts
        self._done = done
        self._next = iter(range(len(parts)))
        self._lock = Lock()

    def labour(self) -> None:
        """Take part after part until none is left."""
        for at in self._numbers():
            try:
                self._work(self._parts[at])
            except Exception as error:  # noqa: BLE001 - raised when all threads have stopped
                self.faults[at] = error
                self.over = True
            if self._done is not None:
                with self._lock:
                    self._done(self._parts[at])

    def _numbers(self) -> Iterator[int]:
        while not self.over:
            with self._lock:
                at = next(self._next, None)
            if at is None:
                return
            yield at


ALONE = Crew(0, 1)
"""The caller's own thread."""
