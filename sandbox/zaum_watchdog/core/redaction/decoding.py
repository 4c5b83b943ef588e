r"""Read text as people would: without the escapes of JSON and of source code in it, however deep they are nested.

`\u0040` is an at sign, `\"` ends nothing, and a no-break space is a space. This is for finding alone: what was found is
replaced where it stands in the raw bytes, and all the rest stays as it is.
"""

import re
from typing import Final

QUOTE: Final = b"\x1f"
"""Stands for a quote that was escaped: it is inside a string."""

_ESCAPE: Final = re.compile(rb"\\++(?:u[0-9A-Fa-f]{4}|[\"/bfnrt'])?|\xc2\xa0|\xe2\x80[\x90\x91\xaf]")
_UNDECIDED: Final = re.compile(rb"(?:\\{1,8}+(?:u[0-9A-Fa-f]{0,3})?|\xc2|\xe2\x80?)\Z")
_UNDECIDED_MAX: Final = 12
_SIMPLE: Final = {
    b'\\"': QUOTE, b"\\/": b"/", b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t",
    b"\\'": b"'", b"\xc2\xa0": b" ", b"\xe2\x80\xaf": b" ", b"\xe2\x80\x90": b"-", b"\xe2\x80\x91": b"-",
}  # fmt: skip


Piece = tuple[int, int, int]
"""Text from an offset on, up to the next piece, and the offsets of the raw bytes that it was read from.

Either byte for byte, or one character of text for an escape.
"""


def undecided(raw: bytes) -> int:
    """Give how many bytes at the end may be the beginning of an escape."""
    found = _UNDECIDED.search(raw, max(0, len(raw) - _UNDECIDED_MAX))
    return len(raw) - found.start() if found else 0


def decode(raw: bytes, offset: int, at: int = 0) -> tuple[bytes, list[Piece]]:
    """Give the text of raw bytes, and where its pieces come from: `offset` and `at` are where raw and text begin."""
    parts: list[bytes] = []
    pieces: list[Piece] = []
    done = 0
    for found in _ESCAPE.finditer(raw):
        start, end = found.span()
        if start > done:
            parts.append(raw[done:start])
            pieces.append((at, offset + done, offset + start))
            at += start - done
        character = _SIMPLE.get(found[0]) or _character(found[0])
        parts.append(character)
        pieces.append((at, offset + start, offset + end))
        at += len(character)
        done = end
    if not pieces:
        return raw, [(at, offset, offset + len(raw))] if raw else []
    if done < len(raw):
        parts.append(raw[done:])
        pieces.append((at, offset + done, offset + len(raw)))
    return b"".join(parts), pieces


def _character(escape: bytes) -> bytes:
    if escape[-5:-4] == b"u" and len(escape) > 5:
        code = chr(int(escape[-4:], 16)).encode("utf-8", "replace")
        return {b'"': QUOTE, b"\xc2\xa0": b" ", b"\xe2\x80\x91": b"-"}.get(code, code)
    return _SIMPLE.get(b"\\" + escape[-1:], b"\\")


def escaped(value: bytes, depth: int) -> bytes:
    """Write a value as it stands in a JSON string, which is in another one for each depth above 1."""
    for _ in range(depth):
        value = _SPECIAL.sub(_written, value)
    return value


_SPECIAL: Final = re.compile(rb'["\\\x00-\x1f]')


def _written(found: re.Match[bytes]) -> bytes:
    character = found[0]
    return b"\\" + character if character in b'"\\' else _CONTROLS.get(character) or b"\\u%04x" % character[0]


_CONTROLS: Final = {b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t"}
