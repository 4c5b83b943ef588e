"""The loop around the queue: workers that reconcile while this replica leads, and what heals the cache behind them."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster.gate import Gate
from zaum_operator.cluster.store import Store
from zaum_operator.core import due
from zaum_operator.core.cache import Change
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.queue import Queue
from zaum_operator.metrics import Metrics
from zaum_operator.reconcile import Reconciler, Result

logger = logging.getLogger(__name__)

STUCK_SECONDS: Final = 120.0
"""A due key that waits this long means workers that do not work: a reconcile is bounded by its requests' timeouts."""
IDLE_SECONDS: Final = 30.0
FILL_RETRY_SECONDS: Final = 2.0
SETTLING_SECONDS: Final = 10.0
"""When the first resync comes: it finds what went between our first lists and the watches' start."""
WARM_UP_SECONDS: Final = 1.0
"""When a replica that does not lead begins to fill its cache."""
QUIET_SECONDS: Final = 1.0
"""A watch's list is in when nothing more of it has come for so long."""
LOOK_SECONDS: Final = 10.0
"""How often the gateway's address and CA are looked at."""
DRAIN_SECONDS: Final = 3.0
DRAIN_LOOK_SECONDS: Final = 0.05
SILENT_RESYNCS: Final = 2
"""After so many resyncs in a row that found what a watch should have shown, and no event of it, the watch is dead."""


