"""Turn verdicts into the status object and into events; both change only when something changed."""

from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import contract, documents
from zaum_api.conditions import Reason, Status
from zaum_operator.core import kinds, pods
from zaum_operator.core.kinds import Object
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot
from zaum_operator.core.verdict import Verdict

_EVENT_MESSAGE_MAX: Final = 1024
_PASSING: Final = frozenset({Reason.PROGRESSING, Reason.BACKING_OFF})


def status(snapshot: Snapshot, plan: Plan, verdicts: tuple[Verdict, ...], *, now: datetime) -> dict[str, Any]:
    """Give the whole status. Transition times of conditions whose status stayed are taken over."""
    before = _status_of(snapshot)
    live = [pod for pod in map(pods.read, snapshot.pods) if pod.phase is pods.Phase.LIVE and not pod.terminating]
    effective = plan.effective.document() if plan.effective else documents.Effective(hosts=())
    return {
        "observedGeneration": plan.intent.generation,
        "conditions": [_condition(verdict, before, plan.intent.generation, now=now) for verdict in verdicts],
        "replicas": len(live),
        "readyReplicas": sum(pod.ready for pod in live),
        "effective": effective.write(),
    }


def changed(snapshot: Snapshot, planned: dict[str, Any]) -> bool:
    """Say whether the status must be written. Order of conditions and absent zeros make no difference."""
    before = _status_of(snapshot)
    return any(_comparable(key, before.get(key)) != _comparable(key, value) for key, value in planned.items())


def events(snapshot: Snapshot, verdicts: tuple[Verdict, ...], *, now: datetime, suffix: str) -> tuple[Object, ...]:
    """Give an event for each condition whose status or reason changed. `suffix` makes names distinct."""
    before = {item["type"]: item for item in _status_of(snapshot).get("conditions") or ()}
    return tuple(
        _event(snapshot, verdict, now=now, suffix=suffix)
        for verdict in verdicts
        if _differs(verdict, before.get(verdict.type.value, {}))
    )


def stamp(moment: datetime) -> str:
    """Write a time as the API server does."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _status_of(snapshot: Snapshot) -> dict[str, Any]:
    return dict((snapshot.policy or {}).get("status") or {})


def _differs(verdict: Verdict, before: dict[str, Any]) -> bool:
    return (before.get("status"), before.get("reason")) != (verdict.status.value, verdict.reason.value)


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
    metadata = (snapshot.policy or {}).get("metadata", {})
    moment = stamp(now)
    return {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.name,
        "metadata": {
            "name": f"{metadata['name']}.{verdict.type.value.lower()}.{suffix}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": contract.API_VERSION,
            "kind": contract.KIND_POLICY,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Normal" if verdict.status is Status.TRUE or verdict.reason in _PASSING else "Warning",
        "reason": verdict.reason.value,
        "message": verdict.message[:_EVENT_MESSAGE_MAX],
        "action": verdict.type.value,
        "reportingComponent": contract.FIELD_MANAGER,
        "reportingInstance": contract.FIELD_MANAGER,
        "source": {"component": contract.FIELD_MANAGER},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }
