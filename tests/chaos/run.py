"""One run: a storm over the fleet, the judgement of every revision, and the comparison with a calm run."""

import asyncio
import json
import shutil
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos import calm, counted, fleet, fuzzed, judge, normal, plan, presence
from tests.chaos.calm import Impediment
from tests.chaos.hands import Hands
from tests.chaos.history import Change, Object, Place
from tests.chaos.judge import Hand, Judge, Sentence
from tests.chaos.operators import Operators
from tests.chaos.proxy import Counts, Proxy
from tests.chaos.store import Store
from tests.chaos.storm import OPERATORS, Storm
from tests.cluster import addresses, build
from tests.support import localoperator
from tests.support.e2e.api import Api, condition

CONVERGED_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 3.0
GONE_SECONDS: Final = 120.0
SWEPT_SECONDS: Final = 60.0
WRITES_PER_FAULT: Final = 60
"""A bound, not an aim: a fault may touch eight policies, each of which has at most some twelve children to write."""
EVENTS_PER_FAULT: Final = 10
CALM_SHARE: Final = 0.1
DEATHS: Final = 3
"""Bounds a run in which the operator cannot live."""


@dataclass
class Report:
    """What came of a run."""

    faults: int
    seed: int
    sentences: list[Sentence] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    writes: int = 0
    events: int = 0
    revisions: int = 0
    pods: int = 0
    converged_seconds: float = 0.0
    refused: int = 0
    calm_seconds: float = 0.0
    """For how much of the run nothing was in the operator's way: only then deadlines ran."""
    took_seconds: float = 0.0

    @property
    def guilty(self) -> list[Sentence]:
        """Give the moments that the operator is to blame for."""
        return [sentence for sentence in self.sentences if sentence.guilty]

    @property
    def slowest(self) -> float:
        """Give the longest time that the operator took to undo what was weakened by hand, in seconds."""
        return max((sentence.calm_seconds for sentence in self.sentences if sentence.ours), default=0.0)

    def failures(self) -> list[str]:
        """Say what is wrong; empty when nothing is."""
        found = [f"weaker: {sentence}" for sentence in self.guilty]
        found += [f"final state: {line}" for line in self.differences]
        found += [f"ended: {death}" for death in self.deaths]
        if self.writes > self.faults * WRITES_PER_FAULT:
            found.append(f"{self.writes} writes are more than {WRITES_PER_FAULT} per fault")
        if self.events > self.faults * EVENTS_PER_FAULT:
            found.append(f"{self.events} events are more than {EVENTS_PER_FAULT} per fault")
        if not self.pods or not self.sentences:
            found.append("nothing was judged: no pod came up, or no edit ever weakened anything")
        if self.calm_seconds < CALM_SHARE * self.took_seconds:
            found.append(f"only {self.calm_seconds:.0f} of {self.took_seconds:.0f} s were calm: no deadline was tried")
        return found

    def line(self) -> str:
        """Give the last line of the run."""
        state = "identical" if not self.differences else f"differs in {len(self.differences)} places"
        return (
            f"chaos: {self.faults} faults, seed {self.seed}, final state {state}, "
            f"{len(self.guilty)} moments weaker, slowest restore {self.slowest:.1f} s"
        )


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


def run(*, faults: int, seed: int) -> Report:
    """Run a storm and a calm run on the light instance that the environment names."""
    logs = build.cache_root() / "chaos"
    with tempfile.TemporaryDirectory(prefix="zaum-chaos-") as folder:
        try:
            return asyncio.run(Run(faults, seed, Path(folder)).all())
        finally:
            shutil.rmtree(logs, ignore_errors=True)
            logs.mkdir(parents=True)
            for log in Path(folder).glob("*.log"):
                shutil.copy(log, logs)
            say(f"the operators' logs are in {logs}")


class ChaosError(Exception):
    """The run could not be made, or did not converge: it proves nothing."""


