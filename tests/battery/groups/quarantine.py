"""Group 15: what an author of policies does to an open Incident, and to the policy that it holds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.battery.deeds import SCHEMA, Deed, Scene
from tests.battery.groups.byhand import GROUP, MERGE, change, made
from tests.battery.yard import Yard
from tests.support import edits, specs
from tests.support.e2e import responders
from tests.support.e2e.admission import DRY, OPERATOR, OPERATOR_AS_ADMIN
from tests.support.e2e.api import Api, NotSeenError, Object, condition, url
from tests.support.e2e.controls import control, holds
from tests.support.e2e.responders import LEDGER, asked, incident, person
from tests.support.e2e.tampering import IDLE
from zaum_api import contract, incidents

DELETED: Final = "an open Incident deleted"
CHANGED: Final = "an open Incident changed"
RELEASED: Final = "a release by who may not"
LIED: Final = "an Incident in another's name"
ANEW: Final = "a quarantined policy made anew"
HELD: Final = "ghost"
"""The policy that the open Incident holds: it does not exist, until a scene makes it."""
TWIN: Final = "twin"
"""The same policy under another name, which nothing holds."""
AUTHORS: Final = ("create", "get", "list", "watch", "patch", "update", "delete", "deletecollection")
"""All rights on Incidents but the one to release them."""
COLLECTED_SECONDS: Final = 30.0
READY_SECONDS: Final = 90.0
AFTER_SECONDS: Final = 3.0
"""How long the held policy is watched after its twin's pod runs."""


