"""Measure what metering costs: `python -m bench.limits`, all of it on loopback; `--short` for a look of a minute.

The same calls of one model of one provider, by four ways in one run: directly; by a route of the watchdog; by the same
route with tokens a minute, tokens a day and cost a day limited, which a real ledger with SQLite lends; and by LiteLLM's
proxy, with its defaults and one worker. All proxies run on core 0, one of them at work at a time; load, provider and
ledger on core 1. The provider answers at once, with TLS; the watchdog reaches it by signed heads. Rounds alternate, and
each ratio is taken between neighbours; medians over the rounds are printed. Each of answers that come whole, and of
streams of 33 events.

- req/s: as many as 16 loops get through.
- cpu: user and system time of the proxy's process per request (proc_pid_stat(5)).
- over direct: what a way takes more than the direct one, at a low rate; of p50 and of p99.
- over unmetered: what the metered route takes more than the same route unmetered, in the same round; of p50.

The last line is of whole answers; its `added p50` is the metered route over the unmetered one, as its ratio of CPU is.
Exits with 1 when an aim is missed.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import watchdog as proxies
from bench.egress import Aim
from bench.limits import litellm
from bench.limits.rig import KINDS, Rig, Way

NAMES: Final = ("unmetered", "metered", "LiteLLM")


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long and how often."""

    seconds: float = 2.0
    rounds: int = 7
    concurrency: int = 16
    rate: float = 25.0


WARM_SECONDS: Final = 4.0
"""The first calls of LiteLLM's proxy take seconds."""
SHORT: Final = Effort(seconds=0.7, rounds=2)


@dataclasses.dataclass(frozen=True)
class Pushed:
    """One way, loaded as hard as it takes."""

    per_second: float
    cpu_micros: float


@dataclasses.dataclass(frozen=True)
class Round:
    """All ways of one round by name, and what they add to the direct one in milliseconds (p50, p99).

    `over_unmetered`: what metering adds to a route, in milliseconds of p50.
    """

    pushed: dict[str, Pushed]
    over_direct: dict[str, tuple[float, float]]
    over_unmetered: float


@dataclasses.dataclass(frozen=True)
class Figures:
    """Medians of one kind of answers."""

    kind: str
    pushed: dict[str, Pushed]
    over_direct: dict[str, tuple[float, float]]
    over_unmetered: float
    over_litellm: float
    cpu: float

    @staticmethod
    def of(kind: str, rounds: Sequence[Round]) -> "Figures":
        """Take the medians, ratios between neighbours."""

        def ratio(attribute: str, one: str, other: str) -> float:
            pairs = ((dataclasses.asdict(r.pushed[one]), dataclasses.asdict(r.pushed[other])) for r in rounds)
            return statistics.median(float(mine[attribute] / others[attribute]) for mine, others in pairs)

        def median(name: str, at: int) -> float:
            return statistics.median(one.over_direct[name][at] for one in rounds)

        return Figures(
            kind,
            {
                name: Pushed(
                    statistics.median(one.pushed[name].per_second for one in rounds),
                    statistics.median(one.pushed[name].cpu_micros for one in rounds),
                )
                for name in NAMES
            },
            {name: (median(name, 0), median(name, 1)) for name in NAMES},
            statistics.median(one.over_unmetered for one in rounds),
            ratio("per_second", "metered", "LiteLLM"),
            ratio("cpu_micros", "metered", "unmetered"),
        )

    def table(self) -> list[str]:
        """Write the figures for people."""
        lines = [
            f"  {self.kind}: {name:9} {self.pushed[name].per_second:7.0f} req/s {self.pushed[name].cpu_micros:6.0f} us"
            f" of CPU; over direct p50 {self.over_direct[name][0]:.2f} ms p99 {self.over_direct[name][1]:.2f} ms"
            for name in NAMES
        ]
        return [
            *lines,
            f"  {self.kind}: metered/LiteLLM {self.over_litellm:.1f}, metered/unmetered cpu {self.cpu:.2f},"
            f" metered over unmetered p50 {self.over_unmetered:.2f} ms",
        ]

    def aims(self) -> list[Aim]:
        """Hold them against what was promised."""
        return [
            Aim(f"{self.kind}: requests per second, metered over LiteLLM", self.over_litellm, 10, reach=True),
            Aim(f"{self.kind}: CPU of a request, metered over unmetered", self.cpu, 1.5),
            Aim(f"{self.kind}: metering adds to a route, p50 ms", self.over_unmetered, 0.5),
        ]


