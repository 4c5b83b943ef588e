"""Played nodes and pods become what kubelets would make of them."""

from typing import Any

import yaml

from tests.cluster import addresses, components, manifests, pki

STAGES: dict[str, Any] = {
    stage["metadata"]["name"]: stage["spec"] for stage in yaml.safe_load_all(components.PLAYED.read_text())
}


def test_nodes_and_pods_have_a_stage_for_each_thing_that_happens_to_them() -> None:
    kinds = {name: stage["resourceRef"]["kind"] for name, stage in STAGES.items()}
    assert kinds == {"node-ready": "Node", "node-heartbeat": "Node", "pod-running": "Pod", "pod-gone": "Pod"}


def test_a_pod_that_is_being_deleted_goes_and_starts_no_more() -> None:
    gone, running = STAGES["pod-gone"], STAGES["pod-running"]
    assert gone["next"] == {"delete": True}
    deletion = {stage["selector"]["matchExpressions"][0]["operator"] for stage in (gone, running)}
    assert deletion == {"Exists", "DoesNotExist"}


def test_what_a_test_wrote_into_a_pods_status_stays() -> None:
    phases = [rule["values"] for rule in STAGES["pod-running"]["selector"]["matchExpressions"] if "values" in rule]
    assert phases == [["Pending"]]


def test_the_player_may_do_what_kubelets_do_and_no_more() -> None:
    role, binding = manifests.kwok()
    written = {
        resource
        for rule in role["rules"]
        for resource in rule["resources"]
        if set(rule["verbs"]) - {"get", "list", "watch"}
    }
    assert written == {"nodes/status", "pods/status", "pods", "events", "leases"}
    assert [subject["name"] for subject in binding["subjects"]] == [pki.KWOK_USER]


def test_every_played_node_is_told_apart() -> None:
    assert [node["metadata"]["name"] for node in manifests.fake_nodes()] == list(addresses.FAKE_NODES)
