"""Where routes lead, and which lead nowhere."""

import dataclasses
from typing import Any

import pytest

from tests.support import rendered, specs
from tests.support.planned import Planned
from zaum_api import contract, documents
from zaum_api.conditions import Reason
from zaum_api.v1alpha1 import policy
from zaum_operator.core import ceiling, ceilings, effective, kinds, routes
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.kinds import Object
from zaum_operator.core.routes import Closed, Cluster

SEARCH = {"name": "search", "namespace": "tools", "port": 8080}
KEY = {"secretKeyRef": {"name": "model", "key": "api-key"}}
FILE = contract.credential_file("model", "api-key")
THERE = Cluster({("tools", "search"): rendered.SEARCH}, forbidden=frozenset({"zaum-system"}))


def under(*stated: dict[str, Any]) -> Ceilings:
    """Give what ceilings add up to that say this."""
    found = [
        ceiling.read({"metadata": {"name": f"c{index}"}, "spec": {"namespaceSelector": {}, **fields}})
        for index, fields in enumerate(stated)
    ]
    return ceilings.of_namespace(found, {})


def resolve(
    route: dict[str, Any], held: Ceilings = ceilings.NONE, cluster: Cluster = THERE
) -> documents.Route | Closed:
    spec = policy.Spec.model_validate(specs.routed(route))
    found = effective.resolve(spec, held, cluster=cluster)
    every: list[documents.Route | Closed] = [*found.routes, *found.closed]
    (one,) = every
    return one


@pytest.mark.parametrize(
    ("url", "host", "port", "base"),
    [
        ("https://api.example.com", "api.example.com", 443, ""),
        ("https://api.example.com/", "api.example.com", 443, ""),
        ("https://api.example.com:8443/v1", "api.example.com", 8443, "/v1"),
        ("https://api.example.com/a/b/", "api.example.com", 443, "/a/b"),
    ],
)
def test_an_upstream_is_a_host_a_port_and_a_base(url: str, host: str, port: int, base: str) -> None:
    found = resolve(specs.route(upstream=url))
    assert isinstance(found, documents.Route)
    assert (found.host, found.port, found.base, found.tls, found.service) == (host, port, base, True, False)


@pytest.mark.parametrize(
    ("fields", "header", "prefix"),
    [
        ({}, "authorization", "Bearer "),
        ({"header": "AUTHORIZATION"}, "authorization", "Bearer "),
        ({"prefix": ""}, "authorization", ""),
        ({"header": "X-Key"}, "x-key", ""),
        ({"header": "Cookie", "prefix": "session="}, "cookie", "session="),
    ],
)
def test_a_credential_goes_where_it_is_said_to_go(fields: dict[str, str], header: str, prefix: str) -> None:
    found = resolve(specs.route(credential={**KEY, **fields}))
    assert isinstance(found, documents.Route)
    assert found.credential == documents.Credential(header, prefix, FILE)


def test_the_key_of_each_secret_has_a_file_of_its_own() -> None:
    """So that a running pod never sends the key of one Secret to where the key of the next one belongs."""
    refs = [{"name": "a", "key": "b-c"}, {"name": "a-b", "key": "c"}, {"name": "a", "key": "c"}]
    found = [resolve(specs.route(credential={"secretKeyRef": ref})) for ref in refs]
    assert (
        len({route.credential.file for route in found if isinstance(route, documents.Route) and route.credential}) == 3
    )


def test_the_usual_header_of_a_provider_is_its_own() -> None:
    found = resolve(specs.route(api="Anthropic", credential=KEY))
    assert isinstance(found, documents.Route)
    assert found.credential == documents.Credential("x-api-key", "", FILE)


@pytest.mark.parametrize("case", [case for case in specs.GOOD if "egress" in case.spec], ids=lambda case: case.title)
def test_every_route_that_the_api_takes_is_one_that_the_watchdog_reads(case: specs.Case) -> None:
    found = effective.resolve(policy.Spec.model_validate(case.spec), cluster=THERE)
    for route in found.routes:
        assert documents.Route.read_metered(route.write(later=True), "") == route


def test_i05_an_upstream_that_the_one_parser_refuses_is_closed() -> None:
    found = resolve(specs.route(upstream="https://xn--0.example.com"))
    assert isinstance(found, Closed)
    assert found.reason is Reason.INVALID_HOSTS


def test_i05_the_clusters_own_domain_is_no_upstream_whatever_it_is_called() -> None:
    own = Cluster(domain="corp.example.com")
    assert isinstance(resolve(specs.route(upstream="https://web.tools.svc.corp.example.com"), cluster=own), Closed)
    assert isinstance(resolve(specs.route(upstream="https://web.corp.example.com"), cluster=Cluster()), documents.Route)


