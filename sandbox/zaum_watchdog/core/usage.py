"""Reckon how much CPU the agent's processes used between two looks at the process table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Process(NamedTuple):
    """One process of the agent; CPU times in clock ticks."""

    own: int
    """User and system time of the process itself (proc_pid_stat(5): utime + stime)."""
    reaped: int
    """The same of its children that it has waited for (cutime + cstime)."""
    memory: int = 0
    """Bytes in memory (rss), what is shared with others included."""
    files: int = 0
    """Files and sockets that it holds open; 0 where the kernel does not tell."""


Key = tuple[int, int]
"""Process id and start time: an id alone is reused."""
Table = Mapping[Key, Process]


@dataclass(frozen=True, slots=True)
class Look:
    """The agent's processes at one moment."""

    at: int
    table: Table
    count: int
    newest: int = 0
    """The process id that was given last in the pod, to a thread too; 0 where the kernel does not tell."""


def ticks_between(before: Look, after: Look) -> int:
    """Give CPU ticks used from one look to the next: the larger of two lower bounds.

    One adds what each process that lives now used itself, all of it when the process is new. The other is how much the
    whole table grew, children that came and went included, as long as a living parent waited for them. Children that
    nobody of ours waited for are missed by both; the container's CPU limit bounds them.
    """
    living = sum(
        process.own - (before.table[key].own if key in before.table else 0) for key, process in after.table.items()
    )
    whole = _total(after.table) - _total(before.table)
    return max(living, whole, 0)


def begun_between(before: Look, after: Look) -> int:
    """Give how many processes and threads were begun from one look to the next: the larger of two lower bounds.

    Ids are given in order and begin anew at the end. Of those that begun and ended between the looks the table tells
    nothing; an id that was given before the end of all tells nothing of those before it.
    """
    given = after.newest - before.newest if after.newest >= before.newest else after.newest
    return max(given if before.newest else 0, sum(key not in before.table for key in after.table))


def _total(table: Table) -> int:
    return sum(process.own + process.reaped for process in table.values())
