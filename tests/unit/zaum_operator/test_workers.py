"""The loop around the queue: liveness, resync, and that one broken reconcile ends nothing."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator import errors, health
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key

SECOND = timedelta(seconds=1)


def broken(error: Exception) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_resync_finds_what_no_watch_has_shown(world: World) -> None:
    world.policy("one")
    world.policy("two")
    world.settle()
    world.watching = False
    world.api.remove(kinds.POLICY, NAMESPACE, "two")
    world.api.remove(kinds.CONFIG_MAP, NAMESPACE, "zaum-one")
    world.policy("three")
    assert world.resync() == 3
    assert "zaum-two" not in world.api.names(kinds.NETWORK_POLICY)
    assert world.api.names(kinds.CONFIG_MAP) == ["zaum-one", "zaum-three"]
    assert len(world.pods("three")) == 1
    assert world.resync() == 0


def test_nothing_is_decided_before_every_kind_has_been_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.policy()
    asked: list[str] = []
    listing = world.api.listing

    async def refuse_some(kind: kinds.Kind, *place: str | None, **more: Any) -> object:
        asked.append(kind.plural)
        if kind is kinds.QUOTA and asked.count("resourcequotas") < 3:
            assert world.workers.note()
            raise errors.ForbiddenError("list resourcequotas", 403, "no rights")
        return await listing(kind, *place, **more)

    monkeypatch.setattr(world.api, "listing", refuse_some)
    world.workers.reconciler.store.unfill()
    asyncio.run(world.workers.fill())
    assert asked.count("resourcequotas") == 3
    assert world.api.writes == []
    assert world.workers.note() == ""


def test_a_reconcile_that_cannot_look_backs_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.api, "list", broken(errors.UnavailableError("list", 0, "reset")))
    world.workers.add(Key(NAMESPACE))
    assert world.settle() == 1
    assert world.workers.queue.next_time() == 0.5
    assert b'zaum_operator_reconciles_total{result="failed"} 1.0' in world.metrics.text()


def test_a_bug_in_one_reconcile_ends_no_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.api, "list", broken(KeyError("bug")))
    world.workers.add(Key(NAMESPACE))
    assert world.settle() == 1
    assert world.workers.queue.next_time() == 0.5


def test_a_watch_that_shows_nothing_while_lists_do_is_called_silent(world: World) -> None:
    world.policy()
    world.settle()
    world.watching = False
    for name in ("one", "two"):
        assert world.workers.trouble() == ""
        world.clock.at += 300 * SECOND
        world.policy(name)
        assert world.resync() == 1
    assert world.workers.trouble() == "watches are silent: agentpolicies"
    world.watching = True
    world.policy("three")
    assert world.workers.trouble() == ""


def test_what_was_deleted_in_a_gap_is_found_when_the_watch_begins_anew(world: World) -> None:
    world.policy("one")
    world.policy("two")
    world.settle()
    world.watching = False
    world.api.remove(kinds.POLICY, NAMESPACE, "two")
    world.watching = True
    for policy in world.api.all(kinds.POLICY):
        world.workers.on_event(kinds.POLICY, copy.deepcopy(policy), gone=False, listed=True)
    assert asyncio.run(world.workers.heal_listed()) == 1
    world.settle()
    assert "zaum-two" not in world.api.names(kinds.NETWORK_POLICY)


def test_a_list_that_fails_after_a_gap_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.policy()
    world.settle()
    world.watching = False
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    with monkeypatch.context() as broken_line:
        broken_line.setattr(world.api, "listing", broken(errors.UnavailableError("list", 0, "timeout")))
        assert asyncio.run(world.workers.heal([kinds.POLICY])) == 0
        assert "timeout" in world.workers.note()
    assert asyncio.run(world.workers.heal_listed()) == 1
    assert world.workers.note() == ""


def test_a_policy_that_went_unnoticed_is_doubted_when_its_children_keep_going(world: World) -> None:
    """Without it, operator and garbage collector would undo each other's work until the next resync."""
    world.policy()
    world.settle()
    world.watching = False
    world.api.remove(kinds.POLICY, NAMESPACE, "researcher")
    world.watching = True
    collected = 0

    def collect(event: str, kind: kinds.Kind, obj: kinds.Object, before: kinds.Object | None) -> None:
        nonlocal collected
        if kind is kinds.SERVICE_ACCOUNT and event != "DELETED":
            collected += 1
            world.api.remove(kind, NAMESPACE, obj["metadata"]["name"])

    world.api.listeners.append(collect)
    world.api.remove(kinds.SERVICE_ACCOUNT, NAMESPACE, "zaum-researcher")
    world.settle()
    assert 1 <= collected <= 3
    assert world.api.names(kinds.SERVICE_ACCOUNT) == []
    assert "zaum-researcher" not in world.api.names(kinds.NETWORK_POLICY)


