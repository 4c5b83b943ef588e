"""What happens to the operator, one scenario after the other, on one crowd of policies."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bench.scale import floor, measure, report
from bench.scale.measure import Outcome
from bench.scale.rig import Key, LateError, Rig
from tests.cluster import cluster, progress
from tests.support.localoperator import NAMESPACE, LocalOperator
from zaum_api import contract

DRIP_SECONDS: Final = 20.0
DRIP_PER_SECOND: Final = 10.0


@dataclass
class Run:
    """All scenarios over one crowd, in the order of the methods."""

    rig: Rig
    keys: list[Key]
    drip_seconds: float = DRIP_SECONDS
    outcomes: list[Outcome] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """Scenarios whose aim was not reached in time."""
    _minute: int = 60
    _status: dict[str, Any] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """How long one scenario may take, in seconds."""
        return 90.0 + 0.3 * len(self.keys)

    def all(self, names: Iterable[str] = report.ORDER) -> None:
        """Run scenarios in their order; each finds the crowd as the one before left it."""
        self.rig.namespaces(self.keys)
        self._start(self.rig.operator)
        for name in names:
            try:
                with progress.step(f"{len(self.keys)} policies: {name}"):
                    getattr(self, name)()
            except LateError as late:
                progress.say(f"{len(self.keys)} policies: {name} did not end: {late}")
                self.late.append(name)
                self._recover()

    def _recover(self) -> None:
        """Let the first operator alone go on, so that the next scenario is about what it says."""
        self.rig.second.kill()
        process = self.rig.operator.process
        if process is None or process.poll() is not None:
            self.rig.operator.start()
            self.rig.operator.wait_ready()

    def _start(self, operator: LocalOperator) -> None:
        operator.start()
        operator.wait_ready()
        self.rig.until_quiet(operator)
        operator.forget_peak()

    def measured(self, name: str, act: Callable[[], float], *, policies: int = 0, pods: Iterable[Key] = ()) -> Outcome:
        """Do something, wait until the operator rests, and note what it cost. `act` gives when its aim was reached."""
        rig, operator = self.rig, self.rig.operator
        operator.forget_peak()
        rig.seen.forget()
        before, began = rig.point(operator), time.perf_counter()
        ended = act()
        rig.until_quiet(operator)
        return self._note(name, operator, before, rig.point(operator), ended - began, policies=policies, pods=pods)

    def _note(
        self,
        name: str,
        operator: LocalOperator,
        before: measure.Point,
        after: measure.Point,
        seconds: float,
        *,
        policies: int = 0,
        pods: Iterable[Key] = (),
        notes: Mapping[str, float] | None = None,
    ) -> Outcome:
        rig = self.rig
        delays = [rig.seen.first_pod[where] - rig.sent[where] for where in pods if where in rig.seen.first_pod]
        grown = measure.since(before.metrics, after.metrics)
        outcome = Outcome(
            name=name,
            policies=policies or len(self.keys),
            seconds=seconds,
            cpu_seconds=after.cpu - before.cpu,
            writes=measure.counted(after.metrics) - measure.counted(before.metrics),
            audited=after.writes - before.writes,
            reads=after.reads - before.reads,
            rss_mib=operator.resident_mib(peak=True),
            server_cpu_seconds=after.server_cpu - before.server_cpu,
            lag_p99=measure.lag_quantile(before.metrics, after.metrics, 0.99),
            pod_p50=measure.quantile(delays, 0.5),
            pod_p99=measure.quantile(delays, 0.99),
            notes={name: value for name, value in grown.items() if "_total" in name} | dict(notes or {}),
        )
        self.outcomes.append(outcome)
        return outcome

    def burst(self) -> None:
        """All policies are created at once while the operator runs."""

        def act() -> float:
            self.rig.create(self.keys)
            return self.rig.until_done(self.keys, seconds=self.patience)

        self.measured("burst", act, pods=self.keys)
        self._status = self.rig.api.get(contract.PLURAL_POLICY, *self.keys[0])["status"]

    def restart(self) -> None:
        """The operator ends and starts while nothing has changed."""
        rig, operator = self.rig, self.rig.operator
        operator.stop()
        server = rig.point_without_operator()
        began = time.perf_counter()
        operator.start()
        operator.wait_ready()
        self._until_looked(operator, len(self.keys))
        rested = rig.until_quiet(operator)
        after = rig.point(operator)
        self._note("restart", operator, server, after, rested - began)

    def _until_looked(self, operator: LocalOperator, policies: int) -> None:
        """Wait until as many reconciles ended as there are policies."""
        deadline = time.perf_counter() + self.patience
        while operator.metrics().get('zaum_operator_reconciles_total{result="done"}', 0.0) < policies:
            if time.perf_counter() > deadline:
                raise LateError(f"the operator did not look at {policies} policies")
            time.sleep(0.1)

    def _changed(self, keys: list[Key], patch: dict[str, Any]) -> float:
        self.rig.change(keys, patch)
        return self.rig.until_done(keys, seconds=self.patience)

    def _next_limit(self) -> dict[str, Any]:
        self._minute += 1
        return {"spec": {"limits": {"requests": {"perMinute": self._minute}}}}

    def wave(self) -> None:
        """A limit of every policy changes; no pod is replaced for it."""
        self.measured("wave", lambda: self._changed(self.keys, self._next_limit()))

    def rollout(self) -> None:
        """The image of every policy changes; every pod is replaced."""
        image = "registry.example/researcher@sha256:" + "3" * 64
        self.measured("rollout", lambda: self._changed(self.keys, {"spec": {"agent": {"image": image}}}))

    def drip(self) -> None:
        """Ten random policies change each second."""
        touched: list[Key] = []

        def act() -> float:
            began = time.perf_counter()
            while (spent := time.perf_counter() - began) < self.drip_seconds:
                where = self.rig.random.choice(self.keys)
                touched.append(where)
                self.rig.change([where], self._next_limit())
                time.sleep(max(0.0, len(touched) / DRIP_PER_SECOND - spent))
            return self.rig.until_done(self.keys, seconds=self.patience)

        outcome = self.measured("drip", act, policies=max(1, int(self.drip_seconds * DRIP_PER_SECOND)))
        outcome.notes["changes"] = len(touched)

    def gap(self) -> None:
        """Cut off from the API server, which forgets its past by a restart, the operator misses what happens."""
        rig, tenth = self.rig, max(1, len(self.keys) // 10)
        changed, robbed, deleted = self.keys[:tenth], self.keys[tenth : 2 * tenth], self.keys[-tenth:]

        mended: list[float] = []

        def act() -> float:
            with rig.cut():
                cluster.restart("kube-apiserver")
                rig.change(changed, self._next_limit())
                rig.delete_pods(robbed)
                rig.delete(deleted)
                # Else the operator may find pods on their way out, which costs a status, or quotas that still count
                # them, which costs a refusal each time that it tries: how slow others are is not what is measured.
                rig.until_without_pods(robbed, seconds=self.patience)
                rig.until_uncounted(robbed, seconds=self.patience)
            mended.append(time.perf_counter())
            kept = [where for where in self.keys if where not in set(deleted)]
            done = rig.until_done(kept, seconds=self.patience)
            return max(done, rig.until_without_pods(deleted, seconds=self.patience))

        began = time.perf_counter()
        outcome = self.measured("gap", act, policies=3 * tenth)
        outcome.notes["cut s"] = mended[0] - began
        rig.create(deleted)
        rig.until_done(self.keys, seconds=self.patience)
        rig.until_quiet(rig.operator)

    def leader(self) -> None:
        """The leading process is killed, then its successor ends in order; each time a tenth of all changes."""
        rig, tenth = self.rig, self.keys[: max(1, len(self.keys) // 10)]
        if rig.api.find("leases", NAMESPACE, contract.LEASE_NAME) is None:
            return  # this operator has no leader: a second one would only double the work
        first, second = rig.operator, rig.second
        self._start(second)
        standing_by = measure.counted(second.metrics())
        before, began = rig.point(second), time.perf_counter()
        first.kill()
        killed = self._changed(tenth, self._next_limit()) - began
        rig.until_quiet(second)
        notes = {"standby writes": standing_by, "takeover after kill s": killed}
        outcome = self._note("leader", second, before, rig.point(second), killed, policies=len(tenth), notes=notes)
        self._start(first)
        ended = time.perf_counter()
        second.stop()
        released = self._changed(tenth, self._next_limit()) - ended
        rig.until_quiet(first)
        outcome.notes["takeover after release s"] = released

    def storm(self) -> None:
        """All policies are deleted at once."""

        def act() -> float:
            self.rig.delete(self.keys)
            return self.rig.until_gone(seconds=self.patience)

        self.measured("storm", act)

    def floor(self) -> None:
        """A plain client sends the same objects, decided by nobody: what the requests alone cost."""
        self.rig.operator.stop()
        self.outcomes.append(floor.run(self.rig, self.keys, self._status))

    def cold(self) -> None:
        """The operator starts and finds all policies without children."""
        rig, operator = self.rig, self.rig.operator
        rig.create(self.keys)
        before, began = rig.point_without_operator(), time.perf_counter()
        rig.seen.forget()
        rig.sent.update(dict.fromkeys(self.keys, began))
        operator.start()
        operator.wait_ready()
        ended = rig.until_done(self.keys, seconds=self.patience)
        rig.until_quiet(operator)
        self._note("cold", operator, before, rig.point(operator), ended - began, pods=self.keys)
