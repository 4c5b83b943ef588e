"""Where a connection of the agent to the routes stands, and how long each wait may last.

| phase    | waits for                                    | then                                         |
|----------|----------------------------------------------|----------------------------------------------|
| IDLE     | the first byte of a request                  | HEAD, or closed without a word               |
| HEAD     | the rest of its head                         | READING, DIALLING, or refused and ENDED (1)  |
| READING  | all of a body that has to be read, and leave | DIALLING, or refused and ENDED               |
| DIALLING | a connection to the upstream                 | ASKING, or 503 or 502 and ENDED              |
| ASKING   | the rest of the request's body               | THINKING, ANSWERED, or refused and ENDED     |
| THINKING | the first byte of the answer                 | ANSWERED, or 503 and ENDED                   |
| ANSWERED | the rest of the answer                       | IDLE, or ENDED                               |
| ENDED    | the agent to hang up                         | closed                                       |

(1) THINKING, where all of a request was there and left in one go, by a connection that was kept.

A dead pooled connection leads back from ASKING or THINKING to DIALLING, once. A phase's time starts anew with every
byte that moves in READING, ASKING and ANSWERED; TOTAL bounds the body of a request that comes in drips.
"""

from enum import IntEnum
from typing import Final

SECOND: Final = 1_000_000_000


class Phase(IntEnum):
    """See the table above."""

    IDLE = 0
    HEAD = 1
    DIALLING = 2
    ASKING = 3
    THINKING = 4
    ANSWERED = 5
    ENDED = 6
    READING = 7


NEXT: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.IDLE: frozenset({Phase.HEAD, Phase.ENDED}),
    Phase.HEAD: frozenset({Phase.READING, Phase.DIALLING, Phase.THINKING, Phase.ENDED}),
    Phase.READING: frozenset({Phase.DIALLING, Phase.ENDED}),
    Phase.DIALLING: frozenset({Phase.ASKING, Phase.ENDED}),
    Phase.ASKING: frozenset({Phase.THINKING, Phase.ANSWERED, Phase.DIALLING, Phase.ENDED}),
    Phase.THINKING: frozenset({Phase.ANSWERED, Phase.DIALLING, Phase.ENDED}),
    Phase.ANSWERED: frozenset({Phase.IDLE, Phase.ENDED}),
    Phase.ENDED: frozenset({Phase.ENDED}),
}
"""Which phase may follow which; ENDED may be entered twice, because two sides can end at once."""

PATIENCE: Final[dict[Phase, int]] = {
    Phase.IDLE: 300 * SECOND,
    Phase.HEAD: 10 * SECOND,
    Phase.READING: 60 * SECOND,
    Phase.DIALLING: 20 * SECOND,
    Phase.ASKING: 60 * SECOND,
    # Models think, and some say nothing before they are through.
    Phase.THINKING: 600 * SECOND,
    Phase.ANSWERED: 600 * SECOND,
    Phase.ENDED: 2 * SECOND,
}
"""How long a phase may last without a byte, in nanoseconds."""
UNTAKEN: Final = 60 * SECOND
"""How long the agent may take nothing of an answer that is there."""
TOTAL: Final = 600 * SECOND
"""How long a request's body may take."""
POOL_IDLE: Final = 60 * SECOND
"""How long a connection to an upstream is kept for the next request."""
POOL_AGE: Final = 900 * SECOND
"""How old such a connection may get: well below the deadline of tunnels."""
POOL_MOST: Final = 16
"""Idle connections per route."""


class IllegalMoveError(RuntimeError):
    """A phase that cannot follow the present one: an error of ours, and nothing has changed."""


def step(now: Phase, to: Phase) -> Phase:
    """Give the next phase, or raise IllegalMoveError."""
    if to not in NEXT[now]:
        raise IllegalMoveError(f"{now.name} cannot become {to.name}")
    return to


def keep_for(said: int | None) -> int:
    """Give how long an upstream's connection is kept, where the upstream said a number of seconds or none.

    A second less than it said: it counts from when it sent, and closes what we are about to use.
    """
    return POOL_IDLE if said is None else min(POOL_IDLE, max(0, said - 1) * SECOND)
