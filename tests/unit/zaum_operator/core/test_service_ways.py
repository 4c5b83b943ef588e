"""Which ways to Services the gateway gets: those of routes in force, to the pods behind them, and not one more."""

from typing import Any

import pytest

from tests.support import rendered, specs
from zaum_api import documents
from zaum_operator.core import service_ways
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.service_ways import Needs, Way

SEARCH = Way("tools", "search", 8080)
ONE, OTHER = Key("agents", "one"), Key("agents", "other")


def service(*ports: dict[str, Any], **spec: Any) -> Object:
    listed = list(ports or ({"port": 8080},))
    base = {"type": "ClusterIP", "clusterIP": "10.96.8.8", "selector": {"app": "search"}, "ports": listed}
    return {"metadata": {}, "spec": base | spec}


def held(needs: Needs) -> Any:
    return needs.ways, needs.services


def egress(one: Object | None, *ways: Way) -> Any:
    found = service_ways.render("zaum-system", ways or (SEARCH,), {SEARCH.service: one})
    return None if found is None else found["spec"]["egress"]


def policy(name: str, *services: str) -> Object:
    refs = [specs.route(item, serviceRef={"name": item, "namespace": "tools", "port": 8080}) for item in services]
    return {"metadata": {"namespace": "agents", "name": name}, "spec": {"egress": {"routes": refs}}}


def test_i04_gateway_pods_alone_get_the_way_and_to_the_services_pods_alone() -> None:
    found = service_ways.render("zaum-system", (SEARCH,), {SEARCH.service: service()})
    assert found is not None
    assert found["metadata"]["name"] == "zaum-services"
    assert found["metadata"]["namespace"] == "zaum-system"
    assert found["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "gateway"}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}},
                        "podSelector": {"matchLabels": {"app": "search"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 8080}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("ports", "targets"),
    [
        ([{"port": 8080}], [8080]),
        ([{"port": 8080, "targetPort": 9000}], [9000]),
        ([{"port": 8080, "targetPort": "http"}], ["http"]),
        ([{"port": 8080, "targetPort": 9000}, {"port": 8080, "targetPort": 1, "protocol": "UDP"}], [9000]),
        ([{"port": 80, "targetPort": 1}, {"port": 8080, "targetPort": 9000}], [9000]),
    ],
)  # fmt: skip
def test_the_port_is_the_one_that_the_service_sends_to(ports: list[dict[str, Any]], targets: list[Any]) -> None:
    (rule,) = egress(service(*ports))
    assert rule["ports"] == [{"protocol": "TCP", "port": target} for target in targets]


@pytest.mark.parametrize(
    ("title", "one"),
    [
        ("that is not there", None),
        ("by another name outside the cluster", service(type="ExternalName")),
        ("without a selector", service(selector=None)),
        ("with an empty selector, which would be every pod", service(selector={})),
        ("without an address", service(clusterIP="None")),
        ("without such a port", service({"port": 80})),
        ("with such a port over UDP alone", service({"port": 8080, "protocol": "UDP"})),
    ],
)
def test_i04_a_service_of_no_pods_opens_nothing(title: str, one: Object | None) -> None:
    assert egress(one) is None, title


def test_a_service_that_is_going_is_not_there() -> None:
    going = rendered.SEARCH | {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert service_ways.content(going) is None
    assert service_ways.content(None) is None


def test_of_a_service_only_what_matters_is_compared() -> None:
    one = {"metadata": {"resourceVersion": "1"}, "spec": {**service()["spec"], "sessionAffinity": "None"}, "status": {}}
    two = {"metadata": {"resourceVersion": "2", "labels": {"a": "b"}}, "spec": service()["spec"]}
    assert service_ways.content(one) == service_ways.content(two)
    assert service_ways.content(service(selector={"app": "x"})) != service_ways.content(two)


def test_ways_are_in_one_order_and_each_is_there_once() -> None:
    more = Way("tools", "search", 9090)
    both = service({"port": 8080}, {"port": 9090})
    assert egress(both, more, SEARCH, more) == egress(both, SEARCH, more)
    assert len(egress(both, more, SEARCH, more)) == 2


def test_the_ways_of_routes_and_of_a_status_are_the_same() -> None:
    named = documents.Route(
        name="search", host="search.tools.svc.corp.example.com", port=8080, base="", allow=(), credential=None,
        tls=False, service=True, api="HTTP",
    )  # fmt: skip
    outside = documents.Route(
        name="model", host="api.example.com", port=443, base="", allow=(), credential=None, tls=True, service=False,
        api="HTTP",
    )  # fmt: skip
    leads = [documents.EffectiveRoute(route.name, route.host, route.port, route.service) for route in (named, outside)]
    status = {"effective": documents.Effective(hosts=(), fields=(), routes=tuple(leads)).write()}
    assert service_ways.of_routes((named, outside)) == (SEARCH,)
    assert service_ways.of_status(status) == (SEARCH,)


@pytest.mark.parametrize(
    "status",
    [
        None, [], {}, {"effective": None}, {"effective": {"routes": None}}, {"effective": {"routes": ["x"]}},
        {"effective": {"routes": [{"service": True, "host": "search.tools", "port": 1}]}},
        {"effective": {"routes": [{"service": True, "host": "search.tools.svc", "port": "1"}]}},
        {"effective": {"routes": [{"service": False, "host": "search.tools.svc", "port": 1}]}},
        {"effective": {"routes": [{"service": True, "port": 1}]}},
    ],
)  # fmt: skip
def test_a_status_that_cannot_be_read_needs_nothing(status: Any) -> None:
    assert service_ways.of_status(status) == ()


def test_what_policies_need_together_is_known_by_policy_and_by_service() -> None:
    needs = Needs()
    needs.note(policy("one", "search"), [SEARCH])
    needs.note(policy("other", "search", "web"), [])
    needs.note(policy("third"), [])
    assert needs.ways == (SEARCH,)
    assert needs.services == (("tools", "search"), ("tools", "web"))
    assert needs.naming(("tools", "search")) == (ONE, OTHER)
    assert needs.naming(("tools", "web")) == (OTHER,)
    needs.note(policy("other"), [SEARCH])
    assert list(needs.services) == [("tools", "search")], "what is still in force counts, whatever the spec says"
    assert needs.naming(("tools", "search")) == (ONE, OTHER)
    needs.forget(ONE)
    needs.note(policy("other"), [])
    assert held(needs) == ((), ())
    needs.note(policy("one", "search"), [SEARCH])
    needs.clear()
    assert held(needs) == ((), ())
