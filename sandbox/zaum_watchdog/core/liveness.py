"""The agent's own health check: when to ask, and what the answers add up to.

| seen                                     | failures in a row | the probe of the agent's container |
|------------------------------------------|-------------------|------------------------------------|
| no process of the agent yet              | 0                 | content                            |
| an answer that is well                   | 0                 | content                            |
| a failure below the threshold            | one more          | content                            |
| a failure at the threshold, or behind it | one more          | fails                              |

The first check is due `initial_delay_seconds` after the agent's first process was seen, because the watchdog starts
before the agent's image is even pulled. All that the agent can reach by its answers is its own end, sooner or later.
Times are in nanoseconds.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from zaum_api import documents
from zaum_watchdog.core import usage

SECOND: Final = 1_000_000_000
LINE_MAX: Final = 1024
"""Bytes of an answer's first line; nothing behind it is read."""
PAUSE_PID: Final = 1
"""The pod's own process, which has the agent's uid (shared process namespace)."""
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r?\n")


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of the agent's health."""

    since: int | None = None
    """When the agent's first process was seen."""
    due: int = 0
    failures: int = 0

    def failing(self, config: documents.Liveness | None) -> bool:
        """Say whether the agent has failed as often in a row as its policy allows."""
        return config is not None and self.failures >= config.failure_threshold


def begin(health: Health, config: documents.Liveness | None) -> Health:
    """Start over under another check: nothing has failed yet."""
    if config is None or health.since is None:
        return Health(since=health.since)
    return Health(since=health.since, due=health.since + config.initial_delay_seconds * SECOND)


def looked(health: Health, config: documents.Liveness | None, look: usage.Look) -> Health:
    """Take in a look at the process table."""
    if health.since is not None or all(pid == PAUSE_PID for pid, _ in look.table):
        return health
    return begin(Health(since=look.at), config)


def is_due(health: Health, now: int) -> bool:
    """Say whether the agent is to be asked now."""
    return health.since is not None and now >= health.due


def asked(health: Health, config: documents.Liveness, now: int) -> Health:
    """Take in that a check begins."""
    return replace(health, due=now + config.period_seconds * SECOND)


def answered(health: Health, *, well: bool) -> Health:
    """Take in how a check ended."""
    return replace(health, failures=0 if well else health.failures + 1)


def request(config: documents.Liveness) -> bytes:
    """Write the request of an HTTP check."""
    lines = (
        f"GET {config.path} HTTP/1.1",
        f"Host: 127.0.0.1:{config.port}",
        "User-Agent: zaum-watchdog",
        "Accept: */*",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")


def judge(data: bytes) -> str | None:
    """Read what came so far: empty when the agent is well, a problem in words, None while the line is not whole."""
    if b"\n" not in data[:LINE_MAX]:
        return f"no status line within {LINE_MAX} bytes" if len(data) >= LINE_MAX else None
    line = _STATUS_LINE.match(data)
    if line is None:
        return "what it answers is not HTTP/1.1"
    status = int(line[1])
    return "" if 200 <= status <= 399 else f"it answers with status {status}"
