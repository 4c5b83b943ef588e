"""Look at a pod from its node: what bounds it, what it takes, and whether its processes are what they were.

The second witness of groups 12 and 14: nothing of it comes from inside a pod. Both versions of cgroups are read.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster import cgroups
from tests.support.e2e import kills
from tests.support.e2e.api import Object
from zaum_api import contract

UNBOUNDED: Final = 1 << 62
"""What version 1 says of memory without a limit is a little less than 2**63."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
_PIDS: Final = "pids"
_MEMORY: Final = "memory"
_CPU: Final = "cpu"
_USED: Final = "cpuacct"
_FIXED: Final = ("State", "TracerPid", "Uid", "Gid", "CapEff", "Cpus_allowed", "NoNewPrivs", "Seccomp")
AVERAGE_SECONDS: Final = 2.0
STOPPED: Final = frozenset({"T", "t", "Z", "X"})


class UnboundedError(Exception):
    """A pod has not the bounds without which nothing may be tried in it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a container may take: processes of its pod, bytes of memory, processors."""

    pids: int
    memory: int
    cpus: float


@dataclass(frozen=True, slots=True)
class Taken:
    """The most that was seen: processes of the pod, bytes, and processors on average over two seconds and more."""

    pids: int = 0
    memory: int = 0
    cpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """What there is at one moment: processes of the pod, bytes, and the seconds of processors used until then."""

    at: float
    pids: int
    memory: int
    used: float


@dataclass
class Container:
    """A container's cgroups, found by its process; readable until it ends."""

    process: int
    folders: dict[str, tuple[int, Path]] = field(default_factory=dict)
    bounds: Bounds = field(init=False)
    """As they are when it is found."""
    taken: Taken = Taken()
    _looks: list[tuple[float, float]] = field(default_factory=list)
    """When, and the seconds of processors used until then."""

    def __post_init__(self) -> None:
        lines = [line.split(":", 2) for line in Path(f"/proc/{self.process}/cgroup").read_text().splitlines()]
        paths = {name: path for _, names, path in lines for name in (names.split(",") if names else [""])}
        for hierarchy in cgroups.mounted():
            for name in (_PIDS, _MEMORY, _CPU, _USED):
                if name in hierarchy.controllers:
                    self.folders[name] = (1, hierarchy.path / paths[name].lstrip("/"))
                elif hierarchy.version == 2 and name not in self.folders and "" in paths:
                    self.folders[name] = (2, hierarchy.path / paths[""].lstrip("/"))
        self.bounds = self._bounds()

    def _bounds(self) -> Bounds:
        """Read the limits in force: the least of the container's and of those above it."""
        return Bounds(
            pids=self._least(_PIDS, "pids.max", "pids.max"),
            memory=self._least(_MEMORY, "memory.limit_in_bytes", "memory.max"),
            cpus=self._cpus(),
        )

    def look(self, now: float) -> bool:
        """Take one more look; False when the container is gone. `now` is in seconds."""
        try:
            memory = self._number(_MEMORY, "memory.max_usage_in_bytes", "memory.peak")
            used = self._used()
            pids = self._processes()
        except OSError:
            return False
        # A quota is for a tenth of a second: over less than two seconds the average says nothing.
        while len(self._looks) > 1 and now - self._looks[1][0] >= AVERAGE_SECONDS:
            self._looks.pop(0)
        self._looks.append((now, used))
        since, before = self._looks[0]
        cpus = (used - before) / (now - since) if now - since >= AVERAGE_SECONDS else 0.0
        kept = self.taken
        self.taken = Taken(max(kept.pids, pids), max(kept.memory, memory), max(kept.cpus, cpus))
        return True

    def now(self, at: float) -> Look | None:
        """See what there is at this moment; None when the container is gone."""
        try:
            memory = self._number(_MEMORY, "memory.usage_in_bytes", "memory.current")
            return Look(at, self._processes(), memory, self._used())
        except OSError:
            return None

    def _number(self, name: str, first: str, second: str) -> int:
        version, folder = self.folders[name]
        text = (folder / (first if version == 1 else second)).read_text().strip()
        return UNBOUNDED if text == "max" else int(text)

    def _least(self, name: str, first: str, second: str) -> int:
        version, folder = self.folders[name]
        found = UNBOUNDED
        while (path := folder / (first if version == 1 else second)).exists():
            text = path.read_text().strip()
            found = min(found, UNBOUNDED if text == "max" else int(text))
            folder = folder.parent
        return found

    def _processes(self) -> int:
        """Count the pod's: its containers share what the kubelet allows."""
        _, folder = self.folders[_PIDS]
        return int((folder.parent / "pids.current").read_text())

    def _used(self) -> float:
        version, folder = self.folders[_USED]
        if version == 1:
            return int((folder / "cpuacct.usage").read_text()) / 1e9
        told = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        return int(told["usage_usec"]) / 1e6

    def _cpus(self) -> float:
        version, folder = self.folders[_CPU]
        if version == 1:
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            period = int((folder / "cpu.cfs_period_us").read_text())
        else:
            words = (folder / "cpu.max").read_text().split()
            quota, period = -1 if words[0] == "max" else int(words[0]), int(words[1])
        return quota / period if quota > 0 else float(UNBOUNDED)


def agent(pod: Object) -> Container:
    """Find the agent's container, of which every bound must be there, and not wide; else UnboundedError."""
    found = Container(kills.process_of(pod, contract.CONTAINER_AGENT))
    bounds = found.bounds
    if bounds.pids > 4096 or bounds.memory > 1 << 30 or bounds.cpus > 1:
        raise UnboundedError(f"{pod['metadata']['name']}: {bounds}: nothing is tried in a pod like this")
    return found


@dataclass(frozen=True, slots=True)
class Process:
    """What of a process nobody but its owner may change, as the kernel tells root."""

    id: int
    began: str
    facts: tuple[tuple[str, str], ...]

    def changes(self, later: "Process | None") -> str:
        """Say what is not as it was; empty where nothing is."""
        if later is None or (later.id, later.began) != (self.id, self.began):
            return "the process is another one"
        before, after = dict(self.facts), dict(later.facts)
        wrong = [f"{name} {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
        return ", ".join(wrong)


def process(pod: Object, container: str = contract.CONTAINER_WATCHDOG) -> Process | None:
    """Look at a container's process; None where there is none."""
    try:
        number = kills.process_of(pod, container)
        folder = Path(f"/proc/{number}")
        rest = (folder / "stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        facts = {name: status[name].strip() for name in _FIXED if name != "State"}
        facts["stopped"] = str(status["State"].split()[0] in STOPPED)
        facts["nice"] = rest[16]
        facts["scheduler"] = str(os.sched_getscheduler(number))
        for name in ("oom_score_adj", "coredump_filter", "comm", "limits"):
            facts[name] = (folder / name).read_text().strip()
    except (StopIteration, OSError, KeyError):
        return None
    return Process(number, rest[19], tuple(sorted(facts.items())))
