"""Read a request's path into the one form that is decided upon and sent on (RFC 3986 §6.2.2).

Percent-encoded unreserved characters are decoded, hex digits are upper case. What servers are known to read as another
path is refused and not repaired: dot segments (also with parameters behind the dots), empty segments, encoded slashes,
backslashes and NULs, the same encoded twice, bytes that are no UTF-8, fragments, and every character that a path
cannot hold.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib import parse

# pchar and "/" (RFC 3986 §3.3).
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_PATH: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
# Wider than the RFC's by what browsers and SDKs leave unencoded there; visible ASCII without "#".
_QUERY: Final = re.compile(r"[!\"$-~]*")
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FORBIDDEN: Final = re.compile(r"%(?:2F|5C|7F|[01][0-9A-F])")
_TWICE: Final = re.compile(r"%25(?:2[EF]|5C|[01][0-9A-F])", re.IGNORECASE)
_DOTS: Final = frozenset({".", ".."})


@dataclass(frozen=True, slots=True)
class Target:
    """A path in normal form, which begins with a slash, and the query with its question mark, or nothing."""

    path: str
    query: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why a target is refused, in words that repeat nothing of it."""

    problem: str


def read(target: str) -> Target | Malformed:
    """Read an origin-form target (RFC 9112 §3.2.1)."""
    if not target.startswith("/"):
        return Malformed("the target must be a path that begins with /, not a whole URL")
    path, mark, query = target.partition("?")
    if "#" in target:
        return Malformed("the target holds a fragment")
    if not _QUERY.fullmatch(query) or "%00" in query:
        return Malformed("the query holds a character that it cannot")
    normal = normalise(path)
    return normal if isinstance(normal, Malformed) else Target(normal, mark + query)


def normalise(path: str) -> str | Malformed:
    """Give the normal form of a path that begins with a slash, or why it has none."""
    normal = path
    if not _PLAIN.fullmatch(path):
        if not _PATH.fullmatch(path):
            return Malformed("the path holds a character that it cannot, or a '%' without two hex digits")
        normal = _ENCODED.sub(_decoded, path)
        if _FORBIDDEN.search(normal) or _TWICE.search(normal):
            return Malformed("the path holds an encoded slash, backslash or control character")
        try:
            parse.unquote_to_bytes(normal).decode("utf-8")
        except UnicodeDecodeError:
            return Malformed("the path holds encoded bytes that are no UTF-8")
    if "//" in normal:
        return Malformed("the path holds an empty segment")
    if "/." in normal and any(segment.partition(";")[0] in _DOTS for segment in normal.split("/")):
        return Malformed("the path holds a dot segment")
    return normal


def _decoded(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()
