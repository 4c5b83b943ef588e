"""One API server with played nodes, the operator beside it, and a crowd of policies."""

import concurrent.futures
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.scale import audit, measure, watching
from tests.cluster import addresses, cluster, local, processes
from tests.support import localoperator
from tests.support.e2e.api import Api
from tests.support.localoperator import LocalOperator
from zaum_api import contract

PER_NAMESPACE: Final = 10
HANDS: Final = 8
"""How many requests the harness has open at once."""
QUIET_SECONDS: Final = 1.5
"""The operator has settled when its counters stand still for this long."""
LOOK_SECONDS: Final = 0.25
POLL_SECONDS: Final = 0.02
SEED: Final = 20260101

Key = tuple[str, str]


class LateError(AssertionError):
    """What a scenario waits for did not come."""


def key(number: int) -> Key:
    """Name the policy of a number: ten share a namespace."""
    return f"scale-{number // PER_NAMESPACE:03d}", f"p-{number:04d}"


def policy(where: Key, *, per_minute: int = 60, tag: str = "1") -> dict[str, Any]:
    """Give a policy as people write them: an image, a command, two hosts, limits."""
    agent = {
        "image": "registry.example/researcher@sha256:" + "2" * 64,
        "command": ["python3", "-m", "researcher"],
        "env": [{"name": "RELEASE", "value": tag}],
        "resources": {"cpu": "500m", "memory": "512Mi", "ephemeralStorage": "1Gi"},
        "workspace": {"size": "1Gi", "mountPath": "/workspace"},
    }
    spec = {
        "agent": agent,
        "egress": {"hosts": [{"host": "docs.example.com"}, {"host": "llm.example.com", "ports": [443]}]},
        "limits": {"requests": {"perMinute": per_minute, "burst": 10}, "connections": 32},
    }
    meta = {"namespace": where[0], "name": where[1]}
    return {"apiVersion": contract.API_VERSION, "kind": contract.KIND_POLICY, "metadata": meta, "spec": spec}


