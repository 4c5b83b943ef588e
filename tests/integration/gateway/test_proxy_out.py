"""Behind a corporate proxy: the gateway asks it by CONNECT for the name that was decided, and says nothing else."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.gateway import callers, conftest, loopback
from tests.integration.gateway.test_gateway import eventually, refused
from tests.integration.gateway.test_signed_heads import proof
from zaum_api import contract, documents

Rule = contract.Rule
SERVICE = "web.shop.svc.cluster.local"
ELSEWHERE = "elsewhere.example.com"


@dataclass
class Proxy:
    """What it heard, and what it answers; `OK` echoes what comes through the tunnel."""

    heads: list[bytes] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\nProxy-Agent: corp\r\n\r\n"


@contextlib.contextmanager
def corporate() -> Iterator[tuple[int, Proxy]]:
    proxy = Proxy()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = self.request.recv(4096)
                if not chunk:
                    return
                head += chunk
            proxy.heads.append(head)
            self.request.sendall(proxy.answer)
            with contextlib.suppress(OSError):
                while data := self.request.recv(4096):
                    self.request.sendall(b"by proxy: " + data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1], proxy
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[conftest.World, Proxy]]:
    with corporate() as (port, proxy):
        for world in conftest.make(tmp_path, names={SERVICE: "127.0.0.1"}, proxy=port):
            effective = documents.Effective(
                hosts=(documents.HostRule(conftest.HOST, (443,)),),
                routes=(documents.EffectiveRoute("web", SERVICE, world.lab.tcp_port, service=True),),
            )
            world.lab.cluster.policies.put(world.policy | {"status": {"effective": effective.write()}})
            eventually(lambda w=world: through(w), Rule.ALLOWED)
            proxy.heads.clear()
            yield world, proxy


def through(world: conftest.World, authority: str = f"{conftest.HOST}:443") -> callers.Answer:
    return callers.ask(world.lab, authority, token=world.token(), headers=[("Cookie", "a=b"), ("Authorization", "x")])


def test_the_proxy_is_asked_for_the_name_and_told_nothing_else(behind: tuple[conftest.World, Proxy]) -> None:
    world, proxy = behind
    answer = through(world)
    assert answer.status == 200
    answer.tunnel.sendall(b"hello")
    assert answer.tunnel.recv(100) == b"by proxy: hello"
    first, *lines = proxy.heads[0].decode().strip().split("\r\n")
    assert first == f"CONNECT {conftest.HOST}:443 HTTP/1.1"
    assert {line.partition(":")[0].lower() for line in lines} <= {"host"}, lines
    assert conftest.HOST not in world.lab.asked, "the proxy looks names up"


def test_a_signed_head_leads_there_too_and_its_signature_does_not(behind: tuple[conftest.World, Proxy]) -> None:
    world, proxy = behind
    authority = f"{conftest.HOST}:443"
    answer = callers.ask_plain(world.lab, authority, proof(given(world), authority))
    assert answer.status == 200
    answer.tunnel.sendall(b"hello")
    assert answer.tunnel.recv(100) == b"by proxy: hello"
    assert b"ignature" not in proxy.heads[0]


def given(world: conftest.World) -> documents.Session:
    answer = callers.ask(
        world.lab, contract.PATH_SESSION, token=world.token(), method="GET", host=contract.GATEWAY_TLS_NAME
    )
    return documents.Session.parse(answer.body)


def test_i05_what_is_not_named_is_not_asked_of_the_proxy(behind: tuple[conftest.World, Proxy]) -> None:
    world, proxy = behind
    refused(through(world, f"{ELSEWHERE}:443"), Rule.HOST_NOT_NAMED)
    refused(through(world, "10.0.0.1:443"), Rule.HOST_IS_ADDRESS)
    assert proxy.heads == []
    assert through(world).status == 200
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway", "302 Found"]
)
def test_what_the_proxy_refuses_is_an_upstream_that_is_not_there(
    behind: tuple[conftest.World, Proxy], status: str
) -> None:
    world, proxy = behind
    proxy.answer = f"HTTP/1.1 {status}\r\nX-Corp: secret\r\nContent-Length: 4\r\n\r\nbody".encode()
    answer = through(world)
    assert (answer.status, answer.headers[contract.HEADER_RULE]) == (503, Rule.UPSTREAM_UNAVAILABLE.value)
    assert answer.denial["rule"] == Rule.UPSTREAM_UNAVAILABLE.value
    assert "x-corp" not in answer.headers


def test_a_service_of_the_cluster_is_dialled_directly(behind: tuple[conftest.World, Proxy]) -> None:
    world, proxy = behind
    answer = through(world, f"{SERVICE}:{world.lab.tcp_port}")
    assert answer.status == 200
    answer.tunnel.sendall(b"inside")
    assert answer.tunnel.recv(100) == b"inside"
    assert proxy.heads == []
    assert SERVICE in world.lab.asked


def test_a_proxy_that_is_away_is_an_outage(behind: tuple[conftest.World, Proxy], tmp_path: Path) -> None:
    assert through(behind[0]).status == 200
    with loopback.echo() as free:
        gone = free
    directory = tmp_path / "away"
    directory.mkdir()
    for away in conftest.make(directory, proxy=gone):
        answer = eventually(lambda w=away: through(w, w.authority), Rule.UPSTREAM_UNAVAILABLE)
        assert answer.status == 503
