"""Wait for the ledger's orders: one poll after another, for as long as there is a session."""

import asyncio
from collections.abc import Callable
from typing import Final

from zaum_api import documents, reading
from zaum_watchdog.core import ledger_answer
from zaum_watchdog.shell import clock, files, ledger_line, watch

ANSWER_SECONDS: Final = documents.ORDERS_WAIT_SECONDS + 10.0
SECOND: Final = 1_000_000_000
LEAST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
_OK: Final = 200
_SESSION_LOST: Final = 409


class Orders:
    """The channel. What comes is obeyed once, in the order of the numbers."""

    def __init__(
        self,
        shared: watch.Watch,
        line: ledger_line.Line,
        token: files.TokenFile,
        obey: Callable[[documents.Order], None],
    ) -> None:
        self._watch = shared
        self._obey = obey
        self._line = line
        self._token = token
        self._session = ""
        self._out = False
        self._asked = 0
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self.last = 0
        """The number of the last order that was heard."""

    def follow(self, session: str, orders: tuple[documents.Order, ...]) -> None:
        """Hear orders that came with an answer, and poll in this session from now on."""
        self._take(orders)
        if session != self._session:
            self._session = session
            self._poll()

    def close(self) -> None:
        """End."""
        self._session = ""
        if self._timer is not None:
            self._timer.cancel()
        self._line.close()

    def _poll(self) -> None:
        if not self._session or self._out or not self._token.header:
            return
        self._out, self._asked = True, clock.monotonic()
        request = ledger_answer.orders(self._token.header, self._session, self.last)
        self._line.ask(request, self._heard, seconds=ANSWER_SECONDS)

    def _heard(self, answer: ledger_answer.Answer) -> None:
        self._out = False
        if answer.status == _OK:
            try:
                self._take(documents.Orders.parse(answer.body).orders)
            except reading.DocumentError:
                answer = ledger_answer.BROKEN
        self._failures = 0 if answer.status == _OK else self._failures + 1
        if answer.status == _SESSION_LOST:
            self._session = ""  # The next Sync finds another one.
        pause = min(LEAST_PAUSE * 2 ** min(self._failures, 5), LONGEST_PAUSE) * (0.5 + ledger_line.dice() / 2)
        if not self._failures and clock.monotonic() - self._asked > SECOND:
            pause = 0.0
        self._timer = self._watch.loop.call_later(max(pause, answer.retry_after), self._poll)

    def _take(self, orders: tuple[documents.Order, ...]) -> None:
        for order in orders:
            if order.number > self.last:
                self.last = order.number
                self._watch.event("order", number=order.number, action=order.action.value, reason=order.reason)
                self._obey(order)
