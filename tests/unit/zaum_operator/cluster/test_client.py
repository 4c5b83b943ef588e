"""The adapter: which requests it makes of calls, and which errors of answers. The wire is a stub of the library's."""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster.client import Client
from zaum_operator.cluster.gate import Gate
from zaum_operator.core import access, kinds
from zaum_operator.core.render import pod
from zaum_operator.metrics import Metrics


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    async def read(self) -> bytes:
        return self.body


@dataclass
class Wire:
    """Plays `ApiClient`, its configuration and its REST client; answers in turn."""

    answers: list[Answer | Exception]
    sent: list[dict[str, Any]] = field(default_factory=list)
    host: str = "https://api"
    token: str | None = "Bearer t"

    @property
    def configuration(self) -> "Wire":
        return self

    @property
    def rest_client(self) -> "Wire":
        return self

    async def get_api_key_with_prefix(self, name: str, alias: str) -> str | None:
        return self.token

    async def request(self, method: str, url: str, **more: Any) -> Answer:
        self.sent.append({"method": method, "url": url, **more})
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def ok(body: Any = None, status: int = 200) -> Answer:
    return Answer(status, json.dumps(body or {}).encode())


def refused(status: int, message: str = "no", *causes: str) -> Answer:
    details = {"causes": [{"reason": cause} for cause in causes]}
    return ok({"kind": "Status", "message": message, "reason": "R", "details": details}, status)


def ask(
    *answers: Answer | Exception, call: Callable[[Client], Awaitable[Any]], gate: Gate | None = None
) -> tuple[Any, Wire]:
    wire = Wire(list(answers))
    client = Client(
        wire, table=access.OPERATOR, release_namespace="zaum-system", metrics=Metrics(), gate=gate or Gate(Clock())
    )

    async def go() -> Any:
        return await call(client)

    return asyncio.run(go()), wire


def test_get_gives_the_object_or_none() -> None:
    found, wire = ask(ok({"a": 1}), call=lambda c: c.get(kinds.CONFIG_MAP, "agents", "zaum-x"))
    assert found == {"a": 1}
    assert (wire.sent[0]["method"], wire.sent[0]["url"]) == (
        "GET",
        "https://api/api/v1/namespaces/agents/configmaps/zaum-x",
    )
    assert wire.sent[0]["headers"]["Authorization"] == "Bearer t"
    assert ask(refused(404), call=lambda c: c.get(kinds.CONFIG_MAP, "agents", "zaum-x"))[0] is None


def test_where_get_is_not_granted_one_object_is_a_list_by_name() -> None:
    call = lambda c: c.get(kinds.QUOTA, "agents", "zaum-x")  # noqa: E731
    found, wire = ask(ok({"items": [{"metadata": {"name": "zaum-x"}}]}), call=call)
    assert found["metadata"]["name"] == "zaum-x"
    assert wire.sent[0]["url"].endswith(
        "/namespaces/agents/resourcequotas?fieldSelector=metadata.name%3Dzaum-x&limit=25"
    )
    assert ask(ok({"items": []}), call=call)[0] is None


