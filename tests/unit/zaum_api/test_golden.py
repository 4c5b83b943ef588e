"""What was once written stays readable, to the byte: parts of two releases live side by side during an upgrade.

The files under golden/ were written by the release whose version they carry. They are never regenerated: whoever has
to change one breaks every pod, authorizer or operator of the release before.
"""

import json
from pathlib import Path

import pytest

from zaum_api import contract, documents

GOLDEN = Path(__file__).parent / "golden"
PEER = documents.GatewayPeer(
    ("10.96.0.9", "fd00:10:96::9"),
    15443,
    "gateway.zaum.dev",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
)
HOSTS = (documents.HostRule("docs.example.com"), documents.HostRule("*.example.org", (443, 8443)))
FULL = documents.WatchdogConfig(
    namespace="agents",
    policy="researcher",
    gateway=PEER,
    hosts=HOSTS,
    requests=documents.RequestRate(60, 10),
    connections=32,
    runaway=documents.Runaway(
        documents.CpuDetector(90, 120, 500), documents.ProcessDetector(128, 5), documents.DeniedDetector(20, 60)
    ),
)
FIELDS = [
    ("limits.connections", "32", "Default"),
    ("agent.replicas", "2", "Policy"),
    ("limits.requests.perMinute", "60", "Ceiling"),
]
LOCKED = documents.WatchdogConfig(
    namespace="agents",
    policy="locked",
    gateway=PEER,
    hosts=(),
    requests=documents.RequestRate(0, 0),
    connections=0,
    runaway=documents.Runaway(None, None, None),
)
LAST = ("limits", "prices", "ledger")
LATER = (*LAST, "mode", "signed_port", "tunnels", "routes", "upstream_ca_pem", "cage")
CHECKED = documents.WatchdogConfig(
    **{name: getattr(FULL, name) for name in FULL.__dataclass_fields__ if name != "liveness"},
    liveness=documents.Liveness(documents.LivenessKind.HTTP, 8080, "/healthz?deep=1", 5, 10, 1, 3),
)
DIALLED = documents.WatchdogConfig(
    **{name: getattr(LOCKED, name) for name in LOCKED.__dataclass_fields__ if name != "liveness"},
    liveness=documents.Liveness(documents.LivenessKind.TCP, 5432, "", 0, 1, 60, 100),
)
ROUTED = documents.WatchdogConfig(
    **{name: getattr(CHECKED, name) for name in CHECKED.__dataclass_fields__ if name not in LATER},
    mode=documents.Mode.REPORT,
    signed_port=15442,
    tunnels=documents.Tunnels(60, 600),
    routes=(
        documents.Route(
            "model", "api.example.com", 8443, "/v1", (documents.Allowed(("GET", "POST"), "/chat/*"),),
            documents.Credential("x-api-key", ""), api="Anthropic", models=("large-1",),
        ),
        documents.Route("tools", "tools.team.svc.cluster.local", 80, "", (), tls=False, service=True),
    ),
    upstream_ca_pem="-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n",
    cage=documents.Cage(
        (
            documents.CageTarget("apiServer", documents.Transport.TCP, "10.96.0.1", 443),
            documents.CageTarget("dns", documents.Transport.DNS, "fd00:10:96::a", 53),
        ),
        60,
        required=True,
    ),
)  # fmt: skip
PRICED = documents.Price("large-1", 3_000_000, 300_000, 3_750_000, 15_000_000)
METERED = documents.WatchdogConfig(
    **{name: getattr(ROUTED, name) for name in ROUTED.__dataclass_fields__ if name not in {*LAST, "routes"}},
    routes=(
        documents.Route(
            "model", "api.example.com", 8443, "/v1", (documents.Allowed(("POST",), "/messages"),),
            documents.Credential("x-api-key", ""), api="Anthropic", models=("large-1",), prices=(PRICED,),
            redact=documents.Redaction(
                documents.Classes(email=documents.Redact.TOKENISE, tokens=documents.Redact.DENY),
                documents.Classes(cards=documents.Redact.MASK),
                restore=True,
            ),
        ),
        documents.Route("tools", "tools.team.svc.cluster.local", 80, "", (), tls=False, service=True),
    ),
    limits=documents.Limits(
        (
            documents.Meter("policy", documents.Kind.BYTES_OUT, documents.Window.HOUR, 52_428_800),
            documents.Meter("policy", documents.Kind.COST, documents.Window.DAY, 10_000_000),
            documents.Meter("route/model", documents.Kind.REQUESTS, documents.Window.MINUTE, 6, 2),
            documents.Meter("route/model", documents.Kind.TOKENS, documents.Window.MINUTE, 1000),
            documents.Meter("host/*.example.org", documents.Kind.BYTES_IN, documents.Window.HOUR, 0),
        ),
        replicas=3,
        generation=7,
        created=1_795_392_000,
    ),
    prices=(documents.PriceTable("Anthropic", (documents.Price("small-1", 1, 0, 2, 5),)),),
    ledger=documents.LedgerPeer(
        "ledger.zaum.dev", 15444, "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n"
    ),
)  # fmt: skip
CONTAINED = documents.WatchdogConfig(
    **{name: getattr(METERED, name) for name in METERED.__dataclass_fields__ if name not in {"runaway", "containment"}},
    runaway=documents.Runaway(
        documents.CpuDetector(90, 120, 500),
        documents.ProcessDetector(128, 5),
        documents.DeniedDetector(20, 60),
        memory=documents.MemoryDetector(33_554_432, 300),
        forks=documents.ForkDetector(10_000, 60),
        files=documents.FileDetector(4096, 30),
        repeated=documents.RepeatedDetector(30, 60),
        errors=documents.ErrorDetector(90, 30, 120),
        no_progress=documents.NoProgressDetector(200_000, 600),
        egress_bytes=documents.EgressDetector(1_073_741_824, 600),
        idle=documents.IdleDetector(1800),
        starved=documents.StarvedDetector(5, 60),
    ),
    containment=documents.Containment(documents.Step.THROTTLE, 0, documents.Step.CUT),
)
CONFIGS = {
    "config.v2.full": FULL,
    "config.v2.http": CHECKED,
    "config.v2.tcp": DIALLED,
    "config.v3.plain": FULL,
    "config.v3.routed": ROUTED,
    "config.v4.plain": FULL,
    "config.v4.metered": METERED,
    "config.v5.plain": FULL,
    "config.v5.contained": CONTAINED,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_that_was_written_is_read_as_what_it_meant(name: str) -> None:
    assert documents.WatchdogConfig.parse((GOLDEN / f"{name}.json").read_bytes()) == CONFIGS[name]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_still_written_to_the_byte(name: str) -> None:
    raw = (GOLDEN / f"{name}.json").read_bytes()
    assert CONFIGS[name].dump(name.split(".")[1]) == raw, "its digest would change on every pod"


def test_what_a_pod_reads_of_prices_is_the_routes_own_and_then_the_installations() -> None:
    config = documents.WatchdogConfig.parse((GOLDEN / "config.v4.metered.json").read_bytes())
    assert set(config.prices_of(config.routes[0])) == {"large-1", "small-1"}
    assert config.prices_of(config.routes[0])["large-1"] == PRICED
    assert config.prices_of(config.routes[1]) == {}, "nothing is known of another api"


def test_i07_every_limit_of_a_document_is_a_meter() -> None:
    ids = [meter.id for meter in METERED.meters]
    assert ids[:2] == ["policy:requests/minute", "policy:connections/now"]
    assert ids[2:] == [meter.id for meter in METERED.limits.meters]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("version", documents.CONFIG_VERSIONS)
def test_each_version_has_a_golden_file(version: str) -> None:
    assert any(f".{version}." in name for name in CONFIGS)


def test_no_golden_file_is_left_out() -> None:
    listed = {*CONFIGS, "effective.v1", "effective.v2", "report.v1", "report.v2", "denial", "last-words"}
    assert {path.stem for path in GOLDEN.iterdir()} == listed


def test_an_effective_policy_of_the_version_before_is_read_as_what_it_meant() -> None:
    effective = documents.Effective.read(json.loads((GOLDEN / "effective.v1.json").read_text()))
    assert effective.hosts == HOSTS
    assert [(item.field, item.value, item.source.value) for item in effective.fields] == FIELDS
    assert (effective.mode, effective.routes) == (documents.Mode.ENFORCE, ()), "what v1 could not say"


def test_an_effective_policy_that_was_written_is_read_and_written_back() -> None:
    body = json.loads((GOLDEN / "effective.v2.json").read_text())
    effective = documents.Effective.read(body)
    assert effective.hosts == HOSTS
    assert [(item.field, item.value, item.source.value) for item in effective.fields] == FIELDS
    assert effective.mode is documents.Mode.REPORT
    assert effective.routes == (
        documents.EffectiveRoute("model", "api.example.com", 443),
        documents.EffectiveRoute("tools", "tools.team.svc.cluster.local", 80, service=True),
    )
    assert effective.write() == body


def test_a_report_that_was_written_is_read_and_written_back() -> None:
    raw = (GOLDEN / "report.v1.json").read_bytes()
    found = documents.Report.parse(raw)
    escapes = (documents.Escape("metadata", "169.254.169.254:80", "connected"),)
    assert found == documents.Report("sha256:00", "", 7, escapes, 12, 3, 1, ("model",))
    assert not found.proven
    assert found.dump() == raw


def test_a_report_of_the_ladder_is_read_and_written_back() -> None:
    raw = (GOLDEN / "report.v2.json").read_bytes()
    found = documents.Report.parse(raw)
    assert found.contained == documents.Contained(documents.Rung.CUT, "RunawayDenied", 2, 1795424000123)
    assert found.contained.cut
    assert found.dump() == raw


def test_a_denial_keeps_its_shape() -> None:
    denial = documents.Denial(rule="egress.hosts", message="m", allowed_by="a", policy="n/p")
    assert denial.dump() == (GOLDEN / "denial.json").read_bytes()


def test_the_last_words_of_a_watchdog_keep_their_meaning() -> None:
    words = (GOLDEN / "last-words.txt").read_text().splitlines(keepends=True)
    read = [documents.LastWord.read(word) for word in words]
    assert [word and word.write().decode() for word in read] == words
    said = [breach for breach in contract.Breach if breach is not contract.Breach.GATEWAY_CONTACT]
    assert [word and word.breach for word in read] == [*said, None], "the authorizer sees a contact, not the watchdog"
    assert [word and word.unhealthy for word in read] == [*(False for _ in said), True]


@pytest.mark.parametrize(
    "message", ["", "\n", "an error\n", "runawayCPU", "Traceback (most recent call last):", "X" * 65]
)
def test_what_is_no_word_says_nothing(message: str) -> None:
    assert documents.LastWord.read(message) is None


def test_a_word_of_another_version_is_still_a_word() -> None:
    word = documents.LastWord.read("RunawayBytes\n")
    assert word == documents.LastWord("RunawayBytes")
    assert word.breach is None
    assert not word.unhealthy
