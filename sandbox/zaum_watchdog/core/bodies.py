"""Take bodies apart as they arrive (RFC 9112 §6, §7). What is not exactly the grammar ends the message.

A chunk's size is 1 to 8 hex digits without a leading zero, its line holds nothing else: no extension, no sign, no
space. Trailers are read by the grammar of headers, and dropped. Content is given on in the pieces in which it came.
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, assert_never

from zaum_watchdog.core import headers

TRAILER_MAX: Final = 8 * 1024
CHUNKS_AT_ONCE: Final = 256
LAST_CHUNK: Final = b"0\r\n\r\n"
_SIZE: Final = re.compile(rb"(?:0|[1-9A-Fa-f][0-9A-Fa-f]{0,7})\r\n")
_SIZE_LINE_MAX: Final = 10
_TRAILERS: Final = re.compile(headers.FIELDS + rb"\r\n")
_WRONG_BYTE: Final = re.compile(rb"\0|(?<!\r)\n|\r(?!\n|\Z)")


@dataclass(slots=True)
class Taken:
    """What a feed gave: pieces of content; whether the body is complete, with what came behind it; what was wrong."""

    pieces: list[bytes] = field(default_factory=list)
    done: bool = False
    rest: bytes = b""
    problem: str = ""
    later: bytes = b""
    """What was not looked at yet, because many chunks take long: to be fed before anything else."""


class Sized:
    """A body of known length, also of none."""

    __slots__ = ("left",)

    def __init__(self, length: int) -> None:
        self.left = length

    def feed(self, data: bytes) -> Taken:
        """Take what is the body's."""
        left = self.left
        if len(data) < left:
            self.left = left - len(data)
            return Taken([data] if data else [])
        self.left = 0
        return Taken([data[:left]] if left else [], done=True, rest=data[left:])


class UntilClose:
    """A response's body that ends with its connection."""

    __slots__ = ()

    def feed(self, data: bytes) -> Taken:
        """Take all of it."""
        return Taken([data] if data else [])


class _Stage(Enum):
    SIZE = auto()
    CONTENT = auto()
    CONTENT_END = auto()
    TRAILERS = auto()


class Chunked:
    """A chunked body. After a problem it is not to be fed again."""

    __slots__ = ("_held", "_left", "_stage")

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._stage = _Stage.SIZE

    def feed(self, data: bytes) -> Taken:
        """Take what is the body's."""
        taken = Taken()
        data, self._held = self._held + data if self._held else data, b""
        at: int | None = 0
        while at is not None and at < len(data) and not taken.done:
            if len(taken.pieces) >= CHUNKS_AT_ONCE:
                taken.later = data[at:]
                break
            match self._stage:
                case _Stage.SIZE:
                    at = self._size(data, at, taken)
                case _Stage.CONTENT:
                    at = self._content(data, at, taken)
                case _Stage.CONTENT_END:
                    at = self._content_end(data, at, taken)
                case _Stage.TRAILERS:
                    at = self._trailers(data, at, taken)
                case _ as never:
                    assert_never(never)
        return taken

    def _size(self, data: bytes, at: int, taken: Taken) -> int | None:
        line = _SIZE.match(data, at)
        if line is None:
            self._wait(data, at, taken, _begins_size(data[at : at + _SIZE_LINE_MAX + 1]), "a chunk's size")
            return None
        self._left = int(line[0], 16)
        self._stage = _Stage.CONTENT if self._left else _Stage.TRAILERS
        return line.end()

    def _content(self, data: bytes, at: int, taken: Taken) -> int:
        piece = data[at : at + self._left]
        taken.pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._stage = _Stage.CONTENT_END
        return at + len(piece)

    def _content_end(self, data: bytes, at: int, taken: Taken) -> int | None:
        if data.startswith(b"\r\n", at):
            self._stage = _Stage.SIZE
            return at + 2
        self._wait(data, at, taken, data[at:] == b"\r", "the end of a chunk")
        return None

    def _trailers(self, data: bytes, at: int, taken: Taken) -> int | None:
        if data.startswith(b"\r\n", at):
            taken.done, taken.rest = True, data[at + 2 :]
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + TRAILER_MAX)
        if end >= 0 and _TRAILERS.fullmatch(data, at, end + 4):
            taken.done, taken.rest = True, data[end + 4 :]
            return end + 4
        wanting = end < 0 and len(data) - at < TRAILER_MAX and _WRONG_BYTE.search(data, at) is None
        self._wait(data, at, taken, wanting, "the trailer")
        return None

    def _wait(self, data: bytes, at: int, taken: Taken, wanting: bool, what: str) -> None:
        """Hold what may still become what is due, or say that it never will."""
        if wanting:
            self._held = data[at:]
        else:
            taken.problem = f"{what} is malformed"


Body = Sized | UntilClose | Chunked


def _begins_size(line: bytes) -> bool:
    """Say whether more bytes could make a size line of these."""
    if line.endswith(b"\r"):
        return _SIZE.fullmatch(line + b"\n") is not None
    return _SIZE.fullmatch(line + b"\r\n") is not None


def chunk(pieces: list[bytes]) -> bytes:
    """Write each piece as a chunk of its own."""
    return b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece])
