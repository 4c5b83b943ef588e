"""When was there a leader that could act: from the lease's history and from what was done to the processes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tests.chaos.calm import Impediment
from tests.chaos.history import Change, Object

LEASE: Final = ("leases", "zaum-system", "zaum-operator")


class Life(Enum):
    """What a process is after an event."""

    RUNS = "runs"
    FROZEN = "frozen"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on, the process of this identity is alive, frozen or dead."""

    at: float
    identity: str
    life: Life


def without_leader(turns: Iterable[Turn], leases: Iterable[Change], *, begin: float, end: float) -> list[Impediment]:
    """Give the stretches in which nobody who held the lease ran. Whoever begins to run does not lead before it says so.

    A process that starts under an identity that still holds the lease counts from the first renewal that follows.
    """
    events: list[tuple[float, Turn | Change]] = [(turn.at, turn) for turn in turns]
    events += [(change.at, change) for change in leases]
    events.sort(key=lambda item: item[0])
    lives: dict[str, Life] = {}
    holder, led, since = "", False, begin
    found: list[Impediment] = []
    for at, event in events:
        if isinstance(event, Turn):
            lives[event.identity] = event.life
            leads = led and (event.identity != holder or event.life is Life.RUNS)
        else:
            holder = holder_of(event.obj)
            leads = lives.get(holder) is Life.RUNS
        if led and not leads:
            since = at
        elif leads and not led:
            found.append(Impediment("no leader", since, at))
        led = leads
    if not led:
        found.append(Impediment("no leader", since, end))
    return found


def holder_of(lease: Object | None) -> str:
    """Name the process that holds a lease: what stands after `_` tells its starts apart."""
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "").partition("_")[0]
