"""Write the HTTP answers of the proxy. Every refusal says which rule, in a header and in a JSON body."""

from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import policy

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

_REASONS: Final = {
    400: "Bad Request",
    403: "Forbidden",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_STATUS: Final = {
    contract.Rule.ALLOWED: 200,
    contract.Rule.REQUEST_MALFORMED: 400,
    contract.Rule.REQUESTS_PER_MINUTE: 429,
    contract.Rule.CONNECTIONS: 429,
    contract.Rule.TOKEN_MISSING: 503,
    contract.Rule.GATEWAY_UNAVAILABLE: 503,
    contract.Rule.UPSTREAM_UNAVAILABLE: 503,
}
BODY_MAX: Final = 8 * 1024
"""Largest body of a gateway's answer that is relayed, in bytes."""


def status_of(rule: contract.Rule) -> int:
    """Give the HTTP status that stands for a rule; what is not listed is a 403."""
    return _STATUS.get(rule, 403)


def refusal(refused: policy.Refusal, *, namespace: str, name: str) -> bytes:
    """Write the whole answer to a request that is refused here; the connection ends with it."""
    denial = documents.Denial(
        rule=refused.rule.value,
        message=refused.message,
        allowed_by=refused.allowed_by,
        policy=f"{namespace}/{name}",
    )
    seconds = -(-refused.retry_after // 1_000_000_000)
    return write(status_of(refused.rule), refused.rule, denial.dump(), retry_after=seconds)


def write(status: int, rule: contract.Rule, body: bytes, *, retry_after: int = 0) -> bytes:
    """Write one answer with a JSON body; `retry_after` in seconds, 0 for none."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Refused')}",
        f"{contract.HEADER_RULE}: {rule.value}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        "proxy-connection: close",
    ]
    if retry_after:
        lines.append(f"retry-after: {retry_after}")
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
