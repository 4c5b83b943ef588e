"""A watchdog is told of further authorities while it works: what is open stays, what comes trusts all of them."""

import dataclasses
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.watchdog import conftest, rig, world
from tests.support.authority import Authority
from zaum_api import contract, documents

TARGET = "api.example.com:443"
HOST = "api.example.com"


@pytest.fixture
def following(tmp_path: Path) -> Authority:
    directory = tmp_path / "following"
    directory.mkdir()
    return Authority(directory, "the next authority")


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    return authority.server(contract.GATEWAY_TLS_NAME)


@pytest.fixture
def gateway(context: ssl.SSLContext, echo: world.Echo) -> world.Gateway:
    return world.Gateway(context, echo)


@pytest.fixture(autouse=True)
def closed(gateway: world.Gateway) -> object:
    yield
    gateway.server.close()


Tell = Callable[..., None]


@pytest.fixture
def tell(files: rig.Files, config: documents.WatchdogConfig) -> Tell:
    """Write a document that names these authorities."""

    def write(*authorities: Authority) -> None:
        peer = dataclasses.replace(config.gateway, ca_pem="".join(authority.pem for authority in authorities))
        files.write(dataclasses.replace(config, gateway=peer).dump())

    return write


def test_a_tunnel_stays_open_through_both_changes_of_trust(
    start: conftest.Start, tell: Tell, authority: Authority, following: Authority, context: ssl.SSLContext
) -> None:
    watchdog = start()
    with watchdog.tunnel(TARGET) as first:
        tell(authority, following)
        watchdog.record("config", hosts=2)
        context.load_cert_chain(*following.issue(contract.GATEWAY_TLS_NAME, "gateway"))
        with watchdog.tunnel(TARGET) as second:
            tell(following)
            watchdog.record("config", hosts=2)
            with watchdog.tunnel(TARGET) as third:
                for tunnel in (first, second, third):
                    tunnel.sendall(rig.client_hello(HOST))
                    assert tunnel.recv(1) == b"\x16"


def test_a_gateway_of_an_authority_that_was_not_told_is_not_trusted(
    start: conftest.Start, following: Authority, context: ssl.SSLContext
) -> None:
    watchdog = start()
    with watchdog.tunnel(TARGET) as first:
        context.load_cert_chain(*following.issue(contract.GATEWAY_TLS_NAME, "gateway"))
        assert watchdog.connect(TARGET).rule == contract.Rule.GATEWAY_UNAVAILABLE
        first.sendall(rig.client_hello(HOST))
        assert first.recv(1) == b"\x16"