@pytest.mark.parametrize(("allowed", "open_"), [(["*.example.com"], True), (["docs.example.com"], False), ([], False)])
def test_i12_a_route_is_no_way_around_the_hosts_of_a_ceiling(allowed: list[str], open_: bool) -> None:
    found = resolve(specs.route(), under({"hosts": {"allowed": allowed}}))
    assert isinstance(found, documents.Route) is open_


GRANTED: list[tuple[list[dict[str, Any]], str]] = [
    ([{"services": [{"namespace": "tools"}]}], ""),
    ([{"services": [{"namespace": "tools", "name": "search"}]}], ""),
    ([{"services": [{"namespace": "tools"}]}, {"replicas": 1}], ""),
    ([], "granted by no AgentCeiling"),
    ([{"replicas": 1}], "granted by no AgentCeiling"),
    ([{"services": []}], "c0 does not grant"),
    ([{"services": [{"namespace": "tools", "name": "other"}]}], "c0 does not grant"),
    ([{"services": [{"namespace": "tools"}]}, {"services": []}], "c1 does not grant"),
]


@pytest.mark.parametrize(("stated", "against"), GRANTED)
def test_i01_a_service_is_reached_when_every_ceiling_that_speaks_of_services_grants_it(
    stated: list[dict[str, Any]], against: str
) -> None:
    found = resolve(specs.route(serviceRef=SEARCH), under(*stated))
    if against:
        assert isinstance(found, Closed)
        assert found.reason is Reason.CEILING_EXCEEDED
        assert against in found.problem
        assert "tools/search" in found.problem
    else:
        assert isinstance(found, documents.Route)
        assert (found.host, found.port) == ("search.tools.svc.cluster.local", 8080)
        assert (found.tls, found.service) == (False, True)


def test_i01_a_ceiling_that_cannot_be_read_grants_no_service_and_no_report() -> None:
    held = under({"services": [{"namespace": "tools"}], "modes": ["Report"]}, {"services": "all"})
    assert isinstance(resolve(specs.route(serviceRef=SEARCH), held), Closed)
    spec = policy.Spec.model_validate(specs.spec(mode="Report"))
    assert effective.resolve(spec, held).mode is documents.Mode.ENFORCE


def test_i01_a_service_of_zaums_own_namespace_is_never_reached() -> None:
    reference = {"name": "zaum-authorizer", "namespace": "zaum-system", "port": 15445}
    found = resolve(specs.route(serviceRef=reference), under({"services": [{"namespace": "zaum-system"}]}))
    assert isinstance(found, Closed)
    assert "out of every agent's reach" in found.problem


def changed(**fields: Any) -> Object:
    return rendered.SEARCH | {"spec": rendered.SEARCH["spec"] | fields}


@pytest.mark.parametrize(
    ("service", "problem"),
    [
        (None, "does not exist"),
        (changed(type="ExternalName"), "ExternalName"),
        (changed(selector=None), "no selector"),
        (changed(selector={}), "no selector"),
        (changed(clusterIP="None"), "headless"),
        (changed(ports=[{"port": 80}]), "no TCP port 8080"),
        (changed(ports=[{"port": 8080, "protocol": "UDP"}]), "no TCP port 8080"),
        (changed(ports=None), "no TCP port 8080"),
    ],
)
def test_a_service_that_leads_nowhere_is_said_by_name(service: Object | None, problem: str) -> None:
    there = {} if service is None else {("tools", "search"): service}
    found = resolve(specs.route(serviceRef=SEARCH), under({"services": [{"namespace": "tools"}]}), Cluster(there))
    assert isinstance(found, Closed)
    assert found.reason is Reason.SERVICE_MISSING
    assert f"tools/search {problem}".split()[0] in found.problem
    assert problem in found.problem


@pytest.mark.parametrize(
    "egress", [None, [], "x", {"routes": None}, {"routes": [None, {}, {"serviceRef": {"name": 1}}]}]
)
def test_services_of_what_is_no_egress_are_none(egress: Any) -> None:
    assert routes.services(egress) == ()


def world(**spec: Any) -> Planned:
    made = Planned()
    made.policy(specs.agent() | spec)
    return made


def test_one_route_that_leads_nowhere_is_named_and_harms_no_other() -> None:
    made = world(egress={"routes": [specs.route(), specs.route("search", serviceRef=SEARCH)]})
    made.ceiling("tools", services=[{"namespace": "tools"}])
    made.settle()
    assert made.condition("EgressExact")[:2] == ("False", "ServiceMissing")
    assert made.condition("Degraded")[:2] == ("True", "ServiceMissing")
    assert "tools/search" in made.condition("Degraded")[2]
    raw = made.api.all(kinds.CONFIG_MAP)[0]["data"][contract.CONFIG_KEYS["v3"]].encode()
    assert [route.name for route in documents.WatchdogConfig.parse(raw).routes] == ["model"]
    (pod,) = made.pods()
    made.services[("tools", "search")] = rendered.SEARCH
    made.settle()
    assert made.condition("EgressExact")[:2] == ("True", "Exact")
    assert made.condition("Degraded")[:2] == ("False", "AsInstalled")
    assert [item["metadata"]["name"] for item in made.pods()] == [pod["metadata"]["name"]], "no pod is replaced for it"
    status = documents.Effective.read(made.api.all(kinds.POLICY)[0]["status"]["effective"])
    assert [route.host for route in status.routes] == ["api.example.com", "search.tools.svc.cluster.local"]


