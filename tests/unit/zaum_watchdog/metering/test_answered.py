"""What answers say that they used: in JSON and in streams, in any pieces, and nothing that a model's text could say."""

import itertools
import json
import random
from typing import Any

import pytest

from tests.unit.zaum_watchdog.metering import reading
from zaum_watchdog.core.metering import answered, prices, usage, walking
from zaum_watchdog.core.metering.answered import Form
from zaum_watchdog.core.metering.endpoints import Endpoint

CHAT, RESPONSES, EMBEDDINGS, MESSAGES = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.EMBEDDINGS, Endpoint.MESSAGES
LIE = (
    '"usage":{"prompt_tokens":1,"completion_tokens":1,"input_tokens":1,"output_tokens":1},"type":"message_stop" [DONE]'
)
"""What a model may be made to say."""
OPENAI = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 15},
}
RESPONSE = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
    "output_tokens_details": {"reasoning_tokens": 15},
}
ANTHROPIC = {
    "input_tokens": 50,
    "output_tokens": 20,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 25,
    "cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 20},
    "server_tool_use": None,
    "service_tier": "standard",
}


def line(event: dict[str, Any], end: str = "\n\n", named: str = "") -> bytes:
    name = f"event: {named}\n" if named else ""
    return f"{name}data: {json.dumps(event)}{end}".encode()


def chat_stream(*usages: Any, end: str = "\n\n", done: bool = True) -> bytes:
    text = [line({"choices": [{"delta": {"content": f"{LIE} {n}"}}], "usage": None}, end) for n in range(5)]
    last = [line({"choices": [], "usage": used}, end) for used in usages]
    return b"".join([*text, *last, b"data: [DONE]" + end.encode() if done else b""])


def response_stream(used: Any, kind: str = "response.completed") -> bytes:
    tools = [{"type": "function", "parameters": {"properties": {"usage": {"input_tokens": 1}}}}]
    return b"".join(
        [
            line({"type": "response.created", "response": {"usage": None, "tools": tools}}, named="response.created"),
            line({"type": "response.output_text.delta", "delta": LIE, "sequence_number": 4}),
            line({"type": kind, "response": {"output": [{"text": LIE}], "tools": tools, "usage": used}}, named=kind),
        ]
    )


def message_stream(start: Any, *deltas: Any, stop: bool = True) -> bytes:
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": LIE}}
    return b"".join(
        [
            line({"type": "message_start", "message": {"id": "1", "usage": start}}, named="message_start"),
            line({"type": "ping"}, named="ping"),
            line(text, named="content_block_delta"),
            *[line({"type": "message_delta", "delta": {}, "usage": used}, named="message_delta") for used in deltas],
            line({"type": "message_stop"}, named="message_stop") if stop else b"",
        ]
    )


