"""Write refusals in the shape of the provider's own errors, so that its SDKs raise what they raise.

OpenAI: `{"error": {"message", "type", "param", "code"}}`. Anthropic: `{"type": "error", "error": {"type", "message"}}`.
Beside the error stands what every refusal of the watchdog says: rule, message, what would have allowed it, policy.
"""

from collections.abc import Mapping
from typing import Final

from zaum_api import documents, reading

_OPENAI: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "invalid_request"),
    401: ("authentication_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("permission_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_media_type"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "service_unavailable"),
}
_ANTHROPIC: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def body(api: str, status: int, denial: documents.Denial, *, param: str = "") -> bytes:
    """Write the body of a refusal; `param` names the field of the request that it is about. Any other API: as it is."""
    said = {
        "rule": denial.rule,
        "message": denial.message,
        "allowedBy": denial.allowed_by,
        "policy": denial.policy,
    }
    text = f"{denial.rule}: {denial.message}"
    match api:
        case "OpenAI":
            kind, code = _OPENAI.get(status, ("server_error", "server_error"))
            error = {"message": text, "type": kind, "param": param or None, "code": code}
            return reading.canonical({"error": error, **said})
        case "Anthropic":
            kind = _ANTHROPIC.get(status, "api_error")
            return reading.canonical({"type": "error", "error": {"type": kind, "message": text}, **said})
        case _:
            return denial.dump()


def retried(status: int, seconds: int) -> str:
    """Give the value of `x-should-retry`, by which both SDKs go before anything else; empty where they know better.

    What is spent until midnight does not come back within a retry or two; SDKs would wait a minute at most.
    """
    return "false" if status == 402 or seconds > _PATIENT else ""


_PATIENT: Final = 60
