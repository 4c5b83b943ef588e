"""Keep the gateway's way to Services open exactly as far as routes need it: the one coroutine about it, of the leader.

Services are in no watch of ours: those that policies name are looked at by name, and a policy hears when one of its
own has changed. What the NetworkPolicy should be is compared with what is there at every turn, from the cache.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster.store import Store
from zaum_operator.core import drift, kinds, service_ways
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.routes import ServiceKey
from zaum_operator.core.service_ways import Needs

logger = logging.getLogger(__name__)

TURN_SECONDS: Final = 2.0
"""An edit of the NetworkPolicy is undone within this, and the watch's own moment."""
LOOK_SECONDS: Final = 10.0
"""How old what is known of a Service gets."""
LOOKS_MAX: Final = 50
"""In one turn. With more Services than fit into LOOK_SECONDS each gets a little older."""


@dataclass
class Services:
    """`changed` is told the policies whose Service has changed. `needs` is kept by the reconciler."""

    store: Store
    clock: Clock
    release: str
    needs: Needs
    changed: Callable[[Iterable[Key]], None]
    _seen: dict[ServiceKey, Object | None] = field(default_factory=dict)
    _looked: dict[ServiceKey, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.turn()
            await self.clock.sleep(TURN_SECONDS)

    async def turn(self) -> None:
        """Look at what is due, and write what is wrong. What the API server refuses is tried again next time."""
        # Each by itself: a Service that cannot be looked at is no reason to leave the way as somebody edited it.
        for step in (self._look, self._repair):
            try:
                await step()
            except errors.RequestError as error:
                logger.warning("the gateway's way to Services is not brought up to date, tried again: %s", error)

    async def _look(self) -> None:
        wanted = self.needs.services
        for gone in self._seen.keys() - set(wanted):
            del self._seen[gone], self._looked[gone]
        now = self.clock.seconds()
        due = [service for service in wanted if now - self._looked.get(service, -LOOK_SECONDS) >= LOOK_SECONDS]
        for service in self._turns(due):
            namespace, name = service
            found = await self.store.api.list(kinds.SERVICE, namespace, name=name)
            content = service_ways.content(found[0] if found else None)
            if service not in self._seen or self._seen[service] != content:
                # The first time too: a policy may have looked a moment before the Service came.
                self.changed(self.needs.naming(service))
            self._seen[service], self._looked[service] = content, now

    def _turns(self, due: list[ServiceKey]) -> list[ServiceKey]:
        """Choose whose turn it is: first what a way leads to, because anybody may name Services that nobody granted."""
        used = {way.service for way in self.needs.ways}
        oldest = sorted(due, key=lambda item: self._looked.get(item, -1.0))
        first = [service for service in oldest if service in used][:LOOKS_MAX]
        others = [service for service in oldest if service not in used]
        return first + others[: max(LOOKS_MAX - len(first), 1)]

    async def _repair(self) -> None:
        ways = self.needs.ways
        if any(way.service not in self._seen for way in ways):
            return  # too little is known to take anything away
        desired = service_ways.render(self.release, ways, self._seen)
        live = self.store.cache.get(kinds.NETWORK_POLICY, self.release, contract.SERVICES_POLICY)
        if desired is None:
            if live is not None:
                await self.store.delete(
                    kinds.NETWORK_POLICY, self.release, contract.SERVICES_POLICY, uid=live["metadata"].get("uid", "")
                )
                logger.info("no route leads to a Service any more: %s is deleted", contract.SERVICES_POLICY)
            return
        found = drift.of(desired, live)
        if found.apply:
            await self.store.apply(kinds.NETWORK_POLICY, desired)
            logger.info("%s opens %d ways to Services", contract.SERVICES_POLICY, len(desired["spec"]["egress"]))
        if found.strip:
            await self.store.merge(kinds.NETWORK_POLICY, self.release, contract.SERVICES_POLICY, found.strip)
