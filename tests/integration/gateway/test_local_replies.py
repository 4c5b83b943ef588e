"""Whatever Envoy itself answers says which rule decided, on both listeners; a name that leads inward leads nowhere."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.gateway import callers, conftest, lab, loopback
from tests.integration.gateway.test_gateway import eventually, refused
from tests.support import envoy_file
from zaum_api import contract, documents

Rule = contract.Rule
INWARD = "inward.example.com"
INSIDE = "127.64.0.9"
NOBODY = "127.0.0.99"
"""No pod's address: what comes from there is nobody's breach."""
SERVICE = "web.shop.svc.cluster.local"


@pytest.fixture(scope="module")
def inward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[conftest.World, int]]:
    """A gateway that is asked for a name which leads to a server inside, and that server's port."""
    directory = tmp_path_factory.mktemp("inward")
    names = conftest.RECORDS | {INWARD: INSIDE, SERVICE: INSIDE}
    with loopback.echo(address=INSIDE) as port:
        for world in conftest.make(directory, names=names):
            agent = conftest.pod("inward", "127.0.0.6")
            policy = conftest.policy("inward", port, host=INWARD)
            world.lab.cluster.policies.put(policy)
            world.lab.cluster.pods.put(agent)
            yield conftest.World(world.lab, world.key, agent, policy), port


def test_i05_a_named_host_that_leads_inward_is_refused_by_its_address(inward: tuple[conftest.World, int]) -> None:
    world, port = inward

    def ask() -> callers.Answer:
        return callers.ask(world.lab, f"{INWARD}:{port}", token=world.token(), source="127.0.0.6")

    with socket.create_connection((INSIDE, port), timeout=5) as control:
        control.sendall(b"it is there")
        assert control.recv(100) == b"it is there"
    answer = eventually(ask, Rule.UPSTREAM_ADDRESS)
    refused(answer, Rule.UPSTREAM_ADDRESS)
    assert answer.denial["policy"] == "agents/inward"
    line = world.lab.envoy.await_line(rule=Rule.UPSTREAM_ADDRESS.value)
    assert line["authority"] == f"{INWARD}:{port}"
    assert line["upstream"] is None


def test_a_service_that_a_route_leads_to_is_reached_inside(inward: tuple[conftest.World, int]) -> None:
    world, port = inward
    agent, policy = conftest.pod("routed", "127.0.0.5"), conftest.policy("routed", 443)
    route = documents.EffectiveRoute(name="web", host=SERVICE, port=port, service=True)
    policy["status"]["effective"] = documents.Effective(hosts=(), routes=(route,)).write()
    world.lab.cluster.policies.put(policy)
    world.lab.cluster.pods.put(agent)
    here = conftest.World(world.lab, world.key, agent, policy)

    def ask() -> callers.Answer:
        return callers.ask(world.lab, f"{SERVICE}:{port}", token=here.token(), source="127.0.0.5")

    answer = eventually(ask, Rule.ALLOWED)
    assert answer.status == 200
    answer.tunnel.sendall(b"to the Service")
    assert answer.tunnel.recv(100) == b"to the Service"


CONNECT = b"CONNECT docs.example.com:443 HTTP/1.1\r\n"
MALFORMED: dict[str, bytes] = {
    "an underscore in a header": CONNECT + b"Host: docs.example.com:443\r\nX_A: 1\r\n\r\n",
    "two lengths": CONNECT + b"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "no HTTP": b"what is this\r\n\r\n",
    "a version of the future": b"CONNECT docs.example.com:443 HTTP/9.9\r\nHost: a\r\n\r\n",
    "a line break in a value": CONNECT + b"Host: a\r\nX-A: 1\n2\r\n\r\n",
    "a head that is too large": CONNECT + b"Host: a\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n",
    "too many headers": CONNECT + b"Host: a\r\n" + b"X-A: 1\r\n" * 80 + b"\r\n",
    "a length and chunks": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "an unknown coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
}  # fmt: skip

Send = Callable[[lab.Lab, bytes], callers.Answer]


def over_tls(running: lab.Lab, raw: bytes) -> callers.Answer:
    connection = callers.dial(running, source=NOBODY)
    connection.sendall(raw)
    return callers.read(connection)


def in_the_plain(running: lab.Lab, raw: bytes) -> callers.Answer:
    connection = socket.create_connection(("127.0.0.1", running.signed_port), timeout=10, source_address=(NOBODY, 0))
    running.connections.append(connection)
    connection.sendall(raw)
    return callers.read(connection)


@pytest.mark.parametrize("send", [over_tls, in_the_plain])
@pytest.mark.parametrize("kind", MALFORMED)
def test_what_envoy_itself_refuses_carries_a_rule(world: conftest.World, kind: str, send: Send) -> None:
    answer = send(world.lab, MALFORMED[kind])
    assert answer.status >= 400
    rule = Rule.HEAD_TOO_LARGE if answer.status == 431 else Rule.REQUEST_MALFORMED
    assert answer.headers.get(contract.HEADER_RULE) == rule.value, (answer.status, answer.headers)
    assert answer.denial["rule"] == rule.value
    assert answer.denial["message"]


def test_a_head_that_does_not_end_is_answered_and_silence_is_closed(world: conftest.World) -> None:
    started = CONNECT + b"Host: a\r\n"
    slow = [callers.dial(world.lab, source=NOBODY), plain_connection(world.lab)]
    silent = [callers.dial(world.lab, source=NOBODY), plain_connection(world.lab)]
    for each in slow:
        each.sendall(started)
    for each in (*slow, *silent):
        each.settimeout(25)
    for each in slow:
        answer = callers.read(each)
        assert (answer.status, answer.headers[contract.HEADER_RULE]) == (408, Rule.REQUEST_TIMEOUT.value)
        assert answer.denial["message"]
    for each in silent:
        assert each.recv(100) == b""


def plain_connection(running: lab.Lab) -> socket.socket:
    address = ("127.0.0.1", running.signed_port)
    connection = socket.create_connection(address, timeout=10, source_address=(NOBODY, 0))
    running.connections.append(connection)
    return connection


def test_the_log_says_which_listener_a_request_came_by(world: conftest.World) -> None:
    callers.ask(world.lab, world.authority, token=None, source=NOBODY)
    callers.ask_plain(world.lab, world.authority, b"", source=NOBODY)
    for listener in contract.Listener:
        line = world.lab.envoy.await_line(source=NOBODY, rule=Rule.TOKEN_MISSING.value, listener=listener.value)
        assert (line["code"], line["uid"], line["wouldDeny"]) == (407, None, None)


def test_a_listener_that_is_full_leaves_the_other_one_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, most = envoy_file.text, 3
    monkeypatch.setattr(
        envoy_file, "text", lambda given: whole(given).replace("connection_limit: 8000", f"connection_limit: {most}")
    )
    for world in conftest.make(tmp_path):
        kept = [plain_connection(world.lab) for _ in range(most)]
        beyond = plain_connection(world.lab)
        assert beyond.recv(1) == b""
        for each in kept:
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(1)
        assert callers.ask(world.lab, world.authority, token=None, source=NOBODY).status == 407
