"""The books in one SQLite file: a write-ahead log, synced at every commit, written by one process."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from zaum_ledger.shell.stores import port, schema

BUSY_SECONDS: Final = 5.0
_CHUNK: Final = 500
"""Keys in one statement; SQLite takes 999 and more."""
_PAGE: Final = 500


class Sqlite:
    """An `Engine`.

    Whoever writes holds the lock file beside the database for as long as it lives: no two ledgers keep the same books,
    whatever a rollout does. A backup reads without it.
    """

    def __init__(self, path: Path, *, writes: bool = True) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._outdated = False
        """The reader's connection was opened before a write failed: it would keep what it knows of the volume alive."""
        self._lock = self._locked() if writes else None

    def migrate(self) -> tuple[int, int]:
        """Bring the schema forward."""
        with self._errors():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(schema.TABLE)
            row = connection.execute("SELECT max(version) FROM zaum_schema").fetchone()
            found = row[0] or 0
            for number, step in schema.ahead(found, schema.SQLITE):
                for statement in step:
                    connection.execute(statement)
                connection.execute("INSERT INTO zaum_schema VALUES (?)", (number,))
            connection.execute("COMMIT")
            return found, len(schema.SQLITE)

    def last(self) -> int:
        """Give the latest time in the books."""
        with self._errors():
            row = self._open().execute("SELECT max(at) FROM books").fetchone()
            return int(row[0] or 0)

    def begin(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """Open a transaction: SQLite has one writer at a time."""
        values: dict[str, bytes | None] = dict.fromkeys(keys)
        with self._errors():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            for start in range(0, len(keys), _CHUNK):
                some = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(some))
                values.update(connection.execute(f"SELECT key, value FROM books WHERE key IN ({marks})", some))  # noqa: S608 - marks alone
        return values

    def commit(self, values: port.Values, at: int) -> None:
        """Write and sync."""
        with self._errors():
            connection = self._open()
            gone = [(key,) for key, value in values.items() if value is None]
            kept = [(key, value, at) for key, value in values.items() if value is not None]
            if gone:
                connection.executemany("DELETE FROM books WHERE key = ?", gone)
            connection.executemany(
                "INSERT INTO books VALUES (?, ?, ?) ON CONFLICT (key)"
                " DO UPDATE SET value = excluded.value, at = max(at, excluded.at)",
                kept,
            )
            connection.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        """Give books from a connection of its own: the log lets it read while another writes."""
        with self._errors(reading=True):
            if self._outdated:
                self._outdated = False
                self._drop(reading=True)
            if self._reading is None:
                self._reading = self._connect()
            rows = self._reading.execute(
                "SELECT key, value FROM books WHERE key > ? ORDER BY key LIMIT ?", (after, most)
            )
            return rows.fetchall()

    def snapshot(self, page: Callable[[Sequence[tuple[str, bytes, int]]], None]) -> None:
        """Hand over all books of one moment."""
        with self._errors():
            connection = self._open()
            connection.execute("BEGIN")
            self._refuse_later(connection)
            rows = connection.execute("SELECT key, value, at FROM books ORDER BY key")
            while some := rows.fetchmany(_PAGE):
                page(some)
            connection.execute("COMMIT")

    def fill(self, rows: Sequence[tuple[str, bytes, int]], *, replace: bool) -> None:
        """Put these books in as one."""
        with self._errors():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            if replace:
                connection.execute("DELETE FROM books")
            elif connection.execute("SELECT count(*) FROM books").fetchone()[0]:
                raise port.StorageError("the database holds books already")
            connection.executemany("INSERT INTO books VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of file and lock."""
        self._drop(reading=False)
        self._drop(reading=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refuse_later(self, connection: sqlite3.Connection) -> None:
        schema.ahead(connection.execute("SELECT max(version) FROM zaum_schema").fetchone()[0] or 0, schema.SQLITE)

    def _locked(self) -> int:
        try:
            lock = os.open(
                self._path.with_name(self._path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise port.StorageError(f"{self._path.parent} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise port.StorageError(f"another ledger has {self._path} open") from error
        return lock

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._lock is None and not self._path.exists():
                raise port.StorageError(f"there is no {self._path}")
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    @contextlib.contextmanager
    def _errors(self, *, reading: bool = False) -> Iterator[None]:
        try:
            yield
        except port.StorageError:
            self.rollback()
            raise
        except sqlite3.Error as error:
            # After a failed write or sync nobody knows what the file's handle still holds: begin anew from the disk.
            self._drop(reading=reading)
            raise port.StorageError(f"{self._path.name}: {error}") from error

    def _drop(self, *, reading: bool) -> None:
        connection = self._reading if reading else self._connection
        if reading:
            self._reading = None
        else:
            self._connection = None
            self._outdated = True
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
