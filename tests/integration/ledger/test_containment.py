"""The ledger's own process and containment, with both databases: Incidents at the API server, orders to watchdogs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents, incidents
from zaum_api.documents import Action, Containment, Posted

Books = dict[str, str]
CPU = contract.Breach.RUNAWAY_CPU.value
QUARANTINES = Containment(kills_before_quarantine=1)
WAKE_SECONDS = 0.1


def name(uid: str) -> str:
    return f"agents/{incidents.name('agents', 'researcher', uid)}"


def until(found: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def breach(service: ledger.Process, api: ledger.FakeApi, uid: str = "uid-0", **more: object) -> None:
    """A watchdog opens a session and says that it ends its agent."""
    pod = ledger.Watchdog(service, api.token(uid=uid))
    pod.sync(containment=QUARANTINES)
    pod.sync(containment=QUARANTINES, latched=CPU, **more)
    pod.close()


def usage(service: ledger.Process, api: ledger.FakeApi) -> documents.UsagePage:
    reader = ledger.Watchdog(service, api.reader())
    status, raw = reader.ask("GET", f"{contract.PATH_LEDGER_USAGE}?version=v2")
    reader.close()
    assert status == 200, raw
    return documents.UsagePage.parse(raw)


class Operator:
    """Orders, as the operator does."""

    def __init__(self, service: ledger.Process, api: ledger.FakeApi, subject: str = ledger.OPERATOR) -> None:
        self.caller = ledger.Watchdog(service, api.reader(subject))

    def post(self, action: Action, *, pod: str = "", incident: str = "researcher-1") -> tuple[int, bytes]:
        posted = Posted("agents", "researcher", action, incident, "Manual", pod)
        return self.ask(posted.dump())

    def ask(self, body: bytes) -> tuple[int, bytes]:
        try:
            return self.caller.ask("POST", contract.PATH_LEDGER_ORDERS, body)
        finally:
            self.caller.close()


class Poll:
    """A watchdog that waits for an order."""

    def __init__(self, pod: ledger.Watchdog, after: int = 0) -> None:
        self._pod = ledger.Watchdog(pod.ledger, pod.token)
        self._path = f"{contract.PATH_LEDGER_ORDERS}?session={pod.session}&after={after}"
        self.heard: documents.Orders | None = None
        self.at = 0.0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        status, raw = self._pod.ask("GET", self._path)
        self.at = time.monotonic()
        assert status == 200
        self.heard = documents.Orders.parse(raw)
        self._pod.close()

    def answer(self) -> tuple[documents.Order, ...]:
        self.thread.join(30)
        assert self.heard is not None
        return self.heard.orders


def test_i09_a_breach_becomes_one_incident_and_the_next_a_quarantine(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        breach(service, api, facts=(documents.Fact("cpu", "100 %"),))
        until(lambda: api.made == [name("uid-0")])
        breach(service, api, "uid-1")
        until(lambda: len(api.made) == 2)
        first, second = (api.incidents[name(uid)]["spec"] for uid in ("uid-0", "uid-1"))
        assert (first["action"], first["reason"], first["reporter"]) == ("Kill", CPU, "Ledger")
        assert first["pod"] == {"name": contract.pod_name("researcher", 0, "0a1b2"), "uid": "uid-0"}
        assert {"name": "cpu", "value": "100 %"} in first["evidence"]["facts"]
        assert second["action"] == "Quarantine"
        assert usage(service, api).policies[0].kills == 2
        until(lambda: "zaum_ledger_incidents_due 0.0" in service.page("/metrics")[1])
        text = service.page("/metrics")[1]
        assert 'zaum_ledger_incidents_total{action="Quarantine"} 1.0' in text
        assert 'zaum_policy_kills{namespace="agents",policy="researcher"} 2.0' in text


def test_i10_kills_and_what_is_due_outlive_the_ledger(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        api.refusing = [(503, "ServiceUnavailable")] * 1000
        breach(service, api)
        until(lambda: len(api.refusing) < 1000)
        service.kill()
    api.refusing = []
    assert api.made == []
    with ledger.running(tmp_path, api, authority, books) as service:
        until(lambda: api.made == [name("uid-0")])
        breach(service, api, "uid-1")
        until(lambda: len(api.made) == 2)
        assert api.incidents[name("uid-1")]["spec"]["action"] == "Quarantine"
    with ledger.running(tmp_path, api, authority, books) as service:
        breach(service, api)
        assert usage(service, api).policies[0].kills == 2
        assert len(api.made) == 2, "what is there is not made again"


@pytest.mark.parametrize(
    "refusals",
    [
        [(403, "Forbidden"), (429, "TooManyRequests"), (500, "InternalError"), (422, "Invalid"), (404, "NotFound")],
        [(409, "Conflict")],
        [(0, "")],
    ],
)
def test_i08_an_api_server_that_refuses_only_delays_it(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, refusals: list[tuple[int, str]]
) -> None:
    api.refusing = list(refusals)
    with ledger.running(tmp_path, api, authority) as service:
        breach(service, api)
        until(lambda: api.made == [name("uid-0")])
        until(lambda: "zaum_ledger_incidents_due 0.0" in service.page("/metrics")[1])
        pod = ledger.Watchdog(service, api.token(uid="uid-9"))
        assert pod.sync().session, "and holds up nobody"
        pod.close()


def test_i10_an_order_wakes_the_pods_that_it_is_for_within_a_tenth_of_a_second(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        pods = [ledger.Watchdog(service, api.token(ordinal=n, uid=f"uid-{n}"), ordinal=n, replicas=2) for n in range(2)]
        for pod in pods:
            pod.sync()
        operator = Operator(service, api)
        mine, other = (Poll(pod) for pod in pods)
        threading.Event().wait(0.3)
        assert operator.post(Action.KILL, pod="uid-0")[0] == 200
        posted = time.monotonic()
        (kill,) = mine.answer()
        assert (kill.action, kill.reason) == (Action.KILL, "Manual")
        assert mine.at - posted < WAKE_SECONDS
        assert other.thread.is_alive(), "and the other one waits on"
        assert operator.post(Action.CUT)[0] == 200
        posted = time.monotonic()
        assert [order.action for order in other.answer()] == [Action.CUT]
        assert other.at - posted < WAKE_SECONDS
        assert pods[1].sync().orders[0].action is Action.CUT, "and in every answer"
        again = Poll(pods[1], pods[1].sync().orders[0].number)
        assert operator.post(Action.CUT)[0] == 200
        threading.Event().wait(0.2)
        assert again.thread.is_alive(), "the same one is no other one"
        assert operator.post(Action.RELEASE)[0] == 200
        assert [order.action for order in again.answer()] == [Action.RELEASE]
        for pod in pods:
            pod.close()


def test_i10_an_order_stands_after_a_kill_of_the_ledger_and_for_pods_that_come_later(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, books: Books
) -> None:
    with ledger.running(tmp_path, api, authority, books) as service:
        pod = ledger.Watchdog(service, api.token())
        session = pod.sync().session
        status, raw = Operator(service, api).post(Action.CUT)
        (order,) = documents.Orders.parse(raw).orders
        assert (status, order.action) == (200, Action.CUT)
        service.kill()
        pod.close()
    with ledger.running(tmp_path, api, authority, books) as service:
        pod.ledger, pod.session = service, session
        assert Poll(pod).answer() == (order,), "a poll hears it before anybody has synced"
        late = ledger.Watchdog(service, api.token(uid="uid-7"))
        assert late.sync().orders == (order,)
        late.close()


def test_orders_are_the_operators_alone(tmp_path: Path, api: ledger.FakeApi, authority: Authority) -> None:
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        body = Posted("agents", "researcher", Action.RELEASE, "researcher-1", "Manual").dump()
        assert pod.ask("POST", contract.PATH_LEDGER_ORDERS, body)[0] == 401, "a watchdog releases nobody"
        assert Operator(service, api, ledger.READER).post(Action.RELEASE)[0] == 403, "nor does who may read the usage"
        operator = Operator(service, api)
        assert operator.ask(b"{}")[0] == 400
        assert operator.post(Action.RELEASE)[0] == 200
        pod.close()


def test_silence_is_published_with_how_long_the_ledger_has_been_there(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority
) -> None:
    with ledger.running(tmp_path, api, authority) as service:
        pod = ledger.Watchdog(service, api.token())
        pod.sync()
        page = usage(service, api)
        assert page.serving is not None
        assert page.policies[0].silent == ()
        reader = ledger.Watchdog(service, api.reader())
        before = documents.UsagePage.parse(reader.ask("GET", contract.PATH_LEDGER_USAGE)[1])
        assert before.serving is None, "who does not ask for more gets what it knows"
        reader.close()
        pod.close()


def test_i10_two_ledgers_of_one_database_count_together_and_give_one_order_one_number(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, database: str
) -> None:
    (tmp_path / "uri").write_text(database + "\n")
    shared = {"ZAUM_POSTGRES_FILE": str(tmp_path / "uri")}
    with (
        ledger.running(tmp_path, api, authority, shared) as first,
        ledger.running(tmp_path, api, authority, shared) as second,
    ):
        breach(first, api)
        breach(second, api, "uid-1")
        until(lambda: len(api.made) == 2)
        actions = [api.incidents[name(uid)]["spec"]["action"] for uid in ("uid-0", "uid-1")]
        assert actions == ["Kill", "Quarantine"], "what one has counted the other knows"
        for service in (first, second):
            until(lambda service=service: "zaum_ledger_incidents_due 0.0" in service.page("/metrics")[1])  # type: ignore[misc]
        pod = ledger.Watchdog(second, api.token(uid="uid-2"))
        pod.sync()
        poll = Poll(pod)
        numbers = []
        for service in (first, second):
            status, raw = Operator(service, api).post(Action.CUT)
            assert status == 200
            numbers += [order.number for order in documents.Orders.parse(raw).orders]
        assert [order.number for order in poll.answer()] == numbers[:1]
        assert numbers[0] == numbers[1]
        pod.close()
