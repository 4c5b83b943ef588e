"""Write all books to a file and put them back: for either database, and from one to the other.

The file has one JSON object per line: what it is, then each book, then how many there are and the SHA-256 of all lines
before. What was spent after a backup is not in it. So on the way back whatever somebody held is charged as spent, and
every watchdog starts a new session; what was lent after the backup, nobody knows any more, and the command says so.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_api import reading
from zaum_ledger.core import accounts, stored
from zaum_ledger.shell.stores import port

FORMAT: Final = "zaum-ledger-backup"
VERSION: Final = 1
Row = tuple[str, bytes, int]


class BackupError(Exception):
    """The file is none of ours, not whole, or cannot be written; the message says which."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file holds. `last`: the latest time in the books, in milliseconds since the epoch."""

    books: int
    last: int
    digest: str


def write(engine: port.Engine, path: Path) -> Summary:
    """Write a file that is whole or not there, for its owner alone; raise BackupError or StorageError."""
    beside = path.with_name(path.name + ".part")
    count, last, digest = 0, 0, hashlib.sha256()
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:

            def line(value: object) -> None:
                raw = reading.canonical(value) + b"\n"
                digest.update(raw)
                file.write(raw)

            def page(rows: Sequence[Row]) -> None:
                nonlocal count, last
                for key, value, at in rows:
                    line({"key": key, "at": at, "value": value.decode("ascii")})
                    count, last = count + 1, max(last, at)

            line({"format": FORMAT, "version": VERSION})
            engine.snapshot(page)
            file.write(reading.canonical({"books": count, "sha256": digest.hexdigest()}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return Summary(count, last, digest.hexdigest())


def read(path: Path) -> tuple[list[Row], Summary]:
    """Read a file and check all of it, before anything is done with it; raise BackupError."""
    try:
        *lines, end = path.read_bytes().splitlines(keepends=True)
        first, *books = (json.loads(line) for line in lines)
        last_line = json.loads(end)
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BackupError(f"{path} is no whole backup") from error
    if first != {"format": FORMAT, "version": VERSION}:
        raise BackupError(f"{path} is no backup that this release reads")
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    if last_line != {"books": len(books), "sha256": digest}:
        raise BackupError(f"{path} is no whole backup: its digest does not match")
    rows = [(str(book["key"]), str(book["value"]).encode("ascii"), int(book["at"])) for book in books]
    for key, value, _ in rows:
        try:
            stored.parse(value)
        except reading.DocumentError as error:
            raise BackupError(f"{path}: the account of {key} cannot be read by this release: {error}") from error
    return rows, Summary(len(rows), max((at for _, _, at in rows), default=0), digest)


def put_back(engine: port.Engine, path: Path, *, replace: bool, now: Callable[[int], int]) -> Summary:
    """Put a file's books into the database, all or none; `now` gives the ledger's time from the latest in the file."""
    rows, summary = read(path)
    present = now(summary.last)
    fresh = [(key, accounts.restored(stored.parse(value), present), at) for key, value, at in rows]
    engine.fill([(key, stored.dump(account), max(at, account.time)) for key, account, at in fresh], replace=replace)
    return summary


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
