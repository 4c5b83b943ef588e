"""Pods, a network, clocks and a ledger that all fail; and what was really spent, which no limit may be passed by.

The truth is kept apart from the ledger: by meter, when each call left and what it really cost. Windows of leases are
those of the ledger's time (whoever starts it under a wrong clock has wrong days), windows of shares are true minutes.
"""

import random
from collections import deque
from dataclasses import dataclass, field, replace

from tests.unit.zaum_ledger.core.pods import MINUTE, SECOND, Pod
from zaum_api.documents import Kind, Meter, Sync, Synced, Want, Window
from zaum_ledger.core import accounts, clock, stored

HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
NOON = 1_790_000_000_000 // DAY * DAY + DAY // 2
TOKENS = Meter("policy", Kind.TOKENS, Window.DAY, 1000)
COST = Meter("route/openai", Kind.COST, Window.DAY, 5000)
BYTES = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 3000)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 7)
MINUTELY = Meter("policy", Kind.TOKENS, Window.MINUTE, 400)
CONNECTIONS = Meter("policy", Kind.CONNECTIONS, Window.NOW, 8)
LEASED = (TOKENS, COST, BYTES)
SHARED = (RATE, MINUTELY, CONNECTIONS)


class PassedError(AssertionError):
    """A limit was passed, or something leaked."""


@dataclass
class Ledger:
    """The process: it has a clock and what it read from the store, and dies of anything."""

    clock: clock.Clock
    serving: int
    account: accounts.Account


@dataclass
class Truth:
    """What was really spent of one meter, and the limit that was in force at most."""

    limit: int
    spent: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0
    within: int = 0
    highest: int = 0


