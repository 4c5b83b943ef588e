"""The chart spells the contract's names, ports and paths as the contract does."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import envoy_file
from zaum_api import contract, documents, incidents
from zaum_egress import signed_head
from zaum_gateway.core import decisions

CHART = Path(__file__).resolve().parents[3] / "charts/zaum"


def text(name: str) -> str:
    return (CHART / "templates" / name).read_text()


def envoy() -> Any:
    """Give Envoy's file as data."""
    return envoy_file.load(envoy_file.Given(namespace="ns", domain="dom"))


def listeners() -> dict[str, Any]:
    return {item["name"]: item for item in envoy()["static_resources"]["listeners"]}


def connection_manager(listener: str = "egress") -> Any:
    return listeners()[listener]["filter_chains"][0]["filters"][0]["typed_config"]


def filters() -> dict[str, Any]:
    return {item["name"].rpartition(".")[2]: item["typed_config"] for item in connection_manager()["http_filters"]}


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_i12_names_are_forgotten_soon_so_that_few_are_in_the_others_way() -> None:
    # Every name takes a place, also one that leads nowhere, until the first refresh after `host_ttl`; when all places
    # are taken, no policy reaches a name that is not in there.
    names = filters()["dynamic_forward_proxy"]["dns_cache_config"]
    kept = seconds(names["host_ttl"]) + seconds(names["dns_refresh_rate"])
    assert names["max_hosts"] * 60 // kept >= 10_000, "new names a minute"


def clusters() -> dict[str, Any]:
    return {item["name"]: item for item in envoy()["static_resources"]["clusters"]}


def test_envoy_listens_where_the_contract_says() -> None:
    ports = {name: item["address"]["socket_address"]["port_value"] for name, item in listeners().items()}
    assert ports == {
        "egress": contract.GATEWAY_PORT,
        "signed": contract.GATEWAY_SIGNED_PORT,
        "ready": contract.GATEWAY_READY_PORT,
    }
    assert "pipe" in envoy()["admin"]["address"]


