"""What is measured of one scenario: differences of counters between its beginning and its end. Pure."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

WRITES: Final = "zaum_operator_writes_total{"
LEASE: Final = 'kind="Lease"'
LAG: Final = re.compile(r'^zaum_operator_\w*lag\w*_bucket\{le="([^"]+)"\}$')

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Point:
    """The counters at one moment. CPU in seconds."""

    cpu: float
    metrics: Metrics
    writes: int
    reads: int
    server_cpu: float


@dataclass(frozen=True)
class Outcome:
    """One scenario's figures. `seconds` until what was asked for was there; pod times from the policy's creation."""

    name: str
    policies: int
    seconds: float
    cpu_seconds: float
    writes: int
    audited: int
    reads: int
    rss_mib: float
    server_cpu_seconds: float
    lag_p99: float | None = None
    pod_p50: float | None = None
    pod_p99: float | None = None
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def cpu_ms(self) -> float:
        """CPU per policy in milliseconds."""
        return 1000 * self.cpu_seconds / self.policies

    @property
    def writes_each(self) -> float:
        """Requests that change something, per policy, as the API server counted them."""
        return self.audited / self.policies


def counted(metrics: Metrics) -> int:
    """Add up the writes that the operator says it sent; its Lease is set apart."""
    return int(sum(value for name, value in metrics.items() if name.startswith(WRITES) and LEASE not in name))


def since(before: Metrics, after: Metrics) -> Counter[str]:
    """Give what each of the operator's counters grew by."""
    grown = Counter({name: round(value - before.get(name, 0)) for name, value in after.items()})
    return Counter({name: value for name, value in grown.items() if value})


def lag_quantile(before: Metrics, after: Metrics, share: float) -> float | None:
    """Estimate a quantile of the loop's lag in seconds from its histogram; None where there is none."""
    buckets = []
    for name, value in after.items():
        if found := LAG.match(name):
            buckets.append((float(found.group(1)), value - before.get(name, 0.0)))
    buckets.sort()
    if not buckets or buckets[-1][1] <= 0:
        return None
    wanted, low, below = share * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if math.isinf(bound) or count == below:
                return low if math.isinf(bound) else bound
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def quantile(values: Iterable[float], share: float) -> float | None:
    """Give a quantile by linear interpolation; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def exponent(costs: Mapping[int, float]) -> float | None:
    """Fit cost ~ size^k over the sizes and give k; None with fewer than two sizes or without cost."""
    points = [(math.log(size), math.log(cost)) for size, cost in costs.items() if cost > 0]
    if len(points) < 2:
        return None
    return statistics.linear_regression(*zip(*points, strict=True)).slope
