"""What a harmless neighbour feels of an attacker: `make battery BATTERY=--neighbours`, on the local cluster.

Three agents on one node: a neighbour that calls an API through its watchdog and the gateway, so many times a second; an
attacker; and a harmless spinner with the same bounds as the attacker. Attacker and spinner take turns, in rounds whose
order alternates, so that what the machine does besides hits both. Of each turn the 99th percentile of the neighbour's
calls is taken, from when each was due; one that fails took as long as a call may wait. The ratio is between the medians
of the turns: attacker over spinner. The attacker's detectors are off, so that it lasts; its limits are the defaults.
A run counts where the neighbour is well beside the spinner, and where its node sees the attack in each of its turns.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.battery import node, presence, wild
from tests.battery.groups.http import ROUTE
from tests.battery.pods import Pods, agent_runs
from tests.cluster import addresses, cluster

MOST: Final = 1.25
ROUNDS: Final = 10
EACH_SECONDS: Final = 4.0
SETTLE_SECONDS: Final = 0.5
"""Of each turn: what the one before it left."""
LOOK_SECONDS: Final = 0.1
WELL_MILLIS: Final = 500.0
"""Beside a harmless spinner nobody waits for so long: where calls fail on both sides, both took the same."""
LEAD_SECONDS: Final = 8.0
"""From the leave to the first turn: each pod looks for it twice a second, within its limits."""
RATE, THREADS = 20, 3
AGENT: Final = {"resources": {"cpu": "500m", "memory": "192Mi", "ephemeralStorage": "2Gi"}}
SPIN: Final[wild.Deed] = {"kind": "spin", "most": 1}
ATTACKS: Final[dict[str, wild.Deed]] = {
    "cpu": {"kind": "spin", "most": 16},
    "forks": {"kind": "forks", "most": 120},
    "memory": {"kind": "balloon", "most": 100, "step": 10, "pause": 0.0, "hold": 0.0},
    "logs": {"kind": "logs", "most": 24},
    "connections": {"kind": "flood", "host": addresses.WEBSITE_NAME},
}
Call = tuple[float, float]
"""When it was due, in seconds from the first turn, and how long it took, in milliseconds."""


EFFECTS: Final[dict[str, node.Taken]] = {
    "cpu": node.Taken(pids=16, cpus=0.2),
    "forks": node.Taken(pids=100),
    "memory": node.Taken(memory=80 * 2**20),
    "logs": node.Taken(cpus=0.01),
    "connections": node.Taken(cpus=0.01),
}
"""What its node must see of an attacker in each of its turns: else nobody was attacked. Processors are on
average over the turn; memory falls and grows again all the time, and is seen somewhere on its way."""


class BrokenError(Exception):
    """A run proves nothing: somebody of the three did not do its part."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The 99th percentiles of each turn, in milliseconds."""

    name: str
    attacked: Sequence[float]
    beside: Sequence[float]

    @property
    def ratio(self) -> float:
        """Give the ratio of the medians."""
        return statistics.median(self.attacked) / statistics.median(self.beside)

    @property
    def line(self) -> str:
        """Say it."""
        attacked, beside = statistics.median(self.attacked), statistics.median(self.beside)
        return (
            f"neighbours: {self.name:<12} p99 {attacked:7.2f} ms, beside a spinner {beside:7.2f} ms, "
            f"ratio {self.ratio:.2f} (<= {MOST}), {len(self.attacked)} rounds"
        )


def turns(rounds: int) -> tuple[list[int], list[int]]:
    """Give the places of the attacker's turns and of the spinner's: who begins a round, ends the next."""
    attacker = [2 * number + number % 2 for number in range(rounds)]
    return attacker, [place for place in range(2 * rounds) if place not in attacker]


def percentile(calls: Iterable[Call], place: int) -> float:
    """Give the 99th percentile of a turn's calls; BrokenError where there were none."""
    first, last = place * EACH_SECONDS + SETTLE_SECONDS, (place + 1) * EACH_SECONDS
    took = sorted(millis for due, millis in calls if first <= due < last)
    if not took:
        raise BrokenError(f"the neighbour made no calls in turn {place}")
    return took[math.ceil(0.99 * len(took)) - 1]


