"""Say on the policy what is so: three conditions, each with one reason and a message that names the object."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, durations
from zaum_api.conditions import ConditionType, Reason, Status
from zaum_operator import errors
from zaum_operator.core import actions, kinds, pods, replacement
from zaum_operator.core.actions import Action
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot

MESSAGE_MAX: Final = 4096
_QUOTED_MAX: Final = 300
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


@dataclass(frozen=True, slots=True)
class Failure:
    """The request at which carrying out the plan stopped."""

    action: Action
    error: errors.RequestError


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition without its times."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class _Finding:
    status: Status
    reason: Reason
    message: str


def conclude(snapshot: Snapshot, plan: Plan, failure: Failure | None) -> tuple[Verdict, ...]:
    """Give all conditions, from what was seen, planned, and done."""
    ready = next(_ready(snapshot, plan, failure))
    note = plan.intent.unknown_note
    message = f"{ready.message} {note}" if note else ready.message
    return (
        Verdict(ConditionType.READY, ready.status, ready.reason, _bounded(message)),
        _as(ConditionType.ISOLATED, _isolated(plan, failure)),
        _as(ConditionType.EGRESS_EXACT, _egress_exact(snapshot, plan)),
    )


def _as(kind: ConditionType, finding: _Finding) -> Verdict:
    return Verdict(kind, finding.status, finding.reason, _bounded(finding.message))


def _ready(snapshot: Snapshot, plan: Plan, failure: Failure | None) -> Iterator[_Finding]:
    """Yield what keeps the policy from being ready, the most telling first; the first one counts."""
    if plan.intent.spec is None:
        yield _no(
            Reason.INVALID_SPEC, f"The spec cannot be acted on; running pods have no egress. {plan.intent.problem}"
        )
    if failure is not None:
        yield _failed(failure)
    if plan.stale:
        yield _no(Reason.PROGRESSING, "Objects of an earlier policy of this name are being deleted.")
    if plan.beside:
        yield _no(Reason.FOREIGN_NETWORK_POLICY, f"No pod runs beside {_foreign_text(plan)}.")
    effective = plan.effective
    if effective is None:
        return
    wanted = 0 if effective.stopped else effective.replicas
    if wanted and snapshot.gateway is None:
        yield _no(
            Reason.GATEWAY_MISSING,
            f"The Service {contract.GATEWAY_SERVICE} or its CA was not found in Zaum's namespace: no pod is started.",
        )
    if not wanted:
        leaving = len(snapshot.pods) - len([pod for pod in _read(snapshot) if pod.phase is pods.Phase.ENDED])
        yield (
            _no(Reason.PROGRESSING, f"Stopping: {leaving} pods still exist.")
            if leaving
            else _yes(Reason.STOPPED, "Nothing is meant to run.")
        )
    yield from _troubles(snapshot, plan)
    ready = sum(pod.ready for pod in plan.decision.keep if pod not in plan.decision.end)
    if waiting := plan.decision.outdated:
        yield _no(Reason.PROGRESSING, f"{ready} of {wanted} pods are ready; {waiting} wait to be replaced.")
    if ready == wanted:
        yield _yes(Reason.ALL_READY, f"{ready} of {wanted} pods are ready.")
    yield _no(Reason.PROGRESSING, f"{ready} of {wanted} pods are ready.")


def _troubles(snapshot: Snapshot, plan: Plan) -> Iterator[_Finding]:
    """Yield what is wrong with single pods."""
    for pod in plan.decision.keep:
        for waiting in pod.waiting:
            if waiting.reason in _PULL:
                image = dict(pod.images).get(waiting.container, "?")
                yield _no(
                    Reason.IMAGE_PULL_FAILED,
                    f"Pod {pod.name}: image {image} cannot be pulled: {_quoted(_pull_error(waiting))}",
                )
            if waiting.reason in _CONFIG:
                yield _no(
                    Reason.CONTAINER_CONFIG,
                    f"Pod {pod.name}: container {waiting.container} cannot be made"
                    f" ({waiting.reason}): {_quoted(waiting.message)}",
                )
        if pod.unschedulable:
            yield _no(Reason.UNSCHEDULABLE, f"Pod {pod.name} fits no node: {_quoted(pod.unschedulable)}")
    if snapshot.missing_files:
        names = ", ".join(snapshot.missing_files)
        yield _no(Reason.CONFIG_MAP_MISSING, f"spec.agent.files names ConfigMaps that do not exist: {names}.")
    for pod in plan.decision.end:
        yield _no(
            Reason.WATCHDOG_RESTARTED, f"Pod {pod.name} is cut off and ended: {replacement.Why.WATCHDOG_RESTARTED}."
        )
    for pause in plan.decision.pauses:
        yield _paused(pause)


def _pull_error(waiting: pods.Waiting) -> str:
    """Give the error without the kubelet's pause around it: the two alternate, and the condition should not."""
    return waiting.message.rpartition("ErrImagePull: ")[2] or waiting.reason


