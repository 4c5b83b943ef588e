"""Join the parts: start, tick, stop.

Four times a second the files are polled, and a cage test or a report is begun if it is due; once a second what is
overdue is ended, the agent's processes are looked at and the detectors are fed. An error in any of it ends the process:
a watchdog that no longer watches must not go on letting bytes through.
"""

import asyncio
import json
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zaum_api import contract, documents
from zaum_watchdog.core import ladder, metrics, policy, usage
from zaum_watchdog.core.detectors import engine, sample
from zaum_watchdog.shell import (
    cage,
    climbing,
    clock,
    files,
    gateway,
    heartbeat,
    hop,
    ledger,
    liveness,
    log,
    probe,
    processes,
    proxy,
    reactor,
    reports,
    routes,
    watch,
)  # fmt: skip

TICK_SECONDS: Final = 1.0
TICK_NS: Final = int(TICK_SECONDS * 1e9)
POLL_SECONDS: Final = 0.25
HEARTBEAT_MILLIS: Final = 100
"""How often the event loop's own lateness is measured."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. The defaults of the command line are the wire contract's."""

    config: Path
    digest: Path
    token: Path
    credentials: Path
    agent_uid: int
    termination_log: Path
    heartbeat_millis: int
    nodes: tuple[str, ...] = ()
    """Addresses of the pod's own node, for the cage test."""
    ledger_token: Path = Path(contract.LEDGER_TOKEN_PATH)
    ordinal: int = 0
    """Which of its policy's pods this is."""


