"""The containment loop under kill -9 where the chart is installed: real agents break out, containers' processes die.

`make chaos-contain-cluster FAULTS=15 SEED=7`. Operator, ledger, authorizer, gateway and an agent's own watchdog are
killed by SIGKILL on the node, and the kubelet is restarted, at random points. Beside every stored write, what is
claimed is held against what the world heard of each agent, and against the kernel's word about its process.
"""

import argparse
import itertools
import os
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from bench.contain import program, records
from tests.chaos import normal, patience, presence
from tests.chaos.history import Object, Place
from tests.chaos.loop import kubelet, outcome, plan, world
from tests.chaos.loop.court import Court
from tests.chaos.loop.latest import Latest, NotSoonError
from tests.chaos.loop.plan import Act, Agent, Kind, Told
from tests.chaos.loop.player import Deed, Player
from tests.chaos.watched import Watched
from tests.cluster import addresses, backend, cluster
from tests.cluster.images import loading
from tests.support.e2e import install, kills
from tests.support.e2e.agents import FILES, RESTRICTED, Agents
from tests.support.e2e.api import Api, User, condition
from zaum_api import contract

PERSON: Final = User("chaos", ("system:masters", "system:authenticated"))
SETTLED_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 2.0
SETTLED: Final = ("Ready", "Contained", "WithinLimits", "EnforcementProven")
END_SECONDS: Final = 240.0
WATCHDOG: Final = "watchdog"
KUBELET: Final = "kubelet"
VICTIMS: Final[dict[tuple[str, ...], int]] = {
    ("operator",): 5,
    ("ledger",): 2,
    ("authorizer",): 2,
    ("gateway",): 2,
    (WATCHDOG,): 3,
    ("operator", "ledger"): 2,
    ("authorizer", "gateway"): 1,
    (KUBELET,): 1,
}
"""Who is killed at once, and how often in eighteen."""
PAUSE: Final = (1.0, 9.0)
FLEET: Final = (("at-once", "Kill", 0), ("strict", "Quarantine", 3), ("one-kill", "Kill", 1))
RATE: Final = {"perMinute": 60_000, "burst": 10_000}
DENIED: Final = {"denied": {"above": 10, "per": "1m"}}
TALKED: Final = 5
_TALK: Final = 'f"/?talk={NAME}"'
assert _TALK in program.CAGED, "the agent's program says its name in another way"
PROGRAM: Final = program.CAGED.replace(_TALK, 'f"/?talk={socket.gethostname()}"')
"""The measured agent, which says its own pod's name: those of one policy are several, one after the other."""
RESTARTED: Final = "WatchdogRestarted"
UNTOLD_SECONDS: Final = 45.0
"""After the death of an agent whose watchdog was killed: longer than an operator takes to start and to report it."""


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


@dataclass
class Talk:
    """What the world hears: talk by the pod's name, questions for orders by the name on the shelf."""

    lines: records.Lines
    heard: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> list[float]:
        """Give when it heard so."""
        with self._lock:
            for record in self.lines.read():
                path, _, talks = record["detail"].get("target", "").partition("talk=")
                self.heard.setdefault(talks or path.removeprefix("/shelf/"), []).append(record["t"])
            return sorted(self.heard.get(name, ()))


