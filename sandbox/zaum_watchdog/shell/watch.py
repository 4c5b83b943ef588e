"""What all connections of this process share: the policy in force, the meter, the latch, counters and records."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import answers, cage, heads, ladder, metrics, policy, rate, records, reporting, verdict
from zaum_watchdog.shell import clock, files, flow, last_word, limits, log, seen

DENIED_MAX: Final = 100_001
"""Denials that are remembered between two ticks: one more than the largest threshold of the detector."""


class Tunnel(Protocol):
    """What the watch has to know of a connection of the agent."""

    authority: hosts.Authority | None
    counted: bool
    started: int
    up: int
    down: int

    def cut(self, rule: contract.Rule | None) -> None:
        """End the tunnel at once, by a rule or, at the end of the process, by none."""

    def expire(self, now: int) -> None:
        """End the connection if its time is over."""


class Follower(Protocol):
    """What else is told of a new policy, and cut by a breach."""

    def adopt(self, changed: policy.Policy) -> None:
        """Follow a policy that is in force by now."""

    def cut(self, rule: contract.Rule | None) -> None:
        """End everything at once."""

    def shed(self, count: int) -> None:
        """End the newest of what counts as a connection: there are too many."""


Answered = Callable[[policy.Admitted | policy.Refusal], None]


class Watch:
    """The state of the running watchdog. Connections report to it, ask it, and are cut by it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        first: policy.Policy,
        token: files.TokenFile,
        out: log.Log,
        termination_log: Path,
        *,
        ordinal: int = 0,
    ) -> None:
        self.loop = loop
        self._termination_log = termination_log
        self.policy = first
        self.token = token
        self.out = out
        self.tunnels = 0
        self._meter = rate.Meter(first.config.requests)
        self.limits = limits.Limits(loop, first, ordinal=ordinal, connections=lambda: self.tunnels)
        self.throttled: rate.Meter | None = None
        """What is left to an agent that is throttled."""
        self.verdict = verdict.Verdict()
        self.ladder = ladder.Ladder()
        self.breached, self.stepped = 0, clock.wall() // clock.MILLISECOND
        """When the last step on it began, and when it had been taken, in milliseconds since the epoch.

        A watchdog that begins is free from then on, whatever one before it said of the same pod.
        """
        self.facts: tuple[documents.Fact, ...] = ()
        """What was seen when the breach was that the ladder goes by."""
        self.would_kill: Counter[contract.Breach] = Counter()
        self.seen = seen.Seen()
        self.connections: set[Tunnel] = set()
        self.followers: list[Follower] = []
        self.cage = cage.Standing().begun(first.config.cage)
        self.decisions: Counter[contract.Rule] = Counter()
        self.would_deny: Counter[contract.Rule] = Counter()
        self.requests = 0
        self.denied: deque[int] = deque(maxlen=DENIED_MAX)
        self.bytes_out = 0
        self.bytes_in = 0
        self.writer = records.Writer(namespace=first.config.namespace, policy=first.config.policy)

    @property
    def meter(self) -> rate.Meter | None:
        """Give the rate of a policy that `limits` does not meter; of all others a request is reserved there.

        A throttled agent's is asked whoever meters.
        """
        return self.throttled or (None if self.limits.on else self._meter)

    @property
    def latched(self) -> str | None:
        """Say for what the agent is cut off; None while it is not."""
        return self.ladder.word if self.ladder.cut else None

    @property
    def unproven(self) -> policy.Refusal | None:
        """Refuse for want of the proof that the policy requires; None where there is one, or none is required."""
        return self.cage.refusal(self.policy.config.cage)

    def admit(self, head: heads.Head, call: int, answered: Answered) -> None:
        """Decide a request by the policy in force, and tell `answered` once; later where it waits for the ledger.

        `call`: of `limits.number`; by it the request can give up while it waits.
        """
        admitted = self.decided(head)
        if isinstance(admitted, policy.Refusal) or admitted.would_deny is not None or not self.limits.on:
            answered(admitted)
        else:
            _Admission(self, head, call, admitted, answered).reserve(flow.PIECE)

    def enforce(self, now: int) -> None:
        """Take back what calls have left behind, and close the connections that were lent and are no more."""
        self.limits.expire(now)
        excess = self.limits.excess(now)
        if excess:
            counted = [tunnel for tunnel in self.connections if tunnel.counted]
            newest = sorted(counted, key=lambda tunnel: tunnel.started)[-excess:]
            for tunnel in newest:
                tunnel.cut(contract.Rule.CONNECTIONS)
            for follower in self.followers if excess > len(newest) else ():
                follower.shed(excess - len(newest))

    def decided(self, head: heads.Head) -> policy.Admitted | policy.Refusal:
        """Decide a request by the policy in force, but for what `limits` says of it."""
        return policy.admit(
            self.policy,
            head,
            meter=self.meter,
            tunnels=self.tunnels,
            latched=self.latched,
            now=clock.monotonic(),
            unproven=self.unproven,
        )

    def answer(self, refused: policy.Refusal) -> bytes:
        """Record a refusal that is decided here, and write its answer."""
        self.record(refused.rule, refused.host, refused.port, status=answers.status_of(refused.rule))
        config = self.policy.config
        return answers.refusal(refused, namespace=config.namespace, name=config.policy)

    def record(
        self,
        rule: contract.Rule,
        host: str,
        port: int,
        *,
        status: int,
        by: str = records.BY_WATCHDOG,
        attempt: bool = True,
    ) -> None:
        """Count and log one decision; `attempt` says whether it counts for the detector of denied requests."""
        self.count(rule, attempt=attempt)
        self.out.write(self.writer.decision(clock.wall(), rule, host, port, status=status, by=by))

    def allowed(self, host: str, port: int, would_deny: contract.Rule | None) -> None:
        """Count and log a tunnel that stands, also by the mode Report alone."""
        if would_deny is None:
            self.record(contract.Rule.ALLOWED, host, port, status=200)
            return
        self.count_would(would_deny)
        by = records.BY_WATCHDOG
        self.out.write(self.writer.decision(clock.wall(), would_deny, host, port, status=200, by=by, would_deny=True))

    def count(self, rule: contract.Rule, *, attempt: bool = True) -> None:
        """Count one decision whose record is written elsewhere."""
        self.requests += 1
        self.ended(rule, attempt=attempt)

    def ended(self, rule: contract.Rule, *, attempt: bool = True) -> None:
        """Count a rule that ended what has been counted as a request before."""
        self.decisions[rule] += 1
        if attempt and rule in policy.DENIED:
            self.denied.append(clock.monotonic())

    def count_would(self, rule: contract.Rule) -> None:
        """Count a request that the mode Report alone let pass: allowed, and no attempt at anything."""
        self.count(contract.Rule.ALLOWED)
        self.would_deny[rule] += 1

    def event(self, kind: str, **fields: str | int) -> None:
        """Log what is no decision."""
        self.out.write(self.writer.event(clock.wall(), kind, fields), rare=True)

    def adopt(self, changed: policy.Policy) -> None:
        """Put a new policy in force and close what it forbids. Who relays health sees its part at the next tick."""
        self.policy = changed
        self._meter.retune(changed.config.requests, clock.monotonic())
        self.limits.adopt(changed)
        self.writer = records.Writer(namespace=changed.config.namespace, policy=changed.config.policy)
        for tunnel in [*self.connections]:
            if tunnel.authority is not None and not changed.allows(tunnel.authority):
                tunnel.cut(contract.Rule.CONFIG_REMOVED)
        for follower in self.followers:
            follower.adopt(changed)
        self.event("config", digest=changed.digest, hosts=len(changed.config.hosts), mode=changed.config.mode.value)

    def cut(self) -> None:
        """Close every tunnel and end every request."""
        for tunnel in [*self.connections]:
            tunnel.cut(contract.Rule.LATCHED)
        for follower in self.followers:
            follower.cut(contract.Rule.LATCHED)

    def breach(self, reason: contract.Breach) -> None:
        """Latch the verdict; the first one cuts every tunnel."""
        self.verdict, steps = verdict.on_breach(self.verdict, reason)
        for step in steps:
            match step:
                case verdict.Step.CLOSE_TUNNELS:
                    self.cut()
                case verdict.Step.REFUSE_NEW | verdict.Step.FAIL_PROBE:
                    pass  # Both read the verdict, which is latched by now.
                case verdict.Step.SAY_WHY:
                    self.event("breach", reason=reason.value, status=self.verdict.probe_status)
                    self._unheard(last_word.leave(self._termination_log, documents.LastWord(reason.value)))

    def report(self, *, problem: str, missing: tuple[str, ...]) -> documents.Report:
        """Say what stands here now; `problem` is why a newer document was refused."""
        return documents.Report(
            config=self.policy.digest,
            problem=problem[: reporting.PROBLEM_MAX],
            tested=self.cage.tested,
            escapes=self.cage.escapes,
            requests=self.requests,
            denied=self._denied(),
            would_deny=self.would_deny.total(),
            missing=missing[: reporting.MISSING_MAX],
            # The parts of a release that knows nothing of it would refuse the report.
            contained=self._contained() if self.policy.config.containment else None,
        )

    def _contained(self) -> documents.Contained:
        return self.ladder.report(self.would_kill.total(), self.stepped)

    def _denied(self) -> int:
        return sum(
            count
            for rule, count in self.decisions.items()
            if rule is not contract.Rule.ALLOWED and rule not in policy.OUTAGES
        )

    def counters(self) -> documents.Counters:
        """Say what has been done since the start."""
        return documents.Counters(
            requests=self.requests,
            denied=self._denied(),
            would_deny=self.would_deny.total(),
            tokens=self.limits.tokens,
            cost=self.limits.cost,
            bytes_out=self.bytes_out + sum(tunnel.up for tunnel in self.connections),
            bytes_in=self.bytes_in + sum(tunnel.down for tunnel in self.connections),
        )

    def health(self, *, failing: bool, problem: str) -> None:
        """Say that the agent fails its own health check, or that it is well again. A breach keeps the last word."""
        self.event("unhealthy" if failing else "healthy", problem=problem)
        if failing and self.verdict.breach is None:
            self._unheard(last_word.leave(self._termination_log, documents.LastWord(contract.UNHEALTHY)))

    def forgive(self) -> None:
        """Take back the last word of an agent that is well again."""
        if self.verdict.breach is None:
            self._unheard(last_word.take_back(self._termination_log))

    def _unheard(self, problem: str) -> None:
        if problem:
            self.event("unheard", problem=problem)

    def metrics(
        self,
        *,
        processes: int,
        lag_last: int,
        lag_max: int,
        held_max: int,
        degraded: bool,
        unhealthy: bool,
        report_failing: bool,
    ) -> bytes:
        """Write the metrics of this moment."""
        return metrics.write(
            metrics.Snapshot(
                decisions=self.decisions,
                would_deny=self.would_deny,
                tunnels=self.tunnels,
                bytes_out=self.bytes_out + sum(tunnel.up for tunnel in self.connections),
                bytes_in=self.bytes_in + sum(tunnel.down for tunnel in self.connections),
                processes=processes,
                lag_last=lag_last,
                lag_max=lag_max,
                held_max=held_max,
                records_dropped=self.out.dropped,
                degraded=degraded,
                unhealthy=unhealthy,
                latched=self.verdict.breach is not None,
                rung=self.ladder.said,
                would_kill=self.would_kill,
                cage_proven=self.cage.proven,
                cage_escapes=sum(escape.reached for escape in self.cage.escapes),
                report_failing=report_failing,
                tokens=self.limits.tokens,
                cost=self.limits.cost,
                waiting=self.limits.waiting,
                ledger_failing=self.limits.unanswered,
            )
        )


