"""The real Envoy with the chart's own file and the real authorizer, on loopback, over a simulated cluster."""

import contextlib
import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tests.integration.gateway import loopback, simulated_cluster
from tests.support.authority import Authority
from tests.support.volume import Volume
from zaum_api import contract

ROOT = Path(__file__).resolve().parents[3]
ENVOY_FILE = ROOT / "charts/zaum/files/envoy.yaml"
SDS_FILES = ROOT / "charts/zaum/files/sds"
START_SECONDS = 20.0
NAMESPACE: Final = "zaum-system"
"""Of the release."""
RANGES: Final = re.compile(r'[ ]*\{\{- range include "zaum.excluded" . \| fromJsonArray \}\}\n(.*?)[ ]*\{\{- end \}\}\n', re.DOTALL)
"""The chart's loop over the ranges that nothing may lead to."""
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
class Lab:
    """Everything a test touches."""

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
    volumes: "Volumes"
    tls_port: int
    tcp_port: int
    asked: list[str] = field(default_factory=list)
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
    hosts: dict[str, str],
    *,
    fill: Callable[[Volumes], None] | None = None,
    connection_seconds: int = 300,
) -> Iterator[Lab]:
    """Run everything until the block ends; `hosts` is what the DNS stub knows.

    `fill` mounts other certificates than the test authority's; `connection_seconds` is how long Envoy keeps a
    connection to the authorizer.
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
        authorizer = start_authorizer(directory, volumes, cluster)
        stack.callback(authorizer.end)
        started = authorizer.await_line(event="started")
        envoy = _start_envoy(
            directory, authorizer_port=started["grpc"], names_port=names_port, connection_seconds=connection_seconds
        )
        stack.callback(envoy.end)
        _await_ready(started["health"])
        ports = _listeners(directory / "admin.sock")
        running = Lab(
            directory=directory,
            cluster=cluster,
            authorizer=authorizer,
            envoy=envoy,
            authorizer_port=started["grpc"],
            gateway_port=ports["egress"],
            signed_port=ports["signed"],
            ready_port=ports["ready"],
            health_port=started["health"],
            reports_port=started["reports"],
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


def render(directory: Path, *, authorizer_port: int, names_port: int, connection_seconds: int = 300) -> dict[str, Any]:
    """Give the chart's file with nothing changed but addresses, paths, the resolver, and one duration if asked."""
    text = ENVOY_FILE.read_text()
    text = text.replace("{{ .Release.Namespace }}", "zaum-system").replace(
        "{{ .Values.clusterDomain }}", "cluster.local"
    )
    text = RANGES.sub(lambda found: "".join(_of_range(found[1], each) for each in denied_ranges()), text)
    assert "{{" not in text, "a part of the template that nothing here knows"
    text = text.replace("/etc/envoy", str(directory / "envoy")).replace("/var/run/envoy", str(directory))
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


def denied_ranges() -> list[str]:
    """Give the chart's denied ranges; of loopback, which is the outside here, only a small part."""
    values = yaml.safe_load((ROOT / "charts/zaum/values.yaml").read_text())
    return [DENIED_LOOPBACK if each == "127.0.0.0/8" else each for each in values["network"]["deniedRanges"]]


def _of_range(text: str, cidr: str) -> str:
    address, _, length = cidr.partition("/")
    text = text.replace('{{ index (splitList "/" .) 0 | quote }}', json.dumps(address))
    return text.replace('{{ index (splitList "/" .) 1 }}', length)


def _start_envoy(directory: Path, **given: int) -> Process:
    path = directory / "envoy.yaml"
    path.write_text(yaml.safe_dump(render(directory, **given)))
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
            if {"egress", "signed", "ready"} <= found.keys():
                return found
        threading.Event().wait(0.02)
    raise AssertionError("Envoy did not get ready")


def _close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()
