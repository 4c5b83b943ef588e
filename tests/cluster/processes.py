"""Start, record, recognise and end the cluster's processes, and no others."""

import dataclasses
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.cluster import errors, identity

CHILDREN: Final[set[int]] = set()
"""The pids of this very run's children, so that one that dies is reaped and seen as dead."""


def boot_id() -> str:
    """Return the kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_stat(pid: int) -> str | None:
    """Return /proc/PID/stat, or None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_running(record: identity.Record) -> bool:
    """Tell whether the recorded process itself is alive."""
    for child in [*CHILDREN]:
        try:
            ended = os.waitpid(child, os.WNOHANG)[0] == child
        except ChildProcessError:  # another thread was first
            ended = True
        if ended:
            CHILDREN.discard(child)
    return identity.is_running(record, stat=read_stat(record.pid), boot_id=boot_id())


def run(*command: str | Path, check: bool = True, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a short command to its end and return its output; ClusterError with its messages when it fails."""
    done = subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        shown = " ".join(str(part) for part in command)
        raise errors.ClusterError(f"{shown}\nended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done


def start(name: str, command: list[str], *, log: Path, environment: Mapping[str, str], cgroup: Path) -> identity.Record:
    """Start a process that outlives this one, in `cgroup` from its first instruction on, its output in `log`.

    The command must exec in place (nsenter and unshare do), so that the pid returned is its own.
    """
    into_cgroup = 'cd / && echo $$ >"$0/cgroup.procs" && exec "$@"'
    # Popen would complain, when this run ends, of a child that goes on.
    child = os.posix_spawn(
        "/bin/sh",
        ["/bin/sh", "-c", into_cgroup, str(cgroup), *command],
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python itself ignores
    )
    CHILDREN.add(child)
    stat = read_stat(child)
    assert stat is not None  # a child that is not reaped keeps its entry
    return identity.Record(name=name, pid=child, start_ticks=identity.parse_stat(stat).start_ticks, boot_id=boot_id())


def save(path: Path, records: Iterable[identity.Record]) -> None:
    """Replace the list of records as one step."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps([dataclasses.asdict(record) for record in records], indent=1) + "\n")
    temporary.replace(path)


def load(path: Path) -> list[identity.Record]:
    """Return the records, none when there is no file; a record that is not readable counts as absent."""
    try:
        listed = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    return [identity.Record(**entry) for entry in listed]


def stop(record: identity.Record, *, patience_seconds: float) -> None:
    """Ask the recorded process to end, and kill it when it has not after `patience_seconds`."""
    for number, patience in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5.0)):
        if not is_running(record):
            return
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while is_running(record) and time.monotonic() < deadline:
            time.sleep(0.02)


def tail(path: Path) -> str:
    """Return the last lines of a log for an error message."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-errors.LOG_TAIL_LINES :])


def resident_mib(pid: int) -> float:
    """Return a process's resident memory in MiB, 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
