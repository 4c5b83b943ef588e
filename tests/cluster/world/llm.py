"""An LLM that anybody's client library can call: models, and all that `provider` says, with usage.

It has nothing to say: it repeats the last message of the user, or says as many words as `x-say` asks for. One token
is one word. What each call used goes to the witness, by the name that `x-call` gives it: those are its books. `x-wait`
says for how many seconds it is thought about.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from tests.cluster.world import anthropic, http1, provider

MODELS: Final = ("world-1", "world-1-mini")
CREATED: Final = 1_700_000_000
WORD_SECONDS: Final = 0.01
CHOICES_LIMIT: Final = 8
WAIT_LIMIT_SECONDS: Final = 10.0
OPENING: Final = ("You", "said:")


class RefusedError(ValueError):
    """A request that the API's rules refuse; `status` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def respond(request: http1.Request) -> http1.Answer:
    """Answer one request, in the shape of the API that its path belongs to."""
    if request.path == anthropic.PATH:
        words = anthropic.read(request, MODELS)
        return words if isinstance(words, http1.Answer) else answer(request, words)
    try:
        return _respond(request)
    except RefusedError as refused:
        kind = "authentication_error" if refused.status == 401 else "invalid_request_error"
        error = {"message": str(refused), "type": kind, "param": None, "code": None}
        return http1.json_answer({"error": error}, status=refused.status)


def answer(request: http1.Request, words: Iterable[str]) -> http1.Answer:
    """Say some words, as the provider says them, and write down what they cost."""
    reply = provider.reply(request.path, request.headers, request.body, (*OPENING, *words))
    used = reply.used
    told: dict[str, str | int] = {"call": request.headers.get("x-call", ""), "model": used.model}
    told |= {"input": used.input, "cached": used.cached, "output": used.output}
    pause = min(float(request.headers.get("x-wait", "0")), WAIT_LIMIT_SECONDS)
    whole = not reply.streamed and reply.complete
    return http1.Answer(
        reply.status, b"".join(reply.pieces) if whole else _spoken(reply), reply.content_type, reply.headers,
        pause=pause, complete=reply.complete, told=told,
    )  # fmt: skip


def text_of(message: object) -> str:
    """Give a message's text; content is a string or a list of parts."""
    match message:
        case {"content": str(text)}:
            return text
        case {"content": [*parts]}:
            return " ".join(_part(part) for part in parts)
        case _:
            raise RefusedError(400, "Each message needs content.")


def _respond(request: http1.Request) -> http1.Answer:
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise RefusedError(401, "You didn't provide an API key.")
    match request.method, request.path:
        case "GET", "/v1/models":
            return http1.json_answer({"object": "list", "data": [_model(name) for name in MODELS]})
        case "POST", "/v1/chat/completions":
            return answer(request, _chat(_document(request.body)))
        case "POST", "/v1/responses" | "/v1/embeddings":
            return answer(request, _input(_document(request.body)))
        case _:
            raise RefusedError(404, f"Invalid URL ({request.method} {request.path})")


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RefusedError(400, "The body is no JSON.") from error
    match document:
        case {"model": str(model)}:
            pass
        case _:
            raise RefusedError(400, "model is required.")
    if model not in MODELS:
        raise RefusedError(404, f"The model {model!r} does not exist.")
    for key in ("max_completion_tokens", "max_tokens", "max_output_tokens", "n"):
        if document.get(key) is not None and not (isinstance(document[key], int) and document[key] >= 1):
            raise RefusedError(400, f"{key} must be a whole number from 1.")
    if (document.get("n") or 1) > CHOICES_LIMIT:
        raise RefusedError(400, f"n must not be more than {CHOICES_LIMIT}.")
    return dict(document)


def _chat(document: dict[str, Any]) -> list[str]:
    match document:
        case {"messages": [*_, last]}:
            return text_of(last).split()
        case _:
            raise RefusedError(400, "messages are required.")


def _input(document: dict[str, Any]) -> list[str]:
    match document:
        case {"input": str(text)}:
            return text.split()
        case {"input": [str(), *_] as texts} if all(isinstance(text, str) for text in texts):
            return " ".join(texts).split()
        case _:
            raise RefusedError(400, "input is required: a text or several.")


async def _spoken(reply: provider.Reply) -> AsyncIterator[bytes]:
    for piece in reply.pieces:
        yield piece
        await asyncio.sleep(WORD_SECONDS)


def _part(part: object) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            raise RefusedError(400, "Only text parts are supported.")


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "world"}
