"""One run: everything once in calm, then under kills; the judgement of every revision and of what came of each deed."""

import itertools
import json
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import normal, patience, presence
from tests.chaos.history import Object, Place
from tests.chaos.loop import kubelet, outcome, plan
from tests.chaos.loop.court import Court, Wrong
from tests.chaos.loop.kubelet import Kubelet, logs
from tests.chaos.loop.latest import LOOP, Latest, NotSoonError
from tests.chaos.loop.local import LocalPlayer
from tests.chaos.loop.parts import Parts
from tests.chaos.loop.plan import Act, Agent, Blow, Kind, Part, Told
from tests.chaos.loop.player import Deed
from tests.chaos.store import Store
from tests.chaos.storm import restart_api
from tests.cluster import build, local
from tests.support.e2e.api import Api, condition
from zaum_api import contract

IMAGE: Final = "registry.example/agent@sha256:" + "0" * 64
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
GONE_SECONDS: Final = 90.0
SETTLED_SECONDS: Final = 90.0
QUIET_SECONDS: Final = 2.0
WRITES_SECONDS: Final = 4.0
"""For how long a kill waits for the writes after which it is to strike."""
END_SECONDS: Final = 300.0
"""For what goes on when the last kill has struck: two pauses and a quarantine."""
CLAIMED: Final = ("Cut", "Killed", "RouteRemoved", "IdentityDead", "Quarantined", "Released", "Closed")
"""What has to have been claimed: a judge that saw none of it proves nothing."""
SMALL: Final = 12
"""A run with fewer kills has a smaller fleet."""


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


class RunError(Exception):
    """The run could not be made: it proves nothing."""


@dataclass
class Report:
    """What came of a run."""

    faults: int
    seed: int
    killed: Counter[Part] = field(default_factory=Counter)
    deeds: int = 0
    heard: int = 0
    wrongs: list[Wrong] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)
    voices: int = 0
    raced: int = 0
    revisions: int = 0
    seconds: float = 0.0

    def failures(self) -> list[str]:
        """Say what is wrong; empty when nothing is."""
        found = [str(wrong) for wrong in self.wrongs]
        found += self.outcomes
        found += [f"final state: {line}" for line in self.differences]
        found += [f"ended by itself: {line}" for line in self.deaths]
        lacking = [step for step in CLAIMED if not self.claims.get(step)]
        if lacking or not self.voices or not self.deeds:
            found.append(
                f"nothing was judged: no claim of {', '.join(lacking)}; {self.voices} answers, {self.deeds} deeds"
            )
        return found

    def line(self) -> str:
        """Give the last line of the run."""
        ends = "identical" if not (self.differences or self.outcomes) else "different"
        return (
            f"chaos-contain: {self.faults} kills, seed {self.seed}, {self.deeds} incidents, final states {ends}, "
            f"{sum(self.claims.values())} claims, {len(self.wrongs)} false or less contained"
        )


def run(*, faults: int, seed: int, minutes: float = 60.0) -> Report:
    """Run on the light instance that the environment names; after so many minutes of kills strike no more."""
    kept = build.cache_root() / "chaos-contain"
    with tempfile.TemporaryDirectory(prefix="zaum-loop-") as folder:
        try:
            return Run(faults, seed, Path(folder), minutes).all()
        finally:
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir(parents=True)
            for log in Path(folder).glob("*.log"):
                shutil.copy(log, kept)
            say(f"the parts' logs are in {kept}")


