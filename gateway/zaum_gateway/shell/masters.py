"""Follow the master keys' files: what they hold derives session keys, the newest and the one before."""

import logging
from pathlib import Path
from typing import Final

from zaum_gateway.core import sessions

log = logging.getLogger("zaum.gateway.sessions")

FILES: Final = ("current", "previous")
FILE_MAX: Final = 1024
POLL_SECONDS: Final = 1.0


class Files:
    """The directory of the mounted Secret. The last good keys are kept while newer ones are of no use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: tuple[bytes, ...] | None = None
        self.masters = sessions.Masters({})

    def poll(self) -> None:
        """Read the files again; a few hundred bytes, once a second."""
        raw = tuple(self._read(name) for name in FILES)
        if raw == self._seen:
            return
        self._seen = raw
        read = sessions.Masters.of(*(sessions.Master.read(text.decode("ascii", "replace")) for text in raw))
        if read.keys:
            self.masters = read
        # Ids alone: which replica knows which key is what one looks for when sessions are refused.
        log.info("session keys", extra={"fields": {"ids": sorted(read.keys), "kept": not read.keys}})

    def _read(self, name: str) -> bytes:
        try:
            with (self._directory / name).open("rb") as file:
                return file.read(FILE_MAX)
        except OSError:
            return b""
