"""The operator's metrics, in one registry that a test can make afresh."""

from typing import Final

import prometheus_client

from zaum_api import contract

_PREFIX: Final = f"{contract.METRIC_PREFIX}operator_"
_LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 5)
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What the operator counts."""

    def __init__(self) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prometheus_client.CollectorRegistry()
        self.queue_depth = prometheus_client.Gauge(
            f"{_PREFIX}queue_depth", "Keys that are due and wait for a worker.", registry=self.registry
        )
        self.queue_oldest = prometheus_client.Gauge(
            f"{_PREFIX}queue_oldest_seconds", "How long the oldest due key waits.", registry=self.registry
        )
        self.reconciles = prometheus_client.Counter(
            f"{_PREFIX}reconciles", "Reconciles by result.", ["result"], registry=self.registry
        )
        self.duration = prometheus_client.Histogram(
            f"{_PREFIX}reconcile_seconds", "How long a reconcile takes.", buckets=_BUCKETS, registry=self.registry
        )
        self.writes = prometheus_client.Counter(
            f"{_PREFIX}writes", "Requests that change the cluster.", ["verb", "kind"], registry=self.registry
        )
        self.events = prometheus_client.Counter(
            f"{_PREFIX}watch_events", "Events that came from watches.", ["kind"], registry=self.registry
        )

        self.conflicts = prometheus_client.Counter(
            f"{_PREFIX}conflicts", "Requests that met another state than was read (409).", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self.healed = prometheus_client.Counter(
            f"{_PREFIX}healed", "Objects that a resync found and a watch had not shown.", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self.watch_age = prometheus_client.Gauge(
            f"{_PREFIX}watch_age_seconds", "How long ago a watch has shown something.", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self.cached = prometheus_client.Gauge(
            f"{_PREFIX}cache_objects", "Objects in the cache.", ["kind"], registry=self.registry
        )
        self.unreadable = prometheus_client.Gauge(
            f"{_PREFIX}unreadable", "1 for a kind whose last list failed: CRD or right may be gone.", ["kind"],
            registry=self.registry,
        )  # fmt: skip
        self.leader = prometheus_client.Gauge(
            f"{contract.METRIC_PREFIX}leader", "1 on the replica that leads.", registry=self.registry
        )
        self.lag = prometheus_client.Histogram(
            f"{_PREFIX}loop_lag_seconds", "How late the event loop runs what is due.", buckets=_LAG_BUCKETS,
            registry=self.registry,
        )  # fmt: skip
        self.rolling = prometheus_client.Gauge(
            f"{_PREFIX}rollout_policies", "Policies by their place in the rollout of a new watchdog image.", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self.tasks = prometheus_client.Gauge(f"{_PREFIX}tasks", "Tasks of the event loop.", registry=self.registry)
        prometheus_client.ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Give the exposition format."""
        return prometheus_client.generate_latest(self.registry)
