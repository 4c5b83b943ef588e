"""Every rule of the gateway, each by one change to a request that passes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_gateway.core import credentials, decisions, records

Rule = contract.Rule
REQUEST = decisions.Request(method="CONNECT", authority="docs.example.com:443", source="10.0.0.1")
WHO = credentials.Identity(namespace="agents", service_account="zaum-demo", pod="zaum-demo-0-abcde", uid="uid-1")
POD = records.Pod(
    namespace="agents",
    name="zaum-demo-0-abcde",
    uid="uid-1",
    policy="demo",
    service_account="zaum-demo",
    addresses=frozenset({"10.0.0.1", "fd00::1"}),
    live=True,
    quarantined=False,
)
TABLE = hosts.HostTable.of((documents.HostRule(host="docs.example.com"),))
POLICY = records.Policy(namespace="agents", name="demo", uid="uid-p", table=TABLE)


def snapshot(pod: records.Pod | None = POD, policy: records.Policy | None = POLICY) -> records.Snapshot:
    return records.Snapshot(
        pods={pod.uid: pod} if pod else {}, policies={(policy.namespace, policy.name): policy} if policy else {}
    )


def decide(
    request: decisions.Request = REQUEST,
    who: credentials.Credential = WHO,
    seen: records.Snapshot | None = snapshot(),
) -> decisions.Decision:
    return decisions.decide(request, who, seen)


def test_a_named_host_is_allowed_on_behalf_of_its_policy() -> None:
    decision = decide()
    assert decision.allowed
    assert (decision.namespace, decision.policy, decision.pod, decision.uid) == (
        "agents",
        "demo",
        "zaum-demo-0-abcde",
        "uid-1",
    )


@pytest.mark.parametrize("source", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1", "FD00:0:0::1"])
def test_every_address_of_the_pod_is_its_own(source: str) -> None:
    assert decide(replace(REQUEST, source=source)).allowed


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"method": "GET"}, Rule.REQUEST_MALFORMED),
        ({"method": "connect"}, Rule.REQUEST_MALFORMED),
        ({"method": ""}, Rule.REQUEST_MALFORMED),
        ({"authority": ""}, Rule.HOST_MALFORMED),
        ({"authority": "docs.example.com"}, Rule.HOST_MALFORMED),
        ({"authority": "user@docs.example.com:443"}, Rule.HOST_MALFORMED),
        ({"authority": "docs.example.com:443:443"}, Rule.HOST_MALFORMED),
        ({"authority": "10.0.0.1:443"}, Rule.HOST_IS_ADDRESS),
        ({"authority": "other.example.com:443"}, Rule.HOST_NOT_NAMED),
        ({"authority": "docs.example.com:8443"}, Rule.PORT_NOT_NAMED),
        ({"source": "10.0.0.2"}, Rule.SOURCE_ADDRESS),
        ({"source": ""}, Rule.SOURCE_ADDRESS),
    ],
)
def test_i05_a_request_that_is_not_named(change: dict[str, str], rule: Rule) -> None:
    decision = decide(replace(REQUEST, **change))  # type: ignore[arg-type]
    assert decision.rule is rule
    assert decision.message


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"live": False}, Rule.POD_UNKNOWN),
        ({"policy": ""}, Rule.POD_UNKNOWN),
        ({"name": "zaum-demo-0-fffff"}, Rule.POD_UNKNOWN),
        ({"namespace": "other"}, Rule.POD_UNKNOWN),
        ({"service_account": "default"}, Rule.POD_UNKNOWN),
        ({"policy": "other"}, Rule.POD_UNKNOWN),
        ({"addresses": frozenset()}, Rule.SOURCE_ADDRESS),
        ({"quarantined": True}, Rule.QUARANTINED),
    ],
)
def test_i04_a_pod_that_is_not_the_tokens(change: dict[str, Any], rule: Rule) -> None:
    assert decide(seen=snapshot(pod=replace(POD, **change))).rule is rule


def test_i04_a_pod_that_runs_under_another_account_is_unknown_even_when_the_token_says_so() -> None:
    decision = decide(
        who=replace(WHO, service_account="default"), seen=snapshot(pod=replace(POD, service_account="default"))
    )
    assert decision.rule is Rule.POD_UNKNOWN


def test_i04_a_pod_that_is_not_there_is_unknown() -> None:
    assert decide(seen=snapshot(pod=None)).rule is Rule.POD_UNKNOWN


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (None, Rule.POLICY_GONE),
        (replace(POLICY, namespace="other"), Rule.POLICY_GONE),
        (replace(POLICY, deleting=True), Rule.POLICY_GONE),
        (replace(POLICY, table=None), Rule.POLICY_NOT_READY),
        (replace(POLICY, quarantined=True), Rule.QUARANTINED),
        (replace(POLICY, table=hosts.HostTable.of(())), Rule.HOST_NOT_NAMED),
    ],
)
def test_a_policy_that_names_nothing(policy: records.Policy | None, rule: Rule) -> None:
    assert decide(seen=snapshot(policy=policy)).rule is rule


def test_i12_a_policy_of_the_same_name_elsewhere_changes_nothing() -> None:
    wide = hosts.HostTable.of((documents.HostRule(host="other.example.com"),))
    elsewhere = records.Policy(namespace="other", name="demo", uid="x", table=wide)
    seen = records.Snapshot(pods={POD.uid: POD}, policies={("agents", "demo"): POLICY, ("other", "demo"): elsewhere})
    assert decide(replace(REQUEST, authority="other.example.com:443"), seen=seen).rule is Rule.HOST_NOT_NAMED


def test_i04_contact_without_a_token_is_that_whatever_else_it_is() -> None:
    for request in (REQUEST, replace(REQUEST, method="GET"), replace(REQUEST, authority="10.0.0.1:1")):
        assert decide(request, credentials.Missing()).rule is Rule.TOKEN_MISSING
        assert decide(request, credentials.Missing(), None).rule is Rule.TOKEN_MISSING


def test_a_token_that_proves_nothing_says_why() -> None:
    decision = decide(who=credentials.Invalid("the token has expired"))
    assert decision.rule is Rule.TOKEN_INVALID
    assert decision.message == "the token has expired"
    assert decision.policy == ""


def test_i08_before_the_cluster_was_read_nothing_opens() -> None:
    assert decide(seen=None).rule is Rule.GATEWAY_UNAVAILABLE


def test_a_refusal_says_what_would_have_allowed_it() -> None:
    decision = decide(replace(REQUEST, authority="other.example.com:443"))
    assert "other.example.com" in decision.allowed_by
    assert "443" in decision.allowed_by


@given(
    st.sampled_from(["CONNECT", "GET", ""]),
    st.one_of(st.just(REQUEST.authority), st.text(max_size=40)),
    st.sampled_from(["10.0.0.1", "10.0.0.2", "x", ""]),
    st.sampled_from(
        [WHO, credentials.Missing(), credentials.Invalid("x"), replace(WHO, uid="x"), replace(WHO, pod="")]
    ),
    st.sampled_from([snapshot(), snapshot(pod=None), snapshot(policy=None), None]),
)
def test_only_the_whole_truth_is_allowed(
    method: str, authority: str, source: str, who: credentials.Credential, seen: records.Snapshot | None
) -> None:
    decision = decide(decisions.Request(method=method, authority=authority, source=source), who, seen)
    whole = (method, source, who, seen) == ("CONNECT", "10.0.0.1", WHO, snapshot())
    named = authority.lower().replace(".:", ":") == REQUEST.authority
    assert decision.allowed == (whole and named)


def test_i04_a_report_is_taken_over_tls_alone_and_by_post() -> None:
    report = replace(SESSION, method="POST", path=contract.PATH_REPORT)
    assert decide(report).allowed
    for change in (
        {"listener": contract.Listener.SIGNED},
        {"method": "PUT"},
        {"method": "GET"},
        {"path": "/v1/reports"},
    ):
        assert decide(replace(report, **change)).rule is Rule.REQUEST_MALFORMED
    assert decide(report, credentials.Missing()).rule is Rule.TOKEN_MISSING
    assert decide(replace(report, source="10.0.0.2")).rule is Rule.SOURCE_ADDRESS


SESSION = decisions.Request(method="GET", authority="gateway.zaum.dev", source="10.0.0.1", path=contract.PATH_SESSION)


def test_a_session_is_given_to_a_live_pod_at_its_own_address() -> None:
    decision = decide(SESSION)
    assert decision.allowed
    assert (decision.namespace, decision.policy, decision.uid) == ("agents", "demo", "uid-1")


def test_a_pod_without_a_readable_policy_may_have_a_session_and_no_tunnel() -> None:
    seen = snapshot(policy=replace(POLICY, table=None))
    assert decide(SESSION, seen=seen).allowed
    assert decide(seen=seen).rule is Rule.POLICY_NOT_READY


@pytest.mark.parametrize(
    ("request_", "who", "seen", "rule"),
    [
        (SESSION, credentials.Missing(), snapshot(), Rule.TOKEN_MISSING),
        (SESSION, credentials.Invalid("why"), snapshot(), Rule.TOKEN_INVALID),
        (SESSION, WHO, None, Rule.GATEWAY_UNAVAILABLE),
        (SESSION, WHO, snapshot(pod=None), Rule.POD_UNKNOWN),
        (SESSION, WHO, snapshot(policy=None), Rule.POLICY_GONE),
        (SESSION, WHO, snapshot(policy=replace(POLICY, quarantined=True)), Rule.QUARANTINED),
        (replace(SESSION, source="10.0.0.2"), WHO, snapshot(), Rule.SOURCE_ADDRESS),
        (replace(SESSION, listener=contract.Listener.SIGNED), WHO, snapshot(), Rule.REQUEST_MALFORMED),
        (replace(SESSION, path=contract.PATH_SESSION + "?x"), WHO, snapshot(), Rule.REQUEST_MALFORMED),
        (replace(SESSION, method="POST"), WHO, snapshot(), Rule.REQUEST_MALFORMED),
    ],
)
def test_i04_a_session_is_refused(
    request_: decisions.Request, who: credentials.Credential, seen: records.Snapshot | None, rule: Rule
) -> None:
    assert decide(request_, who, seen).rule is rule


@pytest.mark.parametrize("rule", [Rule.SIGNATURE_INVALID, Rule.REPLAYED, Rule.SOURCE_ADDRESS])
def test_i04_what_a_signature_lacks_is_said_by_its_rule(rule: Rule) -> None:
    assert decide(who=credentials.Invalid("why", rule)).rule is rule


LEDGER = replace(REQUEST, authority="ledger.zaum.dev:15444")


@pytest.mark.parametrize("listener", contract.Listener)
def test_every_live_watchdog_reaches_the_ledger_by_its_fixed_name(listener: contract.Listener) -> None:
    bare = replace(POLICY, table=None)
    decision = decide(replace(LEDGER, listener=listener), seen=snapshot(policy=bare))
    assert decision.allowed, "also while its policy is not ready: what has been spent must be told"
    assert decision.policy == "demo"
    assert decide(replace(LEDGER, listener=listener), seen=snapshot()).allowed


@pytest.mark.parametrize(
    "authority",
    ["ledger.zaum.dev:15443", "ledger.zaum.dev:443", "LEDGER.zaum.dev:15444", "ledger.zaum.dev.:15444",
     "x.ledger.zaum.dev:15444", "docs.example.com:15444", "zaum-ledger.zaum-system.svc.cluster.local:15444"],
)  # fmt: skip
def test_no_other_spelling_or_port_leads_to_the_ledger(authority: str) -> None:
    assert not decide(replace(REQUEST, authority=authority)).allowed


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"who": credentials.Missing()}, Rule.TOKEN_MISSING),
        ({"who": credentials.Invalid("bad", Rule.TOKEN_INVALID)}, Rule.TOKEN_INVALID),
        ({"seen": None}, Rule.GATEWAY_UNAVAILABLE),
        ({"seen": snapshot(pod=None)}, Rule.POD_UNKNOWN),
        ({"seen": snapshot(pod=replace(POD, live=False))}, Rule.POD_UNKNOWN),
        ({"seen": snapshot(policy=None)}, Rule.POLICY_GONE),
        ({"request": replace(LEDGER, source="10.0.0.2")}, Rule.SOURCE_ADDRESS),
        ({"request": replace(LEDGER, method="GET")}, Rule.REQUEST_MALFORMED),
    ],
)
def test_i04_nobody_else_reaches_the_ledger(change: dict[str, Any], rule: contract.Rule) -> None:
    assert decide(**({"request": LEDGER} | change)).rule is rule
