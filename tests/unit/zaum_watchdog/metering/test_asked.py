"""What a request asks of a model, and what is refused because nobody can tell what it would cost."""

import itertools
import json
from typing import Any

import pytest

from tests.unit.zaum_watchdog.metering import reading
from zaum_api import contract
from zaum_watchdog.core.metering import asked, splicing
from zaum_watchdog.core.metering.endpoints import Endpoint

CHAT, RESPONSES, EMBEDDINGS, MESSAGES = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.EMBEDDINGS, Endpoint.MESSAGES
HI = [{"role": "user", "content": "hi"}]
LEAST: dict[Endpoint, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": HI},
    RESPONSES: {"model": "m", "input": "hi"},
    EMBEDDINGS: {"model": "m", "input": ["hi"]},
    MESSAGES: {"model": "m", "max_tokens": 10, "messages": HI},
}
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def body(endpoint: Endpoint, **more: Any) -> bytes:
    return json.dumps({**LEAST[endpoint], **more}).encode()


def said(endpoint: Endpoint, **more: Any) -> str:
    found = reading.ask(endpoint, body(endpoint, **more))
    return f"{found.rule.value} {found.field}" if isinstance(found, asked.Refused) else "sent"


def request(endpoint: Endpoint, **more: Any) -> asked.Asked:
    found = reading.ask(endpoint, body(endpoint, **more))
    assert isinstance(found, asked.Asked), found
    return found


def sent(endpoint: Endpoint, output: int, text: bytes) -> bytes:
    """Give the body that leaves."""
    read = asked.Reading(endpoint)
    reading.feed(read, [text])
    found = read.end()
    assert isinstance(found, asked.Asked), found
    edits = found.edits(output)
    after = b"".join(splicing.splice(read.pieces, edits))
    assert len(after) == len(text) + splicing.growth(edits)
    return after


def user(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


TEXT = {"type": "text", "text": "hi"}
OPENAI_IMAGE = {"type": "image_url", "image_url": {"url": IMAGE, "detail": "high"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"type": {}}}}}


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        (
            CHAT,
            {"temperature": 0.1, "n": 2, "stop": ["x"], "metadata": {"a": "b"}, "logit_bias": {"1": 2}, "user": "u"},
        ),
        (CHAT, {"tools": [TOOL], "tool_choice": "auto", "response_format": {"type": "json_schema", "json_schema": {}}}),
        (CHAT, {"service_tier": "default", "modalities": ["text"], "store": True, "prediction": None, "audio": None}),
        (CHAT, user(TEXT, OPENAI_IMAGE)),
        (CHAT, {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"type": "function", "id": "x"}]}]}),
        (RESPONSES, {"instructions": "be kind", "background": False, "reasoning": {"effort": "low"}, "include": ["x"]}),
        (RESPONSES, {"previous_response_id": None, "conversation": None, "prompt": None, "service_tier": "flex"}),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]}]}),
        (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "1", "output": "x"}], "tools": [TOOL]}),
        (RESPONSES, {"input": [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "xx"}]}),
        (RESPONSES, {"input": [{"type": "message", "id": "m", "content": [{"type": "output_text", "text": "x"}]}]}),
        (EMBEDDINGS, {"dimensions": 3, "encoding_format": "base64"}),
        (EMBEDDINGS, {"input": [[1, 2, 3], [4, 5]]}),
        (MESSAGES, {"system": [{**TEXT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}], "top_k": 3}),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 5}, "service_tier": "standard_only"}),
        (
            MESSAGES,
            {"tools": [{"name": "f", "input_schema": {"type": "object"}}, {"type": "bash_20250124", "name": "b"}]},
        ),
        (MESSAGES, user(TEXT, PNG, {"type": "tool_result", "tool_use_id": "1", "content": [TEXT, PNG]})),
        (
            MESSAGES,
            user({"type": "tool_use", "id": "1", "name": "f", "input": {"type": "x", "url": "y", "file_id": "z"}}),
        ),
        (MESSAGES, user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}})),
        (MESSAGES, user({"type": "search_result", "source": "https://docs.example", "content": [TEXT]})),
    ],
)
def test_what_agents_usually_ask_is_sent(endpoint: Endpoint, more: dict[str, Any]) -> None:
    assert said(endpoint, **more) == "sent"


