"""What reading a call of a model costs the watchdog: python -m bench.metering

Processor's time of this thread, the best of many runs for what is small; for what is large by MiB, with the turn that
took longest. Fails where a turn takes more than TURN_MILLIS at its best of three.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

from zaum_api import documents
from zaum_watchdog.core.limits import reservations, shares
from zaum_watchdog.core.metering import answered, asked, splicing
from zaum_watchdog.core.metering.endpoints import Endpoint

TURN_MILLIS: Final = 1.0
ROUNDS: Final = 30
MIB: Final = 2**20
READ: Final = 64 * 1024
"""Bytes that a connection gives at once."""


class Reader(Protocol):
    def feed(self, data: bytes, at: int = 0) -> int: ...


def chat(size: int) -> bytes:
    """Write a body of about that size, as SDKs do."""
    text = "Say hello to the world, please, and be kind to it. " * (1 + size // 51)
    messages = [{"role": "system", "content": "You answer in one word."}, {"role": "user", "content": ""}]
    body = {
        "messages": messages,
        "model": "gpt-5-mini",
        "max_completion_tokens": 200,
        "stream": True,
        "temperature": 0.2,
    }
    messages[1]["content"] = text[: max(0, size - len(json.dumps(body)))]
    return json.dumps(body).encode()


def stream(size: int) -> bytes:
    """Write a stream of chat of about that size."""
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini", "usage": None}
    event = json.dumps({**chunk, "choices": [{"index": 0, "delta": {"content": " hello"}, "finish_reason": None}]})
    used = {"prompt_tokens": 70, "completion_tokens": 20, "total_tokens": 90}
    last = json.dumps({**chunk, "choices": [], "usage": used})
    lines = [f"data: {event}\n\n"] * (size // len(event)) + [f"data: {last}\n\n", "data: [DONE]\n\n"]
    return "".join(lines).encode()


def vectors(size: int) -> bytes:
    """Write an answer with embeddings."""
    dice = random.Random(1)
    data = [{"embedding": [dice.uniform(-1, 1) for _ in range(1536)]} for _ in range(max(1, size // 34_000))]
    return json.dumps({"data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}}).encode()


def read(reader: Reader, data: bytes) -> float:
    """Feed all of it; give the longest turn in milliseconds."""
    longest = 0
    for start in range(0, len(data), READ):
        piece, at = data[start : start + READ], 0
        while at < len(piece):
            before = time.thread_time_ns()
            at = reader.feed(piece, at)
            longest = max(longest, time.thread_time_ns() - before)
    return longest / 1e6


def best(work: Callable[[], object], times: int = 200) -> float:
    """Give microseconds of one run in the best round."""
    found = []
    for _ in range(ROUNDS):
        before = time.thread_time_ns()
        for _ in range(times):
            work()
        found.append((time.thread_time_ns() - before) / times / 1e3)
    return min(found)


def small() -> dict[str, float]:
    """Time what every call costs, in microseconds."""
    body, events, answer = (
        chat(300),
        stream(4096),
        json.dumps({"choices": [{}], "usage": {"prompt_tokens": 1}}).encode(),
    )

    def request() -> None:
        reading = asked.Reading(Endpoint.CHAT, models=frozenset({"gpt-5-mini"}))
        reading.feed(body)
        found = reading.end()
        assert isinstance(found, asked.Asked)
        splicing.splice(reading.pieces, found.edits(100))

    def reply(form: answered.Form, data: bytes) -> None:
        reader = answered.reader(Endpoint.CHAT, form)
        reader.feed(data)
        reader.end(clean=True)

    meters = [
        documents.Meter("policy", documents.Kind.REQUESTS, documents.Window.MINUTE, 10**9, 10**6),
        documents.Meter("policy", documents.Kind.TOKENS, documents.Window.MINUTE, 10**12),
        documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, 10**12),
        documents.Meter("policy", documents.Kind.COST, documents.Window.DAY, 10**12),
    ]
    books = reservations.Books(meters, shares.Place(1, 0), 0)
    leases = tuple(documents.Lease(f"l{n}", meter.id, 10**11, 100) for n, meter in enumerate(meters[2:]))
    books.hear(documents.Synced("s", 1, leases=leases), returned=(), sent=0, now=0)
    amounts = {meter.id: 1 for meter in meters}

    def reserve() -> None:
        assert isinstance(books.reserve(1, amounts, now=1, until=10**12), reservations.Reservation)
        books.settle(1, {}, 1)

    return {
        f"chat request, {len(body)} B, read and spliced": best(request),
        f"chat stream, {len(events)} B": best(lambda: reply(answered.Form.EVENTS, events)),
        f"chat answer, {len(answer)} B": best(lambda: reply(answered.Form.JSON, answer)),
        "reserve and settle four meters": best(reserve),
    }


def large() -> dict[str, tuple[Callable[[], Reader], bytes]]:
    """Give what is large, and what is made to be slow."""

    def request() -> Reader:
        return asked.Reading(Endpoint.CHAT)

    def reply(endpoint: Endpoint, form: answered.Form) -> Callable[[], Reader]:
        return lambda: answered.reader(endpoint, form)

    events = reply(Endpoint.CHAT, answered.Form.EVENTS)
    start = b'{"model":"m","metadata":'
    return {
        "request of text": (request, chat(4 * MIB)),
        "request of escapes": (request, start + b'"' + b"\\n" * MIB + b'"}'),
        "request of numbers": (request, start + b"[" + b"0," * MIB + b"0]}"),
        "request of brackets": (request, start + b"[" + b"[]," * 200_000 + b"[]]}"),
        "request of parts": (request, b'{"messages":[' + b'{"content":[{"type":"text"}]},' * 30_000 + b"{}]}"),
        "embeddings": (reply(Endpoint.EMBEDDINGS, answered.Form.JSON), vectors(4 * MIB)),
        "stream": (events, stream(4 * MIB)),
        "stream of usages": (events, b'data: {"usage":{"prompt_tokens":1}}\n' * 20_000),
        "stream of lines": (events, b"\n" * 4 * MIB),
    }


def main() -> int:
    """Print the figures; 1 where a turn took too long."""
    for name, micros in small().items():
        print(f"{name:45} {micros:9.1f} us")
    slow = 0.0
    for name, (reader, data) in large().items():
        turns, took = [], []
        for _ in range(3):
            before = time.thread_time_ns()
            turns.append(read(reader(), data))
            took.append((time.thread_time_ns() - before) / 1e6)
        slow = max(slow, min(turns))
        print(f"{name:45} {min(took) * MIB / len(data):9.2f} ms/MiB, longest turn {min(turns):.2f} ms")
    print(f"bench: metering longest turn {slow:.2f} ms")
    return int(slow > TURN_MILLIS)


if __name__ == "__main__":
    sys.exit(main())
