"""How the chart renders who makes the certificates, by the real helm."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.chart import rendering
from tests.support.authority import Authority
from zaum_api import contract
from zaum_operator.core.certificates import options, session_keys, stored

Object = rendering.Object
SECRETS = {
    contract.LEDGER_TLS_SECRET,
    contract.CA_SECRET,
    contract.GATEWAY_TLS_SECRET,
    contract.AUTHORIZER_TLS_SECRET,
    contract.SESSION_SECRET,
}


def rendered(**certificates: Any) -> list[Object]:
    return rendering.objects({"certificates": certificates})


@pytest.fixture(scope="module")
def items() -> list[Object]:
    return rendering.objects()


def names(items: list[Object], kind: str) -> set[str]:
    return {item["metadata"]["name"] for item in items if item["kind"] == kind}


def test_i15_secrets_are_named_and_empty(items: list[Object]) -> None:
    assert names(items, "Secret") == SECRETS
    for item in items:
        if item["kind"] == "Secret":
            assert set(item) == {"apiVersion", "kind", "metadata", "type"}
            assert item["type"] == "Opaque"
        assert "PRIVATE KEY" not in yaml.safe_dump(item), item["metadata"]["name"]


def test_two_renderings_are_the_same() -> None:
    assert rendering.template() == rendering.template()


def environment(items: list[Object]) -> dict[str, str]:
    (container,) = rendering.pod_specs(items)["Deployment/zaum-operator"]["containers"]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_the_operator_is_told_how_long_things_live(items: list[Object]) -> None:
    told = options.read(environment(items))
    assert told == options.read({}), "the chart's defaults are the code's"
    told = options.read(environment(rendered(unsafeSeconds={"ca": 120, "leaf": 36, "settle": 3})))
    assert [life.total_seconds() for life in (told.lives.authority, told.lives.leaf, told.lives.settle)] == [120, 36, 3]


@pytest.mark.parametrize(
    "wrong", [{"caDays": 30, "leafDays": 20}, {"unsafeSeconds": {"leaf": 60, "settle": 30}}], ids=str
)
def test_lives_that_do_not_fit_are_refused(wrong: Object) -> None:
    with pytest.raises(rendering.RenderError, match=r"at least (three|twelve) times"):
        rendered(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"issuer": "Nobody"}, {"caDays": 0}, {"settleSeconds": 60}, {"unsafeSeconds": {"root": 1}}], ids=str
)
def test_a_wrong_value_is_refused_by_its_place(wrong: Object) -> None:
    with pytest.raises(rendering.RenderError, match=re.escape(f"/certificates/{next(iter(wrong))}")):
        rendered(**wrong)


def sources(items: list[Object], name: str, volume: str) -> list[Object]:
    volumes = rendering.pod_specs(items)[f"Deployment/{name}"]["volumes"]
    (found,) = (item["projected"]["sources"] for item in volumes if item["name"] == volume)
    return [source["secret"] for source in found if "secret" in source]


def test_the_operator_sees_what_it_looks_at_and_no_leafs_key(items: list[Object]) -> None:
    seen = {
        source["name"]: {item["path"]: item["key"] for item in source["items"]}
        for source in sources(items, "zaum-operator", "certificates")
    }
    shown = {**stored.SHOWN, contract.SESSION_SECRET: session_keys.SHOWN}
    assert seen == {name: {f"{name}/{key}": key for key in keys} for name, keys in shown.items()}
    assert not {session_keys.CURRENT, session_keys.PREVIOUS} & set(session_keys.SHOWN)
    assert all(source["optional"] for source in sources(items, "zaum-operator", "certificates"))
    told = environment(items)["ZAUM_GATEWAY_CA_FILE"]
    assert told == f"{options.DIRECTORY}/{contract.CA_SECRET}/{stored.BUNDLE}"


def test_gateway_and_authorizer_wait_for_their_keys(items: list[Object]) -> None:
    for name, volume in (("zaum-gateway", "config"), ("zaum-authorizer", "tls")):
        for source in sources(items, name, volume):
            assert "optional" not in source
            assert {"tls.crt", "tls.key", "ca.crt"} <= {item["key"] for item in source["items"]}


def test_i15_the_authorizer_alone_sees_the_session_keys(items: list[Object]) -> None:
    keys = {session_keys.CURRENT, session_keys.PREVIOUS}
    (source,) = sources(items, "zaum-authorizer", "sessions")
    assert (source["name"], {item["key"] for item in source["items"]}) == (contract.SESSION_SECRET, keys)
    assert "optional" not in source
    for deployment in ("zaum-operator", "zaum-gateway"):
        mounted = yaml.safe_dump(rendering.pod_specs(items)[f"Deployment/{deployment}"])
        assert not any(f"key: {key}" in mounted for key in keys), deployment


def test_no_pod_is_replaced_for_a_certificate(items: list[Object]) -> None:
    for item in items:
        if item["kind"] == "Deployment":
            assert "checksum/tls" not in item["spec"]["template"]["metadata"].get("annotations", {})


def test_i15_cert_manager_makes_the_secrets_that_the_pods_mount() -> None:
    items = rendered(issuer="CertManager", leafDays=30)
    assert names(items, "Secret") == {contract.SESSION_SECRET}
    assert environment(items)["ZAUM_CERTIFICATES"] == "External"
    made = {item["spec"]["secretName"]: item["spec"] for item in items if item["kind"] == "Certificate"}
    mounted = {
        source["name"]
        for name, volume in (("zaum-gateway", "config"), ("zaum-authorizer", "tls"), ("zaum-operator", "certificates"))
        for source in sources(items, name, volume)
    }
    assert mounted - {contract.SESSION_SECRET} <= made.keys()
    for name, usage, dns_name in (
        ("zaum-gateway-tls", "server auth", contract.GATEWAY_TLS_NAME),
        ("zaum-gateway-client-tls", "client auth", contract.GATEWAY_CLIENT_TLS_NAME),
        ("zaum-authorizer-tls", "server auth", contract.AUTHORIZER_TLS_NAME),
    ):
        assert made[name]["dnsNames"] == [dns_name]
        assert made[name]["usages"] == ["digital signature", usage]
        assert made[name]["duration"] == "720h"
        assert made[name]["issuerRef"] == {"name": "zaum-ca", "kind": "Issuer", "group": "cert-manager.io"}
    assert made["zaum-ca"]["isCA"] is True
    gateway = {item["path"] for source in sources(items, "zaum-gateway", "config") for item in source["items"]}
    assert gateway == {f"tls/{name}" for name in ("tls.crt", "tls.key", "client.crt", "client.key", "ca.crt")}


def test_an_issuer_of_ones_own_is_asked_where_one_is_named() -> None:
    reference = {"name": "corporate", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    items = rendered(issuer="CertManager", certManager={"issuerRef": reference})
    assert names(items, "Issuer") == set()
    issuers = [item["spec"]["issuerRef"] for item in items if item["kind"] == "Certificate"]
    assert issuers == [reference] * 4


def test_external_secrets_are_left_to_their_owner() -> None:
    items = rendered(issuer="External")
    assert names(items, "Secret") | names(items, "Certificate") == {contract.SESSION_SECRET}
    assert environment(items)["ZAUM_CERTIFICATES"] == "External"
    (authorities, *_) = sources(items, "zaum-operator", "certificates")
    assert authorities["name"] == contract.GATEWAY_TLS_SECRET
    assert authorities["items"] == [{"key": "ca.crt", "path": "zaum-ca/ca.crt"}]


def test_envoy_takes_the_rendered_files(items: list[Object], tmp_path: Path) -> None:
    texts = rendering.only(items, "ConfigMap", "zaum-gateway")["data"]
    assert "zaum-authorizer.zaum-system.svc.cluster.local" in texts["envoy.yaml"]
    for part in ("tls", "sds"):
        (tmp_path / part).mkdir()
    authority = Authority(tmp_path / "tls")
    for stem, name in (("tls", contract.GATEWAY_TLS_NAME), ("client", contract.GATEWAY_CLIENT_TLS_NAME)):
        authority.issue(name, stem)
    for source in rendering.pod_specs(items)["Deployment/zaum-gateway"]["volumes"][0]["projected"]["sources"]:
        for item in source.get("configMap", {}).get("items", []):
            text = texts[item["key"]].replace("/etc/envoy", str(tmp_path)).replace("/var/run/envoy", str(tmp_path))
            (tmp_path / item["path"]).write_text(text)
    command = [str(Path(sys.executable).with_name("envoy")), "--mode", "validate", "-l", "warning"]
    done = subprocess.run(
        [*command, "-c", str(tmp_path / "envoy.yaml")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower(), done.stderr
