"""Each process is called as the design asks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import addresses, components, layout

PLACE = layout.Layout(Path("/run/zaum-cluster"), Path("/data"))
MAKERS: list[Callable[[layout.Layout, components.Binary], components.Component]] = [
    components.etcd,
    components.apiserver,
    components.controller_manager,
    components.scheduler,
    components.containerd,
    components.kubelet,
    components.proxy,
    components.network_policies,
    components.kwok,
]


def binary(name: str) -> Path:
    """Stand for the cache."""
    return Path("/bin-cache") / name


def flags(component: components.Component) -> dict[str, str]:
    """Return the flags of a command by name."""
    pairs = (argument.removeprefix("--").partition("=") for argument in component.command[1:])
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("make", MAKERS)
def test_each_runs_the_binary_of_its_name_in_the_nodes_namespace(
    make: Callable[[layout.Layout, components.Binary], components.Component],
) -> None:
    component = make(PLACE, binary)
    assert component.command[0] == f"/bin-cache/{component.name}"
    assert component.netns == addresses.NODE_NETNS


def test_service_account_tokens_live_exactly_as_long_as_asked_for() -> None:
    given = flags(components.apiserver(PLACE, binary))
    assert given["service-account-extend-token-expiration"] == "false"
    assert given["service-account-issuer"] == "https://kubernetes.default.svc.cluster.local"


def test_requests_are_authorised_and_recorded() -> None:
    given = flags(components.apiserver(PLACE, binary))
    assert given["authorization-mode"] == "Node,RBAC"
    assert given["enable-admission-plugins"] == "NodeRestriction"
    assert given["audit-log-path"] == "/run/zaum-cluster/log/audit.log"
    assert "feature-gates" not in given


def test_services_and_pods_have_both_families_everywhere() -> None:
    services = f"{addresses.SERVICE_CIDR_IPV4},{addresses.SERVICE_CIDR_IPV6}"
    assert flags(components.apiserver(PLACE, binary))["service-cluster-ip-range"] == services
    assert flags(components.controller_manager(PLACE, binary))["service-cluster-ip-range"] == services
    assert flags(components.kubelet(PLACE, binary))["node-ip"] == f"{addresses.NODE_IPV4},{addresses.NODE_IPV6}"
    assert flags(components.proxy(PLACE, binary))["cluster-cidr"].count(",") == 1


def test_the_policy_engine_fails_closed_and_knows_pods_before_they_run() -> None:
    given = flags(components.network_policies(PLACE, binary))
    assert given["fail-open"] == "false"
    assert given["nfqueue-id"] == str(components.QUEUE_NUMBER)
    assert "disable-nri" not in given


def test_only_the_api_server_and_the_kubelet_listen_beyond_loopback() -> None:
    for make in (components.controller_manager, components.scheduler, components.proxy):
        assert flags(make(PLACE, binary))["bind-address"] == "127.0.0.1"
    assert flags(components.network_policies(PLACE, binary))["metrics-bind-address"].startswith("127.0.0.1:")
    assert flags(components.etcd(PLACE, binary))["listen-client-urls"].startswith("http://127.0.0.1:")


def test_the_world_runs_in_the_other_namespace() -> None:
    component = components.world(PLACE, python="/venv/bin/python", repository=Path("/src"))
    assert component.netns == addresses.WORLD_NETNS
    assert component.command == [
        "/venv/bin/python", "-m", "tests.cluster.world", "--state", "/run/zaum-cluster/world",
    ]  # fmt: skip
    assert component.environment["PYTHONPATH"] == "/src"
