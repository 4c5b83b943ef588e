"""Certificates change under load: the operator's own code rotates, real Envoy and authorizer take what it writes.

Watchdog-like clients open a new connection for every request, as they do in a burst, and hold tunnels through it all.
Time is real, because TLS stacks read their own clocks; lives are some seconds.
"""

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.gateway import callers, conftest, lab, simulated_cluster
from tests.support.apiserver import ApiServer
from tests.support.authority import Authority
from tests.support.certificates import NAMESPACE, Replica, Rig
from zaum_api import contract
from zaum_operator.clock import Clock

CLIENTS = 3
TUNNELS = 4
LIVES = {"ZAUM_CA_SECONDS": "36", "ZAUM_LEAF_SECONDS": "12", "ZAUM_SETTLE_SECONDS": "1"}
PATIENCE_SECONDS = 30.0
WHOLE_SECONDS = 90.0
"""A bound; leafs are due after 8 seconds, the authority after 24, and its first rotation ends some seconds later."""


@dataclass
class Load:
    """Clients that never stop. `failures` says what any of them ran into; `trusted` is what all of them trust."""

    world: conftest.World
    trusted: str
    failures: list[str] = field(default_factory=list)
    requests: int = 0
    shown: set[x509.Certificate] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        work: list[Callable[[], None]] = [self._ask] * CLIENTS + [self._hold] * TUNNELS
        threads = [threading.Thread(target=each) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def dial(self) -> ssl.SSLSocket:
        """Connect as a watchdog does, CONNECT, and give the open tunnel."""
        context = ssl.create_default_context(cadata=self.trusted)
        plain = socket.create_connection(("127.0.0.1", self.world.lab.gateway_port), timeout=10)
        try:
            secure = context.wrap_socket(plain, server_hostname=contract.GATEWAY_TLS_NAME)
        except OSError:
            plain.close()
            raise
        host = f"{conftest.HOST}:{self.world.lab.tcp_port}"
        head = f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Bearer {self.world.token()}\r\n\r\n"
        secure.sendall(head.encode())
        answer = secure.recv(4096)
        if not answer.startswith(b"HTTP/1.1 200"):
            secure.close()
            raise OSError(f"refused: {answer[:300]!r}")
        self.shown.add(x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b""))
        return secure

    def _ask(self) -> None:
        while not self._stop.wait(0.05):
            try:
                with self.dial() as tunnel:
                    _ping(tunnel)
            except OSError as error:
                self.failures.append(f"request: {error}")
            self.requests += 1

    def _hold(self) -> None:
        try:
            with self.dial() as tunnel:
                while not self._stop.wait(0.1):
                    _ping(tunnel)
        except OSError as error:
            self.failures.append(f"tunnel: {error}")


def _ping(tunnel: ssl.SSLSocket) -> None:
    tunnel.sendall(b"ping")
    got = b""
    while len(got) < 4:
        chunk = tunnel.recv(4 - len(got))
        if not chunk:
            raise OSError("closed")
        got += chunk


class Installation:
    """The operator's certificates, and a kubelet that mounts them into both pods."""

    def __init__(self, directory: Path) -> None:
        api: ApiServer = Rig(directory / "stored").api
        self.api = api
        self.operator = Replica(api, Clock(), directory / "operator", **LIVES)

    def work(self) -> None:
        """Let the operator do what is due."""
        self.operator.turn()
        self.operator.sync()

    def mount(self, volumes: lab.Volumes) -> None:
        """Bring what is stored into the pods' volumes, where it changed."""
        if volumes.authorizer.mounted() != (fresh := self.secret(contract.AUTHORIZER_TLS_SECRET)):
            volumes.authorizer_has(**fresh)
        gateway = self.secret(contract.GATEWAY_TLS_SECRET)
        if volumes.envoy.mounted("tls") != gateway:
            volumes.gateway_has(**gateway)

    def secret(self, name: str) -> dict[str, bytes]:
        data = self.api.objects["secrets", NAMESPACE, name]["data"]
        files = {key: base64.b64decode(value) for key, value in data.items() if key.endswith((".crt", ".key"))}
        return {key.replace(".", "_"): content for key, content in files.items()}

    @property
    def bundle(self) -> str:
        return self.secret(contract.CA_SECRET)["ca_crt"].decode()


@contextlib.contextmanager
def gateway(directory: Path, fill: Callable[[lab.Volumes], None]) -> Iterator[conftest.World]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cluster = simulated_cluster.SimulatedCluster({conftest.KEY_ID: key.public_key()})
    started = lab.running(directory, cluster, conftest.RECORDS, fill=fill, connection_seconds=1)
    with contextlib.closing(cluster), started as running:
        policy = conftest.policy("demo", running.tls_port, running.tcp_port)
        world = conftest.World(running, key, conftest.pod("demo", "127.0.0.1"), policy)
        cluster.pods.put(world.pod)
        cluster.policies.put(world.policy)
        yield world