@dataclass
class CagedPlayer(Player):
    """One policy whose agents run: they talk to the world, and break out when they are told to."""

    talk: Talk = field(kw_only=True)
    breaking: threading.Event = field(default_factory=threading.Event)
    """Set while an agent breaks out: then its watchdog may be killed."""
    restarted: set[str] = field(default_factory=set)
    """Uids of pods whose watchdog was killed."""
    dead: dict[str, float] = field(default_factory=dict)
    """Since when such a pod has been seen dead, by uid."""
    pods_seen: dict[str, tuple[world.Witnessed, records.Process, float]] = field(default_factory=dict)
    """By uid: what was seen, the kernel's word, and since when."""

    @property
    def word(self) -> str:
        """Its name on the world's shelf."""
        return f"{self.agent.namespace}.{self.agent.name}"

    def tell(self, order: str) -> None:
        """Tell its agents what to do."""
        shelf = cluster.world_state() / "shelf"
        shelf.mkdir(exist_ok=True)
        beside = shelf / f"{self.word}.new"
        beside.write_text(order)
        beside.rename(shelf / self.word)

    def _all_run(self) -> bool:
        found = self.pods()
        for pod in found:
            self._witness(pod)
        well = [pod for pod in found if pod["metadata"]["uid"] in self.pods_seen and self._heard(pod)]
        return len(well) == self.agent.replicas

    def _witness(self, pod: Object) -> None:
        """Have its process watched from now on."""
        uid = pod["metadata"]["uid"]
        if uid in self.pods_seen:
            return
        try:
            process = records.Process(pod)
        except (StopIteration, KeyError, ProcessLookupError):
            return  # its agent has not begun
        seen = world.Witnessed(pod["metadata"]["name"], uid)
        self.pods_seen[uid] = (seen, process, time.time())

    def _heard(self, pod: Object) -> bool:
        _, _, since = self.pods_seen[pod["metadata"]["uid"]]
        return any(at > since for at in self.talk.of(self.word))

    def _act(self, act: Act) -> None:
        self.tell(program.TALK)
        try:
            super()._act(act)
        finally:
            self.tell("")

    def _break_out(self, act: Act, deed: Deed, pod: Object) -> bool:
        seen, _, _ = self.pods_seen[deed.pod]
        talks = f"{self.title}: {seen.pod} talks"
        self.latest.until(talks, lambda: len(self.talk.of(seen.pod)) > TALKED, seconds=patience.SECONDS)
        self.tell(program.BREACH)
        self.breaking.set()
        try:
            self._until(deed, "", unless=lambda: self._mute(deed))
        finally:
            self.breaking.clear()
        return self.latest.find(("incidents", self.agent.namespace, deed.incident)) is not None

    def _mute(self, deed: Deed) -> bool:
        """Say whether its watchdog was killed, and it has been dead for so long that nobody was told of its breach."""
        there = [pod for pod in self.latest.all("pods", self.agent.namespace) if pod["metadata"]["uid"] == deed.pod]
        if deed.pod not in self.restarted or not all(map(kubelet.ended, there)):
            return False
        self.tell("")  # The pod after it is another matter.
        return time.monotonic() - self.dead.setdefault(deed.pod, time.monotonic()) > UNTOLD_SECONDS

    def kill_watchdog(self) -> bool:
        """Kill the watchdog of an agent that breaks out; False where there is none any more."""
        for pod in self.pods():
            place = ("pods", self.agent.namespace, pod["metadata"]["name"])
            if kills.kill(self.latest.find(place) or pod, contract.CONTAINER_WATCHDOG):
                self.restarted.add(pod["metadata"]["uid"])
                return True
        return False

    def witnessed(self) -> dict[str, world.Witnessed]:
        """Give what was seen of each pod, by uid."""
        for seen, process, _ in self.pods_seen.values():
            seen.heard = self.talk.of(seen.pod)
            seen.ended = process.until(5.0)
        return {uid: seen for uid, (seen, _, _) in self.pods_seen.items()}


