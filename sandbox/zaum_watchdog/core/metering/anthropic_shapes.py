"""What requests to Anthropic's API may hold where tokens or cost are limited (as its SDK's types had it in 2026-08).

At the top nothing passes that is not named here. Below, what refers to something outside of the request is refused,
and so are a block and a tool of an unknown type. Tools that the provider runs have prices of their own.
"""

from collections.abc import Mapping
from typing import Final

from zaum_watchdog.core.metering import judging, places
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place, Seen, Tallies

_OWN_TOOLS: Final = (b'"bash_', b'"text_editor_', b'"memory_')
"""Tools whose instructions the provider brings, and the agent runs."""


def _lifetime(seen: Seen, tallies: Tallies) -> str:
    if seen.raw == b'"1h"':
        tallies[judging.LONG_CACHE] += 1
        return ""
    return "" if seen.raw in {b"null", b'"5m"'} else f"is {judging.said(seen)}, and what that costs is not known"


def _tool(seen: Seen, _tallies: Tallies) -> str:
    if seen.raw in {b"null", b'"custom"'} or seen.raw.startswith(_OWN_TOOLS):
        return ""
    return f"is {judging.said(seen)}: a tool that the provider runs, or one that is not known"


def _source(seen: Mapping[bytes, Seen], tallies: Tallies) -> str:
    if seen[b"type"].raw != b'"base64"':
        return ""
    if not seen.get(b"media_type", places.NOTHING).raw.startswith((b'"image/', b'"image\\/')):
        return "is a document of which nobody here can tell how many tokens it has: only text and images can be priced"
    data = seen.get(b"data", places.NOTHING)
    tallies[judging.IMAGES] += 1
    tallies[judging.IMAGE_BYTES] += data.end - data.start
    return ""


_CACHE: Final = Place(members={b"ttl": Place(judge=_lifetime)})
_INSIDE: Final[dict[bytes, Place]] = {}
_BLOCK: Final = Place(members=_INSIDE, check=judging.typed())
_BLOCKS: Final = Place(items=_BLOCK)
"""A list of blocks, or a string."""
_INSIDE.update(
    {
        b"type": judging.one_of(
            "text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result",
        ),
        b"cache_control": _CACHE,
        b"content": _BLOCKS,
        b"source": Place(
            members={
                b"type": judging.one_of("base64", "text", "content"),
                b"media_type": judging.NOTED,
                b"data": judging.NOTED,
                b"content": _BLOCKS,
                b"url": judging.REFUSED,
                b"file_id": judging.FROM_STORE,
            },
            judge=judging.NOTED.judge,
            check=judging.typed(_source),
        ),
        b"file_id": judging.FROM_STORE,
    }
)  # fmt: skip

MESSAGES: Final = Place(
    members={
        **dict.fromkeys(
            (
                b"metadata", b"output_config", b"output_format", b"stop_sequences", b"temperature", b"tool_choice",
                b"top_k", b"top_p",
            ),
            UNREAD,
        ),
        **dict.fromkeys((b"model", b"max_tokens", b"stream"), KEPT),
        b"cache_control": _CACHE,
        b"inference_geo": judging.one_of("global"),
        b"messages": Place(items=Place(members={b"content": _BLOCKS}, turns=True)),
        b"service_tier": judging.one_of("auto", "standard_only"),
        b"speed": judging.one_of("standard"),
        b"system": _BLOCKS,
        b"thinking": Place(members={b"budget_tokens": KEPT}),
        b"tools": Place(items=Place(members={b"type": Place(judge=_tool), b"cache_control": _CACHE})),
        **dict.fromkeys((b"context_management", b"mcp_servers", b"fallbacks"), judging.REFUSED),
        b"container": judging.FROM_STORE,
    },
    other=Place(refused=judging.UNKNOWN),
)  # fmt: skip
