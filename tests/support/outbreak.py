"""What people, watchdogs, ledger and kubelets do around a containment, in a simulated cluster."""

from datetime import timedelta
from typing import Any

from tests.support.world import NAMESPACE, World, stamp
from zaum_api import contract, incidents
from zaum_operator.core import kinds, pods
from zaum_operator.core.kinds import Object

POLICY = "researcher"
STEPS = ("Cut", "Killed", "RouteRemoved", "IdentityDead", "Quarantined")


def running(world: World, **policy: Any) -> Object:
    """Apply a policy, and give its one pod, which runs."""
    world.policy(**policy)
    world.settle()
    world.start_pods()
    (pod,) = world.live(policy.get("name", POLICY))
    world.set_status(
        pod,
        containerStatuses=[_runs(contract.CONTAINER_AGENT)],
        initContainerStatuses=[_runs(contract.CONTAINER_WATCHDOG)],
    )
    world.settle()
    return world.live(policy.get("name", POLICY))[0]


def report(
    world: World,
    *,
    action: str = "Quarantine",
    reason: str = "Manual",
    reporter: str = "Human",
    pod: Object | None = None,
    policy: str = POLICY,
    key: str = "manual/0",
) -> Object:
    """Make an Incident as a person or the ledger does."""
    spec: dict[str, Any] = {"policyRef": {"name": policy}, "reason": reason, "action": action, "reporter": reporter}
    if pod is not None:
        spec["pod"] = {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        key = pod["metadata"]["uid"]
    if reporter == "Human":
        spec["requestedBy"] = "ann"
    name = incidents.name(NAMESPACE, policy, key)
    body = {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_INCIDENT,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    return world.api.put(kinds.INCIDENT, body)


def breach(world: World, pod: Object, word: str = "RunawayCPU") -> None:
    """Play watchdog and kubelet: the agent was ended for a breach, and the watchdog left its word."""
    said = {"terminated": {"exitCode": 0, "message": word, "finishedAt": stamp(world.clock.at)}}
    world.end_pod(pod, code=137, initContainerStatuses=[{"name": contract.CONTAINER_WATCHDOG, "state": said}])


def obey(world: World) -> int:
    """Play the kubelet: every pod that was told to has ended now; give how many."""
    count = 0
    for pod in world.api.all(kinds.POD):
        status = pod.get("status") or {}
        told = pod["spec"].get("activeDeadlineSeconds") == pods.ENDING_SECONDS
        if told and status.get("phase") not in {"Failed", "Succeeded"}:
            end(world, pod)
            count += 1
    return count


def end(world: World, pod: Object) -> None:
    """Play the kubelet: all containers of a pod have terminated, and its operator may or may not notice."""
    status = pod.get("status") or {}
    ended = {
        "exitCode": 137,
        "startedAt": stamp(world.clock.at - timedelta(seconds=9)),
        "finishedAt": stamp(world.clock.at),
    }
    parts = {
        part: [{**item, "state": {"terminated": dict(ended)}} for item in status.get(part) or ()]
        for part in ("initContainerStatuses", "containerStatuses")
    }
    world.set_status(pod, phase="Failed", reason="DeadlineExceeded", conditions=[], **parts)


def release(world: World, name: str) -> None:
    """Release an Incident as a person with the right to it would."""
    said = {"spec": {"release": {"by": "ann", "reason": "looked at it"}}}
    world.api.edit(kinds.INCIDENT, NAMESPACE, name, said)
    world.settle()


def incident(world: World, name: str = "") -> Object:
    """Give the one Incident, or the one with this name."""
    (found,) = (item for item in world.api.all(kinds.INCIDENT) if name in ("", item["metadata"]["name"]))
    return found


def said(item: Object) -> dict[str, str]:
    """Give the status of each condition of an Incident."""
    return {one["type"]: one["status"] for one in (item.get("status") or {}).get("conditions", ())}


def why(item: Object, kind: str) -> tuple[str, str]:
    """Give reason and message of one condition."""
    for one in (item.get("status") or {}).get("conditions", ()):
        if one["type"] == kind:
            return one["reason"], one["message"]
    raise AssertionError(f"no condition {kind}")


def confirmed(item: Object) -> list[str]:
    """Give the steps that are confirmed, in their order."""
    return [step for step in STEPS if said(item).get(step) == "True"]


def timeline(item: Object) -> list[str]:
    """Give what happened, in its order."""
    return [line["step"] for line in (item.get("status") or {}).get("timeline", ())]


def finish(world: World, rounds: int = 6) -> None:
    """Let kubelets obey, time pass and the operator work until a containment is through."""
    for _ in range(rounds):
        obey(world)
        world.settle()
        world.pass_time(seconds=2)


def _runs(name: str) -> dict[str, Any]:
    return {"name": name, "state": {"running": {"startedAt": "2026-03-01T12:00:00Z"}}}