@pytest.mark.parametrize(
    ("modes", "mode", "source"),
    [([["Report"]], "Report", "Policy"), ([["Enforce", "Report"], ["Report"]], "Report", "Policy"),
     ([], "Enforce", "Ceiling"), ([["Enforce"]], "Enforce", "Ceiling"), ([["Report"], []], "Enforce", "Ceiling")],
)  # fmt: skip
def test_report_is_in_force_only_where_it_is_granted_and_said_either_way(
    modes: list[list[str]], mode: str, source: str
) -> None:
    made = world(mode="Report")
    for index, stated in enumerate(modes):
        made.ceiling(f"c{index}", modes=stated)
    made.settle()
    status = documents.Effective.read(made.api.all(kinds.POLICY)[0]["status"]["effective"])
    raw = made.api.all(kinds.CONFIG_MAP)[0]["data"][contract.CONFIG_KEYS["v3"]].encode()
    assert status.mode.value == documents.WatchdogConfig.parse(raw).mode.value == mode
    assert [item.source.value for item in status.fields if item.field == "mode"] == [source]
    if mode == "Report":
        assert made.condition("EgressExact")[:2] == ("False", "ReportOnly")
    else:
        assert made.condition("Degraded")[:2] == ("True", "CeilingExceeded")
        assert "spec.mode is Report" in made.condition("Degraded")[2]


def test_proof_is_required_by_the_policy_or_by_any_ceiling() -> None:
    made = world()
    made.settle()
    assert made.effective()["egress.requireProof"] == "false"
    made.ceiling("strict", requireProof=True)
    made.ceiling("lax", requireProof=False)
    made.settle()
    assert made.effective()["egress.requireProof"] == "true (AgentCeiling strict)"
    raw = made.api.all(kinds.CONFIG_MAP)[0]["data"][contract.CONFIG_KEYS["v3"]].encode()
    cage = documents.WatchdogConfig.parse(raw).cage
    assert cage is not None
    assert cage.required


@pytest.mark.parametrize(("signed", "ports"), [(False, [15443]), (True, [15442, 15443])])
def test_i04_the_plain_hop_is_open_and_told_only_where_it_is_signed(signed: bool, ports: list[int]) -> None:
    made = Planned(site=dataclasses.replace(rendered.SITE, signed_hop=signed))
    made.policy()
    made.settle()
    (own,) = (item for item in made.api.all(kinds.NETWORK_POLICY) if item["metadata"]["name"] == "zaum-researcher")
    (rule,) = own["spec"]["egress"]
    assert [port["port"] for port in rule["ports"]] == ports
    raw = made.api.all(kinds.CONFIG_MAP)[0]["data"][contract.CONFIG_KEYS["v3"]].encode()
    assert documents.WatchdogConfig.parse(raw).signed_port == (15442 if signed else 0)


def test_the_largest_policy_fits_into_a_document() -> None:
    allow = [{"methods": sorted(documents.METHODS), "path": f"/{index:02}{'a' * 253}"} for index in range(32)]
    many = [
        specs.route(f"r{index:031}", upstream=f"https://api.example.com/{'b' * 480}", allow=allow, credential=KEY)
        for index in range(32)
    ]
    hosts = [{"host": f"h{index:03}.{'a.' * 119}example", "ports": list(range(60000, 60016))} for index in range(256)]
    made = world(egress={"routes": many, "hosts": hosts})
    assert made.gateway is not None
    made.gateway = type(made.gateway)(made.gateway.addresses, "x" * 4096, "y" * 48 * 1024)
    made.settle()
    raw = made.api.all(kinds.CONFIG_MAP)[0]["data"]
    newest = contract.CONFIG_KEYS[documents.CONFIG_VERSION]
    assert len(documents.WatchdogConfig.parse(raw[newest].encode()).routes) == 32
    assert sum(map(len, raw.values())) < 2**20, "a ConfigMap's bound"
    assert set(raw) < set(contract.CONFIG_KEYS.values()), "the oldest are left out first"
    made.policy(specs.agent())
    made.settle()
    assert set(made.api.all(kinds.CONFIG_MAP)[0]["data"]) == set(contract.CONFIG_KEYS.values()), "the control"
