"""One namespace of a simulated cluster in which plans are carried out one at a time: what core decides, and no more.

It stands for a perfect observer: each plan sees what is there. Workers, watches and caches have worlds of their own.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.support import containing, rendered, specs
from tests.support.apiserver import ApiServer, Write
from tests.support.world import NAMESPACE, START, stamp
from zaum_api import contract, documents, incidents
from zaum_operator.cluster import act
from zaum_operator.core import children, intent, kinds, plan, pods, report, sweep, verdict
from zaum_operator.core.containment import rule, view
from zaum_operator.core.containment.view import View
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.plan import Plan
from zaum_operator.core.render import quota
from zaum_operator.core.snapshot import Contact, Gateway, NamespaceSnapshot, Reported, Site, Snapshot
from zaum_operator.core.usage import Usage


@dataclass
class Planned:
    """The API server, a clock, and one `step` per plan."""

    site: Site = rendered.SITE
    api: ApiServer = field(default_factory=ApiServer)
    now: datetime = START
    gateway: Gateway | None = rendered.GATEWAY
    may_roll: bool = True
    services: dict[tuple[str, str], Object] = field(default_factory=dict)
    """Services that routes may lead to, by namespace and name."""
    reports: dict[str, Reported] = field(default_factory=dict)
    """What watchdogs have said, by their pod's uid."""
    contacts: dict[str, Contact] = field(default_factory=dict)
    """Which pods have spoken past their watchdog."""
    usage: Usage | None = None
    books: documents.PolicyUsage | None = None
    books_awaited: bool = False
    books_missing: bool = False
    labels: dict[str, str] = field(default_factory=lambda: {"kubernetes.io/metadata.name": NAMESPACE})
    made: int = 0

    def __post_init__(self) -> None:
        self.api.now = lambda: stamp(self.now)

    def policy(self, spec: dict[str, Any] | None = None, name: str = "researcher") -> Object:
        """Apply a policy as its author would: what the spec no longer says goes."""
        place = ("agentpolicies", NAMESPACE, name)
        if place in self.api.objects:
            self.api.edit(kinds.POLICY, NAMESPACE, name, {"spec": None})
        body = specs.Case("", spec or specs.agent(), name=name).manifest(NAMESPACE)
        return self.api.put(kinds.POLICY, body)

    def ceiling(self, name: str, **fields: Any) -> None:
        """Apply a ceiling for every namespace unless `fields` say otherwise."""
        body = {"metadata": {"name": name}, "spec": {"namespaceSelector": {}} | fields}
        self.api.objects.pop(("agentceilings", "", name), None)
        self.api.put(kinds.CEILING, body)

    def look(self, name: str = "researcher") -> Snapshot:
        """See everything around a policy."""
        child = contract.child_name(name)
        mine = [item for item in self.api.all(kinds.POD) if _of(item, name)]
        return Snapshot(
            key=Key(NAMESPACE, name),
            policy=self._one(kinds.POLICY, name),
            network_policies=tuple(self.api.all(kinds.NETWORK_POLICY)),
            account=self._one(kinds.SERVICE_ACCOUNT, child),
            config=self._one(kinds.CONFIG_MAP, child),
            quota=self._one(kinds.QUOTA, child),
            priority_class=self._one(kinds.PRIORITY_CLASS, quota.priority_class_name(Key(NAMESPACE, name))),
            pods=tuple(mine),
            gateway=self.gateway,
            service=self._one(kinds.SERVICE, child),
            claims=tuple(item for item in self.api.all(kinds.CLAIM) if _of(item, name)),
            namespace={"metadata": {"name": NAMESPACE, "labels": self.labels}},
            ceilings=tuple(self.api.all(kinds.CEILING)),
            neighbours=tuple(self.api.all(kinds.POLICY)) if self.site.namespaced else (),
            namespace_quota=self._one(kinds.QUOTA, contract.NAMESPACE_QUOTA_NAME),
            services=self.services,
            reports=self.reports,
            contacts=self.contacts,
            usage=self.usage,
            books=self.books,
            books_awaited=self.books_awaited,
            books_missing=self.books_missing,
            incidents=tuple(
                item for item in self.api.all(kinds.INCIDENT) if item["spec"]["policyRef"] == {"name": name}
            ),
        )

    def view(self, name: str = "researcher") -> View:
        """See what is contained of a policy."""
        snapshot = self.look(name)
        spec = None if snapshot.policy is None else intent.read(snapshot.policy).spec
        return view.of(snapshot, rule.of(spec), ledger=self.site.ledger, now=self.now)

    def plan(self, name: str = "researcher") -> Plan:
        """Plan, and carry nothing out."""
        snapshot = self.look(name)
        assert snapshot.policy is not None
        return plan.of_policy(
            snapshot, snapshot.policy, self.site, now=self.now, suffix=self._suffix, may_roll=self.may_roll
        )

    def step(self, name: str = "researcher") -> list[Write]:
        """Plan, carry out, say; give the writes."""
        return asyncio.run(self._step(name))

    def settle(self, name: str = "researcher", *, limit: int = 20) -> list[Write]:
        """Step until nothing is written."""
        before = len(self.api.writes)
        for _ in range(limit):
            if not self.step(name):
                return self.api.writes[before:]
        raise AssertionError(f"still writing after {limit} plans: {self.api.writes[-10:]}")

    def sweep(self) -> list[Write]:
        """Plan for the namespace as a whole, and carry it out."""
        before = len(self.api.writes)
        snapshot = NamespaceSnapshot(
            NAMESPACE,
            tuple(self.api.all(kinds.POLICY)),
            tuple(self.api.all(kinds.POD)),
            self._one(kinds.NETWORK_POLICY, contract.GUARD_NAME),
            {"metadata": {"name": NAMESPACE, "labels": self.labels}},
            tuple(self.api.all(kinds.CEILING)),
            self._one(kinds.QUOTA, contract.NAMESPACE_QUOTA_NAME) if self.site.namespaced else None,
        )
        failure = asyncio.run(act.carry_out(self.api, sweep.of_namespace(snapshot, self.site)))  # type: ignore[arg-type]
        assert failure is None, failure
        return self.api.writes[before:]

    def pods(self, name: str = "researcher") -> list[Object]:
        """Give the pods that have neither ended nor are being deleted."""
        return [
            item
            for item in self.api.all(kinds.POD)
            if _of(item, name)
            and not item["metadata"].get("deletionTimestamp")
            and (item.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}
        ]

    def run_pods(self) -> None:
        """Play the kubelet: every pod without a status runs and is ready."""
        for pod in self.api.all(kinds.POD):
            if not pod.get("status"):
                self.status(pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}])

    def end(self, pod: Object, *, code: int | None = 0, word: str = "", **status: Any) -> None:
        """Play the kubelet: the pod ended now, after ten seconds; `word` is the watchdog's last."""
        said: dict[str, Any] = {"name": contract.CONTAINER_WATCHDOG, "restartCount": 0}
        if word:
            said["state"] = {"terminated": {"exitCode": 0, "message": word}}
        ended = {
            "exitCode": code,
            "startedAt": stamp(self.now - timedelta(seconds=10)),
            "finishedAt": stamp(self.now),
        }
        agent = {"name": contract.CONTAINER_AGENT, "state": {} if code is None else {"terminated": ended}}
        phase: dict[str, Any] = {"phase": "Succeeded" if code == 0 else "Failed", "conditions": []}
        self.status(pod, **phase | {"containerStatuses": [agent], "initContainerStatuses": [said]} | status)

    def obey(self) -> None:
        """Play the kubelet: every pod that is to end by its deadline has ended."""
        for pod in self.api.all(kinds.POD):
            lives = (pod.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}
            if lives and pod["spec"].get("activeDeadlineSeconds") == pods.ENDING_SECONDS:
                said = (pod.get("status") or {}).get("initContainerStatuses") or []
                ended = [{key: value for key, value in item.items() if key != "state"} for item in said]
                self.end(pod, code=None, reason="DeadlineExceeded", initContainerStatuses=ended)

    def release(self) -> None:
        """Release every open Quarantine, as a person with the right to it would."""
        for item in self.api.all(kinds.INCIDENT):
            if incidents.is_open(item) and incidents.action(item) is incidents.Action.QUARANTINE:
                said = {"spec": {"release": {"by": "ann", "reason": "looked at"}}}
                self.api.edit(kinds.INCIDENT, NAMESPACE, item["metadata"]["name"], said)

    def status(self, pod: Object, **status: Any) -> None:
        """Write a pod's status."""
        self.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"], {"status": status})

    def condition(self, kind: str = "Ready", name: str = "researcher") -> tuple[str, str, str]:
        """Give status, reason and message of a condition."""
        policy = self._one(kinds.POLICY, name) or {}
        for item in (policy.get("status") or {}).get("conditions", ()):
            if item["type"] == kind:
                return item["status"], item["reason"], item["message"]
        raise AssertionError(f"no condition {kind}")

    def effective(self, name: str = "researcher") -> dict[str, str]:
        """Give the values in force, by field."""
        policy = self._one(kinds.POLICY, name) or {}
        return {item["field"]: item["value"] for item in policy["status"]["effective"]["fields"]}

    def upgraded(self, image: str = "registry.example/zaum-watchdog@sha256:" + "2" * 64) -> None:
        """Install another watchdog."""
        self.site = replace(self.site, watchdog_image=image)

    def _suffix(self, ordinal: int) -> str:
        self.made += 1
        return f"{self.made:05x}"

    def _one(self, kind: Kind, name: str) -> Object | None:
        return self.api.objects.get((kind.plural, NAMESPACE if kind.namespaced else "", name))

    async def _step(self, name: str) -> list[Write]:
        before = len(self.api.writes)
        await containing.contain(self.api, self.view(name), now=self.now)
        snapshot = self.look(name)
        if snapshot.policy is None:
            absent = view.withheld(children.of_absence(snapshot), self.view(name).held)
            failure = await act.carry_out(self.api, absent)  # type: ignore[arg-type]
            assert failure is None, failure
            return self.api.writes[before:]
        planned = self.plan(name)
        kept = view.withheld(planned.actions, planned.held)
        failure = await act.carry_out(self.api, kept)  # type: ignore[arg-type]
        verdicts = verdict.conclude(snapshot, planned, failure)
        status = report.status(snapshot, planned, verdicts, now=self.now, failure=failure)
        if report.changed(snapshot, status):
            events = report.events(snapshot, verdicts, now=self.now, suffix=f"{len(self.api.writes):x}")
            await self.api.apply_status(kinds.POLICY, {"metadata": snapshot.policy["metadata"], "status": status})
            for event in events:
                await self.api.create(kinds.EVENT, event)
        return self.api.writes[before:]


def _of(item: Object, name: str) -> bool:
    return bool((item["metadata"].get("labels") or {}).get(contract.LABEL_POLICY) == name)
