"""The real Envoy with the chart's own file and the real authorizer, on loopback, over a simulated cluster."""

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.gateway import loopback, simulated_cluster
from tests.support import envoy_file
from tests.support.authority import Authority
from tests.support.volume import Volume
from zaum_api import contract

ROOT = Path(__file__).resolve().parents[3]
SDS_FILES = ROOT / "charts/zaum/files/sds"
START_SECONDS = 20.0
NAMESPACE: Final = "zaum-system"
"""Of the release."""
DENIED_LOOPBACK: Final = "127.64.0.0/16"
"""Of loopback, what no allowed name may lead to here; the rest plays the outside."""


class Process:
    """A child whose JSON log lines can be awaited; ended by its own handle."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def await_line(self, **wanted: object) -> dict[str, Any]:
        """Wait for a log line that has all of `wanted`."""

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if wanted.items() <= line.items()), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._child.poll() is not None, START_SECONDS)
            line = found()
        assert line is not None, f"no line with {wanted} in {self.lines[-20:]}"
        return line

    def end(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._reader.join()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for raw in self._child.stdout:
            with self._news:
                if raw.startswith("{"):
                    self.lines.append(json.loads(raw))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


@dataclass
class Gateway:
    """One Envoy and where it listens."""

    process: Process
    tls_port: int
    signed_port: int
    ready_port: int


@dataclass
class Replica:
    """One authorizer and where it listens."""

    process: Process
    grpc_port: int
    health_port: int
    reports_port: int


@dataclass
class Lab:
    """Everything a test touches. What is there once stands for the first of `authorizers` and `gateways`."""

    directory: Path
    cluster: simulated_cluster.SimulatedCluster
    authorizer: Process
    envoy: Process
    authorizer_port: int
    gateway_port: int
    signed_port: int
    ready_port: int
    health_port: int
    reports_port: int
    names_port: int
    volumes: "Volumes"
    tls_port: int
    tcp_port: int
    asked: list[str] = field(default_factory=list)
    authorizers: list[Replica] = field(default_factory=list)
    gateways: list[Gateway] = field(default_factory=list)
    service: loopback.Service | None = None
    """By which the gateways reach the authorizers, where there are several."""
    connections: list[socket.socket] = field(default_factory=list)
    """Every connection that a test opened; closed at the end, so that no test has to."""

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"


@dataclass
class Volumes:
    """What the kubelet mounts into both pods: certificates, and for Envoy the files that name them."""

    envoy: Volume
    authorizer: Volume
    sessions: Volume

    @staticmethod
    def under(directory: Path) -> "Volumes":
        return Volumes(Volume(directory / "envoy"), Volume(directory / "authorizer"), Volume(directory / "sessions"))

    def gateway_has(self, **files: bytes) -> None:
        """Bring files of the gateway's Secret into its volume: `tls_crt` is `tls.crt`."""
        sds = {
            f"sds/{path.name}": path.read_text().replace("/etc/envoy", str(self.envoy.root)).encode()
            for path in SDS_FILES.iterdir()
        }
        self.envoy.write(sds | {f"tls/{name.replace('_', '.')}": content for name, content in files.items()})

    def sessions_have(self, **masters: bytes) -> None:
        """Bring master keys into the authorizer's other volume."""
        self.sessions.write(masters)

    def authorizer_has(self, **files: bytes) -> None:
        """Bring files of the authorizer's Secret into its volume."""
        self.authorizer.write({name.replace("_", "."): content for name, content in files.items()})


