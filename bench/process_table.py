"""Compare two ways to look at the agent's processes: `python -m bench.process_table`.

Both give owner, CPU times and start time of each process. Children of this process are the crowd. What counts is CPU
time of this thread per process in the table, so other work on the machine disturbs little; rounds alternate, medians
are printed.
"""

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Final

import psutil

from zaum_watchdog.shell import processes

CROWD: Final = 300
ROUNDS: Final = 15


@contextlib.contextmanager
def crowd(count: int) -> Iterator[None]:
    """Fork children that wait for the end of a pipe."""
    reading, writing = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        children.append(child)
    try:
        yield
    finally:
        os.close(writing)
        os.close(reading)
        for child in children:
            os.waitpid(child, 0)


def ours() -> int:
    table = processes.ProcessTable(os.getuid())
    return len(asyncio.run(table.look()).table)


def library() -> int:
    uid, found = os.getuid(), {}
    for process in psutil.process_iter(["pid", "uids", "cpu_times", "create_time"]):
        seen = process.info
        if seen["uids"] is not None and uid in seen["uids"]:
            found[seen["pid"], seen["create_time"]] = seen["cpu_times"]
    return len(found)


def micros(look: Callable[[], int], total: int) -> float:
    """Give CPU microseconds per process that was looked at."""
    before = time.thread_time_ns()
    seen = look()
    used = time.thread_time_ns() - before
    assert seen >= CROWD, seen
    return used / 1000 / total


def main() -> None:
    with crowd(CROWD):
        total = len(psutil.pids())
        ours(), library()
        rounds = [(micros(ours, total), micros(library, total)) for _ in range(ROUNDS)]
    ours_micros, library_micros = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(
        f"bench: {total} processes, {ours_micros:.1f} us each by /proc, {library_micros:.1f} us each by psutil"
        f" {psutil.__version__}, ratio {ours_micros / library_micros:.2f}"
    )


if __name__ == "__main__":
    main()
