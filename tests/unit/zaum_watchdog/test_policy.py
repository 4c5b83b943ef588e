"""One request, one ordered chain of checks."""

import pytest

from zaum_api import contract, documents, reading
from zaum_egress import hosts
from zaum_watchdog.core import heads, policy, rate

RULE = contract.Rule


def config(
    *hosts_: documents.HostRule,
    connections: int = 4,
    per_minute: int = 60,
    burst: int = 2,
    mode: documents.Mode = documents.Mode.ENFORCE,
) -> documents.WatchdogConfig:
    return documents.WatchdogConfig(
        namespace="agents",
        policy="researcher",
        gateway=documents.GatewayPeer(("192.0.2.1",), 15443, contract.GATEWAY_TLS_NAME, "CA"),
        hosts=hosts_,
        requests=documents.RequestRate(per_minute, burst),
        connections=connections,
        runaway=documents.Runaway(None, None, None),
        mode=mode,
    )


NAMED = policy.Policy.of(config(documents.HostRule("api.example.com")))


def head(target: str) -> heads.Head:
    raw = f"CONNECT {target} HTTP/1.0\r\n\r\n".encode()
    return heads.Head(b"CONNECT", target.encode(), "1.0", [], raw)


def admit(
    target: str,
    *,
    ruled: policy.Policy = NAMED,
    meter: rate.Meter | None = None,
    tunnels: int = 0,
    latched: contract.Breach | None = None,
    unproven: policy.Refusal | None = None,
) -> policy.Admitted | policy.Refusal:
    spent = meter or rate.Meter(ruled.config.requests)
    return policy.admit(
        ruled, head(target), meter=spent, tunnels=tunnels, latched=latched, now=0, unproven=unproven
    )  # fmt: skip


def test_a_named_host_is_admitted() -> None:
    assert admit("API.example.com:443") == (hosts.Authority(hosts.Host("api.example.com"), 443), None)


@pytest.mark.parametrize(
    ("target", "tunnels", "rule"),
    [
        ("evil.example.com:443", 0, RULE.HOST_NOT_NAMED),
        ("api.example.com:22", 0, RULE.PORT_NOT_NAMED),
        ("10.0.0.1:443", 0, RULE.HOST_IS_ADDRESS),
        ("web:443", 0, RULE.HOST_MALFORMED),
        ("api.example.com:443", 4, RULE.CONNECTIONS),
        ("evil.example.com:443", 4, RULE.HOST_NOT_NAMED),
    ],
)
def test_i05_what_is_not_named_is_refused_with_the_rule(target: str, tunnels: int, rule: contract.Rule) -> None:
    refused = admit(target, tunnels=tunnels)
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is rule
    assert refused.message


def test_i01_a_policy_without_hosts_admits_nothing() -> None:
    refused = admit("api.example.com:443", ruled=policy.Policy.of(config()))
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is RULE.HOST_NOT_NAMED


def test_i01_zero_connections_admit_nothing() -> None:
    ruled = policy.Policy.of(config(documents.HostRule("api.example.com"), connections=0))
    refused = admit("api.example.com:443", ruled=ruled)
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is RULE.CONNECTIONS


def test_i07_over_the_rate_is_refused_with_the_time_to_wait() -> None:
    meter = rate.Meter(NAMED.config.requests)
    outcomes = [admit("api.example.com:443", meter=meter) for _ in range(3)]
    refused = outcomes[2]
    assert isinstance(refused, policy.Refusal)
    assert (refused.rule, refused.retry_after) == (RULE.REQUESTS_PER_MINUTE, 1_000_000_000)


def test_a_request_refused_for_another_reason_costs_no_rate() -> None:
    meter = rate.Meter(NAMED.config.requests)
    for target, tunnels in (("evil.example.com:443", 0), ("api.example.com:443", 4)):
        for _ in range(10):
            admit(target, meter=meter, tunnels=tunnels)
    assert isinstance(admit("api.example.com:443", meter=meter), policy.Admitted)


def test_a_latched_verdict_refuses_before_anything_is_read() -> None:
    refused = admit("api.example.com:443", latched=contract.Breach.RUNAWAY_CPU)
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is RULE.LATCHED
    assert "RunawayCPU" in refused.message
    assert "the end of the breach" in refused.allowed_by, "what is cut and not killed needs no new pod"


def test_i02_without_the_proof_that_is_required_nothing_is_read_either() -> None:
    refused = policy.Refusal(RULE.NO_PROOF, "not yet")
    assert admit("api.example.com:443", unproven=refused) is refused
    latched = admit("api.example.com:443", unproven=refused, latched=contract.Breach.RUNAWAY_CPU)
    assert isinstance(latched, policy.Refusal)
    assert latched.rule is RULE.LATCHED


REPORTING = policy.Policy.of(config(documents.HostRule("api.example.com"), mode=documents.Mode.REPORT))


