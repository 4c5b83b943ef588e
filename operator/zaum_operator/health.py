"""Serve metrics and health over plain HTTP; nothing that a neighbour may not know is in either."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from zaum_api import contract
from zaum_operator.clock import Clock
from zaum_operator.metrics import Metrics
from zaum_operator.workers import Workers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(workers: Workers, metrics: Metrics, clock: Clock, *, host: str = "") -> list[web.AppRunner]:
    """Listen on both ports (all addresses unless told); the runners are closed by the caller."""

    async def health(_: web.Request) -> web.Response:
        trouble = workers.trouble()
        now = clock.seconds()
        body = {
            "trouble": trouble,
            "oldestKeySeconds": round(workers.queue.oldest_age(now=now), 3),
            "lastWatchEventSeconds": round(now - workers.last_event, 3),
            "workers": sum(not task.done() for task in workers.tasks),
        }
        return web.json_response(body, status=500 if trouble else 200)

    async def expose(_: web.Request) -> web.Response:
        metrics.queue_depth.set(workers.queue.depth())
        metrics.queue_oldest.set(workers.queue.oldest_age(now=clock.seconds()))
        return web.Response(body=metrics.text(), content_type="text/plain")

    return [
        await _listen(host, contract.OPERATOR_HEALTH_PORT, "/healthz", health),
        await _listen(host, contract.OPERATOR_METRICS_PORT, "/metrics", expose),
    ]


async def _listen(host: str, port: int, path: str, handler: Handler) -> web.AppRunner:
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host or None, port).start()
    return runner