def test_envoy_asks_the_authorizer_by_its_name() -> None:
    cluster = clusters()["authorizer"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert endpoint == {
        "address": f"{contract.AUTHORIZER_SERVICE}.ns.svc.dom",
        "port_value": contract.AUTHORIZER_PORT,
    }
    tls = cluster["transport_socket"]["typed_config"]
    assert tls["sni"] == contract.AUTHORIZER_TLS_NAME
    trust = tls["common_tls_context"]["combined_validation_context"]
    names = trust["default_validation_context"]["match_typed_subject_alt_names"]
    assert names == [{"san_type": "DNS", "matcher": {"exact": contract.AUTHORIZER_TLS_NAME}}]
    assert len(tls["common_tls_context"]["tls_certificate_sds_secret_configs"]) == 1, (
        "it shows a certificate of its own"
    )


def test_i08_without_an_answer_of_the_authorizer_nothing_opens() -> None:
    found = filters()
    assert next(iter(found)) == "ext_authz", "nothing stands before the question"
    assert list(found) == ["ext_authz", "dynamic_forward_proxy", "services", "router"]
    assert found["ext_authz"]["failure_mode_allow"] is False
    assert found["ext_authz"]["grpc_service"] == {"envoy_grpc": {"cluster_name": "authorizer"}, "timeout": "0.5s"}
    proofs = ("proxy-authorization", signed_head.HEADER_INPUT, signed_head.HEADER_SIGNATURE)
    assert found["ext_authz"]["allowed_headers"] == {"patterns": [{"exact": name} for name in proofs]}


def test_i04_the_authorizer_is_told_which_listener_asks() -> None:
    for listener, said in (("egress", contract.Listener.TLS), ("signed", contract.Listener.SIGNED)):
        (host,) = connection_manager(listener)["route_config"]["virtual_hosts"]
        settings = host["typed_per_filter_config"]["envoy.filters.http.ext_authz"]["check_settings"]
        assert settings == {"context_extensions": {contract.LISTENER_EXTENSION: said.value}}


def test_both_listeners_do_the_same_but_for_tls_and_http2() -> None:
    tls, signed = connection_manager(), connection_manager("signed")
    differ = {"stat_prefix", "codec_type", "http2_protocol_options", "route_config"}
    assert {key for key in {*tls, *signed} if tls.get(key) != signed.get(key)} == differ
    assert signed["codec_type"] == "HTTP1"
    (secure,), (plain,) = (manager["route_config"]["virtual_hosts"] for manager in (tls, signed))
    report, *routes = secure["routes"]
    assert report["match"]["path"] == contract.PATH_REPORT, "a report needs the token, which travels over TLS alone"
    assert {**secure, "routes": routes, "typed_per_filter_config": None} == {**plain, "typed_per_filter_config": None}
    assert "transport_socket" not in listeners()["signed"]["filter_chains"][0]


def test_a_report_is_handed_over_whole_and_nothing_else_has_a_body() -> None:
    ((report, *others),) = (host["routes"] for host in connection_manager()["route_config"]["virtual_hosts"])
    ((_, settings),) = report["typed_per_filter_config"].items()
    assert settings["check_settings"] == {
        "context_extensions": {contract.LISTENER_EXTENSION: contract.Listener.TLS.value},
        "with_request_body": {
            "max_request_bytes": documents.REPORT_MAX_BYTES,
            "allow_partial_message": False,
            "pack_as_bytes": True,
        },
    }
    assert report["match"]["headers"] == [{"name": ":method", "string_match": {"exact": "POST"}}]
    assert "load_assignment" not in clusters()[report["route"]["cluster"]], "it leads nowhere"
    settings = [route.get("typed_per_filter_config", {}) for route in others]
    assert not [each for each in settings if "envoy.filters.http.ext_authz" in each]
    assert "with_request_body" not in filters()["ext_authz"]


def test_neither_listener_takes_all_connections() -> None:
    (layer,) = envoy()["layered_runtime"]["layers"]
    caps = layer["static_layer"]
    monitors = {item["name"]: item["typed_config"] for item in envoy()["overload_manager"]["resource_monitors"]}
    whole = monitors["envoy.resource_monitors.global_downstream_max_connections"]["max_active_downstream_connections"]
    assert {key.split(".")[-2] for key in caps} == {"egress", "signed"}
    assert all(0 < cap < whole for cap in caps.values())


def test_every_listener_bounds_heads_and_time() -> None:
    for listener in ("egress", "signed"):
        manager = connection_manager(listener)
        assert manager["max_request_headers_kb"] <= 16
        assert manager["common_http_protocol_options"]["max_headers_count"] <= 64
        for key in ("request_headers_timeout", "stream_idle_timeout"):
            assert manager[key].endswith("s")
        assert int(manager["common_http_protocol_options"]["idle_timeout"].rstrip("s")) <= 30


def test_behind_a_proxy_only_services_are_dialled_directly() -> None:
    config = envoy_file.load(envoy_file.Given(proxy=("proxy.corp.example", 8080)))
    managers = [
        item["filter_chains"][0]["filters"][0]["typed_config"] for item in config["static_resources"]["listeners"][:2]
    ]
    for manager in managers:
        (host,) = manager["route_config"]["virtual_hosts"]
        ledger, out, inward, unreached = [route for route in host["routes"] if "connect_matcher" in route["match"]]
        assert ledger["route"]["cluster"] == "ledger"
        (inside,) = out["match"]["headers"]
        assert inside["invert_match"] is True
        assert inside["string_match"] == {"contains": ".svc.cluster.local:"}
        assert inward["match"]["headers"] == [{key: inside[key] for key in ("name", "string_match")}]
        assert (out["route"]["cluster"], inward["route"]["cluster"]) == ("proxy", "services")
        assert unreached["route"]["cluster"] == "outside"
        assert "connect_config" not in out["route"]["upgrade_configs"][0], "the proxy is asked by CONNECT"
        assert {"x-zaum-policy", "x-zaum-pod"} <= set(out["request_headers_to_remove"])


def test_the_ledgers_name_leads_to_our_service_alone_and_is_never_looked_up() -> None:
    for listener in ("egress", "signed"):
        (host,) = connection_manager(listener)["route_config"]["virtual_hosts"]
        first, *others = [route for route in host["routes"] if "connect_matcher" in route["match"]]
        (named,) = first["match"]["headers"]
        assert named == {"name": ":authority", "string_match": {"exact": decisions.LEDGER}}
        assert first["route"]["cluster"] == "ledger"
        assert [route["route"]["cluster"] for route in others] == ["services", "outside"], "the control: others are"
        assert "envoy.filters.http.ext_authz" not in first.get("typed_per_filter_config", {}), (
            "and the authorizer is asked"
        )
    cluster = clusters()["ledger"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert endpoint == {"address": f"{contract.LEDGER_SERVICE}.ns.svc.dom", "port_value": contract.LEDGER_PORT}
    assert "transport_socket" not in cluster, "the watchdog's own TLS ends at the ledger"


def test_i04_the_peers_own_address_is_what_counts() -> None:
    manager = connection_manager()
    assert manager["use_remote_address"] is True
    assert manager["xff_num_trusted_hops"] == 0
    assert "original_ip_detection_extensions" not in manager


def test_i05_no_look_up_uses_search_domains() -> None:
    resolver = envoy()["typed_dns_resolver_config"]
    for name, cluster in (("dynamic_forward_proxy", "outside"), ("services", "services")):
        cache = filters()[name]["dns_cache_config"]
        assert cache["typed_dns_resolver_config"] == resolver
        assert clusters()[cluster]["cluster_type"]["typed_config"]["dns_cache_config"] == cache
    assert resolver["typed_config"]["dns_resolver_options"] == {"no_default_search_domain": True}


def test_i05_only_names_of_services_are_looked_up_without_the_denied_ranges() -> None:
    outside, inside = (filters()[name]["dns_cache_config"] for name in ("dynamic_forward_proxy", "services"))
    denied = [f"{each['address_prefix']}/{each['prefix_len']}" for each in outside["resolved_address_filter"]["ranges"]]
    assert denied == envoy_file.denied_ranges()
    assert outside["name"] != inside["name"], "what one look-up found is not dialled by the other"
    assert "resolved_address_filter" not in inside
    for listener in ("egress", "signed"):
        (host,) = connection_manager(listener)["route_config"]["virtual_hosts"]
        _, service, outward = [route for route in host["routes"] if "connect_matcher" in route["match"]]
        assert service["match"]["headers"] == [{"name": ":authority", "string_match": {"contains": ".svc.dom:"}}]
        assert (service["route"]["cluster"], outward["route"]["cluster"]) == ("services", "outside")
        off = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
        prefix = "envoy.filters.http.dynamic_forward_proxy"
        assert service["typed_per_filter_config"] == {prefix: off}
        assert outward["typed_per_filter_config"] == {f"{prefix}.services": off}


def test_i15_the_token_goes_neither_on_nor_into_the_log() -> None:
    for manager in (connection_manager(), connection_manager("signed")):
        proofs = ["proxy-authorization", signed_head.HEADER_INPUT, signed_head.HEADER_SIGNATURE]
        assert manager["route_config"]["request_headers_to_remove"] == proofs
        shown = manager["access_log"][0]["typed_config"]["log_format"]["json_format"].values()
        assert not any(word in value.upper() for value in shown for word in ("AUTHORIZATION", "SIGNATURE"))


def test_old_tls_is_refused() -> None:
    downstream = listeners()["egress"]["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    assert downstream["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (
            "gateway.yaml",
            [
                contract.GATEWAY_SERVICE,
                str(contract.GATEWAY_PORT),
                str(contract.GATEWAY_SIGNED_PORT),
                str(contract.GATEWAY_READY_PORT),
            ],
        ),
        (
            "authorizer.yaml",
            [
                contract.AUTHORIZER_SERVICE,
                str(contract.AUTHORIZER_PORT),
                str(contract.AUTHORIZER_REPORTS_PORT),
                str(contract.AUTHORIZER_HEALTH_PORT),
            ],
        ),
        (
            "operator.yaml",
            [
                str(contract.OPERATOR_METRICS_PORT),
                str(contract.OPERATOR_HEALTH_PORT),
                f"audience: {contract.AUDIENCE_AUTHORIZER}",
            ],
        ),
        (
            "tls.yaml",
            [
                contract.GATEWAY_TLS_NAME,
                contract.GATEWAY_CLIENT_TLS_NAME,
                contract.AUTHORIZER_TLS_NAME,
                contract.LEDGER_TLS_NAME,
                contract.LEDGER_TLS_SECRET,
            ],
        ),
        (
            "ledger.yaml",
            [
                contract.LEDGER_SERVICE,
                contract.LEDGER_TLS_SECRET,
                str(contract.LEDGER_PORT),
                str(contract.LEDGER_HEALTH_PORT),
            ],
        ),
        ("_helpers.tpl", [str(contract.COMPONENT_UID)]),
        ("networkpolicies.yaml", [f'{contract.LABEL_AGENT}: "{contract.LABEL_AGENT_VALUE}"']),
        ("admission-network.yaml", [contract.LABEL_AGENT]),
        (
            "admission-owned.yaml",
            [f"'{contract.NAME_PREFIX}'", f"'{contract.PREFIX}'", f"o.metadata.name == '{contract.LEASE_NAME}'"],
        ),
        (
            "admission-pods.yaml",
            [
                f"'{contract.NAME_PREFIX}'",
                f"['{contract.ANNOTATION_ACCESS}']",
                f"{contract.LABEL_ACCESS}={contract.LABEL_ACCESS_VALUE}",
                f"runAsUser == {contract.AGENT_UID}",
                f"'{contract.CONTAINER_AGENT}'",
                *(f"'{access.value}'" for access in contract.Access),
            ],
        ),
        (
            "_admission.tpl",
            [contract.GUARD_NAME, f"key: {contract.LABEL_ACCESS}", f"values: [{contract.LABEL_ACCESS_VALUE}]"],
        ),
        ("admission-author.yaml", [contract.PLURAL_POLICY, contract.GROUP]),
        ("admission-ceilings.yaml", [contract.KIND_CEILING, contract.API_VERSION, f"'{contract.LABEL_ACCESS}'"]),
        (
            "admission-incidents.yaml",
            [
                contract.GROUP,
                contract.PLURAL_INCIDENT,
                *(f"'{reporter.value}'" for reporter in incidents.Reporter),
                f"check('{incidents.RELEASE_VERB}')",
                f"['{incidents.Condition.CLOSED.value}', '{incidents.Condition.RELEASED.value}']",
            ],
        ),
        ("admission-identity.yaml", [f"'{contract.NAME_PREFIX}'", contract.PLURAL_POLICY, contract.GROUP]),
    ],
)
def test_the_templates_spell_the_contract(file: str, words: list[str]) -> None:
    for word in words:
        assert word in text(file), word
