"""The loop around the queue: workers that reconcile, and a resync for events that never came."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster.port import Api
from zaum_operator.core import keys, kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.queue import Queue
from zaum_operator.metrics import Metrics
from zaum_operator.reconcile import Reconciler, Result

logger = logging.getLogger(__name__)

STUCK_SECONDS: Final = 120.0
"""A due key that waits this long means workers that do not work: a reconcile is bounded by its requests' timeouts."""
IDLE_SECONDS: Final = 30.0


@dataclass
class Workers:
    """N workers on one queue. `wake` is set whenever there may be something to take."""

    reconciler: Reconciler
    clock: Clock
    metrics: Metrics
    queue: Queue = field(default_factory=Queue)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    last_event: float = 0.0
    last_resync: float = 0.0
    resync_seconds: int = 300
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self, due: tuple[Key, ...], kind: str) -> None:
        """Take in an event of a watch: these keys are due now."""
        self.last_event = self.clock.seconds()
        self.metrics.events.labels(kind).inc()
        for key in due:
            self.add(key)

    def add(self, key: Key) -> None:
        """Make a key due now."""
        self.queue.add(key, now=self.clock.seconds())
        self._wake.set()

    def everybody(self) -> None:
        """Look at everything again soon: what all objects are made of has changed."""
        self._again.set()

    def start(self, count: int) -> None:
        """Start the workers and the resync on the running loop."""
        self.last_event = self.last_resync = self.clock.seconds()
        self.tasks = [asyncio.create_task(self._work(), name=f"worker-{index}") for index in range(count)]
        self.tasks.append(asyncio.create_task(self._resync(), name="resync"))

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
        if age > STUCK_SECONDS:
            return f"a key waits for {age:.0f} s"
        if now - self.last_resync > 3 * self.resync_seconds + 60:
            return f"no resync for {now - self.last_resync:.0f} s"
        return ""

    async def step(self) -> bool:
        """Work on one key if one is due; say whether there was one."""
        key = self.queue.take(now=self.clock.seconds())
        if key is None:
            return False
        began = self.clock.seconds()
        result = await self._reconcile(key)
        now = self.clock.seconds()
        self.metrics.duration.observe(now - began)
        self.metrics.reconciles.labels("failed" if result.failed else "done").inc()
        again_at = None if result.again_after is None else now + result.again_after
        self.queue.done(key, now=now, failed=result.failed, again_at=again_at)
        for other in result.also:
            self.queue.add(other, now=now)
        self._wake.set()
        return True

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
            if await self.step():
                continue
            self._wake.clear()
            next_time = self.queue.next_time()
            wait = IDLE_SECONDS if next_time is None else max(next_time - self.clock.seconds(), 0.0)
            try:
                # Not wait_for: before Python 3.12 it swallows a cancellation that meets the event.
                async with asyncio.timeout(min(wait, IDLE_SECONDS)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _resync(self) -> None:
        while True:
            try:
                for key in sorted(await everything(self.reconciler.api)):
                    self.add(key)
            except errors.RequestError as error:
                logger.warning("resync: %s", error)
            self.last_resync = self.clock.seconds()
            try:
                async with asyncio.timeout(self.resync_seconds * (0.8 + 0.4 * self.clock.fraction())):
                    await self._again.wait()
            except TimeoutError:
                continue
            self._again.clear()


async def everything(api: Api) -> set[Key]:
    """List all keys: policies, and what policies may have left behind (PriorityClasses, guards)."""
    policies = await api.list(kinds.POLICY)
    classes = await api.list(kinds.PRIORITY_CLASS, selector=contract.LABEL_POLICY)
    guards = await api.list(kinds.NETWORK_POLICY, selector=contract.LABEL_GUARD)
    left = {key for item in classes for key in keys.of_child(item)}
    return {keys.of_policy(policy) for policy in policies} | left | {Key(g["metadata"]["namespace"]) for g in guards}
