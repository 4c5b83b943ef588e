"""Read a request on a route, strictly: what two parsers might read differently is refused, and nothing is repaired.

Bytes arrive in any pieces and the verdict must not depend on them, so it is the first wrong byte that decides:

| what came so far                                             | verdict                              |
|--------------------------------------------------------------|--------------------------------------|
| a line end that is not CR LF, a NUL, a first line that is no | `request.malformed`, at once         |
| request line of HTTP/1.1, or another protocol's first bytes  |                                      |
| HEAD_MAX bytes and no blank line among them                  | `request.headTooLarge`               |
| a blank line                                                 | the head is read as a whole          |
| anything else                                                | wait                                 |

`Parsed` is what a second parser made of the same bytes; a head that the two read differently is refused.
"""

import re
from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_watchdog.core import headers, paths, preference, refusals

CHUNKED: Final = -1
METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""RFC 9110 §9.2.2, as far as routes know them."""

_END: Final = b"\r\n\r\n"
_LINE: Final = re.compile(rb"(" + headers.TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.1\r\n")
_HEAD: Final = re.compile(_LINE.pattern + headers.FIELDS + rb"\r\n")
# A CR that is the last byte so far may still become a CR LF.
_WRONG_BYTE: Final = re.compile(rb"\0|(?<!\r)\n|\r(?!\n|\Z)")
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_UPGRADES: Final = frozenset({b"upgrade", b"http2-settings"})
_READ: Final = _UPGRADES | {b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"accept"}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the other parser read: method, target, and header names in lower case."""

    method: bytes
    target: bytes
    names: list[bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has one reading. `length` of its body in bytes, or CHUNKED."""

    method: str
    target: paths.Target
    headers: headers.Headers
    named: frozenset[bytes]
    """Header names in Connection: they end here."""
    length: int
    expects: bool
    """The client waits for `100 Continue` before it sends the body."""
    keep: bool
    """The client means to send another request on this connection."""
    text: bool
    """The client would rather have a refusal in plain text than in JSON."""


def end_of_head(data: bytes) -> int | refusals.Refusal | None:
    """Give the length of the head at the start of `data`, None while it may still come, or why it never will."""
    end = data.find(_END, 0, headers.HEAD_MAX)
    if end >= 0 and _HEAD.match(data):
        return end + len(_END)
    region = data[: end + len(_END) if end >= 0 else headers.HEAD_MAX]
    problem = _wrong(region)
    if problem:
        return malformed(problem)
    if end >= 0:
        return malformed("a header line is no name, colon and value, or is folded over two lines")
    return head_too_large() if len(data) >= headers.HEAD_MAX else None


def _wrong(region: bytes) -> str:
    if region[:1] == b"\x16":
        return "this is TLS; routes are plain HTTP on loopback"
    if _WRONG_BYTE.search(region):
        return "a line does not end with CR LF, or holds a NUL"
    line = region.find(b"\n")
    if line >= 0 and not _LINE.match(region):
        return "the first line is no request of HTTP/1.1"
    return ""


def read(raw: bytes, parsed: Parsed | None) -> Request | refusals.Refusal:
    """Read one whole head, of which `end_of_head` has given the length."""
    line = _LINE.match(raw)
    if line is None or not raw.endswith(_END):
        return malformed("the first line is no request of HTTP/1.1")
    method = line[1]
    if method not in METHODS:
        return malformed("the method is none of " + ", ".join(sorted(name.decode("ascii") for name in METHODS)))
    found = headers.fields(raw[line.end() : -4].split(b"\r\n")) if len(raw) > line.end() + 2 else []
    if len(found) > headers.HEADERS_MAX:
        return refusals.Refusal(contract.Rule.HEAD_TOO_LARGE, f"more than {headers.HEADERS_MAX} headers")
    target = paths.read(line[2].decode("ascii"))
    if isinstance(target, paths.Malformed):
        return malformed(target.problem)
    request = _fields(method.decode("ascii"), target, found)
    if isinstance(request, refusals.Refusal):
        return request
    # Values are matched by the pattern; names and target are where readings have differed.
    if parsed is None or parsed != Parsed(method, line[2], [name for name, _ in found]):
        return malformed("the head has more than one reading")
    return request


def _fields(method: str, target: paths.Target, found: headers.Headers) -> Request | refusals.Refusal:
    read_ = headers.gathered(found, _READ)
    named = headers.connection(read_.get(b"connection", []))
    if named is None:
        return malformed("the Connection header names what it cannot")
    expects = b"expect" in read_
    lengths = read_.get(b"content-length", [])
    problem = _host(read_.get(b"host", [])) or headers.framing(lengths, read_.get(b"transfer-encoding", []))
    if expects and [value.lower() for value in read_[b"expect"]] != [b"100-continue"]:
        problem = problem or "the only expectation is 100-continue, once"
    if problem:
        return malformed(problem)
    if not _UPGRADES.isdisjoint(read_):
        return refusals.Refusal(
            contract.Rule.ROUTE_HEADER,
            "routes speak HTTP/1.1 and nothing that it could be upgraded to",
            "a request without Upgrade; for WebSockets a tunnel to a host of spec.egress.hosts",
        )
    length = CHUNKED if b"transfer-encoding" in read_ else int(lengths[0]) if lengths else 0
    text = preference.text(b",".join(read_.get(b"accept", [])))
    return Request(method, target, found, named, length, expects and length != 0, b"close" not in named, text)


def _host(values: list[bytes]) -> str:
    if len(values) != 1:
        return "exactly one Host header is needed"
    return "" if _HOST.fullmatch(values[0]) else "the Host header is no host"


def malformed(problem: str) -> refusals.Refusal:
    """Refuse what has no single reading."""
    return refusals.Refusal(contract.Rule.REQUEST_MALFORMED, problem, "one request of HTTP/1.1 as RFC 9112 has it")


def head_too_large() -> refusals.Refusal:
    """Refuse a head that does not end."""
    return refusals.Refusal(contract.Rule.HEAD_TOO_LARGE, f"the head is larger than {headers.HEAD_MAX} bytes")
