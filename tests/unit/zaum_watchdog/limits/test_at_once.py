"""What is reserved at once is what would be reserved by name, and it is charged alike."""

import random
from collections import Counter

import pytest

from zaum_api import documents
from zaum_api.documents import Kind, Lease, Meter, Synced, Window
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.limits.reservations import AtOnce, Books, Refused, Reservation
from zaum_watchdog.core.limits.shares import MINUTE, Place

ALONE = Place(replicas=1, ordinal=0)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 600, 30)
PLACES = Meter("policy", Kind.CONNECTIONS, Window.NOW, 3)
TPM = Meter("route/openai", Kind.TOKENS, Window.MINUTE, 9000)
TPD = Meter("policy", Kind.TOKENS, Window.DAY, 100_000)
COST = Meter("policy", Kind.COST, Window.DAY, 10**9)
ALL = (RATE, PLACES, TPM, TPD, COST)
LISTS: tuple[tuple[Meter, ...], ...] = (ALL, ALL[:4], ALL[1:], ALL[:3])


def amounts(meters: tuple[Meter, ...], tokens: int, cost: int) -> dict[str, int]:
    uses = {Kind.REQUESTS: 1, Kind.CONNECTIONS: 0, Kind.TOKENS: tokens, Kind.COST: cost}
    found = {meter.id: uses[meter.kind] for meter in meters}
    return {name: amount for name, amount in found.items() if amount or name == PLACES.id}


class Pair:
    """The same books twice, the one of them reserved at once where that goes."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.meters: tuple[Meter, ...] = ALL
        self.quick, self.slow = (Books(ALL, ALONE, 0) for _ in range(2))
        self.lot = self.quick.lot([meter.id for meter in ALL])
        self.calls: list[int] = []
        self.line: list[int] = []
        self.seen: Counter[str] = Counter()
        self._lent = 0

    def both(self) -> tuple[Books, Books]:
        return self.quick, self.slow

    def step(self, call: int, now: int) -> None:
        if self.line and self.dice.random() < 0.6:
            self.give_up(self.line.pop(0))
        match self.dice.choice(("reserve", "reserve", "settle", "settle", "hear", "report", "places", "rarely")):
            case "reserve":
                self.reserve(call, now)
            case "settle" if self.calls:
                self.settle(now)
            case "hear":
                self.hear(now)
            case "report":
                assert self.quick.report(now) == self.slow.report(now)
            case "places":
                held = self.dice.choice((0, 2, 3, 4))
                for books in self.both():
                    books.places[PLACES.id].held = held
            case "rarely" if self.dice.random() < 0.2:
                self.rarely(now)

    def reserve(self, call: int, now: int) -> None:
        tokens, cost = self.dice.choice((0, 9, 700, 4000)), self.dice.choice((0, 3, 900))
        asked, until = amounts(self.meters, tokens, cost), now + MINUTE
        found = self.slow.reserve(call, asked, now=now, until=until)
        if self.quick.reserve_at_once(call, self.lot, tokens=tokens, cost=cost, now=now, until=until):
            self.seen["at once"] += 1
            assert isinstance(found, Reservation)
        else:
            self.seen["else"] += 1
            assert self.quick.reserve(call, asked, now=now, until=until) == found or isinstance(found, Reservation)
        if isinstance(found, Reservation):
            self.calls.append(call)
        elif isinstance(found, Refused) and found.leased:
            self.line.append(call)
            for books in self.both():
                books.wait(call, asked)

    def settle(self, now: int) -> None:
        call = self.calls.pop(self.dice.randrange(len(self.calls)))
        tokens, cost = self.dice.choice((0, 5, 9000)), self.dice.choice((0, 2, 10_000))
        used = {TPM.id: tokens, TPD.id: tokens, COST.id: cost}
        self.slow.settle(call, used, now)
        if isinstance(self.quick._live.get(call), AtOnce) and self.dice.random() < 0.7:
            assert self.quick.settle_at_once(call, tokens=tokens, cost=cost, now=now)
            assert not self.quick.settle_at_once(call, tokens=tokens, cost=cost, now=now)
        else:
            self.quick.settle(call, used, now)

    def hear(self, now: int) -> None:
        leases = []
        for meter in (TPD, COST):
            self._lent += 1
            leases.append(Lease(f"l{self._lent}", meter.id, self.dice.randint(1, 9000), self.dice.randint(1, 120)))
        for books in self.both():
            returned = books.report(now).returned
            books.hear(Synced("s", 1, leases=tuple(leases)), returned=returned, sent=now, now=now)

    def rarely(self, now: int) -> None:
        match self.dice.choice(("lost", "retune", "late", "give up")):
            case "lost":
                for books in self.both():
                    books.lost()
            case "retune":
                self.meters = self.dice.choice(LISTS)
                for books in self.both():
                    books.retune((*self.meters, *({PLACES} - {*self.meters})), ALONE, now)
                self.lot = self.quick.lot([meter.id for meter in self.meters])
            case "late":
                assert self.quick.expire(now) == self.slow.expire(now)
                self.calls = [call for call in self.calls if call in self.slow._live]
            case _ if self.line:
                self.give_up(self.line.pop())

    def give_up(self, call: int) -> None:
        for books in self.both():
            books.give_up(call)


def state(books: Books, now: int) -> object:
    return (
        [(call, each.until, dict(each.minutes), written(each)) for call, each in books._live.items()],
        [
            [(held.id, held.spent, held.reserved, held.touched) for held in part._held.values()]
            + [(str(number),) for number in (part._largest, part._peak, part._out, part._recent, part.owed)]
            for part in books._all()
        ],
        [part.demand(name, now) for name, part in books._shared().items()],
        books.waiting,
    )


def written(reserved: Reservation | AtOnce) -> object:
    return [(name, [(part.held.id, part.amount) for part in parts]) for name, parts in reserved.parts.items()]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_i07_what_is_reserved_at_once_is_what_would_be_reserved_by_name(seed: int) -> None:
    dice = random.Random(seed)
    pair, now = Pair(dice), 0
    for call in range(1, 1500):
        now += dice.choice((0, 1, SECOND // 10, SECOND, 20 * SECOND))
        pair.step(call, now)
        assert state(pair.quick, now) == state(pair.slow, now), f"seed {seed}, step {call}"
    assert min(pair.seen["at once"], pair.seen["else"]) > 50, pair.seen


def test_i07_who_waits_is_not_overtaken_by_who_reserves_at_once() -> None:
    books = Books((TPD,), ALONE, 0)
    lot = books.lot([TPD.id])
    lease = documents.Lease("a", TPD.id, 100, 120)
    books.hear(Synced("s", 1, leases=(lease,)), returned=(), sent=0, now=0)
    books.wait(1, {TPD.id: 500})
    assert not books.reserve_at_once(2, lot, tokens=10, cost=0, now=0, until=MINUTE)
    books.give_up(1)
    assert books.reserve_at_once(2, lot, tokens=10, cost=0, now=0, until=MINUTE)