def _paused(pause: replacement.Pause) -> _Finding:
    pod, ending = pause.pod, pause.pod.ending
    code = ending.exit_code if ending else None
    again = (
        f"Next attempt at {pause.until:%Y-%m-%dT%H:%M:%SZ}, {durations.write(_seconds(pause))} after the end"
        f" ({pause.failures} in a row)."
    )
    if breach := _breach(pod.watchdog_message):
        return _no(Reason.RUNAWAY, f"Pod {pod.name}: the agent was killed for {breach}. {again}")
    if pod.watchdog_restarts:
        return _no(
            Reason.WATCHDOG_RESTARTED,
            f"Pod {pod.name} was cut off and ended: {replacement.Why.WATCHDOG_RESTARTED}. {again}",
        )
    if code == 0:
        return _no(Reason.BACKING_OFF, f"Pod {pod.name}: the agent ended by itself with exit code 0. {again}")
    said = " ".join(part for part in ((ending.reason, ending.message) if ending else ()) if part)
    how = f"with exit code {code}" if code is not None else "before it ran"
    text = f"Pod {pod.name}: the agent ended {how}{f' ({_quoted(said)})' if said else ''}. {again}"
    return _no(Reason.CRASH_LOOP if pause.failures > 1 else Reason.AGENT_FAILED, text)


def _seconds(pause: replacement.Pause) -> int:
    finished = pause.pod.ending.finished if pause.pod.ending else pause.until
    return int((pause.until - finished).total_seconds())


def _breach(message: str) -> contract.Breach | None:
    """Read the watchdog's last word: the breach for which it latched, if that was its end."""
    for breach in contract.Breach:
        if breach.value in message:
            return breach
    return None


def _failed(failure: Failure) -> _Finding:
    what, error = actions.describe(failure.action), failure.error
    text = f"{what}: {_quoted(error.message)}"
    match error:
        case errors.TerminatingError():
            return _no(Reason.NAMESPACE_TERMINATING, "The namespace is being deleted.")
        case errors.QuotaError():
            return _no(Reason.QUOTA_EXCEEDED, text)
        case errors.ForbiddenError() | errors.InvalidError():
            return _no(Reason.ADMISSION_REFUSED, f"The API server refused to {text}")
        case _:
            return _no(Reason.APPLY_FAILED, f"Tried again soon: {text}")


def _isolated(plan: Plan, failure: Failure | None) -> _Finding:
    if failure is not None and not _is_pod(failure.action):
        return _no(Reason.NOT_GUARDED, f"Not all that isolates is in place: {_failed(failure).message}")
    if plan.effective is None:
        return _no(Reason.NOT_GUARDED, "Only the guard is in place.")
    return _yes(Reason.GUARDED, "Guard, NetworkPolicy, quota and ServiceAccount are as planned; pods are restricted.")


def _is_pod(action: Action) -> bool:
    return action.kind is kinds.POD


def _egress_exact(snapshot: Snapshot, plan: Plan) -> _Finding:
    if plan.beside:
        return _no(
            Reason.FOREIGN_NETWORK_POLICY,
            f"{_foreign_text(plan)} in namespace {snapshot.key.namespace} may widen what agents reach: give its"
            f" podSelector the expression {{key: {contract.LABEL_AGENT}, operator: DoesNotExist}}, or delete it.",
        )
    if plan.effective is None:
        return _no(Reason.INVALID_SPEC, "The spec cannot be acted on: nothing can be reached.")
    if plan.effective.refused:
        hosts = "; ".join(f"{item.host} {item.problem}" for item in plan.effective.refused[:5])
        return _no(Reason.INVALID_HOSTS, f"These hosts get no egress: {hosts}")
    return _yes(Reason.EXACT, f"{len(plan.effective.hosts)} hosts can be reached, by name, through the gateway.")


def _foreign_text(plan: Plan) -> str:
    named = ", ".join(item.text for item in plan.beside[:5])
    return named + (f" and {len(plan.beside) - 5} more" if len(plan.beside) > 5 else "")


def _read(snapshot: Snapshot) -> list[pods.Pod]:
    return [pods.read(pod) for pod in snapshot.pods]


def _yes(reason: Reason, message: str) -> _Finding:
    return _Finding(Status.TRUE, reason, message)


def _no(reason: Reason, message: str) -> _Finding:
    return _Finding(Status.FALSE, reason, message)


def _quoted(text: str) -> str:
    """Take other programs' words without line breaks or control characters, and not too many of them."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= _QUOTED_MAX else f"{clean[:_QUOTED_MAX]}…"


def _bounded(text: str) -> str:
    return text if len(text) <= MESSAGE_MAX else f"{text[: MESSAGE_MAX - 1]}…"
