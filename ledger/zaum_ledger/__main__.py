"""Run the ledger: `python -m zaum_ledger [serve | migrate | backup FILE | restore FILE [--replace]]`."""

import argparse
import logging
import os
import sys
from pathlib import Path

import uvloop

from zaum_ledger import settings
from zaum_ledger.shell import backup, clock, journal, serving, tls
from zaum_ledger.shell.stores import port, postgres, sqlite

log = logging.getLogger("zaum.ledger")


def opened(books: settings.Books, *, writes: bool = True) -> port.Engine:
    """Give the database that the settings name."""
    secret = books.postgres
    if secret is None:
        return sqlite.Sqlite(books.file, writes=writes)
    return postgres.Postgres(lambda: secret.read_text("utf-8").strip())


def main(arguments: list[str] | None = None) -> int:
    """Do one of the verbs; 2 for what the caller has to correct, 1 for what failed."""
    words = _parser().parse_args(arguments)
    try:
        if words.verb == "serve":
            return _serve(settings.Settings.read(os.environ))
        return _once(words, settings.Books.read(os.environ))
    except settings.SettingsError as error:
        print(f"zaum_ledger: {error}", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2


def _serve(options: settings.Settings) -> int:
    journal.start(options.log_level)
    try:
        engine = opened(options.books)
        uvloop.run(serving.run(options, engine))
    except (port.StorageError, port.SchemaError, tls.UnusableError) as error:
        log.error("cannot-start", extra={"fields": {"error": str(error)}})
        return 1
    return 0


def _once(words: argparse.Namespace, books: settings.Books) -> int:
    try:
        engine = opened(books, writes=words.verb != "backup")
        try:
            said = _verb(words, engine)
        finally:
            engine.close()
    except (port.StorageError, port.SchemaError, backup.BackupError) as error:
        print(f"zaum_ledger: {error}", file=sys.stderr)  # noqa: T201 - a command's answer
        return 1
    print(said)  # noqa: T201 - a command's answer
    return 0


def _verb(words: argparse.Namespace, engine: port.Engine) -> str:
    match words.verb:
        case "migrate":
            before, after = engine.migrate()
            return f"migrated: schema {before} -> {after}" if before != after else f"nothing to do: schema {after}"
        case "backup":
            done = backup.write(engine, words.file)
            return f"backup: {done.books} books, latest at {done.last} ms, sha256 {done.digest}, in {words.file}"
        case _:
            engine.migrate()
            done = backup.put_back(engine, words.file, replace=words.replace, now=_now)
            age = max(0, _now(0) - done.last) // 1000
            return (
                f"restored: {done.books} books, sha256 {done.digest}; what was held then is charged as spent;"
                f" what was lent in the {age} s since the backup is in no book"
            )


def _now(last: int) -> int:
    return clock.LedgerClock(last).now()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zaum_ledger", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    parser.set_defaults(verb="serve")
    verbs.add_parser("serve", help="serve until SIGTERM (also without a verb)")
    verbs.add_parser("migrate", help="bring the database's schema forward")
    write = verbs.add_parser("backup", help="write all books to a file; the ledger may run")
    write.add_argument("file", type=Path)
    back = verbs.add_parser("restore", help="put a backup into an empty database; no ledger may run")
    back.add_argument("file", type=Path)
    back.add_argument("--replace", action="store_true", help="throw away the books that are there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
