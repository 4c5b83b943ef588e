"""The world's HTTP: streams of bytes in, answers out, no socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.world import http1, website


class Output:
    """Stand in for a StreamWriter: keep what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        return


def conversation(sent: bytes) -> tuple[bytes, list[tuple[str, int]]]:
    """Send bytes and the end of the stream; give what came back and what was witnessed."""
    seen: list[tuple[str, int]] = []

    async def talk() -> bytes:
        reader, output = asyncio.StreamReader(limit=http1.HEAD_LIMIT), Output()
        reader.feed_data(sent)
        reader.feed_eof()
        writer: Any = output
        await http1.serve(
            reader, writer, website.respond, lambda request, answer: seen.append((request.target, answer.status))
        )
        return output.written

    return asyncio.run(talk()), seen


def test_two_requests_on_one_connection_get_two_answers() -> None:
    answers, seen = conversation(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert seen == [("/", 200), ("/", 200)]


def test_connection_close_ends_the_conversation() -> None:
    answers, seen = conversation(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n" * 2)
    assert answers.count(b"HTTP/1.1 200 OK") == 1
    assert len(seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 4\r\n\r\nbody",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n3;x=y\r\nody\r\n0\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
def test_a_body_is_read_however_it_is_framed(body: bytes) -> None:
    answers, _ = conversation(b"POST /echo HTTP/1.1\r\nConnection: close\r\n" + body)
    assert json.loads(answers.partition(b"\r\n\r\n")[2])["body"] == "body"


def test_bytes_come_by_the_number() -> None:
    answers, _ = conversation(b"GET /bytes/70000 HTTP/1.1\r\nConnection: close\r\n\r\n")
    body = answers.partition(b"\r\n\r\n")[2]
    assert body.startswith(b"10000\r\n")  # the first chunk holds 65,536
    assert len(body) == 70_000 + len(b"10000\r\n" + b"\r\n" + b"1170\r\n" + b"\r\n" + b"0\r\n\r\n")


def test_head_gets_no_body() -> None:
    answers, _ = conversation(b"HEAD / HTTP/1.1\r\n\r\n")
    assert answers.endswith(b"\r\n\r\n")
    assert b"Content-Length: 30" in answers


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x",
        b"GET / HTTP/1.1\r\nx: " + b"x" * http1.HEAD_LIMIT + b"\r\n\r\n",
    ],
    ids=["a ClientHello", "HTTP/0.9", "no colon", "negative", "no number", "cut off", "too long"],
)
def test_what_is_no_request_is_answered_400_and_witnessed(sent: bytes) -> None:
    answers, seen = conversation(sent)
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert seen == [("?", 400)]


@pytest.mark.parametrize("path", ["/none", "/bytes/x", "/bytes/999999999999", "/bytes/1/2"])
def test_there_is_no_other_page(path: str) -> None:
    assert website.respond(http1.Request(method="GET", target=path, headers={})).status == 404


@pytest.mark.parametrize("status", [0, 200])
def test_an_answer_that_is_not_complete_ends_the_connection_where_it_breaks_off(status: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one"

    async def talk() -> bytes:
        reader, output = asyncio.StreamReader(limit=http1.HEAD_LIMIT), Output()
        reader.feed_data(b"GET / HTTP/1.1\r\n\r\n" * 2)
        writer: Any = output
        broken = http1.Answer(status=status, body=parts(), complete=False)
        await http1.serve(reader, writer, lambda _: broken, lambda _, __: None)
        return output.written

    written = asyncio.run(talk())
    assert written.endswith(b"\r\n\r\n3\r\none\r\n" if status else b"")
    assert written.count(b"HTTP/1.1") == bool(status)
