"""Post orders for contained pods to the ledger, until each of its replicas has taken them. Nothing waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract, documents
from zaum_operator.clock import Clock
from zaum_operator.cluster import peers, reports_call
from zaum_operator.cluster.port import Api

AGAIN_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 30.0
GIVEN_UP_SECONDS: Final = 600.0
"""Whoever still wants an order after so long asks for it again."""
DONE_MAX: Final = 10_000
Ask = Callable[[str, int, Path, Path, reports_call.Asked], Awaitable[bytes]]


class Counts:
    """What the orders came to."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.posted = prometheus_client.Counter(
            f"{contract.METRIC_PREFIX}operator_orders", "Orders to the ledger by result.", ["result"], registry=registry
        )


@dataclass
class Orders:
    """Takes orders, posts each until it is taken, and once: the same again is nothing new.

    `taken` is called with each that every replica of the ledger has taken.
    """

    api: Api
    clock: Clock
    namespace: str
    ca_file: Path
    token_file: Path
    counts: Counts
    port: int = contract.LEDGER_PORT
    ask: Ask = reports_call.ask
    taken: Callable[[documents.Posted], None] = lambda posted: None
    _ledgers: peers.Peers = field(init=False)
    _waiting: dict[documents.Posted, float] = field(default_factory=dict)
    _done: dict[documents.Posted, None] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        component, posted = contract.COMPONENT_LEDGER, self.counts.posted
        self._ledgers = peers.Peers(self.api, self.namespace, component, "ear to orders", posted)

    def put(self, posted: documents.Posted) -> None:
        """Have an order posted. A release takes back what still waits for its Incident, so that it comes last."""
        if posted in self._done or posted in self._waiting:
            return
        if posted.action is documents.Action.RELEASE:
            for other in [other for other in self._waiting if _is_about(other, posted)]:
                del self._waiting[other]
        self._waiting[posted] = self.clock.seconds()
        self._news.set()

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            await self._wait(AGAIN_SECONDS if self._waiting else IDLE_SECONDS)
            await self.turn()

    async def turn(self) -> None:
        """Try everything that waits once."""
        if not self._waiting:
            return
        await self._ledgers.look()
        for posted, since in list(self._waiting.items()):
            if posted not in self._waiting:  # its release came meanwhile
                continue
            taken = [await self._post(address, posted) for address in self._ledgers.addresses]
            if taken and all(taken):
                self._finish(posted)
            elif self.clock.seconds() - since > GIVEN_UP_SECONDS:
                self._waiting.pop(posted, None)

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def _finish(self, posted: documents.Posted) -> None:
        self._waiting.pop(posted, None)
        self._done[posted] = None
        self.taken(posted)
        while len(self._done) > DONE_MAX:
            del self._done[next(iter(self._done))]

    async def _wait(self, seconds: float) -> None:
        # An order that failed waits its second; one that is new does not.
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _post(self, address: str, posted: documents.Posted) -> bool:
        wanted = reports_call.Asked(
            contract.PATH_LEDGER_ORDERS, contract.LEDGER_TLS_NAME, documents.ORDERS_MAX_BYTES, body=posted.dump()
        )
        try:
            await self.ask(address, self.port, self.ca_file, self.token_file, wanted)
        except reports_call.CallError as error:
            self._ledgers.failed(address, error)
            return False
        self._ledgers.answered(address)
        return True


def _is_about(one: documents.Posted, other: documents.Posted) -> bool:
    return (one.namespace, one.policy, one.incident) == (other.namespace, other.policy, other.incident)
