"""What the ledger's environment may say."""

from pathlib import Path

import pytest

from zaum_api import contract
from zaum_ledger import settings


def test_an_empty_environment_is_the_pod_that_the_chart_makes() -> None:
    read = settings.Settings.read({})
    assert (read.port, read.health_port) == (contract.LEDGER_PORT, contract.LEDGER_HEALTH_PORT)
    assert read.books == settings.Books(Path("/var/lib/zaum/ledger.db"), None)
    assert read.readers == (), "and nobody reads"
    assert read.api_url.startswith("https://")
    assert read.api_ca_file is not None


def test_the_operator_reads_and_who_is_named_besides() -> None:
    named = "system:serviceaccount:monitoring:usage"
    variables = {"ZAUM_NAMESPACE": "zaum-system", "ZAUM_OPERATOR_ACCOUNT": "op", "ZAUM_READERS": f" {named},"}
    assert settings.Settings.read(variables).readers == ("system:serviceaccount:zaum-system:op", named)


@pytest.mark.parametrize(
    ("memory", "connections"),
    [("", 25_000), (str(512 * 1024**2), 5_851), (str(64 * 1024**2), 256), (str(8 * 1024**3), 25_000)],
)
def test_as_many_connections_are_taken_as_there_is_memory_for(memory: str, connections: int) -> None:
    assert settings.Settings.read({"ZAUM_MEMORY": memory}).connections == connections
    assert settings.Settings.read({"ZAUM_MEMORY": memory, "ZAUM_CONNECTIONS": "7"}).connections == 7


def test_postgres_is_a_file_that_names_it() -> None:
    assert settings.Books.read({"ZAUM_POSTGRES_FILE": "/etc/zaum/postgres/uri"}).postgres == Path(
        "/etc/zaum/postgres/uri"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZAUM_LOG_LEVEL", "LOUD"),
        ("ZAUM_PORT", "70000"),
        ("ZAUM_PORT", "-1"),
        ("ZAUM_HEALTH_PORT", "http"),
        ("ZAUM_REVIEW_SECONDS", "0"),
        ("ZAUM_CONNECTIONS", ""),
        ("ZAUM_MEMORY", "512Mi"),
        ("ZAUM_API_URL", "ftp://x"),
        ("ZAUM_API_URL", "https://user@x"),
        ("ZAUM_SQLITE_FILE", "ledger.db"),
        ("ZAUM_READERS", "everybody"),
        ("ZAUM_NAMESPACE", "a/b"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.Settings.read({name: value})
