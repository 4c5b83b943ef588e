"""Operators that die at any request, and a monitor that holds what they claim and do against what is so."""

import pathlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import outbreak
from tests.support.apiserver import ApiServer
from tests.support.faults import WRITES
from tests.support.world import NAMESPACE, World
from zaum_api import contract, incidents
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.render import network

ENDED = {"Failed", "Succeeded"}


class DeathError(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Mortal:
    """The API server, until the operator's process dies at the request that `until` counts down to."""

    api: ApiServer
    until: int = -1
    after: bool = False
    """Whether the request is carried out, and its answer alone is lost with the process."""
    sent: int = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.api, name)
        if name not in WRITES:
            return found

        async def call(*arguments: Any, **more: Any) -> Any:
            self.sent += 1
            if self.sent == self.until:
                if self.after:
                    await found(*arguments, **more)
                raise DeathError
            return await found(*arguments, **more)

        return call


@dataclass
class Monitor:
    """Looks at every change of the API's objects: is less contained than before, is anything claimed that is not so?"""

    api: ApiServer
    world: World
    closed: set[str] = field(default_factory=set)
    """NetworkPolicies that have been closed under an open Quarantine."""
    claims: int = 0
    witnesses: dict[str, set[str]] = field(default_factory=dict)
    """Which authorizers could be asked while an Incident was there, by its uid."""
    violations: list[str] = field(default_factory=list)

    def on_event(self, event: str, kind: Kind, obj: Object, before: Object | None) -> None:
        """Judge one change. The operator outlives whatever is raised in it, so what is wrong is noted."""
        try:
            self._judge(event, kind, obj, before)
        except AssertionError as wrong:
            self.violations.append(str(wrong).partition("\n")[0])

    def hear(self) -> None:
        """Note who could be asked until now."""
        for item in self.api.all(kinds.INCIDENT):
            heard = self.witnesses.setdefault(item["metadata"]["uid"], set())
            heard |= set(self.world.authorizers) - self.world.deaf

    def _judge(self, event: str, kind: Kind, obj: Object, before: Object | None) -> None:
        if kind is kinds.POD:
            self._pod(event, obj, before)
        if kind is kinds.NETWORK_POLICY:
            self._route(event, obj)
        if kind is kinds.INCIDENT and event != "DELETED":
            self._claims(obj, before)

    def _pod(self, event: str, obj: Object, before: Object | None) -> None:
        name, policy = obj["metadata"]["name"], _policy(obj)
        assert not (event == "ADDED" and self._quarantined(policy)), f"{name} starts under an open Quarantine"
        if before is None:
            return
        was, now = _labels(before), _labels(obj)
        if was.get(contract.LABEL_QUARANTINED):
            assert now.get(contract.LABEL_QUARANTINED) == "true", f"{name} is let out"
            assert obj["spec"].get("activeDeadlineSeconds") == 1, f"{name} gets more time"
        leaves = event == "DELETED" or (_leaving(obj) and not _leaving(before))
        if leaves and self._held(before):
            assert not _runs(before), f"{name} is deleted while it runs"

    def _route(self, event: str, obj: Object) -> None:
        policy = obj["metadata"]["name"].removeprefix(contract.NAME_PREFIX)
        if event == "DELETED" or not self._quarantined(policy):
            self.closed.discard(policy)
        elif network.is_closed(obj):
            self.closed.add(policy)
        else:
            assert policy not in self.closed, f"the route of {policy} is opened again"

    def _claims(self, obj: Object, before: Object | None) -> None:
        said, was = incidents.conditions(obj), incidents.conditions(before or {})
        for step, status in said.items():
            if status == "True" and was.get(step) != "True":
                self.claims += 1
                self._is_so(step, obj, said)

    def _is_so(self, step: str, obj: Object, said: Mapping[str, str]) -> None:
        pods, name = self._contained(obj), obj["metadata"]["name"]
        match step:
            case "Killed":
                assert not any(_runs(pod) for pod in pods), f"{name}: something runs"
            case "Cut":
                assert not any(_runs(pod) for pod in pods), f"{name}: no watchdog has said that it has cut"
                assert self.world.deaf <= self.witnesses.get(obj["metadata"]["uid"], set()), f"{name}: a silent witness"
            case "RouteRemoved":
                assert all(_labels(pod).get(contract.LABEL_QUARANTINED) for pod in pods if _runs(pod)), name
            case "IdentityDead":
                assert pods == [], f"{name}: objects are there"
                assert self.world.deaf <= self.witnesses.get(obj["metadata"]["uid"], set()), f"{name}: a silent witness"
            case "Quarantined":
                ends = [pod["spec"].get("activeDeadlineSeconds") == 1 or _leaving(pod) for pod in pods if _runs(pod)]
                assert all(ends), f"{name}: a pod is not being ended"
                assert all(_labels(pod).get(contract.LABEL_QUARANTINED) for pod in pods if _runs(pod)), name
                assert self.world.deaf <= self.witnesses.get(obj["metadata"]["uid"], set()), f"{name}: a silent witness"
                own = self.api.objects.get(
                    ("networkpolicies", NAMESPACE, contract.child_name(obj["spec"]["policyRef"]["name"]))
                )
                assert own is None or network.is_closed(own), f"{name}: a route is open"
            case "Released":
                assert obj["spec"].get("release"), f"{name}: nobody released it"
                assert said.get("Killed") == "True", f"{name}: released before its pods were dead"
            case "Closed":
                steps = all(said.get(item.value) == "True" for item in incidents.STEPS[:-1])
                kill = steps and incidents.action(obj) is incidents.Action.KILL
                assert kill or said.get("Released") == "True" or "Duplicate" in outbreak.why(obj, "Closed"), name

    def _contained(self, obj: Object) -> list[Object]:
        whole = incidents.action(obj) is incidents.Action.QUARANTINE
        policy, uid = obj["spec"]["policyRef"]["name"], (obj["spec"].get("pod") or {}).get("uid")
        return [
            pod
            for pod in self.api.all(kinds.POD)
            if (whole and _policy(pod) == policy) or pod["metadata"]["uid"] == uid
        ]

    def _quarantined(self, policy: str) -> bool:
        return any(hold.whole and hold.policy == policy for hold in self._holds())

    def _held(self, pod: Object) -> bool:
        metadata = pod["metadata"]
        return any(
            hold.covers(
                namespace=metadata["namespace"],
                policy=_policy(pod),
                pod_name=metadata["name"],
                pod_uid=metadata["uid"],
            )
            for hold in self._holds()
        )

    def _holds(self) -> tuple[incidents.Hold, ...]:
        return incidents.holds(self.api.all(kinds.INCIDENT))


