"""What the agent can and cannot get out through the proxy."""

import contextlib
import dataclasses
import json
import socket
import ssl

import pytest

from tests.integration.watchdog import conftest, rig, world
from tests.support.authority import Authority
from zaum_api import contract, documents

TARGET = "api.example.com:443"


def echo_once(tunnel: socket.socket, authority: Authority, data: bytes = b"hello") -> bytes:
    with authority.client().wrap_socket(tunnel, server_hostname="api.example.com") as tls:
        tls.sendall(data)
        received = b""
        while len(received) < len(data):
            received += tls.recv(65536)
        return received


def test_a_named_host_is_reached_end_to_end(
    watchdog: rig.Watchdog, gateway: world.Gateway, authority: Authority
) -> None:
    assert echo_once(watchdog.tunnel(TARGET), authority) == b"hello"
    assert gateway.heads == [
        b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n"
        b"Proxy-Authorization: Bearer token-1\r\n\r\n"
    ]
    assert watchdog.record("decision", rule="egress.allowed")["host"] == "api.example.com"
    closed = watchdog.record("tunnel")
    assert min(closed["bytesOut"], closed["bytesIn"]) > 500


def test_i05_a_host_that_is_not_named_is_refused_and_the_gateway_hears_nothing(
    watchdog: rig.Watchdog, gateway: world.Gateway
) -> None:
    answer = watchdog.connect("evil.example.com:443")
    assert (answer.status, answer.rule) == (403, "egress.hosts")
    assert answer.json["policy"] == "agents/researcher"
    assert "evil.example.com" in answer.json["allowedBy"]
    assert watchdog.record("decision", rule="egress.hosts")["status"] == 403
    assert gateway.heads == []


@pytest.mark.parametrize(
    ("raw", "status", "rule"),
    [
        (b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 403, "egress.plainHTTP"),
        (b"POST http://api.example.com/ HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 403, "egress.plainHTTP"),
        (rig.connect_head("api.example.com:80"), 403, "egress.ports"),
        (rig.connect_head("127.0.0.1:443"), 403, "egress.addressAsHost"),
        (rig.connect_head("0x7f.1:443"), 403, "egress.addressAsHost"),
        (rig.connect_head("kubernetes.default.svc:443"), 403, "egress.hostSyntax"),
        (b"CONNECT api.example.com:443 HTTP/1.1\r\n\r\n", 400, "request.malformed"),
        (b"CONNECT api.example.com:443 HTTP/1.1\nHost: api.example.com:443\n\n", 400, "request.malformed"),
        (b"\x16\x03\x01\x00\x05hello", 400, "request.malformed"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, 400, "request.malformed"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 400, "request.malformed"),
    ],
)  # fmt: skip
def test_what_is_no_clean_connect_to_a_named_host_is_answered_with_its_rule(
    watchdog: rig.Watchdog, gateway: world.Gateway, raw: bytes, status: int, rule: str
) -> None:
    answer = watchdog.ask(raw)
    assert (answer.status, answer.rule, answer.json["rule"]) == (status, rule, rule)
    assert watchdog.record("decision")["rule"] == rule
    assert gateway.heads == []


@pytest.mark.parametrize(
    ("first", "rule"),
    [
        (rig.client_hello("other.example.com"), "egress.sniMismatch"),
        (b"GET / HTTP/1.1\r\n", "egress.clientHello"),
        (b"SSH-2.0-client\r\n", "egress.clientHello"),
    ],
)
def test_i06_a_tunnel_that_starts_with_anything_else_is_reset_and_the_outside_sees_no_byte(
    watchdog: rig.Watchdog, echo: world.Echo, authority: Authority, first: bytes, rule: str
) -> None:
    with watchdog.tunnel(TARGET) as tunnel:
        tunnel.sendall(first)
        with pytest.raises(ConnectionResetError):
            tunnel.recv(1)
    assert watchdog.record("decision")["rule"] == rule
    assert (echo.connected, echo.received) == (1, 0)
    assert echo_once(watchdog.tunnel(TARGET), authority) == b"hello"
    assert echo.received > 0
    watchdog.stop()
    assert decided(watchdog) == ["egress.allowed"], "one record for each request"


def test_a_tunnel_that_nobody_used_leaves_one_record(watchdog: rig.Watchdog) -> None:
    watchdog.tunnel(TARGET).close()
    watchdog.record("decision", rule="egress.sniMissing")
    watchdog.stop()
    assert decided(watchdog) == []


def test_a_tunnel_that_is_cut_before_it_was_used_leaves_one_record_of_what_cut_it(
    watchdog: rig.Watchdog, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    with watchdog.tunnel(TARGET) as tunnel:
        files.write(dataclasses.replace(config, hosts=()).dump())
        with pytest.raises(ConnectionResetError):
            tunnel.recv(1)
    watchdog.record("decision", rule="config.removed")
    watchdog.stop()
    assert decided(watchdog) == []


def decided(watchdog: rig.Watchdog) -> list[str]:
    """Give the rules of all decision records that nobody asked for, once the watchdog has ended."""
    return [record["rule"] for record in watchdog.drained() if record["kind"] == "decision"]


def test_i06_a_client_hello_in_small_pieces_is_checked_whole(watchdog: rig.Watchdog, echo: world.Echo) -> None:
    hello = rig.client_hello("api.example.com")
    with watchdog.tunnel(TARGET) as tunnel:
        tunnel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), 100):
            assert echo.received == 0
            tunnel.sendall(hello[at : at + 100])
        assert tunnel.recv(1) == b"\x16"
    assert echo.received == len(hello)