def test_an_event_that_says_nothing_new_makes_nothing_due(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    for kind in (kinds.POLICY, kinds.POD, kinds.QUOTA, kinds.NETWORK_POLICY):
        for obj in world.api.all(kind):
            world.workers.on_event(kind, copy.deepcopy(obj), gone=False)
    assert world.workers.queue.depth() == 0
    (quota,) = world.api.all(kinds.QUOTA)
    world.api.edit(kinds.QUOTA, NAMESPACE, quota["metadata"]["name"], {"status": {"used": {"pods": "1"}}})
    assert world.workers.queue.depth() == 0, "nobody looks at a quota's status"


def test_a_replica_that_does_not_lead_keeps_its_cache_warm_and_is_alive(world: World) -> None:
    world.workers.gate.leads_until = 0.0
    world.workers.follow()
    world.policy()
    world.clock.at += 600 * SECOND
    world.workers.last_resync = world.clock.seconds()
    assert world.workers.trouble() == ""
    assert world.workers.note() == "another replica leads"
    assert world.cache.count(kinds.POLICY) == 1
    assert world.workers.queue.depth() == 0
    world.workers.gate.leads_until = world.clock.seconds() + 10
    asyncio.run(world.workers.lead())
    world.settle()
    assert len(world.pods()) == 1


def test_i08_a_worker_that_runs_after_the_lease_was_lost_changes_nothing(world: World) -> None:
    """The simulated server stands behind no gate: the gate is asked by the adapter, in front of each request."""
    world.policy()
    world.workers.gate.leads_until = 0.0
    with pytest.raises(errors.NotLeaderError):
        asyncio.run(world.workers.gate.enter("create pods", kinds.POD))


def test_liveness_fails_for_a_dead_task_an_old_key_and_a_resync_that_stopped(world: World) -> None:
    assert world.workers.trouble() == ""
    world.workers.add(Key(NAMESPACE, "x"))
    world.clock.at += 121 * SECOND
    assert "a key waits for 121 s" in world.workers.trouble()
    world.workers.queue.take(now=world.clock.seconds())
    assert world.workers.trouble() == ""
    world.clock.at += 1000 * SECOND
    assert "no resync" in world.workers.trouble()

    async def dead() -> str:
        world.workers.tasks = [asyncio.create_task(asyncio.sleep(0), name="worker-0")]
        await asyncio.gather(*world.workers.tasks)
        return world.workers.trouble()

    assert asyncio.run(dead()) == "tasks ended: worker-0"


def test_workers_take_what_is_added_and_stop_when_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> list[str]:
        world.policy()
        resynced, made = asyncio.Event(), asyncio.Event()
        world.api.listeners.append(lambda event, kind, obj, before: made.set() if kind is kinds.POD else None)

        async def sleep(_: float) -> None:
            resynced.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(world.clock, "sleep", sleep)
        world.workers.start(2)
        async with asyncio.timeout(10):
            await resynced.wait()
            await made.wait()
        await world.workers.stop()
        return [task.get_name() for task in world.workers.tasks if task.done()]

    assert asyncio.run(go()) == ["worker-0", "worker-1", "resync", "look"]
    assert len(world.pods()) == 1


def test_health_and_metrics_are_served(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    monkeypatch.setattr(contract, "OPERATOR_HEALTH_PORT", 0)
    monkeypatch.setattr(contract, "OPERATOR_METRICS_PORT", 0)

    async def go() -> list[tuple[int, str]]:
        runners = await health.serve(world.workers, world.metrics, world.clock, host="127.0.0.1")  # type: ignore[arg-type]
        found = []
        async with aiohttp.ClientSession() as session:
            for runner, path in zip(runners, ("/healthz", "/metrics"), strict=True):
                host, port = runner.addresses[0][:2]
                async with session.get(f"http://{host}:{port}{path}") as answer:
                    found.append((answer.status, await answer.text()))
        for runner in runners:
            await runner.cleanup()
        return found

    (status, body), (_, metrics) = asyncio.run(go())
    assert status == 200
    assert '"trouble": ""' in body
    assert "zaum_operator_queue_depth 0.0" in metrics


def test_a_worker_that_finds_nothing_to_do_lets_the_others_have_their_turn(world: World) -> None:
    workers, count = world.workers, 20

    async def go() -> int:
        workers._ready.set()
        for number in range(count):
            workers.add(Key(f"n{number}", "x"))
        working = asyncio.create_task(workers._work())
        turns = 0
        while workers.queue.depth() and turns < 100 * count:
            await asyncio.sleep(0)
            turns += 1
        working.cancel()
        return turns

    assert count <= asyncio.run(go()) < 100 * count
