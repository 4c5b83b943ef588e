"""What a person sends to contain a policy, or to release it."""

from collections.abc import Iterable, Mapping
from typing import Any

from zaum_api import contract, incidents

Object = Mapping[str, Any]
SUMMARY = "Asked for by a person."
"""The evidence where no reason is given."""


def about(found: Iterable[Object], policy: str) -> list[Object]:
    """Give the Incidents of a namespace that are about a policy's name."""
    return [item for item in found if ((item.get("spec") or {}).get("policyRef") or {}).get("name") == policy]


def standing(found: Iterable[Object]) -> Object | None:
    """Give the oldest open quarantine of these Incidents that nobody releases, None where there is none."""
    whole = (
        item for item in found if incidents.is_open(item) and incidents.action(item) is incidents.Action.QUARANTINE
    )
    return incidents.oldest(item for item in whole if not (item.get("spec") or {}).get("release"))


def quarantine(namespace: str, policy: str, *, user: str, reason: str, before: int) -> dict[str, Any]:
    """Give the Incident by which a person quarantines a policy that has had `before` Incidents.

    Two who ask at once make the same one, and the second is told that it is there.
    """
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_INCIDENT,
        "metadata": {
            "name": incidents.name(namespace, policy, incidents.manual_key(before)),
            "namespace": namespace,
        },
        "spec": {
            "policyRef": {"name": policy},
            "reason": incidents.Cause.MANUAL.value,
            "action": incidents.Action.QUARANTINE.value,
            "reporter": incidents.Reporter.HUMAN.value,
            "requestedBy": user,
            "evidence": {"summary": reason or SUMMARY},
        },
    }


def release(*, user: str, reason: str) -> dict[str, Any]:
    """Give the merge patch by which a person releases an Incident."""
    return {"spec": {"release": {"by": user, "reason": reason}}}
