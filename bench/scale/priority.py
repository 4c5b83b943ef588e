"""Go before whatever else the machine does, so that other work disturbs the figures less."""

import contextlib
import os
from pathlib import Path
from typing import Final

from tests.cluster import local, processes

NICE: Final = -10


def raise_all() -> None:
    """Raise this process, with what it will start, and the instance's processes; only root may."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        raise_group(os.getpid())
        for record in processes.load(local.place().processes):
            raise_threads(record.pid)
            raise_group(record.pid)


def raise_threads(pid: int) -> None:
    """Raise every thread: each has a priority of its own (sched(7)), and hands it to the threads that it makes."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), NICE)


def raise_group(pid: int) -> None:
    """Raise the session too, where the kernel shares the time among sessions first (sched(7), autogroup)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICE))
