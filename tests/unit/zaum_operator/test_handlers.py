"""Kopf's configuration: what it watches, that it writes nothing, and that it does not give up."""

import asyncio
import itertools
import logging
from typing import Any

import kopf
import pytest
from kopf._cogs.structs import references

from tests.support.world import NAMESPACE, World
from zaum_operator import handlers
from zaum_operator.core import access, kinds, watched
from zaum_operator.core.access import Grant, Verb
from zaum_operator.core.keys import Key


def test_kopf_filters_by_label_on_the_server_and_writes_nothing() -> None:
    settings = handlers.settings(watched.CLUSTER)
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    for kind, selector in watched.CLUSTER:
        resource = references.Resource(kind.group, kind.version, kind.plural, kind.name)
        assert list(settings.watching.label_selectors.collect(resource)) == ([selector] if selector else [])


def test_kopf_never_ceases_to_try() -> None:
    first = list(itertools.islice(handlers.settings(watched.CLUSTER).networking.error_backoffs, 1000))  # type: ignore[arg-type]
    assert first[:3] == [0.5, 1.0, 2.0]
    assert max(first) == first[-1] == 2.0


@pytest.mark.parametrize(
    ("held", "table"), [(watched.CLUSTER, access.OPERATOR), (watched.NAMESPACED, access.NAMESPACED)]
)
def test_every_watch_is_in_the_table_of_access(held: watched.Watched, table: tuple[Grant, ...]) -> None:
    for kind, _ in held:
        for verb in (Verb.LIST, Verb.WATCH):
            assert access.allows(table, Grant(kind.group, kind.plural, verb), release=False)


def test_the_namespaced_mode_watches_nothing_cluster_scoped() -> None:
    assert all(kind.namespaced for kind, _ in watched.NAMESPACED)
    assert {kinds.CEILING, kinds.NAMESPACE, kinds.PRIORITY_CLASS} == {kind for kind, _ in watched.CLUSTER} - {
        kind for kind, _ in watched.NAMESPACED
    }


def test_only_event_handlers_are_registered(world: World) -> None:
    registry = handlers.registry(world.workers)
    assert len(registry._watching.get_all_handlers()) == len(watched.CLUSTER)
    for other in (registry._changing, registry._spawning, registry._webhooks, registry._indexing):
        assert not other.get_all_handlers()


def test_a_handler_fills_the_cache_and_puts_the_key_into_the_queue(world: World) -> None:
    for handler in handlers.registry(world.workers)._watching.get_all_handlers():
        body = {"metadata": {"name": "x", "namespace": NAMESPACE, "uid": "u", "resourceVersion": "5"}}
        event: Any = {"type": "MODIFIED", "object": body}
        asyncio.run(handler.fn(event=event))  # type: ignore[call-arg,arg-type]
    assert all(world.cache.count(kind) == 1 for kind, _ in watched.CLUSTER)
    taken = set()
    while (key := world.workers.queue.take(now=0)) is not None:
        taken.add(key)
        world.workers.queue.done(key, now=0)
    assert Key(NAMESPACE, "x") in taken


def test_the_lease_is_given_back_as_soon_as_kopf_begins_to_end(world: World) -> None:
    rested: list[bool] = []

    async def rest() -> None:
        rested.append(world.workers._ready.is_set())

    registry = handlers.registry(world.workers, rest)
    cleanup: Any = list(registry._activities.get_all_handlers())[-1].fn
    asyncio.run(cleanup())
    assert rested == [False], "nothing is taken any more when the Lease goes"


def test_when_kopf_gives_up_it_is_started_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [RuntimeError("404: the server could not find the requested resource"), None]

    async def operator(**_: Any) -> None:
        if error := ends.pop(0):
            raise error

    async def at_once(_: float) -> None:
        assert world.workers.reconciler.store.filled

    monkeypatch.setattr(kopf, "operator", operator)
    monkeypatch.setattr(asyncio, "sleep", at_once)
    resumed: list[bool] = []

    async def resume() -> None:
        resumed.append(world.workers.reconciler.store.filled)

    asyncio.run(handlers.watch(world.workers, resume=resume))
    assert ends == []
    assert resumed == [True], "it leads again with a filled cache, and does not rest for nothing"


def test_kopf_keeps_nothing_of_an_object_that_it_has_seen() -> None:
    memories = handlers.NoMemories()
    body: Any = {"metadata": {"uid": "u"}}

    async def seen() -> None:
        await memories.recall(body, noticed_by_listing=True)

    asyncio.run(seen())
    assert list(memories.iter_all_memories()) == []


def test_a_watch_that_failed_ends_kopf_even_if_the_other_watches_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_: Any) -> None:
        logging.getLogger("kopf._core.reactor.orchestration").error("Watcher for pods.v1@none has failed: 410")
        await asyncio.Event().wait()

    monkeypatch.setattr(handlers, "_kopf", deaf)
    monkeypatch.setattr(handlers, "END_SECONDS", 0.01)

    async def body() -> None:
        with pytest.raises(handlers.WatchError):
            await handlers._watch_once(None, (), handlers._nothing)  # type: ignore[arg-type]
        left = {task.get_name() for task in asyncio.all_tasks()} - {"body"}
        assert "kopf" not in left

    asyncio.run(body())


def test_what_kopf_says_at_its_end_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("the CRD is gone")

    monkeypatch.setattr(handlers, "_kopf", broken)
    monkeypatch.setattr(handlers, "END_SECONDS", 0.01)
    with pytest.raises(RuntimeError, match="the CRD is gone"):
        asyncio.run(handlers._watch_once(None, (), handlers._nothing))  # type: ignore[arg-type]
