"""What is kept of a reckoning is what the reckoning gives anew, and headers written at once are those of all states."""

import random
from collections import Counter

import pytest

from zaum_api import documents
from zaum_api.documents import Kind, Lease, Meter, Synced, Used, Window
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.limits.reservations import Books, Reservation
from zaum_watchdog.core.limits.shares import MINUTE, Place
from zaum_watchdog.core.metering import ratelimit

ALONE = Place(replicas=1, ordinal=0)
RATE = Meter("policy", Kind.REQUESTS, Window.MINUTE, 600, 30)
TPM = Meter("route/openai", Kind.TOKENS, Window.MINUTE, 2000)
TPD = Meter("policy", Kind.TOKENS, Window.DAY, 10_000)
COST = Meter("policy", Kind.COST, Window.DAY, 10**9)
ALL = (RATE, TPM, TPD, COST)
NAMES = tuple(meter.id for meter in ALL)


class Ledger:
    """Lends whatever is asked, and says any use."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._made = 0

    def synced(self) -> Synced:
        dice, leases = self.dice, []
        for meter in (TPD, COST):
            if dice.random() < 0.6:
                self._made += 1
                leases.append(Lease(f"l{self._made}", meter.id, dice.randint(1, meter.limit), dice.randint(1, 120)))
        used = [
            Used(meter.id, dice.randint(0, meter.limit), meter.limit, dice.choice((0, 2, 3600, 86_400)))
            for meter in (TPD, COST)
            if dice.random() < 0.8
        ]
        return Synced("s", 1, leases=tuple(leases), refused=(), shares=(), usage=tuple(used))


def step(books: Books, ledger: Ledger, calls: list[int], call: int, now: int) -> None:
    dice = ledger.dice
    match dice.choice(("reserve", "reserve", "settle", "settle", "hear", "lost", "report", "retune")):
        case "reserve":
            amounts = {
                RATE.id: 1,
                TPM.id: dice.randint(0, 90),
                TPD.id: dice.randint(0, 900),
                COST.id: dice.randint(0, 9),
            }
            if isinstance(books.reserve(call, amounts, now=now, until=now + MINUTE), Reservation):
                calls.append(call)
        case "settle" if calls:
            used = dice.choice(({}, {TPD.id: dice.randint(0, 1200), TPM.id: 7, COST.id: 3}))
            books.settle(calls.pop(dice.randrange(len(calls))), used, now)
        case "hear":
            books.hear(ledger.synced(), returned=(), sent=now - dice.randint(0, SECOND), now=now)
        case "lost" if dice.random() < 0.3:
            books.lost()
        case "report":
            returned = books.report(now).returned
            books.hear(ledger.synced(), returned=returned, sent=now, now=now)
        case "retune" if dice.random() < 0.2:
            books.retune(dice.choice((ALL, ALL[:3], ALL)), ALONE, now)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_i07_what_is_free_and_what_is_said_is_what_is_reckoned_anew(seed: int) -> None:
    dice = random.Random(seed)
    books, ledger, calls, now = Books(ALL, ALONE, 0), Ledger(dice), list[int](), 0
    seen: Counter[str] = Counter()
    for call in range(1, 3000):
        now += dice.choice((0, 1, SECOND // 10, SECOND, 20 * SECOND))
        step(books, ledger, calls, call, now)
        for held in books._slices.values():
            kept, held._sure = held.free(now), 0
            assert kept == held.free(now), f"seed {seed}, step {call}"
            assert held._out == sum(lease.reserved for lease in held._held.values()), f"seed {seed}, step {call}"
            ends = [lease.until for lease in held._order]
            assert ends == sorted(ends), f"seed {seed}, step {call}"
        states = books.states(NAMES, now)
        assert books.lines(NAMES, now) == ratelimit.lines(states), f"seed {seed}, step {call}"
        at_once = books._standing._plainly(NAMES, books._used, now) is not None
        seen["at once" if at_once else "warned" if ratelimit.warning(states) else "else"] += 1
    assert min(seen.values()) > 20, seen
    assert len(seen) == 3, seen


def test_i07_what_comes_back_of_a_lost_lease_is_not_free() -> None:
    books = Books(ALL, ALONE, 0)
    lease = documents.Lease("a", TPD.id, 100, 120)
    books.hear(Synced("s", 1, leases=(lease,), refused=(), shares=(), usage=()), returned=(), sent=0, now=0)
    books.reserve(1, {TPD.id: 80}, now=0, until=MINUTE)
    books.lost()
    assert not books.available(TPD.id, 0)
    books.settle(1, {TPD.id: 10}, 0)
    assert not books.available(TPD.id, 0)


def test_a_number_too_large_for_a_header_is_cut() -> None:
    large = Meter("policy", Kind.COST, Window.DAY, 5 * 10**15)
    books = Books((large,), ALONE, 0)
    books.hear(Synced("s", 1, usage=(Used(large.id, 0, large.limit, 60),)), returned=(), sent=0, now=0)
    assert books.lines((large.id,), 0) == ratelimit.lines(books.states((large.id,), 0))


def test_nothing_is_said_of_no_meters() -> None:
    assert Books(ALL, ALONE, 0).lines((), 0) == []
