"""One replica leads: takeover, release, and what a replica that lost the Lease does no more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.apiserver import ApiServer
from tests.support.properties import examples
from tests.support.world import HandClock
from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.gate import Gate
from zaum_operator.core import kinds, lease
from zaum_operator.leadership import Leadership

RELEASE = "zaum-system"


@dataclass
class Replica:
    """One operator as far as the Lease is concerned; `cut` keeps its requests from arriving."""

    name: str
    api: ApiServer
    clock: HandClock
    leadership: Leadership = field(init=False)
    begun: int = 0
    ceased: int = 0
    ran: int = 0
    cut: bool = False

    def __post_init__(self) -> None:
        gate = Gate(self.clock)
        self.leadership = Leadership(
            api=Cut(self), gate=gate, clock=self.clock, namespace=RELEASE, me=self.name,  # type: ignore[arg-type]
            begin=self.begin, cease=self.cease, tasks={"certificates": self.task},
        )  # fmt: skip

    async def begin(self) -> None:
        self.begun += 1

    async def task(self) -> None:
        self.ran += 1
        await asyncio.Event().wait()

    def cease(self) -> None:
        self.ceased += 1

    @property
    def leads(self) -> bool:
        return self.leadership.gate.leads

    async def tick(self) -> None:
        await self.leadership.tick()
        for _ in range(4):
            await asyncio.sleep(0)  # what a new leader begins


@dataclass
class Cut:
    """The API server as one replica reaches it."""

    replica: Replica

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if self.replica.cut:

            async def fail(*_: object, **__: object) -> None:
                raise errors.UnavailableError(name, 0, "timeout")

            return fail
        found: Callable[..., Any] = getattr(self.replica.api, name)
        return found


def pair() -> tuple[HandClock, Replica, Replica]:
    clock, api = HandClock(), ApiServer()
    return clock, Replica("a", api, clock), Replica("b", api, clock)


def holder(replica: Replica) -> str | None:
    found = replica.api.objects[("leases", RELEASE, contract.LEASE_NAME)]["spec"].get("holderIdentity")
    return None if found is None else str(found)


def test_the_first_leads_and_the_other_waits() -> None:
    async def go() -> None:
        _, a, b = pair()
        await a.tick()
        await b.tick()
        assert (a.leads, b.leads, a.begun, b.begun, a.ran) == (True, False, 1, 0, 1)
        await a.leadership.release()

    asyncio.run(go())


def test_a_leader_that_renews_keeps_the_lease_for_ever() -> None:
    async def go() -> None:
        clock, a, b = pair()
        for _ in range(100):
            await a.tick()
            await b.tick()
            clock.at += timedelta(seconds=lease.RENEW)
            assert a.leads
            assert not b.leads
        assert a.begun == 1
        await a.leadership.release()

    asyncio.run(go())


def test_a_dead_leader_is_followed_within_20_seconds_and_had_ceased_before() -> None:
    async def go() -> None:
        clock, a, b = pair()
        await a.tick()
        await b.tick()
        died, ceased = clock.seconds(), None
        a.cut = True
        while not b.leads:
            clock.at += timedelta(seconds=0.5)
            await a.tick()
            if not a.leads and ceased is None:
                ceased = clock.seconds()
            await b.tick()
        assert clock.seconds() - died <= 20
        assert ceased is not None
        assert ceased < clock.seconds()
        assert a.ceased > 0
        assert holder(b) == "b"
        await b.leadership.release()

    asyncio.run(go())


def test_a_lease_that_was_released_is_taken_at_the_next_look() -> None:
    async def go() -> None:
        _, a, b = pair()
        await a.tick()
        await b.tick()
        await a.leadership.release()
        assert holder(a) is None
        await b.tick()
        assert b.leads
        await b.leadership.release()

    asyncio.run(go())


def test_who_rests_leaves_the_lease_to_others_and_comes_back_when_nobody_wants_it() -> None:
    async def go() -> None:
        clock, a, b = pair()
        await a.tick()
        await a.leadership.rest()
        await a.tick()
        await b.tick()
        assert (a.leads, b.leads) == (False, True)
        await b.leadership.release()
        clock.at += timedelta(seconds=11)
        await a.tick()
        assert a.leads
        await a.leadership.release()

    asyncio.run(go())


def test_who_rested_leads_again_at_once_when_its_watches_are_back_and_nobody_else_leads() -> None:
    async def go() -> None:
        _, a, _ = pair()
        await a.tick()
        await a.leadership.rest()
        rested = not a.leads
        await a.leadership.resume()
        assert (rested, a.leads) == (True, True)
        await a.leadership.release()

    asyncio.run(go())


def test_who_rested_takes_nothing_from_the_one_that_leads_meanwhile() -> None:
    async def go() -> None:
        _, a, b = pair()
        await a.tick()
        await a.leadership.rest()
        await b.tick()
        await a.leadership.resume()
        assert (a.leads, b.leads) == (False, True)
        await b.leadership.release()

    asyncio.run(go())


def test_a_lease_that_another_took_meanwhile_is_not_released_by_us() -> None:
    async def go() -> None:
        _, a, b = pair()
        await a.tick()
        a.api.edit(kinds.LEASE, RELEASE, contract.LEASE_NAME, {"spec": {"holderIdentity": "b"}})
        await a.leadership.release()
        assert holder(b) == "b"

    asyncio.run(go())


def test_who_sees_another_in_the_lease_ceases_at_once() -> None:
    async def go() -> None:
        _, a, _ = pair()
        await a.tick()
        a.api.edit(kinds.LEASE, RELEASE, contract.LEASE_NAME, {"spec": {"holderIdentity": "b"}})
        await a.tick()
        assert not a.leads
        assert a.ceased > 0

    asyncio.run(go())


def test_a_lease_that_somebody_deleted_is_made_again() -> None:
    async def go() -> None:
        _, a, _ = pair()
        await a.tick()
        a.api.remove(kinds.LEASE, RELEASE, contract.LEASE_NAME)
        await a.tick()
        assert a.leads
        assert holder(a) == "a"
        assert a.begun == 1
        await a.leadership.release()

    asyncio.run(go())


def test_a_task_that_fails_is_begun_again_and_ends_nothing_else() -> None:
    async def go() -> None:
        _, a, _ = pair()
        third = asyncio.Event()

        async def fails() -> None:
            a.ran += 1
            if a.ran == 1:
                raise KeyError("a fault of ours")
            if a.ran == 2:
                raise errors.UnavailableError("x", 0, "reset")
            third.set()
            await asyncio.Event().wait()

        a.leadership.tasks = {"broken": fails}
        await a.tick()
        async with asyncio.timeout(10):
            await third.wait()
        assert a.leads
        await a.leadership.release()

    asyncio.run(go())


STEP = st.sampled_from(["tick", "tick", "tick", "sleep", "sleep", "cut", "heal", "release"])


@given(st.lists(st.tuples(st.sampled_from("ab"), STEP), min_size=25, max_size=50))
@settings(max_examples=examples(60))
def test_never_do_two_lead(steps: list[tuple[str, str]]) -> None:
    async def go() -> None:
        clock, a, b = pair()
        for name, step in steps:
            replica = a if name == "a" else b
            match step:
                case "tick":
                    await replica.tick()
                case "cut" | "heal":
                    replica.cut = step == "cut"
                case "sleep":
                    clock.at += timedelta(seconds=3)
                case _:
                    await replica.leadership.release()
            assert not (a.leads and b.leads)
        for replica in (a, b):
            await replica.leadership.release()

    asyncio.run(go())


@pytest.mark.parametrize(
    "error", [errors.ConflictError("x", 409, "modified"), errors.UnavailableError("x", 0, "reset")]
)
def test_a_renewal_that_fails_is_not_one(error: errors.RequestError) -> None:
    async def go() -> None:
        clock, a, _ = pair()
        await a.tick()
        until = a.leadership.gate.leads_until
        a.api.refuse = lambda verb, plural, name: error if plural == "leases" else None
        clock.at += timedelta(seconds=2)
        await a.tick()
        assert a.leadership.gate.leads_until == until
        clock.at += timedelta(seconds=9)
        assert not a.leads
        a.api.refuse = lambda verb, plural, name: None
        await a.leadership.release()

    asyncio.run(go())
