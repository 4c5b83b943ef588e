"""What requests to OpenAI's API may hold where tokens or cost are limited (as its SDK's types had it in 2026-08).

At the top nothing passes that is not named here. Below, what refers to something outside of the request is refused,
and so is an object of an unknown type.
"""

from collections.abc import Mapping
from typing import Final

from zaum_watchdog.core.metering import judging, places
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place, Seen, Tallies

_UNKNOWN: Final = Place(refused=judging.UNKNOWN)
_TIER: Final = judging.one_of("auto", "default", "flex")
_ANY: Final = dict.fromkeys(
    (
        b"metadata", b"parallel_tool_calls", b"prompt_cache_key", b"prompt_cache_options", b"prompt_cache_retention",
        b"safety_identifier", b"store", b"temperature", b"tool_choice", b"top_logprobs", b"top_p", b"user",
    ),
    UNREAD,
)  # fmt: skip
_TOOLS: Final = Place(
    items=Place(members={b"type": judging.one_of("function", "custom")}, check=judging.typed())
)  # Whatever else is called a tool runs at the provider, and has a price of its own.


def _count_options(seen: Mapping[bytes, Seen], tallies: Tallies) -> str:
    tallies[judging.OPTIONS] = len(seen)
    return ""


_OPTIONS: Final = Place(kept=True, members={b"include_usage": KEPT}, check=_count_options)
_CHAT_PART: Final = Place(
    members={
        b"type": judging.one_of("text", "image_url", "refusal"),
        b"image_url": Place(members={b"url": Place(judge=judging.INLINE_IMAGE)}, judge=judging.INLINE_IMAGE),
        b"file": judging.REFUSED,
        b"input_audio": judging.REFUSED,
        b"text": judging.NOTED,
    },
    check=judging.typed(),
)
_MESSAGES: Final = Place(
    items=Place(members={b"content": Place(items=_CHAT_PART), b"audio": judging.FROM_STORE}, turns=True)
)

CHAT: Final = Place(
    members={
        **_ANY,
        **dict.fromkeys(
            (
                b"frequency_penalty", b"function_call", b"functions", b"logit_bias", b"logprobs", b"presence_penalty",
                b"reasoning_effort", b"response_format", b"seed", b"stop", b"verbosity",
            ),
            UNREAD,
        ),
        **dict.fromkeys((b"model", b"max_completion_tokens", b"max_tokens", b"n", b"stream"), KEPT),
        b"messages": _MESSAGES,
        b"modalities": Place(items=judging.one_of("text")),
        b"service_tier": _TIER,
        b"stream_options": _OPTIONS,
        b"tools": _TOOLS,
        **dict.fromkeys((b"audio", b"moderation", b"prediction", b"web_search_options"), judging.REFUSED),
    },
    other=_UNKNOWN,
)  # fmt: skip


def _item(seen: Mapping[bytes, Seen], _tallies: Tallies) -> str:
    kind = seen.get(b"type", places.NOTHING).raw
    if kind == b'"reasoning"':
        told = seen.get(b"encrypted_content", places.NOTHING).raw
        return "" if told[:1] == b'"' and told != b'""' else f"has no encrypted_content: it {judging.STORED}"
    if kind in {b"", b"null", b'"message"'} and seen.get(b"content", places.NOTHING).raw in {b"", b"null"}:
        return f"has no content: it {judging.STORED}"
    return ""


_PART: Final = Place(
    members={
        b"type": judging.one_of("input_text", "output_text", "refusal", "input_image", "reasoning_text", "text"),
        b"image_url": Place(judge=judging.INLINE_IMAGE),
        b"text": judging.NOTED,
        **dict.fromkeys((b"file_data", b"file_url", b"input_audio"), judging.REFUSED),
        b"file_id": judging.FROM_STORE,
    },
    check=judging.typed(),
)
_ITEM: Final = Place(
    members={
        b"type": judging.one_of(
            "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
            "reasoning",
        ),
        b"content": Place(items=_PART, judge=judging.NOTED.judge),
        b"output": Place(items=_PART, judge=judging.NOTED.judge),
        b"encrypted_content": judging.NOTED,
        b"file_id": judging.FROM_STORE,
    },
    check=_item,
    turns=True,
)  # fmt: skip

RESPONSES: Final = Place(
    members={
        **_ANY,
        **dict.fromkeys(
            (b"include", b"max_tool_calls", b"reasoning", b"stream_options", b"text", b"truncation"), UNREAD
        ),
        **dict.fromkeys((b"model", b"max_output_tokens", b"stream"), KEPT),
        b"input": Place(items=_ITEM),
        b"instructions": judging.NOTED,
        b"service_tier": _TIER,
        b"tools": _TOOLS,
        **dict.fromkeys((b"background", b"context_management", b"moderation"), judging.REFUSED),
        **dict.fromkeys((b"conversation", b"previous_response_id", b"prompt"), judging.FROM_STORE),
    },
    other=_UNKNOWN,
)

EMBEDDINGS: Final = Place(
    members={
        b"model": KEPT,
        **dict.fromkeys((b"dimensions", b"encoding_format", b"input", b"user"), UNREAD),
    },
    other=_UNKNOWN,
)