def test_bytes_sent_before_the_answer_are_the_tunnels_first(watchdog: rig.Watchdog, echo: world.Echo) -> None:
    hello = rig.client_hello("api.example.com")
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET) + hello)
        rig.read_established(dialled)
        assert dialled.recv(1) == b"\x16"
    assert echo.received == len(hello)


def test_i06_early_bytes_are_checked_too(watchdog: rig.Watchdog, echo: world.Echo) -> None:
    with watchdog.dial() as dialled:
        dialled.sendall(rig.connect_head(TARGET) + rig.client_hello("evil.example.com"))
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while more := dialled.recv(65536):
                received += more
    assert b"\x16" not in received
    watchdog.record("decision", rule="egress.sniMismatch")
    assert echo.received == 0


def test_a_head_that_drips_in_is_still_one_head(watchdog: rig.Watchdog) -> None:
    with watchdog.dial() as dialled:
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in rig.connect_head(TARGET):
            dialled.sendall(bytes([byte]))
        rig.read_established(dialled)


def test_a_lot_of_data_passes_both_ways_unharmed(watchdog: rig.Watchdog, authority: Authority) -> None:
    data = bytes(range(256)) * 4096
    tunnel = watchdog.tunnel(TARGET)
    with authority.client().wrap_socket(tunnel, server_hostname="api.example.com") as tls:
        received = bytearray()
        for at in range(0, len(data), 32768):
            tls.sendall(data[at : at + 32768])
            while len(received) < at + 32768:
                received += tls.recv(65536)
    assert bytes(received) == data
    assert watchdog.record("tunnel")["bytesOut"] > len(data)


def test_i07_over_the_rate_is_429_with_the_time_to_wait(start: conftest.Start, gateway: world.Gateway) -> None:
    watchdog = start(requests=documents.RequestRate(6, 2))
    for _ in range(2):
        watchdog.tunnel(TARGET).close()
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule) == (429, "limits.requests.perMinute")
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert len(gateway.heads) == 2


def test_the_connection_cap_holds_and_a_closed_tunnel_gives_its_place_back(start: conftest.Start) -> None:
    watchdog = start(connections=2)
    first, second = watchdog.tunnel(TARGET), watchdog.tunnel(TARGET)
    with first, second:
        answer = watchdog.connect(TARGET)
        assert (answer.status, answer.rule) == (429, "limits.connections")
        first.close()
        rig.until(lambda: watchdog.metric("zaum_tunnels") == 1, "the first tunnel is not given back")
        watchdog.tunnel(TARGET).close()


