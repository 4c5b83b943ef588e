"""Which of an API's endpoints spend tokens, and which of them can be reckoned."""

import re
from enum import Enum, auto
from typing import Final


class Endpoint(Enum):
    """What is asked of a model, and how its requests and answers are read."""

    CHAT = auto()
    """OpenAI: chat completions."""
    RESPONSES = auto()
    """OpenAI: responses."""
    EMBEDDINGS = auto()
    """OpenAI: embeddings."""
    MESSAGES = auto()
    """Anthropic: messages."""


class Other(Enum):
    """Whatever else there is."""

    FREE = auto()
    """Spends no tokens."""
    UNPRICED = auto()
    """Spends what nobody here can tell: files, batches, images, audio, what this version does not know."""


_METERED: Final = {
    "OpenAI": {
        "/chat/completions": Endpoint.CHAT,
        "/responses": Endpoint.RESPONSES,
        "/embeddings": Endpoint.EMBEDDINGS,
    },
    "Anthropic": {"/messages": Endpoint.MESSAGES},
}
_FREE: Final = {
    "OpenAI": re.compile(r"/responses/input_tokens|/responses/[A-Za-z0-9_-]+/cancel|/moderations"),
    "Anthropic": re.compile(r"/messages/count_tokens"),
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_VERSION: Final = "/v1"
"""Stands in the route's base, or in what the agent asks for."""


def of(api: str, method: str, path: str) -> Endpoint | Other:
    """Tell what a request below a route's base is, by the path in normal form. What is not known is not priced."""
    if method in _READING:
        return Other.FREE
    if method != "POST" or api not in _METERED:
        return Other.UNPRICED
    below = path.removeprefix(_VERSION)
    metered = _METERED[api].get(below)
    if metered is not None:
        return metered
    return Other.FREE if _FREE[api].fullmatch(below) else Other.UNPRICED
