"""What the watch of a yard counts as an alarm."""

from typing import Any

from tests.battery import yard
from tests.chaos.history import Change, Object, Place

WHERE = "yard-1"
PLACE: Place = ("networkpolicies", WHERE, "zaum--guard")
GUARD: Object = {
    "metadata": {"name": "zaum--guard", "namespace": WHERE},
    "spec": {"podSelector": {"matchLabels": {"zaum.dev/agent": "true"}}, "policyTypes": ["Ingress", "Egress"]},
}
OPEN: Object = GUARD | {"spec": GUARD["spec"] | {"egress": [{}]}}
POD: Object = {
    "metadata": {"name": "zaum-prey-0-00000", "namespace": WHERE, "labels": {"zaum.dev/agent": "true"}},
    "spec": {"serviceAccountName": "zaum-prey"},
}
BEFORE: dict[Place, Any] = {PLACE: yard.compared(GUARD)}


def history(*objects: Object | None, place: Place = PLACE) -> list[Change]:
    return [Change(number, float(number), place, obj) for number, obj in enumerate(objects, start=1)]


def test_what_stays_as_it_was_is_no_alarm() -> None:
    again = GUARD | {"metadata": GUARD["metadata"] | {"resourceVersion": "7"}, "status": {}}
    assert yard.varied(history(GUARD, again), BEFORE) == []


def test_an_object_that_was_another_for_a_moment_is_one() -> None:
    assert yard.varied(history(GUARD, OPEN, GUARD), BEFORE) == [f"networkpolicies {WHERE} zaum--guard at revision 2"]


def test_an_object_that_was_gone_for_a_moment_is_one() -> None:
    assert len(yard.varied(history(GUARD, None, GUARD), BEFORE)) == 1


def test_what_an_object_was_before_it_was_kept_does_not_count() -> None:
    assert yard.varied(history(OPEN, GUARD), BEFORE) == []


def test_what_nobody_kept_does_not_count() -> None:
    assert yard.varied(history(GUARD, OPEN, place=("networkpolicies", WHERE, "harmless")), BEFORE) == []


def test_a_pod_without_its_guard_is_weaker_by_whosever_hand() -> None:
    pods = history(POD, place=("pods", WHERE, "zaum-prey-0-00000"))
    said = yard.weaker(pods, WHERE)
    assert any("guard" in line for line in said), said


def test_a_watch_that_saw_no_pod_proves_nothing() -> None:
    assert yard.weaker(history(GUARD), WHERE) == ["nothing was judged: the watch saw no pod"]


def test_a_pod_that_an_author_stops_may_take_a_moment_and_one_that_nobody_stopped_may_not() -> None:
    name = {"name": "prey", "namespace": WHERE}
    running: Object = {"metadata": name, "spec": {"agent": {}}}
    stopped: Object = {"metadata": name, "spec": {"agent": {}, "desiredState": "Stopped"}}
    place: Place = ("agentpolicies", WHERE, "prey")
    begun = [Change(1, 1.0, PLACE, GUARD), Change(2, 2.0, place, running)]
    pod = ("pods", WHERE, "zaum-prey-0-00000")
    rule = "no pod of a stopped policy lives on"
    asked = [*begun, Change(3, 3.0, pod, POD), Change(9, 100.0, place, stopped), Change(10, 101.0, pod, None)]
    assert not any(rule in line for line in yard.weaker(asked, WHERE))
    late = [*asked[:-1], Change(10, 110.0, pod, None)]
    assert any(rule in line for line in yard.weaker(late, WHERE))
    unasked = [begun[0], Change(2, 2.0, place, stopped), Change(30, 90.0, pod, POD), Change(31, 90.5, pod, None)]
    assert any(rule in line for line in yard.weaker(unasked, WHERE))
