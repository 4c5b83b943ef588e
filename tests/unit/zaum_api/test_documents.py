"""Documents are read strictly and written canonically."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents, reading
from zaum_api.reading import DocumentError

CLASSES = dict.fromkeys(("cards", "iban", "email", "phone", "cloudKeys", "tokens"), "Off")
METERS = [
    {"scope": "policy", "kind": "cost", "window": "day", "limit": 10_000_000, "burst": 0},
    {"scope": "route/model", "kind": "requests", "window": "minute", "limit": 6, "burst": 2},
    {"scope": "host/*.example.org", "kind": "bytesOut", "window": "hour", "limit": 0, "burst": 0},
]
WHOLE: dict[str, Any] = {
    "version": "v5",
    "namespace": "agents",
    "policy": "researcher",
    "gateway": {
        "addresses": ["10.96.0.9"],
        "port": 15443,
        "tlsName": "gateway.zaum.dev",
        "caPEM": "PEM",
        "unsafePlaintext": False,
    },
    "hosts": [{"host": "docs.example.com", "ports": [443]}],
    "requests": {"perMinute": 60, "burst": 10},
    "connections": 32,
    "runaway": {
        "cpu": {"abovePercent": 90, "forSeconds": 120, "limitMillis": 500},
        "processes": {"above": 128, "forSeconds": 5},
        "denied": {"above": 20, "perSeconds": 60},
        "memory": {"growthPerMinute": 33554432, "forSeconds": 300},
        "forks": {"above": 10000, "perSeconds": 60},
        "files": {"above": 4096, "forSeconds": 30},
        "repeated": {"same": 30, "perSeconds": 60},
        "errors": {"abovePercent": 90, "ofAtLeast": 30, "perSeconds": 120},
        "noProgress": {"tokens": 200000, "forSeconds": 600},
        "egressBytes": {"above": 1073741824, "perSeconds": 600},
        "idle": {"forSeconds": 1800},
        "starved": {"lateSeconds": 5, "forSeconds": 60},
    },
    "liveness": {
        "kind": "http",
        "port": 8080,
        "path": "/healthz?deep=1",
        "initialDelaySeconds": 0,
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
    },
    "mode": "Enforce",
    "signedPort": 15442,
    "tunnels": {"idleSeconds": 60, "maxSeconds": 600},
    "routes": [
        {
            "name": "model",
            "host": "api.example.com",
            "port": 443,
            "base": "/v1",
            "allow": [{"methods": ["POST"], "path": "/chat/*"}],
            "credential": {"header": "authorization", "prefix": "Bearer ", "file": "credential"},
            "tls": True,
            "service": False,
            "api": "OpenAI",
            "models": ["large-1"],
            "prices": [
                {"model": "large-1", "input": 1250000, "cachedInput": 125000, "cacheWrite": 2500000, "output": 10000000}
            ],
            "redact": {
                "request": CLASSES | {"email": "Tokenise", "tokens": "Deny"},
                "response": CLASSES | {"cards": "Mask"},
                "restore": False,
            },
        }
    ],
    "upstreamCAPEM": "PEM",
    "cage": {
        "targets": [{"name": "metadata", "transport": "tcp", "address": "169.254.169.254", "port": 80}],
        "periodSeconds": 60,
        "required": False,
    },
    "limits": {"meters": METERS, "replicas": 3, "generation": 7, "created": 1_795_392_000},
    "prices": [
        {
            "api": "OpenAI",
            "prices": [{"model": "small-1", "input": 1, "cachedInput": 0, "cacheWrite": 2, "output": 3}],
        }
    ],
    "ledger": {"tlsName": "ledger.zaum.dev", "port": 15444, "caPEM": "PEM"},
    "containment": {"onRunaway": "Kill", "killsBeforeQuarantine": 3, "onBudget": "Throttle"},
}
_FIRST_DETECTORS = ("cpu", "processes", "denied")
V4: dict[str, Any] = {key: copy.deepcopy(value) for key, value in WHOLE.items() if key != "containment"} | {
    "version": "v4",
    "runaway": {key: WHOLE["runaway"][key] for key in _FIRST_DETECTORS},
}
_LAST = ("limits", "prices", "ledger")
_LATER = ("mode", "signedPort", "tunnels", "routes", "upstreamCAPEM", "cage", *_LAST)
V3: dict[str, Any] = {key: copy.deepcopy(value) for key, value in V4.items() if key not in _LAST} | {"version": "v3"}
del V3["routes"][0]["prices"], V3["routes"][0]["redact"]
V2: dict[str, Any] = {key: value for key, value in V4.items() if key not in _LATER} | {"version": "v2"}
EFFECTIVE: dict[str, Any] = {
    "documentVersion": "v2",
    "mode": "Report",
    "hosts": [{"host": "docs.example.com", "ports": [443, 8443]}],
    "routes": [{"name": "model", "host": "api.example.com", "port": 443, "service": False}],
    "fields": [{"field": "limits.connections", "value": "32", "source": "Default"}],
}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document at which an object's field stands."""
    found: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            found += [(*at, key), *paths(item, (*at, key))]
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += paths(item, (*at, index))
    return found


