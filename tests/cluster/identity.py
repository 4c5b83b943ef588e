"""Decide whether a recorded process still is the one that runs under its pid. No I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Record:
    """What identifies a process for good: pid, start (clock ticks since boot, proc(5) stat field 22) and boot."""

    name: str
    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True)
class Stat:
    """The two fields of /proc/PID/stat that identity needs; `state` is R, S, D, Z, ..."""

    state: str
    start_ticks: int


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat; the command name in parentheses may itself hold spaces and parentheses."""
    fields = text.rpartition(")")[2].split()
    return Stat(state=fields[0], start_ticks=int(fields[19]))


def is_running(record: Record, *, stat: str | None, boot_id: str) -> bool:
    """Tell whether `record` is alive, given what its pid shows now (None: no such pid). A zombie is dead."""
    if stat is None or record.boot_id != boot_id:
        return False
    now = parse_stat(stat)
    return now.start_ticks == record.start_ticks and now.state not in {"Z", "X"}
