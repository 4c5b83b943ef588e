"""Which keys a changed object makes due."""

from typing import Any

import pytest

from zaum_api import contract
from zaum_operator.core import due, kinds, watched
from zaum_operator.core.cache import Cache
from zaum_operator.core.keys import EVERY, Key

NAMESPACE = "agents"
OWNER = {"apiVersion": "zaum.dev/v1alpha1", "kind": "AgentPolicy", "name": "own", "uid": "u", "controller": True}
OWN, WHOLE, ALL = Key(NAMESPACE, "own"), Key(NAMESPACE), Key(NAMESPACE, EVERY)


def obj(*, owner: bool = False, **labels: str) -> dict[str, Any]:
    marked = {f"zaum.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"metadata": {"name": "x", "namespace": NAMESPACE, "labels": marked, "ownerReferences": [OWNER] * owner}}


@pytest.mark.parametrize(
    ("kind", "one", "gone", "keys"),
    [
        (kinds.POD, obj(owner=True, policy="own"), False, (OWN,)),
        (kinds.POD, obj(owner=True, policy="own"), True, (WHOLE, OWN)),
        (kinds.POD, obj(policy="gone"), True, (WHOLE, Key(NAMESPACE, "gone"))),
        (kinds.CONFIG_MAP, obj(owner=True, policy="other"), False, (Key(NAMESPACE, "other"), OWN)),
        (kinds.CONFIG_MAP, obj(), False, ()),
        (kinds.CONFIG_MAP, obj(policy=EVERY), False, ()),
        (kinds.NETWORK_POLICY, obj(owner=True, policy="own"), False, (OWN,)),
        (kinds.NETWORK_POLICY, obj(), False, (WHOLE, ALL)),
        (kinds.QUOTA, obj(), False, (WHOLE, ALL)),
        (kinds.POLICY, obj(), False, (Key(NAMESPACE, "x"),)),
        (kinds.CEILING, obj(), True, (Key("", EVERY),)),
        (kinds.NAMESPACE, obj(), True, ()),
        (kinds.NAMESPACE, obj(), False, (Key("x"), Key("x", EVERY))),
        (kinds.NETWORK_POLICY, obj(policy="forged"), False, (Key(NAMESPACE, "forged"), WHOLE, ALL)),
    ],
)  # fmt: skip
def test_an_event_makes_its_policies_due(
    kind: kinds.Kind, one: dict[str, Any], gone: bool, keys: tuple[Key, ...]
) -> None:
    assert due.by(kind, one, gone=gone) == keys


def test_a_priority_class_names_its_policys_namespace_by_label() -> None:
    one = {"metadata": {"name": "zaum-0", "labels": {"zaum.dev/policy": "own", "zaum.dev/policy-namespace": NAMESPACE}}}
    assert due.by(kinds.PRIORITY_CLASS, one, gone=True) == (OWN,)


def test_everything_is_policies_what_they_left_behind_and_guards() -> None:
    cache = Cache()
    cache.put(kinds.POLICY, {"metadata": {"name": "a", "namespace": "n1", "uid": "1", "resourceVersion": "1"}})
    left = {"metadata": {"name": "zaum-0", "uid": "2", "resourceVersion": "1", "labels": {
        contract.LABEL_POLICY: "gone", contract.LABEL_NAMESPACE: "n2"}}}  # fmt: skip
    cache.put(kinds.PRIORITY_CLASS, left)
    guard = {"metadata": {"name": contract.GUARD_NAME, "namespace": "n3", "uid": "3", "resourceVersion": "1"}}
    cache.put(kinds.NETWORK_POLICY, guard)
    assert due.everything(cache, watched.CLUSTER) == {Key("n1", "a"), Key("n2", "gone"), Key("n3")}
