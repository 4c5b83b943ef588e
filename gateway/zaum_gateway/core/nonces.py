"""Remember which signatures were used, for as long as one of them could be used again."""

import enum
from typing import Final

REMEMBER_SECONDS: Final = 60
"""Twice the skew that signatures are allowed: one that was made 30 s ahead is good for 60."""
REMEMBERED_MAX: Final = 300_000
"""In each of two generations; some 100 bytes each."""


class Taken(enum.Enum):
    """What became of a nonce."""

    FRESH = "fresh"
    SEEN = "seen"
    FULL = "full"
    """It cannot be remembered, so it must not count."""


class Nonces:
    """Nonces by pod, in two generations: each is remembered for one to two times REMEMBER_SECONDS."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._young: set[tuple[str, str]] = set()
        self._old: set[tuple[str, str]] = set()
        self._turned = 0.0

    def take(self, uid: str, nonce: str, now: float) -> Taken:
        """Take a nonce; `now` in seconds, of a clock that does not go back much: a step back forgets nothing."""
        if now - self._turned >= REMEMBER_SECONDS:
            # After two quiet periods nothing of the young ones is of use either.
            self._old = self._young if now - self._turned < 2 * REMEMBER_SECONDS else set()
            self._young = set()
            self._turned = now
        key = (uid, nonce)
        if key in self._young or key in self._old:
            return Taken.SEEN
        if len(self._young) >= self._most:
            return Taken.FULL
        self._young.add(key)
        return Taken.FRESH

    def __len__(self) -> int:
        """Give how many are remembered."""
        return len(self._young) + len(self._old)
