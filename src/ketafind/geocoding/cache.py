"""Answers of online geocoders, kept in one SQLite file: durable, checked, readable by one user."""

from __future__ import annotations

import hmac
import json
import math
import os
import secrets
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from threading import RLock, get_ident
from typing import Any, NoReturn, TypeVar

from ketafind.errors import DirectoryFileError, MissingFileError, PlaceNotFoundError
from ketafind.files import path_text
from ketafind.geocoding.lexicon import words_of
from ketafind.geocoding.locations import FIELDS
from ketafind.geocoding.protocol import Outcome
from ketafind.records import Location

SCHEMA = 3
DAY_S = 86_400.0
# How long an answer of each status is good; errors are not kept at all.
LIFETIMES_S = {"ok": 180 * DAY_S, "not_found": 14 * DAY_S}

# How long to wait, once, for a file that is locked; other writers hold it for milliseconds.
PATIENCE_S = 1.0

POLL_S = 0.01

# For how long a file is left alone after it could not be used, in times of how long that took.
REST = 20.0

OWN_TABLES = {"meta", "answers", "asking", "turns"}
# Of a cache and of a pace: both may share one file.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, status TEXT NOT NULL, payload TEXT NOT NULL,
    stored_at REAL NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS asking (key BLOB PRIMARY KEY, owner TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS turns (name TEXT PRIMARY KEY, next REAL NOT NULL)
"""

# What goes wrong with a file; SQLite's messages of a damaged one may be no text at all.
FILE_FAULTS = (DirectoryFileError, sqlite3.Error, OSError, UnicodeError)

Value = TypeVar("Value")


class _Link:
    """One process's connection: one made before a fork must not be used after it."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.database: sqlite3.Connection | None = None


class GeocodeCache(AbstractContextManager["GeocodeCache"]):
    """A file of answers.

    Parameters
    ----------
    path : path-like
        The file; made if absent. It is for its owner alone: what others may do with one that is
        there is taken back. ``":memory:"`` is refused.
    clock : callable, optional
        Seconds since the epoch.
    sleep : callable, optional
        Waits for some seconds, for a lock or for another thread's or process's answer.

    Raises
    ------
    DirectoryFileError
        If the file is no cache, or a newer version wrote it; it is left as it is.
    MissingFileError
        If there is no folder to make it in.

    Notes
    -----
    Each answer is committed before the next request. Threads and forked processes may share the
    object. If the file is locked, damaged, read-only or on a full disk, answers are still given,
    and one warning says so: what could not be written is held in memory, and written as soon as
    that is possible. Nothing is evicted and there is no bound on its size: an answer takes
    some 300 bytes, a million of them 300 MB; to begin anew, remove the file. The texts of
    addresses are not in it, only keyed hashes of them.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path: Path = Path(path_text(path))
        self._clock, self._sleep = clock, sleep
        self._links: dict[int, _Link] = {}
        self._salt = b""
        self._unwritten: dict[str, tuple[str, str, float]] = {}
        self._patience_s = PATIENCE_S
        self._left_alone_until = 0.0
        self._warned = False
        self._run(lambda _: None, None)

    def __repr__(self) -> str:
        return f"<GeocodeCache {self.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a cache is not pickled; open its path in each process")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is not written yet and close the file; a later use opens it again."""
        link = self._link()
        with link.lock:
            self._patience_s, self._left_alone_until = PATIENCE_S, 0.0
            if self._unwritten:
                self._write(list(self._unwritten))
            # A parent's connection is left alone in its child: closing it drops the parent's lock.
            if link.database is not None:
                link.database.close()
                link.database = None

    def get(self, provider: str, version: str, text: str) -> Outcome | None:
        """Look an address up.

        Parameters
        ----------
        provider, version : str
            Who answered.
        text : str
            The address. Case, accents, spaces and the forms of Unicode make no difference; words
            do.

        Returns
        -------
        Outcome or None
            Its location or the reason why there is none; None if it is not there, too old, from
            the future, damaged or out of reach.
        """
        normal = _normal(provider, version, text)
        unwritten = self._unwritten.get(normal)
        if unwritten is not None:
            return self._fresh(*unwritten)
        row = self._query(
            "SELECT status, payload, stored_at, checksum FROM answers WHERE key = ?", normal
        )
        if row is None:
            return None
        with suppress(TypeError, ValueError, LookupError, ArithmeticError, RecursionError):
            if hmac.compare_digest(self._checksum(self._key(normal), *row[:3]), row[3]):
                return self._fresh(*row[:3])
        self._notice("holds a damaged answer, which is not used")
        return None

    def put(self, provider: str, version: str, text: str, location: Location) -> None:
        """Keep an answer.

        Parameters
        ----------
        provider, version : str
            Who answered.
        text : str
            The address.
        location : Location
            The answer; its candidates are not kept.
        """
        self._put(_normal(provider, version, text), Outcome(location, "ok", ""))

    def put_not_found(self, provider: str, version: str, text: str, reason: str) -> None:
        """Keep that a service knows no such address.

        Parameters
        ----------
        provider, version : str
            Who answered.
        text : str
            The address.
        reason : str
            What to say.
        """
        self._put(_normal(provider, version, text), Outcome(None, "not_found", reason))

    def remember(
        self,
        provider: str,
        version: str,
        text: str,
        ask: Callable[[], Location],
        lasts_s: float,
    ) -> Location:
        """Answer from the file; else ask, once among all threads and processes, and keep it.

        Parameters
        ----------
        provider, version : str
            Who answers.
        text : str
            The address.
        ask : callable
            Asks the provider.
        lasts_s : float
            How long asking may take; who waits longer for another asks as well.

        Returns
        -------
        Location
            The answer.

        Raises
        ------
        PlaceNotFoundError
            If the provider knows no such address; that is kept too. No other error is.
        """
        known = self.get(provider, version, text)
        if known is None:
            normal = _normal(provider, version, text)
            with self._claimed(normal, lasts_s):
                known = self.get(provider, version, text) or self._asked(normal, ask)
        if known.location is None:
            raise PlaceNotFoundError(known.reason)
        return known.location

    def _asked(self, normal: str, ask: Callable[[], Location]) -> Outcome:
        try:
            found = Outcome(ask(), "ok", "")
        except PlaceNotFoundError as error:
            self._put(normal, Outcome(None, "not_found", str(error)))
            raise
        self._put(normal, found)
        return found

    def _fresh(self, status: str, payload: str, stored_at: float) -> Outcome | None:
        # An answer from the future is the mark of a clock that was set back.
        if not -DAY_S <= self._clock() - stored_at <= LIFETIMES_S[status]:
            return None
        values = json.loads(payload)
        if status == "not_found":
            return Outcome(None, status, values["reason"])
        return Outcome(Location(**values), status, "")

    def _put(self, normal: str, found: Outcome) -> None:
        place = found.location
        kept = {"reason": found.reason} if place is None else {n: getattr(place, n) for n in FIELDS}
        with self._link().lock:
            self._unwritten[normal] = (found.status, json.dumps(kept), self._clock())
            # After trouble the newest shows whether the file can be written again.
            self._write(list(self._unwritten) if self._patience_s else [normal])

    def _write(self, normals: list[str]) -> None:
        def write(database: sqlite3.Connection) -> list[str]:
            answers = [(self._key(normal), *self._unwritten[normal]) for normal in normals]
            rows = [(*answer, self._checksum(*answer)) for answer in answers]
            with database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
            self._patience_s = PATIENCE_S
            return normals

        for normal in self._run(write, list[str]()):
            del self._unwritten[normal]

    @contextmanager
    def _claimed(self, normal: str, lasts_s: float) -> Iterator[None]:
        """Hold an address while it is asked for; wait while another thread or process holds it."""
        owner = f"{os.getpid()}.{get_ident()}"

        def take(database: sqlite3.Connection) -> str:
            """Take an address, or return who holds it."""
            key = self._key(normal)
            with database:
                database.execute("BEGIN IMMEDIATE")
                row = database.execute("SELECT owner FROM asking WHERE key = ?", (key,)).fetchone()
                if row is not None and _is_running(str(row[0])):
                    return str(row[0])
                database.execute("INSERT OR REPLACE INTO asking VALUES (?, ?)", (key, owner))
            return ""

        # Ours already, or a file that cannot be used, is the same: there is nothing to release.
        for _ in range(1 + math.ceil(min(lasts_s, DAY_S) / POLL_S)):
            holder = self._run(take, owner)
            if holder in {"", owner}:
                break
            self._sleep(POLL_S)
        try:
            yield
        finally:
            if not holder:
                self._query("DELETE FROM asking WHERE key = ?", normal)

    def _query(self, sql: str, normal: str) -> Any:
        """The first row about an address; None if there is none or the file cannot be used."""
        return self._run(
            lambda database: database.execute(sql, (self._key(normal),)).fetchone(), None
        )

    def _link(self) -> _Link:
        return self._links.setdefault(os.getpid(), _Link())

    def _run(self, use: Callable[[sqlite3.Connection], Value], otherwise: Value) -> Value:
        """Use the file; if that cannot be, say so once and go on with something else."""
        link, begun = self._link(), time.monotonic()
        if begun < self._left_alone_until:
            return otherwise

        def attempt() -> Value:
            nonlocal begun
            begun = time.monotonic()
            if link.database is None:
                link.database, self._salt = open_private(self.path)
            return use(link.database)

        try:
            with link.lock:
                return patiently(attempt, self._patience_s, self._sleep)
        except (DirectoryFileError, MissingFileError):
            raise  # a wrong path
        except FILE_FAULTS as error:
            self._patience_s = 0.0
            self._left_alone_until = rest_until(begun)
            self._notice(
                f"cannot be used ({error}): answers are given, and not kept until it can be"
            )
            return otherwise

    def _key(self, normal: str) -> bytes:
        """An address's key: it does not show the text, and differs from file to file."""
        return hmac.digest(self._salt, normal.encode(), "sha256")

    def _checksum(self, key: bytes, status: str, payload: str, stored_at: float) -> bytes:
        text = json.dumps([key.hex(), status, payload, stored_at])
        return hmac.digest(self._salt, text.encode(), "sha256")

    def _notice(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(f"the geocoding cache {self.path.name} {what}", stacklevel=4)


def _normal(provider: str, version: str, text: str) -> str:
    return json.dumps([provider, version, *words_of(text)])


def _is_running(owner: str) -> bool:
    """Whether the process that asks for an address is still there."""
    if os.name != "posix":
        return True
    try:
        os.kill(int(owner.partition(".")[0]), 0)
    except (OSError, ValueError, OverflowError) as error:
        return isinstance(error, PermissionError)  # of another user's process
    return True


def open_private(path: Path) -> tuple[sqlite3.Connection, bytes]:
    """Open a database of ours that only its owner can read, made if absent; and its secret."""
    if str(path) == ":memory:":
        raise DirectoryFileError(
            f'"{path}" is SQLite\'s word for no file; give a path, or no cache to keep nothing'
        )
    if not path.exists():
        if not path.parent.is_dir():
            raise MissingFileError(f"{path}: there is no folder {path.parent} to make it in")
        # SQLite itself would make it readable by all; its journals take the file's mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    if not path.is_file():
        raise DirectoryFileError(f"{path} is not a file; give another path")
    try:
        return _connected(path, "")
    except sqlite3.OperationalError as error:
        if _code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise
        # In a folder where no journal can be made: what was written before can still be read.
        return _connected(path, "?immutable=1")


def _connected(path: Path, how: str) -> tuple[sqlite3.Connection, bytes]:
    uri = path.absolute().as_uri() + how
    database = sqlite3.connect(
        uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        secret = _prepared(database, path, writable=not how)
        _close_to_others(path)
        return database, secret
    except BaseException as error:
        database.close()
        if _code(error) == sqlite3.SQLITE_NOTADB:
            raise DirectoryFileError(
                f"{path} is not a geocoding cache, or its beginning is damaged; it is left as it "
                "is: give another path"
            ) from None
        raise


def _close_to_others(path: Path) -> None:
    """Let nobody but its owner read a file that another program made or copied for all."""
    if os.name != "posix":
        return
    for file in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))):
        with suppress(OSError):  # it is not there, or not ours
            mode = file.stat().st_mode
            if mode & 0o077:
                file.chmod(mode & 0o700)


