"""How much is written: from creation to Ready, in the steady state, for other words, after an upgrade."""

import copy
import dataclasses
from typing import Any

import pytest

from tests.support import rendered, specs
from tests.support.planned import Planned
from tests.support.world import NAMESPACE
from zaum_api import contract
from zaum_operator.core import kinds

BUDGET = 9


def ready(spec: dict[str, Any]) -> Planned:
    world = Planned()
    world.ceiling("pool", **{key: value for key, value in rendered.GRANT["spec"].items() if key != "namespaceSelector"})
    world.policy(spec)
    world.settle()
    world.run_pods()
    world.settle()
    assert world.condition()[0] == "True"
    return world


def test_a_policy_is_ready_after_nine_writes_at_most() -> None:
    world = Planned()
    world.policy()
    world.settle()
    (pod,) = world.pods()
    for status in (
        {"conditions": [{"type": "PodScheduled", "status": "True"}], "phase": "Pending"},
        {"phase": "Pending", "initContainerStatuses": [
            {"name": "watchdog", "state": {"waiting": {"reason": "PodInitializing"}}}]},
        {"phase": "Running", "podIP": "10.244.0.7"},
        {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    ):  # fmt: skip
        world.status(pod, **status)
        world.settle()
    assert world.condition()[:2] == ("True", "AllReady")
    assert [(write.verb, write.plural, write.subresource) for write in world.api.writes] == [
        ("apply", "networkpolicies", ""),
        ("apply", "serviceaccounts", ""),
        ("apply", "priorityclasses", ""),
        ("apply", "resourcequotas", ""),
        ("apply", "networkpolicies", ""),
        ("apply", "configmaps", ""),
        ("create", "pods", ""),
        ("apply", "agentpolicies", "status"),
        ("apply", "agentpolicies", "status"),
    ]
    assert len(world.api.writes) <= BUDGET


def test_a_second_policy_of_a_namespace_finds_the_guard_there() -> None:
    world = ready(specs.agent())
    before = len(world.api.writes)
    world.policy(name="second")
    world.settle("second")
    world.run_pods()
    world.settle("second")
    assert len(world.api.writes) - before < BUDGET


@pytest.mark.parametrize("spec", [specs.agent(), rendered.everything(), specs.task()], ids=["minimal", "all", "task"])
def test_the_steady_state_writes_nothing(spec: dict[str, Any]) -> None:
    assert ready(spec).step() == []


def reordered() -> dict[str, Any]:
    """Give the same policy in other words: other orders, other spellings of quantities, defaults written out."""
    spec = copy.deepcopy(SPEC)
    agent = spec["agent"]
    for field in ("env", "files", "imagePullSecrets", "tolerations"):
        agent[field].reverse()
    agent |= {"type": "Service", "resources": {"cpu": "1500m", "memory": "1024Mi", "ephemeralStorage": 2147483648}}
    agent["workspace"] = {"size": "1073741824", "mountPath": "/workspace"}
    agent["tolerations"][0]["operator"] = "Equal"
    agent["hostUsers"] = True
    spec["egress"]["hosts"].reverse()
    spec["egress"]["hosts"][0]["ports"] = [443]
    spec["ingress"].reverse()
    spec["ingress"][0]["from"].reverse()
    spec["lifetime"] = {"max": "60m"}
    spec["limits"] = {"connections": 32, "requests": {"perMinute": 60, "burst": 10}}
    spec["runaway"] = {"cpu": {"enabled": True, "abovePercent": 90, "for": "120s"}, "denied": {"per": "60s"}}
    return spec | {"desiredState": "Running", "mode": "Enforce"}


PEERS = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("a", "b")]
SPEC: dict[str, Any] = specs.agent(
    env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    files=[{"configMap": "a", "mountPath": "/a"}, {"configMap": "b", "mountPath": "/b"}],
    imagePullSecrets=[{"name": "a"}, {"name": "b"}],
    tolerations=[{"key": "agents", "effect": "NoSchedule"}, {"key": "agents", "value": "x"}],
    resources={"cpu": "1.5", "memory": "1Gi", "ephemeralStorage": "2Gi"},
) | {
    "egress": {"hosts": [{"host": "a.example.com", "ports": [8443, 443]}, {"host": "b.example.com"}]},
    "ingress": [{"port": 8080, "from": PEERS}, {"port": 9090, "from": PEERS}],
    "lifetime": {"max": "1h"},
}