def changed(document: dict[str, Any], path: tuple[Any, ...], change: Any) -> dict[str, Any]:
    """A copy in which `change(parent, key)` was called at the path."""
    made = copy.deepcopy(document)
    parent: Any = made
    for step in path[:-1]:
        parent = parent[step]
    change(parent, path[-1])
    return made


def parse(document: Any) -> documents.WatchdogConfig:
    return documents.WatchdogConfig.parse(json.dumps(document).encode())


def test_a_whole_config_is_read_and_written_back_unchanged() -> None:
    config = parse(WHOLE)
    assert json.loads(config.dump()) == WHOLE
    assert documents.WatchdogConfig.parse(config.dump()) == config


def test_the_version_before_is_read_and_written_too() -> None:
    config = parse(V2)
    assert (config.mode, config.signed_port, config.routes, config.cage) == (documents.Mode.ENFORCE, 0, (), None)
    assert json.loads(config.dump("v2")) == V2
    quiet = {"mode": "Enforce", "signedPort": 0, "routes": [], "upstreamCAPEM": "", "cage": None}
    tunnels = {"tunnels": {"idleSeconds": 3600, "maxSeconds": 3600}}
    assert json.loads(config.dump("v3")) == V2 | {"version": "v3"} | quiet | tunnels


def test_v2_cannot_carry_what_came_with_v3() -> None:
    assert json.loads(parse(WHOLE).dump("v2")) == V2
    with pytest.raises(DocumentError, match=r"cage.*not known"):
        parse(V4 | {"version": "v2"})
    with pytest.raises(DocumentError, match=r"mode.*missing"):
        parse(V2 | {"version": "v3"})


def test_v3_cannot_carry_what_came_with_v4() -> None:
    config = parse(V3)
    assert (config.limits, config.prices, config.ledger) == (documents.Limits(), (), None)
    assert (config.routes[0].prices, config.routes[0].redact) == ((), None)
    assert json.loads(config.dump("v3")) == V3
    assert json.loads(parse(WHOLE).dump("v3")) == V3
    with pytest.raises(DocumentError, match=r"not known"):
        parse(WHOLE | {"version": "v3"})
    with pytest.raises(DocumentError, match=r"limits.*missing"):
        parse(V3 | {"version": "v4", "routes": []})


def test_v4_cannot_carry_what_came_with_v5() -> None:
    config = parse(V4)
    assert config.containment is None
    assert config.runaway == documents.Runaway(
        documents.CpuDetector(90, 120, 500), documents.ProcessDetector(128, 5), documents.DeniedDetector(20, 60)
    )
    assert json.loads(config.dump("v4")) == V4
    assert json.loads(parse(WHOLE).dump("v4")) == V4
    with pytest.raises(DocumentError, match=r"not known"):
        parse(WHOLE | {"version": "v4"})
    with pytest.raises(DocumentError, match=r"missing"):
        parse(V4 | {"version": "v5"})


