"""Keep the operator busy for a quarter of an hour and see that it keeps nothing: `python -m bench.soak`.

A crowd of policies on a light instance of the local cluster changes all the time: mostly a limit, sometimes the image,
sometimes a pod is deleted by hand, sometimes a policy goes and comes again. Judged are the growth of resident memory
over the reconciles (a line fitted through one sample per second, after a warm-up), and the open files and asyncio tasks
of the operator at rest, before and after.

RECONCILES and SECONDS are the least of each (default 20000 and 900). Exit code 1 when a bound is broken.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import operator as bench
from bench.scale.rig import Key, LateError, Rig, key
from tests.cluster import cluster, progress

POLICIES: Final = 100
RECONCILES: Final = 20_000
SECONDS: Final = 900.0
WARM_UP: Final = 0.1
"""Share of the reconciles that come before the first reading: caches fill, the allocator takes its arenas."""
REST_SECONDS: Final = 16.0
"""Longer than idle connections (15 s) and kopf's idle tasks (5 s) live."""
RSS_PER_TEN_THOUSAND_MIB: Final = 2.0
LEFT_OVER: Final = 2
SHARES: Final = {"limit": 85, "image": 8, "pod": 4, "policy": 3}
TASKS: Final = "zaum_operator_tasks"


@dataclass(frozen=True)
class Reading:
    """The operator at rest. `tasks` None when it does not say."""

    reconciles: int
    rss_mib: float
    files: int
    tasks: int | None


@dataclass
class Soak:
    """What came of it; `samples` are (reconciles, MiB) once a second after the warm-up."""

    before: Reading
    after: Reading
    seconds: float
    changes: int
    samples: list[tuple[int, float]] = field(default_factory=list)

    @property
    def reconciles(self) -> int:
        """How many reconciles the figures are about."""
        return self.after.reconciles - self.before.reconciles

    @property
    def growth_mib(self) -> float:
        """Growth of resident memory per 10,000 reconciles: the slope of the fitted line."""
        done, resident = zip(*self.samples, strict=True)
        return 10_000 * statistics.linear_regression(done, resident).slope

    def broken(self) -> list[str]:
        """Name the bounds that do not hold."""
        found = []
        if self.growth_mib > RSS_PER_TEN_THOUSAND_MIB:
            found.append(f"memory grows by more than {RSS_PER_TEN_THOUSAND_MIB} MiB per 10000 reconciles")
        if abs(self.after.files - self.before.files) > LEFT_OVER:
            found.append(f"open files: {self.before.files} before, {self.after.files} after")
        if self.before.tasks is None or self.after.tasks is None:
            found.append(f"the operator does not say how many tasks it has ({TASKS})")
        elif abs(self.after.tasks - self.before.tasks) > LEFT_OVER:
            found.append(f"tasks: {self.before.tasks} before, {self.after.tasks} after")
        return found

    def __str__(self) -> str:
        tasks = "n/a" if self.after.tasks is None else f"{self.after.tasks - (self.before.tasks or 0):+d}"
        rest = f"at rest {self.before.rss_mib:.1f} to {self.after.rss_mib:.1f} MiB"
        return (
            f"soak: {self.reconciles} reconciles in {progress.clock(self.seconds)} "
            f"rss {self.growth_mib:+.2f} MiB per 10000 ({rest}) "
            f"fds {self.after.files - self.before.files:+d} tasks {tasks} {'missed' if self.broken() else 'ok'}"
        )


def restored(written: dict[str, Any]) -> Soak:
    """Read back what `inside` kept."""
    readings = {name: Reading(**written[name]) for name in ("before", "after")}
    return Soak(**(written | readings))


