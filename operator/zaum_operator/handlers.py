"""Everything about kopf: it logs in, watches, and ends the process on a signal. No handler writes or waits.

An event goes into the cache, and makes keys due if it says something that was not known. kopf keeps nothing on the
objects: no finalizer, no annotation.
"""

import asyncio
import dataclasses
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, Final

import kopf
from kopf._core.reactor import inventory

from zaum_api import contract
from zaum_operator.core.kinds import Kind
from zaum_operator.core.watched import Watched
from zaum_operator.workers import Workers

logger = logging.getLogger(__name__)

RESTART_SECONDS: Final = 1.0
"""How long kopf is left down after it gave up: on a CRD that is gone, on an error in a watch."""
Rest = Callable[[], Awaitable[None]]
BACKOFFS: Final = (0.5, 1.0, 2.0)
"""Short, because drift is undone within seconds of the API server's return; a dozen requests each cost it nothing."""
END_SECONDS: Final = 2.0
"""How long kopf is given to end by itself after one of its watches has failed."""


class Backoffs:
    """Pauses between kopf's attempts that never run out: rights that were taken away may be given back."""

    def __iter__(self) -> Iterator[float]:
        """Give the pauses, in seconds."""
        return itertools.chain(BACKOFFS, itertools.repeat(BACKOFFS[-1]))


class NoDiffs(kopf.DiffBaseStorage):
    """Keeps no earlier state: nobody here asks kopf what has changed, and finding it out costs more than all else."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:  # noqa: ANN401
        """Give nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Find nothing."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Write nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress: no handler here is ever repeated by kopf."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:  # noqa: ANN401
        """Find nothing."""
        return

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:  # noqa: ANN401
        """Write nothing."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:  # noqa: ANN401
        """Remove nothing."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Touch nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Change nothing."""
        return essence


class NoMemories(inventory.ResourceMemories):
    """Forgets each object at once: kopf keeps a kilobyte for each that it has seen, for daemons that nobody has."""

    async def recall(  # the arguments are kopf's
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,  # noqa: ANN401
        noticed_by_listing: bool = False,
        ephemeral: bool = True,
    ) -> inventory.ResourceMemory:
        """Give an empty memory that is kept nowhere."""
        return await super().recall(raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True)


def settings(watched: Watched) -> kopf.OperatorSettings:
    """Configure kopf to watch and nothing else."""
    result = kopf.OperatorSettings()
    result.scanning.disabled = True
    result.posting.enabled = False
    result.persistence.diffbase_storage = NoDiffs()
    result.persistence.progress_storage = NoProgress()
    result.watching.server_timeout = 300
    result.watching.reconnect_backoff = 1
    # A live stream shows a bookmark each minute; one that shows nothing for longer is half open.
    result.watching.inactivity_timeout = 90
    result.watching.chunk_size = 50
    result.networking.error_backoffs = Backoffs()
    result.networking.connect_timeout = 10
    # A handler takes microseconds: no task idles. No limit either: what waits for its turn is held whole in memory.
    result.queueing.idle_timeout = 0.05
    result.queueing.exit_timeout = 1.0
    for kind, selector in watched:
        if selector:
            result.watching.label_selectors[kind.api_version, kind.plural] = selector
    return result


async def _nothing() -> None:
    return


def registry(workers: Workers, rest: Rest = _nothing) -> kopf.OperatorRegistry:
    """Register a watch for each kind, and what is done first when kopf ends: it waits for tasks born after it."""
    result = kopf.OperatorRegistry()
    _login(result)

    @kopf.on.cleanup(registry=result)
    async def cleanup(**_: Any) -> None:  # noqa: ANN401 - kopf's protocol
        await workers.drain()
        await rest()

    for kind, _ in workers.reconciler.store.watched:
        _watch(result, kind, workers)
    return result


def _watch(registry: kopf.OperatorRegistry, kind: Kind, workers: Workers) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, id=kind.plural, registry=registry)
    async def event(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 - kopf's protocol
        what = event["type"]
        workers.on_event(kind, event["object"], gone=what == "DELETED", listed=what is None)  # type: ignore[arg-type]


def _login(registry: kopf.OperatorRegistry) -> None:
    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf's protocol
        inside = kopf.login_with_service_account(**kwargs)
        return _by_address(inside) if inside else kopf.login_with_kubeconfig(**kwargs)


def _by_address(inside: kopf.ConnectionInfo) -> kopf.ConnectionInfo:
    """Reach the API server by the address that the kubelet gives: the operator may ask no DNS server."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return dataclasses.replace(inside, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


async def watch(
    workers: Workers, namespaces: Collection[str] = (), *, rest: Rest = _nothing, resume: Rest = _nothing
) -> None:
    """Watch until cancelled or told to stop by a signal; empty `namespaces` means all.

    `rest` is awaited as soon as kopf begins to end: another replica may lead from there on. `resume` is awaited when
    kopf is about to begin anew.

    When kopf gives up (a CRD is gone, a watch shows an error that it does not know), everything is listed again until
    that works, and kopf is started anew. Nothing is lost: what matters is in the cluster, and the cache stays.
    """
    logging.getLogger("kopf").setLevel(logging.WARNING)
    while True:
        try:
            await _watch_once(workers, namespaces, rest)
        except Exception:  # kopf names no class for what ends it; all of them mean the same to us
            logger.exception("the watches ended; they are started again")
        else:
            return
        await asyncio.sleep(RESTART_SECONDS)
        workers.reconciler.store.unfill()
        await workers.fill()
        workers.queue_everything()
        await resume()


class WatchError(Exception):
    """A watch failed and kopf, which then ends all others, did not come to an end."""


class _Failures(logging.Handler):
    """Hears from kopf's log that a watch has failed for good: kopf says it nowhere else before it has ended."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "has failed" in record.getMessage():
            self.heard.set()


async def _watch_once(workers: Workers, namespaces: Collection[str], rest: Rest) -> None:
    """Run kopf until it ends; WatchError when it should end and does not (a stream that waits to log in again)."""
    failures, reactor = _Failures(), logging.getLogger("kopf._core.reactor")
    reactor.addHandler(failures)
    running = asyncio.create_task(_kopf(workers, namespaces, rest), name="kopf")
    heard = asyncio.create_task(failures.heard.wait(), name="kopf's failures")
    try:
        await asyncio.wait({running, heard}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({running}, timeout=END_SECONDS)
        if not running.done():
            raise WatchError("a watch failed, and the others did not end")
        running.result()
    finally:
        reactor.removeHandler(failures)
        heard.cancel()
        running.cancel()
        await asyncio.wait({running, heard}, timeout=END_SECONDS)


async def _kopf(workers: Workers, namespaces: Collection[str], rest: Rest) -> None:
    everywhere = not namespaces
    await kopf.operator(
        registry=registry(workers, rest),
        settings=settings(workers.reconciler.store.watched),
        memories=NoMemories(),
        standalone=True,
        clusterwide=everywhere,
        namespaces=list(namespaces),
        # Without it kopf asks for the user's name, and a container's uid has none.
        identity=contract.FIELD_MANAGER,  # type: ignore[arg-type]
    )
