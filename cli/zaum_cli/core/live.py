"""The page of `zaum watch`: what policies spend, how far their watchdogs have gone, and what Incidents are about.

All of it as the API server tells it: the operator writes a status at most every few seconds, and what a dead watchdog
has seen stands in its pod.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from zaum_api import contract, documents, incidents
from zaum_cli.core import columns, incident_pages, usages

Object = Mapping[str, Any]
_POLICIES: Final = (
    "POLICY", "READY", "REASON", "PODS", "LADDER", "REQUESTS", "DENIED", "TOKENS", "COST", "OUT", "IN"
)  # fmt: skip
_PODS: Final = ("POD", "PHASE", "READY", "QUARANTINED", "VERDICT", "AGE")
_INCIDENTS: Final = ("INCIDENT", "POLICY", "REASON", "ACTION", "PHASE", "AGE", "STEPS")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read at one time; `where` says of which namespace."""

    where: str
    policies: Sequence[Object]
    pods: Sequence[Object]
    incidents: Sequence[Object]
    everywhere: bool = False
    """Names carry their namespace."""


def page(seen: Seen, now: datetime) -> str:
    """Write the whole page."""
    opened = [item for item in incident_pages.ordered(seen.incidents) if incidents.is_open(item)]
    closed = len(seen.incidents) - len(opened)
    parts = [f"{columns.plain(seen.where)}, {now:%Y-%m-%d %H:%M:%S} UTC\n"]
    parts.append(_section(_POLICIES, (_policy(seen, item) for item in _by_name(seen.policies)), "no policies"))
    parts.append(_section(_PODS, (_pod(seen, item, now) for item in _by_name(seen.pods)), "no pods"))
    none = f"no open Incident; {closed} closed" if closed else "no Incident"
    parts.append(_section(_INCIDENTS, (_incident(seen, item, now) for item in opened), none))
    return "\n".join(parts)


def ladder(policy: Object, found: Iterable[Object]) -> str:
    """Give the furthest step that a policy is at, and for what: an open Incident's before a watchdog's own."""
    mine = [item for item in found if incidents.is_open(item) and _is_about(item, policy)]
    for action in (incidents.Action.QUARANTINE, incidents.Action.KILL):
        oldest = incidents.oldest(item for item in mine if incidents.action(item) is action)
        if oldest is not None:
            return f"{action.value} ({columns.plain((oldest.get('spec') or {}).get('reason'), most=64)})"
    told = (policy.get("status") or {}).get("containment") or {}
    rung, breach = columns.plain(told.get("rung"), most=64), columns.plain(told.get("breach"), most=64)
    return f"{rung} ({breach})" if rung and breach else rung or columns.ABSENT


def verdict(pod: Object) -> str:
    """Give what a pod's watchdog said at its end, or what the operator ended the pod for."""
    marked = ((pod.get("metadata") or {}).get("annotations") or {}).get(contract.ANNOTATION_BREACH)
    if marked:
        return columns.plain(marked, most=64)
    status = pod.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if container.get("name") != contract.CONTAINER_WATCHDOG:
            continue
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            word = documents.LastWord.read(str((state.get("terminated") or {}).get("message") or ""))
            if word is not None:
                return word.word
    return columns.ABSENT


def _section(head: Sequence[str], rows: Iterable[Sequence[str]], none: str) -> str:
    found = list(rows)
    return columns.align([head, *found]) if found else f"{none}\n"


def _policy(seen: Seen, policy: Object) -> tuple[str, ...]:
    status, spent = policy.get("status") or {}, usages.read(dict(policy))
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    return (
        _title(seen, policy),
        columns.plain(ready.get("status")) or columns.ABSENT,
        columns.plain(ready.get("reason")) or columns.ABSENT,
        f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}",
        ladder(policy, seen.incidents),
        *(columns.plain(cell) for cell in usages.cells(spent)),
    )


def _pod(seen: Seen, pod: Object, now: datetime) -> tuple[str, ...]:
    status, metadata = pod.get("status") or {}, pod.get("metadata") or {}
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or ())
    quarantined = contract.LABEL_QUARANTINED in (metadata.get("labels") or {})
    phase = "Ending" if metadata.get("deletionTimestamp") else columns.plain(status.get("phase")) or columns.ABSENT
    return (
        _title(seen, pod),
        phase,
        "yes" if ready else "no",
        "yes" if quarantined else "no",
        verdict(pod),
        columns.age(now, metadata.get("creationTimestamp")),
    )


def _incident(seen: Seen, incident: Object, now: datetime) -> tuple[str, ...]:
    spec, metadata = incident.get("spec") or {}, incident.get("metadata") or {}
    return (
        _title(seen, incident),
        columns.plain((spec.get("policyRef") or {}).get("name")),
        columns.plain(spec.get("reason")),
        incidents.action(incident).value,
        incident_pages.phase(incident),
        columns.age(now, metadata.get("creationTimestamp")),
        incident_pages.steps(incident),
    )


def _by_name(found: Iterable[Object]) -> list[Object]:
    return sorted(found, key=_place)


def _place(item: Object) -> tuple[str, str]:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _title(seen: Seen, item: Object) -> str:
    namespace, name = _place(item)
    return columns.plain(f"{namespace}/{name}" if seen.everywhere else name)


def _is_about(incident: Object, policy: Object) -> bool:
    namespace, name = _place(policy)
    return (
        _place(incident)[0] == namespace and ((incident.get("spec") or {}).get("policyRef") or {}).get("name") == name
    )
