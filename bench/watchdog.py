"""Measure the watchdog beside Envoy: `python -m bench.watchdog`.

Both proxies do the same on core 0: accept a CONNECT, decide, log one JSON line, open a connection to the next hop, ask
it by CONNECT, and carry a ClientHello and 1 KiB up and 1 KiB down. The watchdog checks the ClientHello, Envoy does not.
The load and the next hop run on core 1. Rounds alternate (watchdog, Envoy, watchdog, ...), and each ratio is taken
between neighbours, so that what the machine does besides hits both; the medians of the ratios are reported.

Everything runs at a raised priority where that is allowed, so that other work on the machine disturbs less.

- req/s: as many as 16 closed loops get through, watchdog over Envoy.
- cpu: user and system time of the proxy's process per request (proc_pid_stat(5)), watchdog over Envoy.
- p50 added: median time of a request at a fixed low rate, minus the same without any proxy.
- rss: the watchdog's resident memory after the load.
- signed hop: the same as the plain hop, with a session from a gateway of TLS and every head signed by it.
- one tunnel: bytes per second of one tunnel in bulk (bench/bulk.py), and the proxy's CPU for each GB.
- idle tunnel: what the watchdog's resident memory grows by, for each of 1,000 tunnels that carried 1 KiB and are idle.
- floor: the same of a relay in Go that decides, checks and logs nothing (bench/load/relay.go): what the wake-ups and
  the kernel's TCP cost any proxy on this machine. Plain hop only.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from bench import sessions
from tests.support.authority import Authority
from zaum_api import contract, documents, reading

ROOT: Final = Path(__file__).resolve().parents[1]
PROXY_CORE: Final = 0
LOAD_CORE: Final = 1
HOST: Final = "api.example.com"
ROUNDS: Final = 10
SECONDS: Final = 1.2
CONCURRENCY: Final = 16
LOW_RATE: Final = 200.0
LATENCY_SECONDS: Final = 0.8
LATENCY_ROUNDS: Final = 5
BULK_SECONDS: Final = 2.0
BULK_ROUNDS: Final = 5
IDLE: Final = 1000
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Proxy:
    """A running proxy, or with no process the next hop itself."""

    name: str
    port: int
    pid: int = 0

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@dataclasses.dataclass(frozen=True)
class Round:
    """What one proxy did in one round."""

    per_second: float
    cpu_micros: float
    busy: float
    """Share of its core that the proxy used; the kernel's softirqs take most of the rest and are nobody's time."""

    def __str__(self) -> str:
        return f"{self.per_second:5.0f}/s {self.cpu_micros:4.0f} us busy {self.busy:4.0%}"


def build() -> Path:
    """Build the load generator once per version of its sources, into the cache."""
    sources = sorted((ROOT / "bench" / "load").glob("*"))
    key = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    cache = Path(os.environ.get("ZAUM_CACHE", Path.home() / ".cache" / "zaum")) / "bench"
    binary = cache / f"load-{key}"
    if not binary.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["go", "build", "-trimpath", "-o", binary, "."],
            cwd=ROOT / "bench" / "load",
            env={**os.environ, "CGO_ENABLED": "0"},
            check=True,
        )
    return binary


def start(
    arguments: list[str], core: int, *, out: IO[str] | int, environment: dict[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a process on one core; only root may raise priorities."""
    raised = ["nice", "-n", "-10"] if os.getuid() == 0 else []
    return subprocess.Popen(
        ["taskset", "-c", str(core), *raised, *arguments],
        stdin=subprocess.PIPE,
        stdout=out,
        env={**os.environ, **(environment or {})},
        text=True,
    )


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """End the process with the block."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def client_hello() -> bytes:
    """Take the ClientHello from a real stack."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST).do_handshake()
    return outgoing.read()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def await_port(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.05)
        else:
            return


def port_of(stub: "subprocess.Popen[str]") -> int:
    assert stub.stdout is not None
    return int(stub.stdout.readline())


