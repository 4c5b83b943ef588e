"""How the operator asks authorizers what watchdogs have said: over TLS, bounded, never to the harm of anything else."""

import asyncio
import json
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from tests.support.apiserver import ApiServer
from tests.support.authority import Authority
from tests.support.world import START, HandClock
from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.cluster import reports_call
from zaum_operator.cluster.reports import POLL_SECONDS, Counts, Reports
from zaum_operator.core import kinds, reports
from zaum_operator.core.keys import Key
from zaum_operator.core.reports import Held

KEY = Key("agents", "researcher")
SCHEMA = Path(__file__).resolve().parents[4] / "charts/zaum/values.schema.json"
QUIET: dict[str, Any] = {"config": "", "problem": "", "escapes": (), "requests": 0, "denied": 0, "would_deny": 0}


def answer(uid: str = "u", at: int = int(START.timestamp()), tested: int = 3) -> bytes:
    report = documents.Report(tested=tested, **QUIET).write()
    said = {"at": at, "namespace": "agents", "pod": "zaum-researcher-0-0a1b2", "report": report}
    return json.dumps({"reports": {uid: said}, "contacts": {}}).encode()


class Polled:
    """The operator's poll with authorizers of paper: each address with its answer, or its failure."""

    def __init__(self) -> None:
        self.api, self.clock, self.held = ApiServer(), HandClock(), Held()
        self.answers: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []
        self.told: list[Key] = []
        self.counts = Counts(prometheus_client.CollectorRegistry())
        self.reports = Reports(
            api=self.api, clock=self.clock, namespace="zaum-system", ca_file=Path("ca"), token_file=Path("token"),  # type: ignore[arg-type]
            held=self.held, changed=self.told.extend, counts=self.counts, ask=self._ask,
        )  # fmt: skip

    async def _ask(self, address: str, port: int, ca_file: Path, token_file: Path) -> bytes:
        assert (port, ca_file, token_file) == (contract.AUTHORIZER_REPORTS_PORT, Path("ca"), Path("token"))
        self.asked.append(address)
        found = self.answers.get(address, reports_call.CallError("nobody there"))
        if isinstance(found, Exception):
            raise found
        return found

    def authorizer(self, name: str, address: str, **metadata: Any) -> None:
        labels = {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "authorizer"}
        body = {"metadata": {"name": name, "namespace": "zaum-system", "labels": labels} | metadata}
        self.api.put(kinds.POD, body | {"status": {"phase": "Running", "podIP": address}})

    def turn(self) -> list[Key]:
        self.told.clear()
        asyncio.run(self.reports.turn())
        return list(self.told)

    def polls(self, result: str) -> float:
        return float(self.counts.polls.labels(result)._value.get())


def test_as_many_authorizers_are_asked_as_the_chart_may_run() -> None:
    # A contact that only the last of them has heard would end no pod. While they are replaced there is one more.
    replicas = json.loads(SCHEMA.read_text())["properties"]["authorizer"]["properties"]["replicas"]["maximum"]
    polled = Polled()
    for number in range(replicas + 1):
        polled.authorizer(f"a{number}", f"10.0.0.{number}")
    polled.turn()
    assert len(set(polled.asked)) == replicas + 1


def test_every_authorizer_is_asked_and_the_policy_is_told_once() -> None:
    polled = Polled()
    polled.authorizer("a", "10.0.0.1")
    polled.authorizer("b", "fd00::2")
    polled.answers = {"10.0.0.1": answer(), "fd00::2": answer("v")}
    assert polled.turn() == [KEY]
    assert polled.asked == ["10.0.0.1", "fd00::2"]
    assert set(polled.held.reports("uv")) == {"u", "v"}
    assert polled.turn() == []
    assert polled.counts.held._value.get() == 2


