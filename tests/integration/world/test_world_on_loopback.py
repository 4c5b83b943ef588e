"""The world as a process, on loopback: what is asked is answered and written down."""

import http.client
import json
import pathlib
import select
import signal
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.world import dns, witness

START_SECONDS = 20
ROOT = pathlib.Path(__file__).parents[3]


class World:
    """A running world and where its places are bound."""

    def __init__(self, state: pathlib.Path) -> None:
        self.state = state
        self._places: list[dict[str, Any]] = json.loads((state / "places.json").read_text())

    def at(self, service: str, kind: str) -> tuple[str, int]:
        """Give the socket that stands for a service's first place of a kind."""
        place = next(each for each in self._places if (each["service"], each["kind"]) == (service, kind))
        return place["boundAddress"], place["boundPort"]

    def protocols(self, service: str) -> list[str]:
        """List what the witness saw of a service."""
        return [each.proto for each in witness.sightings(self.state) if each.service == service]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("world")
    command = [sys.executable, "-m", "tests.cluster.world", "--state", str(state), "--loopback-test"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        assert readable, "the world is not ready in time"
        assert process.stdout.readline() == "world: ready\n"
        yield World(state)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0
    assert not (state / "ready").exists()


def test_it_leaves_no_private_key_behind(world: World) -> None:
    assert (world.state / "ready").exists()
    for path in world.state.iterdir():
        assert "PRIVATE KEY" not in path.read_text()
        assert stat.S_ISREG(path.stat().st_mode)


def test_the_website_answers_over_tls_under_its_own_authority(world: World) -> None:
    context = ssl.create_default_context(cafile=world.state / "ca.crt")
    with (
        socket.create_connection(world.at("website", "https")) as plain,
        context.wrap_socket(plain, server_hostname="docs.example.com") as channel,
    ):
        channel.sendall(b"GET / HTTP/1.1\r\nHost: docs.example.com\r\nConnection: close\r\n\r\n")
        assert channel.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert world.protocols("website") == ["tcp", "tls", "https"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_names_are_answered_over_both_transports(world: World, transport: str) -> None:
    question = dns.query("docs.example.com", dns.TYPE_A, ident=7)
    if transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(START_SECONDS)
            channel.sendto(question, world.at("dns", "dns-udp"))
            answer = channel.recv(4096)
    else:
        with socket.create_connection(world.at("dns", "dns-tcp"), timeout=START_SECONDS) as stream:
            stream.sendall(len(question).to_bytes(2) + question)
            answer = stream.recv(4096)[2:]
    assert answer.endswith(socket.inet_aton("198.51.100.10"))


def test_the_outlaw_takes_and_echoes(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(START_SECONDS)
        channel.sendto(b"loot", world.at("outlaw", "udp-echo"))
        assert channel.recv(100) == b"loot"
    with socket.create_connection(world.at("outlaw", "tcp-sink"), timeout=START_SECONDS) as stream:
        assert stream.recv(100).startswith(b"220 ")
    assert {"udp", "tcp"} <= set(world.protocols("outlaw"))


def test_the_metadata_service_hands_out_what_opens_nothing(world: World) -> None:
    connection = http.client.HTTPConnection(*world.at("metadata", "http"), timeout=START_SECONDS)
    connection.request("GET", "/latest/meta-data/")
    assert json.loads(connection.getresponse().read())["AccessKeyId"] == "FAKE-KEY-ID"
    connection.close()
    assert world.protocols("metadata") == ["tcp", "http"]


def test_it_refuses_the_machine_s_own_network(tmp_path: pathlib.Path) -> None:
    names = {name for _, name in socket.if_nameindex()}
    if names == {"lo"}:
        pytest.skip("this machine has no interface beside loopback that could be refused")
    command = [sys.executable, "-m", "tests.cluster.world", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "ready").exists()
