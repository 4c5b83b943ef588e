"""Let the faults of a storm strike, one after the other; what lasts goes on meanwhile."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos import fleet, presence
from tests.chaos.calm import Impediment
from tests.chaos.hands import FOREIGN, Hands
from tests.chaos.history import Object
from tests.chaos.operators import Operator, Operators
from tests.chaos.plan import Fault, Kind
from tests.chaos.proxy import Proxy, Trouble
from tests.chaos.store import Store
from tests.cluster import cluster, errors, local, processes
from tests.support import edits

CRDS: Final = ("agentpolicies.zaum.dev", "agentceilings.zaum.dev")
BINDING: Final = "zaum-operator"
GONE_SECONDS: Final = 90.0
UPDATES: Final = 100
OPERATORS: Final = 2
RESTARTS: Final = 5
PROBE_EVERY_SECONDS: Final = 10.0
TROUBLES: Final = {
    Kind.HALF_OPEN: Trouble.HALF_OPEN, Kind.CONFLICT: Trouble.CONFLICT, Kind.GONE: Trouble.GONE,
    Kind.TOO_MANY: Trouble.TOO_MANY, Kind.ERROR: Trouble.ERROR, Kind.NO_ANSWER: Trouble.NO_ANSWER,
    Kind.LOST_ANSWER: Trouble.LOST_ANSWER, Kind.SLOW: Trouble.SLOW,
}  # fmt: skip
AFTERMATH_SECONDS: Final[dict[Kind, float]] = {Kind.TOO_MANY: 1.0, Kind.NO_ANSWER: 1.0, Kind.CUT: 1.0}
"""What the fault itself makes the operator wait after it is over: a Retry-After, a request that nobody answers."""


@dataclass
class Storm:
    """Everything that faults need, and what they leave: when what was in the operator's way."""

    hands: Hands
    operators: Operators
    proxy: Proxy
    store: Store
    say: Callable[[str], None]
    fuzzed: list[Object]
    """Specs drawn from the schema."""
    impediments: list[Impediment] = field(default_factory=list)
    struck: Counter[Kind] = field(default_factory=Counter)
    _lasting: set[asyncio.Task[None]] = field(default_factory=set)
    _heavy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def probe(self) -> None:
        """Play the kubelet's liveness probe, until cancelled."""
        while True:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            await asyncio.to_thread(self.operators.probe)
            self.operators.refill(len(self.operators.run) or OPERATORS)

    async def rage(self, faults: tuple[Fault, ...]) -> None:
        """Let all faults strike, then wait for those that last."""
        for fault in faults:
            self.operators.refill(OPERATORS)
            self.say(str(fault))
            await self._strike(fault)
            self.struck[fault.kind] += 1
            await asyncio.sleep(fault.pause)
            self._raise_if_broken()
        await asyncio.gather(*self._lasting)
        self.operators.refill(OPERATORS)

    def _raise_if_broken(self) -> None:
        for task in [task for task in self._lasting if task.done()]:
            self._lasting.discard(task)
            task.result()

    async def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.KILLED | Kind.RESTARTED | Kind.FROZEN | Kind.SECOND | Kind.LEASE_DELETED:
                await self._process(fault)
            case Kind.FLIPPED | Kind.STORMED | Kind.CHANGED | Kind.RECREATED | Kind.FUZZED:
                await asyncio.to_thread(self._author, fault)
            case Kind.EDITED:
                await asyncio.to_thread(self._edit, fault)
            case Kind.OPENED:
                self._last(self._opened(fault))
            case Kind.NAMESPACE_DELETED | Kind.CRD_DELETED | Kind.API_RESTARTED | Kind.API_KILLED:
                async with self._heavy:
                    await self._cluster(fault)
            case Kind.RBAC_REVOKED:
                self._last(self._impeded(fault, self._without_rights(fault)))
            case Kind.CUT:
                now = time.monotonic()
                self.proxy.cut()
                self.impediments.append(Impediment(fault.kind.value, now, now + AFTERMATH_SECONDS[Kind.CUT]))
            case _:
                self._last(self._impeded(fault, self._trouble(fault)))

    def _last(self, work: Coroutine[Any, Any, None]) -> None:
        self._lasting.add(asyncio.create_task(work))

    async def _impeded(self, fault: Fault, work: Awaitable[None]) -> None:
        """Remember for how long it was in the operator's way."""
        since = time.monotonic()
        await work
        until = time.monotonic() + AFTERMATH_SECONDS.get(fault.kind, 0.0)
        self.impediments.append(Impediment(fault.kind.value, since, until))

    async def _trouble(self, fault: Fault) -> None:
        async with self.proxy.in_trouble(TROUBLES[fault.kind], fault.lasts):
            pass

    # The operator's processes

    async def _process(self, fault: Fault) -> None:
        dice = random.Random(fault.salt)
        leader = self.operators.leader(presence.holder_of(self.store.newest(presence.LEASE)))
        chosen = leader if leader is not None and dice.random() < 0.7 else dice.choice(self.operators.run)
        match fault.kind:
            case Kind.KILLED:
                await asyncio.to_thread(self.operators.kill, chosen)
            case Kind.RESTARTED:
                await asyncio.to_thread(self.operators.end, chosen)
            case Kind.FROZEN:
                self._last(self._frozen(chosen, fault.lasts))
            case Kind.LEASE_DELETED:
                await asyncio.to_thread(self.hands.remove, *presence.LEASE)
            case _:
                self._last(self._beside(fault.lasts))

    async def _frozen(self, operator: Operator, seconds: float) -> None:
        if operator.alive:
            self.operators.freeze(operator)
            await asyncio.sleep(seconds)
            self.operators.thaw(operator)

    async def _beside(self, seconds: float) -> None:
        another = await asyncio.to_thread(self.operators.add)
        await asyncio.sleep(seconds)
        if another in self.operators.run:
            await asyncio.to_thread(self.operators.kill, another)

    # Policies

    def _author(self, fault: Fault) -> None:
        dice, hands, index = random.Random(fault.salt), self.hands, fault.policy
        match fault.kind:
            case Kind.FLIPPED:
                hands.turn(index, "Stopped")
                time.sleep(dice.uniform(0.0, 0.8))
                hands.turn(index, "Running")
            case Kind.STORMED:
                self._updates(index, dice)
            case Kind.CHANGED:
                hands.say(index, fleet.spec(dice))
            case Kind.RECREATED:
                hands.forget(index)
                time.sleep(dice.choice([0.0, 0.05, 0.5]))
                hands.say(index, fleet.spec(dice))
            case _:
                spec = self.fuzzed[fault.salt % len(self.fuzzed)]
                if hands.attempt(lambda: hands.api.apply("agentpolicies", fleet.policy(index, spec))) is not None:
                    hands.specs[index] = spec

    def _updates(self, index: int, dice: random.Random) -> None:
        began = time.monotonic()
        for number in range(UPDATES):
            self.hands.merge_policy(
                index,
                {
                    "spec": {
                        "agent": {"replicas": dice.randint(1, 3)},
                        "limits": {"requests": {"perMinute": 100 + number}},
                    }
                },
            )
            ahead = began + (number + 1) / UPDATES - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        self.hands.say(index)

    # Children

    def _edit(self, fault: Fault) -> None:
        """Make the edit, of another policy where this one has no such child."""
        assert fault.edit is not None
        order = [(fault.policy + step) % len(fleet.FLEET) for step in range(len(fleet.FLEET))]
        if any(self.hands.edit(index, fault.edit) for index in order):
            return
        pod = next(edit for edit in edits.NETWORK if edit.patch is None)
        any(self.hands.edit(index, pod) for index in order)

    async def _opened(self, fault: Fault) -> None:
        namespace = fleet.FLEET[fault.policy][0]
        if await asyncio.to_thread(self.hands.open_beside, namespace):
            await asyncio.sleep(fault.lasts)
            await asyncio.to_thread(self.hands.remove, "networkpolicies", namespace, FOREIGN)

    # The cluster

    async def _cluster(self, fault: Fault) -> None:
        match fault.kind:
            case Kind.NAMESPACE_DELETED:
                await asyncio.to_thread(self._namespace, fleet.FLEET[fault.policy][0])
            case Kind.CRD_DELETED:
                await self._impeded(fault, self._without_crd(CRDS[fault.salt % 2], fault.lasts))
            case _:
                await self._impeded(fault, asyncio.to_thread(restart_api, killed=fault.kind is Kind.API_KILLED))

    def _namespace(self, name: str) -> None:
        hands = self.hands
        inside = [index for index, (namespace, _) in enumerate(fleet.FLEET) if namespace == name]
        for index in inside:
            hands.forget(index)
        for index in inside:
            hands.say(index)
        hands.remove("namespaces", "", name)
        hands.insist(lambda: hands.api.until_gone("namespaces", "", name, seconds=GONE_SECONDS))
        hands.settle(name)

    async def _without_crd(self, name: str, seconds: float) -> None:
        await asyncio.to_thread(remove_crd, self.hands, name, seconds)

    async def _without_rights(self, fault: Fault) -> None:
        await asyncio.to_thread(self._rights, fault.lasts)

    def _rights(self, seconds: float) -> None:
        api = self.hands.api
        found = self.hands.insist(lambda: api.find("clusterrolebindings", "", BINDING))
        if found is None:
            return  # revoked already, by a fault that still lasts
        kept = {key: found[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
        self.hands.remove("clusterrolebindings", "", BINDING)
        time.sleep(seconds)
        self.hands.insist(lambda: api.apply("clusterrolebindings", kept | {"metadata": {"name": BINDING}}))


def remove_crd(hands: Hands, name: str, seconds: float) -> None:
    """Take a kind away for a while, then give it and the fleet's policies back."""
    api = hands.api
    found = hands.insist(lambda: api.get("customresourcedefinitions", "", name))
    kept = {"apiVersion": found["apiVersion"], "kind": found["kind"], "spec": found["spec"], "metadata": {"name": name}}
    for index in range(len(fleet.FLEET)):
        hands.removals.append((("agentpolicies", *fleet.FLEET[index]), time.monotonic()))
    hands.remove("customresourcedefinitions", "", name)
    hands.insist(lambda: api.until_gone("customresourcedefinitions", "", name, seconds=GONE_SECONDS))
    time.sleep(seconds)
    hands.insist(lambda: api.apply("customresourcedefinitions", kept))
    hands.insist(
        lambda: api.until(
            "customresourcedefinitions", "", name, _established, seconds=GONE_SECONDS, what=f"{name} is served again"
        )
    )
    if name == CRDS[0]:
        for index in range(len(fleet.FLEET)):
            _again(hands, index)


def _again(hands: Hands, index: int) -> None:
    """Apply a policy as soon as its kind is served: established is said a moment before."""
    deadline = time.monotonic() + 10
    while hands.say(index) is None and time.monotonic() < deadline:
        time.sleep(0.2)


def _established(crd: dict[str, Any]) -> bool:
    conditions = {item["type"]: item["status"] for item in crd.get("status", {}).get("conditions") or ()}
    return conditions.get("Established") == "True"


def kill_api() -> None:
    """Kill the API server of this instance, by the pid that its start recorded."""
    for record in processes.load(local.place().processes):
        if record.name == "kube-apiserver" and processes.is_running(record):
            os.kill(record.pid, signal.SIGKILL)


def restart_api(*, killed: bool) -> None:
    """End the API server of this instance, by the pid that its start recorded, and start it again."""
    if killed:
        kill_api()
    for tries_left in reversed(range(RESTARTS)):
        try:
            cluster.restart("kube-apiserver")
            return
        except errors.ClusterError:
            # On a busy machine the dead one may hold its port for a moment.
            if not tries_left:
                raise
            time.sleep(1.0)
