from pathlib import Path

import pytest

from zaum_api.documents import cage
from zaum_operator import settings
from zaum_operator.core.render import config

LEAST = {"ZAUM_NAMESPACE": "zaum-system", "ZAUM_WATCHDOG_IMAGE": "registry.example/w"}


def test_the_least_that_must_be_said() -> None:
    found = settings.from_environment(LEAST)
    assert (found.workers, found.resync_seconds, found.log_level) == (16, 300, "INFO")
    assert str(found.gateway_ca_file) == "/etc/zaum/certificates/zaum-ca/ca.crt"
    assert (found.site.release_namespace, found.site.image_pull_policy) == ("zaum-system", "Always")
    assert (found.site.host_users, found.site.namespaced, found.rollout_max) == (True, False, 10)


def test_namespaces_make_the_namespace_scoped_mode() -> None:
    found = settings.from_environment(LEAST | {"ZAUM_WATCH_NAMESPACES": "b, a,b", "HOSTNAME": "zaum-operator-7f"})
    assert (found.watch_namespaces, found.namespaced, found.site.namespaced) == (("a", "b"), True, True)
    assert found.identity == "zaum-operator-7f"


def test_the_cage_test_tries_what_is_known_and_nothing_that_is_not() -> None:
    assert settings.from_environment(LEAST).site.cage == ()
    told = {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "ZAUM_CLUSTER_DNS": "10.96.0.10, fd00::a",
        "ZAUM_CANARIES": "192.0.2.1:80, [2001:db8::1]:443",
    }
    found = settings.from_environment(LEAST | told).site.cage
    assert [(target.name, target.transport.value, target.address, target.port) for target in found] == [
        ("apiServer", "tcp", "10.96.0.1", 6443),
        ("dns", "dns", "10.96.0.10", 53),
        ("dns", "tcp", "10.96.0.10", 53),
        ("dns", "dns", "fd00::a", 53),
        ("dns", "tcp", "fd00::a", 53),
        ("canary", "tcp", "192.0.2.1", 80),
        ("canary", "tcp", "2001:db8::1", 443),
    ]
    by_name = {"KUBERNETES_SERVICE_HOST": "api.cluster.example"}
    assert settings.from_environment(LEAST | by_name).site.cage == (), "a pod resolves no name"


def test_as_many_targets_as_can_be_told_fit_into_a_document() -> None:
    told = {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "ZAUM_CLUSTER_DNS": "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4",
        "ZAUM_CANARIES": ",".join(f"192.0.2.{index}:80" for index in range(16)),
    }
    authorizer = 2  # one address per family
    count = len(settings.from_environment(LEAST | told).site.cage) + len(config.ALWAYS) + authorizer
    assert count <= cage.TARGETS_MAX


def test_the_hop_is_signed_only_where_that_is_said() -> None:
    assert not settings.from_environment(LEAST).site.signed_hop
    assert settings.from_environment(LEAST | {"ZAUM_GATEWAY_HOP": "Signed"}).site.signed_hop


def test_reports_are_read_where_the_chart_and_the_authorizers_have_them() -> None:
    found = settings.from_environment(LEAST)
    assert (str(found.reports_token_file), found.reports_port) == ("/var/run/zaum/reports/token", 15446)
    found = settings.from_environment(LEAST | {"ZAUM_REPORTS_TOKEN_FILE": "/x", "ZAUM_REPORTS_PORT": "1"})
    assert (str(found.reports_token_file), found.reports_port) == ("/x", 1)


def test_what_is_spent_is_read_where_the_chart_and_the_ledger_have_it() -> None:
    found = settings.from_environment(LEAST)
    assert (str(found.ledger_token_file), found.ledger_port) == ("/var/run/zaum/ledger/token", 15444)
    found = settings.from_environment(LEAST | {"ZAUM_LEDGER_TOKEN_FILE": "/x", "ZAUM_LEDGER_PORT": "1"})
    assert (str(found.ledger_token_file), found.ledger_port) == ("/x", 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZAUM_NAMESPACE", ""),
        ("ZAUM_WATCHDOG_IMAGE", " "),
        ("ZAUM_IMAGE_PULL_POLICY", "always"),
        ("ZAUM_WORKERS", "0"),
        ("ZAUM_WORKERS", "many"),
        ("ZAUM_RESYNC_SECONDS", "4"),
        ("ZAUM_RESYNC_SECONDS", "1e3"),
        ("ZAUM_LOG_LEVEL", "verbose"),
        ("ZAUM_WATCH_NAMESPACES", "agents,*"),
        ("ZAUM_HOST_USERS", "yes"),
        ("ZAUM_ROLLOUT_MAX", "0"),
        ("ZAUM_GATEWAY_HOP", "signed"),
        ("ZAUM_REPORTS_PORT", "0"),
        ("ZAUM_CAGE_PERIOD_SECONDS", "4"),
        ("ZAUM_CLUSTER_DNS", "kube-dns"),
        ("ZAUM_CLUSTER_DNS", "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5"),
        ("ZAUM_CANARIES", "192.0.2.1"),
        ("ZAUM_CANARIES", "192.0.2.1:0"),
        ("ZAUM_CANARIES", "192.0.2.1:65536"),
        ("ZAUM_CANARIES", "example.com:80"),
        ("ZAUM_CANARIES", ",".join(f"192.0.2.{index}:80" for index in range(17))),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.from_environment(LEAST | {name: value})


def test_a_ledger_is_there_only_where_that_is_said() -> None:
    assert not settings.from_environment(LEAST).site.ledger
    assert settings.from_environment(LEAST | {"ZAUM_LEDGER": "true"}).site.ledger
    assert settings.from_environment(LEAST).prices_file is None
    assert settings.from_environment(LEAST | {"ZAUM_PRICES_FILE": "/p"}).prices_file == Path("/p")
