"""The operator at work on the gateway's way to Services: one NetworkPolicy, as long as a route needs it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support import rendered, specs
from tests.support.apiserver import Write
from tests.support.world import World
from zaum_operator import errors
from zaum_operator.cluster.services import LOOK_SECONDS, LOOKS_MAX, Services
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Object
from zaum_operator.core.routes import ServiceKey

ROUTE = specs.route("search", serviceRef={"name": "search", "namespace": "tools", "port": 8080})


class Cluster:
    """A world with a ceiling that grants the namespace `tools`, and the coroutine about Services."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.api.put(kinds.NAMESPACE, {"metadata": {"name": "agents", "labels": {}}})
        ceiling = {
            "metadata": {"name": "tools"},
            "spec": {"namespaceSelector": {}, "services": [{"namespace": "tools"}]},
        }
        world.api.put(kinds.CEILING, ceiling)
        self.begin()

    def begin(self) -> None:
        """Begin to lead, as another operator would."""
        asyncio.run(self.world.workers.lead())
        self.services = Services(
            store=self.world.workers.reconciler.store, clock=self.world.clock, release="zaum-system",  # type: ignore[arg-type]
            needs=self.world.workers.reconciler.needs, changed=lambda keys: self.world.workers.notice(tuple(keys)),
        )  # fmt: skip

    def service(self, name: str = "search", **spec: Any) -> None:
        body = {"metadata": {"name": name, "namespace": "tools"}, "spec": rendered.SEARCH["spec"] | spec}
        self.world.api.objects.pop(("services", "tools", name), None)
        self.world.api.put(kinds.SERVICE, body)

    def policy(self, name: str = "researcher", *routes: dict[str, Any]) -> None:
        self.world.policy(name, spec=specs.agent() | {"egress": {"routes": list(routes or (ROUTE,))}})

    def work(self, *, after: float = 0.0) -> list[Write]:
        """Let time pass, let both loops work until nothing is due; give what was written in the release namespace."""
        self.world.pass_time(seconds=after)
        before = len(self.world.api.writes)
        for _ in range(3):
            self.world.settle()
            asyncio.run(self.services.turn())
        return [write for write in self.world.api.writes[before:] if write.name == "zaum-services"]

    def rules(self) -> Any:
        found = self.world.api.objects.get(("networkpolicies", "zaum-system", "zaum-services"))
        return None if found is None else found["spec"]["egress"]


@pytest.fixture
def cluster(world: World) -> Cluster:
    return Cluster(world)


def test_without_a_route_to_a_service_there_is_no_way(cluster: Cluster) -> None:
    cluster.service()
    cluster.world.policy()
    assert cluster.work() == []
    assert cluster.rules() is None


def test_i04_the_way_is_made_with_the_first_route_and_goes_with_the_last(cluster: Cluster) -> None:
    cluster.service()
    cluster.policy("one")
    cluster.policy("two")
    assert [write.verb for write in cluster.work()] == ["apply"]
    (rule,) = cluster.rules()
    assert rule["to"][0]["podSelector"]["matchLabels"] == {"app": "search"}
    assert cluster.work(after=60) == [], "and is left alone then"
    cluster.world.api.remove(kinds.POLICY, "agents", "one")
    assert cluster.work() == []
    cluster.policy("two", specs.route())
    assert [write.verb for write in cluster.work()] == ["delete"]
    assert cluster.rules() is None


def test_i11_an_edit_or_a_deletion_is_undone_at_the_next_turn(cluster: Cluster) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    good = cluster.rules()
    cluster.world.api.edit(kinds.NETWORK_POLICY, "zaum-system", "zaum-services", {"spec": {"egress": [{}]}})
    assert cluster.work(after=2) != []
    assert cluster.rules() == good
    cluster.world.api.remove(kinds.NETWORK_POLICY, "zaum-system", "zaum-services")
    assert cluster.work(after=2) != []
    assert cluster.rules() == good
    label = {"metadata": {"labels": {"zaum.dev/policy": "x"}}}
    cluster.world.api.edit(kinds.NETWORK_POLICY, "zaum-system", "zaum-services", label)
    cluster.work(after=2)
    found = cluster.world.api.objects["networkpolicies", "zaum-system", "zaum-services"]
    assert "zaum.dev/policy" not in found["metadata"]["labels"]


def test_a_service_that_does_not_exist_is_named_and_its_coming_is_noticed(cluster: Cluster) -> None:
    cluster.policy()
    cluster.work()
    assert cluster.rules() is None
    assert cluster.world.condition("Degraded")[:2] == ("True", "ServiceMissing")
    assert "Service tools/search does not exist" in cluster.world.condition("Degraded")[2]
    cluster.service()
    cluster.work(after=11)
    assert cluster.world.condition("Degraded")[:2] == ("False", "AsInstalled")
    assert len(cluster.rules()) == 1
    cluster.world.api.remove(kinds.SERVICE, "tools", "search")
    cluster.work(after=11)
    assert cluster.world.condition("Degraded")[:2] == ("True", "ServiceMissing")
    assert cluster.rules() is None


def test_one_that_came_between_two_looks_is_noticed_too(cluster: Cluster) -> None:
    cluster.policy()
    cluster.world.settle()
    cluster.service()
    cluster.work()
    assert cluster.world.condition("Degraded")[:2] == ("False", "AsInstalled")


