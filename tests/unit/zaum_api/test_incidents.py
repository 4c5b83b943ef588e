"""What an open Incident contains: the one rule that every part goes by."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, incidents
from zaum_api.incidents import Action, Condition, Hold, Phase

POD = {"name": "zaum-a-0-abcde", "uid": "u1"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def incident(action: object = "Quarantine", *true: str, policy: object = "a", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "agents", "name": "a-0123456789"},
        "spec": {"policyRef": {"name": policy}, "action": action, **spec},
        "status": {"conditions": [{"type": kind, "status": "True"} for kind in true]},
    }


def covered(held: Hold | None, **pod: str) -> bool:
    asked = {"namespace": "agents", "policy": "a", "pod_name": POD["name"], "pod_uid": POD["uid"]} | pod
    return held is not None and held.covers(**asked)


def test_a_name_is_made_of_the_policy_and_what_it_is_about_and_two_who_report_the_same_collide() -> None:
    one = incidents.name("agents", "a", "u1")
    assert one == incidents.name("agents", "a", "u1")
    others = [("agents", "a", "u2"), ("agents", "b", "u1"), ("other", "a", "u1"), ("agents", "a", "manual/0")]
    assert one not in {incidents.name(*other) for other in others}
    assert one.startswith("a-")
    longest = incidents.name("agents", "x" * contract.POLICY_NAME_MAX, "u1")
    assert len(longest) == incidents.NAME_POLICY_MAX + 11


def test_i10_a_quarantine_covers_every_pod_of_the_name_whatever_its_uid_and_nothing_else() -> None:
    held = incidents.hold(incident("Quarantine", pod=POD))
    assert held is not None
    assert held.whole
    assert covered(held)
    assert covered(held, pod_name="zaum-a-0-fffff", pod_uid="u9")
    assert not covered(held, policy="b")
    assert not covered(held, namespace="other")


def test_i12_a_kill_covers_the_one_pod_that_it_names() -> None:
    held = incidents.hold(incident("Kill", pod=POD))
    assert held is not None
    assert not held.whole
    assert covered(held)
    assert not covered(held, pod_uid="u2"), "the name came again"
    assert not covered(held, pod_name="zaum-a-1-abcde", pod_uid="u2")
    by_name = incidents.hold(incident("Kill", pod={"name": POD["name"]}))
    assert covered(by_name, pod_uid="whatever")
    assert not covered(by_name, pod_name="zaum-a-1-abcde")


@pytest.mark.parametrize("pod", [None, {}, [], "zaum-a-0-abcde", {"name": ""}, {"name": 1, "uid": 2}])
def test_i10_a_kill_that_names_no_pod_that_can_be_read_covers_all(pod: object) -> None:
    held = incidents.hold(incident("Kill", pod=pod))
    assert held is not None
    assert held.whole


@pytest.mark.parametrize("action", [None, "", "kill", "Throttle", 7, {}, ["Kill"]])
def test_i10_an_action_that_is_none_is_a_quarantine(action: object) -> None:
    assert incidents.action(incident(action)) is Action.QUARANTINE


@pytest.mark.parametrize("raised", ["Quarantine", "nonsense", {}, 1])
def test_i10_the_operator_raises_and_nobody_lowers(raised: object) -> None:
    kill = incident("Kill", pod=POD)
    kill["status"]["action"] = raised
    assert incidents.action(kill) is Action.QUARANTINE
    kill["status"]["action"] = "Kill"
    assert incidents.action(kill) is Action.KILL
    whole = incident("Quarantine")
    whole["status"]["action"] = "Kill"
    assert incidents.action(whole) is Action.QUARANTINE


@pytest.mark.parametrize("kind", [Condition.RELEASED, Condition.CLOSED])
def test_only_what_the_operator_confirms_closes_and_a_wish_to_release_does_not(kind: Condition) -> None:
    assert incidents.hold(incident("Quarantine", kind)) is None
    wished = incident("Quarantine", release={"by": "jane", "reason": "mended"})
    assert incidents.is_open(wished)
    wished["status"]["conditions"] = [{"type": kind, "status": "False"}]
    assert incidents.is_open(wished)


@pytest.mark.parametrize("status", [None, {}, [], {"conditions": None}, {"conditions": "Closed"},
                                    {"conditions": [None, "Closed", {"type": "Closed"}, {"status": "True"}]},
                                    {"conditions": [{"type": "Closed", "status": True}]}])  # fmt: skip
def test_i10_a_status_that_cannot_be_read_leaves_it_open(status: object) -> None:
    assert incidents.is_open({**incident(), "status": status})


@pytest.mark.parametrize("policy", [None, "", 7, {}])
def test_who_cannot_be_contained_is_said(policy: object) -> None:
    with pytest.raises(incidents.IncidentError, match=r"policyRef\.name cannot be read"):
        incidents.hold(incident(policy=policy))
    assert incidents.holds([incident(policy=policy), incident("Quarantine", Condition.CLOSED), incident()]) == (
        Hold("a-0123456789", "agents", "a"),
    )


@given(status=JSON, action=JSON, pod=JSON, release=JSON)
def test_i10_whatever_else_stands_in_one_that_names_its_policy_something_is_contained_until_it_is_closed(
    status: object, action: object, pod: object, release: object
) -> None:
    found = {**incident(action, pod=pod, release=release), "status": status}
    held = incidents.hold(found)
    assert held is not None
    assert (held.namespace, held.policy) == ("agents", "a")


@given(JSON)
def test_an_object_of_any_shape_is_read_or_said_to_be_unreadable(found: object) -> None:
    if isinstance(found, dict):
        assert incidents.holds([found]) == ()


def test_the_oldest_is_by_time_and_then_by_name() -> None:
    def made(name: str, at: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "creationTimestamp": at}}

    early, late, twin = (
        made("b", "2026-01-01T00:00:00Z"),
        made("a", "2026-01-02T00:00:00Z"),
        made("c", "2026-01-01T00:00:00Z"),
    )
    assert incidents.oldest([late, twin, early]) is early
    assert incidents.oldest([]) is None


ALL = [*incidents.STEPS]


@pytest.mark.parametrize(
    ("true", "action", "phase"),
    [
        ([], Action.QUARANTINE, Phase.OPEN),
        ([Condition.CUT], Action.QUARANTINE, Phase.CUT),
        ([Condition.KILLED], Action.QUARANTINE, Phase.OPEN),
        ([Condition.CUT, Condition.KILLED, Condition.IDENTITY_DEAD], Action.QUARANTINE, Phase.KILLED),
        (ALL[:4], Action.QUARANTINE, Phase.IDENTITY_DEAD),
        (ALL[:4], Action.KILL, Phase.CONTAINED),
        (ALL, Action.QUARANTINE, Phase.CONTAINED),
        ([*ALL, Condition.CLOSED], Action.KILL, Phase.CLOSED),
        ([*ALL, Condition.RELEASED, Condition.CLOSED], Action.QUARANTINE, Phase.RELEASED),
    ],
)
def test_a_phase_never_says_more_than_the_conditions(true: list[Condition], action: Action, phase: Phase) -> None:
    assert incidents.phase(dict.fromkeys(true, "True"), action) is phase


def test_the_reasons_are_breaches_that_blame_somebody_and_causes_and_all_are_words() -> None:
    assert set(incidents.REASONS) == (set(contract.Breach) - contract.BLAMELESS) | set(incidents.Cause)
    assert len(set(incidents.REASONS)) == len(incidents.REASONS)
    assert all(reason.isalnum() and reason[0].isupper() for reason in incidents.REASONS)
