"""Incidents, pods and authorizers' words by hand."""

from typing import Any

from tests.support import outbreak
from tests.support.world import NAMESPACE
from zaum_api import contract, documents
from zaum_api.documents import Life
from zaum_operator.core.containment import incident
from zaum_operator.core.containment.incident import Incident
from zaum_operator.core.containment.scene import Replica
from zaum_operator.core.kinds import Object

UID = "incident-uid"


def body(name: str = "researcher-1", **fields: Any) -> Object:
    """Give an Incident object; `pod` (name and uid), `status`, `created` and the rest of the spec by name."""
    status, created = fields.pop("status", {}), fields.pop("created", "2026-03-01T12:00:00Z")
    pod = fields.pop("pod", None)
    spec = {"policyRef": {"name": outbreak.POLICY}, "reason": "RunawayCPU", "action": "Quarantine"}
    spec |= {"reporter": "Ledger"} | ({"pod": {"name": pod[0], "uid": pod[1]}} if pod else {}) | fields
    metadata = {"name": name, "namespace": NAMESPACE, "uid": UID, "resourceVersion": "7", "creationTimestamp": created}
    return {"metadata": metadata, "spec": spec, "status": status}


def made(name: str = "researcher-1", **fields: Any) -> Incident:
    """Give an Incident as read."""
    found = incident.read(body(name, **fields))
    assert found is not None
    return found


def true(*kinds: str, at: str = "2026-03-01T12:00:05Z", **words: str) -> dict[str, Any]:
    """Give a status in which these conditions are True."""
    one = [
        {
            "type": kind,
            "status": "True",
            "reason": words.get(kind, "Confirmed"),
            "message": "said",
            "lastTransitionTime": at,
        }
        for kind in kinds
    ]
    return {"conditions": one}


def pod(uid: str = "u1", **over: Any) -> Object:
    """Give a pod of the policy's; `runs`, `phase`, `cut`, `labels`, `node`, `word`, `terminating`."""
    labels = {contract.LABEL_AGENT: "true", contract.LABEL_POLICY: outbreak.POLICY, contract.LABEL_ORDINAL: "0"}
    labels |= {contract.LABEL_QUARANTINED: "true"} if over.get("cut") else {}
    state: dict[str, Any] = {"running": {}} if over.get("runs", True) else {"terminated": {"exitCode": 0}}
    watchdog = {"terminated": {"exitCode": 0, "message": over["word"]}} if over.get("word") else state
    metadata: dict[str, Any] = {"name": f"zaum-researcher-0-{uid}", "namespace": NAMESPACE, "uid": uid}
    metadata |= {"labels": labels | over.get("labels", {})}
    if over.get("terminating"):
        metadata["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    spec: dict[str, Any] = {
        "nodeName": over.get("node", "n1"),
        "containers": [{"name": "agent", "image": "x@sha256:1"}],
    }
    if over.get("cut"):
        spec["activeDeadlineSeconds"] = 1
    status = {
        "phase": over.get("phase", "Running"),
        "initContainerStatuses": [{"name": "watchdog", "state": watchdog}],
        "containerStatuses": [{"name": "agent", "state": state}],
    }
    return {"metadata": metadata, "spec": spec, "status": status if over.get("node", "n1") else {"phase": "Pending"}}


def dead(uid: str = "u1", **over: Any) -> Object:
    """Give a pod that has ended."""
    return pod(uid, runs=False, phase="Failed", cut=True, **over)


def replica(
    address: str = "a1", *, sees: bool = True, ready: bool = True, lives: dict[str, Life] | None = None
) -> Replica:
    """Give an authorizer that has the Incident in force, and says this of pods."""
    seen = documents.SeenIncident(NAMESPACE, "researcher-1", UID, "7", in_force=sees)
    pods = tuple(documents.SeenPod(uid, life, refused=True) for uid, life in (lives or {}).items())
    return Replica(address, documents.Seen(ready=ready, listed=1, incidents=(seen,), pods=pods))


GUARD: Object = {"metadata": {"name": contract.GUARD_NAME, "namespace": NAMESPACE}, "spec": {"podSelector": {}}}
