"""Who speaks to the ledger: sessions, and what their configuration says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from zaum_api.documents import Counters, Demand, Meter, Sync, Window, synced
from zaum_ledger.core.windows import MINUTE, SECOND

_DRIFT: Final = 5 * SECOND
LIFE: Final = synced.LEASE_SECONDS * SECOND + _DRIFT
"""How long after its last Sync a session may still spend; its watchdog counts from the sending, and is earlier."""
BYTES_LIFE: Final = synced.BYTES_LEASE_SECONDS * SECOND + _DRIFT
"""The same, of bytes."""
SETTLED: Final = MINUTE + _DRIFT
"""After that nothing of a minute is left that was spent by a plan before."""


@dataclass(frozen=True)
class Plan:
    """What a policy's configuration says, by its generation. Equal plans are one plan for many sessions."""

    generation: int
    replicas: int
    meters: tuple[Meter, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Meter]:
        """Find meters by their id."""
        return {meter.id: meter for meter in self.meters}

    @cached_property
    def shared(self) -> tuple[tuple[str, Meter], ...]:
        """Give what is shared by shares, by id."""
        return tuple((name, meter) for name, meter in self.by_id.items() if meter.shared_by_shares)

    def limit(self, meter: str) -> int | None:
        """Give a meter's limit; None where the plan does not name it."""
        found = self.by_id.get(meter)
        return None if found is None else found.limit


@dataclass(frozen=True, slots=True)
class Session:
    """One watchdog since it opened the session. `heard`: when it spoke last; `sequence`: what it said last.

    `recent`: by meter about what it spent in the last ten seconds. `silent`: its leases have been charged whole.
    `former`: the plans that it followed before, and until when each matters.
    """

    pod: str
    ordinal: int
    plan: Plan
    heard: int
    sequence: int
    counters: Counters
    latched: str = ""
    demand: Mapping[str, Demand] = field(default_factory=dict)
    recent: Mapping[str, int] = field(default_factory=dict)
    silent: bool = False
    former: tuple[tuple[Plan, int], ...] = ()

    @property
    def until(self) -> int:
        """Give the moment after which it spends nothing of what it holds, but for bytes."""
        return self.heard + LIFE

    def spends_until(self, window: Window) -> int:
        """Give the moment after which it spends nothing of what it holds of a meter of this window."""
        return self.heard + (BYTES_LIFE if window is Window.HOUR else LIFE)

    def plans(self, now: int) -> Iterator[Plan]:
        """Give the plans by which it may have spent something that still counts in a minute."""
        yield self.plan
        yield from (one for one, until in self.former if until > now)

    def spoke(self, said: Sync, recent: Mapping[str, int], known: Iterable[Plan], now: int) -> "Session":
        """Take down what a new Sync says."""
        new = plan(said, (self.plan, *known))
        former = tuple((one, until) for one, until in self.former if until > now)
        return replace(
            self,
            plan=new,
            former=former if new is self.plan else (*former, (self.plan, now + SETTLED)),
            heard=now,
            sequence=said.sequence,
            counters=said.counters,
            latched=said.latched,
            demand={item.meter: item for item in said.demand},
            recent=recent,
            silent=False,
        )


def plan(said: Sync, known: Iterable[Plan]) -> Plan:
    """Give the plan of a Sync: one of those known where it is the same."""
    for one in known:
        if (one.generation, one.replicas) == (said.generation, said.replicas) and one.meters == said.meters:
            return one
    return Plan(said.generation, said.replicas, said.meters)


def newest(sessions: Iterable[Session]) -> tuple[Plan, ...]:
    """Give the distinct plans of the newest generation among these sessions."""
    plans = {id(session.plan): session.plan for session in sessions}.values()
    latest = max((one.generation for one in plans), default=0)
    return tuple(one for one in plans if one.generation == latest)


def more(total: Counters, before: Counters, after: Counters) -> Counters:
    """Add what one pod has counted since it spoke before; a counter that fell adds nothing."""
    names = Counters.__slots__
    return Counters(**{n: getattr(total, n) + max(0, getattr(after, n) - getattr(before, n)) for n in names})
