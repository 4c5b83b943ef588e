"""Measure what egress costs: `python -m bench.egress`, all of it on loopback; `--short` for a look that takes a minute.

Three things side by side. Each figure is of one of them:

- chain: agent -> watchdog -> gateway (Envoy by the chart's file, with the authorizer) -> world. Warm routes are GETs of
  1 KiB on a kept connection to the routes' port, upstream over a pooled TLS connection; new tunnels are a CONNECT, a
  ClientHello and 1 KiB each way. Added is what they take more than the same asked directly: the route's GET on a kept
  TLS connection to the world, the tunnel's bytes at a next hop without anything between.
- proxies: the watchdog by signed heads beside Envoy by TLS with the same log line, each alone on a core and each before
  the same next hop (bench/watchdog.py): new tunnels a second and the CPU of one, GB/s and CPU of one tunnel in bulk.
  A gateway behind both would hide the difference: there the authorizer is the slowest.
- idle: the watchdog's resident memory with no tunnel and with 1,000 of them, with signed heads and with TLS on the hop.

The load's priority is raised where that is allowed. Exits with 1 when an aim is missed.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import watchdog as proxies
from tests.integration.gateway import conftest as gateways
from tests.integration.gateway.test_gateway import opened
from tests.integration.watchdog import rig
from zaum_api import contract, documents

ROUTE: Final = "bench"
LOW_RATE: Final = 200.0
CREDENTIAL: Final = "measured-without-a-secret"
MANY: Final = 1_000_000


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long and how often."""

    seconds: float = 2.0
    rounds: int = 7
    concurrency: int = 16


SHORT: Final = Effort(seconds=0.5, rounds=2)


@dataclasses.dataclass(frozen=True)
class Delay:
    """Milliseconds that are added, and requests per second with 16 loops."""

    p50: float
    p99: float
    per_second: float


@dataclasses.dataclass(frozen=True)
class Bulk:
    """One tunnel that carries as much as it can."""

    gb_per_second: float
    cpu_per_gb: float


@dataclasses.dataclass(frozen=True)
class Idle:
    """Resident MB with no tunnel and with 1,000, and the KiB of each."""

    none_mb: float
    thousand_mb: float
    kib: float


@dataclasses.dataclass(frozen=True)
class Figures:
    """Everything that is printed; medians over the rounds."""

    warm: Delay
    new: Delay
    envoy_p50: float
    ratio: float
    cpu_micros: float
    envoy_cpu_micros: float
    bulk: Bulk
    envoy_bulk: Bulk
    idle: Idle
    idle_tls: Idle


@dataclasses.dataclass(frozen=True)
class Aim:
    """One aim: the figure and its bound, which it must not exceed, or must reach."""

    what: str
    value: float
    bound: float
    reach: bool = False

    @property
    def held(self) -> bool:
        """Say whether the figure is on the right side."""
        return self.value >= self.bound if self.reach else self.value <= self.bound

    def __str__(self) -> str:
        sign = ">=" if self.reach else "<="
        return f"  {'holds ' if self.held else 'MISSED'} {self.what}: {self.value:.2f} (aim {sign} {self.bound:g})"


def aims(found: Figures) -> list[Aim]:
    """Hold the figures against what was promised."""
    return [
        Aim("a warm route adds, p50 ms", found.warm.p50, 0.5),
        Aim("an idle tunnel, KiB", found.idle.kib, 16),
        Aim("an idle tunnel with TLS on the hop, KiB", found.idle_tls.kib, 80),
        Aim("new tunnels per second, watchdog over Envoy", found.ratio, 1.2, reach=True),
        Aim("CPU of a new tunnel, us", found.cpu_micros, 200),
        Aim("one tunnel, GB/s", found.bulk.gb_per_second, 1.0, reach=True),
    ]


def table(found: Figures) -> list[str]:
    """Write the figures for people."""
    warm, new = found.warm, found.new
    return [
        f"  warm route: adds p50 {warm.p50:.2f} ms p99 {warm.p99:.2f} ms, {warm.per_second:.0f} req/s",
        f"  new tunnel: adds p50 {new.p50:.2f} ms p99 {new.p99:.2f} ms, {new.per_second:.0f} req/s through the gateway;"
        f" Envoy alone adds p50 {found.envoy_p50:.2f} ms",
        f"  CPU of a new tunnel: watchdog {found.cpu_micros:.0f} us, Envoy {found.envoy_cpu_micros:.0f} us",
        *(
            f"  one tunnel, {name}: {bulk.gb_per_second * 1000:.0f} MB/s at {bulk.cpu_per_gb:.2f} CPU-s/GB"
            for name, bulk in (("watchdog", found.bulk), ("Envoy", found.envoy_bulk))
        ),
        *(
            f"  RSS, {name}: {idle.none_mb:.1f} MB with 0 idle tunnels, {idle.thousand_mb:.1f} with {proxies.IDLE}:"
            f" {idle.kib:.1f} KiB each"
            for name, idle in (("signed heads", found.idle), ("TLS hop", found.idle_tls))
        ),
    ]


