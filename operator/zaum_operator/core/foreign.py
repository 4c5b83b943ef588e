"""Find NetworkPolicies that are not ours and could widen what agents reach: rules of several policies add up."""

from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_operator.core import keys
from zaum_operator.core.kinds import Object

_EXCLUSION: Final = (contract.LABEL_AGENT, "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A NetworkPolicy that carries a rule and does not exclude agents' pods."""

    name: str
    rule: str

    @property
    def text(self) -> str:
        """Name it and its rule for a condition."""
        return f"NetworkPolicy {self.name} ({self.rule})"


def find(network_policies: tuple[Object, ...]) -> tuple[Foreign, ...]:
    """Give the foreign ones in order of name."""
    found = [
        Foreign(policy["metadata"]["name"], rule)
        for policy in network_policies
        if not _ours(policy) and (rule := _rule(policy)) and not _excludes_agents(policy)
    ]
    return tuple(sorted(found, key=lambda item: item.name))


def _ours(policy: Object) -> bool:
    """Recognise the guard, and the one that a policy owns under the name that it must have.

    A forged owner does not live long: the garbage collector deletes what an unknown uid owns, and what a known one
    owns under this name is compared and repaired.
    """
    name = policy["metadata"]["name"]
    owner = keys.owner_name(policy)
    return name == contract.GUARD_NAME or (bool(owner) and name == contract.child_name(owner))


def _rule(policy: Object) -> str:
    spec = policy.get("spec") or {}
    for side in ("egress", "ingress"):
        if spec.get(side):
            return f"spec.{side}[0]"
    return ""


def _excludes_agents(policy: Object) -> bool:
    selector = (policy.get("spec") or {}).get("podSelector") or {}
    expressions = selector.get("matchExpressions") or ()
    return any((item.get("key"), item.get("operator")) == _EXCLUSION for item in expressions)
