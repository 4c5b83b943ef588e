"""Fields that the API server lets nobody change: where one is wrong, only another object can be what is wanted."""

from typing import Final

from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind, Object

_PRIORITY: Final = ("value", "preemptionPolicy")
_SCOPE: Final = ("scopes", "scopeSelector")


def stands_in_the_way(kind: Kind, desired: Object, live: Object | None) -> bool:
    """Tell whether a live object must go before the desired one can be.

    A ConfigMap that is `immutable` can never become mutable again; a PriorityClass keeps its value, a ResourceQuota its
    scope (Kubernetes API, validation of updates). An immutable one that is right as it is would be wrong tomorrow.
    """
    if live is None:
        return False
    if kind is kinds.CONFIG_MAP:
        return live.get("immutable") is True
    if kind is kinds.PRIORITY_CLASS:
        return any(live.get(field) != desired.get(field) for field in _PRIORITY)
    if kind is kinds.QUOTA:
        wanted, found = desired.get("spec") or {}, live.get("spec") or {}
        return any((wanted.get(field) or None) != (found.get(field) or None) for field in _SCOPE)
    return False
