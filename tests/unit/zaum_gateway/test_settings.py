"""The environment of the authorizer."""

import pytest

from zaum_api import contract
from zaum_gateway import settings


def test_an_empty_environment_means_the_contract() -> None:
    read = settings.Settings.read({})
    assert read.grpc_address == f"[::]:{contract.AUTHORIZER_PORT}"
    assert read.reports_port == contract.AUTHORIZER_REPORTS_PORT
    assert read.health_port == contract.AUTHORIZER_HEALTH_PORT
    assert (str(read.tls_dir), read.log_level, read.cluster_domain) == ("/etc/zaum/tls", "INFO", "cluster.local")


@pytest.mark.parametrize(
    ("namespace", "account", "subject"),
    [
        ("zaum-system", "zaum-operator", "system:serviceaccount:zaum-system:zaum-operator"),
        ("zaum-system", "", ""),
        ("", "zaum-operator", ""),
    ],
)
def test_the_operator_is_one_account_or_nobody(namespace: str, account: str, subject: str) -> None:
    read = settings.Settings.read({"ZAUM_NAMESPACE": namespace, "ZAUM_OPERATOR_ACCOUNT": account})
    assert read.operator == subject


@pytest.mark.parametrize(("text", "read"), [("", ()), ("a", ("a",)), ("a, b,a", ("a", "b"))])
def test_the_namespaces_are_those_that_are_named(text: str, read: tuple[str, ...]) -> None:
    assert settings.Settings.read({"ZAUM_WATCH_NAMESPACES": text}).namespaces == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZAUM_LOG_LEVEL", "LOUD"),
        ("ZAUM_HEALTH_PORT", "http"),
        ("ZAUM_HEALTH_PORT", "70000"),
        ("ZAUM_HEALTH_PORT", "-1"),
        ("ZAUM_REPORTS_PORT", "https"),
        ("ZAUM_NAMESPACE", "Zaum"),
        ("ZAUM_OPERATOR_ACCOUNT", "a:b"),
        ("ZAUM_WATCH_NAMESPACES", "a,,b"),
        ("ZAUM_WATCH_NAMESPACES", ","),
        ("ZAUM_WATCH_NAMESPACES", " "),
        ("ZAUM_WATCH_NAMESPACES", "a/../b"),
        ("ZAUM_WATCH_NAMESPACES", "Agents"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.Settings.read({name: value})
