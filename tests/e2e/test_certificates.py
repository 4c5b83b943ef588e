"""Certificates on a real cluster: filled in seconds, left alone by helm, rotated while an agent works."""

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from cryptography import x509

from tests.cluster import addresses
from tests.support.e2e import install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, NotSeenError, service_account
from zaum_api import contract

CA, GATEWAY, AUTHORIZER = contract.CA_SECRET, contract.GATEWAY_TLS_SECRET, contract.AUTHORIZER_TLS_SECRET
SECRETS = (CA, GATEWAY, AUTHORIZER)
SHORT = {"ca": 108, "leaf": 36, "settle": 3}
LONG = {"ca": 31536000, "leaf": 7776000, "settle": 3}
ROTATION_SECONDS = 150
"""A bound: the short authority is due after 72 s, and its last leafs go within some settles of 3 s."""


def data(api: Api, name: str) -> dict[str, bytes]:
    found = api.get("secrets", install.NAMESPACE, name).get("data") or {}
    return {key: base64.b64decode(value) for key, value in found.items()}


def everything(api: Api) -> dict[str, dict[str, bytes]]:
    return {name: data(api, name) for name in SECRETS}


def authorities(api: Api, name: str = CA) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(data(api, name)["ca.crt"])


def until(api: Api, holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Look again with every change of one of our Secrets, until `holds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in api.changes("secrets", install.NAMESPACE, seconds=max(0.1, min(5.0, deadline - time.monotonic()))):
            if holds():
                return
    raise NotSeenError(f"{what}: not within {seconds} s")


def test_all_secrets_are_filled_and_belong_together(api: Api) -> None:
    (authority,) = authorities(api)
    for name, stems in ((GATEWAY, ("tls", "client")), (AUTHORIZER, ("tls",))):
        assert data(api, name)["ca.crt"] == data(api, CA)["ca.crt"]
        for stem in stems:
            leaf = x509.load_pem_x509_certificate(data(api, name)[f"{stem}.crt"])
            leaf.verify_directly_issued_by(authority)


def test_i15_the_operator_may_write_its_secrets_and_read_none(api: Api) -> None:
    operator = api.as_user(service_account(install.NAMESPACE, "zaum-operator"))
    for name in SECRETS:
        with pytest.raises(Exception, match="forbidden"):
            operator.get("secrets", install.NAMESPACE, name)
    for path in (install.NAMESPACE, ""):
        with pytest.raises(Exception, match="forbidden"):
            operator.items("secrets", path)
    operator.merge("secrets", install.NAMESPACE, CA, {"metadata": {"annotations": {"touched": None}}})
    with pytest.raises(Exception, match="forbidden"):
        operator.merge("secrets", install.NAMESPACE, "sh.helm.release.v1.zaum.v1", {"data": {}})


@pytest.mark.parametrize(
    "how", [["--server-side=true"], ["--server-side=false"], ["--server-side=true", "--force-conflicts"]], ids=" ".join
)
def test_an_upgrade_takes_no_data_away(api: Api, how: list[str]) -> None:
    before = everything(api)
    install.upgrade(how=how)
    assert everything(api) == before


def test_a_tool_that_renders_again_takes_no_data_away(api: Api) -> None:
    before = everything(api)
    values = ["--set", "images.operator.tag=x", "--set", "operator.replicas=1"]
    rendered = install.helm("template", install.RELEASE, install.CHART, "--namespace", install.NAMESPACE, *values)
    items = [item for item in yaml.safe_load_all(rendered) if item and item["kind"] == "Secret"]
    assert {item["metadata"]["name"] for item in items} == set(SECRETS)
    for item in items:
        api.apply("secrets", item)
    assert everything(api) == before


LOAD = f"""
import json, os, socket, ssl, threading, time
HOST = {addresses.WEBSITE_NAME!r}
done, failures, held = [0], [], [0]

def tunnel():
    proxy = socket.create_connection(("127.0.0.1", 15001), timeout=10)
    proxy.sendall(f"CONNECT {{HOST}}:443 HTTP/1.1\\r\\nHost: {{HOST}}:443\\r\\n\\r\\n".encode())
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        got = proxy.recv(1)
        if not got:
            raise OSError(f"closed after {{head[:80]!r}}")
        head += got
    if not head.startswith(b"HTTP/1.1 200"):
        raise OSError(head[:300].decode())
    return ssl.create_default_context().wrap_socket(proxy, server_hostname=HOST)

def get(tls):
    tls.sendall(f"GET / HTTP/1.1\\r\\nHost: {{HOST}}\\r\\n\\r\\n".encode())
    raw = b""
    while b"\\r\\n\\r\\n" not in raw:
        got = tls.recv(65536)
        if not got:
            raise OSError("closed")
        raw += got
    head, _, body = raw.partition(b"\\r\\n\\r\\n")
    length = int(next(l for l in head.lower().split(b"\\r\\n") if l.startswith(b"content-length")).split(b":")[1])
    while len(body) < length:
        body += tls.recv(65536)
    if not head.startswith(b"HTTP/1.1 200"):
        raise OSError(head[:100].decode())

def ask():
    while True:
        try:
            with tunnel() as tls:
                get(tls)
        except OSError as error:
            failures.append(f"{{time.time():.1f}} request: {{error}}")
        done[0] += 1
        time.sleep(0.1)

def hold():
    try:
        with tunnel() as tls:
            while True:
                get(tls)
                held[0] += 1
                time.sleep(0.2)
    except OSError as error:
        failures.append(f"{{time.time():.1f}} tunnel: {{error}}")

get(tunnel())
for work in (ask, ask, hold, hold):
    threading.Thread(target=work, daemon=True).start()
while True:
    print(json.dumps({{"requests": done[0], "held": held[0], "failures": failures[:5]}}), flush=True)
    time.sleep(1)
"""


def lives(api: Api, images: dict[str, str], seconds: dict[str, int]) -> None:
    """Install with these lives, and let the operator start over with an authority of that life."""
    install.install(api, images, *(f"certificates.unsafeSeconds.{key}={value}" for key, value in seconds.items()))
    kept = authorities(api)
    api.merge("secrets", install.NAMESPACE, CA, {"data": None})
    for pod in api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"):
        # Its kubelet would show it the loss within minutes; a changed pod is looked at now.
        api.merge(
            "pods",
            install.NAMESPACE,
            pod["metadata"]["name"],
            {"metadata": {"annotations": {"lost": kept[-1].subject.rfc4514_string()}}},
        )
    until(api, lambda: fresh(api, kept), seconds=60, what="an authority of its own making alone in the bundle")


def fresh(api: Api, kept: list[x509.Certificate]) -> bool:
    """Say whether one authority is left that was not there before, everywhere."""
    stored = [data(api, name).get("ca.crt", b"") for name in SECRETS]
    if len(set(stored)) != 1 or not stored[0]:
        return False
    found = x509.load_pem_x509_certificates(stored[0])
    return len(found) == 1 and not set(found) & set(kept)


@pytest.fixture
def short_lives(api: Api, images: dict[str, str]) -> Iterator[None]:
    lives(api, images, SHORT)
    yield
    lives(api, images, LONG)
    install.install(api, images)


@pytest.mark.world
def test_an_agent_works_on_while_everything_is_rotated(agents: Agents, api: Api, short_lives: Any) -> None:
    rate = {"requests": {"perMinute": 6000, "burst": 1000}}
    pod = agents.run("busy", LOAD, egress={"hosts": [{"host": addresses.WEBSITE_NAME}]}, limits=rate)
    lines = agents.lines(pod, seconds=ROTATION_SECONDS + 60)
    next(lines)
    first, leafs, overlapped = authorities(api), {data(api, GATEWAY)["tls.crt"]}, False
    deadline = time.monotonic() + ROTATION_SECONDS
    for line in lines:
        requests = line["requests"]
        leafs.add(data(api, GATEWAY)["tls.crt"])
        overlapped = overlapped or len(authorities(api)) == 2
        if fresh(api, first) or time.monotonic() > deadline:
            break
    assert fresh(api, first), "the first authority is gone"
    assert overlapped
    assert len(leafs) >= 3, "renewed by the first authority, then signed by the next"
    last = next(line for line in lines if line["requests"] > requests + 20)
    assert last["failures"] == []
    assert last["requests"] > 200
    assert last["held"] > 200