def test_the_same_in_other_words_writes_nothing_but_which_generation_was_seen() -> None:
    world = ready(SPEC)
    world.policy(reordered())
    writes = world.settle()
    assert [(write.plural, write.subresource) for write in writes] in ([], [("agentpolicies", "status")])
    assert len(world.pods()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"env": [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "2"}]},
        {"env": [{"name": "A", "value": "2"}]},
        {"files": [{"configMap": "a", "mountPath": "/b"}]},
        {"imagePullSecrets": [{"name": "c"}]},
        {"tolerations": [{"key": "agents"}]},
        {"resources": {"memory": "2Gi"}},
        {"workspace": {"size": "2Gi"}},
        {"workspace": {"persistent": {}}},
        {"hostUsers": False},
        {"args": ["x"]},
        {"workingDir": "/x"},
        {"runtimeClassName": "gvisor"},
        {"nodeSelector": {"example.com/pool": "agents"}},
        {"image": "registry.example/agent:2"},
    ],
    ids=str,
)
def test_an_authors_change_of_the_pod_is_made_without_waiting_for_a_turn(change: dict[str, Any]) -> None:
    world = ready(SPEC)
    world.may_roll = False
    name = world.pods()[0]["metadata"]["name"]
    world.policy(SPEC | {"agent": SPEC["agent"] | change})
    world.settle()
    world.api.finish_deletions()
    world.settle()
    assert [pod["metadata"]["name"] for pod in world.pods()] != [name]


def test_another_installation_waits_for_its_turn_and_says_nothing_meanwhile() -> None:
    world = ready(specs.agent(replicas=2))
    world.may_roll = False
    world.upgraded()
    assert world.settle() == []
    world.may_roll = True
    for _ in range(2):
        world.settle()
        assert len(world.pods()) == 1, "one at a time"
        world.api.finish_deletions()
        world.settle()
        world.run_pods()
    images = {pod["spec"]["initContainers"][0]["image"] for pod in world.pods()}
    assert images == {world.site.watchdog_image}


@pytest.mark.parametrize(
    "change",
    [{"image_pull_policy": "Never"}, {"host_users": False}, {"watchdog_image": "other"}],
    ids=str,
)
def test_every_setting_of_the_installation_is_paced(change: dict[str, Any]) -> None:
    world = ready(specs.agent())
    world.may_roll = False
    name = world.pods()[0]["metadata"]["name"]
    world.site = dataclasses.replace(world.site, **change)
    world.settle()
    assert [pod["metadata"]["name"] for pod in world.pods()] == [name]
    world.may_roll = True
    world.settle()
    assert world.pods() == []


def test_a_shared_quota_counts_the_pods_of_all_policies() -> None:
    world = Planned(site=dataclasses.replace(rendered.SITE, namespaced=True))
    world.policy(specs.agent(replicas=2), "one")
    world.policy(specs.agent(replicas=3), "two")
    for name in ("one", "two"):
        world.settle(name)
    (quota,) = world.api.all(kinds.QUOTA)
    assert quota["metadata"]["name"] == contract.NAMESPACE_QUOTA_NAME
    assert quota["spec"] == {"hard": {"pods": "5"}}
    assert world.api.all(kinds.PRIORITY_CLASS) == []
    assert all("priorityClassName" not in pod["spec"] for pod in world.api.all(kinds.POD))
    assert world.condition("Degraded", "one")[:2] == ("True", "NamespaceScoped")
    assert world.step("one") + world.step("two") == []
    world.api.remove(kinds.POLICY, NAMESPACE, "two")
    world.sweep()
    assert world.api.all(kinds.QUOTA)[0]["spec"] == {"hard": {"pods": "2"}}


def test_a_neighbour_that_cannot_be_read_keeps_the_room_of_its_pods() -> None:
    world = Planned(site=dataclasses.replace(rendered.SITE, namespaced=True))
    world.policy(specs.agent(replicas=2), "one")
    world.settle("one")
    world.policy({**specs.agent(replicas=2), "mode": "Dream"}, "one")
    world.policy(name="two")
    world.settle("two")
    assert world.api.all(kinds.QUOTA)[0]["spec"] == {"hard": {"pods": "3"}}


def test_the_last_policy_takes_the_shared_quota_along() -> None:
    world = Planned(site=dataclasses.replace(rendered.SITE, namespaced=True))
    world.policy()
    world.settle()
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.step()
    world.api.finish_deletions()
    world.sweep()
    assert world.api.all(kinds.QUOTA) + world.api.all(kinds.NETWORK_POLICY) == []


def test_a_node_selector_needs_a_ceiling_which_namespace_scoped_mode_cannot_read() -> None:
    world = Planned(site=dataclasses.replace(rendered.SITE, namespaced=True))
    world.policy(specs.agent(nodeSelector={"a": "b"}))
    world.settle()
    assert world.condition()[:2] == ("False", "CeilingExceeded")
