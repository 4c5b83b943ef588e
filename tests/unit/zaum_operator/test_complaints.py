"""What goes wrong is said with its reason, tried again, and not said twice."""

import pytest

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator import errors
from zaum_operator.core import kinds

FOREIGN = {
    "metadata": {"name": "wide-open", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.QuotaError("create pods", 403, "exceeded quota: team"), "QuotaExceeded"),
        (errors.ForbiddenError("create pods", 403, "denied by admission"), "AdmissionRefused"),
        (errors.UnavailableError("create pods", 0, "connection reset"), "ApplyFailed"),
        (errors.TerminatingError("create pods", 403, "is being terminated"), "NamespaceTerminating"),
    ],
)
def test_a_refused_pod_is_said_with_its_reason_and_tried_again(
    world: World, error: errors.RequestError, reason: str
) -> None:
    world.api.refuse = lambda verb, plural, name: error if (verb, plural) == ("create", "pods") else None
    world.policy()
    world.settle()
    assert world.condition()[:2] == ("False", reason)
    assert world.condition("Isolated")[0] == "True"
    world.api.refuse = lambda verb, plural, name: None
    world.pass_time(seconds=300)
    assert len(world.live()) == 1


@pytest.mark.parametrize(("times", "warnings"), [(2, 0), (50, 1)])
def test_the_policys_own_quota_that_counts_late_warns_nobody_unless_it_lasts(
    world: World, times: int, warnings: int
) -> None:
    left = [errors.QuotaError("create pods", 403, "exceeded quota: zaum-researcher, requested: pods=1")] * times
    world.api.refuse = lambda verb, plural, name: left.pop() if (verb, plural) == ("create", "pods") and left else None
    world.policy()
    world.settle()
    for _ in range(20):
        world.pass_time(seconds=1)
    said = [event for event in world.api.all(kinds.EVENT) if event.get("reason") == "QuotaExceeded"]
    assert bool(said) is bool(warnings)
    assert len(world.live()) == (0 if warnings else 1)


def test_i02_no_pod_starts_while_the_guard_cannot_be_written(world: World) -> None:
    refused = errors.UnavailableError("apply", 500, "etcd is slow")
    world.api.refuse = lambda verb, plural, name: refused if name == contract.GUARD_NAME else None
    world.policy()
    world.settle()
    assert world.pods() == []
    assert world.condition("Isolated")[:2] == ("False", "NotGuarded")


def test_failures_back_off_instead_of_spinning(world: World) -> None:
    refused = errors.UnavailableError("apply", 500, "etcd is slow")
    tried: list[str] = []

    def refuse(verb: str, plural: str, name: str) -> errors.RequestError | None:
        if plural == "events" or name == "researcher":
            return None
        tried.append(name)
        return refused

    world.api.refuse = refuse
    world.policy()
    world.settle()
    for _ in range(60):
        world.pass_time(seconds=1)
    assert 6 <= len(tried) <= 10


def test_events_are_for_warnings_and_for_the_recovery_from_one(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    assert world.api.names(kinds.EVENT) == [], "what goes as planned is in the conditions"
    world.api.put(kinds.NETWORK_POLICY, FOREIGN)
    world.settle()
    for _ in range(5):
        world.look()
    warned = [(event["type"], event["reason"], event["action"]) for event in world.api.all(kinds.EVENT)]
    both = [("Warning", "ForeignNetworkPolicy", "EgressExact"), ("Warning", "ForeignNetworkPolicy", "Ready")]
    assert sorted(warned, key=lambda item: item[2]) == both
    world.api.remove(kinds.NETWORK_POLICY, NAMESPACE, "wide-open")
    world.pass_time(seconds=1)
    recovered = [event["reason"] for event in world.api.all(kinds.EVENT) if event["type"] == "Normal"]
    assert recovered == ["Exact"]


def test_an_image_that_cannot_be_pulled_is_named_without_a_loop(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "not found\nsecond line"}}
    world.set_status(pod, phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
    world.settle()
    status, reason, message = world.condition()
    assert (status, reason) == ("False", "ImagePullFailed")
    assert specs.IMAGE in message
    assert "\n" not in message
    assert world.look() == []


def test_the_kubelets_pause_between_pulls_changes_nothing(world: World) -> None:
    world.policy()
    world.settle()
    for reason, message in (("ErrImagePull", "not found"), ("ImagePullBackOff", "Back-off: ErrImagePull: not found")):
        waiting = {"waiting": {"reason": reason, "message": message}}
        (pod,) = world.live()
        world.set_status(pod, phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
        before = len(world.api.writes)
        world.settle()
    assert world.api.writes[before:] == []
    assert world.condition()[2].endswith("cannot be pulled: not found")


def test_a_container_that_cannot_be_made_is_named(world: World) -> None:
    world.policy()
    world.settle()
    waiting = {"waiting": {"reason": "CreateContainerError", "message": "no such file"}}
    world.set_status(world.live()[0], phase="Pending", containerStatuses=[{"name": "agent", "state": waiting}])
    world.settle()
    assert world.condition()[:2] == ("False", "ContainerConfigError")
    assert "container agent cannot be made (CreateContainerError): no such file" in world.condition()[2]


def test_a_policy_that_goes_while_it_is_looked_at_needs_no_status(world: World) -> None:
    world.policy()
    gone = errors.NotFoundError("apply", 404, "not found")
    world.api.refuse = lambda verb, plural, name: gone if plural == "agentpolicies" else None
    assert world.settle() < 20
    assert world.api.names(kinds.EVENT) == []


def test_a_config_map_that_is_missing_is_named(world: World) -> None:
    world.policy(spec=specs.agent(files=[{"configMap": "notes", "mountPath": "/notes"}]))
    world.settle()
    world.set_status(world.live()[0], phase="Pending")
    world.settle()
    assert world.condition() == (
        "False",
        "ConfigMapMissing",
        "spec.agent.files names ConfigMaps that do not exist: notes.",
    )


def test_a_pod_that_fits_no_node_is_said(world: World) -> None:
    world.policy()
    world.settle()
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    world.set_status(world.live()[0], phase="Pending", conditions=[unfit])
    world.settle()
    assert world.condition()[:2] == ("False", "Unschedulable")


def test_a_runaway_that_the_watchdog_named_is_said(world: World) -> None:
    world.policy()
    world.settle()
    (pod,) = world.live()
    said = {"terminated": {"exitCode": 0, "message": "RunawayProcesses"}}
    world.end_pod(pod, code=137, initContainerStatuses=[{"name": contract.CONTAINER_WATCHDOG, "state": said}])
    assert world.condition()[:2] == ("False", "Runaway")
