"""Draw a storm from its seed: which fault strikes when, for how long, and whom. Pure; the same seed, the same storm."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.chaos.fleet import FLEET
from tests.support import edits


class Kind(StrEnum):
    """What happens."""

    # to the operator's processes
    KILLED = "operator killed"
    FROZEN = "operator frozen for a while"
    RESTARTED = "operator ended in order and started again"
    SECOND = "another operator beside"
    LEASE_DELETED = "lease deleted"
    # by the authors of policies
    FLIPPED = "stopped and running again within a second"
    STORMED = "a hundred updates in a second"
    CHANGED = "spec changed"
    RECREATED = "policy deleted and made again"
    FUZZED = "spec drawn from the schema"
    # by hand
    EDITED = "child edited by hand"
    OPENED = "foreign NetworkPolicy that opens"
    # to the cluster
    NAMESPACE_DELETED = "namespace deleted while its policies are made"
    CRD_DELETED = "CRD deleted and restored"
    RBAC_REVOKED = "rights revoked and given back"
    API_RESTARTED = "API server restarted"
    API_KILLED = "API server killed and started"
    # on the wire
    CUT = "watches cut"
    HALF_OPEN = "streams that say nothing any more"
    CONFLICT = "409 to writes"
    GONE = "410 to watches"
    TOO_MANY = "429 with Retry-After"
    ERROR = "500"
    NO_ANSWER = "requests without an answer"
    LOST_ANSWER = "writes done, their answers lost"
    SLOW = "answers come late"


WEIGHTS: Final[dict[Kind, int]] = {
    Kind.KILLED: 7, Kind.FROZEN: 6, Kind.RESTARTED: 6, Kind.SECOND: 4, Kind.LEASE_DELETED: 4,
    Kind.FLIPPED: 10, Kind.STORMED: 6, Kind.CHANGED: 24, Kind.RECREATED: 10, Kind.FUZZED: 10,
    Kind.EDITED: 60, Kind.OPENED: 4,
    Kind.NAMESPACE_DELETED: 4, Kind.CRD_DELETED: 2, Kind.RBAC_REVOKED: 4, Kind.API_RESTARTED: 3, Kind.API_KILLED: 3,
    Kind.CUT: 6, Kind.HALF_OPEN: 3, Kind.CONFLICT: 6, Kind.GONE: 5, Kind.TOO_MANY: 5, Kind.ERROR: 6,
    Kind.NO_ANSWER: 3, Kind.LOST_ANSWER: 6, Kind.SLOW: 4,
}  # fmt: skip
"""How often in about two hundred."""
HEAVY: Final = frozenset({Kind.CRD_DELETED, Kind.NAMESPACE_DELETED, Kind.API_RESTARTED, Kind.API_KILLED})
"""What takes seconds by itself: a small storm has one of them at most."""
LASTS: Final[dict[Kind, tuple[float, float]]] = {
    Kind.FROZEN: (0.5, 4.0), Kind.SECOND: (1.0, 6.0), Kind.OPENED: (0.5, 3.0), Kind.CRD_DELETED: (0.5, 3.0),
    Kind.RBAC_REVOKED: (0.5, 4.0), Kind.HALF_OPEN: (4.0, 12.0), Kind.CONFLICT: (0.5, 3.0), Kind.GONE: (0.5, 3.0),
    Kind.TOO_MANY: (0.5, 3.0), Kind.ERROR: (0.5, 4.0), Kind.NO_ANSWER: (0.5, 4.0), Kind.LOST_ANSWER: (0.5, 3.0),
    Kind.SLOW: (0.5, 4.0),
}  # fmt: skip
"""Least and most seconds of what lasts; it goes on while later faults strike."""
PAUSE: Final = (0.02, 2.5)
"""Seconds; long enough that a good part of a storm is calm, because only then deadlines run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `policy` is an index into the fleet, `salt` decides whatever else it has to decide."""

    number: int
    kind: Kind
    policy: int
    salt: int
    lasts: float
    pause: float
    """Seconds until the next one strikes."""
    edit: edits.Edit | None = None

    def __str__(self) -> str:
        """Give one line for the log."""
        edited = f" ({self.edit.id})" if self.edit else ""
        return f"{self.number:>3} {self.kind.value}{edited}: {'/'.join(FLEET[self.policy])} {self.lasts:.1f} s"


def draw(*, seed: int, faults: int) -> tuple[Fault, ...]:
    """Draw a storm. With at least as many faults as kinds, every kind is in it."""
    dice = random.Random(seed)
    kinds = _kinds(dice, faults)
    table = list(edits.TABLE)
    dice.shuffle(table)
    edited = 0
    storm = []
    for number, kind in enumerate(kinds, start=1):
        edit = None
        if kind is Kind.EDITED:
            edit, edited = table[edited % len(table)], edited + 1
        least, most = LASTS.get(kind, (0.0, 0.0))
        storm.append(
            Fault(
                number=number,
                kind=kind,
                policy=dice.randrange(len(FLEET)),
                salt=dice.randrange(2**31),
                lasts=round(dice.uniform(least, most), 2),
                pause=round(dice.uniform(*PAUSE), 2),
                edit=edit,
            )
        )
    return tuple(storm)


def _kinds(dice: random.Random, faults: int) -> list[Kind]:
    every = [kind for kind in WEIGHTS if faults >= len(Kind) or kind not in HEAVY]
    # A small storm has half of its faults of different kinds; the other half falls as in a large one.
    kinds = every if faults >= len(every) else dice.sample(every, faults - faults // 2)
    rest = dice.choices(every, weights=[WEIGHTS[kind] for kind in every], k=faults - len(kinds))
    drawn = [*kinds, *rest]
    dice.shuffle(drawn)
    return drawn