@dataclass(frozen=True)
class Files:
    """An Incident that is open, one that is closed, and who has to do with them."""

    yard: Yard
    author: Api
    name: str
    """The author's."""
    open: str
    closed: str

    def deeds(self) -> Iterator[Deed]:
        """Give all that takes one request."""
        for part in (self.deleted, self.changed, self.released, self.lied):
            yield from part()

    @property
    def people(self) -> dict[str, Api]:
        """Give who tries."""
        return {"author": self.author, **self.yard.people}

    def deleted(self) -> Iterator[Deed]:
        """Delete the open one; the control deletes the closed one."""
        where = self.yard.namespace
        people = {**self.people, "operator": self.yard.api.as_user(OPERATOR_AS_ADMIN)}

        def sweep(who: Api, name: str, *, dry: bool = False) -> Callable[[], object]:
            query = {"fieldSelector": f"metadata.name={name}"} | (DRY if dry else {})
            return lambda: who.send("DELETE", url("incidents", where), query=query)

        for who, api in people.items():
            yield Deed(
                GROUP, DELETED, f"by the {who}", change(api, "incidents", where, self.open, None),
                change(api, "incidents", where, self.closed, None, dry=True), "an open Incident is not deleted",
            )  # fmt: skip
            yield Deed(
                GROUP, DELETED, f"with all of its kind, by the {who}", sweep(api, self.open),
                sweep(api, self.closed, dry=True), "an open Incident is not deleted",
            )  # fmt: skip

    def changed(self) -> Iterator[Deed]:
        """Say something else in the open one; the control is a label, which is nobody's business."""
        where = self.yard.namespace
        wished: dict[str, Object] = {
            "another policy": {"policyRef": {"name": "another"}},
            "a kill of one pod": {"action": "Kill", "pod": {"name": "zaum-ghost-0-00000"}},
            "another reason": {"reason": "Tampering"},
        }
        label = {"metadata": {"labels": {"example.com/seen": "yes"}}}
        for who, api in self.people.items():
            harmless = change(api, "incidents", where, self.open, label, dry=True)
            for title, spec in wished.items():
                yield Deed(
                    GROUP, CHANGED, f"{title}, by the {who}",
                    change(api, "incidents", where, self.open, {"spec": spec}), harmless,
                    "spec of an Incident cannot be changed", by="", statuses=SCHEMA,
                )  # fmt: skip
        operator = self.yard.api.as_user(OPERATOR)
        for who, api in self.yard.people.items():
            for kind in (incidents.Condition.RELEASED, incidents.Condition.CLOSED):
                yield Deed(
                    GROUP, CHANGED, f"said to be {kind}, by the {who}", self.said(api, kind),
                    self.said(operator, kind, dry=True), "only the Zaum operator writes the status",
                )  # fmt: skip

    def said(self, who: Api, kind: incidents.Condition, *, dry: bool = False) -> Callable[[], object]:
        """Give what writes a condition."""
        stamp = {"reason": "Mended", "message": "", "lastTransitionTime": "2026-11-23T05:00:00Z"}
        patch = {"status": {"conditions": [{"type": kind.value, "status": "True", **stamp}]}}
        target = url("incidents", self.yard.namespace, self.open, "status")
        return lambda: who.send("PATCH", target, patch, query=DRY if dry else {}, content=MERGE)

    def released(self) -> Iterator[Deed]:
        """Release the open one; the control is by who may, in the own name, without keeping it."""
        yard = self.yard
        user = yard.owner.user
        rightly = self.release(yard.owner, user.name if user else "", dry=True)
        wrongly: dict[str, tuple[Api, str, str]] = {
            "by the author": (self.author, self.name, "may not release Incidents"),
            "by the author in another's name": (self.author, user.name if user else "", "spec.release.by must be"),
            "by the owner in another's name": (yard.owner, self.name, "spec.release.by must be"),
            "by the operator": (yard.api.as_user(OPERATOR_AS_ADMIN), "somebody", "spec.release.by must be"),
        }
        for title, (api, by, words) in wrongly.items():
            yield Deed(GROUP, RELEASED, title, self.release(api, by), rightly, words)
        body = incident(yard.namespace, asked(self.name))
        early = {**body, "spec": {**body["spec"], "release": {"by": self.name, "reason": "mended"}}}
        yield Deed(
            GROUP, RELEASED, "at creation", made(self.author, "incidents", early),
            made(self.author, "incidents", body, dry=True), "spec.release cannot be said at creation", by="",
            statuses=SCHEMA,
        )  # fmt: skip

    def release(self, who: Api, by: str, *, dry: bool = False) -> Callable[[], object]:
        """Give what releases the open one."""
        patch = {"spec": {"release": {"by": by, "reason": "mended"}}}
        return change(who, "incidents", self.yard.namespace, self.open, patch, dry=dry)

    def lied(self) -> Iterator[Deed]:
        """Report in the name of a part of ours, or of somebody else; the control is that part's own."""
        from_ledger = incident(self.yard.namespace, specs.breach())
        from_operator = incident(self.yard.namespace, specs.breach(reporter="Operator"))
        another = incident(self.yard.namespace, asked("somebody-else"))
        own = incident(self.yard.namespace, asked(self.name))
        ledger, operator = self.yard.api.as_user(LEDGER), self.yard.api.as_user(OPERATOR)
        for title, body, rightly, words in (
            ("the ledger's", from_ledger, made(ledger, "incidents", from_ledger, dry=True), "spec.reporter must be"),
            ("the operator's", from_operator, made(operator, "incidents", from_operator, dry=True), "spec.reporter"),
            ("another person's", another, made(self.author, "incidents", own, dry=True), "spec.requestedBy must be"),
        ):
            yield Deed(GROUP, LIED, title, made(self.author, "incidents", body), rightly, words)

    def scenes(self) -> Iterator[Scene]:
        """Give what takes more than one request."""
        yield Scene(GROUP, ANEW, "deleted, made again, stopped and run", self.anew)
        yield Scene(GROUP, DELETED, "by the garbage collector, its owner being nobody", self.collected)

    def anew(self) -> str:
        """Make the held policy and its twin, in all ways that start a pod: the twin's starts, and the other's never."""
        yard, owner = self.yard, self.yard.owner
        for name in (HELD, TWIN):
            owner.apply("agentpolicies", yard.agents.policy(name, command=IDLE))
        owner.delete("agentpolicies", yard.namespace, HELD)
        yard.api.until_gone("agentpolicies", yard.namespace, HELD, seconds=READY_SECONDS)
        owner.apply("agentpolicies", yard.agents.policy(HELD, command=IDLE, agent={"replicas": 2}))
        for state in ("Stopped", "Running"):
            owner.merge("agentpolicies", yard.namespace, HELD, {"spec": {"desiredState": state}})
        try:
            yard.agents.running(TWIN, seconds=READY_SECONDS)
        except NotSeenError as error:
            control(fact=False, what=f"the twin's pod runs: {error}")
        yard.agents.ready(HELD, status="False", reason="Quarantined", seconds=READY_SECONDS)
        time.sleep(AFTER_SECONDS)  # nothing tells that nothing comes
        account = contract.child_name(HELD)
        pods = {each.place[2]: each.obj for each in yard.watched.changes() if each.place[0] == "pods" and each.obj}
        seen = sorted(name for name, pod in pods.items() if pod["spec"].get("serviceAccountName") == account)
        control(any(name.startswith(contract.child_name(TWIN)) for name in pods), "the watch saw the twin's pod")
        holds(not seen, f"pods of the held policy: {seen}")
        return "no pod, while one of the same policy under another name ran"

    def collected(self) -> str:
        """Let both be owned by nobody: the collector takes the closed one, and may not take the open one."""
        yard, orphan = self.yard, {"metadata": {"ownerReferences": [edits.NOBODY]}}
        for name in (self.open, self.closed):
            yard.owner.merge("incidents", yard.namespace, name, orphan)
        try:
            yard.api.until_gone("incidents", yard.namespace, self.closed, seconds=COLLECTED_SECONDS)
        except NotSeenError as error:
            control(fact=False, what=f"the closed one is collected: {error}")
        time.sleep(AFTER_SECONDS)
        kept = yard.api.find("incidents", yard.namespace, self.open)
        holds(kept is not None and not kept["metadata"].get("deletionTimestamp"), "the open Incident is gone")
        return "the closed one was collected, the open one is there"

    def alarms(self) -> list[str]:
        """Say whether the open one is not as it was made."""
        found = self.yard.api.find("incidents", self.yard.namespace, self.open)
        if found is None:
            return ["the open Incident is gone"]
        spec = found["spec"]
        if spec.get("release") or spec["policyRef"]["name"] != HELD or not incidents.is_open(found):
            return [f"the open Incident is not as it was: {spec}, {condition(found, 'Released')}"]
        return []


def opened(yard: Yard) -> Files:
    """Make both Incidents, as an author of policies; one is released by who may."""
    user, author = person(yard.api, yard.namespace, *AUTHORS)
    names = []
    for policy in (HELD, "closed"):
        body = incident(yard.namespace, {**asked(user), "policyRef": {"name": policy}})
        names.append(author.create("incidents", body)["metadata"]["name"])
    by = yard.owner.user.name if yard.owner.user else ""
    responders.release(yard.owner, yard.namespace, names[1], by)
    yard.api.until(
        "incidents", yard.namespace, names[1], lambda seen: not incidents.is_open(seen),
        seconds=READY_SECONDS, what="the release is taken",
    )  # fmt: skip
    return Files(yard, author, user.name, *names)
