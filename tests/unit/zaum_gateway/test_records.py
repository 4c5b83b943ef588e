"""What is read from pods and policies, odd ones included."""

from typing import Any

import pytest

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_gateway.core import records


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "agents",
            "name": "zaum-demo-0-abcde",
            "uid": "uid-1",
            "labels": {contract.LABEL_POLICY: "demo", contract.LABEL_AGENT: "true"},
        },
        "spec": {"serviceAccountName": "zaum-demo"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "FD00::0:1"}]}
        | status,
    }


def policy(effective: object, uid: str = "uid-p", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "agents", "name": "demo", "uid": uid} | metadata,
        "status": {"effective": effective},
    }


def named(*names: str) -> dict[str, Any]:
    return documents.Effective(hosts=tuple(documents.HostRule(host=name) for name in names)).write()


def read(body: dict[str, Any], previous: records.Policy | None = None) -> records.Policy:
    return records.Policy.read(body, previous, "cluster.local")


def reaches(found: records.Policy, name: str) -> bool:
    host = hosts.parse_host(name)
    assert isinstance(host, hosts.Host)
    return found.table is not None and found.table.decide(host, 443).allowed


def test_a_pod_has_its_addresses_of_both_families() -> None:
    assert records.Pod.read(pod()) == records.Pod(
        namespace="agents",
        name="zaum-demo-0-abcde",
        uid="uid-1",
        policy="demo",
        service_account="zaum-demo",
        addresses=frozenset({"10.0.0.1", "fd00::1"}),
        live=True,
        quarantined=False,
    )


@pytest.mark.parametrize(
    ("phase", "live"),
    [("Pending", True), ("Running", True), ("Unknown", True), ("Succeeded", False), ("Failed", False)],
)
def test_a_finished_pod_is_not_live(phase: str, live: bool) -> None:
    assert records.Pod.read(pod(phase=phase)).live is live


def test_a_pod_that_is_being_deleted_is_live_while_its_containers_run() -> None:
    body = pod()
    body["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    assert records.Pod.read(body).live


def test_a_pod_without_our_label_is_not_live() -> None:
    body = pod()
    body["metadata"]["labels"][contract.LABEL_AGENT] = "false"
    assert not records.Pod.read(body).live


def test_the_quarantine_label_counts_whatever_its_value() -> None:
    body = pod()
    body["metadata"]["labels"][contract.LABEL_QUARANTINED] = ""
    assert records.Pod.read(body).quarantined


@pytest.mark.parametrize(
    "body", [{}, {"metadata": None}, {"metadata": {"labels": []}, "status": "x"}, {"status": {"podIPs": "10.0.0.1"}}]
)
def test_an_odd_pod_matches_nobody(body: dict[str, Any]) -> None:
    found = records.Pod.read(body)
    assert not found.live
    assert found.addresses == frozenset()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("FD00:0::1", "fd00::1"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_one_address_has_one_form(text: str, canonical: str) -> None:
    assert records.address(text) == canonical


def test_a_policy_without_effective_has_no_table() -> None:
    found = read(policy(None))
    assert (found.table, found.problem) == (None, "")


def test_a_policy_names_its_hosts() -> None:
    found = read(policy(named("docs.example.com", "*.example.net")))
    assert reaches(found, "docs.example.com")
    assert reaches(found, "a.example.net")
    assert not reaches(found, "example.net")


def test_i01_an_empty_effective_names_nothing() -> None:
    assert not reaches(read(policy(named())), "docs.example.com")


BROKEN = [
    {"documentVersion": "v9", "hosts": [], "fields": []},
    named("docs.example.com") | {"more": 1},
    named("10.0.0.1"),
    named("Docs.Example.com"),
    named("a.cluster.local"),
    "docs.example.com",
    [],
]


@pytest.mark.parametrize("effective", BROKEN)
def test_a_document_that_is_not_understood_keeps_the_last_good_one(effective: object) -> None:
    good = read(policy(named("docs.example.com")))
    kept = read(policy(effective), good)
    assert kept.problem
    assert reaches(kept, "docs.example.com")


@pytest.mark.parametrize("effective", BROKEN)
def test_the_last_good_one_of_another_object_with_the_name_is_not_kept(effective: object) -> None:
    good = read(policy(named("docs.example.com")))
    assert read(policy(effective, uid="another"), good).table is None
    assert read(policy(effective)).table is None


def test_a_removed_effective_is_not_kept() -> None:
    good = read(policy(named("docs.example.com")))
    assert read(policy(None), good).table is None


def test_the_cluster_domain_is_a_setting() -> None:
    body = policy(named("a.corp.internal"))
    assert records.Policy.read(body, None, "cluster.local").table is not None
    assert records.Policy.read(body, None, "corp.internal").table is None


def test_deletion_and_quarantine_are_read() -> None:
    body = policy(named(), deletionTimestamp="2030-01-01T00:00:00Z", labels={contract.LABEL_QUARANTINED: "true"})
    found = read(body)
    assert (found.deleting, found.quarantined) == (True, True)
