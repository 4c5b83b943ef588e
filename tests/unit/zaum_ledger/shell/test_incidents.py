"""What is due is made, however long the API server refuses, and is taken off only then."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from zaum_api import incidents as rules
from zaum_api.documents import Refusal
from zaum_ledger.core.conduct import Conduct, Due, Who
from zaum_ledger.core.windows import DAY
from zaum_ledger.shell import cluster, incidents, metrics
from zaum_ledger.shell.denied import Denied

NOW = 1_000 * DAY
DUE = Due("zaum-researcher-0-0a1b2", "RunawayCPU", rules.Action.KILL, NOW, 0)
CONDUCT = Conduct(due={"uid-0": DUE})
MADE, THERE = cluster.Created.MADE, cluster.Created.THERE


class World:
    """An API server and books that answer by a script, the last answer for ever."""

    def __init__(self, *answers: cluster.Created | Exception, books: tuple[Exception | None, ...] = (None,)) -> None:
        self.answers, self.told = list(answers), list(books)
        self.bodies: list[Mapping[str, Any]] = []
        self.noted: list[tuple[Who, bool]] = []
        self.now = NOW

    async def create(self, namespace: str, incident: Mapping[str, Any]) -> cluster.Created:
        assert namespace == "agents"
        self.bodies.append(incident)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def made(self, who: Who, *, ours: bool) -> None:
        answer = self.told.pop(0) if len(self.told) > 1 else self.told[0]
        if answer is not None:
            raise answer
        self.noted.append((who, ours))

    def run(self, conduct: Conduct = CONDUCT, **more: int) -> incidents.Reporter:
        """Report until nothing is under way."""

        async def run() -> incidents.Reporter:
            reporter = incidents.Reporter(
                self, self, now=lambda: self.now, ahead=lambda: 0.0, figures=metrics.Metrics()
            )
            reporter.wake("agents/researcher", conduct, **more)
            reporter.wake("agents/researcher", conduct, **more)
            async with asyncio.timeout(10):
                await asyncio.gather(*reporter._tasks.values())
            return reporter

        return asyncio.run(run())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pauses pass at once; give them."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        if seconds:
            waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    return waited


def test_i09_what_is_due_is_made_once() -> None:
    world = World(MADE)
    world.run()
    assert [body["metadata"]["name"] for body in world.bodies] == [rules.name("agents", "researcher", "uid-0")]
    assert world.noted == [(Who("agents", "researcher", DUE.pod, "uid-0"), True)]


def test_i09_an_incident_of_the_name_is_the_one_that_is_due() -> None:
    world = World(THERE)
    world.run()
    assert [ours for _, ours in world.noted] == [False]


def test_i08_refusals_and_outages_only_delay_it(no_waiting: list[float]) -> None:
    outage: list[Exception] = [cluster.Unreachable("answered 403"), cluster.NotThere("answered 404")] * 6
    world = World(*outage, MADE)
    world.run()
    assert len(world.bodies) == 13
    assert len(world.noted) == 1
    assert no_waiting[:4] == [0.2, 0.4, 0.8, 1.6]
    assert max(no_waiting) == incidents.LAST_DELAY


def test_i08_a_store_that_fails_makes_it_no_second_time_and_not_somebody_elses() -> None:
    failed = Denied(Refusal.STORAGE, "disk full")
    world = World(MADE, THERE, books=(failed, failed, None))
    world.run()
    assert len(world.bodies) == 1
    assert [ours for _, ours in world.noted] == [True]


def test_a_namespace_that_is_gone_for_a_day_is_let_go() -> None:
    world = World(cluster.NotThere("answered 404"))
    world.now += DAY
    world.run()
    assert [ours for _, ours in world.noted] == [False]


def test_what_another_ledger_is_about_to_make_is_left_to_it() -> None:
    world = World(MADE)
    world.now += 29_999
    world.run(since=30_000)
    assert world.bodies == []
    world.now += 1
    world.run(since=30_000)
    assert len(world.bodies) == 1


def test_one_that_is_refused_holds_up_no_other() -> None:
    class Picky(World):
        async def create(self, namespace: str, incident: Mapping[str, Any]) -> cluster.Created:
            if incident["spec"]["pod"]["uid"] == "uid-0" and len(self.noted) < 9:
                raise cluster.Unreachable("answered 422")
            return await super().create(namespace, incident)

    world = Picky(MADE)
    world.run(Conduct(due={f"uid-{number}": DUE for number in range(10)}))
    assert len(world.noted) == 10
    assert world.noted[-1][0].uid == "uid-0"
