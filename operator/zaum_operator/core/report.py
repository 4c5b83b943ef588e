"""Turn verdicts into the status object and into events; both change only when something changed."""

from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import contract, documents, reading
from zaum_api.conditions import ConditionType, Reason, Status
from zaum_operator.core import budgets, enforcement, kinds, pods, usage
from zaum_operator.core.containment import standing
from zaum_operator.core.finding import Failure, Verdict
from zaum_operator.core.kinds import Object
from zaum_operator.core.plan import Plan
from zaum_operator.core.replacement import Why
from zaum_operator.core.snapshot import Snapshot

_EVENT_MESSAGE_MAX: Final = 1024
_PASSING: Final = frozenset({Reason.PROGRESSING, Reason.BACKING_OFF})
_QUIET: Final = frozenset(
    {item.value for item in _PASSING} | {Reason.TASK_ENDED.value, Reason.STOPPED.value, Reason.NAMESPACE_SCOPED.value}
)
"""Said in the condition, and no reason for an event: they pass, they were asked for, or they are said elsewhere."""


def status(
    snapshot: Snapshot, plan: Plan, verdicts: tuple[Verdict, ...], *, now: datetime, failure: Failure | None = None
) -> dict[str, Any]:
    """Give the whole status. Transition times of conditions whose status stayed are taken over.

    Pods that the plan makes are counted, so that their appearance is no reason to write again; after a failure only
    those are that were seen.
    """
    before = _status_of(snapshot)
    if failure is None and plan.effective is not None:
        live, made = list(plan.decision.keep), len(plan.decision.start) if snapshot.gateway else 0
    else:
        live, made = [pod for pod in map(pods.read, snapshot.pods) if _lives(pod)], 0
    effective = plan.effective.document() if plan.effective else documents.Effective(hosts=())
    counted = _usage(before.get("usage"), snapshot, now=now)
    contained = standing.document(plan.held, enforcement.ladders(snapshot, plan))
    return {
        **({} if counted is None else {"usage": counted}),
        **({} if contained is None else {"containment": contained}),
        "observedGeneration": plan.intent.generation,
        "conditions": [_condition(verdict, before, plan.intent.generation, now=now) for verdict in verdicts],
        "replicas": len(live) + made,
        "readyReplicas": sum(pod.ready for pod in live),
        "effective": effective.write(),
    }


def changed(snapshot: Snapshot, planned: dict[str, Any]) -> bool:
    """Say whether the status must be written. Order of conditions and absent zeros make no difference."""
    before = _status_of(snapshot)
    over = "containment" in before and "containment" not in planned
    return over or any(_comparable(key, before.get(key)) != _comparable(key, value) for key, value in planned.items())


def events(snapshot: Snapshot, verdicts: tuple[Verdict, ...], *, now: datetime, suffix: str) -> tuple[Object, ...]:
    """Give an event for each warning that is new, and for each recovery from one. `suffix` makes names distinct."""
    before = {item["type"]: item for item in _status_of(snapshot).get("conditions") or ()}
    return tuple(
        _event(snapshot, verdict, now=now, suffix=suffix)
        for verdict in verdicts
        if _is_worth_an_event(verdict, before.get(verdict.type.value, {}))
    )


def near_limits(snapshot: Snapshot, plan: Plan, *, now: datetime) -> tuple[Object, ...]:
    """Give an event for each limit of which 80 or 100 percent are spent.

    Limit, step and window make its name: told again, by whoever, it is the same event.
    """
    return tuple(
        _said(
            snapshot,
            name=f"limit.{reading.digest(f'{item.spent.meter.id} {item.step} {item.since}'.encode())[-10:]}",
            kind="Warning",
            reason="LimitSpent" if item.step == budgets.STEPS[-1] else "LimitNear",
            message=item.message,
            action=ConditionType.WITHIN_LIMITS.value,
            now=now,
        )
        for item in budgets.near(snapshot, plan, now=now)
    )


