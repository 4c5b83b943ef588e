"""Serve metrics and health over plain HTTP; nothing that a neighbour may not know is in either."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from zaum_api import contract
from zaum_operator.clock import Clock
from zaum_operator.metrics import Metrics
from zaum_operator.workers import Workers

LAG_SECONDS: Final = 0.05
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(workers: Workers, metrics: Metrics, clock: Clock, *, host: str = "") -> list[web.AppRunner]:
    """Listen on both ports (all addresses unless told); the runners are closed by the caller."""

    async def health(_: web.Request) -> web.Response:
        trouble = workers.trouble()
        now = clock.seconds()
        last = max(workers.last_events.values(), default=None)
        body = {
            "trouble": trouble,
            "note": workers.note(),
            "leads": workers.gate.leads,
            "oldestKeySeconds": round(workers.queue.oldest_age(now=now), 3),
            "lastWatchEventSeconds": None if last is None else round(now - last, 3),
            "workers": sum(not task.done() for task in workers.tasks),
        }
        return web.json_response(body, status=500 if trouble else 200)

    async def expose(_: web.Request) -> web.Response:
        _measure(workers, metrics, clock)
        return web.Response(body=metrics.text(), content_type="text/plain")

    return [
        await _listen(host, contract.OPERATOR_HEALTH_PORT, "/healthz", health),
        await _listen(host, contract.OPERATOR_METRICS_PORT, "/metrics", expose),
    ]


async def watch_loop(metrics: Metrics, clock: Clock) -> None:
    """Measure how late the event loop is, for ever."""
    while True:
        due = clock.seconds() + LAG_SECONDS
        await clock.sleep(LAG_SECONDS)
        metrics.lag.observe(max(clock.seconds() - due, 0.0))


def _measure(workers: Workers, metrics: Metrics, clock: Clock) -> None:
    now, store, rollout = clock.seconds(), workers.reconciler.store, workers.reconciler.pacer.rollout(now=clock.now())
    metrics.tasks.set(len(asyncio.all_tasks()))
    leads = workers.gate.leads
    metrics.leader.set(leads)
    # What a replica held when it lost the Lease is another's work now.
    metrics.queue_depth.set(workers.queue.depth() if leads else 0)
    metrics.queue_oldest.set(workers.queue.oldest_age(now=now) if leads else 0)
    for state, count in (
        ("rolling", len(rollout.rolling)),
        ("stuck", len(rollout.stuck)),
        ("waiting", rollout.waiting),
    ):
        metrics.rolling.labels(state).set(count)
    for kind, _ in store.watched:
        metrics.cached.labels(kind.name).set(store.cache.count(kind))
        metrics.unreadable.labels(kind.name).set(kind in store.problems)
        if (last := workers.last_events.get(kind)) is not None:
            metrics.watch_age.labels(kind.name).set(now - last)


async def _listen(host: str, port: int, path: str, handler: Handler) -> web.AppRunner:
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner
