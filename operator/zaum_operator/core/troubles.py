"""What is wrong with single pods, claims and requests, and who can mend it."""

from collections.abc import Iterator
from typing import Final

from zaum_api import contract, durations
from zaum_api.conditions import Reason
from zaum_operator import errors
from zaum_operator.core import actions, kinds, pods, replacement, words
from zaum_operator.core.finding import Failure, Finding, no
from zaum_operator.core.kinds import Object
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot

_PULL: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_CONFIG: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "StartError"}
)


def of_pods(snapshot: Snapshot, plan: Plan) -> Iterator[Finding]:
    """Yield what is wrong with single pods and claims, the most telling first."""
    for pod in plan.decision.keep:
        for waiting in pod.waiting:
            yield from _waiting(pod, waiting)
        if pod.unschedulable:
            yield _unschedulable(pod, snapshot)
    if snapshot.missing_files:
        names = ", ".join(snapshot.missing_files)
        yield no(Reason.CONFIG_MAP_MISSING, f"spec.agent.files names ConfigMaps that do not exist: {names}.")
    for pod in plan.decision.end:
        reason, why = _doom(pod)
        yield no(reason, f"Pod {pod.name} is cut off and ended: {why}.")
    for pause in plan.decision.pauses:
        yield _paused(pause)
    for item in plan.stuck:
        yield no(
            Reason.CLAIM_PENDING,
            f"PersistentVolumeClaim {item.name}: {item.problem}. Put spec.agent.workspace back, or delete the claim and"
            " what it holds.",
        )


def lost(pod: pods.Pod) -> Finding:
    """Say what frees an ordinal whose pod's deletion nobody confirms."""
    node = f"node {pod.node}" if pod.node else "its node"
    since = f"{pod.deleted:%Y-%m-%dT%H:%M:%SZ}" if pod.deleted else "long ago"
    return no(
        Reason.NODE_LOST,
        f"Pod {pod.name} should have ended at {since}, but {node} does not answer. No second pod of ordinal"
        f" {pod.ordinal} is started until the node is back, or is known to be off: then delete the Node, or taint it"
        " node.kubernetes.io/out-of-service=nodeshutdown:NoExecute.",
    )


def failed(failure: Failure) -> Finding:
    """Say which request failed and who can make it succeed."""
    error = failure.error
    text = _lasting(failure.action, f"{actions.describe(failure.action)}: {words.quoted(error.message)}")
    match error:
        case errors.TerminatingError():
            return no(Reason.NAMESPACE_TERMINATING, "The namespace is being deleted.")
        case errors.QuotaError():
            return no(Reason.QUOTA_EXCEEDED, text)
        case errors.ForbiddenError() | errors.InvalidError() if failure.action.kind is kinds.CLAIM:
            return no(Reason.CLAIM_PENDING, f"The API server refused to {text}")
        case errors.ForbiddenError() | errors.InvalidError():
            return no(Reason.ADMISSION_REFUSED, f"The API server refused to {text}")
        case _:
            return no(Reason.APPLY_FAILED, f"Tried again soon: {text}")


def _lasting(action: actions.Action, text: str) -> str:
    """Leave out what differs from attempt to attempt: a pod that could not be made gets another name next time."""
    if isinstance(action, actions.Create) and action.kind is kinds.POD:
        name = action.body["metadata"]["name"]
        return text.replace(name, f"{name.rpartition('-')[0]}-…")
    return text


def _waiting(pod: pods.Pod, waiting: pods.Waiting) -> Iterator[Finding]:
    if waiting.reason in _PULL:
        image, why = dict(pod.images).get(waiting.container, "?"), words.quoted(_pull_error(waiting))
        yield no(Reason.IMAGE_PULL_FAILED, f"Pod {pod.name}: image {image} cannot be pulled: {why}")
    if waiting.reason in _CONFIG:
        yield no(
            Reason.CONTAINER_CONFIG,
            f"Pod {pod.name}: container {waiting.container} cannot be made"
            f" ({waiting.reason}): {words.quoted(waiting.message)}",
        )


def _unschedulable(pod: pods.Pod, snapshot: Snapshot) -> Finding:
    why = words.quoted(pod.unschedulable)
    for claim in snapshot.claims:
        if claim["metadata"]["name"] == _claim_name(pod, snapshot) and _pending(claim):
            return no(
                Reason.CLAIM_PENDING,
                f"Pod {pod.name} waits for PersistentVolumeClaim {claim['metadata']['name']}, which is unbound: {why}",
            )
    return no(Reason.UNSCHEDULABLE, f"Pod {pod.name} fits no node: {why}")


def _claim_name(pod: pods.Pod, snapshot: Snapshot) -> str:
    return contract.claim_name(snapshot.key.name, pod.ordinal or 0)


def _pending(claim: Object) -> bool:
    return (claim.get("status") or {}).get("phase") in {None, "Pending", "Lost"}


def _pull_error(waiting: pods.Waiting) -> str:
    """Give the error without the kubelet's pause around it: the two alternate, and the condition should not."""
    return waiting.message.rpartition("ErrImagePull: ")[2] or waiting.reason


def _paused(pause: replacement.Pause) -> Finding:
    pod, ending = pause.pod, pause.pod.ending
    again = (
        f"Next attempt at {pause.until:%Y-%m-%dT%H:%M:%SZ}, {durations.write(_seconds(pause))} after the end"
        f" ({pause.failures} in a row)."
    )
    word = pod.last_word
    if word is not None and not word.unhealthy and not pod.ordered:
        return no(Reason.RUNAWAY, f"Pod {pod.name}: the agent was killed for {word.word}. {again}")
    if pod.doomed:
        reason, why = _doom(pod)
        return no(reason, f"Pod {pod.name} was cut off and ended: {why}. {again}")
    if pod.ordered:
        return no(Reason.RUNAWAY, f"Pod {pod.name} was cut off and ended: {replacement.Why.ORDERED}. {again}")
    if word is not None:
        return no(Reason.AGENT_UNHEALTHY, f"Pod {pod.name}: the agent was killed: its health check failed. {again}")
    if ending and ending.exit_code == 0:
        return no(Reason.BACKING_OFF, f"Pod {pod.name}: the agent ended by itself with exit code 0. {again}")
    text = f"Pod {pod.name}: the agent ended {words.ending(ending)}. {again}"
    return no(Reason.CRASH_LOOP if pause.failures > 1 else Reason.AGENT_FAILED, text)


def _doom(pod: pods.Pod) -> tuple[Reason, str]:
    if pod.contact:
        return Reason.RUNAWAY, replacement.Why.GATEWAY_CONTACT
    if pod.contained and not pod.watchdog_restarts:
        return Reason.RUNAWAY, f"open Incident {pod.contained} holds it"
    return Reason.WATCHDOG_RESTARTED, replacement.Why.WATCHDOG_RESTARTED


def _seconds(pause: replacement.Pause) -> int:
    finished = pause.pod.ending.finished if pause.pod.ending else pause.until
    return int((pause.until - finished).total_seconds())
