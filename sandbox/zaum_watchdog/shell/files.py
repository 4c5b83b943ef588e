"""Follow the projected files: the config with its digest, and the token.

The kubelet swaps a projected volume by renaming one symlink, so a look at the file's identity (device, inode, time,
size) a few times a second sees every change. That is cheaper than it is to get inotify right across the symlink's
directories.
"""

import asyncio
import contextlib
from pathlib import Path

from zaum_api import documents, reading
from zaum_watchdog.core import policy

Identity = tuple[int, int, int, int]


class ConfigFile:
    """The config document and its digest, read together. `problem` is empty while the newest document is in force."""

    def __init__(self, config: Path, digest: Path) -> None:
        self._config = config
        self._digest = digest
        self._seen: tuple[Identity | None, Identity | None] | None = None
        self.problem = ""

    async def poll(self) -> policy.Policy | None:
        """Give the document if a good one that was not seen before is there, else None; never raises.

        The largest documents take milliseconds, so the event loop gets its turn between the steps.
        As long as there is a problem the files are read again on each poll: the two may have been caught mid-swap.
        """
        seen = (identity(self._config), identity(self._digest))
        if seen == self._seen and not self.problem:
            return None
        try:
            loaded = await self._load()
        except (OSError, reading.DocumentError) as error:
            self.problem = _words(error)
            return None
        fresh = seen != self._seen or bool(self.problem)
        self._seen, self.problem = seen, ""
        return loaded if fresh else None

    async def _load(self) -> policy.Policy:
        raw = self._config.read_bytes()
        promised = self._digest.read_text("utf-8", errors="replace").strip()
        if reading.digest(raw) != promised:
            raise reading.DocumentError("", "does not match the digest in the pod's annotation")
        await asyncio.sleep(0)
        parsed = documents.WatchdogConfig.parse(raw)
        await asyncio.sleep(0)
        made = policy.Policy.of(parsed, digest=promised)
        await asyncio.sleep(0)
        return made


class TokenFile:
    """A pod-bound token; `header` is the whole header line with it, empty while there is no usable token."""

    def __init__(self, path: Path, name: bytes = b"Proxy-Authorization") -> None:
        self._path = path
        self._name = name
        self._seen: Identity | None = None
        self.header = b""

    def poll(self) -> None:
        """Read the token again if it was rotated; one that cannot be read any more is not used any more."""
        seen = identity(self._path)
        if seen is not None and seen == self._seen:
            return
        token = b""
        with contextlib.suppress(OSError):
            token = self._path.read_bytes().strip()
        usable = 0 < len(token) <= 16384 and token.isascii() and token.translate(None, b"\r\n\0 \t") == token
        self._seen = seen
        self.header = self._name + b": Bearer " + token + b"\r\n" if usable else b""


def identity(path: Path) -> Identity | None:
    """Tell one version of a file from the next; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def _words(error: OSError | reading.DocumentError) -> str:
    """Say what is wrong without repeating the document's content."""
    if isinstance(error, reading.DocumentError):
        return str(error)
    return f"{error.filename}: {error.strerror}"
