"""Guard request heads: what the HTTP parser lets through and a second parser might read differently.

The parser (llhttp) accepts two Hosts, none, a Host that contradicts the target, transfer codings on a CONNECT and
HTTP/2.0 on the request line. None of that is forwarded: a head is refused or reduced to an authority, and the head
that goes to the gateway is written anew.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from zaum_api import contract
from zaum_egress import hosts

HEAD_MAX: Final = 16 * 1024
"""Bytes of a request head, all lines."""
HEADERS_MAX: Final = 100
EARLY_MAX: Final = 16 * 1024
"""Bytes that a client may send behind its CONNECT before the answer (an early ClientHello)."""


class Head(NamedTuple):
    """A parsed request head: header names in lower case, in order, and the raw bytes it was parsed from."""

    method: bytes
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A head that is refused: which rule, the problem for people, and the target as far as it is safe to repeat."""

    rule: contract.Rule
    problem: str
    host: str = ""
    port: int = 0


def read(head: Head) -> hosts.Authority | Refused:
    """Give the target of a CONNECT (RFC 9110 §9.3.6), or the rule that refuses this head."""
    problem = _ambiguity(head)
    if problem:
        return Refused(contract.Rule.REQUEST_MALFORMED, problem)
    if head.method != b"CONNECT":
        return Refused(
            contract.Rule.PLAIN_HTTP, "plain HTTP does not leave the pod; use https, which opens a tunnel by CONNECT"
        )
    authority = hosts.parse_authority(head.target.decode("latin-1"))
    if isinstance(authority, hosts.Malformed):
        return Refused(authority.rule, f"the target {authority.problem}")
    problem = _framing(head) or _host(head, authority)
    if problem:
        return Refused(contract.Rule.REQUEST_MALFORMED, problem, authority.host.name, authority.port)
    return authority


def _ambiguity(head: Head) -> str:
    """Find what makes any head unreadable; empty when there is nothing."""
    raw = head.raw
    if head.version not in {"1.1", "1.0"}:
        return "only HTTP/1.1 and HTTP/1.0 are spoken here"
    if len(head.headers) > HEADERS_MAX:
        return f"more than {HEADERS_MAX} headers"
    if not raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n") or b"\0" in raw:
        return "a line does not end with CR LF, or holds a NUL"
    if b"\r\n " in raw or b"\r\n\t" in raw:
        return "a header is folded over two lines"
    return ""


def _framing(head: Head) -> str:
    for name, value in head.headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return "a CONNECT has no body"
    return ""


def _host(head: Head, authority: hosts.Authority) -> str:
    """Hold Host against the target (RFC 9112 §3.2): exactly one in HTTP/1.1, with or without the port."""
    values = [value for name, value in head.headers if name == b"host"]
    if not values and head.version == "1.0":
        return ""
    if len(values) != 1:
        return "exactly one Host header is needed"
    if values[0] == head.target:
        return ""
    text = values[0].decode("latin-1").lower()
    name = text.removesuffix(f":{authority.port}").removesuffix(".")
    return "" if name == authority.host.name else "the Host header contradicts the target"
