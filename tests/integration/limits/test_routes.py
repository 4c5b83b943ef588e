"""Bytes, requests and connections of routes, by a real ledger."""

import contextlib
import dataclasses
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from tests.integration.limits import conftest
from tests.integration.limits.conftest import NAMED, Pods
from tests.integration.watchdog import rig, upstream, world
from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import documents
from zaum_api.documents import Kind, Meter, Window

BODY = bytes(100_000)


@pytest.fixture
def remote(authority: Authority) -> Iterator[upstream.Upstream]:
    running = upstream.Upstream(authority.server(NAMED))
    yield running
    running.server.close()


@pytest.fixture
def outside(remote: upstream.Upstream) -> upstream.Upstream:
    return remote


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    allowed = documents.Allowed(("GET", "POST"), "/*")
    route = documents.Route("tools", NAMED, 443, "", (allowed,))
    return dataclasses.replace(config, routes=(route,), upstream_ca_pem=authority.pem)


def asked(watchdog: rig.Watchdog, method: str = "GET", body: bytes | None = None) -> rig.Answer:
    connection = http.client.HTTPConnection("127.0.0.1", watchdog.routes, timeout=world.WAIT)
    with contextlib.closing(connection):
        connection.request(method, "/tools/x", body)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return rig.Answer(response.status, headers, response.read())


@pytest.mark.parametrize("kind", [Kind.BYTES_OUT, Kind.BYTES_IN])
def test_i07_bytes_on_routes_stop_at_the_limit(
    service: ledger.Process, pods: Pods, remote: upstream.Upstream, kind: Kind
) -> None:
    limit = Meter("policy", kind, Window.HOUR, 550_000)
    told = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    up = kind is Kind.BYTES_OUT
    remote.answer = lambda request: request.send(upstream.OK if up else told)
    watchdog = pods.start(limits=documents.Limits((limit,), 1, 1))
    watchdog.record("ledger")
    taken = 0
    with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
        while (answer := asked(watchdog, "POST", BODY if up else b"")).status == 200:
            taken += 1
    assert taken == 5, "of a hundred thousand bytes and some for TLS each"
    assert len(remote.received) <= 550_000
    answer = asked(watchdog)
    assert (answer.status, answer.rule) == (402, f"limits.bytes.{'out' if up else 'in'}PerHour")
    assert service.process.poll() is None


def test_i07_requests_of_routes_and_tunnels_are_one_rate(service: ledger.Process, pods: Pods) -> None:
    watchdog = pods.start(requests=documents.RequestRate(12, 3), connections=1)
    watchdog.record("ledger")
    refused = asked(watchdog)
    assert (refused.status, refused.rule) == (429, "limits.requests.perMinute"), "a ledger that is new knows no past"
    assert int(refused.headers["retry-after"]) in range(1, 6)
    deadline = time.monotonic() + 20
    while asked(watchdog).status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    answer = watchdog.connect(conftest.TARGET)
    assert (answer.status, answer.rule) == (429, "limits.requests.perMinute"), "a route's request is one of them"
    assert service.process.poll() is None


def test_a_request_that_waits_for_the_ledger_can_go_away(pods: Pods) -> None:
    watchdog = pods.start()
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as dialled:
        dialled.sendall(b"GET /tools/x HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = asked(watchdog)
    assert (answer.status, answer.rule) == (503, "limits.ledgerUnavailable")
    rig.until(lambda: watchdog.metric("zaum_tunnels") == 0, "and what waited is gone")
