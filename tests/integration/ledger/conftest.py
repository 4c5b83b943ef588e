"""Both databases, for real."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from zaum_ledger.shell.stores import port
from zaum_ledger.shell.stores.postgres import Postgres
from zaum_ledger.shell.stores.sqlite import Sqlite


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres.running() as where:
        yield where


@pytest.fixture
def database(server: str) -> str:
    """A database of its own; gives its connection string."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("dbname=postgres", f"dbname={name}")


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], port.Engine]]:
    """Give what opens the same books, empty at first; what it opened is closed in the end."""
    made: list[port.Engine] = []
    if request.param == "postgres":
        where = request.getfixturevalue("database")

    def make() -> port.Engine:
        made.append(Postgres(lambda: where) if request.param == "postgres" else Sqlite(tmp_path / "books.db"))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(opened: Callable[[], port.Engine]) -> port.Engine:
    found = opened()
    found.migrate()
    return found