def contacts(snapshot: Snapshot, plan: Plan, *, now: datetime) -> tuple[Object, ...]:
    """Give an event for each pod that is being ended because somebody in it spoke to the gateway past its watchdog.

    The pod's uid makes its name: told again, by whoever, it is the same event.
    """
    return tuple(
        _said(
            snapshot,
            name=f"{contract.Breach.GATEWAY_CONTACT.value.lower()}.{reading.digest(pod.uid.encode())[-10:]}",
            kind="Warning",
            reason=contract.Breach.GATEWAY_CONTACT.value,
            message=(
                f"Pod {pod.name} is cut off and ended: {Why.GATEWAY_CONTACT}; rule {snapshot.contacts[pod.uid].rule}."
            ),
            action=ConditionType.READY.value,
            now=now,
        )
        for pod in plan.decision.end
        if pod.uid in snapshot.contacts
    )


def _usage(before: Any, snapshot: Snapshot, *, now: datetime) -> dict[str, Any] | None:  # noqa: ANN401 - JSON
    """Give what watchdogs count and what the ledger keeps; of the books what was said last while they are silent."""
    counted = usage.said(before, snapshot.usage)
    kept = budgets.document(snapshot.books, now=now)
    if not kept and isinstance(before, dict):
        names = ("tokens", "cost", "bytesOut", "bytesIn", "windowStart")
        kept = {name: before[name] for name in names if name in before}
    if counted is None and not kept:
        return None
    return (counted or usage.Usage(0, 0, 0).document()) | kept


def _is_worth_an_event(verdict: Verdict, before: dict[str, Any]) -> bool:
    same = (before.get("status"), before.get("reason")) == (verdict.status.value, verdict.reason.value)
    recovered = bool(before) and _warns(verdict.type, before.get("status"), before.get("reason"))
    warns = _warns(verdict.type, verdict.status.value, verdict.reason.value)
    return not same and (warns or (recovered and verdict.reason not in _PASSING))


def _warns(kind: ConditionType, status: str | None, reason: str | None) -> bool:
    """Say whether a condition is something that somebody should look at."""
    bad = Status.TRUE if kind is ConditionType.DEGRADED else Status.FALSE
    return status == bad.value and reason not in _QUIET


def _lives(pod: pods.Pod) -> bool:
    return pod.phase is pods.Phase.LIVE and not pod.terminating


def stamp(moment: datetime) -> str:
    """Write a time as the API server does."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _status_of(snapshot: Snapshot) -> dict[str, Any]:
    return dict((snapshot.policy or {}).get("status") or {})


def _condition(verdict: Verdict, before: dict[str, Any], generation: int, *, now: datetime) -> dict[str, Any]:
    old: dict[str, Any] = next(
        (item for item in before.get("conditions") or () if item.get("type") == verdict.type.value), {}
    )
    same = old.get("status") == verdict.status.value and old.get("lastTransitionTime")
    return {
        "type": verdict.type.value,
        "status": verdict.status.value,
        "reason": verdict.reason.value,
        "message": verdict.message,
        "lastTransitionTime": old["lastTransitionTime"] if same else stamp(now),
        "observedGeneration": generation,
    }


def _comparable(key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if key == "conditions":
        return {item["type"]: item for item in value or ()}
    return value or 0 if key.endswith(("eplicas", "Generation")) else value


def _event(snapshot: Snapshot, verdict: Verdict, *, now: datetime, suffix: str) -> Object:
    return _said(
        snapshot,
        name=f"{verdict.type.value.lower()}.{suffix}",
        kind="Warning" if _warns(verdict.type, verdict.status.value, verdict.reason.value) else "Normal",
        reason=verdict.reason.value,
        message=verdict.message,
        action=verdict.type.value,
        now=now,
    )


def _said(snapshot: Snapshot, *, name: str, kind: str, reason: str, message: str, action: str, now: datetime) -> Object:
    metadata = (snapshot.policy or {}).get("metadata", {})
    moment = stamp(now)
    return {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.name,
        "metadata": {
            "name": f"{metadata['name']}.{name}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": contract.API_VERSION,
            "kind": contract.KIND_POLICY,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": kind,
        "reason": reason,
        "message": message[:_EVENT_MESSAGE_MAX],
        "action": action,
        "reportingComponent": contract.FIELD_MANAGER,
        "reportingInstance": contract.FIELD_MANAGER,
        "source": {"component": contract.FIELD_MANAGER},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
