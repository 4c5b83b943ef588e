"""A watchdog process under test, with its projected files as the kubelet writes them."""

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.watchdog import world
from zaum_api import contract, reading

ROOT = Path(__file__).resolve().parents[3]


class Files:
    """A projected volume: the files are symlinks through `..data`, which is swapped by one rename."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._generation = 0
        self.credentials = directory / "credentials"
        self.ledger_token = directory / "ledger-token"
        self.termination_log = directory / "termination-log"
        self.config, self.digest, self.token = (directory / name for name in ("config.json", "digest", "token"))

    def write(self, raw: bytes, *, digest: str | None = None, token: str = "token-1") -> None:
        self._generation += 1
        data = self.directory / f"..{self._generation}"
        data.mkdir()
        (data / "config.json").write_bytes(raw)
        (data / "digest").write_text(digest or reading.digest(raw))
        (data / "token").write_text(token)
        swap = self.directory / "..swap"
        swap.symlink_to(data.name)
        swap.rename(self.directory / "..data")
        for file in (self.config, self.digest, self.token):
            if not file.is_symlink():
                file.symlink_to(f"..data/{file.name}")


@dataclass
class Answer:
    """A parsed HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def rule(self) -> str:
        return self.headers.get("x-zaum-rule", "")

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


class Watchdog:
    """The process, its records as they come, and the ways to talk to it."""

    def __init__(
        self,
        files: Files,
        *,
        uid: int = 64999,
        interpreter: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        capture: bool = False,
        nodes: str = "",
        ordinal: int = 0,
        module: str = "zaum_watchdog",
    ) -> None:
        self.files = files
        self.started = time.monotonic()
        also = [ROOT] if module.startswith("tests.") else []
        self.process = subprocess.Popen(
            [
                sys.executable, *interpreter, "-m", module, "--config", files.config, "--digest", files.digest,
                "--token", files.token, "--credentials", files.credentials, "--routes-port", "0",
                "--ledger-token", files.ledger_token,
                "--proxy-port", "0", "--probe-port", "0", "--agent-uid", str(uid),
                "--termination-log", files.termination_log, *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if capture else None,
            env={
                "PYTHONPATH": ":".join(map(str, (ROOT / "crds", ROOT / "sandbox", *also))),
                "PATH": os.environ["PATH"],
                contract.ENV_NODE_ADDRESSES: nodes,
                contract.ENV_ORDINAL: str(ordinal),
                **{name: value for name, value in os.environ.items() if name.startswith("ZAUM_TRACE_")},
            },
            text=True,
        )  # fmt: skip
        self.records: list[dict[str, Any]] = []
        self._fresh: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        listening = self.record("listening")
        self.ready = time.monotonic() - self.started
        self.proxy: int = listening["proxy"]
        self.routes: int = listening["routes"]
        self.probe_port: int = listening["probe"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._fresh.put(json.loads(line))

    def record(self, kind: str, **fields: object) -> dict[str, Any]:
        """Wait for a record of this kind with these fields; records that were asked for are not given again."""
        wanted = {"kind": kind, **fields}
        for found in self.records:
            if wanted.items() <= found.items():
                self.records.remove(found)
                return found
        deadline = time.monotonic() + world.WAIT
        while True:
            try:
                found = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no record {wanted}, only {self.records}") from None
            if wanted.items() <= found.items():
                return found
            self.records.append(found)

    def drained(self) -> list[dict[str, Any]]:
        """Give every record so far that nobody asked for, after the process ended."""
        self._reader.join(world.WAIT)
        while not self._fresh.empty():
            self.records.append(self._fresh.get())
        return self.records

    def dial(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.proxy), world.WAIT)

    def ask(self, raw: bytes) -> Answer:
        """Send a raw request to the proxy, read its answer to the end; a tunnel that opens has none."""
        with self.dial() as dialled:
            dialled.sendall(raw)
            response = http.client.HTTPResponse(dialled, method="GET")
            response.begin()
            opened = raw.startswith(b"CONNECT") and response.status == 200
            body = b"" if opened else response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    def connect(self, target: str) -> Answer:
        """Ask for a tunnel that will be refused."""
        return self.ask(connect_head(target))

    def tunnel(self, target: str) -> socket.socket:
        """Open a tunnel; the socket is raw, right behind the 200."""
        dialled = self.dial()
        dialled.sendall(connect_head(target))
        read_established(dialled)
        return dialled

    def probe(self, path: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.probe_port, timeout=world.WAIT)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def metric(self, name: str) -> float:
        for line in self.probe("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self) -> int:
        """End the process as the kubelet does; give its status."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        status = self.process.wait(world.WAIT)
        self._reader.join(world.WAIT)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
        return status


def connect_head(target: str) -> bytes:
    """Give a CONNECT with headers that must not travel on."""
    lines = (f"CONNECT {target} HTTP/1.1", f"Host: {target}", "X-Agent: says", "Proxy-Authorization: Bearer forged")
    return "\r\n".join((*lines, "", "")).encode()


def read_established(dialled: socket.socket, head: bytes = b"") -> None:
    while not head.endswith(b"\r\n\r\n"):
        received = dialled.recv(1)
        assert received, head
        head += received
    assert head.startswith(b"HTTP/1.1 200 "), head


def client_hello(name: str) -> bytes:
    """Give the ClientHello that a real stack sends for a name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def drain(tunnel: socket.socket) -> None:
    """Read to the end of a tunnel; a reset is an end too, and a tunnel that stays open is a failure."""
    try:
        with contextlib.suppress(ConnectionResetError):
            while tunnel.recv(65536):
                pass
    except TimeoutError:
        raise AssertionError(f"the tunnel is still open after {tunnel.gettimeout()} s") from None


def until(check: Any, what: str) -> None:
    """Ask again until it is true; for states that only a page shows."""
    deadline = time.monotonic() + world.WAIT
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