@pytest.mark.parametrize("wrong", ["", 0, -1, 1.5, True, [], {}, "60", 2**60])
@pytest.mark.parametrize("path", [(*p, key) for p in (("runaway", key) for key in WHOLE["runaway"])
                                  for key in WHOLE["runaway"][p[1]]], ids=str)  # fmt: skip
def test_a_threshold_of_another_type_or_size_is_refused(path: tuple[Any, ...], wrong: Any) -> None:
    with pytest.raises(DocumentError, match="must be an integer"):
        parse(changed(WHOLE, path, lambda parent, key: parent.__setitem__(key, wrong)))


@pytest.mark.parametrize("detector", [key for key in WHOLE["runaway"] if key not in _FIRST_DETECTORS])
def test_each_detector_can_be_off_by_name(detector: str) -> None:
    off = copy.deepcopy(WHOLE)
    off["runaway"][detector] = None
    read = parse(off)
    assert json.loads(read.dump()) == off
    assert sum(getattr(read.runaway, name) is None for name in read.runaway.__dataclass_fields__) == 1


def test_a_route_without_redaction_and_a_cluster_without_ledger_say_so() -> None:
    plain = copy.deepcopy(WHOLE)
    plain["routes"][0]["redact"] = None
    plain["ledger"] = None
    config = parse(plain)
    assert (config.routes[0].redact, config.ledger) == (None, None)
    assert json.loads(config.dump()) == plain


def test_redaction_is_active_where_anything_is_looked_for() -> None:
    off, on = documents.Classes(), documents.Classes(tokens=documents.Redact.MASK)
    assert not documents.Redaction(off, off).active
    assert documents.Redaction(on, off).active
    assert documents.Redaction(off, on).active
    assert documents.Redaction(off, off, restore=True).active


@pytest.mark.parametrize(
    ("meter", "shares"),
    [
        (documents.Meter("policy", documents.Kind.REQUESTS, documents.Window.MINUTE, 1), True),
        (documents.Meter("policy", documents.Kind.TOKENS, documents.Window.MINUTE, 1), True),
        (documents.Meter("policy", documents.Kind.CONNECTIONS, documents.Window.NOW, 1), True),
        (documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, 1), False),
        (documents.Meter("policy", documents.Kind.COST, documents.Window.DAY, 1), False),
        (documents.Meter("policy", documents.Kind.BYTES_OUT, documents.Window.HOUR, 1), False),
        (documents.Meter("policy", documents.Kind.BYTES_IN, documents.Window.HOUR, 1), False),
    ],
)
def test_i07_money_and_whatever_is_counted_for_long_needs_a_lease(meter: documents.Meter, shares: bool) -> None:
    assert meter.shared_by_shares is shares


def test_a_version_that_is_not_known_is_neither_read_nor_written() -> None:
    for version in ("v1", "v6", "V3", "3", ""):
        with pytest.raises(DocumentError, match="version"):
            parse(WHOLE | {"version": version})
        with pytest.raises(ValueError, match="none of"):
            parse(WHOLE).dump(version)


def test_each_version_has_a_key_of_its_own_in_the_config_map() -> None:
    assert tuple(contract.CONFIG_KEYS) == documents.CONFIG_VERSIONS
    assert len(set(contract.CONFIG_KEYS.values())) == len(documents.CONFIG_VERSIONS)
    assert documents.CONFIG_VERSIONS[-1] == documents.CONFIG_VERSION


def test_a_service_of_the_cluster_may_be_plain() -> None:
    plain = copy.deepcopy(WHOLE)
    plain["routes"][0] |= {"tls": False, "service": True, "credential": None, "base": ""}
    assert json.loads(parse(plain).dump()) == plain


def test_a_tcp_check_has_no_path() -> None:
    tcp = copy.deepcopy(WHOLE)
    tcp["liveness"] |= {"kind": "tcp", "path": ""}
    liveness = parse(tcp).liveness
    assert liveness is not None
    assert liveness.kind is documents.LivenessKind.TCP
    assert json.loads(parse(tcp).dump()) == tcp


