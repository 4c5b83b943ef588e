"""The loop around the queue: liveness, resync, and that one broken reconcile ends nothing."""

import asyncio

import pytest

from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator import errors, health, workers
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key


def test_resync_finds_policies_and_what_they_left_behind(world: World) -> None:
    world.policy("one")
    world.policy("two")
    world.settle()
    world.api.listeners.clear()
    world.api.remove(kinds.POLICY, NAMESPACE, "two")
    found = asyncio.run(workers.everything(world.api))
    assert found == {Key(NAMESPACE, "one"), Key(NAMESPACE, "two"), Key(NAMESPACE)}


def test_a_reconcile_that_cannot_look_backs_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise errors.UnavailableError("get", 0, "reset")

    monkeypatch.setattr(world.api, "get", broken)
    world.workers.add(Key(NAMESPACE, "x"))
    assert world.settle() == 1
    assert world.workers.queue.next_time() == 0.5
    assert b'zaum_operator_reconciles_total{result="failed"} 1.0' in world.metrics.text()


def test_a_bug_in_one_reconcile_ends_no_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def bug(*_: object, **__: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(world.api, "get", bug)
    world.workers.add(Key(NAMESPACE, "x"))
    assert world.settle() == 1
    assert world.workers.queue.next_time() == 0.5


def test_liveness_fails_for_a_dead_task_an_old_key_and_a_resync_that_stopped(world: World) -> None:
    assert world.workers.trouble() == ""
    world.workers.add(Key(NAMESPACE, "x"))
    world.clock.at += 121 * world.clock.at.resolution * 10**6
    assert "a key waits for 121 s" in world.workers.trouble()
    world.workers.queue.take(now=world.clock.seconds())
    assert world.workers.trouble() == ""
    world.clock.at += 1000 * world.clock.at.resolution * 10**6
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
        world.api.listeners.append(lambda event, kind, obj: made.set() if kind is kinds.POD else None)

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

    assert asyncio.run(go()) == ["worker-0", "worker-1", "resync"]
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