def one_round(rig: Rig, ways: dict[str, Way], kind: str, effort: Effort) -> Round:
    """Ask by all ways, one after another."""
    pushed = {name: _pushed(rig, way, kind, effort) for name, way in ways.items()}
    over_direct, p50 = {}, {}
    for name, way in ways.items():
        base, found = (_low(rig, one, kind, effort) for one in (rig.direct, way))
        over_direct[name] = (found["p50ms"] - base["p50ms"], found["p99ms"] - base["p99ms"])
        p50[name] = found["p50ms"]
    return Round(pushed, over_direct, p50["metered"] - p50["unmetered"])


def _pushed(rig: Rig, way: Way, kind: str, effort: Effort) -> Pushed:
    before = way.proxy.cpu_seconds()
    answer = rig.ask(way, kind, seconds=effort.seconds, concurrency=effort.concurrency, rate=0)
    used = way.proxy.cpu_seconds() - before
    # Each loop's first request opens what is kept, and is counted by nobody.
    asked = answer["requests"] + effort.concurrency
    return Pushed(answer["requests"] / answer["seconds"], used / asked * 1e6)


def _low(rig: Rig, way: Way, kind: str, effort: Effort) -> dict[str, float]:
    return rig.ask(way, kind, seconds=effort.seconds, concurrency=1, rate=effort.rate)


def measure(effort: Effort) -> list[Figures]:
    """Measure both kinds."""
    program = litellm.installed(cache())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zaum-bench-")))
        rig = Rig(stack, folder)
        ways = dict(zip(NAMES, (rig.unmetered, rig.metered, rig.beside(program)), strict=True))
        rig.await_minute()
        for way in (rig.direct, *ways.values()):
            for kind in KINDS:
                for loops in (1, effort.concurrency):
                    rig.ask(way, kind, seconds=WARM_SECONDS, concurrency=loops, rate=0)
        found = []
        for kind in KINDS:
            found.append(Figures.of(kind, [one_round(rig, ways, kind, effort) for _ in range(effort.rounds)]))
            print(*found[-1].table(), sep="\n", flush=True)
        return found


def cache() -> Path:
    """Give the folder for what is kept from run to run."""
    return Path(os.environ.get("ZAUM_CACHE") or Path.home() / ".cache" / "zaum").expanduser() / "bench"


def last_line(found: Figures) -> str:
    """Write the line that stands at the end."""
    return (
        f"bench: limits zaum/litellm req/s {found.over_litellm:.1f} metered/unmetered cpu {found.cpu:.2f}"
        f" added p50 {found.over_unmetered:.2f} ms"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 1 when an aim is missed."""
    asked = argparse.ArgumentParser(prog="python -m bench.limits")
    asked.add_argument("--short", action="store_true", help="a look that takes a minute; too short to judge by")
    effort = SHORT if asked.parse_args(arguments).short else Effort()
    busy = os.getloadavg()[0]
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {proxies.LOAD_CORE})
    found = measure(effort)
    raw = cache() / "limits" / datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    raw.mkdir(parents=True)
    document = {
        "effort": dataclasses.asdict(effort),
        "load": busy,
        "litellm": litellm.version(),
        "figures": [dataclasses.asdict(one) for one in found],
    }
    (raw / "raw.json").write_text(json.dumps(document, indent=1) + "\n")
    judged = [aim for one in found for aim in one.aims()]
    print(*judged, sep="\n")
    print(
        f"  LiteLLM {litellm.version()}; {os.cpu_count()} cores; load before the run {busy:.1f}; raw numbers in {raw}"
    )
    print(last_line(found[0]))
    return 0 if all(aim.held for aim in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
