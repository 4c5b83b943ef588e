"""The latch: the first breach decides, and nothing in this process takes it back.

| state    | breach seen          | everything else |
|----------|----------------------|-----------------|
| watching | latched, cut at once | watching        |
| latched  | latched, unchanged   | latched         |

There is no way from latched to watching. Only a new pod, which the operator may or may not make, starts over.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zaum_api import contract


class State(StrEnum):
    """Whether the agent may act."""

    WATCHING = "watching"
    LATCHED = "latched"


class Step(StrEnum):
    """What the shell has to do, once, in this order."""

    REFUSE_NEW = "refuseNew"
    CLOSE_TUNNELS = "closeTunnels"
    FAIL_PROBE = "failProbe"
    SAY_WHY = "sayWhy"


LADDER: Final[dict[State, tuple[State, tuple[Step, ...]]]] = {
    State.WATCHING: (State.LATCHED, (Step.REFUSE_NEW, Step.CLOSE_TUNNELS, Step.FAIL_PROBE, Step.SAY_WHY)),
    State.LATCHED: (State.LATCHED, ()),
}
"""State before a breach → state after it, and the steps."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the latch; `breach` is None exactly while watching."""

    state: State = State.WATCHING
    breach: contract.Breach | None = None

    @property
    def probe_status(self) -> int:
        """Give what the agent's liveness and readiness probes answer."""
        return self.probe(unhealthy=False)[0]

    def probe(self, *, unhealthy: bool) -> tuple[int, str]:
        """Give what these probes answer, status and word, while the agent's own health check says that.

        A breach beats it: an agent cannot make its end look like an illness.
        """
        if self.breach is not None:
            return contract.BREACH_STATUS[self.breach], self.breach.value
        return (contract.UNHEALTHY_STATUS, contract.UNHEALTHY) if unhealthy else (200, "OK")


def on_breach(verdict: Verdict, breach: contract.Breach) -> tuple[Verdict, tuple[Step, ...]]:
    """Apply a breach: the verdict after it, and the steps that are due."""
    state, steps = LADDER[verdict.state]
    return Verdict(state, verdict.breach or breach), steps
