"""Run a watchdog that writes down what its detectors are fed: one line of JSON a look. For `tests.traces.record`."""

import json
import os
import sys
from pathlib import Path
from typing import TextIO

from zaum_api import contract
from zaum_watchdog import __main__ as watchdog
from zaum_watchdog.core import usage
from zaum_watchdog.core.detectors import sample
from zaum_watchdog.shell import climbing, processes

OTHERS = "ZAUM_TRACE_OTHERS"
"""Processes that are no part of the work, by id, comma-separated."""
OUT = "ZAUM_TRACE_OUT"


class Table(processes.ProcessTable):
    """The work's processes: all of this uid but the recorder's own."""

    async def look(self) -> usage.Look:
        """Look once."""
        found = await super().look()
        others = {os.getpid(), *map(int, os.environ[OTHERS].split(","))}
        table = {key: process for key, process in found.table.items() if key[0] not in others}
        return usage.Look(found.at, table, len(table), found.newest)


def recording(out: TextIO) -> type[climbing.Climbing]:
    """Give the ladder that writes down what it sees."""

    class Recording(climbing.Climbing):
        def look(self, raised: tuple[contract.Breach, ...], seen: sample.Sample) -> None:
            out.write(json.dumps(row(seen)) + "\n")
            out.flush()
            super().look(raised, seen)

    return Recording


def row(seen: sample.Sample) -> dict[str, object]:
    """Give a look as JSON; digests by their first hex digits."""
    return {
        "cpu": seen.cpu // 1_000_000,
        "elapsed": seen.elapsed // 1_000_000,
        "processes": seen.processes,
        "memory": seen.memory // 1024,
        "begun": seen.begun,
        "files": seen.files,
        "denied": len(seen.denied),
        "asked": [("-" if asked.reads else "") + asked.digest.hex()[:8] for asked in seen.asked],
        "answered": seen.answered,
        "wrong": seen.wrong,
        "tokens": seen.tokens,
        "sent": seen.sent,
        "moved": seen.moved,
    }


if __name__ == "__main__":
    with Path(os.environ[OUT]).open("w", encoding="ascii") as opened:
        processes.ProcessTable = Table  # type: ignore[misc]
        climbing.Climbing = recording(opened)  # type: ignore[misc]
        sys.exit(watchdog.main())
