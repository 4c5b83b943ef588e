"""Print what happens with the time at which it was seen, and count what held."""

import time
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 46


@dataclass
class Timeline:
    """Checks in the order in which they were made."""

    began: float = field(default_factory=time.monotonic)
    held: int = 0
    failed: list[str] = field(default_factory=list)

    def headline(self, text: str) -> None:
        """Begin a part of the story."""
        print(f"\n== {text}", flush=True)

    def note(self, text: str) -> None:
        """Print a line that is no check."""
        print(f"{self._clock()}    . {text}", flush=True)

    def quote(self, text: str) -> None:
        """Print what a command printed."""
        for line in text.rstrip().splitlines():
            print(f"           | {line}", flush=True)

    def check(self, name: str, *, holds: bool, seen: str) -> None:
        """Print one check with what was seen, and count it."""
        print(f"{self._clock()} {'  ok' if holds else 'FAIL'} {name:<{WIDTH}} {seen}", flush=True)
        if holds:
            self.held += 1
        else:
            self.failed.append(name)

    def conclude(self) -> int:
        """Print the last line; give the exit status."""
        if self.failed:
            print(f"\ndemo: FAILED ({'; '.join(self.failed)})", flush=True)
            return 1
        print(f"\ndemo: ok ({self.held} checks)", flush=True)
        return 0

    def _clock(self) -> str:
        return f"[{time.monotonic() - self.began:6.1f}s]"