@dataclass
class Run:
    """One run."""

    faults: int
    seed: int
    folder: Path
    api: Api = field(default_factory=Api)
    store: Store = field(default_factory=Store)

    async def all(self) -> Report:
        """Do everything, in order."""
        self._assert_ours()
        finals = fleet.finals(self.seed)
        await asyncio.to_thread(self._clear)
        await asyncio.to_thread(self._free)
        installation = await asyncio.to_thread(localoperator.install, self.api, self.folder)
        began = time.monotonic()
        self.store.start()
        async with Proxy(self._server(), self._trust()).serve() as proxy:
            operators = Operators(installation, f"http://127.0.0.1:{proxy.port}")
            try:
                hands = Hands(self.api, [dict(spec) for spec in finals])
                odd = fuzzed.specs(seed=self.seed, count=self.faults)
                storm = Storm(hands, operators, proxy, self.store, say, odd)
                operators.refill(OPERATORS)
                kubelet = asyncio.create_task(storm.probe())
                await self._settle(hands, operators)
                say(f"calm before the storm: {len(fleet.FLEET)} policies are ready")
                proxy.counts = Counts()
                await storm.rage(plan.draw(seed=self.seed, faults=self.faults))
                say("the storm is over")
                after = time.monotonic()
                for index, spec in enumerate(finals):
                    hands.specs[index] = spec
                await self._settle(hands, operators)
                converged = time.monotonic() - after
                counts = proxy.counts
                stormy = await asyncio.to_thread(self._state)
                end = time.monotonic()
                operators.kill_all()
                changes = list(self.store.changes)
                report = self._judge(changes, hands, storm, operators, span=(began, end))
                report.converged_seconds, report.refused = converged, len(hands.refused)
                report.writes, report.events = _writes(counts)
                report.differences = normal.differences(stormy, await self._calm(finals, operators, hands))
                report.deaths, report.unwell = operators.deaths, operators.unwell
                kubelet.cancel()
            finally:
                operators.kill_all()
                self.store.stop()
        return report

    async def _calm(self, finals: list[Object], operators: Operators, hands: Hands) -> dict[str, Any]:
        """Make the same final specs anew, with nothing in the way, and give the state."""
        await asyncio.to_thread(self._free)
        operators.refill(1)
        await asyncio.to_thread(self._clear)
        hands.specs = [dict(spec) for spec in finals]
        await self._settle(hands, operators)
        found = await asyncio.to_thread(self._state)
        operators.refill(1)
        return found

    def _assert_ours(self) -> None:
        """Only a light instance beside the usual cluster may be stormed: it has played nodes and nothing else."""
        names = [node["metadata"]["name"] for node in self.api.items("nodes")]
        if not names or not all(name.startswith("fake-") for name in names):
            raise ChaosError(f"this API server has real nodes ({', '.join(names)}): storms are for a light instance")

    def _server(self) -> str:
        return f"https://127.0.0.1:{addresses.API_PORT}"

    def _trust(self) -> ssl.SSLContext:
        configuration = self.api._client.configuration
        return ssl.create_default_context(cafile=configuration.ssl_ca_cert)

    def _clear(self) -> None:
        """Remove what an earlier run left; the operator, if one runs, sweeps the rest."""
        for name in fleet.NAMESPACES:
            self.api.delete("namespaces", "", name)
        for name in fleet.NAMESPACES:
            self.api.until_gone("namespaces", "", name, seconds=GONE_SECONDS)
        deadline = time.monotonic() + (SWEPT_SECONDS if self.store.changes else 0)
        while left := [item["metadata"]["name"] for item in self._classes()]:
            if time.monotonic() > deadline:
                if self.store.changes:
                    raise ChaosError(f"PriorityClasses were not swept: {left}")
                for name in left:
                    self.api.delete("priorityclasses", "", name)
            time.sleep(0.2)

    def _free(self) -> None:
        """Remove the lease of operators that were killed: the next ones would wait until it expires."""
        self.api.delete(*presence.LEASE)

    def _classes(self) -> list[Object]:
        return [item for item in self.api.items("priorityclasses") if item["metadata"]["name"].startswith("zaum-")]

    async def _settle(self, hands: Hands, operators: Operators) -> None:
        """Apply all specs, and wait until every policy says so and nothing is written any more."""
        for name in fleet.NAMESPACES:
            await asyncio.to_thread(hands.settle, name)
        deadline = time.monotonic() + CONVERGED_SECONDS
        while True:
            operators.refill(len(operators.run))
            if len(operators.deaths) > DEATHS:
                raise ChaosError("\n".join(operators.deaths))
            waiting = await asyncio.to_thread(self._waiting)
            quiet = time.monotonic() - self.store.last
            if not waiting and quiet >= QUIET_SECONDS:
                await asyncio.to_thread(counted.insist, self.api, fleet.NAMESPACES, say)
                return
            if self.store.error:
                raise ChaosError(self.store.error)
            if time.monotonic() > deadline:
                words = "\n".join(operator.last_words() for operator in operators.run)
                raise ChaosError(
                    f"not settled after {CONVERGED_SECONDS:.0f} s (quiet for {quiet:.1f} s): "
                    f"{'; '.join(waiting)}\n{words}"
                )
            await asyncio.sleep(0.2)

    def _waiting(self) -> list[str]:
        found = []
        for namespace in fleet.NAMESPACES:
            for policy in self.api.items("agentpolicies", namespace):
                ready = condition(policy, "Ready")
                fresh = ready.get("observedGeneration") == policy["metadata"]["generation"]
                if not fresh or ready.get("status") != "True":
                    found.append(f"{namespace}/{policy['metadata']['name']}: {json.dumps(ready)}")
        return found

    def _state(self) -> dict[str, Any]:
        objects: dict[Place, Object] = {}
        for resource in normal.RESOURCES:
            for namespace in ("",) if resource == "priorityclasses" else fleet.NAMESPACES:
                for item in self.api.items(resource, namespace):
                    objects[resource, namespace, item["metadata"]["name"]] = item
        return normal.state(objects)

    def _judge(
        self, changes: list[Change], hands: Hands, storm: Storm, operators: Operators, *, span: tuple[float, float]
    ) -> Report:
        if self.store.error:
            raise ChaosError(self.store.error)
        court = Judge(localoperator.NAMESPACE, frozenset(fleet.NAMESPACES))
        for change in changes:
            court.take(change)
        leases = [change for change in changes if change.place == presence.LEASE]
        absent = presence.without_leader(operators.turns, leases, begin=span[0], end=span[1])
        impediments: list[Impediment] = [*storm.impediments, *absent]
        hand = Hand(frozenset(hands.revisions), tuple(hands.removals))
        sentences = judge.sentences(court.moments(), hand=hand, impediments=impediments, end=span[1])
        report = Report(self.faults, self.seed, sentences, revisions=court.seen, pods=court.pods)
        report.took_seconds = span[1] - span[0]
        report.calm_seconds = calm.calm_seconds(*span, impediments)
        return report


def _writes(counts: Counts) -> tuple[int, int]:
    """Give the writes that went through and the events among them; renewals of the lease are not counted."""
    writes = {key: count for key, count in counts.writes.items() if not key.endswith("leases")}
    return sum(writes.values()), sum(count for key, count in writes.items() if key.endswith("events"))
