"""What is PostgreSQL's alone: several ledgers at once, a server that ends, and texts that give nothing away."""

import random
import threading
from pathlib import Path

import pytest

from tests.support import postgres
from zaum_ledger.shell.stores import port
from zaum_ledger.shell.stores.postgres import Postgres

KEYS = [f"n/{number}" for number in range(12)]


def test_i07_ledgers_that_share_a_database_lose_no_change_and_never_wait_in_a_circle(database: str) -> None:
    first = Postgres(lambda: database)
    first.migrate()
    first.close()
    problems: list[Exception] = []

    def work(seed: int) -> None:
        engine, dice = Postgres(lambda: database), random.Random(seed)
        try:
            for _ in range(60):
                values = engine.begin(sorted(dice.sample(KEYS, 4)))
                engine.commit({key: str(int(value or b"0") + 1).encode() for key, value in values.items()}, 1)
        except port.StorageError as error:
            problems.append(error)
        finally:
            engine.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    engine = Postgres(lambda: database)
    assert sum(int(value) for _, value in engine.scan("", 100)) == 4 * 60 * 4
    engine.close()


def test_i07_what_was_answered_is_there_after_the_server_died(database: str, server: str) -> None:
    engine = Postgres(lambda: database)
    engine.migrate()
    engine.begin(["a/one"])
    engine.commit({"a/one": b"1"}, 1)
    engine.begin(["a/one"])
    postgres.restart(server)
    with pytest.raises(port.StorageError):
        engine.commit({"a/one": b"2"}, 2)
    assert engine.begin(["a/one"]) == {"a/one": b"1"}, "the next one finds the server again"
    engine.rollback()
    engine.close()


def test_a_server_that_is_not_there_is_an_error_without_a_password(tmp_path: Path) -> None:
    engine = Postgres(lambda: f"host={tmp_path} user=zaum password=hunter2 dbname=postgres")
    with pytest.raises(port.StorageError) as raised:
        engine.last()
    assert "hunter2" not in str(raised.value)
    assert "OperationalError" in str(raised.value)
