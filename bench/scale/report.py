"""Turn the outcomes of all sizes into a table, the aims and the last line. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.scale import measure
from bench.scale.measure import Outcome

ORDER: Final = ("burst", "restart", "wave", "rollout", "drip", "gap", "leader", "storm", "floor", "cold")
"""The scenarios; each finds the crowd as the one before left it."""
HEADLINE: Final = "burst"
RESTART: Final = "restart"
FLOOR: Final = "floor"
NO_COST_OF_OURS: Final = frozenset({FLOOR})

CPU_MS: Final = 25.0
WRITES_EACH: Final = 9.0
RSS_MIB: Final = 150.0
EXPONENT: Final = 1.1
LAG_SECONDS: Final = 0.05
RESTART_SECONDS: Final = 10.0
TAKEOVER_SECONDS: Final = 20.0

Sizes = Mapping[int, list[Outcome]]
COLUMNS: Final = (
    "policies  scenario    seconds  cpu ms  writes   reads  rss MiB  lag p99 ms  pod p50 s  pod p99 s  server cpu ms"
)


@dataclass(frozen=True)
class Aim:
    """One bound: `value` None means that it could not be measured, and so is missed."""

    name: str
    value: float | None
    limit: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the measured value keeps the bound."""
        return self.value is not None and self.value <= self.limit

    def __str__(self) -> str:
        shown = "not measured" if self.value is None else f"{self.value:.4g}{self.unit}"
        return f"{'ok' if self.met else 'missed':<7} {self.name}: {shown} (at most {self.limit:g}{self.unit})"


def find(outcomes: Iterable[Outcome], name: str) -> Outcome | None:
    """Return the outcome of a scenario, None when it did not run."""
    return next((outcome for outcome in outcomes if outcome.name == name), None)


def row(size: int, outcome: Outcome) -> str:
    """Render one scenario: CPU, writes, reads and the API server's CPU are per policy that the scenario touched."""

    def shown(value: float | None, width: int, digits: int) -> str:
        return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"

    each = outcome.policies
    lag = None if outcome.lag_p99 is None else 1000 * outcome.lag_p99
    server = None if outcome.server_cpu_seconds < 0 else 1000 * outcome.server_cpu_seconds / each  # it restarted
    return (
        f"{size:8d}  {outcome.name:<10}{outcome.seconds:9.2f}{outcome.cpu_ms:8.1f}{outcome.writes_each:8.2f}"
        f"{outcome.reads / each:8.1f}{outcome.rss_mib:9.1f}{shown(lag, 12, 1)}{shown(outcome.pod_p50, 11, 2)}"
        f"{shown(outcome.pod_p99, 11, 2)}{shown(server, 15, 1)}"
    )


def table(sizes: Sizes) -> list[str]:
    """Render all scenarios of all sizes."""
    return [COLUMNS, *(row(size, outcome) for size, outcomes in sorted(sizes.items()) for outcome in outcomes)]


def exponent(sizes: Sizes) -> float | None:
    """Say how the operator's CPU for the burst grows with the number of policies: 1 is in proportion."""
    costs = {size: found.cpu_seconds for size, outcomes in sizes.items() if (found := find(outcomes, HEADLINE))}
    return measure.exponent(costs)


def peak(outcomes: Iterable[Outcome]) -> float:
    """Give the operator's highest resident memory over all scenarios, in MiB."""
    return max(outcome.rss_mib for outcome in outcomes if outcome.name not in NO_COST_OF_OURS)


def aims(sizes: Sizes) -> list[Aim]:
    """Judge the largest size; only the exponent looks at all of them."""
    outcomes = sizes[max(sizes)]
    head, restart = find(outcomes, HEADLINE), find(outcomes, RESTART)
    lags = [outcome.lag_p99 for outcome in outcomes if outcome.lag_p99 is not None]
    leader = find(outcomes, "leader")
    disagreeing = sum(abs(outcome.writes - outcome.audited) for outcome in outcomes if outcome.name != "leader")
    unended = set(ORDER) - {outcome.name for outcome in outcomes}
    return [
        Aim("scenarios that did not come to their end", float(len(unended)), 0),
        Aim("CPU per policy, created to Ready", head.cpu_ms if head else None, CPU_MS, " ms"),
        Aim("writes per policy, created to Ready", head.writes_each if head else None, WRITES_EACH),
        Aim("resident memory, peak of all scenarios", peak(outcomes), RSS_MIB, " MiB"),
        Aim("exponent of CPU over policies", exponent(sizes), EXPONENT),
        Aim("loop lag p99, worst scenario", max(lags) if lags else None, LAG_SECONDS, " s"),
        Aim("writes of an unchanged restart", float(restart.audited) if restart else None, 0),
        Aim("seconds of an unchanged restart", restart.seconds if restart else None, RESTART_SECONDS, " s"),
        Aim(
            "takeover after the leader was killed",
            leader.notes["takeover after kill s"] if leader else None,
            TAKEOVER_SECONDS,
            " s",
        ),
        Aim("writes of a standby", leader.notes["standby writes"] if leader else None, 0),
        Aim("writes on which metrics and audit log disagree", float(disagreeing), 0),
    ]


def beside_floor(outcomes: list[Outcome]) -> str:
    """Compare the burst with a plain client that sent the same objects."""
    head, floor = find(outcomes, HEADLINE), find(outcomes, FLOOR)
    if head is None or floor is None or not floor.cpu_seconds or not floor.audited:
        return "floor: not measured"
    per_write = (head.cpu_seconds / head.audited) / (floor.cpu_seconds / floor.audited)
    return (
        f"floor: a plain client that sends the same objects needs {floor.cpu_ms:.1f} ms CPU per policy for "
        f"{floor.writes_each:.2f} writes; the operator, which also watches and decides, {head.cpu_ms:.1f} ms for "
        f"{head.writes_each:.2f}: {head.cpu_seconds / floor.cpu_seconds:.1f} times the floor, {per_write:.1f} per write"
    )


def last_line(sizes: Sizes) -> str:
    """Give the line that says it all, of the largest size."""
    size = max(sizes)
    head, growth = find(sizes[size], HEADLINE), exponent(sizes)
    assert head is not None
    shown = "n/a" if growth is None else f"{growth:.2f}"
    return (
        f"bench: operator {size} policies cpu {head.cpu_ms:.1f} ms writes {head.writes_each:.2f} "
        f"rss {peak(sizes[size]):.0f} MiB exponent {shown} "
        f"pod p50 {head.pod_p50 or 0:.2f} s p99 {head.pod_p99 or 0:.2f} s"
    )