class Drip:
    """Changes the crowd at the pace that reaches the wanted reconciles in the wanted time."""

    def __init__(self, rig: Rig, keys: list[Key]) -> None:
        self.rig, self.keys = rig, keys
        self.changes = 0

    def reconciles(self) -> int:
        """Read how many reconciles the operator has ended."""
        metrics = self.rig.operator.metrics()
        return int(sum(value for name, value in metrics.items() if name.startswith("zaum_operator_reconciles_total{")))

    def change(self) -> None:
        """Do one thing to one policy."""
        where = self.rig.random.choice(self.keys)
        self.changes += 1
        match self.rig.random.choices(list(SHARES), list(SHARES.values()))[0]:
            case "limit":
                self.rig.change([where], {"spec": {"limits": {"requests": {"perMinute": 60 + self.changes % 500}}}})
            case "image":
                image = f"registry.example/researcher@sha256:{self.changes:064x}"
                self.rig.change([where], {"spec": {"agent": {"image": image}}})
            case "pod":
                self.rig.delete_pods([where])
            case _:
                self.rig.delete([where])
                self.rig.create([where])

    def until(self, *, reconciles: int, seconds: float) -> list[tuple[int, float]]:
        """Go on until so many reconciles and so much time are behind; give (reconciles, MiB) once a second."""
        began, first = time.monotonic(), self.reconciles()
        samples, done, per_change = [], 0, 2.5
        changed = self.changes
        while done < reconciles or time.monotonic() - began < seconds:
            spent = time.monotonic() - began
            if spent > 3 * seconds + 300:
                raise LateError(f"only {done} reconciles in {spent:.0f} s")
            due = min(1.0, (spent + 1) / max(seconds, 1.0)) * reconciles if done < reconciles else done + per_change
            for _ in range(min(100, max(1, round((due - done) / per_change)))):
                self.change()
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began - spent)))
            done = self.reconciles() - first
            per_change = max(1.0, done / max(1, self.changes - changed))
            samples.append((done, self.rig.operator.resident_mib()))
        return samples

    def at_rest(self, *, rest_seconds: float) -> Reading:
        """Wait until everything is done and files and tasks have stayed the same for a while, then read."""
        self.rig.until_done(self.keys, seconds=300)
        self.rig.until_quiet(self.rig.operator, seconds=300)
        reading, since, deadline = self.reading(), time.monotonic(), time.monotonic() + 6 * rest_seconds
        while time.monotonic() < min(since + rest_seconds, deadline):
            time.sleep(1.0)
            now = self.reading()
            if (now.files, now.tasks) != (reading.files, reading.tasks):
                reading, since = now, time.monotonic()
        return self.reading()

    def reading(self) -> Reading:
        """Read now."""
        tasks = self.rig.operator.metrics().get(TASKS)
        return Reading(
            reconciles=self.reconciles(),
            rss_mib=self.rig.operator.resident_mib(),
            files=self.rig.operator.open_files(),
            tasks=None if tasks is None else int(tasks),
        )


def soak(rig: Rig, *, policies: int, reconciles: int, seconds: float, rest_seconds: float) -> Soak:
    """Run the whole thing."""
    keys = [key(number) for number in range(policies)]
    rig.namespaces(keys)
    rig.operator.start()
    rig.operator.wait_ready()
    rig.create(keys)
    rig.until_done(keys, seconds=120)
    drip = Drip(rig, keys)
    with progress.step("warmed up"):
        drip.until(reconciles=round(WARM_UP * reconciles), seconds=WARM_UP * seconds)
    before, changes, began = drip.at_rest(rest_seconds=rest_seconds), drip.changes, time.monotonic()
    with progress.step(f"{reconciles} reconciles"):
        samples = drip.until(reconciles=reconciles, seconds=seconds)
    spent = time.monotonic() - began
    after = drip.at_rest(rest_seconds=rest_seconds)
    return Soak(before, after, spent, drip.changes - changes, samples)


def inside(folder: Path) -> int:
    """Run where the API server can be reached, print the verdict, and keep the samples."""
    cluster.assert_sealed()
    rig = Rig(folder)
    try:
        result = soak(
            rig,
            policies=int(os.environ.get("POLICIES") or POLICIES),
            reconciles=int(os.environ.get("RECONCILES") or RECONCILES),
            seconds=float(os.environ.get("SECONDS") or SECONDS),
            rest_seconds=REST_SECONDS,
        )
    finally:
        rig.close()
    (folder / "soak.json").write_text(json.dumps(asdict(result)) + "\n")
    for line in result.broken():
        print(f"soak: {line}")
    print(result, flush=True)
    return 1 if result.broken() else 0


def main() -> int:
    """Bring an instance up, soak, take it down."""
    if sys.argv[1:2] == ["inside"]:
        return inside(Path(sys.argv[2]))
    folder = bench.cache().with_name("soak") / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    folder.mkdir(parents=True)
    bench.cluster("down")
    bench.cluster("up", "--light")
    try:
        bench.cluster("exec", "--", sys.executable, "-m", "bench.soak", "inside", str(folder))
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    finally:
        bench.cluster("down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