OPENAI_READ = prices.Usage(input=70, cached=30, output=20)
RESPONSE_READ = prices.Usage(input=60, cached=30, written=10, output=20)
ANTHROPIC_READ = prices.Usage(input=50, cached=30, written=20, written_long=5, output=20)
STREAMS = {
    "chat": (CHAT, chat_stream(OPENAI), OPENAI_READ),
    "chat with carriage returns": (CHAT, chat_stream(OPENAI, end="\r\n\r\n"), OPENAI_READ),
    "chat with carriage returns alone": (CHAT, chat_stream(OPENAI, end="\r\r"), OPENAI_READ),
    "responses": (RESPONSES, response_stream(RESPONSE), RESPONSE_READ),
    "responses cut by length": (RESPONSES, response_stream(RESPONSE, "response.incomplete"), RESPONSE_READ),
    "messages": (MESSAGES, message_stream({**ANTHROPIC, "output_tokens": 1}, {"output_tokens": 20}), ANTHROPIC_READ),
}
BODIES = {
    "chat": (CHAT, {"choices": [{"message": {"content": LIE}}], "usage": OPENAI}, OPENAI_READ),
    "responses": (RESPONSES, {"output": [{"usage": {"input_tokens": 1}}], "usage": RESPONSE}, RESPONSE_READ),
    "messages": (MESSAGES, {"type": "message", "content": [{"text": LIE}], "usage": ANTHROPIC}, ANTHROPIC_READ),
    "embeddings": (
        EMBEDDINGS,
        {"data": [{"embedding": [0.5, -1e-3]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}},
        prices.Usage(input=8),
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_tells_its_usage(name: str) -> None:
    endpoint, document, expected = BODIES[name]
    text = json.dumps(document, indent=1).encode()
    assert reading.answer(endpoint, text) == usage.Read(expected)
    for places in itertools.combinations(range(0, len(text), 11), 2):
        assert reading.answer(endpoint, *reading.cut(text, *places)) == usage.Read(expected)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_tells_its_usage_in_any_two_pieces(name: str) -> None:
    endpoint, text, expected = STREAMS[name]
    for place in range(len(text)):
        assert reading.answer(endpoint, *reading.cut(text, place), form=Form.EVENTS) == usage.Read(expected), place


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_tells_its_usage_byte_by_byte(name: str) -> None:
    endpoint, text, expected = STREAMS[name]
    pieces = [text[at : at + 1] for at in range(len(text))]
    assert reading.answer(endpoint, *pieces, form=Form.EVENTS) == usage.Read(expected)


@pytest.mark.parametrize("name", STREAMS)
def test_i07_a_stream_that_breaks_off_anywhere_is_doubted_and_never_said_to_be_less_than_it_proved(name: str) -> None:
    endpoint, text, expected = STREAMS[name]
    for place in range(len(text.rstrip()) - 1):
        read = reading.answer(endpoint, text[:place], form=Form.EVENTS, clean=False)
        assert read.doubt, place
        assert read.used in {prices.Usage(), expected} or endpoint is MESSAGES
        assert read.used.tokens <= expected.tokens


def test_a_stream_of_chat_may_end_without_its_mark_if_it_ends_well() -> None:
    text = chat_stream(OPENAI, done=False)
    assert reading.answer(CHAT, text, form=Form.EVENTS) == usage.Read(OPENAI_READ)
    assert reading.answer(CHAT, text, form=Form.EVENTS, clean=False).doubt == "it ended before its last event"


def test_the_last_line_of_a_stream_needs_no_end() -> None:
    for endpoint, text, expected in STREAMS.values():
        assert reading.answer(endpoint, text.rstrip(), form=Form.EVENTS) == usage.Read(expected)


def test_a_long_last_event_is_read_as_it_comes() -> None:
    used = {"output": [{"text": "x" * 300_000, "more": [{"a": 1}] * 10_000}], "usage": RESPONSE}
    text = line({"type": "response.completed", "response": used})
    pieces = reading.cut(text, *range(0, len(text), 1460))
    assert reading.answer(RESPONSES, *pieces, form=Form.EVENTS) == usage.Read(RESPONSE_READ)


@pytest.mark.parametrize(
    ("endpoint", "said", "doubt"),
    [
        (CHAT, None, "no usage was said"),
        (CHAT, {}, "no usage was said"),
        (CHAT, {**OPENAI, "prompt_tokens": -5}, "prompt_tokens is no number of tokens"),
        (CHAT, {**OPENAI, "completion_tokens": 1.5}, "completion_tokens is no number of tokens"),
        (CHAT, {**OPENAI, "completion_tokens": "20"}, "completion_tokens is no number of tokens"),
        (CHAT, {**OPENAI, "completion_tokens": 10**12}, "completion_tokens is no number of tokens"),
        (CHAT, {**OPENAI, "completion_tokens": True}, "completion_tokens is no number of tokens"),
        (CHAT, {**OPENAI, "prompt_tokens": 0, "prompt_tokens_details": None}, "no input was said"),
        (CHAT, {**OPENAI, "completion_tokens": 0}, "no output was said"),
        (CHAT, {**OPENAI, "total_tokens": 119}, "the total is less than its parts"),
        (CHAT, {**OPENAI, "prompt_tokens_details": {"cached_tokens": 101}}, "more was cached than went in"),
        (
            CHAT,
            {**OPENAI, "prompt_tokens_details": {"audio_tokens": 1}},
            "something was used that has a price of its own",
        ),
        (CHAT, {**OPENAI, "prompt_tokens": {"x": 1}}, "the answer is not complete, or is no JSON"),
        (RESPONSES, {"output_tokens": 5}, "no input was said"),
        (MESSAGES, {"input_tokens": 5}, "no output was said"),
        (MESSAGES, {**ANTHROPIC, "cache_creation_input_tokens": 4}, "more was written for an hour than was written"),
        (
            MESSAGES,
            {**ANTHROPIC, "server_tool_use": {"web_search_requests": 1}},
            "something was used that has a price of its own",
        ),
        (EMBEDDINGS, {"prompt_tokens": 0, "total_tokens": 0}, "no input was said"),
    ],
)
def test_i07_what_cannot_be_believed_is_doubted(endpoint: Endpoint, said: Any, doubt: str) -> None:
    assert reading.answer(endpoint, json.dumps({"usage": said}).encode()).doubt == doubt


def test_usage_that_is_there_twice_is_doubted() -> None:
    text = b'{"usage":{"prompt_tokens":100,"completion_tokens":20},"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    assert reading.answer(CHAT, text).doubt
    assert reading.answer(CHAT, b'{"usage":{"prompt_tokens":5,"prompt_tokens":1,"completion_tokens":1}}').doubt


def test_usage_may_grow_in_a_stream_and_not_shrink() -> None:
    less = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 30},
    }
    grown = reading.answer(CHAT, chat_stream(less, OPENAI), form=Form.EVENTS)
    assert grown == usage.Read(OPENAI_READ)
    shrunk = reading.answer(CHAT, chat_stream(OPENAI, less), form=Form.EVENTS)
    assert shrunk == usage.Read(OPENAI_READ, "completion_tokens got smaller")


def test_a_later_event_corrects_the_first_one_of_messages() -> None:
    text = message_stream(
        {"input_tokens": 10, "output_tokens": 1}, {"input_tokens": 40, "output_tokens": 9}, {"output_tokens": 12}
    )
    assert reading.answer(MESSAGES, text, form=Form.EVENTS) == usage.Read(prices.Usage(input=40, output=12))


def test_reasoning_that_only_the_total_knows_is_output() -> None:
    read = reading.answer(CHAT, json.dumps({"usage": {**OPENAI, "total_tokens": 170}}).encode())
    assert read == usage.Read(prices.Usage(input=70, cached=30, output=70))


@pytest.mark.parametrize("tier", ["priority", "fast"])
def test_a_tier_with_prices_of_its_own_is_doubted(tier: str) -> None:
    assert reading.answer(CHAT, json.dumps({"service_tier": tier, "usage": OPENAI}).encode()).doubt
    assert not reading.answer(CHAT, json.dumps({"service_tier": "default", "usage": OPENAI}).encode()).doubt
    response = {"type": "response.completed", "response": {"service_tier": tier, "usage": RESPONSE}}
    assert reading.answer(RESPONSES, line(response), form=Form.EVENTS).doubt


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b'{"usage"',
        b"\x1f\x8b\x08\x00",
        b'data: {"usage":{',
        b"<html>",
        b'[{"usage":{"prompt_tokens":1}}]',
    ],
)
def test_i07_what_is_no_answer_is_doubted(text: bytes) -> None:
    for endpoint, form in itertools.product(Endpoint, Form):
        assert reading.answer(endpoint, text, form=form).doubt


