"""Ask every authorizer what watchdogs have said: the one coroutine about reports that the replica runs which leads.

Nothing here stops a reconcile: an authorizer that does not answer leaves the others' word, and when none does, what is
held grows old and the conditions say that nothing is known.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract
from zaum_api.reading import DocumentError
from zaum_operator.clock import Clock
from zaum_operator.cluster import peers, reports_call
from zaum_operator.cluster.port import Api
from zaum_operator.core import reports
from zaum_operator.core.keys import Key
from zaum_operator.core.reports import Batch, Held

POLL_SECONDS: Final = 5.0
JITTER: Final = 0.2
AUTHORIZERS_MAX: Final = 32
"""More than the chart runs: who is not asked has contacts that end no pod."""
Ask = Callable[[str, int, Path, Path], Awaitable[bytes]]


class Counts:
    """What the polls came to."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        prefix = f"{contract.METRIC_PREFIX}operator_reports"
        self.polls = prometheus_client.Counter(
            f"{prefix}_polls", "Questions to authorizers by result.", ["result"], registry=registry
        )
        self.held = prometheus_client.Gauge(
            f"{prefix}_pods", "Pods whose watchdog has spoken lately.", registry=registry
        )
        self.unreadable = prometheus_client.Gauge(
            f"{prefix}_unreadable", "Entries of the last answers that could not be read.", registry=registry
        )


@dataclass
class Reports:
    """`changed` is told the policies of which something is known that was not. `held` is filled, nothing else."""

    api: Api
    clock: Clock
    namespace: str
    ca_file: Path
    token_file: Path
    held: Held
    changed: Callable[[Iterable[Key]], None]
    counts: Counts
    port: int = contract.AUTHORIZER_REPORTS_PORT
    ask: Ask = reports_call.ask
    _authorizers: peers.Peers = field(init=False)

    def __post_init__(self) -> None:
        component, polls = contract.COMPONENT_AUTHORIZER, self.counts.polls
        self._authorizers = peers.Peers(self.api, self.namespace, component, "reports", polls, AUTHORIZERS_MAX)

    async def run(self) -> None:
        """Poll until cancelled; at random within a fifth of the period, so that replicas do not ask in step."""
        while True:
            await self.turn()
            await self.clock.sleep(POLL_SECONDS * (1 - JITTER + 2 * JITTER * self.clock.fraction()))

    async def turn(self) -> None:
        """Ask everybody once."""
        await self._authorizers.look()
        asked = self._authorizers.addresses
        batches = [batch for address in asked if (batch := await self._batch(address)) is not None]
        changed = self.held.take(batches, now=self.clock.now(), seconds=self.clock.seconds())
        self.counts.held.set(len(self.held))
        self.counts.unreadable.set(sum(batch.unreadable for batch in batches))
        if changed:
            self.changed(sorted(changed))

    async def _batch(self, address: str) -> Batch | None:
        try:
            raw = await self.ask(address, self.port, self.ca_file, self.token_file)
            batch = await asyncio.to_thread(reports.parse, raw)
        except (reports_call.CallError, DocumentError) as error:
            self._authorizers.failed(address, error)
            return None
        self._authorizers.answered(address)
        return batch
