"""Faults on a cluster where the chart is installed: its pods are killed, and so is what they live on.

`python -m tests.chaos.in_cluster --faults 15 --seed 7`, where the API server of the usual cluster can be reached.
Children are edited in the operator's name, because admission lets nobody else.
"""

import argparse
import contextlib
import functools
import os
import random
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos import judge, normal, patience, presence
from tests.chaos.calm import Impediment
from tests.chaos.history import Object, Place
from tests.chaos.judge import Hand, Judge
from tests.chaos.presence import Life, Turn
from tests.chaos.storm import restart_api
from tests.chaos.watched import Watched
from tests.cluster import backend, cluster
from tests.cluster.images import loading
from tests.support import edits
from tests.support.e2e import admission, install
from tests.support.e2e.agents import RESTRICTED
from tests.support.e2e.api import Api, NotSeenError, RefusedError, condition
from tests.support.e2e.tampering import IDLE
from zaum_api import contract

SETTLED: Final = ("Ready", "EnforcementProven")
SETTLED_SECONDS: Final = 120.0
QUIET_SECONDS: Final = 3.0
GONE_SECONDS: Final = 90.0
POLICIES: Final = (("a-b", "c"), ("a", "b-c"), ("a", "pair"))
FORCED: Final = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}


def say(text: str) -> None:
    """Print one line at once."""
    print(text, flush=True)


