"""What is SQLite's alone: one ledger per file, and a disk that fails."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zaum_ledger.shell.stores import port
from zaum_ledger.shell.stores.sqlite import Sqlite

WRITER = """
import asyncio, pathlib, sys
from zaum_ledger.shell.stores import grouped, port
from zaum_ledger.shell.stores.sqlite import Sqlite

def more(values):
    number = int(values["a/one"] or b"0") + 1
    return port.Change(number, {"a/one": str(number).encode()}, number)

async def run():
    engine = Sqlite(pathlib.Path(sys.argv[1]))
    engine.migrate()
    store = grouped.Grouped(engine)
    while True:
        print(await store.transact(["a/one"], more), flush=True)

asyncio.run(run())
"""


def test_i07_two_ledgers_never_keep_the_same_books(tmp_path: Path) -> None:
    first = Sqlite(tmp_path / "books.db")
    with pytest.raises(port.StorageError, match="another ledger"):
        Sqlite(tmp_path / "books.db")
    first.close()
    Sqlite(tmp_path / "books.db").close()


def test_i07_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
            assert writer.stdout is not None
            for _ in range(20):
                answered = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            answered = max([answered, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        engine = Sqlite(path)
        [(_, value)] = engine.scan("", 5)
        engine.close()
        assert int(value) >= answered > 0


def test_a_full_disk_grants_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    engine = Sqlite(tmp_path / "books.db")
    engine.migrate()
    connection = engine._open()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    engine.begin(["a/one"])
    with pytest.raises(port.StorageError, match="full"):
        engine.commit({"a/one": b"x" * 100_000}, 1)
    assert engine.begin(["a/one"]) == {"a/one": None}
    engine.commit({"a/one": b"x"}, 1)
    assert engine.begin(["a/one"]) == {"a/one": b"x"}
    engine.close()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(port.StorageError, match="cannot be written"):
        Sqlite(tmp_path / "none" / "books.db")


def test_a_backup_of_what_is_not_there_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(port.StorageError, match="there is no"):
        Sqlite(tmp_path / "books.db", writes=False).snapshot(lambda _: None)
    assert not list(tmp_path.iterdir())
