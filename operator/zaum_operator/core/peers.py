"""Which pods of one of our components may answer."""

from collections.abc import Iterable

from zaum_api import contract
from zaum_operator.core.kinds import Object


def addresses(pods: Iterable[Object], component: str) -> tuple[str, ...]:
    """Give one address of each of our pods of a component that may answer: the first of its addresses. Sorted."""
    found = []
    for pod in pods:
        labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
        ours = labels.get(contract.LABEL_NAME) == contract.APP_NAME
        part = labels.get(contract.LABEL_COMPONENT) == component
        runs = status.get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        if ours and part and runs and status.get("podIP"):
            found.append(str(status["podIP"]))
    return tuple(sorted(found))
