"""What the Anthropic API refuses, and what a message of it says."""

import json
from collections.abc import Sequence
from typing import Final

from tests.cluster.world import http1

PATH: Final = "/v1/messages"


def read(request: http1.Request, models: Sequence[str]) -> http1.Answer | list[str]:
    """Give the words of the last message, or the answer that refuses it."""
    if not request.headers.get("x-api-key") and not request.headers.get("authorization"):
        return _error(401, "authentication_error", "x-api-key header is required")
    if "anthropic-version" not in request.headers:
        return _error(400, "invalid_request_error", "anthropic-version: header is required")
    try:
        document = json.loads(request.body)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return _error(400, "invalid_request_error", "the body is no JSON")
    match document:
        case {"model": str(model), "messages": [*_, {"content": content}], "max_tokens": int(limit)} if limit > 0:
            pass
        case _:
            return _error(400, "invalid_request_error", "model, messages and max_tokens are required")
    if model not in models:
        return _error(404, "not_found_error", f"model: {model}")
    return _text(content).split()


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
