"""Calls and bytes that wait for the ledger: answered by it, or when their patience ends, and nothing is kept."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from zaum_api import contract, documents
from zaum_api.documents import Kind, Meter, Window
from zaum_egress import hosts
from zaum_watchdog.core import policy, refusals
from zaum_watchdog.core.limits import reservations
from zaum_watchdog.shell import clock, flow, limits

SECOND = limits.SECOND
AT = hosts.Authority(hosts.Host("api.example.com"), 443)
OUT = Meter("policy", Kind.BYTES_OUT, Window.HOUR, 1_000_000)
OF_HOST = Meter("host/*.example.com", Kind.BYTES_OUT, Window.HOUR, 10_000)
DAY = Meter("route/openai", Kind.TOKENS, Window.DAY, 5_000)
PEER = documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, "pem")


class Loop:
    """Timers that go off when told."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, seconds: float, then: Callable[..., None], *rest: Any) -> asyncio.Handle:
        entry = (seconds, then, rest)
        self.timers.append(entry)

        class Handle:
            def cancel(_) -> None:  # noqa: N805
                self.timers.remove(entry)

        return Handle()  # type: ignore[return-value]

    def ring(self) -> None:
        for _, then, rest in [*self.timers]:
            then(*rest)


class World:
    """Limits of one pod, a clock, and a ledger that says what it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000 * SECOND
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)
        self.loop = Loop()
        self.asked = 0
        self.limits = limits.Limits(self.loop, self.policy(), ordinal=0, connections=lambda: 0)  # type: ignore[arg-type]
        self.limits.ask_ledger = self._ask
        self.heard: list[refusals.Refusal | None] = []
        self._lease = 0

    def _ask(self) -> None:
        self.asked += 1

    def policy(self, mode: documents.Mode = documents.Mode.ENFORCE, **changes: Any) -> policy.Policy:
        fields: dict[str, Any] = {
            "namespace": "a", "policy": "b", "gateway": documents.GatewayPeer(("127.0.0.1",), 1, "g", "pem"),
            "hosts": (documents.HostRule(AT.host.name),), "requests": documents.RequestRate(600, 10),
            "connections": 8, "runaway": documents.Runaway(None, None, None), "mode": mode,
            "limits": documents.Limits((OUT, OF_HOST, DAY), 1, 1), "ledger": PEER,
        }  # fmt: skip
        return policy.Policy.of(documents.WatchdogConfig(**(fields | changes)))

    def answer(self, *granted: tuple[Meter, int], refused: tuple[Meter, int] | None = None) -> None:
        leases = []
        for meter, amount in granted:
            self._lease += 1
            leases.append(documents.Lease(f"l{self._lease}", meter.id, amount, 120))
        none = (documents.synced.Refused(refused[0].id, refused[1], 60),) if refused else ()
        self.limits.hear(documents.Synced("s", 1, tuple(leases), refused=none), returned=(), sent=self.now)

    def reserve(self, amount: int) -> int:
        call = self.limits.number()
        self.limits.reserve(call, {OUT.id: amount}, self.heard.append, at=AT)
        return call

    def spent(self) -> dict[str, int]:
        assert self.limits.books is not None
        return {item.lease: item.amount for item in self.limits.books.report(self.now).spent}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def rules(heard: list[refusals.Refusal | None]) -> list[contract.Rule | None]:
    return [None if refused is None else refused.rule for refused in heard]


def test_what_a_request_counts_for(world: World) -> None:
    amounts = world.limits.amounts(AT.host.name, route="openai", tokens=7)
    assert amounts == {"policy:requests/minute": 1, "policy:connections/now": 0, DAY.id: 7}
    assert world.limits.byte_meters(AT.host.name, Kind.BYTES_OUT) == (OUT.id, OF_HOST.id)
    assert world.limits.byte_meters("other.test", Kind.BYTES_OUT) == (OUT.id,)
    assert world.limits.byte_meters(AT.host.name, Kind.BYTES_IN) == ()


def test_a_call_waits_for_a_lease(world: World) -> None:
    call = world.reserve(100)
    assert (world.heard, world.asked, world.limits.waiting) == ([], 1, 1)
    world.answer((OUT, 100))
    assert (world.heard, world.limits.waiting, world.loop.timers) == ([None], 0, [])
    assert world.limits.settle(call, {OUT.id: 30}) is True
    assert world.limits.settle(call, {OUT.id: 30}) is False, "once"
    assert world.spent() == {"l1": 30}


def test_i07_patience_ends_without_an_answer(world: World) -> None:
    world.reserve(100)
    assert [timer[0] for timer in world.loop.timers] == [reservations.PATIENCE / SECOND]
    world.loop.ring()
    assert rules(world.heard) == [contract.Rule.LEDGER_UNAVAILABLE]
    world.answer((OUT, 100))
    assert len(world.heard) == 1, "and it is told nothing more"


def test_i07_the_ledger_says_that_there_is_no_more(world: World) -> None:
    world.reserve(100)
    world.answer(refused=(OUT, 0))
    assert rules(world.heard) == [contract.Rule.BYTES_OUT_PER_HOUR]
    assert world.heard[0] is not None
    assert world.heard[0].retry_after == 60 * SECOND


def test_who_gives_up_is_told_nothing(world: World) -> None:
    call = world.reserve(100)
    world.limits.give_up(call)
    world.answer((OUT, 100))
    assert (world.heard, world.loop.timers) == ([], [])


def test_more_than_so_many_do_not_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITING_MOST", 2)
    for _ in range(3):
        world.reserve(1)
    assert rules(world.heard) == [contract.Rule.LEDGER_UNAVAILABLE]


def test_without_a_ledger_in_the_document_nobody_waits(world: World) -> None:
    world.limits.adopt(world.policy(ledger=None))
    world.reserve(100)
    assert rules(world.heard) == [contract.Rule.LEDGER_UNAVAILABLE]


def test_a_document_before_v4_is_not_metered_here(world: World) -> None:
    world.limits.adopt(world.policy(ledger=None, limits=documents.Limits()))
    assert world.limits.on is False
    world.reserve(10**9)
    assert world.heard == [None]


def way(world: World) -> flow.Flow:
    return flow.Flow(world.limits, AT, Kind.BYTES_OUT, world.heard.append)


def test_i07_bytes_pass_no_further_than_they_are_leased(world: World) -> None:
    bytes_, went = way(world), []
    assert bytes_.room(10) == 0
    bytes_.wait(lambda: went.append(1))
    bytes_.wait(lambda: went.append(2))
    world.answer((OUT, 10_000), (OF_HOST, 10_000))
    assert went == [1], "once"
    assert bytes_.room(10**9) == 10_000, "no more than the least of the limits"
    bytes_.used(10_000)
    assert bytes_.room(1) == 0
    assert world.spent() == {"l1": 10_000, "l2": 10_000}


def test_i07_an_idle_flow_holds_nothing(world: World) -> None:
    world.answer((OUT, 500_000), (OF_HOST, 9_000))
    bytes_ = way(world)
    assert bytes_.room(100) == 100
    bytes_.used(100)
    assert way(world).room(1) == 0, "all of the host's is reserved"
    world.limits.expire(world.now)
    world.limits.expire(world.now)
    assert not world.limits.flows
    assert world.spent() == {"l1": 100, "l2": 100}
    assert way(world).room(1) == 1


def test_what_is_left_at_the_end_goes_back(world: World) -> None:
    world.answer((OUT, 500_000), (OF_HOST, 9_000))
    bytes_ = way(world)
    bytes_.used(bytes_.room(5))
    bytes_.close()
    assert world.spent() == {"l1": 5, "l2": 5}


def test_i07_the_last_bytes_of_a_limit_can_be_had(world: World) -> None:
    bytes_, went = way(world), []
    bytes_.wait(lambda: went.append(1))
    world.answer((OUT, 100_000), refused=(OF_HOST, 6_000))
    assert (world.heard, went) == ([], []), "asks again, for less"
    world.answer((OF_HOST, 4_096))
    assert went == [1]
    bytes_.used(bytes_.room(4_096))
    bytes_.wait(lambda: went.append(2))
    world.answer(refused=(OF_HOST, 0))
    world.answer(refused=(OF_HOST, 0))
    assert (went, rules(world.heard)) == ([1], [contract.Rule.BYTES_OUT_PER_HOUR])


def test_in_the_mode_report_they_pass_and_it_is_told(world: World) -> None:
    world.limits.adopt(world.policy(documents.Mode.REPORT))
    bytes_, went = way(world), []
    bytes_.wait(lambda: went.append(1))
    world.loop.ring()
    assert (went, rules(world.heard)) == ([1], [contract.Rule.LEDGER_UNAVAILABLE])
    assert bytes_.room(77) == 77