def test_no_request_fails_and_no_tunnel_drops_while_everything_is_rotated(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.work()
    first = installation.bundle
    with gateway(tmp_path, installation.mount) as world:
        # However long all of that took to start: what is served now is good, and of the first authority.
        installation.work()
        installation.mount(world.lab.volumes)
        load = Load(world, first)
        _until_answered(load.dial)
        sizes = set()
        deadline = time.monotonic() + WHOLE_SECONDS
        with load.running():
            while time.monotonic() < deadline and not done(installation, first):
                installation.work()
                # The kubelet is late, and the watchdogs' documents are later; both are within what changes settle in.
                threading.Event().wait(0.2)
                installation.mount(world.lab.volumes)
                threading.Event().wait(0.2)
                load.trusted = installation.bundle
                sizes.add(installation.bundle.count("BEGIN"))
            threading.Event().wait(1.5)
        assert load.failures == []
        assert done(installation, first), "the first authority is gone"
        assert sizes == {1, 2}
        old = [leaf for leaf in load.shown if signed_by(first, leaf)]
        assert len(old) >= 2, "leafs were renewed"
        assert len(load.shown) > len(old), "and then signed by the next authority"
        assert load.requests > 50


def done(installation: Installation, first: str) -> bool:
    return first not in installation.bundle and installation.bundle.count("BEGIN") == 1


def signed_by(authority: str, leaf: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    except (ValueError, InvalidSignature):
        return False
    return True


def test_an_authority_that_is_taken_out_too_early_breaks_connections(tmp_path: Path) -> None:
    one, other = (Authority(_made(tmp_path / name), name) for name in ("one", "other"))

    def fill(authority: Authority, trusted: str) -> Callable[[lab.Volumes], None]:
        def mount(volumes: lab.Volumes) -> None:
            files: dict[str, bytes] = {"ca_crt": trusted.encode()}
            for stem, name in (("tls", contract.GATEWAY_TLS_NAME), ("client", contract.GATEWAY_CLIENT_TLS_NAME)):
                pair = authority.issue(name, stem)
                files |= {f"{stem}_{end}": path.read_bytes() for end, path in zip(("crt", "key"), pair, strict=True)}
            volumes.gateway_has(**files)

        return mount

    def everything(volumes: lab.Volumes) -> None:
        fill(one, one.pem)(volumes)
        certificate, key = one.issue(contract.AUTHORIZER_TLS_NAME, "server")
        files = {"tls_crt": certificate.read_bytes(), "tls_key": key.read_bytes()}
        volumes.authorizer_has(**files, ca_crt=one.pem.encode())

    with gateway(tmp_path, everything) as world:
        load = Load(world, one.pem)
        load.dial().close()
        # A client that no longer trusts the authority whose leaf is still served.
        load.trusted = other.pem
        with pytest.raises(ssl.SSLCertVerificationError):
            load.dial()
        # A gateway whose leaf is of an authority that neither the client nor the authorizer trusts yet.
        load.trusted = one.pem
        fill(other, one.pem + other.pem)(world.lab.volumes)
        with pytest.raises(ssl.SSLCertVerificationError):
            _until_raised(load.dial)
        load.trusted = one.pem + other.pem
        with pytest.raises(OSError, match=r"gateway\.unavailable"):
            _until_raised(load.dial)
        # Trust that overlaps mends it, on the fly.
        server = world.lab.volumes.authorizer.read()
        world.lab.volumes.authorizer.write({**server, "ca.crt": load.trusted.encode()})
        _until_answered(load.dial)


def test_files_that_do_not_belong_together_are_not_taken(world: conftest.World) -> None:
    good = world.lab.volumes.authorizer.read()
    world.lab.volumes.authorizer.write({**good, "tls.key": (world.lab.directory / "stranger.key").read_bytes()})
    try:
        with pytest.raises(ssl.SSLError):
            _asked_directly(world.lab, trusted="")
        _asked_directly(world.lab, trusted=good["ca.crt"].decode())
        world.lab.authorizer.await_line(event="certificates refused, the last good ones stay")
        assert callers.ask(world.lab, world.authority, token=world.token()).status == 200
    finally:
        world.lab.volumes.authorizer.write(good)


def _asked_directly(running: lab.Lab, *, trusted: str) -> None:
    """Shake hands with the authorizer itself, as Envoy does."""
    context = ssl.create_default_context(cadata=trusted) if trusted else ssl.create_default_context()
    context.load_cert_chain(running.directory / "client.crt", running.directory / "client.key")
    with socket.create_connection(("127.0.0.1", running.authorizer_port), timeout=10) as plain:
        context.wrap_socket(plain, server_hostname=contract.AUTHORIZER_TLS_NAME).close()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _until_raised(dial: Callable[[], ssl.SSLSocket]) -> None:
    """Dial until it fails, within some seconds: Envoy learns of a changed file by the kernel's notice."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        dial().close()
        threading.Event().wait(0.05)


def _until_answered(dial: Callable[[], ssl.SSLSocket]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            dial().close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.05)