@dataclass
class Workers:
    """N workers on one queue. `wake` is set whenever there may be something to take."""

    reconciler: Reconciler
    clock: Clock
    metrics: Metrics
    gate: Gate
    queue: Queue = field(default_factory=Queue)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    last_resync: float = 0.0
    resync_seconds: int = 300
    last_events: dict[Kind, float] = field(default_factory=dict)
    """When a watch has last shown something, by kind."""
    silent: dict[Kind, int] = field(default_factory=dict)
    listed_events: int = 0
    """Events that came from lists of watches."""
    _listed: set[Kind] = field(default_factory=set)
    _relist: asyncio.Event = field(default_factory=asyncio.Event)
    _filling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _filled_from: float = -1.0
    """When the first lists began that filled the cache."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _soon: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is a filled cache to decide from, and this replica leads."""

    def on_event(self, kind: Kind, obj: Object, *, gone: bool, listed: bool = False) -> None:
        """Take in an event of a watch. One that says nothing that was not known makes nothing due.

        `listed`: it comes from a list with which a watch begins anew, after a start or a gap. What was deleted in the
        gap comes in no event, so the kind is listed once more, by us.
        """
        if listed:
            self.listed_events += 1
            self._listed.add(kind)
            self._relist.set()
        now = self.clock.seconds()
        self.last_events[kind] = now
        self.silent.pop(kind, None)
        self.metrics.events.labels(kind.name).inc()
        before = self.reconciler.store.known(kind, obj)
        if self.reconciler.store.notice(kind, obj, gone=gone) is Change.CONTENT:
            for each in (obj, *before):
                self.notice(due.by(kind, each, gone=gone))

    def notice(self, keys: tuple[Key, ...]) -> None:
        """Make keys due now, because something has changed. Whoever does not lead will look at everything anyway."""
        if self._ready.is_set():
            for key in keys:
                self.add(key)

    def add(self, key: Key, *, backlog: bool = False) -> None:
        """Make a key due now."""
        self.queue.add(key, now=self.clock.seconds(), backlog=backlog, brisk=self._waits(key))
        self._wake.set()

    def _waits(self, key: Key) -> bool:
        """Say whether a containment of the policy is still to be confirmed."""
        return self.reconciler.containment.asking.asks(key)

    def everybody(self) -> None:
        """Look at the gateway and at every policy again: what all objects are made of has changed."""
        self._soon.set()

    def start(self, count: int) -> None:
        """Start the workers and the resync on the running loop."""
        self.last_resync = self.clock.seconds()
        loops = {f"worker-{index}": self._work() for index in range(count)}
        loops |= {"resync": self._resync(), "look": self._look()}
        self.tasks += [asyncio.create_task(loop, name=name) for name, loop in loops.items()]

    async def stop(self) -> None:
        """Stop all tasks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def trouble(self) -> str:
        """Say why the operator is not alive; empty when it is."""
        now = self.clock.seconds()
        dead = [task.get_name() for task in self.tasks if task.done()]
        if dead:
            return f"tasks ended: {', '.join(dead)}"
        age = self.queue.oldest_age(now=now)
        if self._ready.is_set() and self.gate.leads and age > STUCK_SECONDS:
            return f"a key waits for {age:.0f} s"
        if now - self.last_resync > 3 * self.resync_seconds + 60:
            return f"no resync for {now - self.last_resync:.0f} s"
        deaf = sorted(kind.plural for kind, count in self.silent.items() if count >= SILENT_RESYNCS)
        return f"watches are silent: {', '.join(deaf)}" if deaf else ""

    def note(self) -> str:
        """Say what keeps the operator from working although it lives; empty when nothing does."""
        store = self.reconciler.store
        if store.problems:
            return "; ".join(sorted(store.problems.values()))
        if not store.filled:
            return "the first lists are not complete yet"
        if not self.gate.leads:
            return "another replica leads"
        if self.gate.paused:
            return f"the API server asked to be left alone for {self.gate.paused:.0f} s"
        return ""

    async def fill(self) -> None:
        """Fill the cache for the first time, however long that takes: nothing is decided before."""
        store = self.reconciler.store
        async with self._filling:
            if not store.filled:
                await self._fill(store)

    async def _fill(self, store: Store) -> None:
        self._filled_from = self.clock.seconds()
        while not store.filled:
            for kind in store.missing:
                try:
                    await store.relist(kind)
                except errors.RequestError as error:
                    logger.warning("waiting: %s cannot be listed: %s", kind.plural, error)
            await self.reconciler.gateway.look()
            if not store.filled:
                await self.clock.sleep(FILL_RETRY_SECONDS)
        logger.info("cache filled: %d objects", sum(store.cache.count(kind) for kind, _ in store.watched))

    async def lead(self) -> None:
        """Begin to lead: look at the cluster once more, so that nothing is decided from before our time."""
        began = self.clock.seconds()
        await self.fill()
        if self._filled_from < began:
            await self.heal()
        await self.reconciler.prime()
        self.queue_everything()
        self._ready.set()
        self._wake.set()

    def follow(self) -> None:
        """Cease to lead: nothing more is taken."""
        self._ready.clear()

    async def drain(self) -> None:
        """Take nothing more, and give what is under way a moment to end: after it another may lead at once."""
        self.follow()
        until = self.clock.seconds() + DRAIN_SECONDS
        while self.queue.working() and self.clock.seconds() < until:
            await self.clock.sleep(DRAIN_LOOK_SECONDS)

    def queue_everything(self) -> None:
        """Make all keys due, behind whatever changes."""
        store = self.reconciler.store
        for key in sorted(due.everything(store.cache, store.watched)):
            self.add(key, backlog=True)

    async def step(self) -> bool:
        """Work on one key if one is due; say whether there was one."""
        key = self.queue.take(now=self.clock.seconds())
        if key is None:
            return False
        began = self.clock.seconds()
        result = await self._reconcile(key)
        now = self.clock.seconds()
        self.metrics.duration.observe(now - began)
        self.metrics.reconciles.labels("failed" if result.failed else "skipped" if result.skipped else "done").inc()
        again_at = None if result.again_after is None else now + result.again_after
        self.queue.done(key, now=now, failed=result.failed, again_at=again_at, brisk=self._waits(key))
        for other in result.also:
            self.queue.add(other, now=now)
        for other in result.backlog:
            self.queue.add(other, now=now, backlog=True)
        self._wake.set()
        return True

    async def heal(self, only: Collection[Kind] = ()) -> int:
        """List kinds live (all, unless told) and make due what the watches have missed; count those objects."""
        store, missed = self.reconciler.store, 0
        for kind, _ in store.watched:
            if only and kind not in only:
                continue
            before = self.last_events.get(kind, 0.0)
            try:
                changed = await store.relist(kind)
            except errors.RequestError as error:
                logger.warning("resync: %s cannot be listed, tried again: %s", kind.plural, error)
                self._listed.add(kind)
                self._relist.set()
                continue
            for obj in changed:
                self.notice(due.by(kind, obj, gone=True))
            missed += len(changed)
            self.metrics.healed.labels(kind.name).inc(len(changed))
            if changed and not only and self.last_events.get(kind, 0.0) <= max(before, self.last_resync):
                self.silent[kind] = self.silent.get(kind, 0) + 1
        if not only:
            self.last_resync = self.clock.seconds()
        return missed

    async def heal_listed(self) -> int:
        """Heal the kinds whose watches began anew, as soon as their lists are in."""
        count = -1
        while count != self.listed_events:
            count = self.listed_events
            await self.clock.sleep(QUIET_SECONDS)
        kinds = frozenset(self._listed)
        self._listed.clear()
        self._relist.clear()
        return await self.heal(kinds)

    async def _reconcile(self, key: Key) -> Result:
        try:
            return await self.reconciler.reconcile(key)
        except errors.RequestError as error:
            logger.warning("%s/%s: could not look: %s", key.namespace, key.name, error)
        except Exception:  # one broken object must not end a worker; it is logged, counted, backed off
            logger.exception("%s/%s: reconcile failed", key.namespace, key.name)
        return Result(failed=True)

    async def _work(self) -> None:
        while True:
            await self._ready.wait()
            if await self.step():
                # One that finds nothing to do waits for nothing: without this a restart would be one long turn.
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            next_time = self.queue.next_time()
            wait = IDLE_SECONDS if next_time is None else max(next_time - self.clock.seconds(), 0.0)
            await _either(self._wake, min(wait, IDLE_SECONDS))

    async def _resync(self) -> None:
        # Whoever leads has to list after that: a moment later there is no doubt who does.
        await self.clock.sleep(WARM_UP_SECONDS)
        await self.fill()
        full = self.clock.seconds() + SETTLING_SECONDS
        while True:
            await _either(self._relist, max(full - self.clock.seconds(), 0.0))
            if self._relist.is_set():
                await self.heal_listed()
            else:
                await self.heal()
                self.queue_everything()
            full = self.clock.seconds() + self.resync_seconds * (0.8 + 0.4 * self.clock.fraction())

    async def _look(self) -> None:
        """Keep the gateway's address and CA known; whatever changes there concerns every policy."""
        while True:
            await _either(self._soon, LOOK_SECONDS)
            told = self._soon.is_set()
            self._soon.clear()
            if await self.reconciler.gateway.look() or told:
                self.add(due.ALL)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than this."""
    try:
        # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
