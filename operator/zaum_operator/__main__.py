"""Run the operator: `python3 -m zaum_operator`."""

import asyncio
import logging
import os
import sys

from aiohttp import web

from zaum_operator import handlers, health, log
from zaum_operator import settings as operator_settings
from zaum_operator.clock import Clock
from zaum_operator.cluster import client
from zaum_operator.cluster.certificates.service import Certificates, Gauges
from zaum_operator.cluster.client import Client
from zaum_operator.core import access
from zaum_operator.metrics import Metrics
from zaum_operator.reconcile import Reconciler
from zaum_operator.settings import Settings
from zaum_operator.workers import Workers

logger = logging.getLogger("zaum_operator")


async def run(settings: Settings) -> None:
    """Run until a signal comes. Workers start before kopf, which ends every task that is born after it."""
    metrics, clock = Metrics(), Clock()
    api = await client.connect(table=access.OPERATOR, release_namespace=settings.namespace, metrics=metrics)
    reconciler = Reconciler(api, settings.site, settings.gateway_ca_file, clock)
    workers = Workers(reconciler, clock, metrics, resync_seconds=settings.resync_seconds)
    runners: list[web.AppRunner] = []
    try:
        workers.start(settings.workers)
        workers.tasks.append(asyncio.create_task(_certificates(api, settings, workers).run(), name="certificates"))
        runners += await health.serve(workers, metrics, clock)
        await handlers.watch(workers)
    finally:
        await workers.stop()
        for runner in runners:
            await runner.cleanup()
        await api.close()


def _certificates(api: Client, settings: Settings, workers: Workers) -> Certificates:
    return Certificates(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        options=settings.certificates,
        gauges=Gauges(workers.metrics.registry),
        changed=workers.everybody,
        watched=settings.watch_namespaces,
    )


def main() -> int:
    """Read the settings and run; exit code 2 when a setting is wrong."""
    try:
        settings = operator_settings.from_environment(os.environ)
    except operator_settings.SettingsError as error:
        sys.stderr.write(f"zaum-operator: {error}\n")
        return 2
    log.to_standard_error(settings.log_level)
    logger.info("operator starts in namespace %s with %d workers", settings.namespace, settings.workers)
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
