"""What counts as drift, and that the steady state has none."""

import copy
from typing import Any

import pytest

from tests.support import rendered
from zaum_operator.core import drift

OBJECTS = [item for item in rendered.objects(rendered.policies()["everything"]) if item["kind"] != "Pod"]


@pytest.mark.parametrize("desired", OBJECTS, ids=lambda item: f"{item['kind']} {item['metadata']['name']}")
def test_an_object_as_the_api_server_stores_it_has_none(desired: dict[str, Any]) -> None:
    stored = copy.deepcopy(desired)
    stored["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [{}], "annotations": {"a": "b"}}
    stored["status"] = {"anything": True}
    stored["imagePullSecrets"] = []
    assert drift.of(desired, stored) == drift.NONE


def test_a_missing_object_needs_an_apply() -> None:
    assert drift.of(OBJECTS[0], None) == drift.Drift(apply=True)


def test_other_peoples_labels_and_owners_are_left_alone() -> None:
    stored = copy.deepcopy(OBJECTS[1])
    stored["metadata"]["labels"]["team"] = "a"
    stored["metadata"]["ownerReferences"].append({"kind": "Other", "uid": "o"})
    assert drift.of(OBJECTS[1], stored) == drift.NONE


def test_a_reserved_label_that_is_not_ours_is_taken_away() -> None:
    stored = copy.deepcopy(OBJECTS[1])
    stored["metadata"]["labels"]["zaum.dev/extra"] = "a"
    assert drift.of(OBJECTS[1], stored).strip == {"metadata": {"labels": {"zaum.dev/extra": None}}}


def test_keys_that_an_apply_would_leave_are_taken_away() -> None:
    desired = {"metadata": {"name": "c"}, "data": {"a": "1"}}
    stored = {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}, "immutable": True}
    assert drift.of(desired, stored) == drift.Drift(apply=True, strip={"data": {"b": None}, "immutable": None})


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("1000m", "1", True),
        ("1Gi", "1024Mi", True),
        ("1", "2", False),
        ("text", "other", False),
        (True, "true", False),
        (False, None, False),
        (True, 1, False),
        ([1, 2], [1], False),
        ([{}], [{"a": 1}], False),
        ({"a": {}}, {}, True),
        ({"a": []}, {"a": None}, True),
    ],
)
def test_values_are_compared_as_kubernetes_means_them(wanted: Any, found: Any, same: bool) -> None:
    desired, stored = ({"metadata": {"name": "x"}, "spec": {"v": value}} for value in (wanted, found))
    assert (drift.of(desired, stored) == drift.NONE) is same
