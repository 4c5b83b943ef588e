"""Look at the agent's processes in the shared PID namespace.

Reads /proc directly: two small files per process instead of a library's object per process. Ownership is taken from
the status file, not from the directory's owner, which a process changes by making itself undumpable.
"""

import asyncio
import os
from typing import Final

from zaum_watchdog.core import usage
from zaum_watchdog.shell import clock

TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
SLICE_NS: Final = 250_000
"""How long one slice of a look may hold the event loop."""
PAGE: Final = os.sysconf("SC_PAGE_SIZE")
LOOK_MAX: Final = 4096
"""Processes that are looked at; what lies beyond counts as the agent's: nobody else in the pod makes so many."""


class ProcessTable:
    """The processes of one uid. Process ids are counted before any is opened, so that a fork bomb is cheap to see."""

    def __init__(self, uid: int, root: str = "/proc") -> None:
        self._uid = b"%d" % uid
        self._root = root

    async def look(self) -> usage.Look:
        """Look once, in slices that leave the event loop free between them."""
        at = slice_start = clock.monotonic()
        pids: list[int] = []
        with os.scandir(self._root) as entries:
            for entry in entries:
                if entry.name.isdigit():
                    pids.append(int(entry.name))
                if clock.monotonic() - slice_start > SLICE_NS:
                    await asyncio.sleep(0)
                    slice_start = clock.monotonic()
        table: dict[usage.Key, usage.Process] = {}
        for pid in pids[:LOOK_MAX]:
            found = self._read(pid) if self._owned(pid) else None
            if found is not None:
                table[found[0]] = found[1]
            if clock.monotonic() - slice_start > SLICE_NS:
                await asyncio.sleep(0)
                slice_start = clock.monotonic()
        return usage.Look(at, table, len(table) + max(0, len(pids) - LOOK_MAX), self._newest())

    def _newest(self) -> int:
        """Read proc_loadavg(5), whose last field is the id that was given last in our own PID namespace: the pod's."""
        fields = self._file("loadavg").split()
        return int(fields[4]) if len(fields) == 5 and fields[4].isdigit() else 0

    def _owned(self, pid: int) -> bool:
        status = self._file(f"{pid}/status")
        start = status.find(b"\nUid:\t")
        return start >= 0 and self._uid in status[start + 6 : status.find(b"\n", start + 6)].split()

    def _read(self, pid: int) -> tuple[usage.Key, usage.Process] | None:
        """Read proc_pid_stat(5); the name may hold anything, so fields are counted from its last parenthesis."""
        fields = self._file(f"{pid}/stat").rpartition(b")")[2].split()
        if len(fields) < 22:
            return None
        own = int(fields[11]) + int(fields[12])
        reaped = int(fields[13]) + int(fields[14])
        memory = max(0, int(fields[21])) * PAGE
        return (pid, int(fields[19])), usage.Process(own, reaped, memory, self._open_files(pid))

    def _open_files(self, pid: int) -> int:
        """Count them by the size of the directory, which since Linux 6.2 anybody may see (proc_pid_fd(5))."""
        try:
            return os.stat(f"{self._root}/{pid}/fd").st_size  # noqa: PTH116 - thousands a second
        except OSError:
            return 0

    def _file(self, name: str) -> bytes:
        """Read a file, nothing if it is gone with its process."""
        try:
            descriptor = os.open(f"{self._root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(descriptor, 4096)
        except OSError:
            return b""
        finally:
            os.close(descriptor)
