"""What nobody can change any more goes, and comes back as it should be."""

from typing import Any

import pytest

from tests.support.planned import Planned
from tests.support.world import NAMESPACE
from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind

CLASS = contract.cluster_name(NAMESPACE, "researcher")
OTHER_SCOPE = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["other"]}]}
CASES: list[tuple[str, Kind, str, dict[str, Any]]] = [
    ("an immutable ConfigMap", kinds.CONFIG_MAP, "zaum-researcher", {"immutable": True, "data": {"config.json": ""}}),
    ("a ConfigMap that will be wrong tomorrow", kinds.CONFIG_MAP, "zaum-researcher", {"immutable": True}),
    ("a PriorityClass of another value", kinds.PRIORITY_CLASS, CLASS, {"value": 1000}),
    ("a PriorityClass that preempts", kinds.PRIORITY_CLASS, CLASS, {"preemptionPolicy": "PreemptLowerPriority"}),
    ("a quota of others", kinds.QUOTA, "zaum-researcher", {"spec": {"scopeSelector": OTHER_SCOPE}}),
    ("a quota of nobody in particular", kinds.QUOTA, "zaum-researcher", {"spec": {"scopeSelector": None}}),
]


@pytest.mark.parametrize(("title", "kind", "name", "edit"), CASES, ids=[case[0] for case in CASES])
def test_i11_an_edit_that_cannot_be_taken_back_costs_the_object(
    title: str, kind: Kind, name: str, edit: dict[str, Any]
) -> None:
    world = Planned()
    world.policy()
    world.settle()
    place = (kind.plural, NAMESPACE if kind.namespaced else "", name)
    before = world.api.objects[place]
    world.api.edit(kind, NAMESPACE if kind.namespaced else None, name, edit)
    world.settle()
    after = world.api.objects[place]
    assert after["metadata"]["uid"] != before["metadata"]["uid"], title
    assert {key: after.get(key) for key in ("data", "immutable", "value", "preemptionPolicy", "spec")} == {
        key: before.get(key) for key in ("data", "immutable", "value", "preemptionPolicy", "spec")
    }