@pytest.mark.parametrize(
    ("target", "tunnels", "would_deny"),
    [
        ("api.example.com:443", 0, None),
        ("evil.example.com:443", 0, RULE.HOST_NOT_NAMED),
        ("api.example.com:8443", 0, RULE.PORT_NOT_NAMED),
        ("api.example.com:443", 4, RULE.CONNECTIONS),
        ("evil.example.com:443", 4, RULE.HOST_NOT_NAMED),
    ],
)
def test_the_mode_report_lets_pass_and_says_what_would_have_refused(
    target: str, tunnels: int, would_deny: contract.Rule | None
) -> None:
    admitted = admit(target, tunnels=tunnels, ruled=REPORTING)
    assert isinstance(admitted, policy.Admitted)
    assert admitted.would_deny is would_deny
    assert would_deny is None or would_deny in policy.WOULD_DENY


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("10.0.0.1:443", RULE.HOST_IS_ADDRESS),
        ("[::1]:443", RULE.HOST_IS_ADDRESS),
        ("web:443", RULE.HOST_MALFORMED),
        ("kubernetes.default.svc:443", RULE.HOST_MALFORMED),
    ],
)
def test_i06_the_mode_report_opens_no_address_and_no_name_that_is_none(target: str, rule: contract.Rule) -> None:
    refused = admit(target, ruled=REPORTING)
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is rule


def test_in_the_mode_report_the_latch_and_the_proof_decide_as_ever() -> None:
    latched = admit("api.example.com:443", ruled=REPORTING, latched=contract.Breach.RUNAWAY_CPU)
    assert isinstance(latched, policy.Refusal)
    refused = policy.Refusal(RULE.NO_PROOF, "not yet")
    assert admit("api.example.com:443", ruled=REPORTING, unproven=refused) is refused


def test_the_mode_report_lets_pass_what_is_over_the_rate() -> None:
    meter = rate.Meter(REPORTING.config.requests)
    found = [admit("api.example.com:443", ruled=REPORTING, meter=meter) for _ in range(4)]
    rules = [each.would_deny for each in found if isinstance(each, policy.Admitted)]
    assert rules == [None, None, RULE.REQUESTS_PER_MINUTE, RULE.REQUESTS_PER_MINUTE]


def test_in_the_mode_report_what_would_be_refused_by_name_spends_no_rate() -> None:
    meter = rate.Meter(REPORTING.config.requests)
    for _ in range(10):
        admit("evil.example.com:443", ruled=REPORTING, meter=meter)
    admitted = admit("api.example.com:443", ruled=REPORTING, meter=meter)
    assert isinstance(admitted, policy.Admitted)
    assert admitted.would_deny is None


@pytest.mark.parametrize("target", ["api.example.com:443", "evil.example.com:443"])
def test_i07_even_the_mode_report_opens_no_more_than_there_is_memory_for(target: str) -> None:
    assert isinstance(admit(target, tunnels=policy.REPORT_CONNECTIONS - 1, ruled=REPORTING), policy.Admitted)
    refused = admit(target, tunnels=policy.REPORT_CONNECTIONS, ruled=REPORTING)
    assert isinstance(refused, policy.Refusal)
    assert refused.rule is RULE.CONNECTIONS
    many = policy.Policy.of(config(connections=1000, mode=documents.Mode.REPORT))
    assert isinstance(admit(target, tunnels=999, ruled=many), policy.Admitted)
    assert NAMED.sockets == 4 + policy.SPARE_CONNECTIONS


def test_under_the_mode_report_any_tunnel_stays_and_back_under_enforce_only_what_is_named() -> None:
    authority = hosts.Authority(hosts.Host("evil.example.com"), 443)
    assert REPORTING.allows(authority)
    assert not NAMED.allows(authority)


def test_a_document_with_a_host_that_is_not_canonical_is_refused_whole() -> None:
    broken = config(documents.HostRule("api.example.com"), documents.HostRule("API.example.com"))
    with pytest.raises(reading.DocumentError) as refused:
        policy.Policy.of(broken)
    assert refused.value.place == "hosts[1].host"


def test_a_tunnel_stays_allowed_only_while_it_is_named() -> None:
    authority = hosts.Authority(hosts.Host("api.example.com"), 443)
    assert NAMED.allows(authority)
    assert not policy.Policy.of(config(documents.HostRule("api.example.com", (8443,)))).allows(authority)
    assert not policy.Policy.of(config()).allows(authority)


def test_throttling_and_outages_are_no_attempts_at_the_forbidden() -> None:
    harmless = {RULE.ALLOWED, RULE.REQUESTS_PER_MINUTE, RULE.CONNECTIONS, RULE.GATEWAY_UNAVAILABLE, RULE.EXPIRED}
    assert not (harmless | {RULE.NO_PROOF} | policy.OUTAGES) & policy.DENIED
    named = {rule for rule in contract.Rule if rule.value.startswith("egress.")}
    assert named - {RULE.ALLOWED, RULE.EXPIRED} <= policy.DENIED
