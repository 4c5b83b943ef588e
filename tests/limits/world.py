"""Watchdogs' books joined with the ledger's accounts by a network that loses, delays and repeats; all of it fails.

One policy's life: pods come and go, die, lose sessions; the ledger dies and comes back under whatever the wall clock
says; replicas and limits change while pods follow one by one; the policy is deleted and made anew. Checked after each
step: nothing that was really spent is beyond what was in force (I07), and nothing is held beyond its deadline.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tests.limits.pod import Call, Config, Pod, amounts_of, scaled
from tests.limits.truth import DAY, HOUR, MINUTE, PPM, SECOND, PassedError, Truth
from zaum_api.documents import Kind, Meter, Sync, Synced, Window, synced
from zaum_ledger.core import accounts, clock, stored

NOON: Final = 1_790_000_000 * SECOND // DAY * DAY + DAY // 2
MILLI: Final = 1_000_000
TOKENS: Final = Meter("policy", Kind.TOKENS, Window.DAY, 1200)
COST: Final = Meter("route/openai", Kind.COST, Window.DAY, 6500)
BYTES: Final = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 3000)
RATE: Final = Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 7)
MINUTELY: Final = Meter("route/openai", Kind.TOKENS, Window.MINUTE, 400)
CONNECTIONS: Final = Meter("policy", Kind.CONNECTIONS, Window.NOW, 8)
METERS: Final = (TOKENS, COST, BYTES, RATE, MINUTELY, CONNECTIONS)
LONGEST: Final = synced.BYTES_LEASE_SECONDS * SECOND
STOCK: Final = 16
"""The part of bytes that pods keep when all is calm, by which one lease may be half too large."""
ROLLOUT: Final = 90 * SECOND
"""Within which every pod has a changed document, and pods that are one too many are gone."""


@dataclass
class Ledger:
    """The process: a clock, and the account as it was stored last."""

    clock: clock.Clock
    serving: int


class World:
    """See the module. `honest` clocks: the wall clock is right whenever the ledger starts, so days are true days.

    `others`: again and again another policy is made, which never ran, with a ledger there or without one.
    """

    def __init__(
        self, seed: int, *, replicas: int = 3, honest: bool = False, changes: bool = True, others: bool = False
    ) -> None:
        self.dice = random.Random(seed)
        self.honest, self.changes, self.others = honest, changes, others
        self.now = NOON + self.dice.randrange(DAY)
        self.skew = 0
        self.failing = 0.02 if others else self.dice.choice((0.003, 0.01, 0.03))
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.serial = itertools.count()
        self.uids = itertools.count(1)
        self.config = Config(1, replicas, METERS)
        self.rolled = 0
        self.pods: dict[int, Pod] = {}
        self.ledger: Ledger | None = None
        self.account = accounts.Account()
        self.last = 0
        self.stopped = self.now // MILLI
        self.unseen: list[tuple[str, int, int]] = []
        self.truth = {meter.id: Truth(meter) for meter in METERS}
        self.counts: dict[str, int] = {}
        self.start_ledger()
        self.fill()

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # The ledger.

    @property
    def books_time(self) -> int:
        """In milliseconds; while no ledger runs, what it was when the last one stopped."""
        return self.ledger.clock.at(self.now) if self.ledger is not None else self.stopped

    def start_ledger(self) -> None:
        if self.ledger is not None:
            return
        wall = self.now + (0 if self.honest else self.skew)
        tied = clock.Clock.anchored(last=self.last, wall=wall, monotonic=self.now)
        self.ledger = Ledger(tied, tied.start)
        self.account = stored.parse(stored.dump(self.account))
        for truth in self.truth.values():
            truth.restamp(self.stopped * MILLI, self._truths(truth))
        unseen, self.unseen = self.unseen, []
        for name, amount, excess in unseen:
            self._spent(name, amount, excess)

    def kill_ledger(self) -> None:
        if self.ledger is not None:
            self.stopped = self.books_time
            self.ledger = None

    def sweep(self) -> None:
        if self.ledger is not None and accounts.gone(self.account, self.books_time):
            self.account = accounts.Account()
            self.count("forgotten")

    def answer(self, uid: str, said: Sync) -> Synced | accounts.Refused | None:
        """Let the ledger answer, durably; None while it is down."""
        if self.ledger is None:
            return None
        if self.dice.random() < 0.01:
            said = Sync.parse(said.dump())
            self.account = stored.parse(stored.dump(self.account))
        before = self.account
        request = accounts.Request(uid, said, self.ledger.serving)
        self.account, answer = accounts.sync(before, request, self.books_time)
        self.last = self.account.time
        self.count("new", not before.born and self.account.whole > 0)
        if isinstance(answer, Synced):
            self._check_granted(said, answer, before)
        return answer

    def _check_granted(self, said: Sync, answer: Synced, before: accounts.Account) -> None:
        known = {name for book in before.books.values() for name in book.leases}
        limits = {meter.id: meter.limit for meter in said.meters}
        for lease in answer.leases:
            book = self.account.books[lease.meter]
            if lease.id not in known and book.used(self.account.time) > limits[lease.meter]:
                raise PassedError(f"{lease} was lent beyond {limits[lease.meter]}")

    def step_wall_clock(self, by: int) -> None:
        """Step it everywhere. When a policy was made says nothing any more, unless clocks are `honest`."""
        self.skew += by
        if not self.honest:
            self.config = replace(self.config, created=0)
            for pod in self.pods.values():
                pod.config = replace(pod.config, created=0)

    # The network.

    def at(self, then: int, what: Callable[[], None]) -> None:
        heapq.heappush(self.events, (then, next(self.serial), what))

    def delay(self) -> int:
        return self.dice.choice((1, 1, 5, 20, 300, 2_500, 20_000)) * MILLI

    def lost(self, pod: Pod) -> bool:
        return self.now < pod.cut_off or self.dice.random() < 0.05

    def send(self, pod: Pod) -> None:
        """Send what is due. An earlier attempt may arrive after a later one; its answer is not waited for any more."""
        said = pod.message(self.now)
        if said is None:
            return
        attempt = pod.attempt
        for _ in range(1 + (self.dice.random() < 0.03)):
            if not self.lost(pod):
                self.at(self.now + self.delay(), lambda: self._arrives(pod, attempt, said))

    def _arrives(self, pod: Pod, attempt: int, said: Sync) -> None:
        found = self.answer(pod.uid, said)
        if found is not None and not self.lost(pod):
            self.at(self.now + self.delay(), lambda: self._answered(pod, attempt, found))

    def _answered(self, pod: Pod, attempt: int, answer: Synced | accounts.Refused) -> None:
        if self.pods.get(pod.ordinal) is not pod or attempt != pod.attempt or pod.sent is None:
            return
        if isinstance(answer, accounts.Refused):
            self._takes_late(pod)
            pod.lose()
            self.count("refused")
            return
        pod.hear(answer, self.now)
        self.count("leases", len(answer.leases))
        for share in answer.shares:
            amount = pod.books._shared()[share.meter].bounds.amount if share.meter in pod.names else None
            if amount is not None:
                self.count("lent" if share.amount < amount.floor else "borrowed")
            self.count("carried", share.carried > 0)
        for call in pod.retry(self.now):
            self._leaves(pod, call)

    # What is spent.

    def _spent(self, name: str, amount: int, excess: int) -> None:
        truth = self.truth[name]
        if truth.meter.shared_by_shares:
            truth.spend(amount, excess, self.now)
        elif self.ledger is None and not self.honest:
            self.unseen.append((name, amount, excess))
        else:
            truth.spend(amount, excess, self._truths(truth))
        self.count(name)

    def _truths(self, truth: Truth) -> int:
        """Give the time by which a meter's window is measured."""
        shared = truth.meter.shared_by_shares or self.honest
        return self.now if shared else self.books_time * MILLI

    def _leaves(self, pod: Pod, call: Call) -> None:
        if RATE.id in call.amounts and RATE.id in pod.names:
            self._spent(RATE.id, 1, 0)  # a request is one when it leaves
        if not call.late:
            self._takes(pod, call)

    def _takes(self, pod: Pod, call: Call) -> None:
        """Let a call take all that it takes, of the meters that it was reserved of."""
        call.taken = True
        assert call.held is not None
        for name, amount in call.amounts.items():
            if name in call.held.minutes or name in call.held.parts:
                used = call.used.get(name, amount)
                self._spent(name, used, max(0, used - amount))

    def _takes_late(self, pod: Pod, calls: list[Call] | None = None) -> None:
        for call in pod.calls.values() if calls is None else calls:
            if not call.taken:
                self._takes(pod, call)

    def ends(self, pod: Pod, call: Call) -> None:
        self._takes_late(pod, [call])
        for name in call.amounts:
            pod.told[name] = pod.told.get(name, 0) + call.used.get(name, call.amounts[name])
        pod.end(call, self.now)

    # Pods.

    def start_pod(self, ordinal: int) -> None:
        if ordinal in self.pods or ordinal >= self.config.replicas:
            return
        if self.config.replicas == 1 and self.pods:
            return  # who is alone waits for nobody: those that are too many go first
        dice = self.dice
        self.pods[ordinal] = Pod(
            f"uid-{next(self.uids)}", ordinal, self.config, dice.randrange(DAY), dice.randint(-PPM, PPM), self.now
        )
        self._in_force()

    def fill(self) -> None:
        for ordinal in range(self.config.replicas):
            self.start_pod(ordinal)

    def kill_pod(self, ordinal: int) -> None:
        pod = self.pods.pop(ordinal, None)
        if pod is not None:
            self._takes_late(pod)
            self._in_force()

    def _in_force(self) -> None:
        for name, truth in self.truth.items():
            meters = [meter for pod in self.pods.values() for meter in pod.config.meters if meter.id == name]
            truth.in_force(meters, self._truths(truth))

    def roll(self, config: Config) -> None:
        """Change the policy: every pod has it within ROLLOUT, new ones at once."""
        if self.now < self.rolled:
            return
        self.config, self.rolled = config, self.now + ROLLOUT
        for ordinal, pod in self.pods.items():
            then = self.now + self.dice.randrange(1, ROLLOUT)
            if ordinal >= config.replicas:
                self.at(then, lambda pod=pod: self._retire(pod))  # type: ignore[misc]
            else:
                self.at(then, lambda pod=pod: self._adopts(pod, config))  # type: ignore[misc]

    def _retire(self, pod: Pod) -> None:
        if self.pods.get(pod.ordinal) is pod:
            self.kill_pod(pod.ordinal)

    def _adopts(self, pod: Pod, config: Config) -> None:
        if self.pods.get(pod.ordinal) is pod:
            self._takes_late(pod)  # what was reserved by the document before is its
            pod.adopt(replace(config, created=self.config.created), self.now)
            self._in_force()

    # Time.

    def pass_time(self, by: int) -> None:
        """Go on, from one event to the next."""
        end = self.now + by
        while self.now < end:
            then = min([end, self.now + 4 * SECOND, *(at for at, _, _ in self.events[:1])])
            for pod in self.pods.values():
                self._takes_late(pod, pod.ending(then))
            self.now = then
            while self.events and self.events[0][0] <= self.now:
                heapq.heappop(self.events)[2]()
            self._beats()

    def _beats(self) -> None:
        for pod in [*self.pods.values()]:
            self._takes_late(pod, [call for call in pod.calls.values() if pod.clock(self.now) >= call.until])
            for call in pod.expire(self.now):
                for name, amount in call.amounts.items():
                    pod.told[name] = pod.told.get(name, 0) + amount
            pod.close_borrowed(self.now)
            if pod.waiting:
                for call in pod.retry(self.now):
                    self._leaves(pod, call)
            self.send(pod)

    # What must hold.

    def check(self) -> None:
        for truth in self.truth.values():
            if truth.meter.kind is not Kind.CONNECTIONS:
                truth.check(self._truths(truth))
        places = self.truth[CONNECTIONS.id]
        held = sum(one.held for pod in self.pods.values() for one in pod.books.places.values())
        if held > places.bound:
            raise PassedError(f"{held} connections of {places.bound} at {self.now / 1e9}")
        places.highest = max(places.highest, held / places.bound if places.bound else 0.0)
        if self.ledger is not None:
            self._check_books()

    def _check_books(self) -> None:
        account = accounts.at(self.account, self.books_time)
        for name, book in account.books.items():
            for lease in book.leases.values():
                session = account.sessions.get(lease.session)
                if session is None or (lease.left and session.spends_until(book.window) <= account.time):
                    raise PassedError(f"{name}: {lease} is outstanding beyond its deadline")

    # The dice.

    def step(self) -> None:
        """Let one thing happen, as the dice fall, and check."""
        self._happens()
        self.check()

    def _happens(self) -> None:
        dice = self.dice
        pod = dice.choice([*self.pods.values()]) if self.pods else None
        drawn = dice.random()
        if drawn < 0.40 and pod:
            self.calls(pod)
        elif drawn < 0.50 and pod:
            for _ in range(dice.choice((0, 1, 6))):
                pod.connect(self.now)
            if dice.random() < 0.3:
                pod.hang_up(dice)
        elif drawn < 0.72 and pod and pod.calls:
            self.ends(pod, dice.choice([*pod.calls.values()]))
        elif drawn < 1 - self.failing:
            self.pass_time(dice.choice((10, 200, 1000, 3000)) * MILLI)
        else:
            self._fails()

    def calls(self, pod: Pod) -> None:
        """Let calls of one kind ask."""
        dice = self.dice
        kind = dice.random()
        for _ in range(dice.choice((1, 1, 4, 20))):
            worst = dice.choice((1, 5, 20, 100, 1000))
            tokens = dice.choice((worst, worst, dice.randint(0, worst), worst + (dice.random() < 0.1)))
            amounts = _amounts(pod.config, worst, kind)
            if not amounts:
                return
            used = scaled(amounts, tokens, worst) if dice.random() < 0.9 else {}
            lasts = dice.choice((2, 20, 200, 900)) * SECOND
            call = pod.ask(amounts, used, lasts=lasts, late=dice.random() < 0.5, now=self.now)
            if call is not None:
                self._leaves(pod, call)
            self.send(pod)

    def _fails(self) -> None:
        """Let something worse happen."""
        if self.others and self.dice.random() < 0.3:
            self._another()
            return
        match self.dice.randrange(10):
            case 0:
                self.kill_ledger()
            case 1 | 2 | 3:
                self.start_ledger()
            case 4:
                self.kill_pod(self.dice.randrange(self.config.replicas))
            case 5:
                self.start_pod(self.dice.randrange(self.config.replicas))
            case 6:
                self.step_wall_clock(self.dice.choice((-DAY, -HOUR, -MINUTE, MINUTE, HOUR, 10 * HOUR)))
            case 7:
                for pod in self.pods.values():
                    if self.dice.random() < 0.3:
                        pod.cut_off = self.now + self.dice.choice((20, 100, 300)) * SECOND
            case 8:
                self.fill()
            case _:
                self._worse()

    def _worse(self) -> None:
        dice = self.dice
        match dice.randrange(5):
            case 0:
                self.delete()
            case 1 if self.pods:
                pod = dice.choice([*self.pods.values()])
                self._takes_late(pod)
                pod.lose()
            case 2:
                self.delete()
                left = DAY - self.now % DAY
                self.pass_time(dice.choice((left - 2 * SECOND, left, 20 * MINUTE, HOUR + MINUTE, 3 * MINUTE)))
                self.sweep()
                self._made()
            case _ if self.changes:
                self.roll(self._changed(self.config.generation + 1))
            case _:
                self.fill()

    def delete(self) -> None:
        """Delete the policy, and make it anew at once or later, with a generation that begins anew."""
        for ordinal in [*self.pods]:
            self.kill_pod(ordinal)
        self.config = self._changed(1) if self.changes else self.config
        self._made()
        self.rolled = 0

    def _another(self) -> None:
        """Make a policy that never ran: its books are empty, and nothing of it is spent."""
        if unseen := self.dice.random() < 0.5:
            self.kill_ledger()
        self.delete()
        # Without a ledger only what needs no lease is spent.
        meters = tuple(meter for meter in METERS if meter.shared_by_shares or not unseen)
        self.config = replace(self.config, meters=meters)
        self.events.clear()
        self.unseen.clear()
        self.account = accounts.Account()
        self.truth = {name: Truth(truth.meter, highest=truth.highest) for name, truth in self.truth.items()}
        self.fill()
        if unseen:
            self._unseen()

    def _unseen(self) -> None:
        """Let pods go on alone for more than a minute, and new ones take their places as a ledger comes."""
        then = self.now + 90 * SECOND
        failing, self.failing = self.failing, 0.0
        while self.now < then:
            self.step()
        self.failing = failing
        for ordinal in [*self.pods]:
            self.kill_pod(ordinal)
        self.start_ledger()
        self.fill()

    def _changed(self, generation: int) -> Config:
        dice = self.dice
        replicas = dice.choice((1, 2, 3, 4, 5, self.config.replicas, self.config.replicas))
        factor = dice.choice((1, 1, 2, 4))
        meters = tuple(
            Meter(meter.scope, meter.kind, meter.window, meter.limit // factor, meter.burst // factor)
            for meter in METERS
            if meter.kind is Kind.CONNECTIONS or dice.random() < 0.95
        )
        return Config(generation, replicas, meters, self.config.created)

    def _made(self) -> None:
        """Take down when the policy is made, by the API server's clock."""
        wall = self.now + (0 if self.honest else self.skew)
        self.config = replace(self.config, created=wall // SECOND)

    def calm(self) -> None:
        """Let everything be well again, and see that nothing is left held."""
        self.start_ledger()
        for pod in self.pods.values():
            pod.cut_off = 0
            for call in [*pod.calls.values()]:
                self.ends(pod, call)
        self.pass_time(LONGEST + 80 * SECOND)
        for pod in self.pods.values():
            for call in [*pod.calls.values()]:
                self.ends(pod, call)
        self.pass_time(60 * SECOND)
        self.check()
        account = accounts.at(self.account, self.books_time)
        live = [session.pod for session in account.live()]
        if sorted(live) != sorted(pod.uid for pod in self.pods.values()):
            raise PassedError(f"after calm {live} are live of {[pod.uid for pod in self.pods.values()]}")
        left = {
            name: book.outstanding
            for name, book in account.books.items()
            if book.outstanding > (BYTES.limit // STOCK * 3 // 2 if name == BYTES.id else 0)
        }
        if left or any(pod.books._live or pod.books.waiting for pod in self.pods.values()):
            raise PassedError(f"after calm {left} are held")


def _amounts(config: Config, worst: int, kind: float) -> dict[str, int]:
    """Give what a call asks for: one to a model, any other one, or bytes of a tunnel."""
    if kind < 0.5:
        return amounts_of(config, worst)
    wanted, amount = (RATE.id, 1) if kind < 0.75 else (BYTES.id, worst)
    return {meter.id: amount for meter in config.meters if meter.id == wanted}
