"""Who leads: one Lease, decided by a table. Only the local monotonic clock counts; no two clocks are ever compared.

| the Lease                                   | what to do                                                        |
|---------------------------------------------|-------------------------------------------------------------------|
| does not exist                              | CREATE it as ours                                                 |
| is ours                                     | RENEW                                                             |
| has no holder (released, or made by a chart)| TAKE                                                              |
| is another's, and has changed since we looked | WAIT: its holder lives                                          |
| is another's, unchanged for its whole duration | TAKE                                                           |

Each write carries the resourceVersion that was read, so of two that take at once one fails. A leader may send requests
until DEADLINE after the *start* of its last successful renewal; another takes over no sooner than DURATION after it
saw that renewal. The difference is what a request that is under way may still need.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from zaum_operator.core.kinds import Object

DURATION: Final = 15.0
RENEW: Final = 2.0
DEADLINE: Final = 10.0


class Move(Enum):
    """What to do about the Lease now."""

    CREATE = "make it, as ours"
    RENEW = "say that we still hold it"
    TAKE = "take it over"
    WAIT = "leave it to its holder"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of another's Lease: its version, and since when (seconds) it has not changed."""

    version: str
    since: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The move, and what to remember of the Lease until the next look."""

    move: Move
    seen: Seen | None = None
    holder: str = ""


def decide(lease: Object | None, me: str, seen: Seen | None, *, now: float) -> Decision:
    """Decide by the table; `seen` is what the decision before has given."""
    if lease is None:
        return Decision(Move.CREATE)
    spec = lease.get("spec") or {}
    holder = str(spec.get("holderIdentity") or "")
    if holder == me:
        return Decision(Move.RENEW, holder=holder)
    if not holder:
        return Decision(Move.TAKE)
    version = str(lease["metadata"].get("resourceVersion", ""))
    if seen is None or seen.version != version:
        return Decision(Move.WAIT, Seen(version, now), holder)
    if now - seen.since >= duration(spec):
        return Decision(Move.TAKE, seen, holder)
    return Decision(Move.WAIT, seen, holder)


def duration(spec: dict[str, Any]) -> float:
    """Read how long a holder's word holds; never shorter than ours, whatever somebody has written there."""
    said = spec.get("leaseDurationSeconds")
    return max(float(said), DURATION) if isinstance(said, int) and said < 3600 else DURATION


def leads_until(began: float) -> float:
    """Give until when requests may be sent after a renewal that began at this time and succeeded."""
    return began + DEADLINE


def held(lease: Object | None, me: str, *, now: datetime) -> dict[str, Any]:
    """Give the spec that says that we hold the Lease."""
    before = (lease or {}).get("spec") or {}
    mine = before.get("holderIdentity") == me
    return {
        "holderIdentity": me,
        "leaseDurationSeconds": int(DURATION),
        "acquireTime": before.get("acquireTime") if mine and before.get("acquireTime") else stamp(now),
        "renewTime": stamp(now),
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (not mine),
    }


def released(*, now: datetime) -> dict[str, Any]:
    """Give the spec that says that nobody holds the Lease; null takes a field away."""
    return {"holderIdentity": None, "renewTime": stamp(now), "acquireTime": None}


def stamp(moment: datetime) -> str:
    """Write a MicroTime."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
