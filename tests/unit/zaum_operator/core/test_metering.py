"""Limits become meters, under ceilings; what nobody priced, and what nobody can keep, is said."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support import planned, rendered, specs
from zaum_api import contract, documents
from zaum_api.documents import Source
from zaum_api.v1alpha1 import policy
from zaum_operator.core import ceiling, ceilings, effective, routes
from zaum_operator.core.ceilings import Ceilings

TABLE = rendered.GATEWAY.prices
HOUR_OUT, HOUR_IN = "policy:bytesOut/hour", "policy:bytesIn/hour"
SPENT = {"policy:tokens/minute", "policy:tokens/day", "policy:cost/day"}


def resolve(spec: dict[str, Any], held: Ceilings = ceilings.NONE, *, ledger: bool = True) -> effective.Effective:
    cluster = routes.Cluster(prices=TABLE)
    return effective.resolve(policy.Spec.model_validate(spec), held, cluster=cluster, ledger=ledger)


def limits(found: effective.Effective) -> dict[str, int]:
    return {meter.id: meter.limit for meter in found.metered.meters}


def capped(**limits_: Any) -> Ceilings:
    spec = {"namespaceSelector": {}, "limits": limits_}
    return ceilings.of_namespace([ceiling.read({"metadata": {"name": "owner"}, "spec": spec})], {})


def text(found: effective.Effective) -> dict[str, tuple[str, Source]]:
    return {item.field: (item.value, item.source) for item in found.fields}


def model(**fields: Any) -> dict[str, Any]:
    return specs.provider(**fields)


def test_i01_who_says_nothing_has_the_defaults_and_no_meter_of_what_it_cannot_spend() -> None:
    bare = resolve(specs.agent())
    assert limits(bare) == {HOUR_OUT: 50 * 2**20, HOUR_IN: 2**30}
    assert text(bare)["limits.cost.perDay"] == ("10.00", Source.DEFAULT)
    assert limits(resolve(model())) == limits(bare) | {
        "policy:tokens/minute": 100_000, "policy:tokens/day": 2_000_000, "policy:cost/day": 10_000_000,
    }  # fmt: skip


@pytest.mark.parametrize("empty", [{}, {"limits": {}}, {"limits": None}, {"limits": {"cost": {}, "tokens": None}}])
def test_i01_empty_and_null_never_mean_more(empty: dict[str, Any]) -> None:
    assert limits(resolve(model() | empty)) == limits(resolve(model()))


def test_i01_zero_stays_zero() -> None:
    found = resolve(
        model()
        | {"limits": {"bytes": {"outPerHour": 0}, "tokens": {"perMinute": 0, "perDay": 0}, "cost": {"perDay": "0"}}}
    )
    assert {key for key, limit in limits(found).items() if limit == 0} == SPENT | {HOUR_OUT}


def test_a_route_and_a_host_have_meters_of_their_own_within_the_policys() -> None:
    spec = specs.spec(
        egress={
            "hosts": [
                {
                    "host": "*.example.org",
                    "limits": {"requests": {"perMinute": 6}, "bytes": {"outPerHour": "1Ki", "inPerHour": 7}},
                }
            ],
            "routes": [
                specs.route(
                    "a",
                    api="OpenAI",
                    limits={
                        "requests": {"perMinute": 9, "burst": 2},
                        "tokens": {"perMinute": 8, "perDay": 7},
                        "cost": {"perDay": "0.5"},
                    },
                )
            ],
        }
    )
    found = resolve(spec)
    own = {meter.id: (meter.limit, meter.burst) for meter in found.metered.meters if meter.scope != "policy"}
    assert own == {
        "host/*.example.org:requests/minute": (6, 6),
        "host/*.example.org:bytesOut/hour": (1024, 0),
        "host/*.example.org:bytesIn/hour": (7, 0),
        "route/a:requests/minute": (9, 2),
        "route/a:tokens/minute": (8, 0),
        "route/a:tokens/day": (7, 0),
        "route/a:cost/day": (500_000, 0),
    }
    said = text(found)
    assert said["egress.routes[a].limits"][0] == "requests 9/minute, tokens 8/minute, tokens 7/day, cost 0.50/day"
    assert said["egress.hosts.limits"][0].startswith(
        "*.example.org: requests 6/minute; *.example.org: bytesOut 1Ki/hour"
    )


def test_of_two_entries_for_one_host_the_lower_limits_hold() -> None:
    entries = [
        {"host": "a.example.org", "ports": [port], "limits": {"bytes": {"outPerHour": most}}}
        for port, most in ((443, 5), (8443, 9))
    ]
    assert limits(resolve(specs.spec(egress={"hosts": entries})))["host/a.example.org:bytesOut/hour"] == 5


def test_a_route_that_is_closed_and_a_host_that_is_refused_have_none() -> None:
    held = ceilings.of_namespace(
        [ceiling.read({"metadata": {"name": "owner"}, "spec": {"namespaceSelector": {}, "hosts": {"allowed": []}}})], {}
    )
    spec = specs.spec(
        egress={
            "hosts": [{"host": "a.example.org", "limits": {"requests": {"perMinute": 1}}}],
            "routes": [specs.route("a", api="OpenAI", limits={"cost": {"perDay": "1"}})],
        }
    )
    assert {meter.scope for meter in resolve(spec).metered.meters} == {"policy", "host/a.example.org", "route/a"}
    assert {meter.scope for meter in resolve(spec, held).metered.meters} == {"policy"}


def test_ceilings_cap_all_of_them_the_defaults_too() -> None:
    held = capped(
        requests={"perMinute": 3},
        bytes={"outPerHour": 5, "inPerHour": 6},
        tokens={"perMinute": 7, "perDay": 8},
        cost={"perDay": "0"},
    )
    own = {"requests": {"perMinute": 60}, "tokens": {"perMinute": 60}, "cost": {"perDay": "5"}}
    found = resolve(model(limits=own), held)
    assert limits(found) == {
        HOUR_OUT: 5, HOUR_IN: 6, "policy:tokens/minute": 7, "policy:tokens/day": 8, "policy:cost/day": 0,
        "route/model:requests/minute": 3, "route/model:tokens/minute": 7, "route/model:cost/day": 0,
    }  # fmt: skip
    (burst,) = (meter.burst for meter in found.metered.meters if meter.id == "route/model:requests/minute")
    assert burst == 3
    assert text(found)["limits.tokens.perDay"] == ("8 (AgentCeiling owner)", Source.CEILING)
    assert not found.metered.defaults, "a ceiling has spoken of all of them"


def test_without_a_ledger_only_what_nobody_asked_for_is_left_out_and_said() -> None:
    bare = resolve(model(), ledger=False)
    assert limits(bare) == {"policy:tokens/minute": 100_000}, "a share needs nobody"
    assert text(bare)["limits.cost.perDay"] == ("none (no ledger in this installation)", Source.DEFAULT)
    stated = resolve(model() | {"limits": {"cost": {"perDay": "1"}}}, capped(bytes={"outPerHour": 5}), ledger=False)
    assert limits(stated) == {"policy:tokens/minute": 100_000, "policy:cost/day": 1_000_000, HOUR_OUT: 5}


def test_prices_are_the_routes_own_and_no_cheaper_than_the_installations_where_a_ceiling_caps_the_cost() -> None:
    cheap = model(
        prices=[{"model": "small-1", "input": "0", "output": "9"}, {"model": "own", "input": "1", "output": "2"}]
    )
    (route,) = resolve(cheap).routes
    assert [(price.model, price.input, price.output) for price in route.prices] == [
        ("own", 1_000_000, 2_000_000), ("small-1", 0, 9_000_000),
    ]  # fmt: skip
    (route,) = resolve(cheap, capped(cost={"perDay": "1"})).routes
    assert route.prices[1] == documents.Price("small-1", 250_000, 25_000, 500_000, 9_000_000)
    assert route.prices[0].input == 1_000_000


@pytest.mark.parametrize(
    ("fields", "unpriced"),
    [
        ({"models": ["small-1"]}, ()),
        ({"models": ["small-1", "other"]}, (("model", ("other",)),)),
        ({"models": ["other"], "prices": [{"model": "other", "input": "1", "output": "1"}]}, ()),
        ({}, ()),
    ],
)
def test_a_model_without_a_price_is_named(fields: dict[str, Any], unpriced: tuple[Any, ...]) -> None:
    assert tuple((item.route, item.models) for item in resolve(model(**fields)).unpriced) == unpriced


def test_a_route_of_which_no_price_at_all_is_known_is_named_and_one_that_costs_nothing_is_not() -> None:
    spec = policy.Spec.model_validate(model())
    assert [item.route for item in effective.resolve(spec).unpriced] == ["model"]
    assert effective.resolve(spec, ledger=False).unpriced == (), "no cost is limited there"
    assert effective.resolve(policy.Spec.model_validate(specs.routed(specs.route()))).unpriced == ()


def documents_of(spec: dict[str, Any], site: Any = rendered.SITE) -> dict[str, documents.WatchdogConfig]:
    world = planned.Planned(site=site)
    world.policy(spec)
    world.settle()
    config = world.look().config
    assert config is not None
    return {
        version: documents.WatchdogConfig.parse(config["data"][key].encode())
        for version, key in contract.CONFIG_KEYS.items()
    }


def test_the_document_carries_meters_prices_replicas_and_the_ledger() -> None:
    spec = model(models=["small-1"])
    spec["agent"]["replicas"] = 3
    found = documents_of(spec)["v4"]
    assert found.limits.replicas == 3
    assert found.limits.generation == 1
    assert found.limits.meters == resolve(spec).metered.meters
    assert [table.api for table in found.prices] == ["OpenAI"], "of apis that no route has there is nothing to say"
    assert found.ledger == documents.LedgerPeer("ledger.zaum.dev", 15444, rendered.GATEWAY.ca_pem)
    assert found.routes[0].models == ("small-1",)
    assert documents_of(spec, replace(rendered.SITE, ledger=False))["v4"].ledger is None


BOTH = {
    "hosts": [{"host": "a.example.org"}, {"host": "b.example.org", "limits": {"requests": {"perMinute": 1}}}],
    "routes": [
        specs.route("free"),
        specs.route("money", api="OpenAI"),
        specs.route("own", limits={"requests": {"perMinute": 1}}),
        specs.route("picky", api="OpenAI", models=["small-1"]),
        specs.route("shy", redact={"request": {"email": "Mask"}}),
    ],
}


@pytest.mark.parametrize(
    ("stated", "hosts", "led"),
    [
        ({}, ["a.example.org"], ["free", "money"]),
        ({"cost": {"perDay": "5"}}, ["a.example.org"], ["free"]),
        ({"tokens": {"perMinute": 5}}, ["a.example.org"], ["free"]),
        ({"bytes": {"inPerHour": 5}}, [], []),
    ],
)
def test_i07_a_watchdog_of_the_release_before_has_no_way_of_which_it_would_not_keep_the_limit(
    stated: dict[str, Any], hosts: list[str], led: list[str]
) -> None:
    found = documents_of(specs.spec(egress=BOTH, limits=stated))
    assert [rule.host for rule in found["v3"].hosts] == hosts
    assert [route.name for route in found["v3"].routes] == led
    assert [rule.host for rule in found["v2"].hosts] == hosts
    assert len(found["v4"].hosts) == 2, "the control: who knows the limits has all ways"
    assert len(found["v4"].routes) == 5


def test_i03_the_ledgers_token_and_the_ordinal_are_the_watchdogs_alone() -> None:
    one = rendered_pod(rendered.SITE)
    (sources,) = (volume["projected"]["sources"] for volume in one["spec"]["volumes"] if volume["name"] == "zaum-token")
    tokens = {source["serviceAccountToken"]["audience"]: source["serviceAccountToken"]["path"] for source in sources}
    assert tokens == {"zaum-egress": "token", "zaum-ledger": "ledger-token"}
    (watchdog,), (agent,) = one["spec"]["initContainers"], one["spec"]["containers"]
    assert contract.LEDGER_TOKEN_PATH.startswith(contract.TOKEN_DIR + "/")
    assert contract.TOKEN_DIR in {mount["mountPath"] for mount in watchdog["volumeMounts"]}
    assert contract.TOKEN_DIR not in {mount["mountPath"] for mount in agent["volumeMounts"]}
    ordinal = {"fieldRef": {"fieldPath": "metadata.labels['zaum.dev/ordinal']"}}
    assert {"name": "ZAUM_ORDINAL", "valueFrom": ordinal} in watchdog["env"]
    assert "ZAUM_ORDINAL" not in {item["name"] for item in agent["env"]}


def test_where_there_is_no_ledger_there_is_no_token_for_it() -> None:
    one = rendered_pod(replace(rendered.SITE, ledger=False))
    (sources,) = (volume["projected"]["sources"] for volume in one["spec"]["volumes"] if volume["name"] == "zaum-token")
    assert [source["serviceAccountToken"]["audience"] for source in sources] == ["zaum-egress"]


def rendered_pod(site: Any) -> Any:
    world = planned.Planned(site=site)
    world.policy(specs.agent())
    world.settle()
    (one,) = world.pods()
    return one


def generation(world: planned.Planned) -> int:
    config = world.look().config
    assert config is not None
    return documents.WatchdogConfig.parse(
        config["data"][contract.CONFIG_KEYS[documents.CONFIG_VERSION]].encode()
    ).limits.generation


def test_the_document_says_of_which_generation_its_limits_are() -> None:
    world = planned.Planned()
    world.policy(specs.limits(bytes={"outPerHour": 1024}))
    world.settle()
    first = generation(world)
    world.policy(specs.limits(bytes={"outPerHour": 2048}))
    world.settle()
    assert generation(world) > first
    second = generation(world)
    world.policy(specs.limits(bytes={"outPerHour": "2Ki"}))
    world.settle()
    assert generation(world) == second, "the same in other words is no other document"
