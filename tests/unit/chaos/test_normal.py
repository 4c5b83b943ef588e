"""Two runs are compared by what is not new each time."""

from typing import Any

from tests.chaos import normal
from tests.chaos.history import Object, Place


def pod(suffix: str, **metadata: Any) -> dict[Place, Object]:
    name = f"zaum-researcher-0-{suffix}"
    return {("pods", "agents", name): {"metadata": {"name": name, "uid": suffix, **metadata}, "spec": {"a": 1}}}


def test_what_is_new_each_time_does_not_count() -> None:
    left = normal.state(pod("abcde", resourceVersion="7", annotations={"zaum.dev/template-digest": "x"}))
    right = normal.state(pod("12345", resourceVersion="9", annotations={"zaum.dev/template-digest": "y"}))
    assert normal.differences(left, right) == []
    assert list(left) == ["pods agents/zaum-researcher-0-*"]


def test_of_a_document_counts_what_it_says_of_the_policy_and_not_how_often_that_changed() -> None:
    def stored(text: str) -> dict[str, Any]:
        key = ("configmaps", "agents", "zaum-researcher")
        return normal.state({key: {"metadata": {"name": key[2]}, "data": {"config.v4.json": text}}})

    calm = stored('{"limits": {"created": 1, "generation": 1, "replicas": 2}}')
    assert normal.differences(stored('{"limits": {"created": 2, "generation": 9, "replicas": 2}}'), calm) == []
    assert normal.differences(stored('{"limits": {"created": 1, "generation": 1, "replicas": 3}}'), calm) == [
        ".configmaps agents/zaum-researcher.data.config.v4.json.limits.replicas: 3 != 2"
    ]
    assert normal.differences(stored("{"), calm) != []


def test_everything_else_counts() -> None:
    left = normal.state(pod("abcde", labels={"a": "b"}))
    assert normal.differences(left, normal.state(pod("12345", labels={"a": "c"}))) == [
        ".pods agents/zaum-researcher-0-*.metadata.labels.a: 'b' != 'c'"
    ]
    assert normal.differences(left, normal.state({})) == [".pods agents/zaum-researcher-0-*: only after the storm"]
    assert normal.differences(normal.state({}), left) == [".pods agents/zaum-researcher-0-*: only after the calm run"]


def test_two_pods_of_one_ordinal_are_two() -> None:
    assert len(normal.state(pod("abcde") | pod("12345"))) == 2


def test_what_is_not_ours_does_not_count() -> None:
    assert normal.state({("configmaps", "agents", "kube-root-ca.crt"): {"data": {"a": "b"}}}) == {}


def test_lists_of_another_length_differ() -> None:
    assert normal.differences({"a": [1]}, {"a": [1, 2]}) == [".a: [1] != [1, 2]"]


def quota(used: str | None, *classes: str) -> Object:
    terms = [{"operator": "In", "scopeName": "PriorityClass", "values": list(classes)}]
    counts = {} if used is None else {"used": {"pods": used}}
    return {
        "metadata": {"name": "zaum-crowd"},
        "spec": {"scopeSelector": {"matchExpressions": terms}},
        "status": counts,
    }


def of_class(name: str, phase: str = "Running") -> Object:
    return {"spec": {"priorityClassName": name}, "status": {"phase": phase}}


def test_a_quota_counts_late_when_it_does_not_count_the_pods_that_there_are() -> None:
    pods = [of_class("zaum-a"), of_class("zaum-a"), of_class("zaum-b"), of_class("zaum-a", "Failed")]
    assert normal.uncounted([quota("2", "zaum-a")], pods) == []
    assert normal.uncounted([quota("0", "zaum-c")], pods) == []
    for used in ("0", "1", "3", None):
        assert normal.uncounted([quota(used, "zaum-a")], pods) == ["zaum-crowd"]


def test_quotas_that_are_nobodys_of_ours_may_count_as_they_like() -> None:
    foreign = quota("7", "zaum-a") | {"metadata": {"name": "another"}}
    assert normal.uncounted([foreign], []) == []
