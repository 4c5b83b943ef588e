"""An LLM's provider that keeps its own books: chat completions, responses, embeddings and messages, whole or as events.

Pure: a request's path and body go in, the bytes of the answer come out in pieces, and the books say what it used. One
token is one word. A request says by the header `x-fault` what is to be wrong with the answer, by `x-say` how many words
it would like to hear.
"""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

CACHED_FROM: Final = 8
"""Words of a request from which on half of them were cached."""
WORDS: Final = 5
SPEECH: Final = ("word",) * WORDS
"""What is said where nobody says what."""
DEFAULT_MOST: Final = 100_000
"""Tokens of an answer where a request does not say how many there may be."""


class Fault(StrEnum):
    """What is wrong with an answer."""

    NONE = ""
    MISSING = "missing"
    """No usage is said."""
    NEGATIVE = "negative"
    ABSURD = "absurd"
    CONTRADICTORY = "contradictory"
    """The total is less than its parts, or what was said before."""
    GZIP = "gzip"
    TRUNCATED = "truncated"
    """The connection ends before the answer does."""
    SILENT = "silent"
    """The connection ends before the answer begins."""
    OVERLOADED = "overloaded"
    """Not done, and not charged."""
    CRASHED = "crashed"
    """Done and charged, and answered with an error."""


ENDS_WELL: Final = frozenset({Fault.NONE, Fault.OVERLOADED})
"""What the books of both sides have to agree on."""


@dataclass(frozen=True, slots=True)
class Used:
    """What one call used, in tokens."""

    endpoint: str
    model: str
    input: int
    cached: int
    output: int

    @property
    def tokens(self) -> int:
        """Count them all."""
        return self.input + self.output


