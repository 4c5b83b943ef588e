"""Both databases, for real."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support import ledger, postgres
from tests.support.authority import Authority
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


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def api() -> Iterator[ledger.FakeApi]:
    made = ledger.FakeApi()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Give the variables that name an empty database."""
    if request.param == "sqlite":
        return {}
    (tmp_path / "uri").write_text(request.getfixturevalue("database") + "\n")
    return {"ZAUM_POSTGRES_FILE": str(tmp_path / "uri")}