def test_detectors_that_are_off_stay_off() -> None:
    off = copy.deepcopy(WHOLE)
    off["runaway"] = dict.fromkeys(WHOLE["runaway"])
    assert parse(off).runaway == documents.Runaway(cpu=None, processes=None, denied=None)
    assert json.loads(parse(off).dump()) == off


@pytest.mark.parametrize("path", paths(WHOLE), ids=str)
def test_i01_no_field_of_a_config_may_be_absent(path: tuple[Any, ...]) -> None:
    with pytest.raises(DocumentError, match="missing"):
        parse(changed(WHOLE, path, lambda parent, key: parent.pop(key)))


@pytest.mark.parametrize(
    "path",
    [
        (),
        *[p for p in paths(WHOLE) if p[-1] in ("gateway", "requests", "runaway", "cpu", "liveness", "tunnels", "cage")],
    ],
)
def test_a_config_with_an_unknown_field_is_refused_by_name(path: tuple[Any, ...]) -> None:
    with pytest.raises(DocumentError, match=r"misspelt.*not known"):
        parse(changed(WHOLE, (*path, "misspelt"), lambda parent, key: parent.__setitem__(key, 1)))


@pytest.mark.parametrize("wrong", ["", -1, 1.5, True, [], {}, "60", 10**9])
@pytest.mark.parametrize(
    "path", [p for p in paths(V4) if p[-1] in ("perMinute", "connections", "port", "above")], ids=str
)
def test_a_number_of_another_type_or_size_is_refused(path: tuple[Any, ...], wrong: Any) -> None:
    with pytest.raises(DocumentError, match="must be an integer"):
        parse(changed(WHOLE, path, lambda parent, key: parent.__setitem__(key, wrong)))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), "v6", "reads v2 and v3 and v4 and v5"),
        (("namespace",), "", "not empty"),
        (("policy",), None, "not empty"),
        (("gateway",), [], "must be an object"),
        (("gateway", "addresses"), [], "at least one address"),
        (("gateway", "addresses"), "10.0.0.1", "must be a list"),
        (("gateway", "addresses"), [""], "not empty"),
        (("gateway", "caPEM"), "", "gateway's CA"),
        (("gateway", "unsafePlaintext"), 0, "true or false"),
        (("hosts",), None, "must be a list"),
        (("hosts",), [{"host": "a.example", "ports": []}], "at least one port"),
        (("hosts",), [{"host": "a.example", "ports": [0]}], "port from 1"),
        (("hosts",), [{"host": "a.example", "ports": [True]}], "port from 1"),
        (("hosts",), [{"host": "a.example", "ports": [443]}] * 257, "at most 256"),
        (("runaway", "cpu", "abovePercent"), 0, "from 1 to 100"),
        (("liveness",), [], "must be an object"),
        (("liveness", "kind"), "exec", "not known to this version"),
        (("liveness", "kind"), "tcp", "must be empty for tcp"),
        (("liveness", "port"), 0, "from 1 to 65535"),
        (("liveness", "port"), 15001, "the watchdog's own"),
        (("liveness", "port"), 15002, "the watchdog's own"),
        (("liveness", "port"), 15020, "the watchdog's own"),
        (("liveness", "path"), "", "must begin with /"),
        (("liveness", "path"), "healthz", "must begin with /"),
        (("liveness", "path"), "http://elsewhere.example/", "must begin with /"),
        (("liveness", "path"), "/a b", "visible ASCII"),
        (("liveness", "path"), "/a\r\nX-Forged: 1", "visible ASCII"),
        (("liveness", "path"), "/a\n", "visible ASCII"),
        (("liveness", "path"), "/\u00e4", "visible ASCII"),
        (("liveness", "path"), "/" * 1025, "at most 1024"),
        (("liveness", "periodSeconds"), 0, "from 1 to 3600"),
        (("liveness", "timeoutSeconds"), 3601, "from 1 to 3600"),
        (("liveness", "failureThreshold"), 0, "from 1 to 100"),
        (("liveness", "initialDelaySeconds"), -1, "from 0 to 3600"),
        (("mode",), "report", "not known to this version"),
        (("mode",), None, "not known to this version"),
        (("signedPort",), -1, "from 0 to 65535"),
        (("tunnels", "idleSeconds"), 0, "from 1 to 86400"),
        (("tunnels", "maxSeconds"), 86_401, "from 1 to 86400"),
        (("routes",), {}, "must be a list"),
        (("routes", 0, "name"), "Model", "a lower-case name"),
        (("routes", 0, "name"), "a" * 33, "a lower-case name"),
        (("routes", 0, "name"), "a-", "a lower-case name"),
        (("routes", 0, "host"), "", "not empty"),
        (("routes", 0, "port"), 0, "from 1 to 65535"),
        (("routes", 0, "base"), "v1", "must be empty, or begin with /"),
        (("routes", 0, "base"), "/v1/", "must be empty, or begin with /"),
        (("routes", 0, "base"), "/v 1", "must be empty, or begin with /"),
        (("routes", 0, "allow", 0, "methods"), [], "must be some of"),
        (("routes", 0, "allow", 0, "methods"), ["CONNECT"], "must be some of"),
        (("routes", 0, "allow", 0, "methods"), ["post"], "must be some of"),
        (("routes", 0, "allow", 0, "path"), "chat", "must begin with /"),
        (("routes", 0, "allow", 0, "path"), "/a\r\nb", "must begin with /"),
        (("routes", 0, "credential", "header"), "Authorization", "lower case"),
        (("routes", 0, "credential", "header"), "a:b", "lower case"),
        (("routes", 0, "credential", "prefix"), "Bearer\n", "printable ASCII"),
        (("routes", 0, "credential", "prefix"), "x" * 33, "printable ASCII"),
        (("routes", 0, "credential", "file"), "../token", "lower-case letters and digits"),
        (("routes", 0, "tls"), False, "Services of the cluster alone"),
        (("routes", 0, "api"), "openai", "not known to this version"),
        (("cage", "targets", 0, "transport"), "udp", "not known to this version"),
        (("cage", "targets", 0, "address"), "metadata.example", "must be an IP address"),
        (("cage", "periodSeconds"), 4, "from 5 to 3600"),
        (("cage", "required"), 1, "true or false"),
        (("routes", 0, "api"), "HTTP", "nothing is known of models"),
        (("routes", 0, "prices", 0, "input"), -1, "from 0 to"),
        (("routes", 0, "prices", 0, "output"), 0.5, "from 0 to"),
        (("routes", 0, "prices", 0, "model"), "", "not empty"),
        (("routes", 0, "prices"), [WHOLE["routes"][0]["prices"][0]] * 2, "stands there twice"),
        (("routes", 0, "redact", "request", "cards"), "mask", "not known to this version"),
        (("routes", 0, "redact", "request", "cards"), None, "not known to this version"),
        (("routes", 0, "redact", "restore"), "no", "true or false"),
        (("limits", "replicas"), 0, "from 1 to 100"),
        (("limits", "generation"), -1, "from 0 to"),
        (("limits", "created"), -1, "from 0 to"),
        (("limits", "created"), "2026-11-23T00:00:00Z", "from 0 to"),
        (("limits", "meters", 0, "scope"), "elsewhere", "must be policy, route"),
        (("limits", "meters", 0, "scope"), "route/Model", "must be policy, route"),
        (("limits", "meters", 0, "kind"), "joules", "not known to this version"),
        (("limits", "meters", 0, "window"), "week", "not known to this version"),
        (("limits", "meters", 0, "window"), "minute", "there is no meter"),
        (("limits", "meters", 0, "scope"), "host/a.example", "there is no meter"),
        (("limits", "meters", 0, "limit"), -1, "from 0 to"),
        (("limits", "meters", 0, "limit"), 2**53 + 1, "from 0 to"),
        (("limits", "meters", 0, "burst"), 1, "for requests alone"),
        (("limits", "meters"), [METERS[0], METERS[0] | {"limit": 1}], "stands there twice"),
        (("limits", "meters"), [METERS[1] | {"scope": "policy"}], "stand beside it"),
        (("prices", 0, "api"), "HTTP", "not known to this version"),
        (("prices", 0, "prices"), [WHOLE["prices"][0]["prices"][0]] * 2, "stands there twice"),
        (("ledger", "caPEM"), "", "not empty"),
        (("ledger", "port"), 0, "from 1 to 65535"),
    ],
)
def test_what_is_out_of_range_is_refused_by_place(path: tuple[Any, ...], value: Any, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem) as refused:
        parse(changed(WHOLE, path, lambda parent, key: parent.__setitem__(key, value)))
    assert refused.value.place.startswith(str(path[0]))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "must be an object"),
        (b'{"version": "v1", "version": "v1"}', "twice"),
        (b'{"version": NaN}', "no JSON number"),
        (b"[" * 200_000, "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b" " * (reading.DOCUMENT_MAX_BYTES + 1), "larger than"),
    ],
)
def test_what_is_no_document_is_refused(raw: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        documents.WatchdogConfig.parse(raw)


@given(st.binary(max_size=200))
def test_garbage_never_raises_anything_else(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        documents.WatchdogConfig.parse(raw)


def test_plaintext_on_the_hop_needs_its_own_word() -> None:
    plain = copy.deepcopy(WHOLE)
    plain["gateway"] |= {"unsafePlaintext": True, "caPEM": ""}
    assert parse(plain).gateway.unsafe_plaintext


def test_equal_documents_have_equal_digests_whatever_their_order() -> None:
    turned = dict(reversed(WHOLE.items()))
    assert reading.digest(parse(turned).dump()) == reading.digest(parse(WHOLE).dump())
    assert reading.digest(b"").startswith("sha256:")
    assert len(reading.digest(b"")) == 7 + 64


def test_an_effective_policy_is_read_and_written_back_unchanged() -> None:
    effective = documents.Effective.read(EFFECTIVE)
    assert effective.write() == EFFECTIVE


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("documentVersion",), "v3", "this version reads v1 and v2"),
        (("more",), 1, "not known"),
        (("hosts", 0, "paths"), [], "not known"),
        (("fields", 0, "source"), "Guess", "not known"),
        (("fields", 0, "value"), 32, "must be a string"),
        (("mode",), "Off", "not known"),
        (("routes", 0, "port"), 0, "from 1 to 65535"),
        (("routes", 0, "service"), None, "true or false"),
        (("routes", 0, "name"), "", "not empty"),
    ],
)
def test_an_effective_policy_that_is_not_understood_is_refused(path: tuple[Any, ...], value: Any, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        documents.Effective.read(changed(EFFECTIVE, path, lambda parent, key: parent.__setitem__(key, value)))


REPORT: dict[str, Any] = {
    "version": "v1",
    "config": "sha256:00",
    "problem": "",
    "tested": 3,
    "escapes": [{"target": "metadata", "address": "169.254.169.254:80", "outcome": "connected"}],
    "requests": 12,
    "denied": 3,
    "wouldDeny": 1,
    "missing": ["model"],
}


def test_a_report_is_read_and_written_back_unchanged() -> None:
    report = documents.Report.parse(json.dumps(REPORT).encode())
    assert json.loads(report.dump()) == REPORT


@pytest.mark.parametrize(("tested", "escapes", "proven"), [(0, 0, False), (3, 0, True), (3, 1, False), (0, 1, False)])
def test_a_cage_is_proven_by_a_test_that_ran_and_found_nothing(tested: int, escapes: int, proven: bool) -> None:
    report = REPORT | {"tested": tested, "escapes": REPORT["escapes"] * escapes}
    assert documents.Report.read(report, "").proven is proven


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), "v3", "this version reads v1 and v2"),
        (("version",), "v2", "contained: is missing"),
        (("contained",), {}, "not known"),
        (("more",), 1, "not known"),
        (("tested",), -1, "from 0 to 1000"),
        (("tested",), True, "must be an integer"),
        (("denied",), 2**53 + 1, "must be an integer"),
        (("escapes",), REPORT["escapes"] * 17, "at most 16"),
        (("escapes", 0, "target"), "x" * 129, "more than 128"),
        (("escapes", 0, "outcome"), "", "not empty"),
        (("missing",), ["a"] * 33, "at most 32"),
        (("missing",), [""], "not empty"),
    ],
)
def test_a_report_that_is_not_understood_is_refused(path: tuple[Any, ...], value: Any, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        documents.Report.read(changed(REPORT, path, lambda parent, key: parent.__setitem__(key, value)), "")


@pytest.mark.parametrize(
    ("contained", "problem"),
    [
        ({"rung": "Free", "breach": "", "wouldKill": 0, "since": 0}, ""),
        ({"rung": "Killed", "breach": "RunawayCPU", "wouldKill": 2**53, "since": 2**53}, ""),
        ({"rung": "free", "breach": "", "wouldKill": 0, "since": 0}, "must be one of Free, Throttled, Cut, Killed"),
        ({"rung": None, "breach": "", "wouldKill": 0, "since": 0}, "must be one of"),
        ({"rung": "Cut", "breach": "two words", "wouldKill": 0, "since": 0}, "letters and digits"),
        ({"rung": "Cut", "breach": 1, "wouldKill": 0, "since": 0}, "letters and digits"),
        ({"rung": "Cut", "breach": "x" * 65, "wouldKill": 0, "since": 0}, "letters and digits"),
        ({"rung": "Cut", "breach": "", "wouldKill": -1, "since": 0}, "must be an integer"),
        ({"rung": "Cut", "breach": "", "wouldKill": 0, "since": -1}, "must be an integer"),
        ({"rung": "Cut", "breach": "", "since": 0}, "missing"),
        ({"rung": "Cut", "breach": "", "wouldKill": 0}, "missing"),
        ({"rung": "Cut", "breach": "", "wouldKill": 0, "since": 0, "more": 1}, "not known"),
        (None, "must be an object"),
    ],
)
def test_how_far_a_watchdog_is_is_read_whole_or_not_at_all(contained: Any, problem: str) -> None:
    report = REPORT | {"version": "v2", "contained": contained}
    if not problem:
        assert documents.Report.read(report, "").write() == report
        return
    with pytest.raises(DocumentError, match=problem):
        documents.Report.read(report, "")


@pytest.mark.parametrize("path", paths(REPORT), ids=str)
def test_no_field_of_a_report_may_be_absent(path: tuple[Any, ...]) -> None:
    with pytest.raises(DocumentError, match="missing"):
        documents.Report.read(changed(REPORT, path, lambda parent, key: parent.pop(key)), "")


def test_a_report_is_bounded_and_so_is_what_it_says() -> None:
    with pytest.raises(DocumentError, match="larger than"):
        documents.Report.parse(b" " * (documents.REPORT_MAX_BYTES + 1))
    assert len(documents.Report.read(REPORT | {"problem": "x" * 5000}, "").problem) == 512


def test_a_denial_carries_the_rule_and_what_would_have_allowed_it() -> None:
    body = json.loads(documents.Denial(rule="egress.hosts", message="m", allowed_by="a", policy="n/p").dump())
    assert body == {"rule": "egress.hosts", "message": "m", "allowedBy": "a", "policy": "n/p"}


@pytest.mark.parametrize(
    ("target", "outcome", "reached"),
    [
        ("metadata", "connected", True),
        ("node", "refused", True),
        ("dns", "answered", True),
        ("metadata", "EMFILE", False),
        ("control", "gateway.unavailable", False),
        ("control", "connected", False),
    ],
)
def test_only_what_was_reached_counts_as_reached(target: str, outcome: str, reached: bool) -> None:
    assert documents.Escape(target, "192.0.2.1:80", outcome).reached is reached
