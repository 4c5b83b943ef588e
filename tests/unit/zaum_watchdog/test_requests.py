"""Requests on routes: one reading or none."""

from collections.abc import Callable

import pytest
from hypothesis import given, strategies

from tests.unit.zaum_watchdog import routed
from zaum_api import contract
from zaum_watchdog.core import headers, refusals, requests

MALFORMED, TOO_LARGE = contract.Rule.REQUEST_MALFORMED, contract.Rule.HEAD_TOO_LARGE
raw, HOST = routed.raw, routed.HOST
Read = Callable[[bytes], requests.Request | refusals.Refusal]


def test_what_an_sdk_sends_is_read() -> None:
    request = routed.understood(
        raw("Content-Length: 12", "Accept: application/json", "X-Empty:", "X-Odd: \t a b \xe9 ")
    )
    assert (request.method, request.target.path, request.length) == ("POST", "/openai/chat/completions", 12)
    assert (b"x-empty", b"") in request.headers
    assert (b"x-odd", b"a b \xe9") in request.headers
    assert (request.keep, request.expects, request.text) == (True, False, False)


@pytest.mark.parametrize(
    ("lines", "length", "expects", "keep"),
    [
        ((), 0, False, True),
        (("Transfer-Encoding: Chunked",), requests.CHUNKED, False, True),
        (("Content-Length: 0", "Expect: 100-continue"), 0, False, True),
        (("Content-Length: 7", "Expect: 100-Continue"), 7, True, True),
        (("Connection: keep-alive, Close",), 0, False, False),
        (("Connection: x-a", "Connection: x-b, close"), 0, False, False),
    ],
)
def test_framing_expectation_and_persistence_are_read(
    lines: tuple[str, ...], length: int, expects: bool, keep: bool
) -> None:
    request = routed.understood(raw(*lines))
    assert (request.length, request.expects, request.keep) == (length, expects, keep)


WRONG = {
    "CL and TE": raw("Content-Length: 5", "Transfer-Encoding: chunked"),
    "TE and CL": raw("Transfer-Encoding: chunked", "Content-Length: 5"),
    "CL twice, the same": raw("Content-Length: 5", "Content-Length: 5"),
    "CL twice, different": raw("Content-Length: 5", "Content-Length: 6"),
    "CL as a list": raw("Content-Length: 5, 5"),
    "CL with a sign": raw("Content-Length: +5"),
    "CL negative": raw("Content-Length: -5"),
    "CL hex": raw("Content-Length: 0x5"),
    "CL with a leading zero": raw("Content-Length: 05"),
    "CL of nothing": raw("Content-Length:"),
    "CL beyond all bounds": raw("Content-Length: 9999999999999999"),
    "TE gzip, chunked": raw("Transfer-Encoding: gzip, chunked"),
    "TE twice": raw("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "TE identity": raw("Transfer-Encoding: identity"),
    "TE with a tab inside": raw("Transfer-Encoding: chun\tked"),
    "TE with a space before the colon": raw("Transfer-Encoding : chunked"),
    "obs-fold": raw("X-A: b", " c"),
    "obs-fold of TE": raw("Transfer-Encoding:", " chunked"),
    "first header folded": raw(host=" Host: x"),
    "bare LF in the line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "bare LFs alone": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare CR in a value": raw("X-A: b\rc"),
    "CR CR LF": raw("X-A: b\r"),
    "NUL in a value": raw("X-A: b\0c"),
    "NUL in a name": raw("X\0A: b"),
    "a control character": raw("X-A: b\x0bc"),
    "DEL": raw("X-A: b\x7f"),
    "no colon": raw("X-A"),
    "an empty name": raw(": x"),
    "a name with a space": raw("X A: b"),
    "a name with a letter outside ASCII": raw("X-\xe4: b"),
    "two Hosts": raw(HOST),
    "no Host": raw(host=""),
    "an empty Host": raw(host="Host:"),
    "a Host with a user": raw(host="Host: a@b"),
    "a Host with a path": raw(host="Host: b/c"),
    "a Host list": raw(host="Host: a, b"),
    "absolute-form": raw(start="GET http://api.example.com/openai/x HTTP/1.1"),
    "asterisk-form": raw(start="OPTIONS * HTTP/1.1"),
    "authority-form": raw(start="CONNECT api.example.com:443 HTTP/1.1"),
    "TRACE": raw(start="TRACE /openai/x HTTP/1.1"),
    "a method in lower case": raw(start="post /openai/x HTTP/1.1"),
    "an invented method": raw(start="SMUGGLE /openai/x HTTP/1.1"),
    "HTTP/1.0": raw(start="GET /openai/x HTTP/1.0"),
    "HTTP/2.0": raw(start="GET /openai/x HTTP/2.0"),
    "HTTP/1.10": raw(start="GET /openai/x HTTP/1.10"),
    "http/1.1": raw(start="GET /openai/x http/1.1"),
    "HTTP/0.9": b"GET /openai/x\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two spaces": raw(start="GET  /openai/x HTTP/1.1"),
    "a tab": raw(start="GET\t/openai/x HTTP/1.1"),
    "a space in the target": raw(start="GET /openai/x y HTTP/1.1"),
    "white space behind the version": raw(start="GET /openai/x HTTP/1.1 "),
    "an empty line before": b"\r\n" + raw(),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
    "another expectation": raw("Expect: 200-ok", "Content-Length: 1"),
    "two expectations": raw("Expect: 100-continue", "Expect: 100-continue"),
    "Connection names Host": raw("Connection: host"),
    "Connection names Content-Length": raw("Connection: close, Content-Length"),
    "Connection names no name": raw("Connection: a b"),
    "a fragment": raw(start="GET /openai/x#y HTTP/1.1"),
    "a letter outside ASCII in the path": raw(start="GET /openai/\xe4 HTTP/1.1"),
}  # fmt: skip


@pytest.mark.parametrize("read", [routed.read, routed.read_alone])
@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes, read: Read) -> None:
    refused = read(data)
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is MALFORMED
    assert refused.message
    assert refused.allowed_by


