"""Answers of online geocoders, kept in one SQLite file: durable, checked, readable by one user."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ketafind.errors import DirectoryFileError, PlaceNotFoundError
from ketafind.geocoding.claims import claimed
from ketafind.geocoding.private_file import open_private
from ketafind.geocoding.words import words_of
from ketafind.records import Location

if TYPE_CHECKING:
    import sqlite3

__all__ = ["CachedAnswer", "GeocodeCache", "cache_key"]

SCHEMA = 1
DAY_S = 86_400.0
LIFETIMES_S = {"ok": 180 * DAY_S, "not_found": 14 * DAY_S}
"""How long an answer of each status is good; errors are not kept at all."""

FIELDS = ("lat", "lon", "precision", "radius_km", "match", "corrections", "source", "label")
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, status TEXT NOT NULL, payload TEXT NOT NULL,
    stored_at REAL NOT NULL, checksum BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS claims (
    key BLOB PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL);
"""


class CachedAnswer(NamedTuple):
    """What is known of an address."""

    status: str
    location: Location | None
    reason: str

    def unwrap(self) -> Location:
        """Return the location or raise what the service's answer raised."""
        if self.location is None:
            raise PlaceNotFoundError(self.reason)
        return self.location


def cache_key(salt: bytes, provider: str, version: str, text: str) -> bytes:
    """Make the key of an address: it does not show the text, and differs from file to file."""
    words, parts = words_of(text)
    normal = json.dumps([provider, version, words, parts])
    return hmac.digest(salt, normal.encode(), "sha256")


class GeocodeCache:
    """A file of answers.

    Parameters
    ----------
    path : path-like
        The file; made if absent, readable by its owner only.
    clock : callable, optional
        Seconds since the epoch.

    Raises
    ------
    DirectoryFileError
        If the file is no cache, or a newer version wrote it.

    Notes
    -----
    Each answer is committed before the next request. Threads and forked processes have
    connections of their own. If the file cannot be written, answers are still given, and one
    warning says so. The texts of addresses are not in the file, only keyed hashes of them.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        import sqlite3

        self.path = Path(path)
        self._clock = clock
        self._links: dict[tuple[int, int], sqlite3.Connection] = {}
        self._warned = False
        try:
            self._salt = self._prepare()
        except DirectoryFileError:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            raise DirectoryFileError(
                f"{self.path} is not a geocoding cache, or is damaged ({error}); move it away"
            ) from None

    def __repr__(self) -> str:
        return f"<GeocodeCache {self.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a cache is not pickled; open its path in each process")

    def __enter__(self) -> GeocodeCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close this process's connections."""
        own = [who for who in self._links if who[0] == os.getpid()]
        # A parent's connections are left alone in its child: closing one drops the parent's lock.
        for who in own:
            self._links.pop(who).close()

    def get(self, provider: str, version: str, text: str) -> CachedAnswer | None:
        """Look an address up.

        Parameters
        ----------
        provider, version : str
            Who answered.
        text : str
            The address.

        Returns
        -------
        CachedAnswer or None
            None if it is not there, too old, from the future, or damaged.
        """
        import sqlite3

        key = cache_key(self._salt, provider, version, text)
        try:
            row = (
                self._link()
                .execute(
                    "SELECT status, payload, stored_at, checksum FROM answers WHERE key = ?", (key,)
                )
                .fetchone()
            )
        except sqlite3.Error as error:
            self._notice(f"cannot be read ({error})")
            return None
        return None if row is None else self._checked(key, *row)

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
        payload = json.dumps({name: getattr(location, name) for name in FIELDS})
        self._store(cache_key(self._salt, provider, version, text), "ok", payload)

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
        key = cache_key(self._salt, provider, version, text)
        self._store(key, "not_found", json.dumps({"reason": reason}))

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
        if known is not None:
            return known.unwrap()
        with claimed(self._execute, cache_key(self._salt, provider, version, text), lasts_s):
            known = self.get(provider, version, text)
            if known is not None:
                return known.unwrap()
            try:
                located = ask()
            except PlaceNotFoundError as error:
                self.put_not_found(provider, version, text, str(error))
                raise
            self.put(provider, version, text, located)
            return located

    def _execute(self, statement: str, values: Any) -> sqlite3.Cursor | None:
        """Run a statement, or say once that the file cannot be written: answers go on."""
        import sqlite3

        try:
            return self._link().execute(statement, values)
        except sqlite3.Error as error:
            self._notice(f"cannot be written ({error}); answers are given but not kept")
            return None

    def _prepare(self) -> bytes:
        link = self._link()
        version = link.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise DirectoryFileError(
                f"{self.path} was written by a newer ketafind (version {version}); update ketafind"
            )
        if version < SCHEMA:
            self._create(link)
        link.execute("INSERT OR IGNORE INTO meta VALUES ('salt', ?)", (secrets.token_bytes(32),))
        row = link.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()
        return bytes(row[0])

    def _create(self, link: sqlite3.Connection) -> None:
        import sqlite3

        # In one transaction: another process may be making the same file.
        link.execute("BEGIN IMMEDIATE")
        try:
            version = link.execute("PRAGMA user_version").fetchone()[0]
            tables = {r[0] for r in link.execute("SELECT name FROM sqlite_master")}
            if version == 0 and not tables <= {"turns", "sqlite_autoindex_turns_1"}:
                raise sqlite3.DatabaseError("it holds other tables")
            for statement in TABLES.split(";"):
                link.execute(statement)
            link.execute(f"PRAGMA user_version = {SCHEMA}")
        except sqlite3.Error:
            link.execute("ROLLBACK")
            raise
        link.execute("COMMIT")

    def _link(self) -> sqlite3.Connection:
        """This thread's connection; one made before a fork must not be used after it."""
        who = os.getpid(), get_ident()
        link = self._links.get(who)
        if link is None:
            link = self._links[who] = open_private(self.path)
        return link

    def _store(self, key: bytes, status: str, payload: str) -> None:
        now = self._clock()
        checksum = self._checksum(key, status, payload, now)
        self._execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
            (key, status, payload, now, checksum),
        )

    def _checksum(self, key: bytes, status: str, payload: str, stored_at: float) -> bytes:
        text = json.dumps([key.hex(), status, payload, stored_at])
        return hashlib.blake2b(text.encode(), key=self._salt, digest_size=16).digest()

    def _checked(self, key: bytes, *row: Any) -> CachedAnswer | None:
        status, payload, stored_at, checksum = row
        try:
            right = hmac.compare_digest(self._checksum(key, status, payload, stored_at), checksum)
        except (TypeError, ValueError):
            right = False
        if not right or status not in LIFETIMES_S:
            self._notice("holds a damaged answer, which is not used")
            return None
        age = self._clock() - stored_at
        # An answer from the future is the mark of a clock that was set back.
        if not -DAY_S <= age <= LIFETIMES_S[status]:
            return None
        values = json.loads(payload)
        if status == "not_found":
            return CachedAnswer(status, None, values["reason"])
        values["corrections"] = tuple(values["corrections"])
        return CachedAnswer(status, Location(**values), "")

    def _notice(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(f"the geocoding cache {self.path.name} {what}", stacklevel=4)
