"""Count decisions and ages. The one importer of the metrics library."""

from collections.abc import Callable
from typing import Final

import prometheus_client

from zaum_api import contract

CONTENT_TYPE: Final[str] = prometheus_client.CONTENT_TYPE_LATEST
# Decisions are dictionary look-ups and one signature: a tenth of a millisecond to a few.
_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.3, 0.5)

WOULD_DENY: Final = (contract.Rule.HOST_NOT_NAMED, contract.Rule.PORT_NOT_NAMED)
CONTACT: Final = (
    contract.Rule.TOKEN_MISSING,
    contract.Rule.TOKEN_INVALID,
    contract.Rule.SIGNATURE_INVALID,
    contract.Rule.SOURCE_ADDRESS,
)
"""The series that are there from the start."""


class Metrics:
    """The process's own registry. Label values are rules and fixed names, so the number of series is bounded."""

    def __init__(self) -> None:
        self._registry = prometheus_client.CollectorRegistry()
        prefix = contract.METRIC_PREFIX + "authorizer_"
        self._decisions = prometheus_client.Counter(
            prefix + "decisions", "Decisions by the rule that decided.", ["rule"], registry=self._registry
        )
        self._seconds = prometheus_client.Histogram(
            prefix + "decision_seconds", "How long decisions took.", registry=self._registry, buckets=_BUCKETS
        )
        self._age = prometheus_client.Gauge(
            prefix + "feed_age_seconds", "Time since the API server last spoke.", ["feed"], registry=self._registry
        )
        self._would_deny = prometheus_client.Counter(
            prefix + "would_deny",
            "Requests that mode Report let pass, by the rule that would have refused.",
            ["rule"],
            registry=self._registry,
        )
        self._contacts = prometheus_client.Counter(
            prefix + "contacts",
            "Pods from which somebody spoke without the pod's credential, by rule.",
            ["rule"],
            registry=self._registry,
        )
        self._received = prometheus_client.Counter(
            prefix + "reports_received", "Reports of watchdogs.", registry=self._registry
        )
        self._held = prometheus_client.Gauge(
            prefix + "held", "Pods of which something is held in memory.", ["what"], registry=self._registry
        )
        self._incidents = prometheus_client.Gauge(
            prefix + "incidents", "Incidents by what is made of them.", ["state"], registry=self._registry
        )
        for rule in contract.Rule:
            self._decisions.labels(rule.value)
        for rule in WOULD_DENY:
            self._would_deny.labels(rule.value)
        for rule in CONTACT:
            self._contacts.labels(rule.value)

    def decided(self, rule: contract.Rule, seconds: float) -> None:
        """Count one decision."""
        self._decisions.labels(rule.value).inc()
        self._seconds.observe(seconds)

    def passed(self, rule: contract.Rule) -> None:
        """Count one request that only mode Report let pass."""
        self._would_deny.labels(rule.value).inc()

    def touched(self, rule: contract.Rule) -> None:
        """Count one pod that was latched."""
        self._contacts.labels(rule.value).inc()

    def reported(self) -> None:
        """Count one report that was taken."""
        self._received.inc()

    def hold(self, what: str, count: Callable[[], int]) -> None:
        """Export of how many pods `what` is held; it is asked at each scrape."""
        self._held.labels(what).set_function(count)

    def contain(self, state: str, count: Callable[[], int]) -> None:
        """Export how many Incidents are in a state; it is asked at each scrape."""
        self._incidents.labels(state).set_function(count)

    def follow(self, feed: str, age: Callable[[], float]) -> None:
        """Export the age of a feed, in seconds; it is asked at each scrape."""
        self._age.labels(feed).set_function(age)

    def text(self) -> bytes:
        """Give the exposition."""
        return bytes(prometheus_client.generate_latest(self._registry))
