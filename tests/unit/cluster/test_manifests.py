"""The cluster's own objects are what policies and pods expect to find."""

from typing import Any

from tests.cluster import addresses, manifests, pki


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the one document of a kind."""
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


DNS = manifests.cluster_dns("localhost/dns:1")


def test_cluster_dns_is_found_by_its_usual_label_and_address() -> None:
    service, deployment = of_kind(DNS, "Service"), of_kind(DNS, "Deployment")
    assert service["spec"]["clusterIP"] == addresses.CLUSTER_DNS_IPV4
    assert service["spec"]["selector"] == {"k8s-app": "kube-dns"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"k8s-app": "kube-dns"}


def test_cluster_dns_listens_on_the_port_that_policies_name() -> None:
    (container,) = of_kind(DNS, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {port["containerPort"] for port in container["ports"]} == {53}
    assert all("targetPort" not in port for port in of_kind(DNS, "Service")["spec"]["ports"])


def test_cluster_dns_runs_without_rights() -> None:
    pod = of_kind(DNS, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["imagePullPolicy"] == "Never"


def test_the_policy_engine_may_only_read() -> None:
    role, binding = (of_kind(manifests.network_policies(), kind) for kind in ("ClusterRole", "ClusterRoleBinding"))
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert [subject["name"] for subject in binding["subjects"]] == [pki.NETWORK_POLICIES_USER]


def test_each_call_returns_objects_of_its_own() -> None:
    of_kind(manifests.cluster_dns("a"), "Service")["metadata"]["labels"]["x"] = "y"
    assert of_kind(manifests.cluster_dns("a"), "Service")["metadata"]["labels"] == {"k8s-app": "kube-dns"}