class _Admission:
    """A tunnel that is admitted if its policy's limits have room for it, and for the first of its bytes."""

    __slots__ = ("_admitted", "_answered", "_call", "_head", "_size", "_waits", "_watch")

    def __init__(
        self, shared: Watch, head: heads.Head, call: int, admitted: policy.Admitted, answered: Answered
    ) -> None:
        self._watch = shared
        self._head = head
        self._call = call
        self._admitted = admitted
        self._answered = answered
        self._size = 0
        self._waits = False

    def reserve(self, size: int) -> None:
        """Ask for a request, a place among the connections, and so many bytes both ways."""
        ours, at = self._watch.limits, self._admitted.authority
        self._size = size
        amounts = ours.amounts(at.host.name)
        for kind in (documents.Kind.BYTES_OUT, documents.Kind.BYTES_IN):
            names = ours.byte_meters(at.host.name, kind)
            amounts |= dict.fromkeys(names, ours.piece(names, size))
        ours.reserve(self._call, amounts, self._heard, at=at)
        self._waits = True

    def _heard(self, refused: policy.Refusal | None) -> None:
        ours, admitted = self._watch.limits, self._admitted
        if refused is None:
            # The request is spent. Bytes are reserved again as they pass: a tunnel that is being dialled holds none.
            bytes_ = (documents.Kind.BYTES_OUT, documents.Kind.BYTES_IN)
            held = [name for kind in bytes_ for name in ours.byte_meters(admitted.authority.host.name, kind)]
            ours.settle(self._call, dict.fromkeys(held, 0))
            # What it waited for may have taken long enough for everything else to change.
            self._answered(self._watch.decided(self._head) if self._waits else admitted)
        elif refused.rule in _BYTES and self._size > flow.LEAST:
            self.reserve(flow.LEAST)  # There may be somewhat less left.
        else:
            ours.unmet(refused)
            self._answered(admitted._replace(would_deny=refused.rule) if ours.reported(refused) else refused)


_BYTES: Final = frozenset({contract.Rule.BYTES_OUT_PER_HOUR, contract.Rule.BYTES_IN_PER_HOUR})
