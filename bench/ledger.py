"""Measure the ledger: `python -m bench.ledger`.

The real process with SQLite on this machine's disk, over TLS, every grant durable before its answer; tokens are real
and reviewed by an API server on loopback. The ledger runs on core 0, the load on core 1.

- leases/s: as many as 32 connections of 8 policies each get that ask for a lease and settle the one before in every
  sync, as fast as they are answered. p99: of the time from a request's first byte to its answer's last, under that
  load.
- agents/core: how many watchdogs one core carries that send a heartbeat every ten seconds and want nothing: ten times
  the heartbeats per second of the ledger's CPU time (proc_pid_stat(5)), at 512 policies of one pod.

Aim: 20,000 agents.
"""

import asyncio
import contextlib
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents

LEDGER_CORE: Final = 0
LOAD_CORE: Final = 1
SECONDS: Final = 8.0
BORROWERS: Final = 32
HEARTS: Final = 512
HEART_CONNECTIONS: Final = 64
GAP: Final = 0.1
"""Seconds between two syncs of one pod at least: what the ledger's pace allows for long."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
METERS: Final = (
    documents.Meter("policy", documents.Kind.REQUESTS, documents.Window.MINUTE, 600, 100),
    documents.Meter("policy", documents.Kind.CONNECTIONS, documents.Window.NOW, 32),
    documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, documents.AMOUNT_MAX),
    documents.Meter("policy", documents.Kind.COST, documents.Window.DAY, documents.AMOUNT_MAX),
)


class Line(asyncio.Protocol):
    """One kept connection: a request's bytes out, an answer's body in."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._raw = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._raw += data
        head, blank, body = self._raw.partition(b"\r\n\r\n")
        if not blank or self._answer is None:
            return
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._raw = b""
            if head.startswith(b"HTTP/1.1 200"):
                self._answer.set_result(body)
            else:
                self._answer.set_exception(RuntimeError(body.decode()))

    async def ask(self, token: str, sync: documents.Sync) -> documents.Synced:
        body = sync.dump()
        head = (
            f"POST {contract.PATH_LEDGER_SYNC} HTTP/1.1\r\nHost: ledger\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(head.encode() + body)
        return documents.Synced.parse(await self._answer)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


@dataclasses.dataclass
class Pod:
    token: str
    session: str = ""
    sequence: int = 0

    def said(self, **more: object) -> documents.Sync:
        self.sequence += 1
        fields: dict[str, object] = {
            "session": self.session, "sequence": self.sequence, "config": "sha256:00", "generation": 1, "replicas": 1,
            "ordinal": 0, "meters": METERS,
            "demand": (documents.Demand(METERS[0].id, 12, 12), documents.Demand(METERS[1].id, 3, 3)),
            "counters": documents.Counters(requests=self.sequence),
        }  # fmt: skip
        return documents.Sync(**(fields | more))  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Result:
    leases_per_second: float
    p50_ms: float
    p99_ms: float
    heartbeats_per_second: float
    cpu_micros: float

    @property
    def agents(self) -> float:
        return 10 * 1e6 / self.cpu_micros


async def dial(service: ledger.Process) -> Line:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(
        Line, "127.0.0.1", service.port, ssl=service.context, server_hostname=contract.LEDGER_TLS_NAME
    )
    return line


async def start(line: Line, pod: Pod) -> None:
    pod.session = (await line.ask(pod.token, pod.said())).session


async def borrow(line: Line, pods: list[Pod], until: float, times: list[float]) -> int:
    """Borrow for one pod after the other, as fast as they are answered and the pace allows."""
    loop, leases, held = asyncio.get_running_loop(), 0, dict[int, documents.Lease]()
    while loop.time() < until:
        round_began = loop.time()
        for index, pod in enumerate(pods):
            before, began = held.get(index), loop.time()
            spent = (documents.Spent(before.id, before.amount),) if before else ()
            returned = (before.id,) if before else ()
            want = documents.Want(METERS[2].id, 1_000)
            answer = await line.ask(pod.token, pod.said(spent=spent, returned=returned, wants=(want,)))
            times.append(loop.time() - began)
            held[index] = answer.leases[0]
            leases += 1
        await asyncio.sleep(max(0.0, GAP - (loop.time() - round_began)))
    return leases


async def beat(line: Line, pods: list[Pod], until: float) -> int:
    loop, beats = asyncio.get_running_loop(), 0
    while loop.time() < until:
        round_began = loop.time()
        for pod in pods:
            await line.ask(pod.token, pod.said())
            beats += 1
        await asyncio.sleep(max(0.0, GAP - (loop.time() - round_began)))
    return beats


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(service: ledger.Process, api: ledger.FakeApi) -> Result:
    loop = asyncio.get_running_loop()
    pods = [Pod(api.token(policy=f"bench/p{number}", uid=f"u{number}")) for number in range(HEARTS)]
    lines = [await dial(service) for _ in range(HEART_CONNECTIONS)]
    mine = [pods[index::HEART_CONNECTIONS] for index in range(HEART_CONNECTIONS)]
    for line, some in zip(lines, mine, strict=True):
        for pod in some:
            await start(line, pod)
    times: list[float] = []
    began = loop.time()
    jobs = (borrow(*pair, began + SECONDS, times) for pair in zip(lines[:BORROWERS], mine[:BORROWERS], strict=True))
    leases = sum(await asyncio.gather(*jobs)) / (loop.time() - began)
    await asyncio.sleep(0.5)
    before, began = cpu_seconds(service.process.pid), loop.time()
    beats = sum(await asyncio.gather(*(beat(*pair, began + SECONDS) for pair in zip(lines, mine, strict=True))))
    taken, cpu = loop.time() - began, cpu_seconds(service.process.pid) - before
    for line in lines:
        line.close()
    cuts = statistics.quantiles(times, n=100)
    return Result(leases, cuts[49] * 1e3, cuts[98] * 1e3, beats / taken, cpu / beats * 1e6)


def main() -> int:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {LOAD_CORE})
    api = ledger.FakeApi()
    with tempfile.TemporaryDirectory(prefix="zaum-bench-") as name:
        folder = Path(name)
        began = time.monotonic()
        pinned = ("taskset", "-c", str(LEDGER_CORE))
        with ledger.running(folder, api, Authority(folder), wrapper=pinned, ZAUM_LOG_LEVEL="INFO") as service:
            found = asyncio.run(measure(service, api))
    api.close()
    print(
        f"leases: {found.leases_per_second:.0f}/s, p50 {found.p50_ms:.2f} ms, p99 {found.p99_ms:.2f} ms;"
        f" heartbeats: {found.heartbeats_per_second:.0f}/s at {found.cpu_micros:.0f} us of CPU each;"
        f" {api.reviews} reviews; {time.monotonic() - began:.0f} s"
    )
    print(
        f"bench: ledger leases/s {found.leases_per_second:.0f} p99 {found.p99_ms:.2f} ms agents/core {found.agents:.0f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
