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
    assert {uid: (item["labels"], item["ownerReferences"]) for uid, item in after.items()} == {
        uid: (item["labels"], item["ownerReferences"]) for uid, item in before.items()
    }, title
    assert world.sweep() == []
