"""A watchdog as the protocol demands it, and what it really spends: written without the ledger's code.

Times are true milliseconds; nothing here knows the ledger's clock.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from zaum_api.documents import Counters, Demand, Meter, Share, Spent, Sync, Synced, Want, Window, synced

SECOND, MINUTE = 1000, 60_000


@dataclass
class Held:
    """A lease in the pod's hands. `until`: by the pod's clock; what is `reserved` may already be gone."""

    meter: str
    amount: int
    until: int
    spent: int = 0
    reserved: int = 0

    def room(self, now: int) -> int:
        return self.amount - self.spent - self.reserved if now < self.until else 0


@dataclass
class Call:
    """A call that has left: its worst case is reserved, what it really cost is known when it ends."""

    lease: str
    worst: int
    cost: int


@dataclass
class Part:
    """The pod's part of a shared meter, other than its floor, until a moment."""

    amount: int
    burst: int
    until: int


@dataclass
class Pod:
    uid: str
    ordinal: int
    replicas: int
    generation: int
    meters: tuple[Meter, ...]
    born: int
    session: str = ""
    sequence: int = 0
    answered: bool = False
    carried: dict[str, int] = field(default_factory=dict)
    unanswered: tuple[Sync, int] | None = None
    leases: dict[str, Held] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    used: dict[str, deque[tuple[int, int]]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    level: float = 0.0
    """Of the bucket of requests: a new pod has none."""
    filled: int = 0
    requests: int = 0
    heartbeat: int = 0
    created: int = 0

    def meter(self, name: str) -> Meter:
        return next(meter for meter in self.meters if meter.id == name)

    def floor(self, limit: int) -> int:
        base, rest = divmod(limit, self.replicas)
        return base + (1 if self.ordinal < rest else 0)

    def part(self, name: str, now: int) -> tuple[int, int]:
        """What the pod may use of a shared meter, and how much of it at once."""
        meter = self.meter(name)
        if not self.answered and self.replicas > 1 and now < self.born + synced.SHARE_SECONDS_MAX * SECOND:
            return 0, 0
        part = self.parts.get(name)
        if part is not None and now < part.until:
            return part.amount, part.burst
        return self.floor(meter.limit), self.floor(meter.burst)

    # What is spent from leases.

    def call(self, dice: random.Random, name: str, worst: int, now: int) -> int | None:
        """Let a call leave; give what it really costs, or None when no lease has room."""
        for lease, held in self.leases.items():
            if held.meter == name and held.room(now) >= worst:
                held.reserved += worst
                cost = dice.choice((worst, worst, dice.randint(0, worst)))
                self.calls.append(Call(lease, worst, cost))
                return cost
        return None

    def end_call(self, dice: random.Random) -> None:
        """Settle a call: with what it cost, or with its worst case where nobody can say."""
        call = self.calls.pop(dice.randrange(len(self.calls)))
        held = self.leases[call.lease]
        held.reserved -= call.worst
        held.spent += dice.choice((call.cost, call.cost, call.worst))

    # What is spent of shares.

    def take_tokens(self, name: str, amount: int, now: int) -> bool:
        window = self._window(name, now)
        self.asked[name] = self.asked.get(name, 0) + amount
        if sum(spent for _, spent in window) + self.inherited(name, now) + amount > self.part(name, now)[0]:
            return False
        window.append((now, amount))
        return True

    def inherited(self, name: str, now: int) -> int:
        """What counts as spent before the pod was there: all, until the ledger knows better."""
        if now > self.born + MINUTE:
            return 0
        return self.carried.get(name, 0) if self.answered else self.floor(self.meter(name).limit)

    def take_request(self, name: str, now: int) -> bool:
        self.refill(name, now)
        self.asked[name] = self.asked.get(name, 0) + 1
        if self.level < 1:
            return False
        self.level -= 1
        self._window(name, now).append((now, 1))
        return True

    def refill(self, name: str, now: int) -> None:
        """Fill the bucket at the rate and up to the burst of now. To be called whenever either may have changed."""
        rate, burst = self.part(name, now)
        self.level = min(float(burst), self.level + rate * (now - self.filled) / MINUTE)
        self.filled = now

    def connect(self, name: str, now: int) -> None:
        self.asked[name] = self.asked.get(name, 0) + 1
        if self.connections < self.part(name, now)[0]:
            self.connections += 1

    def cut(self, name: str, now: int) -> None:
        """Close what was borrowed and is no longer; below its floor a pod only waits."""
        self.connections = min(self.connections, max(self.part(name, now)[0], self.floor(self.meter(name).limit)))

    def _window(self, name: str, now: int) -> deque[tuple[int, int]]:
        window = self.used.setdefault(name, deque())
        while window and window[0][0] <= now - MINUTE:
            window.popleft()
        return window

    def next_change(self, now: int) -> int | None:
        """The next moment at which a part changes by itself."""
        return min((part.until for part in self.parts.values() if part.until > now), default=None)

    # The protocol.

    def sync(self, dice: random.Random, wants: tuple[Want, ...], now: int) -> tuple[Sync, int]:
        """The next Sync and when it was first sent: an unanswered one again."""
        if self.unanswered is None:
            self.sequence += 1
            returned = [
                name
                for name, held in self.leases.items()
                if not held.reserved and (held.until <= now or dice.random() < 0.1)
            ]
            said = Sync(
                session=self.session,
                sequence=self.sequence,
                config="sha256:0",
                generation=self.generation,
                replicas=self.replicas,
                ordinal=self.ordinal,
                meters=self.meters,
                spent=tuple(Spent(name, held.spent) for name, held in self.leases.items() if held.spent),
                returned=tuple(returned),
                wants=wants,
                demand=tuple(self._demand(now)),
                counters=Counters(requests=self.requests),
                created=self.created,
            )
            for name in returned:
                del self.leases[name]
            self.unanswered = (said, now)
            self.asked = {}
        return self.unanswered

    def _demand(self, now: int) -> list[Demand]:
        found = []
        for meter in self.meters:
            if not meter.shared_by_shares:
                continue
            held = sum(spent for _, spent in self._window(meter.id, now))
            used = self.connections if meter.window is Window.NOW else held + self.inherited(meter.id, now)
            found.append(Demand(meter.id, used, max(used, self.asked.get(meter.id, 0))))
        return found

    def hear(self, said: Sync, sent: int, answer: Synced, now: int) -> None:
        """Obey an answer to what was sent first at `sent`. Of anything else but what is waited for, nothing."""
        if self.unanswered is None or self.unanswered[0] is not said:
            return
        self.unanswered = None
        self.session = answer.session
        for held in self.leases.values():
            if held.until > now:
                held.until = sent + synced.LEASE_SECONDS * SECOND
        for lease in answer.leases:
            self.leases.setdefault(lease.id, Held(lease.meter, lease.amount, sent + lease.seconds * SECOND))
        for meter in self.meters:
            if meter.burst:
                self.refill(meter.id, now)
        self.parts = {share.meter: self._part(share, sent, now) for share in answer.shares if share.seconds}
        if not self.answered:
            self.carried = {share.meter: share.carried for share in answer.shares}
        self.answered = True

    def _part(self, share: Share, sent: int, now: int) -> Part:
        meter = self.meter(share.meter)
        less = share.amount < self.floor(meter.limit) or share.burst < self.floor(meter.burst)
        return Part(share.amount, share.burst, (now if less else sent) + share.seconds * SECOND)

    def refused(self) -> None:
        """The session is over: all of it is forgotten but what binds."""
        self.unanswered = None
        self.session, self.sequence = "", 0
        self.leases, self.calls = {}, []
        self.parts = {
            name: part for name, part in self.parts.items() if part.amount < self.floor(self.meter(name).limit)
        }
