"""Specs that nobody would write. Some are refused by the API server; none may confuse the operator."""

import random
from typing import Any, Final

from tests.chaos import fleet

Object = dict[str, Any]

_ODD: Final[tuple[Any, ...]] = (
    None, 0, -1, 1, 101, 2**31, 2**63, "", " ", "0", "1e3", "9223372036854775808", "\u202e", "a" * 300, [], {}, True,
    [None], {"": ""}, ["x"] * 70, "true", "1Ki", "0.0001", "1E", ".5", "+1", "0x10",
)  # fmt: skip
_PATHS: Final = (
    "agent", "agent.image", "agent.replicas", "agent.command", "agent.env", "agent.resources", "agent.resources.cpu",
    "agent.resources.memory", "agent.workspace", "agent.workspace.size", "agent.workspace.mountPath", "agent.type",
    "agent.hostUsers", "agent.nodeSelector", "agent.tolerations", "agent.imagePullSecrets", "agent.liveness",
    "egress", "egress.hosts", "egress.routes", "limits", "limits.requests", "limits.requests.perMinute",
    "limits.connections", "runaway", "runaway.cpu", "runaway.denied", "identity", "identity.token",
    "identity.token.audience", "ingress", "lifetime", "lifetime.max", "mode", "desiredState", "unknown",
    "agent.unknown",
)  # fmt: skip


def policy(namespace: str, name: str, salt: int) -> Object:
    """Give a policy with up to three odd fields."""
    dice = random.Random(salt)
    spec = fleet.spec(dice)
    for _ in range(dice.randint(1, 3)):
        _put(spec, dice.choice(_PATHS).split("."), dice.choice(_ODD))
    return {
        "apiVersion": "zaum.dev/v1alpha1",
        "kind": "AgentPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _put(where: Object, path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = where.get(part)
        if not isinstance(inner, dict):
            inner = where[part] = {}
        where = inner
    where[path[-1]] = value
