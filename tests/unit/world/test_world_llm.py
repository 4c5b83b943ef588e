"""The world's LLM: requests in, the shapes of the OpenAI API out."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.world import http1, llm

KEY = {"authorization": "Bearer placeholder"}
CHAT = {"model": "world-1", "messages": [{"role": "user", "content": "one two three"}]}


def post(document: object, headers: dict[str, str] | None = None) -> http1.Answer:
    return llm.respond(
        http1.Request(
            method="POST",
            target="/v1/chat/completions",
            headers=KEY if headers is None else headers,
            body=document if isinstance(document, bytes) else json.dumps(document).encode(),
        )
    )


def document_of(answer: http1.Answer) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def test_a_chat_repeats_the_last_message_and_counts_words_as_tokens() -> None:
    completion = document_of(post(CHAT))
    assert completion["object"] == "chat.completion"
    assert completion["choices"][0]["message"]["content"] == "You said: one two three"
    assert completion["choices"][0]["finish_reason"] == "stop"
    usage = completion["usage"]
    assert 3 <= usage["prompt_tokens"] <= len(json.dumps(CHAT))
    assert usage["completion_tokens"] == 5
    assert usage["total_tokens"] == usage["prompt_tokens"] + 5


def test_what_a_call_used_is_told_to_the_witness_by_its_name() -> None:
    answer = post(CHAT, headers=KEY | {"x-call": "one", "x-say": "7", "x-wait": "0.5"})
    usage = document_of(answer)["usage"]
    told = {"call": "one", "model": "world-1", "input": usage["prompt_tokens"], "cached": 4, "output": 7}
    assert answer.told == told
    assert answer.pause == 0.5


def test_an_answer_that_breaks_off_cost_what_a_whole_one_costs() -> None:
    whole, broken, silent = (post(CHAT, headers=KEY | {"x-fault": fault}) for fault in ("", "truncated", "silent"))
    assert (whole.complete, broken.complete, silent.complete) == (True, False, False)
    assert silent.status == 0
    assert whole.told == broken.told == silent.told
    assert whole.told["output"] == 5


def test_a_limit_on_tokens_cuts_the_answer_and_says_so() -> None:
    completion = document_of(post({**CHAT, "max_completion_tokens": 2}))
    assert completion["choices"][0]["message"]["content"] == "You said:"
    assert completion["choices"][0]["finish_reason"] == "length"
    assert completion["usage"]["completion_tokens"] == 2


def test_every_choice_is_paid_for() -> None:
    completion = document_of(post({**CHAT, "n": 3}))
    assert [choice["index"] for choice in completion["choices"]] == [0, 1, 2]
    assert completion["usage"]["completion_tokens"] == 15


def test_content_in_parts_is_read_too() -> None:
    parts = [{"type": "text", "text": "four"}, {"type": "text", "text": "five"}]
    completion = document_of(post({**CHAT, "messages": [{"role": "user", "content": parts}]}))
    assert completion["choices"][0]["message"]["content"] == "You said: four five"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"{", 400),
        ([], 400),
        ({"model": "world-1"}, 400),
        ({"model": "world-1", "messages": []}, 400),
        ({**CHAT, "model": "other"}, 404),
        ({**CHAT, "n": "many"}, 400),
        ({**CHAT, "n": 0}, 400),
        ({**CHAT, "messages": [{"role": "user"}]}, 400),
    ],
)
def test_a_wrong_request_is_refused_in_the_api_s_shape(document: object, status: int) -> None:
    answer = post(document)
    assert answer.status == status
    assert set(document_of(answer)["error"]) == {"message", "type", "param", "code"}


def test_without_a_key_nobody_is_served() -> None:
    assert post(CHAT, headers={}).status == 401


def test_models_are_listed() -> None:
    answer = llm.respond(http1.Request(method="GET", target="/v1/models", headers=KEY))
    assert [model["id"] for model in document_of(answer)["data"]] == list(llm.MODELS)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/embeddings"])
def test_other_ways_to_ask_are_answered_and_counted(path: str) -> None:
    body = json.dumps({"model": "world-1", "input": "one two three"}).encode()
    answer = llm.respond(http1.Request(method="POST", target=path, headers=KEY, body=body))
    assert answer.status == 200
    assert document_of(answer)["usage"]["total_tokens"] == answer.told["input"] + answer.told["output"]  # type: ignore[operator]


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_spells_the_answer_and_ends_with_usage_when_asked_and_done(usage: bool) -> None:
    answer = post({**CHAT, "stream": True, "stream_options": {"include_usage": usage}})
    assert answer.content_type == "text/event-stream"
    assert not isinstance(answer.body, bytes)
    *events, done = asyncio.run(taken(answer.body))
    assert done == b"data: [DONE]\n\n"
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "You said: one two three"
    counted = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]
    assert counted == ([5] if usage else [])


async def taken(parts: AsyncIterator[bytes]) -> list[bytes]:
    return [part async for part in parts]
