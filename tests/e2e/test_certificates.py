"""Certificates on a real cluster: filled in seconds, left alone by helm, rotated while an agent works."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import yaml
from cryptography import x509

from tests.cluster import addresses
from tests.support.e2e import install, programs
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, NotSeenError, Object, service_account
from zaum_api import contract

pytestmark = pytest.mark.alone
CA, GATEWAY, AUTHORIZER = contract.CA_SECRET, contract.GATEWAY_TLS_SECRET, contract.AUTHORIZER_TLS_SECRET
LEDGER = contract.LEDGER_TLS_SECRET
TRUSTED = (CA, GATEWAY, AUTHORIZER, LEDGER)
SECRETS = (*TRUSTED, contract.SESSION_SECRET)
LEAFS = ((GATEWAY, "tls"), (GATEWAY, "client"), (AUTHORIZER, "tls"), (LEDGER, "tls"))
SHORT = {"ca": 31536000, "leaf": 36, "settle": 3}
"""Seconds. A leaf is due 24 s after it was signed: by then the usual installation is back, and gives it a long life."""
STEP_SECONDS = 60
"""A bound for each step, of which none takes longer than a leaf's life when all is well."""
USUAL_LIFE = timedelta(days=1)
"""The leafs of a usual installation live longer than this, the short ones never."""


def data(api: Api, name: str) -> dict[str, bytes]:
    found = api.get("secrets", install.NAMESPACE, name).get("data") or {}
    return {key: base64.b64decode(value) for key, value in found.items()}


def everything(api: Api) -> dict[str, dict[str, bytes]]:
    return {name: data(api, name) for name in SECRETS}


def authorities(api: Api, name: str = CA) -> list[x509.Certificate]:
    """Give the bundle of a Secret; it is empty while the Secret is."""
    stored = data(api, name).get("ca.crt", b"")
    return x509.load_pem_x509_certificates(stored) if stored else []


def leafs(api: Api) -> list[x509.Certificate]:
    stored = [data(api, name).get(f"{stem}.crt", b"") for name, stem in LEAFS]
    return [x509.load_pem_x509_certificate(pem) for pem in stored if pem]


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
    for name, stems in ((GATEWAY, ("tls", "client")), (AUTHORIZER, ("tls",)), (LEDGER, ("tls",))):
        assert data(api, name)["ca.crt"] == data(api, CA)["ca.crt"]
        for stem in stems:
            leaf = x509.load_pem_x509_certificate(data(api, name)[f"{stem}.crt"])
            leaf.verify_directly_issued_by(authority)
    keys = data(api, contract.SESSION_SECRET)
    assert keys.keys() == {"revision", "made", "current", "previous"}
    assert keys["current"] != keys["previous"]


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
import json, os, threading, time
HOST = {addresses.WEBSITE_NAME!r}
done, failures, held = [0], [], [0]
{programs.CONNECTED}
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
            with tunnel(HOST) as tls:
                get(tls)
        except OSError as error:
            failures.append(f"{{time.time():.1f}} request: {{error}}")
        done[0] += 1
        time.sleep(0.1)

def hold():
    try:
        with tunnel(HOST) as tls:
            while True:
                get(tls)
                held[0] += 1
                time.sleep(0.2)
    except OSError as error:
        failures.append(f"{{time.time():.1f}} tunnel: {{error}}")

for work in (ask, ask, hold, hold):
    threading.Thread(target=work, daemon=True).start()
while True:
    print(json.dumps({{"requests": done[0], "held": held[0], "failures": failures[:5]}}), flush=True)
    time.sleep(1)
"""


def lose_the_authority(api: Api) -> None:
    """Take the root's data away: the operator makes the next authority, as it does when one is due."""
    api.merge("secrets", install.NAMESPACE, CA, {"data": None})
    lost = {"metadata": {"annotations": {"lost": str(time.time())}}}
    for pod in api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"):
        # Its kubelet would show it the loss within minutes; a changed pod is looked at now. One that goes may be gone.
        if not pod["metadata"].get("deletionTimestamp"):
            api.merge("pods", install.NAMESPACE, pod["metadata"]["name"], lost)


def fresh(api: Api, kept: list[x509.Certificate]) -> bool:
    """Say whether one authority is left that was not there before, everywhere."""
    stored = [authorities(api, name) for name in TRUSTED]
    return len(stored[0]) == 1 and all(each == stored[0] for each in stored) and stored[0][0] not in kept


def lasting(api: Api) -> bool:
    """Say whether all leafs live as long as usual."""
    found = leafs(api)
    lives = [leaf.not_valid_after_utc - leaf.not_valid_before_utc for leaf in found]
    return len(found) == len(LEAFS) and all(life > USUAL_LIFE for life in lives)


@dataclass
class ShortLives:
    """An installation whose leafs live for seconds, between `begin` and `end`."""

    api: Api
    images: dict[str, str]
    begun: bool = False

    def begin(self) -> None:
        self.begun = True
        install.upgrade(*(f"certificates.unsafeSeconds.{key}={value}" for key, value in SHORT.items()))
        install.available(self.api, "zaum-operator")

    def end(self) -> None:
        """Install as usual, and wait until no short leaf is left."""
        if self.begun:
            install.install(self.api, self.images)
            until(self.api, lambda: lasting(self.api), seconds=STEP_SECONDS, what="leafs of the usual life")
        self.begun = False


@pytest.fixture
def short_lives(api: Api, images: dict[str, str]) -> Iterator[ShortLives]:
    lives = ShortLives(api, images)
    yield lives
    lives.end()


def unharmed(agents: Agents, pod: Object, *, since: int = 0) -> Object:
    """Wait for 20 more requests than `since`, and see that no request has failed and no tunnel was dropped."""
    said = next((line for line in agents.lines(pod) if line["failures"] or line["requests"] > since + 20), None)
    assert said is not None, "an agent that stands still"
    assert said["failures"] == []
    return said


@pytest.mark.world
def test_an_agent_works_on_while_everything_is_rotated(agents: Agents, api: Api, short_lives: ShortLives) -> None:
    rate = {"requests": {"perMinute": 6000, "burst": 1000}}
    spec: Object = {"egress": {"hosts": [{"host": addresses.WEBSITE_NAME}]}, "limits": rate}
    old = agents.run("old", LOAD, **spec)
    short_lives.begin()
    first = authorities(api)
    assert len(first) == 1
    unharmed(agents, old)

    lose_the_authority(api)
    until(api, lambda: len(authorities(api)) == 2, seconds=STEP_SECONDS, what="two authorities that overlap")
    new = agents.run("new", LOAD, **spec)
    until(api, lambda: fresh(api, first), seconds=STEP_SECONDS, what="the first authority gone")
    (second,) = authorities(api)
    short = leafs(api)
    assert not lasting(api), "the control"
    short_lives.end()
    assert not set(short) & set(leafs(api)), "all are renewed, by the same authority"
    assert authorities(api) == [second]
    for pod in (old, new):
        so_far = json.loads(api.log_so_far(agents.namespace, pod["metadata"]["name"])[-1])
        said = unharmed(agents, pod, since=so_far["requests"])
        assert said["requests"] > 200
        assert said["held"] > 100
