"""Tell the gateway how this watchdog stands. Whoever cannot be told is told later: nothing waits for it."""

from collections.abc import Callable

from zaum_api import documents
from zaum_watchdog.core import gateway_answer, reporting
from zaum_watchdog.shell import clock, gateway, one_shot, watch


class Reports:
    """Sends what `make` gives, when it is due. One report is out at a time."""

    def __init__(self, shared: watch.Watch, dialler: gateway.Dialler, make: Callable[[], documents.Report]) -> None:
        self._watch = shared
        self._dialler = dialler
        self._make = make
        self._pace = reporting.Pace()
        self._call: one_shot.OneShot[reporting.Taken | gateway_answer.Declined] | None = None

    @property
    def failing(self) -> bool:
        """Say whether the last report was not taken."""
        return self._pace.failing

    def soon(self) -> None:
        """Report at the next opportunity."""
        self._pace = self._pace.soon()

    def tick(self) -> None:
        """Send a report if it is time. Without a token, or with a gateway for measurements, there is nobody to tell."""
        peer, token = self._watch.policy.config.gateway, self._watch.token.header
        if peer.unsafe_plaintext or not token or self._call is not None:
            return
        report, now = self._make(), clock.monotonic()
        if self._pace.due(report, now):
            self._pace = self._pace.sent(report, now)
            self._call = one_shot.OneShot(reporting.request(report, token), reporting.read, self._heard)
            self._dialler.dial(peer, self._call, self._call.failed)

    def _heard(self, answer: reporting.Taken | gateway_answer.Declined | None) -> None:
        self._call = None
        taken = isinstance(answer, reporting.Taken)
        self._pace = self._pace.taken() if taken else self._pace.failed(clock.monotonic())
        if taken:
            self.tick()  # What has changed meanwhile may be what must be said at once.
