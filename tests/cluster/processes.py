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

CHILDREN: Final[list["subprocess.Popen[bytes]"]] = []
"""Children of this very run: kept, so that one that dies is reaped and seen as dead."""


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
    for child in CHILDREN:
        child.poll()
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
    into_cgroup = ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup)]
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*into_cgroup, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    CHILDREN.append(child)
    stat = read_stat(child.pid)
    assert stat is not None  # a child that is not reaped keeps its entry
    return identity.Record(
        name=name, pid=child.pid, start_ticks=identity.parse_stat(stat).start_ticks, boot_id=boot_id()
    )


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
