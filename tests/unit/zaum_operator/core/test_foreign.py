"""Which NetworkPolicies keep agents from starting."""

from typing import Any

import pytest

from zaum_api import contract
from zaum_operator.core import foreign

OWNER = {"apiVersion": "zaum.dev/v1alpha1", "kind": "AgentPolicy", "name": "x", "uid": "u", "controller": True}
EXCLUDED = {"matchExpressions": [{"key": "zaum.dev/agent", "operator": "DoesNotExist"}]}


def policy(name: str = "other", *, owner: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "ownerReferences": [owner] if owner else []}, "spec": {"podSelector": {}} | spec}


@pytest.mark.parametrize(
    ("title", "one", "rule"),
    [
        ("an egress rule", policy(egress=[{}]), "spec.egress[0]"),
        ("an ingress rule", policy(ingress=[{}]), "spec.ingress[0]"),
        ("both", policy(ingress=[{}], egress=[{}]), "spec.egress[0]"),
        ("for other pods", policy(podSelector={"matchLabels": {"a": "b"}}, egress=[{}]), "spec.egress[0]"),
        ("without any rule", policy(policyTypes=["Egress"]), ""),
        ("that excludes agents", policy(podSelector=EXCLUDED, egress=[{}]), ""),
        ("our guard", policy(contract.GUARD_NAME, egress=[{}]), ""),
        ("a policy's own", policy("zaum-x", owner=OWNER, egress=[{}]), ""),
        ("our name without an owner", policy("zaum-x", egress=[{}]), "spec.egress[0]"),
        ("a policy's under another name", policy("zaum-y", owner=OWNER, egress=[{}]), "spec.egress[0]"),
        ("owned by another kind", policy("zaum-x", owner={**OWNER, "kind": "Job"}, egress=[{}]), "spec.egress[0]"),
        ("without control", policy("zaum-x", owner={**OWNER, "controller": False}, egress=[{}]), "spec.egress[0]"),
        ("of another group", policy("zaum-x", owner={**OWNER, "apiVersion": "a.b/v1"}, egress=[{}]), "spec.egress[0]"),
        ("without a spec", {"metadata": {"name": "other"}}, ""),
    ],
)  # fmt: skip
def test_i02_foreign_is_what_carries_a_rule_and_does_not_exclude_agents(
    title: str, one: dict[str, Any], rule: str
) -> None:
    found = foreign.find((one,))
    assert [item.rule for item in found] == ([rule] if rule else []), title


def test_they_are_named_in_order() -> None:
    found = foreign.find((policy("b", egress=[{}]), policy("a", ingress=[{}])))
    assert [item.text for item in found] == ["NetworkPolicy a (spec.ingress[0])", "NetworkPolicy b (spec.egress[0])"]
