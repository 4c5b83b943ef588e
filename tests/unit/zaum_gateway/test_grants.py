"""What `status.effective` grants beside its hosts: routes, Services, mode Report; and what nothing grants."""

from dataclasses import replace
from typing import Any

import pytest

from zaum_api import contract, documents
from zaum_gateway.core import credentials, decisions, records

Rule = contract.Rule
Mode = documents.Mode
DOMAIN = "cluster.local"
WHO = credentials.Identity(namespace="agents", service_account="zaum-demo", pod="zaum-demo-0-abcde", uid="uid-1")
POD = records.Pod(
    namespace="agents",
    name="zaum-demo-0-abcde",
    uid="uid-1",
    policy="demo",
    service_account="zaum-demo",
    addresses=frozenset({"10.0.0.1"}),
    live=True,
    quarantined=False,
)
HOSTS = (documents.HostRule(host="docs.example.com"),)
ROUTES = (
    documents.EffectiveRoute("llm", "api.example.com", 443),
    documents.EffectiveRoute("search", "search.tools.svc.cluster.local", 8080, service=True),
)


def body(effective: dict[str, Any], uid: str = "uid-p") -> dict[str, Any]:
    return {"metadata": {"namespace": "agents", "name": "demo", "uid": uid}, "status": {"effective": effective}}


def granting(mode: Mode = Mode.ENFORCE, *routes: documents.EffectiveRoute) -> records.Policy:
    effective = documents.Effective(hosts=HOSTS, mode=mode, routes=routes or ROUTES)
    return records.Policy.read(body(effective.write()), None, DOMAIN)


def decide(authority: str, policy: records.Policy) -> decisions.Decision:
    seen = records.Snapshot(pods={POD.uid: POD}, policies={("agents", "demo"): policy})
    request = decisions.Request(method="CONNECT", authority=authority, source="10.0.0.1")
    return decisions.decide(request, WHO, seen, cluster_domain=DOMAIN, own_namespace="zaum-system")


@pytest.mark.parametrize(
    "authority", ["docs.example.com:443", "api.example.com:443", "search.tools.svc.cluster.local:8080"]
)
def test_hosts_routes_and_services_are_reached(authority: str) -> None:
    decision = decide(authority, granting())
    assert decision.allowed
    assert decision.would_deny is None


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("authority", "rule"),
    [
        ("search.tools.svc.cluster.local:8081", Rule.HOST_MALFORMED),
        ("other.tools.svc.cluster.local:8080", Rule.HOST_MALFORMED),
        ("search.other.svc.cluster.local:8080", Rule.HOST_MALFORMED),
        ("Search.tools.svc.cluster.local:8080", Rule.HOST_MALFORMED),
        ("search.tools.svc.cluster.local.:8080", Rule.HOST_MALFORMED),
        ("search.tools.svc:8080", Rule.HOST_MALFORMED),
        ("search.tools:8080", Rule.HOST_NOT_NAMED),
        ("x.search.tools.svc.cluster.local:8080", Rule.HOST_MALFORMED),
        ("kubernetes.default.svc.cluster.local:443", Rule.HOST_MALFORMED),
        ("10.0.0.1:443", Rule.HOST_IS_ADDRESS),
        ("[::1]:443", Rule.HOST_IS_ADDRESS),
        ("localhost:443", Rule.HOST_MALFORMED),
        ("cage.invalid:443", Rule.HOST_NOT_NAMED),
        ("CAGE.invalid.:443", Rule.HOST_NOT_NAMED),
    ],
)
def test_i05_what_nothing_grants_is_refused_in_each_mode(authority: str, rule: Rule, mode: Mode) -> None:
    decision = decide(authority, granting(mode))
    if authority == "search.tools:8080" and mode is Mode.REPORT:
        # A name with two labels may as well be one of the outside: it resolves without search domains, so not inward.
        assert decision.would_deny is rule
        return
    assert decision.rule is rule


@pytest.mark.parametrize(
    ("authority", "rule"),
    [("other.example.com:443", Rule.HOST_NOT_NAMED), ("docs.example.com:8443", Rule.PORT_NOT_NAMED)],
)
def test_in_report_mode_what_is_not_named_passes_and_says_so(authority: str, rule: Rule) -> None:
    assert decide(authority, granting()).rule is rule
    decision = decide(authority, granting(Mode.REPORT))
    assert decision.allowed
    assert decision.would_deny is rule


def test_i05_the_cages_host_is_refused_even_where_a_policy_names_it() -> None:
    effective = documents.Effective(
        hosts=(documents.HostRule(contract.CAGE_HOST),),
        mode=Mode.REPORT,
        routes=(documents.EffectiveRoute("x", contract.CAGE_HOST, 443),),
    )
    policy = records.Policy.read(body(effective.write()), None, DOMAIN)
    assert policy.table is not None
    assert decide(f"{contract.CAGE_HOST}:443", policy).rule is Rule.HOST_NOT_NAMED


NEVER = ["dns.kube-system", "kubernetes.default", "zaum-authorizer.zaum-system"]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", NEVER)
def test_i05_no_route_leads_to_the_clusters_own_services(name: str, mode: Mode) -> None:
    host = f"{name}.svc.cluster.local"
    policy = granting(mode, documents.EffectiveRoute("x", host, 443, service=True))
    assert policy.services
    assert decide(f"{host}:443", policy).rule is Rule.ROUTE_SERVICE
    fine = granting(mode, documents.EffectiveRoute("x", "other.default.svc.cluster.local", 443, service=True))
    assert decide("other.default.svc.cluster.local:443", fine).allowed


def test_the_first_version_names_hosts_alone_and_enforces() -> None:
    effective = documents.Effective(hosts=HOSTS).write()
    first = {"documentVersion": "v1", "hosts": effective["hosts"], "fields": effective["fields"]}
    policy = records.Policy.read(body(first), None, DOMAIN)
    assert (policy.problem, policy.mode, policy.routes, policy.services) == ("", Mode.ENFORCE, frozenset(), frozenset())
    assert decide("docs.example.com:443", policy).allowed
    assert decide("other.example.com:443", policy).rule is Rule.HOST_NOT_NAMED


@pytest.mark.parametrize(
    "route",
    [
        documents.EffectiveRoute("x", "10.0.0.1", 443),
        documents.EffectiveRoute("x", "API.example.com", 443),
        documents.EffectiveRoute("x", "a.tools.svc.cluster.local", 443),
        documents.EffectiveRoute("x", "a.example.com", 443, service=True),
        documents.EffectiveRoute("x", "a.b.tools.svc.cluster.local", 443, service=True),
    ],
)
def test_a_document_with_an_odd_route_keeps_all_of_the_last_good_one(route: documents.EffectiveRoute) -> None:
    good = granting(Mode.REPORT)
    odd = documents.Effective(hosts=(), routes=(route,)).write()
    kept = records.Policy.read(body(odd), good, DOMAIN)
    assert "routes[0]" in kept.problem
    assert replace(kept, problem="") == good
    assert records.Policy.read(body(odd, uid="another"), good, DOMAIN).table is None


def test_a_policy_without_a_readable_document_reaches_no_service() -> None:
    nothing = records.Policy(namespace="agents", name="demo", uid="uid-p", table=None)
    assert decide("search.tools.svc.cluster.local:8080", nothing).rule is Rule.POLICY_NOT_READY
