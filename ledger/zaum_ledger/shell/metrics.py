"""Count what the ledger does, and show what policies have used. The one importer of the metrics library."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from zaum_api import contract, documents, incidents
from zaum_api.documents import Refusal

CONTENT_TYPE: Final[str] = prometheus_client.CONTENT_TYPE_LATEST
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_POLICY: Final = ("namespace", "policy")


class Metrics:
    """The process's own registry. What is counted by refusal is bounded; by policy, as many as have books."""

    def __init__(self) -> None:
        self._registry = prometheus_client.CollectorRegistry()
        prefix = contract.METRIC_PREFIX + "ledger_"
        own = self._registry
        self._seconds = prometheus_client.Histogram(
            prefix + "sync_seconds", "How long syncs took that were answered.", buckets=_SECONDS, registry=own
        )
        self._refusals = prometheus_client.Counter(
            prefix + "refusals", "Requests that were refused, by reason.", ["reason"], registry=own
        )
        self._leases = prometheus_client.Counter(prefix + "leases", "Leases that were given.", registry=own)
        self._wants = prometheus_client.Counter(prefix + "wants_refused", "Wants that did not fit.", registry=own)
        self._groups = prometheus_client.Histogram(
            prefix + "group_size", "Transactions that shared a commit.", buckets=_SIZES, registry=own
        )
        self._incidents = prometheus_client.Counter(
            prefix + "incidents", "Incidents that were reported, by action.", ["action"], registry=own
        )
        self._delays = prometheus_client.Counter(
            prefix + "incident_delays", "Attempts to make an Incident that failed and are repeated.", registry=own
        )
        for action in incidents.Action:
            self._incidents.labels(action.value)
        self._gauges: dict[str, prometheus_client.Gauge] = {}
        for refusal in Refusal:
            self._refusals.labels(refusal.value)

    def synced(self, seconds: float) -> None:
        """Count a sync that was answered."""
        self._seconds.observe(seconds)

    def refused(self, refusal: Refusal) -> None:
        """Count a refusal."""
        self._refusals.labels(refusal.value).inc()

    def lent(self, leases: int, refused: int) -> None:
        """Count what one answer gave and did not give."""
        self._leases.inc(leases)
        self._wants.inc(refused)

    def reported(self, action: str) -> None:
        """Count an Incident that the API server has."""
        self._incidents.labels(action).inc()

    def delayed(self) -> None:
        """Count an attempt to make one that failed."""
        self._delays.inc()

    def committed(self, size: int) -> None:
        """Count a commit; from the writer's thread."""
        self._groups.observe(size)

    def follow(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Export a number that is asked for at each scrape."""
        gauge = prometheus_client.Gauge(contract.METRIC_PREFIX + "ledger_" + name, help_text, registry=self._registry)
        gauge.set_function(value)
        self._gauges[name] = gauge

    def text(self, policies: Iterable[documents.PolicyUsage]) -> bytes:
        """Give the exposition of one scrape."""
        scrape = prometheus_client.CollectorRegistry(auto_describe=False)
        scrape.register(_Policies(policies))
        return bytes(prometheus_client.generate_latest(self._registry) + prometheus_client.generate_latest(scrape))


class _Policies:
    """The series of policies, made for one scrape."""

    def __init__(self, policies: Iterable[documents.PolicyUsage]) -> None:
        self._policies = list(policies)

    def describe(self) -> Iterator[Metric]:
        """Say nothing beforehand."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Give the families."""
        prefix = contract.METRIC_PREFIX + "policy_"
        labels = (*_POLICY, "scope", "kind", "window")
        used = GaugeMetricFamily(prefix + "limit_used", "Charged and lent in the window that runs.", labels=labels)
        limit = GaugeMetricFamily(prefix + "limit", "What there may be in a window.", labels=labels)
        pods = GaugeMetricFamily(prefix + "pods", "Pods that were heard of lately.", labels=_POLICY)
        kills = GaugeMetricFamily(prefix + "kills", "Pods that were ended for a breach within a day.", labels=_POLICY)
        heard = GaugeMetricFamily(prefix + "heard_seconds", "Since a pod was heard.", labels=_POLICY)
        names = {name: _snake(name) for name in documents.Counters().write()}
        counters = {
            name: CounterMetricFamily(prefix + snake, f"{name} of all pods.", labels=_POLICY)
            for name, snake in names.items()
        }
        for policy in self._policies:
            of = (policy.namespace, policy.policy)
            pods.add_metric(of, policy.pods)
            heard.add_metric(of, policy.heard)
            kills.add_metric(of, policy.kills)
            for name, value in policy.counters.write().items():
                counters[name].add_metric(of, value)
            for meter in policy.meters:
                scope, _, counted = meter.meter.rpartition(":")
                kind, _, window = counted.partition("/")
                used.add_metric((*of, scope, kind, window), meter.used)
                limit.add_metric((*of, scope, kind, window), meter.limit)
        yield from (used, limit, pods, heard, kills, *counters.values())


_SNAKES: Final = {
    "wouldDeny": "would_deny",
    "bytesOut": "bytes_out",
    "bytesIn": "bytes_in",
    "cost": "cost_microdollars",
}


def _snake(name: str) -> str:
    return _SNAKES.get(name, name)