@pytest.mark.parametrize("failure", [reports_call.CallError("timeout"), b"<html>", b'{"reports": 1, "contacts": 2}'])
def test_one_that_fails_leaves_the_others_word(failure: bytes | Exception) -> None:
    polled = Polled()
    polled.authorizer("a", "10.0.0.1")
    polled.authorizer("b", "10.0.0.2")
    polled.answers = {"10.0.0.1": failure, "10.0.0.2": answer()}
    assert polled.turn() == [KEY]
    assert (polled.polls("failed"), polled.polls("done")) == (1, 1)


def test_a_failure_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    polled = Polled()
    polled.authorizer("a", "10.0.0.1")
    caplog.set_level("INFO")
    polled.turn()
    polled.turn()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "10.0.0.1 gives no reports: nobody there" in caplog.text
    polled.answers["10.0.0.1"] = answer()
    polled.turn()
    polled.turn()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_while_the_api_server_is_away_the_authorizers_of_before_are_asked() -> None:
    polled = Polled()
    polled.authorizer("a", "10.0.0.1")
    polled.answers["10.0.0.1"] = answer()
    polled.turn()

    async def silent(*_: Any, **__: Any) -> Any:
        raise errors.UnavailableError("list pods", 0, "timeout")

    polled.api.list = silent  # type: ignore[method-assign]
    polled.turn()
    assert polled.asked == ["10.0.0.1", "10.0.0.1"]


def test_when_nobody_answers_any_more_what_is_held_grows_old() -> None:
    polled = Polled()
    polled.authorizer("a", "10.0.0.1")
    polled.answers["10.0.0.1"] = answer()
    polled.turn()
    polled.answers.clear()
    told = []
    for _ in range(10):
        asyncio.run(polled.clock.sleep(POLL_SECONDS))
        told += polled.turn()
    assert told == [KEY]
    assert polled.held.reports(["u"]) == {}


def test_it_polls_every_five_seconds_by_and_large() -> None:
    polled, slept = Polled(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    polled.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(polled.reports.run())
    assert slept == [5.0, 5.0, 5.0], "the clock of the tests throws the middle of the dice"


# The call itself, against a server on loopback.

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(body: bytes, status: str = "200 OK", *more: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith(f"GET {contract.PATH_REPORTS} HTTP/1.1\r\n")
        good = "Authorization: Bearer good" in head
        lines = [f"HTTP/1.1 {status if good else '401 Unauthorized'}", f"Content-Length: {len(body)}", *more]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        await writer.drain()
        writer.close()

    return serve


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    try:
        for _ in range(64):
            writer.write(b" " * 4096)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


class Called:
    """One server with a certificate, and the files that the operator has."""

    def __init__(self, directory: Path, *, name: str = contract.AUTHORIZER_TLS_NAME, expired: bool = False) -> None:
        self.authority = Authority(directory)
        self.server: ssl.SSLContext = self.authority.server(name, expired=expired)
        self.ca, self.token = directory / "ca.crt", directory / "token"
        self.token.write_text("good\n")

    def ask(self, serve: Serve, address: str = "127.0.0.1", asked: reports_call.Asked = reports_call.REPORTS) -> bytes:
        async def run() -> bytes:
            server = await asyncio.start_server(serve, address, 0, ssl=self.server)
            async with server:
                port = server.sockets[0].getsockname()[1]
                return await reports_call.ask(address, port, self.ca, self.token, asked)

        return asyncio.run(run())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_call_shows_the_token_and_gives_the_body(tmp_path: Path, address: str) -> None:
    assert Called(tmp_path).ask(answering(b"{}"), address) == b"{}"


def test_the_token_is_read_anew_each_time(tmp_path: Path) -> None:
    called = Called(tmp_path)
    called.token.write_text("old")
    with pytest.raises(reports_call.CallError, match="401"):
        called.ask(answering(b"{}"))
    called.token.write_text("good")
    assert called.ask(answering(b"{}")) == b"{}"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "x" * 20_000, "\x7f"])
def test_what_is_no_token_is_not_sent(tmp_path: Path, token: str) -> None:
    called = Called(tmp_path)
    called.token.write_text(token)
    with pytest.raises(reports_call.CallError, match="holds no token"):
        called.ask(answering(b"{}"))


