"""Where text can be cut so that no value is cut with it, which depends on what stands before the cut alone."""

import re
from typing import Final

_HARD: Final = b"\n"
_MARKS: Final = bytes(range(0x20)) + b',;<>{}[]|\\`^!?$*"' + bytes(range(0xE0, 0x100))
_TO_HARD: Final = bytes.maketrans(_MARKS, _HARD * len(_MARKS))
_SPACE: Final = re.compile(rb"(?s:.*) (?<![0-9)/\-] )(?<!\b[0-9A-Z]{4} )")
"""The last space that does not stand between the groups of a number."""


def last(text: bytes, start: int, end: int) -> int:
    """Give the offset behind the last break between two offsets; `start` if there is none."""
    hard = text[start:end].translate(_TO_HARD).rfind(_HARD)
    after = start + hard + 1
    found = _SPACE.match(text, after, end)
    return found.end() if found else after
