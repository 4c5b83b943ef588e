"""A pod in which somebody spoke to the gateway past its watchdog is ended like one that broke out of its bounds."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support import specs
from tests.support.planned import Planned
from zaum_api import contract
from zaum_operator.core import kinds, report
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Contact

CONTACT = Contact("identity.tokenMissing", 1_700_000_000)


def world(**agent: Any) -> Planned:
    made = Planned()
    made.policy(specs.agent(**agent))
    made.settle()
    made.run_pods()
    made.settle()
    return made


def touch(made: Planned) -> Object:
    """Let somebody in the pod speak to the gateway, and let the operator hear of it."""
    (pod,) = made.pods()
    made.contacts[pod["metadata"]["uid"]] = CONTACT
    made.settle()
    return made.api.objects["pods", "agents", pod["metadata"]["name"]]


def test_i09_the_pod_is_cut_off_ended_and_says_why_for_good() -> None:
    made = world()
    pod = touch(made)
    assert pod["metadata"]["labels"].get(contract.LABEL_QUARANTINED) == "true"
    assert pod["metadata"]["annotations"].get(contract.ANNOTATION_BREACH) == "GatewayContact"
    assert pod["spec"].get("activeDeadlineSeconds") == 1
    status, reason, text = made.condition()
    assert (status, reason) == ("False", "Runaway")
    assert pod["metadata"]["name"] in text
    assert "GatewayContact" in text
    assert made.step() == [], "and nothing is written twice"


def test_a_pod_that_nobody_accuses_runs_on() -> None:
    made = world()
    made.contacts["another pod"] = CONTACT
    made.settle()
    assert made.condition()[:2] == ("True", "AllReady")


@pytest.mark.parametrize(
    "end", [{"code": None, "reason": "DeadlineExceeded"}, {"code": 137, "word": contract.Breach.ORDERED.value}],
    ids=["by its kubelet", "by an order to its watchdog"],
)  # fmt: skip
def test_i09_the_next_pod_waits_as_after_any_failure_also_when_the_authorizers_have_forgotten(
    end: dict[str, Any],
) -> None:
    made = world()
    pod = touch(made)
    made.contacts.clear()
    made.end(pod, **end)
    made.settle()
    assert made.pods() == []
    status, reason, text = made.condition()
    assert (status, reason) == ("False", "Runaway")
    assert "GatewayContact" in text
    assert "1 in a row" in text
    made.now += timedelta(seconds=11)
    made.settle()
    (after,) = made.pods()
    assert after["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "1"
    assert contract.ANNOTATION_BREACH not in after["metadata"]["annotations"]


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_task_that_made_contact_has_failed_whatever_its_exit_code(forgotten: bool) -> None:
    made = world(type="Task")
    pod = touch(made)
    if forgotten:
        made.contacts.clear()
    made.end(pod, code=0)
    made.settle()
    assert made.condition("Succeeded")[:2] == ("False", "Runaway")
    assert "GatewayContact" in made.condition("Succeeded")[2]


def test_a_contact_by_a_pod_that_has_ended_by_itself_is_no_reason_to_write_to_it() -> None:
    made = world()
    (pod,) = made.pods()
    made.end(pod, code=1)
    made.contacts[pod["metadata"]["uid"]] = CONTACT
    made.settle()
    assert (
        contract.ANNOTATION_BREACH
        not in made.api.objects["pods", "agents", pod["metadata"]["name"]]["metadata"]["annotations"]
    )
    assert made.condition()[1] == "Runaway"


def test_its_event_has_one_name_however_often_it_is_told() -> None:
    made = world()
    (pod,) = made.pods()
    made.contacts[pod["metadata"]["uid"]] = CONTACT
    snapshot, planned = made.look(), made.plan()
    (one,) = report.contacts(snapshot, planned, now=made.now)
    (again,) = report.contacts(snapshot, planned, now=made.now + timedelta(hours=1))
    assert one["metadata"]["name"] == again["metadata"]["name"]
    assert (one["reason"], one["type"]) == ("GatewayContact", "Warning")
    assert "rule identity.tokenMissing" in one["message"]
    assert one["involvedObject"]["kind"] == kinds.POLICY.name
