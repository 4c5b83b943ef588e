"""Which endpoints spend tokens, and which nobody can price."""

import pytest

from zaum_watchdog.core.metering.endpoints import Endpoint, Other, of


@pytest.mark.parametrize(
    ("api", "method", "path", "expected"),
    [
        ("OpenAI", "POST", "/chat/completions", Endpoint.CHAT),
        ("OpenAI", "POST", "/v1/chat/completions", Endpoint.CHAT),
        ("OpenAI", "POST", "/responses", Endpoint.RESPONSES),
        ("OpenAI", "POST", "/embeddings", Endpoint.EMBEDDINGS),
        ("Anthropic", "POST", "/v1/messages", Endpoint.MESSAGES),
        ("OpenAI", "GET", "/models", Other.FREE),
        ("OpenAI", "DELETE", "/responses/resp_1", Other.FREE),
        ("OpenAI", "POST", "/responses/resp_1/cancel", Other.FREE),
        ("OpenAI", "POST", "/responses/input_tokens", Other.FREE),
        ("Anthropic", "POST", "/v1/messages/count_tokens", Other.FREE),
        ("OpenAI", "POST", "/responses/compact", Other.UNPRICED),
        ("OpenAI", "POST", "/images/generations", Other.UNPRICED),
        ("OpenAI", "POST", "/batches", Other.UNPRICED),
        ("OpenAI", "POST", "/chat/completions/", Other.UNPRICED),
        ("OpenAI", "POST", "/v1/v1/chat/completions", Other.UNPRICED),
        ("OpenAI", "POST", "/messages", Other.UNPRICED),
        ("OpenAI", "PUT", "/chat/completions", Other.UNPRICED),
        ("Anthropic", "POST", "/v1/messages/batches", Other.UNPRICED),
        ("Anthropic", "POST", "/chat/completions", Other.UNPRICED),
        ("HTTP", "POST", "/chat/completions", Other.UNPRICED),
    ],
)
def test_i07_what_is_not_known_is_not_priced(api: str, method: str, path: str, expected: Endpoint | Other) -> None:
    assert of(api, method, path) is expected
