"""Find in a line of server-sent events the text that goes on from event to event, and where it ends.

Of model providers: chat completions, completions and responses (OpenAI's), messages (Anthropic's). Whatever is of none
of them is text like any other.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

LINE_MAX: Final = 8 * 1024
"""Bytes of a line that is looked into; a longer one is text like any other."""

_DATA: Final = re.compile(rb"data: ?")
_CHAT: Final = ("content", "refusal", "reasoning_content", "reasoning")
_BLOCK: Final = ("text", "partial_json", "thinking")
_VALUES: Final = {
    key: re.compile(rb'"' + key.encode() + rb'"[ \t]*+:[ \t]*+"((?:[^"\\]|\\.)*+)"')
    for key in (*_CHAT, *_BLOCK, "arguments", "delta")
}
_OVER: Final = frozenset(
    ("message_delta", "message_stop", "error", "response.completed", "response.failed", "response.incomplete")
)

Name = tuple[object, ...]
"""Which text: of which choice, call, item or block."""


@dataclass(frozen=True, slots=True)
class Delta:
    """More of a text: the raw bytes of it in the line, without its quotes."""

    name: Name
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says. `ended`: the beginnings of the names of texts that end with it; an empty one ends all."""

    deltas: tuple[Delta, ...] = ()
    ended: tuple[Name, ...] = ()


_NOTHING: Final = Line()
_ALL_END: Final = Line(ended=((),))


def read(line: bytes) -> Line:
    """Look into a line."""
    prefix = _DATA.match(line)
    if prefix is None:
        return _NOTHING
    if line.startswith(b"[DONE]", prefix.end()):
        return _ALL_END
    try:
        event = json.loads(line[prefix.end() :])
    except (ValueError, RecursionError):
        return _NOTHING
    if not isinstance(event, dict):
        return _NOTHING
    return _chat(line, event["choices"]) if isinstance(event.get("choices"), list) else _typed(line, event)


def _chat(line: bytes, choices: list[Any]) -> Line:
    texts: list[tuple[str, Name]] = []
    ended: list[Name] = []
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        index = _index(choice)
        if isinstance(choice.get("text"), str):
            texts.append(("text", (index, "text")))
        delta = choice.get("delta")
        if isinstance(delta, dict):
            texts += _of_delta(delta, index)
        if choice.get("finish_reason") is not None:
            ended.append((index,))
    return Line(_placed(line, texts), tuple(ended))


def _of_delta(delta: dict[str, Any], index: object) -> list[tuple[str, Name]]:
    """Give the texts of a delta, in the order in which they stand in it."""
    texts: list[tuple[str, Name]] = []
    for key, value in delta.items():
        if key in _CHAT and isinstance(value, str):
            texts.append((key, (index, key)))
        elif key == "function_call" and isinstance(value, dict):
            texts += _of_call(value, (index, key))
        elif key == "tool_calls" and isinstance(value, list):
            for call in value:
                if isinstance(call, dict) and isinstance(call.get("function"), dict):
                    texts += _of_call(call["function"], (index, key, _index(call)))
    return texts


def _of_call(call: dict[str, Any], name: Name) -> list[tuple[str, Name]]:
    return [("arguments", name)] if isinstance(call.get("arguments"), str) else []


def _typed(line: bytes, event: dict[str, Any]) -> Line:
    kind = event.get("type")
    if not isinstance(kind, str):
        return _NOTHING
    if kind in _OVER:
        return _ALL_END
    if kind == "content_block_stop":
        return Line(ended=((_index(event),),))
    delta = event.get("delta")
    if kind == "content_block_delta" and isinstance(delta, dict):
        index = _index(event)
        texts: list[tuple[str, Name]] = [(key, (index, key)) for key in delta if key in _BLOCK]
        return Line(_placed(line, texts))
    item: Name = tuple(_known(event.get(key)) for key in ("output_index", "content_index", "summary_index"))
    if kind.endswith(".delta") and isinstance(delta, str):
        return Line(_placed(line, [("delta", (*item, kind.removesuffix(".delta")))]))
    return Line(ended=((*item, kind.removesuffix(".done")),)) if kind.endswith(".done") else _NOTHING


def _index(value: dict[str, Any]) -> object:
    return _known(value.get("index"))


def _known(value: object) -> object:
    """Give what can be told from others."""
    return value if isinstance(value, int | str) else None


def _placed(line: bytes, texts: list[tuple[str, Name]]) -> tuple[Delta, ...]:
    """Say where the texts stand; nothing if it is not clear which is which, and they are text like any other then.

    A key with its quotes is found nowhere else, because quotes in a string are escaped.
    """
    found: list[Delta] = []
    for key in dict.fromkeys(key for key, _ in texts):
        names = [name for other, name in texts if other == key]
        places = list(_VALUES[key].finditer(line))
        if len(places) != len(names):
            return ()
        found += [Delta(name, *place.span(1)) for name, place in zip(names, places, strict=True)]
    return tuple(sorted(found, key=lambda delta: delta.start))
