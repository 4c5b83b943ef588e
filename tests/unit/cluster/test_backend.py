"""The environment chooses the cluster."""

import pytest

from tests.cluster import backend, elsewhere, errors


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, backend.LOCAL),
        ({"CLUSTER": ""}, backend.LOCAL),
        ({"CLUSTER": "local", "KUBECONFIG": "/k"}, backend.LOCAL),
        ({"KUBECONFIG": "/k"}, backend.EXTERNAL),
        ({"CLUSTER": "external", "KUBECONFIG": "/k"}, backend.EXTERNAL),
        ({"CLUSTER": "kind", "KUBECONFIG": "/k"}, backend.KIND),
    ],
)
def test_cluster_wins_over_kubeconfig_and_local_is_the_default(environment: dict[str, str], name: str) -> None:
    assert backend.choose(environment) == name


def test_an_unknown_cluster_is_refused_with_what_there_is() -> None:
    with pytest.raises(errors.ClusterError, match="use local, kind or external"):
        backend.choose({"CLUSTER": "minikube"})


@pytest.mark.parametrize(
    ("text", "version"),
    [('{"major": "1", "minor": "37"}', (1, 37)), ('{"major": "1", "minor": "33+"}', (1, 33))],
)
def test_a_vendors_version_is_understood(text: str, version: tuple[int, int]) -> None:
    assert elsewhere.parse_version(text) == version
