"""What is read beside the cache: the operator's own token, the gateway's address and CA."""

import asyncio
import base64
import json
import pathlib
from typing import Any

import pytest

from tests.support import authority
from tests.support.apiserver import ApiServer
from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.cluster import identity
from zaum_operator.cluster.gateway import GatewayLook
from zaum_operator.core import kinds

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def token(claims: Any) -> str:
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".c2ln"


@pytest.mark.parametrize(
    ("text", "audiences"),
    [
        (token({"aud": ["https://kubernetes.default.svc", "k3s"]}), ("https://kubernetes.default.svc", "k3s")),
        (token({"aud": "api"}), ("api",)),
        (token({}), ()),
        (token([1]), ()),
        ("no token", ()),
        ("a.%%%.c", ()),
    ],
)
def test_the_api_servers_audiences_are_those_of_our_own_token(
    tmp_path: pathlib.Path, text: str, audiences: tuple[str, ...]
) -> None:
    (tmp_path / "token").write_text(text)
    assert identity.audiences(tmp_path / "token") == audiences


def test_outside_a_pod_there_is_no_token(tmp_path: pathlib.Path) -> None:
    assert identity.audiences(tmp_path / "none") == ()


def test_the_gateway_is_known_when_its_address_and_its_ca_are(tmp_path: pathlib.Path) -> None:
    api, file = ApiServer(), tmp_path / "ca.crt"
    look = GatewayLook(api, "zaum-system", file)
    assert not asyncio.run(look.look())
    service = {"metadata": {"name": contract.GATEWAY_SERVICE, "namespace": "zaum-system"}}
    api.put(kinds.SERVICE, service | {"spec": {"clusterIPs": ["10.96.7.7", "None"]}})
    assert not asyncio.run(look.look()), "its CA is missing"
    file.write_text(PEM)
    assert asyncio.run(look.look())
    assert look.gateway is not None
    assert (look.gateway.addresses, look.gateway.ca_pem) == (("10.96.7.7",), PEM)
    assert not asyncio.run(look.look()), "nothing has changed"
    file.write_bytes(b"\xff")
    assert asyncio.run(look.look())
    assert look.gateway is None


def test_the_cas_of_upstreams_and_the_authorizers_address_are_looked_at_too(tmp_path: pathlib.Path) -> None:
    api, file, bundle = ApiServer(), tmp_path / "ca.crt", tmp_path / "routes.crt"
    (tmp_path / "authority").mkdir()
    good = authority.Authority(tmp_path / "authority").pem
    file.write_text(PEM)
    bundle.write_text("\n")
    for name, address in ((contract.GATEWAY_SERVICE, "10.96.7.7"), (contract.AUTHORIZER_SERVICE, "10.96.7.8")):
        service = {"metadata": {"name": name, "namespace": "zaum-system"}}
        api.put(kinds.SERVICE, service | {"spec": {"clusterIPs": [address]}})
    look = GatewayLook(api, "zaum-system", file, bundle)
    assert asyncio.run(look.look())
    assert look.gateway is not None
    assert (look.gateway.authorizer, look.gateway.upstream_ca_pem.strip()) == (("10.96.7.8",), "")
    bundle.write_text(good)
    assert asyncio.run(look.look())
    assert look.gateway.upstream_ca_pem == good
    for bad in ("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", good + " " * 48 * 1024):
        bundle.write_text(bad)
        assert not asyncio.run(look.look()), "what no watchdog could use is not passed on"
    bundle.unlink()
    assert not asyncio.run(look.look())


def test_what_models_cost_is_looked_at_too_and_a_table_that_cannot_be_read_changes_nothing(
    tmp_path: pathlib.Path,
) -> None:
    api, file, table = ApiServer(), tmp_path / "ca.crt", tmp_path / "prices.json"
    file.write_text(PEM)
    service = {"metadata": {"name": contract.GATEWAY_SERVICE, "namespace": "zaum-system"}}
    api.put(kinds.SERVICE, service | {"spec": {"clusterIPs": ["10.96.7.7"]}})
    look = GatewayLook(api, "zaum-system", file, None, table)
    asyncio.run(look.look())
    assert look.gateway is not None
    assert not look.gateway.prices, "the file is not there yet"
    table.write_text('{"Anthropic": [], "OpenAI": [{"model": "b", "input": "1", "output": "2"}]}')
    assert asyncio.run(look.look())
    good = (documents.PriceTable("OpenAI", (documents.Price("b", 1_000_000, 1_000_000, 2_000_000, 2_000_000),)),)
    assert list(look.gateway.prices) == list(good)
    for bad in (
        "",
        "[]",
        '{"OpenAI": [{"model": "b", "input": 1, "output": "2"}]}',
        '{"OpenAI": [{"model": "b", "input": "1", "output": "2"}, {"model": "b", "input": "0", "output": "0"}]}',
        '{"HTTP": [{"model": "b", "input": "1", "output": "2"}]}',
        '{"OpenAI": [{"model": "b", "input": "1", "output": "2", "free": true}]}',
    ):
        table.write_text(bad)
        assert not asyncio.run(look.look())
        assert look.gateway.prices == good


def test_an_api_server_that_does_not_answer_changes_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, file = ApiServer(), tmp_path / "ca.crt"
    file.write_text(PEM)
    service = {"metadata": {"name": contract.GATEWAY_SERVICE, "namespace": "zaum-system"}}
    api.put(kinds.SERVICE, service | {"spec": {"clusterIPs": ["10.96.7.7"]}})
    look = GatewayLook(api, "zaum-system", file)
    asyncio.run(look.look())

    async def silent(*_: object) -> None:
        raise errors.UnavailableError("get services", 0, "timeout")

    monkeypatch.setattr(api, "get", silent)
    assert not asyncio.run(look.look())
    assert look.gateway is not None