NOTHING: Final = Used("", "", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `complete` False: the connection ends behind the last piece, or before the first one."""

    status: int
    content_type: str
    pieces: tuple[bytes, ...]
    used: Used
    complete: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def streamed(self) -> bool:
        """Say whether it is a stream of events."""
        return self.content_type == "text/event-stream"


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says, `choices` times; `cut`: it would have said more."""

    words: tuple[str, ...]
    choices: int
    cut: bool


def reply(path: str, headers: Mapping[str, str], body: bytes, speech: Sequence[str] = SPEECH) -> Reply:
    """Answer one request with a speech, as far as it may go on. Header names are lower-case."""
    document = json.loads(body)
    endpoint = path.removeprefix("/v1")
    fault, model = Fault(headers.get("x-fault", "")), str(document["model"])
    if fault is Fault.OVERLOADED:
        return Reply(529 if endpoint == "/messages" else 503, "application/json", (b'{"error":{}}',), NOTHING)
    heard = _words(document)
    whole = ("word",) * int(headers["x-say"]) if "x-say" in headers else tuple(speech)
    words = whole[: _most(document)]
    said = _Said(words, document.get("n") or 1, words != whole)
    output = 0 if endpoint == "/embeddings" else len(words) * said.choices
    cached = heard // 2 if heard >= CACHED_FROM and endpoint != "/embeddings" else 0
    used = Used(endpoint, model, heard, cached, output)
    usage = _faulty(_usage(used), fault)
    if document.get("stream") is True:
        asked = (document.get("stream_options") or {}).get("include_usage") is True
        events = tuple(_EVENTS[endpoint](used, usage, said, told=asked))
        return _flawed(Reply(200, "text/event-stream", events, used), fault)
    text = json.dumps(_WHOLE[endpoint](used, usage, said)).encode()
    return _flawed(Reply(200, "application/json", (text,), used), fault)


def _flawed(said: Reply, fault: Fault) -> Reply:
    match fault:
        case Fault.GZIP:
            packed = gzip.compress(b"".join(said.pieces))
            coding = {"content-encoding": "gzip"}
            return Reply(said.status, said.content_type, (packed,), said.used, headers=coding)
        case Fault.TRUNCATED:
            whole = b"".join(said.pieces)
            return Reply(said.status, said.content_type, (whole[: len(whole) // 2],), said.used, complete=False)
        case Fault.SILENT:
            return Reply(0, "", (), said.used, complete=False)
        case Fault.CRASHED:
            return Reply(500, "application/json", (b'{"error":{"message":"it crashed"}}',), said.used)
        case _:
            return said


def _words(document: Mapping[str, Any]) -> int:
    """Count the words of all that is said: never more than the bytes of the request."""
    texts = json.dumps([document.get(name) for name in ("messages", "input", "system", "instructions")])
    return len(texts.split())


def _most(document: Mapping[str, Any]) -> int:
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    return next((document[name] for name in names if document.get(name) is not None), DEFAULT_MOST)


def _usage(used: Used) -> dict[str, Any]:
    match used.endpoint:
        case "/messages":
            fresh = used.input - used.cached
            return {"input_tokens": fresh, "cache_read_input_tokens": used.cached, "output_tokens": used.output}
        case "/responses":
            details = {"input_tokens_details": {"cached_tokens": used.cached}, "total_tokens": used.tokens}
            return {"input_tokens": used.input, "output_tokens": used.output, **details}
        case "/embeddings":
            return {"prompt_tokens": used.input, "total_tokens": used.input}
        case _:
            details = {"prompt_tokens_details": {"cached_tokens": used.cached}, "total_tokens": used.tokens}
            return {"prompt_tokens": used.input, "completion_tokens": used.output, **details}


def _faulty(usage: dict[str, Any], fault: Fault) -> dict[str, Any] | None:
    first = next(iter(usage))
    match fault:
        case Fault.MISSING:
            return None
        case Fault.NEGATIVE:
            return {name: -5 for name, value in usage.items() if isinstance(value, int)}
        case Fault.ABSURD:
            return {**usage, first: 10**12}
        case Fault.CONTRADICTORY if "total_tokens" in usage:
            return {**usage, "total_tokens": 0}
        case Fault.CONTRADICTORY:
            return {**usage, first: None, "cache_read_input_tokens": None, "output_tokens": 0}
        case _:
            return usage


def _pieces(said: _Said) -> list[str]:
    return [("" if place == 0 else " ") + word for place, word in enumerate(said.words)]


def _told(usage: dict[str, Any] | None) -> dict[str, Any]:
    return {} if usage is None else {"usage": usage}


def _chat(used: Used, usage: dict[str, Any] | None, said: _Said) -> dict[str, Any]:
    message = {"role": "assistant", "content": " ".join(said.words), "refusal": None}
    ended = {"finish_reason": _reason(said), "logprobs": None}
    answers = [{"index": each, "message": message, **ended} for each in range(said.choices)]
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": used.model}
    return {**head, "choices": answers, **_told(usage)}


def _reason(said: _Said) -> str:
    return "length" if said.cut else "stop"


def _embeddings(used: Used, usage: dict[str, Any] | None, _: _Said) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]
    return {"object": "list", "data": data, "model": used.model, **_told(usage)}


def _response(used: Used, usage: dict[str, Any] | None, said: _Said) -> dict[str, Any]:
    content = [{"type": "output_text", "text": " ".join(said.words), "annotations": []}]
    output = [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}]
    head = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": used.model}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**head, "output": output, **rest, **_told(usage)}


def _message(used: Used, usage: dict[str, Any] | None, said: _Said) -> dict[str, Any]:
    content = [{"type": "text", "text": " ".join(said.words)}] if said.words else []
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": used.model, "content": content}
    return {**head, "stop_reason": _stop(said), "stop_sequence": None, **_told(usage)}


def _stop(said: _Said) -> str:
    return "max_tokens" if said.cut else "end_turn"


def _line(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _named(value: Mapping[str, Any]) -> bytes:
    return f"event: {value['type']}\n".encode() + _line(value)


def _chat_events(used: Used, usage: dict[str, Any] | None, said: _Said, *, told: bool) -> Iterator[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": used.model}
    for index in range(said.choices):
        for word in _pieces(said):
            delta = {"index": index, "delta": {"content": word}, "finish_reason": None}
            yield _line({**head, "choices": [delta], **({"usage": None} if told else {})})
        yield _line({**head, "choices": [{"index": index, "delta": {}, "finish_reason": _reason(said)}]})
    if told and usage is not None:
        yield _line({**head, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _response_events(used: Used, usage: dict[str, Any] | None, said: _Said, *, told: bool) -> Iterator[bytes]:
    del told
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    for number, word in enumerate(_pieces(said)):
        yield _named({"type": "response.output_text.delta", **place, "delta": word, "sequence_number": number})
    whole = _response(used, usage, said)
    yield _named({"type": "response.completed", "response": whole, "sequence_number": len(said.words)})


def _message_events(used: Used, usage: dict[str, Any] | None, said: _Said, *, told: bool) -> Iterator[bytes]:
    del told
    begun = {**usage, "output_tokens": min(1, usage["output_tokens"])} if usage is not None else None
    head = _message(used, begun, _Said((), 1, cut=False)) | {"stop_reason": None}
    yield _named({"type": "message_start", "message": head})
    yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for word in _pieces(said):
        delta = {"type": "text_delta", "text": word}
        yield _named({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _named({"type": "content_block_stop", "index": 0})
    ended = {"stop_reason": _stop(said), "stop_sequence": None}
    output = {"usage": {"output_tokens": usage["output_tokens"]}} if usage is not None else {}
    yield _named({"type": "message_delta", "delta": ended, **output})
    yield _named({"type": "message_stop"})


_WHOLE: Final = {
    "/chat/completions": _chat, "/embeddings": _embeddings, "/responses": _response, "/messages": _message,
}  # fmt: skip
_EVENTS: Final = {
    "/chat/completions": _chat_events, "/responses": _response_events, "/messages": _message_events,
}  # fmt: skip
