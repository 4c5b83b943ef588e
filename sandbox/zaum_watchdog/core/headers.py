"""The grammar of heads on routes, and which headers pass (RFC 9110 §5, §7.6.1; RFC 9112 §2-§5).

A head is matched as a whole by one pattern that has one reading only: every line ends with CR LF, no line is folded,
nothing stands between a name and its colon, no control character anywhere. What does not match is not repaired.
"""

import re
from typing import Final

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, values without the white space around them, in order."""

HEAD_MAX: Final = 16 * 1024
"""Bytes of a request's head, the blank line included."""
HEADERS_MAX: Final = 100
ANSWER_HEAD_MAX: Final = 64 * 1024
ANSWER_HEADERS_MAX: Final = 300

TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
FIELDS: Final = rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*"
_NAMES: Final = re.compile(TOKEN)

HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authentication-info",
        b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings",
    }
)  # fmt: skip
REQUEST_DROPPED: Final = HOP_BY_HOP | frozenset(
    {
        # Rewritten here.
        b"host", b"content-length", b"expect",
        # Credentials of the client: the route has its own, or none.
        b"authorization", b"proxy-authorization", b"cookie", b"cookie2", b"x-api-key", b"api-key", b"x-goog-api-key",
        # Who the client says it is.
        b"forwarded", b"via", b"x-real-ip", b"client-ip", b"x-client-ip", b"true-client-ip", b"x-original-url",
        b"x-rewrite-url", b"x-http-method-override", b"x-http-method", b"x-method-override",
    }
)  # fmt: skip
"""The last five make some servers take another path or method than the one that was decided."""
REQUEST_DROPPED_PREFIXES: Final = (b"x-forwarded-", b"x-zaum-", b"x-envoy-")
ANSWER_DROPPED: Final = HOP_BY_HOP | frozenset(
    {
        b"content-length",
        # A cookie would never be sent on, so all it could be is a credential of the upstream in the agent's hands.
        b"set-cookie", b"set-cookie2",
        # Another place to be asked (RFC 7838): the agent asks here.
        b"alt-svc", b"alternate-protocol",
    }
)  # fmt: skip
ANSWER_DROPPED_PREFIXES: Final = (b"x-zaum-",)
_NEVER_NAMED: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})
"""A Connection header that names one of these would unmake the message."""
_NUMBER: Final = re.compile(rb"(?:0|[1-9][0-9]{0,14})")
"""Decimal, no sign, no leading zero, at most 15 digits."""
_NOTHING: Final[frozenset[bytes]] = frozenset()


def fields(lines: list[bytes]) -> Headers:
    """Split lines that match FIELDS."""
    found: Headers = []
    for line in lines:
        name, _, value = line.partition(b":")
        found.append((name.lower(), value.strip(b" \t")))
    return found


def gathered(found: Headers, wanted: frozenset[bytes]) -> dict[bytes, list[bytes]]:
    """Give the values of some headers, in order; what is not there has no key."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in found:
        if name in wanted:
            values.setdefault(name, []).append(value)
    return values


def connection(values: list[bytes]) -> frozenset[bytes] | None:
    """Give the names in the Connection headers, in lower case; None where one is no name, or may not end here."""
    if not values:
        return _NOTHING
    names = frozenset(item.strip(b" \t").lower() for value in values for item in value.split(b",")) - {b""}
    if not names.isdisjoint(_NEVER_NAMED) or not all(map(_NAMES.fullmatch, names)):
        return None
    return names


def framing(lengths: list[bytes], codings: list[bytes]) -> str:
    """Say what keeps a body's end from having one reading (RFC 9112 §6); empty when nothing does."""
    if lengths and codings:
        return "both Transfer-Encoding and Content-Length"
    if len(lengths) > 1:
        return "more than one Content-Length"
    if lengths and not _NUMBER.fullmatch(lengths[0]):
        return "the Content-Length is no plain number"
    if codings and [value.lower() for value in codings] != [b"chunked"]:
        return "the only transfer coding is chunked, once"
    return ""


def kept(
    found: Headers, dropped: frozenset[bytes], prefixes: tuple[bytes, ...], named_away: frozenset[bytes]
) -> list[bytes]:
    """Give the lines that pass, without line ends. Names go out in lower case, which HTTP does not distinguish.

    Many servers know no underscore in a name either (RFC 3875 §4.1.18), so what is dropped is dropped in that spelling.
    """
    return [
        name + b": " + value
        for name, value in found
        if (meant := name.replace(b"_", b"-")) not in dropped
        and name not in named_away
        and not meant.startswith(prefixes)
    ]
