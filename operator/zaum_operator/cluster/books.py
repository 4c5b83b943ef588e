"""Ask the ledger what policies have spent: the one coroutine about it that the replica runs which leads.

All replicas of a ledger read the same books, so the first that gives all of them is enough, and the others are there
for when it does not. Nothing here stops a reconcile: limits hold without anything said about them.
"""

import asyncio
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract, documents
from zaum_api.reading import DocumentError
from zaum_operator.clock import Clock
from zaum_operator.cluster import peers, reports_call
from zaum_operator.cluster.port import Api
from zaum_operator.core import books, silences
from zaum_operator.core.books import Held
from zaum_operator.core.keys import Key

JITTER: Final = 0.2
LEDGERS_MAX: Final = 32
"""More than the chart runs."""
Ask = Callable[[str, int, Path, Path, reports_call.Asked], Awaitable[bytes]]


class Counts:
    """What the polls came to."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        prefix = f"{contract.METRIC_PREFIX}operator_books"
        self.polls = prometheus_client.Counter(
            f"{prefix}_polls", "Questions to the ledger's replicas by result.", ["result"], registry=registry
        )
        self.held = prometheus_client.Gauge(
            f"{prefix}_policies", "Policies of which the ledger has an account.", registry=registry
        )
        self.known = prometheus_client.Gauge(
            f"{prefix}_known", "1 while the ledger has spoken lately.", registry=registry
        )


@dataclass
class Books:
    """`changed` is told the policies of which something else is said. `held` is filled, nothing else.

    `everybody` is called when the ledger falls silent, or speaks again.
    """

    api: Api
    clock: Clock
    namespace: str
    ca_file: Path
    token_file: Path
    held: Held
    changed: Callable[[Iterable[Key]], None]
    everybody: Callable[[], None]
    counts: Counts
    port: int = contract.LEDGER_PORT
    ask: Ask = reports_call.ask
    living: silences.Living | None = None
    _serving: int | None = None
    """What the last whole answer said of the ledger itself."""
    _ledgers: peers.Peers = field(init=False)

    def __post_init__(self) -> None:
        polls = self.counts.polls
        self._ledgers = peers.Peers(self.api, self.namespace, contract.COMPONENT_LEDGER, "books", polls, LEDGERS_MAX)

    async def run(self) -> None:
        """Poll until cancelled; at random within a fifth of the period, so that nobody asks in step."""
        while True:
            await self.turn()
            await self.clock.sleep(books.PERIOD * (1 - JITTER + 2 * JITTER * self.clock.fraction()))

    async def turn(self) -> None:
        """Ask once."""
        await self._ledgers.look()
        asked = self.clock.seconds()
        answer = await self._first()
        word = self.held.word
        runs, seconds = bool(self._ledgers.addresses), self.clock.seconds()
        changed = self.held.take(
            answer, seconds=seconds, asked=asked, runs=runs, serving=self._serving, living=self.living
        )
        self.counts.held.set(len(self.held))
        self.counts.known.set(self.held.word is books.Word.KNOWN)
        if self.held.word is not word:
            self.everybody()
        elif changed:
            self.changed(sorted(changed))

    async def _first(self) -> list[documents.PolicyUsage] | None:
        """Give the books by the first replica that gives all of them."""
        for address in self._ledgers.addresses:
            try:
                found = await self._all(address)
            except (reports_call.CallError, DocumentError) as error:
                self._ledgers.failed(address, error)
                continue
            self._ledgers.answered(address)
            return found
        return None

    async def _all(self, address: str) -> list[documents.PolicyUsage]:
        found: list[documents.PolicyUsage] = []
        after = ""
        for _ in range(books.PAGES_MAX):
            query = f"?version={documents.usage.WATCHED_VERSION}"
            query += f"&after={urllib.parse.quote(after, safe='')}" if after else ""
            asked = reports_call.Asked(
                contract.PATH_LEDGER_USAGE + query, contract.LEDGER_TLS_NAME, documents.USAGE_MAX_BYTES
            )
            raw = await self.ask(address, self.port, self.ca_file, self.token_file, asked)
            page = await asyncio.to_thread(documents.UsagePage.parse, raw)
            found += page.policies
            self._serving = page.serving
            if not page.after:
                return found
            if page.after <= after:
                raise DocumentError("after", "does not go on")
            after = page.after
        raise DocumentError("after", f"goes on after {books.PAGES_MAX} pages")
