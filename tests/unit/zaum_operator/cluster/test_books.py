"""How the operator asks the ledger what is spent: over TLS, page by page, whichever replica answers."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from tests.support.apiserver import ApiServer
from tests.support.world import HandClock
from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.cluster import reports_call
from zaum_operator.cluster.books import Books, Counts
from zaum_operator.core import books, kinds
from zaum_operator.core.books import Held
from zaum_operator.core.keys import Key

KEY = Key("agents", "researcher")


def kept(name: str = "researcher", used: int = 0) -> documents.PolicyUsage:
    meter = documents.Used("policy:cost/day", used, 100, 9)
    return documents.PolicyUsage("agents", name, 1, 0, (meter,), documents.Counters())


def page(*names: str, after: str = "") -> bytes:
    return documents.UsagePage(tuple(map(kept, names)), after).dump()


class Polled:
    """The operator's poll with ledgers of paper: each address with its answers by path, or its failure."""

    def __init__(self) -> None:
        self.api, self.clock, self.held = ApiServer(), HandClock(), Held()
        self.answers: dict[str, bytes | Exception | dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.told: list[Key] = []
        self.everybody = 0
        self.counts = Counts(prometheus_client.CollectorRegistry())
        self.books = Books(
            api=self.api, clock=self.clock, namespace="zaum-system", ca_file=Path("ca"), token_file=Path("token"),  # type: ignore[arg-type]
            held=self.held, changed=self.told.extend, everybody=self._everybody, counts=self.counts, ask=self._ask,
        )  # fmt: skip

    def _everybody(self) -> None:
        self.everybody += 1

    async def _ask(self, address: str, port: int, ca_file: Path, token_file: Path, asked: Any) -> bytes:
        assert (port, ca_file, token_file) == (contract.LEDGER_PORT, Path("ca"), Path("token"))
        assert (asked.name, asked.most) == (contract.LEDGER_TLS_NAME, documents.USAGE_MAX_BYTES)
        self.asked.append((address, asked.path))
        found = self.answers.get(address, reports_call.CallError("nobody there"))
        if isinstance(found, Exception):
            raise found
        return found[asked.path] if isinstance(found, dict) else found

    def ledger(self, name: str, address: str) -> None:
        labels = {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "ledger"}
        body = {"metadata": {"name": name, "namespace": "zaum-system", "labels": labels}}
        self.api.put(kinds.POD, body | {"status": {"phase": "Running", "podIP": address}})

    def turn(self) -> list[Key]:
        self.told.clear()
        asyncio.run(self.books.turn())
        return list(self.told)

    def value(self, result: str) -> float:
        return float(self.counts.polls.labels(result)._value.get())


@pytest.fixture
def polled() -> Polled:
    made = Polled()
    made.ledger("a", "10.0.0.1")
    made.ledger("b", "10.0.0.2")
    return made


def test_one_replica_that_answers_is_enough(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("researcher"), "10.0.0.2": page("researcher")}
    polled.turn()
    assert polled.asked == [("10.0.0.1", "/v1/usage?version=v2")]
    assert polled.held.of(KEY) == kept()
    assert (polled.counts.held._value.get(), polled.counts.known._value.get()) == (1, 1)


@pytest.mark.parametrize(
    "failure", [reports_call.CallError("answered 503"), b"<html>", b'{"version":"v9","policies":[],"after":""}']
)
def test_every_replica_is_asked_until_one_answers(polled: Polled, failure: Any) -> None:
    polled.answers = {"10.0.0.1": failure, "10.0.0.2": page("researcher")}
    polled.turn()
    assert [address for address, _ in polled.asked] == ["10.0.0.1", "10.0.0.2"]
    assert polled.held.of(KEY) == kept()
    assert (polled.value("failed"), polled.value("done")) == (1, 1)


def test_all_pages_are_read_before_any_of_it_counts(polled: Polled) -> None:
    first, second = "/v1/usage?version=v2", "/v1/usage?version=v2&after=agents%2Fother"
    half = {first: page("other", after="agents/other"), second: b"{}"}
    polled.answers = {"10.0.0.1": half, "10.0.0.2": half}
    polled.turn()
    assert polled.held.of(Key("agents", "other")) is None
    whole = half | {second: page("researcher")}
    polled.answers = {"10.0.0.1": whole}
    polled.turn()
    assert len(polled.held) == 2


def test_pages_that_do_not_go_on_end(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("other", after="agents/other"), "10.0.0.2": page("researcher")}
    polled.turn()
    assert polled.asked[-1][0] == "10.0.0.2"
    assert len(polled.held) == 1


def test_what_was_under_way_when_the_ledger_heard_of_a_release_does_not_know_of_it(polled: Polled) -> None:
    answer = polled.books.ask

    async def slow(*asked: Any) -> bytes:
        polled.held.released(KEY, "researcher-1", seconds=polled.clock.seconds() + 1)
        await polled.clock.sleep(2)
        return await answer(*asked)

    polled.books.ask = slow
    polled.answers = {"10.0.0.1": page("researcher")}
    polled.turn()
    assert polled.held.forgiven(KEY) == set()
    polled.turn()
    assert polled.held.forgiven(KEY) == {"researcher-1"}


def test_everybody_is_told_when_the_ledger_speaks_for_the_first_time_and_when_it_falls_silent(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("researcher")}
    assert (polled.turn(), polled.everybody) == ([], 1)
    assert (polled.turn(), polled.everybody) == ([], 1), "the control: nothing new"
    polled.answers.clear()
    for _ in range(12):
        asyncio.run(polled.clock.sleep(books.PERIOD))
        polled.turn()
    assert polled.everybody == 2
    assert polled.held.of(KEY) is None


def test_everybody_is_told_when_no_pod_of_a_silent_ledger_runs(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("researcher")}
    polled.turn()
    for name in ("a", "b"):
        polled.api.remove(kinds.POD, "zaum-system", name)
    polled.answers.clear()
    for _ in range(12):
        asyncio.run(polled.clock.sleep(books.PERIOD))
        polled.turn()
    assert (polled.everybody, polled.held.word) == (2, books.Word.MISSING)
    polled.ledger("c", "10.0.0.3")
    polled.turn()
    assert (polled.everybody, polled.held.word) == (3, books.Word.SILENT)


def test_later_only_those_are_told_of_which_something_has_changed(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("researcher", "other")}
    polled.turn()
    asyncio.run(polled.clock.sleep(20))
    spent = documents.UsagePage((kept("researcher", used=50), kept("other"))).dump()
    polled.answers = {"10.0.0.1": spent}
    assert polled.turn() == [KEY]


def test_while_the_api_server_is_away_the_replicas_of_before_are_asked(polled: Polled) -> None:
    polled.answers = {"10.0.0.1": page("researcher")}
    polled.turn()

    async def silent(*_: Any, **__: Any) -> Any:
        raise errors.UnavailableError("list pods", 0, "timeout")

    polled.api.list = silent  # type: ignore[method-assign]
    polled.turn()
    assert len(polled.asked) == 2


def test_a_failure_is_said_once_and_its_end_too(polled: Polled, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    polled.answers = {"10.0.0.2": page()}
    polled.turn()
    polled.turn()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    polled.answers["10.0.0.1"] = page()
    polled.turn()
    polled.turn()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_it_polls_every_five_seconds_by_and_large(polled: Polled) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    polled.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(polled.books.run())
    assert slept == [5.0, 5.0, 5.0], "the clock of the tests throws the middle of the dice"
