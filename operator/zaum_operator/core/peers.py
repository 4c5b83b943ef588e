"""Which pods of one of our components may answer, and which may decide something whether or not they answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from zaum_api import contract
from zaum_operator.core.kinds import Object


def addresses(pods: Iterable[Object], component: str) -> tuple[str, ...]:
    """Give one address of each of our pods of a component that may answer: the first of its addresses. Sorted."""
    found = []
    for pod in pods:
        status = _status(pod)
        runs = status.get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        if _ours(pod, component) and runs and status.get("podIP"):
            found.append(str(status["podIP"]))
    return tuple(sorted(found))


def witnesses(pods: Iterable[Object], component: str) -> tuple[str, ...]:
    """Give the address of each of our pods of a component whose process may decide something: whose container runs.

    One that is not ready, or that is being deleted, still holds connections. One without an address has its name here:
    it cannot be asked, and confirms nothing. Sorted.
    """
    found = []
    for pod in pods:
        status = _status(pod)
        if _ours(pod, component) and _may_run(status):
            found.append(str(status.get("podIP") or pod["metadata"]["name"]))
    return tuple(sorted(found))


def _ours(pod: Object, component: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    ours = labels.get(contract.LABEL_NAME) == contract.APP_NAME
    return ours and labels.get(contract.LABEL_COMPONENT) == component


def _status(pod: Object) -> Mapping[str, Any]:
    return pod.get("status") or {}


def _may_run(status: Mapping[str, Any]) -> bool:
    """Tell whether its process may run: unless its node says otherwise of each container."""
    if status.get("phase") != "Running":
        return False
    statuses = status.get("containerStatuses") or ()
    return not statuses or any("running" in (item.get("state") or {}) for item in statuses)