@dataclass
class Field:
    """The namespaces of one run, and what was done to them."""

    api: Api
    run: str
    image: str
    dice: random.Random
    watched: Watched
    turns: list[Turn] = field(default_factory=list)
    impediments: list[Impediment] = field(default_factory=list)
    revisions: set[int] = field(default_factory=set)
    removals: list[tuple[Place, float]] = field(default_factory=list)

    @property
    def places(self) -> list[tuple[str, str]]:
        """Give namespace and name of all policies."""
        return [(f"{self.run}-{end}", name) for end, name in POLICIES]

    @property
    def namespaces(self) -> list[str]:
        """Give all namespaces."""
        return sorted({namespace for namespace, _ in self.places})

    # Policies

    def make(self, specs: list[Object]) -> None:
        """Have all namespaces and policies."""
        for name in self.namespaces:
            meta = {"name": name, "labels": RESTRICTED}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
            patience.insist(functools.partial(self.api.apply, "namespaces", body))
        for (namespace, name), spec in zip(self.places, specs, strict=True):
            self.policy(namespace, name, spec)

    def policy(self, namespace: str, name: str, spec: Object) -> None:
        """Apply one policy."""
        body = {
            "apiVersion": "zaum.dev/v1alpha1",
            "kind": "AgentPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        self.noted(patience.insist(lambda: self.api.apply("agentpolicies", body)))

    def spec(self, dice: random.Random) -> Object:
        """Draw a spec that is small enough for one node."""
        hosts = dice.sample(["docs.example.com", "llm.example.com"], dice.randint(0, 2))
        agent = {
            "image": self.image,
            "command": IDLE,
            "replicas": dice.randint(1, 2),
            "resources": {"cpu": "50m", "memory": "64Mi"},
        }
        return {
            "agent": agent,
            "egress": {"hosts": [{"host": host} for host in sorted(hosts)]},
            "desiredState": "Running",
        }

    def noted(self, answer: Any) -> None:
        """Remember a write of ours by its revision."""
        if isinstance(answer, dict) and (version := answer.get("metadata", {}).get("resourceVersion")):
            self.revisions.add(int(version))

    # Faults

    def pod_deleted(self, component: str) -> None:
        """Delete one pod of a component, without grace."""
        label = f"app.kubernetes.io/component={component}"
        pods = [
            pod
            for pod in self.api.items("pods", install.NAMESPACE, labels=label)
            if not pod["metadata"].get("deletionTimestamp")
        ]
        if component == "operator":
            holder = presence.holder_of(self.watched.newest(presence.LEASE))
            leading = [pod for pod in pods if pod["metadata"]["name"] == holder]
            pods = leading if leading and self.dice.random() < 0.7 else pods
        name = self.dice.choice(pods)["metadata"]["name"]
        if component == "operator":
            self.turns.append(Turn(time.monotonic(), name, Life.DEAD))
        self.api.send("DELETE", f"/api/v1/namespaces/{install.NAMESPACE}/pods/{name}", FORCED)

    def lease_deleted(self) -> None:
        """Delete the lease in the operator's name: admission lets nobody else."""
        self.removals.append((presence.LEASE, time.monotonic()))
        self.api.as_user(admission.OPERATOR_AS_ADMIN).delete(*presence.LEASE)

    def changed(self) -> None:
        """Change one policy."""
        namespace, name = self.dice.choice(self.places)
        self.policy(namespace, name, self.spec(self.dice))

    def flipped(self) -> None:
        """Stop one policy and run it again."""
        namespace, name = self.dice.choice(self.places)
        for state in ("Stopped", "Running"):
            self.noted(self.api.merge("agentpolicies", namespace, name, {"spec": {"desiredState": state}}))
            time.sleep(self.dice.uniform(0, 0.5))

    def recreated(self) -> None:
        """Delete one policy and make it again."""
        namespace, name = self.dice.choice(self.places)
        self.removals.append((("agentpolicies", namespace, name), time.monotonic()))
        self.api.delete("agentpolicies", namespace, name)
        self.policy(namespace, name, self.spec(self.dice))

    def edited(self) -> None:
        """Edit one child in the operator's name: admission lets nobody else."""
        namespace, name = self.dice.choice(self.places)
        edit = self.dice.choice([*edits.GUARD, *edits.NETWORK, *edits.CONFIG, *edits.QUOTA, *edits.ACCOUNT])
        resource, where, child = edits.place(edit.child, namespace, name)
        thief = self.api.as_user(admission.OPERATOR_AS_ADMIN)
        say(f"    {edit.id}")
        if edit.patch is None or "'nobody'" in repr(edit.patch):
            self.removals.append(((resource, where, child), time.monotonic()))
        with contextlib.suppress(RefusedError):
            if edit.patch is None:
                thief.delete(resource, where, child)
            else:
                self.noted(thief.merge(resource, where, child, edit.patch))

    def restarted(self, *, killed: bool) -> None:
        """Restart the API server, in order or not."""
        since = time.monotonic()
        restart_api(killed=killed)
        self.impediments.append(Impediment("API server restarted", since, time.monotonic()))

    def component_restarted(self, name: str) -> None:
        """Restart another process of the cluster."""
        cluster.restart(name)

    # The end

    def settle(self) -> None:
        """Wait until every policy is ready, its cages are proven, and nothing changes any more."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while True:
            waiting = patience.insist(self.waiting)
            if not waiting and time.monotonic() - self.watched.last >= QUIET_SECONDS:
                return
            if time.monotonic() > deadline:
                raise NotSeenError(f"not settled after {SETTLED_SECONDS} s: {waiting}")
            time.sleep(0.2)

    def waiting(self) -> list[str]:
        """Name policies that are not ready, or of which a new leader has not heard yet that their cages hold."""
        found = []
        for namespace, name in self.places:
            policy = self.api.get("agentpolicies", namespace, name)
            for said in (condition(policy, kind) for kind in SETTLED):
                if said.get("observedGeneration") != policy["metadata"]["generation"] or said.get("status") != "True":
                    found.append(f"{namespace}/{name}: {said}")
        return found

    def state(self) -> dict[str, Any]:
        """Give what the policies have, in a form that two runs can be compared in."""
        objects: dict[Place, Object] = {}
        for namespace in self.namespaces:
            for resource in normal.RESOURCES:
                if resource == "priorityclasses":
                    continue
                for item in self.api.items(resource, namespace):
                    live = (item.get("status") or {}).get("phase") not in {"Failed", "Succeeded"}
                    if resource != "pods" or live:
                        objects[resource, namespace, item["metadata"]["name"]] = _without_times(resource, item)
        return normal.state(objects)

    def clear(self) -> None:
        """Remove the namespaces."""
        for name in self.namespaces:
            self.api.delete("namespaces", "", name)
        for name in self.namespaces:
            self.api.until_gone("namespaces", "", name, seconds=GONE_SECONDS)


def _without_times(resource: str, obj: Object) -> Object:
    """Leave out a pod's status, containers start when they start, and how often pods before it failed.

    That number is history: a kubelet that is restarted may fail a pod, and ten healthy minutes forgive it.
    """
    kept = {key: value for key, value in obj.items() if key != "status" or resource == "agentpolicies"}
    if resource == "pods":
        notes = kept["metadata"].get("annotations") or {}
        failed = int(notes.get(contract.ANNOTATION_FAILURES) or 0)
        if failed:
            say(f"    {obj['metadata']['name']}: {failed} failed before it")
        notes = {key: value for key, value in notes.items() if key != contract.ANNOTATION_FAILURES}
        kept["metadata"] = kept["metadata"] | {"annotations": notes}
    return kept


def faults(field_: Field, count: int) -> list[tuple[str, Callable[[], None]]]:
    """Draw the faults; each kind at least once where `count` allows."""
    local = backend.choose(os.environ) == backend.LOCAL
    table: list[tuple[str, Callable[[], None]]] = [
        ("operator pod killed", lambda: field_.pod_deleted("operator")),
        ("authorizer pod killed", lambda: field_.pod_deleted("authorizer")),
        ("gateway pod killed", lambda: field_.pod_deleted("gateway")),
        ("lease deleted", field_.lease_deleted),
        ("spec changed", field_.changed),
        ("stopped and running again", field_.flipped),
        ("policy made again", field_.recreated),
        ("child edited", field_.edited),
    ]
    if local:
        table += [
            ("API server restarted", lambda: field_.restarted(killed=False)),
            ("API server killed", lambda: field_.restarted(killed=True)),
            ("controller manager restarted", lambda: field_.component_restarted("kube-controller-manager")),
            ("kubelet restarted", lambda: field_.component_restarted("kubelet")),
        ]
    drawn = table[:count] + field_.dice.choices(table, k=max(0, count - len(table)))
    field_.dice.shuffle(drawn)
    return drawn


def note(field_: Field) -> None:
    """Note operator pods that run, so that a lease in their name counts."""
    known = {turn.identity for turn in field_.turns if turn.life is Life.DEAD}
    label = "app.kubernetes.io/component=operator"
    for pod in patience.insist(lambda: field_.api.items("pods", install.NAMESPACE, labels=label)):
        name = pod["metadata"]["name"]
        if name not in known and not pod["metadata"].get("deletionTimestamp"):
            field_.turns.append(Turn(time.monotonic(), name, Life.RUNS))


def main() -> int:
    """Run; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.in_cluster", description=__doc__)
    parser.add_argument("--faults", type=int, default=15, help="how many faults, 1 to 200")
    parser.add_argument("--seed", type=int, default=None, help="which faults; drawn and printed when left out")
    given = parser.parse_args()
    if not 1 <= given.faults <= 200:
        parser.error("--faults must be 1 to 200")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    say(f"chaos in the cluster: {given.faults} faults, seed {seed}")
    return 0 if run(given.faults, seed)[0] else 1


def run(count: int, seed: int) -> tuple[bool, str]:
    """Run one storm on the cluster; say whether all held, and in one line what there was."""
    api = Api()
    install.found(api)
    name = f"cc{uuid.uuid4().hex[:5]}"
    names = tuple(sorted({f"{name}-{end}" for end, _ in POLICIES}))
    watched = Watched((*names, install.NAMESPACE))
    made = Field(api, name, loading.image_refs()["demo-agent"], random.Random(seed), watched)
    watched.start()
    try:
        return storm(made, count, seed)
    finally:
        watched.stop()
        patience.insist(made.clear)


def storm(made: Field, count: int, seed: int) -> tuple[bool, str]:
    """Let the faults strike, judge, and compare with a calm run."""
    began = time.monotonic()
    finals = [made.spec(random.Random(f"finals {seed} {index}")) for index in range(len(POLICIES))]
    note(made)
    made.make(finals)
    made.settle()
    for number, (title, strike) in enumerate(faults(made, count), start=1):
        say(f"{number:>3} {title}")
        patience.insist(strike)
        time.sleep(made.dice.uniform(0.2, 3.0))
        note(made)
    for component in install.COMPONENTS:
        patience.insist(functools.partial(install.available, made.api, f"zaum-{component}"))
    note(made)
    made.make(finals)
    made.settle()
    stormy = made.state()
    end = time.monotonic()
    changes = made.watched.changes()
    patience.insist(made.clear)
    made.make(finals)
    made.settle()
    differences = normal.differences(stormy, made.state())
    return verdict(made, changes, differences, span=(began, end), count=count, seed=seed)


def verdict(
    made: Field, changes: list[Any], differences: list[str], *, span: tuple[float, float], count: int, seed: int
) -> tuple[bool, str]:
    """Judge; say the last line, and give it."""
    court = Judge(install.NAMESPACE, frozenset(made.namespaces))
    seen = [change for change in changes if change.at <= span[1]]
    for change in seen:
        court.take(change)
    leases = [change for change in seen if change.place == presence.LEASE]
    absent = presence.without_leader(made.turns, leases, begin=span[0], end=span[1])
    hand = Hand(frozenset(made.revisions), tuple(made.removals))
    busy = [*made.impediments, *absent]
    found = judge.sentences(court.moments(), hand=hand, impediments=busy, end=span[1])
    guilty = [sentence for sentence in found if sentence.guilty]
    for line in [f"weaker: {sentence}" for sentence in guilty] + [f"final state: {line}" for line in differences]:
        say(line)
    slowest = max((sentence.calm_seconds for sentence in found if sentence.ours), default=0.0)
    state = "identical" if not differences else f"differs in {len(differences)} places"
    say(f"judged {court.seen} revisions with {court.pods} pods; {len(found)} moments of weakness")
    last = (
        f"chaos: {count} faults in the cluster, seed {seed}, final state {state}, "
        f"{len(guilty)} moments weaker, slowest restore {slowest:.1f} s"
    )
    say(last)
    return not (guilty or differences or not court.pods), last


if __name__ == "__main__":
    sys.exit(main())
