"""Bytes are kept in stock, so that traffic goes on while the ledger is away; money and tokens are not."""

import pytest

from zaum_api.documents import Kind, Lease, Meter, Synced, Used, Window, synced
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.limits.reservations import Books, Refused, Report, Reservation
from zaum_watchdog.core.limits.shares import Place

OUT = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 1_600_000)
COST = Meter("policy", Kind.COST, Window.DAY, 1_600_000)
SIXTEENTH = 100_000
MINUTE = 60 * SECOND
LASTS = synced.BYTES_LEASE_SECONDS * SECOND


class Pod:
    """Books, and a ledger that lends all that is wanted as long as it is there."""

    def __init__(self, *meters: Meter, replicas: int = 1) -> None:
        self.now = 0
        self.books = Books(meters or (OUT, COST), Place(replicas, 0), 0)
        self.lent = 0
        self.calls = 0
        self.others = 0
        """What other pods have used of the bytes."""
        self.held: dict[str, int] = {}

    def sync(self) -> Report:
        said = self.books.report(self.now)
        leases = []
        for want in said.wants:
            self.lent += 1
            seconds = synced.BYTES_LEASE_SECONDS if want.meter == OUT.id else synced.LEASE_SECONDS
            leases.append(Lease(f"{self.lent}", want.meter, want.amount, seconds))
            self.held[f"{self.lent}"] = want.amount
        for name in said.returned:
            self.held[name] = next((item.amount for item in said.spent if item.lease == name), 0)
        used = (Used(OUT.id, min(OUT.limit, self.others + sum(self.held.values())), OUT.limit, 60),)
        self.books.hear(
            Synced("s", 1, leases=tuple(leases), usage=used), returned=said.returned, sent=self.now, now=self.now
        )
        return said

    def beats(self, seconds: int) -> None:
        """Let heartbeats go by."""
        for _ in range(seconds // 10):
            self.now += 10 * SECOND
            self.sync()

    def pass_(self, amount: int, meter: Meter = OUT) -> Reservation | Refused:
        self.calls += 1
        found = self.books.reserve(self.calls, {meter.id: amount}, now=self.now, until=self.now + MINUTE)
        if isinstance(found, Reservation):
            self.books.settle(self.calls, {meter.id: amount}, self.now)
        return found

    def stock(self) -> int:
        return self.books.available(OUT.id, self.now)


def test_nothing_is_wanted_before_the_ledger_has_said_what_is_left() -> None:
    assert Pod().sync().wants == ()


@pytest.mark.parametrize("replicas", [1, 4])
def test_a_pods_part_of_a_sixteenth_of_the_limit_is_asked_for_at_once_and_kept_for_as_long_as_it_idles(
    replicas: int,
) -> None:
    pod = Pod(replicas=replicas)
    pod.sync()
    assert pod.books.low(pod.now)
    pod.sync()
    assert pod.stock() == SIXTEENTH // replicas
    assert not pod.books.low(pod.now)

    pod.beats(600)
    assert pod.stock() == SIXTEENTH // replicas
    assert pod.lent == 1, "it is one lease for all the time"


def test_bytes_pass_for_a_quarter_of_an_hour_without_the_ledger_and_then_stop() -> None:
    pod = Pod()
    pod.beats(20)
    heard = pod.now
    while pod.now + MINUTE < heard + LASTS:
        pod.now += MINUTE
        assert isinstance(pod.pass_(5_000), Reservation), pod.now
    pod.now = heard + LASTS
    refused = pod.pass_(1)
    assert isinstance(refused, Refused)
    assert refused.leased


def test_i07_no_more_bytes_pass_without_the_ledger_than_are_leased() -> None:
    pod = Pod()
    pod.beats(20)
    passed = 0
    while isinstance(pod.pass_(1_000), Reservation):
        passed += 1_000
    assert passed == SIXTEENTH


def test_of_money_no_stock_is_kept() -> None:
    pod = Pod()
    pod.beats(60)
    assert pod.books.available(COST.id, pod.now) == 0
    assert isinstance(pod.pass_(1, COST), Refused)


def test_what_a_pod_spends_in_a_minute_is_its_stock_where_that_is_more() -> None:
    pod = Pod()
    pod.beats(20)
    for _ in range(12):
        pod.pass_(40_000)
        pod.beats(10)
    assert pod.stock() >= 200_000
    pod.beats(120)
    assert pod.stock() <= SIXTEENTH * 3 // 2, "and given back when it spends that no more"


def test_no_more_is_kept_than_a_quarter_of_what_is_left() -> None:
    pod = Pod()
    pod.beats(20)
    pod.others = OUT.limit - SIXTEENTH - 40_000
    pod.beats(60)
    assert pod.stock() <= (40_000 + SIXTEENTH) // 4 * 3 // 2

    pod.others = OUT.limit
    pod.beats(60)
    assert pod.stock() < 1_000


def test_a_little_that_is_spent_is_not_asked_for_again_each_time() -> None:
    pod = Pod()
    pod.beats(20)
    for _ in range(4):
        pod.pass_(5_000)
        pod.beats(10)
    assert pod.lent == 1
    for _ in range(4):
        pod.pass_(5_000)
        pod.beats(10)
    assert (pod.lent, pod.stock()) == (2, SIXTEENTH - 10_000)


def test_a_meter_that_is_gone_keeps_nothing() -> None:
    pod = Pod()
    pod.beats(20)
    pod.books.retune((COST,), Place(1, 0), pod.now)
    assert pod.books.report(pod.now).returned == ("1",)