@pytest.mark.parametrize(
    "lines",
    [
        ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"),
        ("Upgrade: TLS/1.2",),
        ("HTTP2-Settings: AA",),
    ],
)
def test_an_upgrade_is_refused_with_the_rule_of_headers(lines: tuple[str, ...]) -> None:
    refused = routed.read(raw(*lines))
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is contract.Rule.ROUTE_HEADER


def test_a_head_that_is_too_large_or_has_too_many_headers_is_told_so() -> None:
    one_too_many = raw(*["X: y"] * headers.HEADERS_MAX)
    assert isinstance(routed.read(raw(*["X: y"] * (headers.HEADERS_MAX - 1))), requests.Request)
    for data in (one_too_many, raw(*["X: y"] * 10_000), raw("X: " + "y" * headers.HEAD_MAX)):
        refused = routed.read(data)
        assert isinstance(refused, refusals.Refusal)
        assert refused.rule is TOO_LARGE


def test_a_head_may_be_as_large_as_the_bound_and_no_larger() -> None:
    room = headers.HEAD_MAX - len(raw("X: "))
    assert isinstance(routed.read(raw("X: " + "y" * room)), requests.Request)
    refused = routed.read(raw("X: " + "y" * (room + 1)))
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is TOO_LARGE


def test_a_head_that_two_parsers_read_differently_is_refused() -> None:
    data = raw("X-A: b")
    for other in (None, requests.Parsed(b"POST", b"/openai/chat/completions", [b"host"])):
        refused = requests.read(data, other)
        assert isinstance(refused, refusals.Refusal)
        assert refused.rule is MALFORMED


def test_what_is_no_head_is_not_read_as_one() -> None:
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r\n\r\n"):
        assert isinstance(requests.read(data, None), refusals.Refusal)


def verdict(data: bytes) -> tuple[object, ...]:
    length = requests.end_of_head(data)
    return (length.rule,) if isinstance(length, refusals.Refusal) else (length,)


_SPICE = [b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b" ", b":", b"X: y\r\n", b"GET / HTTP/1.1\r\n", b"x" * 4000]
_BYTES = strategies.lists(strategies.sampled_from(_SPICE), max_size=14).map(b"".join)


@given(
    data=strategies.one_of(
        _BYTES,
        _BYTES.map(lambda rest: b"GET /openai/x HTTP/1.1\r\n" + rest),
        strategies.sampled_from([*WRONG.values()]),
    ),
    cuts=strategies.lists(strategies.integers(0, 20_000), max_size=6),
)  # fmt: skip
def test_the_verdict_on_a_head_does_not_depend_on_the_pieces_in_which_it_came(data: bytes, cuts: list[int]) -> None:
    whole = verdict(data)
    for cut in sorted(cuts):
        early = verdict(data[:cut])
        assert early in {(None,), whole}
