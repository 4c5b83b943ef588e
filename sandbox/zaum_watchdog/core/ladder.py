"""The ladder: how far the watchdog goes with its agent, by its detectors and by orders.

| rung      | trips: throttle | trips: cut | trips: kill | lasts     | rests | order cut | order kill | release   |
|-----------|-----------------|------------|-------------|-----------|-------|-----------|------------|-----------|
| free      | throttled       | cut        | killed      | free      | free  | held      | killed     | free      |
| throttled | throttled       | cut        | killed      | cut       | free  | held      | killed     | throttled |
| cut       | cut             | cut        | killed      | killed    | free  | held      | killed     | free      |
| held      | held            | held       | killed      | held      | held  | held      | killed     | free      |
| killed    | killed          | killed     | killed      | killed    | killed| killed    | killed     | killed    |

`trips`: a detector does, and the policy's first answer is that. `lasts`: a breach is not over PATIENCE after the rung
was taken: the next one follows. `rests`: no breach is raised any more. `held` is a cut by order, which only another
order takes back. There is no way back from killed: only a new pod, which the operator may or may not make, starts over.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zaum_api import contract, documents

PATIENCE: Final = 120_000_000_000
"""How long (ns) a rung is given to bring the detectors to rest."""
THROTTLED: Final = 10
"""By how much a throttled agent's rates are divided."""


class Rung(StrEnum):
    """Where the agent stands."""

    FREE = "free"
    THROTTLED = "throttled"
    CUT = "cut"
    HELD = "held"
    KILLED = "killed"


class Event(StrEnum):
    """What moves it."""

    THROTTLE = "throttle"
    CUT = "cut"
    KILL = "kill"
    LASTS = "lasts"
    RESTS = "rests"
    ORDER_CUT = "orderCut"
    ORDER_KILL = "orderKill"
    RELEASE = "release"


_R = Rung
_WORD: Final = re.compile(r"[A-Za-z0-9]{0,64}")
TABLE: Final[dict[Rung, dict[Event, Rung]]] = {
    rung: dict(zip(Event, after, strict=True))
    for rung, after in {
        _R.FREE: (_R.THROTTLED, _R.CUT, _R.KILLED, _R.FREE, _R.FREE, _R.HELD, _R.KILLED, _R.FREE),
        _R.THROTTLED: (_R.THROTTLED, _R.CUT, _R.KILLED, _R.CUT, _R.FREE, _R.HELD, _R.KILLED, _R.THROTTLED),
        _R.CUT: (_R.CUT, _R.CUT, _R.KILLED, _R.KILLED, _R.FREE, _R.HELD, _R.KILLED, _R.FREE),
        _R.HELD: (_R.HELD, _R.HELD, _R.KILLED, _R.HELD, _R.HELD, _R.HELD, _R.KILLED, _R.FREE),
        _R.KILLED: (_R.KILLED,) * len(Event),
    }.items()
}
"""Each rung, and where each event leads from it, in the order of `Event`."""

_ANSWERS: Final[dict[documents.Step, Event]] = {
    documents.Step.THROTTLE: Event.THROTTLE,
    documents.Step.CUT: Event.CUT,
    documents.Step.KILL: Event.KILL,
    documents.Step.QUARANTINE: Event.KILL,  # Whoever counts the kills makes it a quarantine.
}
_ORDERS: Final[dict[documents.Action, Event]] = {
    documents.Action.CUT: Event.ORDER_CUT,
    documents.Action.KILL: Event.ORDER_KILL,
    documents.Action.RELEASE: Event.RELEASE,
}
_SAID: Final[dict[Rung, documents.Rung]] = {
    Rung.FREE: documents.Rung.FREE,
    Rung.THROTTLED: documents.Rung.THROTTLED,
    Rung.CUT: documents.Rung.CUT,
    Rung.HELD: documents.Rung.CUT,
    Rung.KILLED: documents.Rung.KILLED,
}


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where the agent stands, for what, and since when (monotonic nanoseconds).

    `word`: a breach, or the reason of an order; empty exactly while free.
    """

    rung: Rung = Rung.FREE
    word: str = ""
    since: int = 0

    @property
    def said(self) -> documents.Rung:
        """Give what a report says of it."""
        return _SAID[self.rung]

    @property
    def cut(self) -> bool:
        """Say whether nothing may pass."""
        return self.rung in {Rung.CUT, Rung.HELD, Rung.KILLED}

    def report(self, would_kill: int, taken: int) -> documents.Contained:
        """Say it to the operator; `would_kill`: how many breaches the mode Report has let pass.

        `taken`: when the rung was, or when the watchdog began, in milliseconds since the epoch.
        """
        word = self.word if _WORD.fullmatch(self.word) else "Ordered"
        return documents.Contained(self.said, word, would_kill, taken)

    def on(self, event: Event, word: str, now: int) -> "Ladder":
        """Apply one event; the same rung keeps its word and its time."""
        rung = TABLE[self.rung][event]
        if rung is self.rung:
            return self
        return Ladder(rung, word if rung is not Rung.FREE else "", now if rung is not Rung.FREE else 0)


def tick(
    ladder: Ladder, raised: tuple[contract.Breach, ...], containment: documents.Containment | None, now: int
) -> Ladder:
    """Apply one look of the detectors. `raised`: the breaches that are not over, the gravest first.

    A document before v5 says nothing of containment: then a breach ends the agent, as what blames nobody always does.
    """
    if not raised:
        return ladder.on(Event.RESTS, "", now)
    for breach in raised:
        ladder = ladder.on(_answer(breach, containment), breach.value, now)
    if now - ladder.since >= PATIENCE:
        ladder = ladder.on(Event.LASTS, raised[0].value, now)
    return ladder


def order(ladder: Ladder, said: documents.Order, now: int) -> Ladder:
    """Apply an order."""
    return ladder.on(_ORDERS[said.action], said.reason, now)


def _answer(breach: contract.Breach, containment: documents.Containment | None) -> Event:
    if containment is None or breach in contract.BLAMELESS:
        return Event.KILL
    return _ANSWERS[containment.on_runaway]


def throttled(config: documents.RequestRate) -> documents.RequestRate:
    """Give a tenth of a rate; what is not nothing stays at least one."""
    return documents.RequestRate(_part(config.per_minute), _part(config.burst))


def _part(amount: int) -> int:
    return min(amount, max(1, amount // THROTTLED))
