"""An LLM behind the OpenAI API's shapes: models and chat completions, whole or as server-sent events, with usage.

It has nothing to say, but says it in the shape that the official client library expects. Deterministic: the answer
repeats the last user message, one token is one word.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.cluster.world import anthropic, http1

MODELS: Final = ("world-1", "world-1-mini")
CREATED: Final = 1_700_000_000
WORD_SECONDS: Final = 0.01
CHOICES_LIMIT: Final = 8


class RefusedError(ValueError):
    """A request that the API's rules refuse; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Chat:
    """One completion to make: what to say, how often, how."""

    model: str
    prompt_tokens: int
    words: tuple[str, ...]
    choices: int
    stream: bool
    include_usage: bool
    finish_reason: str

    def usage(self) -> dict[str, int]:
        """Count tokens: all choices are paid for."""
        completion = len(self.words) * self.choices
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        }


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request, in the shape of the API that its path belongs to."""
    if request.path == anthropic.PATH:
        return anthropic.respond(request)
    try:
        return _respond(request)
    except RefusedError as refused:
        kind = "authentication_error" if refused.status == 401 else "invalid_request_error"
        error = {"message": str(refused), "type": kind, "param": None, "code": None}
        return http1.json_answer({"error": error}, status=refused.status)


def _respond(request: http1.Request) -> http1.Answer:
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise RefusedError(401, "You didn't provide an API key.")
    match request.method, request.path:
        case "GET", "/v1/models":
            return http1.json_answer({"object": "list", "data": [_model(name) for name in MODELS]})
        case "POST", "/v1/chat/completions":
            chat = read(request.body)
            if not chat.stream:
                return http1.json_answer(completion(chat))
            return http1.Answer(status=200, body=_events(chat), content_type="text/event-stream")
        case _:
            raise RefusedError(404, f"Invalid URL ({request.method} {request.path})")


def read(body: bytes) -> Chat:
    """Read a chat completion request; raise RefusedError."""
    try:
        document = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RefusedError(400, "The body is no JSON.") from error
    match document:
        case {"model": str(model), "messages": [_, *_] as messages}:
            pass
        case _:
            raise RefusedError(400, "model and messages are required.")
    if model not in MODELS:
        raise RefusedError(404, f"The model {model!r} does not exist.")
    prompt = [word for message in messages for word in _text(message).split()]
    words = ("You", "said:", *_text(messages[-1]).split())
    limit = _count(document, "max_completion_tokens") or _count(document, "max_tokens") or len(words)
    include_usage = document.get("stream_options") == {"include_usage": True}
    return Chat(
        model=model,
        prompt_tokens=len(prompt),
        words=words[:limit],
        choices=min(_count(document, "n") or 1, CHOICES_LIMIT),
        stream=document.get("stream") is True,
        include_usage=include_usage,
        finish_reason="length" if limit < len(words) else "stop",
    )


def completion(chat: Chat) -> dict[str, Any]:
    """Give the whole answer."""
    return {
        "id": "chatcmpl-world",
        "object": "chat.completion",
        "created": CREATED,
        "model": chat.model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": " ".join(chat.words), "refusal": None},
                "logprobs": None,
                "finish_reason": chat.finish_reason,
            }
            for index in range(chat.choices)
        ],
        "usage": chat.usage(),
    }


def chunks(chat: Chat) -> Iterable[dict[str, Any]]:
    """Give the answer piece by piece; usage comes last and only when asked for."""
    for index in range(chat.choices):
        yield _chunk(chat, [_piece(index, {"role": "assistant", "content": ""})])
        for place, word in enumerate(chat.words):
            yield _chunk(chat, [_piece(index, {"content": word if place == 0 else f" {word}"})])
        yield _chunk(chat, [_piece(index, {}, finish_reason=chat.finish_reason)])
    if chat.include_usage:
        yield {**_chunk(chat, []), "usage": chat.usage()}


def event(data: str) -> bytes:
    """Frame one server-sent event (one line of data)."""
    return f"data: {data}\n\n".encode()


async def _events(chat: Chat) -> AsyncIterator[bytes]:
    for chunk in chunks(chat):
        yield event(json.dumps(chunk))
        await asyncio.sleep(WORD_SECONDS)
    yield event("[DONE]")


def _chunk(chat: Chat, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-world",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": chat.model,
        "choices": choices,
    }


def _piece(index: int, delta: Mapping[str, str], *, finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": dict(delta), "logprobs": None, "finish_reason": finish_reason}


def _count(document: Mapping[str, object], key: str) -> int:
    """Take a number that is 1 or more; 0 where it is absent."""
    match document.get(key):
        case None:
            return 0
        case int(number) if number >= 1:
            return number
        case _:
            raise RefusedError(400, f"{key} must be a whole number from 1.")


def _text(message: object) -> str:
    """Give a message's text; content is a string or a list of parts."""
    match message:
        case {"content": str(text)}:
            return text
        case {"content": [*parts]}:
            return " ".join(_part(part) for part in parts)
        case _:
            raise RefusedError(400, "Each message needs content.")


def _part(part: object) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            raise RefusedError(400, "Only text parts are supported.")


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "world"}