def ordered(client: "subprocess.Popen[str]", order: Mapping[str, object], name: str) -> dict[str, float]:
    """Let a client of bench/load run one order; raise when a request failed."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(json.dumps(order) + "\n")
    client.stdin.flush()
    answer: dict[str, float] = json.loads(client.stdout.readline())
    if answer["failed"] or not answer["requests"]:
        raise RuntimeError(f"{name}: {answer['failed']} requests failed: {answer['error']}")
    return answer


class Bench:
    """One hop's processes: the next hop, the client, both proxies."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        directory: Path,
        *,
        tls: bool = False,
        signed: bool = False,
        bulk: bool = False,
    ) -> None:
        self._stack = stack
        self._directory = directory
        binary = build()
        hello = directory / "hello"
        hello.write_bytes(client_hello())
        authority = Authority(directory)
        certificate = directory / "server.pem"
        leaf_and_key = authority.issue(contract.GATEWAY_TLS_NAME, "server")
        certificate.write_bytes(b"".join(path.read_bytes() for path in leaf_and_key))
        flight = str(hello.stat().st_size + 1024)
        self.hello = hello
        self._tls = tls
        self._ca = authority.pem
        plain = self._load(binary, "stub", "-flight", flight)
        self.direct = Proxy("direct", port_of(plain))
        self._stub = (
            port_of(self._load(binary, "stub", "-flight", flight, "-tls", str(certificate)))
            if tls
            else self.direct.port
        )
        if bulk:
            self._stub = port_of(self._python("bench.bulk", "serve"))
        self._sessions = stack.enter_context(sessions.given(certificate)) if signed else 0
        self._client = self._load(binary, "client", "-authority", f"{HOST}:443", "-hello", str(hello))
        self.watchdog = self._start_watchdog()
        self.envoy = self._start_envoy()
        relay = self._load(binary, "relay", "-next", str(self.direct.port), core=PROXY_CORE)
        self.floor = Proxy("floor", port_of(relay), relay.pid)

    def _load(self, binary: Path, *arguments: str, core: int = LOAD_CORE) -> "subprocess.Popen[str]":
        one = {"GOMAXPROCS": "1", "GOGC": "400"}
        process = start([str(binary), *arguments], core, out=subprocess.PIPE, environment=one)
        return self._stack.enter_context(ended(process))

    def _python(self, *arguments: str) -> "subprocess.Popen[str]":
        process = start([sys.executable, "-m", *arguments], LOAD_CORE, out=subprocess.PIPE)
        return self._stack.enter_context(ended(process))

    def _start_watchdog(self) -> Proxy:
        plain = not self._tls and not self._sessions
        port = self._sessions or self._stub
        peer = documents.GatewayPeer(("127.0.0.1",), port, contract.GATEWAY_TLS_NAME, self._ca, plain)
        config = documents.WatchdogConfig(
            namespace="bench",
            policy="bench",
            gateway=peer,
            hosts=(documents.HostRule(HOST),),
            requests=documents.RequestRate(1_000_000, 1_000_000),
            connections=2 * IDLE,
            signed_port=self._stub if self._sessions else 0,
            runaway=documents.Runaway(
                documents.CpuDetector(90, 120, 500),
                documents.ProcessDetector(128, 10),
                documents.DeniedDetector(20, 60),
            ),
        ).dump()
        files = [self._directory / name for name in ("config", "digest", "token")]
        files[0].write_bytes(config)
        files[1].write_text(reading.digest(config))
        files[2].write_text("measured-without-authorizer")
        port, probe = free_port(), free_port()
        process = self._log(
            "watchdog",
            [sys.executable, "-m", "zaum_watchdog", "--config", str(files[0]), "--digest", str(files[1]), "--token",
             str(files[2]), "--proxy-port", str(port), "--probe-port", str(probe), "--routes-port", "0"],
        )  # fmt: skip
        await_port(port, process)
        if self._sessions:
            self._await_session()
        return Proxy("watchdog", port, process.pid)

    def _await_session(self) -> None:
        deadline = time.monotonic() + 5
        while '"kind":"session"' not in (self._directory / "watchdog.log").read_text():
            if time.monotonic() > deadline:
                raise RuntimeError("the watchdog got no session")
            time.sleep(0.02)

    def _start_envoy(self) -> Proxy:
        port = free_port()
        text = (ROOT / "bench" / "envoy-watchdog-peer.yaml").read_text()
        socket_ = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": contract.GATEWAY_TLS_NAME,
                "common_tls_context": {
                    "validation_context": {
                        "trusted_ca": {"filename": str(self._directory / "ca.crt")},
                        "match_typed_subject_alt_names": [
                            {"san_type": "DNS", "matcher": {"exact": contract.GATEWAY_TLS_NAME}}
                        ],
                    }
                },
            },
        }
        secure = f"transport_socket: {json.dumps(socket_)}" if self._tls else ""
        for mark, value in (("@PORT@", str(port)), ("@STUB@", str(self._stub)), ("@TLS@", secure)):
            text = text.replace(mark, value)
        config = self._directory / "envoy.yaml"
        config.write_text(text)
        binary = Path(importlib.import_module("envoy").__file__ or "").parent / "_bin" / "envoy"
        process = self._log(
            "envoy",
            [str(binary), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
        )
        await_port(port, process)
        return Proxy("envoy", port, process.pid)

    def _log(self, name: str, arguments: list[str]) -> "subprocess.Popen[str]":
        out = self._stack.enter_context((self._directory / f"{name}.log").open("w"))
        paths = os.pathsep.join(str(ROOT / part) for part in ("crds", "sandbox"))
        return self._stack.enter_context(
            ended(start(arguments, PROXY_CORE, out=out, environment={"PYTHONPATH": paths}))
        )

    def ask(self, proxy: Proxy, *, seconds: float, concurrency: int, rate: float) -> dict[str, float]:
        """Run one load; raise when a request failed."""
        order = {"target": f"127.0.0.1:{proxy.port}", "seconds": seconds, "concurrency": concurrency, "rate": rate}
        return ordered(self._client, order, proxy.name)

    def round(self, proxy: Proxy) -> Round:
        """Load one proxy as hard as it takes."""
        before, began = proxy.cpu_seconds(), time.monotonic()
        answer = self.ask(proxy, seconds=SECONDS, concurrency=CONCURRENCY, rate=0)
        used, span = proxy.cpu_seconds() - before, time.monotonic() - began
        return Round(answer["requests"] / answer["seconds"], used / answer["requests"] * 1e6, used / span)

    def bulk(self, proxy: Proxy) -> tuple[float, float]:
        """Give the GB/s of one tunnel, and the proxy's CPU seconds for each GB."""
        before = proxy.cpu_seconds()
        taking = self._python("bench.bulk", "take", str(proxy.port), str(self.hello), str(BULK_SECONDS))
        out, _ = taking.communicate(timeout=30)
        speed = float(out) / 1e9
        # The warm-up's bytes cost CPU too, at the same speed.
        return speed, (proxy.cpu_seconds() - before) / (speed * (BULK_SECONDS + 0.3))

    def idle_kib(self) -> tuple[float, float, float]:
        """Give the watchdog's memory in MB without tunnels and with IDLE of them, and the KiB for each."""
        hello = self.hello.read_bytes() + b"\x17\x03\x03\x03\xfb" + b"b" * 1019
        before = self.watchdog.resident_mb()
        with contextlib.ExitStack() as stack:
            for _ in range(IDLE):
                dialled = stack.enter_context(socket.create_connection(("127.0.0.1", self.watchdog.port), 5))
                dialled.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
                if not dialled.recv(4096).startswith(b"HTTP/1.1 200"):
                    raise RuntimeError("an idle tunnel was refused")
                dialled.sendall(hello)
                left = 1024
                while left:
                    left -= len(dialled.recv(left))
            after = self.watchdog.resident_mb()
        return before, after, (after - before) * 1024 / IDLE

    def latency(self, proxy: Proxy) -> float:
        """Give the median time of a request at the low rate, in milliseconds."""
        return self.ask(proxy, seconds=LATENCY_SECONDS, concurrency=1, rate=LOW_RATE)["p50ms"]


def measure(label: str, *, tls: bool = False, signed: bool = False) -> None:
    """Run all rounds with one kind of hop and print them, the medians last."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack, directory, tls=tls, signed=signed)
        for proxy in (bench.watchdog, bench.envoy):
            bench.ask(proxy, seconds=0.5, concurrency=CONCURRENCY, rate=0)
        pairs = [(bench.round(bench.watchdog), bench.round(bench.envoy)) for _ in range(ROUNDS)]
        for ours, theirs in pairs:
            print(f"  watchdog {ours}   envoy {theirs}")
        ours_added, theirs_added, floor_added = latencies(bench)
        print(f"  p50 added: watchdog {ours_added:.2f} ms, envoy {theirs_added:.2f} ms")
        if not tls and not signed:
            print(f"  floor {bench.round(bench.floor)} p50 added {floor_added:.2f} ms")
        rate = statistics.median(ours.per_second / theirs.per_second for ours, theirs in pairs)
        cpu = statistics.median(ours.cpu_micros / theirs.cpu_micros for ours, theirs in pairs)
        print(
            f"{label} watchdog/envoy req/s {rate:.2f} cpu {cpu:.2f} p50 added {ours_added:.2f} ms"
            f" rss {bench.watchdog.resident_mb():.0f} MB",
            flush=True,
        )


def measure_tunnels() -> None:
    """Print what one tunnel carries in bulk, and what an idle one costs, over the signed hop."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack, directory, signed=True, bulk=True)
        pairs = [(bench.bulk(bench.watchdog), bench.bulk(bench.envoy)) for _ in range(BULK_ROUNDS)]
    ours, theirs = (
        tuple(statistics.median(column) for column in zip(*side, strict=True)) for side in zip(*pairs, strict=True)
    )
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(stack, directory, signed=True)
        # What the first request takes for good is not the tunnels'.
        bench.ask(bench.watchdog, seconds=0.3, concurrency=CONCURRENCY, rate=0)
        before, after, each = bench.idle_kib()
    print(
        f"bench (tunnels): one {ours[0]:.2f} GB/s at {ours[1]:.2f} CPU-s/GB, envoy {theirs[0]:.2f} at {theirs[1]:.2f};"
        f" rss {before:.1f} MB with 0, {after:.1f} with {IDLE}: {each:.1f} KiB each",
        flush=True,
    )


def latencies(bench: Bench) -> tuple[float, float, float]:
    """Give what watchdog, Envoy and the floor add to the median request, in milliseconds."""
    added: list[tuple[float, float, float]] = []
    for _ in range(LATENCY_ROUNDS):
        base = bench.latency(bench.direct)
        ours, theirs, floor = (bench.latency(proxy) - base for proxy in (bench.watchdog, bench.envoy, bench.floor))
        added.append((ours, theirs, floor))
    ours_all, theirs_all, floors = zip(*added, strict=True)
    return statistics.median(ours_all), statistics.median(theirs_all), statistics.median(floors)


if __name__ == "__main__":
    measure("bench (TLS hop):", tls=True)
    measure("bench (signed hop):", signed=True)
    measure_tunnels()
    measure("bench:")