def test_i07_a_body_that_breaks_off_is_doubted_though_its_usage_is_there() -> None:
    text = json.dumps({"usage": OPENAI, "choices": [1]}).encode()
    assert reading.answer(CHAT, text[:-1]) == usage.Read(OPENAI_READ, "the answer is not complete, or is no JSON")
    assert reading.answer(CHAT, text, clean=False).doubt


@pytest.mark.parametrize(
    ("kind", "coded", "expected"),
    [
        ("application/json", False, Form.JSON),
        ("Application/JSON; charset=utf-8", False, Form.JSON),
        ("text/event-stream; charset=utf-8", False, Form.EVENTS),
        ("application/json", True, Form.UNREADABLE),
        ("text/html", False, Form.UNREADABLE),
        ("", False, Form.UNREADABLE),
    ],
)
def test_the_head_says_how_an_answer_is_read(kind: str, coded: bool, expected: Form) -> None:
    assert answered.form(kind, coded=coded) is expected


def vectors() -> bytes:
    dice = random.Random(3)
    data = [{"embedding": [dice.uniform(-1, 1) for _ in range(1536)]} for _ in range(16)]
    return json.dumps({"data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}}).encode()


NASTY = {
    "vectors": (EMBEDDINGS, Form.JSON, vectors()),
    "lines": (CHAT, Form.EVENTS, b"\n" * 10**6),
    "usages": (CHAT, Form.EVENTS, b'data: {"usage":{"prompt_tokens":1}}\n' * 10**4),
    "usages of nothing": (CHAT, Form.EVENTS, b'"usage":{\n' * 10**5),
    "marks": (CHAT, Form.EVENTS, b"data: [DONE]\n" * 10**5),
    "brackets in a line": (CHAT, Form.EVENTS, b'data: {"usage":{"x":[' + b"[]," * 10**5 + b"[]]}}\n"),
    "one long line": (CHAT, Form.EVENTS, b"data: " + b"x" * 10**6),
    "a comment": (CHAT, Form.EVENTS, b": " + b'"usage":{' * 10**5),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_turn_looks_at_some_lines_and_no_more_than_a_slice_and_little_is_held(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, form, data = NASTY[name]
    looked = 0
    begin = answered.Events._begin

    def counted(reader: answered.Events) -> None:
        nonlocal looked
        looked += 1
        begin(reader)

    monkeypatch.setattr(answered.Events, "_begin", counted)
    reader = answered.reader(endpoint, form)
    for piece in reading.cut(data, *range(0, len(data), 65_536)):
        at = 0
        while at < len(piece):
            looked, before = 0, at
            at = reader.feed(piece, at)
            assert looked <= answered.LINES
            assert at - before <= walking.SLICE
        if isinstance(reader, answered.Events):
            assert len(reader._buffer) <= answered.LINE_MAX + 2 * walking.SLICE
    assert bool(reader.end(clean=True).doubt) == (name != "vectors")
