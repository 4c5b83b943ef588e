"""Show what runs and for how long, one line per step."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

STARTED: Final = time.monotonic()


def clock(seconds: float) -> str:
    """Render a duration in seconds as `4.2 s` below a minute and `5:07` from there."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def say(text: str) -> None:
    """Print one line with the seconds since the program began."""
    print(f"[{clock(time.monotonic() - STARTED):>7}] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Print `text` when the block ends well, with the time that it took."""
    began = time.monotonic()
    yield
    say(f"{text} ({clock(time.monotonic() - began)})")