class Rig:
    """The harness's hands and eyes on one cluster; `operator` is the process whose cost is counted."""

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        self.api = Api()
        self.installation = localoperator.install(self.api, folder)
        self.operator = LocalOperator(self.installation, "operator-a", in_world=True, settings=settings or {})
        self.second = LocalOperator(self.installation, "operator-b", settings=settings or {})
        self.audit = audit.Audit(cluster.audit_log(), localoperator.USER)
        self.seen = watching.Seen()
        self.watches = watching.start(self.api, self.seen)
        self.random = random.Random(SEED)
        self.sent: dict[Key, float] = {}

    def close(self) -> None:
        """End both operators; the watches end with the process."""
        for watch in self.watches:
            watch.ended.set()
        for operator in (self.operator, self.second):
            operator.kill()

    # What people do.

    def each(self, act: Callable[[Key], object], keys: Iterable[Key]) -> None:
        """Do something for every key, several at once."""
        with concurrent.futures.ThreadPoolExecutor(HANDS) as hands:
            for done in [hands.submit(act, key) for key in keys]:
                done.result()

    def namespaces(self, keys: Iterable[Key]) -> None:
        """Make the namespaces of these policies."""
        for name in sorted({namespace for namespace, _ in keys}):
            self.api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def create(self, keys: Iterable[Key]) -> None:
        """Create the policies and note when each request went out."""

        def one(where: Key) -> None:
            self.sent[where] = time.perf_counter()
            self.api.create(contract.PLURAL_POLICY, policy(where))

        self.each(one, keys)

    def change(self, keys: Iterable[Key], patch: dict[str, Any]) -> None:
        """Merge the same change into every policy."""

        def one(where: Key) -> None:
            generation = self.api.merge(contract.PLURAL_POLICY, *where, patch)["metadata"]["generation"]
            with self.seen.changed:  # until the watch says so too, the old state must not pass for the new one
                known = self.seen.policies.get(where)
                if known is not None and known.generation < generation:
                    self.seen.policies[where] = watching.Policy(generation, known.observed, known.ready, "", known.at)

        self.each(one, keys)

    def delete(self, keys: Iterable[Key]) -> None:
        """Delete the policies."""
        self.each(lambda where: self.api.delete(contract.PLURAL_POLICY, *where), keys)

    def delete_pods(self, keys: Iterable[Key]) -> None:
        """Delete the pods of these policies by hand."""
        names = [(where[0], name) for where in keys for name in self.seen.pods[where]]
        self.each(lambda pod: self.api.delete("pods", *pod), names)

    # What is waited for.

    def until(self, holds: Callable[[], bool], *, seconds: float, what: Callable[[], str]) -> None:
        """Look until `holds`; LateError says what is missing."""
        deadline = time.perf_counter() + seconds
        while not holds():
            self._alive()
            if time.perf_counter() > deadline:
                raise LateError(f"{what()} after {seconds:.0f} s\n{self.operator.last_words()}")
            time.sleep(POLL_SECONDS)

    def _alive(self) -> None:
        if not all(watch.is_alive() for watch in self.watches):
            raise LateError("a watch of the harness ended")
        started = [one.process for one in (self.operator, self.second) if one.process is not None]
        if started and all(process.poll() is not None for process in started):
            raise LateError(f"no operator runs\n{self.operator.last_words()}")

    def until_done(self, keys: Iterable[Key], *, seconds: float) -> float:
        """Wait until each policy is Ready in its newest generation and has exactly its pod; give when the last was."""
        wanted = set(keys)
        waiting = set(wanted)

        def holds() -> bool:
            with self.seen.changed:
                waiting.difference_update([where for where in waiting if self._is_done(where)])
            return not waiting

        def what() -> str:
            some = sorted(waiting)[:3]
            return f"{len(waiting)} policies are not done, as {[(w, self.seen.policies.get(w)) for w in some]}"

        self.until(holds, seconds=seconds, what=what)
        return max(policy.at for where, policy in self.seen.policies.items() if where in wanted)

    def _is_done(self, where: Key) -> bool:
        known = self.seen.policies.get(where)
        return known is not None and known.done and len(self.seen.pods[where]) == 1

    def until_without_pods(self, keys: Iterable[Key], *, seconds: float) -> float:
        """Wait until these policies have no pod that is seen; give when that was so."""
        wanted = list(keys)

        def left() -> list[Key]:
            with self.seen.changed:
                return [where for where in wanted if self.seen.pods.get(where)]

        self.until(lambda: not left(), seconds=seconds, what=lambda: f"{left()} still have pods")
        return time.perf_counter()

    def until_uncounted(self, keys: Iterable[Key], *, seconds: float) -> None:
        """Wait until the quotas of these policies count no pod: kube-controller-manager looks after the fact."""
        wanted = set(keys)

        def counted() -> list[Key]:
            quotas = self.api.items("resourcequotas", labels=contract.LABEL_POLICY)
            counting = [quota for quota in quotas if quota.get("status", {}).get("used", {}).get("pods") != "0"]
            metadata = [quota["metadata"] for quota in counting]
            return sorted(wanted & {(of["namespace"], of["labels"][contract.LABEL_POLICY]) for of in metadata})

        self.until(lambda: not counted(), seconds=seconds, what=lambda: f"the quotas of {counted()} count pods")

    def until_gone(self, *, seconds: float) -> float:
        """Wait until no policy, pod, PriorityClass or guard of ours is left; give when the last was seen to be gone."""
        self.until(
            lambda: not self.seen.policies and not any(self.seen.pods.values()),
            seconds=seconds,
            what=lambda: f"{len(self.seen.policies)} policies, {sum(map(len, self.seen.pods.values()))} pods are left",
        )
        deadline = time.perf_counter() + seconds
        while left := self._left():
            if time.perf_counter() > deadline:
                raise LateError(f"{left} are left")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter()

    def _left(self) -> list[str]:
        children = (
            ("priorityclasses", contract.LABEL_POLICY),
            ("networkpolicies", contract.LABEL_GUARD),
            ("networkpolicies", contract.LABEL_POLICY),
            ("resourcequotas", contract.LABEL_POLICY),
            ("configmaps", contract.LABEL_POLICY),
            ("serviceaccounts", contract.LABEL_POLICY),
        )
        found = ((resource, len(self.api.items(resource, labels=label))) for resource, label in children)
        return [f"{count} {resource}" for resource, count in found if count]

    def until_quiet(self, operator: LocalOperator, *, seconds: float = 120.0) -> float:
        """Wait until the operator's counters stand still and nothing is due; give when they last moved."""
        deadline = time.perf_counter() + seconds
        last: dict[str, float] = {}
        moved = time.perf_counter()
        while True:
            metrics = operator.metrics()
            now = time.perf_counter()
            counters = {
                name: value
                for name, value in metrics.items()
                if name.startswith(("zaum_operator_reconciles_total", measure.WRITES)) and measure.LEASE not in name
            }
            # A standby keeps what is due for the day that it leads.
            due = metrics.get("zaum_operator_queue_depth", 0) if metrics.get("zaum_leader", 1) else 0
            if counters != last or due > 0:
                last, moved = counters, now
            if now - moved >= QUIET_SECONDS:
                return moved
            if now > deadline:
                raise LateError(f"the operator does not come to rest: {counters}")
            time.sleep(LOOK_SECONDS)

    # What is counted.

    def point(self, operator: LocalOperator) -> measure.Point:
        """Read all counters now."""
        return self._point(cpu=operator.cpu_seconds(), metrics=operator.metrics())

    def point_without_operator(self) -> measure.Point:
        """Read the API server's counters; those of a process that is yet to start are zero."""
        return self._point(cpu=0.0, metrics={})

    def _point(self, *, cpu: float, metrics: measure.Metrics) -> measure.Point:
        counts = self.audit.read()
        server = next(record for record in processes.load(local.place().processes) if record.name == "kube-apiserver")
        seconds = _cpu_seconds(server.pid)
        return measure.Point(cpu, metrics, audit.writes(counts), audit.reads(counts), seconds)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing of the first operator reach the API server for the block."""
        rule = ["INPUT", "-s", addresses.WORLD_LINK_IPV4, "-p", "tcp", "-j", "DROP"]
        processes.run("iptables", "-w", "-I", *rule)
        try:
            yield
        finally:
            processes.run("iptables", "-w", "-D", *rule)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / localoperator.TICKS