class Supervisor:
    """Owns everything that lives as long as the process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, settings: Settings, first: policy.Policy, config: files.ConfigFile,
        out: log.Log,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._config = config
        self._token = files.TokenFile(settings.token)
        self._token.poll()
        self.watch = watch.Watch(loop, first, self._token, out, settings.termination_log, ordinal=settings.ordinal)
        self._reactor = reactor.Reactor(loop)
        dialler = gateway.Dialler(self._reactor)
        self.hop = hop.Hop(self.watch, dialler)
        self.hop.prepare()
        self.routes = routes.Routes(self.watch, self.hop, settings.credentials)
        token = files.TokenFile(settings.ledger_token, b"Authorization")
        self._climbing = climbing.Climbing(self.watch, self._tell)
        self._ledger = ledger.Ledger(self.watch, self.hop, token, self._climbing.order)
        self._reports = reports.Reports(self.watch, dialler, self._report)
        self._cage = cage.Cage(self.watch, self.hop, settings.nodes, self._reports.soon)
        self._table = processes.ProcessTable(settings.agent_uid)
        self._engine = engine.Engine()
        self._liveness = liveness.Relay(loop, self.watch)
        self._look: usage.Look | None = None
        self._done = documents.Counters()
        """What had been done at the last look."""
        self._problem = ""
        self._heartbeat = heartbeat.Heartbeat(loop, settings.heartbeat_millis * 1_000_000)
        self._board = probe.Board(
            {
                contract.PROBE_HEALTH: self._health,
                contract.PROBE_AGENT_LIVE: self._agent,
                contract.PROBE_AGENT_READY: self._agent,
                contract.PROBE_METRICS: self._metrics,
            }
        )
        # The pieces of two chores must not add up in one turn of the event loop.
        self._chore = asyncio.Lock()
        self._stop = asyncio.Event()

    async def run(self, *, data: socket.socket, routed: socket.socket, probes: socket.socket) -> None:
        """Serve until SIGTERM or SIGINT; raises what a tick raises."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        self._loop.set_exception_handler(self._fault)
        servers: list[reactor.Listening | asyncio.AbstractServer] = [
            self._reactor.listen(data, lambda: proxy.AgentSide(self.watch, self.hop)),
            self._reactor.listen(routed, self.routes.accept),
            await self._loop.create_server(self._board.connect, sock=probes),
        ]
        self.watch.event(
            "listening", proxy=data.getsockname()[1], routes=routed.getsockname()[1], probe=probes.getsockname()[1]
        )
        self._heartbeat.start()
        watching = [self._loop.create_task(self._tick_for_ever()), self._loop.create_task(self._poll_for_ever())]
        stopping = self._loop.create_task(self._stop.wait())
        await asyncio.wait({*watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._cage.close()
        for server in servers:
            server.close()
        for tunnel in [*self.watch.connections]:
            tunnel.cut(None)
        self.routes.cut(None)
        await self._ledger.close()
        for task in watching:
            if task.done():
                task.result()
        self.watch.event("stopped")

    async def _tick_for_ever(self) -> None:
        while True:
            async with self._chore:
                await self.tick()
            await asyncio.sleep(TICK_SECONDS)

    async def _poll_for_ever(self) -> None:
        while True:
            async with self._chore:
                await self._reload()
            await asyncio.sleep(POLL_SECONDS)

    async def tick(self) -> None:
        """Do everything that is done once a second."""
        now = clock.monotonic()
        for connection in [*self.watch.connections]:
            connection.expire(now)
        self.routes.expire(now)
        self.watch.enforce(now)
        self._board.expire(now)
        await self._detect()

    async def _reload(self) -> None:
        self._token.poll()
        self.hop.tick()
        changed = await self._config.poll()
        if changed is not None:
            await self.routes.prepare(changed)
            self.watch.adopt(changed)
            await asyncio.sleep(0)
            self.hop.prepare()
        self._ledger.tick()
        self.routes.poll()
        self._cage.tick()
        if self._config.problem != self._problem:
            self._problem = self._config.problem
            if self._problem:
                self.watch.event("degraded", problem=self._problem)
        self._reports.tick()

    async def _detect(self) -> None:
        before, after = self._look, await self._table.look()
        self._look = after
        denied = tuple(self.watch.denied)
        self.watch.denied.clear()
        asked, answered, wrong = self.watch.seen.take()
        was, done = self._done, self.watch.counters()
        self._done = done
        seen = sample.Sample(
            now=after.at,
            cpu=usage.ticks_between(before, after) * processes.TICK_NS if before else 0,
            elapsed=after.at - before.at if before else 0,
            processes=after.count,
            denied=denied,
            memory=sum(process.memory for process in after.table.values()),
            begun=usage.begun_between(before, after) if before else 0,
            files=sum(process.files for process in after.table.values()),
            asked=asked,
            answered=answered,
            wrong=wrong,
            tokens=done.tokens - was.tokens,
            sent=max(0, done.bytes_out - was.bytes_out),
            moved=(done.requests, done.bytes_out, done.bytes_in) != (was.requests, was.bytes_out, was.bytes_in),
            throttled=self.watch.ladder.rung is ladder.Rung.THROTTLED,
            late=max(0, after.at - before.at - TICK_NS) if before else 0,
        )
        self._engine, _ = self._engine.feed(self.watch.policy.config.runaway, seen)
        self._climbing.look(self._engine.raised, seen)
        self._liveness.tick(after)

    def _tell(self) -> None:
        """Have the gateway and the ledger hear of it at once."""
        self._reports.soon()
        self._reports.tick()
        self._ledger.soon()

    def _fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error of ours in a callback; the connection that it hit is stuck in its phase and expires there."""
        self.watch.event("fault", message=str(context.get("message")), error=repr(context.get("exception")))

    def _report(self) -> documents.Report:
        return self.watch.report(problem=self._problem, missing=self.routes.missing)

    # Probe answers.

    def _health(self) -> probe.Answer:
        # The problem's text may name a host of the policy, which is for the log alone.
        problem = (
            "the newest config is refused, the last good one is in force; the log says why" if self._problem else ""
        )
        state = {
            "status": "Degraded" if self._problem else "ok",
            "problem": problem,
            "cage": "proven" if self.watch.cage.proven else "notProven",
            "reports": "failing" if self._reports.failing else "ok",
            "ledger": "failing" if self._ledger.problem else "ok",
            "rung": self.watch.ladder.said.value,
        }
        status, reason = (200, "OK") if self.watch.cage.started else (503, "Not Proven")
        return probe.Answer(status, reason, "application/json", json.dumps(state).encode("ascii") + b"\n")

    def _agent(self) -> probe.Answer:
        status, reason = self.watch.verdict.probe(unhealthy=self._liveness.failing)
        return probe.Answer(status, reason, "text/plain", reason.encode("ascii") + b"\n")

    def _metrics(self) -> probe.Answer:
        body = self.watch.metrics(
            processes=self._look.count if self._look else 0,
            lag_last=self._heartbeat.last,
            lag_max=self._heartbeat.worst,
            held_max=self._heartbeat.held,
            degraded=bool(self._problem),
            unhealthy=self._liveness.failing,
            report_failing=self._reports.failing,
        )
        return probe.Answer(200, "OK", metrics.CONTENT_TYPE, body)
