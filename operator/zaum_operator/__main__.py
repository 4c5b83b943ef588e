"""Run the operator: `python3 -m zaum_operator`."""

import asyncio
import dataclasses
import logging
import os
import sys
from pathlib import Path

from aiohttp import web

from zaum_api import documents
from zaum_operator import footprint, handlers, health, log
from zaum_operator import settings as operator_settings
from zaum_operator.clock import Clock
from zaum_operator.cluster import books, client, identity, observe, orders, sightings
from zaum_operator.cluster.certificates import session_keys
from zaum_operator.cluster.certificates.service import Certificates, Gauges
from zaum_operator.cluster.client import Client
from zaum_operator.cluster.gate import Gate
from zaum_operator.cluster.gateway import GatewayLook
from zaum_operator.cluster.reports import Counts, Reports
from zaum_operator.cluster.services import Services
from zaum_operator.cluster.store import Store
from zaum_operator.core import access, freshness, kinds, watched
from zaum_operator.core.cache import Cache
from zaum_operator.core.keys import Key
from zaum_operator.core.pace import Pacer
from zaum_operator.leadership import Leadership
from zaum_operator.metrics import Metrics
from zaum_operator.reconcile import Reconciler
from zaum_operator.settings import Settings
from zaum_operator.workers import Workers

logger = logging.getLogger("zaum_operator")


async def run(settings: Settings) -> None:
    """Run until a signal comes. Tasks start before kopf, which ends every task that is born after it when it stops."""
    metrics, clock = Metrics(), Clock()
    gate = Gate(clock)
    table = access.NAMESPACED if settings.namespaced else access.OPERATOR
    api = await client.connect(table=table, release_namespace=settings.namespace, metrics=metrics, gate=gate)
    workers = _workers(api, gate, settings, clock, metrics)
    leadership = Leadership(
        api=api,
        gate=gate,
        clock=clock,
        namespace=settings.namespace,
        # A process is never taken for the one before it, of the same pod.
        me=f"{settings.identity}_{clock.digits(8)}",
        begin=workers.lead,
        cease=workers.follow,
        tasks={
            "certificates": _certificates(api, settings, workers).run,
            "reports": _reports(api, settings, workers).run,
            "sightings": _sightings(api, settings, workers).run,
            "session keys": _session_keys(api, settings, workers).run,
            **({"books": _books(api, settings, workers).run} if settings.ledger else {}),
            **({"orders": _orders(api, settings, workers).run} if settings.ledger else {}),
            # Without ceilings nobody grants a Service, and single namespaces give no right to open a way to it.
            **({} if settings.namespaced else {"services": _services(settings, workers).run}),
        },
    )
    runners: list[web.AppRunner] = []
    try:
        workers.start(settings.workers)
        workers.tasks.append(asyncio.create_task(leadership.run(), name="lease"))
        workers.tasks.append(asyncio.create_task(health.watch_loop(metrics, clock), name="loop lag"))
        runners += await health.serve(workers, metrics, clock)
        await handlers.watch(workers, settings.watch_namespaces, rest=leadership.rest, resume=leadership.resume)
    finally:
        await workers.drain()
        await leadership.release()
        await workers.stop()
        for runner in runners:
            await runner.cleanup()
        await api.close()


def _workers(api: Client, gate: Gate, settings: Settings, clock: Clock, metrics: Metrics) -> Workers:
    site = dataclasses.replace(settings.site, api_audiences=identity.audiences())
    # Policies of a namespace share one quota there, so each look at one adds up all.
    cache = Cache(frozenset({kinds.POLICY}) if settings.namespaced else frozenset())
    store = Store(api, watched.of_site(namespaced=settings.namespaced), settings.watch_namespaces, cache)
    gateway = GatewayLook(
        api, settings.namespace, settings.gateway_ca_file, settings.routes_ca_file, settings.prices_file
    )
    memory = freshness.Memory(freshness.NEIGHBOURS_MAX if settings.namespaced else freshness.READ_MAX)
    reconciler = Reconciler(store, site, gateway, clock, Pacer(settings.rollout_max), memory)
    return Workers(reconciler, clock, metrics, gate, resync_seconds=settings.resync_seconds)


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


def _session_keys(api: Client, settings: Settings, workers: Workers) -> session_keys.SessionKeys:
    return session_keys.SessionKeys(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        directory=Path(settings.certificates.directory),
        gauges=session_keys.Gauges(workers.metrics.registry),
    )


def _services(settings: Settings, workers: Workers) -> Services:
    reconciler = workers.reconciler
    return Services(
        store=reconciler.store,
        clock=workers.clock,
        release=settings.namespace,
        needs=reconciler.needs,
        changed=lambda keys: workers.notice(tuple(keys)),
    )


def _reports(api: Client, settings: Settings, workers: Workers) -> Reports:
    return Reports(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        ca_file=settings.gateway_ca_file,
        token_file=settings.reports_token_file,
        port=settings.reports_port,
        held=workers.reconciler.held,
        changed=lambda keys: workers.notice(tuple(keys)),
        counts=Counts(workers.metrics.registry),
    )


def _sightings(api: Client, settings: Settings, workers: Workers) -> sightings.Sightings:
    contained = workers.reconciler.containment
    found = sightings.Sightings(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        ca_file=settings.gateway_ca_file,
        token_file=settings.reports_token_file,
        port=settings.reports_port,
        asking=contained.asking,
        changed=lambda keys: workers.notice(tuple(keys)),
        counts=sightings.Counts(workers.metrics.registry),
    )
    contained.poke = found.poke
    return found


def _orders(api: Client, settings: Settings, workers: Workers) -> orders.Orders:
    found = orders.Orders(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        ca_file=settings.gateway_ca_file,
        token_file=settings.ledger_token_file,
        port=settings.ledger_port,
        counts=orders.Counts(workers.metrics.registry),
        taken=lambda posted: _note_release(workers, posted),
    )
    workers.reconciler.containment.order = found.put
    return found


def _note_release(workers: Workers, posted: documents.Posted) -> None:
    if posted.action is documents.Action.RELEASE:
        key, seconds = Key(posted.namespace, posted.policy), workers.clock.seconds()
        workers.reconciler.spent.released(key, posted.incident, seconds=seconds)


def _books(api: Client, settings: Settings, workers: Workers) -> books.Books:
    return books.Books(
        api=api,
        clock=workers.clock,
        namespace=settings.namespace,
        ca_file=settings.gateway_ca_file,
        token_file=settings.ledger_token_file,
        port=settings.ledger_port,
        held=workers.reconciler.spent,
        changed=lambda keys: workers.notice(tuple(keys)),
        everybody=workers.everybody,
        counts=books.Counts(workers.metrics.registry),
        living=lambda key: observe.living(workers.reconciler.store, key),
    )


def main() -> int:
    """Read the settings and run; exit code 2 when a setting is wrong."""
    try:
        settings = operator_settings.from_environment(os.environ)
    except operator_settings.SettingsError as error:
        sys.stderr.write(f"zaum-operator: {error}\n")
        return 2
    log.to_standard_error(settings.log_level)
    footprint.settle()
    logger.info("operator starts in namespace %s with %d workers", settings.namespace, settings.workers)
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