def test_another_selector_or_port_of_the_service_moves_the_way(cluster: Cluster) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    cluster.service(selector={"app": "other"}, ports=[{"port": 8080, "targetPort": "http"}])
    cluster.work(after=11)
    (rule,) = cluster.rules()
    assert rule["to"][0]["podSelector"]["matchLabels"] == {"app": "other"}
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]


@pytest.mark.parametrize("change", [{"selector": None}, {"clusterIP": "None"}, {"type": "ExternalName"}])
def test_i04_a_service_that_becomes_one_of_no_pods_closes_its_way(cluster: Cluster, change: dict[str, Any]) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    cluster.service(**change)
    cluster.work(after=11)
    assert cluster.rules() is None
    assert cluster.world.condition("EgressExact")[:2] == ("False", "ServiceMissing")


def test_a_new_operator_takes_the_way_over_and_closes_none_that_is_needed(cluster: Cluster) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    cluster.begin()
    asyncio.run(cluster.services.turn())
    assert cluster.rules() is not None, "before a single policy was looked at again"
    assert cluster.work() == []


def test_while_services_cannot_be_read_nothing_is_taken_away(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    cluster.begin()
    listed = cluster.world.api.list

    async def silent(kind: Any, *args: Any, **options: Any) -> list[Object]:
        if kind is kinds.SERVICE:
            raise errors.UnavailableError("list services", 0, "timeout")
        return await listed(kind, *args, **options)

    monkeypatch.setattr(cluster.world.api, "list", silent)
    asyncio.run(cluster.services.turn())
    assert len(cluster.rules()) == 1


def test_i11_an_edit_is_undone_also_while_services_cannot_be_read(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.service()
    cluster.policy()
    cluster.work()
    good = cluster.rules()

    async def silent(*_: Any, **__: Any) -> list[Object]:
        raise errors.UnavailableError("list services", 0, "timeout")

    cluster.world.api.edit(kinds.NETWORK_POLICY, "zaum-system", "zaum-services", {"spec": {"egress": [{}]}})
    cluster.world.settle()
    cluster.world.clock.at += timedelta(seconds=11)
    monkeypatch.setattr(cluster.world.api, "list", silent)
    asyncio.run(cluster.services.turn())
    assert cluster.rules() == good


def test_it_takes_a_turn_every_two_seconds_and_goes_on_after_a_failure(cluster: Cluster) -> None:
    slept: list[float] = []
    cluster.service()
    cluster.policy()
    cluster.world.settle()
    refused = [errors.UnavailableError("patch networkpolicies", 503, "later")]
    cluster.world.api.refuse = lambda verb, plural, name: refused.pop() if name == "zaum-services" and refused else None

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise asyncio.CancelledError

    cluster.world.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cluster.services.run())
    assert slept == [2.0, 2.0]
    assert len(cluster.rules()) == 1


def test_many_services_are_looked_at_in_turns_and_none_is_forgotten(cluster: Cluster) -> None:
    asked: list[ServiceKey] = []
    needs = cluster.world.workers.reconciler.needs
    for index in range(LOOKS_MAX * 2):
        ref = {"name": f"s{index:03}", "namespace": "tools", "port": 80}
        body = {
            "metadata": {"namespace": "agents", "name": f"p{index}"},
            "spec": {"egress": {"routes": [{"serviceRef": ref}]}},
        }
        needs.note(body, ())
    listed = cluster.world.api.list

    async def counted(kind: Any, namespace: Any = None, **options: Any) -> list[Object]:
        asked.append((namespace, options.get("name", "")))
        return await listed(kind, namespace, **options)

    cluster.world.api.list = counted  # type: ignore[method-assign]
    asyncio.run(cluster.services.turn())
    assert len(asked) == LOOKS_MAX
    asyncio.run(cluster.services.turn())
    assert len(set(asked)) == LOOKS_MAX * 2
    asyncio.run(cluster.services.turn())
    assert len(asked) == LOOKS_MAX * 2, "nothing is due"


def test_i12_names_of_services_that_nobody_granted_do_not_keep_the_way_from_others(cluster: Cluster) -> None:
    for number in range(4 * LOOKS_MAX // 10):
        asked = [{"name": f"s{item}", "namespace": f"b{number}", "port": 80} for item in range(10)]
        cluster.policy(f"greedy{number}", *(specs.route(f"r{at}", serviceRef=one) for at, one in enumerate(asked)))
    cluster.world.settle()
    cluster.service()
    cluster.policy()
    cluster.world.settle()
    asyncio.run(cluster.services.turn())
    assert cluster.rules() is not None
    cluster.service(selector={"app": "other"})
    cluster.world.pass_time(seconds=LOOK_SECONDS)
    asyncio.run(cluster.services.turn())
    (rule,) = cluster.rules()
    assert rule["to"][0]["podSelector"]["matchLabels"] == {"app": "other"}


def test_names_that_are_asked_for_are_all_looked_at_in_the_end(cluster: Cluster) -> None:
    for number in range(3 * LOOKS_MAX // 10):
        asked = [{"name": f"s{item}", "namespace": f"b{number}", "port": 80} for item in range(10)]
        cluster.policy(f"greedy{number}", *(specs.route(f"r{at}", serviceRef=one) for at, one in enumerate(asked)))
    cluster.world.settle()
    for _ in range(3):
        asyncio.run(cluster.services.turn())
    assert len(cluster.services._seen) == 3 * LOOKS_MAX
