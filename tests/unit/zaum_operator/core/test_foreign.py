"""Which NetworkPolicies widen what a policy's pods reach, checked against a model that tries every way there is."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import rendered, specs
from tests.support.planned import Planned
from zaum_api import contract
from zaum_operator.core import foreign, kinds, selectors
from zaum_operator.core.render import network

OWNER = {"apiVersion": "zaum.dev/v1alpha1", "kind": "AgentPolicy", "name": "x", "uid": "u", "controller": True}
POD = {"zaum.dev/agent": "true", "zaum.dev/policy": "x", "zaum.dev/ordinal": "0"}
ANYONE = ("spec.egress[0]: to anyone on any port",)
GATEWAY = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "zaum-system"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "gateway"}},
}
WEB = {"podSelector": {"matchLabels": {"app": "web"}}}
OWN = {
    "spec": {
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{"to": [GATEWAY], "ports": [{"protocol": "TCP", "port": port} for port in (15442, 15443)]}],
        "ingress": [{"from": [WEB], "ports": [{"protocol": "TCP", "port": 8080}]}],
    }
}


def policy(name: str = "other", *, owner: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "ownerReferences": [owner] if owner else []}, "spec": {"podSelector": {}} | spec}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator} | ({"values": list(values)} if values else {})]}


def rules(one: Any, pod: Mapping[str, str] = POD) -> tuple[str, ...]:
    return tuple(rule for found in foreign.find((one,), OWN, (pod,)) for rule in found.rules)


@pytest.mark.parametrize(
    ("title", "one", "found"),
    [
        ("an egress rule", policy(egress=[{}]), ANYONE),
        ("an ingress rule", policy(ingress=[{}]), ("spec.ingress[0]: from anyone on any port",)),
        ("both", policy(ingress=[{}], egress=[{}]), (*ANYONE, "spec.ingress[0]: from anyone on any port")),
        ("without any rule", policy(policyTypes=["Egress"]), ()),
        ("without a spec", {"metadata": {"name": "other"}}, ()),
        ("our guard", policy(contract.GUARD_NAME, egress=[{}]), ()),
        ("a policy's own", policy("zaum-x", owner=OWNER, egress=[{}]), ()),
        ("our name without an owner", policy("zaum-x", egress=[{}]), ANYONE),
        ("a policy's under another name", policy("zaum-y", owner=OWNER, egress=[{}]), ANYONE),
        ("owned by another kind", policy("zaum-x", owner={**OWNER, "kind": "Job"}, egress=[{}]), ANYONE),
        ("without control", policy("zaum-x", owner={**OWNER, "controller": False}, egress=[{}]), ANYONE),
        ("of another group", policy("zaum-x", owner={**OWNER, "apiVersion": "a.b/v1"}, egress=[{}]), ANYONE),
    ],
)
def test_i02_foreign_is_what_opens_something_and_is_not_ours(title: str, one: Any, found: tuple[str, ...]) -> None:
    assert rules(one) == found, title


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {"zaum.dev/policy": "x"}}, True),
        ({"matchLabels": {"zaum.dev/policy": "y"}}, False),
        ({"matchLabels": {"app": "web"}}, False),
        (expression("zaum.dev/policy", "In", "y", "x"), True),
        (expression("zaum.dev/policy", "In", "y"), False),
        (expression("zaum.dev/policy", "NotIn", "y"), True),
        (expression("zaum.dev/policy", "NotIn", "x"), False),
        (expression("app", "NotIn", "web"), True),
        (expression("zaum.dev/agent", "Exists"), True),
        (expression("app", "Exists"), False),
        (expression("app", "DoesNotExist"), True),
        (expression("zaum.dev/agent", "DoesNotExist"), False),
        (expression("zaum.dev/agent", "Exists") | {"matchLabels": {"app": "web"}}, False),
        # One that opens what we cut off: it selects nothing now, and would the moment we need it not to.
        (expression("zaum.dev/quarantined", "Exists"), True),
        ({"matchLabels": {"zaum.dev/quarantined": "true"}}, True),
        # What cannot be read may select.
        (expression("app", "Like", "w*"), True),
        (expression("app", "In"), True),
        (expression("app", "Exists", "web"), True),
        (expression("", "Exists"), True),
        ({"matchExpressions": ["app"]}, True),
        ({"matchExpressions": "app"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": "web"}]}, True),
        ({"matchLabels": ["app"]}, True),
        ({"matchFields": {}}, True),
        ("all", True),
    ],
)  # fmt: skip
def test_i02_a_pod_is_selected_as_the_api_says_and_by_whatever_cannot_be_read(selector: Any, selects: bool) -> None:
    assert rules(policy(podSelector=selector, egress=[{}])) == (ANYONE if selects else ())


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (None, ["egress", "ingress"]),
        ([], ["egress", "ingress"]),
        (["Egress"], ["egress"]),
        (["Ingress"], ["ingress"]),
        (["Ingress", "Egress"], ["egress", "ingress"]),
        (["Sideways"], ["egress", "ingress"]),
        ("Ingress", ["egress", "ingress"]),
        ([["Ingress"]], ["egress", "ingress"]),
    ],
)
def test_only_rules_of_a_direction_that_the_policy_speaks_of_count(types: Any, found: list[str]) -> None:
    one = policy(egress=[{}], ingress=[{}], policyTypes=types)
    assert [text.split("[")[0] for text in rules(one)] == [f"spec.{side}" for side in found]


TO: list[tuple[str, Any]] = [
    ("to anyone on any port", {}),
    ("to anyone on TCP 443", {"ports": [{"port": 443}]}),
    ("to 10.0.0.0/8 on UDP 53",
     {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"protocol": "UDP", "port": 53}]}),
    ("to pods app=web of this namespace on TCP http", {"to": [WEB], "ports": [{"port": "http"}]}),
    ("to all pods anywhere on TCP 1-65535",
     {"to": [{"namespaceSelector": {}}], "ports": [{"port": 1, "endPort": 65535}]}),
    ("to all pods of this namespace on any port", {"to": [{"podSelector": {}}]}),
    ("to all pods of namespaces team In a,b on TCP any port",
     {"to": [{"namespaceSelector": expression("team", "In", "a", "b")}], "ports": [{}]}),
    ("to 192.0.2.0/32, 192.0.2.1/32, 192.0.2.2/32 and 1 more on any port",
     {"to": [{"ipBlock": {"cidr": f"192.0.2.{index}/32"}} for index in range(4)]}),
    ("cannot be read", "all"),
    ("to what cannot be read on any port", {"to": "all"}),
    ("to what cannot be read on any port", {"to": ["all"]}),
    ("to what cannot be read on any port", {"to": [{"podSelector": {}, "nodeSelector": {}}]}),
    ("to anyone on ports that cannot be read", {"ports": "all"}),
    ("to all on any port", {"to": [{"ipBlock": "all"}]}),
    ("to pods that cannot be read of this namespace on any port", {"to": [{"podSelector": "all"}]}),
    ("to pods what cannot be read of this namespace on any port", {"to": [{"podSelector": {"matchExpressions": [1]}}]}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rule"), TO)
def test_a_rule_that_widens_is_said_by_its_place_and_what_it_opens(text: str, rule: Any) -> None:
    covered = {"to": [GATEWAY], "ports": [{"port": 15443}]}
    assert rules(policy(egress=[covered, rule])) == (f"spec.egress[1]: {text}",)


NARROWER = {**GATEWAY, "podSelector": {"matchLabels": GATEWAY["podSelector"]["matchLabels"] | {"more": "x"}}}


@pytest.mark.parametrize(
    ("title", "rule", "covered"),
    [
        ("the same", {"to": [GATEWAY], "ports": [{"port": 15443}]}, True),
        ("both ports as a range", {"to": [GATEWAY], "ports": [{"port": 15442, "endPort": 15443}]}, True),
        ("fewer pods", {"to": [NARROWER], "ports": [{"port": 15443}]}, True),
        ("another port", {"to": [GATEWAY], "ports": [{"port": 15445}]}, False),
        ("a wider range", {"to": [GATEWAY], "ports": [{"port": 15442, "endPort": 15444}]}, False),
        ("another protocol", {"to": [GATEWAY], "ports": [{"port": 15443, "protocol": "UDP"}]}, False),
        ("every port", {"to": [GATEWAY]}, False),
        ("a port by name", {"to": [GATEWAY], "ports": [{"port": "proxy"}]}, False),
        ("an empty range", {"to": [GATEWAY], "ports": [{"port": 15443, "endPort": 15442}]}, False),
        ("a truth for a port", {"to": [GATEWAY], "ports": [{"port": True}]}, False),
        ("one more peer", {"to": [GATEWAY, WEB], "ports": [{"port": 15443}]}, False),
        ("such pods here", {"to": [{"podSelector": GATEWAY["podSelector"]}], "ports": [{"port": 15443}]}, False),
        ("all pods there",
         {"to": [{"namespaceSelector": GATEWAY["namespaceSelector"]}], "ports": [{"port": 15443}]}, False),
        ("everywhere", {"to": [{**GATEWAY, "namespaceSelector": {}}], "ports": [{"port": 15443}]}, False),
        ("an empty peer", {"to": [{}], "ports": [{"port": 15443}]}, False),
        ("with a field of tomorrow", {"to": [GATEWAY], "ports": [{"port": 15443}], "services": []}, False),
        ("a port of tomorrow", {"to": [GATEWAY], "ports": [{"port": 15443, "service": "x"}]}, False),
    ],
)  # fmt: skip
def test_what_ours_opens_too_adds_nothing(title: str, rule: Any, covered: bool) -> None:
    assert (rules(policy(egress=[rule])) == ()) is covered, title


def test_ways_in_are_compared_with_our_ways_in() -> None:
    assert rules(policy(ingress=[{"from": [WEB], "ports": [{"port": 8080}]}])) == ()
    assert rules(policy(ingress=[{"from": [GATEWAY], "ports": [{"port": 15443}]}])) != ()
    assert rules(policy(egress=[{"to": [WEB], "ports": [{"port": 8080}]}])) != ()


def test_they_are_named_in_order_each_with_its_first_rule() -> None:
    found = foreign.find((policy("b", egress=[{}, {}, {}]), policy("a", ingress=[{}])), OWN, (POD,))
    assert [item.text for item in found] == [
        "NetworkPolicy a, spec.ingress[0]: from anyone on any port",
        "NetworkPolicy b, spec.egress[0]: to anyone on any port (and 2 more rules)",
    ]


# The model: every flow of a small world, tried against every policy as the API's documentation has it.

VALUES: tuple[str | None, ...] = (None, "1", "2")
LABELS = [
    {key: value for key, value in zip("ab", pair, strict=True) if value is not None}
    for pair in itertools.product(VALUES, repeat=2)
]
PORTS = [("TCP", 1), ("TCP", 2), ("TCP", 3), ("UDP", 1)]
REMOTE: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (where, namespace, pod) for where in ("here", "there") for namespace in LABELS for pod in LABELS
]


def holds(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    found = [labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or ():
        value = labels.get(item["key"])
        operator, values = item["operator"], item.get("values", [])
        found.append({"In": value in values, "NotIn": value is None or value not in values,
                      "Exists": value is not None, "DoesNotExist": value is None}[operator])  # fmt: skip
    return all(found)


def flows(one: dict[str, Any], side: str) -> Iterator[tuple[Any, ...]]:
    spec = one["spec"]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    key = {"egress": "to", "ingress": "from"}[side]
    if side.title() not in types:
        return
    for rule in spec.get(side) or ():
        for (where, namespace, pod), (protocol, number) in itertools.product(REMOTE, PORTS):
            peers = rule.get(key)
            seen = not peers or any(
                (holds(peer["namespaceSelector"], namespace) if "namespaceSelector" in peer else where == "here")
                and holds(peer.get("podSelector", {}), pod)
                for peer in peers
            )
            ports = rule.get("ports")
            may = not ports or any(
                port.get("protocol", "TCP") == protocol
                and ("port" not in port or port["port"] <= number <= port.get("endPort", port["port"]))
                for port in ports
            )
            if seen and may:
                yield (side, where, tuple(namespace.items()), tuple(pod.items()), protocol, number)


def every_flow(one: dict[str, Any]) -> set[tuple[Any, ...]]:
    return {flow for side in ("egress", "ingress") for flow in flows(one, side)}


keys, values = st.sampled_from("ab"), st.sampled_from("12")
match_labels = st.dictionaries(keys, values, max_size=2)
expressions = st.one_of(
    st.builds(
        lambda key, operator, some: {"key": key, "operator": operator, "values": some},
        keys, st.sampled_from(["In", "NotIn"]), st.lists(values, min_size=1, max_size=2),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator}, keys,
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)  # fmt: skip
any_selector = st.fixed_dictionaries(
    {}, optional={"matchLabels": match_labels, "matchExpressions": st.lists(expressions, max_size=2)}
)
plain_selector = st.fixed_dictionaries({}, optional={"matchLabels": match_labels})


def peers_of(selector: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"podSelector": selector}, optional={"namespaceSelector": selector})


ports = st.one_of(
    st.builds(lambda port: {"protocol": port[0], "port": port[1]}, st.sampled_from(PORTS)),
    st.builds(lambda first, more: {"port": first, "endPort": first + more}, st.integers(1, 2), st.integers(0, 1)),
    st.just({"protocol": "TCP"}),
)


def rules_of(key: str, peers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = {key: st.lists(peers, max_size=2), "ports": st.lists(ports, max_size=2)}
    return st.lists(st.fixed_dictionaries({}, optional=fields), max_size=2)


def specs_of(peers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    optional = {
        "egress": rules_of("to", peers),
        "ingress": rules_of("from", peers),
        "policyTypes": st.sampled_from([["Egress"], ["Ingress"], ["Ingress", "Egress"]]),
    }
    return st.fixed_dictionaries({"podSelector": any_selector}, optional=optional)


def closed(key: str) -> st.SearchStrategy[Any]:
    numbered = st.builds(lambda port: {"protocol": port[0], "port": port[1]}, st.sampled_from(PORTS))
    return st.lists(
        st.fixed_dictionaries({
            key: st.lists(peers_of(plain_selector), min_size=1, max_size=2),
            "ports": st.lists(numbered, min_size=1, max_size=3),
        }),
        max_size=2,
    )  # fmt: skip


owns = st.builds(
    lambda egress, ingress: {"spec": {"policyTypes": ["Ingress", "Egress"], "egress": egress, "ingress": ingress}},
    closed("to"), closed("from"),
)  # fmt: skip


@given(one=specs_of(peers_of(any_selector)), own=owns, pod=st.sampled_from(LABELS))
def test_i02_what_is_not_named_opens_no_way_that_ours_does_not(one: Any, own: Any, pod: dict[str, str]) -> None:
    body = {"metadata": {"name": "other"}, "spec": one}
    if not foreign.find((body,), own, (pod,)) and holds(one["podSelector"], pod):
        assert every_flow(body) <= every_flow(own)


@given(one=specs_of(peers_of(plain_selector)), pod=st.sampled_from(LABELS))
def test_what_is_named_selects_the_pod_and_opens_something(one: Any, pod: dict[str, str]) -> None:
    body = {"metadata": {"name": "other"}, "spec": one}
    nothing = {"spec": {"policyTypes": ["Ingress", "Egress"]}}
    cut = pod | {contract.LABEL_QUARANTINED: "true"}
    selected = holds(one["podSelector"], pod) or holds(one["podSelector"], cut)
    assert bool(foreign.find((body,), nothing, (pod,))) is (selected and bool(every_flow(body)))


@given(selector=any_selector, labels=st.sampled_from(LABELS))
def test_selectors_match_as_the_model_does(selector: Any, labels: dict[str, str]) -> None:
    assert selectors.matches(selector, labels) is holds(selector, labels)


# With the operator around it.


def put(made: Planned, name: str, selector: dict[str, Any]) -> None:
    body = policy(name, podSelector=selector, egress=[{}])
    made.api.put(kinds.NETWORK_POLICY, body | {"metadata": {"name": name, "namespace": "agents"}})


def test_i02_one_that_selects_other_pods_only_is_not_named() -> None:
    made = Planned()
    put(made, "others", {"matchLabels": {"app": "web"}})
    put(made, "neighbours", {"matchLabels": {"zaum.dev/policy": "another"}})
    made.policy()
    made.settle()
    assert made.condition("EgressExact")[:2] == ("True", "Exact")
    assert len(made.pods()) == 1


@pytest.mark.parametrize("label", ["zaum.dev/policy", "zaum.dev/ordinal", "zaum.dev/type", "zaum.dev/agent"])
def test_i02_one_that_was_there_before_and_selects_a_pod_to_come_keeps_it_from_starting(label: str) -> None:
    made = Planned()
    put(made, "open-all", expression(label, "Exists"))
    made.policy()
    made.settle()
    assert made.pods() == []
    status, reason, message = made.condition("EgressExact")
    assert (status, reason) == ("False", "ForeignNetworkPolicy")
    assert "NetworkPolicy open-all, spec.egress[0]: to anyone on any port" in message


def test_i02_a_label_that_somebody_put_on_a_live_pod_counts() -> None:
    made = Planned()
    put(made, "by-label", {"matchLabels": {"app": "web"}})
    made.policy()
    made.settle()
    (pod,) = made.pods()
    made.api.edit(kinds.POD, "agents", pod["metadata"]["name"], {"metadata": {"labels": {"app": "web"}}})
    made.step()
    assert made.condition("EgressExact")[:2] == ("False", "ForeignNetworkPolicy")
    assert made.pods() == []


def test_the_policys_own_ways_are_its_own() -> None:
    made = Planned()
    made.policy(
        specs.agent() | {"ingress": [{"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}
    )
    way_in = {"from": [WEB], "ports": [{"port": 8080}]}
    body = policy("web-to-agents", ingress=[way_in], policyTypes=["Ingress"])
    made.api.put(kinds.NETWORK_POLICY, body | {"metadata": {"name": "web-to-agents", "namespace": "agents"}})
    made.settle()
    assert made.condition("EgressExact")[:2] == ("True", "Exact")


def test_our_own_is_what_the_model_of_these_tests_takes_it_for() -> None:
    spec = network.render(made_intent(), rendered.SITE)["spec"]
    assert spec["egress"] == [{"to": [GATEWAY], "ports": [{"protocol": "TCP", "port": 15443}]}]


def made_intent() -> Any:
    made = Planned()
    made.policy()
    return made.plan().intent