@pytest.mark.parametrize(
    ("endpoint", "more", "field"),
    [
        (CHAT, {"wat": 1}, "wat"),
        (CHAT, {"web_search_options": {}}, "web_search_options"),
        (CHAT, {"prediction": {"type": "content", "content": "x"}}, "prediction"),
        (CHAT, {"audio": {"voice": "x"}}, "audio"),
        (CHAT, {"modalities": ["text", "audio"]}, "modalities[]"),
        (CHAT, {"service_tier": "priority"}, "service_tier"),
        (CHAT, {"moderation": {"model": "x"}}, "moderation"),
        (CHAT, {"tools": [{"type": "web_search"}]}, "tools[].type"),
        (CHAT, {"tools": [{"function": {}}]}, "tools[]"),
        (
            CHAT,
            user({"type": "image_url", "image_url": {"url": "https://pics.example/1"}}),
            "messages[].content[].image_url.url",
        ),
        (CHAT, user({"type": "image_url", "image_url": "https://pics.example/1"}), "messages[].content[].image_url"),
        (CHAT, user({"type": "file", "file": {"file_id": "f"}}), "messages[].content[].type"),
        (CHAT, user({"type": "text", "text": "x", "file": {"file_id": "f"}}), "messages[].content[].file"),
        (CHAT, user({"type": "input_audio", "input_audio": {}}), "messages[].content[].type"),
        (CHAT, user({"text": "x"}), "messages[].content[]"),
        (CHAT, {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[].audio"),
        (RESPONSES, {"previous_response_id": "resp_1"}, "previous_response_id"),
        (RESPONSES, {"conversation": "conv_1"}, "conversation"),
        (RESPONSES, {"prompt": {"id": "p"}}, "prompt"),
        (RESPONSES, {"background": True}, "background"),
        (RESPONSES, {"context_management": [{"type": "compaction"}]}, "context_management"),
        (RESPONSES, {"tools": [{"type": "mcp", "server_url": "x"}]}, "tools[].type"),
        (RESPONSES, {"tools": [{"type": "code_interpreter", "container": "c"}]}, "tools[].type"),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "i"}]}, "input[].type"),
        (RESPONSES, {"input": [{"id": "i"}]}, "input[]"),
        (RESPONSES, {"input": [{"id": "i", "type": None}]}, "input[]"),
        (RESPONSES, {"input": [{"type": "reasoning", "id": "r", "summary": []}]}, "input[]"),
        (
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "x"}]}]},
            "input[].content[].type",
        ),
        (
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "x"}]}]},
            "input[].content[].file_id",
        ),
        (
            RESPONSES,
            {"input": [{"type": "function_call_output", "output": [{"type": "input_image", "image_url": "x"}]}]},
            "input[].output[].image_url",
        ),
        (MESSAGES, {"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        (MESSAGES, {"container": "c"}, "container"),
        (MESSAGES, {"fallbacks": []}, "fallbacks"),
        (MESSAGES, {"speed": "fast"}, "speed"),
        (MESSAGES, {"inference_geo": "us"}, "inference_geo"),
        (MESSAGES, {"context_management": {"edits": []}}, "context_management"),
        (MESSAGES, {"cache_control": {"type": "ephemeral", "ttl": "1d"}}, "cache_control.ttl"),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[].type"),
        (MESSAGES, user({"type": "container_upload", "file_id": "f"}), "messages[].content[].type"),
        (MESSAGES, user({"type": "image", "source": {"type": "url", "url": "x"}}), "messages[].content[].source.type"),
        (
            MESSAGES,
            user({"type": "image", "source": {"type": "file", "file_id": "x"}}),
            "messages[].content[].source.type",
        ),
        (MESSAGES, user({"type": "image", "source": {"type": "text", "url": "x"}}), "messages[].content[].source.url"),
        (
            MESSAGES,
            user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}}),
            "messages[].content[].source",
        ),
        (
            MESSAGES,
            user({"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}),
            "messages[].content[].content[].source.type",
        ),
        (MESSAGES, {"system": [{"type": "image", "source": {"type": "url", "url": "x"}}]}, "system[].source.type"),
        (EMBEDDINGS, {"stream": True}, "stream"),
    ],
)
def test_i07_what_cannot_be_priced_is_refused_by_its_name(endpoint: Endpoint, more: dict[str, Any], field: str) -> None:
    assert said(endpoint, **more) == f"{contract.Rule.UNPRICED.value} {field}"