@dataclass
class Run:
    """One run on the cluster where the chart is installed."""

    faults: int
    seed: int
    api: Api = field(default_factory=Api)
    namespace: str = field(default_factory=lambda: f"loop-{uuid.uuid4().hex[:5]}")
    watched: Watched = field(init=False)
    latest: Latest = field(init=False)
    players: list[CagedPlayer] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watched = Watched((self.namespace, install.NAMESPACE))
        self.latest = Latest(self.watched.found)
        self.dice = random.Random(f"cluster {self.seed}")

    def all(self) -> int:
        """Do everything, in order; give the exit code."""
        install.found(self.api)
        cluster.assert_sealed()
        talk = Talk(records.Lines(cluster.world_log(), b'"https"'))
        self.watched.start()
        meta = {"name": self.namespace, "labels": RESTRICTED}
        self.api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        try:
            began = time.monotonic()
            self._policies(talk)
            calm, first = self._calm()
            say(f"in calm after {time.monotonic() - began:.0f} s: {', '.join(sorted(calm))}")
            try:
                self._storm()
                self._settle()
            except NotSoonError as error:
                self.wrongs.append(f"the run did not come to its end: {error}")
            self.wrongs += [f"final state: {line}" for line in normal.differences(self._state(), first)]
            return self._verdict(calm, time.monotonic() - began)
        finally:
            self.watched.stop()
            patience.insist(lambda: self.api.delete("namespaces", "", self.namespace))
            talk.lines.close()
            for player in self.players:
                (cluster.world_state() / "shelf" / player.word).unlink(missing_ok=True)

    def _policies(self, talk: Talk) -> None:
        authority = (cluster.world_state() / "ca.crt").read_text()
        agents = Agents(self.api, self.namespace, image=loading.image_refs()["demo-agent"], world_ca=authority)
        for name, on, allowed in FLEET:
            agent = Agent(self.namespace, name, on=on, allowed=allowed)
            player = CagedPlayer(
                agent, calm_acts(agent), self.api.as_user(PERSON), self.latest, patience.insist, talk=talk
            )
            player.tell("")
            files = agents.files(name, main_py=PROGRAM)
            spec: Object = {
                "egress": {"hosts": [{"host": addresses.WEBSITE_NAME}]},
                "limits": {"requests": RATE},
                "runaway": DENIED,
                "containment": {"onRunaway": on, "killsBeforeQuarantine": allowed},
                "agent": {"resources": {"cpu": "100m", "memory": "64Mi"}},
            }
            command = ["python3", "-u", f"{FILES}/main.py", player.word]
            self.api.apply("agentpolicies", agents.policy(name, command=command, files=files, **spec))
            self.players.append(player)

    def _calm(self) -> tuple[dict[str, outcome.Form], dict[str, Any]]:
        for player in self.players:
            turns = 1 if player.agent.on == "Quarantine" else player.agent.allowed + 1
            player.begin(turns + (player.agent.on == "Quarantine"))
        for player in self.players:
            player.join(seconds=END_SECONDS)
        if broken := [line for player in self.players for line in player.wrongs]:
            raise NotSoonError("\n".join(["in calm:", *broken]))
        self._settle()
        deeds = [deed for player in self.players for deed in player.deeds]
        return outcome.references(deeds, self._incidents()), self._state()

    # The storm

    def _storm(self) -> None:
        for index, player in enumerate(self.players):
            player.acts = plan.acts(seed=self.seed, index=index)
            player.begin()
        for number, victims in enumerate(victims_of(self.seed, self.faults), start=1):
            self._strike(number, victims)
        say("the last kill has struck")
        for player in self.players:
            player.over.set()
        for component in install.COMPONENTS:
            patience.insist(lambda component=component: install.available(self.api, f"zaum-{component}"))  # type: ignore[misc]
        deadline = time.monotonic() + END_SECONDS
        for player in self.players:
            player.join(seconds=max(1.0, deadline - time.monotonic()))
        self.wrongs += [line for player in self.players for line in player.wrongs]

    def _strike(self, number: int, victims: tuple[str, ...]) -> None:
        pause, wanted = self.dice.uniform(*PAUSE), self.dice.randint(0, 6)
        time.sleep(pause)
        writes, deadline = self.latest.writes, time.monotonic() + 5
        while self.latest.writes < writes + wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(self.dice.uniform(0, 0.3))
        say(f"{number:>3} {' and '.join(victims)}: after {wanted} writes")
        for victim in victims:
            self.latest.until(f"a {victim} to kill", lambda victim=victim: self._kill(victim), seconds=patience.SECONDS)  # type: ignore[misc]
            self.killed[victim] += 1

    def _kill(self, victim: str) -> bool:
        """Kill one, at once; False where there is none just now."""
        if victim == WATCHDOG:
            return any(player.kill_watchdog() for player in self.players if player.breaking.is_set())
        if victim == KUBELET:
            cluster.restart("kubelet")
            return True
        label = f"{contract.LABEL_COMPONENT}={victim}"
        pods = [
            pod
            for pod in patience.insist(lambda: self.api.items("pods", install.NAMESPACE, labels=label))
            if not pod["metadata"].get("deletionTimestamp")
        ]
        holder = presence.holder_of(self.latest.find(presence.LEASE))
        leading = [pod for pod in pods if pod["metadata"]["name"] == holder]
        chosen = leading[0] if leading and self.dice.random() < 0.8 else self.dice.choice(pods) if pods else None
        return chosen is not None and kills.kill(chosen, chosen["spec"]["containers"][0]["name"])

    # The judgement

    def _settle(self) -> None:
        def settled() -> bool:
            found = [
                self.latest.find(("agentpolicies", self.namespace, player.agent.name)) or {} for player in self.players
            ]
            ready = all(condition(policy, kind).get("status") == "True" for policy in found for kind in SETTLED)
            return ready and time.monotonic() - self.watched.last >= QUIET_SECONDS

        self.latest.until("all policies ready, and nothing written", settled, seconds=SETTLED_SECONDS)

    def _incidents(self) -> dict[Place, Object]:
        found = patience.insist(lambda: self.api.items("incidents", self.namespace))
        return {("incidents", self.namespace, item["metadata"]["name"]): item for item in found}

    def _state(self) -> dict[str, Any]:
        objects: dict[Place, Object] = {}
        for resource in normal.RESOURCES:
            if resource != "priorityclasses":
                for item in patience.insist(lambda resource=resource: self.api.items(resource, self.namespace)):  # type: ignore[misc]
                    if not kubelet.ended(item):  # of each ordinal the newest dead pod stays
                        objects[resource, self.namespace, item["metadata"]["name"]] = without_past(resource, item)
        return normal.state(objects)

    def _verdict(self, calm: dict[str, outcome.Form], seconds: float) -> int:
        judge = Court(frozenset(), (), frozenset({self.namespace}))
        for change in self.watched.changes():
            judge.take(change)
        self.wrongs += [str(wrong) for wrong in judge.wrongs]
        deeds = [deed for player in self.players for deed in player.deeds]
        restarted = {uid for player in self.players for uid in player.restarted}
        found = self._incidents()
        self.wrongs += outcome.wrongs(
            deeds, {place: as_breach(item, restarted) for place, item in found.items()}, calm,
            namespaces=[self.namespace],
        )  # fmt: skip
        seen = {uid: one for player in self.players for uid, one in player.witnessed().items()}
        heard = 0
        for incident in found.values():
            refs = (incident.get("status") or {}).get("pods") or ()
            mine = [seen[ref["uid"]] for ref in refs if ref.get("uid") in seen]
            heard += sum(len(one.heard) for one in mine)
            self.wrongs += world.wrongs(incident, mine)
        unseen = [deed.incident for deed in deeds if deed.pod and deed.pod not in seen]
        self.wrongs += [f"{name}: nobody witnessed its pod" for name in unseen]
        lives = [deed.incident for deed in deeds if deed.untold and deed.pod in seen and seen[deed.pod].ended is None]
        self.wrongs += [f"{name}: nobody was told, and its process was not seen to end" for name in lives]
        lacking = [step for step in ("Cut", "Killed", "IdentityDead", "Quarantined") if not judge.claims.get(step)]
        if lacking or not heard:
            self.wrongs.append(f"too little was judged: no claim of {lacking}, the world heard {heard} times")
        for line in self.wrongs:
            say(line)
        say(f"killed: {', '.join(f'{name} {count}' for name, count in sorted(self.killed.items()))}")
        say(f"judged {judge.seen} changes and {heard} arrivals in the world in {seconds:.0f} s; {judge.raced} raced")
        say("not judged here, but by `make chaos-contain`: what each authorizer had said when a step was claimed")
        ends = "identical" if not self.wrongs else "different"
        say(
            f"chaos-contain-cluster: {self.faults} faults, seed {self.seed}, {len(deeds)} incidents, "
            f"final states {ends}, {sum(judge.claims.values())} claims, {len(judge.wrongs)} false or less contained"
        )
        return 1 if self.wrongs else 0


