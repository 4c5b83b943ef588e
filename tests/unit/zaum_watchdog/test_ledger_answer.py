"""What is said to the ledger, and its answers as they arrive."""

import pytest

from zaum_api import documents
from zaum_watchdog.core import ledger_answer
from zaum_watchdog.core.ledger_answer import BROKEN, Answer, Reader

TOKEN = b"Authorization: Bearer t\r\n"


def test_requests_are_whole() -> None:
    raw = ledger_answer.sync(TOKEN, b"{}")
    assert raw.startswith(b"POST /v1/sync HTTP/1.1\r\nHost: ledger.zaum.dev\r\n")
    assert raw.endswith(b"Content-Length: 2\r\nAuthorization: Bearer t\r\n\r\n{}")
    raw = ledger_answer.orders(TOKEN, "s", 3)
    assert raw.startswith(b"GET /v1/orders?session=s&after=3 HTTP/1.1\r\n")
    assert raw.endswith(TOKEN + b"\r\n")


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Answer(200, b"{}", 0, True)),
        (b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", Answer(200, b"", 0, True)),
        (b"HTTP/1.1 503 No\r\nContent-Length: 1\r\nRetry-After: 7\r\nConnection: Close\r\n\r\nx", Answer(503, b"x", 7)),
        (b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: 86400\r\n\r\n", Answer(429, b"", 60, True)),
        (b"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: soon\r\n\r\n", Answer(429, b"", 0, True)),
    ],
)
def test_an_answer_is_read_in_any_pieces(raw: bytes, answer: Answer) -> None:
    assert Reader().feed(raw) == answer
    reader = Reader()
    for at in range(len(raw) - 1):
        assert reader.feed(raw[at : at + 1]) is None
    assert reader.feed(raw[-1:]) == answer


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (documents.SYNCED_MAX_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxx",
        b"x" * (ledger_answer.HEAD_MAX + 1),
    ],
)
def test_what_is_no_answer_is_broken(raw: bytes) -> None:
    assert Reader().feed(raw) is BROKEN
