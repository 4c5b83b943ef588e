"""Read an upstream's answer with the strictness of requests, and write the head that the agent gets.

An interim answer (1xx) is taken off; 101 is malformed, because nothing asked for another protocol. The framing is
decided anew: what the upstream ends by closing goes to the agent chunked, so that an end too soon can be told.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from zaum_watchdog.core import bodies, headers

_END: Final = b"\r\n\r\n"
_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")
_HEAD: Final = re.compile(_LINE.pattern + headers.FIELDS + rb"\r\n")
_KEEP_ALIVE: Final = re.compile(rb"(?:^|[ ,])timeout=([0-9]{1,6})(?:[ ,]|$)", re.IGNORECASE)
_READ: Final = frozenset({b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"content-encoding"})


class Ends(Enum):
    """Where the body ends."""

    AT_ONCE = auto()
    """HEAD, 204, 304: there is none, whatever the headers say (RFC 9112 §6.3)."""
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """A head that has one reading."""

    status: int
    reason: bytes
    headers: headers.Headers
    named: frozenset[bytes]
    ends: Ends
    length: int | None
    keep: bool
    """The connection can carry another request afterwards."""
    keep_seconds: int | None
    """How long the upstream says it keeps an idle connection, if it says so."""
    coded: bool
    """The content is compressed or otherwise coded, so it cannot be searched."""

    @property
    def interim(self) -> bool:
        """Say whether the real answer is still to come."""
        return self.status < 200

    def body(self) -> bodies.Body:
        """Give what takes the body apart."""
        match self.ends:
            case Ends.AT_ONCE:
                return bodies.Sized(0)
            case Ends.LENGTH:
                return bodies.Sized(self.length or 0)
            case Ends.CHUNKED:
                return bodies.Chunked()
            case Ends.CLOSE:
                return bodies.UntilClose()


@dataclass(frozen=True, slots=True)
class Malformed:
    """Why an answer is not passed on; the problem repeats nothing of it."""

    problem: str


def end_of_head(data: bytes) -> int | Malformed | None:
    """Give the length of the head at the start of `data`, None while it may still come, or why it never will."""
    end = data.find(_END, 0, headers.ANSWER_HEAD_MAX)
    if end >= 0:
        return end + len(_END) if _HEAD.match(data) else Malformed("its head is no HTTP/1.1")
    if len(data) >= headers.ANSWER_HEAD_MAX:
        return Malformed(f"its head is larger than {headers.ANSWER_HEAD_MAX} bytes")
    return None if b"HTTP/1."[: len(data)] == data[:7] else Malformed("it does not answer in HTTP/1.1")


def read(raw: bytes, *, method: str) -> Answer | Malformed:
    """Read one whole head, of which `end_of_head` has given the length, to a request by `method`."""
    line = _LINE.match(raw)
    if line is None:
        return Malformed("its head is no HTTP/1.1")
    found = headers.fields(raw[line.end() : -4].split(b"\r\n")) if len(raw) > line.end() + 2 else []
    if len(found) > headers.ANSWER_HEADERS_MAX:
        return Malformed(f"its head has more than {headers.ANSWER_HEADERS_MAX} headers")
    status = int(line[2])
    if status == 101:
        return Malformed("it changes the protocol without being asked")
    return _fields(status, line[3] or b"", found, method=method, current=line[1] == b"1")


def _fields(status: int, reason: bytes, found: headers.Headers, *, method: str, current: bool) -> Answer | Malformed:
    read_ = headers.gathered(found, _READ)
    named = headers.connection(read_.get(b"connection", []))
    if named is None:
        return Malformed("its Connection header names what it cannot")
    lengths, codings = read_.get(b"content-length", []), read_.get(b"transfer-encoding", [])
    problem = headers.framing(lengths, codings)
    if problem or (codings and not current):
        return Malformed(f"of its framing: {problem or 'HTTP/1.0 has no transfer codings'}")
    length = int(lengths[0]) if lengths else None
    ends = _ends(status, method, chunked=bool(codings), length=length)
    keep = current and b"close" not in named and ends is not Ends.CLOSE
    said = _KEEP_ALIVE.search(b",".join(read_.get(b"keep-alive", [])))
    coded = any(value.lower() != b"identity" for value in read_.get(b"content-encoding", []))
    return Answer(status, reason, found, named, ends, length, keep, int(said[1]) if said else None, coded)


def _ends(status: int, method: str, *, chunked: bool, length: int | None) -> Ends:
    if method == "HEAD" or status < 200 or status in {204, 304}:
        return Ends.AT_ONCE
    if chunked:
        return Ends.CHUNKED
    return Ends.CLOSE if length is None else Ends.LENGTH


def head(answer: Answer, *, method: str, keep: bool, lines: Iterable[bytes] = ()) -> bytes:
    """Write the head for the agent, with further `lines`. `keep`: this connection may carry its next request."""
    passed = headers.kept(answer.headers, headers.ANSWER_DROPPED, headers.ANSWER_DROPPED_PREFIXES, answer.named)
    passed += lines
    match answer.ends:
        case Ends.CHUNKED | Ends.CLOSE:
            passed.append(b"transfer-encoding: chunked")
        case Ends.LENGTH:
            passed.append(b"content-length: %d" % (answer.length or 0))
        case Ends.AT_ONCE:
            if answer.length is not None and (method == "HEAD" or answer.status == 304):
                passed.append(b"content-length: %d" % answer.length)
    if not keep:
        passed.append(b"connection: close")
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (answer.status, answer.reason, b"".join([line + b"\r\n" for line in passed]))


def chunked(answer: Answer) -> bool:
    """Say whether the body goes to the agent in chunks."""
    return answer.ends is Ends.CHUNKED or answer.ends is Ends.CLOSE
