"""Group 17: whoever dies, at whatever moment, nothing gets out and nothing is weaker.

A pod nags for what is denied while the parts of ours are killed under it. The storms and races that others run alone
are run here once, small, with their own judges.
"""

import os
import random
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import urllib3.exceptions

from tests.battery import deeds, yard
from tests.battery.deeds import Scene
from tests.battery.judge import Outcome
from tests.battery.pods import HERE, SPEC
from tests.chaos import in_cluster
from tests.chaos.watched import Watched
from tests.cluster import addresses, cluster
from tests.races import judge as races
from tests.races import running
from tests.support import instances
from tests.support.e2e import inputs, install, kills, seasons, spending
from tests.support.e2e.agents import FILES, READY_SECONDS, RESTRICTED, Agents, agent_started, free_pod
from tests.support.e2e.api import Api, NotSeenError, Object, RefusedError
from tests.support.e2e.controls import control, holds
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract

GROUP: Final = 17
KILLED: Final = "killed while an agent tries"
STORM: Final = "faults at random in the cluster"
ANSWERS: Final = "409, 410, 429, 500, no answer, gaps of watches"
RACE: Final = "killed while pods race for the last unit"
LEADERS: Final = "operators beside each other"
NAGGER: Final = "nagger"
NAG_SECONDS: Final = 300.0
BACK_SECONDS: Final = 60.0
"""From a kill until what is allowed gets through again."""
FAULTS: Final = 12
"""As many as there are kinds of faults, each once."""
LIGHT: Final = "battery17"
LIGHT_SECONDS: Final = 300
PARTS: Final = install.COMPONENTS
"""Each part's container is called as it is."""
SAMPLED: Final = 1
ALL_KINDS: Final = 26
"""Of faults of a storm on a control plane of its own."""
_GOOD: Final = re.compile(r"chaos: \d+ faults, seed \d+, final state identical, 0 moments weaker, .*")


@dataclass
class Nagging:
    """An agent that nags, what it said so far, and what the world saw."""

    api: Api
    agents: Agents
    world: World
    dice: random.Random
    mark: int = 0
    lines: list[Object] = field(default_factory=list)
    sources: set[str] = field(default_factory=set)
    free: bool = False
    """The same from an unguarded pod got through."""

    def begin(self) -> None:
        """Start the agent, and its control beside."""
        self.mark = self.world.mark()
        files = self.agents.files(NAGGER, main_py=(HERE / "nagger.py").read_text())
        words = [addresses.OUTLAW_IPV4, addresses.OUTLAW_NAME, addresses.WEBSITE_NAME, str(NAG_SECONDS)]
        command = ["python3", "-u", f"{FILES}/main.py", *words]
        spec = SPEC | {"egress": {"hosts": [{"host": addresses.WEBSITE_NAME}]}}
        self.api.apply("agentpolicies", self.agents.policy(NAGGER, command=command, files=files, **spec))
        threading.Thread(target=self._follow, daemon=True).start()

    def unguarded(self, free: Agents) -> None:
        """See once that the same gets through from a pod that nobody guards."""
        files = free.files(NAGGER, main_py=(HERE / "nagger.py").read_text())
        words = [addresses.OUTLAW_IPV4, addresses.OUTLAW_NAME, addresses.WEBSITE_NAME, "3"]
        command = ["python3", "-u", f"{FILES}/main.py", *words]
        free.api.apply("pods", free_pod(free.namespace, NAGGER, image=free.image, command=command, files=files))
        pod = free.api.until(
            "pods", free.namespace, NAGGER, agent_started, seconds=READY_SECONDS, what="the control started"
        )
        self.free = bool(next(free.lines(pod))["direct"])

    def _follow(self) -> None:
        """Read what pods of the policy print, one after the other."""
        until, known = time.monotonic() + NAG_SECONDS, set[str]()
        while time.monotonic() < until:
            try:
                pod = self.agents.running(NAGGER, seconds=max(1.0, until - time.monotonic()))
                if pod["metadata"]["uid"] in known:
                    time.sleep(0.3)
                    continue
                known.add(pod["metadata"]["uid"])
                self.sources |= pod_addresses(pod)
                for line in self.agents.lines(pod, seconds=until - time.monotonic()):
                    self.lines.append(line)
            except NotSeenError:
                return
            except (RefusedError, urllib3.exceptions.HTTPError):
                time.sleep(0.3)  # the pod has gone, or its log is not there yet

    def until_through(self, since: float) -> bool:
        """Wait until what is allowed got through in a round that began after a moment."""
        until = time.monotonic() + BACK_SECONDS
        while time.monotonic() < until:
            if any(line["allowed"] and line["at"] > since for line in list(self.lines)):
                return True
            time.sleep(0.1)
        return False

    def survives(self, part: str) -> str:
        """Kill all processes of a part at a moment that the dice say; nothing but what is allowed gets through."""
        control(self.free, "from an unguarded pod the outlaw was not reached")
        control(self.until_through(time.time()), "what is allowed did not get through before")
        time.sleep(self.dice.uniform(0.0, 1.0))
        struck, before = time.time(), len(self.lines)
        killed = [self.end(pod, part) for pod in self.of(part)]
        control(any(killed), f"nothing of the {part} was killed")
        control(self.until_through(struck + 0.5), "what is allowed never got through again: nothing was tried")
        if part in install.COMPONENTS:
            install.available(self.api, f"zaum-{part}")
        rounds = self.lines[before:]
        through = [line for line in rounds if line["direct"] or line["outlaw"]]
        holds(not through, f"through: {through[:3]}")
        seen = [each for each in self.world.seen_from(self.sources, self.mark) if each["service"] == "outlaw"]
        holds(not seen, f"the world saw: {seen[:3]}")
        return f"{len(killed)} killed, {len(rounds)} rounds, back in {self.back(struck):.1f} s"

    def back(self, struck: float) -> float:
        """Tell when what is allowed got through again, in seconds from a moment."""
        return min(float(line["at"]) - struck for line in list(self.lines) if line["allowed"] and line["at"] > struck)

    def of(self, part: str) -> list[Object]:
        """Give a part's pods."""
        if part == contract.CONTAINER_WATCHDOG:
            return self.api.items("pods", self.agents.namespace, labels=f"{contract.LABEL_POLICY}={NAGGER}")
        return self.api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={part}")

    def end(self, pod: Object, part: str) -> bool:
        """Kill one process."""
        return kills.kill(pod, part)


