"""One spelling of a Service's name, and the ones that nothing leads to."""

import pytest

from zaum_gateway.core import service_names

SEARCH = service_names.Service(namespace="tools", name="search")


def test_a_full_name_is_read() -> None:
    assert service_names.parse("search.tools.svc.cluster.local", "cluster.local") == SEARCH
    assert service_names.parse_authority("search.tools.svc.corp.internal:65535", "corp.internal") == (SEARCH, 65535)


@pytest.mark.parametrize(
    "host",
    [
        "", "search", "search.tools", "search.tools.svc", "search.tools.svc.cluster.local.",
        "search.tools.svcxcluster.local",
        "Search.tools.svc.cluster.local", "a.search.tools.svc.cluster.local", "-a.tools.svc.cluster.local",
        "search..svc.cluster.local", "search.tools.svc.clusterxlocal", "search.tools.svc.cluster.local\n",
        "*.tools.svc.cluster.local",
        "s_a.tools.svc.cluster.local", "search.tools.pod.cluster.local", "search.tools.svc.cluster.local.example.com",
    ],
)  # fmt: skip
def test_any_other_text_is_none(host: str) -> None:
    assert service_names.parse(host, "cluster.local") is None
    assert service_names.parse_authority(f"{host}:80", "cluster.local") is None


@pytest.mark.parametrize("port", ["", "0", "080", "65536", "99999999", "-1", "http", "80 ", "٣"])
def test_a_port_is_a_number_that_can_be_dialled(port: str) -> None:
    assert service_names.parse_authority(f"search.tools.svc.cluster.local:{port}", "cluster.local") is None
    assert service_names.parse_authority("search.tools.svc.cluster.local:80", "cluster.local") == (SEARCH, 80)


@pytest.mark.parametrize(
    ("namespace", "name", "reserved"),
    [
        ("kube-system", "kube-dns", True),
        ("default", "kubernetes", True),
        ("zaum-system", "zaum-authorizer", True),
        ("default", "search", False),
        ("tools", "kubernetes", False),
    ],
)
def test_i05_what_is_reserved(namespace: str, name: str, reserved: bool) -> None:
    assert service_names.Service(namespace=namespace, name=name).reserved("zaum-system") is reserved
