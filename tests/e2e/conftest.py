"""One installation for the run, one namespace for each test."""

import os
import re
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import cluster
from tests.cluster.images import loading
from tests.support.e2e import admission, install, seasons
from tests.support.e2e.agents import RESTRICTED, Agents
from tests.support.e2e.api import Api
from tests.support.e2e.world import World

ALONE = "alone: changes, counts or reads what all share, so nothing else may run on the cluster meanwhile"
NEEDS_WORLD = "needs the namespace that plays the internet, which only the local cluster has"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "world: needs the namespace that plays the internet")
    config.addinivalue_line("markers", "node: needs the node's own processes and files")
    config.addinivalue_line("markers", ALONE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CLUSTER", "local") == "local":
        return
    for item in items:
        if item.get_closest_marker("world") or item.get_closest_marker("node"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_WORLD))


@pytest.fixture(scope="session")
def api() -> Api:
    return Api()


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    return loading.image_refs()


@pytest.fixture(scope="session")
def world() -> World:
    cluster.assert_sealed()
    return World(cluster.world_log())


@pytest.fixture(scope="session")
def world_ca() -> str:
    path = cluster.world_state() / "ca.crt"
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="session", autouse=True)
def installed(api: Api, images: dict[str, str]) -> None:
    if os.environ.get(install.INSTALLED):
        install.found(api)
    else:
        install.install(api, images)


@pytest.fixture
def seasoned(api: Api, installed: None) -> None:
    """A ledger that has served long enough; see `seasons.wait`."""
    seasons.wait(api)


@pytest.fixture
def namespace(api: Api, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, under Pod Security `restricted`."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    name = f"t-{slug}-{uuid.uuid4().hex[:5]}"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield name
    api.delete("namespaces", "", name)


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest, api: Api, installed: None) -> None:
    """Let the agents of tests before this one end, where a test reads what all share: they try to the last."""
    if request.node.get_closest_marker("alone"):
        for found in api.items("namespaces"):
            if found["metadata"].get("deletionTimestamp"):
                api.until_gone("namespaces", "", found["metadata"]["name"], seconds=60)


@pytest.fixture
def agents(api: Api, namespace: str, images: dict[str, str], world_ca: str) -> Agents:
    return Agents(api, namespace, image=images["demo-agent"], world_ca=world_ca)


@pytest.fixture
def free(api: Api, images: dict[str, str], world_ca: str) -> Iterator[Agents]:
    """A namespace that no policy guards, for positive controls."""
    name = f"free-{uuid.uuid4().hex[:8]}"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield Agents(api, name, image=images["demo-agent"], world_ca=world_ca)
    api.delete("namespaces", "", name)


@pytest.fixture
def kept(api: Api, namespace: str) -> Iterator[Callable[..., str]]:
    """Make real objects: one that is ours (by the operator's hand) or a foreign one; all are gone in the end."""
    made: list[tuple[str, str]] = []

    def make(kind: str, name: str) -> str:
        name = f"{name}-{namespace}"[:60]
        made_body = admission.body(kind, namespace, name=name)
        admission.create(api.as_user(admission.OPERATOR), kind, made_body, dry=False)
        made.append((kind, name))
        return name

    yield make
    for kind, name in made:
        where = "" if kind in admission.CLUSTER_SCOPED else namespace
        api.as_user(admission.OPERATOR).delete(kind, where, name)


@pytest.fixture
def people(api: Api, namespace: str) -> dict[str, Api]:
    """Who tries: the cluster's administrator, and somebody with every right inside the test's namespace."""
    return {"administrator": api, "owner": admission.owner_of(api, namespace)}
