"""Texts that go on from event to event."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.redaction import bodies
from zaum_watchdog.core.redaction import events, redactor, searching, vault
from zaum_watchdog.core.redaction.redactor import Format


def _line(event: object) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _chat(text: str, index: int = 0, key: str = "content") -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {key: text}, "finish_reason": None}]}


def _call(text: str, call: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": call, "function": {"arguments": text}}]}}]}


def _function(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"function_call": {"arguments": text}}}]}


def _completion(text: str) -> dict[str, Any]:
    return {"choices": [{"text": text, "index": 0}]}


def _responses(text: str, item: int = 0, kind: str = "response.output_text") -> dict[str, Any]:
    return {"type": f"{kind}.delta", "output_index": item, "content_index": 0, "delta": text}


def _block(text: str, index: int = 0, key: str = "text") -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "text_delta" if key == "text" else "x", key: text},
    }


SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    "chat": _chat,
    "call": _call,
    "function": _function,
    "completion": _completion,
    "responses": _responses,
    "block": _block,
    "thinking": lambda text: _block(text, key="thinking"),
    "input": lambda text: _block(text, key="partial_json"),
    "reasoning": lambda text: _chat(text, key="reasoning_content"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_value_that_is_split_over_events_is_found(shape: str, prefilter: searching.Prefilter) -> None:
    written = [_line(SHAPES[shape](text)) for text in ("I am", " bo", "b@exam", "ple.co", "m, no", "body")]
    out = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(b"".join(written))
    expected = [_line(SHAPES[shape](text)) for text in ("I am", " ********", "", "", ", no", "body")]
    assert out == b"".join(expected)


@pytest.mark.parametrize(
    "make",
    [
        _chat,
        lambda text, of: _chat(text, 0, ("content", "refusal")[of]),
        _call,
        _responses,
        lambda text, of: _responses(text, 0, ("response.output_text", "response.refusal")[of]),
        _block,
    ],
)
def test_texts_that_take_turns_are_joined_each_for_itself(make: Any, prefilter: searching.Prefilter) -> None:
    turns = [("4111 1111", 0), ("bob@ex", 1), (" 1111 ", 0), ("ample.com", 1), ("1111 is", 0), (" me", 1)]
    out = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(b"".join(_line(make(*turn)) for turn in turns))
    told = [("********", 0), ("********", 1), ("", 0), ("", 1), (" is", 0), (" me", 1)]
    assert out == b"".join(_line(make(*turn)) for turn in told)


@pytest.mark.parametrize(
    ("make", "end"),
    [
        (_chat, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        (_responses, {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "x"}),
        (_responses, {"type": "response.completed", "response": {}}),
        (_block, {"type": "content_block_stop", "index": 0}),
        (_block, {"type": "message_delta", "delta": {}}),
    ],
)
def test_what_is_held_comes_out_with_the_end_of_its_text(
    make: Any, end: dict[str, Any], prefilter: searching.Prefilter
) -> None:
    run = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS)
    first = run.feed(_line(make("ask bob")))
    assert b"ask" in first
    assert b"bob" not in first
    assert first + run.feed(_line(end)) == _line(make("ask bob")) + _line(end)


def test_the_end_of_another_text_lets_nothing_out(prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS)
    out = run.feed(_line(_block("ask bob")) + _line({"type": "content_block_stop", "index": 1}) + b": a comment\n\n")
    assert b"bob" not in out
    assert b"bob" not in out + run.feed(_line(_block("@example.com "))) + run.redactor.end()


def test_the_end_of_the_stream_lets_everything_out(prefilter: searching.Prefilter) -> None:
    body = _line(_chat("ask bob"))
    assert bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(body) == body
    run = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS)
    assert run.feed(body + b"data: [DONE]\n\n") == body + b"data: [DONE]\n\n"


def test_a_name_that_is_split_over_events_is_turned_back_with_its_escapes(prefilter: searching.Prefilter) -> None:
    names = vault.Vault(bodies.KEY)
    key = b"-----BEGIN PRIVATE KEY-----\n" + b"aB3+" * 20 + b"\n-----END PRIVATE KEY-----"
    name = bodies.Run(prefilter, names=names).over(key).decode()
    inner = '{"key":"' + name + '"}'
    body = b"".join(_line(_block(inner[at : at + 5], key="partial_json")) for at in range(0, len(inner), 5))
    out = bodies.Run(prefilter, bodies.ANSWERING, Format.EVENTS, names).over(body)
    joined = "".join(json.loads(line[6:])["delta"]["partial_json"] for line in out.split(b"\n") if line)
    assert json.loads(joined) == {"key": key.decode()}


def test_whatever_else_is_in_a_line_is_text(prefilter: searching.Prefilter) -> None:
    body = b"event: x\nid: bob@example.com\ndata: no json bob@example.com\ndata: [1]\ndata: {}\ndata: 5\n\n"
    out = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(body)
    assert out == body.replace(b"bob@example.com", b"********")


def test_a_whole_text_beside_its_deltas_is_redacted_too(prefilter: searching.Prefilter) -> None:
    done = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "bob@example.com"}
    out = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(
        _line(_responses("bob@exa")) + _line(_responses("mple.com")) + _line(done)
    )
    assert b"example" not in out
    assert out.count(b"********") == 2


def test_a_long_line_is_text_like_any_other(prefilter: searching.Prefilter) -> None:
    body = _line(_chat("bob@example.com " * 2000)) + _line(_chat("ann@exam")) + _line(_chat("ple.com"))
    out = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(body)
    assert out == _line(_chat("******** " * 2000)) + _line(_chat("********")) + _line(_chat(""))


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [1, {"delta": 5}, {"delta": {"content": 5, "function_call": 1}}]},
        {"choices": [{"delta": {"tool_calls": [1, {"function": 1}, {"function": {"arguments": 1}}]}}]},
        {"choices": [{"index": [1], "delta": {"content": "a"}}]},
        {"type": 5},
        {"type": "content_block_delta", "delta": "x"},
        {"type": "x.delta", "delta": {}},
        {"type": "content_block_delta", "delta": {"signature": "x"}},
        {"type": "ping"},
    ],
)
def test_events_of_another_shape_say_nothing(event: dict[str, Any], prefilter: searching.Prefilter) -> None:
    assert events.read(_line(event)).ended == ()
    assert bodies.Run(prefilter, bodies.MASKING, Format.EVENTS).over(_line(event)) == _line(event)


def test_where_it_is_not_clear_which_text_is_which_none_is_joined() -> None:
    assert events.read(b'data: {"choices":[{"delta":{"content":"a","content":"b"}}]}\n').deltas == ()
    assert len(events.read(b'data: {"choices":[{"delta":{"content":"a"}}]}\n').deltas) == 1


def test_a_depth_without_end_says_nothing() -> None:
    assert events.read(b"data: " + b"[" * 8000) == events.Line()


def test_what_one_text_holds_back_of_the_others_is_bounded(prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS)
    out = run.feed(_line(_chat("ask bob", index=1)))
    for _ in range(20_000):
        out += run.feed(_line(_chat("a b, ", index=0)))
        assert len(run.redactor._held) <= redactor.HELD_MAX + 2 * events.LINE_MAX
    assert b"bob" in out


def test_more_texts_than_there_may_be_end_the_oldest(prefilter: searching.Prefilter) -> None:
    run = bodies.Run(prefilter, bodies.MASKING, Format.EVENTS)
    body = b"".join(_line(_chat("bob", index=each)) for each in range(3 * redactor.LANES_MAX))
    out = run.feed(body)
    assert len(run.redactor._lanes) == redactor.LANES_MAX
    assert out + run.redactor.end() == body
