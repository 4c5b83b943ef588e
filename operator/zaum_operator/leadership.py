"""One replica leads: the loop around the Lease, and the tasks that run only while this replica holds it.

The fence is `gate.leads_until`: it is moved by successful renewals alone, so a process that sleeps, a loop that is
stuck, or an API server that is silent closes it without anybody's doing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster.gate import Gate
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds, lease
from zaum_operator.core.kinds import Object

logger = logging.getLogger(__name__)

RESTART_SECONDS: Final = 1.0
"""How long a task that ended by itself is left down."""
REST_SECONDS: Final = 10.0
"""Longer than a process needs to end, and a standby to look at the Lease."""
Begin = Callable[[], Awaitable[None]]


@dataclass
class Leadership:
    """Holds the Lease for one process. `me` must be this process's alone."""

    api: Api
    gate: Gate
    clock: Clock
    namespace: str
    me: str
    begin: Begin
    """Awaited each time this replica has begun to lead, while it goes on renewing."""
    cease: Callable[[], None]
    """Called each time it no longer does."""
    tasks: Mapping[str, Begin] = field(default_factory=dict)
    """What runs only while this replica leads; what ends by itself is begun again."""
    holder: str = ""
    _rests_until: float = 0.0
    """Until then another may take the Lease, and we do not."""
    _seen: lease.Seen | None = None
    _leading: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.gate.leads_until = 0.0

    async def run(self) -> None:
        """Hold the Lease, or wait for it, until cancelled."""
        try:
            while True:
                await self.tick()
                await self.clock.sleep(lease.RENEW)
        finally:
            await self._end()

    async def tick(self) -> None:
        """Look at the Lease once and do what the table says."""
        began = self.clock.seconds()
        if began < self._rests_until:
            return
        try:
            held = await self._turn(began)
        except errors.RequestError as error:
            logger.warning("the Lease %s/%s: %s", self.namespace, contract.LEASE_NAME, error)
            held = None  # not known: the time that is left from the last renewal counts
        if held:
            self.gate.leads_until = lease.leads_until(began)
        elif held is False:
            self.gate.leads_until = 0.0
        await self._follow_the_gate()

    async def rest(self) -> None:
        """Give the Lease back and leave it to others for a while: our watches have ended, for good or to begin anew."""
        self._rests_until = self.clock.seconds() + REST_SECONDS
        await self.release()

    async def resume(self) -> None:
        """End the rest: our watches are back, and where nobody else leads nobody else undoes what is done by hand."""
        self._rests_until = 0.0
        await self.tick()

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait for its end."""
        led = self.gate.leads
        self.gate.leads_until = 0.0
        await self._end()
        if not led:
            return
        try:
            current = await self.api.get(kinds.LEASE, self.namespace, contract.LEASE_NAME)
            if current is not None and (current.get("spec") or {}).get("holderIdentity") == self.me:
                await self._write(current, lease.released(now=self.clock.now()))
                logger.info("the Lease is released")
        except errors.RequestError as error:
            logger.warning("the Lease could not be released; the others wait for its end: %s", error)

    async def _turn(self, began: float) -> bool:
        current = await self.api.get(kinds.LEASE, self.namespace, contract.LEASE_NAME)
        decision = lease.decide(current, self.me, self._seen, now=began)
        self._seen = decision.seen
        if decision.holder != self.holder and decision.holder:
            logger.info("the Lease is held by %s", decision.holder)
        self.holder = decision.holder
        match decision.move:
            case lease.Move.WAIT:
                return False
            case lease.Move.CREATE:
                await self.api.create(kinds.LEASE, self._body(lease.held(None, self.me, now=self.clock.now())))
            case lease.Move.RENEW | lease.Move.TAKE:
                await self._write(current or {}, lease.held(current, self.me, now=self.clock.now()))
        self.holder = self.me
        return True

    async def _write(self, current: Object, spec: dict[str, object]) -> None:
        version = current["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        await self.api.merge(kinds.LEASE, self.namespace, contract.LEASE_NAME, patch)

    def _body(self, spec: dict[str, object]) -> Object:
        return {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.name,
            "metadata": {"name": contract.LEASE_NAME, "namespace": self.namespace},
            "spec": spec,
        }

    async def _follow_the_gate(self) -> None:
        if self.gate.leads and (self._leading is None or self._leading.done()):
            logger.info("%s leads", self.me)
            self._leading = asyncio.create_task(self._lead(), name="leading")
        elif not self.gate.leads and self._leading is not None:
            logger.warning("%s no longer leads", self.me)
            await self._end()

    async def _end(self) -> None:
        self.cease()
        leading, self._leading = self._leading, None
        if leading is not None:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)

    async def _lead(self) -> None:
        await self.begin()
        try:
            async with asyncio.TaskGroup() as group:
                for name, task in self.tasks.items():
                    group.create_task(self._keep(name, task), name=name)
                await asyncio.Event().wait()
        finally:
            self.cease()

    async def _keep(self, name: str, task: Begin) -> None:
        while True:
            try:
                await task()
            except errors.RequestError as error:
                logger.warning("%s: %s", name, error)
            except Exception:  # a fault of ours in one task must not end the others; it is logged and tried again
                logger.exception("%s failed", name)
            await self.clock.sleep(RESTART_SECONDS)