def test_without_a_limit_of_tokens_or_cost_anything_may_be_asked() -> None:
    text = body(CHAT, wat=1, web_search_options={}, **user({"type": "file", "file": {"file_id": "f"}}))
    assert isinstance(reading.ask(CHAT, text), asked.Refused)
    found = reading.ask(CHAT, text, priced=False)
    assert isinstance(found, asked.Asked)
    assert found.model == "m"


@pytest.mark.parametrize("priced", [True, False])
def test_i05_a_model_that_is_not_named_is_refused_however_it_is_spelt(priced: bool) -> None:
    def named(text: bytes) -> str:
        found = reading.ask(CHAT, text, models=frozenset({"small", "tiny"}), priced=priced)
        return found.rule.value if isinstance(found, asked.Refused) else found.model

    assert named(b'{"model":"small"}') == "small"
    assert named(b'{"model":"sm\\u0061ll"}') == "small"
    assert named(b'{"model":"large"}') == "routes.models"
    assert named(b'{"model":"small "}') == "routes.models"
    assert named(b'{"model":"small","model":"large"}') == "request.malformed"
    assert named(b'{"model":"small","mod\\u0065l":"large"}') == "request.malformed"
    for text in (
        b"{}",
        b'{"model":1}',
        b'{"model":null}',
        b'{"model":""}',
        b'{"model":"\\ud800"}',
        b'{"Model":"small"}',
    ):
        assert named(text) in {"request.malformed", "limits.unpriced"}, text


def test_a_refusal_names_the_models_that_there_are() -> None:
    found = reading.ask(CHAT, b'{"model":"large"}', models=frozenset({"tiny", "small"}))
    assert isinstance(found, asked.Refused)
    assert found.message == "the request's model is large; the route has: small, tiny"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"not json", "it ends too soon, or is no JSON (at byte 0)"),
        (b'{"model":"m"', "it ends too soon, or is no JSON (at byte 12)"),
        (b'{"model":"m","user":"\xff"}', "it is not UTF-8"),
        (b'{"model":"m","user":"\xc3"}', "it is not UTF-8"),
        (b"\xff\xfe{\x00", "it is not UTF-8"),
        (b'{"model":"m","metadata":{"\xff\\n":1}}', "it is not UTF-8"),
        (b'{"model":"m","metadata":' + b"[" * 100, "it is nested deeper than 64 (at byte 87)"),
    ],
)
def test_what_is_no_json_is_refused_with_its_reason(text: bytes, why: str) -> None:
    found = reading.ask(CHAT, text)
    assert isinstance(found, asked.Refused)
    assert found.rule is contract.Rule.REQUEST_MALFORMED
    assert found.message == f"of the request's body: {why}"


def test_a_name_that_is_no_utf_8_is_a_refusal_and_no_error() -> None:
    found = reading.ask(CHAT, b'{"model":"m","\xff\\n":1}')
    assert isinstance(found, asked.Refused)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "7"}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"n": -1}, "n"),
        ({"n": True}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"max_completion_tokens": [1]}, "max_completion_tokens"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(more: dict[str, Any], field: str) -> None:
    assert said(CHAT, **more) == f"request.malformed {field}"


