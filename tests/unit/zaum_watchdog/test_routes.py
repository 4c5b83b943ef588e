"""Routes: what may be asked, and what goes out instead of it."""

import dataclasses

import pytest

from tests.unit.zaum_watchdog import routed, test_policy
from zaum_api import contract, documents, reading
from zaum_egress import hosts
from zaum_watchdog.core import policy, rate, refusals, routes

RULE = contract.Rule
ALLOWED = documents.Allowed
GET_FILES = ALLOWED(("GET", "DELETE"), "/files/*")


def table(*items: documents.Route) -> dict[str, routes.Route]:
    return dict(routes.table(dataclasses.replace(test_policy.config(), routes=items)))


KNOWN = table(
    routed.route(ALLOWED(("POST",), "/chat/completions"), GET_FILES, ALLOWED(("GET",), "/a%20%7eb")),
    routed.route(ALLOWED(("GET",), "/*"), name="open", credential=None, host="other.example.com", port=8443, base=""),
)


def decide(start: str, *lines: str) -> routes.Asked | refusals.Refusal:
    return routes.decide(KNOWN, routed.understood(routed.raw(*lines, start=f"{start} HTTP/1.1")))


@pytest.mark.parametrize(
    ("start", "path"),
    [
        ("POST /openai/chat/completions", "/chat/completions"),
        ("POST /openai/chat/completions?a=b", "/chat/completions"),
        ("GET /openai/files/1/content", "/files/1/content"),
        ("GET /openai/files/", "/files/"),
        ("DELETE /openai/files/%31", "/files/1"),
        ("GET /openai/a%20~b", "/a%20~b"),
        ("GET /open/", "/"),
        ("GET /open", "/"),
        ("GET /open/openai/x", "/openai/x"),
    ],
)
def test_what_an_entry_names_is_allowed(start: str, path: str) -> None:
    asked = decide(start)
    assert isinstance(asked, routes.Asked)
    assert asked.path == path


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        ("GET /", RULE.ROUTE_UNKNOWN),
        ("GET /anthropic/v1/messages", RULE.ROUTE_UNKNOWN),
        ("GET /OpenAI/files/1", RULE.ROUTE_UNKNOWN),
        ("POST /openaix/chat/completions", RULE.ROUTE_UNKNOWN),
        ("GET /openai/chat/completions", RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/chat/completions/", RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/chat/completions/x", RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/Chat/completions", RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/files/1", RULE.ROUTE_NOT_ALLOWED),
        ("GET /openai/files", RULE.ROUTE_NOT_ALLOWED),
        ("GET /openai/filesx", RULE.ROUTE_NOT_ALLOWED),
        ("GET /openai", RULE.ROUTE_NOT_ALLOWED),
    ],
)
def test_i05_what_no_entry_names_is_refused_and_told_what_would_allow_it(start: str, rule: contract.Rule) -> None:
    refused = decide(start)
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is rule
    assert "spec.egress.routes" in refused.allowed_by


def test_a_body_that_says_that_it_is_too_large_is_refused() -> None:
    fits = decide("POST /openai/chat/completions", f"Content-Length: {routes.BODY_MAX}")
    assert isinstance(fits, routes.Asked)
    refused = decide("POST /openai/chat/completions", f"Content-Length: {routes.BODY_MAX + 1}")
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is RULE.REQUEST_TOO_LARGE


CLIENTS = (
    "Authorization: Bearer zaum-placeholder", "Proxy-Authorization: Basic x", "Cookie: a=b", "X-Api-Key: mine",
    "Api-Key: x", "X-Goog-Api-Key: x", "X_Api_Key: x", "X_Forwarded_For: 10.0.0.1", "Content_Length: 5",
    "Transfer_Encoding: chunked", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: x", "Forwarded: for=x", "Via: 1.1 x",
    "X-Real-IP: 10.0.0.1", "X-Zaum-Rule: egress.allowed", "Connection: keep-alive, X-Mine", "X-Mine: 1",
    "Keep-Alive: 5",
    "TE: trailers", "Trailer: X", "Proxy-Connection: keep-alive", "X-Original-URL: /admin",
    "X-HTTP-Method-Override: DELETE", "Expect: 100-continue", "X-Envoy-Upstream-Alt-Stat-Name: x",
)  # fmt: skip


