"""Read one live agent pod: only what decisions need, with every absent field on the safe side."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final

from zaum_api import contract, documents
from zaum_operator.core import keys
from zaum_operator.core.kinds import Object

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ENDING_SECONDS: Final = 1
"""The deadline by which we end a pod; `lifetime.max` is never below a minute, so the two cannot be confused."""
DEADLINE: Final = "DeadlineExceeded"
"""The kubelet's reason for a pod past its activeDeadlineSeconds."""
OVERDUE: Final = timedelta(seconds=30)
"""How long after its grace period a pod may take to vanish before its node counts as lost."""


class Phase(Enum):
    """What a pod's phase means for its replacement."""

    LIVE = "Pending, Running or Unknown"
    ENDED = "Failed or Succeeded"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the agent's container ended. `exit_code` None: it never ran, the pod failed as a whole."""

    exit_code: int | None
    reason: str
    message: str
    finished: datetime
    ran: timedelta
    succeeded: bool = False
    """The kubelet's own word (phase Succeeded): an exit with 0 after an eviction is none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container is not running."""

    container: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One agent pod as the API server shows it."""

    name: str
    uid: str
    owner_uid: str
    ordinal: int | None
    created: datetime
    phase: Phase
    terminating: bool
    ready: bool
    template: str
    config_digest: str
    config_version: str
    """Which version of the config document it mounts; empty: nobody knows."""
    failures: int
    images: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    watchdog_restarts: int
    watchdog_message: str
    """What the watchdog left as its last word (its termination message)."""
    ending: Ending | None
    waiting: tuple[Waiting, ...]
    unschedulable: str
    site: str = ""
    """Digest of the installation's part; empty on pods that are older than it."""
    type: str = ""
    node: str = ""
    deadline: int | None = None
    """activeDeadlineSeconds: the policy's lifetime, or ENDING_SECONDS."""
    deleted: datetime | None = None
    """When the grace period of its deletion ends."""
    grace: timedelta = timedelta()
    disrupted: bool = False
    """The cluster took it: a drain, a preemption, pressure on the node, a node that went."""
    breach: str = ""
    """What we ended it for, as we noted it on the pod."""
    contacted: bool = False
    """An authorizer says that somebody in it spoke to the gateway past its watchdog."""
    watchdog_down: bool = False
    """Its node says that its watchdog is not ready, or has nothing to say of it although the pod runs."""
    contained: str = ""
    """The open Incident that holds it, with its reason, for people."""

    @property
    def last_word(self) -> documents.LastWord | None:
        """Give what the watchdog ended the agent for; None when it did not."""
        return documents.LastWord.read(self.watchdog_message)

    @property
    def ordered(self) -> bool:
        """Say whether its watchdog ended the agent by an order: what for stands on an Incident, of this pod or not."""
        return self.last_word is not None and self.last_word.breach is contract.Breach.ORDERED

    @property
    def contact(self) -> bool:
        """Say whether somebody in it spoke to the gateway past its watchdog, as far as anybody still knows."""
        return self.contacted or self.breach == contract.Breach.GATEWAY_CONTACT.value

    @property
    def doomed(self) -> bool:
        """Say whether it must not go on: it is contained, its watchdog restarted, or its agent got around it."""
        return bool(self.contained) or self.watchdog_restarts > 0 or self.contact

    @property
    def cut_off(self) -> bool:
        """Say whether we have cut it off and are ending it."""
        return self.deadline == ENDING_SECONDS and (contract.LABEL_QUARANTINED, "true") in self.labels

    @property
    def outlived(self) -> bool:
        """Say whether it ended because its lifetime was over."""
        return self.ending is not None and self.ending.reason == DEADLINE and self.deadline != ENDING_SECONDS

    @property
    def overdue(self) -> datetime | None:
        """Give the moment from which its node counts as lost; None while it is not being deleted."""
        return self.deleted + OVERDUE if self.deleted else None