def _prepared(database: sqlite3.Connection, path: Path, *, writable: bool) -> bytes:
    """Refuse a file that is not ours, make its tables where they are absent, read its secret."""
    tables = {row[0] for row in database.execute("SELECT tbl_name FROM sqlite_master")}
    if tables and not tables >= OWN_TABLES:
        raise DirectoryFileError(
            f"{path} is a database of something else, and is left as it is; give another path"
        )
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA:
        raise DirectoryFileError(
            f"{path} was written by a newer ketafind (version {version}); update ketafind"
        )
    if writable:
        database.execute("PRAGMA journal_mode = WAL")
        # Durable against a killed process; a power cut may take the last answers.
        database.execute("PRAGMA synchronous = NORMAL")
    if version < SCHEMA:
        # In one transaction: another process may be making the same file.
        with database:
            database.execute("BEGIN IMMEDIATE")
            for statement in TABLES.split(";"):
                database.execute(statement)
            salt = secrets.token_bytes(32)
            database.execute("INSERT OR IGNORE INTO meta VALUES ('salt', ?)", (salt,))
            database.execute(f"PRAGMA user_version = {SCHEMA}")
    row = database.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()
    if row is None or not isinstance(row[0], bytes) or len(row[0]) != 32:
        raise sqlite3.DatabaseError("its key is damaged")
    return row[0]


def patiently(use: Callable[[], Value], patience_s: float, sleep: Callable[[float], None]) -> Value:
    """Use a file; while another process has it locked, try again for some seconds."""
    waited = 0.0
    while True:
        try:
            return use()
        except sqlite3.OperationalError as error:
            if not is_locked(error) or waited >= patience_s:
                raise
        sleep(POLL_S)
        waited += POLL_S


def rest_until(begun: float) -> float:
    """Until when a file is left alone that could not be used: for a while, if that took long."""
    # SQLite itself tries for ten seconds where a disk became full at a bad moment.
    failed = time.monotonic()
    return failed + REST * (failed - begun) if failed - begun > PATIENCE_S else 0.0


def is_locked(error: BaseException) -> bool:
    """Whether another process has the file."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
