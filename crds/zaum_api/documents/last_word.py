"""What the watchdog leaves as its container's termination message: one word that says why the agent was ended.

The operator may be older than the watchdog (after a rollback) or younger: a word that it does not know is still a
word of the watchdog's, and never "nothing happened".
"""

import re
from dataclasses import dataclass
from typing import Final

from zaum_api import contract

_WORD: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_BREACHES: Final = {breach.value: breach for breach in contract.Breach}


@dataclass(frozen=True, slots=True)
class LastWord:
    """One word: the value of a `contract.Breach`, `contract.UNHEALTHY`, or what another version says."""

    word: str

    @staticmethod
    def read(message: str) -> "LastWord | None":
        """Read a termination message; None for one that holds no word in its first line (mostly an empty one)."""
        first = message.strip().partition("\n")[0].strip()
        return LastWord(first) if _WORD.fullmatch(first) else None

    def write(self) -> bytes:
        """Give the termination message."""
        return f"{self.word}\n".encode("ascii")

    @property
    def breach(self) -> contract.Breach | None:
        """Give the breach, None where the word is none that this version knows."""
        return _BREACHES.get(self.word)

    @property
    def unhealthy(self) -> bool:
        """Say whether the agent's own health check was its end."""
        return self.word == contract.UNHEALTHY
