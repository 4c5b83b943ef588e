"""Ask every authorizer what it sees of open Incidents and their pods, as long as something has to be confirmed.

It answers when something is new (`documents.seen`): a step is confirmed when it is taken, and nobody asks in vain.
Nothing here stops a containment: a replica that does not answer leaves a step unconfirmed, and is asked again.
"""

import asyncio
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
from zaum_operator.core import peers as rules
from zaum_operator.core.containment import asking
from zaum_operator.core.containment.asking import Asking, Question
from zaum_operator.core.keys import Key

LOOK_SECONDS: Final = 5.0
"""How often the authorizers' pods are looked for while something is asked."""
IDLE_SECONDS: Final = 30.0
LEAST_SECONDS: Final = 0.05
"""Between two questions to one authorizer, however often it has something new to say."""
Ask = Callable[[str, int, Path, Path, reports_call.Asked], Awaitable[bytes]]


class Counts:
    """What the questions came to."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.asked = prometheus_client.Counter(
            f"{contract.METRIC_PREFIX}operator_sightings",
            "Questions to authorizers about open Incidents, by result.",
            ["result"],
            registry=registry,
        )


@dataclass
class Sightings:
    """`changed` is told the policies of which an authorizer says something else. `asking` is filled, nothing else."""

    api: Api
    clock: Clock
    namespace: str
    ca_file: Path
    token_file: Path
    asking: Asking
    changed: Callable[[Iterable[Key]], None]
    counts: Counts
    port: int = contract.AUTHORIZER_REPORTS_PORT
    ask: Ask = reports_call.ask
    _authorizers: peers.Peers = field(init=False)
    _looked: float | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and another one in its place, when there is another question."""
    _marks: dict[str, tuple[Question, str]] = field(default_factory=dict)
    """What each replica was asked last, and the mark of its answer."""
    _listening: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # All of them, also those that are not ready: whoever is left out could be still letting something through.
        component, asked = contract.COMPONENT_AUTHORIZER, self.counts.asked
        self._authorizers = peers.Peers(
            self.api, self.namespace, component, "word on Incidents", asked, which=rules.witnesses
        )

    def poke(self) -> None:
        """Ask at once: there is another question."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def run(self) -> None:
        """Ask until cancelled: each replica by itself, so that none has to wait for another."""
        try:
            while True:
                news, asks = self._news, self.asking.pause(self.clock.seconds()) is not None
                if asks:
                    await self._look()
                    self._follow()
                await _wait(news, LOOK_SECONDS if asks else IDLE_SECONDS)
        finally:
            for task in self._listening.values():
                task.cancel()

    def _follow(self) -> None:
        """Listen to each replica that runs, and to no other."""
        for address in [address for address in self._listening if address not in self.asking.replicas]:
            self._listening.pop(address).cancel()
            self._marks.pop(address, None)
        for address in self.asking.replicas:
            if address not in self._listening or self._listening[address].done():
                self._listening[address] = asyncio.create_task(self._listen(address))

    async def _listen(self, address: str) -> None:
        """Ask one replica while anything is asked, anew as soon as there is another question."""
        while (pause := self.asking.pause(self.clock.seconds())) is not None:
            news = self._news
            asking_ = asyncio.ensure_future(self._ask(address))
            other = asyncio.ensure_future(news.wait())
            try:
                await asyncio.wait({asking_, other}, return_when=asyncio.FIRST_COMPLETED)
                if asking_.done():
                    await _wait(news, LEAST_SECONDS if asking_.result() else pause)
            finally:
                for task in (asking_, other):
                    task.cancel()

    async def _ask(self, address: str) -> bool:
        """Ask one replica everything that is asked; say whether it may be asked again at once."""
        pending, began = self.asking.pending(), self.clock.seconds()
        if not pending:
            return True
        question = asking.union(pending.values())
        before, mark = self._marks.get(address, (None, ""))
        parts = question.parts(unlike=mark if before == question else "")
        try:
            seen = asking.joined([await self._part(address, part) for part in parts])
        except (reports_call.CallError, DocumentError) as error:
            self._marks.pop(address, None)
            self._authorizers.failed(address, error)
            return False
        self._authorizers.answered(address)
        self._marks[address] = question, seen.mark
        told = [
            key for key, asked in pending.items()
            if self.asking.take(key, address, asked, seen.part(asked.asked()), at=began)
        ]  # fmt: skip
        if told:
            self.changed(sorted(told))
        return bool(seen.mark)

    async def _look(self) -> None:
        """Look for the authorizers' pods. While the API server does not answer, those of before are asked."""
        now = self.clock.seconds()
        if self._looked is not None and now - self._looked < LOOK_SECONDS and self.asking.replicas:
            return
        if await self._authorizers.look():
            self._looked, self.asking.replicas = now, self._authorizers.addresses

    async def _part(self, address: str, part: documents.SeenAsked) -> documents.Seen:
        wanted = reports_call.Asked(
            f"{contract.PATH_SEEN}?{part.query()}",
            contract.AUTHORIZER_TLS_NAME,
            documents.seen.SEEN_MAX_BYTES,
            waits=part.wait,
        )
        return documents.Seen.parse(await self.ask(address, self.port, self.ca_file, self.token_file, wanted))


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        pass
