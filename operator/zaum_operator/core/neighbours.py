"""Namespace-scoped mode: all policies of a namespace share one quota, which has room for each one's pods."""

from collections.abc import Callable

from zaum_operator.core import effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object


def pods(policies: tuple[Object, ...], read: Callable[[Object], Intent]) -> int:
    """Count the pods that the policies may have together: the same number, whichever of them is looked at."""
    return sum(_pods(policy, read) for policy in policies if not policy["metadata"].get("deletionTimestamp"))


def _pods(policy: Object, read: Callable[[Object], Intent]) -> int:
    spec = read(policy).spec
    if spec is not None:
        return effective.resolve(spec).replicas
    # One that cannot be read starts nothing, and the pods that it has must not crowd out the others'.
    replicas = (policy.get("status") or {}).get("replicas")
    return replicas if isinstance(replicas, int) else 0
