"""Routes: what the agent asks in plain on loopback, and what reaches the API instead."""

import contextlib
import dataclasses
import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.watchdog import conftest, rig, upstream, world
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_watchdog.core import exchanges

SECRET = "sk-live-0123456789/+abcdef-ghij"
ALLOWED = documents.Allowed


@pytest.fixture
def api(authority: Authority) -> Iterator[upstream.Upstream]:
    running = upstream.Upstream(authority.server(conftest.NAMED))
    yield running
    running.server.close()


@pytest.fixture
def gateway(authority: Authority, api: upstream.Upstream) -> Iterator[world.Gateway]:
    running = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
    yield running
    running.server.close()


ROUTE = documents.Route(
    "openai", conftest.NAMED, 443, "/v1",
    (ALLOWED(("GET", "POST", "HEAD", "PUT"), "/chat/*"), ALLOWED(("GET",), "/models")),
    documents.Credential("authorization", "Bearer "),
)  # fmt: skip


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    return dataclasses.replace(config, routes=(ROUTE,), upstream_ca_pem=authority.pem)


@pytest.fixture(autouse=True)
def credential(files: rig.Files) -> None:
    write_credential(files, SECRET)


def write_credential(files: rig.Files, text: str, route: str = "openai") -> None:
    directory = files.credentials / route
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "fresh").write_text(text + "\n")
    (directory / "fresh").rename(directory / contract.CREDENTIAL_FILE)


def head(*lines: str, start: str = "GET /openai/models HTTP/1.1") -> bytes:
    return "\r\n".join([start, "Host: 127.0.0.1:15002", *lines, "", ""]).encode("latin-1")


POST = "POST /openai/chat/completions HTTP/1.1"


class Kept:
    """A buffered reader that one answer after another is read from."""

    def __init__(self, connected: socket.socket) -> None:
        self._file = connected.makefile("rb")

    def makefile(self, _: str) -> "Kept":
        return self

    def close(self) -> None:
        """Stay open: the next answer may be in the buffer."""

    def end(self) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Client:
    """One connection of the agent to the routes."""

    def __init__(self, watchdog: rig.Watchdog) -> None:
        self.socket = socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = Kept(self.socket)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.kept.end()
        self.socket.close()

    def answer(self, method: str = "GET") -> rig.Answer:
        response = http.client.HTTPResponse(self.kept, method=method)  # type: ignore[arg-type]  # all of it that is used
        response.begin()
        body = response.read()
        return rig.Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    def ask(self, raw: bytes, method: str = "GET") -> rig.Answer:
        self.socket.sendall(raw)
        return self.answer(method)

    def closed(self) -> bool:
        try:
            return bool(self.kept.read(1) == b"")
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def ask(watchdog: rig.Watchdog, raw: bytes, method: str = "GET") -> rig.Answer:
    with Client(watchdog) as client:
        return client.ask(raw, method)


def post(body: bytes = b"{}", *lines: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *lines, start=POST) + body


# What passes.


