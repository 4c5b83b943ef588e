"""Watchdogs report by the gateway, and the operator alone reads it at the authorizer."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.gateway import callers, conftest, lab, operator_side
from tests.integration.gateway.test_contacts import lone, source, uid
from tests.integration.gateway.test_gateway import NOBODY, STATUS, opened, stranger
from tests.support.authority import Authority
from zaum_api import contract, documents

__all__ = ["lone"]
Rule = contract.Rule
REPORT = documents.Report(config="digest", problem="", tested=6, escapes=(), requests=3, denied=1, would_deny=2)


def post(
    world: conftest.World,
    body: bytes,
    *,
    token: str | None = "own",
    path: str = contract.PATH_REPORT,
    method: str = "POST",
    at: str = "",
) -> callers.Answer:
    """POST as a watchdog does; `token` "own" is the pod's."""
    bearer = world.token() if token == "own" else token
    lines = [f"{method} {path} HTTP/1.1", f"Host: {contract.GATEWAY_TLS_NAME}", f"Content-Length: {len(body)}"]
    if bearer is not None:
        lines.append(f"Proxy-Authorization: Bearer {bearer}")
    connection = callers.dial(world.lab, source=at or source(world))
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return callers.read(connection)


def kept(world: conftest.World) -> dict[str, object]:
    found: dict[str, object] = operator_side.read(world)["reports"]
    return found


def rule(answer: callers.Answer) -> Rule:
    return Rule(answer.headers[contract.HEADER_RULE])


def test_a_report_reaches_the_operator_and_the_newest_counts(lone: conftest.World) -> None:
    for number in (1, 2):
        answer = post(lone, replace(REPORT, requests=number).dump())
        assert (answer.status, answer.body, rule(answer)) == (204, b"", Rule.ALLOWED)
    found = operator_side.read(lone)["reports"][uid(lone)]
    assert abs(found["at"] - time.time()) < 5
    assert (found["namespace"], found["pod"]) == ("agents", lone.pod["metadata"]["name"])
    assert documents.Report.read(found["report"], "") == replace(REPORT, requests=2)


def test_a_report_goes_with_its_pod(lone: conftest.World) -> None:
    assert post(lone, REPORT.dump()).status == 204
    assert uid(lone) in kept(lone)
    lone.lab.cluster.pods.delete(lone.pod)
    deadline = time.monotonic() + 5
    while uid(lone) in kept(lone):
        assert time.monotonic() < deadline


def padded(size: int) -> bytes:
    raw = REPORT.dump()
    return raw + b" " * (size - len(raw))


