"""Find NetworkPolicies that are not ours and widen what our pods reach, or who reaches them.

NetworkPolicies add up: a pod may do what any one of those that select it allows. AdminNetworkPolicy and its kin, which
the cluster's owner alone can write, stand above all of them and are not looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zaum_api import contract
from zaum_operator.core import keys, selectors, widening
from zaum_operator.core.kinds import Object

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A NetworkPolicy that selects a pod of ours and opens something for it: what, rule by rule."""

    name: str
    rules: tuple[str, ...]

    @property
    def text(self) -> str:
        """Name it and its first rule for a condition."""
        more = f" (and {len(self.rules) - 1} more rules)" if len(self.rules) > 1 else ""
        return f"NetworkPolicy {self.name}, {self.rules[0]}{more}"


def find(network_policies: Iterable[Object], own: Object | None, pods: Iterable[Labels]) -> tuple[Foreign, ...]:
    """Give the foreign ones in order of name. `own`: what the policy's own one opens; `pods`: the labels of its pods.

    Each pod counts as it is and as it would be once we have cut it off.
    """
    opening = [
        (policy, rules) for policy in network_policies if not _ours(policy) and (rules := widening.added(policy, own))
    ]
    if not opening:
        return ()
    seen = [{**labels, **cut} for labels in pods for cut in ({}, {contract.LABEL_QUARANTINED: "true"})]
    found = [
        Foreign(policy["metadata"]["name"], rules)
        for policy, rules in opening
        if any(_selects(policy, labels) for labels in seen)
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


def _selects(policy: Object, labels: Labels) -> bool:
    """Say whether a NetworkPolicy selects a pod. None, an empty selector, and one that cannot be read select all."""
    try:
        return selectors.matches((policy.get("spec") or {}).get("podSelector") or {}, labels)
    except selectors.SelectorError:
        return True