def read(pod: Object) -> Pod:
    """Read a pod as the API server gives it."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    containers = {item["name"]: item for item in _statuses(status)}
    watchdog = containers.get(contract.CONTAINER_WATCHDOG, {})
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        owner_uid=str((keys.owner(pod) or {}).get("uid", "")),
        ordinal=_number(labels.get(contract.LABEL_ORDINAL)),
        created=moment(metadata.get("creationTimestamp")) or EPOCH,
        phase=Phase.ENDED if status.get("phase") in {"Failed", "Succeeded"} else Phase.LIVE,
        terminating=bool(metadata.get("deletionTimestamp")),
        ready=_condition(status, "Ready").get("status") == "True",
        template=annotations.get(contract.ANNOTATION_TEMPLATE, ""),
        config_digest=annotations.get(contract.ANNOTATION_CONFIG_DIGEST, ""),
        config_version=annotations.get(contract.ANNOTATION_CONFIG_VERSION, ""),
        failures=_number(annotations.get(contract.ANNOTATION_FAILURES)) or 0,
        images=images(pod),
        labels=tuple(sorted(labels.items())),
        watchdog_restarts=int(watchdog.get("restartCount", 0)),
        watchdog_message=_last_word(watchdog),
        ending=_ending(status, containers.get(contract.CONTAINER_AGENT, {}), metadata),
        waiting=_waiting(status),
        unschedulable=_unschedulable(status),
        site=annotations.get(contract.ANNOTATION_SITE, ""),
        type=labels.get(contract.LABEL_TYPE, ""),
        node=spec.get("nodeName") or "",
        deadline=spec.get("activeDeadlineSeconds"),
        deleted=moment(metadata.get("deletionTimestamp")),
        grace=timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0),
        disrupted=_condition(status, "DisruptionTarget").get("status") == "True",
        breach=annotations.get(contract.ANNOTATION_BREACH, ""),
        watchdog_down=status.get("phase") == "Running" and not watchdog.get("ready"),
    )


def images(pod: Object) -> tuple[tuple[str, str], ...]:
    """Give container names and images: the part of a running pod's spec that can be edited."""
    spec = pod.get("spec", {})
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return tuple((str(item.get("name")), str(item.get("image"))) for item in containers)


def moment(text: str | None) -> datetime | None:
    """Read a timestamp of the API server (RFC 3339, UTC)."""
    return datetime.fromisoformat(text) if text else None


def _statuses(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return {}


def _unschedulable(status: dict[str, Any]) -> str:
    condition = _condition(status, "PodScheduled")
    unfit = condition.get("status") == "False" and condition.get("reason") == "Unschedulable"
    return str(condition.get("message") or "no node fits") if unfit else ""


def _waiting(status: dict[str, Any]) -> tuple[Waiting, ...]:
    return tuple(
        Waiting(item["name"], str(waiting.get("reason", "")), str(waiting.get("message", "")))
        for item in _statuses(status)
        if (waiting := (item.get("state") or {}).get("waiting"))
    )


def _last_word(container: dict[str, Any]) -> str:
    for state in (container.get("state") or {}, container.get("lastState") or {}):
        if message := (state.get("terminated") or {}).get("message"):
            return str(message)
    return ""


def _ending(status: dict[str, Any], agent: dict[str, Any], metadata: dict[str, Any]) -> Ending | None:
    if status.get("phase") not in {"Failed", "Succeeded"}:
        return None
    ended = (agent.get("state") or {}).get("terminated") or {}
    started, finished = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
    # A pod that failed as a whole (evicted, past its deadline before it started) has no time of its own; the time
    # at which its readiness last changed comes closest, its creation is the safe remainder.
    closest = moment(_condition(status, "Ready").get("lastTransitionTime")) or moment(metadata.get("creationTimestamp"))
    return Ending(
        exit_code=ended.get("exitCode"),
        reason=str(status.get("reason") or ended.get("reason") or ""),
        message=str(status.get("message") or ended.get("message") or ""),
        finished=finished if finished and finished > EPOCH else closest or EPOCH,
        succeeded=status.get("phase") == "Succeeded",
        ran=max(finished - started, timedelta()) if started and finished and started > EPOCH else timedelta(),
    )
