"""The page on the gateway says the numbers, names and tests that there are."""

import re
from pathlib import Path

import pytest

from tests.support import envoy_file
from zaum_api import contract, documents

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/gateway.md").read_text()
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests/integration/gateway").rglob("test_*.py"))
MANAGERS = [
    listener["filter_chains"][0]["filters"][0]["typed_config"]
    for listener in envoy_file.load()["static_resources"]["listeners"]
    if listener["name"] != "ready"
]


@pytest.mark.parametrize(
    "said",
    [
        *(f"| {port} " for port in (
            contract.GATEWAY_PORT, contract.GATEWAY_SIGNED_PORT, contract.GATEWAY_READY_PORT, contract.AUTHORIZER_PORT,
            contract.AUTHORIZER_REPORTS_PORT, contract.AUTHORIZER_HEALTH_PORT,
        )),
        contract.PATH_SESSION, contract.PATH_REPORT, contract.PATH_REPORTS,
        f"audience `{contract.AUDIENCE_AUTHORIZER}`",
        f"more than {documents.REPORT_MAX_BYTES} bytes", f"`{contract.HEADER_RULE}`",
        f"`{contract.Rule.LATCHED.value}`",
    ],
)  # fmt: skip
def test_the_page_spells_the_contract(said: str) -> None:
    assert said in PAGE


def test_every_rule_on_the_page_is_one() -> None:
    words = re.findall(r"`((?:request|egress|identity|gateway|containment|routes|policy)\.\w+)`", PAGE)
    rules = {rule.value for rule in contract.Rule}
    assert len(words) > 5
    assert {word for word in words if word not in {"gateway.drainSeconds", "gateway.upstreamProxy"}} <= rules


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) >= 9
    assert [name for name in named if f"def {name}(" not in TESTS] == []


def test_what_is_shared_is_as_large_as_the_page_says() -> None:
    config = envoy_file.load()
    names = next(
        item["typed_config"]["dns_cache_config"]
        for item in MANAGERS[0]["http_filters"]
        if item["name"] == "envoy.filters.http.dynamic_forward_proxy"
    )
    monitors = {
        item["name"].rpartition(".")[2]: item["typed_config"]
        for item in config["overload_manager"]["resource_monitors"]
    }
    (layer,) = config["layered_runtime"]["layers"]
    (each,) = set(layer["static_layer"].values())
    most = monitors["global_downstream_max_connections"]["max_active_downstream_connections"]
    kept, refreshed = (int(names[part].rstrip("s")) for part in ("host_ttl", "dns_refresh_rate"))
    assert f"{most:,} connections, of them {each:,} at one port" in PAGE
    assert f"{names['max_hosts']:,} names, each kept for {kept} to {kept + refreshed} s" in PAGE
    assert f"{monitors['fixed_heap']['max_heap_size_bytes'] >> 20} MiB" in PAGE


@pytest.mark.parametrize("manager", MANAGERS, ids=lambda manager: manager["stat_prefix"])
def test_bounds_are_those_of_the_configuration(manager: dict[str, object]) -> None:
    options = manager["common_http_protocol_options"]
    assert isinstance(options, dict)
    assert f"more than {manager['max_request_headers_kb']} KiB" in PAGE
    assert f"more than {options['max_headers_count']} headers" in PAGE
    assert f"a head took more than {str(manager['request_headers_timeout']).rstrip('s')} s" in PAGE
