"""Kopf's configuration, and which keys an event makes due."""

import asyncio
from typing import Any

import pytest
from kopf._cogs.structs import references

from tests.support.world import NAMESPACE, World
from zaum_operator import handlers
from zaum_operator.core import access, kinds
from zaum_operator.core.access import Grant, Verb
from zaum_operator.core.keys import EVERY, Key

OWNER = {"apiVersion": "zaum.dev/v1alpha1", "kind": "AgentPolicy", "name": "own", "uid": "u", "controller": True}
OWN, WHOLE, ALL = Key(NAMESPACE, "own"), Key(NAMESPACE), Key(NAMESPACE, EVERY)


def obj(*, owner: bool = False, **labels: str) -> dict[str, Any]:
    marked = {f"zaum.dev/{key.replace('_', '-')}": value for key, value in labels.items()}
    return {"metadata": {"name": "x", "namespace": NAMESPACE, "labels": marked, "ownerReferences": [OWNER] * owner}}


@pytest.mark.parametrize(
    ("kind", "one", "gone", "keys"),
    [
        (kinds.POD, obj(owner=True, policy="own"), False, (OWN,)),
        (kinds.POD, obj(owner=True, policy="own"), True, (OWN, WHOLE)),
        (kinds.POD, obj(policy="gone"), True, (Key(NAMESPACE, "gone"), WHOLE)),
        (kinds.CONFIG_MAP, obj(owner=True, policy="other"), False, (Key(NAMESPACE, "other"), OWN)),
        (kinds.CONFIG_MAP, obj(), False, ()),
        (kinds.CONFIG_MAP, obj(policy=EVERY), False, ()),
        (kinds.NETWORK_POLICY, obj(owner=True, policy="own"), False, (OWN,)),
        (kinds.NETWORK_POLICY, obj(), False, (WHOLE, ALL)),
        (kinds.NETWORK_POLICY, obj(policy="forged"), False, (Key(NAMESPACE, "forged"), WHOLE, ALL)),
    ],
)  # fmt: skip
def test_an_event_makes_its_policies_due(
    kind: kinds.Kind, one: dict[str, Any], gone: bool, keys: tuple[Key, ...]
) -> None:
    assert handlers.of_event(kind, one, gone=gone) == keys


def test_a_priority_class_names_its_policys_namespace_by_label() -> None:
    one = {"metadata": {"name": "zaum-0", "labels": {"zaum.dev/policy": "own", "zaum.dev/policy-namespace": NAMESPACE}}}
    assert handlers.of_event(kinds.PRIORITY_CLASS, one, gone=True) == (OWN,)


def test_kopf_filters_by_label_on_the_server_and_writes_nothing() -> None:
    settings = handlers.settings()
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    for kind, selector in handlers.WATCHED:
        resource = references.Resource(kind.group, kind.version, kind.plural, kind.name)
        assert list(settings.watching.label_selectors.collect(resource)) == ([selector] if selector else [])


def test_every_watch_is_in_the_table_of_access() -> None:
    watched = [kinds.POLICY, *(kind for kind, _ in handlers.WATCHED)]
    for kind in watched:
        for verb in (Verb.LIST, Verb.WATCH):
            assert access.allows(access.OPERATOR, Grant(kind.group, kind.plural, verb), release=False)


def test_only_event_handlers_are_registered(world: World) -> None:
    registry = handlers.registry(world.workers)
    assert len(registry._watching.get_all_handlers()) == len(handlers.WATCHED) + 1
    for other in (registry._changing, registry._spawning, registry._webhooks, registry._indexing):
        assert not other.get_all_handlers()


def test_a_handler_puts_the_key_into_the_queue(world: World) -> None:
    for handler in handlers.registry(world.workers)._watching.get_all_handlers():
        body = obj(owner=True, policy="own") | {"kind": "x"}
        asyncio.run(handler.fn(body=body, type="MODIFIED"))  # type: ignore[call-arg,arg-type]
    assert {Key(NAMESPACE, "x"), OWN} == {key for keys in world.workers.queue._due.values() for key in keys}
