"""Draw from the seed what agents and people do, and which part is killed when. Pure; the same seed, the same plan."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """A process of the loop."""

    OPERATOR = "operator"
    LEDGER = "ledger"
    AUTHORIZER_1 = "authorizer-1"
    AUTHORIZER_2 = "authorizer-2"


AUTHORIZERS: Final = (Part.AUTHORIZER_1, Part.AUTHORIZER_2)
VICTIMS: Final[dict[tuple[Part, ...], int]] = {
    (Part.OPERATOR,): 46,
    (Part.LEDGER,): 14,
    (Part.AUTHORIZER_1,): 7,
    (Part.AUTHORIZER_2,): 7,
    (Part.OPERATOR, Part.LEDGER): 10,
    (Part.OPERATOR, Part.AUTHORIZER_1): 6,
    (Part.LEDGER, Part.AUTHORIZER_2): 5,
    AUTHORIZERS: 5,
}
"""Who is killed at once, and how often in a hundred."""
API_EVERY: Final = 25
"""Beside every so many kills, the API server is killed too."""
LEASE_EVERY: Final = 12
"""Of so many dead operators one leaves its Lease, and the next waits until it expires."""
PAUSE: Final = (0.1, 1.5)
LULLS: Final = 0.1
"""Before how many of the kills everything that is open is waited for: else nothing would ever come to its end."""
EARLY: Final = 0.4
"""How many kills strike a part as it starts."""
WRITES_MAX: Final = 8
DELAY_MAX: Final = 0.25
DOWN: Final = (0.0, 2.5)


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill of one part or of two. It strikes `delay` seconds after so many writes of the loop were seen."""

    number: int
    parts: tuple[Part, ...]
    pause: float
    """Seconds of peace before it."""
    lull: bool
    """Whether everything that is open is proven before it."""
    early: bool
    """Whether it strikes parts that have not begun to serve."""
    writes: int
    delay: float
    down: tuple[float, ...]
    """For how many seconds each part stays away."""
    api: bool
    """Whether the API server is killed with them."""
    lease: bool
    """Whether a dead operator's Lease stays."""

    def __str__(self) -> str:
        """Give one line for the log."""
        more = " and the API server" if self.api else ""
        away = ", ".join(f"{seconds:.1f}" for seconds in self.down)
        return f"{self.number:>3} {' and '.join(self.parts)}{more}: after {self.writes} writes, away for {away} s"


def blows(*, seed: int, faults: int) -> tuple[Blow, ...]:
    """Draw the kills. With at least as many as kinds of victims, every kind is among them."""
    dice = random.Random(f"blows {seed}")
    kinds = list(VICTIMS)
    drawn = kinds if faults >= len(kinds) else [(Part.OPERATOR,), (Part.LEDGER,), (Part.AUTHORIZER_1,)][:faults]
    drawn = [*drawn, *dice.choices(kinds, weights=list(VICTIMS.values()), k=faults - len(drawn))]
    dice.shuffle(drawn)
    found = []
    for number, parts in enumerate(drawn, start=1):
        found.append(
            Blow(
                number=number,
                parts=parts,
                pause=round(dice.uniform(*PAUSE), 2),
                lull=dice.random() < LULLS,
                early=dice.random() < EARLY,
                writes=dice.randint(0, WRITES_MAX),
                delay=round(dice.uniform(0, DELAY_MAX), 3),
                down=tuple(round(dice.uniform(*DOWN), 2) for _ in parts),
                api=number % API_EVERY == 0,
                lease=dice.randrange(LEASE_EVERY) == 0 and number > LEASE_EVERY,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Agent:
    """One policy of the fleet: its answer to a breach, and after how many kills the next one is a quarantine."""

    namespace: str
    name: str
    on: str = "Kill"
    allowed: int = 0
    replicas: int = 1


FLEET: Final = (
    Agent("loop-a", "one-kill", allowed=1),
    Agent("loop-a", "at-once"),
    Agent("loop-a", "strict", on="Quarantine", allowed=3),
    Agent("loop-b", "two-kills", allowed=2),
    Agent("loop-b", "crowd", allowed=1, replicas=2),
    Agent("loop-b", "again"),
    Agent("loop-b", "another-kill", allowed=1),
)
NAMESPACES: Final = tuple(dict.fromkeys(agent.namespace for agent in FLEET))


class Kind(StrEnum):
    """What begins an Incident."""

    BREACH = "breach"
    PERSON = "person"


class Told(StrEnum):
    """By whom a breach becomes known: the watchdog's word to the ledger, its last word on the dead pod, or both."""

    BOTH = "to the ledger and on the pod"
    LEDGER = "to the ledger alone"
    WORD = "on the pod alone"


@dataclass(frozen=True, slots=True)
class Act:
    """What happens to one policy next, once its pods are well."""

    kind: Kind
    told: Told
    wait: float
    """Seconds before it."""
    dies: float
    """Seconds after its breach until the kubelet has ended the agent."""
    release: float
    """Seconds until a person releases a quarantine, from when it is contained; `early`: from when it is there."""
    early: bool
    other: int
    """Which of several pods."""


def acts(*, seed: int, index: int) -> Iterator[Act]:
    """Give what happens to one policy of the fleet, without an end. The first is a breach."""
    dice = random.Random(f"acts {seed} {index}")
    first = True
    while True:
        told = dice.choices(list(Told), weights=[6, 1, 3])[0]
        yield Act(
            kind=Kind.PERSON if dice.random() < 0.25 and not first else Kind.BREACH,
            told=told,
            wait=round(dice.uniform(0.5, 4.0), 2),
            dies=round(dice.uniform(0.2, 1.8), 2),
            release=round(dice.uniform(0.1, 3.0), 2),
            early=dice.random() < 0.25,
            other=dice.randrange(8),
        )
        first = False
