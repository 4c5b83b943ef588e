"""I11: a pod that somebody took its labels or its owner off is found by what nobody can edit, and mended."""

from typing import Any

import pytest

from tests.support import specs
from tests.support.planned import Planned
from tests.support.world import NAMESPACE
from zaum_operator.core import kinds

CASES: list[tuple[str, dict[str, Any]]] = [
    ("the guard's label", {"labels": {"zaum.dev/agent": None}}),
    ("the policy's label", {"labels": {"zaum.dev/policy": None}}),
    ("the label of another policy", {"labels": {"zaum.dev/policy": "other"}}),
    ("the owner", {"ownerReferences": None}),
    ("the guard's label and the owner", {"labels": {"zaum.dev/agent": None}, "ownerReferences": None}),
    ("all labels and the owner", {"labels": None, "ownerReferences": None}),
    ("another's label and no owner", {"labels": {"zaum.dev/policy": "other"}, "ownerReferences": None}),
]


@pytest.mark.parametrize(("title", "edit"), CASES, ids=[case[0] for case in CASES])
def test_i11_a_pod_gets_back_what_was_taken_off(title: str, edit: dict[str, Any]) -> None:
    world = Planned()
    world.policy(specs.agent(replicas=2))
    world.settle()
    world.run_pods()
    world.settle()
    before = {pod["metadata"]["uid"]: pod["metadata"] for pod in world.api.all(kinds.POD)}
    name = world.pods()[0]["metadata"]["name"]
    world.api.edit(kinds.POD, NAMESPACE, name, {"metadata": edit})
    world.sweep()
    world.settle()
    after = {pod["metadata"]["uid"]: pod["metadata"] for pod in world.api.all(kinds.POD)}
    assert {uid: (item.get("labels"), item.get("ownerReferences")) for uid, item in after.items()} == {
        uid: (item["labels"], item["ownerReferences"]) for uid, item in before.items()
    }, title
    assert world.sweep() == []


FOREIGN: list[tuple[str, dict[str, Any]]] = [
    ("a pod of Zaum's own gateway", {"name": "zaum-gateway-7d9f8b6c5-x2x4q", "account": "zaum-gateway"}),
    ("one that is named like an agent's", {"name": "zaum-gateway-0-abcde", "account": "zaum-gateway"}),
    ("one with a watchdog of its own", {"name": "other-0-abcde", "account": "other", "inits": ["watchdog"]}),
    ("one with a watchdog and our account", {"name": "other-0-abcde", "account": "zaum-x", "inits": ["watchdog"]}),
]


@pytest.mark.parametrize(("title", "pod"), FOREIGN, ids=[case[0] for case in FOREIGN])
def test_a_pod_that_is_not_ours_is_left_alone(title: str, pod: dict[str, Any]) -> None:
    world = Planned()
    inits = [{"name": name} for name in pod.get("inits", ())]
    spec = {"serviceAccountName": pod["account"], "containers": [{"name": "main"}], "initContainers": inits}
    world.api.put(kinds.POD, {"metadata": {"name": pod["name"], "namespace": NAMESPACE}, "spec": spec})
    assert world.sweep() == [], title
