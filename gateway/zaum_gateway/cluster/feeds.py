"""Follow one kind of object by list and watch.

The level is what counts: a list replaces everything, an event replaces one object, and after an outage of the API
server the watch goes on where it ended or, when that is too long ago, with a list. Until the first list nothing is
known, afterwards the last known state stays in force however long the API server is away.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final, Protocol

from zaum_gateway.cluster import api

log = logging.getLogger("zaum.gateway.cluster")

FIRST_DELAY: Final = 0.2
LAST_DELAY: Final = 5.0
"""Seconds between attempts while the API server is away: soon enough that its return is noticed, few enough requests
from each authorizer that its return is not delayed."""


class Source(Protocol):
    """The part of the cluster's API that a feed needs."""

    async def gather(self, path: str, selector: str) -> tuple[list[api.Body], str]:
        """Give all objects and the resource version to watch from."""

    def watch(self, path: str, selector: str, version: str) -> AsyncIterator[tuple[str, api.Body]]:
        """Give the events since a version."""


class Sink(Protocol):
    """Where a feed's objects go."""

    def replace(self, bodies: Iterable[api.Body]) -> None:
        """Take the whole state."""

    def put(self, body: api.Body) -> None:
        """Take one object that was added or changed."""

    def remove(self, body: api.Body) -> None:
        """Take one object that is gone."""


class Feed:
    """One list-and-watch. `heard` is the monotonic time of the last answer, None before the first list.

    `listed`: the monotonic time at which the last whole list was asked for.
    """

    def __init__(self, *, path: str, selector: str, sink: Sink, clock: Callable[[], float]) -> None:
        self.path = path
        self.heard: float | None = None
        self.listed: float | None = None
        self._selector = selector
        self._sink = sink
        self._clock = clock
        self._version = ""
        self._stale = False
        self._watching: asyncio.Timeout | None = None

    def refresh(self) -> None:
        """Have the whole list asked for again, now: what is known stays in force until it has come."""
        self._stale = True
        if self._watching is not None and not self._watching.expired():
            self._watching.reschedule(asyncio.get_running_loop().time())

    async def run(self, source: Source) -> None:
        """Follow for ever."""
        delay = FIRST_DELAY
        while True:
            try:
                await self.step(source)
                delay = FIRST_DELAY
            except api.Expired:
                self._version = ""
                log.info("relist", extra={"fields": {"path": self.path}})
                await api.pause(FIRST_DELAY)
            except api.Unreachable as error:
                log.warning("unreachable", extra={"fields": {"path": self.path, "error": str(error)}})
                await api.pause(delay)
                delay = min(delay * 2, LAST_DELAY)

    async def step(self, source: Source) -> None:
        """List when there is nothing to watch from, or a list is wanted; then watch until the server ends it."""
        if not self._version or self._stale:
            await self._list(source)
        try:
            async with asyncio.timeout(None) as self._watching:
                async for kind, body in source.watch(self.path, self._selector, self._version):
                    self._take(kind, body)
                self.heard = self._clock()
        except TimeoutError:
            return  # a list is wanted
        finally:
            self._watching = None

    async def _list(self, source: Source) -> None:
        asked = self._clock()
        bodies, self._version = await source.gather(self.path, self._selector)
        self._stale = False
        self._sink.replace(bodies)
        self.heard, self.listed = self._clock(), asked

    def _take(self, kind: str, body: api.Body) -> None:
        match kind:
            case "ADDED" | "MODIFIED":
                self._sink.put(body)
            case "DELETED":
                self._sink.remove(body)
            case "BOOKMARK":
                pass
            case _:
                raise api.Unreachable(f"the watch sent an event of type {kind!r}")
        version = (body.get("metadata") or {}).get("resourceVersion")
        self._version = str(version) if version else self._version
        self.heard = self._clock()