@dataclass
class Walk:
    """One simulated cluster through which operators come and go; the API server stays."""

    folder: pathlib.Path
    dice: random.Random
    api: ApiServer = field(default_factory=ApiServer)
    deaths: int = 0
    world: World = field(init=False)
    monitor: Monitor = field(init=False)
    mortal: Mortal = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.folder / "ca.crt", api=self.api)
        self.monitor = Monitor(self.api, self.world)
        self.api.listeners.append(self.monitor.on_event)
        self.mortal = Mortal(self.api)
        self.world.workers.reconciler.store.api = self.mortal

    def doom(self, writes: int, *, after: bool) -> None:
        """Let the operator die at a request to come."""
        self.mortal.until, self.mortal.after = self.mortal.sent + writes, after

    def work(self, seconds: float = 0.0) -> None:
        """Let time pass and the operator work; when it dies, another one takes over."""
        for _ in range(5):
            self.monitor.hear()
            try:
                self.world.pass_time(seconds=seconds)
            except DeathError:
                self.deaths += 1
                self._again()
                continue
            return

    def _again(self) -> None:
        old = self.world
        self.api.listeners.remove(old.on_event)
        self.world = World(self.folder / "ca.crt", api=self.api, clock=old.clock, deaf=old.deaf)
        self.monitor.world = self.world
        self.mortal = Mortal(self.api)
        self.world.workers.reconciler.store.api = self.mortal

    def finish(self, rounds: int = 12) -> None:
        """Let everything come to its end."""
        for _ in range(rounds):
            self.kubelets()
            self.work(2)
        for _ in range(4):
            self.kubelets()
            self.work(310)

    def kubelets(self) -> None:
        """Let every kubelet do what it was told: start pods, end those that are to end, let go of what is deleted."""
        for pod in self.api.all(kinds.POD):
            status = pod.get("status") or {}
            if not status:
                self.world.set_status(pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
            elif status.get("phase") not in ENDED and (
                pod["spec"].get("activeDeadlineSeconds") == 1 or pod["metadata"].get("deletionTimestamp")
            ):
                outbreak.end(self.world, pod)
        self.api.finish_deletions()

    def outcome(self) -> dict[str, Any]:
        """Give what stands at the end, without times and without what differs by chance."""
        found: dict[str, Any] = {}
        for item in self.api.all(kinds.INCIDENT):
            found[f"incident {item['spec']['reason']}"] = (
                item["spec"]["action"],
                (item.get("status") or {}).get("phase"),
                outbreak.said(item),
            )
        for name in ("researcher", "other"):
            policy = ("agentpolicies", NAMESPACE, name)
            found[f"pods {name}"] = len(self.world.live(name))
            if policy in self.api.objects:
                found[f"ready {name}"] = self.world.condition(name=name)[:2]
                found[f"contained {name}"] = self.world.condition("Contained", name=name)[:2]
                own = self.api.objects.get(("networkpolicies", NAMESPACE, contract.child_name(name)))
                found[f"route {name}"] = own is not None and network.is_closed(own)
        return found


def _labels(pod: Object) -> dict[str, str]:
    return dict(pod["metadata"].get("labels") or {})


def _policy(pod: Object) -> str:
    return str(_labels(pod).get(contract.LABEL_POLICY, ""))


def _leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _runs(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") == "Running"
