"""Where a connection of the agent stands.

| phase    | waits for                      | bytes from the agent            | then                         |
|----------|--------------------------------|---------------------------------|------------------------------|
| HEAD     | a whole request head           | collected, at most 16 KiB       | DIALLING, or answer and ENDED|
| DIALLING | the connection to the gateway  | held, then no longer read       | ASKED, or 503 and ENDED      |
| ASKED    | the gateway's answer           | held, then no longer read       | HELLO, DIALLING, or as above |
| HELLO    | a whole ClientHello            | collected, at most 16 KiB       | SPLICED, or reset            |
| SPLICED  | either side's end              | passed on, with backpressure    | ENDED                        |
| ENDED    | the agent to hang up           | discarded                       |                              |

The gateway hears of a tunnel only after the decision, the agent's first byte goes up only after the ClientHello was
checked, and the end of either side ends both: content is TLS, which says itself when it is complete.
"""

from enum import IntEnum
from typing import Final

SECOND: Final = 1_000_000_000


class Phase(IntEnum):
    """See the table above. An IntEnum, because it is a key on the hot path and hashes as its number."""

    HEAD = 0
    DIALLING = 1
    ASKED = 2
    HELLO = 3
    SPLICED = 4
    ENDED = 5


NEXT: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.HEAD: frozenset({Phase.DIALLING, Phase.ENDED}),
    Phase.DIALLING: frozenset({Phase.ASKED, Phase.ENDED}),
    # Back again: the gateway ended before it said anything, so another one is asked (nothing of the agent has gone up).
    Phase.ASKED: frozenset({Phase.HELLO, Phase.DIALLING, Phase.ENDED}),
    Phase.HELLO: frozenset({Phase.SPLICED, Phase.ENDED}),
    Phase.SPLICED: frozenset({Phase.ENDED}),
    Phase.ENDED: frozenset({Phase.ENDED}),
}
"""Which phase may follow which; ENDED may be entered twice, because two sides can end at once."""

PATIENCE: Final[dict[Phase, int]] = {
    Phase.HEAD: 10 * SECOND,
    Phase.DIALLING: 15 * SECOND,
    Phase.ASKED: 15 * SECOND,
    Phase.HELLO: 10 * SECOND,
    Phase.ENDED: 2 * SECOND,
}
"""How long a phase may last, in nanoseconds. How long SPLICED may is the config's to say (`documents.Tunnels`)."""


class IllegalMoveError(RuntimeError):
    """A phase that cannot follow the present one: an error of ours, and nothing has changed."""


def step(now: Phase, to: Phase) -> Phase:
    """Give the next phase, or raise IllegalMoveError."""
    if to not in NEXT[now]:
        raise IllegalMoveError(f"{now.name} cannot become {to.name}")
    return to