BAD: dict[str, tuple[Callable[[conftest.World], callers.Answer], Rule]] = {
    "no JSON": (lambda w: post(w, b"x"), Rule.REQUEST_MALFORMED),
    "nothing": (lambda w: post(w, b""), Rule.REQUEST_MALFORMED),
    "an unknown field": (
        lambda w: post(w, json.dumps(REPORT.write() | {"more": 1}).encode()),
        Rule.REQUEST_MALFORMED,
    ),
    "a byte too many": (lambda w: post(w, padded(documents.REPORT_MAX_BYTES + 1)), Rule.REQUEST_TOO_LARGE),
    "much too many": (lambda w: post(w, b"x" * 1_000_000), Rule.REQUEST_TOO_LARGE),
    "another method": (lambda w: post(w, REPORT.dump(), method="PUT"), Rule.REQUEST_MALFORMED),
    "another path": (lambda w: post(w, REPORT.dump(), path="/v1/reports"), Rule.REQUEST_MALFORMED),
    "a query": (lambda w: post(w, REPORT.dump(), path="/v1/report?x=y"), Rule.REQUEST_MALFORMED),
    "an expired token": (
        lambda w: post(w, REPORT.dump(), token=w.token(exp=int(time.time()) - 60)),
        Rule.TOKEN_INVALID,
    ),
    "no token": (lambda w: post(w, REPORT.dump(), token=None, at=NOBODY), Rule.TOKEN_MISSING),
    "another address": (lambda w: post(w, REPORT.dump(), at=NOBODY), Rule.SOURCE_ADDRESS),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_report_is_refused_by_its_rule(lone: conftest.World, kind: str) -> None:
    ask, expected = BAD[kind]
    answer = ask(lone)
    assert rule(answer) is expected
    assert answer.status == STATUS.get(expected, 403)
    assert answer.denial["rule"] == expected.value
    assert uid(lone) not in kept(lone)
    assert post(lone, padded(documents.REPORT_MAX_BYTES)).status == 204
    assert uid(lone) in kept(lone)


def test_in_the_open_nobody_reports(lone: conftest.World) -> None:
    body = REPORT.dump()
    head = f"Content-Length: {len(body)}\r\n".encode()
    answer = callers.ask_plain(lone.lab, contract.PATH_REPORT, head, source=NOBODY, method="POST")
    assert rule(answer) is Rule.TOKEN_MISSING
    assert uid(lone) not in kept(lone)


def test_a_body_that_does_not_come_is_given_up(lone: conftest.World) -> None:
    connection = callers.dial(lone.lab, source=source(lone))
    head = f"POST {contract.PATH_REPORT} HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
    connection.sendall(f"{head}Proxy-Authorization: Bearer {lone.token()}\r\n\r\n{{".encode())
    began = time.monotonic()
    connection.settimeout(15)
    answer = callers.read(connection)
    assert (answer.status, rule(answer)) == (408, Rule.REQUEST_TIMEOUT)
    assert time.monotonic() - began < 12


REFUSED: dict[str, Callable[[conftest.World], str | None]] = {
    "no token": lambda w: None,
    "no words": lambda w: "x",
    "a pod's token": lambda w: w.token(),
    "a pod's audience": lambda w: operator_side.token(w, aud=[contract.AUDIENCE_EGRESS]),
    "two audiences": lambda w: operator_side.token(w, aud=[contract.AUDIENCE_AUTHORIZER, contract.AUDIENCE_EGRESS]),
    "the account of another namespace": lambda w: operator_side.token(
        w, sub="system:serviceaccount:agents:zaum-operator"
    ),
    "another account": lambda w: operator_side.token(w, sub=f"system:serviceaccount:{lab.NAMESPACE}:zaum-gateway"),
    "a person": lambda w: operator_side.token(w, sub="zaum-operator"),
    "nobody": lambda w: operator_side.token(w, sub=""),
    "expired": lambda w: operator_side.token(w, exp=int(time.time()) - 60),
    "not yet": lambda w: operator_side.token(w, nbf=int(time.time()) + 60),
    "another issuer": lambda w: operator_side.token(w, iss="https://elsewhere.test"),
    "a stranger's key": lambda w: operator_side.token(w, key=stranger()),
    "alg none": lambda w: operator_side.token(w, key="", algorithm="none"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_i04_nobody_but_the_operator_reads_reports(world: conftest.World, kind: str) -> None:
    opened(world)
    assert operator_side.ask(world.lab, operator_side.token(world))[0] == 200
    status, headers, body = operator_side.ask(world.lab, REFUSED[kind](world))
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer ")
    assert body.strip()
    assert b"reports" not in body


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/v1/report"), ("POST", contract.PATH_REPORTS), ("GET", "/metrics")]
)
def test_there_is_one_page(world: conftest.World, method: str, path: str) -> None:
    opened(world)
    status, _, body = operator_side.ask(world.lab, operator_side.token(world), path=path, method=method)
    assert status == 404
    assert contract.PATH_REPORTS.encode() in body


def test_a_token_in_two_headers_is_none(world: conftest.World) -> None:
    opened(world)
    connection = operator_side.connect(world.lab)
    good = f"Authorization: Bearer {operator_side.token(world)}\r\n"
    connection.sendall(f"GET {contract.PATH_REPORTS} HTTP/1.1\r\nHost: a\r\n{good}{good}\r\n".encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_plain_http_gets_nothing(world: conftest.World) -> None:
    opened(world)
    with pytest.raises((OSError, http.client.HTTPException)):
        lab.fetch(world.lab.reports_port, contract.PATH_REPORTS)


def test_callers_that_say_nothing_do_not_keep_the_operator_out(world: conftest.World) -> None:
    opened(world)
    silent = [operator_side.connect(world.lab) for _ in range(40)]
    mute = [socket.create_connection(("127.0.0.1", world.lab.reports_port)) for _ in range(40)]
    world.lab.connections.extend([*silent, *mute])
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if operator_side.ask(world.lab, operator_side.token(world))[0] == 200:
                return
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def test_a_renewed_certificate_is_shown_at_once(fragile: conftest.World) -> None:
    opened(fragile)

    def serial() -> int:
        shown = operator_side.connect(fragile.lab).getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)

    before = serial()
    elsewhere = fragile.lab.directory / "renewed"
    elsewhere.mkdir()
    authority = Authority(elsewhere)
    certificate, key = authority.issue(contract.AUTHORIZER_TLS_NAME, "tls")
    trusted = fragile.lab.ca.read_bytes()
    fragile.lab.volumes.authorizer_has(
        tls_crt=certificate.read_bytes(), tls_key=key.read_bytes(), ca_crt=trusted + authority.ca.read_bytes()
    )
    fragile.lab.ca.write_bytes(authority.ca.read_bytes())
    assert serial() != before
    assert operator_side.ask(fragile.lab, operator_side.token(fragile))[0] == 200


def test_while_nobody_reads_reports_are_taken_and_the_newest_is_there_after(lone: conftest.World) -> None:
    for number in range(30):
        assert post(lone, replace(REPORT, requests=number).dump()).status == 204
    assert documents.Report.read(operator_side.read(lone)["reports"][uid(lone)]["report"], "").requests == 29


def test_reports_and_what_mode_report_lets_pass_are_counted(lone: conftest.World) -> None:
    policy = conftest.policy(lone.pod["metadata"]["labels"][contract.LABEL_POLICY], lone.lab.tls_port)
    effective = documents.Effective(hosts=(), mode=documents.Mode.REPORT).write()
    lone.lab.cluster.policies.put(policy | {"status": {"effective": effective}})
    assert post(lone, REPORT.dump()).status == 204
    answer = callers.ask(lone.lab, lone.authority, token=lone.token(), source=source(lone))
    assert answer.status == 200
    answer.tunnel.close()
    line = lone.lab.envoy.await_line(source=source(lone), wouldDeny=Rule.HOST_NOT_NAMED.value, code=200)
    assert (line["listener"], line["rule"]) == ("tls", Rule.ALLOWED.value)
    lone.lab.authorizer.await_line(event="decision", uid=uid(lone), wouldDeny=Rule.HOST_NOT_NAMED.value)
    _, text = lab.fetch(lone.lab.health_port, "/metrics")
    assert b'zaum_authorizer_would_deny_total{rule="egress.hosts"} 0.0' not in text
    assert b'zaum_authorizer_would_deny_total{rule="egress.hosts"}' in text
    assert b"zaum_authorizer_reports_received_total 0.0" not in text