@contextlib.contextmanager
def running(
    directory: Path,
    cluster: simulated_cluster.SimulatedCluster,
    hosts: Mapping[str, loopback.Addresses],
    *,
    fill: Callable[[Volumes], None] | None = None,
    connection_seconds: int = 300,
    replicas: int = 1,
    proxy: int | None = None,
) -> Iterator[Lab]:
    """Run everything until the block ends; `hosts` is what the DNS stub knows.

    `fill` mounts other certificates than the test authority's; `connection_seconds` is how long Envoy keeps a
    connection to the authorizer; `replicas` how many there are of each; `proxy` is the port of a proxy on loopback by
    which alone the outside is reached.
    """
    authority = Authority(directory)
    authority.issue(contract.GATEWAY_TLS_NAME, "tls")
    authority.issue(contract.GATEWAY_CLIENT_TLS_NAME, "client")
    authority.issue(contract.AUTHORIZER_TLS_NAME, "server")
    authority.issue("someone.else.test", "stranger")
    volumes = Volumes.under(directory)
    (fill or (lambda mounted: _fill(mounted, directory)))(volumes)
    outside = authority.issue("docs.example.com", "outside")
    with contextlib.ExitStack() as stack:
        tls_port = stack.enter_context(loopback.echo(*outside))
        tcp_port = stack.enter_context(loopback.echo())
        names_port, asked = stack.enter_context(loopback.names(hosts))
        authorizers = [start_replica(directory, volumes, cluster) for _ in range(replicas)]
        for replica in authorizers:
            stack.callback(replica.process.end)
        ports = [replica.grpc_port for replica in authorizers]
        service = stack.enter_context(loopback.service(ports)) if replicas > 1 else None
        gateways = [
            start_gateway(
                directory,
                number,
                authorizer_port=service.port if service else ports[0],
                names_port=names_port,
                connection_seconds=connection_seconds,
                proxy=proxy,
            )
            for number in range(replicas)
        ]
        for gateway in gateways:
            stack.callback(gateway.process.end)
        first = authorizers[0]
        running = Lab(
            directory=directory,
            cluster=cluster,
            authorizer=first.process,
            envoy=gateways[0].process,
            authorizer_port=first.grpc_port,
            gateway_port=gateways[0].tls_port,
            signed_port=gateways[0].signed_port,
            ready_port=gateways[0].ready_port,
            health_port=first.health_port,
            reports_port=first.reports_port,
            names_port=names_port,
            authorizers=authorizers,
            gateways=gateways,
            service=service,
            volumes=volumes,
            tls_port=tls_port,
            tcp_port=tcp_port,
            asked=asked,
        )
        stack.callback(_close, running.connections)
        yield running


def _fill(volumes: Volumes, directory: Path) -> None:
    trusted = (directory / "ca.crt").read_bytes()
    volumes.gateway_has(**_pair(directory, "tls"), **_pair(directory, "client"), ca_crt=trusted)
    volumes.authorizer_has(**_pair(directory, "server", stem="tls"), ca_crt=trusted)
    volumes.sessions_have(current=master("b", age=4000), previous=master("a", age=90_000))


def master(name: str, *, age: int) -> bytes:
    """Make a master key as the operator writes it, made `age` seconds ago."""
    return f"{name} {int(time.time()) - age} {secrets.token_hex(32)}".encode()


def _pair(directory: Path, name: str, *, stem: str = "") -> dict[str, bytes]:
    return {f"{stem or name}_{end}": (directory / f"{name}.{end}").read_bytes() for end in ("crt", "key")}


def start_authorizer(directory: Path, volumes: Volumes, cluster: simulated_cluster.SimulatedCluster) -> Process:
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig())
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("crds", "sandbox", "gateway")),
        "KUBECONFIG": str(kubeconfig),
        "ZAUM_TLS_DIR": str(volumes.authorizer.root),
        "ZAUM_SESSIONS_DIR": str(volumes.sessions.root),
        "ZAUM_GRPC_ADDRESS": "127.0.0.1:0",
        "ZAUM_HEALTH_HOST": "127.0.0.1",
        "ZAUM_HEALTH_PORT": "0",
        "ZAUM_REPORTS_HOST": "127.0.0.1",
        "ZAUM_REPORTS_PORT": "0",
        "ZAUM_NAMESPACE": NAMESPACE,
        "ZAUM_OPERATOR_ACCOUNT": "zaum-operator",
        "ZAUM_WATCH_NAMESPACES": ",".join(cluster.shares),
    }
    return Process([sys.executable, "-m", "zaum_gateway"], environment)