@pytest.mark.parametrize("over", [{"name": "gateway.zaum.dev"}, {"expired": True}])
def test_i04_whoever_is_not_the_authorizer_gets_no_token(tmp_path: Path, over: dict[str, Any]) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read())
        writer.close()

    with pytest.raises(reports_call.CallError):
        Called(tmp_path, **over).ask(serve)
    assert b"".join(seen) == b""


def test_i04_another_authority_is_not_trusted(tmp_path: Path) -> None:
    called = Called(tmp_path)
    (tmp_path / "other").mkdir()
    called.ca = Authority(tmp_path / "other").ca
    with pytest.raises(reports_call.CallError):
        called.ask(answering(b"{}"))


@pytest.mark.parametrize("status", ["500 Internal Server Error", "404 Not Found", "204 No Content"])
def test_any_other_answer_is_none(tmp_path: Path, status: str) -> None:
    with pytest.raises(reports_call.CallError, match=status[:3]):
        Called(tmp_path).ask(answering(b"", status))


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with pytest.raises(reports_call.CallError, match="answered 302"):
        Called(tmp_path).ask(answering(b"", "302 Found", "Location: https://127.0.0.1:1/"))


def test_an_answer_has_a_bound(tmp_path: Path) -> None:
    assert reports_call.REPORTS.most == reports.BODY_MAX
    with pytest.raises(reports_call.CallError, match="more than 100000 bytes"):
        Called(tmp_path).ask(endless, asked=reports_call.Asked(most=100_000))


def listening(heads: list[str]) -> Serve:
    """Answer anything with an empty object."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    return serve


USAGE = reports_call.Asked(f"{contract.PATH_LEDGER_USAGE}?after=agents%2Fother", contract.LEDGER_TLS_NAME)


def test_the_ledger_is_asked_by_its_own_name_and_path(tmp_path: Path) -> None:
    heads: list[str] = []
    assert Called(tmp_path, name=contract.LEDGER_TLS_NAME).ask(listening(heads), asked=USAGE) == b"{}"
    path, _, query = heads[0].split(" ")[1].partition("?")
    assert (path, urllib.parse.parse_qs(query)) == (contract.PATH_LEDGER_USAGE, {"after": ["agents/other"]})


def test_i04_an_authorizer_is_no_ledger(tmp_path: Path) -> None:
    heads: list[str] = []
    with pytest.raises(reports_call.CallError):
        Called(tmp_path).ask(listening(heads), asked=USAGE)
    assert heads == []


def test_one_that_says_nothing_has_three_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports_call, "SECONDS", 0.2)
    with pytest.raises(reports_call.CallError, match="TimeoutError"):
        Called(tmp_path).ask(mute)


def test_without_files_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(reports_call.CallError, match="FileNotFoundError"):
        asyncio.run(reports_call.ask("127.0.0.1", 1, tmp_path / "none", tmp_path / "none"))


def test_nobody_there_is_said(tmp_path: Path) -> None:
    called = Called(tmp_path)
    with pytest.raises(reports_call.CallError):
        asyncio.run(reports_call.ask("127.0.0.1", 1, called.ca, called.token))


def test_a_task_that_ends_inside_the_library_is_a_failed_call_and_our_own_end_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Called(tmp_path)

    async def ended(*_: Any) -> bytes:
        raise asyncio.CancelledError

    monkeypatch.setattr(reports_call, "_get", ended)
    with pytest.raises(reports_call.CallError, match="was ended"):
        asyncio.run(reports_call.ask("127.0.0.1", 1, called.ca, called.token))

    async def ours() -> None:
        asking = asyncio.create_task(reports_call.ask("127.0.0.1", 1, called.ca, called.token))
        begun = asyncio.Event()

        async def waits(*_: Any) -> bytes:
            begun.set()
            await asyncio.Event().wait()
            return b""

        monkeypatch.setattr(reports_call, "_get", waits)
        await begun.wait()
        asking.cancel()
        await asking

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(ours())
