"""What the agent did between two looks of the detectors, beside what its processes and its limits tell."""

from collections import deque
from typing import Final

from zaum_watchdog.core.detectors import errors, sample

ASKED_MAX: Final = 8192
"""Requests that are remembered between two looks; of more, the last ones."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Seen:
    """Filled by whoever relays, emptied once a look."""

    def __init__(self) -> None:
        self._asked: deque[sample.Asked] = deque(maxlen=ASKED_MAX)
        self._answered = 0
        self._wrong = 0

    def asked(self, digest: bytes, *, method: str) -> None:
        """Note a request on a route that has left."""
        self._asked.append(sample.Asked(digest, reads=method in READS))

    def answered(self, status: int) -> None:
        """Note an upstream's own answer."""
        self._answered += 1
        self._wrong += errors.is_wrong(status)

    def take(self) -> tuple[tuple[sample.Asked, ...], int, int]:
        """Give what came since the last time: requests, answers, and those of them that call a request wrong."""
        taken = tuple(self._asked), self._answered, self._wrong
        self._asked.clear()
        self._answered = self._wrong = 0
        return taken