class World:
    """One policy's life. `check` raises PassedError; every step can be one of many and is drawn by the dice."""

    def __init__(self, seed: int, *, replicas: int = 3, leased: tuple[Meter, ...] = LEASED) -> None:
        self.dice = random.Random(seed)
        self.replicas = replicas
        self.now = NOON
        self.skew = 0
        self.meters = (*leased, *SHARED)
        self.leased = leased
        self.generation = 1
        self.created = 0
        self.pods: dict[int, Pod] = {}
        self.uids = 0
        self.ledger: Ledger | None = None
        self.blob: bytes | None = None
        self.last = 0
        self.stopped = (self.now, self.now)
        self.down_spends: list[tuple[str, int, int]] = []
        self.truth = {meter.id: Truth(meter.limit) for meter in self.meters}
        self.late: list[tuple[str, Sync]] = []
        self.counts: dict[str, int] = {}
        self.start_ledger()
        for ordinal in range(replicas):
            self.start_pod(ordinal)

    # The ledger.

    def books_time(self) -> int:
        assert self.ledger is not None
        return self.ledger.clock.at(self.now * 1_000_000)

    def start_ledger(self) -> None:
        """Start it where the store left off, under whatever the wall clock says now."""
        if self.ledger is not None:
            return
        wall = (self.now + self.skew) * 1_000_000
        tied = clock.Clock.anchored(last=self.last, wall=wall, monotonic=self.now * 1_000_000)
        self.ledger = Ledger(tied, tied.start, self.account())
        then, books = self.stopped
        for meter, at, amount in self.down_spends:
            self._spent(self.truth[meter], min(books + at - then, tied.start), amount)
        self.down_spends = []

    def kill_ledger(self) -> None:
        if self.ledger is not None:
            self.stopped = (self.now, self.books_time())
            self.store()
            self.ledger = None

    def step_wall_clock(self, by: int) -> None:
        """Step it everywhere. When a policy was made says nothing any more."""
        self.skew += by
        self.created = 0
        for pod in self.pods.values():
            pod.created = 0
            if pod.unanswered is not None:
                said, sent = pod.unanswered
                pod.unanswered = replace(said, created=0), sent
        self.late = [(uid, replace(said, created=0)) for uid, said in self.late]

    def ask(self, uid: str, said: Sync) -> Synced | accounts.Refused | None:
        """Let the ledger answer, durably; None while it is down."""
        if self.ledger is None:
            return None
        request = accounts.Request(uid, said, self.ledger.serving)
        known = self.ledger.account.born
        self.ledger.account, answer = accounts.sync(self.ledger.account, request, self.books_time())
        self._count("new", not known and self.ledger.account.whole > 0)
        if self.dice.random() < 0.1:
            self.store()
            self.ledger.account = self.account()
        return answer

    def store(self) -> None:
        """What was answered had been stored before: only for speed it is not written each time."""
        assert self.ledger is not None
        self.blob, self.last = stored.dump(self.ledger.account), self.ledger.account.time

    def account(self) -> accounts.Account:
        return stored.parse(self.blob) if self.blob else accounts.Account()

    # Pods.

    def start_pod(self, ordinal: int) -> None:
        if ordinal not in self.pods:
            self.uids += 1
            meters = self.meters
            self.pods[ordinal] = Pod(
                f"uid-{self.uids}", ordinal, self.replicas, self.generation, meters, self.now, filled=self.now,
                created=self.created,
            )  # fmt: skip

    def make_anew(self) -> None:
        """Delete the policy, and make it again at once, by the API server's clock."""
        self.pods.clear()
        self.generation = 1
        self.created = (self.now + self.skew) // SECOND

    def sweep(self) -> None:
        if self.ledger is not None and accounts.gone(self.ledger.account, self.books_time()):
            self.ledger.account, self.blob = accounts.Account(), None
            self._count("forgotten")

    def kill_pod(self, ordinal: int) -> None:
        self.pods.pop(ordinal, None)

    def spend(self, pod: Pod, meter: Meter, worst: int) -> bool:
        """Let a call leave, if a lease has room: from here on its cost is a truth."""
        cost = pod.call(self.dice, meter.id, worst, self.now)
        if cost is None:
            return False
        if self.ledger is None:
            self.down_spends.append((meter.id, self.now, cost))
        else:
            self._spent(self.truth[meter.id], self.books_time(), cost)
        self._count("spent")
        return True

    def use_shares(self, pod: Pod) -> None:
        amount = self.dice.choice((10, 50, 150))
        if pod.take_tokens(MINUTELY.id, amount, self.now):
            self._spent(self.truth[MINUTELY.id], self.now, amount)
            self._count("shared tokens")
        self.use_requests(pod)
        for _ in range(self.dice.choice((0, 1, 6))):
            pod.connect(CONNECTIONS.id, self.now)
        if pod.connections and self.dice.random() < 0.3:
            pod.connections = self.dice.randrange(pod.connections)

    def use_requests(self, pod: Pod) -> None:
        for _ in range(self.dice.choice((1, 5, 40))):
            if pod.take_request(RATE.id, self.now):
                self._spent(self.truth[RATE.id], self.now, 1)
                self._count("shared requests")

    def talk(self, pod: Pod, wants: tuple[Want, ...] = (), *, asked: bool = True, heard: bool = True) -> bool:
        """Send a Sync over a network that loses either half; say whether an answer was heard."""
        said, sent = pod.sync(self.dice, wants, self.now)
        pod.heartbeat = self.now
        if self.dice.random() < 0.05:
            self.late.append((pod.uid, said))
        if not asked:
            return False
        answer = self.ask(pod.uid, said)
        if answer is None or not heard:
            return False
        self.pass_time(self.dice.choice((1, 20, 300)))
        if isinstance(answer, accounts.Refused):
            pod.refused()
            self._count("refused")
            return False
        pod.hear(said, sent, answer, self.now)
        self._count("leases", len(answer.leases))
        for share in answer.shares:
            floor = pod.floor(pod.meter(share.meter).limit)
            self._count("borrowed" if share.amount > floor else "lent" if share.amount < floor else "carried")
        return True

    def replay(self) -> None:
        """Let the ledger get an old message once more; nobody hears the answer."""
        if self.late:
            self.ask(*self.late[self.dice.randrange(len(self.late))])
            del self.late[:-20]

    # Time.

    def pass_time(self, by: int) -> None:
        """Go on, stopping wherever a pod's part changes by itself."""
        end = self.now + by
        while self.now < end:
            changes = [change for pod in self.pods.values() if (change := pod.next_change(self.now)) is not None]
            for pod in self.pods.values():
                pod.refill(RATE.id, self.now)
            self.now = min([end, *changes])
            for pod in self.pods.values():
                pod.cut(CONNECTIONS.id, self.now)

    # What must hold.

    def check(self) -> None:
        self._check_leases()
        self._check_shares()
        if self.ledger is not None:
            self._check_books(self.ledger.account)

    def _check_leases(self) -> None:
        now = self.books_time() if self.ledger is not None else self.stopped[1]
        for meter in self.leased:
            truth = self.truth[meter.id]
            over = now - HOUR if meter.window is Window.HOUR else now // DAY * DAY - 1
            _forget(truth, over)
            if truth.within > truth.limit:
                raise PassedError(f"{meter.id}: {truth.within} of {truth.limit} really spent in the window at {now}")

    def _check_shares(self) -> None:
        for meter, most in ((MINUTELY, MINUTELY.limit), (RATE, RATE.limit + RATE.burst)):
            truth = self.truth[meter.id]
            _forget(truth, self.now - MINUTE)
            if truth.within > most:
                raise PassedError(f"{meter.id}: {truth.within} of {most} in the minute that ends at {self.now}")
        connected = sum(pod.connections for pod in self.pods.values())
        if connected > CONNECTIONS.limit:
            raise PassedError(f"{connected} connections of {CONNECTIONS.limit} at {self.now}")

    def _check_books(self, account: accounts.Account) -> None:
        for name, book in account.books.items():
            if book.used(account.time) > self.truth[name].limit:
                raise PassedError(f"{name}: {book} is beyond its limit")
            for lease in book.leases.values():
                session = account.sessions.get(lease.session)
                if session is None or (lease.left and session.spends_until(book.window) <= account.time):
                    raise PassedError(f"{name}: {lease} is outstanding beyond its deadline")

    def _spent(self, truth: Truth, at: int, amount: int) -> None:
        truth.spent.append((at, amount))
        truth.total += amount
        truth.within += amount

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # The dice.

    def step(self) -> None:
        """Let one thing happen, as the dice fall, and check."""
        self._happen()
        self._heartbeats()
        self.check()

    def _happen(self) -> None:
        dice = self.dice
        pod = dice.choice(list(self.pods.values())) if self.pods else None
        drawn = dice.random()
        if drawn < 0.35 and pod:
            meter = dice.choice(self.leased)
            worst = dice.choice((1, 20, 100, meter.limit // 3))
            for _ in range(dice.choice((1, 3))):
                if not self.spend(pod, meter, worst):
                    self.talk(pod, (Want(meter.id, worst),), asked=dice.random() > 0.1, heard=dice.random() > 0.1)
                    self.spend(pod, meter, worst)
        elif drawn < 0.55 and pod:
            self.use_shares(pod)
        elif drawn < 0.70 and pod and pod.calls:
            pod.end_call(dice)
        elif drawn < 0.78 and pod:
            self.talk(pod, asked=dice.random() > 0.1, heard=dice.random() > 0.1)
        elif drawn < 0.97:
            self.pass_time(dice.choice((10, 200, 2000, 6000)))
        else:
            self._fail()

    def _fail(self) -> None:
        """Let something worse happen."""
        match self.dice.randrange(9):
            case 0:
                self.kill_ledger()
            case 1 | 2:
                self.start_ledger()
            case 3:
                self.kill_pod(self.dice.randrange(self.replicas))
            case 4:
                self.start_pod(self.dice.randrange(self.replicas))
            case 5:
                self.step_wall_clock(self.dice.choice((-HOUR, HOUR, -MINUTE, MINUTE)))
            case 6:
                self.replay()
            case 7:
                for pod in self.pods.values():
                    if self.dice.random() < 0.3:
                        pod.refused()
            case _:
                self._worse()

    def _worse(self) -> None:
        match self.dice.randrange(4):
            case 0:
                self.make_anew()
            case 1:
                self.generation += 1
                for pod in self.pods.values():
                    pod.generation = self.generation
            case 2:
                left = DAY - self.now % DAY
                self.pods.clear()
                self.pass_time(self.dice.choice((left - 2000, left, 20 * MINUTE, HOUR + MINUTE, 2 * MINUTE)))
                self.sweep()
                self.make_anew()
            case _:
                for ordinal in range(self.replicas):
                    self.start_pod(ordinal)

    def _heartbeats(self) -> None:
        for pod in list(self.pods.values()):
            if self.dice.random() < 0.3:
                self.use_requests(pod)
            if pod.heartbeat <= self.now - 10 * SECOND:
                self.talk(pod, asked=self.dice.random() > 0.1, heard=self.dice.random() > 0.1)


def _forget(truth: Truth, until: int) -> None:
    """Leave out what left the window."""
    while truth.spent and truth.spent[0][0] <= until:
        truth.within -= truth.spent.popleft()[1]
    truth.highest = max(truth.highest, truth.within)
