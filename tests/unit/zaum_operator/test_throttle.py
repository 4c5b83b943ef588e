"""Less cpu in place while the watchdog throttles, where the policy says so; and nothing lost where no cluster can."""

from typing import Any

import pytest

from tests.support import outbreak, specs
from tests.support.world import World
from zaum_api import documents, quantities
from zaum_api.documents import Rung
from zaum_operator import errors
from zaum_operator.core import kinds
from zaum_operator.core.containment import standing
from zaum_operator.core.containment.held import Held
from zaum_operator.core.keys import Key
from zaum_operator.core.reports import Batch, Said

KEY = Key("agents", outbreak.POLICY)


def hear(world: World, rung: Rung | None, *, would_kill: int = 0) -> None:
    """Let the watchdog of the one pod say how far its ladder is."""
    (pod,) = world.api.all(kinds.POD)
    breach = "" if rung is Rung.FREE else "RunawayCPU"
    contained = None if rung is None else documents.Contained(rung, breach, would_kill)
    quiet: dict[str, Any] = {"tested": 3, "escapes": (), "requests": 0, "denied": 0, "would_deny": 0}
    report = documents.Report(**quiet, config="", problem="", contained=contained)
    at = int(world.clock.at.timestamp())
    batch = Batch({pod["metadata"]["uid"]: Said(KEY, at, report)}, {})
    due = world.workers.reconciler.held.take([batch], now=world.clock.now(), seconds=world.clock.seconds())
    world.workers.notice(tuple(due))
    world.settle()
    world.pass_time(seconds=1)


def cpu(world: World) -> str:
    """Give the agent's cpu limit as it is."""
    (pod,) = world.api.all(kinds.POD)
    (agent,) = (item for item in pod["spec"]["containers"] if item["name"] == "agent")
    return str(agent["resources"]["limits"]["cpu"])


def throttling(world: World, on: str = "Throttle") -> None:
    """Run a policy that throttles first."""
    spec = specs.agent(resources={"cpu": "2"}) | {"containment": {"onRunaway": on}}
    outbreak.running(world, spec=spec)


def test_a_throttled_pod_has_a_tenth_of_its_cpu_until_its_watchdog_frees_it(world: World) -> None:
    throttling(world)
    hear(world, Rung.FREE)
    whole, before = cpu(world), len(world.api.writes)
    hear(world, Rung.THROTTLED)
    assert (whole, cpu(world)) == ("2", "200m")
    assert [(write.verb, write.subresource) for write in world.api.writes[before:] if write.plural == "pods"] == [
        ("json_patch", "resize")
    ]
    hear(world, None)
    assert cpu(world) == "200m", "who says nothing frees nobody"
    hear(world, Rung.FREE)
    assert cpu(world) == "2"
    assert world.look() == []


def ladder(world: World) -> object:
    """Give what the policy's status says of it."""
    (policy,) = world.api.all(kinds.POLICY)
    return policy["status"].get("containment")


def test_the_policy_says_how_far_its_watchdogs_are_and_what_they_let_pass(world: World) -> None:
    throttling(world)
    assert ladder(world) is None
    hear(world, Rung.FREE)
    assert ladder(world) == {"rung": "Free"}
    hear(world, Rung.THROTTLED)
    assert ladder(world) == {"rung": "Throttled", "breach": "RunawayCPU"}
    hear(world, Rung.FREE)
    assert ladder(world) == {"rung": "Free"}
    hear(world, Rung.FREE, would_kill=2)
    assert ladder(world) == {"rung": "Free", "wouldKill": 2}
    before = len(world.api.writes)
    hear(world, Rung.FREE, would_kill=2)
    assert len(world.api.writes) == before, "what is said already is not written again"
    hear(world, None)
    assert ladder(world) is None


def test_of_several_pods_the_furthest_counts() -> None:
    said = [documents.Contained(rung, word, passed) for rung, word, passed in (
        (Rung.FREE, "", 1), (Rung.CUT, "RunawayCPU", 2), (Rung.THROTTLED, "RunawayDenied", 0),
    )]  # fmt: skip
    assert standing.document(Held(), said) == {"rung": "Cut", "breach": "RunawayCPU", "wouldKill": 3}


@pytest.mark.parametrize("asked", ["10m", "50m", "400m", "2", "64"])
def test_the_watchdog_knows_what_throttling_leaves_its_agent(world: World, asked: str) -> None:
    spec = specs.agent(resources={"cpu": asked}) | {"containment": {"onRunaway": "Throttle"}}
    outbreak.running(world, spec=spec)
    hear(world, Rung.THROTTLED)
    detector = documents.CpuDetector(above_percent=90, for_seconds=120, limit_millis=quantities.millis(asked))
    assert quantities.millis(cpu(world)) == detector.throttled_millis


@pytest.mark.parametrize("on", ["Cut", "Kill", "Quarantine"])
def test_a_policy_that_does_not_throttle_first_resizes_nothing(world: World, on: str) -> None:
    throttling(world, on)
    hear(world, Rung.THROTTLED)
    assert cpu(world) == "2"


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_cluster_that_resizes_no_pods_loses_nothing(world: World, status: int) -> None:
    throttling(world)
    refusal = errors.of_status("patch pods/resize", status, "", "no")
    world.api.refuse = lambda verb, plural, name: refusal if verb == "json_patch" else None
    hear(world, Rung.THROTTLED)
    assert cpu(world) == "2"
    assert world.condition()[:2] == ("True", "AllReady")
