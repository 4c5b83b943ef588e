"""What watchdogs count, said in steps: a status that moved with each request would be a write for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from zaum_api import documents

LEAST_SECONDS: Final = 15.0
"""Between two words on what one policy's pods have counted."""
STEP_PERCENT: Final = 10


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests, denied ones, and those that the mode Report let pass: `status.usage`."""

    requests: int
    denied: int
    would_deny: int

    def document(self) -> dict[str, int]:
        """Give the status field."""
        return {"requests": self.requests, "denied": self.denied, "wouldDeny": self.would_deny}


def total(reports: Iterable[documents.Report]) -> Usage:
    """Add up reports of several pods."""
    found = tuple(reports)
    return Usage(
        requests=sum(report.requests for report in found),
        denied=sum(report.denied for report in found),
        would_deny=sum(report.would_deny for report in found),
    )


def is_a_step(said: Usage, now: Usage) -> bool:
    """Say whether any count has moved by a tenth of what was said, or has left 0."""
    pairs = ((said.requests, now.requests), (said.denied, now.denied), (said.would_deny, now.would_deny))
    return any(abs(new - old) * 100 >= max(old, 1) * STEP_PERCENT for old, new in pairs)


def read(status: Any) -> Usage | None:  # noqa: ANN401 - JSON
    """Read what a status says; None where it says nothing that can be read."""
    if not isinstance(status, dict):
        return None
    counts = [status.get(name) for name in ("requests", "denied", "wouldDeny")]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
        return None
    return Usage(*counts)  # type: ignore[arg-type]


def said(before: Any, now: Usage | None) -> dict[str, int] | None:  # noqa: ANN401 - JSON
    """Give what the status says next: what it says already while there is no step, also where nothing is heard."""
    known = read(before)
    if now is None or (known is not None and not is_a_step(known, now)):
        return None if known is None else known.document()
    return now.document()