def effect(looks: Sequence[node.Look], place: int) -> node.Taken:
    """Give what was taken within a turn; nothing where nobody looked. Looks are `at` seconds from the first turn."""
    first, last = place * EACH_SECONDS, (place + 1) * EACH_SECONDS
    before = [look for look in looks if look.at <= first]
    within = [look for look in looks if first < look.at <= last]
    if not before or not within:
        return node.Taken()
    used = within[-1].used - before[-1].used
    most = max(look.pids for look in within), max(look.memory for look in within)
    return node.Taken(*most, used / EACH_SECONDS)


def attacked(name: str, looks: Sequence[node.Look], rounds: int) -> None:
    """Raise BrokenError where an attacker did not attack in each of its turns."""
    least = EFFECTS[name]
    for place in turns(rounds)[0]:
        seen = effect(looks, place)
        if seen.pids < least.pids or seen.memory < least.memory or seen.cpus < least.cpus:
            raise BrokenError(f"{name}: nobody was attacked in turn {place}: {seen}, not {least}")


def compare(name: str, calls: Sequence[Call], rounds: int) -> Compared:
    """Divide a neighbour's calls between the two whom they were made beside."""
    attacker, spinner = turns(rounds)
    found = Compared(name, [percentile(calls, place) for place in attacker], [percentile(calls, p) for p in spinner])
    if (beside := statistics.median(found.beside)) > WELL_MILLIS:
        raise BrokenError(
            f"{name}: p99 beside a spinner is {beside:.0f} ms: the neighbour is not well without an attack"
        )
    return found


def run(pods: Pods, names: Iterable[str], rounds: int, say: Callable[[str], None]) -> bool:
    """Compare for each attack in turn, print as it goes, and say whether no neighbour feels more than it may."""
    cluster.assert_sealed()
    found = []
    try:
        body = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": presence.SECRET_VALUE}}
        pods.api.apply("secrets", body | {"metadata": {"name": presence.SECRET, "namespace": pods.agents.namespace}})
        for name in names:
            found.append(_one(wild.Ground(pods), name, rounds))
            say(found[-1].line)
    finally:
        pods.clear()
    return all(each.ratio <= MOST for each in found)


def _one(ground: wild.Ground, name: str, rounds: int) -> Compared:
    attacker, spinner = turns(rounds)
    whole = 2 * rounds * EACH_SECONDS
    slots: dict[str, Any] = {"id": "turns", "kind": "slots", "each": EACH_SECONDS}
    calling = {"id": "calls", "kind": "paced", "route": ROUTE, "rate": RATE, "threads": THREADS, "seconds": whole}
    bounds: dict[str, Any] = {"tripping": {}, "agent": AGENT, "limits": {}}
    policies = [f"attacker-{name}", f"spinner-{name}", f"neighbour-{name}"]
    try:
        pods = [
            ground.agent(policies[0], [{**slots, "slots": attacker, "what": ATTACKS[name]}], **bounds),
            ground.agent(policies[1], [{**slots, "slots": spinner, "what": SPIN}], **bounds),
            ground.agent(policies[2], [calling], tripping={}, agent={}),
        ]
        with ground.heard(pods[2]) as told:
            watched, _, _ = [node.agent(pod) for pod in pods]
            begin = time.time() + LEAD_SECONDS
            for pod in pods:
                wild.leave(pod, begin=begin)
            until, looks = time.monotonic() + LEAD_SECONDS + whole + 20, list[node.Look]()
            while not told.find("", "done") and time.monotonic() < until:
                looks += [look] if (look := watched.now(time.time() - begin)) else []
                time.sleep(LOOK_SECONDS)
            calls = [tuple(call) for line in told.lines for call in line.get("took", ())]
        for pod in pods:
            if not agent_runs(ground.pods.api.find("pods", ground.pods.agents.namespace, pod["metadata"]["name"])):
                raise BrokenError(f"{pod['metadata']['name']} ended before its time")
        attacked(name, looks, rounds)
        return compare(name, calls, rounds)
    finally:
        for policy in policies:
            ground.pods.api.delete("agentpolicies", ground.pods.agents.namespace, policy)
