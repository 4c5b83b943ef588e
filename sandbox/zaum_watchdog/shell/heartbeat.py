"""Measure how late the event loop runs its callbacks, and how much of that is this process's own doing."""

import asyncio

from zaum_watchdog.core import lateness
from zaum_watchdog.shell import clock


class Heartbeat:
    """Beats once per period; all times in nanoseconds.

    `last` and `worst` are how late a beat was, whoever is to blame: this process, or others on its cores. `held` is
    the worst that its own work did (`core.lateness`). One callback that holds the loop shows in it less at most one
    period.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, period: int) -> None:
        self._loop = loop
        self._period = period
        self._queue = clock.CoreQueue()
        self._used = 0
        self._waited = 0
        self.last = 0
        self.worst = 0
        self.held = 0

    def start(self) -> None:
        """Beat for as long as the loop runs."""
        self._used, self._waited = clock.thread_cpu(), self._queue.waited()
        self._next(clock.monotonic())

    def _next(self, now: int) -> None:
        self._loop.call_later(self._period / 1e9, self._beat, now + self._period)

    def _beat(self, due: int) -> None:
        now, used, waited = clock.monotonic(), clock.thread_cpu(), self._queue.waited()
        self.last = max(now - due, 0)
        self.worst = max(self.worst, self.last)
        own = lateness.own(late=self.last, used=used - self._used, waited=waited - self._waited, period=self._period)
        self.held = max(self.held, own)
        self._used, self._waited = used, waited
        self._next(now)