def test_it_tells_how_much_is_asked_for() -> None:
    found = request(CHAT, n=3, max_tokens=5, max_completion_tokens=7, stream=True)
    assert (found.choices, found.output, found.stream, found.least) == (3, 7, True, 1)
    assert (request(CHAT).choices, request(CHAT).output, request(CHAT).stream) == (1, None, False)
    assert request(RESPONSES, max_output_tokens=99).output == 99
    assert request(RESPONSES).least == 16
    assert request(MESSAGES, thinking={"type": "enabled", "budget_tokens": 1024}).least == 1025
    assert request(MESSAGES, cache_control={"type": "ephemeral", "ttl": "1h"}).long_cache
    assert not request(MESSAGES, cache_control={"type": "ephemeral"}).long_cache


def test_images_are_counted_and_their_bytes_are_no_text() -> None:
    found = request(CHAT, **user(TEXT, OPENAI_IMAGE, OPENAI_IMAGE))
    assert (found.images, found.image_bytes) == (2, 2 * len(json.dumps(IMAGE)))
    nested = request(MESSAGES, **user(PNG, {"type": "tool_result", "content": [PNG]}))
    assert (nested.images, nested.image_bytes) == (2, 2 * len('"AAAA"'))


@pytest.mark.parametrize(
    ("endpoint", "before", "after"),
    [
        (CHAT, '{"model":"m"}', '{"max_completion_tokens":50,"model":"m"}'),
        (CHAT, '{ "model":"m","max_tokens": 100 }', '{ "model":"m","max_tokens": 50 }'),
        (
            CHAT,
            '{"model":"m","max_tokens":100,"max_completion_tokens":20}',
            '{"model":"m","max_tokens":50,"max_completion_tokens":20}',
        ),
        (CHAT, '{"model":"m","max_tokens":40}', '{"model":"m","max_tokens":40}'),
        (CHAT, '{"model":"m","max_tokens":null}', '{"model":"m","max_tokens":50}'),
        (RESPONSES, '{"model":"m"}', '{"max_output_tokens":50,"model":"m"}'),
        (
            RESPONSES,
            '{"model":"m","stream":true,"max_output_tokens":50}',
            '{"model":"m","stream":true,"max_output_tokens":50}',
        ),
        (EMBEDDINGS, '{"model":"m"}', '{"model":"m"}'),
        (MESSAGES, '{"model":"m","max_tokens":99999}', '{"model":"m","max_tokens":50}'),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true}',
            '{"stream_options":{"include_usage":true},"model":"m","max_tokens":1,"stream":true}',
        ),
        (
            CHAT,
            '{"model":"m","stream":true}',
            '{"max_completion_tokens":50,"stream_options":{"include_usage":true},"model":"m","stream":true}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":null}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{ }}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true }}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_obfuscation":false}}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage": false}}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage": true}}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":null}}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            CHAT,
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true}}',
            '{"model":"m","max_tokens":1,"stream":true,"stream_options":{"include_usage":true}}',
        ),
    ],
)
def test_only_the_bytes_that_bound_the_answer_change(endpoint: Endpoint, before: str, after: str) -> None:
    assert sent(endpoint, 50, before.encode()) == after.encode()


def test_any_pieces_give_the_same_request_and_the_same_bytes() -> None:
    text = body(CHAT, stream=True, max_tokens=1000, **user({"type": "text", "text": "grüße\n"}, OPENAI_IMAGE))
    whole, expected = reading.ask(CHAT, text), sent(CHAT, 50, text)
    for place in itertools.combinations(range(0, len(text), 7), 2):
        read = asked.Reading(CHAT)
        reading.feed(read, reading.cut(text, *place))
        found = read.end()
        assert found == whole
        assert isinstance(found, asked.Asked)
        assert b"".join(splicing.splice(read.pieces, found.edits(50))) == expected


def test_nothing_is_held_of_what_is_refused() -> None:
    read = asked.Reading(CHAT)
    reading.feed(read, [b'{"model":"m","wat":1', b"x" * 10_000_000])
    assert read.pieces == []
    assert isinstance(read.end(), asked.Refused)
