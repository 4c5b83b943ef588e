"""Read the gateway's answer to a CONNECT, as it arrives.

The gateway is ours, but what it says is still held to a shape: one status line, bounded headers, a known rule. A
refusal without a rule of ours (Envoy's own 403 when the authorizer is dead, a 503 of an upstream) gets one here.
"""

import re
from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_watchdog.core import answers

HEAD_MAX: Final = 16 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_RULES: Final = {rule.value.encode("ascii"): rule for rule in contract.Rule}
_NUMBER: Final = re.compile(rb"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Established:
    """The tunnel stands; `early` are bytes of it that came with the answer."""

    early: bytes


_OK: Final = (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 Connection established\r\n")
_NOTHING_EARLY: Final = Established(b"")


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refused: the status and rule to relay, its JSON body (empty if it had none), Retry-After seconds."""

    status: int
    rule: contract.Rule
    body: bytes
    retry_after: int


BROKEN: Final = Declined(503, contract.Rule.GATEWAY_UNAVAILABLE, b"", 0)
"""An answer that is none."""


def read(data: bytes) -> Established | Declined | None:
    """Read what came so far from its first byte; None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end + 4 == len(data) <= HEAD_MAX and data.startswith(_OK):
        return _NOTHING_EARLY
    if end < 0:
        return BROKEN if len(data) > HEAD_MAX else None
    line = _STATUS_LINE.match(data)
    if line is None or end > HEAD_MAX:
        return BROKEN
    status = int(line[1])
    if 200 <= status <= 299:
        return Established(data[end + 4 :])
    return _declined(status, _headers(data[line.end() : end]), data[end + 4 :])


def parts(data: bytes) -> tuple[int, bytes] | Declined | None:
    """Read an answer that is no tunnel's: status and body of a 2xx, which says its length; None while not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return BROKEN if len(data) > HEAD_MAX else None
    line = _STATUS_LINE.match(data)
    if line is None or end > HEAD_MAX:
        return BROKEN
    status, headers, body = int(line[1]), _headers(data[line.end() : end]), data[end + 4 :]
    if not 200 <= status <= 299:
        return _declined(status, headers, body)
    length = _number(headers.get(b"content-length", b""))
    if not 0 < length <= answers.BODY_MAX or len(body) > length:
        return BROKEN
    return (status, body) if len(body) == length else None


def _declined(status: int, headers: dict[bytes, bytes], body: bytes) -> Declined | None:
    length = _number(headers.get(b"content-length", b"0"))
    known = _RULES.get(headers.get(contract.HEADER_RULE.encode("ascii"), b""))
    if known is contract.Rule.ALLOWED or status < 400:
        return BROKEN
    if known is None:
        # Envoy answers 503 (and 502, 504) when the outside cannot be reached; all else without a rule is an outage.
        upstream = status in {502, 503, 504}
        rule = contract.Rule.UPSTREAM_UNAVAILABLE if upstream else contract.Rule.GATEWAY_UNAVAILABLE
        return Declined(503, rule, b"", 0)
    if known is contract.Rule.GATEWAY_UNAVAILABLE:
        status = answers.status_of(known)  # An outage, which Envoy answers as a refusal.
    retry_after = min(_number(headers.get(b"retry-after", b"0")), 3600)
    json = headers.get(b"content-type", b"").startswith(b"application/json")
    if not json or length > answers.BODY_MAX:
        return Declined(status, known, b"", retry_after)
    return Declined(status, known, body[:length], retry_after) if len(body) >= length else None


def _headers(lines: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in lines.split(b"\r\n"))
    return {name.lower(): value.strip() for name, _, value in pairs}


def _number(text: bytes) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0
