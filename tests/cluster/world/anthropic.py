"""The same LLM behind the shapes of the Anthropic API: messages, whole or as server-sent events, with usage."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from tests.cluster.world import http1

PATH: Final = "/v1/messages"
MODELS: Final = ("world-1", "world-1-mini")
WORD_SECONDS: Final = 0.01


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request."""
    if not request.headers.get("x-api-key") and not request.headers.get("authorization"):
        return _error(401, "authentication_error", "x-api-key header is required")
    if "anthropic-version" not in request.headers:
        return _error(400, "invalid_request_error", "anthropic-version: header is required")
    try:
        document = json.loads(request.body)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return _error(400, "invalid_request_error", "the body is no JSON")
    match document:
        case {"model": str(model), "messages": [*_, {"content": content}], "max_tokens": int(limit)}:
            words = ["You", "said:", *_text(content).split()][:limit]
        case _:
            return _error(400, "invalid_request_error", "model, messages and max_tokens are required")
    if model not in MODELS:
        return _error(404, "not_found_error", f"model: {model}")
    if document.get("stream") is True:
        return http1.Answer(status=200, body=_stream(model, words), content_type="text/event-stream")
    content_blocks = [{"type": "text", "text": " ".join(words)}]
    return http1.json_answer(_message(model, content_blocks, tokens=len(words), stop="end_turn"))


def events(model: str, words: list[str]) -> Iterator[dict[str, Any]]:
    """Give the answer piece by piece, as the API names its events."""
    yield {"type": "message_start", "message": _message(model, [], tokens=0, stop=None)}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for place, word in enumerate(words):
        delta = {"type": "text_delta", "text": word if place == 0 else f" {word}"}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    usage = {"output_tokens": len(words)}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


async def _stream(model: str, words: list[str]) -> AsyncIterator[bytes]:
    for event in events(model, words):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        await asyncio.sleep(WORD_SECONDS)


def _message(model: str, content: list[dict[str, str]], *, tokens: int, stop: str | None) -> dict[str, Any]:
    return {
        "id": "msg_world",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": tokens},
    }


def _text(content: object) -> str:
    match content:
        case str(text):
            return text
        case [*parts]:
            return " ".join(part["text"] for part in parts if isinstance(part, dict) and part.get("type") == "text")
        case _:
            return ""


def _error(status: int, kind: str, message: str) -> http1.Answer:
    return http1.json_answer({"type": "error", "error": {"type": kind, "message": message}}, status=status)