def test_i01_an_empty_policy_reaches_nothing(start: conftest.Start, gateway: world.Gateway) -> None:
    watchdog = start(hosts=())
    assert watchdog.connect(TARGET).rule == "egress.hosts"
    assert gateway.heads == []


@pytest.mark.parametrize(
    ("raw", "status", "rule"),
    [
        (
            b"HTTP/1.1 403 Forbidden\r\nx-zaum-rule: policy.gone\r\ncontent-type: application/json\r\n"
            b'content-length: 24\r\nset-cookie: a=b\r\n\r\n{"rule":"policy.gone"}  ',
            403,
            "policy.gone",
        ),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", 503, "gateway.unavailable"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503, "gateway.upstreamUnavailable"),
        (b"nonsense\r\n\r\n", 503, "gateway.unavailable"),
        (b"", 503, "gateway.unavailable"),
    ],
)
def test_what_the_gateway_refuses_is_passed_on_with_its_rule(
    watchdog: rig.Watchdog, gateway: world.Gateway, raw: bytes, status: int, rule: str
) -> None:
    gateway.answers[b"api.example.com"] = raw
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule, answer.json["rule"]) == (status, rule, rule)
    assert "set-cookie" not in answer.headers
    record = watchdog.record("decision", rule=rule)
    assert record["by"] == ("gateway" if raw.startswith(b"HTTP") else "watchdog") or raw == b"nonsense\r\n\r\n"
    # Where the gateway itself is away, another one may be there in a moment.
    assert len(gateway.heads) == (3 if rule == "gateway.unavailable" else 1)


def test_i08_without_a_gateway_there_is_no_egress(watchdog: rig.Watchdog, gateway: world.Gateway) -> None:
    gateway.server.close()
    answer = watchdog.connect(TARGET)
    assert (answer.status, answer.rule) == (503, "gateway.unavailable")


def test_i04_a_gateway_under_another_ca_hears_no_token(
    start: conftest.Start,
    config: documents.WatchdogConfig,
    gateway: world.Gateway,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"), "Stranger")
    peer = documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, stranger.pem)
    assert start(gateway=peer).connect(TARGET).rule == "gateway.unavailable"
    assert gateway.heads == []


def test_i04_a_gateway_of_another_name_hears_no_token(
    start: conftest.Start, config: documents.WatchdogConfig, gateway: world.Gateway, authority: Authority
) -> None:
    peer = documents.GatewayPeer(("127.0.0.1",), gateway.server.port, "another.zaum.dev", authority.pem)
    assert start(gateway=peer).connect(TARGET).rule == "gateway.unavailable"
    assert gateway.heads == []


def test_the_next_address_is_tried(start: conftest.Start, gateway: world.Gateway, authority: Authority) -> None:
    peer = documents.GatewayPeer(("::1", "127.0.0.1"), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem)
    assert echo_once(start(gateway=peer).tunnel(TARGET), authority) == b"hello"


def test_the_end_of_the_outside_is_the_end_of_the_tunnel(
    watchdog: rig.Watchdog, gateway: world.Gateway, authority: Authority
) -> None:
    tunnel = watchdog.tunnel(TARGET)
    with authority.client().wrap_socket(tunnel, server_hostname="api.example.com") as tls:
        tls.sendall(b"hello")
        assert tls.recv(5) == b"hello"
        gateway.server.close()
        with contextlib.suppress(ssl.SSLError, ConnectionResetError):
            assert tls.recv(1) == b""


def test_the_log_holds_one_decision_per_request(watchdog: rig.Watchdog, authority: Authority) -> None:
    echo_once(watchdog.tunnel(TARGET), authority)
    watchdog.connect("evil.example.com:443")
    watchdog.ask(b"GET http://a.example/\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n")
    watchdog.stop()
    rules = [record["rule"] for record in watchdog.drained() if record["kind"] == "decision"]
    assert sorted(rules) == ["egress.allowed", "egress.hosts", "request.malformed"]
    assert "\x1b" not in json.dumps(watchdog.records, ensure_ascii=False)
