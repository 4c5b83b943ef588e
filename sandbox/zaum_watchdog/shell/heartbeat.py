"""Measure how late the event loop runs its callbacks, and how much of that is this process's own doing."""

import asyncio

from zaum_watchdog.shell import clock


class Heartbeat:
    """Beats once per period; all times in nanoseconds.

    `last` and `worst` are how late a beat was, whoever is to blame: this process, or others on its cores. `held` is
    the worst that its own work did: the lateness of a beat, but never more than the CPU time that the loop's thread
    used since the beat before. One callback that holds the loop shows in it less at most one period.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, period_seconds: float) -> None:
        self._loop = loop
        self._period = period_seconds
        self._used = 0
        self.last = 0
        self.worst = 0
        self.held = 0

    def start(self) -> None:
        """Beat for as long as the loop runs."""
        self._used = clock.thread_cpu()
        self._next(clock.monotonic())

    def _next(self, now: int) -> None:
        self._loop.call_later(self._period, self._beat, now + int(self._period * 1e9))

    def _beat(self, due: int) -> None:
        now, used = clock.monotonic(), clock.thread_cpu()
        self.last = max(now - due, 0)
        self.worst = max(self.worst, self.last)
        self.held = max(self.held, min(self.last, used - self._used))
        self._used = used
        self._next(now)
