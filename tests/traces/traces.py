"""Traces: what the detectors were fed during ordinary work, a row a look, and what could be made of them."""

import json
from pathlib import Path
from typing import Any, Final

from zaum_watchdog.core.detectors import sample

FOLDER: Final = Path(__file__).parent
COLUMNS: Final = (
    "cpu", "elapsed", "processes", "memory", "begun", "files", "denied", "asked", "answered", "wrong", "tokens", "sent",
    "moved",
)  # fmt: skip
"""CPU and elapsed time in milliseconds, memory in KiB, requests as digests (those that only read with a dash)."""
Row = dict[str, Any]


def rows(lines: str) -> list[Row]:
    """Read what a recording watchdog wrote."""
    return [json.loads(line) for line in lines.splitlines()]


def write(name: str, found: list[Row]) -> None:
    """Write a trace: one line a row, so that a change of it can be read."""
    body = ",\n".join(json.dumps([row[column] for column in COLUMNS], separators=(",", ":")) for row in found)
    (FOLDER / f"{name}.json").write_text(f'{{"columns":{json.dumps(COLUMNS)},"rows":[\n{body}\n]}}\n', "ascii")


def read(name: str) -> list[Row]:
    """Read a trace."""
    loaded = json.loads((FOLDER / f"{name}.json").read_text("ascii"))
    return [dict(zip(loaded["columns"], row, strict=True)) for row in loaded["rows"]]


def names() -> list[str]:
    """Name all traces."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def on(found: list[Row], cpu_millis: int) -> list[Row]:
    """Give the same work on a processor that is limited: what took more of it takes longer, at the limit."""
    slower: list[Row] = []
    for row in found:
        most = row["elapsed"] * cpu_millis // 1000
        left = row["cpu"]
        slower.append(row | {"cpu": min(left, most)})
        while most and (left := left - most) > 0:
            nothing = {"begun": 0, "denied": 0, "asked": [], "answered": 0, "wrong": 0, "tokens": 0, "sent": 0}
            rest = {"cpu": min(left, most), "elapsed": min(row["elapsed"], left * 1000 // cpu_millis)}
            slower.append(row | nothing | rest)
    return slower


def samples(found: list[Row]) -> list[sample.Sample]:
    """Give what an engine is fed."""
    now, made = 0, []
    for row in found:
        now += row["elapsed"] * 1_000_000
        asked = tuple(sample.Asked(each.lstrip("-").encode(), reads=each.startswith("-")) for each in row["asked"])
        made.append(
            sample.Sample(
                now=now,
                cpu=row["cpu"] * 1_000_000,
                elapsed=row["elapsed"] * 1_000_000,
                processes=row["processes"],
                denied=(now,) * row["denied"],
                memory=row["memory"] * 1024,
                begun=row["begun"],
                files=row["files"],
                asked=asked,
                answered=row["answered"],
                wrong=row["wrong"],
                tokens=row["tokens"],
                sent=row["sent"],
                moved=row["moved"],
            )
        )
    return made