@dataclass
class Run:
    """One run."""

    faults: int
    seed: int
    folder: Path
    minutes: float
    api: Api = field(default_factory=Api)
    store: Store = field(default_factory=Store)
    latest: Latest = field(init=False)
    parts: Parts = field(init=False)
    kubelet: Kubelet = field(init=False)
    fleet: tuple[Agent, ...] = ()
    players: list[LocalPlayer] = field(default_factory=list)
    _due: list[tuple[float, Part, bool]] = field(default_factory=list)
    """When which part is started again, and whether a dead operator's Lease stays."""
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.latest = Latest(self.store.changes)
        self.parts = Parts(self.api, self.folder)
        self.kubelet = Kubelet(self.api, self.latest, patience.insist, random.Random(f"kubelet {self.seed}"))
        self.fleet = plan.FLEET[:2] if self.faults < SMALL else plan.FLEET

    def all(self) -> Report:
        """Do everything, in order."""
        self._assert_ours()
        self._clear()
        self.parts.install()
        began = time.monotonic()
        self.store.start()
        server = logs(local.place().pki)
        try:
            self._free()
            self.parts.start()
            self.kubelet.start()
            say(f"all parts are ready after {time.monotonic() - began:.0f} s")
            self._policies()
            self._settle()
            say(f"all policies are ready after {time.monotonic() - began:.0f} s")
            calm, first = self._calm()
            say(f"in calm after {time.monotonic() - began:.0f} s: {', '.join(sorted(calm))}")
            report = Report(self.faults, self.seed)
            threading.Thread(target=self._revive, name="reviver", daemon=True).start()
            try:
                self._storm(report)
                self._end(report)
                self._rest()
            except NotSoonError as error:
                report.outcomes.append(f"the run did not come to its end: {error}")
            report.differences = normal.differences(self._state(), first)
            self.kubelet.stop()
            self.store.stop()
            self._judge(report, calm)
            report.seconds = time.monotonic() - began
            if report.failures():
                self._keep()
            return report
        finally:
            self._over.set()
            self.parts.stop()
            self.kubelet.stop()
            server.shutdown()
            server.server_close()

    # Before

    def _assert_ours(self) -> None:
        names = [node["metadata"]["name"] for node in self.api.items("nodes")]
        if not names or not all(name.startswith("fake-") for name in names):
            raise RunError(f"this API server has real nodes ({', '.join(names)}): this is for a light instance")

    def _clear(self) -> None:
        for name in plan.NAMESPACES:
            self.api.delete("namespaces", "", name)
        for name in plan.NAMESPACES:
            self.api.until_gone("namespaces", "", name, seconds=GONE_SECONDS)

    def _free(self) -> None:
        """Take away the Lease of an operator that is dead: how one is taken over is another run's matter."""
        self.api.delete(*presence.LEASE)

    def _policies(self) -> None:
        for name in plan.NAMESPACES:
            meta = {"name": name, "labels": RESTRICTED}
            self.api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        for agent in self.fleet:
            spec = {
                "agent": {"image": IMAGE, "command": ["run"], "replicas": agent.replicas},
                "egress": {"hosts": [{"host": "docs.example.com"}]},
                "containment": {"onRunaway": agent.on, "killsBeforeQuarantine": agent.allowed},
            }
            meta = {"name": agent.name, "namespace": agent.namespace}
            body = {"apiVersion": contract.API_VERSION, "kind": contract.KIND_POLICY, "metadata": meta, "spec": spec}
            self.api.apply("agentpolicies", body)

    def _settle(self, *more: str) -> None:
        """Wait until all policies are well, and nothing is written. `more`: what else has to be True of them."""

        def settled() -> bool:
            policies = [
                self.latest.find(("agentpolicies", agent.namespace, agent.name)) or {"metadata": {"generation": 0}}
                for agent in self.fleet
            ]
            asked = ("Ready", "Contained", *more)
            ready = all(condition(policy, kind).get("status") == "True" for policy in policies for kind in asked)
            return ready and time.monotonic() - self.store.last >= QUIET_SECONDS

        self.latest.until("all policies ready, and nothing written", settled, seconds=SETTLED_SECONDS)

    def _rest(self) -> None:
        """Let the watchdogs of all new pods speak, and nothing else happen, until nothing more is said of anything."""
        for player in self.players:
            if not player.wrongs:
                player.attend()
        self._settle("WithinLimits")

    def _calm(self) -> tuple[dict[str, outcome.Form], dict[str, Any]]:
        """Have each policy do what it can do, with nothing in the way; give what came of it."""
        self.players = [self._player(agent, calm_acts(agent)) for agent in self.fleet]
        for player in self.players:
            # A small run waits for no pause: a kill of one policy, and all that another one does.
            whole = 2 if player.agent.on == "Quarantine" else player.agent.allowed + 2
            player.begin(1 if player.agent.allowed and self.faults < SMALL else whole)
        for player in self.players:
            player.join(seconds=END_SECONDS)
        broken = [line for player in self.players for line in player.wrongs]
        if broken:
            raise RunError("\n".join(["in calm:", *broken, self.parts.last_words(Part.OPERATOR)]))
        self._rest()
        deeds = [deed for player in self.players for deed in player.deeds]
        return outcome.references(deeds, self._incidents()), self._state()

    def _player(self, agent: Agent, acts: Iterator[Act]) -> LocalPlayer:
        return LocalPlayer(agent, acts, self.api, self.latest, patience.insist, parts=self.parts, kubelet=self.kubelet)

    # The storm

    def _storm(self, report: Report) -> None:
        calm = self.players
        for index, player in enumerate(calm):
            player.acts = plan.acts(seed=self.seed, index=index)
            player.begin()
        until = time.monotonic() + self.minutes * 60
        for blow in plan.blows(seed=self.seed, faults=self.faults):
            if time.monotonic() > until:
                report.faults = blow.number - 1
                say(f"time is up: {report.faults} of {self.faults} kills have struck")
                return
            self._strike(blow, report)
            if all(player.wrongs for player in self.players):
                return

    def _strike(self, blow: Blow, report: Report) -> None:
        time.sleep(blow.pause)
        self.latest.until("its victims", lambda: all(map(self.parts.alive, blow.parts)), seconds=patience.SECONDS)
        if not blow.early or blow.lull:
            served = lambda: all(map(self.parts.serves, blow.parts))  # noqa: E731
            self.latest.until("its victims serve", served, seconds=patience.SECONDS)
        if blow.lull:
            self.latest.until("what is open is proven", self._proven, seconds=END_SECONDS)
        writes, deadline = self.latest.writes, time.monotonic() + WRITES_SECONDS
        while self.latest.writes < writes + blow.writes and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(blow.delay)
        say(str(blow))
        for part in blow.parts:
            self.parts.kill(part)
            report.killed[part] += 1
        if blow.api:
            threading.Thread(target=restart_api, kwargs={"killed": True}, daemon=True).start()
        for part, seconds in zip(blow.parts, blow.down, strict=True):
            self._due.append((time.monotonic() + seconds, part, blow.lease))

    def _proven(self) -> bool:
        """Say whether every Incident has come as far as it can by itself."""
        return all(
            (item.get("status") or {}).get("phase") in {"Contained", "Released", "Closed"}
            for item in self._incidents().values()
        )

    def _revive(self) -> None:
        """Start each killed part again when its time has come: one thread for all, because they end with theirs."""
        while not self._over.wait(0.02):
            for item in [item for item in self._due if item[0] <= time.monotonic()]:
                self._due.remove(item)
                _, part, lease = item
                if part is Part.OPERATOR and not lease:
                    patience.insist(self._free)
                self.parts.restart(part)

    def _end(self, report: Report) -> None:
        """Have everything up again, and let the players come to their ends."""
        say("the last kill has struck")
        for part in Part:
            self.latest.until(f"{part} again", lambda part=part: self.parts.alive(part), seconds=patience.SECONDS)  # type: ignore[misc]
        self.parts.until_ready()
        for player in self.players:
            player.over.set()
        deadline = time.monotonic() + END_SECONDS
        for player in self.players:
            player.join(seconds=max(1.0, deadline - time.monotonic()))
        report.outcomes += [line for player in self.players for line in player.wrongs]

    # The judgement

    def _judge(self, report: Report, calm: dict[str, outcome.Form]) -> None:
        if self.store.error:
            raise RunError(self.store.error)
        judge = Court(frozenset(map(str, plan.AUTHORIZERS)), tuple(self.parts.heard), frozenset(plan.NAMESPACES))
        for change in self.store.changes:
            judge.take(change)
        deeds: list[Deed] = [deed for player in self.players for deed in player.deeds]
        report.wrongs, report.claims, report.raced = judge.wrongs, judge.claims, judge.raced
        report.revisions, report.voices = judge.seen, len(self.parts.heard)
        report.deeds, report.heard = len(deeds), sum(player.heard for player in self.players)
        report.outcomes += outcome.wrongs(
            deeds, self._incidents(), calm, namespaces=plan.NAMESPACES,
            forgiven=self.parts.forgiven(), decided=self.parts.decided(),
        )  # fmt: skip
        report.deaths = self.parts.deaths

    def _keep(self) -> None:
        """Write down the history of the loop, for whoever has to find out."""
        with (self.folder / "history.log").open("w") as kept:
            for change in self.store.changes:
                if change.place[0] in LOOP and change.place[1] in plan.NAMESPACES:
                    line = {"revision": change.revision, "at": change.at, "place": change.place, "object": change.obj}
                    kept.write(json.dumps(line) + "\n")

    def _incidents(self) -> dict[Place, Object]:
        return {
            ("incidents", item["metadata"]["namespace"], item["metadata"]["name"]): item
            for item in self.latest.all("incidents")
        }

    def _state(self) -> dict[str, Any]:
        objects: dict[Place, Object] = {}
        for resource in normal.RESOURCES:
            for namespace in ("",) if resource == "priorityclasses" else plan.NAMESPACES:
                for item in (item for item in self.api.items(resource, namespace) if not kubelet.ended(item)):
                    objects[resource, namespace, item["metadata"]["name"]] = _without_past(resource, item)
        return normal.state(objects)


def calm_acts(agent: Agent) -> Iterator[Act]:
    """A breach as often as it takes to a quarantine, then a person's Incident."""
    breach = Act(Kind.BREACH, Told.BOTH, wait=0.3, dies=0.5, release=0.2, early=False, other=0)
    person = Act(Kind.PERSON, Told.BOTH, wait=0.3, dies=0.5, release=0.2, early=False, other=0)
    turns = 1 if agent.on == "Quarantine" else agent.allowed + 1
    return itertools.chain(itertools.repeat(breach, turns), itertools.repeat(person))


def _without_past(resource: str, obj: Object) -> Object:
    """Leave out how often pods before it failed, and what a pod's status says of when."""
    kept = dict(obj)
    if resource == "pods":
        kept.pop("status", None)
        notes = dict(kept["metadata"].get("annotations") or {})
        notes.pop(contract.ANNOTATION_FAILURES, None)
        kept["metadata"] = kept["metadata"] | {"annotations": notes}
    return kept
