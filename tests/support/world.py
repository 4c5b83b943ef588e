"""A simulated cluster with the operator at work in it: policies in, objects out, time by hand."""

import asyncio
import copy
import pathlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import containing, specs
from tests.support.apiserver import ApiServer, Write, selects
from zaum_api import contract, documents
from zaum_operator.cluster.gate import Gate
from zaum_operator.cluster.gateway import GatewayLook
from zaum_operator.cluster.store import Store
from zaum_operator.core import due, kinds, watched
from zaum_operator.core.cache import Cache
from zaum_operator.core.containment.asking import Question
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.queue import Queue
from zaum_operator.core.snapshot import Site
from zaum_operator.metrics import Metrics
from zaum_operator.reconcile import Reconciler
from zaum_operator.workers import Workers

NAMESPACE = "agents"
SITE = Site("zaum-system", "registry.example/watchdog@sha256:" + "1" * 64, "Always")
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """A clock that moves when it is told to."""

    at: datetime = START
    made: int = 0

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return (self.at - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def digits(self, count: int) -> str:
        self.made += 1
        return f"{self.made:0{count}x}"

    def fraction(self) -> float:
        return 0.5


@dataclass
class World:
    """The API server, the operator's workers, and a kubelet that the test plays."""

    ca_file: pathlib.Path
    api: ApiServer = field(default_factory=ApiServer)
    clock: HandClock = field(default_factory=HandClock)
    metrics: Metrics = field(default_factory=Metrics)
    site: Site = SITE
    workers: Workers = field(init=False)
    authorizers: tuple[str, ...] = ("192.0.2.1", "192.0.2.2")
    deaf: set[str] = field(default_factory=set)
    """Those of them that do not answer."""
    watching: bool = True
    """Whether the operator's watches show anything."""

    def __post_init__(self) -> None:
        self.ca_file.write_text("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
        held = watched.of_site(namespaced=self.site.namespaced)
        store = Store(self.api, held, (NAMESPACE,) if self.site.namespaced else ())
        gateway = GatewayLook(self.api, "zaum-system", self.ca_file)
        reconciler = Reconciler(store, self.site, gateway, self.clock)  # type: ignore[arg-type]
        gate = Gate(self.clock)
        # The clock stands still while the operator works: nothing may wait for its next second.
        queue = Queue(per_second=10_000)
        self.workers = Workers(reconciler, self.clock, self.metrics, gate, queue)  # type: ignore[arg-type]
        self.api.listeners.append(self.on_event)
        self.api.now = lambda: stamp(self.clock.at)
        if self.api.all(kinds.SERVICE) == []:
            service = {"metadata": {"name": contract.GATEWAY_SERVICE, "namespace": "zaum-system"}}
            self.api.put(kinds.SERVICE, service | {"spec": {"clusterIPs": ["10.96.7.7", "fd00:10:96::77"]}})
        asyncio.run(self.workers.lead())

    @property
    def cache(self) -> Cache:
        """What the operator believes."""
        return self.workers.reconciler.store.cache

    def on_event(self, event: str, kind: Kind, obj: Object, before: Object | None) -> None:
        """Do as the watches do: a change that takes an object out of the selection looks like its deletion."""
        for each, selector in self.workers.reconciler.store.watched:
            if not self.watching or each is not kind:
                continue
            now, once = selects(selector, obj) and event != "DELETED", before is not None and selects(selector, before)
            if now:
                self.workers.on_event(kind, obj, gone=False)
            elif once and before is not None:
                shown = copy.deepcopy(before)
                shown["metadata"]["resourceVersion"] = obj["metadata"]["resourceVersion"]
                self.workers.on_event(kind, shown, gone=True)

    def policy(self, name: str = "researcher", spec: dict[str, Any] | None = None, **over: Any) -> Object:
        """Apply a policy as its author would."""
        body = {
            "apiVersion": contract.API_VERSION,
            "kind": contract.KIND_POLICY,
            "metadata": {"name": name, "namespace": NAMESPACE} | over,
            "spec": spec or specs.agent(),
        }
        return self.api.put(kinds.POLICY, body)

    def settle(self, limit: int = 200) -> int:
        """Let the operator work until nothing is due; give the number of reconciles."""

        async def work() -> int:
            if await self.workers.reconciler.gateway.look():
                self.workers.add(due.ALL)
            for count in range(limit):
                if not await self.workers.step() and not self.ask_authorizers():
                    return count
            raise AssertionError(f"still busy after {limit} reconciles")

        return asyncio.run(work())

    def ask_authorizers(self) -> bool:
        """Let all authorizers answer what is asked about open Incidents; say whether one says something else."""
        asking = self.workers.reconciler.containment.asking
        asking.replicas = self.authorizers
        news = {
            key
            for key, asked in asking.pending().items()
            for address in self.authorizers
            if address not in self.deaf
            if asking.take(key, address, asked, self._seen(asked), at=self.clock.seconds())
        }
        self.workers.notice(tuple(sorted(news)))
        return bool(news)

    def _seen(self, asked: Question) -> documents.Seen:
        """Say what an authorizer sees that has read everything."""
        every = {item["metadata"]["name"]: item for item in self.api.all(kinds.INCIDENT)}
        pods = {pod["metadata"]["uid"]: pod for pod in self.api.all(kinds.POD)}
        seen = containing.seen([every[name] for _, name in asked.incidents if name in every])
        lives = {uid: _life(pods.get(uid)) for uid in asked.pods}
        return replace(seen, pods=tuple(documents.SeenPod(uid, life, refused=True) for uid, life in lives.items()))

    def resync(self) -> int:
        """Let the operator list everything, and work; give how many objects the watches had not shown."""
        healed = asyncio.run(self.workers.heal())
        self.workers.queue_everything()
        self.settle()
        return healed

    def pass_time(self, **delta: float) -> None:
        """Move the clock and let the operator work."""
        self.clock.at += timedelta(**delta)
        self.settle()

    def look(self, name: str = "researcher") -> list[Write]:
        """Reconcile once more, as a resync would, and give the writes that came of it."""
        before = len(self.api.writes)
        self.workers.add(Key(NAMESPACE, name))
        self.settle()
        return self.api.writes[before:]

    def pods(self, name: str = "researcher") -> list[Object]:
        """Give the policy's pods that are not being deleted."""
        return [
            pod
            for pod in self.api.all(kinds.POD)
            if pod["metadata"]["labels"].get(contract.LABEL_POLICY) == name
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def live(self, name: str = "researcher") -> list[Object]:
        """Give the policy's pods that have not ended."""
        return [pod for pod in self.pods(name) if (pod.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}]

    def start_pods(self) -> None:
        """Play the kubelet: every pod runs and is ready."""
        for pod in self.api.all(kinds.POD):
            if not pod.get("status"):
                self.set_status(pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
        self.settle()

    def end_pod(self, pod: Object, *, code: int = 1, ran: float = 1, **status: Any) -> None:
        """Play the kubelet: the agent's container ended now, after so many seconds."""
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": stamp(self.clock.at - timedelta(seconds=ran)),
            "finishedAt": stamp(self.clock.at),
        }
        agent = {"name": contract.CONTAINER_AGENT, "state": {"terminated": ended}}
        phase = "Succeeded" if code == 0 else "Failed"
        self.set_status(pod, phase=phase, conditions=[], containerStatuses=[agent], **status)
        self.settle()

    def set_status(self, pod: Object, **status: Any) -> None:
        """Write a pod's status."""
        self.api.edit(kinds.POD, pod["metadata"]["namespace"], pod["metadata"]["name"], {"status": status})

    def condition(self, kind: str = "Ready", name: str = "researcher") -> tuple[str, str, str]:
        """Give status, reason and message of a condition."""
        for policy in self.api.all(kinds.POLICY):
            if policy["metadata"]["name"] == name:
                for condition in policy.get("status", {}).get("conditions", []):
                    if condition["type"] == kind:
                        return condition["status"], condition["reason"], condition["message"]
        raise AssertionError(f"no condition {kind} on {name}")


def _life(pod: Object | None) -> documents.Life:
    if pod is None:
        return documents.Life.GONE
    ended = (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
    return documents.Life.ENDED if ended else documents.Life.LIVE


def stamp(moment: datetime) -> str:
    """Write a time as the API server does."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