def last_line(found: Figures) -> str:
    """Write the line that stands at the end."""
    return (
        f"bench: egress added p50 {found.warm.p50:.2f} ms p99 {found.warm.p99:.2f} ms"
        f" tunnel KiB {found.idle.kib:.0f} watchdog/envoy {found.ratio:.2f}"
    )


class Chain:
    """Watchdog, gateway and world, and the clients that ask by them and past them."""

    def __init__(self, stack: contextlib.ExitStack, directory: Path) -> None:
        world = stack.enter_context(contextlib.contextmanager(gateways.make)(directory))
        opened(world)
        hello = directory / "hello"
        hello.write_bytes(rig.client_hello(gateways.HOST))
        pem = directory / "outside.pem"
        pem.write_bytes(b"".join((directory / f"outside.{end}").read_bytes() for end in ("crt", "key")))
        load = str(proxies.build())
        flight = ["-flight", str(hello.stat().st_size + 1024)]
        self._stack = stack
        self.direct = self._served(load, "stub", *flight)
        tunnelled = self._served(load, "stub", *flight, "-open")
        self.api = self._served(load, "api", "-tls", str(pem))
        world.policy["status"]["effective"] = documents.Effective(
            hosts=(documents.HostRule(gateways.HOST, (world.lab.tls_port, tunnelled, self.api)),)
        ).write()
        world.lab.cluster.policies.put(world.policy)
        authority = f"{gateways.HOST}:{tunnelled}"
        self._tunnels = self._client(load, "client", "-authority", authority, "-hello", str(hello))
        self._calls = self._client(load, "calls")
        self.watchdog = stack.enter_context(_watchdog(world, directory / "pod", tunnelled, self.api))
        rig.until(lambda: self._passes(authority), f"no tunnel to {authority}")

    def _served(self, *arguments: str) -> int:
        return proxies.port_of(self._client(*arguments))

    def _client(self, *arguments: str) -> "subprocess.Popen[str]":
        process = proxies.start(list(arguments), proxies.LOAD_CORE, out=subprocess.PIPE)
        return self._stack.enter_context(proxies.ended(process))

    def _passes(self, authority: str) -> bool:
        with self.watchdog.dial() as dialled:
            dialled.sendall(rig.connect_head(authority))
            return dialled.recv(4096).startswith(b"HTTP/1.1 200")

    def new(self, effort: Effort) -> Delay:
        """Measure new tunnels."""

        def by(port: int) -> Way:
            return lambda given: proxies.ordered(self._tunnels, {"target": f"127.0.0.1:{port}", **given}, "tunnels")

        return delay(by(self.watchdog.proxy), by(self.direct), effort)

    def warm(self, effort: Effort) -> Delay:
        """Measure warm routes."""

        def by(port: int, **more: object) -> Way:
            where = {"target": f"127.0.0.1:{port}", **more}
            return lambda given: proxies.ordered(self._calls, {**where, **given}, "routes")

        through = by(self.watchdog.routes, host="127.0.0.1", path=f"/{ROUTE}/item")
        return delay(through, by(self.api, host=gateways.HOST, path="/item", secure=True), effort)


Way = Callable[[Mapping[str, float]], dict[str, float]]


def delay(through: Way, past: Way, effort: Effort) -> Delay:
    """Ask both ways in turns; give the medians of what the one takes more than the other."""
    low = {"seconds": effort.seconds, "concurrency": 1, "rate": LOW_RATE}
    hard = {"seconds": effort.seconds, "concurrency": effort.concurrency, "rate": 0}
    through(low)  # what the first one opens stays open
    added: list[tuple[float, float]] = []
    rates: list[float] = []
    for _ in range(effort.rounds):
        base, found = past(low), through(low)
        added.append((found["p50ms"] - base["p50ms"], found["p99ms"] - base["p99ms"]))
        pushed = through(hard)
        rates.append(pushed["requests"] / pushed["seconds"])
    p50, p99 = (statistics.median(column) for column in zip(*added, strict=True))
    return Delay(p50, p99, statistics.median(rates))


