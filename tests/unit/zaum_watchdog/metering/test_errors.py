"""Refusals in the provider's own shape, as its SDKs read them."""

import json
from typing import Any

import pytest

from zaum_api import documents
from zaum_watchdog.core.metering import errors

DENIAL = documents.Denial(
    "limits.cost.perDay", "the budget is spent", "more of spec.limits.cost.perDay", "agents/researcher"
)


def body(api: str, status: int, param: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(errors.body(api, status, DENIAL, param=param))
    return found


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "invalid_request"),
        (402, "insufficient_quota", "insufficient_quota"),
        (403, "permission_error", "forbidden"),
        (413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (503, "server_error", "service_unavailable"),
        (502, "server_error", "server_error"),
    ],
)
def test_openai(status: int, kind: str, code: str) -> None:
    error = body("OpenAI", status, "tools")["error"]
    assert error == {"message": "limits.cost.perDay: the budget is spent", "type": kind, "param": "tools", "code": code}
    assert body("OpenAI", status)["error"]["param"] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (402, "billing_error"),
        (429, "rate_limit_error"),
        (503, "overloaded_error"),
        (502, "api_error"),
    ],
)
def test_anthropic(status: int, kind: str) -> None:
    found = body("Anthropic", status)
    assert found["type"] == "error"
    assert found["error"] == {"type": kind, "message": "limits.cost.perDay: the budget is spent"}


@pytest.mark.parametrize("api", ["OpenAI", "Anthropic", "HTTP"])
def test_every_refusal_says_rule_policy_and_what_would_have_allowed_it(api: str) -> None:
    found = body(api, 402)
    assert {"rule", "message", "allowedBy", "policy"} <= set(found)
    assert found["rule"] == "limits.cost.perDay"


def test_another_api_has_the_refusal_as_it_is() -> None:
    assert errors.body("HTTP", 402, DENIAL) == DENIAL.dump()


def test_nobody_tries_again_within_a_minute_what_comes_back_tomorrow() -> None:
    assert errors.retried(402, 3) == errors.retried(429, 61) == "false"
    assert errors.retried(429, 60) == errors.retried(503, 0) == ""
