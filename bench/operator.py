"""Measure the operator against a real API server and etcd, with played nodes: `python -m bench.operator`.

Each size gets a fresh light instance of the local cluster (tests/cluster, KWOK) and goes through the same scenarios:

- burst: all policies are created at once while the operator runs. CPU and writes per policy, and the time from sending
  a policy to seeing its pod, are the headline.
- restart: the operator ends and starts while nothing has changed.
- wave: a limit of every policy changes (no pod is replaced); rollout: the image of every policy changes (every pod is).
- drip: ten random policies change each second.
- gap: cut off from the API server, which restarts and so forgets its past (410 Gone), the operator misses changes.
- leader: the leading process is killed, then its successor ends in order.
- storm: all policies are deleted at once.
- floor: a plain client sends the same objects, decided by nobody.
- cold: the operator starts and finds all policies without children.

CPU is user and system time of the operator's process; writes are counted by its metrics and by the API server's audit
log; the Lease's renewals are set apart. The API server runs with its own defaults (max-requests-inflight, priority and
fairness); the operator's client has no throttle but its number of workers. Everything runs at a raised priority where
that is allowed, so that other work on the machine disturbs less.

POLICIES=5000 adds a size; POLICIES=100 measures that one alone. Raw numbers go to the cache.
"""
# ruff: noqa: A005 - it measures the operator, and is imported by nobody

import dataclasses
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.scale import report
from bench.scale.measure import Outcome

ROOT: Final = Path(__file__).resolve().parents[1]
SIZES: Final = (100, 300, 1000)
INSTANCE: Final = "ZAUM_INSTANCE"
USUAL: Final = "scale"


def sizes(wanted: str) -> list[int]:
    """Give the sizes to measure: those below the wanted one, and it."""
    largest = int(wanted or SIZES[-1])
    if not 10 <= largest <= 20000:
        raise ValueError(f"POLICIES must be from 10 to 20000, is {largest}")
    return [*(size for size in SIZES if size < largest), largest]


def cache() -> Path:
    """Return the folder for raw numbers and logs."""
    return Path(os.environ.get("ZAUM_CACHE") or Path.home() / ".cache" / "zaum").expanduser() / "bench" / "operator"


def cluster(*arguments: str) -> None:
    """Run a verb of tests.cluster on this bench's own instance, whatever cluster the caller uses."""
    own = {INSTANCE: os.environ.get(INSTANCE) or USUAL}
    environment = {name: value for name, value in os.environ.items() if name not in {"CLUSTER", "KUBECONFIG"}} | own
    command = [sys.executable, "-m", "tests.cluster", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def measured(size: int, folder: Path, *options: str) -> list[Outcome]:
    """Run the scenarios over a crowd of that size on a fresh instance; `options` are those of bench.scale.one."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster("down")
    cluster("up", "--light")
    try:
        cluster("exec", "--", sys.executable, "-m", "bench.scale.one", str(size), str(folder), *options)
    finally:
        cluster("down")
    return [Outcome(**outcome) for outcome in json.loads((folder / "outcomes.json").read_text())]


def main() -> int:
    """Measure, print, and exit 0 whatever the figures: they are judged in the print."""
    try:
        wanted = sizes(os.environ.get("POLICIES", ""))
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    folder = cache() / datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    outcomes: dict[int, list[Outcome]] = {}
    busy = os.getloadavg()[0]
    for size in wanted:
        outcomes[size] = measured(size, folder / str(size))
    raw = {str(size): [dataclasses.asdict(outcome) for outcome in found] for size, found in outcomes.items()}
    (folder / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    print(*report.table(outcomes), sep="\n")
    print(report.beside_floor(outcomes[max(outcomes)]))
    print(*report.aims(outcomes), sep="\n")
    print(f"{os.cpu_count()} cores; load before the run {busy:.1f}; raw numbers and logs in {folder}")
    print(report.last_line(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
