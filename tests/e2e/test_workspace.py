"""A persistent workspace on a real volume: it outlives its pods, goes with its policy, and is missed aloud."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import addresses, cluster
from tests.support.e2e import attempts
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, condition, service_account
from zaum_api import contract

COLLECTOR = service_account("kube-system", "pod-garbage-collector")
CLAIM = contract.claim_name("keeper", 0)
BOUND_SECONDS = 40
KEEPS = """
import json, os, pathlib, sys, time
sys.path.insert(0, "/files")
import probe
kept = pathlib.Path("/workspace/kept")
before = kept.read_text().split() if kept.exists() else []
with kept.open("a") as file:
    print(os.uname().nodename, file=file)
token = os.environ.get("ZAUM_IDENTITY_TOKEN_FILE")
print(json.dumps({
    "before": before,
    "uids": pathlib.Path("/proc/self/uid_map").read_text().split(),
    "token": len(pathlib.Path(token).read_text()) if token else 0,
    "reached": probe.try_one({"probe": "proxy", "host": "docs.example.com", "path": "/"}),
}), flush=True)
time.sleep(600)
"""
HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}


@pytest.fixture
def storage(api: Api, agents: Agents) -> Iterator[str]:
    """A StorageClass of the test's own that nobody provisions for."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    what = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    settings = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    api.apply("storageclasses", what | settings)
    yield name
    api.delete("storageclasses", "", name)


@pytest.fixture
def volume(api: Api, agents: Agents, storage: str) -> Iterator[Callable[[], Path]]:
    """Make a volume of that class on a folder of the node's, and give the folder; both are gone in the end."""
    folder = cluster.state_dir() / "volumes" / storage

    def make() -> Path:
        folder.mkdir(parents=True)
        api.apply("persistentvolumes", on_node(api.items("nodes")[0]["metadata"]["name"], storage, folder))
        return folder

    yield make
    for policy in api.items("agentpolicies", agents.namespace):
        api.delete("agentpolicies", agents.namespace, policy["metadata"]["name"])
    api.until_gone("persistentvolumeclaims", agents.namespace, CLAIM, seconds=BOUND_SECONDS)
    api.delete("persistentvolumes", "", storage)
    shutil.rmtree(folder, ignore_errors=True)


def on_node(node: str, storage: str, folder: Path) -> Object:
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    spec = {
        "capacity": {"storage": "64Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": storage,
        "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": storage}, "spec": spec}


def keeper(agents: Agents, storage: str, **spec: Any) -> None:
    """Ask for an agent that notes in its workspace which pods have been there."""
    files = agents.files("keeper", main_py=KEEPS)
    agent: Object = {"workspace": {"size": "64Mi", "persistent": {"storageClass": storage}}}
    agent |= spec.pop("agent", {})
    command = ["python3", "-u", "/files/main.py"]
    body = agents.policy("keeper", command=command, files=files, egress=HOSTS, agent=agent, **spec)
    agents.api.apply("agentpolicies", body)


def noted_as_used(claim: Object) -> bool:
    """Read the condition that Kubernetes 1.37 keeps by a controller of its own, which admission must let."""
    return bool(condition(claim, "Unused").get("status") == "False")


@pytest.mark.node
@pytest.mark.world
def test_what_an_agent_keeps_outlives_its_pod_and_goes_with_its_policy(
    agents: Agents, api: Api, storage: str, volume: Callable[[], Path]
) -> None:
    keeper(agents, storage)
    waits = agents.ready("keeper", status="False", reason="ClaimPending")
    assert CLAIM in condition(waits, "Ready")["message"]
    folder = volume()

    first = agents.running("keeper", seconds=BOUND_SECONDS)
    said = next(agents.lines(first))
    assert said["before"] == []
    assert said["uids"][:2] == ["0", "0"], "the control: without hostUsers: false its ids are the node's"
    agents.ready("keeper")
    assert api.get("persistentvolumeclaims", agents.namespace, CLAIM)["spec"]["volumeName"] == storage
    assert folder.stat().st_gid == contract.AGENT_UID

    api.as_user(COLLECTOR).delete("pods", agents.namespace, first["metadata"]["name"])
    api.until_gone("pods", agents.namespace, first["metadata"]["name"], seconds=60)
    second = agents.running("keeper")
    assert next(agents.lines(second))["before"] == [first["metadata"]["name"]]
    names = [first["metadata"]["name"], second["metadata"]["name"]]
    assert (folder / "kept").read_text().split() == names, "on the volume itself"

    what = "its protection noted that the claim is used"
    api.until("persistentvolumeclaims", agents.namespace, CLAIM, noted_as_used, seconds=60, what=what)

    api.delete("agentpolicies", agents.namespace, "keeper")
    api.until_gone("persistentvolumeclaims", agents.namespace, CLAIM, seconds=60)


@pytest.mark.node
@pytest.mark.world
def test_an_agent_in_its_own_user_namespace_has_its_workspace_its_token_and_its_way_out(
    agents: Agents, storage: str, volume: Callable[[], Path]
) -> None:
    folder = volume()
    token = {"audience": "https://tools.example"}
    keeper(agents, storage, agent={"hostUsers": False}, identity={"token": token})
    said = next(agents.lines(agents.running("keeper", seconds=BOUND_SECONDS)))
    inside, outside, count = map(int, said["uids"][:3])
    assert (inside, count) == (0, 65536)
    assert outside >= 65536, "no id of the node"
    assert said["token"] > 100
    assert attempts.passed(said["reached"]), said["reached"]
    agents.ready("keeper")
    assert (folder / "kept").stat().st_uid == contract.AGENT_UID, "the volume shows ids as the pod has them"
