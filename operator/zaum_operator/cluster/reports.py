"""Ask every authorizer what watchdogs have said: the one coroutine about reports that the replica runs which leads.

Nothing here stops a reconcile: an authorizer that does not answer leaves the others' word, and when none does, what is
held grows old and the conditions say that nothing is known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract
from zaum_api.reading import DocumentError
from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster import reports_call
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds, reports
from zaum_operator.core.keys import Key
from zaum_operator.core.reports import Batch, Held

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0
JITTER: Final = 0.2
AUTHORIZERS_MAX: Final = 32
"""More than the chart runs: who is not asked has contacts that end no pod."""
_AUTHORIZERS: Final = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_AUTHORIZER}"
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
    _addresses: tuple[str, ...] = ()
    _problems: dict[str, str] = field(default_factory=dict)
    """What was said last of each authorizer that does not answer; said again only when it changes."""

    async def run(self) -> None:
        """Poll until cancelled; at random within a fifth of the period, so that replicas do not ask in step."""
        while True:
            await self.turn()
            await self.clock.sleep(POLL_SECONDS * (1 - JITTER + 2 * JITTER * self.clock.fraction()))

    async def turn(self) -> None:
        """Ask everybody once."""
        await self._look()
        batches = [batch for address in self._addresses if (batch := await self._batch(address)) is not None]
        self._problems = {address: text for address, text in self._problems.items() if address in self._addresses}
        changed = self.held.take(batches, now=self.clock.now(), seconds=self.clock.seconds())
        self.counts.held.set(len(self.held))
        self.counts.unreadable.set(sum(batch.unreadable for batch in batches))
        if changed:
            self.changed(sorted(changed))

    async def _look(self) -> None:
        """Look for the authorizers' pods. While the API server does not answer, those of before are asked."""
        try:
            pods = await self.api.list(kinds.POD, self.namespace, selector=_AUTHORIZERS)
        except errors.RequestError as error:
            logger.info("authorizers could not be looked for: %s", error)
            return
        self._addresses = reports.authorizers(pods)[:AUTHORIZERS_MAX]

    async def _batch(self, address: str) -> Batch | None:
        try:
            raw = await self.ask(address, self.port, self.ca_file, self.token_file)
            batch = await asyncio.to_thread(reports.parse, raw)
        except (reports_call.CallError, DocumentError) as error:
            self.counts.polls.labels("failed").inc()
            if self._problems.get(address) != str(error):
                logger.warning("the authorizer at %s gives no reports: %s", address, error)
            self._problems[address] = str(error)
            return None
        self.counts.polls.labels("done").inc()
        if self._problems.pop(address, None) is not None:
            logger.info("the authorizer at %s gives reports again", address)
        return batch
