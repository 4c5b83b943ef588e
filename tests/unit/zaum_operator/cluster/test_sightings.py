"""Questions to authorizers about open Incidents, orders to the ledger: who is asked, how often, what a silence does."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import prometheus_client

from tests.support.apiserver import ApiServer
from tests.support.scenes import made, replica
from tests.support.world import NAMESPACE, HandClock
from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.cluster import orders, reports_call, sightings
from zaum_operator.core import kinds
from zaum_operator.core.containment import asking
from zaum_operator.core.containment.asking import Asking
from zaum_operator.core.containment.incident import Ref
from zaum_operator.core.keys import Key

KEY = Key(NAMESPACE, "researcher")
POSTED = documents.Posted(NAMESPACE, "researcher", documents.orders.Action.KILL, "researcher-1", "Manual", "u1")


def component(api: ApiServer, what: str, name: str, address: str) -> None:
    labels = {contract.LABEL_NAME: contract.APP_NAME, contract.LABEL_COMPONENT: what}
    metadata = {"name": name, "namespace": "zaum-system", "labels": labels}
    api.put(kinds.POD, {"metadata": metadata, "status": {"phase": "Running", "podIP": address}})


class Paper:
    """Authorizers and ledgers of paper: each address with its answer, or its failure."""

    def __init__(self) -> None:
        self.api, self.clock, self.asking = ApiServer(), HandClock(), Asking()
        self.answers: dict[str, bytes] = {}
        self.asked: list[tuple[str, reports_call.Asked]] = []
        self.told: list[Key] = []
        registry = prometheus_client.CollectorRegistry()
        shared: dict[str, Any] = {"api": self.api, "clock": self.clock, "namespace": "zaum-system"}
        shared |= {"ca_file": Path("ca"), "token_file": Path("token"), "ask": self._ask}
        self.sightings = sightings.Sightings(
            asking=self.asking, changed=self.told.extend, counts=sightings.Counts(registry), **shared
        )
        self.taken: list[documents.Posted] = []
        self.orders = orders.Orders(counts=orders.Counts(registry), taken=self.taken.append, **shared)

    async def _ask(self, address: str, port: int, ca: Path, token: Path, asked: reports_call.Asked) -> bytes:
        self.asked.append((address, asked))
        if address not in self.answers:
            raise reports_call.CallError("nobody there")
        return self.answers[address]

    def question(self) -> None:
        self.asking.put(KEY, [made()], gone=[], there=[Ref("p", "u1")], at=self.clock.seconds())

    def turn(self) -> list[Key]:
        """Let it run until it waits: paper answers at once, and everybody has been asked by then."""
        self.told.clear()

        async def play() -> None:
            self.sightings.poke()
            listening = asyncio.create_task(self.sightings.run())
            for _ in range(20):
                await asyncio.sleep(0)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

        asyncio.run(play())
        return list(self.told)


def said(**more: Any) -> bytes:
    seen = replica(**more).seen
    assert seen is not None
    return seen.dump()


def test_nobody_is_asked_anything_while_no_incident_is_open() -> None:
    paper = Paper()
    component(paper.api, "authorizer", "one", "192.0.2.1")
    assert paper.turn() == []
    assert paper.asked == []


def test_each_authorizer_is_asked_and_a_change_of_its_word_is_told_once() -> None:
    paper = Paper()
    for name, address in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
        component(paper.api, "authorizer", name, address)
    paper.question()
    paper.answers["192.0.2.1"] = said()
    assert paper.turn() == [KEY]
    address, asked = paper.asked[0]
    assert (address, asked.path) == ("192.0.2.1", "/v1/seen?incidents=agents/researcher-1&pods=u1")
    assert asked.name == contract.AUTHORIZER_TLS_NAME
    assert [item.seen is not None for item in paper.asking.sight(KEY, at=0.0).replicas] == [True, False]
    assert paper.turn() == [], "nothing new"
    paper.answers["192.0.2.2"] = said()
    assert paper.turn() == [KEY]


def test_an_answer_that_is_none_confirms_nothing() -> None:
    paper = Paper()
    component(paper.api, "authorizer", "one", "192.0.2.1")
    paper.question()
    for answer in (b"", b"{}", b'{"version":"v9"}', b"\xff" * 10):
        paper.answers["192.0.2.1"] = answer
        assert paper.turn() == []
    assert [item.seen for item in paper.asking.sight(KEY, at=0.0).replicas] == [None]


def test_while_the_api_server_is_silent_those_of_before_are_asked_and_a_new_one_is_found_in_time() -> None:
    paper = Paper()
    component(paper.api, "authorizer", "one", "192.0.2.1")
    paper.question()
    paper.turn()
    component(paper.api, "authorizer", "two", "192.0.2.2")
    paper.turn()
    assert list(paper.asking.replicas) == ["192.0.2.1"]
    original = paper.api.list

    async def silent(*arguments: Any, **more: Any) -> Any:
        raise errors.UnavailableError("list pods", 503, "later")

    paper.clock.at += timedelta(seconds=sightings.LOOK_SECONDS + 1)
    paper.api.list = silent  # type: ignore[method-assign]
    paper.turn()
    assert list(paper.asking.replicas) == ["192.0.2.1"]
    paper.api.list = original  # type: ignore[method-assign]
    paper.turn()
    assert list(paper.asking.replicas) == ["192.0.2.1", "192.0.2.2"]


class Held(Paper):
    """An authorizer that answers when it has something else to say than the asker knows."""

    def __init__(self) -> None:
        super().__init__()
        component(self.api, "authorizer", "one", "192.0.2.1")
        self.word = documents.Seen(ready=True, listed=1).marked(0)
        self.other = asyncio.Event()
        self.asks = asyncio.Event()

    async def _ask(self, address: str, port: int, ca: Path, token: Path, asked: reports_call.Asked) -> bytes:
        self.asked.append((address, asked))
        self.asks.set()
        query = documents.SeenAsked.parse(asked.path.partition("?")[2])
        while query.wait and query.unlike == self.word.mark:
            await self.other.wait()
        return self.word.dump()

    async def until(self, count: int) -> None:
        """Wait until it has been asked so often."""
        try:
            async with asyncio.timeout(10):
                while len(self.asked) < count:
                    self.asks.clear()
                    await self.asks.wait()
        except TimeoutError:
            raise AssertionError(f"asked {len(self.asked)} times, not {count}") from None


def test_i09_an_authorizer_is_listened_to_and_its_news_are_told_when_they_come() -> None:
    paper = Held()

    async def play() -> None:
        listening = asyncio.create_task(paper.sightings.run())
        await asyncio.sleep(0)
        paper.question()
        paper.sightings.poke()
        await paper.until(2)
        assert paper.told == [KEY], "the first word is news, and the second is waited for"
        assert paper.asked[-1][1].waits == asking.WAIT_SECONDS
        paper.word = documents.Seen(True, 1, pods=(documents.SeenPod("u1", documents.Life.GONE, refused=True),)).marked(
            0
        )
        other, paper.other = paper.other, asyncio.Event()
        other.set()
        await paper.until(3)
        assert paper.told == [KEY, KEY]
        paper.asking.put(KEY, [made("researcher-2")], gone=[], there=[], at=paper.clock.seconds())
        paper.sightings.poke()
        await paper.until(4)
        assert "researcher-2" in paper.asked[-1][1].path, "another question waits for no answer to the one before"
        assert paper.asked[-1][1].waits == 0
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    asyncio.run(play())


def test_all_policies_are_asked_about_at_once_and_each_hears_of_its_own() -> None:
    paper = Paper()
    component(paper.api, "authorizer", "one", "192.0.2.1")
    paper.question()
    other = Key(NAMESPACE, "writer")
    paper.asking.put(other, [made("writer-1")], gone=[], there=[Ref("q", "u2")], at=paper.clock.seconds())
    paper.answers["192.0.2.1"] = said()
    assert paper.turn() == [KEY, other]
    assert len(paper.asked) == 1
    (replica_,) = paper.asking.sight(other, at=0.0).replicas
    assert replica_.seen is not None
    assert replica_.seen.incidents == (), "what is said of another policy's Incident is no answer to this one"


def test_an_order_is_posted_to_each_replica_until_all_have_taken_it_and_then_no_more() -> None:
    paper = Paper()
    for name, address in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
        component(paper.api, "ledger", name, address)
    paper.answers["192.0.2.1"] = documents.Orders().dump()
    paper.orders.put(POSTED)
    paper.orders.put(POSTED)
    asyncio.run(paper.orders.turn())
    assert (len(paper.orders), paper.taken) == (1, []), "one of them has not taken it"
    assert {documents.Posted.parse(asked.body) for _, asked in paper.asked} == {POSTED}
    assert {asked.path for _, asked in paper.asked} == {contract.PATH_LEDGER_ORDERS}
    paper.answers["192.0.2.2"] = documents.Orders().dump()
    asyncio.run(paper.orders.turn())
    assert (len(paper.orders), paper.taken) == (0, [POSTED])
    paper.orders.put(POSTED)
    assert len(paper.orders) == 0, "the same again is nothing new"


def test_what_waits_for_a_replica_is_not_posted_after_the_release_that_ends_it() -> None:
    paper = Paper()
    for name, address in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
        component(paper.api, "ledger", name, address)
    paper.answers["192.0.2.1"] = documents.Orders().dump()
    release = replace(POSTED, action=documents.Action.RELEASE, pod="")
    others = replace(POSTED, incident="researcher-2")
    paper.orders.put(POSTED)
    paper.orders.put(others)
    asyncio.run(paper.orders.turn())
    paper.orders.put(release)
    paper.asked.clear()
    for _ in range(2):
        asyncio.run(paper.orders.turn())
    assert [documents.Posted.parse(asked.body) for where, asked in paper.asked if where == "192.0.2.1"] == [
        others, release, others, release,
    ]  # fmt: skip


def test_an_order_whose_release_comes_while_it_is_posted_waits_no_more() -> None:
    paper = Paper()
    component(paper.api, "ledger", "one", "192.0.2.1")
    release = replace(POSTED, action=documents.Action.RELEASE, pod="")

    async def answer(*_: Any) -> bytes:
        paper.orders.put(release)
        return documents.Orders().dump()

    paper.orders.ask = answer
    paper.orders.put(POSTED)
    asyncio.run(paper.orders.turn())
    assert (len(paper.orders), paper.taken) == (1, [POSTED])
    asyncio.run(paper.orders.turn())
    assert (len(paper.orders), paper.taken) == (0, [POSTED, release])


def test_an_order_that_nobody_takes_is_given_up_and_may_be_asked_for_again() -> None:
    paper = Paper()
    paper.orders.put(POSTED)
    asyncio.run(paper.orders.turn())
    assert len(paper.orders) == 1, "no ledger answers"
    asyncio.run(paper.clock.sleep(orders.GIVEN_UP_SECONDS + 1))
    asyncio.run(paper.orders.turn())
    assert len(paper.orders) == 0
    paper.orders.put(POSTED)
    assert len(paper.orders) == 1
