"""Find e-mail addresses."""

import re
from collections.abc import Iterator
from typing import Final

from zaum_watchdog.core.redaction.classes import Found, Kind

_LETTER: Final = rb"[0-9A-Za-z]|[\xc3-\xdf][\x80-\xbf]"
_LABEL: Final = rb"(?:" + _LETTER + rb")(?:" + _LETTER + rb"|-){0,62}+"
_ADDRESS: Final = re.compile(
    rb"(?<![0-9A-Za-z@._+-])(?:" + _LETTER + rb"|_)(?:" + _LETTER + rb"|[._+'-]){0,63}+@"
    rb"(" + _LABEL + rb"(?:\." + _LABEL + rb")++)(?![@_])(?!:[A-Za-z~/.])"
)
_ENDING: Final = re.compile(rb"[A-Za-z]{2,24}|[xX][nN]--[0-9A-Za-z-]+|(?:[\xc3-\xdf][\x80-\xbf]){2,24}")
_FILES: Final = frozenset(
    (b"png", b"jpg", b"jpeg", b"gif", b"webp", b"svg", b"avif", b"ico", b"js", b"css", b"map", b"json")
)
_VERSION: Final = re.compile(rb"v?[0-9]+\.[0-9]+")
_AUTHORITY: Final = re.compile(rb"://[^\s/?#@]*\Z")
_BEFORE: Final = 64


def emails(text: bytes, at: int, end: int) -> Iterator[Found]:
    """Find addresses whose host has a dot; what is part of a URL, a file's name or a package's version is none."""
    for found in _ADDRESS.finditer(text, at, end):
        host = found[1]
        ending = host.rpartition(b".")[2]
        if not _ENDING.fullmatch(ending) or ending.lower() in _FILES or _VERSION.match(host):
            continue
        if _AUTHORITY.search(text[max(0, found.start() - _BEFORE) : found.start()]):
            continue
        # The rest of an escape of which the backslash came in an event of its own is no part of the address.
        cut = text[found.start() - 1 : found.start()] == b"\\" and text[found.start()] in b"nrt"
        yield Found(found.start() + cut, found.end(), Kind.EMAIL)
