"""What is edited or deleted by hand is what it was, a moment later."""

import asyncio

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract, documents
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.render import quota

DOCUMENT = contract.CONFIG_KEYS[documents.CONFIG_VERSION]


@pytest.mark.parametrize("kind", [kinds.NETWORK_POLICY, kinds.SERVICE_ACCOUNT, kinds.CONFIG_MAP, kinds.QUOTA])
def test_i11_a_child_deleted_by_hand_comes_back(world: World, kind: kinds.Kind) -> None:
    world.policy()
    world.settle()
    before = world.api.objects[(kind.plural, NAMESPACE, "zaum-researcher")]
    world.api.remove(kind, NAMESPACE, "zaum-researcher")
    world.settle()
    after = world.api.objects[(kind.plural, NAMESPACE, "zaum-researcher")]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert {k: v for k, v in after.items() if k != "metadata"} == {k: v for k, v in before.items() if k != "metadata"}


@pytest.mark.parametrize("label", [contract.LABEL_NAMESPACE, contract.LABEL_POLICY])
@pytest.mark.parametrize("by_list", [False, True], ids=["seen by the watch", "seen by a list"])
def test_i11_a_priority_class_that_names_another_policy_is_given_back(world: World, label: str, by_list: bool) -> None:
    world.policy()
    world.settle()
    name = contract.cluster_name(NAMESPACE, "researcher")
    world.watching = not by_list
    world.api.edit(kinds.PRIORITY_CLASS, None, name, {"metadata": {"labels": {label: "other"}}})
    if by_list:
        asyncio.run(world.workers.heal([kinds.PRIORITY_CLASS]))
        world.watching = True
    world.settle()
    assert world.api.objects["priorityclasses", "", name]["metadata"]["labels"][label] != "other"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (kinds.NETWORK_POLICY, {"spec": {"egress": [{}]}}),
        (kinds.NETWORK_POLICY, {"spec": {"ingress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
        (kinds.NETWORK_POLICY, {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"labels": {contract.LABEL_POLICY: "other"}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"labels": {"zaum.dev/extra": "x"}}}),
        (kinds.NETWORK_POLICY, {"metadata": {"ownerReferences": None}}),
        (kinds.SERVICE_ACCOUNT, {"automountServiceAccountToken": True}),
        (kinds.SERVICE_ACCOUNT, {"imagePullSecrets": [{"name": "stolen"}]}),
        (kinds.CONFIG_MAP, {"data": {DOCUMENT: "{}"}}),
        (kinds.CONFIG_MAP, {"data": {"more": "x"}}),
        (kinds.QUOTA, {"spec": {"hard": {"pods": "9"}}}),
        (kinds.QUOTA, {"spec": {"hard": {"limits.cpu": "64"}}}),
        (kinds.QUOTA, {"spec": {"hard": {"pods": None}}}),
    ],
)
def test_i11_an_edit_by_hand_is_undone(world: World, kind: kinds.Kind, patch: dict[str, object]) -> None:
    world.policy()
    world.settle()
    place = (kind.plural, NAMESPACE, "zaum-researcher")
    before = world.api.objects[place]
    world.api.edit(kind, NAMESPACE, "zaum-researcher", patch)
    assert world.api.objects[place] != before
    world.settle()
    after = world.api.objects[place]
    ignored = {"resourceVersion", "generation"}
    assert {k: v for k, v in after["metadata"].items() if k not in ignored} == {
        k: v for k, v in before["metadata"].items() if k not in ignored
    }
    assert {k: v for k, v in after.items() if k != "metadata"} == {k: v for k, v in before.items() if k != "metadata"}
    assert world.look() == []


def test_i11_the_guard_and_the_priority_class_come_back(world: World) -> None:
    world.policy()
    world.settle()
    name = quota.priority_class_name(Key(NAMESPACE, "researcher"))
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, contract.GUARD_NAME)
    world.api.remove(kinds.PRIORITY_CLASS, None, name)
    world.settle()
    assert contract.GUARD_NAME in world.api.names(kinds.NETWORK_POLICY)
    assert world.api.names(kinds.PRIORITY_CLASS) == [name]


def test_i02_a_guard_that_lost_its_selector_is_repaired(world: World) -> None:
    world.policy()
    world.settle()
    world.api.edit(kinds.NETWORK_POLICY, NAMESPACE, contract.GUARD_NAME, {"spec": {"egress": [{}]}})
    world.settle()
    guard = world.api.objects[("networkpolicies", NAMESPACE, contract.GUARD_NAME)]
    assert "egress" not in guard["spec"]


def test_an_image_edited_on_a_live_pod_costs_the_pod(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    evil = [pod["spec"]["containers"][0] | {"image": "registry.example/evil"}]
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], {"spec": {"containers": evil}})
    world.settle()
    assert world.live() == []


def test_a_label_taken_off_a_pod_is_put_back(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_ORDINAL: "0"}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()
    assert world.live()[0]["metadata"]["labels"][contract.LABEL_AGENT] == "true"


def test_a_pod_that_says_it_is_of_another_policy_lives_on(world: World) -> None:
    world.policy()
    world.settle()
    (before,) = world.live()
    other = {"metadata": {"labels": {contract.LABEL_POLICY: "other"}}}
    world.api.edit(kinds.POD, NAMESPACE, before["metadata"]["name"], other)
    world.settle()
    after = [(pod["metadata"]["uid"], pod["metadata"]["labels"]) for pod in world.live()]
    assert after == [(before["metadata"]["uid"], before["metadata"]["labels"])]


def test_i02_a_pod_that_lost_all_our_labels_is_found_by_its_owner(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_POLICY: None}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()  # the watch, filtered by label, shows it as gone
    assert world.api.names(kinds.POD) == [pod["metadata"]["name"]], "no other is made in its place"
    assert (
        pod["metadata"]["labels"]
        == world.api.objects[("pods", NAMESPACE, pod["metadata"]["name"])]["metadata"]["labels"]
    )


def test_a_task_whose_pod_lost_its_labels_is_not_given_up(world: World) -> None:
    world.policy(spec=specs.task())
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    place = ("pods", NAMESPACE, pod["metadata"]["name"])
    off = {"metadata": {"labels": {contract.LABEL_AGENT: None, contract.LABEL_POLICY: None}}}
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], off)
    world.settle()
    for _ in range(3):
        world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("Unknown", "TaskRunning")
    assert world.api.objects[place]["metadata"]["labels"] == pod["metadata"]["labels"]
    world.api.remove(kinds.POD, NAMESPACE, pod["metadata"]["name"])
    world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("False", "PodLost")


def test_a_task_whose_pod_the_cache_does_not_show_is_not_given_up(world: World) -> None:
    world.policy(spec=specs.task())
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    world.cache._take(kinds.POD, (NAMESPACE, pod["metadata"]["name"]))  # an event that never came
    world.look()
    world.pass_time(seconds=1)
    assert world.condition("Succeeded")[:2] == ("Unknown", "TaskRunning")
    assert world.cache.get(kinds.POD, NAMESPACE, pod["metadata"]["name"]) is not None