def written(start: str, *lines: str, credential: bytes = routed.SECRET) -> list[bytes]:
    asked = decide(start, *lines)
    assert isinstance(asked, routes.Asked), asked
    return routes.head(asked, credential).split(b"\r\n")


def test_i15_the_routes_credential_replaces_all_that_the_client_says_of_itself() -> None:
    lines = written(
        "POST /openai/chat/completions?a=b",
        *CLIENTS,
        "Accept-Encoding: gzip",
        "X-Keep: 1",
        "X-Keep: 2",
        "Content-Length: 3",
    )
    assert lines == [
        b"POST /v1/chat/completions?a=b HTTP/1.1", b"host: api.example.com", b"x-keep: 1", b"x-keep: 2",
        b"authorization: Bearer " + routed.SECRET, b"accept-encoding: identity", b"content-length: 3", b"", b"",
    ]  # fmt: skip


def test_a_route_without_a_credential_sends_none_of_the_clients_either() -> None:
    assert written("GET /open/x", *CLIENTS, "Accept-Encoding: gzip", credential=b"") == [
        b"GET /x HTTP/1.1", b"host: other.example.com:8443", b"accept-encoding: gzip", b"", b"",
    ]  # fmt: skip


def test_the_framing_is_written_anew() -> None:
    assert b"transfer-encoding: chunked" in written("POST /openai/chat/completions", "Transfer-Encoding: CHUNKED")
    assert b"content-length: 0" in written("POST /openai/chat/completions")
    assert not [line for line in written("GET /openai/files/1") if line.startswith(b"content-length")]


def test_another_header_of_the_credential_is_dropped_from_the_client_too() -> None:
    known = table(routed.route(credential=documents.Credential("x-key", "")))
    request = routed.understood(routed.raw("X-Key: mine"))
    asked = routes.decide(known, request)
    assert isinstance(asked, routes.Asked)
    head = routes.head(asked, routed.SECRET)
    assert head.count(b"x-key: ") == 1
    assert b"x-key: " + routed.SECRET in head


def test_names_that_servers_take_for_the_credentials_header_are_dropped() -> None:
    """CGI and WSGI, for two, know no difference between a hyphen and an underscore in a header's name."""
    known = table(routed.route(credential=documents.Credential("x-key", "")))
    asked = routes.decide(known, routed.understood(routed.raw("X_Key: mine", "X_Other: kept")))
    assert isinstance(asked, routes.Asked)
    head = routes.head(asked, routed.SECRET)
    assert b"mine" not in head
    assert b"x_other: kept" in head


def test_a_request_goes_on_only_under_a_document_that_still_allows_it() -> None:
    asked = decide("POST /openai/chat/completions")
    assert isinstance(asked, routes.Asked)
    assert routes.stands(KNOWN, asked)
    assert routes.stands(table(routed.route(), routed.route(name="other")), asked)
    for changed in (
        [],
        [routed.route(name="other")],
        [routed.route(ALLOWED(("GET",), "/chat/completions"))],
        [routed.route(ALLOWED(("POST",), "/files/*"))],
        [routed.route(host="other.example.com")],
        [routed.route(port=8443)],
        [routed.route(base="/v2")],
        [routed.route(credential=None)],
    ):
        assert not routes.stands(table(*changed), asked)


@pytest.mark.parametrize(
    ("route", "place"),
    [
        (routed.route(host="API.example.com"), "routes[0].host"),
        (routed.route(host="10.0.0.1"), "routes[0].host"),
        (routed.route(host="web.agents.svc.cluster.local"), "routes[0].host"),
        (routed.route(host="api.example.com", service=True), "routes[0].host"),
        (routed.route(host="a.svc", service=True), "routes[0].host"),
        (routed.route(ALLOWED(("GET",), "/a/../b")), "routes[0].allow[0].path"),
        (routed.route(ALLOWED(("GET",), "/a//*")), "routes[0].allow[0].path"),
        (routed.route(ALLOWED(("GET",), "/%2f")), "routes[0].allow[0].path"),
    ],
)
def test_a_document_whose_route_cannot_be_meant_is_refused_whole(route: documents.Route, place: str) -> None:
    with pytest.raises(reading.DocumentError) as caught:
        policy.Policy.of(dataclasses.replace(test_policy.config(), routes=(route,)))
    assert caught.value.place == place


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(reading.DocumentError, match="twice"):
        table(routed.route(), routed.route())


