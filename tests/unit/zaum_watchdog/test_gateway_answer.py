"""The gateway's answer, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_watchdog.core import gateway_answer
from zaum_watchdog.core.gateway_answer import BROKEN, Declined, Established

RULE = contract.Rule
DENIAL = b'{"rule":"policy.gone"}'


def answer(status: int, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status} Something", *lines, "", ""])
    return head.encode() + body


def denial(status: int, rule: str, *lines: str, body: bytes = DENIAL) -> bytes:
    kind = f"content-length: {len(body)}", "content-type: application/json"
    return answer(status, f"X-Zaum-Rule: {rule}", *kind, *lines, body=body)


def test_200_opens_the_tunnel_and_keeps_what_came_with_it() -> None:
    assert gateway_answer.read(answer(200)) == Established(b"")
    assert gateway_answer.read(answer(200, "server: envoy", body=b"early")) == Established(b"early")
    assert gateway_answer.read(b"HTTP/1.1 200 OK\r\nserver: envoy\r\n\r\n") == Established(b"")
    assert gateway_answer.read(b"HTTP/1.1 200 OK\r\n\r\nearly") == Established(b"early")
    assert gateway_answer.read(b"HTTP/1.1 200\r\n\r\n") == Established(b"")
    assert gateway_answer.read(b"HTTP/1.1 200 \r\n\r\n") == Established(b"")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (denial(403, "policy.gone"), Declined(403, RULE.POLICY_GONE, DENIAL, 0)),
        (denial(403, "policy.gone", body=DENIAL + b" "), Declined(403, RULE.POLICY_GONE, DENIAL + b" ", 0)),
        (
            denial(429, "limits.connections", "retry-after: 7"),
            Declined(429, RULE.CONNECTIONS, DENIAL, 7),
        ),
        (denial(429, "limits.connections", "retry-after: 999999"), Declined(429, RULE.CONNECTIONS, DENIAL, 3600)),
        (denial(429, "limits.connections", "retry-after: -1"), Declined(429, RULE.CONNECTIONS, DENIAL, 0)),
        # An outage is no verdict, whatever status the gateway gives it: clients try again after a 503.
        (denial(403, "gateway.unavailable"), Declined(503, RULE.GATEWAY_UNAVAILABLE, DENIAL, 0)),
        (answer(403, "x-zaum-rule: policy.gone"), Declined(403, RULE.POLICY_GONE, b"", 0)),
        (
            answer(403, "x-zaum-rule: policy.gone", "content-type: text/html", "content-length: 4", body=b"<p/>"),
            Declined(403, RULE.POLICY_GONE, b"", 0),
        ),
        (denial(403, "policy.gone", body=b"x" * 8193), Declined(403, RULE.POLICY_GONE, b"", 0)),
        # without a rule of ours
        (answer(403), Declined(503, RULE.GATEWAY_UNAVAILABLE, b"", 0)),
        (answer(404), Declined(503, RULE.GATEWAY_UNAVAILABLE, b"", 0)),
        (answer(403, "x-zaum-rule: made.up"), Declined(503, RULE.GATEWAY_UNAVAILABLE, b"", 0)),
        (answer(503), Declined(503, RULE.UPSTREAM_UNAVAILABLE, b"", 0)),
        (answer(502), Declined(503, RULE.UPSTREAM_UNAVAILABLE, b"", 0)),
        # no answers
        (denial(403, "egress.allowed"), BROKEN),
        (answer(302), BROKEN),
        (answer(100), BROKEN),
        (b"HTTP/2 200 OK\r\n\r\n", BROKEN),
        (b"HTTP/1.1 2000 OK\r\n\r\n", BROKEN),
        (b"SSH-2.0-OpenSSH\r\n\r\n", BROKEN),
        (b"x" * (gateway_answer.HEAD_MAX + 1), BROKEN),
        (answer(200, "x: " + "y" * gateway_answer.HEAD_MAX), BROKEN),
    ],
)
def test_a_refusal_is_relayed_with_a_rule_and_nonsense_is_an_outage(raw: bytes, expected: Declined) -> None:
    assert gateway_answer.read(raw) == expected


@pytest.mark.parametrize("raw", [answer(200), denial(403, "policy.gone")])
def test_an_answer_that_is_not_whole_is_waited_for(raw: bytes) -> None:
    assert [gateway_answer.read(raw[:size]) for size in range(len(raw))] == [None] * len(raw)
    assert gateway_answer.read(raw) is not None


@given(st.binary(max_size=300))
def test_reading_is_total_and_garbage_opens_nothing(data: bytes) -> None:
    if not data.startswith((b"HTTP/1.0 2", b"HTTP/1.1 2")):
        assert not isinstance(gateway_answer.read(data + b"\r\n\r\n"), Established)
