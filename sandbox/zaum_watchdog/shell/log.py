"""Write records to a file descriptor without ever waiting for its reader.

Records queue up to a bound and go out in one write per flush. A reader that stops reading costs records, which are
counted, and never the data path its time.
"""

import asyncio
import os
import stat
from collections import deque
from typing import Final

QUEUE_MAX: Final = 8192
SPARE: Final = 256
"""Places that are kept for what must not be lost to a flood of decisions: a breach and what follows on it."""
FLUSH_SECONDS: Final = 0.01
RETRY_SECONDS: Final = 0.05
_AT_ONCE: Final = 512


class Log:
    """A bounded queue of lines in front of a file descriptor; `dropped` counts the lines that did not fit."""

    def __init__(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        self._loop = loop
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._rest = b""
        self._armed = False
        self.dropped = 0
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            os.set_blocking(descriptor, False)

    @property
    def pending(self) -> bool:
        """Say whether something waits to be written."""
        return bool(self._lines or self._rest)

    def write(self, line: str, *, rare: bool = False) -> None:
        """Queue one line, which ends with its newline; one that is rare has SPARE places of its own."""
        if len(self._lines) >= QUEUE_MAX + (SPARE if rare else 0):
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._armed:
            self._armed = True
            self._loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what the reader takes now; try the rest again later."""
        self._armed = False
        lines = self._lines
        while lines or self._rest:
            if not self._rest:
                self._rest = "".join([lines.popleft() for _ in range(min(len(lines), _AT_ONCE))]).encode("ascii")
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            except BlockingIOError:
                self._armed = True
                self._loop.call_later(RETRY_SECONDS, self.flush)
                return
            except OSError:  # The reader is gone for good (EPIPE): nobody is left to tell.
                self.dropped += len(lines) + 1
                self._rest = b""
                lines.clear()