@contextlib.contextmanager
def _watchdog(world: gateways.World, directory: Path, *ports: int) -> Iterator[rig.Watchdog]:
    """Start the watchdog of the one pod that the gateway knows, on its core, with a route to the last port."""
    directory.mkdir()
    trusted = world.lab.ca.read_text()
    allowed = (documents.Allowed(("GET",), "/*"),)
    route = documents.Route(ROUTE, gateways.HOST, ports[-1], "", allowed, documents.Credential("authorization", ""))
    config = documents.WatchdogConfig(
        namespace="agents",
        policy="demo",
        gateway=documents.GatewayPeer(("127.0.0.1",), world.lab.gateway_port, contract.GATEWAY_TLS_NAME, trusted),
        hosts=(documents.HostRule(gateways.HOST, ports[:-1]),),
        requests=documents.RequestRate(MANY, MANY),
        connections=2 * proxies.IDLE,
        runaway=documents.Runaway(None, None, None),
        signed_port=world.lab.signed_port,
        routes=(route,),
        upstream_ca_pem=trusted,
    )
    files = rig.Files(directory)
    files.write(config.dump(), token=world.token())
    (files.credentials / ROUTE).mkdir(parents=True)
    (files.credentials / ROUTE / contract.CREDENTIAL_FILE).write_text(CREDENTIAL)
    running = rig.Watchdog(files)
    try:
        os.sched_setaffinity(running.process.pid, {proxies.PROXY_CORE})
        running.record("session")
        yield running
    finally:
        running.stop()


def chain(effort: Effort) -> tuple[Delay, Delay]:
    """Give warm routes and new tunnels."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = Chain(stack, directory)
        return made.warm(effort), made.new(effort)


@contextlib.contextmanager
def _pair() -> Iterator[tuple[proxies.Bench, proxies.Bench]]:
    """Give the bench that has the watchdog as it is by default, and the one that has Envoy by TLS."""
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        signed = proxies.Bench(stack, folders[0], signed=True)
        yield signed, proxies.Bench(stack, folders[1], tls=True)


def beside(effort: Effort) -> tuple[float, float, float, float]:
    """Give new tunnels of the watchdog over Envoy's, the CPU microseconds of each, and what Envoy adds (p50, ms)."""
    with _pair() as (signed, tls):
        for bench, proxy in ((signed, signed.watchdog), (tls, tls.envoy)):
            bench.ask(proxy, seconds=0.5, concurrency=effort.concurrency, rate=0)
        pairs = [(signed.round(signed.watchdog), tls.round(tls.envoy)) for _ in range(effort.rounds)]
        added = [tls.latency(tls.envoy) - tls.latency(tls.direct) for _ in range(effort.rounds)]
    return (
        statistics.median(ours.per_second / theirs.per_second for ours, theirs in pairs),
        statistics.median(ours.cpu_micros for ours, _ in pairs),
        statistics.median(theirs.cpu_micros for _, theirs in pairs),
        statistics.median(added),
    )


def bulk(effort: Effort) -> tuple[Bulk, Bulk]:
    """Give one tunnel of the watchdog, and one of Envoy on the same hop."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = proxies.Bench(stack, directory, signed=True, bulk=True)
        pairs = [(bench.bulk(bench.watchdog), bench.bulk(bench.envoy)) for _ in range(effort.rounds)]
    ours, theirs = (
        Bulk(*(statistics.median(column) for column in zip(*side, strict=True))) for side in zip(*pairs, strict=True)
    )
    return ours, theirs


def idle(*, signed: bool) -> Idle:
    """Give what idle tunnels hold."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = proxies.Bench(stack, directory, signed=signed, tls=not signed)
        # What the first requests take for good is not the tunnels'.
        bench.ask(bench.watchdog, seconds=0.3, concurrency=proxies.CONCURRENCY, rate=0)
        return Idle(*bench.idle_kib())


def measure(effort: Effort) -> Figures:
    """Measure everything, one after another."""
    warm, new = chain(effort)
    ratio, ours, theirs, envoy = beside(effort)
    carried, by_envoy = bulk(effort)
    return Figures(
        warm, new, envoy, ratio, ours, theirs, carried, by_envoy, idle(signed=True), idle(signed=False)
    )  # fmt: skip


def folder() -> Path:
    """Give the folder for raw numbers."""
    cache = Path(os.environ.get("ZAUM_CACHE") or Path.home() / ".cache" / "zaum").expanduser()
    return cache / "bench" / "egress" / datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 1 when an aim is missed."""
    asked = argparse.ArgumentParser(prog="python -m bench.egress")
    asked.add_argument("--short", action="store_true", help="a look that takes a minute; too short to judge by")
    effort = SHORT if asked.parse_args(arguments).short else Effort()
    busy = os.getloadavg()[0]
    found = measure(effort)
    raw = folder()
    raw.mkdir(parents=True)
    document = {"effort": dataclasses.asdict(effort), "load": busy, "figures": dataclasses.asdict(found)}
    (raw / "raw.json").write_text(json.dumps(document, indent=1) + "\n")
    judged = aims(found)
    print(*table(found), *judged, sep="\n")
    print(f"  {os.cpu_count()} cores; load before the run {busy:.1f}; raw numbers in {raw}")
    print(last_line(found))
    return 0 if all(aim.held for aim in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
