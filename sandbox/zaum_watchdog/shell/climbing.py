"""Do what the ladder says: throttle, cut, end, and take back what may be taken back."""

from collections.abc import Callable

from zaum_api import contract, documents
from zaum_watchdog.core import ladder, policy, rate
from zaum_watchdog.core.detectors import sample
from zaum_watchdog.core.limits import shares
from zaum_watchdog.shell import clock, watch


class Climbing:
    """Moves the agent of a watch up and down; `tell` is called after each move."""

    def __init__(self, shared: watch.Watch, tell: Callable[[], None]) -> None:
        self._watch = shared
        self._tell = tell
        self._raised: tuple[contract.Breach, ...] = ()
        shared.followers.append(self)

    def look(self, raised: tuple[contract.Breach, ...], seen: sample.Sample) -> None:
        """Follow one look of the detectors: `raised` are the breaches that are not over, the gravest first."""
        shared = self._watch
        fresh = [breach for breach in raised if breach not in self._raised]
        self._raised = raised
        if shared.policy.reports:
            for breach in fresh:
                shared.would_kill[breach] += 1
                shared.event("wouldKill", reason=breach.value)
            raised = tuple(breach for breach in raised if breach is contract.Breach.IDLE)
        elif fresh and shared.ladder.rung is not ladder.Rung.KILLED:
            shared.facts = _facts(seen)
        self._move(ladder.tick(shared.ladder, raised, shared.policy.config.containment, clock.monotonic()))

    def order(self, said: documents.Order) -> None:
        """Obey an order of the ledger, in any mode."""
        self._move(ladder.order(self._watch.ladder, said, clock.monotonic()), ordered=True)

    def _move(self, after: ladder.Ladder, *, ordered: bool = False) -> None:
        shared = self._watch
        before, shared.ladder = shared.ladder, after
        if after is before:
            return
        self._throttle()
        begun = clock.wall()
        if after.rung is ladder.Rung.KILLED:
            # What an order is for may be another pod's doing.
            shared.breach(contract.Breach.ORDERED if ordered else contract.Breach(after.word))
        elif after.cut and not before.cut:
            shared.cut()
        # Rounded so that neither is said to have been sooner than it was: what was seen, and what was done about it.
        shared.breached = begun // clock.MILLISECOND
        shared.stepped = -(-clock.wall() // clock.MILLISECOND)
        shared.event("ladder", rung=after.rung.value, reason=after.word or before.word)
        self._tell()

    def _throttle(self) -> None:
        """Leave a throttled agent a tenth of its rates, and any other one all of them. The tenth begins unspent."""
        shared, config = self._watch, self._watch.policy.config
        on = shared.ladder.rung is ladder.Rung.THROTTLED
        pods = {"replicas": config.limits.replicas if shared.limits.on else 1, "ordinal": 0}
        if shared.limits.on:
            pods["ordinal"] = shared.limits.ordinal
        share = [shares.floor(amount, **pods) for amount in (config.requests.per_minute, config.requests.burst)]
        shared.throttled = rate.Meter(ladder.throttled(documents.RequestRate(*share))) if on else None
        shared.limits.throttle(ladder.THROTTLED if on else 1)

    # What the watch tells whoever follows it.

    def adopt(self, _: policy.Policy) -> None:
        """Follow a document: its rates are others."""
        if self._watch.throttled is not None:
            self._throttle()

    def cut(self, _: contract.Rule | None) -> None:
        """Everything is ended elsewhere."""

    def shed(self, _: int) -> None:
        """Nothing here counts as a connection."""


def _facts(seen: sample.Sample) -> tuple[documents.Fact, ...]:
    """Say what was seen in the tick in which a breach was."""
    cpu = seen.cpu * 1000 // seen.elapsed if seen.elapsed else 0
    said = {
        "cpuMillis": cpu,
        "memoryBytes": seen.memory,
        "processes": seen.processes,
        "begun": seen.begun,
        "openFiles": seen.files,
        "denied": len(seen.denied),
        "requests": len(seen.asked),
        "wrongAnswers": seen.wrong,
        "tokens": seen.tokens,
        "bytesOut": seen.sent,
    }
    return tuple(documents.Fact(name, str(value)) for name, value in said.items())
