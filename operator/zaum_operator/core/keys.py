"""What the queue carries: one policy, one namespace whose guard must be looked at, or all policies of a namespace."""

from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind, Object

EVERY: Final = "*"
"""In place of a policy's name; no name can be this."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A policy; with an empty name the namespace as a whole, with EVERY each of its policies."""

    namespace: str
    name: str = ""

    @property
    def whole_namespace(self) -> bool:
        """Say whether this is about the namespace: then nothing else of the namespace may run meanwhile."""
        return not self.name


def of_policy(policy: Object) -> Key:
    """Give the key of an AgentPolicy."""
    return Key(policy["metadata"]["namespace"], policy["metadata"]["name"])


def of_child(child: Object) -> tuple[Key, ...]:
    """Find the policies that a child concerns: by owner and by label, which differ when somebody edited one.

    A foreign object concerns none.
    """
    metadata = child["metadata"]
    labels = metadata.get("labels") or {}
    namespace = metadata.get("namespace") or labels.get(contract.LABEL_NAMESPACE)
    names = {owner_name(child), labels.get(contract.LABEL_POLICY, "")} - {"", EVERY}
    return tuple(Key(namespace, name) for name in sorted(names)) if namespace else ()


def of_incident(incident: Object) -> tuple[Key, ...]:
    """Find the policy that an Incident is about, whether it exists or not; none where it cannot be read."""
    spec = incident.get("spec")
    reference = spec.get("policyRef") if isinstance(spec, dict) else None
    name = reference.get("name") if isinstance(reference, dict) else None
    namespace = incident["metadata"].get("namespace")
    named = isinstance(name, str) and name not in ("", EVERY) and namespace
    return (Key(namespace, name),) if named and isinstance(name, str) else ()


def of_object(kind: Kind, obj: Object) -> tuple[Key, ...]:
    """Find the policies that an object of any kind concerns."""
    if kind is kinds.POLICY:
        return (of_policy(obj),)
    return of_incident(obj) if kind is kinds.INCIDENT else of_child(obj)


def owner(child: Object) -> Object | None:
    """Give the reference to the AgentPolicy that controls a child."""
    for reference in child["metadata"].get("ownerReferences") or ():
        group = str(reference.get("apiVersion", "")).partition("/")[0]
        if reference.get("controller") and (group, reference.get("kind")) == (contract.GROUP, contract.KIND_POLICY):
            return dict(reference)
    return None


def owner_name(child: Object) -> str:
    """Give the name of the AgentPolicy that controls a child, or nothing."""
    reference = owner(child)
    return str(reference["name"]) if reference else ""