def test_a_service_is_named_by_its_name_in_the_cluster() -> None:
    known = table(routed.route(host="web.tools.svc.cluster.local", port=8080, service=True, tls=False))
    assert known["openai"].authority == hosts.Authority(hosts.Host("web.tools.svc.cluster.local"), 8080)
    assert known["openai"].host == b"web.tools.svc.cluster.local:8080"
    plain = table(routed.route(host="web.tools.svc.cluster.local", port=80, service=True, tls=False))
    assert plain["openai"].host == b"web.tools.svc.cluster.local"


def admit(
    start: str = "POST /openai/chat/completions",
    *,
    unusable: dict[str, str] | None = None,
    tunnels: int = 0,
    meter: rate.Meter | None = None,
    latched: contract.Breach | None = None,
    unproven: refusals.Refusal | None = None,
) -> contract.Rule | None:
    ruled = policy.Policy.of(dataclasses.replace(test_policy.config(), routes=(routed.route(),)))
    found = policy.admit_routed(
        ruled, routed.understood(routed.raw(start=f"{start} HTTP/1.1")), unusable=unusable or {},
        meter=meter or rate.Meter(ruled.config.requests), tunnels=tunnels, latched=latched, now=0, unproven=unproven,
    )  # fmt: skip
    return found.rule if isinstance(found, refusals.Refusal) else None


def reported(
    start: str = "POST /openai/chat/completions", *, unusable: dict[str, str] | None = None, tunnels: int = 0
) -> routes.Asked | refusals.Refusal:
    config = dataclasses.replace(test_policy.config(mode=documents.Mode.REPORT), routes=(routed.route(),))
    return policy.admit_routed(
        policy.Policy.of(config), routed.understood(routed.raw(start=f"{start} HTTP/1.1")), unusable=unusable or {},
        meter=rate.Meter(config.requests), tunnels=tunnels, latched=None, now=0,
    )  # fmt: skip


def test_i02_without_the_proof_that_is_required_no_route_is_decided() -> None:
    refused = refusals.Refusal(RULE.NO_PROOF, "not yet")
    assert admit("GET /nowhere/", unproven=refused) is RULE.NO_PROOF
    assert admit("GET /nowhere/", unproven=refused, latched=contract.Breach.RUNAWAY_CPU) is RULE.LATCHED


@pytest.mark.parametrize(
    ("start", "unusable", "rule"),
    [
        ("GET /nowhere/", {}, RULE.ROUTE_UNKNOWN),
        ("DELETE /openai/chat/completions", {}, RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/other", {}, RULE.ROUTE_NOT_ALLOWED),
        ("POST /openai/chat/completions", {"openai": "is gone"}, RULE.ROUTE_CREDENTIAL),
    ],
)
def test_i06_the_mode_report_opens_nothing_on_routes(start: str, unusable: dict[str, str], rule: contract.Rule) -> None:
    refused = reported(start, unusable=unusable)
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is rule


def test_the_mode_report_lets_requests_on_routes_pass_that_are_over_a_limit() -> None:
    within, over = reported(), reported(tunnels=4)
    assert isinstance(within, routes.Asked)
    assert within.would_deny is None
    assert isinstance(over, routes.Asked)
    assert over.would_deny is RULE.CONNECTIONS
    refused = reported(tunnels=policy.REPORT_CONNECTIONS)
    assert isinstance(refused, refusals.Refusal)
    assert refused.rule is RULE.CONNECTIONS


def test_a_request_is_decided_in_one_order() -> None:
    meter = rate.Meter(documents.RequestRate(60, 1))
    assert admit("GET /nowhere/", latched=contract.Breach.RUNAWAY_CPU, meter=meter) is RULE.LATCHED
    assert admit("GET /nowhere/", unusable={"openai": "is gone"}, meter=meter) is RULE.ROUTE_UNKNOWN
    assert admit(unusable={"openai": "is gone"}, tunnels=4, meter=meter) is RULE.ROUTE_CREDENTIAL
    assert admit(tunnels=4, meter=meter) is RULE.CONNECTIONS
    assert admit(unusable={"other": "is gone"}, meter=meter) is None, "what was refused has cost nothing of the rate"
    assert admit(meter=meter) is RULE.REQUESTS_PER_MINUTE
