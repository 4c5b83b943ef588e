"""The only place where this process reads a clock. Nanoseconds, all of them."""

import os
import time
from typing import Final

monotonic = time.monotonic_ns
wall = time.time_ns
thread_cpu = time.thread_time_ns
MILLISECOND: Final = 1_000_000


class CoreQueue:
    """How long the thread that made this has waited for a core (proc_pid_schedstat: the second number)."""

    def __init__(self) -> None:
        try:
            self._descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # A kernel without CONFIG_SCHED_INFO.
            self._descriptor = -1

    def waited(self) -> int:
        """Give the time since the thread began, 0 where the kernel does not tell."""
        return int(os.pread(self._descriptor, 64, 0).split()[1]) if self._descriptor >= 0 else 0

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