def victims_of(seed: int, faults: int) -> list[tuple[str, ...]]:
    """Draw who is killed; each kind at least once where there are enough."""
    dice = random.Random(f"victims {seed}")
    kinds = list(VICTIMS)
    drawn = kinds[:faults] + dice.choices(kinds, weights=list(VICTIMS.values()), k=max(0, faults - len(kinds)))
    dice.shuffle(drawn)
    return drawn


def calm_acts(agent: Agent) -> Iterator[Act]:
    """Breach as often as it takes to a quarantine, then have a person contain it."""
    breach = Act(Kind.BREACH, Told.BOTH, wait=0.3, dies=0.0, release=0.2, early=False, other=0)
    person = Act(Kind.PERSON, Told.BOTH, wait=1.5, dies=0.0, release=0.2, early=False, other=0)
    turns = 1 if agent.on == "Quarantine" else agent.allowed + 1
    return itertools.chain(itertools.repeat(breach, turns), itertools.repeat(person))


def as_breach(incident: Object, restarted: set[str]) -> Object:
    """Read the Incident of a pod whose watchdog was killed as it broke out as what it would have been."""
    spec = incident["spec"]
    if spec.get("reason") != RESTARTED or (spec.get("pod") or {}).get("uid") not in restarted:
        return incident
    return incident | {"spec": spec | {"reason": contract.Breach.RUNAWAY_DENIED.value}}


def without_past(resource: str, obj: Object) -> Object:
    """Leave out what pods have used and how often they failed, and a pod's status."""
    kept = dict(obj)
    if resource == "pods":
        kept.pop("status", None)
        notes = dict(kept["metadata"].get("annotations") or {})
        notes.pop(contract.ANNOTATION_FAILURES, None)
        kept["metadata"] = kept["metadata"] | {"annotations": notes}
    if resource == "agentpolicies":
        kept["status"] = {key: value for key, value in (kept.get("status") or {}).items() if key != "usage"}
    return kept


def main() -> int:
    """Run once; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.loop.in_cluster", description=__doc__)
    parser.add_argument("--faults", type=int, default=15, help="how many kills, 1 to 200")
    parser.add_argument("--seed", type=int, default=None, help="which plan; drawn and printed when left out")
    given = parser.parse_args()
    if backend.choose(os.environ) != backend.LOCAL:
        parser.error("the world's and the kernel's records are needed: unset CLUSTER and KUBECONFIG")
    if not 1 <= given.faults <= 200:
        parser.error("--faults must be 1 to 200")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    say(f"chaos-contain-cluster: {given.faults} faults, seed {seed}")
    return Run(given.faults, seed).all()


if __name__ == "__main__":
    sys.exit(main())
