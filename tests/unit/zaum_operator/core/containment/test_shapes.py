"""What the operator writes of Incidents is what the API takes."""

from typing import Any

import pytest

from tests.support import outbreak
from tests.support.world import World
from zaum_api import contract
from zaum_api.v1alpha1 import incident as api
from zaum_operator.core import kinds


def checked(world: World) -> list[api.Incident]:
    """Read every Incident of a world with the models of the API."""
    found = []
    for item in world.api.all(kinds.INCIDENT):
        metadata = {key: item["metadata"][key] for key in ("name", "namespace")}
        body: dict[str, Any] = {"apiVersion": contract.API_VERSION, "kind": contract.KIND_INCIDENT}
        found.append(api.Incident.model_validate(body | item | {"metadata": metadata}))
    return found


@pytest.fixture
def world(tmp_path: Any) -> World:
    return World(tmp_path / "ca.crt")


@pytest.mark.parametrize("word", ["RunawayCPU", "RunawayOfTomorrow"])
def test_an_incident_of_the_operators_and_each_status_of_it(world: World, word: str) -> None:
    pod = outbreak.running(world)
    world.api.logs[pod["metadata"]["name"]] = "odd \x00\x1b[31m\u202e text\n" * 1000
    outbreak.breach(world, pod, word)
    for _ in range(4):
        (found,) = checked(world)
        world.pass_time(seconds=1)
    assert found.status is not None
    assert found.status.logs is not None


def test_each_status_of_a_quarantine_with_words_that_are_no_ascii(world: World) -> None:
    outbreak.running(world)
    name = outbreak.report(world)["metadata"]["name"]
    for _ in range(5):
        outbreak.obey(world)
        checked(world)
        world.pass_time(seconds=1)
    said = {"spec": {"release": {"by": "änn", "reason": "gut, geprüft"}}}
    world.api.edit(kinds.INCIDENT, "agents", name, said)
    world.settle()
    (found,) = checked(world)
    assert found.status is not None
    assert found.status.phase == "Released"
