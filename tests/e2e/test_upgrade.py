"""A new watchdog image comes to all agents, never to more policies at once than the installation allows."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.cluster import local, ownimages
from tests.support.e2e import install
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api, NotSeenError, Object, condition
from zaum_api import contract

pytestmark = [pytest.mark.alone, pytest.mark.node]
MOST = 2
POLICIES = {"one": 1, "two": 1, "three": 1, "four": 2, "five": 1}
"""Name → replicas."""
UPGRADE_SECONDS = 240
CALM_SECONDS = 6
"""How long nothing more may happen. Without permits the next policy would be hit within two."""
SLEEP = "import time; time.sleep(3600)"
AGENTS = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"


@dataclass
class Upgrade:
    """Bring the installation to the watchdog of another tag, and back."""

    api: Api
    images: dict[str, str]
    changed: bool = False

    def to(self, tag: str) -> str:
        """Upgrade to this tag and give the image's reference. The operator's pods change while this is back already."""
        self.by(f"operator.rollout.maxUnavailable={MOST}", "images.watchdog.digest=", f"images.watchdog.tag={tag}")
        return f"{self.images['watchdog'].partition('@')[0]}:{tag}"

    def by(self, *values: str) -> None:
        """Upgrade to these values, and wait for nothing."""
        self.changed = True
        install.upgrade(*values)

    def back(self) -> None:
        """Install as it was, if that is not so."""
        if self.changed:
            install.install(self.api, self.images)
        self.changed = False


@pytest.fixture(scope="module")
def upgrade(api: Api, images: dict[str, str]) -> Iterator[Upgrade]:
    changes = Upgrade(api, images)
    yield changes
    changes.back()


@dataclass
class Fleet:
    """The pods of all policies, as a watch shows them one change after the other."""

    pods: dict[str, Object] = field(default_factory=dict)
    most_disturbed: int = 0

    def take(self, kind: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        if kind == "DELETED":
            self.pods.pop(name, None)
        else:
            self.pods[name] = pod
        if kind != "LISTED":
            self.most_disturbed = max(self.most_disturbed, len(self.disturbed()))

    def disturbed(self) -> set[str]:
        """Name the policies that have fewer working pods than they want."""
        return {name for name, replicas in POLICIES.items() if len(self._working(name)) < replicas}

    def images(self) -> set[str]:
        """Give the watchdog images of all pods."""
        return {pod["spec"]["initContainers"][0]["image"] for pod in self.pods.values()}

    def _working(self, policy: str) -> list[Object]:
        return [
            pod
            for pod in self.pods.values()
            if pod["metadata"]["labels"][contract.LABEL_POLICY] == policy
            and not pod["metadata"].get("deletionTimestamp")
            and condition(pod, "Ready").get("status") == "True"
        ]


@pytest.fixture(scope="module")
def crew(api: Api, images: dict[str, str], world_ca: str) -> Iterator[Agents]:
    """Run all policies, in a namespace of their own."""
    name = f"t-fleet-{uuid.uuid4().hex[:5]}"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    crew = Agents(api, name, image=images["demo-agent"], world_ca=world_ca)
    files = crew.files("fleet", main_py=SLEEP)
    command = ["python3", "/files/main.py"]
    for policy, replicas in POLICIES.items():
        agent = {"replicas": replicas, "resources": {"cpu": "50m", "memory": "64Mi"}}
        api.apply("agentpolicies", crew.policy(policy, command=command, files=files, agent=agent))
    yield crew
    api.delete("namespaces", "", name)


@pytest.fixture
def fleet(crew: Agents) -> Fleet:
    """Wait until all policies are ready."""
    for name in POLICIES:
        crew.ready(name, reason="AllReady", seconds=120)
    return Fleet()


def test_a_new_watchdog_reaches_all_policies_a_few_at_a_time(
    crew: Agents, api: Api, fleet: Fleet, images: dict[str, str], upgrade: Upgrade
) -> None:
    before = {pod["metadata"]["name"] for pod in api.items("pods", crew.namespace, labels=AGENTS)}
    ownimages.ctr(
        local.place(), "images", "tag", "--force", images["watchdog"], f"{images['watchdog'].partition('@')[0]}:second"
    )
    reference = upgrade.to("second")
    for kind, pod in api.changes("pods", crew.namespace, labels=AGENTS, seconds=UPGRADE_SECONDS):
        fleet.take(kind, pod)
        assert fleet.most_disturbed <= MOST, fleet.disturbed()
        if kind != "LISTED" and fleet.images() == {reference} and not fleet.disturbed():
            break
    else:
        raise NotSeenError(f"not all pods are replaced: {fleet.images()}, disturbed are {fleet.disturbed()}")
    assert not before & set(fleet.pods)
    assert fleet.most_disturbed == MOST, "the permits were there to be used"
    for name in POLICIES:
        crew.ready(name, reason="AllReady")


@pytest.mark.usefixtures("fleet")
def test_pods_that_are_there_survive_an_upgrade_of_the_rest(crew: Agents, api: Api, upgrade: Upgrade) -> None:
    before = {name: crew.ready(name, reason="AllReady") for name in POLICIES}
    pods = {pod["metadata"]["name"] for pod in api.items("pods", crew.namespace, labels=AGENTS)}
    upgrade.by("operator.logLevel=DEBUG")
    for component in install.COMPONENTS:
        install.available(api, f"zaum-{component}")
    for name, seen in before.items():
        after = crew.ready(name, reason="AllReady")
        assert condition(after, "Ready")["lastTransitionTime"] == condition(seen, "Ready")["lastTransitionTime"]
    assert {pod["metadata"]["name"] for pod in api.items("pods", crew.namespace, labels=AGENTS)} == pods


def test_a_watchdog_that_cannot_be_pulled_stops_after_a_few(
    crew: Agents, api: Api, fleet: Fleet, upgrade: Upgrade
) -> None:
    upgrade.to("missing")
    changes = api.changes("pods", crew.namespace, labels=AGENTS, seconds=UPGRADE_SECONDS)
    for kind, pod in changes:
        fleet.take(kind, pod)
        if kind != "LISTED" and len(fleet.disturbed()) == MOST:
            break
    hit = fleet.disturbed()
    assert len(hit) == MOST
    for name in hit:
        crew.ready(name, status="False", reason="ImagePullFailed")
    # While the Deployment rolls, its former ReplicaSet would fill up with operators of the former image again.
    install.available(api, "zaum-operator")
    # A restart of the operator forgets nothing.
    for pod in api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}=operator"):
        api.delete("pods", install.NAMESPACE, pod["metadata"]["name"])
    install.available(api, "zaum-operator")
    for kind, pod in api.changes("pods", crew.namespace, labels=AGENTS, seconds=CALM_SECONDS):
        fleet.take(kind, pod)
    assert fleet.disturbed() == hit
    assert fleet.most_disturbed == MOST
    for name in POLICIES.keys() - hit:
        crew.ready(name, reason="AllReady")
    upgrade.back()
    for name in POLICIES:
        crew.ready(name, reason="AllReady", seconds=120)