def play(
    api: Api, image: str, say: Callable[[str], None], *, sampled: bool, only: str = ""
) -> tuple[list[Outcome], list[str]]:
    """Play all; a sample leaves out what takes minutes."""
    seed = random.SystemRandom().randrange(10**6)
    say(f"group {GROUP}: seed {seed}")
    run = uuid.uuid4().hex[:6]
    names = f"deaths-{run}", f"deaths-free-{run}"
    authority = (cluster.world_state() / "ca.crt").read_text()
    watched = Watched((names[0],))
    watched.start()
    try:
        for name in names:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
            api.apply("namespaces", body)
        agents, free = (Agents(api, name, image=image, world_ca=authority) for name in names)
        nagging = Nagging(api, agents, World(cluster.world_log()), random.Random(seed))
        outcomes: list[Outcome] = []
        if killed := deeds.kept(scenes(nagging, sampled=sampled), only):
            nagging.begin()
            nagging.unguarded(free)
            outcomes += deeds.played(killed)
            api.delete("agentpolicies", agents.namespace, NAGGER)
        alarms = yard.weaker(watched.changes(), agents.namespace) if killed else []
        # The others have judges of their own, who know whose hand and whose absence there was.
        outcomes += deeds.played([] if sampled else deeds.kept(longer(agents, seed), only))
        say(f"group {GROUP}: {len(outcomes)} attempts")
        return outcomes, [f"group {GROUP}: {line}" for line in alarms]
    finally:
        watched.stop()
        for name in names:
            api.delete("namespaces", "", name)


def scenes(nagging: Nagging, *, sampled: bool) -> Iterator[Scene]:
    """Kill each part in turn, or one that the dice say; the watchdog last, which costs the pod."""
    parts = nagging.dice.sample(PARTS, SAMPLED) if sampled else [*PARTS, contract.CONTAINER_WATCHDOG]
    for part in parts:
        yield Scene(GROUP, KILLED, part, lambda part=part: nagging.survives(part))  # type: ignore[misc]


def longer(agents: Agents, seed: int) -> Iterator[Scene]:
    """Give the runs that have judges of their own."""
    yield Scene(GROUP, LEADERS, "one more than meant, without a lease", lambda: inputs.two_leaders(agents))
    yield Scene(GROUP, RACE, "ledger, authorizer, watchdog", lambda: race(agents, seed))
    yield Scene(GROUP, STORM, "pods, lease, API server, kubelet, controllers, children", lambda: storm(seed))
    yield Scene(GROUP, ANSWERS, "on a control plane of its own", lambda: answers(seed))


def race(agents: Agents, seed: int) -> str:
    """Run one race, judged by the books of all that take part."""
    seasons.wait(agents.api)
    spending.credential(agents)
    found = running.race(agents, agents.api, World(cluster.world_log()), seed, watchdogs=1)
    agents.api.delete("agentpolicies", agents.namespace, f"race-{seed}")
    statuses = {call.status for call in found.calls}
    control({200, 429} <= statuses, f"no call was served, or none raced in vain: {statuses}")
    faults = races.faults(found)
    holds(not faults, f"seed {seed}: {faults[:3]}")
    return races.summary(found)


def storm(seed: int) -> str:
    """Let faults strike the cluster, and hold what is left against a calm run."""
    held, said = in_cluster.run(FAULTS, seed)
    holds(held, said)
    return said


def answers(seed: int) -> str:
    """Let the API server of another control plane answer badly, and the operator be killed, frozen and doubled."""
    run("down", check=False)
    run("up", "--light")
    try:
        said = run("exec", "--", sys.executable, "-m", "tests.chaos", "--faults", str(ALL_KINDS), "--seed", str(seed))
    finally:
        run("down", check=False)
    last = said.strip().splitlines()[-1]
    holds(_GOOD.fullmatch(last), said[-600:])
    return last


def outside() -> list[str]:
    """Give what leaves the node's network namespace: into that of who called us, the nearest one that differs."""
    own, process = Path("/proc/self/ns/net").readlink(), os.getppid()
    while process > 1:
        beyond = Path(f"/proc/{process}/ns/net")
        try:
            if beyond.readlink() != own:
                return ["nsenter", f"--net={beyond}", "--"]
            # The name in brackets may hold blanks; the parent stands two words after it (proc(5)).
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except PermissionError:
            break
    return []


def run(*words: str, check: bool = True) -> str:
    """Run a verb of tests.cluster on an instance of its own, from where this machine's namespaces are made."""
    done = instances.run(LIGHT, *words, seconds=LIGHT_SECONDS, prefix=outside())
    if check:
        control(done.returncode == 0 or "chaos:" in done.stdout, (done.stdout + done.stderr)[-600:])
    return done.stdout
