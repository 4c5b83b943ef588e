"""Run the authorizer until SIGTERM."""

import asyncio
import contextlib
import logging
import os
import signal
import sys

from zaum_gateway import authorizer, settings
from zaum_gateway.cluster import api, keys
from zaum_gateway.shell import authorization, clock, health, journal, masters, metrics, reports

log = logging.getLogger("zaum.gateway")


async def run(options: settings.Settings) -> None:
    """Serve; a feed that ends by an error ends the process, and the kubelet starts it anew."""
    cluster = await api.ClusterApi.open()
    figures = metrics.Metrics()
    ring = keys.Keys(cluster, clock.monotonic)
    files = masters.Files(options.sessions_dir)
    files.poll()
    judge = authorizer.Authorizer(
        ring=ring,
        clock=clock.now,
        since=clock.monotonic,
        domain=options.cluster_domain,
        namespaces=options.namespaces,
        namespace=options.namespace,
        operator=options.operator,
        masters=lambda: files.masters,
    )
    service = authorization.Authorization(judge.decide, figures=figures, clock=clock.monotonic)
    server, port = await authorization.serve(service, address=options.grpc_address, tls_dir=options.tls_dir)
    pages = await health.Health(judge.missing, figures).serve(options.health_host, options.health_port)
    told = reports.Reports(judge.operator, judge.document, judge.seen)
    judge.news = told.ring
    page = await told.serve(options.reports_host, options.reports_port, options.tls_dir)
    figures.hold("reports", lambda: len(judge.reports))
    figures.hold("latches", lambda: len(judge.latches))
    figures.contain("in_force", judge.incidents.in_force)
    figures.contain("unreadable", lambda: len(judge.incidents.unreadable()))
    health_port = pages.sockets[0].getsockname()[1]
    reports_port = page.sockets[0].getsockname()[1]
    log.info("started", extra={"fields": {"grpc": port, "health": health_port, "reports": reports_port}})
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(cluster.close)
        stack.push_async_callback(server.stop, 1.0)
        stack.callback(pages.close)
        stack.callback(page.close)
        await _follow(judge, ring, cluster, figures, files)


async def _follow(
    judge: authorizer.Authorizer,
    ring: keys.Keys,
    cluster: api.ClusterApi,
    figures: metrics.Metrics,
    files: masters.Files,
) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ring.run()), group.create_task(_poll(files))]
        for name, feed in judge.feeds.items():
            figures.follow(name, lambda name=name: judge.age(name))  # type: ignore[misc]
            tasks.append(group.create_task(feed.run(cluster)))
        await stopped.wait()
        for task in tasks:
            task.cancel()


async def _poll(files: masters.Files) -> None:
    while True:
        await asyncio.sleep(masters.POLL_SECONDS)
        files.poll()


def main() -> int:
    """Read the settings and run; 2 when they are wrong."""
    try:
        options = settings.Settings.read(os.environ)
    except settings.SettingsError as error:
        journal.start("INFO")
        log.error("settings", extra={"fields": {"error": str(error)}})
        return 2
    journal.start(options.log_level)
    asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