def test_list_follows_pages_and_names_kinds() -> None:
    first = ok({"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "more"}})
    second = ok({"items": [{"metadata": {"name": "b"}}], "metadata": {}})
    found, wire = ask(first, second, call=lambda c: c.list(kinds.POLICY, selector="x=y"))
    assert [(item["kind"], item["metadata"]["name"]) for item in found] == [("AgentPolicy", "a"), ("AgentPolicy", "b")]
    assert wire.sent[0]["url"] == "https://api/apis/zaum.dev/v1alpha1/agentpolicies?labelSelector=x%3Dy&limit=25"
    assert wire.sent[1]["url"].endswith("&continue=more")


def test_apply_is_server_side_forced_and_ours() -> None:
    body = {"metadata": {"name": "c"}, "value": 1}
    _, wire = ask(ok(), call=lambda c: c.apply(kinds.PRIORITY_CLASS, body))
    (sent,) = wire.sent
    assert sent["url"] == (
        "https://api/apis/scheduling.k8s.io/v1/priorityclasses/c?fieldManager=zaum-operator&force=true"
    )
    assert (sent["method"], sent["headers"]["Content-Type"]) == ("PATCH", "application/apply-patch+yaml")
    assert sent["body"] == body


def test_status_goes_to_the_subresource() -> None:
    body = {"metadata": {"name": "p", "namespace": "a"}, "status": {}}
    _, wire = ask(ok(), call=lambda c: c.apply_status(kinds.POLICY, body))
    assert "/namespaces/a/agentpolicies/p/status?" in wire.sent[0]["url"]


def test_a_json_patch_writes_a_secret_of_ours_and_a_test_that_fails_is_invalid() -> None:
    patch = [{"op": "test", "path": "/data/revision", "value": "MQ=="}]
    _, wire = ask(ok(), call=lambda c: c.json_patch(kinds.SECRET, "zaum-system", "zaum-ca", patch))
    assert wire.sent[0]["headers"]["Content-Type"] == "application/json-patch+json"
    assert wire.sent[0]["body"] == patch
    with pytest.raises(errors.InvalidError):
        ask(refused(422), call=lambda c: c.json_patch(kinds.SECRET, "zaum-system", "zaum-ca", patch))
    with pytest.raises(errors.NotInTableError):
        ask(ok(), call=lambda c: c.json_patch(kinds.SECRET, "zaum-system", "credentials", patch))


def test_merge_and_create() -> None:
    _, wire = ask(ok(), call=lambda c: c.merge(kinds.POD, "a", "p", {"spec": {}}))
    assert wire.sent[0]["headers"]["Content-Type"] == "application/merge-patch+json"
    _, wire = ask(ok(status=201), call=lambda c: c.create(kinds.POD, {"metadata": {"namespace": "a", "name": "p"}}))
    assert (wire.sent[0]["method"], wire.sent[0]["url"]) == (
        "POST",
        "https://api/api/v1/namespaces/a/pods?fieldManager=zaum-operator",
    )


def test_delete_names_the_uid_that_was_seen() -> None:
    _, wire = ask(ok(), call=lambda c: c.delete(kinds.POD, "a", "p", uid="u1"))
    assert wire.sent[0]["body"]["preconditions"] == {"uid": "u1"}


def test_a_deleted_pod_has_longer_to_end_than_one_that_is_contained() -> None:
    _, wire = ask(ok(), call=lambda c: c.delete(kinds.POD, "a", "p", uid="u1"))
    assert wire.sent[0]["body"]["gracePeriodSeconds"] == 5 > pod.GRACE_SECONDS > 0
    _, wire = ask(ok(), call=lambda c: c.delete(kinds.CONFIG_MAP, "a", "c", uid="u1"))
    assert "gracePeriodSeconds" not in wire.sent[0]["body"]


@pytest.mark.parametrize("status", [404, 409])
def test_deleting_what_is_gone_or_another_is_no_error(status: int) -> None:
    ask(refused(status), call=lambda c: c.delete(kinds.POD, "a", "p", uid="u1"))


def test_a_conflict_without_a_uid_is_one() -> None:
    with pytest.raises(errors.ConflictError):
        ask(refused(409), call=lambda c: c.delete(kinds.POD, "a", "p"))


def test_i15_what_is_not_in_the_table_is_not_sent() -> None:
    secret = kinds.Kind("", "v1", "secrets", "Secret")
    with pytest.raises(errors.NotInTableError):
        ask(ok(), call=lambda c: c.get(secret, "agents", "s"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(403), errors.ForbiddenError),
        (refused(401), errors.UnauthenticatedError),
        (refused(403, "being terminated", "NamespaceTerminating"), errors.TerminatingError),
        (refused(403, "exceeded quota: q"), errors.QuotaError),
        (refused(404), errors.NotFoundError),
        (refused(409), errors.ConflictError),
        (refused(422), errors.InvalidError),
        (refused(429), errors.OverloadedError),
        (refused(410), errors.ExpiredError),
        (refused(500), errors.UnavailableError),
        (Answer(502, b"<html>bad gateway</html>"), errors.UnavailableError),
        (Answer(503, b"[]"), errors.UnavailableError),
        (aiohttp.ClientConnectionError("reset"), errors.UnavailableError),
        (TimeoutError(), errors.UnavailableError),
    ],
)
def test_answers_become_errors_by_who_must_act(answer: Answer | Exception, error: type[errors.RequestError]) -> None:
    with pytest.raises(errors.RequestError) as raised:
        ask(answer, call=lambda c: c.apply(kinds.POD, {"metadata": {"namespace": "a", "name": "p"}}))
    assert type(raised.value) is error


def test_writes_are_counted_and_reads_are_not() -> None:
    metrics = Metrics()
    client = Client(
        Wire([ok(), ok()]), table=access.OPERATOR, release_namespace="z", metrics=metrics, gate=Gate(Clock())
    )

    async def go() -> None:
        await client.get(kinds.CONFIG_MAP, "a", "p")
        await client.merge(kinds.POD, "a", "p", {})

    asyncio.run(go())
    assert b'zaum_operator_writes_total{kind="Pod",verb="patch"} 1.0' in metrics.text()
    assert b'verb="get"' not in metrics.text()


def test_names_cannot_leave_their_place_in_the_path() -> None:
    _, wire = ask(ok(), call=lambda c: c.get(kinds.CONFIG_MAP, "a", "../secrets/x?y"))
    assert wire.sent[0]["url"].endswith("/configmaps/..%2Fsecrets%2Fx%3Fy")


def test_a_list_carries_its_version_and_a_page_that_came_too_late_says_so() -> None:
    found, _ = ask(
        ok({"items": [], "metadata": {"resourceVersion": "42"}}), call=lambda c: c.listing(kinds.POLICY)
    )  # fmt: skip
    assert (found.items, found.version) == ([], 42)
    first = ok({"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "more"}})
    with pytest.raises(errors.ExpiredError):
        ask(first, refused(410), call=lambda c: c.listing(kinds.POLICY))


def test_a_page_that_was_handed_over_is_gone_before_the_next_one_comes() -> None:
    name, seen = "only-on-the-first-page", []

    class Watched(Wire):
        async def request(self, method: str, url: str, **more: Any) -> Answer:
            held = [obj for obj in gc.get_objects() if type(obj) is dict and obj.get("metadata") == {"name": name}]
            seen.append(len(held))
            return await super().request(method, url, **more)

    first = ok({"items": [{"metadata": {"name": name}}], "metadata": {"continue": "more"}})
    wire = Watched([first, ok({"items": []})])
    gate = Gate(Clock())
    client = Client(wire, table=access.OPERATOR, release_namespace="zaum-system", metrics=Metrics(), gate=gate)
    taken: list[int] = []
    asyncio.run(client.listing(kinds.POLICY, take=lambda page: taken.append(len(page))))
    assert (taken, seen) == ([1, 0], [0, 0])


def test_a_deletion_gives_the_object_while_it_leaves() -> None:
    leaving = {"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    found, _ = ask(ok(leaving), call=lambda c: c.delete(kinds.POD, "a", "p", uid="u1"))
    assert (found["kind"], found["metadata"]["name"]) == ("Pod", "p")
    gone, _ = ask(ok({"kind": "Status", "status": "Success"}), call=lambda c: c.delete(kinds.POD, "a", "p", uid="u1"))
    assert gone is None


class Hand:
    """A clock that its sleepers move."""

    at = 0.0

    def seconds(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def write(client: Client) -> Awaitable[Any]:
    return client.merge(kinds.POD, "a", "p", {})


@pytest.mark.parametrize(("said", "pause"), [("7", 7.0), (None, 1.0), ("a date", 1.0), ("3600", 30.0)])
def test_429_stops_all_writes_for_as_long_as_it_says(said: str | None, pause: float) -> None:
    clock = Hand()
    gate = Gate(clock)
    busy = refused(429)
    busy.headers.update({"Retry-After": said} if said else {})
    with pytest.raises(errors.OverloadedError):
        ask(busy, call=write, gate=gate)
    ask(ok(), call=lambda c: c.get(kinds.CONFIG_MAP, "a", "n"), gate=gate)
    assert clock.at == 0.0, "reads go on"
    ask(ok(), call=write, gate=gate)
    assert clock.at == pause


def test_i08_without_the_lease_nothing_is_sent_and_no_request_outlives_it() -> None:
    clock = Hand()
    gate = Gate(clock)
    gate.leads_until = 6.0
    _, wire = ask(ok(), call=write, gate=gate)
    assert wire.sent[0]["_request_timeout"] == 6.0
    clock.at = 5.6
    with pytest.raises(errors.NotLeaderError):
        ask(ok(), call=write, gate=gate)
    _, wire = ask(ok(), call=lambda c: c.get(kinds.LEASE, "zaum-system", "zaum-operator"), gate=gate)
    assert wire.sent[0]["_request_timeout"] == 4.0, "a look that takes longer would cost the Lease"
    ask(ok(), call=lambda c: c.merge(kinds.LEASE, "zaum-system", "zaum-operator", {}), gate=gate)


def test_a_pause_that_outlives_the_lease_ends_in_a_refusal() -> None:
    clock = Hand()
    gate = Gate(clock)
    gate.leads_until = 5.0
    gate.pause(20)
    with pytest.raises(errors.NotLeaderError):
        ask(call=write, gate=gate)
    assert clock.at < 6


def test_a_task_of_the_library_that_is_ended_from_outside_ends_no_worker() -> None:
    with pytest.raises(errors.UnavailableError):
        ask(asyncio.CancelledError(), call=write)  # type: ignore[arg-type]


def test_a_log_is_asked_for_by_its_end_and_is_no_json() -> None:
    text = Answer(200, b"line one\n{not json")
    found, wire = ask(text, call=lambda c: c.log("agents", "zaum-x-0-0a1b2", "agent"))
    assert found == "line one\n{not json"
    path, _, query = wire.sent[0]["url"].partition("?")
    assert path == "https://api/api/v1/namespaces/agents/pods/zaum-x-0-0a1b2/log"
    assert query == "container=agent&tailLines=64&limitBytes=65536"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.InvalidError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (500, errors.UnavailableError),
    ],
)
def test_a_log_that_is_not_there_is_an_error_as_any_other(status: int, error: type[errors.RequestError]) -> None:
    with pytest.raises(error):
        ask(refused(status), call=lambda c: c.log("agents", "zaum-x-0-0a1b2", "agent"))
