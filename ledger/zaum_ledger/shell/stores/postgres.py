"""The books in PostgreSQL, for more than one ledger: one transaction per group, rows locked in the order of keys."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors

from zaum_ledger.shell.stores import port, schema

_PAGE: Final = 500
_MIGRATION: Final = 0x7A61756D
"""The advisory lock under which one ledger at a time brings the schema forward: "zaum"."""
_OPTIONS: Final = (
    # What is granted must be on disk when the answer leaves, whatever the database's own default is.
    "-c synchronous_commit=on -c default_transaction_isolation=read\\ committed"
    " -c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
)
_REPEAT: Final = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)

Connection = psycopg.Connection[tuple[Any, ...]]


class Postgres:
    """An `Engine`. `where` gives a libpq URI or key=value string at each connect, so that a changed password counts."""

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where
        self._connection: Connection | None = None
        self._reading: Connection | None = None

    def migrate(self) -> tuple[int, int]:
        """Bring the schema forward, one ledger at a time."""
        with self._errors():
            connection = self._open()
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION,))
            connection.execute(schema.TABLE)
            row = connection.execute("SELECT max(version) FROM zaum_schema").fetchone()
            found = int(row[0] or 0) if row else 0
            for number, step in schema.ahead(found, schema.POSTGRES):
                for statement in step:
                    connection.execute(statement.encode())
                connection.execute("INSERT INTO zaum_schema VALUES (%s)", (number,))
            connection.commit()
            return found, len(schema.POSTGRES)

    def last(self) -> int:
        """Give the latest time in the books."""
        with self._errors():
            connection = self._open()
            row = connection.execute("SELECT max(at) FROM books").fetchone()
            connection.commit()
            return int(row[0] or 0) if row else 0

    def begin(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """Open a transaction and lock the rows.

        New books get their row first, so that there is something to lock; both steps go in the order of keys, so two
        ledgers never wait for each other in a circle.
        """
        with self._errors():
            connection = self._open()
            rows = connection.execute(
                'SELECT key, value FROM books WHERE key = ANY(%s) ORDER BY key COLLATE "C" FOR UPDATE', (list(keys),)
            ).fetchall()
            found: dict[str, bytes | None] = {key: bytes(value) for key, value in rows}
            if len(found) < len(keys):
                connection.rollback()
                found = self._begin_new(connection, keys, found)
            return {key: found.get(key) or None for key in keys}

    def _begin_new(self, connection: Connection, keys: Sequence[str], found: port.Values) -> dict[str, bytes | None]:
        missing = [key for key in keys if key not in found]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO books VALUES (%s, '', 0) ON CONFLICT DO NOTHING", [(key,) for key in missing]
            )
        rows = connection.execute(
            'SELECT key, value FROM books WHERE key = ANY(%s) ORDER BY key COLLATE "C" FOR UPDATE', (list(keys),)
        ).fetchall()
        if len(rows) < len(keys):  # a sweep deleted one in between
            raise port.RepeatError("a book went while it was being opened")
        return {key: bytes(value) for key, value in rows}

    def commit(self, values: port.Values, at: int) -> None:
        """Write and make durable; a book that stayed empty is no book."""
        with self._errors():
            connection = self._open()
            gone = [key for key, value in values.items() if value is None]
            kept = [(value, at, key) for key, value in values.items() if value is not None]
            if gone:
                connection.execute("DELETE FROM books WHERE key = ANY(%s)", (gone,))
            if kept:
                with connection.cursor() as cursor:
                    cursor.executemany("UPDATE books SET value = %s, at = greatest(at, %s) WHERE key = %s", kept)
            connection.commit()

    def rollback(self) -> None:
        """End the transaction."""
        with contextlib.suppress(psycopg.Error):
            if self._connection is not None:
                self._connection.rollback()

    def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        """Give books from a connection of its own."""
        with self._errors(reading=True):
            if self._reading is None:
                self._reading = self._connect(autocommit=True)
            rows = self._reading.execute(
                'SELECT key, value FROM books WHERE key > %s AND value <> %s ORDER BY key COLLATE "C" LIMIT %s',
                (after, b"", most),
            )
            return [(key, bytes(value)) for key, value in rows.fetchall()]

    def snapshot(self, page: Callable[[Sequence[tuple[str, bytes, int]]], None]) -> None:
        """Hand over all books of one moment."""
        with self._errors():
            connection = self._open()
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SET LOCAL statement_timeout = 0")
            row = connection.execute("SELECT max(version) FROM zaum_schema").fetchone()
            schema.ahead(int(row[0] or 0) if row else 0, schema.POSTGRES)
            with connection.cursor("books") as cursor:
                cursor.execute('SELECT key, value, at FROM books WHERE value <> %s ORDER BY key COLLATE "C"', (b"",))
                while some := cursor.fetchmany(_PAGE):
                    page([(key, bytes(value), at) for key, value, at in some])
            connection.rollback()

    def fill(self, rows: Sequence[tuple[str, bytes, int]], *, replace: bool) -> None:
        """Put these books in as one, while no ledger writes."""
        with self._errors():
            connection = self._open()
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("LOCK TABLE books IN ACCESS EXCLUSIVE MODE")
            if replace:
                connection.execute("DELETE FROM books")
            row = connection.execute("SELECT count(*) FROM books").fetchone()
            if row and row[0]:
                raise port.StorageError("the database holds books already")
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO books VALUES (%s, %s, %s)", rows)
            connection.commit()

    def close(self) -> None:
        """Let go of the connections."""
        self._drop(reading=False)
        self._drop(reading=True)

    def _drop(self, *, reading: bool) -> None:
        connection = self._reading if reading else self._connection
        if reading:
            self._reading = None
        else:
            self._connection = None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect(autocommit=False)
        return self._connection

    def _connect(self, *, autocommit: bool) -> Connection:
        return psycopg.connect(
            self._where(),
            autocommit=autocommit,
            connect_timeout=5,
            tcp_user_timeout=5000,
            application_name="zaum-ledger",
            options=_OPTIONS,
        )

    @contextlib.contextmanager
    def _errors(self, *, reading: bool = False) -> Iterator[None]:
        try:
            yield
        except port.StorageError:
            self.rollback()
            raise
        except _REPEAT as error:
            self.rollback()
            raise port.RepeatError(_why(error)) from error
        except (psycopg.Error, OSError) as error:
            # The connection may be in any state, and a commit may have gone through: start from a new one.
            self._drop(reading=reading)
            raise port.StorageError(_why(error)) from error


def _why(error: BaseException) -> str:
    """Name an error by its class and code: texts of the driver can hold the address and the user."""
    code = getattr(error, "sqlstate", None)
    return f"PostgreSQL: {type(error).__name__}{f' {code}' if code else ''}"
