"""Upstreams' answers: one reading or none, and a head of ours for the agent."""

import pytest

from zaum_watchdog.core import bodies, responses

CHUNKED = b"transfer-encoding: chunked"


def raw(*lines: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


def read(data: bytes, method: str = "GET") -> responses.Answer | responses.Malformed:
    length = responses.end_of_head(data)
    if isinstance(length, responses.Malformed):
        return length
    assert length is not None
    return responses.read(data[:length], method=method)


def understood(data: bytes, method: str = "GET") -> responses.Answer:
    found = read(data, method)
    assert isinstance(found, responses.Answer), found
    return found


@pytest.mark.parametrize(
    ("start", "lines", "method", "ends", "line"),
    [
        ("HTTP/1.1 200 OK", ("Content-Length: 5",), "GET", responses.Ends.LENGTH, b"content-length: 5"),
        ("HTTP/1.1 200", ("Content-Length: 5",), "GET", responses.Ends.LENGTH, b"content-length: 5"),
        ("HTTP/1.1 200 OK", ("Transfer-Encoding: chunked",), "GET", responses.Ends.CHUNKED, CHUNKED),
        ("HTTP/1.1 200 OK", (), "GET", responses.Ends.CLOSE, CHUNKED),
        ("HTTP/1.0 200 OK", (), "GET", responses.Ends.CLOSE, CHUNKED),
        ("HTTP/1.1 200 OK", ("Content-Length: 5",), "HEAD", responses.Ends.AT_ONCE, b"content-length: 5"),
        ("HTTP/1.1 200 OK", ("Transfer-Encoding: chunked",), "HEAD", responses.Ends.AT_ONCE, None),
        ("HTTP/1.1 204 No Content", ("Content-Length: 5",), "GET", responses.Ends.AT_ONCE, None),
        ("HTTP/1.1 304 Not Modified", ("Content-Length: 5",), "GET", responses.Ends.AT_ONCE, b"content-length: 5"),
        ("HTTP/1.1 304 Not Modified", (), "GET", responses.Ends.AT_ONCE, None),
        ("HTTP/1.1 100 Continue", (), "POST", responses.Ends.AT_ONCE, None),
    ],
)  # fmt: skip
def test_the_body_ends_where_rfc_9112_has_it(
    start: str, lines: tuple[str, ...], method: str, ends: responses.Ends, line: bytes | None
) -> None:
    answer = understood(raw(*lines, start=start), method)
    assert answer.ends is ends
    framing = [
        part
        for part in responses.head(answer, method=method, keep=True).split(b"\r\n")
        if part.startswith((b"content-length", b"transfer-encoding"))
    ]
    assert framing == ([line] if line else [])
    assert responses.chunked(answer) == (line == CHUNKED)
    kind = {responses.Ends.CHUNKED: bodies.Chunked, responses.Ends.CLOSE: bodies.UntilClose}.get(ends, bodies.Sized)
    assert isinstance(answer.body(), kind)


def test_interim_answers_are_told_from_the_real_one() -> None:
    assert understood(raw(start="HTTP/1.1 103 Early Hints")).interim
    assert not understood(raw("Content-Length: 0")).interim


@pytest.mark.parametrize(
    ("lines", "start", "keep"),
    [
        (("Content-Length: 0",), "HTTP/1.1 200 OK", True),
        (("Content-Length: 0", "Connection: close"), "HTTP/1.1 200 OK", False),
        (("Content-Length: 0",), "HTTP/1.0 200 OK", False),
        ((), "HTTP/1.1 200 OK", False),
    ],
)
def test_a_connection_is_kept_only_where_the_answers_end_is_certain(
    lines: tuple[str, ...], start: str, keep: bool
) -> None:
    assert understood(raw(*lines, start=start)).keep is keep


def test_what_an_upstream_may_not_tell_the_agent_is_dropped() -> None:
    dropped = (
        "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Set-Cookie: a=b", "Alt-Svc: h3=\":443\"",
        "X-Zaum-Rule: egress.allowed", "Proxy-Authenticate: Basic", "Trailer: X", "Upgrade: h2c",
    )  # fmt: skip
    answer = understood(
        raw("Content-Type: text/plain", *dropped, "Location: https://evil.example/", "Content-Length: 2")
    )
    assert responses.head(answer, method="GET", keep=False) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nlocation: https://evil.example/\r\n"
        b"content-length: 2\r\nconnection: close\r\n\r\n"
    )
    assert answer.keep_seconds == 5


def test_a_head_without_headers_ends_with_one_blank_line() -> None:
    answer = understood(raw(start="HTTP/1.1 204 No Content"))
    assert responses.head(answer, method="GET", keep=True) == b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize(("value", "coded"), [("gzip", True), ("identity", False), ("Identity", False), ("br", True)])
def test_content_that_cannot_be_searched_is_recognised(value: str, coded: bool) -> None:
    assert understood(raw(f"Content-Encoding: {value}")).coded is coded


WRONG = {
    "CL and TE": raw("Content-Length: 5", "Transfer-Encoding: chunked"),
    "CL twice": raw("Content-Length: 5", "Content-Length: 5"),
    "CL no number": raw("Content-Length: five"),
    "TE gzip": raw("Transfer-Encoding: gzip"),
    "TE in HTTP/1.0": raw("Transfer-Encoding: chunked", start="HTTP/1.0 200 OK"),
    "obs-fold": raw("X: a", " b"),
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "NUL": raw("X: \0"),
    "a space before the colon": raw("X : a"),
    "HTTP/2.0": raw(start="HTTP/2.0 200 OK"),
    "HTTP/0.9": b"<html>",
    "ICY": raw(start="ICY 200 OK"),
    "status of two digits": raw(start="HTTP/1.1 20 OK"),
    "status 600": raw(start="HTTP/1.1 600 OK"),
    "101": raw("Upgrade: websocket", start="HTTP/1.1 101 Switching Protocols"),
    "Connection names Content-Length": raw("Content-Length: 1", "Connection: content-length"),
    "too large": raw("X: " + "y" * 65536),
    "too many headers": raw(*["X: y"] * 301),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_could_be_read_in_two_ways_is_not_passed_on(data: bytes) -> None:
    found = read(data)
    assert isinstance(found, responses.Malformed)
    assert found.problem


def test_a_head_is_waited_for() -> None:
    data = raw("Content-Length: 0")
    assert [responses.end_of_head(data[:cut]) for cut in range(len(data))] == [None] * len(data)
    assert responses.end_of_head(data + b"x") == len(data)


def test_what_is_no_head_is_not_read_as_one() -> None:
    assert isinstance(responses.read(b"HTTP/1.1 \r\n\r\n", method="GET"), responses.Malformed)
