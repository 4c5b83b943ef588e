"""Keep in step with the ledger: say what was spent, ask for what is needed, hear what may be used.

One Sync is out at a time (`core.syncing` says when), by a connection that is kept; a second one waits for orders.
Nothing waits for the ledger but the calls that it lends to: they have patience of their own.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from zaum_api import documents, reading
from zaum_watchdog.core import ledger_answer, syncing
from zaum_watchdog.shell import clock, files, hop, ledger_line, ledger_orders, watch

ANSWER_SECONDS: Final = 5.0
"""From the dial to the end of an answer."""
LAST_SECONDS: Final = 0.5
"""For the last word at the end of the process."""
_OK: Final = 200


class Ledger:
    """The client; idle where the document names no ledger."""

    def __init__(
        self, shared: watch.Watch, way: hop.Hop, token: files.TokenFile, obey: Callable[[documents.Order], None]
    ) -> None:
        """Take who obeys its orders."""
        self._watch = shared
        self._obey = obey
        self._hop = way
        self._token = token
        self._peer: ledger_line.Peer | None = None
        self._line: ledger_line.Line | None = None
        self._orders: ledger_orders.Orders | None = None
        self._syncing = syncing.Syncing()
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Event | None = None
        """Set when the last word has been heard, or was not."""
        self._config = ""
        self._said_last = False
        """Whether what was said last gave everything back: nothing is spent any more."""
        self.problem = ""
        """Why the ledger does not answer; empty while it does, or there is none."""
        shared.limits.ask_ledger = self.soon

    @property
    def orders(self) -> int:
        """Give the number of the last order that was heard."""
        return self._orders.last if self._orders is not None else 0

    def tick(self) -> None:
        """Follow token and document, and ask ahead of need; a few times a second."""
        self._token.poll()
        config = self._watch.policy.config.ledger
        if config != (self._peer.config if self._peer is not None else None):
            self._follow(config)
        if self._watch.policy.digest != self._config:
            self._config = self._watch.policy.digest
            self._syncing.want()
        books = self._watch.limits.books
        if books is not None and books.low(clock.monotonic()):
            self._syncing.want()
        self._go()

    def soon(self) -> None:
        """Ask at once, or as soon as the pace allows."""
        self._syncing.want()
        self._later(0)

    def _follow(self, config: documents.LedgerPeer | None) -> None:
        for part in (self._line, self._orders):
            if part is not None:
                part.close()
        self._line = self._orders = self._peer = None
        self._syncing.out = False
        if config is not None:
            loop = self._watch.loop
            self._peer = ledger_line.Peer(config)
            self._line = ledger_line.Line(loop, self._hop, self._peer)
            second = ledger_line.Line(loop, self._hop, self._peer)
            self._orders = ledger_orders.Orders(self._watch, second, self._token, self._obey)

    def _later(self, nanoseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._watch.loop.call_later(nanoseconds / 1e9, self._go)

    def _go(self) -> None:
        """Send the next Sync if it is time, else come back when it is."""
        state, line, now = self._syncing, self._line, clock.monotonic()
        if line is None or state.out or not self._token.header or not self._hop.usable or self._idle is not None:
            return
        wait = state.wait(now) or state.paced(now)
        if wait:
            self._later(wait)
        else:
            self._send(line, state.raw or state.say(self._sync()))

    def _send(self, line: ledger_line.Line, raw: bytes, *, seconds: float = ANSWER_SECONDS) -> None:
        self._syncing.went(clock.monotonic())
        line.ask(ledger_answer.sync(self._token.header, raw), self._heard, seconds=seconds)

    def _sync(self, *, last: bool = False) -> documents.Sync:
        shared, now = self._watch, clock.monotonic()
        config, books, older = shared.policy.config, shared.limits.books, self._syncing.older
        assert books is not None  # There is a ledger in the document.
        shared.limits.count()
        over = shared.verdict.breach is not None
        report = books.close(now) if last or over else books.report(now)
        self._said_last = last or over
        return documents.Sync(
            session=self._syncing.session,
            sequence=self._syncing.sequence + 1,
            config=shared.policy.digest or "none",
            generation=config.limits.generation,
            replicas=config.limits.replicas,
            ordinal=shared.limits.ordinal,
            meters=config.meters,
            spent=report.spent,
            returned=report.returned,
            wants=report.wants,
            demand=report.demand,
            counters=shared.counters(),
            latched=shared.verdict.breach or "",
            created=config.limits.created,
            containment=None if older else config.containment,
            facts=shared.facts if over and not older else (),
            breached=shared.breached if over and not older else 0,
            needs=() if older else report.needs,
        )

    def _heard(self, answer: ledger_answer.Answer) -> None:
        now, state = clock.monotonic(), self._syncing
        problem = self._line.problem if self._line is not None else ""
        if answer.status == _OK:
            try:
                synced = documents.Synced.parse(answer.body)
            except reading.DocumentError as error:
                problem = f"its answer: {error}"
            else:
                self._follow_answer(synced, now)
                return
            answer = ledger_answer.BROKEN
        before = state.older
        lost = state.refused(answer.status, answer.retry_after, now, ledger_line.dice())
        if state.older and not before:  # It is no outage: the same is said again as it can read it.
            self.problem = f"it is older than this watchdog: {_words(answer.body)}"
            self._watch.event("ledgerOlder", problem=self.problem)
            self._next()
            return
        self._say(problem or f"it answers {answer.status}: {_words(answer.body)}")
        if lost:
            self._watch.limits.lost()
        self._next()

    def _follow_answer(self, synced: documents.Synced, now: int) -> None:
        state = self._syncing
        returned, sent = state.returned, state.sent
        state.heard(synced.session, now, ledger_line.dice())
        self._say("")
        self._watch.limits.hear(synced, returned=returned, sent=sent)
        if self._orders is not None:
            self._orders.follow(synced.session, synced.orders)
        self._next()

    def _next(self) -> None:
        if self._idle is not None:
            self._idle.set()
        else:
            self._later(0)

    def _say(self, problem: str) -> None:
        """Log the first of several failures, and the answer that ends them."""
        if bool(problem) != bool(self.problem) or (not problem and self._syncing.sequence == 1):
            self._watch.event("ledgerUnavailable" if problem else "ledger", problem=problem)
        self.problem = problem
        self._watch.limits.unanswered = bool(problem)

    async def close(self) -> None:
        """Give everything back, as far as that can be said in LAST_SECONDS.

        What a breach has ended has been given back with it; it waits for nobody: the pod may have no way out any more.
        """
        line = self._line
        if self._timer is not None:
            self._timer.cancel()
        self._idle = asyncio.Event()
        try:
            heard = self._said_last and not self._syncing.raw and not self._syncing.failures
            if line is not None and self._syncing.session and self._token.header and not heard:
                async with asyncio.timeout(LAST_SECONDS):
                    await self._last(line)
        except TimeoutError:
            pass  # The ledger charges what it does not hear of.
        for part in (line, self._orders):
            if part is not None:
                part.close()

    async def _last(self, line: ledger_line.Line) -> None:
        assert self._idle is not None
        state = self._syncing
        if state.raw:
            if not state.out:
                self._send(line, state.raw)
            await self._idle.wait()
            self._idle.clear()
        if state.session and not state.failures:
            self._send(line, state.say(self._sync(last=True)))
            await self._idle.wait()


def _words(body: bytes) -> str:
    try:
        return documents.LedgerError.parse(body).message[:256]
    except reading.DocumentError:
        return "without a word"