def test_a_request_goes_out_with_the_routes_credential_and_nothing_of_the_clients(
    watchdog: rig.Watchdog, api: upstream.Upstream, gateway: world.Gateway
) -> None:
    answer = ask(watchdog, post(b'{"a":1}', "Authorization: Bearer zaum-placeholder", "Cookie: a=b", "X-Keep: 1"))
    assert (answer.status, answer.body) == (200, b"{}")
    assert [asked.line for asked in api.asked] == ["POST /v1/chat/completions HTTP/1.1"]
    asked = api.asked[0]
    assert asked.body == b'{"a":1}'
    assert asked.header("authorization") == [f"Bearer {SECRET}"]
    assert (asked.header("host"), asked.header("x-keep"), asked.header("cookie")) == ([conftest.NAMED], ["1"], [])
    assert gateway.heads[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
    decision = watchdog.record("decision", rule="egress.allowed")
    assert (decision["route"], decision["method"], decision["path"]) == ("openai", "POST", "/chat/completions")
    done = watchdog.record("request")
    assert (done["status"], done["bytesOut"], done["bytesIn"], done["rule"]) == (200, 7, 2, "")


def test_one_upstream_connection_carries_request_after_request(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with Client(watchdog) as client:
        for number in range(5):
            assert client.ask(post(b"x" * number)).status == 200
    assert ask(watchdog, head()).status == 200
    assert (len(api.asked), api.connections) == (6, 1)


def test_pipelined_requests_are_answered_in_their_order(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def named(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(asked.body), asked.body))

    api.answer = named
    with Client(watchdog) as client:
        client.socket.sendall(post(b"first") + post(b"second") + post(b"third"))
        assert [client.answer().body for _ in range(3)] == [b"first", b"second", b"third"]


def test_a_new_upstream_connection_resumes_the_session(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def once(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        raise EOFError

    api.answer = once
    assert ask(watchdog, head()).status == 200
    rig.until(lambda: ask(watchdog, head()).status == 200 and api.resumed > 0, "no session is resumed")


def test_each_event_of_a_stream_arrives_before_the_next_is_sent(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    seen = threading.Semaphore(0)
    events = [b"data: %d\n\n" % number for number in range(8)]

    def stream(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in events:
            asked.send(b"%x\r\n%b\r\n" % (len(event), event))
            assert seen.acquire(timeout=world.WAIT)
        asked.send(b"0\r\n\r\n")

    api.answer = stream
    with Client(watchdog) as client:
        client.socket.sendall(post())
        file = client.socket.makefile("rb")
        while file.readline() != b"\r\n":
            pass
        for event in events:
            assert file.readline() == b"%x\r\n" % len(event)
            assert file.read(len(event) + 2) == event + b"\r\n"
            seen.release()
        assert file.read(5) == b"0\r\n\r\n"


def test_a_chunked_request_is_passed_on_as_it_comes(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with Client(watchdog) as client:
        client.socket.sendall(head("Transfer-Encoding: chunked", start=POST) + b"5\r\nhello\r\n")
        rig.until(lambda: b"hello" in api.received, "the first chunk waits")
        client.socket.sendall(b"6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert client.answer().status == 200
    assert api.asked[0].body == b"hello world"
    assert b"trailer" not in api.received.lower()


@pytest.mark.parametrize("size", [1 << 20, 10 << 20])
def test_large_bodies_pass_both_ways(watchdog: rig.Watchdog, api: upstream.Upstream, size: int) -> None:
    def back(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(asked.body) + asked.body)

    api.answer = back
    body = bytes(range(256)) * (size // 256)
    with Client(watchdog) as client:
        client.socket.settimeout(60)
        assert client.ask(post(body)).body == body


def test_a_last_answer_waits_for_a_reader_that_does_other_things_first(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    size = 1 << 20
    api.answer = lambda asked: asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    with Client(watchdog) as client:
        client.socket.sendall(head("Connection: close"))
        assert watchdog.record("request")["bytesIn"] == size
        # Longer than it is waited for an agent to hang up that has got everything.
        time.sleep(exchanges.PATIENCE[exchanges.Phase.ENDED] / exchanges.SECOND + 1.5)
        assert len(client.answer().body) == size


def test_what_ends_with_its_connection_ends_for_the_agent_with_a_last_chunk(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    def until_close(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        raise EOFError

    api.answer = until_close
    answer = ask(watchdog, head())
    assert (answer.body, answer.headers["transfer-encoding"]) == (b"all of it", "chunked")


def test_an_answer_that_is_cut_is_seen_as_cut(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    def short(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        raise EOFError

    api.answer = short
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        ask(watchdog, head())
    assert watchdog.record("request")["rule"] == "gateway.upstreamUnavailable"


@pytest.mark.parametrize(
    ("method", "answered"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
    ],
)
def test_answers_without_a_body_leave_both_connections_usable(
    watchdog: rig.Watchdog, api: upstream.Upstream, method: str, answered: bytes
) -> None:
    api.answer = lambda asked: asked.send(answered)
    with Client(watchdog) as client:
        for _ in range(3):
            assert client.ask(head(start=f"{method} /openai/chat/x HTTP/1.1"), method).body == b""
    assert (len(api.asked), api.connections) == (3, 1)


def test_interim_answers_stay_between_us_and_the_upstream(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    api.answer = lambda asked: asked.send(early + upstream.OK)
    assert ask(watchdog, post()).body == b"{}"


def test_a_client_that_waits_for_100_continue_gets_it_once_there_is_an_upstream(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    with Client(watchdog) as client:
        client.socket.sendall(head("Content-Length: 5", "Expect: 100-continue", start=POST))
        assert client.socket.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.ask(b"hello").status == 200
    assert api.asked[0].body == b"hello"
    assert api.asked[0].header("expect") == []


def test_a_redirect_is_passed_on_and_not_followed(
    watchdog: rig.Watchdog, api: upstream.Upstream, gateway: world.Gateway
) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://evil.example.com/x\r\nContent-Length: 0\r\n\r\n"
    api.answer = lambda asked: asked.send(moved)
    answer = ask(watchdog, head())
    assert (answer.status, answer.headers["location"]) == (302, "https://evil.example.com/x")
    assert len(gateway.heads) == 1
    assert watchdog.connect("evil.example.com:443").rule == "egress.hosts"


def test_an_upstream_may_not_speak_with_our_voice(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    forged = b'X-Zaum-Rule: egress.allowed\r\nAlt-Svc: h3=":443"\r\nSet-Cookie: session=1\r\nX-Own: 1\r\n'
    api.answer = lambda asked: asked.send(b"HTTP/1.1 200 OK\r\n" + forged + b"Content-Length: 0\r\n\r\n")
    headers = ask(watchdog, head()).headers
    assert {"x-zaum-rule", "alt-svc", "set-cookie", "x-own"} & headers.keys() == {"x-own"}


# What is refused.


@pytest.mark.parametrize(
    ("raw", "status", "rule"),
    [
        (head(start="GET /anthropic/x HTTP/1.1"), 403, "routes.name"),
        (head(start="DELETE /openai/chat/x HTTP/1.1"), 403, "routes.allow"),
        (head(start="GET /openai/files HTTP/1.1"), 403, "routes.allow"),
        (head("Upgrade: websocket", "Connection: Upgrade"), 403, "routes.headers"),
        (head("Content-Length: 10485761", start=POST), 413, "request.tooLarge"),
        (head("X: " + "y" * 17_000), 431, "request.headTooLarge"),
        (head(*["X: y"] * 10_000), 431, "request.headTooLarge"),
        (head(start="GET /openai/chat/../models HTTP/1.1"), 400, "request.malformed"),
    ],
)
def test_what_the_route_does_not_allow_is_answered_once_with_its_rule(
    watchdog: rig.Watchdog, api: upstream.Upstream, raw: bytes, status: int, rule: str
) -> None:
    with Client(watchdog) as client:
        answer = client.ask(raw)
        assert (answer.status, answer.rule, answer.json["rule"]) == (status, rule, rule)
        assert answer.json["policy"] == "agents/researcher"
        assert client.closed()
    assert ask(watchdog, head()).status == 200, "the control passes"
    assert [asked.line for asked in api.asked] == ["GET /v1/models HTTP/1.1"]
    watchdog.stop()
    rules = [record["rule"] for record in watchdog.drained() if record["kind"] == "decision"]
    assert rules == [rule, "egress.allowed"]


def test_a_refusal_is_plain_text_where_that_is_preferred(watchdog: rig.Watchdog) -> None:
    answer = ask(watchdog, head("Accept: text/plain", start="GET /openai/files HTTP/1.1"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.startswith(b"routes.allow: ")
    assert b"spec.egress.routes" in answer.body


def test_a_refused_head_has_no_body(watchdog: rig.Watchdog) -> None:
    with Client(watchdog) as client:
        answer = client.ask(head(start="HEAD /openai/files HTTP/1.1"), "HEAD")
        assert (answer.status, answer.body) == (403, b"")
        assert client.closed()


def test_requests_count_into_the_policys_rate_and_connections(start: conftest.Start, api: upstream.Upstream) -> None:
    watchdog = start(requests=documents.RequestRate(1, 3), connections=1)
    hold = threading.Event()

    def held(asked: upstream.Asked) -> None:
        assert hold.wait(world.WAIT)
        asked.send(upstream.OK)

    api.answer = held
    with Client(watchdog) as busy:
        busy.socket.sendall(head())
        assert api.arrived.wait(world.WAIT)
        refused = ask(watchdog, head())
        assert (refused.status, refused.rule) == (429, "limits.connections")
        assert watchdog.connect("api.example.com:443").rule == "limits.connections"
        hold.set()
        assert busy.answer().status == 200
    for _ in range(2):
        assert ask(watchdog, head()).status == 200
    over = ask(watchdog, head())
    assert (over.status, over.rule) == (429, "limits.requests.perMinute")
    assert int(over.headers["retry-after"]) > 0


def test_idle_connections_are_bounded(start: conftest.Start) -> None:
    watchdog = start(connections=1)
    with contextlib.ExitStack() as stack:
        for _ in range(65):
            stack.enter_context(Client(watchdog))
        refused = stack.enter_context(Client(watchdog)).answer()
        assert (refused.status, refused.rule) == (429, "limits.connections")


def test_a_body_that_grows_too_large_is_cut_off_with_413(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with Client(watchdog) as client:
        client.socket.sendall(head("Transfer-Encoding: chunked", start=POST))
        piece = b"%x\r\n%b\r\n" % (1 << 20, bytes(1 << 20))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(11):
                client.socket.sendall(piece)
        answer = client.answer()
    assert (answer.status, answer.rule) == (413, "request.tooLarge")
    assert watchdog.record("request")["rule"] == "request.tooLarge"
    assert api.asked == [], "the upstream never saw the end of it"


def test_a_malformed_chunk_ends_the_request_on_both_sides(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    with Client(watchdog) as client:
        client.socket.sendall(head("Transfer-Encoding: chunked", start=POST) + b"5\r\nhello\r\n")
        rig.until(lambda: b"hello" in api.received, "the first chunk waits")
        answer = client.ask(b"5;x=y\r\nworld\r\n0\r\n\r\n")
        assert (answer.status, answer.rule) == (400, "request.malformed")
        assert client.closed()
    assert ask(watchdog, head()).status == 200
    assert [asked.line for asked in api.asked] == ["GET /v1/models HTTP/1.1"]
    assert api.connections == 2, "the connection of a malformed request carries no other one"
    assert b"world" not in api.received


# Credentials.


def test_i15_the_credential_stands_nowhere_but_in_the_request(
    watchdog: rig.Watchdog, api: upstream.Upstream, gateway: world.Gateway, files: rig.Files
) -> None:
    assert ask(watchdog, post()).status == 200
    refused = ask(watchdog, head(start="GET /openai/files HTTP/1.1"))
    metrics, health = watchdog.probe("/metrics").body, watchdog.probe("/healthz").body
    command = Path(f"/proc/{watchdog.process.pid}/cmdline").read_bytes()
    watchdog.stop()
    places = [refused.body, metrics, health, command, json.dumps(watchdog.drained()).encode(), b"".join(gateway.heads)]
    assert [SECRET.encode() in place for place in places] == [False] * len(places)
    assert SECRET.encode() in api.received, "the control"


def test_a_rotated_credential_is_used_and_a_stream_goes_on(
    watchdog: rig.Watchdog, api: upstream.Upstream, files: rig.Files
) -> None:
    go = threading.Event()

    def stream(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        assert go.wait(world.WAIT)
        asked.send(b"after")

    api.answer = stream
    with Client(watchdog) as client:
        client.socket.sendall(post())
        received = b""
        while not received.endswith(b"first"):
            received += client.socket.recv(65536)
        write_credential(files, "sk-rotated-9876543210")
        watchdog.record("credential", problem="")
        api.answer = lambda asked: asked.send(upstream.OK)
        rig.until(
            lambda: (
                ask(watchdog, head()).status == 200
                and api.asked[-1].header("authorization") == ["Bearer sk-rotated-9876543210"]
            ),
            "the new key is not used",
        )
        go.set()
        assert client.socket.recv(65536) == b"after"


@pytest.mark.parametrize("text", ["brief", "with space inside", "x" * 9000])
def test_a_credential_that_cannot_be_used_stops_its_route_alone(
    start: conftest.Start, api: upstream.Upstream, files: rig.Files, text: str
) -> None:
    write_credential(files, text)
    other = dataclasses.replace(ROUTE, name="open", credential=None)
    watchdog = start(routes=(ROUTE, other))
    refused = ask(watchdog, head())
    assert (refused.status, refused.rule) == (503, "routes.credential")
    assert text not in refused.body.decode()
    assert ask(watchdog, head(start="GET /open/models HTTP/1.1")).status == 200
    assert api.asked[0].header("authorization") == []
    write_credential(files, SECRET)
    rig.until(lambda: ask(watchdog, head()).status == 200, "the credential is not taken")


def test_the_key_of_another_secret_is_not_used(
    watchdog: rig.Watchdog, files: rig.Files, config: documents.WatchdogConfig, api: upstream.Upstream
) -> None:
    """A pod has the Secret that its route had when it was made, until it is replaced."""
    assert ask(watchdog, head()).status == 200
    other = dataclasses.replace(
        ROUTE, credential=documents.Credential("authorization", "Bearer ", file="0123456789abcdef")
    )
    files.write(dataclasses.replace(config, routes=(other,)).dump())
    watchdog.record("config")
    assert ask(watchdog, head()).rule == "routes.credential"
    assert len(api.asked) == 1


def test_a_missing_credential_is_said_so(start: conftest.Start, files: rig.Files) -> None:
    shutil.rmtree(files.credentials)
    watchdog = start()
    assert "is not there" in ask(watchdog, head()).json["message"]
    assert watchdog.record("credential")["problem"] == "is not there"


@pytest.mark.parametrize("cut", [0, 5, 20])
def test_an_upstream_that_repeats_the_credential_is_cut(
    watchdog: rig.Watchdog, api: upstream.Upstream, cut: int
) -> None:
    def echo(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nbefore \r\n")
        for piece in (SECRET[:cut], SECRET[cut:] + "after"):
            if piece:
                asked.send(b"%x\r\n%b\r\n" % (len(piece), piece.encode()))
        asked.send(b"0\r\n\r\n")

    api.answer = echo
    with Client(watchdog) as client:
        client.socket.sendall(head("Connection: close"))
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := client.socket.recv(65536):
                received += data
    assert b"sk-live" not in received
    assert not received.endswith(b"0\r\n\r\n")
    assert b"after" not in received
    rules = {watchdog.record("request")["rule"]}
    assert rules == {"routes.credentialEchoed"}


def test_an_echo_in_the_head_or_first_bytes_is_answered_with_502(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    for head_, body in (("X-Echo: " + SECRET, "ok"), ("X-Own: 1", SECRET)):
        raw = f"HTTP/1.1 200 OK\r\n{head_}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        api.answer = lambda asked, raw=raw: asked.send(raw)  # type: ignore[misc]
        answer = ask(watchdog, head())
        assert (answer.status, answer.rule) == (502, "routes.credentialEchoed")
        assert SECRET.encode() not in answer.body


def test_an_answer_that_is_compressed_unasked_is_not_passed_on(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    api.answer = lambda asked: asked.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx")
    answer = ask(watchdog, head("Accept-Encoding: gzip"))
    assert (answer.status, answer.rule) == (502, "routes.upstreamMalformed")
    assert api.asked[0].header("accept-encoding") == ["identity"]


# Upstreams that fail.


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"<html>",
        b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_a_malformed_answer_is_not_passed_on_and_its_connection_not_used_again(
    watchdog: rig.Watchdog, api: upstream.Upstream, raw: bytes
) -> None:
    api.answer = lambda asked: asked.send(raw)
    answer = ask(watchdog, head())
    assert (answer.status, answer.rule) == (502, "routes.upstreamMalformed")
    api.answer = lambda asked: asked.send(upstream.OK)
    assert ask(watchdog, head()).status == 200
    assert api.connections == 2


def test_bytes_behind_an_answer_end_the_connection(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    api.answer = lambda asked: asked.send(upstream.OK + upstream.OK)
    with Client(watchdog) as client:
        assert client.ask(head()).body == b"{}"
        assert client.ask(head()).body == b"{}"
    assert (api.connections, len(api.asked)) == (2, 2)


def test_an_upstream_of_another_name_is_refused(start: conftest.Start, api: upstream.Upstream) -> None:
    watchdog = start(routes=(dataclasses.replace(ROUTE, host="other.example.com"),))
    answer = ask(watchdog, head())
    assert (answer.status, answer.rule) == (502, "routes.upstreamTLS")
    assert "not valid for" in answer.json["message"]
    assert api.received == b""


def test_a_route_that_leads_elsewhere_now_resumes_nothing(
    watchdog: rig.Watchdog, api: upstream.Upstream, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    """A session that is resumed is not verified anew: neither the name nor the certificate."""
    api.answer = lambda asked: asked.send(upstream.OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
    assert ask(watchdog, head()).status == 200
    api.answer = lambda asked: asked.send(upstream.OK)
    assert ask(watchdog, head()).status == 200, "its connection is kept, so its session is remembered"
    with Client(watchdog) as client:
        api.answer = lambda asked: asked.send(upstream.OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
        assert client.ask(head()).status == 200
    files.write(dataclasses.replace(config, routes=(dataclasses.replace(ROUTE, host="other.example.com"),)).dump())
    watchdog.record("config")
    answer = ask(watchdog, head())
    assert (answer.status, answer.rule) == (502, "routes.upstreamTLS")
    assert b"other.example.com" not in api.received


def test_an_upstream_of_an_authority_that_is_not_trusted_is_refused(
    start: conftest.Start, api: upstream.Upstream
) -> None:
    answer = ask(start(upstream_ca_pem=""), head())
    assert (answer.status, answer.rule) == (502, "routes.upstreamTLS")
    assert api.received == b""


def test_an_expired_certificate_is_refused(start: conftest.Start, authority: Authority) -> None:
    expired = upstream.Upstream(authority.server(conftest.NAMED, expired=True))
    gateway = world.Gateway(authority.server(contract.GATEWAY_TLS_NAME), expired)  # type: ignore[arg-type]
    peer = documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem)
    try:
        answer = ask(start(gateway=peer), head())
        assert (answer.status, answer.rule) == (502, "routes.upstreamTLS")
        assert "expired" in answer.json["message"]
        assert expired.received == b""
    finally:
        gateway.server.close()
        expired.server.close()


def test_the_gateways_refusal_is_passed_on(watchdog: rig.Watchdog, gateway: world.Gateway) -> None:
    body = documents.Denial("policy.gone", "the policy is gone", "", "agents/researcher").dump()
    gateway.answers[b"api.example.com"] = (
        b"HTTP/1.1 403 Forbidden\r\nx-zaum-rule: policy.gone\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    answer = ask(watchdog, head())
    assert (answer.status, answer.rule, answer.json["rule"]) == (403, "policy.gone", "policy.gone")
    assert watchdog.record("decision")["by"] == "gateway"


def test_a_kept_connection_that_died_costs_a_safe_request_nothing(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    assert ask(watchdog, head()).status == 200

    def dies(asked: upstream.Asked) -> None:
        api.answer = lambda again: again.send(upstream.OK)
        raise EOFError

    api.answer = dies
    assert ask(watchdog, head()).status == 200
    assert [asked.line for asked in api.asked] == ["GET /v1/models HTTP/1.1"] * 3


def test_a_refusal_behind_a_kept_connection_that_died_is_recorded_once(
    start: conftest.Start, api: upstream.Upstream, gateway: world.Gateway
) -> None:
    watchdog = start()
    assert ask(watchdog, head()).status == 200

    def dies(asked: upstream.Asked) -> None:
        gateway.answers[b"api.example.com"] = world.refusal(contract.Rule.POLICY_GONE)
        raise EOFError

    api.answer = dies
    answer = ask(watchdog, head())
    assert (answer.status, answer.rule) == (403, "policy.gone")
    watchdog.stop()
    found = [(item["kind"], item["rule"]) for item in watchdog.drained() if item["kind"] in {"decision", "request"}]
    allowed = ("decision", "egress.allowed")
    assert found == [allowed, ("request", ""), allowed, ("request", "policy.gone")]


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_kept_connection_that_died_is_not_asked_twice_for_what_may_have_happened(
    watchdog: rig.Watchdog, api: upstream.Upstream, body: bytes
) -> None:
    assert ask(watchdog, head()).status == 200

    def dies(asked: upstream.Asked) -> None:
        raise EOFError

    api.answer = dies
    answer = ask(watchdog, post(body))
    assert (answer.status, answer.rule) == (503, "gateway.upstreamUnavailable")
    assert len(api.asked) == 2


# Changes.


def test_a_route_that_leaves_the_policy_cuts_its_requests_and_no_others(
    start: conftest.Start, api: upstream.Upstream, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    other = dataclasses.replace(ROUTE, name="open", credential=None)
    watchdog = start(routes=(ROUTE, other))
    go = threading.Event()

    def slow(asked: upstream.Asked) -> None:
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        go.wait(3 * world.WAIT)
        asked.send(b"after")

    api.answer = slow
    with Client(watchdog) as leaving, Client(watchdog) as staying:
        for client, path in ((leaving, "openai"), (staying, "open")):
            client.socket.sendall(head(start=f"GET /{path}/models HTTP/1.1"))
            received = b""
            while not received.endswith(b"first"):
                received += client.socket.recv(65536)
        files.write(dataclasses.replace(config, routes=(other,)).dump())
        cut = leaving.closed()
        go.set()
        assert cut
        assert staying.socket.recv(65536) == b"after"
    assert watchdog.record("request", rule="config.removed")["route"] == "openai"
    assert ask(watchdog, head()).rule == "routes.name"


def test_a_breach_cuts_every_request(start: conftest.Start, api: upstream.Upstream) -> None:
    watchdog = start(runaway=documents.Runaway(None, None, documents.DeniedDetector(5, 60)))
    api.answer = lambda asked: asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
    with Client(watchdog) as client:
        client.socket.sendall(head())
        received = b""
        while not received.endswith(b"first"):
            received += client.socket.recv(65536)
        for _ in range(6):
            ask(watchdog, head(start="GET /openai/files HTTP/1.1"))
        assert client.closed()
    watchdog.record("breach")
    refused = ask(watchdog, head())
    assert (refused.status, refused.rule) == (403, "containment.latched")


def test_the_time_of_streams_is_not_ours(watchdog: rig.Watchdog, api: upstream.Upstream) -> None:
    """A slow reader gets everything, and the upstream is not read ahead of it."""
    sent = 0
    piece = bytes(1 << 16)
    # More than the kernel's buffers on the way may take: of three connections, each up to 32 MiB on common settings.
    pieces = 2048

    def flood(asked: upstream.Asked) -> None:
        nonlocal sent
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * pieces))
        for _ in range(pieces):
            asked.send(piece)
            sent += 1

    api.answer = flood
    with Client(watchdog) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.socket.sendall(head())
        steady, since = -1, time.monotonic()
        while steady != sent or time.monotonic() - since < 0.5:
            if steady != sent:
                steady, since = sent, time.monotonic()
            time.sleep(0.02)
        assert 0 < sent < pieces
        assert len(client.answer().body) == len(piece) * pieces


def test_other_authorities_are_trusted_from_the_next_connection_on(
    watchdog: rig.Watchdog, api: upstream.Upstream, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    assert ask(watchdog, head()).status == 200
    files.write(dataclasses.replace(config, upstream_ca_pem="").dump())
    watchdog.record("config")
    assert ask(watchdog, head()).rule == "routes.upstreamTLS"
    go = threading.Event()

    def held(asked: upstream.Asked) -> None:
        assert go.wait(world.WAIT)
        asked.send(upstream.OK)

    files.write(config.dump())
    watchdog.record("config")
    api.answer = held
    with Client(watchdog) as client:
        client.socket.sendall(head())
        rig.until(lambda: len(api.asked) == 2, "it is not trusted again")
        files.write(dataclasses.replace(config, upstream_ca_pem=config.upstream_ca_pem + "\n").dump())
        watchdog.record("config")
        go.set()
        assert client.answer().status == 200, "what goes on stays trusted"
        assert client.ask(head()).status == 200
    assert api.connections >= 4, "and is not used again"
