"""Where people try things by hand: a namespace with agents, one without, who tries, and what must stay as it is."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos import judge, normal
from tests.chaos.history import Change, Place
from tests.chaos.judge import Hand, Judge
from tests.chaos.watched import Watched
from tests.support.e2e import admission, install, tampering
from tests.support.e2e.agents import READY_SECONDS, RESTRICTED, Agents, agent_started, free_pod
from tests.support.e2e.api import Api, Object, RefusedError, again
from tests.support.e2e.tampering import Prey
from zaum_api import contract

FOREIGN: Final = "foreign"
"""What the pods and other objects are called that are nobody's of ours."""
SIZE: Final = {"cpu": "40m", "memory": "64Mi"}
QUIET_SECONDS: Final = 1.0
NEVER_COMPARED: Final = ("status", "resourceVersion")


@dataclass
class Yard:
    """`api` is the cluster's administrator, `owner` has every right in the namespace, `hand` writes all children."""

    api: Api
    agents: Agents
    free: Agents
    watched: Watched
    owner: Api
    hand: Api
    prey: Prey
    before: dict[Place, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Name the namespace with agents."""
        return self.agents.namespace

    @property
    def pod(self) -> str:
        """Name the agent's pod."""
        return str(self.prey.pods()[0]["metadata"]["name"])

    @property
    def people(self) -> dict[str, Api]:
        """Give who tries: more rights than any author of policies has."""
        return {"owner": self.owner, "administrator": self.api}

    def settle(self) -> None:
        """Wait until all is there, and keep how it is."""
        tampering.settled(self.prey)
        labels = {"app": FOREIGN}
        for agents in (self.free, self.agents):
            files = agents.files(FOREIGN)
            command = ["python3", "-c", "import signal; signal.pause()"]
            body = free_pod(agents.namespace, FOREIGN, image=agents.image, command=command, files=files)
            body["metadata"]["labels"] = labels
            body["spec"]["containers"][0]["resources"] = {"limits": SIZE, "requests": SIZE}
            self.api.apply("pods", body)
            self.api.until(
                "pods", agents.namespace, FOREIGN, agent_started, seconds=READY_SECONDS, what=f"{FOREIGN} started"
            )
        self.before = self.state()

    def learn(self) -> None:
        """Wait until admission knows that agents run here, which it learns by a watch of its own.

        Where it never does, what follows gets through and says so.
        """
        body = admission.network_policy(self.namespace, admission.RULES["egress"])
        for _ in again(admission.LEARNS_SECONDS):
            try:
                self.api.create("networkpolicies", body, dry_run=True)
            except RefusedError:
                return

    def state(self) -> dict[Place, Any]:
        """Give all that is ours here, without what is new each time."""
        found: dict[Place, Any] = {}
        for resource in normal.RESOURCES:
            for item in self.api.items(resource, "" if resource == "priorityclasses" else self.namespace):
                place = resource, self.namespace, item["metadata"]["name"]
                if ours(place, item, self.namespace):
                    found[place] = compared(item)
        return found

    def alarms(self) -> list[str]:
        """Say what of ours is not as before, or was not at any moment, or was weaker than its policy says."""
        while time.monotonic() - self.watched.last < QUIET_SECONDS:
            time.sleep(0.1)
        now = self.state()
        lines = [
            line for place, value in self.before.items()
            for line in normal.differences(value, now.get(place), " ".join(place))
        ]  # fmt: skip
        changes = self.watched.changes()
        found = [f"not as before: {line}"[:500] for line in lines]
        found += [f"not as before: {line}"[:500] for line in varied(changes, self.before)]
        return found + weaker(changes, self.namespace)


def ours(place: Place, obj: Object, namespace: str) -> bool:
    """Tell whether an object is of a policy of this namespace; a pod by what nobody can edit."""
    if place[0] == "pods":
        return str(obj["spec"].get("serviceAccountName", "")).startswith("zaum-")
    if place[0] == "priorityclasses":
        return (obj["metadata"].get("labels") or {}).get(contract.LABEL_NAMESPACE) == namespace
    return place[0] == "agentpolicies" or place[2].startswith("zaum-")


def compared(obj: Object) -> Any:
    """Give what an edit could change."""
    return normal.value({key: value for key, value in obj.items() if key not in NEVER_COMPARED})


def varied(changes: list[Change], before: dict[Place, Any]) -> list[str]:
    """Name objects that were another at some moment of the watch. Pure.

    A change that was seen before the beginning was kept is of what was made; only what came after the object was as
    it should be counts.
    """
    found: list[str] = []
    settled: set[Place] = set()
    for change in changes:
        if change.place not in before:
            continue
        same = change.obj is not None and compared(change.obj) == before[change.place]
        if change.place in settled and not same:
            found.append(f"{' '.join(change.place)} at revision {change.revision}")
        if same:
            settled.add(change.place)
    return found


def weaker(changes: list[Change], *namespaces: str) -> list[str]:
    """Say when in these namespaces which rule of isolation did not hold. Pure.

    What an author asks of a policy is done within the judge's bound; whatever else begins a moment is guilty at once.
    """
    court = Judge(install.NAMESPACE, frozenset(namespaces))
    for change in changes:
        court.take(change)
    end = changes[-1].at if changes else 0.0
    asked = frozenset(change.revision for change in changes if change.place[0] == "agentpolicies")
    found = judge.sentences(court.moments(), hand=Hand(asked), impediments=(), end=end)
    said = [f"weaker: {sentence.moment.weakness}" for sentence in found if sentence.guilty]
    return said if court.pods else [*said, "nothing was judged: the watch saw no pod"]


@contextmanager
def opened(api: Api, image: str, world_ca: str) -> Iterator[Yard]:
    """Have a yard until the end of the block."""
    run = uuid.uuid4().hex[:6]
    name, beside = f"yard-{run}", f"yard-free-{run}"
    watched = Watched((name,))
    watched.start()
    try:
        for each in (name, beside):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each, "labels": RESTRICTED}}
            api.apply("namespaces", body)
        agents, free = (Agents(api, each, image=image, world_ca=world_ca) for each in (name, beside))
        hand = tampering.hand(api, name)
        yard = Yard(
            api, agents, free, watched, admission.owner_of(api, name), hand, Prey(api, hand, name, image),
        )  # fmt: skip
        yard.prey.make()
        yard.settle()
        yield yard
    finally:
        watched.stop()
        tampering.drop_hand(api, name)
        for each in (name, beside):
            api.delete("namespaces", "", each)
