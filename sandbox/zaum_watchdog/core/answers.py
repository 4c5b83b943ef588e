"""Write the HTTP answers of the proxy. Every refusal says which rule, in a header and in a JSON body."""

from collections.abc import Iterable
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import refusals
from zaum_watchdog.core.metering import errors

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

_REASONS: Final = {
    400: "Bad Request",
    402: "Payment Required",
    403: "Forbidden",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_STATUS: Final = {
    contract.Rule.ALLOWED: 200,
    contract.Rule.REQUEST_MALFORMED: 400,
    contract.Rule.REQUESTS_PER_MINUTE: 429,
    contract.Rule.CONNECTIONS: 429,
    contract.Rule.TOKEN_MISSING: 503,
    contract.Rule.NO_PROOF: 503,
    contract.Rule.GATEWAY_UNAVAILABLE: 503,
    contract.Rule.UPSTREAM_UNAVAILABLE: 503,
    contract.Rule.REQUEST_TOO_LARGE: 413,
    contract.Rule.HEAD_TOO_LARGE: 431,
    contract.Rule.ROUTE_CREDENTIAL: 503,
    contract.Rule.ROUTE_SERVICE: 503,
    contract.Rule.ROUTE_ECHO: 502,
    contract.Rule.UPSTREAM_TLS: 502,
    contract.Rule.UPSTREAM_MALFORMED: 502,
    contract.Rule.UNPRICED: 400,
    contract.Rule.TOKENS_PER_MINUTE: 429,
    contract.Rule.TOKENS_PER_DAY: 402,
    contract.Rule.COST_PER_DAY: 402,
    contract.Rule.BYTES_OUT_PER_HOUR: 402,
    contract.Rule.BYTES_IN_PER_HOUR: 402,
    contract.Rule.LEDGER_UNAVAILABLE: 503,
    contract.Rule.REQUEST_TYPE: 415,
    contract.Rule.BODIES: 503,
}
_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=us-ascii"
BODY_MAX: Final = 8 * 1024
"""Largest body of a gateway's answer that is relayed, in bytes."""


def status_of(rule: contract.Rule) -> int:
    """Give the HTTP status that stands for a rule; what is not listed is a 403."""
    return _STATUS.get(rule, 403)


def refusal(
    refused: refusals.Refusal,
    *,
    namespace: str,
    name: str,
    text: bool = False,
    bare: bool = False,
    api: str = "",
    lines: Iterable[str] = (),
) -> bytes:
    """Write the whole answer to a request that is refused here; the connection ends with it.

    `text` asks for plain text instead of JSON; `bare` leaves the body out, as the answer to a HEAD must. `api`: the
    provider whose errors the agent's library understands. `lines`: further headers.
    """
    status, seconds = status_of(refused.rule), -(-refused.retry_after // 1_000_000_000)
    policy = f"{namespace}/{name}"
    if text:
        would = f"\nwhat would allow it: {refused.allowed_by}" if refused.allowed_by else ""
        body = f"{refused.rule.value}: {refused.message}{would}\npolicy: {policy}\n".encode("ascii", "replace")
    else:
        denial = documents.Denial(refused.rule.value, refused.message, refused.allowed_by, policy)
        body = errors.body(api, status, denial, param=refused.field)
    again = errors.retried(status, seconds) if api in documents.PRICED_APIS else ""
    if again:
        lines = (*lines, f"x-should-retry: {again}")
    kind = _TEXT if text else _JSON
    return write(status, refused.rule, body, retry_after=seconds, kind=kind, bare=bare, lines=lines)


def write(
    status: int,
    rule: contract.Rule,
    body: bytes,
    *,
    retry_after: int = 0,
    kind: str = _JSON,
    bare: bool = False,
    lines: Iterable[str] = (),
) -> bytes:
    """Write one answer; `retry_after` in seconds, 0 for none; `bare` leaves out the body that the head tells of."""
    head = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Refused')}",
        f"{contract.HEADER_RULE}: {rule.value}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        "proxy-connection: close",
        *lines,
    ]
    if retry_after:
        head.append(f"retry-after: {retry_after}")
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + (b"" if bare else body)