def start_replica(directory: Path, volumes: Volumes, cluster: simulated_cluster.SimulatedCluster) -> Replica:
    """Start an authorizer and wait until it has read the cluster."""
    process = start_authorizer(directory, volumes, cluster)
    started = process.await_line(event="started")
    _await_ready(started["health"])
    return Replica(process, started["grpc"], started["health"], started["reports"])


def start_gateway(directory: Path, number: int, **given: Any) -> Gateway:
    """Start an Envoy and wait until it listens."""
    own = directory / f"gateway{number}"
    own.mkdir()
    process = _start_envoy(directory, own, **given)
    ports = _listeners(own / "admin.sock")
    return Gateway(process, ports["egress"], ports["signed"], ports["ready"])


def render(
    directory: Path,
    own: Path | None = None,
    *,
    authorizer_port: int,
    names_port: int,
    connection_seconds: int = 300,
    proxy: int | None = None,
) -> dict[str, Any]:
    """Give the chart's file with nothing changed but addresses, paths, the resolver, and one duration if asked."""
    named = ("127.0.0.1", proxy) if proxy else None
    text = envoy_file.text(envoy_file.Given(namespace=NAMESPACE, excluded=excluded(), proxy=named))
    text = text.replace("/etc/envoy", str(directory / "envoy")).replace("/var/run/envoy", str(own or directory))
    config: dict[str, Any] = yaml.safe_load(text)
    for listener in config["static_resources"]["listeners"]:
        listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
    # One object, which the YAML anchor shares between the bootstrap and the forward proxy's cache.
    config["typed_dns_resolver_config"]["typed_config"]["resolvers"] = [
        {"socket_address": {"address": "127.0.0.1", "port_value": names_port}}
    ]
    authorizer = next(item for item in config["static_resources"]["clusters"] if item["name"] == "authorizer")
    authorizer["type"] = "STATIC"
    (options,) = authorizer["typed_extension_protocol_options"].values()
    assert options["common_http_protocol_options"] == {"max_connection_duration": "300s"}
    options["common_http_protocol_options"]["max_connection_duration"] = f"{connection_seconds}s"
    endpoint = authorizer["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    endpoint["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": authorizer_port}
    return config


def excluded() -> list[str]:
    """Give the ranges that nothing may lead to: the chart's, but of loopback, the outside here, only a small part."""
    return [DENIED_LOOPBACK if each == "127.0.0.0/8" else each for each in envoy_file.denied_ranges()]


def _start_envoy(directory: Path, own: Path, **given: Any) -> Process:
    path = own / "envoy.yaml"
    path.write_text(yaml.safe_dump(render(directory, own, **given)))
    binary = Path(sys.executable).with_name("envoy")
    command = [str(binary), "-c", str(path), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    command += ["--file-flush-interval-msec", "50"]
    return Process(command, {"PATH": os.environ["PATH"]})


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if fetch(port, "/readyz")[0] == 200:
            return
        threading.Event().wait(0.02)
    raise AssertionError("the authorizer did not get ready")


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """GET a page from a loopback port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _listeners(admin: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(admin))
                sock.sendall(b"GET /listeners?format=json HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
                raw = b"".join(iter(lambda: sock.recv(65536), b""))
            document = json.loads(raw[raw.index(b"{") : raw.rindex(b"}") + 1])
            found = {
                item["name"]: item["local_address"]["socket_address"]["port_value"]
                for item in document["listener_statuses"]
            }
            # It binds them first and names them by then; who calls before its worker listens is refused.
            if {"egress", "signed", "ready"} <= found.keys() and set(found.values()) <= _listening():
                return found
        threading.Event().wait(0.02)
    raise AssertionError("Envoy did not get ready")


def _listening() -> set[int]:
    """Give the ports of this network on which somebody listens (proc_net_tcp(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}


def _close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()
