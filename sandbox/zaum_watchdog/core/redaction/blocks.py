"""Find private keys in their armour (RFC 7468, and OpenPGP's), line by line as they come."""

import re
from enum import Enum, auto
from typing import Final, NamedTuple

BEGIN: Final = b"-----BEGIN "
BLOCK_MAX: Final = 16 * 1024
"""Bytes of a key that are waited for."""
_MARKER_MAX: Final = 72

_OPENING: Final = re.compile(rb"-----BEGIN (?:[0-9A-Z]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_OPENING_PART: Final = re.compile(rb"-----BEGIN [0-9A-Z ]{0,50}-{0,5}\Z")
_BODY: Final = re.compile(rb"(?:[0-9A-Za-z+/=\s:,.()\\]|-(?!-))*+")
_GOING: Final = re.compile(rb"(?:[0-9A-Za-z+/=\s:,.()\\]|-(?=[^-]))*+")
_CLOSING: Final = re.compile(rb"-----END [0-9A-Z ]{1,50}-----")
_CLOSING_PART: Final = re.compile(rb"-{1,5}(?:(?<=-----)(?:E|EN|END|END [0-9A-Z ]{0,50}-{0,4}))?\Z")
_KEY: Final = re.compile(rb"[0-9A-Za-z+/]{40}")
_LAST: Final = re.compile(rb"(?s:.*)(?<![0-9A-Za-z+/])[0-9A-Za-z+/]{16,}+={0,2}")


class State(Enum):
    """How far it is with a key."""

    NONE = auto()
    WAITS = auto()
    """Its end is to come."""
    BROKEN = auto()
    """Its end has not come in time, and may come yet."""
    CLOSED = auto()


class Block(NamedTuple):
    """A key, from where it begins to `end`."""

    state: State
    end: int


def begun(text: bytes, at: int, *, final: bool) -> Block:
    """Look at what begins at `at` with BEGIN; `final` if no more will come in time."""
    opening = _OPENING.match(text, at)
    if opening is None:
        waits = not final and _OPENING_PART.match(text, at)
        return Block(State.WAITS, at) if waits else Block(State.NONE, at + len(BEGIN))
    most = min(len(text), at + BLOCK_MAX)
    return _rest(text, opening.end(), most, final=final or most < len(text))


def _rest(text: bytes, start: int, most: int, *, final: bool) -> Block:
    body = _BODY.match(text, start, most)
    stop = body.end() if body else start
    key = _KEY.search(text, start, stop) is not None
    closing = _CLOSING.match(text, stop, most)
    if closing is not None:
        return Block(State.CLOSED, closing.end()) if key else Block(State.NONE, start)
    going = stop == most or _CLOSING_PART.match(text, stop, most) is not None
    if going and not final:
        return Block(State.WAITS, start)
    if not key:
        return Block(State.NONE, start)
    if going:
        return Block(State.BROKEN, most)
    last = _LAST.match(text, start, stop)
    return Block(State.CLOSED, last.end() if last else stop)


def swallowed(text: bytes, at: int, *, final: bool) -> Block:
    """Look at what follows a key that was too long to be waited for: all that may be of it goes with it."""
    body = _GOING.match(text, at)
    stop = body.end() if body else at
    closing = _CLOSING.match(text, stop)
    if closing is not None:
        return Block(State.CLOSED, closing.end())
    if stop == len(text) or (_CLOSING_PART.match(text, stop) and not final):
        return Block(State.BROKEN, stop)
    return Block(State.CLOSED, stop)
