"""When the watchdog reports of itself, and the words of it.

At once at the start, after each test of the cage, within a second of a change of state and every fifteen; never more
than once a second, but for a step on the ladder, which is said at once. Counters are no state: they wait for the next
report. Times are monotonic nanoseconds.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer

SECOND: Final = 1_000_000_000
PERIOD: Final = 15 * SECOND
PAUSE: Final = SECOND
PROBLEM_MAX: Final = 512
MISSING_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Taken:
    """The report has arrived."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What was said, and what came of it."""

    said: documents.Report | None = None
    """The last report that was taken, or is out; None after one that was not."""
    at: int = 0
    out: bool = False
    wanted: bool = False
    failures: int = 0

    @property
    def failing(self) -> bool:
        """Say whether the last report was not taken."""
        return self.failures > 0

    def due(self, report: documents.Report, now: int) -> bool:
        """Say whether to send this report now."""
        if self.out:
            return False
        if self.said is None:
            return not self.failures or now >= self.at + min(PAUSE << min(self.failures - 1, 8), PERIOD)
        if _rung(report) != _rung(self.said):
            return True  # There are few steps, and somebody may be waiting to hear that the agent is cut off.
        changed = self.wanted or _state(report) != _state(self.said)
        return now >= self.at + (PAUSE if changed else PERIOD)

    def soon(self) -> "Pace":
        """Ask for a report though nothing may have changed."""
        return dataclasses.replace(self, wanted=True)

    def sent(self, report: documents.Report, now: int) -> "Pace":
        """Note that it is out."""
        return Pace(report, now, out=True, failures=self.failures)

    def taken(self) -> "Pace":
        """Note that it has arrived."""
        return dataclasses.replace(self, out=False, failures=0)

    def failed(self, now: int) -> "Pace":
        """Note that it has not."""
        return Pace(None, now, failures=self.failures + 1)


def request(report: documents.Report, token: bytes) -> bytes:
    """Write the whole request; `token` is its header line."""
    body = report.dump()
    head = (
        f"POST {contract.PATH_REPORT} HTTP/1.1\r\nHost: {contract.GATEWAY_TLS_NAME}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return head.encode("ascii") + token + b"\r\n" + body


def read(data: bytes) -> Taken | gateway_answer.Declined | None:
    """Read what came so far of the answer; None while it is not whole. What a 2xx says beside that is not read."""
    found = gateway_answer.read(data)
    return Taken() if isinstance(found, gateway_answer.Established) else found


def _rung(report: documents.Report) -> documents.Rung | None:
    return None if report.contained is None else report.contained.rung


def _state(report: documents.Report) -> documents.Report:
    contained = report.contained and dataclasses.replace(report.contained, would_kill=0)
    return dataclasses.replace(report, requests=0, denied=0, would_deny=0, contained=contained)
