"""Search an answer for the credential that went in with its request, and let not one byte of it out.

Searched are the credential itself and its Base64, in both alphabets (RFC 4648 §4, §5) and at each of the three places
that it can have in a longer encoded text (`user:<key>`), without the characters at either end that depend on their
neighbours. Bytes that could begin one of these are held until the next ones decide; all others pass at once.
"""

import base64
from dataclasses import dataclass
from typing import Final

_STEP: Final = 16
"""Beginnings longer than this are looked for by their first bytes, shorter ones in a set."""
CREDENTIAL_MIN: Final = 8
"""Characters of the shortest credential that is used: a shorter one would be found in ordinary text."""


@dataclass(frozen=True, slots=True, repr=False)
class Searched:
    """What is searched for. Has no repr, because a credential is to stand in no log."""

    spellings: tuple[bytes, ...]
    beginnings: frozenset[bytes]
    """Of every spelling, at most _STEP bytes long."""

    @staticmethod
    def of(secret: bytes) -> "Searched":
        """Prepare to search for a credential of at least CREDENTIAL_MIN characters."""
        spellings = _spellings(secret)
        short = {each[:count] for each in spellings for count in range(1, min(_STEP, len(each) - 1) + 1)}
        return Searched(spellings, frozenset(short))

    def within(self, data: bytes) -> bool:
        """Say whether a spelling is in the data."""
        return any(spelling in data for spelling in self.spellings)

    def beginning(self, data: bytes) -> int:
        """Give how many bytes at the end of the data may be the beginning of a spelling, the most that may."""
        longest = max(_long_beginning(data, spelling) for spelling in self.spellings)
        if longest:
            return longest
        for count in range(min(_STEP, len(data)), 0, -1):
            if data[-count:] in self.beginnings:
                return count
        return 0


def _spellings(secret: bytes) -> tuple[bytes, ...]:
    """Give every spelling that is searched for, the credential itself first."""
    found = [secret]
    for before in range(3):
        # Whole groups of three bytes, and of the last group what the credential alone decides.
        first = -(-before * 4 // 3)
        bits = (before + len(secret)) * 8
        encoded = base64.b64encode(b"\0" * before + secret)[first : bits // 6]
        found += [encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))]
    return tuple(dict.fromkeys(found))


def _long_beginning(data: bytes, spelling: bytes) -> int:
    most = min(len(spelling) - 1, len(data))
    if most <= _STEP:
        return 0
    start = spelling[:_STEP]
    at = data.find(start, len(data) - most)
    while at >= 0:
        if spelling.startswith(data[at:]):
            return len(data) - at
        at = data.find(start, at + 1)
    return 0


class Scanner:
    """Searches one body, piece by piece."""

    __slots__ = ("_held", "_searched", "found")

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        self._held = b""
        self.found = False
        """Nothing is let out any more."""

    def feed(self, data: bytes) -> bytes:
        """Give what can be let out now."""
        if self._held:
            data = self._held + data
        if self.found or self._searched.within(data):
            self.found = True
            self._held = b""
            return b""
        held = self._searched.beginning(data)
        self._held = data[len(data) - held :]
        return data[: len(data) - held] if held else data

    def end(self) -> bytes:
        """Give what was held, at the end of the body."""
        held, self._held = self._held, b""
        return held
